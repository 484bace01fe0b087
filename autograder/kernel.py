"""Starts the kernel that one submission runs in. The one place that decides what a learner's process is given.

For now it is an ordinary process on this machine in a scratch folder, with a short list of environment variables;
a warm, sealed one takes its place here.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

import matplotlib
from jupyter_client.manager import AsyncKernelManager
from traitlets import Unicode

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT", "TMPDIR")


class SubmissionKernel(AsyncKernelManager):
    """A kernel for one submission, started in a scratch folder that it may fill and that is deleted after it."""

    transport = Unicode("ipc")  # sockets in the file system: no port that anybody else could open

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        # Both sides must find the sockets, and they run in different folders: a full path.
        self.connection_file = os.path.join(kwargs["cwd"], "kernel.json")
        self.ip = os.path.join(kwargs["cwd"], "kernel")
        kwargs["env"] = _environment(kwargs["cwd"])
        kwargs["stdout"] = kwargs["stderr"] = subprocess.DEVNULL  # what it prints beside its cells is nobody's
        return await super()._async_pre_start_kernel(**kwargs)

    # jupyter_client binds this name to the base class's coroutine
    pre_start_kernel = _async_pre_start_kernel


def _environment(scratch: str) -> dict[str, str]:
    """Return the variables of the learner's process: what it needs to run, nothing of the grader's."""
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {
        **passed_on,
        "HOME": scratch,
        "IPYTHONDIR": os.path.join(scratch, ".ipython"),
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # a font list made once, not once a submission
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }
