"""What a sealed kernel needs of this machine: each layer of the sandbox is tried, rather than versions looked at.

Whether a kernel's namespaces work depends on the system's settings, and on the container that one may be in.
`autograder doctor` lists the layers, and nothing is graded where one is missing.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass

from ..problems import Problem
from . import bubblewrap
from .inside import namespaces, try_layers

_FIXES = {
    try_layers.NAMESPACES: "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0 or user.max_user_namespaces=10000; in a container, a seccomp "
    "profile that allows unshare and mount",
    try_layers.PROCESSES: "in a container, leave /proc unmasked (docker: --security-opt systempaths=unconfined)",
    try_layers.JOINING: "Linux 5.8 or newer; in a container, a seccomp profile that allows setns",
}
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
        command = bubblewrap.command("autograder.sandbox.inside.try_layers")
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
        return [Layer("bubblewrap", f"it cannot start a program: {why}", _FIXES[try_layers.NAMESPACES])]
    found = [Layer("bubblewrap")]
    for row in map(json.loads, done.stdout.splitlines()):
        found.append(Layer(row["layer"], row["refused"], _FIXES.get(row["layer"], "") if row["refused"] else ""))
    tried = {layer.name for layer in found}
    found += [Layer(name, "the try did not come back") for name in try_layers.LAYERS if name not in tried]
    return found


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
