"""Limits on connections, below HTTP: nobody can hold them open without a request, nor take all of them.

`serve` gives the class to uvicorn, whose own limits begin with a request.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

SLOWEST_HEAD = 10.0  # seconds from the first byte that may come to the end of a request's head
MOST_FROM_ONE = 200  # connections of one address at once
_THIS_MACHINE = ("127.0.0.1", "::1")  # where a proxy is, or a hub: all of a class at one address

_open: Counter[str] = Counter()


class Connection(H11Protocol):
    """One connection: closed if its request does not come, or its address has too many."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the connection, and wait for its first request."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        _open[self._address] += 1
        if _open[self._address] > MOST_FROM_ONE and self._address not in _THIS_MACHINE:
            transport.abort()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_waiting()
        _open[self._address] -= 1
        if not _open[self._address]:
            del _open[self._address]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came. Between two requests the first byte ends uvicorn's own wait, and begins this one."""
        self._wait_for_head()
        super().data_received(data)
        if self._at_work():
            self._stop_waiting()

    def _at_work(self) -> bool:
        """Return whether a request is being answered, which has time limits of its own."""
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _wait_for_head(self) -> None:
        if self._due is None and not self._at_work():
            self._due = self.loop.call_later(SLOWEST_HEAD, self._give_up)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
        self._due = None
        if not self._at_work() and not self.transport.is_closing():
            self.transport.close()
