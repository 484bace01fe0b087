"""Attacks by quantity: processes, memory, disk, output, time."""

from __future__ import annotations

from autograder.outcomes import Outcome

from .attack import ONE_POINT, TOO_LONG, TOO_LONG_OR_LARGE, WRONG, Attack

_FORKS = """
import os, time
try:
    while True:
        if os.fork() == 0:
            while True:
                try:
                    os.fork()
                except OSError:
                    time.sleep(60)
except OSError as error:
    print(error)
"""
_THREADS = """
import threading, time
try:
    while True:
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
except RuntimeError as error:
    print(error)
"""
_MEMORY = "hoard = []\nwhile True:\n    hoard.append(bytearray(b'x') * 2**24)"
_MEMORY_TOGETHER = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        hoard = bytearray(b"x") * (250 * 2**20)
        time.sleep(600)
time.sleep(600)
"""
_HIDE = "import ctypes\n        ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n        "  # from who would read what it shares
_MEMORY_HIDDEN = _MEMORY_TOGETHER.replace("hoard", f"{_HIDE}hoard")
# Shared memory stays when a process says that it no longer needs it, and is no process's own.
_MEMORY_SHARED = """
import mmap
hoard = []
while True:
    hoard.append(mmap.mmap(-1, 2**28))
    hoard[-1].write(b"x" * 2**28)
    hoard[-1].madvise(mmap.MADV_DONTNEED)
"""
_DISK = """
import os
for place in ("/tmp", "/dev/shm", "/run/mailbox", "."):
    try:
        for number in range(10_000):
            with open(f"{place}/{number}", "wb") as file:
                for _ in range(4):
                    file.write(bytes(2**20))
    except OSError as error:
        print(place, number, error)
    try:
        for number in range(100_000):
            os.mkdir(f"{place}/folder-{number}")
    except OSError as error:
        print(place, number, error)
"""
_SPARSE = "import os\nwith open('/tmp/large', 'wb') as file:\n    os.truncate(file.fileno(), 2**40)"
# On some machines what waits to be sent fills the memory first.
_FOR_EVER = """
while True:
    try:
        {}
    except MemoryError:
        pass
"""
_GIGABYTES = _FOR_EVER.format("print('x' * 2**20)")
_LINES = "while True:\n    print('y')"
_UPDATES = """
from IPython.display import display
handle = display("x", display_id=True)
while True:
    handle.update("x" * 1000)
"""
_SHOW = "from IPython.display import display\n"
_DISPLAYS = _SHOW + "while True:\n    display({'text/plain': 'x' * 1000}, raw=True)"
# The largest message that is taken has 16 MB beside what all cells may show, which is 1 MB here.
_LARGE = _SHOW + "large = {'text/plain': 'x' * (17 * 2**20 - 2**16)}\n"
_LARGE_DISPLAYS = _LARGE + _FOR_EVER.format("display(large, raw=True)")
_FEW_LARGE_DISPLAYS = _LARGE + "for _ in range(3):\n    display(large, raw=True)"
_LARGE_UPDATES = _LARGE + "handle = display('x', display_id=True)" + _FOR_EVER.format("handle.update(large, raw=True)")
_VALUES = _SHOW + _FOR_EVER.format("display({'application/json': [[]] * 190_000}, raw=True)")
_SEND = "kernel = get_ipython().kernel" + _FOR_EVER.format(
    "kernel.session.send(kernel.iopub_socket, {kind!r}, {content}, parent={parent}, buffers={buffers}, ident=b'x')"
)
_OWN = 'kernel.get_parent("shell")'
_SHOWN = "{'data': {}, 'metadata': {}}"
_BUFFERS = _SEND.format(kind="display_data", content=_SHOWN, parent=_OWN, buffers="[bytes(2**20)] * 15")
_PARTS = _SEND.format(kind="display_data", content=_SHOWN, parent=_OWN, buffers="[b''] * 900")
_UNKNOWN = _SEND.format(kind="unknown", content="{'x': 'x' * (16 * 2**20)}", parent=_OWN, buffers="[]")
_ORPHANS = _SEND.format(kind="stream", content="{'name': 'stdout', 'text': 'x' * 2**20}", parent="{}", buffers="[]")
_HUGE_MESSAGE = "from IPython.display import display\ndisplay({'text/plain': 'x' * 2**26}, raw=True)"
_BACKSPACES = "print('a' * 400_000 + chr(8) * 400_000)\nprint('b' * 100_000 + chr(13) + chr(27) + '[1m' * 1000)"
_PICTURES = """
from IPython.display import display
picture = "iVBORw0KGgo" + "A" * 200_000
for _ in range(100):
    display({"image/png": picture}, raw=True)
