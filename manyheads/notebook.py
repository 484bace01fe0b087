"""Small things that a notebook of this course calls: the set-up line and `try_it`."""

from __future__ import annotations

import contextlib
import platform
import traceback
from collections.abc import Generator

import torch

from .source.reached import statements
from .source.scopes import global_binds

# How each line begins in which a demonstration says that it cannot be shown.
_NOT_WRITTEN, _NOT_WORKING, _NOT_DEFINED = "There is something to see here once", "This cell needs", "This cell uses"
NOTHING_SHOWN = (_NOT_WRITTEN, _NOT_WORKING, _NOT_DEFINED)


def setup() -> None:
    """Print what the notebook runs on and, without a GPU, how to get one."""
    from . import __version__

    print(f"manyheads {__version__} · torch {torch.__version__} · Python {platform.python_version()}")
    if torch.cuda.is_available():
        print(f"Running on {torch.cuda.get_device_name()}.")
    elif torch.backends.mps.is_available():
        print("Running on Apple's GPU (mps).")
    else:
        print("Running on the CPU. For a GPU on Colab: Runtime → Change runtime type → T4 GPU.")


@contextlib.contextmanager
def try_it() -> Generator[None]:
    """Run a demonstration that uses the learner's own code, without complaining about exercises that are not written.

    Any error inside becomes one line: a demonstration is not a check.
    """
    try:
        yield
    except NotImplementedError as error:
        frames = list(traceback.walk_tb(error.__traceback__))
        name = frames[-1][0].f_code.co_qualname.partition(".")[0]  # of a method, its class
        print(f"{_NOT_WRITTEN} {name} is written. Then run this cell again.")
    except Exception as error:
        if type(error) is NameError and (advice := _on_a_missing_name(error)):
            print(advice)
            return
        print(f"{_NOT_WORKING} working exercises above it. For now it stops with {type(error).__name__}: {error}")
        print("Do they pass? Then a later cell has changed a name that is used here: run the cells above again.")


def _on_a_missing_name(error: NameError) -> str:
    """Say what to do if a cell above has yet to make a name; "" where it may be a slip in the learner's own code.

    When all cells of a notebook are run and its exercises are not written, a demonstration that stops there leaves
    names undefined that the cells below it use.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)][1:]  # without try_it's own
    ran = frames[0].f_globals.get("In") if frames else None  # IPython's list of the cells that ran, this one the last
    sources = [source for source in ran[:-1] if isinstance(source, str)] if isinstance(ran, list) else []
    if any(error.name in global_binds(part.node) for source in sources for part in statements(source)):
        return f"{_NOT_WRITTEN} {error.name} is there: a cell above makes it. Then run this again."
    if frames and frames[-1].f_code.co_filename == frames[0].f_code.co_filename:
        return f"{_NOT_DEFINED} {error.name}, which is not defined. Have the cells above it been run?"
    return ""
