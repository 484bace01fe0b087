"""Hostile notebooks, graded in one class among honest ones. README.md says what this proves."""

from __future__ import annotations

import re

import pytest

from autograder.outcomes import Outcome
from autograder.realign.repairs import sentences
from tests.support.toy import TOY

from . import ATTACKS
from .conftest import ALSO_FIRST, EARLIER, FIRST, HONEST, SECRET, Graded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

# bytes in one process, shared libraries included: torch alone takes a fifth, and four submissions run at once
_MOST_MEMORY = 3 * 2**29


def test_an_attack_ends_as_it_must_and_earns_nothing(attacked: Graded, subtests: pytest.Subtests) -> None:
    for attack in attacked.attacks:
        with subtests.test(attack.name):
            row = attacked.row(attack.by, attack.chapter)
            assert row.outcome in {attack.outcome, *attack.or_ends}, attacked.record(attack)
            assert row.score == attack.score, attacked.record(attack)


def test_the_instructor_is_told(attacked: Graded, subtests: pytest.Subtests) -> None:
    for attack in attacked.attacks:
        with subtests.test(attack.name):
            record = attacked.record(attack)
            told = [record.reason, *sentences(record.repairs)]
            told += [verdict.message for verdict in record.verdicts]
            assert any(re.search(attack.told, " ".join(text.split())) for text in told), told


def test_no_other_file_changed(attacked: Graded) -> None:
    assert attacked.after == attacked.before


def test_honest_learners_have_their_scores(attacked: Graded) -> None:
    for chapter in (TOY, FIRST):
        points = sum(cell.points for cell in attacked.folder.chapter(chapter).graded_cells)
        rows = attacked.rows[chapter]
        here = [EARLIER, *HONEST] if chapter == TOY else [EARLIER, ALSO_FIRST]
        assert {name: (rows[name].outcome, rows[name].score) for name in here} == dict.fromkeys(
            here, (Outcome.GRADED, points)
        )


def test_nothing_is_left_behind(attacked: Graded) -> None:
    assert attacked.left == []


def test_what_they_sent_did_not_fill_the_graders_memory(attacked: Graded) -> None:
    assert max(attacked.memory.values()) > 2**27, "a process that has imported torch has more"
    assert max(attacked.memory.values()) < _MOST_MEMORY, attacked.memory


def test_no_attack_saw_data_of_others(attacked: Graded) -> None:
    folder = attacked.folder
    secrets = {folder.seed(), SECRET, str(folder.root), "return x * factors[:, None]"}
    for attack in attacked.attacks:
        path = folder.autograded(attack.by, attack.chapter)
        shown = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert [secret for secret in secrets if secret in shown] == [], attack.name
        for word in ("CONNECTED", "RESOLVED", "FETCHED", "changed'"):
            assert f"'{word}" not in shown, attack.name


def test_there_are_attacks_of_every_kind() -> None:
    names = [attack.by for attack in ATTACKS]
    assert len(set(names)) == len(names) >= 45
