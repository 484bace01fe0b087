"""Builds the command that starts a Python module inside bubblewrap.

Called by `autograder.sandbox.warm_process` for the warm process and by `autograder.sandbox.requirements` for its probe.
The sandbox has, read-only, the system's programs and libraries and this Python with its packages; an empty /tmp; no
network, no other process, no environment variable of the grader. Of this repository it has `manyheads` and
`autograder.sandbox.inside`.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from ..problems import Problem
from .inside.zygote import HOME, MAILBOX, MATPLOTLIB, SCRATCH, SOCKETS

_SANDBOX = Path(__file__).parent
_AUTOGRADER = _SANDBOX.parent
NOBODY = 65534  # the user to which root changes
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/devices/system/cpu")
_SETTINGS = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")  # of /etc
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_MOUNT_POINTS = ("/dev", "/proc", SCRATCH, SOCKETS, MAILBOX)  # inside the sandbox


def command(module: str, *arguments: str, hidden: Iterable[Path] = ()) -> list[str]:
    """Return the command that runs `python -m module` inside the sandbox. Inherited file descriptors stay open.

    Args:
        hidden: folders that are hidden even if they are inside a visible folder.

    Raises:
        Problem: if a required program is not installed, or Python is installed in the scratch folder.
    """
    if Path(SCRATCH) in _binds():
        raise Problem(f"this Python is installed directly in {SCRATCH}, beside others' files; move it to a folder")
    program = shutil.which("bwrap")
    if program is None:
        raise Problem("the program bwrap is not installed; install it, for example: apt install bubblewrap")
    python = [sys.executable, "-P", "-m", module, *arguments]
    seal = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", *_environment()]
    # /dev/full replaces /dev/zero: it reads the same, but cannot be mapped. Mapped pages would count in no limit.
    devices = ["--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero", "--remount-ro", "/dev"]
    over = [*devices, "--proc", "/proc", "--tmpfs", SCRATCH, *_shown(hidden, within=SCRATCH), *_font_list()]
    over += ["--remount-ro", "/", "--chdir", "/"]
    shown = _shown(hidden)
    if os.getuid() != 0:
        return [program, *seal, *shown, *over, "--", *python]
    # The warm process must not run as root, but the user `nobody` could not read a Python in root's home. So root
    # mounts the visible files, changes to `nobody`, and the user `nobody` then starts bubblewrap like any other user.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Problem("root needs the program setpriv, which is not installed, for example: apt install util-linux")
    outer = [program, "--die-with-parent", *shown, "--dev", "/dev", "--bind", "/proc", "/proc", "--"]
    nobody = [setpriv, "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--"]
    return [*outer, *nobody, program, *seal, "--ro-bind", "/", "/", *over, "--", *python]


def _environment() -> list[str]:
    """Return bubblewrap's options for the environment variables, which are the only ones inside."""
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": HOME,
        "USER": "learner",
        "LOGNAME": "learner",
        "TMPDIR": SCRATCH,
        "IPYTHONDIR": f"{HOME}/.ipython",
        "MPLCONFIGDIR": MATPLOTLIB,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # ipykernel sets it only after the first figure
        # The warm process must have one thread, and at least as many submissions as cores run at once.
        **ONE_THREAD,
        "PYTHONDONTWRITEBYTECODE": "1",
        "TORCHDYNAMO_DISABLE": "1",  # torch.compile then runs code eagerly: the sandbox has no compiler
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(_AUTOGRADER.parent),
    }
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


@functools.lru_cache(maxsize=16)
def covered(hidden: frozenset[Path]) -> frozenset[Path]:
    """Return the folders in `hidden` that would be visible because they are inside a visible folder."""
    return frozenset(path for path in hidden if any(path.is_relative_to(shown) for shown in _binds()))


def _binds() -> set[Path]:
    """Return the files and folders of this machine that are visible inside."""
    system = {Path(path) for path in (*_SYSTEM, *(f"/etc/{name}" for name in _SETTINGS), *_python())}
    packages = {_AUTOGRADER / "__init__.py", _SANDBOX / "__init__.py", _SANDBOX / "inside"}
    return system | packages | {_font_list_file()}


def _shown(hidden: Iterable[Path], within: str = "/") -> list[str]:
    """Return bubblewrap's options for all visible files below `within`; folders come before their contents."""
    # The learners' fixtures contain the answers to the visible cases, and stand-ins, so they are hidden.
    binds, masks = _binds(), covered(frozenset((*hidden, _manyheads() / "fixtures")))
    words: list[str] = []
    folders: set[Path] = set()
    places = {path for path in (*binds, *masks, *map(Path, _MOUNT_POINTS)) if Path(within) in path.parents}
    for path in sorted(places, key=lambda path: (len(path.parts), path)):
        for folder in (*reversed(path.parents[:-1]), path):
            inside_a_bind = any(folder != bind and folder.is_relative_to(bind) for bind in binds if bind.is_dir())
            is_folder = folder != path or str(path) in _MOUNT_POINTS
            if is_folder and folder not in folders and folder not in binds and not inside_a_bind:
                words += ["--perms", "0755", "--dir", str(folder)]  # by default, other users could not access it
                folders.add(folder)
        if path in masks:
            words += ["--tmpfs", str(path), "--remount-ro", str(path)]
        elif path.is_symlink() and path.parent == Path("/"):  # /lib -> usr/lib
            words += ["--symlink", os.readlink(path), str(path)]
        elif path in binds:
            words += ["--ro-bind-try", str(path), str(path)]
    return words


def _python() -> set[str]:
    """Return the folders of this Python, its packages, and `manyheads`."""
    folders = {sys.base_prefix, os.path.realpath(sys.base_prefix), sys.prefix, os.path.realpath(sys.prefix)}
    folders |= {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    folders |= {str(_manyheads())}
    return {folder for folder in folders if folder not in ("/", "/usr")}


def _manyheads() -> Path:
    """Return the folder of `manyheads` without importing it, which would delay the warm process for seconds."""
    spec = importlib.util.find_spec("manyheads")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).absolute().parent


@functools.cache
def _font_list_file() -> Path:
    import matplotlib
    from matplotlib.font_manager import FontManager

    return Path(matplotlib.get_cachedir(), f"fontlist-v{FontManager.__version__}.json")


def _font_list() -> list[str]:
    """Return bubblewrap's options for matplotlib's font list, which would take seconds to build."""
    path = str(_font_list_file())
    return ["--perms", "0755", "--dir", MATPLOTLIB, "--ro-bind-try", path, f"{MATPLOTLIB}/{Path(path).name}"]
