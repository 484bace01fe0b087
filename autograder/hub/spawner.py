"""Starts a learner's server in the learner's own account of this machine, with limits.

`jupyterhub_config.py` names the class; JupyterHub makes one for each server.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner, SpawnException
from traitlets import Integer

from ..problems import Problem
from .accounts import require_ours


class LimitedSpawner(LocalProcessSpawner):
    """JupyterHub's LocalProcessSpawner, which has no limits of its own, with two of the operating system's.

    `mem_limit` holds for each process (a server, a kernel): allocating more raises MemoryError in it, and nobody else
    notices. `processes` holds for all processes and threads of an account together.
    """

    processes = Integer(256, min=0, help="Processes and threads of an account; 0: no limit.").tag(config=True)

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return the function that the new process calls before it becomes a server."""
        become: Any = super().make_preexec_fn(name)
        memory, processes = self.mem_limit, self.processes

        def prepare() -> None:
            if memory:
                resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
            if processes:
                resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.umask(0o077)
            become()

        return prepare

    async def start(self) -> Any:
        """Start the server, unless the account is somebody's whom the class list only shares a name with."""
        try:
            require_ours(self.user.name)
        except Problem as problem:
            raise SpawnException(str(problem), reason="account") from problem  # JupyterHub shows its text
        return await super().start()
