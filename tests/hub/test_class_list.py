"""Who may log in: the names on the class list at that moment, and teachers who were given a password."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from types import SimpleNamespace

import bcrypt
import pytest

from autograder.hub.class_list import ClassList, first_passwords, read_names


@pytest.fixture
def class_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClassList:
    monkeypatch.setattr(bcrypt, "gensalt", functools.partial(bcrypt.gensalt, rounds=4))  # as few as there may be
    (tmp_path / "list.txt").write_text(
        "# 2026\nada\n\n emmy \nAda Lovelace\n-rf\nmany-heads-course\n", encoding="utf-8"
    )
    made = ClassList(class_list=str(tmp_path / "list.txt"), dbm_path=str(tmp_path / "passwords"))
    made.admin_users = {"grace"}
    return made


def log_in(class_list: ClassList, name: str, password: str) -> str | None:
    return asyncio.run(class_list.authenticate(SimpleNamespace(), {"username": name, "password": password}))


def test_only_names_that_can_be_accounts_are_on_the_list(class_list: ClassList) -> None:
    assert read_names(Path(class_list.class_list)) == {"ada", "emmy"}


def test_a_first_password_is_a_learner_s_own_and_nobody_else_s_is_stored(class_list: ClassList) -> None:
    assert log_in(class_list, "stranger", "a password") is None
    assert log_in(class_list, "ada", "short") is None
    assert log_in(class_list, "ada", "analytical") == "ada"
    assert log_in(class_list, "ada", "something else") is None
    Path(class_list.class_list).write_text("ada\nstranger\n", encoding="utf-8")
    assert log_in(class_list, "stranger", "not the one before") == "stranger"


def test_who_is_taken_off_the_list_is_logged_out(class_list: ClassList) -> None:
    emmy = SimpleNamespace(name="emmy")
    assert asyncio.run(class_list.refresh_user(emmy))
    Path(class_list.class_list).write_text("ada\n", encoding="utf-8")
    assert not asyncio.run(class_list.refresh_user(emmy))
    assert asyncio.run(class_list.refresh_user(SimpleNamespace(name="grace")))
    assert class_list.auth_refresh_strict


def test_a_list_that_an_editor_is_just_writing_locks_nobody_out(class_list: ClassList) -> None:
    assert class_list.check_allowed("ada")
    Path(class_list.class_list).unlink()
    assert class_list.check_allowed("ada")
    assert not class_list.check_allowed("stranger")


def test_nobody_becomes_a_teacher_by_being_first(class_list: ClassList) -> None:
    assert log_in(class_list, "grace", "a guess of mine") is None
    made = first_passwords(Path(class_list.dbm_path), {"grace"})
    assert log_in(class_list, "grace", "a guess of mine") is None
    assert log_in(class_list, "grace", made["grace"]) == "grace"
    assert first_passwords(Path(class_list.dbm_path), {"grace", "tom"}).keys() == {"tom"}
    class_list.delete_user(SimpleNamespace(name="grace"))
    assert log_in(class_list, "grace", made["grace"]) is None
