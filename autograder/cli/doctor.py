"""`autograder doctor`: checks whether this machine can grade, and prints its resources and versions."""

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

from ..course.chapter import REPOSITORY_ROOT, chapter_names
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
    """Start a sealed kernel and run a cell in it that prints which installed versions slow it down.

    Call it only if no layer of the sandbox is missing.
    """
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

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
    except (Problem, OSError, RuntimeError, ValueError, CellExecutionError) as error:
        fix = f"install tested versions: pip install '{_wanted('ipykernel')}', or all of constraints.txt"
        return Layer(name, one_line(error), fix)
    finally:
        kernel.close()
    slower = output["text"].strip()
    return Layer(name, remark=f"slower than necessary, with ipykernel {_version('ipykernel')}: {slower}" * bool(slower))


def _wanted(package: str) -> str:
    """Return the requirement of this course for `package`, in pip's syntax."""
    asked = map(Requirement, importlib.metadata.requires("manyheads") or ())
    return next((f"{one.name}{one.specifier}" for one in asked if one.name == package), package)


def report(found: Sequence[Layer]) -> str:
    """Return what `autograder doctor` prints."""
    rows = [f"{'✗' if layer.missing else '✓'} {layer.name}{_why(layer)}" for layer in found]
    sealed = not any(layer.missing for layer in found)
    rows.append(
        "Submissions run in the sandbox." if sealed else "`autograder grade` refuses to run here without --no-sandbox."
    )
    rows += ["", *(f"  {row}" for row in _surroundings()), "", f"  {_python(sys.version_info[:2])}"]
    rows += [f"  {name} {_version(name)}" for name in _PACKAGES]
    return "\n".join(rows)


def _python(here: tuple[int, int]) -> str:
    """Describe this Python. If it is older than Colab's, learners there may use syntax that it cannot parse."""
    older = here < COLAB
    colab = ".".join(map(str, COLAB))
    return (
        f"Python {platform.python_version()}"
        + (
            f": Colab has {colab}, and notebooks that use newer syntax will be `needs review` here. "
            f"To grade them, use Python {colab} or newer."
        )
        * older
    )


def _surroundings() -> list[str]:
    """Return a row for each resource that is useful for grading, but not required."""
    from manyheads.models.checkpoint import PACKAGE

    chapters = len(chapter_names(REPOSITORY_ROOT / "solutions"))
    memory, disk = psutil.virtual_memory().available, shutil.disk_usage(tempfile.gettempdir()).free
    weights = importlib.util.find_spec(PACKAGE.replace("-", "_")) is not None
    return [
        f"GPU: {_gpu()} (submissions are graded on the CPU)",
        f"cores: {threads.cores()}; memory free: {memory / 2**30:.1f} GB; a worker process takes about 1 GB",
        f"temporary folder: {disk / 2**30:.1f} GB free",
        f"chapters in solutions/: {chapters}" + ("" if chapters else ": `autograder new-class` needs them"),
        "weights of MiniLM: "
        + ("installed" if weights else "not installed; chapter 6 uses a small random model instead"),
    ]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed: pip install 'manyheads[grading]'"


def _why(layer: Layer) -> str:
    if layer.remark:
        return f": {layer.remark}"
    return f": {layer.missing}" + (f"\n    To get it: {layer.fix}" if layer.fix else "") if layer.missing else ""


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
