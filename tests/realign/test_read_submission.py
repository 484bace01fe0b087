"""Files that Jupyter opens are graded: errors in the file's format are ignored and listed, and cost nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.course.chapter import Chapter
from autograder.course.notebooks import exercise_cell, released_notebook, set_solution, solved_notebook
from autograder.notebook.lines import lines_of
from autograder.notebook.outline import outline
from autograder.realign.decoding import NotJson, decode, whole_characters
from autograder.realign.missing_modules import missing_module
from autograder.realign.newer_python import newer_syntax
from autograder.realign.read_submission import (
    NeedsReview,
    Unreadable,
    read_submission,
    refuse_missing_modules,
    refuse_newer_python,
)
from autograder.realign.realign import realign
from autograder.realign.release import release_of
from autograder.realign.repairs import Kind, Repair, sentences, stored_repairs
from autograder.realign.schema import NoNotebook, repaired
from tests.support.toy import TOY

Data = dict[str, Any]
RIGHT = {"scale_rows": "def scale_rows(x, factor):\n    return x * factor"}


@pytest.fixture(scope="module")
def plain(toy: Chapter) -> Data:
    """A released notebook with one exercise written in it, as JSON data."""
    notebook = released_notebook(solved_notebook(toy, "a/b", "v1"))
    for exercise, source in RIGHT.items():
        set_solution(notebook, exercise, source)
    return json.loads(json.dumps(notebook))


@pytest.fixture
def data(plain: Data) -> Data:
    return copy.deepcopy(plain)


def code(data: Data, number: int = 0) -> Data:
    return [cell for cell in data["cells"] if cell["cell_type"] == "code"][number]


def text(data: Data) -> Data:
    return next(cell for cell in data["cells"] if cell["cell_type"] == "markdown")


def everything(cell: Data) -> None:
    for key in ("metadata", "outputs", "execution_count"):
        del cell[key]


# Each slip with what is told of it, "" for what is nothing to speak of.
SLIPS: dict[str, tuple[Callable[[Data], object], str]] = {
    "an id with a sharp": (lambda d: code(d).update(id="#VSC-0f3a"), "a cell's id"),
    "an empty id": (lambda d: code(d).update(id=""), "a cell's id"),
    "an id of 65 characters": (lambda d: code(d).update(id="a" * 65), "a cell's id"),
    "an id that is a number": (lambda d: code(d).update(id=7), "a cell's id"),
    "no ids": (lambda d: [cell.pop("id") for cell in d["cells"]], ""),
    "ids in format 4.4": (lambda d: d.update(nbformat_minor=4), "cell ids, which its format does not have"),
    "a minor number yet to come": (lambda d: d.update(nbformat_minor=9), ""),
    "no minor number": (lambda d: d.pop("nbformat_minor"), "cell ids, which its format does not have"),
    "the format's number as text": (lambda d: d.update(nbformat="4"), "the number of its format"),
    "the format's number with a point": (lambda d: d.update(nbformat=4.0), "the number of its format"),
    "no format's number": (lambda d: d.pop("nbformat"), "the number of its format"),
    "outputs in a text": (lambda d: text(d).update(outputs=[], execution_count=None), "outputs in a text cell"),
    "no outputs": (lambda d: code(d).pop("outputs"), "missing fields"),
    "no count": (lambda d: code(d).pop("execution_count"), "missing fields"),
    "no metadata": (lambda d: text(d).pop("metadata"), "missing fields"),
    "nothing but a source": (lambda d: everything(code(d)), "missing fields"),
    "outputs that are none": (lambda d: code(d).update(outputs=None), "outputs"),
    "an output without a type": (lambda d: code(d).update(outputs=[{"text": "x"}]), ""),
    "a count that is text": (lambda d: code(d).update(execution_count="3"), ""),
    "metadata that is a list": (lambda d: code(d).update(metadata=[]), "a cell's metadata"),
    "collapsed as text": (lambda d: code(d)["metadata"].update(collapsed="false"), "a cell's metadata"),
    "tags as text": (lambda d: code(d)["metadata"].update(tags="a, b"), "a cell's metadata"),
    "a name that is empty": (lambda d: code(d)["metadata"].update(name=""), "a cell's metadata"),
    "jupyter's own as text": (lambda d: code(d)["metadata"].update(jupyter="hidden"), "a cell's metadata"),
    "a field of another program": (lambda d: code(d).update(mime_type="x"), "fields that the format does not know"),
    "attachments in code": (lambda d: code(d).update(attachments={}), "fields that the format does not know"),
    "attachments as a list": (lambda d: text(d).update(attachments=[1]), "an attachment"),
    "an attachment without a type": (lambda d: text(d).update(attachments={"a.png": "x"}), "an attachment"),
    "a field at the top": (lambda d: d.update(version=1), "fields that the format does not know"),
    "source as lines": (lambda d: code(d).update(source=code(d)["source"].splitlines(keepends=True)), ""),
    "lines without ends": (
        lambda d: code(d, 1).update(source=code(d, 1)["source"].split("\n")),
        "lines without their ends",
    ),
    "a source that is none": (lambda d: text(d).update(source=None), "a cell's text"),
    "no source": (lambda d: text(d).pop("source"), "a cell's text"),
    "a number among the lines": (lambda d: text(d).update(source=["a\n", 3]), "a cell's text"),
    "lines that end as on Windows": (lambda d: code(d).update(source=code(d)["source"].replace("\n", "\r\n")), ""),
    "a type in capitals": (lambda d: code(d).update(cell_type="Code"), "a cell's type"),
    "no type": (lambda d: code(d).pop("cell_type"), "a cell's type"),
    "a type of another program": (lambda d: text(d).update(cell_type="sql"), "a cell's type"),
    "null among the cells": (lambda d: d["cells"].append(None), "entries in the list of cells that are not cells"),
    "no kernel's display name": (
        lambda d: d["metadata"].update(kernelspec={"name": "python3"}),
        "the notebook's metadata",
    ),
    "a kernel that is text": (lambda d: d["metadata"].update(kernelspec="python3"), "the notebook's metadata"),
    "metadata that is none": (lambda d: d.update(metadata=None), ""),
    "metadata of the notebook as a list": (lambda d: d.update(metadata=[]), "the notebook's metadata"),
    "half a character in a text": (
        lambda d: text(d).update(source="\ud83d"),
        "an incomplete character in a cell's text",
    ),
    "two halves in two lines": (lambda d: text(d).update(source=["\ud83d", "\ude00\n"]), ""),
    "half a character in an output": (
        lambda d: code(d).update(outputs=[{"output_type": "stream", "name": "stdout", "text": "\ud83d"}]),
        "",
    ),
    "metadata nested deep": (lambda d: code(d)["metadata"].update(x=nested(200)), ""),
}


def nested(depth: int) -> Data:
    made: Data = {}
    for _ in range(depth):
        made = {"x": made}
    return made


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_overlooked_told_and_loses_no_work(slip: str, data: Data, toy: Chapter, tmp_path: Path) -> None:
    happen, told = SLIPS[slip]
    happen(data)
    path = tmp_path / "ada" / TOY / f"{TOY}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(data))
    notebook = read_submission(path, toy)
    assert [found.cell for found in stored_repairs(notebook)] == ([told] if told else [])
    realigned = realign(notebook, release_of(toy)).notebook
    nbformat.validate(realigned)
    json.dumps(realigned, ensure_ascii=False).encode()
    assert outline(exercise_cell(realigned, "scale_rows").source).code == outline(RIGHT["scale_rows"]).code


def as_format_3(data: Data) -> Data:
    cells = [
        {"cell_type": "code", "input": cell["source"].splitlines(keepends=True), "language": "python", "outputs": []}
        if cell["cell_type"] == "code"
        else {"cell_type": "heading", "level": 2, "source": "A heading"}
        for cell in data["cells"]
    ]
    return {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]}


def test_a_notebook_of_format_3_is_read_as_jupyter_reads_it(data: Data, toy: Chapter) -> None:
    notebook, overlooked = repaired(as_format_3(data))
    assert "## A heading" in [cell.source for cell in notebook.cells]
    assert set(overlooked) <= {"missing fields"}
    done = realign(notebook, release_of(toy))
    assert Kind.FORMAT in {found.kind for found in done.repairs}
    assert outline(exercise_cell(done.notebook, "scale_rows").source).code == outline(RIGHT["scale_rows"]).code


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_CELL = st.dictionaries(
    st.sampled_from(["cell_type", "source", "id", "metadata", "outputs", "execution_count", "attachments", "other"]),
    _JSON | st.sampled_from(["code", "markdown", "raw", "x = 1"]),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=150)
@given(cells=st.lists(_CELL | _JSON, max_size=4), metadata=_JSON, minor=_JSON)
def test_any_list_of_cells_becomes_a_valid_notebook(cells: Any, metadata: Any, minor: Any) -> None:
    data = {"nbformat": 4, "nbformat_minor": minor, "cells": cells, "metadata": metadata}
    before = copy.deepcopy(data)
    notebook, _ = repaired(data)
    assert data == before
    assert len(notebook.cells) == sum(isinstance(cell, dict) for cell in cells)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebook.nbformat_minor = 5
    nbformat.validate(notebook)


@pytest.mark.parametrize("data", [[], {}, {"cells": 3}, {"nbformat": 4}, {"nbformat": 5, "cells": []}, 4, None])
def test_a_file_that_is_not_a_notebook_is_reported(data: Any) -> None:
    with pytest.raises(NoNotebook, match="notebook"):
        repaired(data)


# The bytes


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_is_read_by_its_mark_or_its_zeros(encoding: str) -> None:
    data, overlooked = decode('{"a": "ä 🙂"}'.encode(encoding))
    assert data == {"a": "ä 🙂"}
    assert overlooked == (
        [] if encoding.startswith("utf-8") else [f"it was saved as {encoding[:6].upper()}, not as UTF-8"]
    )


@pytest.mark.parametrize("behind", ["}", "]}\n", '{"b": 2}', "ä"])
def test_text_behind_the_end_is_left_out_and_told(behind: str) -> None:
    data, overlooked = decode(('{"a": 1}' + behind).encode())
    assert data == {"a": 1}
    assert overlooked == ["there was text after the notebook's end, which was ignored"]


@pytest.mark.parametrize("around", ["\n\n", "\0\0\0", " \r\n"])
def test_space_and_zeros_around_the_data_are_nothing(around: str) -> None:
    assert decode((around.replace("\0", "") + '{"a": 1}' + around).encode()) == ({"a": 1}, [])


@pytest.mark.parametrize("content", [b"", b"\xff", '{"a": "ä"}'.encode("cp1252"), b"<html>", b'{"a": ', b"\x80\x03}"])
def test_unreadable_input_is_reported_and_not_sent_to_jupyter(content: bytes) -> None:
    with pytest.raises(NotJson) as told:
        decode(content)
    assert "open it in JupyterLab" not in str(told.value)


def test_halves_of_a_character_are_joined_and_single_ones_replaced() -> None:
    assert whole_characters("a\ud83d\ude00b\ud83dc\ude00") == "a😀b�c�"
    assert whole_characters("ä 🙂") == "ä 🙂"


# Pictures, and the ends of lines


def submit(data: Data, folder: Path) -> Path:
    path = folder / "ada" / TOY / f"{TOY}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("shape", ["![a](data:image/png;base64,{})", '<img src="data:image/jpeg;base64,{}">'])
def test_a_pasted_picture_does_not_count_as_text(shape: str, data: Data, toy: Chapter, tmp_path: Path) -> None:
    text(data)["source"] += "\n" + shape.format("iVBORw0K" * 100_000)
    assert read_submission(submit(data, tmp_path), toy).cells


@pytest.mark.parametrize("place", [text, code])
def test_text_without_end_still_is_too_much(
    place: Callable[[Data], Data], data: Data, toy: Chapter, tmp_path: Path
) -> None:
    place(data)["source"] += "\n# prose" * 100_000
    with pytest.raises(Unreadable, match="characters of code and text"):
        read_submission(submit(data, tmp_path), toy)


@pytest.mark.parametrize("mark", ["\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_where_python_ends_it(mark: str, toy: Chapter) -> None:
    """A cell merged with its check is cut at lines, so a comment with such a mark stays whole."""
    assert lines_of(f"a{mark}b\nc\n") == [f"a{mark}b", "c"]
    notebook = released_notebook(solved_notebook(toy, "a/b", "v1"))
    cell = exercise_cell(notebook, "scale_rows")
    source = f"def scale_rows(x, factor):\n    # a comment{mark}that goes on\n    return x * factor"
    check = next(other for other in notebook.cells if other.source.startswith("# grade: scale_rows.shapes"))
    cell.source = f"# exercise: scale_rows\n{source}\n\n{check.source}"
    notebook.cells.remove(check)
    done = exercise_cell(realign(notebook, release_of(toy)).notebook, "scale_rows")
    assert outline(done.source).parses
    assert mark in done.source


@pytest.mark.parametrize("source", ["", "a", "a\n", "\n", "a\r\nb\rc", "a\n\nb\n\n"])
def test_lines_are_those_of_splitlines_where_both_agree(source: str) -> None:
    assert lines_of(source) == source.splitlines()


# Imports that are damaged


DAMAGED = {
    "a stray key": lambda source: "c" + source,
    "a stray key in a line of its own": lambda source: "c\n" + source,
    "a letter in a name": lambda source: source.replace("import torch", "import torchh"),
    "text twice": lambda source: source + source,
    "text twice, line by line": lambda source: source + "\n" + source,
    "a cut": lambda source: source[: len(source) // 2],
    "other text": lambda source: "print(1)",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_imports_are_put_back_and_told(damage: str, toy: Chapter) -> None:
    release = release_of(toy)
    [slot] = [slot for slot in release.slots if slot.imports]
    notebook = released_notebook(solved_notebook(toy, "a/b", "v1"))
    cell = next(cell for cell in notebook.cells if cell.id == slot.cell.id)
    cell.source = DAMAGED[damage](cell.source) + "\nimport statistics as mine  # my own"
    done = realign(notebook, release)
    sources = [cell.source for cell in done.notebook.cells]
    assert slot.cell.source in sources
    assert Repair(Kind.CHECK_EDITED, "imports") in done.repairs
    assert any(outline(source).parses and "import statistics as mine" in source for source in sources)
    assert realign(done.notebook, release).notebook == done.notebook


def test_a_learners_own_imports_are_not_damage(toy: Chapter) -> None:
    release = release_of(toy)
    [slot] = [slot for slot in release.slots if slot.imports]
    notebook = released_notebook(solved_notebook(toy, "a/b", "v1"))
    cell = next(cell for cell in notebook.cells if cell.id == slot.cell.id)
    cell.source += "\nimport statistics\n\nSIZE = 3"
    done = realign(notebook, release)
    assert done.repairs == ()
    assert any("SIZE = 3" in cell.source for cell in done.notebook.cells)


# What this Python lacks


NEWER = {
    'f"{d["a"]}"': "3.12",
    "type X = int": "3.12",
    "def f[T](x: T) -> T:\n    return x": "3.12",
    "class A[T = int]:\n    pass": "3.13",
    "try:\n    pass\nexcept ValueError, KeyError:\n    pass": "3.14",
    't"{a}"': "3.14",
    "%time x = 1\ntype X = int": "3.12",
}


@pytest.mark.parametrize("source", [source for source in NEWER if not outline(source).parses])
def test_syntax_of_a_newer_python_waits_for_one(source: str) -> None:
    found = newer_syntax(["x = = 1", source])
    assert found is not None
    assert (found.index, found.needs) == (1, NEWER[source])
    assert f"grade with Python {NEWER[source]} or newer" in found.sentence


@pytest.mark.parametrize("source", ["def f(x)\n    return x", "x = = 1", "print 'x'", 'f"{d["a"]}"\nx = (', "if x:\ny"])
def test_wrong_syntax_is_wrong_in_every_python(source: str) -> None:
    assert newer_syntax([source]) is None
    assert newer_syntax([]) is None


def test_a_submission_in_newer_syntax_or_with_a_file_beside_it_needs_review(toy: Chapter) -> None:
    notebook = released_notebook(solved_notebook(toy, "a/b", "v1"))
    set_solution(notebook, "scale_rows", "try:\n    pass\nexcept ValueError, KeyError:\n    pass\ntype X = int\nt''")
    with pytest.raises(NeedsReview, match=r"scale_rows: line \d+ needs Python 3\.1\d"):
        refuse_newer_python(notebook)
    set_solution(notebook, "scale_rows", "from my_rows import scale_rows")
    refuse_newer_python(notebook)
    with pytest.raises(NeedsReview, match="scale_rows imports my_rows, which is not installed here: if it is a file"):
        refuse_missing_modules(notebook, toy.exercises)


@pytest.mark.parametrize(
    ("cells", "missing"),
    [
        (["from my_rows import scale_rows"], "my_rows"),
        (["from my_rows import *"], "my_rows"),
        (["import my_rows as r\ndef scale_rows(x, factor):\n    return r.scale(x)"], "my_rows"),
        (["def scale_rows(x, factor):\n    import my_rows.deep\n    return my_rows.deep(x)"], "my_rows"),
        (["import my_rows as r", "def scale_rows(x, factor):\n    return r.scale(x)"], "my_rows"),
        (["import my_plots", "def scale_rows(x, factor):\n    return x"], None),  # no exercise needs it
        (["%%writefile my_rows.py\nx = 1", "from my_rows import scale_rows"], None),
        (["import math, torch\ndef scale_rows(x, factor):\n    return torch.mul(x, math.floor(factor))"], None),
        (["try:\n    import my_rows\nexcept ImportError:\n    my_rows = None\ndef scale_rows(x):\n    my_rows"], None),
        (["def scale_rows(x, factor):\n    from . import y"], None),
    ],
)
def test_a_module_that_a_solution_needs_and_that_is_not_here_is_found(cells: list[str], missing: str | None) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    found = missing_module(notebook, ["scale_rows"])
    assert found == (None if missing is None else ("scale_rows", missing))


def test_every_repair_has_a_sentence() -> None:
    told = sentences([Repair(Kind.FILE, "a cell's id"), Repair(Kind.FILE, "outputs")])
    assert told == ["The file violates the notebook format in these points, but could be read: a cell's id, outputs."]
