"""`autograder doctor`: what this machine offers."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence

import psutil
from packaging.requirements import Requirement

from manyheads import threads

from ..course.chapter import LESSON, REPOSITORY_ROOT
from ..problems import Problem, one_line
from ..realign.newer_python import COLAB
from ..sandbox.requirements import Layer

_PACKAGES = (
    "torch",
    "nbgrader",
    "nbclient",
    "jupyter_client",
    "ipykernel",
    "ipywidgets",
    "matplotlib",
    "safetensors",
    "distributed",
)


def find_kernel() -> Layer:
    """Start a sealed kernel and run a cell in it, which says what of these versions makes it slower than it could be.

    All layers must be there.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    from ..sandbox.kernel import SealedKernel
    from ..sandbox.limits import Limits

    name = "a sealed kernel"
    cell = nbformat.v4.new_code_cell(
        "from autograder.sandbox.inside.half_kernel import SLOWER\nprint(*SLOWER, sep='; ')"
    )
    kernel = SealedKernel(limits=Limits())
    client = NotebookClient(nbformat.v4.new_notebook(cells=[cell]), km=kernel, timeout=60, shutdown_kernel="immediate")
    try:
        client.execute(cleanup_kc=True)
        [output] = cell.outputs
    except (Problem, OSError, RuntimeError, ValueError, CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        fix = f"use versions that were tried: pip install '{_wanted('ipykernel')}', or all of constraints.txt"
        return Layer(name, one_line(error), fix)
    finally:
        kernel.close()
    slower = output["text"].strip()
    return Layer(
        name, remark=f"slower than it could be, with ipykernel {_version('ipykernel')}: {slower}" * bool(slower)
    )


def _wanted(package: str) -> str:
    """Return the range of versions that this course asks for, as pip takes it."""
    asked = map(Requirement, importlib.metadata.requires("manyheads") or ())
    return next((f"{one.name}{one.specifier}" for one in asked if one.name == package), package)


def report(found: Sequence[Layer]) -> str:
    """Return what `autograder doctor` prints."""
    rows = [f"{'✗' if layer.missing else '✓'} {layer.name}{_why(layer)}" for layer in found]
    sealed = not any(layer.missing for layer in found)
    rows.append("Submissions are sealed off." if sealed else "`autograder grade` refuses here, unless --no-sandbox.")
    rows += ["", *(f"  {row}" for row in _surroundings()), "", f"  {_python(sys.version_info[:2])}"]
    rows += [f"  {name} {_version(name)}" for name in _PACKAGES]
    return "\n".join(rows)


def _python(here: tuple[int, int]) -> str:
    """Return what to say of this Python. A learner on Colab may write what an older one cannot read."""
    older = here < COLAB
    colab = ".".join(map(str, COLAB))
    return (
        f"Python {platform.python_version()}"
        + (
            f": Colab has {colab}, and what is written in newer syntax will be `needs review` here. "
            f"To grade it: use Python {colab} or newer."
        )
        * older
    )


def _surroundings() -> list[str]:
    """Return what grading would like to find here, a row each; nothing of it is a must."""
    from manyheads.models.checkpoint import PACKAGE

    chapters = len(list((REPOSITORY_ROOT / "solutions").glob(f"*/{LESSON}")))
    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(tempfile.gettempdir()).free
    weights = importlib.util.find_spec(PACKAGE.replace("-", "_")) is not None
    return [
        f"GPU: {_gpu()} (submissions are graded on the CPU)",
        f"cores: {threads.cores()}; memory free: {memory / 2**30:.1f} GB; a worker process takes about 1 GB",
        f"temporary folder: {disk / 2**30:.1f} GB free",
        f"chapters in solutions/: {chapters}" + ("" if chapters else ": `autograder new-class` needs them"),
        "weights of MiniLM: " + ("here" if weights else "not here; chapter 6 shows a small random model instead"),
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "is missing: pip install 'manyheads[grading]'"


def _why(layer: Layer) -> str:
    if layer.remark:
        return f": {layer.remark}"
    return f": {layer.missing}" + (f"\n    To get it: {layer.fix}" if layer.fix else "") if layer.missing else ""


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
