"""What `autograder hub` writes, and which names it refuses. `test_hub.py` starts one."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from autograder.classroom.person import Person
from autograder.classroom.roster import read_roster
from autograder.hub import write
from autograder.hub.accounts import closed_to_others, readable_by_others
from autograder.problems import Problem
from tests.support.toy import Here


def people(*names: str) -> list[Person]:
    return [Person(name) for name in names]


def test_a_class_list_is_a_name_a_line_or_a_file_from_an_lms(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("# 2026\nada\n\nemmy\nada\n", encoding="utf-8")
    assert [person.student for person in write.read_people(names)] == ["ada", "emmy"]
    names.write_text("student_id,name\nada,Ada Lovelace\nemmy,Emmy Noether\n", encoding="utf-8")
    assert [person.name for person in write.read_people(names)] == ["Ada Lovelace", "Emmy Noether"]


@pytest.mark.parametrize("name", ["Ada", "ada lovelace", "ada;reboot", "../ada", "-rf", "a" * 32, "many-heads-course"])
def test_a_name_that_cannot_be_an_account_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="cannot be user names"):
        write.write_hub(tmp_path / "hub", people("emmy", name), ["grace"], tmp_path)
    assert not (tmp_path / "hub").exists()


def test_nobody_is_a_learner_and_a_teacher(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="and a teacher: grace"):
        write.write_hub(tmp_path / "hub", people("ada", "grace"), ["grace"], tmp_path)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(Problem, match="is not empty"):
        write.write_hub(tmp_path, people("ada"), ["grace"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_each_one_s_share_suffices_for_a_notebook_and_leaves_room_for_others() -> None:
    alone, crowded = write.Share.of_this_machine(1), write.Share.of_this_machine(1000)
    assert alone.memory_mb >= crowded.memory_mb == 1536
    assert alone.threads >= crowded.threads == 1


@pytest.mark.slow
def test_the_folder_keeps_the_course_and_the_passwords_from_learners(built_toy: Path, tmp_path: Path) -> None:
    root = tmp_path / "hub"
    ports = write.Ports(web=8010)
    passwords = write.write_hub(
        root, people("ada", "emmy"), ["grace"], built_toy / "solutions", write.Share(2048, 2), ports
    )
    for closed in ("course", "state", "jupyterhub_config.py"):
        assert (root / closed).stat().st_mode & 0o077 == 0, closed
    settings = (root / "jupyterhub_config.py").read_text(encoding="utf-8")
    compile(settings, "jupyterhub_config.py", "exec")
    assert "MEMORY_MB = 2048" in settings
    assert 'THREADS = "2"' in settings
    assert "= 8010, 8081, 8001" in settings
    assert passwords["grace"] not in settings
    of_the_course = (root / "course" / "nbgrader_config.py").read_text(encoding="utf-8")
    assert f'c.Exchange.root = "{root}/exchange"' in of_the_course
    assert [person.student for person in read_roster(root / "course" / "roster.csv")] == ["ada", "emmy"]


def test_a_port_that_is_taken_is_replaced() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, contextlib.ExitStack() as held:
        port = taken.getsockname()[1]
        assert write._free_port(port, held) not in (0, port)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with contextlib.ExitStack() as held:
        assert write._free_port(port, held) == port
        assert write._free_port(port, held) != port  # it is held


def test_what_others_may_enter_and_read_is_known(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        folder.chmod(0o755)
    first = closed_to_others(inner)  # pytest closes its own folders
    assert first is None or first in tmp_path.parents or first == tmp_path
    inner.parent.chmod(0o700)
    assert closed_to_others(inner) in {first, inner.parent} - {None}
    assert not readable_by_others(inner)
    assert readable_by_others(Path("/"))


def test_a_hub_is_not_written_without_a_class_and_a_teacher(here: Here, tmp_path: Path) -> None:
    said = here("hub", tmp_path / "hub")
    assert said.code == 2
    assert "--class-list FILE --teacher" in said.err
