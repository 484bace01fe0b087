"""`autograder hub`: writes a JupyterHub for one class, or shows one."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..problems import Problem


def hub(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to write it, for example /srv/many-heads.")
    ] = None,
    class_list: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The class: a user name on each line, or a CSV file from Canvas or Moodle."),
    ] = None,
    teacher: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A teacher's user name; give it again for each.")
    ] = None,
    at_once: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many learners work at the same time; by default, all of them."),
    ] = None,
    solutions: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The folder of chapters; by default this repository's.")
    ] = None,
    *,
    look: Annotated[
        bool,
        typer.Option("--look", help="Start one with sample learners, in a copy of this machine that is thrown away."),
    ] = False,
) -> None:
    """Write a JupyterHub for one class on one machine: log-in, nbgrader's exchange, formgrader, limits.

    It starts nothing and makes no account. With --look, it starts one that only this machine can reach.
    """
    from ..course.chapter import REPOSITORY_ROOT

    _require_extra()
    chapters = solutions or REPOSITORY_ROOT / "solutions"
    if look:
        _look(chapters)
        return
    if folder is None or class_list is None or not teacher:
        raise Problem(
            "name the folder, the class list and a teacher: autograder hub DIR --class-list FILE --teacher YOU"
        )
    _require_place(folder)
    _write(folder, class_list, teacher, at_once, chapters)
    print("Start it as root, and read docs/hub.md first:")
    sudo = "" if os.geteuid() == 0 else "sudo "
    print(f"  {sudo}{Path(sys.executable).parent}/jupyterhub --config {folder.resolve()}/jupyterhub_config.py")


def _require_place(folder: Path) -> None:
    """Check that a hub can be written into `folder`, and that learners could reach it there.

    Raises:
        Problem: if not.
    """
    from ..hub.accounts import require_reach

    wanted = folder.resolve()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise Problem(f"you may not write in {existing}: run the same command as root (sudo), or name another folder")
    # The folder itself will be opened.
    require_reach(wanted.parent if existing == wanted else existing, "name another folder, such as /srv/many-heads")


def _write(folder: Path, class_list: Path, teachers: list[str], at_once: int | None, chapters: Path) -> None:
    from ..hub import write
    from ..hub.accounts import readable_by_others, require_python_in_reach

    people = write.read_people(class_list)
    print(f"Writing {folder}, with the class folder of all chapters: this takes up to a minute.", flush=True)
    share = write.Share.of_this_machine(at_once or len(people))
    passwords = write.write_hub(folder, people, teachers, chapters, share)
    print(
        f"{folder} is ready, for {len(people)} learners: {share.memory_mb} MB of memory each, and "
        f"torch uses {share.threads} of the machine's cores for each."
    )
    for name, password in passwords.items():
        print(f"The first password of {name} is {password}")
    print("Teachers change it after the first log-in, at /hub/auth/change-password.")
    try:
        require_python_in_reach()
    except Problem as problem:  # no hindrance if this is for Kubernetes
        print(f"WARNING: the hub will not start: {problem}", file=sys.stderr)
    if readable_by_others(chapters):
        print(
            f"WARNING: every account of this machine can read the solutions in {chapters.resolve()}: "
            f"chmod go-rwx {chapters.resolve()}",
            file=sys.stderr,
        )


def _look(chapters: Path) -> None:
    """Show a hub with a sample class, in a machine to throw away."""
    from ..hub import look, throwaway

    if os.environ.get(throwaway.INSIDE):
        look.show(chapters)
        return
    if shutil.which("configurable-http-proxy") is None:
        raise Problem("the hub needs configurable-http-proxy: sudo npm install --global configurable-http-proxy@4")
    throwaway.require()
    words = throwaway.command(
        sys.executable, "-m", "autograder", "hub", "--look", "--solutions", str(chapters), shown=[chapters]
    )
    os.execvp(words[0], words)


def _require_extra() -> None:
    needed = ("jupyterhub", "firstuseauthenticator", "jupyterhub_idle_culler")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise Problem(
            f"a hub needs the packages of the extra [hub] ({', '.join(missing)}): pip install 'manyheads[hub]'"
        )
