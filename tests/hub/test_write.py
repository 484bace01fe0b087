"""What `autograder hub` writes, and which names it refuses. `test_hub.py` starts one."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from autograder.classroom.person import Person
from autograder.classroom.roster import read_roster
from autograder.course.chapter import REPOSITORY_ROOT
from autograder.hub import accounts, write
from autograder.hub.accounts import closed_to_others, find_system_programs, prepare, readable_by_others
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


def test_learners_have_the_same_settings_of_code_as_in_make_lab() -> None:
    overrides = Path("labconfig", "default_setting_overrides.json")
    [hub] = (REPOSITORY_ROOT / "autograder" / "hub" / "templates" / "learners").glob(str(overrides))
    assert hub.read_bytes() == (REPOSITORY_ROOT / ".ci" / "learners-lab" / overrides).read_bytes()


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


def test_an_ordinary_user_is_told_in_one_line_that_the_hub_needs_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SystemExit, match=r"^autograder: the hub must be started by root .*make hub$"):
        prepare(tmp_path, "many-heads-course")
    assert list(tmp_path.iterdir()) == []


def test_useradd_is_found_whatever_path_a_service_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/opt/many-heads/bin:/usr/bin:/usr/sbin")
    find_system_programs()
    assert os.environ["PATH"] == "/opt/many-heads/bin:/usr/bin:/usr/sbin:/usr/local/sbin:/sbin"


def test_what_its_writer_left_in_the_class_folder_is_given_to_the_course(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "roster.csv").touch()
    (tmp_path / "linked.csv").touch()
    (tmp_path / "second.csv").hardlink_to(tmp_path / "linked.csv")
    given: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr("pwd.getpwnam", lambda _: SimpleNamespace(pw_uid=59999, pw_gid=59998))
    monkeypatch.setattr("os.lchown", lambda path, *to: given.update({Path(path).name: to}))
    accounts._give(tmp_path, "many-heads-course", writer=os.getuid())
    assert given == dict.fromkeys([tmp_path.name, "roster.csv"], (59999, 59998))


def test_a_place_that_learners_could_not_reach_is_refused_before_anything_is_written(
    here: Here, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("ada\n", encoding="utf-8")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    said = here("hub", closed / "new" / "hub", "--class-list", tmp_path / "names.txt", "--teacher", "grace")
    assert said.code == 2
    assert "only its owner may enter" in said.err
    assert "name another folder" in said.err
    assert list(closed.iterdir()) == []


def test_a_place_that_one_may_not_write_in_is_refused(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "names.txt").write_text("ada\n", encoding="utf-8")
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != tmp_path)  # root may write everywhere
    said = here("hub", tmp_path / "hub", "--class-list", tmp_path / "names.txt", "--teacher", "grace")
    assert said.code == 2
    assert f"you may not write in {tmp_path}: run the same command as root (sudo)" in said.err


def values_for_kubernetes(folder: Path) -> Any:
    write._render(
        folder,
        **dict.fromkeys(("hub", "exchange", "course", "account", "class_code", "class_list"), "x"),
        teachers=["grace"],
        learners=["ada"],
        share=write.Share(2048, 2),
        ports=write.Ports(),
    )
    return yaml.safe_load((folder / "kubernetes" / "values.yaml").read_text(encoding="utf-8"))


def test_kubernetes_does_not_end_a_server_whose_notebooks_are_there_already(tmp_path: Path) -> None:
    """Some versions of cp fail if they leave a file alone, and a hook that fails ends the server."""
    hook = values_for_kubernetes(tmp_path)["singleuser"]["lifecycleHooks"]["postStart"]["exec"]["command"]
    home, image, programs = tmp_path / "home", tmp_path / "image", tmp_path / "programs"
    for folder in (home, image / "notebooks", programs):
        folder.mkdir(parents=True)
    (image / "notebooks" / "one.ipynb").write_text("new", encoding="utf-8")
    (programs / "cp").write_text('#!/bin/sh\n/bin/cp "$@"\nexit 1\n')
    (programs / "cp").chmod(0o755)
    for own in ("new", "a learner's"):
        command = [word.replace("/opt/many-heads/notebooks", str(image / "notebooks")) for word in hook]
        environment = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
        assert subprocess.run(command, env=environment).returncode == 0
        copy = home / "notebooks" / "one.ipynb"
        assert copy.read_text(encoding="utf-8") == own
        copy.write_text("a learner's", encoding="utf-8")


def test_the_image_for_kubernetes_is_made_of_what_there_is(tmp_path: Path) -> None:
    values = values_for_kubernetes(tmp_path)
    [hook] = [word for word in values["singleuser"]["lifecycleHooks"]["postStart"]["exec"]["command"] if "cp " in word]
    lines = (tmp_path / "kubernetes" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:] for line in lines if line.startswith("COPY")]
    for *sources, _ in copied:
        assert [name for name in sources if not (REPOSITORY_ROOT / name).exists()] == []
        assert "solutions" not in sources
    assert any(target in hook for *_, target in copied)
    assert lines[-1] == "USER 1000"  # the chart's default for singleuser.uid
    assert "uid" not in values["singleuser"]
    project = tomllib.loads((REPOSITORY_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [extra] = re.findall(r"/tmp/course\[(\w+)\]", "\n".join(lines))
    assert extra in project["optional-dependencies"]
