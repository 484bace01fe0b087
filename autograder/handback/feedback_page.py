"""Makes a learner's feedback page: the score, what is wrong in each exercise, and their code with its verdicts.

`autograder.handback.feedback` calls `render` in a bounded process, because the page is made of the learner's notebook.
No code of it runs here. The lesson's own cells are folded and come without outputs: they are the same for everybody.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup, escape
from nbformat import NotebookNode

from manyheads.checking.stage import Stage

from ..classroom.graded_points import GradedPoints
from ..classroom.results import ExerciseResult, LearnerResult, State
from ..course.chapter import Chapter, read_chapter
from ..course.notebooks import EXERCISE_PREFIX, grade_id, is_set_up
from ..judge.verdict import Verdict
from ..outcomes import Outcome
from ..pages import assets, look
from ..pages.safe_html import harmless_html, prose
from ..realign.release import Release, release_in_class
from ..realign.repairs import NOTE_ID
from ..safe_text import clean

_HEADING = re.compile(r"^#{1,6}\s+(.+)$", re.MULTILINE)
_MARKUP = re.compile(r"<(\w+)[^>]*>.*?</\1>|[*`$]|\[|\]\([^)]*\)")
_MISTAKE = "This is what comes out if you "
# Former releases had a picture's content below the text.
_PICTURES_BELOW = re.compile(r"\s*^\[[\w.-]+\]: data:\S+$", re.MULTILINE)
_ADDRESS = re.compile(r"\(https?://[^)\s]*\)|<img [^>]*>|!\[[^\]]*\]\[[\w.-]+\]")
_STATES = {
    Stage.PASSED: "passed",
    Stage.UNSOLVED: "unwritten",
    Stage.TIMEOUT: "unjudged",
    Stage.CRASHED: "unjudged",
}
_TABLE = re.compile(r"(?:Expected|Got|Case) {2,}| {4,}")  # lines of a message whose columns are aligned


@dataclass(frozen=True)
class Facts:
    """What the records and the gradebook say of one submission.

    Args:
        title: the lesson's title.
        name: the learner's name, or their student id.
        learner: their result.
        max_score: the assignment's maximum points.
        verdicts: the judge's verdicts, in the lesson's order.
        points: points in the gradebook by nbgrader's id of the cell, with an instructor's changes.
        worth: the maximum points of each of these cells.
        comments: an instructor's comments by nbgrader's id of the cell.
        has_earlier_grade: whether the grade of an earlier submission counts, because this one has none.
    """

    title: str
    name: str
    learner: LearnerResult
    max_score: float
    verdicts: tuple[Verdict, ...] = ()
    points: Mapping[str, GradedPoints] | None = None
    worth: Mapping[str, float] | None = None
    comments: Mapping[str, str] | None = None
    has_earlier_grade: bool = False


@dataclass(frozen=True)
class Help:
    """What the author of a submission reads if it did not end as "graded"."""

    heading: str
    means: str
    do: str


_AGAIN = "Ask your instructor whether you may hand it in again."
HELP = {
    Outcome.UNREADABLE: Help(
        "Your file could not be read as a notebook",
        "So none of your code was run, and there are no points for it.",
        "Open the notebook in which you worked, in JupyterLab or Colab, and save it. Download it as a notebook "
        f"(.ipynb), not as a PDF, a web page or a script, and do not edit or rename the file. {_AGAIN}",
    ),
    Outcome.TIMEOUT: Help(
        "Your notebook ran too long and was stopped",
        "Checks that could be judged have their points.",
        f"Look for a loop that does not end, or for work that is done too often. {_AGAIN}",
    ),
    Outcome.CRASHED: Help(
        "Your notebook ended its own Python",
        "Checks that had been judged before have their points.",
        "Restart the kernel and run all cells from the top: the cell at which that stops is the one to change. "
        f"{_AGAIN}",
    ),
}


@dataclass(frozen=True)
class Check:
    """One check of an exercise, or several that ended alike.

    Args:
        names: "shapes", "outputs".
        state: "passed", "failed", "unwritten" or "unjudged".
        points: the points that count.
        worth: the maximum points.
        by_hand: whether an instructor has set points.
        headline: the known mistake or the first sentence of the message, "" if it passed without a remark.
        paragraphs: the rest of the message.
    """

    names: tuple[str, ...]
    state: str
    points: float
    worth: float
    by_hand: bool
    headline: str
    paragraphs: tuple[Paragraph, ...]

    def with_another(self, other: Check) -> Check:
        return replace(
            self,
            names=(*self.names, *other.names),
            points=self.points + other.points,
            worth=self.worth + other.worth,
            by_hand=self.by_hand or other.by_hand,
        )


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of a message; `aligned` if its columns are aligned with spaces."""

    text: str
    aligned: bool


