"""Checks whether the sandbox works on this machine, by trying each of its layers.

Versions are not enough: whether namespaces work depends on the system's settings and on the container, if there is one.
`autograder doctor` lists the layers, and `autograder grade` refuses to run if one is missing.
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
        name: what it provides.
        missing: why it is missing, "" if it works.
        fix: how to make it available.
        remark: a remark about a working layer, or "".
    """

    name: str
    missing: str = ""
    fix: str = ""
    remark: str = ""


def find_layers() -> list[Layer]:
    """Try every layer. Layers that depend on a missing one may not be listed."""
    if sys.platform != "linux":
        return [Layer("Linux", f"this is {platform.system()}", "grade on Linux, or in a Linux virtual machine")]
    if not namespaces.refuses_system_calls():
        return [Layer("a supported processor", f"this is {platform.machine()}", "grade on x86-64 or ARM64")]
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
    found += [Layer(name, "the test of this layer gave no result") for name in try_layers.LAYERS if name not in tried]
    return found


def require_sandbox() -> None:
    """Check that the sandbox works on this machine.

    Raises:
        Problem: if it does not. It names the first missing layer, and what to do.
    """
    for layer in find_layers():
        if layer.missing:
            fix = f" To get it: {layer.fix}." if layer.fix else ""
            raise Problem(
                f"the sandbox does not work here: no {layer.name} ({layer.missing}).{fix} "
                "With --no-sandbox, learners' code runs with all your permissions: use it only for files "
                "from people you trust."
            )
