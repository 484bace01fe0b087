"""A chapter's page shows the lesson and its outputs, and no solution."""

from __future__ import annotations

import pytest
from nbformat import NotebookNode

from autograder.course.chapter import Chapter
from autograder.course.home import Home
from autograder.course.notebooks import solved_notebook, to_text
from autograder.site.lesson_pages import lesson_page
from autograder.site.mistakes import mistakes_page

HOME = Home("school/heads", "v1")
WIDGET = "application/vnd.jupyter.widget-view+json"


def output(**data: object) -> NotebookNode:
    return NotebookNode({"output_type": "display_data", "data": data, "metadata": {}})


def stream(name: str, text: str) -> NotebookNode:
    return NotebookNode({"output_type": "stream", "name": name, "text": text})


@pytest.fixture
def solved(toy: Chapter) -> NotebookNode:
    return solved_notebook(toy, HOME.repository, HOME.tag)


def page(toy: Chapter, solved: NotebookNode, outputs: dict[str, list[NotebookNode]] | None = None) -> NotebookNode:
    return lesson_page(toy, solved, outputs or {}, HOME, {})


def test_no_solution_is_on_the_page(toy: Chapter, solved: NotebookNode) -> None:
    text = to_text(page(toy, solved))
    for source in toy.reference.values():
        body = [line.strip() for line in source.splitlines() if line.strip().startswith("return ")]
        assert body
        assert not any(line in text for line in body)
    assert text.count('"exercise"') == len(toy.exercises)


def test_exercises_and_checks_have_no_outputs(toy: Chapter, solved: NotebookNode) -> None:
    everything = {cell.id: [stream("stdout", "all right")] for cell in solved.cells if cell.cell_type == "code"}
    for cell in page(toy, solved, everything).cells:
        if cell.cell_type == "code":
            assert bool(cell.outputs) != bool({"exercise", "check"} & set(cell.metadata.tags))
            assert not (cell.outputs and cell.source.startswith("check."))


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (output(**{"text/html": "<b>1</b>", "text/plain": "1"}), {"text/html": "<b>1</b>"}),
        (output(**{"image/png": "AAAA", "text/plain": "<Figure>"}), {"image/png": "AAAA"}),
        (output(**{WIDGET: {"model_id": "1"}, "text/plain": "VBox()"}), None),
        (output(**{"application/x-unknown": "1"}), None),
        (output(**{"text/plain": ""}), None),
        (stream("stderr", "a warning"), None),
        (NotebookNode({"output_type": "error", "ename": "E", "evalue": "", "traceback": []}), None),
    ],
)
def test_what_a_page_can_show_is_shown(
    toy: Chapter, solved: NotebookNode, made: NotebookNode, shown: dict[str, str] | None
) -> None:
    cell = next(cell for cell in reversed(solved.cells) if cell.cell_type == "code")
    found = next(one for one in page(toy, solved, {cell.id: [made]}).cells if one.id == cell.id)
    assert [one.data for one in found.outputs] == ([] if shown is None else [shown])


def test_embedded_pictures_become_files(toy: Chapter, solved: NotebookNode) -> None:
    solved.cells[2].source = '<img alt="A &quot;flow&quot;" src="data:image/svg+xml;base64,PHN2Zy8+">'
    pictures: dict[str, bytes] = {}
    made = lesson_page(toy, solved, {}, HOME, pictures)
    [path] = [path for path, content in pictures.items() if content == b"<svg/>"]
    assert path.startswith("pictures/00_rows-")
    assert any(f'![A "flow"](../{path})' in cell.source for cell in made.cells)
    assert "base64" not in to_text(made)


def test_a_page_says_where_the_notebook_opens(toy: Chapter, solved: NotebookNode) -> None:
    badge = HOME.badge("00_rows", '<img alt="Open in Colab" src="data:image/svg+xml;base64,PHN2Zy8+">')
    solved.cells[0].source += f"\n\n{badge}\n\nWhat follows."
    title = page(toy, solved).cells[0].source
    assert HOME.on_colab("00_rows") in title
    assert "mybinder.org/v2/gh/school/heads/v1?labpath=notebooks%2F00_rows%2F00_rows.ipynb" in title
    assert "![Open in Colab]" not in title
    assert "What follows." in title


def test_each_named_mistake_has_its_hint(toy: Chapter) -> None:
    text = mistakes_page(toy, "../learn/00_rows.ipynb")
    for exercise, mistake in toy.misconceptions():
        assert f"## `{exercise.name}`" in text
        assert mistake.hint.split(".")[0][:20] in text.replace("\\", "")
