"""The command that starts a Python module inside bubblewrap, seeing this Python and nothing else of this machine.

Called by `autograder.sandbox.warm_process` for the warm process and by `autograder.cli.doctor` for its probe. What is
inside: the system's programs and libraries, this Python and its packages, all read-only; a /tmp with nothing else in
it; no network, no other process, no environment variable of the grader's. Of this repository, `manyheads` and the few
modules that run inside.
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
from .inside.zygote import HOME, LETTERS, MATPLOTLIB, SCRATCH, SOCKETS

_SANDBOX = Path(__file__).parent
_AUTOGRADER = _SANDBOX.parent
NOBODY = 65534  # the user that root becomes
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/sys/devices/system/cpu")
_SETTINGS = ("alternatives", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime")  # of /etc
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_PLACES = ("/dev", "/proc", SCRATCH, SOCKETS, LETTERS)  # where something is mounted inside


def command(module: str, *arguments: str, hidden: Iterable[Path] = ()) -> list[str]:
    """Return the command that runs `python -m module` inside. File descriptors passed on are open in there.

    Args:
        hidden: folders that stay out of sight even where a folder shown holds them.

    Raises:
        Problem: if a program that it needs is not installed.
    """
    if Path(SCRATCH) in _binds():
        raise Problem(f"this Python lies in {SCRATCH} itself, with all that others have there; move it to a folder")
    program = shutil.which("bwrap")
    if program is None:
        raise Problem("there is no program bwrap; install it, for example: apt install bubblewrap")
    python = [sys.executable, "-P", "-m", module, *arguments]
    seal = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", *_environment()]
    # /dev/full can be read as /dev/zero can, and not be mapped: that would be memory that no limit counts.
    devices = ["--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero", "--remount-ro", "/dev"]
    over = [*devices, "--proc", "/proc", "--tmpfs", SCRATCH, *_shown(hidden, within=SCRATCH), *_font_list()]
    over += ["--remount-ro", "/", "--chdir", "/"]
    shown = _shown(hidden)
    if os.getuid() != 0:
        return [program, *seal, *shown, *over, "--", *python]
    # The warm process must not have root's rights, and nobody may not see a Python in root's home. So root lays out
    # what is shown, becomes nobody, and nobody goes through the same door as any other user.
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise Problem("there is no program setpriv, which root needs; install it, for example: apt install util-linux")
    outer = [program, "--die-with-parent", *shown, "--dev", "/dev", "--bind", "/proc", "/proc", "--"]
    nobody = [setpriv, "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--"]
    return [*outer, *nobody, program, *seal, "--ro-bind", "/", "/", *over, "--", *python]


def _environment() -> list[str]:
    """Return bubblewrap's words for the variables inside. No other variable is there."""
    variables = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": HOME,
        "USER": "learner",
        "LOGNAME": "learner",
        "TMPDIR": SCRATCH,
        "IPYTHONDIR": f"{HOME}/.ipython",
        "MPLCONFIGDIR": MATPLOTLIB,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # ipykernel sets it after the first picture is drawn
        # One thread: the warm process must have no other, and there are as many submissions at once as cores.
        **ONE_THREAD,
        "PYTHONDONTWRITEBYTECODE": "1",
        "TORCHDYNAMO_DISABLE": "1",  # torch.compile then runs code as it is written: there is no compiler to wait for
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(_AUTOGRADER.parent),
    }
    return [word for name, value in variables.items() for word in ("--setenv", name, value)]


@functools.lru_cache(maxsize=16)
def covered(hidden: frozenset[Path]) -> frozenset[Path]:
    """Return those of `hidden` that would be in sight because a folder shown holds them."""
    return frozenset(path for path in hidden if any(path.is_relative_to(shown) for shown in _binds()))


def _binds() -> set[Path]:
    """Return the files and folders of this machine that are shown."""
    system = {Path(path) for path in (*_SYSTEM, *(f"/etc/{name}" for name in _SETTINGS), *_python())}
    packages = {_AUTOGRADER / "__init__.py", _SANDBOX / "__init__.py", _SANDBOX / "inside"}
    return system | packages | {_font_list_file()}


def _shown(hidden: Iterable[Path], within: str = "/") -> list[str]:
    """Return bubblewrap's words for all that is shown below `within`, a folder before what lies in it."""
    # The learners' files hold the answers to what they see, and stand-ins: nothing that solves an exercise is in there.
    binds, masks = _binds(), covered(frozenset((*hidden, _manyheads() / "fixtures")))
    words: list[str] = []
    folders: set[Path] = set()
    places = {path for path in (*binds, *masks, *map(Path, _PLACES)) if Path(within) in path.parents}
    for path in sorted(places, key=lambda path: (len(path.parts), path)):
        for folder in (*reversed(path.parents[:-1]), path):
            inside_a_bind = any(folder != bind and folder.is_relative_to(bind) for bind in binds if bind.is_dir())
            is_folder = folder != path or str(path) in _PLACES
            if is_folder and folder not in folders and folder not in binds and not inside_a_bind:
                words += ["--perms", "0755", "--dir", str(folder)]  # by default nobody else could pass through it
                folders.add(folder)
        if path in masks:
            words += ["--tmpfs", str(path), "--remount-ro", str(path)]
        elif path.is_symlink() and path.parent == Path("/"):  # /lib -> usr/lib
            words += ["--symlink", os.readlink(path), str(path)]
        elif path in binds:
            words += ["--ro-bind-try", str(path), str(path)]
    return words


def _python() -> set[str]:
    """Return the folders that hold this Python, its packages, and `manyheads`."""
    folders = {sys.base_prefix, os.path.realpath(sys.base_prefix), sys.prefix, os.path.realpath(sys.prefix)}
    folders |= {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    folders |= {str(_manyheads())}
    return {folder for folder in folders if folder not in ("/", "/usr")}


def _manyheads() -> Path:
    """Return the folder of the course's package. Importing it would take seconds, and the warm process starts first."""
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
    """Return bubblewrap's words for matplotlib's list of fonts: without it, it looks at every font for seconds."""
    path = str(_font_list_file())
    return ["--perms", "0755", "--dir", MATPLOTLIB, "--ro-bind-try", path, f"{MATPLOTLIB}/{Path(path).name}"]
