"""Prepares the machine each time the hub starts: the course's account, and who may read which folder.

The hub's `jupyterhub_config.py` calls `prepare`. Learners' accounts are made by `autograder.hub.class_list`.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ..problems import Problem

GROUP = "many-heads"  # the Unix group of all accounts that a hub may use
ADD_USER = [
    *("useradd", "--create-home", "--key", "HOME_MODE=0700", "--shell", "/bin/bash"),
    *("--user-group", "--groups", GROUP),
]
_OTHERS_SEARCH, _OTHERS_READ = stat.S_IXOTH, stat.S_IROTH
_SYSTEM_PROGRAMS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # the folders of useradd and the like
_PYTHON = "install the course for all accounts, for example in /opt/many-heads"


def prepare(root: Path, account: str) -> None:
    """Make the course's account if there is none, and give it the class folder and the exchange.

    If this machine cannot run the hub, end the process with one line that says why, before anything is changed.

    Args:
        root: the hub's folder. Whoever owns it has written it.
        account: the name of the course's account.
    """
    try:
        require_root()
        require_reach(root, "write a new hub in another folder, for example /srv/many-heads")
        require_python_in_reach()
        find_system_programs()
        make_group()
        if not _exists(account):
            subprocess.run([*ADD_USER, account], check=True)
        require_ours(account)
    except Problem as problem:
        sys.exit(f"autograder: {problem}")  # JupyterHub would show where in its own code it happened
    _give(root / "course", account, root.stat().st_uid)
    exchange = root / "exchange"
    exchange.mkdir(exist_ok=True)
    shutil.chown(exchange, account, account)  # not what is in it, which learners may have put there
    (root / "course").chmod(0o700)
    # Anyone may add to it, as nbgrader requires, but only an entry's owner may rename or delete it.
    exchange.chmod(0o1777)
    state = root / "state"
    state.mkdir(exist_ok=True)
    state.chmod(0o700)


def require_root() -> None:
    """Check that this process may start others in learners' accounts.

    Raises:
        Problem: if it may not.
    """
    if os.geteuid() != 0:
        raise Problem(
            "the hub must be started by root (sudo), since it starts each learner's processes in the learner's own "
            "account. For a look without root: make hub"
        )


def require_reach(path: Path, fix: str) -> None:
    """Check that others may enter all folders on the way to `path`.

    Args:
        fix: what to do if they may not.

    Raises:
        Problem: if they may not.
    """
    closed = closed_to_others(path)
    if closed:
        raise Problem(f"learners cannot reach {path}, because only its owner may enter {closed}: {fix}")


def require_python_in_reach() -> None:
    """Check that learners' accounts can start this Python.

    Raises:
        Problem: if they cannot.
    """
    for path in (Path(sys.executable), Path(os.path.realpath(sys.executable))):
        require_reach(path, _PYTHON)


def find_system_programs() -> None:
    """Let this process find useradd and the like: they are not in the PATH of ordinary users and of many services."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*folders, *_SYSTEM_PROGRAMS]))


def make_group() -> None:
    """Make the group of the hub's accounts, if there is none."""
    try:
        grp.getgrnam(GROUP)
    except KeyError:
        subprocess.run(["groupadd", GROUP], check=True)


def require_ours(account: str) -> None:
    """Check that the hub may use an account: it was made for a class, or root has added it to the group.

    Otherwise, whoever logs in first under the name of an account of this machine would get its files.

    Raises:
        Problem: if it may not.
    """
    if account not in grp.getgrnam(GROUP).gr_mem:
        raise Problem(
            f"the account {account!r} of this machine was not made by the hub. Use another name or, if it is the same "
            f"person's: usermod --append --groups {GROUP} {account}"
        )


def closed_to_others(path: Path) -> Path | None:
    """Return the first folder on the way to `path` that others may not enter, or None."""
    return next((folder for folder in _way_to(path) if not folder.stat().st_mode & _OTHERS_SEARCH), None)


def readable_by_others(path: Path) -> bool:
    """Return whether others may read the folder `path`."""
    return closed_to_others(path) is None and bool(path.stat().st_mode & _OTHERS_READ)


def _way_to(path: Path) -> Iterator[Path]:
    yield from reversed(path.absolute().parents)
    if path.is_dir():
        yield path


def _exists(account: str) -> bool:
    try:
        pwd.getpwnam(account)
    except KeyError:
        return False
    return True


def _give(folder: Path, account: str, writer: int) -> None:
    """Make `account` the owner of the folder and of what root has put there, for example by grading as root.

    A file with a second name is left alone: it may be a link to a file elsewhere.

    Args:
        writer: the user id of whoever wrote the folder, if that was not root. Files of theirs are given, too.
    """
    owner = pwd.getpwnam(account)
    for parent, folders, files in os.walk(folder):
        for path in (parent, *(os.path.join(parent, name) for name in (*folders, *files))):
            status = os.lstat(path)
            if status.st_uid in (0, writer) and (stat.S_ISDIR(status.st_mode) or status.st_nlink == 1):
                os.lchown(path, owner.pw_uid, owner.pw_gid)
