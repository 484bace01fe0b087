"""Which messages of a kernel's are taken: all that kernels send, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.messages import is_sound


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
def test_what_no_kernel_sends_and_nobody_needs_is_left_out(kind: object, content: object) -> None:
    assert not is_sound(message(kind, content))


def test_a_message_that_answers_nothing_is_left_out() -> None:
    assert not is_sound(message("status", {"execution_state": "idle"}, parent="text"))
