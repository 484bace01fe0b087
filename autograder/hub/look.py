"""A look at a hub: starts one with a sample class in a machine to throw away, and says what to do there.

`autograder hub --look` calls `show` as the first process of that machine, so that all others end with it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from ..classroom.person import Person
from ..problems import Problem
from .write import SETTINGS, Ports, write_hub

ROOT = Path("/srv/many-heads")
TEACHER, LEARNERS = "grace", ("ada", "emmy")
_STARTS_WITHIN = 300.0  # seconds
_LOOKS_EVERY = 0.5  # seconds
_SHOWN_OF_THE_LOG = 30  # lines, if the hub does not start
_STARTED = """
The hub of a sample class is at {address} and only this machine can reach it.

  grace        teaches; her password is {password}
  ada, emmy    learn; each chooses a password at the first log-in, of 7 characters or more

Each needs a window of their own: open private windows, or a second browser.
 1. grace: press the cloud under "Release" for 01_single_head.
 2. ada: Nbgrader > Assignment List > Fetch; open the notebook, solve something, save it, and press Submit.
 3. grace: press the cloud under "Collect", then the number under "# Submissions", then the lightning for ada.
 4. grace: under "Manage Assignments", generate the feedback and release it. ada: Fetch Feedback.
The board, with what ada's checks found: {address}/services/board/teacher

Stop it with Ctrl-C. Nothing of it stays."""


def show(solutions: Path) -> None:
    """Run a hub with a sample class until Ctrl-C.

    Raises:
        Problem: if it does not start, or ends by itself.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell has started this in the background
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(solutions)
    except KeyboardInterrupt:
        print("\nStopping. Nothing of the hub stays.", flush=True)


def _run(solutions: Path) -> None:
    print("Starting a JupyterHub with a sample class: this takes up to a minute.", flush=True)
    ports = Ports.free()
    passwords = write_hub(ROOT, [Person(name) for name in LEARNERS], [TEACHER], solutions, ports=ports)
    log = ROOT / "state" / "hub.log"
    with log.open("wb") as output:
        hub = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", str(ROOT / SETTINGS)],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process alone
        )
    address = f"http://127.0.0.1:{ports.web}"
    if _answers(f"{address}/services/board/health", hub):
        print(_STARTED.format(address=address, password=passwords[TEACHER]), flush=True)
        hub.wait()
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_OF_THE_LOG:]
    raise Problem("\n".join(["the hub has ended by itself, or does not answer. The end of what it said:", *said]))


def _answers(url: str, hub: subprocess.Popen[bytes]) -> bool:
    """Return whether `url` answers in time: the board is the last that the hub starts."""
    end = time.monotonic() + _STARTS_WITHIN
    while hub.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=_LOOKS_EVERY):
                return True
        except OSError:  # URLError and HTTPError are
            time.sleep(_LOOKS_EVERY)
    return False
