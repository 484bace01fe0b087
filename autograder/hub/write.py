"""`autograder hub`: writes the folder of a JupyterHub for one class.

The folder has the hub's settings, the class folder, nbgrader's exchange, and Jupyter's settings for learners and for
the course's account. The instructor may read and change everything in it. Nothing is started, and no account is made:
`autograder.hub.accounts` does that when the hub starts.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import socket
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from manyheads import threads

from ..board.state import new_class_code
from ..classroom.class_folder import CONFIG, ClassFolder, new_class
from ..classroom.person import Person
from ..classroom.roster import read_roster, write_roster
from ..problems import Problem
from .names import ACCOUNT_OF_THE_COURSE, is_user_name

SETTINGS = "jupyterhub_config.py"
CLASS_LIST = "class-list.txt"
PASSWORDS = "passwords"  # a database, whose file may have an ending
_TEMPLATES = Path(__file__).parent / "templates"
_LEAST_MB = 1536  # a server, a kernel that has imported torch, and a small model
_KEPT_MB = 2048  # for the hub, the course's server and the operating system


@dataclass(frozen=True)
class Share:
    """One learner's share of the machine.

    Args:
        memory_mb: of each process.
        threads: of torch, in each kernel.
    """

    memory_mb: int
    threads: int

    @classmethod
    def of_this_machine(cls, learners: int) -> Share:
        """Return each one's share if `learners` work at the same time.

        Not all of them compute at once: reading and typing take longer. So each gets twice the memory that would be
        theirs if all did, and at least what a notebook of the course needs.
        """
        total = _memory_mb()
        memory = max(_LEAST_MB, 2 * (total - _KEPT_MB) // max(1, learners))
        return cls(min(memory, total), max(1, math.floor(threads.cores() / max(1, learners))))


@dataclass(frozen=True)
class Ports:
    """The ports on loopback that a hub listens on.

    Args:
        web: for browsers.
        hub: of JupyterHub behind its proxy.
        proxy: on which JupyterHub instructs its proxy.
        course: of the course account's server, with the formgrader.
        board: of the board.
    """

    web: int = 8000
    hub: int = 8081
    proxy: int = 8001
    course: int = 9999
    board: int = 9998

    @classmethod
    def free(cls) -> Ports:
        """Return ports that are free now: the usual ones, as far as they are."""
        with contextlib.ExitStack() as held:
            return cls(*(_free_port(port, held) for port in astuple(cls())))


def write_hub(
    root: Path,
    people: Sequence[Person],
    teachers: Sequence[str],
    solutions: Path,
    share: Share | None = None,
    ports: Ports | None = None,
) -> dict[str, str]:
    """Write the hub's folder, and return the first password of each teacher.

    Args:
        root: the folder; new or empty.
        people: the class.
        teachers: the teachers' user names.
        solutions: the folder of chapters.
        share: each learner's share of the machine, by default of this one.
        ports: where the hub listens, by default on the usual ports.

    Raises:
        Problem: if the folder is not empty, or a name cannot be an account.
    """
    learners = [person.student for person in people]
    require_names([*learners, *teachers])
    both = sorted({*learners} & {*teachers})
    if both:
        raise Problem(f"on the class list and a teacher: {', '.join(both)}")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise Problem(f"{root} exists and is not empty; name a new folder")
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    try:
        course = new_class(root / "course", solutions)
        (root / "course").chmod(0o700)
        write_roster(course, people)
        share = share or Share.of_this_machine(len(learners))
        return _fill(root.resolve(), course, learners, teachers, share, ports or Ports())
    except BaseException:  # including Ctrl-C: an incomplete folder would block the next attempt
        for path in root.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if not existed:
            root.rmdir()
        raise


def read_people(path: Path) -> list[Person]:
    """Read the class list: a CSV file from an LMS, or one name a line.

    Raises:
        Problem: if it contains no people, or a name cannot be an account.
    """
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    names = [line for line in lines if line and not line.startswith("#")]
    if names and all(is_user_name(name) for name in names) and names[0] not in ("name", "student_id", "login"):
        people = [Person(name) for name in dict.fromkeys(names)]
    else:
        people = read_roster(path)
    require_names(person.student for person in people)
    return people


def require_names(names: Iterable[str]) -> None:
    """Check that all names can be accounts of a Linux machine.

    Raises:
        Problem: if not.
    """
    wrong = [name for name in names if not is_user_name(name)]
    if wrong:
        raise Problem(
            f"these cannot be user names: {', '.join(wrong)}. A user name begins with a letter from a to z, and has at "
            "most 31 of a to z, 0 to 9, _ and -. Give the class list a column student_id with such names"
        )


def _fill(
    root: Path, course: ClassFolder, learners: Sequence[str], teachers: Sequence[str], share: Share, ports: Ports
) -> dict[str, str]:
    exchange = root / "exchange"
    exchange.mkdir()
    with (root / "course" / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f'\nc.Exchange.root = "{exchange}"\n')
    state = root / "state"
    state.mkdir(mode=0o700)
    (root / CLASS_LIST).write_text(
        "# Who may log in, a user name on each line. Read at each log-in: a change needs no restart.\n"
        + "".join(f"{name}\n" for name in learners),
        encoding="utf-8",
    )
    _render(
        root,
        hub=str(root),
        exchange=str(exchange),
        course=course.config().CourseDirectory.course_id,
        account=ACCOUNT_OF_THE_COURSE,
        class_code=new_class_code(),
        teachers=sorted(teachers),
        learners=learners,
        class_list=CLASS_LIST,
        share=share,
        ports=ports,
    )
    from .class_list import first_passwords  # needs the extra [hub]

    return first_passwords(state / PASSWORDS, teachers)


def _render(root: Path, **values: object) -> None:
    """Write each file of `templates/` to the same place in the hub's folder."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
        trim_blocks=True,
    )
    for template in sorted(path for path in _TEMPLATES.rglob("*") if path.is_file()):
        name = template.relative_to(_TEMPLATES)
        path = root / name.with_suffix("") if name.suffix == ".jinja" else root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(environment.get_template(name.as_posix()).render(**values), encoding="utf-8")
    (root / SETTINGS).chmod(0o600)


def _free_port(wanted: int, held: contextlib.ExitStack) -> int:
    """Return `wanted` if nothing listens on it, else another port. `held` keeps it from being found again."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError):
            listening = held.enter_context(socket.create_server(("127.0.0.1", port)))
            return listening.getsockname()[1]
    raise Problem("this machine has no free port")


def _memory_mb() -> int:
    import psutil

    return psutil.virtual_memory().total // 2**20
