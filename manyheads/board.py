"""Tells the teacher's board what checks found, for learners who joined a class. Without joining, nothing is sent.

`check.join`, `check.leave` and `check.help` call it, and `check` after each result. Reports wait in a queue that one
daemon thread empties: a board that is slow or away never delays a check or the kernel's end, and its reports are
dropped.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .whole_file import whole_file

WHAT_IS_SENT = """\
Sent to your teacher's board at each check: the exercise, whether the check passed
and, if it found a mistake, its name; under a random alias.
Never sent: your code, your numbers, your name. check.leave() ends it."""
_ADDRESS, _CODE = "MANYHEADS_BOARD", "MANYHEADS_BOARD_CODE"  # set by a class's hub
_MOST_WAITING = 100  # reports
_TIMEOUT = 3.0  # seconds for one request
_TRIES = 3
_PAUSE = 2.0  # seconds before a report is sent again
_LARGEST_ANSWER = 10_000  # bytes


class NotReached(Exception):
    """The board did not do what was asked. The text says why, for the learner."""


class _Unavailable(NotReached):
    """The board did not answer, or asked for the request to be sent again later."""


@dataclass(frozen=True)
class _Class:
    """The class that this learner has joined: the board's address, and a token with the alias."""

    address: str
    token: str


_LEFT = _Class("", "")


class Client:
    """This process's connection with the board.

    Args:
        folder: returns the folder that keeps the membership for other notebooks and later sessions.
    """

    def __init__(self, folder: Callable[[], Path]) -> None:
        self._folder = folder
        self._last_exercise = ""
        self._waiting: queue.Queue[dict[str, str]] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._told = False
        self._unsaved: _Class | None = None

    @property
    def _file(self) -> Path:
        return self._folder() / "board.json"

    def join(self, address: str, code: str) -> None:
        """Join the class whose board is at `address`.

        Raises:
            NotReached: if there is no board, or it does not know the code.
        """
        if not address.strip().startswith(("http://", "https://")):
            raise NotReached(f"A board's address begins with http:// or https://, and this is {address!r}.")
        address = address.strip().rstrip("/")
        answer = _request("POST", f"{address}/join", {"code": code})
        token = answer.get("token")
        if not isinstance(token, str):
            raise NotReached(f"What answers at {address} is no board of this course.")
        self._told = True
        self._keep(_Class(address, token))

    def leave(self) -> bool:
        """Leave the class, for later sessions too. Returns whether this learner was in one."""
        took_part = self._takes_part()
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._keep(_LEFT)
        return took_part

    def help(self, name: str) -> int:
        """Ask for help with the exercise that was checked last, and return the place in the queue.

        Raises:
            NotReached: if no class was joined, or the board cannot be reached or refuses.
        """
        joined = self._joined()
        if joined is None:
            raise NotReached('Join your class first: check.join("address", "class code"), as your teacher shows them.')
        answer = _request(
            "POST", f"{joined.address}/help", {"name": name, "exercise": self._last_exercise}, joined.token
        )
        place = answer.get("place")
        return place if isinstance(place, int) else 1

    def take_back(self) -> None:
        """Take back the call for help.

        Raises:
            NotReached: if the board cannot be reached.
        """
        joined = self._joined()
        if joined is not None:
            _request("DELETE", f"{joined.address}/help", {}, joined.token)

    def report(self, exercise: str, check: str, stage: str, mistake: str) -> None:
        """Queue a report. Returns at once, whatever the board does."""
        self._last_exercise = exercise
        if not self._takes_part():
            return
        if not self._told:
            self._told = True
            print(WHAT_IS_SENT)
        report = {"id": secrets.token_hex(16), "exercise": exercise, "check": check, "stage": stage, "mistake": mistake}
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(report)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._send_all, name="reports to the board", daemon=True)
            self._thread.start()

    def _send_all(self) -> None:
        """The thread: send what waits, and never fail."""
        pause = threading.Event()
        while True:
            report = self._waiting.get()
            for _ in range(_TRIES):
                try:
                    joined = self._joined()
                    if joined is not None:
                        _request("POST", f"{joined.address}/report", report, joined.token)
                    break
                except _Unavailable:
                    pause.wait(_PAUSE)
                except Exception:  # refused: another time would not help
                    break

    def _takes_part(self) -> bool:
        kept = self._kept()
        return kept != _LEFT and bool(kept or os.environ.get(_ADDRESS))

    def _joined(self) -> _Class | None:
        """Return the class that was joined, on a hub the hub's; None if there is none.

        Raises:
            NotReached: if the hub's board has to be joined, and that fails.
        """
        kept, of_hub = self._kept(), os.environ.get(_ADDRESS, "").rstrip("/")
        if kept == _LEFT:
            return None
        if kept is not None and (not of_hub or kept.address == of_hub):
            return kept
        if not of_hub:
            return None
        token = _request("POST", f"{of_hub}/join", {"code": os.environ.get(_CODE, "")}).get("token")
        joined = _Class(of_hub, str(token))
        self._keep(joined)
        return joined

    def _kept(self) -> _Class | None:
        """Return the class that this learner joined or, if they left it, `_LEFT`; None if there was never one."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            return _Class(**json.loads(self._file.read_text(encoding="utf-8")))
        return self._unsaved

    def _keep(self, joined: _Class) -> None:
        """Keep the membership for later sessions; if the folder is not writable, for this one."""
        self._unsaved = joined
        with contextlib.suppress(OSError), whole_file(self._file) as beside:
            beside.touch(mode=0o600)
            beside.write_text(json.dumps({"address": joined.address, "token": joined.token}), encoding="utf-8")


def _request(method: str, url: str, sent: dict[str, Any], token: str = "") -> dict[str, Any]:
    """Send JSON, and return the JSON object of the answer.

    Raises:
        NotReached: if the board refuses it or cannot be reached.
    """
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, json.dumps(sent).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            received = json.loads(answer.read(_LARGEST_ANSWER))
    except urllib.error.HTTPError as error:
        with error:
            why = _why(error.read(_LARGEST_ANSWER))
        kind = _Unavailable if error.code in (429, 502, 503, 504) else NotReached
        raise kind(f"The board refused: {why or error.reason}.") from None
    except (OSError, ValueError) as error:
        raise _Unavailable(f"There is no board at {url.rsplit('/', 1)[0]} at the moment ({error}).") from None
    if not isinstance(received, dict):
        raise NotReached("What answered is no board of this course.")
    return received


def _why(body: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return str(json.loads(body).get("why", ""))[:200]
    return ""
