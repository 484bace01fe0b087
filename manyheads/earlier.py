"""What earlier chapters built: `from manyheads.earlier import attention, SingleHeadAttention`.

A chapter imports from here what it builds on. Learners get their own code if it once passed its checks on this machine
(`keep` saved it then) and still does. All others, the judge included, get the course's stand-in, which computes the
same.
"""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
from collections.abc import Generator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from .calling import probe, wire
from .calling.forbidden_calls import compiled, is_the_courses
from .calling.frames import LEARNERS_OWN
from .calling.sealed import unsealed
from .checking import diagnosis
from .checking.exam_files import all_exams
from .whole_file import whole_file

# What the chapters' first cells import: a saved exercise may rely on it.
_PRELUDE = """
import math
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
"""
_given: Mapping[str, str] | None = None


def kept_in() -> Path:
    """Return the folder with the learner's own exercises: `$MANYHEADS_HOME`, or `~/.manyheads`."""
    return Path(os.environ.get("MANYHEADS_HOME") or Path.home() / ".manyheads")


def keep(exercise: str, source: str) -> None:
    """Save the source of an exercise that passed its checks, for later chapters.

    If the folder is not writable, nothing is saved, and later chapters use the course's stand-in.
    """
    if not source:
        return
    # A read-only home must not fail a check that has passed.
    with contextlib.suppress(OSError), whole_file(kept_in() / f"{exercise}.py") as beside:
        beside.write_text(source, encoding="utf-8")


def keeps() -> bool:
    """Return whether the folder with the learner's own exercises can be written, or made."""
    place = kept_in()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place.is_dir() and os.access(place, os.W_OK)


def kept_source(exercise: str) -> str | None:
    """Return the saved source of `exercise`, None if there is none that can be read."""
    try:
        return (kept_in() / f"{exercise}.py").read_text(encoding="utf-8")
    except (OSError, UnicodeError):
        return None


@contextlib.contextmanager
def given(sources: Mapping[str, str]) -> Generator[None]:
    """Within the block, resolve names only from `sources`.

    The grader reads chapters inside this: what it computes depends neither on this machine's fixtures nor on saved
    code.

    Args:
        sources: the stand-ins' sources by exercise, sealed or not.
    """
    global _given
    before, _given = _given, sources
    try:
        yield
    finally:
        _given = before


def grant(request: str) -> None:
    """From now on, resolve names only from the file `request`, which holds earlier chapters' stand-ins.

    The grader calls it in a kernel before anything else runs there.
    """
    global _given
    _given, _ = wire.load(Path(request))


def whose(*exercises: str) -> None:
    """Print which of `exercises` are the learner's own code and which are the course's."""
    own = [name for name in exercises if _own(name) is not None]
    others = [name for name in exercises if name not in own]
    if own:
        _say(f"Your own, as you wrote it: {', '.join(own)}.")
    stale = [name for name in others if kept_source(name) is not None]
    missing = [name for name in others if name not in stale]
    if stale:
        _say(
            f"The course's, since yours, as it was kept when it passed, does not work by itself: {', '.join(stale)}. "
            "Running its check again keeps it anew."
        )
    if missing:
        _say(f"The course's, since none of yours has been kept on this machine: {', '.join(missing)}.")


def _say(sentence: str) -> None:
    """Print `sentence` in lines that fit a narrow window, where JupyterLab would break them within a name."""
    print(textwrap.fill(sentence, 72, break_long_words=False, break_on_hyphens=False))


def __getattr__(name: str) -> Any:
    """Return the exercise `name`: the learner's own if it is saved and right, else the course's stand-in."""
    own = None if _given is not None else _own(name)
    if own is not None:
        return own
    source = (_stand_ins() if _given is None else _given).get(name)
    if source is None:
        raise AttributeError(f"no earlier chapter has an exercise {name}")
    return _stand_in(name, source)


def _module(name: str) -> dict[str, Any]:
    """Return the names of a new module that can be imported: torch.compile looks up there what a function uses.

    It must not be a submodule of this one: `from manyheads.earlier import x` would find `manyheads.earlier.x`.
    """
    sys.modules[name] = ModuleType(name)
    return vars(sys.modules[name])


def _stand_in(name: str, source: str) -> Any:
    """Run `source`, sealed or not, in a module of its own, and return what it defines as `name`."""
    scope = _module(f"manyheads.stand_in_for_{name}")
    code = compiled(unsealed(source), f"<stand-in for {name}>")
    is_the_courses(name, code)
    exec(code, scope)
    return scope[name]


def _stand_ins() -> dict[str, str]:
    return {name: exam.stand_in for name, exam in all_exams().items() if exam.stand_in}


def _own(name: str) -> Any:
    """Return the learner's own exercise, None if it is not saved, does not load or is not right any more."""
    path, exams = kept_in() / f"{name}.py", all_exams()
    if name not in exams or not path.is_file():
        return None
    with given(_stand_ins()):  # so that stand-ins and probes import stand-ins from here, not the learner's code
        try:
            scope = _kept_scope(name)
            answers = [probe.run(scope[name], trial.call, exams[name].probe) for trial in exams[name].trials]
        except Exception:  # anything can be wrong in a learner's file; the stand-in works
            return None
    return None if diagnosis.fails(exams[name], answers) else scope[name]


def _kept_scope(name: str) -> dict[str, Any]:
    """Return the names that the saved exercise `name` finds: stand-ins, and the saved exercises before it.

    Each has a module of its own, since two may have different helpers of the same name.
    """
    known: dict[str, Any] = {}
    exec(_PRELUDE, known)
    for other, source in _stand_ins().items():
        if other != name:
            known[other] = _stand_in(other, source)
    for other in all_exams():
        source = kept_source(other)
        if source is None:
            continue
        scope = _module(f"{LEARNERS_OWN}{other}")
        scope.update({key: value for key, value in known.items() if not key.startswith("__")})
        file = f"{kept_in() / other}.py"
        # another exercise may fail for its own reasons, such as a missing import of its chapter
        with contextlib.nullcontext() if other == name else contextlib.suppress(Exception):
            exec(compile(source, file, "exec"), scope)
            known[other] = scope[other]
        if other == name:
            return scope
    raise LookupError(name)
