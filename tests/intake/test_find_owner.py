"""A file's owner is certain, or the file is listed with what to do. The names are as LMSs and people really write
them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from autograder.classroom.person import Person
from autograder.classroom.receipts import Receipt
from autograder.classroom.roster import read_roster
from autograder.intake.by_owner import by_owner
from autograder.intake.collected import Collected
from autograder.intake.name_bytes import readings
from autograder.intake.read_names import read_names
from autograder.intake.source_files import HandedIn
from tests.support.lms_files import write

WEEK = "01_week"
ADA, BO = Person("ada", name="Ada Lovelace"), Person("bo", name="Bo Ek")


@dataclass
class Sorted:
    """Files by owner, and the reasons for files without one."""

    owned: dict[str, list[str]]
    reasons: dict[str, str]
    told: list[str]
    people: dict[str, Person] = field(default_factory=dict)


def sort(
    names: Iterable[str | bytes | tuple[str, str]],
    people: Iterable[Person] = (),
    receipts: Mapping[str, Receipt] | None = None,
) -> Sorted:
    """Sort files of these names by owner. A name may be bytes, or come with the file's content."""
    files = []
    for name in names:
        name, content = name if isinstance(name, tuple) else (name, "")
        read = readings(name if isinstance(name, bytes) else name.encode())
        data = content.encode()
        files.append(HandedIn(read[0], len(data), lambda d=data: contextlib.closing(io.BytesIO(d)), read[1:]))
    known, collected = {person.student: person for person in people}, Collected()
    owned = by_owner(read_names(files, WEEK, list(known.values())), known, receipts or {}, collected)
    files_of = {student: [named.file.name for named in found] for student, found in owned.items()}
    listed = [*collected.unknown, *collected.skipped]
    return Sorted(
        files_of, {file.name: file.reason for file in listed}, [one.name for one in collected.to_check], known
    )


def moodle(who: str, name: str = f"{WEEK}.ipynb") -> str:
    return f"{who}_assignsubmission_file/{name}"


# Names that are a part of others


@pytest.mark.parametrize("name", ["Anna-Maria Schmidt", "Jean-Maria Schmidt", "X-Y-Maria Schmidt"])
def test_text_before_a_hyphen_is_part_of_the_name(name: str) -> None:
    found = sort([moodle(f"{name}_402"), moodle("Ada Lovelace_401")], [Person("maria", name="Maria Schmidt"), ADA])
    assert list(found.owned) == ["ada"]
    assert "is not on the roster" in found.reasons[moodle(f"{name}_402")]


def test_a_learners_group_may_come_before_a_hyphen() -> None:
    people = [Person("maria", name="Maria Schmidt", group="Lab 3, Team-B"), Person("ada", name="Ada", group="Lab 4")]
    found = sort([moodle("Lab 3-Maria Schmidt_402"), moodle("Lab 3-Ada_401")], people)
    assert list(found.owned) == ["maria"]
    assert list(sort([moodle("Team-B-Maria Schmidt_1"), moodle("Lab 4-Ada_401")], people).owned) == ["maria", "ada"]


@pytest.mark.parametrize(
    ("roster_name", "file_name"),
    [
        ("O'Brien, Conán", "Conán O'Brien"),
        ("García Márquez, José María", "José María García Márquez"),
        ("Nguyễn, Văn An", "Văn An Nguyễn"),
        ("van der Berg, Jan", "Jan van der Berg"),
        ("李, 明", "明 李"),
    ],
)
def test_names_of_every_kind_are_compared_whole(tmp_path: Path, roster_name: str, file_name: str) -> None:
    people = read_roster(write(tmp_path / "r.csv", f'student_id,name\ns1,"{roster_name}"\nbo,Bo Ek\n'))
    assert list(sort([moodle(f"{file_name}_1"), moodle("Bo Ek_2")], people).owned) == ["s1", "bo"]
    half = file_name.split()[-1]
    assert list(sort([moodle(f"{half}_1"), moodle("Bo Ek_2")], people).owned) == ["bo"]


# Two people of one name


def test_two_numbers_with_one_name_are_two_people() -> None:
    john = Person("s1", name="John Smith")
    for names in (
        ["smithjohn_1_10_01_week.ipynb", "smithjohn_2_11_01_week.ipynb", "ekbo_3_12_01_week.ipynb"],
        [moodle("John Smith_1"), moodle("John Smith_2"), moodle("Bo Ek_3")],
    ):
        found = sort(names, [john, BO])
        assert list(found.owned) == ["bo"]
        assert all("two people with the same name" in found.reasons[name] for name in names[:2])


