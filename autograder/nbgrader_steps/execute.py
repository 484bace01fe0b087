"""nbgrader's step that runs a submission, with the judge in it.

Graded cells are judged in place of running their tests. `nbgrader autograde`, the formgrader and `autograder grade` all
run it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from nbgrader.preprocessors import ClearOutput
from traitlets import Bool, List, Unicode

from manyheads.calling.call import Answer
from manyheads.checking.exam import Exam

from ..course.chapter import Chapter, GradedCell, read_chapter
from ..course.notebooks import grade_id
from ..judge.interview import Interview, no_answer, nothing_came
from ..judge.judge import Judge
from ..judge.learner_source import sources
from ..judge.needed_cells import left_out
from ..judge.verdict import Marked
from ..outcomes import Outcome
from ..sandbox.limits import MB
from ..sandbox.run_cells import RunCells
from ..sandbox.warm_process import begin_warming

_TIMED_OUT = "CellTimeoutError"
_NOT_RUN = {
    "output_type": "stream",
    "name": "stdout",
    "text": "[This cell was not run: it is the lesson's own, and no grade depends on it.]\n",
}


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
        self._interview = Interview(self.kernel.letters, earlier, most=self.kernel.limits.file_mb * MB)
        if earlier or not self.sandbox:
            with self.silence():
                self.execute_cell(new_code_cell(self._interview.grant()), index, store_history=False)

    def _run(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Run an ordinary cell. What the next graded cell will ask is asked with it: a message costs milliseconds."""
        place, graded = self._next_graded(index)
        if graded is None:
            cell, resources = super().preprocess_cell(cell, resources, index)
            self._note_timeout(index)
            return cell, resources
        exam = self._judge.exams[graded.exercise]
        with contextlib.suppress(OSError):  # there is no room: the question is put later, and this met again
            self._interview.put(exam, {})
        with self.followed_by(self._interview.probe()):
            cell, resources = super().preprocess_cell(cell, resources, index)
        begun = self._interview.has_begun()
        timed_out = self._note_timeout(place if begun else index)
        if begun:
            self._answers[exam, ()] = self._too_slow(exam) if timed_out else self._interview.read(exam)
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
        try:
            self._interview.put(exam, stand_ins)
        except OSError as error:
            return nothing_came(exam, error)
        cell = new_code_cell(self._interview.probe())
        with self.silence():  # what is shown now has no place: the verdict stands in this cell
            self.execute_cell(cell, index, store_history=False)
        return self._too_slow(exam) if self._note_timeout(index) else self._interview.read(exam)

    def _too_slow(self, exam: Exam) -> Sequence[Answer]:
        return no_answer(exam, "Timeout", f"your code ran longer than {self.timeout} s")

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
