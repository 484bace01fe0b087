"""Validates a kernel's messages. A learner's process can send anything, because it has the key that signs messages.

`autograder.sandbox.kernel` reads its channels through this module, so that nbclient and the notebook only get
well-formed messages. Others are dropped and counted; `autograder.nbgrader_steps.execute` reports the number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session

_DEEPEST = 50  # dicts and lists within each other
_MOST_VALUES = 200_000  # lists and objects in one message, which take fifty times the memory of their JSON
_MOST_PARTS = 1000  # per message; a kernel's messages have seven, plus the buffers of displays
# Messages of well-behaved kernels that are not needed here: about widgets, the kernel's end, debuggers, subscriptions.
_NOT_NEEDED = ("comm_", "shutdown_", "debug_", "iopub_welcome")


class SoundChannel(AsyncZMQSocketChannel):
    """A channel that returns only well-formed messages that running cells needs.

    Attributes:
        left_out: the number of malformed messages so far.
    """

    left_out = 0
    _welcome = False

    def __init__(self, socket: zmq.asyncio.Socket, session: Session, loop: Any = None) -> None:
        super().__init__(socket, session, loop)
        self._now = zmq.Socket.shadow(socket.underlying)  # the same socket, without asyncio

    async def is_welcome(self, seconds: float) -> bool:
        """Return whether the kernel confirms this subscription within `seconds`. Kernels before ipykernel 7 do not.

        After the confirmation, no message is missed.
        """
        deadline = time.monotonic() + seconds
        with suppress(Empty):
            while not self._welcome:
                await super().get_msg(max(0.0, deadline - time.monotonic()))
        return self._welcome

    async def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        """Return the next well-formed message.

        Args:
            timeout: seconds to wait in total, even if other messages arrive.

        Raises:
            Empty: if there was none within `timeout`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            message = await super().get_msg(left)
            if message:
                return message
            if left == 0:
                raise Empty

    async def _recv(self, **kwargs: Any) -> dict[str, Any]:
        """Return the message that has arrived, {} if it is dropped."""
        parts = self._parts()
        if parts is None or sum(part.count(b"[") + part.count(b"{") for part in parts) > _MOST_VALUES:
            self.left_out += 1
            return {}
        try:
            _, parts = self.session.feed_identities(parts)
            message = self.session.deserialize(parts)
        except Exception:  # arbitrary bytes, or JSON of any depth
            self.left_out += 1
            return {}
        if is_sound(message):
            return message
        self._welcome |= message.get("msg_type") == "iopub_welcome"
        self.left_out += not str(message.get("msg_type")).startswith(_NOT_NEEDED)
        return {}

    def _parts(self) -> list[bytes] | None:
        """Return the parts of the message that has arrived, None if they are too many or too large together.

        ZeroMQ limits the size of a part, but not the number of parts.
        """
        most = int(self._now.getsockopt(zmq.MAXMSGSIZE))  # -1: any size
        parts: list[bytes] = []
        number = size = 0
        more = True
        while more:
            part = self._now.recv(zmq.NOBLOCK, copy=False)  # `get_msg` has waited, and all parts arrive together
            number, size, more = number + 1, size + len(part.buffer), part.more
            if number <= _MOST_PARTS and (most < 0 or size <= most):
                parts.append(part.bytes)
        return parts if len(parts) == number else None


def is_sound(message: Mapping[str, Any]) -> bool:
    """Return whether a message is needed for running cells and conforms to Jupyter's protocol."""
    content, kind = message.get("content"), message.get("msg_type")
    if not isinstance(message.get("parent_header"), dict) or not isinstance(content, dict):
        return False
    fields = _FIELDS.get(kind) if isinstance(kind, str) else None
    if fields is None:
        return False
    if kind == "execute_reply" and content.get("status") == "error":
        fields = {**fields, **_FIELDS["error"]}
    try:
        return (
            all(fits(content.get(name)) for name, fits in fields.items())
            and all(fits(content[name]) for name, fits in _OPTIONAL.items() if content.get(name) is not None)
            and all(_depth_is_at_most(part, _DEEPEST) for part in message.values())
            and _can_be_stored(content)
        )
    except RecursionError:
        return False


def _depth_is_at_most(value: Any, most: int) -> bool:
    """Return whether dicts and lists are nested at most `most` deep. Code that copies messages is recursive."""
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return most > 0 and all(_depth_is_at_most(item, most - 1) for item in inner)


def _can_be_stored(content: Mapping[str, Any]) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode()  # a ValueError: lone surrogates cannot be written to a file
    except (TypeError, ValueError):
        return False
    return True


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31  # valid execution counts of the notebook format


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _bundle(value: Any) -> bool:
    """Return whether `value` is a MIME bundle: text or lines by media type, or any JSON if the type ends in "json"."""
    return isinstance(value, dict) and all(
        isinstance(kind, str) and (isinstance(shown, str) or _texts(shown) or kind.endswith("json"))
        for kind, shown in value.items()
    )


def _transient(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("display_id", ""), (str, type(None)))


_DISPLAY: Mapping[str, Callable[[Any], bool]] = {"data": _bundle, "metadata": _is(dict)}
_FIELDS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "status": {"execution_state": _is(str)},
    "stream": {"name": lambda value: value in ("stdout", "stderr"), "text": _is(str)},
    "display_data": _DISPLAY,
    "update_display_data": _DISPLAY,
    "execute_result": {**_DISPLAY, "execution_count": _count},
    "error": {"ename": _is(str), "evalue": _is(str), "traceback": _texts},
    "clear_output": {"wait": _is(bool)},
    "execute_input": {"code": _is(str)},
    "execute_reply": {"status": _is(str)},
    "kernel_info_reply": {},
}
_OPTIONAL: Mapping[str, Callable[[Any], bool]] = {"execution_count": _count, "transient": _transient}
