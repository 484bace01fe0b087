"""The learner's checks, `check.shapes(f)` and `check.outputs(f)`, and `check.progress()`, which counts them.

`check.summary()` writes what it counts as a page.

`check.join`, `check.help` and `check.leave` are for classes whose teacher shows a board.

A check shows a card (`card.py`), and raises `CheckFailed` unless all is right. When a person runs the notebook, an
exercise that is not written yet raises nothing, so the cells below it run. Checks compare with stored answers
(`manyheads/fixtures/`): no reference solution is needed, and none is here.
"""

from __future__ import annotations

import contextlib
import inspect
import linecache
import sys
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import display

from . import board, earlier, threads
from . import progress as _progress
from . import summary as _summary
from .calling import probe
from .calling.call import Answer
from .card import result_card
from .checking import diagnosis, first_wrong_line, wording
from .checking.diagnosis import Finding
from .checking.exam import Check, Exam
from .checking.exam_files import all_exams
from .checking.pairs import apart
from .checking.stage import Stage
from .source.reached import reached

_board = board.Client(earlier.kept_in)
_told: dict[str, str] = {}  # by exercise: what the card of its check of shapes said last, "" if it passed
threads.take_share()  # every lesson begins with importing its checks


class CheckFailed(Exception):
    """A check that did not pass. Notebooks show its message without a traceback.

    Args:
        title: which check.
        message: why.
        told: whether the title is enough: it says all, or a card has already shown the message.
    """

    def __init__(self, title: str, message: str, *, told: bool = False) -> None:
        super().__init__(f"{title}\n\n{message}")
        self.title, self.message, self.told = title, message, told

    def _render_traceback_(self) -> list[str]:  # called by IPython in place of its own rendering
        return [self.title] if self.told else wording.failed_lines(self.title, self.message)


def shapes(target: Any) -> None:
    """Check that the exercise `target` runs and that what it returns has the right number, shapes and dtypes.

    Raises:
        CheckFailed: with the first thing that is not right.
        TypeError: if `target` is no exercise of this course.
    """
    _check(target, Check.SHAPES, sys._getframe(1).f_globals)


def outputs(target: Any) -> None:
    """Check that the exercise `target` returns the right numbers.

    Raises:
        CheckFailed: with the first thing that is not right and, if it is known, the mistake behind it.
        TypeError: if `target` is no exercise of this course.
    """
    _check(target, Check.OUTPUTS, sys._getframe(1).f_globals)


def progress() -> None:
    """Show the points so far and what is open, in this chapter and in the whole course, according to the checks.

    It counts this session's checks and what has passed on this machine before. During grading it shows nothing.
    """
    counted = _counted(sys._getframe(1).f_globals)
    if counted is not None:
        display(counted)


def summary(name: str = "") -> None:
    """Write what `progress` counts in the whole course as a page to save or to print, `many-heads-summary.html`.

    The page is your own count, not a grade, and says so. During grading nothing is written.

    Args:
        name: the name on the page; "" for none.
    """
    counted = _counted(sys._getframe(1).f_globals)
    if counted is None:
        return
    try:
        path = _summary.write(counted, name, Path.cwd())
    except OSError as problem:
        print(f"The page cannot be written: {problem}. os.chdir(...) chooses another folder.")
        return
    print(f"Written: {path}\nOpen it in a browser; it can be printed from there, and needs no network.")


def _counted(namespace: Mapping[str, Any]) -> _progress.Progress | None:
    """Return the progress to show. None during grading, and where there is none yet, which is then said."""
    if _progress.graded_here():
        return None
    counted = _progress.count(namespace, sources_in(namespace))
    if counted is None:
        print("There is nothing to count yet: run the cells above, then this one.")
    return counted


def join(address: str, code: str) -> None:
    """Join a class, so that its teacher sees on a board how far it is. Says what is sent from now on.

    Args:
        address: the board's address, as the teacher shows it.
        code: the class code that is shown beside it.
    """
    try:
        _board.join(address, code)
    except board.NotReached as problem:
        print(f"Not joined. {problem}")
    else:
        print("You have joined the class.", board.WHAT_IS_SENT, sep="\n")


def leave() -> None:
    """Leave the class: nothing is sent any more."""
    was_there = _board.leave()
    print("You have left the class: nothing is sent any more." if was_there else "You have not joined a class.")


def help(name: str = "") -> None:
    """Ask the teacher to come over, with the exercise that was checked last.

    Args:
        name: what the teacher may call you, such as "Ada, second row". "" takes the call back.
    """
    try:
        if name.strip():
            place = _board.help(name)
            print(f"Your teacher sees that {name.strip()} asks for help; place {place} in the queue.")
            print("If you no longer need it: check.help()")
        else:
            _board.take_back()
            print('You are not waiting for help. To ask for it, give a name: check.help("Ada, second row")')
    except board.NotReached as problem:
        print(problem)


