"""Attacks through the kernel's message channel. Its process holds the key that signs messages, so it can send any."""

from __future__ import annotations

from .attack import WRONG, Attack

_SEND = """
import time
kernel = get_ipython().kernel
session, iopub = kernel.session, kernel.iopub_socket
def send(kind, content, parent=None, metadata=None, buffers=()):
    # by default as an answer to the cell that runs
    session.send(iopub, kind, content, parent=parent or kernel.get_parent("shell"), metadata=metadata or {},
                 buffers=list(buffers), ident=b"forged")
"""

# Well-formed messages with contents that no kernel sends, each of which nbclient or nbformat would stumble over.
_ODD = [
    ("status", {}),
    ("status", {"execution_state": 7}),
    ("stream", {"name": "stdout"}),
    ("stream", {"name": 5, "text": {"a": 1}}),
    ("stream", {"name": "stdout", "text": "ok", "execution_count": {"x": []}}),
    ("display_data", {"data": "text", "metadata": 5}),
    ("display_data", {"data": {"text/plain": 5, "image/png": {"a": 1}}, "metadata": {}}),
    ("display_data", {"data": {"text/plain": "x"}, "metadata": {}, "transient": "text"}),
    ("display_data", {"data": {"text/plain": "x"}, "metadata": {}, "transient": {"display_id": [1]}}),
    ("execute_result", {"data": {"text/plain": "x"}, "metadata": {}, "execution_count": "one"}),
    ("execute_result", {"data": None}),
    ("execute_result", {"data": {"text/plain": "x"}, "metadata": {}}),
    ("execute_result", {"data": {"text/plain": "x"}, "metadata": {}, "execution_count": -1}),
    ("execute_result", {"data": {"text/plain": "x"}, "metadata": {}, "execution_count": 10**30}),
    ("error", {"ename": 1, "evalue": None, "traceback": "text"}),
    ("error", {}),
    ("clear_output", {"wait": []}),
    ("comm_open", {}),
    ("comm_open", {"comm_id": [], "target_name": "jupyter.widget", "data": {"state": 3}}),
    ("comm_msg", {"data": {"state": 5}, "comm_id": {}}),
    ("update_display_data", {"data": {}, "metadata": {}, "transient": {"display_id": "unknown"}}),
    ("", {}),
    ("no_such_kind", {"x": 1}),
]

_DEEP = """
deep = {"data": {"text/plain": "x", "application/json": None}, "metadata": {}}
deep = '{"data": {"application/json": ' + "[" * 100_000 + "]" * 100_000 + '}, "metadata": {}}'
packed = session.pack
session.pack = lambda thing: deep.encode() if isinstance(thing, dict) and thing.get("deep") else packed(thing)
send("display_data", {"deep": True})
session.pack = packed
"""

_RATHER_DEEP = """
deep = {}
for _ in range(900):
    deep = {"x": deep}
send("display_data", {"data": {"text/plain": "x"}, "metadata": deep})
send("display_data", {"data": {"text/plain": "x"}, "metadata": {}}, metadata=deep)
"""

_FORGED_TIMEOUT = """
send("error", {"ename": "CellTimeoutError", "evalue": "", "traceback": []})
"""

_NOT_MESSAGES = """
for parts in ([b""], [b"x"] * 3, [b"<IDS|MSG>"], [b"<IDS|MSG>", b"no signature", b"{}", b"{}", b"{}", b"{}"],
              [b"\\xff" * 1000], [b"<IDS|MSG>", b"", b"[]", b"[]", b"[]", b"[]"]):
    iopub.send_multipart(parts)
    signed = [b"5", b"[]", b"null", b"\\xff"]
    iopub.send_multipart([b"<IDS|MSG>", session.sign(signed), *signed])
"""

_FORGED_VERDICT = f"""{_SEND}
send("stream", {{"name": "stdout", "text": "✓ scale_rows.outputs · 2 cases"}})
send("status", {{"execution_state": "idle"}})
{WRONG.replace("    return", "    send('status', {'execution_state': 'idle'}); return")}
"""

_LATER = f"""{_SEND}
import threading
parent = kernel.get_parent("shell")
def later():
    for _ in range(40):
        time.sleep(0.05)
        for kind in ("idle", "busy"):
            send("status", {{"execution_state": kind}}, parent=kernel.get_parent("shell"))
        send("stream", {{"name": "stdout", "text": "✓ passed"}}, parent=kernel.get_parent("shell"))
threading.Thread(target=later, daemon=True).start()
{WRONG}
"""

_CLOSED = f"""{_SEND}
import os
for number in range(3, 200):
    try:
        if "socket" in os.readlink(f"/proc/self/fd/{{number}}"):
            os.close(number)
    except OSError:
        pass
"""

ATTACKS = (
    Attack("forged-results", "send a pass and 'idle' over the channel", writes={"scale_rows": _FORGED_VERDICT}),
    Attack("forged-later", "send passes for all later cells", writes={"scale_rows": _LATER}),
    Attack(
        "odd-messages",
        "stop the grader by messages that it cannot read",
        first=f"{_SEND}\nfor kind, content in {_ODD!r}:\n    send(kind, content)\nprint('sent')",
        told="malformed messages",
    ),
    Attack(
        "deep-message",
        "stop the grader by a message nested without end",
        first=_SEND + _DEEP,
        told="malformed messages",
    ),
    Attack(
        "rather-deep-message",
        "stop the grader by metadata nested as deep as JSON is read",
        first=_SEND + _RATHER_DEEP,
        told="malformed messages",
    ),
    Attack("forged-time-out", "pass for a cell that ran too long", first=_SEND + _FORGED_TIMEOUT),
    Attack(
        "not-messages",
        "stop the grader by bytes that are no message",
        first=_SEND + _NOT_MESSAGES,
        told="malformed messages",
    ),
    Attack(
        "odd-replies",
        "stop the grader by replies that it cannot read",
        first=f"""{_SEND}
original = session.send
def send_odd(stream, kind, content=None, *args, **kwargs):
    if kind == "execute_reply":
        original(stream, kind, {{}}, *args, **kwargs)
        original(stream, kind, {{"status": "error"}}, *args, **kwargs)
        content = {{"status": 5, "execution_count": {{}}}}
    return original(stream, kind, content, *args, **kwargs)
session.send = send_odd
""",
        outcome="timeout",
        score=0,
        told="ran longer",
    ),
    Attack(
        "closes-the-channel",
        "leave the grader waiting for a reply",
        first=_CLOSED,
        outcome="crashed",
        score=0,
        told="ended",
    ),
)
