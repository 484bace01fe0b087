"""A kernel that runs as another user, for containers in which namespaces are not allowed.

`autograder.places.gradescope_run` uses it, as root, in a container with a single submission. It protects files that
only root can read, and root's processes, from learners' code; the network and the rest of the container stay
accessible.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from .inside import namespaces
from .kernel import OrdinaryKernel
from .limits import MB

LEARNER = 61234  # user and group id; an unused number without an entry in /etc/passwd
_KILL_SECONDS = 10


class OtherUserKernel(OrdinaryKernel):
    """A kernel process of another user, in a scratch folder owned by that user. Needs root.

    Args:
        user: the user and group id.
    """

    def __init__(self, user: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._user = user
        for folder in (self._scratch, self._mailbox_folder):
            for path in (folder, *folder.iterdir()):
                os.chown(path, user, user)

    async def _async_pre_start_kernel(self, **kwargs: Any) -> tuple[list[str], dict[str, Any]]:
        command, kwargs = await super()._async_pre_start_kernel(**kwargs)
        os.chown(self.connection_file, self._user, self._user)
        kwargs |= {"user": self._user, "group": self._user, "extra_groups": [], "preexec_fn": self._limit}
        kwargs["env"] |= {"USER": "learner", "LOGNAME": "learner"}
        return command, kwargs

    pre_start_kernel = _async_pre_start_kernel

    def _limit(self) -> None:
        """Set the resource limits. Runs in the new process, before Python starts."""
        limits = self.limits
        namespaces.set_limits(
            limits.cpu_seconds, limits.memory_mb * MB, limits.processes, limits.open_files, limits.file_mb * MB
        )
        os.umask(0o077)

    def close(self) -> None:
        """Kill all processes of the user, then delete the scratch folder."""
        deadline = time.monotonic() + _KILL_SECONDS
        while _runs_something(self._user) and time.monotonic() < deadline:
            # `kill -1` signals all processes of the user at once, so that none can start another meanwhile.
            subprocess.run(["/bin/sh", "-c", "kill -9 -1"], user=self._user, group=self._user, extra_groups=[], env={})
        super().close()


def _runs_something(user: int) -> bool:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_theirs = folder.stat().st_uid == user
            if is_theirs and "\nState:\tZ" not in (folder / "status").read_text():
                return True
        except OSError:  # the process has ended meanwhile
            continue
    return False