def _check(target: Any, check: Check, namespace: MutableMapping[str, Any]) -> None:
    exams = all_exams()
    if not exams:  # the learners' fixtures are not there
        print("Your work is being graded: the checks are made by the grader, not here.")
        return
    exam = _exam_of(target, namespace)

    asked: dict[tuple[str, ...], list[Answer]] = {}

    def ask(other: Exam, stand_ins: Mapping[str, str], target: Any = target) -> list[Answer]:
        again = other is not exams[other.exercise]  # the code's prints have been shown already
        with probe.standing_in(namespace, stand_ins), probe.nothing_shown() if again else contextlib.nullcontext():
            answers = [
                probe.run(target, trial.call, other.probe, other.forbids, namespace=namespace) for trial in other.trials
            ]
        if other is exam:
            asked[tuple(stand_ins)] = answers
        return answers

    def failing(other: Exam) -> bool:
        name = other.exercise
        return name not in namespace or diagnosis.fails(other, ask(other, {}, namespace[name]))

    source = _source_of(exam.exercise, target, namespace)
    finding, carried = diagnosis.decide(exams, exam, check, source, ask, failing)

    if finding is not None and first_wrong_line.is_unexplained(finding) and first_wrong_line.may_tell(finding, exam):
        stand_ins = {name: exams[name].stand_in for name in carried}
        with probe.standing_in(namespace, stand_ins), probe.nothing_shown():
            places = first_wrong_line.departing(exam, asked[carried])
            made = probe.record(target, [exam.trials[place].call for place in places], exam.probe, namespace)
        recorded = first_wrong_line.of_all(asked[carried], places, made)
        finding = first_wrong_line.explained(finding, exam, asked[carried], recorded)
    _progress.note(exam.exercise, check, source, finding, carried)
    person = _run_by_a_person()
    if person:
        stage = Stage.PASSED if finding is None else finding.stage
        _board.report(exam.exercise, check, stage, apart((finding and finding.misconception) or "")[0])
    says = str(finding.message) if finding else ""
    told_by = Check.SHAPES if check == Check.OUTPUTS and says and _told.get(exam.exercise) == says else None
    if check == Check.SHAPES:
        _told[exam.exercise] = says
    if finding is None or person:
        display(result_card(exam, check, finding, carried, told_by))
    if finding is not None:
        _fail(exam.exercise, check, finding, told_by, person=person)
    if finding is None and check == Check.OUTPUTS and not carried:
        earlier.keep(exam.exercise, source)


def _fail(exercise: str, check: Check, finding: Finding, told_by: Check | None, *, person: bool) -> None:
    """Raise `CheckFailed`, unless a person has just read on a card that the exercise is not written.

    Args:
        told_by: the exercise's other check, if it has just said all of this.
        person: whether a card shows the message. Without one, as in nbgrader's Validate, which lists all checks that
            fail, the error is all that is read.
    """
    title, message = wording.failed_title(exercise, check), finding.message
    if finding.stage == Stage.UNSOLVED:
        if person:
            return
        raise CheckFailed(wording.unwritten_title(exercise, check), str(message), told=True)
    if told_by is not None and not person:
        message = wording.told_before(message, f"{exercise}.{told_by}")
    raise CheckFailed(title, str(message), told=person)


def _run_by_a_person() -> bool:
    """Return whether this cell's request allows input(). Programs that run notebooks and count errors do not.

    nbgrader's Validate is one of these: it must find an error, with its message, if an exercise is not written.
    """
    parent = getattr(get_ipython(), "parent_header", None)  # the request, where IPython runs in a kernel
    return isinstance(parent, dict) and bool(parent.get("content", {}).get("allow_stdin"))


def _exam_of(target: Any, namespace: MutableMapping[str, Any]) -> Exam:
    exams = all_exams()
    # The name that the caller gave it counts most: a decorated function may have lost its own.
    names = [name for name in exams if namespace.get(name) is target] or [getattr(target, "__name__", "")]
    if names[0] not in exams:
        raise TypeError(
            f"A check takes the function or class that you wrote, such as check.shapes({next(iter(exams))}); "
            f"this is {type(target).__name__} {names[0]}"
        )
    return exams[names[0]]


def sources_in(namespace: Mapping[str, Any]) -> Callable[[str], str]:
    """Return a function that gives the source of an exercise of `namespace` by its name."""
    return lambda exercise: _source_of(exercise, namespace[exercise], namespace)


def _source_of(exercise: str, target: Any, namespace: Mapping[str, Any]) -> str:
    """Return the source of `exercise` with all that it needs from other cells, "" where there is none.

    Outside a notebook, it is the whole file that defines `target`.
    """
    cells = namespace.get("In")  # IPython's list of the cells that ran, in their order
    if isinstance(cells, list) and all(isinstance(cell, str) for cell in cells):
        exercises = all_exams().keys()
        found = "\n\n".join(statement.text for statement in reached(cells, exercise, leaving_out=exercises))
        if found:
            return f"{found}\n"
    function = inspect.unwrap(getattr(target, "forward", target))
    code = getattr(function, "__code__", None)
    return "".join(linecache.getlines(code.co_filename)) if code else ""
