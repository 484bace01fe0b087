"""What a check says of the learner's lines, in real grading: code runs sealed, the judge is outside."""

from __future__ import annotations

import shutil

import pytest

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.record import Record, read_record
from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from autograder.outcomes import Outcome
from autograder.run.grade import grade
from tests.manyheads.attempts import ATTEMPTS
from tests.support.nbgrader_command import nbgrader
from tests.support.submissions import write_submission

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

FIRST = "01_single_head"
ATTEMPT = next(one for one in ATTEMPTS if one.exercise == "SingleHeadAttention")
# Wrong, and judged before most others: what these lose may not depend on what becomes of the kernel.
SCORES = """def attention_scores(q, k):
    trap()
    products = q @ k.transpose(-2, -1)
    return torch.tanh(products)
"""
# Each is called once a call, and springs only while steps are recorded.
TRAPS = {
    "none": "def trap(): pass",
    "dies": "import os, sys\ndef trap():\n    if sys.gettrace(): os._exit(1)",
    "hangs": "import sys\ndef trap():\n    while sys.gettrace(): pass",
    "ignores-interrupts": (
        "import signal, sys\ndef trap():\n    if sys.gettrace():\n"
        "        signal.signal(signal.SIGINT, signal.SIG_IGN)\n        while True: pass"
    ),
    "fills-memory": "import sys\nheld = []\ndef trap():\n    while sys.gettrace(): held.append(bytearray(2**24))",
    "answers-otherwise": "import sys\ndef trap():\n    if sys.gettrace(): torch.tanh = torch.sin",
    "stops-the-trace": "import sys\ndef trap(): sys.settrace(None)",
    "lies": (
        "import manyheads.calling.steps as steps, torch\n"
        "steps.as_value = lambda recording: {'complete': True, 'steps': [(1, 'a', 'b', '', 0, 0, torch.ones(3))] * 299}"
        "\ndef trap(): pass"
    ),
    "sends-no-data": (
        "import manyheads.calling.steps as steps\nsteps.as_value = lambda recording: {'steps': 'x' * 3000}\n"
        "def trap(): pass"
    ),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    root = tmp_path_factory.mktemp("lines")
    shutil.copytree(REPOSITORY_ROOT / "solutions" / FIRST, root / "solutions" / FIRST)
    folder = new_class(root / "class", root / "solutions")
    reference = read_chapter(folder.solutions / FIRST).reference
    for trap, source in TRAPS.items():
        write_submission(folder, trap, FIRST, {**reference, "attention_scores": f"{source}\n\n\n{SCORES}"})
    write_submission(folder, "a-class", FIRST, {**reference, ATTEMPT.exercise: ATTEMPT.source})
    grade(folder, FIRST, workers=2, progress=False)
    return folder


def _record(folder: ClassFolder, student: str) -> Record:
    record = read_record(folder.record_path(student, FIRST))
    assert record is not None
    return record


def _message(folder: ClassFolder, student: str, check: str) -> str:
    return next(
        " ".join(verdict.message.split())
        for verdict in _record(folder, student).verdicts
        if f"{verdict.exercise}.{verdict.check}" == check
    )


def test_the_verdict_says_up_to_which_line_the_code_is_right(graded: ClassFolder) -> None:
    message = _message(graded, "a-class", "SingleHeadAttention.outputs")
    assert (
        "line 15, `weights = attention_weights(scores, mask)`, gives the right weights, (batch, seq, seq)." in message
    )
    assert "Next should come the output, (batch, seq, d_head); none of your lines gives these numbers." in message
    message = _message(graded, "none", "attention_scores.outputs")
    assert "gives the right products of queries and keys, not yet divided, (" in message
    groups = {verdict.group for verdict in _record(graded, "none").verdicts if verdict.earned < verdict.points}
    assert "right up to the products of queries and keys, not yet divided" in groups


def test_the_executed_notebook_shows_it(graded: ClassFolder) -> None:
    text = graded.autograded("a-class", FIRST).read_text(encoding="utf-8")
    assert "gives the right weights, (batch," in text


@pytest.mark.parametrize("trap", [name for name in TRAPS if name != "none"])
def test_whatever_happens_while_steps_are_recorded_costs_nothing(graded: ClassFolder, trap: str) -> None:
    record, without = _record(graded, trap), _record(graded, "none")
    assert record.outcome == without.outcome == Outcome.GRADED
    for mine, theirs in zip(record.verdicts, without.verdicts, strict=True):
        assert (mine.grade_id, mine.earned, mine.stage, mine.carried) == (
            theirs.grade_id,
            theirs.earned,
            theirs.stage,
            theirs.carried,
        )
    message = _message(graded, trap, "attention_scores.outputs")
    assert "wrong numbers" in message
    if trap != "lies":
        assert "none of your lines" not in message


@pytest.mark.thorough
def test_nbgraders_own_command_says_the_same(graded: ClassFolder) -> None:
    before = _message(graded, "a-class", "SingleHeadAttention.outputs")
    autograded = nbgrader(graded.root, "autograde", FIRST, "--student", "a-class", "--force")
    assert autograded.returncode == 0, autograded.stderr
    assert _message(graded, "a-class", "SingleHeadAttention.outputs") == before
