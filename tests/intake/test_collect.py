"""Collecting files from Canvas, Moodle and people: each file has a certain owner, or is listed with a reason."""

from __future__ import annotations

import errno
import functools
import itertools
import os
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.classroom.receipts import read_receipts
from autograder.classroom.roster import read_roster, roster
from autograder.classroom.times import Reading
from autograder.course.notebooks import read_text, set_solution, to_text
from autograder.handed_in_file import MAX_BYTES
from autograder.intake import worth
from autograder.intake.collect import collect
from autograder.intake.source_files import MAX_FILES, handed_in
from autograder.problems import Problem
from autograder.sandbox.bounded import BoundedProcess
from tests.support.lms_files import CANVAS_GRADEBOOK, CANVAS_GROUPS, MOODLE_WORKSHEET, make_zip, write
from tests.support.toy import TOY


@pytest.fixture(scope="module")
def made_once(built_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_class(tmp_path_factory.mktemp("made") / "class", built_toy / "solutions").root


@pytest.fixture
def toy_class(made_once: Path, tmp_path: Path) -> ClassFolder:
    """A fresh class, copied: making one takes seconds."""
    return ClassFolder(shutil.copytree(made_once, tmp_path / "class"))


def submitted(folder: ClassFolder) -> dict[str, str]:
    return {student: folder.notebook(student, TOY).read_text() for student in folder.students(TOY)}


@pytest.mark.slow
def test_a_folder_and_a_zip_of_notebooks_are_taken_in(toy_class: ClassFolder, tmp_path: Path) -> None:
    source = tmp_path / "files"
    for name in ("ada.ipynb", f"bo_{TOY}.ipynb", f"{TOY}-cy.ipynb", "grace/homework.ipynb", f"emmy/{TOY}/{TOY}.ipynb"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    (source / "notes.txt").write_text("4")
    done = collect(toy_class, TOY, source)
    assert done.taken == ["ada", "bo", "cy", "emmy", "grace"]
    assert [(file.name, file.reason) for file in done.skipped] == [("notes.txt", "it is not a notebook")]
    assert submitted(toy_class)["grace"] == "grace/homework.ipynb"

    with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
        for path in source.rglob("*.ipynb"):
            archive.write(path, path.relative_to(source))
    assert collect(toy_class, TOY, tmp_path / "files.zip").same == done.taken


def test_what_is_there_stays_unless_told(toy_class: ClassFolder, tmp_path: Path) -> None:
    source = tmp_path / "files"
    source.mkdir()
    (source / "ada.ipynb").write_text("1")
    collect(toy_class, TOY, source)
    (source / "ada.ipynb").write_text("changed")
    assert collect(toy_class, TOY, source).not_replaced == ["ada"]
    assert submitted(toy_class) == {"ada": "1"}
    assert collect(toy_class, TOY, source, update=True).taken == ["ada"]
    assert submitted(toy_class) == {"ada": "changed"}


@pytest.mark.slow
def test_canvas_zip_names_the_learner_the_lateness_and_the_newest_file(toy_class: ClassFolder, tmp_path: Path) -> None:
    zipped = make_zip(
        tmp_path / "submissions.zip",
        {
            "lovelaceada_1234_9001_00_rows.ipynb": "old",
            "lovelaceada_1234_9003_00_rows-1.ipynb": "new",
            "lovelaceada_1234_9004_scratch.ipynb": "not named after the chapter",
            "obriengarcíajosémaría_LATE_1235_9002_my homework (2).ipynb": "late",
            "noetheremmy_1237_9005_answers.pdf": "%PDF",
            "hopper_1240_text.html": "<p>typed into Canvas",
            "anon_aB3xY_9006_00_rows.ipynb": "whose?",
            "__MACOSX/._lovelaceada_1234_9001_00_rows.ipynb": "litter",
        },
    )
    done = collect(toy_class, TOY, zipped)
    assert done.taken == ["lovelaceada", "obriengarcíajosémaría"]
    assert done.late == ["obriengarcíajosémaría"]
    assert done.no_notebook == ["hopper", "noetheremmy"]
    assert toy_class.notebook("lovelaceada", TOY).read_text() == "new"
    assert {file.name for file in done.set_aside} == {
        "lovelaceada_1234_9001_00_rows.ipynb",
        "lovelaceada_1234_9004_scratch.ipynb",
    }
    [unknown] = done.unknown
    assert unknown.name.startswith("anon_")
    assert "anonymous" in unknown.reason
    assert (toy_class.submission("noetheremmy", TOY) / "answers.pdf").read_text() == "%PDF"
    assert {person.student: person.canvas_id for person in roster(toy_class)}["lovelaceada"] == "1234"
    assert read_receipts(toy_class, TOY)["lovelaceada"].file == "lovelaceada_1234_9003_00_rows-1.ipynb"


def test_an_older_canvas_download_does_not_replace_a_newer_one(toy_class: ClassFolder, tmp_path: Path) -> None:
    new = make_zip(tmp_path / "new.zip", {"lovelaceada_1234_9003_00_rows-1.ipynb": "new"})
    old = make_zip(tmp_path / "old.zip", {"lovelaceada_1234_9001_00_rows.ipynb": "old"})
    collect(toy_class, TOY, new)
    assert collect(toy_class, TOY, old, update=True).not_replaced == ["lovelaceada"]
    assert submitted(toy_class) == {"lovelaceada": "new"}


def test_two_canvas_users_of_one_name_are_two_learners(toy_class: ClassFolder, tmp_path: Path) -> None:
    names = ("smithjohn_1_10_00_rows.ipynb", "smithjohn_2_11_00_rows.ipynb")
    done = collect(toy_class, TOY, make_zip(tmp_path / "a.zip", {name: name for name in names}))
    assert done.taken == ["smithjohn", "smithjohn-2"]
    again = collect(toy_class, TOY, make_zip(tmp_path / "b.zip", {names[1]: names[1]}))
    assert again.same == ["smithjohn-2"]


def test_the_canvas_gradebook_is_a_roster_and_strangers_are_listed(toy_class: ClassFolder, tmp_path: Path) -> None:
    listed = write(tmp_path / "gradebook.csv", CANVAS_GRADEBOOK)
    zipped = make_zip(
        tmp_path / "s.zip",
        {"lovelaceada_1234_1_00_rows.ipynb": "a", "strangea_777_2_00_rows.ipynb": "b", "eve_LATE_1236_3_x.ipynb": "e"},
    )
    done = collect(toy_class, TOY, zipped, roster_file=listed)
    assert done.taken == ["alovelace", "eve"]
    [stranger] = done.unknown
    assert stranger.name == "strangea_777_2_00_rows.ipynb"
    assert "777" in stranger.reason
    assert done.missing == ["enoether", "ghopper", "jobrien"]
    people = {person.student: person for person in roster(toy_class)}
    assert len(people) == 5  # neither "Points Possible" nor Canvas's test student
    assert (people["jobrien"].first_name, people["jobrien"].last_name) == ("José María", "O'Brien García")
    assert people["eve"].last_name == "=cmd|calc!A1"
    assert "'=cmd" in (toy_class.root / "roster.csv").read_text(encoding="utf-8-sig")
    with Gradebook(toy_class.gradebook_url) as gradebook:
        jose = gradebook.find_student("jobrien")
        assert (jose.first_name, jose.last_name, jose.lms_user_id) == ("José María", "O'Brien García", "1235")

    later = collect(toy_class, TOY, zipped)  # the roster is remembered
    assert (later.same, len(later.unknown)) == (["alovelace", "eve"], 1)


def test_a_canvas_group_file_is_each_members_and_its_number_is_not_a_user(
    toy_class: ClassFolder, tmp_path: Path
) -> None:
    groups = write(tmp_path / "groups.csv", CANVAS_GROUPS)
    zipped = make_zip(
        tmp_path / "s.zip", {"lab3_1235_50_00_rows.ipynb": "three", "lab_4_LATE_1237_51_00_rows.ipynb": "four"}
    )
    done = collect(toy_class, TOY, zipped, roster_file=groups)
    assert submitted(toy_class) == {"alovelace": "three", "jobrien": "three", "enoether": "four"}
    assert (done.late, done.unknown) == (["enoether"], [])


def test_a_roster_without_numbers_matches_whole_names_only(toy_class: ClassFolder, tmp_path: Path) -> None:
    listed = write(
        tmp_path / "roster.csv",
        "student_id;First name;Surname\r\ns1;Ada;Lovelace\r\ns2;Jose\u0301 Mari\u0301a;O'Brien Garci\u0301a\r\n",
    )
    zipped = make_zip(
        tmp_path / "s.zip",
        {
            "lovelaceada_1_1_00_rows.ipynb": "a",
            unicodedata.normalize("NFD", "obriengarcíajosémaría_2_2_00_rows.ipynb"): "j",
            "lovelace_3_3_00_rows.ipynb": "no first name: not certain",
        },
    )
    done = collect(toy_class, TOY, zipped, roster_file=listed)
    assert done.taken == ["s1", "s2"]
    assert [file.name for file in done.unknown] == ["lovelace_3_3_00_rows.ipynb"]
    assert {person.student: person.canvas_id for person in roster(toy_class)} == {"s1": "1", "s2": "2"}


def test_a_later_roster_keeps_the_student_ids_of_graded_learners(toy_class: ClassFolder, tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "s.zip", {"lovelaceada_1234_1_00_rows.ipynb": "a"})
    collect(toy_class, TOY, zipped)
    done = collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "g.csv", CANVAS_GRADEBOOK))
    assert done.same == ["lovelaceada"]
    ada = next(person for person in roster(toy_class) if person.student == "lovelaceada")
    assert (ada.login, ada.last_name, ada.listed) == ("alovelace", "Lovelace", True)


