"""The code that the report shows: the most common version, without anything that reveals its author."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.results import ClassResults, ExerciseResult, LearnerResult, State
from autograder.course.chapter import Chapter
from autograder.outcomes import Outcome
from autograder.report.wrong_code import _vocabulary, anonymous, code_samples
from tests.support.real_course import CHAPTERS
from tests.support.toy import TOY, TOY_COURSE

SIGNED = '''
# Ada Lovelace, 20231234
%time
print("handed in by ada")
ada_const = 20231234
unused_ada = "Lovelace"
def lovelace(x, *, ada=3):
    """By Ada."""
    return f"ada {x}"
def scale_rows(x: "Ada", factors, ada=20231234) -> "Lovelace":
    "Ada's way"
    # ada@example.org
    global ada_global
    with open("/home/ada") as ada_file: pass
    try:
        import ada.lovelace as al
    except ValueError as ada_error: pass
    match x:
        case {"ada": y, **ada_rest}: pass
        case [*ada_star]: pass
        case Ada(lovelace=3): pass
    x = x.ada(lovelace=b"ada") + 20231234j + 2023.1234
    return lovelace(x * factors[:, None], ada=ada_const)
'''


@pytest.fixture
def words(toy: Chapter) -> frozenset[str]:
    return _vocabulary(toy)


def test_nothing_of_a_signed_cell_stays_but_the_code(words: frozenset[str]) -> None:
    shown = anonymous(SIGNED, "scale_rows", words)
    for trace in ("ada", "lovelace", "2023", "1234", "example", "home", "#"):
        assert trace not in shown.lower()
    assert "def scale_rows(x: '…', factors, name_" in shown
    assert "x * factors[:, None]" in shown
    assert "unused" not in shown
    compile(shown, "shown", "exec")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "def scale_rows(x, factors):\n    tmp = x+factors\n    return tmp",
            "def scale_rows(x, factors):\n  # no\n  mine = (x + factors)\n\n  return mine",
        ),
        (
            "def scale_rows(x, factors): return x",
            "def scale_rows(x, factors):\n    '''Doc.'''\n    return x",
        ),
        (
            "%time 1\ndef scale_rows(x, factors): return x",
            "print(1)\ndef scale_rows(x, factors): return x",
        ),
    ],
)
def test_layout_comments_and_free_names_make_no_difference(one: str, other: str, words: frozenset[str]) -> None:
    assert anonymous(one, "scale_rows", words) == anonymous(other, "scale_rows", words) != ""


@pytest.mark.parametrize(
    "source", ["", "def other(): pass", "def scale_rows(", "x = " + "(" * 5000, "a\x00b", "x" * 30_000]
)
def test_an_unreadable_or_missing_notebook_has_no_code(source: str, words: frozenset[str]) -> None:
    assert anonymous(source, "scale_rows", words) == ""


@pytest.mark.slow
@given(st.text(alphabet="abxyz", min_size=3, max_size=12).map(lambda name: f"q7{name}"))
def test_no_name_of_a_learners_own_is_ever_shown(name: str) -> None:
    words = frozenset({"scale_rows", "x", "return", "self"})
    source = f"""
class scale_rows({name}):
    {name} = '{name}'
    async def {name}(self, *{name}, k={name}): return [{name} for {name} in x if (w := {name})]
    def m[{name}](self): return lambda {name}: {name}.{name}
"""
    shown = anonymous(source.replace(f"[{name}](self)", "(self)"), "scale_rows", words)
    assert shown
    assert name not in shown


@pytest.mark.slow
@pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.name for chapter in CHAPTERS])
def test_a_chapters_own_code_can_be_read_when_it_is_shown(chapter: Chapter) -> None:
    vocabulary = _vocabulary(chapter)
    for exercise, source in chapter.reference.items():
        shown = anonymous(source, exercise, vocabulary)
        assert shown, exercise
        assert "name_" not in shown


@pytest.fixture
def graded(tmp_path: Path) -> ClassFolder:
    """A class folder with the toy course's solutions and no gradebook."""
    root = tmp_path / "class"
    root.mkdir()
    (root / "solutions").symlink_to(TOY_COURSE / "solutions")
    return ClassFolder(root)


