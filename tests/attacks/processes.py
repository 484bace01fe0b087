"""Attacks on processes: its own, its parent's, and some that would outlive it."""

from __future__ import annotations

from autograder.outcomes import Outcome

from .attack import ONE_POINT, TOO_LONG, WRONG, Attack

_DEAF = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        time.sleep(0.05)
    except BaseException:
        pass
"""
_DEAF_ANSWER = """
import time
def scale_rows(x, factors):
    while True:
        try:
            time.sleep(0.05)
        except BaseException:
            pass
"""


def _signal(whom: str, what: str) -> str:
    act = whom.replace("WHAT", f"signal.{what}")
    return f"import os, signal\ntry:\n    {act}\nexcept OSError as error:\n    print(error)"


_KILLS_ALL_AROUND = """
import os, signal
for number in [*range(-1, 60), os.getppid(), os.getpgrp()]:
    for what in (signal.SIGSTOP, signal.SIGKILL):
        # a number that it finds may be that of a thread of its own
        if number not in (0, os.getpid(), -1, os.getpgrp()) and not os.path.exists(f"/proc/self/task/{number}"):
            try:
                os.kill(number, what)
            except OSError:
                pass
"""
_DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            for name in ("/tmp/left-by-a-learner", "/dev/shm/left-by-a-learner", "left-by-a-learner"):
                try:
                    open(name, "w").write("still here")
                except OSError:
                    pass
            time.sleep(0.05)
    os._exit(0)
print("started")
"""
# It waits for the judge's question, and then puts its own answer over whatever stands there, again and again.
_OVERWRITES = """
import threading, time
def overwrite():
    while True:
        try:
            with open("/run/mailbox/answer", "r+b") as file:
                file.write(b'{"answers": "passed"}')
        except OSError:
            pass
        time.sleep(0.001)
threading.Thread(target=overwrite, daemon=True).start()
"""
_CHANGES_LATER = f"""
import threading, time
{WRONG}
def change():
    while True:
        globals().update({{name: (lambda *a: a[0]) for name in ("scale_rows", "row_sums")}})
        for output in ("In", "Out", "_"):
            globals()[output] = "✓ passed"
        time.sleep(0.002)
threading.Thread(target=change, daemon=True).start()
"""

ATTACKS = (
    Attack(
        "deaf",
        "swallow every interrupt",
        ONE_POINT,
        last=_DEAF,
        outcome=Outcome.TIMEOUT,
        told="did not react to the interrupt",
    ),
    Attack(
        "deaf-answer",
        "swallow interrupts while it is judged",
        {"scale_rows": _DEAF_ANSWER},
        outcome=Outcome.TIMEOUT,
        score=0,
        told="did not react to the interrupt",
    ),
    Attack(
        "exits",
        "leave by os._exit",
        ONE_POINT,
        last="import os\nos._exit(0)",
        outcome=Outcome.CRASHED,
        told="ended its kernel",
    ),
    Attack(
        "exits-when-judged",
        "leave by os._exit when it is judged",
        {"scale_rows": "import os\ndef scale_rows(x, factors):\n    os._exit(0)"},
        outcome=Outcome.CRASHED,
        score=0,
        told="ended its kernel",
    ),
    Attack(
        "kills-itself",
        "kill itself",
        ONE_POINT,
        last=_signal("os.kill(os.getpid(), WHAT)", "SIGKILL"),
        outcome=Outcome.CRASHED,
        told="ended its kernel",
    ),
    Attack(
        "stops-itself",
        "stop itself and be waited for",
        ONE_POINT,
        last=_signal("os.kill(os.getpid(), WHAT)", "SIGSTOP"),
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    # Its parent is out of its sight, with 0 for a number; to a signal, 0 is the sender's own group.
    Attack(
        "kills-its-parent",
        "kill its parent",
        ONE_POINT,
        last=_signal("os.kill(os.getppid(), WHAT)", "SIGKILL"),
        outcome=Outcome.CRASHED,
        told="ended its kernel",
    ),
    Attack(
        "stops-its-parent",
        "stop its parent",
        ONE_POINT,
        last=_signal("os.kill(os.getppid(), WHAT)", "SIGSTOP"),
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    Attack("kills-its-init", "kill the first process", ONE_POINT, last=_signal("os.kill(1, WHAT)", "SIGKILL")),
    Attack("stops-its-init", "stop the first process", ONE_POINT, last=_signal("os.kill(1, WHAT)", "SIGSTOP")),
    Attack(
        "kills-its-group",
        "kill its group",
        ONE_POINT,
        last=_signal("os.killpg(0, WHAT)", "SIGKILL"),
        outcome=Outcome.CRASHED,
        told="ended its kernel",
    ),
    Attack("kills-everybody", "kill every process there is", ONE_POINT, last=_signal("os.kill(-1, WHAT)", "SIGKILL")),
    Attack(
        "kills-by-number",
        "kill processes by guessing",
        ONE_POINT,
        last=_KILLS_ALL_AROUND,
    ),
    Attack("daemon", "leave a process that writes files", ONE_POINT, last=_DAEMON),
    Attack(
        "overwrites-answers",
        "change answers by a thread",
        ONE_POINT,
        first=_OVERWRITES,
        score=0,
        told="could not be read",
    ),
    Attack("changes-later", "change what was judged by a thread", {"scale_rows": _CHANGES_LATER}, score=1),
)
