"""Minutes stand below their heading, and what learners are asked to do stands in a block quote."""

from __future__ import annotations

import itertools

import pytest

from autograder.course.chapter import REPOSITORY_ROOT, Chapter, neighbours, read_chapter, read_chapters
from autograder.course.contents_page import minutes
from autograder.course.markdown import about, laid_out
from autograder.course.notebooks import LINKS_ID, released_notebook, solved_notebook

FIRST = read_chapter(REPOSITORY_ROOT / "solutions" / "01_single_head")

LESSON = """\
## 3 · Split   <sub>13 min · difficulty 3/5</sub>

Some prose.

**Your turn.** Split any `x`.
On two lines.

- and a list

<details>
<summary>Hint 1</summary>

**Your turn.** is not meant here.

</details>"""

NOTEBOOK = """\
## 3 · Split

<sub>13 min · difficulty 3/5</sub>

Some prose.

> **Your turn.** Split any `x`.
> On two lines.
>
> - and a list

<details>
<summary>Hint 1</summary>

**Your turn.** is not meant here.

</details>"""


def test_minutes_and_tasks_are_set_apart() -> None:
    source, _, hint = LESSON.partition("\n\n**Your turn.** is")
    expected, _, same = NOTEBOOK.partition("\n\n**Your turn.** is")

    assert laid_out(source) == expected
    assert hint == same


@pytest.mark.parametrize("text", [NOTEBOOK.partition("\n\n**Your turn.** is")[0], "no heading", "", "H<sub>2</sub>O"])
def test_what_is_laid_out_stays_as_it_is(text: str) -> None:
    assert laid_out(text) == text


@pytest.mark.parametrize("end", ["", "\n\n## Next", "\n\n<details>\n</details>"])
def test_a_task_ends_with_its_cell_the_next_heading_or_its_hints(end: str) -> None:
    assert laid_out(f"**Your turn.** One.\n\nTwo.{end}") == f"> **Your turn.** One.\n>\n> Two.{end}"


@pytest.mark.slow
def test_every_exercise_of_the_course_is_set_apart() -> None:
    for chapter in read_chapters(REPOSITORY_ROOT / "solutions"):
        notebook = released_notebook(solved_notebook(chapter, "a/b", "v1"))
        text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert text.count("\n> **Your turn.**") == len(chapter.exercises), chapter.name
        assert "\n**Your turn.**" not in text
        assert "   <sub>" not in text


def test_the_title_says_how_long_a_chapter_takes() -> None:
    title = solved_notebook(FIRST, "a/b", "v1").cells[0].source
    points = sum(cell.points for cell in FIRST.graded_cells)

    assert f"\n\n*{len(FIRST.exercises)} exercises, {points:g} points. Takes {minutes(FIRST)} minutes if all" in title
    assert about(1, 1, 50) == "*1 exercise, 1 point. Takes 50 minutes if all goes well, 80 with detours.*"


def links(chapter: Chapter) -> str:
    return "".join(cell.source for cell in solved_notebook(chapter, "a/b", "v1").cells if cell.id == LINKS_ID)


@pytest.mark.slow
def test_a_notebook_ends_with_links_to_the_chapters_before_and_after() -> None:
    chapters = read_chapters(REPOSITORY_ROOT / "solutions")

    for before, after in itertools.pairwise(chapters):
        path = f"../{after.name}/{after.name}.ipynb"
        assert f"**Next:** [{after.title}]({path}) · [on Colab](https://colab.research.google.com/" in links(before)
        assert f"**Before:** [{before.title}](../{before.name}/{before.name}.ipynb)" in links(after)
        assert (REPOSITORY_ROOT / "notebooks" / before.name / path).resolve().is_file()
    assert "Before" not in links(chapters[0])
    assert "Next" not in links(chapters[-1])


def test_a_chapter_alone_has_no_links(toy: Chapter) -> None:
    assert neighbours(toy.folder) == (("", ""), ("", ""))
    assert links(toy) == ""