@pytest.mark.parametrize(
    "member",
    [
        "{who}_assignsubmission_file_/{file}",  # before Moodle 4.1
        "{who}_assignsubmission_file/{file}",
        "{who}_assignsubmission_file/folder of mine/{file}",
        "{who}_assignsubmission_file_{file}",  # "download in folders" switched off
        "course-assignment-12/{who}_assignsubmission_file_/{file}",  # unzipped and zipped again
    ],
)
def test_moodle_zips_of_every_layout(toy_class: ClassFolder, tmp_path: Path, member: str) -> None:
    files = {"Ada Lovelace_401": "a", "José OBrien García_404": "j"}
    zipped = make_zip(
        tmp_path / "m.zip", {member.format(who=who, file="00_rows.ipynb"): text for who, text in files.items()}
    )
    done = collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "w.csv", MOODLE_WORKSHEET))
    assert submitted(toy_class) == {"S001": "a", "S004": "j"}
    assert done.missing == ["S002", "S003"]


def test_moodle_namesakes_are_distinguished_by_the_worksheet_and_never_guessed(
    toy_class: ClassFolder, tmp_path: Path
) -> None:
    zipped = make_zip(
        tmp_path / "m.zip",
        {f"Anna Müller_{number}_assignsubmission_file_/00_rows.ipynb": number for number in ("402", "403")},
    )
    by_name = "Full name,ID number\nAnna Müller,S002\nAnna Müller,S003\n"
    done = collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "names.csv", by_name))
    assert done.taken == []
    assert all("S002, S003" in file.reason and "worksheet" in file.reason for file in done.unknown)
    collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "w.csv", MOODLE_WORKSHEET))
    assert submitted(toy_class) == {"S002": "402", "S003": "403"}


