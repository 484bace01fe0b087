"""Attacks on the check itself: prevent it from running, or show a result before there is one."""

from __future__ import annotations

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

from .attack import WRONG, Attack


def _tag_everything(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "remove-cell"]


def _checks(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]


def _checks_without_a_test(notebook: NotebookNode) -> None:
    for cell in _checks(notebook):
        cell.source = cell.source.partition("\n")[0] + "\npass"


def _checks_become_prose(notebook: NotebookNode) -> None:
    for cell in _checks(notebook):
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]


def _more_points(notebook: NotebookNode) -> None:
    for cell in _checks(notebook):
        cell.metadata["nbgrader"]["points"] = 1000
    more = {"grade": True, "grade_id": "a-gift", "locked": False, "points": 500, "schema_version": 3, "solution": False}
    notebook.cells.append(new_code_cell("pass", metadata={"nbgrader": more}))
    notebook.metadata["nbgrader"] = {"score": 1000, "max_score": 9}


def _outputs_of_a_pass(notebook: NotebookNode) -> None:
    for cell in _checks(notebook):
        cell.outputs = [new_output("stream", name="stdout", text="✓ scale_rows.outputs · 2 cases\n")]
        cell.execution_count = 1


def _manual_grading(notebook: NotebookNode) -> None:
    for cell in _checks(notebook):
        cell.metadata["nbgrader"] |= {"solution": True, "task": False, "grade": True}


def _already_judged(notebook: NotebookNode) -> None:
    notebook.metadata["manyheads"] = {"repairs": [], "marked": {"outcome": "graded", "verdicts": []}}
    for cell in notebook.cells:
        cell.metadata["manyheads"] = {"passed": True}


_FAKE_CHECK = """
import sys, types
fake = types.ModuleType("manyheads.check")
fake.shapes = fake.outputs = lambda target: print("✓ all is right")
sys.modules["manyheads.check"] = check = fake
import manyheads
manyheads.check = fake
"""

_FORGED_BEFORE = """
from IPython.display import publish_display_data
def forge(info=None):
    print("✓ scale_rows.outputs · 2 cases")
    publish_display_data({"text/plain": "3 of 3 points"})
get_ipython().events.register("pre_run_cell", forge)
get_ipython().events.register("post_run_cell", forge)
"""

_NO_ASSERTS = """
import ast
class Quiet(ast.NodeTransformer):
    def visit_Assert(self, node):
        return None
    def visit_Raise(self, node):
        return ast.copy_location(ast.Pass(), node)
get_ipython().ast_transformers.append(Quiet())
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass\\n"])
get_ipython().showtraceback = lambda *a, **k: None
"""

_REWRITES_THE_QUESTION = """
shell = get_ipython()
run_cell = shell.run_cell
def run(source, *args, **kwargs):
    if "manyheads.calling.probe" in source:
        source = "print('✓ passed')"
    return run_cell(source, *args, **kwargs)
shell.run_cell = run
async def run_async(source, *args, **kwargs):
    return run_cell("print('✓ passed')", *args, **kwargs)
shell.run_cell_async = run_async
"""

# A verdict is shown in the cell's first output. This one shows an output there while it is asked, keeps a handle on
# it, and changes what it shows in a later cell.
_HANDLE_ON_THE_VERDICT = f"""
from IPython.display import display, update_display
{WRONG.replace("    return", "    display('mine', display_id='verdict'); display('two', display_id='verdict'); return")}
"""

# The judge lends a working scale_rows to row_sums, because this one is wrong. It is kept, and handed in below.
_KEEPS_THE_STAND_IN = """
def row_sums(x, factors):
    global kept
    if scale_rows.__module__ == "manyheads.stand_in":
        kept = scale_rows
    y = scale_rows(x, factors)
    return y, y.sum(1)
"""


_DELEGATES = """
def scale_rows(x, factors):
    return globals().get("kept", lambda x, factors: x * 2)(x, factors)
"""


def _scale_rows_last(notebook: NotebookNode) -> None:
    """Put the exercise with a stand-in, and its checks, below all others, so that it is judged after the stand-in was
    given."""
    cells = [cell for cell in notebook.cells if "scale_rows" in (cell.get("id") or "")]
    notebook.cells = [cell for cell in notebook.cells if cell not in cells]
    notebook.cells.insert(0, new_code_cell("scale_rows = lambda x, factors: x * 2"))
    notebook.cells += cells


ATTACKS = (
    Attack("skip-by-tags", "keep the checks from running by tags", change=_tag_everything),
    Attack(
        "empty-checks",
        "hand the checks in without a test",
        change=_checks_without_a_test,
        told="restored from the release",
    ),
    Attack("checks-as-prose", "turn the checks into markdown", change=_checks_become_prose),
    Attack("more-points", "make its checks worth more, and add one", change=_more_points),
    Attack("outputs-of-a-pass", "hand in the outputs of checks that passed", change=_outputs_of_a_pass),
    Attack("graded-by-hand", "make the checks cells that people grade", change=_manual_grading),
    Attack("already-judged", "pass for a notebook that was judged", change=_already_judged),
    Attack("own-check", "put a check of its own in the place of the course's", first=_FAKE_CHECK),
    Attack("results-beside-the-cell", "print a pass before and after every cell", first=_FORGED_BEFORE),
    Attack(
        "no-asserts", "take assert and raise out of every cell", first=_NO_ASSERTS, score=0, told="could not be read"
    ),
    Attack(
        "other-question",
        "run another cell than the judge sent",
        first=_REWRITES_THE_QUESTION,
        score=0,
        told="could not be read",
    ),
    Attack(
        "handle-on-the-verdict",
        "change the shown verdict from a later cell",
        writes={"scale_rows": _HANDLE_ON_THE_VERDICT},
        last="update_display('✓ 3 of 3 points', display_id='verdict')",
    ),
    Attack(
        "keeps-the-stand-in",
        "hand in the working function that the judge lent it",
        writes={"row_sums": _KEEPS_THE_STAND_IN, "scale_rows": _DELEGATES},
        change=_scale_rows_last,
        score=4,
    ),
)
