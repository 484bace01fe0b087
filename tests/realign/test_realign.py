"""After any accident with a notebook, the learner's code is found, and nothing else changes.

The release here is of plain Python functions: the tests run a realigned notebook from top to bottom without a kernel,
and compare at each check whether it would find the learner's own solution.
"""

from __future__ import annotations

import copy
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from autograder.course.notebooks import cell_metadata, grade_id, set_solution
from autograder.realign.realign import Realigned, realign
from autograder.realign.release import read_release
from autograder.realign.repairs import (
    SENTENCES,
    Kind,
    Repair,
    from_json,
    repairs_cell,
    sentences,
    store_repairs,
    stored_repairs,
)

_EMPTY = "    # YOUR CODE HERE\n    raise NotImplementedError()"
STUBS = {
    "alpha": 'def alpha(x: int) -> tuple:\n    """The first letter."""\n' + _EMPTY,
    "beta": 'def beta(x: int) -> tuple:\n    """The second, made of alpha."""\n' + _EMPTY,
    "Gamma": "class Gamma:\n    def __call__(self, x: int = math.floor(3.1)) -> tuple:\n"
    "        # YOUR CODE HERE\n        raise NotImplementedError()",
}
SOLVED = {
    "alpha": 'def alpha(x: int) -> tuple:\n    """The first letter."""\n    low = math.floor(x)\n\n'
    '    # comments with: colons\n    return ("alpha", low)',
    "beta": "def _double(x):\n    return 2 * x\n\n\ndef beta(x: int) -> tuple:\n    first = alpha(x)\n"
    '    return ("beta", first, _double(x))',
    "Gamma": "class Gamma:\n    def __call__(self, x: int = math.floor(3.1)) -> tuple:\n"
    '        text = """\nnot indented\n"""\n        return ("Gamma", beta(x), text.strip())',
}
ANSWERS = {
    "alpha": ("alpha", 3),
    "beta": ("beta", ("alpha", 3), 6),
    "Gamma": ("Gamma", ("beta", ("alpha", 3), 6), "not indented"),
}


def released() -> NotebookNode:
    cells = [
        new_markdown_cell("# Letters\n\nA chapter of three letters, and nothing else.", id="text-000"),
        new_code_cell("print('set up')", id="set-up", metadata={"cellView": "form"}),
        new_code_cell("import math\n\nfrom string import ascii_letters", id="code-001"),
    ]
    for number, (name, stub) in enumerate(STUBS.items()):
        cells += [
            new_markdown_cell(f"## {name}\n\nWrite *{name}*: it isn't hard.", id=f"text-{number + 2}"),
            _graded(f"# exercise: {name}\n{stub}", name, None),
            _graded(f"# grade: {name}.shapes\ncheck.shapes({name})", f"{name}-shapes", 1),
            _graded(f"# grade: {name}.outputs\ncheck.outputs({name})", f"{name}-outputs", 2),
            new_code_cell(f"print('{name} is', {name})", id=f"code-{number + 2}"),
        ]
    kernelspec = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": kernelspec, "language_info": {"name": "python"}})
    notebook.nbformat_minor = 5
    return notebook


def _graded(source: str, name: str, points: float | None) -> NotebookNode:
    return new_code_cell(source, id=name, metadata={"nbgrader": cell_metadata(name, points), "deletable": False})


RELEASE = read_release(released())


def solved() -> NotebookNode:
    notebook = released()
    for name, source in SOLVED.items():
        set_solution(notebook, name, source)
    return notebook


