"""Small things that a notebook of this course calls: the set-up line and `try_it`."""

from __future__ import annotations

import contextlib
import platform
import traceback
from collections.abc import Generator

import torch


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
        print(f"There is something to see here once {name} is written. Then run this cell again.")
    except Exception as error:
        print(f"This cell needs working exercises above it. For now it stops with {type(error).__name__}: {error}")
        print("Do they pass? Then a later cell has changed a name that is used here: run the cells above again.")