def test_moodle_groups_of_both_kinds(toy_class: ClassFolder, tmp_path: Path) -> None:
    listed = write(
        tmp_path / "r.csv", "student_id,name,group\nada,Ada Lovelace,Group A\nbo,Bo Ek,Group A\ncy,Cy Doe,Team-B\n"
    )
    old = make_zip(
        tmp_path / "old.zip",
        {
            "Group A-Ada Lovelace_401_assignsubmission_file_/x.ipynb": "a",
            "Group A-Bo Ek_402_assignsubmission_file_/x.ipynb": "a",
        },
    )
    assert collect(toy_class, TOY, old, roster_file=listed).taken == ["ada", "bo"]
    new = make_zip(
        tmp_path / "new.zip",
        {"Group A_17_assignsubmission_file/x.ipynb": "a", "Team-B_18_assignsubmission_file/x.ipynb": "c"},
    )
    done = collect(toy_class, TOY, new)
    assert (done.same, done.taken, done.unknown) == (["ada", "bo"], ["cy"], [])


def test_a_groups_number_is_not_taken_for_a_participants(toy_class: ClassFolder, tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "m.zip", {"Group A_401_assignsubmission_file/00_rows.ipynb": "a group's"})
    done = collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "w.csv", MOODLE_WORKSHEET))
    assert (done.taken, len(done.unknown)) == ([], 1)
    blind = make_zip(tmp_path / "b.zip", {"Participant_401_assignsubmission_file/00_rows.ipynb": "Ada's"})
    done = collect(toy_class, TOY, blind, roster_file=tmp_path / "w.csv")
    assert done.taken == ["S001"]


