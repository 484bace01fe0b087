"""The nbgrader step that runs a submission and judges its graded cells.

Graded cells are judged instead of run. `nbgrader autograde`, the formgrader and `autograder grade` all use this step.
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
from manyheads.checking.stage import Stage

from ..course.chapter import Chapter, GradedCell, read_chapter
from ..course.notebooks import grade_id
from ..judge.interview import Interview, Records, no_answer, unreadable
from ..judge.judge import Judge
from ..judge.learner_source import sources
from ..judge.needed_cells import left_out
from ..judge.verdict import Judged
from ..outcomes import Outcome
from ..sandbox.limits import MB
from ..sandbox.run_cells import RunCells
from ..sandbox.warm_process import begin_warming

_TIMED_OUT = "CellTimeoutError"
_RECORDING = 5  # seconds that the calls of one exercise may take while their steps are recorded
_NOT_RUN = {
    "output_type": "stream",
    "name": "stdout",
    "text": "[This cell was not run: it belongs to the lesson, and no grade depends on it.]\n",
}


class Execute(RunCells):
    """Runs a submission, and judges each graded cell instead of running it."""

    solutions = Unicode(help="Folder with the chapters' lessons and declarations.").tag(config=True)
    seed = Unicode(help="The class's secret seed.").tag(config=True)
    hidden = List(Unicode(), help="Folders of the grader that submissions must not see.").tag(config=True)
    everything = Bool(False, help="Also run cells of the lesson on which no grade depends.").tag(config=True)

    def hidden_folders(self) -> list[Path]:
        """Return the class folder, which submissions must not see even if it is inside one of Python's folders."""
        return [path for path in (Path(self.solutions).parent, *map(Path, self.hidden)) if path.is_dir()]

    def preprocess(self, nb: NotebookNode, resources: Any = None, km: Any = None) -> tuple[NotebookNode, Any]:
        """Run `nb`, judge it, and leave a `Judged` in `resources["manyheads"]`."""
        resources = {} if resources is None else resources
        if "manyheads" in resources:  # a worker has run it already
            return nb, resources
        started = time.monotonic()
        chapter = read_chapter(Path(self.solutions) / resources["nbgrader"]["assignment"])
        self._left_out = frozenset() if self.everything else left_out(nb.cells, chapter)
        nb, outcome, reason = self._run_and_judge(nb, resources, chapter)
        if self._left_out and self._misses_a_name(nb):
            self._left_out = frozenset()
            nb, _ = ClearOutput(parent=self).preprocess(nb, resources)
            nb, outcome, reason = self._run_and_judge(nb, resources, chapter)
        resources["manyheads"] = Judged(
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
            begin_warming(frozenset(self.hidden_folders()))  # while it warms up, the exams are prepared
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
            self._give_up_the_rest(nb, Stage(outcome), f"a cell above, or this one, ended the kernel: {reason}")
        except CellTimeoutError:
            outcome = Outcome.TIMEOUT
            reason = "a cell exceeded its time limit, or sent too large a message, and did not react to the interrupt"
            self._give_up_the_rest(nb, Stage.TIMEOUT, f"{reason}: a cell above, or this one")
        finally:
            self.close_kernel()
        if outcome == Outcome.GRADED and self._timed_out_cell is not None:
            outcome = Outcome.TIMEOUT
            reason = f"cell {self._timed_out_cell + 1} ran longer than {self.timeout} s and was stopped"
        if self.odd_messages:
            odd = (
                f"its kernel sent {self.odd_messages} malformed messages, which were ignored: the code may have "
                "tampered with the kernel"
            )
            reason = f"{reason}; {odd}" if reason else odd
        return nb, outcome, reason

    def _misses_a_name(self, nb: NotebookNode) -> bool:
        """Whether a name was missing, which may be defined in a cell that was left out."""
        errors = (output.get("ename") for cell in nb.cells for output in cell.get("outputs", ()))
        return "NameError" in errors or any("NameError" in verdict.message for verdict in self._judge.verdicts)

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Run an ordinary cell, or judge a graded one. Called by nbclient for each cell."""
        cell, resources = self._run_or_judge(cell, resources, index)
        if index == len(self.nb.cells) - 1:
            self._explain(index)
        return cell, resources

    def _run_or_judge(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
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
            self._answers.clear()  # this cell may redefine an exercise
            return self._run(cell, resources, index)
        verdict = self._judge.verdict_for(
            graded,
            ask=lambda exam, stand_ins: self._ask(exam, stand_ins, index),
            source=self._sources[graded.exercise],
        )
        cell.outputs = verdict.outputs()
        cell.execution_count = None
        self.nb.cells[index] = cell
        return cell, resources

    def _grant(self, index: int) -> None:
        """Give the kernel the stand-ins of earlier chapters, before any of its cells run.

        Without a sandbox, the grader's own files would be visible: the grant makes `manyheads.earlier` ignore them.
        """
        earlier = self._judge.chapter.earlier
        self._interview = Interview(self.kernel.mailbox, earlier, most=self.kernel.limits.file_mb * MB)
        if earlier or not self.sandbox:
            with self.silence():
                self.execute_cell(new_code_cell(self._interview.grant()), index, store_history=False)

    def _run(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Run an ordinary cell. The next graded cell's questions are sent along: a message costs milliseconds."""
        next_index, graded = self._next_graded(index)
        if graded is None:
            cell, resources = super().preprocess_cell(cell, resources, index)
            self._check_timeout(index)
            return cell, resources
        exam = self._judge.exams[graded.exercise]
        with contextlib.suppress(OSError):  # no room for the questions: `_carry_out` will report the same error
            self._interview.put(exam, {})
        with self.followed_by(self._interview.probe()):
            cell, resources = super().preprocess_cell(cell, resources, index)
        begun = self._interview.has_begun()
        timed_out = self._check_timeout(next_index if begun else index)
        if begun:
            self._answers[exam, ()] = self._too_slow(exam) if timed_out else self._interview.read(exam)
        if begun and timed_out:  # the questions timed out, not the cell itself
            cell.outputs = [output for output in cell.outputs if output.get("ename") != _TIMED_OUT]
        return cell, resources

    def _next_graded(self, index: int) -> tuple[int, GradedCell | None]:
        """Return the index of the next code cell that is run or judged, and its graded cell, if it is one."""
        for following in range(index + 1, len(self.nb.cells)):
            cell = self.nb.cells[following]
            if cell.cell_type == "code" and following not in self._left_out:
                return following, self._judge.chapter.graded_cell(grade_id(cell))
        return len(self.nb.cells), None

    def _ask(self, exam: Exam, stand_ins: Mapping[str, str], index: int) -> Sequence[Answer]:
        """Return the answers of the learner's code. They are reused until another cell runs."""
        asked = (exam, tuple(stand_ins))
        if asked not in self._answers:
            self._answers[asked] = self._carry_out(exam, stand_ins, index)
        return self._answers[asked]

    def _carry_out(self, exam: Exam, stand_ins: Mapping[str, str], index: int) -> Sequence[Answer]:
        """Carry out the exam's calls in the learner's kernel, and return the answers."""
        try:
            self._interview.put(exam, stand_ins)
        except OSError as error:
            return unreadable(exam, error)
        cell = new_code_cell(self._interview.probe())
        with self.silence():  # discard outputs: the verdict becomes this cell's output
            self.execute_cell(cell, index, store_history=False)
        return self._too_slow(exam) if self._check_timeout(index) else self._interview.read(exam)

    def _explain(self, index: int) -> None:
        """Have wrong answers explained line by line. Every cell is judged by now: a kernel that ends costs nothing."""
        self._can_record = True
        explained = {
            verdict.grade_id: verdict
            for verdict in self._judge.explain(lambda exam, stand_ins: self._record(exam, stand_ins, index))
        }
        for cell in self.nb.cells:
            if grade_id(cell) in explained:
                cell.outputs = explained[grade_id(cell)].outputs()

    def _record(self, exam: Exam, stand_ins: Mapping[str, str], index: int) -> Records:
        """Have the exam's calls carried out once more, with the steps of each; none if that fails."""
        if not self._can_record:
            return ()
        timeout: Any = self.timeout
        self.timeout = min(timeout or _RECORDING, _RECORDING)
        try:
            self._interview.put(exam, stand_ins, records=True)
            with self.silence():
                self.execute_cell(new_code_cell(self._interview.probe()), index, store_history=False)
            self._can_record = not self.late
            return self._interview.read_records(exam) if self._can_record else ()
        except (DeadKernelError, CellTimeoutError, OSError):
            self._can_record = False
            return ()
        finally:
            self.timeout, self.late = timeout, False

    def _too_slow(self, exam: Exam) -> Sequence[Answer]:
        return no_answer(exam, "Timeout", f"your code ran longer than {self.timeout} s")

    def _check_timeout(self, index: int) -> bool:
        """Return whether the kernel timed out since the last call, and store `index` as the first cell that did."""
        timed_out, self.late = self.late, False
        if timed_out and self._timed_out_cell is None:
            self._timed_out_cell = index
        return timed_out

    def _give_up_the_rest(self, nb: NotebookNode, stage: Stage, why: str) -> None:
        """Give verdicts for the graded cells that were not reached. Earlier verdicts stay."""
        judged = {verdict.grade_id for verdict in self._judge.verdicts}
        for cell in nb.cells:
            graded = self._judge.chapter.graded_cell(grade_id(cell))
            if graded is not None and graded.grade_id not in judged:
                cell.outputs = self._judge.give_up(graded, stage, f"This was not judged: {why}.").outputs()