def mend(notebook: NotebookNode) -> Realigned:
    """Realign `notebook`, and check what must always hold."""
    before = copy.deepcopy(notebook)
    done = realign(notebook, RELEASE)
    assert notebook == before, "the submission itself was changed"
    nbformat.validate(done.notebook)
    names = [grade_id(cell) for cell in done.notebook.cells if grade_id(cell)]
    assert sorted(names) == sorted(RELEASE.by_name)
    ids = [cell.id for cell in done.notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in done.notebook.cells:
        slot = RELEASE.by_name.get(grade_id(cell))
        assert cell.metadata == (slot.cell.metadata if slot else cell.metadata)
        if slot:
            assert cell.cell_type == "code"
        if slot and slot.checks:
            assert cell.source == slot.cell.source
    again = realign(done.notebook, RELEASE)
    assert again.notebook == done.notebook
    assert all(known.kind in SENTENCES for known in done.repairs)
    return done


def judged(notebook: NotebookNode) -> dict[str, object]:
    """Run `notebook` from top to bottom and return the object that each check would find, by the check's name."""
    names: dict[str, Any] = {"check": None, "__name__": "learner"}
    met: dict[str, object] = {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        slot = RELEASE.by_name.get(grade_id(cell))
        try:
            if slot and slot.checks:
                target = names[slot.exercise]
                met[slot.name] = (target() if isinstance(target, type) else target)(3)
            else:
                exec(compile(cell.source, "cell", "exec"), names)
        except Exception as error:
            if slot and slot.checks:
                met[slot.name] = error
    return met


FULL = {f"{name}-{check}": answer for name, answer in ANSWERS.items() for check in ("shapes", "outputs")}


def kinds(done: Realigned) -> set[str]:
    return {found.kind for found in done.repairs}


def at(notebook: NotebookNode, name: str) -> int:
    return next(place for place, cell in enumerate(notebook.cells) if cell.get("id") == name)


# ---------------------------------------------------------------------------------------------- accidents at random

Accident = Callable[[NotebookNode, int, int], None]


def duplicate(notebook: NotebookNode, one: int, other: int) -> None:
    again = copy.deepcopy(notebook.cells[one])
    again.pop("id", None)
    notebook.cells.insert(other, again)


def delete(notebook: NotebookNode, one: int, other: int) -> None:
    del notebook.cells[one]


def delete_what_is_not_theirs(notebook: NotebookNode, one: int, other: int) -> None:
    source = notebook.cells[one].source
    if not any(line.strip() and line in source for solution in SOLVED.values() for line in solution.splitlines()):
        del notebook.cells[one]


def move(notebook: NotebookNode, one: int, other: int) -> None:
    notebook.cells.insert(other, notebook.cells.pop(one))


def merge(notebook: NotebookNode, one: int, other: int) -> None:
    if one + 1 < len(notebook.cells):
        notebook.cells[one].source += "\n\n" + notebook.cells.pop(one + 1).source


def split(notebook: NotebookNode, one: int, other: int) -> None:
    """As JupyterLab does: both halves keep the metadata, and lose blank lines where they were cut."""
    lines = notebook.cells[one].source.split("\n")
    cut = other % len(lines)
    second = copy.deepcopy(notebook.cells[one])
    second.pop("id", None)
    notebook.cells[one].source = "\n".join(lines[:cut]).strip("\n")
    second.source = "\n".join(lines[cut:]).strip("\n")
    notebook.cells.insert(one + 1, second)


def strip_metadata(notebook: NotebookNode, one: int, other: int) -> None:
    for cell in notebook.cells:
        cell.metadata = NotebookNode()


def strip_ids(notebook: NotebookNode, one: int, other: int) -> None:
    notebook.nbformat_minor = 4
    for cell in notebook.cells:
        cell.pop("id", None)


def colab(notebook: NotebookNode, one: int, other: int) -> None:
    """As Colab saves: ids move into the metadata, notes of its own come in."""
    notebook.nbformat_minor = 0
    notebook.metadata.colab = {"provenance": [], "toc_visible": True}
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {}}
    for cell in notebook.cells:
        cell_id = cell.pop("id", "") or "AbCdEf123"
        cell.metadata = {**cell.metadata, "id": cell_id, "colab_type": "code", "outputId": "abc", "executionInfo": {}}


def to_type(cell_type: str) -> Accident:
    def change(notebook: NotebookNode, one: int, other: int) -> None:
        make = {"markdown": new_markdown_cell, "raw": new_raw_cell, "code": new_code_cell}[cell_type]
        cell = notebook.cells[one]
        changed = make(cell.source, metadata=cell.metadata)
        changed.pop("id", None)
        if "id" in cell:
            changed.id = cell.id
        notebook.cells[one] = changed

    change.__name__ = f"to_{cell_type}"
    return change


def edit_check(notebook: NotebookNode, one: int, other: int) -> None:
    cell = notebook.cells[one]
    cell.source = re.sub(r"^check\.\w+\((\w+)\)", r"assert True", cell.source, flags=re.MULTILINE)


def rename_kernel(notebook: NotebookNode, one: int, other: int) -> None:
    notebook.metadata.kernelspec = {"display_name": "My env", "name": "conda-env-mine-py", "language": "python"}


def damage_marker(notebook: NotebookNode, one: int, other: int) -> None:
    damaged = ["", "#exercise {}", "# Grade : {}", "# my own title"][other % 4]
    cell = notebook.cells[one]
    cell.source = re.sub(r"# (?:exercise|grade): ([\w.]+)\n", lambda m: f"{damaged.format(m[1])}\n", cell.source)


def insert_empty(notebook: NotebookNode, one: int, other: int) -> None:
    empty = new_code_cell("") if other % 2 else new_markdown_cell("")
    if notebook.nbformat_minor < 5:
        empty.pop("id")
    notebook.cells.insert(one, empty)


def insert_tags(notebook: NotebookNode, one: int, other: int) -> None:
    notebook.cells[one].metadata["tags"] = ["skip-execution"]


def paste_stub(notebook: NotebookNode, one: int, other: int) -> None:
    name = list(STUBS)[other % len(STUBS)]
    stub = copy.deepcopy(RELEASE.exercises[name].cell)
    stub.pop("id")
    if notebook.nbformat_minor >= 5:
        stub.id = f"pasted-{one}-{other}-{len(notebook.cells)}"
    notebook.cells.insert(one, stub)


KEEPING: tuple[Accident, ...] = (
    duplicate, delete_what_is_not_theirs, move, merge, strip_ids, colab, edit_check, rename_kernel, damage_marker,
    insert_empty, insert_tags, paste_stub,
)  # fmt: skip
ALL: tuple[Accident, ...] = (
    *KEEPING, delete, split, strip_metadata, to_type("markdown"), to_type("raw"), to_type("code")
)  # fmt: skip


def some(*accidents: Accident, most: int = 6) -> st.SearchStrategy[list[tuple[Accident, int, int]]]:
    return st.lists(st.tuples(st.sampled_from(accidents), st.integers(0, 60), st.integers(0, 60)), max_size=most)


def happen(notebook: NotebookNode, accidents: list[tuple[Accident, int, int]]) -> NotebookNode:
    for accident, one, other in accidents:
        if notebook.cells:
            accident(notebook, one % len(notebook.cells), other % (len(notebook.cells) + 1))
    if notebook.nbformat_minor >= 5:
        for number, cell in enumerate(notebook.cells):
            cell.setdefault("id", f"new-{number}")
    nbformat.validate(copy.deepcopy(notebook))
    return notebook


many = settings(max_examples=200)


@pytest.mark.slow
@given(some(*ALL, most=10))
@many
def test_no_accident_loses_a_line_of_the_learners(accidents: list[tuple[Accident, int, int]]) -> None:
    notebook = happen(solved(), accidents)
    done = mend(notebook)
    before, after = (Counter(_lines(each)) for each in (notebook, done.notebook))
    for solution in SOLVED.values():
        for line in solution.splitlines():
            if line.strip() and line.strip() not in "\n".join(STUBS.values()):
                assert after[line.strip()] == before[line.strip()], line


def _lines(notebook: NotebookNode) -> list[str]:
    return [line.strip() for cell in notebook.cells for line in cell.source.splitlines()]


@pytest.mark.slow
@given(some(*KEEPING))
@example([(insert_empty, 13, 0), (paste_stub, 50, 0), (merge, 12, 0)])  # a stub pasted below, in one cell with more
@many
def test_every_exercise_still_meets_its_checks_after_accidents(accidents: list[tuple[Accident, int, int]]) -> None:
    assert judged(mend(happen(solved(), accidents)).notebook) == FULL


@pytest.mark.slow
@given(some(*KEEPING, strip_metadata), st.sampled_from(("markdown", "raw")), st.integers(0, 60))
@many
def test_a_cell_of_another_type_is_turned_back_or_harmless(
    accidents: list[tuple[Accident, int, int]], cell_type: str, place: int
) -> None:
    first = happen(solved(), [(to_type(cell_type), place, 0)])
    quiet = [one for one in accidents if one[0] not in (merge, damage_marker)]
    assert judged(mend(happen(first, quiet)).notebook) == FULL


@pytest.mark.slow
@given(st.sampled_from(sorted(SOLVED)), st.integers(1, 12), st.integers(1, 12), st.booleans(), st.booleans())
@many
def test_a_cell_split_anywhere_is_whole_again(name: str, one: int, other: int, empty: bool, stripped: bool) -> None:
    notebook = solved()
    place = at(notebook, name)
    split(notebook, place, one)
    split(notebook, place + other % 2, other)
    if empty:
        insert_empty(notebook, place + 1, 1)
    if stripped:
        strip_metadata(notebook, 0, 0)
    assert judged(mend(happen(notebook, [])).notebook) == FULL


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
any_source = st.text(max_size=60) | st.sampled_from(
    [*SOLVED.values(), *STUBS.values(), "# exercise: alpha", "check.shapes(alpha)"]
)
any_metadata = st.fixed_dictionaries({}, optional={"nbgrader": any_json, "id": any_json, "own": any_json})
any_cell = st.builds(
    lambda make, source, metadata: make(source, metadata=metadata),
    st.sampled_from([new_code_cell, new_markdown_cell, new_raw_cell]),
    any_source,
    any_metadata,
)


@pytest.mark.slow
@given(st.lists(any_cell, max_size=8), any_metadata)
@many
def test_no_notebook_at_all_makes_it_raise(cells: list[NotebookNode], metadata: dict[str, object]) -> None:
    mend(new_notebook(cells=cells, metadata=metadata))


# ------------------------------------------------------------------------------------------------- one rule at a time


def test_a_release_comes_out_as_it_went_in() -> None:
    assert mend(released()) == Realigned(released(), ())
    assert mend(solved()) == Realigned(solved(), ())


def test_of_two_solutions_the_later_wins_as_it_does_in_the_learners_own_notebook() -> None:
    notebook = solved()
    again = new_code_cell("# exercise: alpha\ndef alpha(x):\n    return 'the later'", id="later")
    notebook.cells.append(again)
    done = mend(notebook)
    assert judged(done.notebook)["alpha-outputs"] == "the later"
    assert done.notebook.cells[at(done.notebook, "alpha")].source == again.source
    assert {Repair(Kind.DUPLICATE, "alpha"), Repair(Kind.MOVED, "alpha-outputs")} <= set(done.repairs)


def test_a_stub_pasted_below_a_solution_never_wins_and_is_taken_away() -> None:
    notebook = solved()
    paste_stub(notebook, len(notebook.cells), 0)
    done = mend(notebook)
    assert judged(done.notebook) == FULL
    assert sum("NotImplementedError" in cell.source for cell in done.notebook.cells) == 0
    assert done.repairs == (Repair(Kind.DUPLICATE, "alpha"),)


def test_a_later_copy_that_does_not_run_does_not_win() -> None:
    notebook = solved()
    notebook.cells.append(new_code_cell("# exercise: alpha\ndef alpha(x:\n    return", id="broken"))
    assert judged(mend(notebook).notebook) == FULL


def test_a_cell_is_known_by_any_one_of_its_names() -> None:
    broken = "def alpha(x:\n    return ("
    for marked, name, cell_id in (("# exercise: alpha\n", "", ""), ("", "alpha", ""), ("", "", "alpha")):
        notebook = solved()
        metadata = {"nbgrader": cell_metadata(name, None)} if name else {}
        notebook.cells[at(notebook, "alpha")] = new_code_cell(
            marked + broken, id=cell_id or "another", metadata=metadata
        )
        done = mend(notebook)
        assert [cell.source for cell in done.notebook.cells] == [cell.source for cell in notebook.cells]
        assert done.notebook.cells[at(done.notebook, "alpha")].source == marked + broken


def test_missing_cells_are_restored_in_their_places() -> None:
    for name in ("code-001", "alpha", "Gamma"):
        notebook = released()
        del notebook.cells[at(notebook, name)]
        done = mend(notebook)
        assert done.notebook == released()
        assert kinds(done) == {Kind.MISSING}


def test_what_imports_the_same_is_enough_and_prose_about_it_is_not() -> None:
    notebook = solved()
    place = at(notebook, "code-001")
    notebook.cells[place] = new_code_cell("import math, string\n\nascii_letters = string.ascii_letters", id="mine")
    assert mend(notebook) == Realigned(notebook, ())
    notebook.cells[place] = new_markdown_cell("from string import ascii_letters\n\nimport math", id="mine")
    done = mend(notebook)
    assert judged(done.notebook) == FULL
    assert done.repairs == (Repair(Kind.MISSING, "imports"),)


def test_another_exercise_is_never_taken_for_a_missing_one_that_it_looks_like() -> None:
    notebook = solved()
    alike = STUBS["alpha"].replace("alpha", "beta").replace("raise NotImplementedError()", "return ('mine', x)")
    set_solution(notebook, "beta", alike)
    del notebook.cells[at(notebook, "alpha")]
    met = judged(mend(notebook).notebook)
    assert met["beta-outputs"] == ("mine", 3)
    assert isinstance(met["alpha-outputs"], NotImplementedError)


def test_a_split_exercise_that_has_lost_every_name_is_whole_again() -> None:
    lines = SOLVED["alpha"].split("\n")
    for cut in range(1, len(lines)):
        notebook = solved()
        halves = (lines[:cut], lines[cut:])
        place = at(notebook, "alpha")
        notebook.cells[place : place + 1] = [
            new_code_cell("\n".join(half), id=name) for name, half in zip(("one", "two"), halves, strict=True)
        ]
        done = mend(notebook)
        assert judged(done.notebook) == FULL
        assert Kind.SPLIT in kinds(done)


def halves(name: str, cut: int) -> tuple[str, str]:
    """Return a solution's source in two parts that do not run by themselves."""
    lines = SOLVED[name].split("\n")
    return "\n".join(lines[:cut]), "\n".join(lines[cut:])


def test_an_exercise_that_begins_in_prose_and_ends_in_the_next_cell_is_whole_again() -> None:
    """The first repair reveals the second: the beginning is cut out of the prose, and is then half of a cell."""
    notebook = solved()
    begin, end = halves("alpha", 3)
    place = at(notebook, "alpha")
    notebook.cells[place : place + 1] = [
        new_markdown_cell(f"Some words.\n\n{begin}", id="one"),
        new_code_cell(end, id="two"),
    ]
    done = mend(notebook)
    assert judged(done.notebook) == FULL
    assert Kind.SPLIT in kinds(done)


def test_a_half_that_is_merged_with_the_next_exercise_leaves_each_a_cell_of_its_own() -> None:
    notebook = solved()
    begin, end = halves("alpha", 3)
    del notebook.cells[at(notebook, "beta")]
    place = at(notebook, "alpha")
    notebook.cells[place : place + 1] = [
        new_code_cell(f"# exercise: alpha\n{begin}", id="one"),
        new_code_cell(f"{end}\n\n{SOLVED['beta']}", id="two"),
    ]
    done = mend(notebook)
    assert judged(done.notebook) == FULL
    assert 'return ("alpha", low)' in done.notebook.cells[at(done.notebook, "alpha")].source
    assert Repair(Kind.MISSING, "alpha") not in done.repairs


def test_lines_above_a_definition_are_cut_off_with_it() -> None:
    notebook = solved()
    above = "# made of alpha\n@(lambda function: function)\n"
    beta = "def beta(x):\n    return ('beta', alpha(x), 2 * x)"
    notebook.cells[at(notebook, "alpha")].source += f"\n\n{above}{beta}"
    del notebook.cells[at(notebook, "beta")]
    done = mend(notebook)
    assert judged(done.notebook) == FULL
    assert next(cell for cell in done.notebook.cells if grade_id(cell) == "beta").source == above + beta


def test_the_lessons_text_in_a_code_cell_is_text_again() -> None:
    for above in ("", "\n"):
        notebook = solved()
        place = at(notebook, "text-3")
        text = notebook.cells.pop(place).source
        notebook.cells[place - 1].source = f"{above}print('above')\n\n{text}\n\nprint('below')"
        done = mend(notebook)
        sources = [cell.source for cell in done.notebook.cells]
        there = sources.index(text)
        assert done.notebook.cells[there].cell_type == "markdown"
        assert [source.strip() for source in sources[there - 1 : there + 2 : 2]] == ["print('above')", "print('below')"]


def test_a_scratch_cell_with_an_exercises_name_does_not_take_its_place() -> None:
    notebook = solved()
    notebook.cells.append(new_code_cell("def alpha(x):\n    return 'only playing'", id="scratch"))
    assert mend(notebook) == Realigned(notebook, ())


def test_a_solution_in_a_cell_of_its_own_counts_where_the_stub_was_left_as_it_was() -> None:
    notebook = released()
    notebook.cells.insert(3, new_code_cell("\n\n".join(SOLVED.values()), id="mine"))
    assert judged(mend(notebook).notebook) == FULL


def test_a_helper_written_below_is_at_hand_when_the_check_comes() -> None:
    notebook = solved()
    set_solution(notebook, "alpha", "def alpha(x):\n    return late(x)")
    notebook.cells.append(new_code_cell("def late(x):\n    return ('alpha', x)", id="helper"))
    assert judged(mend(notebook).notebook)["alpha-outputs"] == ("alpha", 3)


def test_a_learners_own_cells_stay_where_they_are() -> None:
    notebook = solved()
    own = [
        new_code_cell("print('mine')", id="one"),
        new_markdown_cell("my *notes*", id="two"),
        new_raw_cell("raw", id="three"),
    ]
    for cell in own:
        notebook.cells.insert(6, cell)
    assert mend(notebook) == Realigned(notebook, ())


def test_what_a_learner_wrote_into_a_check_cell_stays_beside_it() -> None:
    notebook = solved()
    notebook.cells[at(notebook, "alpha-shapes")].source += "\nprint('what is', alpha(1))"
    done = mend(notebook)
    assert any("what is" in cell.source and not grade_id(cell) for cell in done.notebook.cells)
    assert done.repairs == (Repair(Kind.CHECK_EDITED, "alpha-shapes"),)


def test_a_comment_in_a_check_makes_no_cell_of_the_learners() -> None:
    notebook = solved()
    notebook.cells[at(notebook, "alpha-shapes")].source = "# my own title\ncheck.shapes(alpha)  \n\n# passed!"
    done = mend(notebook)
    assert [cell.id for cell in done.notebook.cells] == [cell.id for cell in notebook.cells]
    assert done.repairs == (Repair(Kind.CHECK_EDITED, "alpha-shapes"),)


def test_a_solution_typed_into_a_check_cell_is_the_learners_all_the_same() -> None:
    notebook = solved()
    solution = notebook.cells[at(notebook, "alpha")].source.partition("\n")[2]
    set_solution(notebook, "alpha", STUBS["alpha"])
    notebook.cells[at(notebook, "alpha-shapes")].source = solution
    assert judged(mend(notebook).notebook) == FULL


def test_a_question_of_the_instructors_is_graded_once_and_in_the_form_it_was_set() -> None:
    set_as = {**cell_metadata("why", 3), "solution": True, "locked": False, "cell_type": "markdown"}
    question = new_markdown_cell("YOUR ANSWER HERE", id="why", metadata={"nbgrader": set_as})
    notebook = solved()
    for name in ("first", "second"):  # turned into code by accident, and copied
        notebook.cells.append(new_code_cell(f"{name} answer", id=name, metadata=copy.deepcopy(question.metadata)))
    done = realign(notebook, replace(RELEASE, questions={"why": question})).notebook
    nbformat.validate(done)
    [answer] = [cell for cell in done.cells if grade_id(cell) == "why"]
    assert (answer.source, answer.cell_type, answer.metadata) == ("first answer", "markdown", question.metadata)
    assert done.cells[-1].source == "second answer"


def test_repairs_travel_in_the_notebook_and_a_learners_own_are_overwritten() -> None:
    notebook = solved()
    notebook.metadata.manyheads = {"repairs": [{"kind": "forged", "cell": "<script>"}]}
    repairs = (Repair(Kind.KERNEL), Repair(Kind.MISSING, "alpha"), Repair(Kind.MISSING, "beta"))
    store_repairs(notebook, repairs)
    assert stored_repairs(nbformat.reads(nbformat.writes(notebook), as_version=4)) == repairs
    assert stored_repairs(solved()) == ()
    assert from_json([{"kind": "of a later version", "cell": ""}]) == ()
    assert sentences(repairs)[1].endswith("restored from the release: alpha, beta.")
    assert sentences(Repair(Kind.UNKNOWN, f"c{n}") for n in range(40))[0].endswith("c28, c29 and 10 more.")
    assert all(sentence in repairs_cell(repairs).source for sentence in sentences(repairs))


def test_names_of_a_learners_file_are_not_shown_as_markup() -> None:
    notebook = solved()
    notebook.cells.append(new_code_cell("1", id="x", metadata={"nbgrader": {"grade_id": "<script>alert(1)</script>"}}))
    done = mend(notebook)
    assert kinds(done) == {Kind.UNKNOWN}
    assert "<" not in repairs_cell(done.repairs).source


def test_a_hostile_cell_takes_no_time() -> None:
    notebook = solved()
    for source in ("(" * 5000, "!ls\n" * 20_000, "x = " + "-" * 60_000 + "1", "def f():\n" * 3000, "\x00"):
        notebook.cells.append(new_code_cell(source, id=f"hostile-{len(notebook.cells)}"))
    started = time.process_time()
    assert judged(realign(notebook, RELEASE).notebook) == FULL
    assert time.process_time() - started < 2
