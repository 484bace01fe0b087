"""nbgrader's `Execute` with our kernels under it: sandbox or not, limits, output that ends somewhere.

`autograder.nbgrader_steps.execute.Execute` is it with the judge on top. Nothing here knows of exercises or points.
"""

from __future__ import annotations

from collections.abc import Iterator
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


class EndedFromOutside(OSError):
    """A kernel is gone, and no submission's code can have done it."""


class RunCells(nbgrader.preprocessors.Execute):
    """Runs a notebook's cells in a kernel of its own."""

    sandbox = Bool(True, help="Run notebooks in a sandbox, and none where there is no sandbox.").tag(config=True)
    user = Integer(0, help="Without a sandbox, the number of the user that notebooks run as.").tag(config=True)
    limits = Dict(help="What a submission may use; see autograder/sandbox/limits.py.").tag(config=True)
    kernel_manager_class = Type(SubmissionKernel, klass=SubmissionKernel)

    kernel: SubmissionKernel  # of the notebook that runs
    late = False  # whether a cell ran longer than it may since somebody has set this to False
    odd_messages = 0  # how many came from the last kernel that no kernel sends

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(kernel_manager_class=SubmissionKernel, **kwargs)
        self.skip_cells_with_tag = ""  # a learner's tag must not keep a cell from running
        self.shutdown_kernel = "immediate"  # there is nothing in it to save
        self.store_widget_state = False  # nobody sees a widget of a submission
        self.record_timing = False
        # What a cell showed may take as long to come as the cell: nbclient's 4 s are short on a busy machine.
        self.iopub_timeout = max(self.iopub_timeout, self.timeout or 0)
        self._silent = False

    def hidden_folders(self) -> list[Path]:
        """Return folders that a notebook must not see, wherever they lie."""
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
        """Note a cell's number, too: nbclient takes it from a message that a sealed kernel does not send."""
        super().on_cell_executed(**executed)
        number = executed["execute_reply"]["content"].get("execution_count")
        if number is not None:
            executed["cell"].execution_count = number

    def why_it_ended(self) -> tuple[Outcome, str]:
        """Return the outcome and the reason of a submission whose kernel is gone.

        Raises:
            EndedFromOutside: if nothing in there ended it.
        """
        why = self.kernel.why_it_ended()
        if not why:
            raise EndedFromOutside("the sandbox that it ran in was ended from outside")
        return {
            OUT_OF_TIME: (Outcome.TIMEOUT, f"it ran longer than {self.kernel.limits.seconds:g} s in all"),
            OUT_OF_CPU: (Outcome.TIMEOUT, f"it computed longer than {self.kernel.limits.cpu_seconds:g} s in all"),
            OUT_OF_MEMORY: (Outcome.CRASHED, f"it used more than {self.kernel.limits.memory_mb} MB of memory"),
        }.get(why, (Outcome.CRASHED, "the notebook ended its own kernel"))

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> dict[str, Any] | None:
        """Note that a cell ran too long: what its outputs say of that is the learner's."""
        self.late = True
        return await super()._async_handle_timeout(timeout, cell)

    async def _async_poll_kernel_alive(self) -> None:
        """Notice at once that the kernel is gone: nbclient looks once a second."""
        await self.kernel.ended()
        if self.task_poll_for_reply is not None:
            self.task_poll_for_reply.cancel()

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take an output as nbclient does, as long as there is room."""
        if msg["msg_type"] in _OUTPUTS:
            if self._silent:
                return None
            before, most = self._shown, self.kernel.limits.output_mb * MB
            self._shown += len(str(msg["content"])) + sum(len(buffer) for buffer in msg["buffers"])
            if self._shown > most:
                if before <= most:
                    note = f"[what came after {self.kernel.limits.output_mb} MB of output was dropped]\n"
                    cell.outputs.append(new_output("stream", name="stdout", text=note))
                return None
        return super().process_message(msg, cell, cell_index)

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Take no outputs for a while, neither new ones nor changes of earlier ones."""
        self._silent = True
        try:
            yield
        finally:
            self._silent = False

    @contextmanager
    def followed_by(self, expression: str) -> Iterator[None]:
        """Have an expression evaluated after each cell that is run within the block and raises nothing."""
        client: Any = self.kc
        client.afterwards = expression
        try:
            yield
        finally:
            client.afterwards = ""

    def close_kernel(self) -> None:
        """Delete all that the notebook left. To be called in the end, however it went."""
        if hasattr(self, "kernel"):
            self.odd_messages = self.kernel.odd_messages()
            self.kernel.close()
            del self.kernel