@dataclass(frozen=True)
class Part:
    """A part of the notebook, in its order.

    Args:
        kind: "lesson", "exercise", "question" or "own".
        title: the lesson's headings, the exercise or the question, or what the cell is.
        body: cells of the lesson, or one cell of the learner's.
        outputs: what the learner's cell printed and drew.
    """

    kind: str
    title: str
    body: tuple[Markup, ...]
    outputs: tuple[Markup, ...] = ()


def render(facts: Facts, notebook: Path | None, chapter_folder: Path) -> str:
    """Return the page's HTML.

    Args:
        notebook: the autograded notebook; None if there is none.
        chapter_folder: the class's copy of the chapter.
    """
    chapter = read_chapter(chapter_folder)
    parts = tuple(_parts(nbformat.v4.reads(notebook.read_text(encoding="utf-8")), chapter)) if notebook else ()
    style, environment = _look()
    learner = facts.learner
    return environment.get_template("feedback.html.j2").render(
        facts=facts,
        learner=learner,
        help=HELP.get(Outcome(learner.outcome)),
        right=sum(result.state in (State.RIGHT, State.CARRIED) for result in learner.exercises.values()),
        in_words={name: _in_words(result) for name, result in learner.exercises.items()},
        checks={name: _checks(facts, name) for name in learner.exercises},
        questions=[name for name in facts.worth or {} if chapter.graded_cell(name) is None],
        points=facts.points or {},
        worth=facts.worth or {},
        comments=facts.comments or {},
        parts=parts,
        shown={part.title for part in parts if part.kind in ("exercise", "question")},
        style=style,
        policy=look.policy(style),
    )


@lru_cache(maxsize=1)
def _look() -> tuple[Markup, Any]:
    return assets.asset("autograder.handback", "feedback.css"), look.environment("autograder.handback")


def _in_words(result: ExerciseResult) -> str:
    """Say in a sentence or two what is wrong in an exercise; "" if nothing is."""
    if result.state == State.CARRIED:
        return "Right. It was checked with a working version of what it builds on."
    if result.state == State.RIGHT:
        return ""
    if result.state == State.UNWRITTEN:
        return "Not written yet."
    if result.state == State.UNKNOWN:
        return "Not judged: grading did not reach it."
    if result.misconceptions:
        return f"It looks as if you {' and '.join(result.misconceptions)}."
    return next((_paragraphs(message)[0] for message in result.messages if message.strip()), "")


def _checks(facts: Facts, exercise: str) -> list[Check]:
    """Return the checks of an exercise. Those that follow each other and say the same are one."""
    checks: list[Check] = []
    for verdict in facts.verdicts:
        if verdict.exercise != exercise:
            continue
        points = (facts.points or {}).get(verdict.grade_id)
        headline, paragraphs = _message(verdict)
        check = Check(
            (verdict.check,),
            _STATES.get(verdict.stage, "failed"),
            points=verdict.earned if points is None else points.points,
            worth=(facts.worth or {}).get(verdict.grade_id, verdict.points),
            by_hand=points is not None and points.changed,
            headline=headline,
            paragraphs=paragraphs,
        )
        before = checks[-1] if checks else None
        if before and (before.state, before.headline, before.paragraphs) == (check.state, headline, paragraphs):
            checks[-1] = before.with_another(check)
        else:
            checks.append(check)
    return checks


def _message(verdict: Verdict) -> tuple[str, tuple[Paragraph, ...]]:
    """Return a message's headline and its other paragraphs. A known mistake is the headline, as on a learner's card."""
    texts = _paragraphs(verdict.message)
    if verdict.stage == Stage.PASSED:
        _, _, remark = verdict.message.strip().partition("\n")  # the first line says that it has passed
        return " ".join(remark.split()), ()
    mistake = f"{_MISTAKE}{verdict.misconception}."
    place = next((index for index, text in enumerate(texts) if verdict.misconception and text.startswith(mistake)), 0)
    named = texts.pop(place) if texts else ""
    headline, rest = (mistake, named.removeprefix(mistake).strip()) if place else (named, "")
    paragraphs = [Paragraph(rest, aligned=False)] if rest else []
    paragraphs += [Paragraph(text, aligned=_TABLE.match(text) is not None) for text in texts if text]
    return headline, tuple(paragraphs)


def _paragraphs(message: str) -> list[str]:
    """Return a message's paragraphs. Lines of prose are joined, since a page wraps them itself."""
    found = [text for text in re.split(r"\n\s*\n", message.strip()) if text.strip()] or [""]
    return [text if _TABLE.match(text) else " ".join(text.split()) for text in found]