"""
_CPU = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nx = 0\nwhile True:\n    x += 1"
_ERRORS = "raise RuntimeError('e' * 2**22)"

ATTACKS = (
    Attack("fork-bomb", "fill the machine with processes", ONE_POINT, last=_FORKS),
    Attack("thread-bomb", "fill the machine with threads", ONE_POINT, last=_THREADS),
    Attack("memory-bomb", "use up the memory", ONE_POINT, last=_MEMORY),
    Attack(
        "memory-bomb-of-many",
        "use up the memory together",
        ONE_POINT,
        last=_MEMORY_TOGETHER,
        outcome=Outcome.CRASHED,
        told="MB of memory",
    ),
    Attack(
        "memory-bomb-hidden",
        "use up the memory together, each process hiding what it has",
        ONE_POINT,
        last=_MEMORY_HIDDEN,
        outcome=Outcome.CRASHED,
        told="MB of memory",
    ),
    Attack("memory-bomb-shared", "use up memory that belongs to no process", ONE_POINT, last=_MEMORY_SHARED),
    Attack("disk-filler", "fill the disk, with bytes and with names", ONE_POINT, last=_DISK),
    Attack("sparse-file", "write a terabyte of nothing", ONE_POINT, last=_SPARSE),
    Attack(
        "gigabytes-of-output",
        "print gigabytes",
        ONE_POINT,
        last=_GIGABYTES,
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    Attack(
        "endless-lines",
        "print for ever",
        ONE_POINT,
        last=_LINES,
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    *(
        Attack(
            f"endless-{name}",
            tries,
            ONE_POINT,
            last=last,
            outcome=Outcome.TIMEOUT,
            or_ends=[Outcome.CRASHED],
            told=TOO_LONG_OR_LARGE,
        )
        for name, tries, last in (
            ("displays", "fill the grader's memory with all that it shows", _DISPLAYS),
            ("large-displays", "fill the grader's memory with messages as large as may be", _LARGE_DISPLAYS),
            ("large-updates", "keep the grader busy with updates as large as may be", _LARGE_UPDATES),
            ("values", "fill the grader's memory with lists that weigh more there than in a message", _VALUES),
            ("buffers", "fill the grader's memory beside the messages' text", _BUFFERS),
            ("parts", "keep the grader busy with messages of very many parts", _PARTS),
            ("unknown-messages", "fill the grader's memory with messages that it does not know", _UNKNOWN),
            ("orphans", "fill the grader's memory with messages that answer nothing", _ORPHANS),
        )
    ),
    Attack("few-large-displays", "fill the grader's memory and be done in time", ONE_POINT, last=_FEW_LARGE_DISPLAYS),
    Attack(
        "endless-updates",
        "update a display for ever",
        ONE_POINT,
        last=_UPDATES,
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    Attack(
        "huge-message",
        "send one message of 64 MB",
        ONE_POINT,
        last=_HUGE_MESSAGE,
        outcome=Outcome.TIMEOUT,
        told="too large a message",
    ),
    Attack("backspaces", "keep the grader busy taking back characters", ONE_POINT, last=_BACKSPACES),
    Attack("many-pictures", "fill the gradebook's notebooks with pictures", ONE_POINT, last=_PICTURES),
    Attack(
        "cpu-bomb",
        "compute for ever and ignore the limit's signal",
        ONE_POINT,
        last=_CPU,
        outcome=Outcome.TIMEOUT,
        told=TOO_LONG,
    ),
    Attack("huge-error", "raise an error of 4 MB", ONE_POINT, last=_ERRORS),
    Attack(
        "huge-answer",
        "answer with more than the judge can hold",
        writes={
            "scale_rows": "import torch\ndef scale_rows(x, factors):\n    return torch.zeros(1).expand(10**6, 10**6)"
        },
        score=0,
        told="too large to compare",
    ),
    Attack(
        "endless-answer",
        "never answer",
        writes={"scale_rows": WRONG.replace("return x * 2", "while True: pass")},
        outcome=Outcome.TIMEOUT,
        score=0,
        told=TOO_LONG,
    ),
)