def test_a_number_that_was_another_before_is_asked_about() -> None:
    receipts = {"s1": Receipt("moodle", "x", "John Smith", "402")}
    john = Person("s1", name="John Smith")
    assert list(sort([moodle("John Smith_402"), moodle("Bo Ek_3")], [john, BO], receipts).owned) == ["s1", "bo"]
    assert list(sort([moodle("John Smith_403"), moodle("Bo Ek_3")], [john, BO], receipts).owned) == ["bo"]


BRIGHTSPACES_JOHN = "12345-678 - John Smith - Nov 13, 2026 1105 PM/01_week.ipynb"


@pytest.mark.parametrize(
    ("name", "tells_apart"),
    [
        ("smithjohn_1_10_01_week.ipynb", "the column canvas_id"),
        (moodle("John Smith_1"), "Moodle's grading worksheet"),
        (BRIGHTSPACES_JOHN, "a column (login, email, sis_id)"),
        ("John Smith.ipynb", "name the file after their student id"),
    ],
)
def test_namesakes_are_asked_about_with_what_tells_them_apart(name: str, tells_apart: str) -> None:
    found = sort([name], [Person("s1", name="John Smith"), Person("s2", name="John Smith")])
    assert found.owned == {}
    assert "it may be any of s1, s2: " in found.reasons[name]
    assert tells_apart in found.reasons[name]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("smithjohn_1_10_01_week.ipynb", "'smithjohn' (Canvas user 1)"),
        (moodle("John Smith_402"), "'John Smith' (Moodle participant 402)"),
        (BRIGHTSPACES_JOHN, "'John Smith':"),
    ],
)
def test_learners_who_are_not_on_the_roster_have_the_lmss_names(name: str, what: str) -> None:
    assert f"{what.removesuffix(':')} is not on the roster" in sort([name], [ADA, BO]).reasons[name]


def test_without_a_roster_moodles_namesakes_and_participants_have_no_owner() -> None:
    found = sort([moodle("Anna Müller_402"), moodle("Anna Müller_403"), moodle("Bo Ek_404")])
    assert list(found.owned) == ["Bo_Ek"]
    blind = sort([moodle("Participant_402"), moodle("Participant_403")])
    assert blind.owned == {}
    assert all("worksheet" in reason for reason in blind.reasons.values())


# What a learner chose is not what the LMS wrote


def test_a_learner_cannot_replace_another_learners_file_by_its_name() -> None:
    ada, eve = Person("ada", name="Lovelace Ada", canvas_id="1234"), Person("eve", name="Mallory Eve")
    canvas = ["evemallory_1236_9003_x_1234_9999_01_week.ipynb", "lovelaceada_1234_9001_01_week.ipynb"]
    assert sort(canvas, [ada, eve]).owned == {"eve": canvas[:1], "ada": canvas[1:]}
    inside = moodle("Eve Mallory_404", f"{moodle('Ada Lovelace_401')}")
    found = sort([inside, moodle("Ada Lovelace_401"), moodle("Bo Ek_402")], [ADA, BO, replace_name(eve)])
    assert found.owned == {"eve": [inside], "ada": [moodle("Ada Lovelace_401")], "bo": [moodle("Bo Ek_402")]}
    plain = [f"eve/{moodle('Ada Lovelace_401', str(n))}.ipynb" for n in range(9)]
    assert sort([*plain, "ada/x.ipynb", "bo/x.ipynb"], [ADA, BO, eve]).owned["ada"] == ["ada/x.ipynb"]
    assert sort(["eve/ada.ipynb", "ada/x.ipynb"], [ADA, eve]).owned == {
        "eve": ["eve/ada.ipynb"],
        "ada": ["ada/x.ipynb"],
    }


def test_a_file_in_a_strangers_folder_is_not_whose_name_it_bears() -> None:
    found = sort(["mallory/ada.ipynb", "bo/x.ipynb"], [ADA, BO])
    assert found.owned == {"bo": ["bo/x.ipynb"]}
    assert "'mallory'" in found.reasons["mallory/ada.ipynb"]
    assert list(sort(["lab-a/ada.ipynb", "lab-b/bo.ipynb"], [ADA, BO]).owned) == ["ada", "bo"]


def replace_name(person: Person) -> Person:
    return Person(person.student, name="Eve Mallory")


