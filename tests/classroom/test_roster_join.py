"""Rosters: layouts are recognised, and no person becomes two people, or another one, whatever a spreadsheet did."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from autograder.classroom.class_folder import ClassFolder
from autograder.classroom.person import Person
from autograder.classroom.roster import ROSTER, read_entries, read_roster, roster
from autograder.classroom.roster_join import Joined, join
from autograder.problems import Problem
from tests.support.lms_files import write

ADA = Person("ada", name="Ada Lovelace", login="al", sis_id="00417", email="ada@example.org")
BO = Person("bo", name="Bo Ek", login="be", sis_id="00523", email="bo@example.org")


def joined(tmp_path: Path, text: str, *known: Person) -> Joined:
    return join(known or (ADA, BO), read_entries(write(tmp_path / "roster.csv", text)))


# Layouts


def test_id_name_section_is_a_list_of_names_and_not_canvas(tmp_path: Path) -> None:
    people = read_roster(write(tmp_path / "r.csv", "ID,Name,Email,Section\n2026,Ada Lovelace,ada@x.org,A\n"))
    assert people == [Person("2026", name="Ada Lovelace", email="ada@x.org")]


@pytest.mark.parametrize("header", ["Student,ID,Section", "ID,Student,Email", "Student,Student ID"])
def test_a_column_of_students_may_hold_names(tmp_path: Path, header: str) -> None:
    cells = {"Student": '"Lovelace, Ada"', "ID": "2026", "Student ID": "2026"}
    row = ",".join(cells.get(title, "") for title in header.split(","))
    [person] = read_roster(write(tmp_path / "r.csv", f"{header}\n{row}\n"))
    assert (person.student, person.name) == ("2026", "Ada Lovelace")


CANVAS = {
    "one name": (
        "Student,ID,SIS User ID,SIS Login ID,Section,01 (812)\n"
        ",,,,,Manual Posting\n    Points Possible,,,,,20.00\n"
        '"Lovelace, Ada",1234,S001,al,Autumn,\n"Student, Test",1299,,f00d,Autumn,\n'
    ),
    "split names": (
        "LastName,FirstName,ID,SIS User ID,SIS Login ID,Section,01 (812)\n"
        ",,,,,,Manual Posting\n    Points Possible,,,,,,20.00\n"
        "Lovelace,Ada,1234,S001,al,Autumn,\nStudent,Test,1299,,f00d,Autumn,\n"
    ),
    "no sis": (
        "Student,ID,SIS Login ID,Section,01 (812)\n    Points Possible,,,,20.00\n"
        '"Lovelace, Ada",1234,al,Autumn,\n"Student, Test",1299,f00d,Autumn,\n'
    ),
    "more ids, semicolons": (
        "sep=;\nStudent;ID;SIS User ID;SIS Login ID;Integration ID;Root Account;Section;01 (812)\n"
        "    Points Possible;;;;;;;20,00\n"
        "Lovelace, Ada;1234;S001;al;;school.edu;Autumn and Winter;\nStudent, Test;1299;;f00d;;;Autumn;\n"
    ),
}


@pytest.mark.parametrize("layout", CANVAS)
def test_rows_of_canvas_that_are_not_people(tmp_path: Path, layout: str) -> None:
    [person] = read_roster(write(tmp_path / "g.csv", CANVAS[layout]))
    found = (person.student, person.canvas_id, person.login, person.first_name, person.last_name)
    assert found == ("al", "1234", "al", "Ada", "Lovelace")


def test_a_real_learner_may_be_called_test_student(tmp_path: Path) -> None:
    assert len(read_roster(write(tmp_path / "r.csv", "student_id,name\ns1,Test Student\n"))) == 1


def test_brightspace_and_blackboard_lists(tmp_path: Path) -> None:
    text = "OrgDefinedId,Username,Last Name,First Name,Email,End-of-Line Indicator\n#00417,#al,Lovelace,Ada,a@x.org,#\n"
    [person] = read_roster(write(tmp_path / "d2l.csv", text))
    assert (person.sis_id, person.login, person.name) == ("00417", "al", "Ada Lovelace")
    text = '"Last Name"\t"First Name"\t"Username"\t"Student ID"\n"Lovelace"\t"Ada"\t"al"\t"00417"\n'
    (tmp_path / "bb.xls").write_bytes(text.encode("utf-16"))
    [person] = read_roster(tmp_path / "bb.xls")
    assert (person.student, person.login, person.last_name) == ("00417", "al", "Lovelace")


def test_rows_that_agree_are_one_person(tmp_path: Path) -> None:
    text = "student_id,name,email,section\nada,Ada,a@x.org,Lecture\nbo,Bo,,Lecture\nada,Ada,A@x.org,Lab 2\n"
    assert [person.student for person in read_roster(write(tmp_path / "r.csv", text))] == ["ada", "bo"]
    text = "login,name,email,group\nal,Ada,a@x.org,Lab 1\n,Ada,a@x.org,Lab 2\n"
    [person] = read_roster(write(tmp_path / "r.csv", text))
    assert (person.student, person.groups) == ("al", {"lab1", "lab2", "lab1lab2"})


@pytest.mark.parametrize(
    "rows", ["s1,Ada,a@x.org\ns1,Bo,a@x.org", "s1,Ada,a@x.org\ns1,Ada,b@x.org", ",Ada,home@x.org\n,Bo,home@x.org"]
)
def test_rows_that_contradict_each_other_are_refused(tmp_path: Path, rows: str) -> None:
    with pytest.raises(Problem, match="two people"):
        read_roster(write(tmp_path / "r.csv", f"student_id,name,email\n{rows}\n"))


@pytest.mark.parametrize("cell", ["1.23E+05", "2,02E+07", "2e+07"])
def test_a_number_that_a_spreadsheet_rounded_is_refused(tmp_path: Path, cell: str) -> None:
    with pytest.raises(Problem, match="format that column as text"):
        read_roster(write(tmp_path / "r.csv", f'student_id,name\n"{cell}",Ada\n'))


def test_a_cell_may_hold_a_whole_essay(tmp_path: Path) -> None:
    text = f'Identifier,Full name,Online text\nParticipant 401,Ada Lovelace,"<p>{"lorem, ipsum " * 20_000}</p>"\n'
    assert len(read_roster(write(tmp_path / "w.csv", text))) == 1


# Who is known stays one person


def test_a_number_without_its_zeros_is_the_same_person(tmp_path: Path) -> None:
    found = joined(
        tmp_path, "Identifier,Full name,ID number,Email address\nParticipant 7,Ada Lovelace,417,ada@example.org\n"
    )
    assert sorted(found.people) == ["ada", "bo"]
    assert (found.people["ada"].sis_id, found.people["ada"].participant) == ("00417", "Participant 7")
    assert (found.refused, [one.reason for one in found.to_check]) == (
        [],
        ["ID number '417' was read as ada's '00417', without its zeros"],
    )
    by_name = joined(tmp_path, "name,sis_id\nAda Lovelace,417\n")
    assert sorted(by_name.people) == ["ada", "bo"]


def test_a_changed_login_is_reported_and_makes_no_second_learner(tmp_path: Path) -> None:
    found = joined(tmp_path, "name,login,email\nAda King,aking,ada@example.org\nBo Ek,be2,bo@example.org\n")
    assert sorted(found.people) == ["ada", "bo"]
    assert found.people["bo"].login == "be2"
    assert [one.name for one in found.to_check] == ["row 3 (Bo Ek)"]
    assert "the login 'al', not 'aking'" in found.refused[0].reason  # another name, too: is it she?
    assert found.people["ada"] == ADA


@pytest.mark.parametrize(
    "row",
    [
        "Cy Doe,417,,",  # Ada's number without zeros, another name
        ",417,,",  # and no name
        "Ada Lovelace,99999,,",  # her name, and another number
        "Ada Lovelace,,ada2,",  # and another login
        "Cy Doe,99999,,ada@example.org",  # her address, another number and name
        "Cy Doe,,,ada@example.org",  # a family's address
        "Ada Lovelace,00417,be,",  # Ada's number, Bo's login
    ],
)
def test_a_row_that_contradicts_what_is_known_is_asked_about(tmp_path: Path, row: str) -> None:
    found = joined(tmp_path, f"name,sis_id,login,email\n{row}\n")
    assert found.people == {"ada": ADA, "bo": BO}
    assert len(found.refused) == 1, found
    assert "ada" in found.refused[0].reason


def test_a_namesake_is_new_where_the_roster_has_both(tmp_path: Path) -> None:
    text = "name,sis_id\nAda Lovelace,00417\nAda Lovelace,00999\n"
    found = joined(tmp_path, text)
    assert sorted(found.people) == ["00999", "ada", "bo"]
    assert found.refused == []


def test_a_person_known_only_by_name_is_found_if_the_name_is_unique(tmp_path: Path) -> None:
    by_name = Person("S001", name="Ada Lovelace")
    found = joined(tmp_path, "Identifier,Full name\nParticipant 7,Ada Lovelace\n", by_name, BO)
    assert sorted(found.people) == ["S001", "bo"]
    assert "by the name alone" in found.to_check[0].reason
    two = joined(tmp_path, "name,login\nAda Lovelace,a1\nAda Lovelace,a2\n", by_name, BO)
    assert sorted(two.people) == ["S001", "bo"]
    assert len(two.refused) == 2


def test_a_person_found_by_a_key_is_not_reported_as_found_by_name(tmp_path: Path) -> None:
    found = joined(tmp_path, "student_id,name,login\nS001,Ada Lovelace,al\n")
    assert (sorted(found.people), found.to_check, found.refused) == (["ada", "bo"], [], [])
    near = joined(tmp_path, "student_id,name,sis_id\nS001,Ada Lovelace,417\n")
    assert [one.reason for one in near.to_check] == ["ID number '417' was read as ada's '00417', without its zeros"]


def test_student_ids_are_kept_as_the_class_has_them(tmp_path: Path) -> None:
    known = Person("00417", name="Ada Lovelace")
    assert sorted(joined(tmp_path, "student_id,name\n417,Ada Lovelace\n", known).people) == ["00417"]
    asked = joined(tmp_path, "student_id,name\n417,Cy Doe\n", known)
    assert (sorted(asked.people), len(asked.refused)) == (["00417"], 1)
    other = joined(tmp_path, "student_id,name,email\nada,Cy Doe,cy@example.org\n")
    assert (other.people["ada"], len(other.refused)) == (ADA, 1)


def test_a_learner_known_by_a_submission_is_found_by_the_key_in_its_name(tmp_path: Path) -> None:
    known = Person("al", listed=False)
    found = joined(tmp_path, "student_id,name,login\nS001,Ada Lovelace,al\n", known)
    assert {student: asdict(p)["name"] for student, p in found.people.items()} == {"al": "Ada Lovelace"}
    twice = joined(
        tmp_path, "name,login\nAnna Müller,a1\nAnna Müller,a2\n", Person("x", name="Anna Müller", listed=False)
    )
    assert sorted(twice.people) == ["a1", "a2", "x"]


def test_the_classs_own_list_without_its_zeros_is_refused(tmp_path: Path) -> None:
    (tmp_path / "submitted" / "00417" / "01_week").mkdir(parents=True)
    write(tmp_path / ROSTER, "student_id,name\n00417,Ada\n")
    assert [person.student for person in roster(ClassFolder(tmp_path))] == ["00417"]
    write(tmp_path / ROSTER, "student_id,name\n417,Ada\n")
    with pytest.raises(Problem, match="dropped the zeros"):
        roster(ClassFolder(tmp_path))
