"""Hostile archives and file names, given to `autograder collect` as an LMS would."""

from __future__ import annotations

import os
import re
import resource
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from autograder.classroom.class_folder import ClassFolder, new_class
from tests.support.toy import TOY, Here

from .conftest import digests

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("little_memory")]

_MOST_MEMORY = 1024 * 2**20  # bytes that collecting may take
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2066]")
_NOTEBOOK = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'


def _members(*names: str) -> Callable[[zipfile.ZipFile], None]:
    def write(archive: zipfile.ZipFile) -> None:
        for name in names:
            archive.writestr(name, _NOTEBOOK)

    return write


def _links(archive: zipfile.ZipFile) -> None:
    for name, target in (("ada.ipynb", "/etc/passwd"), ("bo", "../../.."), ("bo/bo.ipynb", ".judge-seed")):
        member = zipfile.ZipInfo(name)
        member.create_system = 3  # Unix
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, target)


def _bomb(archive: zipfile.ZipFile) -> None:
    with archive.open("ada.ipynb", "w", force_zip64=True) as file:
        for _ in range(1024):
            file.write(bytes(2**20))


def _many_bombs(archive: zipfile.ZipFile) -> None:
    for number in range(40):
        with archive.open(f"student-{number}.ipynb", "w") as file:
            for _ in range(49):
                file.write(bytes(2**20))


def _many_names(archive: zipfile.ZipFile) -> None:
    for number in range(20_000):
        archive.writestr(f"folder-{number}/notes.txt", "")


def _lies_about_its_size(archive: zipfile.ZipFile) -> None:
    archive.writestr("ada.ipynb", bytes(2**20))
    archive.filelist[0].file_size = 10


ARCHIVES: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "absolute": _members("/etc/escaped.ipynb", "//server/escaped.ipynb", "C:\\escaped.ipynb", "/absolute/..ipynb"),
    "dots": _members("../../../escaped.ipynb", "eve/../../.ipynb", "..\\..\\escaped.ipynb", "../.ipynb", "...ipynb"),
    "links": _links,
    "bomb": _bomb,
    "many bombs": _many_bombs,
    "many names": _many_names,
    "false size": _lies_about_its_size,
    "escapes": _members("\x1b[2J\x1b]0;owned\x07ada.ipynb", "bo\r\n9 of 9.ipynb", "\x1b[31mnotes.txt", "\u202ee.ipynb"),
    "markup": _members("<img src=x onerror=alert(1)>.ipynb", "[bold red]eve[/].ipynb", "$(touch x);`id`.ipynb"),
    "own names": _members("nbgrader_config.py", ".judge-seed", "gradebook.db", "submitted/x.ipynb", "-rf.ipynb"),
    "long names": _members("x" * 240 + ".ipynb", "/".join(["deep"] * 2000) + "/y.ipynb", "é" * 200 + ".ipynb"),
    "same names": _members("ada.ipynb", "ada/ada.ipynb", "ADA.ipynb"),
    "empty names": _members(".ipynb", " .ipynb", "_.ipynb", "/.ipynb", ".ipynb_checkpoints/eve.ipynb"),
}


@pytest.fixture
def little_memory() -> Iterator[None]:
    """Limit this process to `_MOST_MEMORY` more than it has."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (psutil.Process().memory_info().data + _MOST_MEMORY, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_DATA, before)


def collected_safely(here: Here, folder: ClassFolder, source: Path, root: Path) -> str:
    """Collect `source`, check that nothing was harmed, and return what was printed."""
    before = digests(root)
    done = here("collect", folder.root, TOY, source)
    assert done.code in (0, 2), done.err[-2000:]  # 2: refused, with a reason
    assert "Traceback" not in done.err
    printed = done.out + done.err.replace("\r", "\n")  # the progress bar goes back to the beginning of its line
    assert _CONTROLS.search(printed) is None, printed[:500]
    after = digests(root)
    assert {path: after.get(path) for path in before} == before
    within = f"{folder.root.relative_to(root)}/"
    assert [path for path in after if path not in before and not path.startswith(within)] == []
    for path in folder.root.rglob("*"):
        assert not path.is_symlink()
        assert _CONTROLS.search(path.name) is None
    for path in (folder.root / "submitted").rglob("*"):
        assert len(path.relative_to(folder.root / "submitted").parts) <= 3  # STUDENT/ASSIGNMENT/FILE
        assert path.is_dir() or path.stat().st_size <= 50 * 2**20 + 1
    return printed


@pytest.fixture(scope="module")
def folder(built_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    return new_class(tmp_path_factory.mktemp("collecting") / "class", built_toy / "solutions")


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_harms_nothing(here: Here, folder: ClassFolder, tmp_path: Path, kind: str) -> None:
    source = tmp_path / "handed-in.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        ARCHIVES[kind](archive)
    collected_safely(here, folder, source, folder.root.parent)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"PK\x05\x06" + b"\xff" * 18])
def test_a_damaged_archive_is_refused_or_empty(here: Here, folder: ClassFolder, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "handed-in.zip"
    source.write_bytes(content)
    collected_safely(here, folder, source, folder.root.parent)


def test_a_folder_of_links_and_pipes_harms_nothing(here: Here, folder: ClassFolder, tmp_path: Path) -> None:
    source = tmp_path / "handed-in"
    (source / "upward").mkdir(parents=True)
    (source / "linked.ipynb").symlink_to(folder.root / ".judge-seed")
    (source / "upward" / "up.ipynb").symlink_to(folder.root / "source" / TOY / f"{TOY}.ipynb")
    (source / "loop").symlink_to(".")
    os.mkfifo(source / "piped.ipynb")
    (source / "\x1b[2Jcy.ipynb").write_text(_NOTEBOOK)
    collected_safely(here, folder, source, folder.root.parent)
    assert not folder.notebook("linked", TOY).exists()
    assert not folder.notebook("upward", TOY).exists()
    assert not folder.notebook("piped", TOY).exists()