def test_a_time_that_a_learner_can_write_does_not_count() -> None:
    found = sort(
        [moodle("Ada Lovelace_401"), moodle("Ada Lovelace_401", "timestamp.txt"), moodle("Bo Ek_2")], [ADA, BO]
    )
    assert "the learner could have written" in found.reasons[moodle("Ada Lovelace_401", "timestamp.txt")]
    assert (
        "the learner"
        in sort(["ada/x.ipynb", "ada/timestamp.txt", "bo/x.ipynb"], [ADA, BO]).reasons["ada/timestamp.txt"]
    )
    nbgraders = [f"{who}/{WEEK}/{name}" for who in ("ada", "bo") for name in (f"{WEEK}.ipynb", "timestamp.txt")]
    assert sort(nbgraders, [ADA, BO]).owned == {"ada": nbgraders[:2], "bo": nbgraders[2:]}


def test_a_canvas_number_decides_although_the_name_has_changed_which_is_reported() -> None:
    ada = Person("ada", name="Ada King", canvas_id="1234")
    bo = Person("bo", name="Bo Ek", canvas_id="5")
    found = sort(["lovelaceada_1234_9001_01_week.ipynb", "ekbo_5_2_x.ipynb"], [ada, bo])
    assert list(found.owned) == ["ada", "bo"]
    assert found.told == ["lovelaceada_1234_9001_01_week.ipynb"]
    assert list(sort(["lovelaceada_1234_9001_01_week.ipynb"], [ada, BO]).owned) == []  # or is it user 9001's?
    # "lab_3" may be a group's name, and this not user 3's.
    people = [Person("u3", name="Bo Ek", canvas_id="3"), Person("ada", name="Ada Lovelace", canvas_id="1237")]
    assert sort(["lab_3_1237_51_x.ipynb"], people).owned == {}


# Layouts


QUIZ = ["lovelace_ada1234_question_5678_9001_01_week.ipynb", "ek_bo1235_question_5678_9002_01_week-1.ipynb"]


def test_canvas_quiz() -> None:
    people = [Person("ada", name="Ada Lovelace", canvas_id="1234"), Person("bo", name="Bo Ek", canvas_id="1235")]
    assert list(sort(QUIZ, people).owned) == ["ada", "bo"]
    assert list(sort(QUIZ).owned) == ["lovelace_ada", "ek_bo"]
    # "Agent 47", user 12, is not user 4712
    other = sort(["agent_4712_question_1_2_x.ipynb"], [Person("u", name="Bo Ek", canvas_id="4712")])
    assert other.owned == {}


def exchange(who: str, time: str, assignment: str = WEEK) -> str:
    return f"{who}+{assignment}+{time} UTC+8Fj2kQ0aVxw/{assignment}.ipynb"


def test_nbgraders_exchange() -> None:
    names = [
        exchange("ada", "2026-11-12 20:00:00.100000"),
        exchange("ada", "2026-11-13 21:00:00.200000"),
        exchange("bo", "2026-11-13 22:00:00.300000"),
        exchange("bo", "2026-11-13 22:00:00.300000", "02_week"),
    ]
    found = sort(names, [ADA, BO])
    assert found.owned == {"ada": names[:2], "bo": names[2:3]}
    assert "02_week" in found.reasons[names[3]]
    assert list(sort(names[:3]).owned) == ["ada", "bo"]


BLACKBOARD = [
    "HW_1_ada_l_attempt_2026-11-13-23-05-00_01_week.ipynb",
    "HW_1_ada_l_attempt_2026-11-13-23-05-00.txt",
    "HW_1_bo_attempt_2026-11-12-10-00-00_01_week.ipynb",
]


def test_blackboard() -> None:
    people = [Person("s1", login="ada_l"), Person("s2", login="bo")]
    assert {student: len(files) for student, files in sort(BLACKBOARD, people).owned.items()} == {"s1": 2, "s2": 1}
    by_id = sort(BLACKBOARD, [Person("ada_l"), Person("bo")])  # a roster may have logins as student ids
    assert {student: len(files) for student, files in by_id.owned.items()} == {"ada_l": 2, "bo": 1}
    found = sort(BLACKBOARD, [*people, Person("s3", login="l")])  # "HW_1_ada", "l"?
    assert list(found.owned) == ["s2"]
    assert sort(BLACKBOARD).owned == {}
    assert list(sort([name.replace("HW_1_", "HW1_").replace("_l_", "l_") for name in BLACKBOARD]).owned) == [
        "adal",
        "bo",
    ]