def _parts(notebook: NotebookNode, chapter: Chapter) -> Iterator[Part]:
    """Yield the notebook's parts. Consecutive cells of the lesson are one part."""
    release = release_in_class(chapter)
    lesson: list[NotebookNode] = []
    for index, cell in enumerate(notebook.cells):
        name = grade_id(cell)
        slot = release.by_name.get(name)
        if (index == 0 and cell.get("id") == NOTE_ID) or (slot is not None and slot.checks) or not cell.source.strip():
            continue
        if slot is None and name not in release.questions and _text_of(cell) in _lesson_texts(release):
            lesson.append(cell)
            continue
        if _is_hidden(cell):
            continue
        yield from _lesson(lesson)
        lesson = []
        if slot is not None:
            yield Part("exercise", slot.exercise, (_code(cell.source, slot.exercise),), _outputs(cell))
        elif name in release.questions:
            yield Part("question", name, (_own(cell),), _outputs(cell))
        else:
            changed = cell.get("id") in release.by_id
            title = "A cell of the lesson that you changed" if changed else "A cell of your own"
            yield Part("own", title, (_own(cell),), _outputs(cell))
    yield from _lesson(lesson)


@lru_cache(maxsize=8)
def _lesson_texts(release: Release) -> frozenset[str]:
    return frozenset(_text_of(slot.cell) for slot in release.slots if not slot.name)


def _text_of(cell: NotebookNode) -> str:
    """Return a cell's text without addresses and pictures: a fork has another badge, another release other pictures."""
    if cell.cell_type != "markdown":
        return cell.source.strip()
    return _ADDRESS.sub("()", _PICTURES_BELOW.sub("", cell.source.strip()))


def _is_hidden(cell: NotebookNode) -> bool:
    """Whether a notebook hides this cell's source: the set-up, and quizzes, whose source has their answers."""
    return is_set_up(cell.source) or cell.metadata.get("cellView") == "form"


def _lesson(cells: Sequence[NotebookNode]) -> Iterator[Part]:
    shown = [cell for cell in cells if not _is_hidden(cell)]
    if shown:
        titles = [
            " ".join(_MARKUP.sub("", heading).split())
            for cell in shown
            if cell.cell_type == "markdown"
            for heading in _HEADING.findall(cell.source)
        ]
        yield Part("lesson", " · ".join(filter(None, titles)), tuple(map(_own, shown)))


def _own(cell: NotebookNode) -> Markup:
    """Return a cell as HTML."""
    if cell.cell_type == "code":
        return _code(cell.source)
    if cell.cell_type == "markdown":
        return Markup('<div class="prose">{}</div>').format(_prose(cell))
    return _text(cell.source)


def _prose(cell: NotebookNode) -> Markup:
    # The lesson's cells have no attachments, and are the same on every page.
    return _rendered(cell.source) if not cell.get("attachments") else prose(cell.source, cell.attachments)


@lru_cache(maxsize=512)
def _rendered(source: str) -> Markup:
    return prose(source)


def _code(source: str, exercise: str = "") -> Markup:
    source = source.removeprefix(f"{EXERCISE_PREFIX}{exercise}\n") if exercise else source
    return Markup('<pre class="code">{}</pre>').format(Markup("\n".join(look.coloured(clean(source)))))


def _text(text: str) -> Markup:
    return Markup("<pre>{}</pre>").format(clean(text))


def _outputs(cell: NotebookNode) -> tuple[Markup, ...]:
    return tuple(filter(None, map(_output, cell.get("outputs", ()))))


def _output(output: NotebookNode) -> Markup:
    """Return one output as HTML; the outputs of an autograded notebook are harmless already."""
    if output.output_type == "stream":
        return _text(_joined(output.text))
    if output.output_type == "error":
        return _text("\n".join(output.traceback))
    data: Mapping[str, Any] = output.get("data", {})
    if "text/html" in data:
        return Markup('<div class="box">{}</div>').format(Markup(harmless_html(_joined(data["text/html"]))))
    if "text/markdown" in data:
        return Markup('<div class="box prose">{}</div>').format(prose(_joined(data["text/markdown"])))
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            return _picture(kind, _joined(data[kind]))
    return _text(_joined(data["text/plain"])) if "text/plain" in data else Markup("")


def _picture(kind: str, data: str) -> Markup:
    content = base64.b64encode(data.encode(errors="replace")).decode() if "svg" in kind else "".join(data.split())
    return Markup('<img alt="a picture that this cell drew" src="data:{};base64,{}">').format(kind, escape(content))


def _joined(text: str | Iterable[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