def test_times_are_kept_where_nbgraders_late_penalties_look(toy_class: ClassFolder, tmp_path: Path) -> None:
    zipped = make_zip(tmp_path / "m.zip", {"Ada Lovelace_401_assignsubmission_file_/00_rows.ipynb": "a"})
    worksheet = MOODLE_WORKSHEET.replace("2026, 11:05 PM", "2026, 11:05 PM +0100")
    collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "w.csv", worksheet))
    assert (toy_class.submission("S001", TOY) / "timestamp.txt").read_text() == "2026-11-13 22:05:00 UTC\n"

    source = tmp_path / "exchange" / "S002" / TOY
    source.mkdir(parents=True)
    (source / f"{TOY}.ipynb").write_text("b")
    (source / "timestamp.txt").write_text("2026-11-14 08:00:00.123 UTC")
    assert collect(toy_class, TOY, tmp_path / "exchange").times_from_files == ["S002"]
    assert (toy_class.submission("S002", TOY) / "timestamp.txt").read_text() == "2026-11-14 08:00:00 UTC\n"
    (source / "timestamp.txt").write_text("yesterday-ish")
    [(why, who)] = collect(toy_class, TOY, tmp_path / "exchange").times.items()
    assert ("English" in why, who) == (True, ["S002 (yesterday-ish)"])


def test_two_equal_candidates_are_not_collected_and_other_files_are(toy_class: ClassFolder, tmp_path: Path) -> None:
    for name, text in {"ada.ipynb": "1", "ada/homework.ipynb": "2", "bo.ipynb": "3", "bo/b.ipynb": "3"}.items():
        (tmp_path / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "files" / name).write_text(text)
    done = collect(toy_class, TOY, tmp_path / "files")
    assert submitted(toy_class) == {"bo": "3"}
    [unclear] = done.unclear
    assert "ada submitted 2 notebooks (ada.ipynb, ada/homework.ipynb)" in unclear.reason
    assert "ada.ipynb, and collect that folder" in unclear.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["00_rows (2).ipynb", "00_rows-1.ipynb", "00_rows-1.ipynb.txt", "00_rows (1).IPYNB"])
def test_what_browsers_do_to_a_name_is_seen_through(toy_class: ClassFolder, tmp_path: Path, name: str) -> None:
    zipped = make_zip(tmp_path / "s.zip", {"a_1_1_00_rows.ipynb": "old", f"a_1_2_{name}": "new"})
    collect(toy_class, TOY, zipped)
    assert submitted(toy_class) == {"a": "new"}
    plain = make_zip(tmp_path / "p.zip", {"bo/00_rows.ipynb": "old", f"bo/{name}": "new"})
    collect(toy_class, TOY, plain)
    assert submitted(toy_class)["bo"] == "new"