def test_brightspace() -> None:
    names = [
        "12345-678 - Ada Lovelace - Nov 13, 2026 1105 PM/01_week.ipynb",
        "12345-678 - Ada Lovelace - Nov 12, 2026 905 AM/01_week.ipynb",
        "12346-678 - Bo Ek - Nov 13, 2026 1106 PM/01_week.ipynb",
    ]
    assert sort([*names, "index.html"], [ADA, BO]).owned == {"ada": names[:2], "bo": names[2:]}
    flat = [name.replace("/", " - ") for name in names]
    assert sort(flat, [ADA, BO]).owned == {"ada": flat[:2], "bo": flat[2:]}
    assert list(sort(names).owned) == ["Ada_Lovelace", "Bo_Ek"]


def test_brightspace_for_a_single_learner_and_with_the_day_first() -> None:
    name = "12345-678 - Ada Lovelace - 13 November, 2026 11:05 PM/01_week.ipynb"
    later = "12345-678 - Ada Lovelace - 2 December, 2026 9:05 AM/01_week.ipynb"
    for one in (name, name.replace("13 November", "Nov 13").replace("11:05", "1105")):
        assert sort([one, "index.html"], [ADA, BO]).owned == {"ada": [one]}
    assert sort([name, later, "index.html"], [ADA, BO]).owned == {"ada": [name, later]}


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace - Copy of 01_week.ipynb",
        "Copy of Ada Lovelace - 01_week.ipynb",
        "Kopie von Ada Lovelace.ipynb",
        "Ada Lovelace - Copy.ipynb",
    ],
)
def test_a_copy_is_of_the_person_whose_name_it_has_beside(name: str) -> None:
    assert sort([name], [ADA, BO]).owned == {"ada": [name]}
    assert sort([name.replace("Ada Lovelace", "Cy Doe")], [ADA, BO]).owned == {}


def test_sakai() -> None:
    names = [
        "Homework/Lovelace, Ada(al1)/Submission attachment(s)/01_week.ipynb",
        "Homework/Lovelace, Ada(al1)/timestamp.txt",
        "Homework/Ek, Bo(be2)/Submission attachment(s)/01_week.ipynb",
    ]
    people = [Person("s1", name="Ada Lovelace", login="al1"), Person("s2", name="Bo Ek", login="be2")]
    assert sort([*names, "Homework/grades.csv"], people).owned == {"s1": names[:2], "s2": names[2:]}


GRADESCOPE = """submission_17:
  :submitters:
  - :name: Ada Lovelace
    :sid: '00417'
    :email: ada@example.org
  :created_at: 2026-11-13 22:05:00.123456 Z
submission_18:
  :submitters:
  - :name: Bo Ek
    :sid: S2
    :email: bo@example.org
  - :name: Cy Doe
    :sid: S3
    :email: cy@example.org
"""


def test_gradescope() -> None:
    people = [
        Person("ada", name="Ada L.", email="ada@example.org", sis_id="00417"),
        Person("bo", name="Bo Ek", sis_id="S2"),
        Person("cy", email="cy@example.org"),
    ]
    names = ["a_export/submission_17/01_week.ipynb", "a_export/submission_18/01_week.ipynb"]
    found = sort([*names, ("a_export/submission_metadata.yml", GRADESCOPE)], people)
    assert found.owned == {"ada": names[:1], "bo": names[1:], "cy": names[1:]}
    without = sort([*names, ("a_export/submission_17/submission_metadata.yml", GRADESCOPE)], people)
    assert without.owned == {}  # it lies in a learner's own folder
    assert "submission_metadata.yml" in without.reasons[names[0]]


def test_github_classroom() -> None:
    names = [f"01-week-submissions/01-week-{login}/01_week.ipynb" for login in ("octo-cat", "bo")]
    assert list(sort(names).owned) == ["octo-cat", "bo"]
    assert list(sort(names, [Person("s1", login="octo-cat"), BO]).owned) == ["s1", "bo"]


def test_a_file_named_unlike_the_others_has_no_owner_without_a_roster() -> None:
    names = [moodle("Ada Lovelace_401"), moodle("Bo Ek_402"), "Cy Doe_403_assignsubmission.ipynb"]
    assert list(sort(names).owned) == ["Ada_Lovelace", "Bo_Ek"]
    mixed = sort([*names[:2], "bo.ipynb"], [ADA, BO])  # it came by mail
    assert len(mixed.owned["bo"]) == 2


