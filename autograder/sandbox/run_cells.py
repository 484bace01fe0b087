"""nbgrader's `Execute` with the kernels of this package: with or without sandbox, and with a limit on outputs.

`autograder.nbgrader_steps.execute.Execute` adds the judge. Nothing here depends on exercises or points.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbgrader.preprocessors
from nbformat import NotebookNode
from nbformat.v4 import new_output
from traitlets import Bool, Dict, Integer, Type

from ..outcomes import Outcome
from .inside.watch_limits import OUT_OF_CPU, OUT_OF_MEMORY, OUT_OF_TIME
from .kernel import OrdinaryKernel, SealedKernel, SubmissionKernel
from .limits import MB, Limits
from .other_user import OtherUserKernel

_OUTPUTS = {"stream", "display_data", "execute_result", "update_display_data", "error"}


_ENDED_ITSELF = "the notebook's code ended its kernel (exit(), os._exit or a crash in native code)"


class EndedFromOutside(OSError):
    """A kernel has ended, and the submission's code cannot be the cause."""


class RunCells(nbgrader.preprocessors.Execute):
    """Runs a notebook's cells in a new kernel."""

    sandbox = Bool(True, help="Run notebooks in the sandbox; without one, do not run them.").tag(config=True)
    user = Integer(0, help="Without the sandbox, the id of the user that runs notebooks.").tag(config=True)
    limits = Dict(help="Limits of a submission; see autograder/sandbox/limits.py.").tag(config=True)
    kernel_manager_class = Type(SubmissionKernel, klass=SubmissionKernel)

    kernel: SubmissionKernel  # the kernel of the running notebook
    late = False  # whether a cell has timed out; callers reset it
    odd_messages = 0  # the number of malformed messages from the last kernel

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(kernel_manager_class=SubmissionKernel, **kwargs)
        self.skip_cells_with_tag = ""  # a learner's tag must not prevent a cell from running
        self.shutdown_kernel = "immediate"  # it has nothing to save
        self.store_widget_state = False  # a submission's widgets are not shown
        self.record_timing = False
        # On a busy machine a cell's outputs may arrive later than nbclient's default of 4 s.
        self.iopub_timeout = max(self.iopub_timeout, self.timeout or 0)
        self._silent = False

    def hidden_folders(self) -> list[Path]:
        """Return folders that must not be visible to a notebook, even inside visible folders."""
        return []

    def create_kernel_manager(self) -> SubmissionKernel:
        """Make the kernel that nbclient then starts."""
        limits = Limits.of(self.limits)
        self._shown = 0  # bytes
        if self.sandbox:
            self.kernel = SealedKernel(hidden=self.hidden_folders(), limits=limits, config=self.config)
        elif self.user:
            self.kernel = OtherUserKernel(self.user, kernel_name="python3", limits=limits, config=self.config)
        else:
            self.kernel = OrdinaryKernel(kernel_name="python3", limits=limits, config=self.config)
        self.km = self.kernel
        return self.kernel

    def on_cell_executed(self, **executed: Any) -> None:
        """Set the cell's execution count: sealed kernels do not send the message from which nbclient reads it."""
        super().on_cell_executed(**executed)
        number = executed["execute_reply"]["content"].get("execution_count")
        if number is not None:
            executed["cell"].execution_count = number

    def why_it_ended(self) -> tuple[Outcome, str]:
        """Return the outcome and the reason of a submission whose kernel has ended.

        Raises:
            EndedFromOutside: if something outside the sandbox ended it.
        """
        why = self.kernel.why_it_ended()
        if not why:
            raise EndedFromOutside("its sandbox was killed from outside")
        return {
            OUT_OF_TIME: (Outcome.TIMEOUT, f"it ran longer than {self.kernel.limits.seconds:g} s in all"),
            OUT_OF_CPU: (Outcome.TIMEOUT, f"it computed longer than {self.kernel.limits.cpu_seconds:g} s in all"),
            OUT_OF_MEMORY: (Outcome.CRASHED, f"it used more than {self.kernel.limits.memory_mb} MB of memory"),
        }.get(why, (Outcome.CRASHED, _ENDED_ITSELF))

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> dict[str, Any] | None:
        """Record that a cell timed out. The outputs are not reliable for this, as learners' code writes them."""
        self.late = True
        return await super()._async_handle_timeout(timeout, cell)

    async def _async_poll_kernel_alive(self) -> None:
        """Notice immediately that the kernel has ended; nbclient itself polls once a second."""
        await self.kernel.ended()
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Process an output like nbclient, up to the limit on outputs."""
        if msg["msg_type"] in _OUTPUTS:
            if self._silent:
                return None
            before, most = self._shown, self.kernel.limits.output_mb * MB
            self._shown += len(str(msg["content"])) + sum(len(buffer) for buffer in msg["buffers"])
            if self._shown > most:
                if before <= most:
                    notice = f"[outputs after the first {self.kernel.limits.output_mb} MB were dropped]\n"
                    cell.outputs.append(new_output("stream", name="stdout", text=notice))
                return None
        return super().process_message(msg, cell, cell_index)

    @contextmanager
    def silence(self) -> Generator[None]:
        """Ignore all outputs within the block, including updates of earlier ones."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    @contextmanager
    def followed_by(self, expression: str) -> Generator[None]:
        """Evaluate an expression after each cell that runs in the block without raising an exception."""
        client: Any = self.kc
        client.afterwards = expression
        try:
            yield
        finally:
            client.afterwards = ""

    def close_kernel(self) -> None:
        """Close the kernel, if there is one, and delete all files of the notebook. Call it after each run."""
        if hasattr(self, "kernel"):
            self.odd_messages = self.kernel.odd_messages()
            self.kernel.close()
            del self.kernel
