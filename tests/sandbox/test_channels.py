"""Which of a kernel's messages are accepted: all that kernels send, and no other."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import zmq
import zmq.asyncio
from jupyter_client.session import Session

from autograder.sandbox.channels import SoundChannel, is_sound
from autograder.sandbox.limits import MB


def message(kind: Any, content: Any, parent: Any = None) -> dict[str, Any]:
    return {"msg_type": kind, "content": content, "parent_header": {} if parent is None else parent}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("status", {"execution_state": "idle"}),
        ("stream", {"name": "stderr", "text": "words"}),
        ("display_data", {"data": {"text/plain": "x", "application/json": {"a": 1}}, "metadata": {}, "transient": {}}),
        ("display_data", {"data": {"text/html": ["<p>", "</p>"]}, "metadata": {}, "transient": {"display_id": "d"}}),
        ("execute_result", {"data": {"text/plain": "x"}, "metadata": {}, "execution_count": 3}),
        ("error", {"ename": "E", "evalue": "", "traceback": ["a"]}),
        ("clear_output", {"wait": True}),
        ("execute_input", {"code": "1", "execution_count": 1}),
        ("execute_reply", {"status": "ok", "execution_count": 1, "payload": []}),
        ("execute_reply", {"status": "error", "ename": "E", "evalue": "", "traceback": []}),
        ("kernel_info_reply", {"status": "ok", "language_info": {}}),
    ],
)
def test_what_kernels_send_is_taken(kind: str, content: object) -> None:
    assert is_sound(message(kind, content))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("status", {}),
        ("stream", {"name": "stdin", "text": "x"}),
        ("stream", {"name": "stdout", "text": "half a character \ud800"}),
        ("stream", {"name": "stdout", "text": "x", "execution_count": "1"}),
        ("display_data", {"data": {"text/plain": 5}, "metadata": {}}),
        ("display_data", {"data": {"text/plain": "x"}, "metadata": None}),
        ("display_data", {"data": {"text/plain": "x"}, "metadata": {}, "transient": {"display_id": []}}),
        ("error", {"ename": "E", "evalue": "", "traceback": "text"}),
        ("execute_reply", {"status": "error"}),
        ("execute_reply", {"status": 5}),
        ("comm_open", {"comm_id": "x", "target_name": "jupyter.widget", "data": {}}),
        ("unknown", {}),
        (["status"], {"execution_state": "idle"}),
        ("status", "idle"),
    ],
)
def test_messages_that_no_kernel_sends_are_left_out(kind: object, content: object) -> None:
    assert not is_sound(message(kind, content))


def test_a_message_that_answers_nothing_is_left_out() -> None:
    assert not is_sound(message("status", {"execution_state": "idle"}, parent="text"))


async def _arriving(send: Callable[[zmq.Socket[bytes], Session], None]) -> tuple[list[dict[str, Any]], int]:
    """Return the messages that a channel gives of what `send` sends to it, and how many it left out."""
    session, context = Session(key=b"key"), zmq.Context()
    theirs, ours = context.socket(zmq.PAIR), zmq.asyncio.Context(context).socket(zmq.PAIR)
    ours.setsockopt(zmq.MAXMSGSIZE, MB)
    with theirs, ours:
        theirs.bind("inproc://channel")
        ours.connect("inproc://channel")
        send(theirs, session)
        session.send(
            theirs, "stream", {"name": "stdout", "text": "the last"}, parent=session.msg_header("execute_request")
        )
        channel, taken = SoundChannel(ours, Session(key=b"key"), None), []
        while not taken or taken[-1]["content"].get("text") != "the last":
            taken.append(await channel.get_msg(timeout=60))
    context.term()
    return taken, channel.left_out


@pytest.mark.parametrize(("parts", "size"), [(2, 600 * 1024), (1100, 1), (100, 512 * 1024)])
def test_a_message_of_parts_that_are_many_or_large_together_is_left_out(parts: int, size: int) -> None:
    def send(line: zmq.Socket[bytes], session: Session) -> None:
        content = {"data": {"text/plain": "x"}, "metadata": {}}
        part = bytes(size)
        session.send(
            line,
            "display_data",
            content,
            parent=session.msg_header("execute_request"),
            buffers=[part for _ in range(parts)],
        )

    tracemalloc.start()
    try:
        taken, left_out = asyncio.run(_arriving(send))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(taken), left_out) == (1, 1)
    assert most < 4 * MB, "what is too much is not gathered"


def test_a_message_with_some_parts_is_whole() -> None:
    def send(line: zmq.Socket[bytes], session: Session) -> None:
        content = {"data": {"text/plain": "x"}, "metadata": {}}
        session.send(line, "display_data", content, parent=session.msg_header("execute_request"), buffers=[b"1", b"2"])

    [first, _], left_out = asyncio.run(_arriving(send))
    assert [bytes(part) for part in first["buffers"]] == [b"1", b"2"]
    assert not left_out