def submit(folder: ClassFolder, student: str, code: str, state: State = State.WRONG, *mistakes: str) -> LearnerResult:
    path = folder.autograded(student, TOY)
    path.parent.mkdir(parents=True)
    cell = {
        "cell_type": "code",
        "metadata": {"nbgrader": {"grade_id": "scale_rows"}},
        "source": f"# exercise: scale_rows\n{code}".splitlines(keepends=True),
    }
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "hello"}, cell]}))
    done = ExerciseResult(0, 3, state, mistakes, ("wrong",))
    return LearnerResult(student, Outcome.GRADED, "", 0.0, {"scale_rows": done})


@pytest.mark.slow
def test_the_commonest_way_is_shown_with_how_many_wrote_it(graded: ClassFolder) -> None:
    plus, minus = (
        "def scale_rows({0}, factors):\n    return {0} + factors[:, None]",
        "def scale_rows(x, f): return x - f",
    )
    learners = (
        submit(graded, "ada", plus.format("a"), State.WRONG, "added the factors"),
        submit(graded, "bo", minus, State.WRONG, "added the factors"),
        submit(graded, "cy", plus.format("c"), State.WRONG, "added the factors"),
        submit(graded, "di", minus, State.WRONG),
        submit(graded, "ed", "def scale_rows(", State.WRONG),
        submit(graded, "flo", plus.format("f"), State.RIGHT),
        submit(graded, "gus", "def scale_rows(x, factors): raise NotImplementedError", State.UNWRITTEN),
    )
    results = ClassResults(TOY, "Rows", {"scale_rows": 3.0}, learners, ())
    samples = code_samples(graded, results)
    assert set(samples) == {("scale_rows", "added the factors"), ("scale_rows", "")}
    known = samples["scale_rows", "added the factors"]
    assert (known.wrote_it, known.of) == (2, 3)
    assert known.lines[-1] == "    return name_1 + factors[:, None]"
    assert (samples["scale_rows", ""].wrote_it, samples["scale_rows", ""].of) == (1, 1)


def test_the_lines_that_the_reference_does_not_have_are_marked_where_most_are_the_same(graded: ClassFolder) -> None:
    near = "def scale_rows(x: Tensor, factors: Tensor) -> Tensor:\n    return x + factors[:, None]"
    one = submit(graded, "ada", near, State.WRONG, "added the factors")
    far = submit(graded, "bo", "def scale_rows(a, b):\n    c = a + b\n    return c", State.WRONG, "other")
    samples = code_samples(graded, ClassResults(TOY, "Rows", {"scale_rows": 3.0}, (one, far), ()))
    assert samples["scale_rows", "added the factors"].differs == (False, True)
    assert samples["scale_rows", "other"].differs == (False, False, False)


def test_long_code_is_cut_and_says_so(graded: ClassFolder) -> None:
    body = "".join(f"    x = x + {number}\n" for number in range(60))
    one = submit(graded, "ada", f"def scale_rows(x, factors):\n{body}    return x", State.WRONG, "m")
    [sample] = code_samples(graded, ClassResults(TOY, "Rows", {"scale_rows": 3.0}, (one,), ())).values()
    assert len(sample.lines) == len(sample.differs) == 30
    assert sample.cut == 32


@pytest.mark.slow
def test_a_missing_or_broken_notebook_does_not_stop_the_report(graded: ClassFolder) -> None:
    one = submit(graded, "ada", "x", State.WRONG, "m")
    for content in ("", "[]", '{"cells": [{"cell_type": "code", "metadata": {"nbgrader": null}, "source": null}, 3]}'):
        graded.autograded("ada", TOY).write_text(content)
        assert code_samples(graded, ClassResults(TOY, "Rows", {"scale_rows": 3.0}, (one,), ())) == {}
    graded.autograded("ada", TOY).unlink()
    assert code_samples(graded, ClassResults(TOY, "Rows", {"scale_rows": 3.0}, (replace(one),), ())) == {}
