"""Our steps among nbgrader's: entered in a class's `nbgrader_config.py` by `autograder.class_folder.configure`.

`Execute` takes the place of nbgrader's step of that name and judges graded cells in place of running them;
`Realign` comes before it, and `KeepRecord` writes the outcome down. `nbgrader autograde`, the formgrader and
`autograder grade` all run them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearOutput, NbGraderPreprocessor
from safetensors import SafetensorError
from traitlets import Bool, List, Unicode

from manyheads import wire
from manyheads.call import Answer, Failure
from manyheads.exam import Exam

from ..classroom.class_folder import ClassFolder
from ..classroom.gradebook import commit
from ..classroom.marks import marks
from ..classroom.record import Record
from ..course.chapter import Chapter, GradedCell, read_chapter
from ..course.notebooks import grade_id
from ..judge.judge import Judge
from ..judge.learner_source import sources
from ..judge.needed_cells import left_out
from ..judge.verdict import Verdict
from ..outcomes import Outcome
from ..realign.read_submission import refuse_missing_modules, refuse_newer_python, refuse_other_chapters
from ..realign.realign import realign
from ..realign.release import Release, release_in_class
from ..realign.repairs import FILE, Repair, keep, kept, note
from ..realign.schema import mended
from ..sandbox.limits import MB
from ..sandbox.run_cells import RunCells
from ..sandbox.warm_process import begin_warming

_PROBE = '__import__("manyheads.probe", fromlist=["respond"]).respond({request!r}, {answer!r})'
_GRANT = '__import__("manyheads.earlier", fromlist=["grant"]).grant({request!r})'
_TIMED_OUT = "CellTimeoutError"
READ = "read"  # a resource that says that `autograder.nbgrader_steps.untrusted` has read and realigned the submission
_NOT_RUN = {
    "output_type": "stream",
    "name": "stdout",
    "text": "[This cell was not run: it is the lesson's own, and no grade depends on it.]\n",
}


@dataclass(frozen=True)
class Marked:
    """What became of one submission's notebook.

    Args:
        outcome: how the submission ended.
        reason: why, for a person; for graded "", or what a person should look at.
        verdicts: of the graded cells, in the notebook's order.
        seconds: wall time from the kernel's start to its end.
        sealed: whether it ran in the sandbox.
    """

    outcome: Outcome
    reason: str
    verdicts: tuple[Verdict, ...]
    seconds: float
    sealed: bool


class Execute(RunCells):
    """Runs a submission, and has each graded cell judged in place of running its test."""

    solutions = Unicode(help="Folder with the chapters' lessons and declarations.").tag(config=True)
    seed = Unicode(help="The class's secret seed.").tag(config=True)
    hidden = List(Unicode(), help="Folders of the grader's that a submission must not see.").tag(config=True)
    everything = Bool(False, help="Run the lesson's own cells, too, on which no grade depends.").tag(config=True)

    def hidden_folders(self) -> list[Path]:
        """Return the class folder: a submission must not see it even if it lies in a folder of Python's."""
        return [path for path in (Path(self.solutions).parent, *map(Path, self.hidden)) if path.is_dir()]

    def preprocess(self, nb: NotebookNode, resources: Any = None, km: Any = None) -> tuple[NotebookNode, Any]:
        """Run `nb`, judge it, and leave a `Marked` in `resources["manyheads"]`."""
        resources = {} if resources is None else resources
        if "manyheads" in resources:  # a worker has done it already
            return nb, resources
        started = time.monotonic()
        chapter = read_chapter(Path(self.solutions) / resources["nbgrader"]["assignment"])
        self._left_out = frozenset() if self.everything else left_out(nb.cells, chapter)
        nb, outcome, reason = self._run_and_judge(nb, resources, chapter)
        if self._left_out and self._misses_a_name(nb):
            self._left_out = frozenset()
            nb, _ = ClearOutput(parent=self).preprocess(nb, resources)
            nb, outcome, reason = self._run_and_judge(nb, resources, chapter)
        resources["manyheads"] = Marked(
            outcome,
            reason,
            tuple(self._judge.verdicts),
            seconds=time.monotonic() - started,
            sealed=self.sandbox,
        )
        return nb, resources

    def _run_and_judge(self, nb: NotebookNode, resources: Any, chapter: Chapter) -> tuple[NotebookNode, Outcome, str]:
        """Run `nb` in a new kernel and fill `self._judge`. Return the notebook, the outcome and its reason."""
        if self.sandbox:
            begin_warming(frozenset(self.hidden_folders()))  # the first time, setting the exams takes as long
        self._judge = Judge(chapter, self.seed)
        self._timed_out_cell: int | None = None
        self._has_begun = False
        self._answers: dict[tuple[Exam, tuple[str, ...]], Sequence[Answer]] = {}
        self._sources = sources(nb, chapter.exercises)
        outcome, reason = Outcome.GRADED, ""
        try:
            nb, _ = super().preprocess(nb, resources)
        except DeadKernelError:
            outcome, reason = self.why_it_ended()
            self._give_up_the_rest(nb, outcome, f"a cell above, or this one, ended the kernel: {reason}")
        except CellTimeoutError:
            outcome = Outcome.TIMEOUT
            reason = "a cell ran too long, or showed too much at once, and could not be stopped"
            self._give_up_the_rest(nb, Outcome.TIMEOUT, f"{reason}: a cell above, or this one")
        finally:
            self.close_kernel()
        if outcome == Outcome.GRADED and self._timed_out_cell is not None:
            outcome = Outcome.TIMEOUT
            reason = f"cell {self._timed_out_cell + 1} ran longer than {self.timeout} s and was stopped"
        if self.odd_messages:
            odd = f"its kernel sent {self.odd_messages} messages that no kernel sends; they were left out"
            reason = f"{reason}; {odd}" if reason else odd
        return nb, outcome, reason

    def _misses_a_name(self, nb: NotebookNode) -> bool:
        """Whether something failed for want of a name: perhaps one of a cell that was left out."""
        errors = (output.get("ename") for cell in nb.cells for output in cell.get("outputs", ()))
        return "NameError" in errors or any("NameError" in verdict.message for verdict in self._judge.verdicts)

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Run an ordinary cell, or judge a graded one."""
        if not self._has_begun:
            self._has_begun = True
            self._grant(index)
            self.nb.cells[index] = cell
        if index in self._left_out:
            cell.outputs = [NotebookNode(_NOT_RUN)]
            return cell, resources
        graded = self._judge.chapter.graded_cell(grade_id(cell))
        if graded is None and cell.cell_type != "code":
            return cell, resources
        if graded is None:
            self._answers.clear()  # what this cell defines may answer otherwise
            return self._run(cell, resources, index)
        verdict = self._judge.mark(
            graded,
            ask=lambda exam, stand_ins: self._ask(exam, stand_ins, index),
            source=self._sources[graded.exercise],
        )
        cell.outputs = verdict.outputs()
        cell.execution_count = None
        self.nb.cells[index] = cell
        return cell, resources

    def _grant(self, index: int) -> None:
        """Give the kernel, before anything runs in it, what earlier chapters built. It holds nothing else.

        Without a sandbox the learners' files are in sight: what is granted hides them from `manyheads.earlier` alone.
        """
        earlier = self._judge.chapter.earlier
        if earlier or not self.sandbox:
            letters = self.kernel.letters
            letters.ask(wire.dumps(dict(earlier), {}))
            cell = new_code_cell(_GRANT.format(request=letters.request_path))
            with self.silence():
                self.execute_cell(cell, index, store_history=False)

    def _run(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Run an ordinary cell. What the next graded cell will ask is asked with it: a message costs milliseconds."""
        place, graded = self._next_graded(index)
        if graded is None:
            cell, resources = super().preprocess_cell(cell, resources, index)
            self._note_timeout(index)
            return cell, resources
        exam, letters = self._judge.exams[graded.exercise], self.kernel.letters
        with contextlib.suppress(OSError):  # there is no room: the question is put later, and this met again
            letters.ask(self._letter(exam, {}))
        with self.followed_by(self._probe()):
            cell, resources = super().preprocess_cell(cell, resources, index)
        begun = letters.is_answered()
        timed_out = self._note_timeout(place if begun else index)
        if begun:
            self._answers[exam, ()] = self._too_slow(exam) if timed_out else self._read(exam)
        if begun and timed_out:  # not the cell itself
            cell.outputs = [output for output in cell.outputs if output.get("ename") != _TIMED_OUT]
        return cell, resources

    def _next_graded(self, index: int) -> tuple[int, GradedCell | None]:
        """Return the place of the next cell that does something, and what is graded there."""
        for place in range(index + 1, len(self.nb.cells)):
            cell = self.nb.cells[place]
            if cell.cell_type == "code" and place not in self._left_out:
                return place, self._judge.chapter.graded_cell(grade_id(cell))
        return len(self.nb.cells), None

    def _ask(self, exam: Exam, stand_ins: Mapping[str, str], index: int) -> Sequence[Answer]:
        """Return what the learner's code answers. Between two cells that run, it is asked once."""
        asked = (exam, tuple(stand_ins))
        if asked not in self._answers:
            self._answers[asked] = self._carry_out(exam, stand_ins, index)
        return self._answers[asked]

    def _carry_out(self, exam: Exam, stand_ins: Mapping[str, str], index: int) -> Sequence[Answer]:
        """Have the exam's calls carried out in the learner's kernel."""
        cell = new_code_cell(self._probe())
        try:
            self.kernel.letters.ask(self._letter(exam, stand_ins))
        except OSError as error:
            return _nothing_came(exam, error)
        with self.silence():  # what is shown now has no place: the verdict stands in this cell
            self.execute_cell(cell, index, store_history=False)
        return self._too_slow(exam) if self._note_timeout(index) else self._read(exam)

    def _probe(self) -> str:
        """Return the expression that has a letter read and answered."""
        letters = self.kernel.letters
        return _PROBE.format(request=letters.request_path, answer=letters.answer_path)

    def _letter(self, exam: Exam, stand_ins: Mapping[str, str]) -> bytes:
        return _letter(exam, tuple(stand_ins.items()), tuple(self._judge.chapter.earlier))

    def _read(self, exam: Exam) -> Sequence[Answer]:
        """Return the answers that came back. They may be anything."""
        most = self.kernel.limits.file_mb * MB
        try:
            given, tensors = wire.loads(self.kernel.letters.answer(most), most)
            answers = [wire.Unpacker(tensors).answer(packed) for packed in given["answers"]]
        except (wire.WireError, SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
            return _nothing_came(exam, error)
        if len(answers) != len(exam.trials):
            return _no_answer(exam, "NoAnswer", f"{len(answers)} answers came to {len(exam.trials)} questions")
        return answers

    def _too_slow(self, exam: Exam) -> Sequence[Answer]:
        return _no_answer(exam, "Timeout", f"your code ran longer than {self.timeout} s")

    def _note_timeout(self, index: int) -> bool:
        timed_out, self.late = self.late, False
        if timed_out and self._timed_out_cell is None:
            self._timed_out_cell = index
        return timed_out

    def _give_up_the_rest(self, nb: NotebookNode, stage: str, why: str) -> None:
        """Give verdicts for the graded cells that were not reached. What was earned before stays."""
        judged = {verdict.grade_id for verdict in self._judge.verdicts}
        for cell in nb.cells:
            graded = self._judge.chapter.graded_cell(grade_id(cell))
            if graded is not None and graded.grade_id not in judged:
                cell.outputs = self._judge.give_up(graded, stage, f"This was not judged: {why}.").outputs()


class Realign(NbGraderPreprocessor):
    """Makes a submission fit the release before anything of it runs. What was mended stands in a cell at its top."""

    solutions = Unicode(help="Folder with the chapters' lessons and declarations.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Return `nb` realigned, its repairs in its metadata for `KeepRecord`."""
        if READ in resources:
            return nb, resources
        chapter = read_chapter(Path(self.solutions) / resources["nbgrader"]["assignment"])
        release = release_in_class(chapter)
        nb, slips = mended(nb)
        keep(nb, [Repair(FILE, what) for what in slips])
        refuse_other_chapters(nb, release, chapter.name)
        return realigned(nb, release), resources


def realigned(submission: NotebookNode, release: Release) -> NotebookNode:
    """Return `submission` as it is graded: what was mended stands in a cell at its top, and in its metadata.

    Raises:
        NeedsReview: if it has what this Python, or this machine, has not.
    """
    slips = kept(submission)
    done = realign(submission, release)
    refuse_newer_python(done.notebook)
    refuse_missing_modules(done.notebook, release.exercises)
    repairs = (*slips, *done.repairs)
    if repairs:
        done.notebook.cells.insert(0, note(repairs))
    keep(done.notebook, repairs)
    return done.notebook


class KeepRecord(NbGraderPreprocessor):
    """Writes the outcome of a submission beside the gradebook, where the report finds it."""

    class_folder = Unicode(help="The class folder.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Write the record of the submission that `resources` speaks of."""
        marked: Marked | None = resources.get("manyheads")
        names = resources["nbgrader"]
        folder = ClassFolder(Path(self.class_folder))
        student, assignment = names["student"], names["assignment"]
        fingerprint = resources.get("fingerprint") or folder.fingerprint(
            folder.notebook(student, assignment), folder.judged_by(assignment)
        )
        record = Record.of(
            student=student,
            assignment=assignment,
            outcome=marked.outcome if marked else Outcome.NEEDS_REVIEW,
            reason=marked.reason if marked else "it was saved without being judged",
            fingerprint=fingerprint,
            verdicts=marked.verdicts if marked else (),
            seconds=marked.seconds if marked else 0.0,
            repairs=kept(nb),
            sealed=marked.sealed if marked else True,
        )
        commit()  # first the grade, then the word that it is there
        given = marks(names["db_url"], assignment, student).get(student, {})
        record.write(folder.record_path(student, assignment), given)
        return nb, resources


@lru_cache(maxsize=64)
def _letter(exam: Exam, stand_ins: tuple[tuple[str, str], ...], granted: tuple[str, ...]) -> bytes:
    """Return an exam's questions as `manyheads.probe` reads them: the same for every submission.

    Args:
        stand_ins: source by exercise, for what is lent.
        granted: exercises of earlier chapters, of which the course's own stand-ins may be called.
    """
    document = {"exercise": exam.exercise, "probe": exam.probe, "stand_ins": dict(stand_ins)}
    packer = wire.Packer()
    document["calls"] = [packer.call(trial.call) for trial in exam.trials]
    document["forbids"], document["granted"] = list(exam.forbids), list(granted)
    return wire.dumps(document, packer.tensors)


def _nothing_came(exam: Exam, error: Exception) -> Sequence[Answer]:
    return _no_answer(exam, "NoAnswer", f"nothing that can be judged came back ({error})")


def _no_answer(exam: Exam, kind: str, why: str) -> Sequence[Answer]:
    return [Answer(failure=Failure(kind, why))] * len(exam.trials)
