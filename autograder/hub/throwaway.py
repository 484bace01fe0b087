"""A machine to throw away: runs a command as root of a copy of this machine, in which accounts can be made.

`make hub` starts a hub in it, and so do the hub's tests. Namespaces do it: what the command changes in /etc, /home,
/srv, /tmp and /var is kept in memory and gone when the command ends, as are all its processes. It is for a look at
one's own work, and not a sandbox: the network is this machine's, and the command can read all that its user can read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..problems import Problem
from .accounts import closed_to_others, find_system_programs

INSIDE = "MANYHEADS_THROWAWAY"  # an environment variable that is set in such a machine
_COPIED = ("/etc", "/var")  # their contents stay visible
_ACCOUNTS = ("passwd", "group", "shadow", "gshadow", "subuid", "subgid")  # files in /etc that commands change
_EMPTIED = ("/home", "/srv", "/tmp")
_WITHOUT = {"shadow": "passwd", "gshadow": "group"}  # where the names are that these files have
_FIELDS = {"shadow": 7, "gshadow": 2}  # after the password
_MEMORY = ("/mnt", "/media", "/opt")  # on one of them, the file system in memory for what is changed is mounted
_MOUNTS = "/proc/self/ns/mnt"  # a link with another text in each mount namespace
_PROGRAMS = ("configurable-http-proxy", "node")
_FIXES = {  # what unshare or mount says, and what helps
    "unrecognized option": "the program unshare of util-linux 2.38 or newer",
    "/etc/sub": "user ids for namespaces: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER",
    "overlay": "Linux 5.11 or newer",
}
_SAY_WHY = ("unshare:", "newuidmap:", "mount:", "setpriv:")
_LEARNER = "59999"  # a user id such as accounts have
_NAMESPACES = (
    "user namespaces: sudo sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0 "
    "or user.max_user_namespaces=10000"
)


def command(*words: str, shown: Iterable[Path] = ()) -> list[str]:
    """Return the command that runs the command `words` in a machine to throw away.

    Args:
        shown: folders that stay visible, and can be changed, even if they are in one that is emptied.

    Raises:
        Problem: if this machine cannot do it.
    """
    if sys.platform != "linux" or shutil.which("unshare") is None:
        raise Problem("a look at the hub needs Linux and the program unshare (package util-linux)")
    root = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    if root and shutil.which("newuidmap") is None:
        raise Problem("without root, a look at the hub needs the program newuidmap, for example: apt install uidmap")
    space = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    inside = [sys.executable, "-m", __name__, os.readlink(_MOUNTS), os.pathsep.join(map(str, shown))]
    return ["unshare", *root, *space, "--", *inside, *words]


def require() -> None:
    """Check that this machine can make a machine to throw away, by making one.

    Raises:
        Problem: if it cannot.
    """
    become = ("setpriv", "--reuid", _LEARNER, "--regid", _LEARNER, "--clear-groups", "true")
    tried = subprocess.run(command(*become), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if tried.returncode == 0:
        return
    said = tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"]
    why = next((line for line in said if line.startswith(_SAY_WHY)), said[-1])
    if os.geteuid() == 0:
        raise Problem(
            "a look at the hub makes namespaces, mounts and becomes other users, which root may not do here "
            f"({why}): do it outside of this container, or start the container with --privileged"
        )
    needed = next((fix for sign, fix in _FIXES.items() if sign in tried.stderr), _NAMESPACES)
    raise Problem(f"without root, a look at the hub needs {needed} ({why}). Or start it as root: sudo make hub")


def main(outside: str, shown: Sequence[str], words: Sequence[str]) -> None:
    """Make the machine out of this process's namespaces, and become the command `words`.

    Args:
        outside: the mount namespace of whoever asked for it. What is mounted here must not be seen there.
        shown: as for `command`.
    """
    if os.readlink(_MOUNTS) == outside or not outside.startswith("mnt:["):
        raise SystemExit("this would change this machine itself: use the command that throwaway.command returns")
    find_system_programs()
    folder = os.getcwd()
    _make(_needed(shown))
    os.chdir(folder if os.path.isdir(folder) else "/")
    os.execvpe(words[0], list(words), {**os.environ, INSIDE: "1"})


def _make(needed: Sequence[Path]) -> None:
    _mount("--make-rprivate", "/")
    memory = _place_for_memory(needed)
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", str(memory))
    for name in _COPIED:
        upper, work = memory / f"upper{name}", memory / f"work{name}"
        upper.mkdir(parents=True)
        work.mkdir(parents=True)
        if name == "/etc":
            _copy_accounts(upper)
        _mount("-t", "overlay", "-o", f"lowerdir={name},upperdir={upper},workdir={work}", "overlay", name)
    _show_again({Path(name) for name in _EMPTIED if os.path.isdir(name)}, list(needed), memory)


def _place_for_memory(needed: Sequence[Path]) -> Path:
    """Return a folder that every Linux has, so that none has to be made, and in which nothing is needed."""
    for place in map(Path, _MEMORY):
        if place.is_dir() and not any(path.is_relative_to(place) for path in needed):
            return place
    raise SystemExit(
        f"a machine to throw away needs one of the folders {', '.join(_MEMORY)}, with nothing of the course"
    )


def _copy_accounts(etc: Path) -> None:
    """Make copies of the account files that are this user's, since those of the machine stay root's.

    If this user may not read the passwords, the copy has none.
    """
    for name in _ACCOUNTS:
        path, copy = Path("/etc", name), etc / name
        if os.access(path, os.R_OK):
            shutil.copy(path, copy)
        elif path.exists():
            names = [line.partition(":")[0] for line in Path("/etc", _WITHOUT[name]).read_text().splitlines()]
            copy.write_text("".join(f"{account}:*{':' * _FIELDS[name]}\n" for account in names))
        copy.with_name(f"{name}-").touch()  # the copy that commands make before they change it
    (etc / ".pwd.lock").touch()


def _show_again(emptied: set[Path], needed: list[Path], memory: Path) -> None:
    """Empty folders, and those that others may not enter on the way to a needed one; mount the needed ones in them."""
    emptied |= {closed for path in needed if (closed := closed_to_others(path)) is not None}
    emptied = {folder for folder in emptied if not any(other in folder.parents for other in emptied)}
    hidden = [path for path in needed if any(path.is_relative_to(folder) for folder in emptied)]
    for number, path in enumerate(hidden):
        aside = memory / str(number)
        aside.mkdir() if path.is_dir() else aside.touch()
        _mount("--rbind", str(path), str(aside))
    for folder in emptied:
        mode = "1777" if folder == Path("/tmp") else "755"
        _mount("-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", str(folder))
    for number, path in enumerate(hidden):
        if path.is_dir() or not path.exists():
            path.mkdir(parents=True, exist_ok=True)
        _mount("--rbind", str(memory / str(number)), str(path))


def _needed(shown: Iterable[str]) -> list[Path]:
    """Return the folders of this Python, its packages, this repository, and the hub's programs; and `shown`."""
    folders = {*shown, sys.prefix, sys.base_prefix, *filter(os.path.isdir, sys.path)}
    for name in _PROGRAMS:
        program = shutil.which(name)
        if program:
            folders |= {os.path.dirname(program), os.path.dirname(os.path.realpath(program))}
    folders |= {os.path.realpath(folder) for folder in folders}
    packages = {str(Path(folder).parent) for folder in folders if os.path.basename(folder) == ".bin"}  # node_modules
    found = sorted(Path(folder).absolute() for folder in folders | packages)
    return [path for path in found if not any(other != path and path.is_relative_to(other) for other in found)]


def _mount(*words: str) -> None:
    # --no-mtab: without it mount makes a folder in the machine's own /run.
    subprocess.run(["mount", "--no-mtab", *words], check=True)


if __name__ == "__main__":
    _, namespace, folders, *given = sys.argv
    main(namespace, [folder for folder in folders.split(os.pathsep) if folder], given)
