"""A class folder is never left half made, two commands never change it at once, and its judge's inputs have a
fingerprint."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from autograder.classroom import class_folder
from autograder.classroom.class_folder import SEED, ClassFolder, in_use, new_class
from autograder.course.chapter import REPOSITORY_ROOT
from autograder.handed_in_file import MAX_BYTES
from autograder.problems import Problem
from autograder.run.grade import grade
from tests.support.toy import TOY

FIRST, SECOND = "01_single_head", "02_why_many_heads"


@pytest.mark.parametrize("existed", [True, False])
def test_a_class_that_was_stopped_while_it_was_made_leaves_nothing(
    built_toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    def stop(folder: ClassFolder, assignment: str) -> None:
        raise KeyboardInterrupt

    root = tmp_path / "class"
    if existed:
        root.mkdir()
    monkeypatch.setattr(class_folder, "_generate", stop)
    with pytest.raises(KeyboardInterrupt):
        new_class(root, built_toy / "solutions")
    assert root.exists() == existed
    assert not existed or not list(root.iterdir())


def test_two_commands_never_change_a_class_at_once(new_toy_class: ClassFolder) -> None:
    with in_use(new_toy_class):
        with pytest.raises(Problem, match="another command is working") as told:
            grade(new_toy_class, TOY, workers=1, progress=False)
        assert "\n" not in str(told.value)
    with in_use(new_toy_class):  # it was let go
        pass


def test_changing_an_earlier_chapters_stand_in_changes_the_fingerprint(tmp_path: Path) -> None:
    folder = ClassFolder(tmp_path)
    for name in (FIRST, SECOND):
        shutil.copytree(REPOSITORY_ROOT / "solutions" / name, folder.solutions / name)
    (tmp_path / SEED).write_text("x\n")
    before = {name: folder.judged_by(name) for name in (FIRST, SECOND)}
    lesson = folder.solutions / FIRST / "lesson.py"
    lesson.write_text(f"{lesson.read_text(encoding='utf-8')}\n# no stand-in changes\n", encoding="utf-8")
    assert folder.judged_by(SECOND) == before[SECOND]
    line = "    d_head = q.shape[-1]\n"
    lesson.write_text(
        lesson.read_text(encoding="utf-8").replace(line, f"    assert q.ndim > 1\n{line}"), encoding="utf-8"
    )
    assert folder.judged_by(SECOND) != before[SECOND]
    assert folder.judged_by(FIRST) != before[FIRST]


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "sparse file", "folder", "loop", "nothing"])
def test_special_files_have_a_fingerprint_and_are_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "notebook.ipynb"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        monkeypatch.chdir(tmp_path)  # its path may have a hundred bytes
        socket.socket(socket.AF_UNIX).bind(path.name)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "sparse file":
        with path.open("wb") as file:
            file.truncate(200 * MAX_BYTES)
    elif kind == "folder":
        path.mkdir()
    elif kind == "loop":
        path.symlink_to(path)
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    folder = ClassFolder(tmp_path)
    assert folder.fingerprint(path, "x") == folder.fingerprint(path, "x")
    assert opened == []