def test_a_hostile_archive_writes_nothing_outside_and_each_member_is_listed(
    toy_class: ClassFolder, tmp_path: Path
) -> None:
    link = zipfile.ZipInfo("eve/link.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    before = sorted(path for path in tmp_path.rglob("*") if toy_class.root not in path.parents)
    with zipfile.ZipFile(tmp_path / "hostile.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../../escaped.ipynb", "x")
        archive.writestr("/absolute/evil.ipynb", "x")
        archive.writestr("C:\\windows\\evil.ipynb", "x")
        archive.writestr("eve/../../up.ipynb", "x")
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.ipynb", b"0" * 20 * 2**20)
        archive.writestr("inner.zip", b"PK\x03\x04")
        archive.writestr("....ipynb", "x")
        archive.writestr("good.ipynb", "good")
    done = collect(toy_class, TOY, tmp_path / "hostile.zip")
    after = sorted(path for path in tmp_path.rglob("*") if toy_class.root not in path.parents)
    assert after == sorted([*before, tmp_path / "hostile.zip"])
    assert submitted(toy_class) == {"good": "good"}
    reasons = {file.name: file.reason for file in [*done.skipped, *done.unknown]}
    assert len(reasons) == 8
    assert "zip bomb" in reasons["bomb.ipynb"]
    assert "link" in reasons["eve/link.ipynb"]
    assert "out of the archive" in reasons["../../../escaped.ipynb"]


def test_large_encrypted_and_damaged_members_are_skipped_with_reasons(toy_class: ClassFolder, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "s.zip", {"ada.ipynb": "a" * 1000, "bo.ipynb": "b" * 1000, "cy.ipynb": "c"})
    data = bytearray(path.read_bytes())
    for name, change in (("ada.ipynb", "encrypt"), ("bo.ipynb", "damage")):
        place = data.rindex(name.encode())  # its entry in the directory, 46 bytes long
        if change == "encrypt":
            data[place - 46 + 8] |= 1
        else:
            data[place - 46 + 16] ^= 255  # the checksum
    path.write_bytes(data)
    done = collect(toy_class, TOY, path)
    assert submitted(toy_class) == {"cy": "c"}
    reasons = {file.name: file.reason for file in done.skipped}
    assert "encrypted" in reasons["ada.ipynb"]
    assert "damaged" in reasons["bo.ipynb"]
    assert not list(toy_class.root.glob("submitted/bo/*/*"))

    source = tmp_path / "files"
    source.mkdir()
    with (source / "dora.ipynb").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "50 MB" in collect(toy_class, TOY, source).skipped[0].reason


def _entry(data: bytearray, name: bytes, after: int, value: bytes, everywhere: bool = False) -> None:
    """Change a member's entry in the directory, `after` bytes from its start; with `everywhere` its header too."""
    place = data.rindex(name) - 46
    data[place + after : place + after + len(value)] = value
    if everywhere:
        place = data.index(name) - 30
        data[place + after - 2 : place + after - 2 + len(value)] = value


BAD_MEMBERS: dict[str, Callable[[bytearray], object]] = {
    "a name that is not UTF-8, as it says": lambda data: (
        _entry(data, b"bad.ipynb", 8, b"\x00\x08", everywhere=True),
        _entry(data, b"bad.ipynb", 46, b"\xff\xfe"),
    ),
    "a name that its own header writes otherwise": lambda data: _entry(data, b"bad.ipynb", 46, b"bod"),
    "a name in its header that is not UTF-8, as it says": lambda data: (
        _entry(data, b"bad.ipynb", 8, b"\x00\x08"),
        data.__setitem__(slice(data.index(b"bad.ipynb") - 24, data.index(b"bad.ipynb") - 22), b"\x00\x08"),
        data.__setitem__(data.index(b"bad.ipynb"), 0xFF),
    ),
    "no name": lambda data: _entry(data, b"bad.ipynb", 46, bytes(9)),
    "encrypted": lambda data: _entry(data, b"bad.ipynb", 8, b"\x01"),
    "strongly encrypted": lambda data: _entry(data, b"bad.ipynb", 8, b"\x40"),
    "a patch": lambda data: _entry(data, b"bad.ipynb", 8, b"\x20", everywhere=True),
    "a newer version": lambda data: _entry(data, b"bad.ipynb", 6, b"\x7f"),
    "another compression": lambda data: _entry(data, b"bad.ipynb", 10, b"\x5d", everywhere=True),
    "another checksum": lambda data: _entry(data, b"bad.ipynb", 16, b"\0\0\0\0"),
    "another place": lambda data: _entry(data, b"bad.ipynb", 42, b"\xff\xff\xff\x7f"),
    "a size that its extra fields should say": lambda data: _entry(data, b"bad.ipynb", 24, b"\xff" * 4),
    "extra fields that are longer than they can be": lambda data: _entry(data, b"bad.ipynb", 46 + 9, b"\x0a\0\xff\xff"),
    "an absolute path": lambda data: _entry(data, b"bad.ipynb", 46, b"/"),
}


@pytest.mark.parametrize("kind", BAD_MEMBERS)
def test_one_bad_archive_member_affects_no_other_and_is_reported(
    kind: str, toy_class: ClassFolder, tmp_path: Path
) -> None:
    path, bad = tmp_path / "s.zip", zipfile.ZipInfo("bad.ipynb")
    bad.extra, bad.compress_type = b"\x0a\0\x04\0abcd", zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada.ipynb", "ada")
        archive.writestr(bad, "bad" * 50)
        archive.writestr("çy.ipynb", "cy")
    data = bytearray(path.read_bytes())
    BAD_MEMBERS[kind](data)
    path.write_bytes(data)
    done = collect(toy_class, TOY, path)
    there = submitted(toy_class)
    assert {there.pop("ada"), there.pop("çy")} == {"ada", "cy"}
    told = [file.reason for file in [*done.skipped, *done.unknown]]
    assert set(there.values()) <= {"bad" * 50}
    assert sorted(done.taken) == submitted_students(toy_class)
    assert len(told) + len(there) == 1, told


def submitted_students(folder: ClassFolder) -> list[str]:
    return sorted(submitted(folder))


def test_two_members_of_one_name_are_asked_about(toy_class: ClassFolder, tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with pytest.warns(UserWarning, match="Duplicate"):
        make_zip(path, [("ada.ipynb", "one"), ("ada.ipynb", "two"), ("bo.ipynb", "b"), ("bo.ipynb", "b")])
    done = collect(toy_class, TOY, path)
    assert submitted(toy_class) == {"bo": "b"}
    assert "put the one to grade into a folder" in done.unclear[0].reason


def test_a_damaged_time_costs_no_notebook_and_is_reported(toy_class: ClassFolder, tmp_path: Path) -> None:
    folder = f"ada+{TOY}+2026-11-01 10:00:00 UTC"
    path = make_zip(
        tmp_path / "s.zip", {f"{folder}/{TOY}.ipynb": "a", f"{folder}/timestamp.txt": "2026-11-01 10:00:00 UTC"}
    )
    data = bytearray(path.read_bytes())
    _entry(data, f"{folder}/timestamp.txt".encode(), 16, b"\0\0\0\0")
    path.write_bytes(data)
    done = collect(toy_class, TOY, path)
    assert (done.taken, done.skipped) == (["ada"], [])
    [(why, whose)] = done.times.items()
    assert "damaged" in why
    assert whose == [f"ada ({folder}/timestamp.txt)"]


def test_of_several_files_and_no_notebook_a_damaged_one_costs_no_other(toy_class: ClassFolder, tmp_path: Path) -> None:
    path = make_zip(tmp_path / "s.zip", {"bo_2_11_one.txt": "1" * 99, "bo_2_12_two.txt": "2" * 99})
    data = bytearray(path.read_bytes())
    _entry(data, b"bo_2_11_one.txt", 16, b"\0\0\0\0")
    path.write_bytes(data)
    done = collect(toy_class, TOY, path)
    assert (done.no_notebook, [file.name for file in done.skipped]) == (["bo"], ["bo_2_11_one.txt"])
    assert [path.name for path in toy_class.submission("bo", TOY).iterdir()] == ["two.txt"]


def test_what_cannot_be_read_in_a_folder_is_named_and_the_rest_collected(
    toy_class: ClassFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if its owner had removed the permission, which would not stop root, as whom tests may run."""
    source = tmp_path / "files"
    for name in ("ada/ada.ipynb", "bo/bo.ipynb", "closed/cy.ipynb"):
        (source / name).parent.mkdir(parents=True)
        (source / name).write_text(name)
    scan, open_ = os.scandir, Path.open

    def refuse(path: Any) -> PermissionError:
        return PermissionError(errno.EACCES, "Permission denied", os.fspath(path))

    def scandir(path: Any) -> Any:
        if Path(path).name == "closed":
            raise refuse(path)
        return scan(path)

    def opened(path: Path, *arguments: Any, **named: Any) -> Any:
        if path.name == "bo.ipynb":
            raise refuse(path)
        return open_(path, *arguments, **named)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "open", opened)
    done = collect(toy_class, TOY, source)
    monkeypatch.undo()
    assert submitted(toy_class) == {"ada": "ada/ada.ipynb"}
    assert {file.name: file.reason for file in done.skipped} == {
        "bo/bo.ipynb": "it cannot be read (Permission denied)",
        "closed": "the files in this folder are not collected: it cannot be read (Permission denied)",
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "submitters",
    ["5", "[{:name: *f}]", "&s [*f, *f]", "[[[", "{5: *f}"],
)
def test_what_a_learner_writes_as_another_lms_does_stops_nothing(
    submitters: str, toy_class: ClassFolder, tmp_path: Path
) -> None:
    laughs = "a: &a [" + ", ".join("x" * 10) + "]\n"
    laughs += "".join(f"{b}: &{b} [{', '.join(['*' + a] * 10)}]\n" for a, b in itertools.pairwise("abcdef"))
    folder = "Ada Lovelace_401_assignsubmission_file_"
    files = {
        f"{folder}/00_rows.ipynb": "a",
        f"{folder}/submission_metadata.yml": f"{laughs}x:\n  :submitters: {submitters}",
    }
    done = collect(
        toy_class, TOY, make_zip(tmp_path / "m.zip", files), roster_file=write(tmp_path / "w.csv", MOODLE_WORKSHEET)
    )
    assert done.taken == ["S001"]
    assert [file.name for file in [*done.set_aside, *done.skipped]] == [f"{folder}/submission_metadata.yml"]


def test_links_in_a_folder_are_not_followed(toy_class: ClassFolder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "grades.ipynb").write_text("secret")
    source = tmp_path / "files"
    source.mkdir()
    (source / "ada.ipynb").symlink_to(secret / "grades.ipynb")
    (source / "bo").symlink_to(secret, target_is_directory=True)
    done = collect(toy_class, TOY, source)
    assert done.taken == []
    assert {file.name for file in done.skipped} == {"ada.ipynb", "bo"}


@pytest.mark.slow
def test_an_archive_of_too_many_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "")
        archive.filelist *= MAX_FILES + 1  # only its directory is that long
    with pytest.raises(Problem, match="more than 100,000"), handed_in(path):
        pass


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "has no column that identifies people; its header is: a, b"),
        ("name\n", "contains no people"),
        ("student_id,name\ns1,Ada\nS/1,Bo\ns1,Cy\n", "'s1' would be the student id of two people"),
        ("student_id\n...\n", "cannot be used as a folder's name"),
        ("PK\x03\x04", "save it as CSV"),
    ],
)
def test_a_roster_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(Problem, match=says):
        read_roster(write(tmp_path / "r.csv", text))


def test_a_roster_from_a_windows_spreadsheet_is_read(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes("Username;Surname;First name\r\njm;Müller;Jörg\r\n".encode("cp1252"))
    [person] = read_roster(tmp_path / "r.csv")
    assert (person.student, person.name, person.login) == ("jm", "Jörg Müller", "jm")
    (tmp_path / "r.csv").write_bytes("Username\tSurname\tFirst name\r\njm\tMüller\tJörg\r\n".encode("utf-16"))
    assert read_roster(tmp_path / "r.csv") == [person]


def test_a_name_that_is_not_utf8_gets_its_owner_from_the_roster(toy_class: ClassFolder, tmp_path: Path) -> None:
    source = tmp_path / "files"
    for name in ("José".encode("cp1252"), b"bo", b"\xff\xfe"):
        folder = Path(os.fsdecode(os.fsencode(source) + b"/" + name))
        folder.mkdir(parents=True)
        (folder / "x.ipynb").write_text("x")
    done = collect(toy_class, TOY, source, roster_file=write(tmp_path / "r.csv", "student_id,name\ns1,José\nbo,Bo\n"))
    assert done.taken == ["bo", "s1"]
    assert len(done.unknown) == 1
    for text in (file.name + file.reason for file in done.unknown):
        text.encode()


def test_a_folder_whose_name_is_not_utf8_is_reported_and_is_not_a_student(tmp_path: Path) -> None:
    folder = ClassFolder(tmp_path)
    for name in (b"ada", b"caf\xe9"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/submitted/" + name + b"/x")).mkdir(parents=True)
    assert (folder.students("x"), folder.misnamed("x")) == (["ada"], ["caf\\xe9"])


def test_what_goes_wrong_in_reading_files_is_not_said_of_the_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "s.zip", {"ada.ipynb": "a"})
    with pytest.raises(UnicodeError, match="another's"), handed_in(path):
        raise UnicodeError("another's")


def test_of_an_exchanges_tries_the_last_counts_with_its_time(toy_class: ClassFolder, tmp_path: Path) -> None:
    for time in ("2026-11-12 20:00:00.100000 UTC", "2026-11-13 21:00:00.200000 UTC"):
        folder = tmp_path / "inbound" / f"ada+{TOY}+{time}+8Fj2kQ0aVxw"
        folder.mkdir(parents=True)
        (folder / f"{TOY}.ipynb").write_text(time)
        (folder / "timestamp.txt").write_text(time)
    done = collect(toy_class, TOY, tmp_path / "inbound")
    assert (done.taken, len(done.set_aside)) == (["ada"], 1)
    assert submitted(toy_class) == {"ada": "2026-11-13 21:00:00.200000 UTC"}
    assert (toy_class.submission("ada", TOY) / "timestamp.txt").read_text() == "2026-11-13 21:00:00 UTC\n"


def test_a_flat_folders_second_file_does_not_replace_the_first(toy_class: ClassFolder, tmp_path: Path) -> None:
    names = ("ada.ipynb", f"ada_{TOY}.ipynb", "ada (1).ipynb", "bo.ipynb")
    done = collect(toy_class, TOY, make_zip(tmp_path / "s.zip", {name: name for name in names}))
    assert (done.taken, len(done.unclear)) == (["bo"], 1)


def test_an_uploaded_time_does_not_count_and_one_of_two_ways_is_asked_about(
    toy_class: ClassFolder, tmp_path: Path
) -> None:
    zipped = make_zip(
        tmp_path / "m.zip",
        {
            "Ada Lovelace_401_assignsubmission_file_/00_rows.ipynb": "a",
            "Ada Lovelace_401_assignsubmission_file_/timestamp.txt": "2020-01-01 00:00:00 UTC",
        },
    )
    done = collect(toy_class, TOY, zipped, roster_file=write(tmp_path / "w.csv", MOODLE_WORKSHEET))
    assert "is not used" in done.skipped[0].reason
    assert list(done.times.values()) == [["S001 (Friday, 13 November 2026, 11:05 PM)"]]
    time = toy_class.submission("S001", TOY) / "timestamp.txt"
    assert not time.exists()
    collect(toy_class, TOY, zipped, roster_file=tmp_path / "w.csv", reading=Reading(zone="Europe/Berlin"))
    assert time.read_text() == "2026-11-13 22:05:00 UTC\n"
    collect(toy_class, TOY, zipped, roster_file=tmp_path / "w.csv")  # it is remembered
    assert time.exists()


def test_a_time_that_changes_has_the_submission_graded_again(tmp_path: Path) -> None:
    folder, file = ClassFolder(tmp_path), tmp_path / "x.ipynb"
    file.write_text("x")
    before = folder.fingerprint(file, "judge")
    (tmp_path / "timestamp.txt").write_text("2026-11-13 22:05:00 UTC\n")
    late = folder.fingerprint(file, "judge")
    assert before.partition("-")[0] == late.partition("-")[0]
    assert before != late


def notebook_of(folder: ClassFolder, written: str = "") -> str:
    """Return the toy chapter's release, with `written` as one of its solutions."""
    notebook = read_text(folder.root / "release" / TOY / f"{TOY}.ipynb")
    if written:
        set_solution(notebook, "scale_rows", written)
    return to_text(notebook)


WORK = "def scale_rows(x, factors):\n    return x * factors[:, None]"


@pytest.mark.slow
@pytest.mark.parametrize("work", [WORK, "def scale_rows(x, factors)\n    return x * factors"], ids=["right", "a slip"])
def test_an_untouched_release_never_beats_a_notebook_with_work_in_it(
    work: str, toy_class: ClassFolder, tmp_path: Path
) -> None:
    files = {
        f"ada_1_10_{TOY}.ipynb": notebook_of(toy_class),
        f"ada_1_9_Copy_of_{TOY}.ipynb": notebook_of(toy_class, work),
        f"bo_2_11_{TOY}.ipynb": notebook_of(toy_class, work),  # the newer of two with work
        f"bo_2_8_{TOY}-1.ipynb": notebook_of(toy_class, WORK.replace("*", "+")),
        f"cy_3_12_{TOY}.ipynb": notebook_of(toy_class),
        "cy_3_13_other.ipynb": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}',
        f"di_4_14_Copia_de_{TOY}.ipynb": notebook_of(toy_class),
    }
    done = collect(toy_class, TOY, make_zip(tmp_path / "s.zip", files))
    assert submitted(toy_class) == {
        "ada": files[f"ada_1_9_Copy_of_{TOY}.ipynb"],
        "bo": files[f"bo_2_11_{TOY}.ipynb"],
        "cy": files[f"cy_3_12_{TOY}.ipynb"],
        "di": files[f"di_4_14_Copia_de_{TOY}.ipynb"],
    }
    told = {file.name: file.reason for file in done.set_aside}
    assert told[f"ada_1_10_{TOY}.ipynb"] == f"ada's ada_1_9_Copy_of_{TOY}.ipynb was chosen: it contains more work"
    assert told[f"bo_2_8_{TOY}-1.ipynb"] == f"bo's bo_2_11_{TOY}.ipynb was chosen"


@pytest.mark.slow
def test_a_notebook_that_takes_too_long_to_read_is_reported_and_the_others_are_collected(
    toy_class: ClassFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worth, "BoundedProcess", functools.partial(BoundedProcess, seconds=3))
    lines = "".join(f"x = {number % 7919}\n" for number in range(5000))
    slow = new_notebook(cells=[new_code_cell(f"y = {number}\n{lines}", id=f"c{number}") for number in range(100)])
    files = {
        f"ada_1_10_{TOY}.ipynb": to_text(slow),
        "ada_1_9_old.ipynb": notebook_of(toy_class, WORK),
        f"bo_2_11_{TOY}.ipynb": notebook_of(toy_class),
        f"bo_2_12_Copy_of_{TOY}.ipynb": notebook_of(toy_class, WORK),
    }
    done = collect(toy_class, TOY, make_zip(tmp_path / "s.zip", files))
    assert done.taken == ["ada", "bo"]
    assert submitted(toy_class)["bo"] == files[f"bo_2_12_Copy_of_{TOY}.ipynb"]
    assert [(file.name, file.reason) for file in done.to_check] == [
        (f"ada_1_10_{TOY}.ipynb", "reading it took more than 3 s, so it may contain no work")
    ]


def test_a_file_beside_the_notebook_is_listed(toy_class: ClassFolder, tmp_path: Path) -> None:
    files = {f"ada_1_10_{TOY}.ipynb": "a", "ada_1_11_my_rows.py": "x = 1", "ada_1_12_notes.pdf": "n"}
    done = collect(toy_class, TOY, make_zip(tmp_path / "s.zip", files))
    assert submitted(toy_class) == {"ada": "a"}
    taken = f"only ada's ada_1_10_{TOY}.ipynb is graded"
    assert [(file.name, file.reason) for file in done.set_aside] == [
        ("ada_1_11_my_rows.py", f"{taken}; if that imports this file, put its code into the notebook"),
        ("ada_1_12_notes.pdf", taken),
    ]
