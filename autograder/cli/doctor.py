"""`autograder doctor`: what this machine offers. And the grader's own question before it runs anything: can it seal?

It tries each layer of the sandbox rather than looking at versions: whether a kernel's namespaces work depends on the
system's settings, and on the container that one may be in.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import psutil
from packaging.requirements import Requirement

from manyheads import threads

from ..course.chapter import LESSON, REPOSITORY_ROOT
from ..problems import Problem, one_line
from ..realign.newer_python import COLAB
from ..sandbox import bubblewrap as sandbox
from ..sandbox.inside import namespaces
from ..sandbox.inside import try_layers as layers

_FIXES = {
    layers.NAMESPACES: "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0 or user.max_user_namespaces=10000; in a container, a seccomp "
    "profile that allows unshare and mount",
    layers.PROCESSES: "in a container, leave /proc unmasked (docker: --security-opt systempaths=unconfined)",
    layers.JOINING: "Linux 5.8 or newer; in a container, a seccomp profile that allows setns",
}
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


_TRY_SECONDS = 120


@dataclass(frozen=True)
class Layer:
    """One layer of the sandbox.

    Args:
        name: what it gives.
        missing: why it is not there, "" where it is.
        fix: what would give it.
        remark: what there is to know of it where it is there.
    """

    name: str
    missing: str = ""
    fix: str = ""
    remark: str = ""


def find_layers() -> list[Layer]:
    """Try every layer. What stands on a missing one is missing too, and not listed."""
    if sys.platform != "linux":
        return [Layer("Linux", f"this is {platform.system()}", "grade on Linux, or in a virtual machine with it")]
    if not namespaces.refuses_system_calls():
        return [Layer("a known processor", f"this is {platform.machine()}", "grade on x86-64 or ARM64")]
    try:
        command = sandbox.command("autograder.sandbox.inside.try_layers")
    except Problem as problem:
        return [Layer("bubblewrap", str(problem))]
    try:
        done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=_TRY_SECONDS)
    except subprocess.TimeoutExpired:
        return [Layer("bubblewrap", f"it did not end within {_TRY_SECONDS} s", "try again when this machine is idle")]
    except OSError as error:
        return [Layer("bubblewrap", f"it cannot be started: {error}")]
    if done.returncode != 0 and not done.stdout:
        why = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        return [Layer("bubblewrap", f"it cannot start a program: {why}", _FIXES[layers.NAMESPACES])]
    found = [Layer("bubblewrap")]
    for row in map(json.loads, done.stdout.splitlines()):
        found.append(Layer(row["layer"], row["refused"], _FIXES.get(row["layer"], "") if row["refused"] else ""))
    tried = {layer.name for layer in found}
    found += [Layer(name, "the try did not come back") for name in layers.LAYERS if name not in tried]
    return found


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


def require_sandbox() -> None:
    """Return if this machine can seal a kernel.

    Raises:
        Problem: if it cannot; it names the first layer missing, and what to do.
    """
    for layer in find_layers():
        if layer.missing:
            fix = f" To get it: {layer.fix}." if layer.fix else ""
            raise Problem(
                f"learners' code cannot be sealed off here: no {layer.name} ({layer.missing}).{fix} "
                "With --no-sandbox it runs with all your rights: only for files from people you trust."
            )


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
    from manyheads.checkpoint import PACKAGE

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