# Names that people wrote


def test_the_folder_that_tells_learners_apart_owns_a_file() -> None:
    nested = ["ada/homework/x.ipynb", "bo/homework/x.ipynb", "cy/x.ipynb"]
    for names in (nested, [f"class/{name}" for name in nested]):
        assert list(sort(names).owned) == ["ada", "bo", "cy"]
    assert list(sort(nested[:2], [ADA, BO]).owned) == ["ada", "bo"]
    sections = ["lab-a/ada/x.ipynb", "lab-b/bo/x.ipynb"]
    assert list(sort(sections, [ADA, BO]).owned) == ["ada", "bo"]
    unclear = sort(sections)
    assert unclear.owned == {}
    assert all("give a roster" in reason for reason in unclear.reasons.values())


def test_a_folder_around_all_files_owns_none_unless_they_are_called_after_the_chapter() -> None:
    assert sort(["files/ada.ipynb", "files/bo.ipynb"]).owned == {}
    assert list(sort(["files/ada.ipynb", "files/bo.ipynb"], [ADA, BO]).owned) == ["ada", "bo"]
    assert list(sort([f"ada/{WEEK}.ipynb", f"ada/{WEEK}-1.ipynb", "ada/scratch.ipynb"]).owned) == ["ada"]


def test_a_number_at_the_end_may_be_a_learners() -> None:
    people = [Person("smithjohn"), Person("smithjohn-2")]
    names = ["smithjohn-2.ipynb", "smithjohn.ipynb", "smithjohn-3.ipynb"]
    assert sort(names, people).owned == {"smithjohn-2": names[:1], "smithjohn": names[1:]}
    assert list(sort(["team-1.ipynb", "team-2.ipynb"]).owned) == ["team-1", "team-2"]
    assert list(sort(["ada.ipynb", "ada-1.ipynb"]).owned) == ["ada"]
    assert sort([f"{WEEK}-1.ipynb"], [Person("x", sis_id="1"), ADA]).owned == {}


@pytest.mark.parametrize(
    "name", ["ada_LATE.ipynb", f"ada_{WEEK}_late.ipynb", "ada (late).ipynb", f"{WEEK}-ada-LATE.ipynb"]
)
def test_a_lateness_mark_is_not_part_of_a_name(name: str) -> None:
    assert list(sort([name, "bo.ipynb"]).owned) == ["ada", "bo"]
    assert list(sort([name, "bo.ipynb"], [ADA, BO]).owned) == ["ada", "bo"]


def test_a_key_of_two_people_decides_for_neither() -> None:
    people = [Person("s1", login="417", name="Ada"), Person("s2", sis_id="417", name="Bo")]
    found = sort(["417.ipynb", "s1.ipynb"], people)
    assert list(found.owned) == ["s1"]
    assert "any of s1, s2" in found.reasons["417.ipynb"]


def test_a_login_that_is_anothers_name_decides_for_neither() -> None:
    assert list(sort(["ada.ipynb", "bo.ipynb"], [Person("s1", login="ada"), Person("s2", name="Ada"), BO]).owned) == [
        "bo"
    ]


def test_letters_case_makes_no_second_learner() -> None:
    assert list(sort(["ada.ipynb", "ADA/x.ipynb"]).owned) == ["ada"]


# Encodings


@pytest.mark.parametrize("page", ["utf-8", "cp437", "cp850", "cp1252", "mac_roman"])
def test_an_accent_in_any_encoding_is_the_same_person(page: str) -> None:
    people = [Person("s1", name="José Müller"), Person("s2", name="Bo Ek")]
    names = [moodle("José Müller_401").encode(page), moodle("Bo Ek_402")]
    assert list(sort(names, people).owned) == ["s1", "s2"]


def test_a_garbled_name_has_no_owner_without_a_roster() -> None:
    garbled = [moodle("José_401").encode("cp850"), moodle("Bo Ek_402")]
    assert list(sort(garbled).owned) == ["Bo_Ek"]
    unpacked = moodle("José_401").encode().decode("cp437")
    assert list(sort([unpacked, moodle("Bo Ek_402")]).owned) == ["Bo_Ek"]
    assert list(sort([unpacked, moodle("Bo Ek_402")], [Person("s1", name="José"), BO]).owned) == ["s1", "bo"]
    decomposed = moodle("Jose\u0301_401")
    assert list(sort([decomposed, moodle("Bo Ek_402")], [Person("s1", name="José"), BO]).owned) == ["s1", "bo"]
