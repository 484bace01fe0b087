"""The sandbox, proved from inside: programs that try each forbidden thing, and ordinary notebooks that still work."""

from __future__ import annotations

import ast
import asyncio
import fcntl
import json
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import venv
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from jupyter_core.utils import ensure_async
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

import manyheads
from autograder.problems import Problem
from autograder.sandbox import bubblewrap as sandbox
from autograder.sandbox import warm_process as warm
from autograder.sandbox.inside.watch_limits import KERNEL_ENDED, OUT_OF_CPU, OUT_OF_MEMORY, OUT_OF_TIME
from autograder.sandbox.kernel import OrdinaryKernel, SealedKernel, SubmissionKernel
from autograder.sandbox.limits import MB, Limits
from tests.support.processes import descendants, is_alive

pytestmark = pytest.mark.slow

PROBE = Path(__file__).with_name("inside_probe.py").read_text(encoding="utf-8")
GENEROUS = Limits(seconds=240)  # the machine may be busy


@dataclass
class Ran:
    """The result of some cells in a sealed kernel."""

    outputs: list[str]  # what each cell printed, or its error
    ended: str  # why the kernel was gone, "" where it was there at the end


def run(*cells: str, limits: Limits = GENEROUS, timeout: int | None = None) -> Ran:
    """Run cells in a new sealed kernel, and check that nothing of them is left."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    before = set(descendants())  # the session's workers, and what another test's warm process may have
    kernel = SealedKernel(limits=limits)
    client = NotebookClient(notebook, km=kernel, allow_errors=True, timeout=timeout, shutdown_kernel="immediate")
    ended = ""
    try:
        client.execute(cleanup_kc=True)
    except DeadKernelError:
        ended = kernel.why_it_ended()
    process = kernel._warm.process
    assert not process.is_alive()
    kernel.close()
    assert all(_is_warm_process(child) or not is_alive(child) for child in set(descendants()) - before)
    return Ran([_text(cell) for cell in notebook.cells], ended)


def _is_warm_process(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it has just ended
        return process.name() == "bwrap" or "autograder.sandbox.inside.zygote" in process.cmdline()
    return False


def _text(cell: nbformat.NotebookNode) -> str:
    return "".join(output.get("text") or output.get("evalue") or "" for output in cell.outputs)


@contextmanager
def listening(family: int, address: Any) -> Generator[socket.socket]:
    with socket.socket(family) as server:
        server.bind(address)
        server.listen()
        yield server


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the probe could do."""
    folder = tmp_path_factory.mktemp("class")
    files = {"the seed": folder / ".judge-seed", "a submission": folder / "submitted" / "ada" / "1.ipynb"}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("swordfish")
    repository = Path(manyheads.__file__).parent.parent
    files |= {"a solution": repository / "solutions" / "01_single_head" / "lesson.py"}
    files |= {"a test": Path(__file__), "the grader": repository / "autograder" / "judge.py"}
    abstract = f"many-heads-{os.getpid()}"
    with (
        pytest.MonkeyPatch.context() as patch,
        listening(socket.AF_INET, ("127.0.0.1", 0)) as tcp,
        listening(socket.AF_UNIX, f"\0{abstract}"),
    ):
        patch.setenv("GRADERS_SECRET", "swordfish")
        warm.end_warm_processes()  # the next one is started with that variable in the grader's environment
        told = {
            "files": {name: str(path) for name, path in files.items()},
            "pid": os.getpid(),
            "secret": "hsifdrows",
            "package": str(Path(manyheads.__file__).parent),
            "port": tcp.getsockname()[1],
            "abstract": abstract,
        }
        ran = run(f"told = {told!r}", PROBE, "print('init is there')")
    assert ran.outputs[2] == "init is there\n", ran
    return json.loads(ran.outputs[1])


def test_nothing_of_the_graders_can_be_read(found: dict[str, Any]) -> None:
    for name in ("the seed", "a submission", "a solution", "a test", "the grader"):
        assert str(found[f"read {name}"]).startswith("refused: FileNotFoundError"), name
    for name in ("the grader's process", "init's environment", "init's memory", "init's files"):
        assert str(found[name]).startswith("refused"), name
    assert not found["memory holds the secret"]
    assert "swordfish" not in json.dumps(found)
    assert "GRADERS_SECRET" not in found["environment"]


def test_no_other_process_is_in_sight(found: dict[str, Any]) -> None:
    processes = found["processes"]
    assert isinstance(processes, list)
    assert processes[0] == 1
    assert len(processes) == 2
    assert found["parent"] == 0  # it is the warm process, outside


def test_only_what_is_needed_is_in_sight(found: dict[str, Any]) -> None:
    assert found["list the folder of the seed"] == f"refused: {_not_found(found, 'the seed')}"
    assert {"etc", "tmp", "usr"} <= set(found["folders in /"])
    assert not {"home", "mnt", "media", "srv", "boot", "var"} & set(found["folders in /"])
    assert not {"passwd", "shadow", "hostname"} & set(found["etc"])
    assert set(ast.literal_eval(str(found["list the folder of the grader"]))) == {"__init__.py", "sandbox"}


def _not_found(found: dict[str, Any], name: str) -> str:
    return str(found[f"list the folder of {name}"]).removeprefix("refused: ")


def test_nothing_can_be_written_but_in_the_scratch_folders(found: dict[str, Any]) -> None:
    writable = found["writable"]
    assert isinstance(writable, list)
    devices = {place for place in writable if place.startswith("/dev/") and place != "/dev/shm"}
    assert set(writable) - devices == {"/tmp", "/dev/shm", "/run/mailbox"}
    assert devices <= {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty")}
    for name, result in found.items():
        if name.startswith(("write", "replace")) and name != "writable":
            assert str(result).startswith("refused"), name


def test_no_other_machine_or_program_can_be_reached(found: dict[str, Any]) -> None:
    for name in ("loopback", "abstract socket", "the world"):
        assert str(found[name]).startswith("refused"), name


def test_no_right_can_be_gained(found: dict[str, Any]) -> None:
    names = ["become root", "ptrace init", "new user namespace", "mount", "remount", "unmount", "chroot", "host name"]
    names += ["memfd", "System V memory", "System V semaphores", "set the clock"]
    names += [name for name in found if name.startswith("raise the limit")]
    for name in names:
        assert str(found[name]).startswith("refused"), (name, found[name])


_LOCKS = """
import fcntl, os, struct
def ask(command, kind, file):
    try:
        return fcntl.fcntl(file, command, struct.pack("hhqqi4x", kind, 0, 5, 1, 0) if command < 1000 else kind)
    except OSError as error:
        return f"refused: {error.strerror}"
shared = os.open(os.__file__, os.O_RDONLY)
folder = os.open(os.path.dirname(os.__file__), os.O_RDONLY)
asked = [(fcntl.F_GETLK, 1), (36, 1), (fcntl.F_SETLEASE, 0), (fcntl.F_GETLEASE, 0)]
print([ask(command, kind, shared) for command, kind in asked] + [ask(fcntl.F_NOTIFY, 1, folder)])
fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
taken = [(fcntl.F_SETLK, 0), (fcntl.F_SETLKW, 0), (37, 0), (38, 0), (fcntl.F_SETLK, 1)]
print(all(isinstance(ask(command, kind, shared), bytes) for command, kind in taken), open("/proc/locks").read())
print(fcntl.fcntl(shared, fcntl.F_GETFD), os.get_inheritable(os.dup(shared)), os.get_blocking(shared))
"""


def test_no_word_passes_by_a_lock_on_a_file_that_others_see() -> None:
    with open(os.__file__, "rb") as shared:  # somebody else has locked it
        fcntl.flock(shared, fcntl.LOCK_EX)
        fcntl.fcntl(shared, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_RDLCK, 0, 0, 0, 0))
        lines = run(_LOCKS).outputs[0].splitlines()
    assert ast.literal_eval(lines[0]) == ["refused: Operation not permitted"] * 5
    assert lines[1:] == ["True ", "1 False True"], "what is asked for is said to be had, and nothing is locked by it"


_LOCKED_FILES = """
import fcntl, shelve, sqlite3, tempfile, multiprocessing
import filelock
def stored():
    one, other = sqlite3.connect("x.db"), sqlite3.connect("x.db", timeout=0.1)
    one.execute("create table t (a)")
    one.execute("insert into t values (1)")
    try:
        other.execute("insert into t values (2)")
    except sqlite3.OperationalError as error:
        yield str(error)
    one.commit()
    other.execute("insert into t values (3)")
    other.rollback()
    yield other.execute("select a from t").fetchall()
print(*stored())
with shelve.open("s") as shelf, tempfile.TemporaryFile(), multiprocessing.Lock(), filelock.FileLock("l"):
    shelf["a"] = 1
    print(shelf["a"])
"""


def test_files_that_are_locked_while_they_are_written_can_be_written() -> None:
    assert run(_LOCKED_FILES).outputs[0].splitlines() == ["database is locked [(1,)]", "1"]


def test_ordinary_notebooks_work() -> None:
    cells = [
        "import torch\nx = torch.randn(3, 4, requires_grad=True)\n(x @ x.T).sum().backward()\nprint(x.grad.shape)",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('Σ √d')\nplt.show(); print('drawn')",
        "import ipywidgets as widgets\ndisplay(widgets.IntSlider())\nprint('shown')",
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "batches = DataLoader(TensorDataset(torch.arange(10)), batch_size=4, num_workers=0, shuffle=True)\n"
        "print(sorted(int(n) for (batch,) in batches for n in batch))",
        "import tempfile\nwith tempfile.NamedTemporaryFile('w+') as file:\n"
        "    file.write('mine'); file.seek(0); print(file.read())",
        "open('notes.txt', 'w').write('kept'); print(open('notes.txt').read())",
        "import os, subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(6 * 7)'], text=True, "
        "capture_output=True).stdout)",
        "!echo shell",
        "torch.save(x, 'x.pt'); print(torch.load('x.pt').shape)",
        "import threading\nthread = threading.Thread(target=print, args=('thread',)); thread.start(); thread.join()",
        "print(os.getcwd(), os.path.expanduser('~'))",
        "import math; assert math.isclose(torch.optim.SGD([x], lr=1).param_groups[0]['lr'], 1); print('fine')",
    ]
    outputs = run(*cells).outputs
    assert outputs[0] == "torch.Size([3, 4])\n"
    assert outputs[1].startswith("drawn")
    assert "shown" in outputs[2]
    assert outputs[3] == f"{list(range(10))}\n"
    assert [output.strip() for output in outputs[4:]] == [
        *("mine", "kept", "42", "shell", "torch.Size([3, 4])", "thread", "/tmp/home /tmp/home", "fine")
    ]


# What depends on how a kernel was made: its channels, its shell, and what it knows of itself.
CELLS = (
    "import os\nprint('out')",
    "import sys\nprint('err', file=sys.stderr)",
    "1 + 1",
    "_, __name__, sys.modules['__main__'].__dict__ is globals()",
    "from IPython.display import HTML, display\ndisplay(HTML('<b>bold</b>'))",
    "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
    "def f():\n    return 1 / 0\nf()",
    "%unknown_magic",
    "s = get_ipython()\ns.kernel.shell is s, s.parent is s.kernel, s.kernel.parent.kernel is s.kernel",
    "s.execution_count, type(s).__name__, type(sys.stdout).__name__, In[3]",
    "from ipywidgets import IntSlider\nslider = IntSlider(value=3)\nslider.comm is not None, slider.value",
    "input('?')",
    "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "from tqdm.auto import tqdm\ntqdm.__mro__[1].__name__",
    "where = %pwd\nsaid = !echo said\nstr(where) == os.getcwd(), said[0], 7 % 4",
    ",print one two",
    "get_ipython().input_transformers_post.append(lambda lines: [line.replace('PLUS', '+') for line in lines])",
    "1 PLUS 1",
)


def test_a_sealed_kernel_shows_what_an_ordinary_one_shows() -> None:
    def shown(kernel: SubmissionKernel) -> list[list[NotebookNode]]:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
        client = NotebookClient(notebook, km=kernel, allow_errors=True, shutdown_kernel="immediate")
        client.execute(cleanup_kc=True)
        kernel.close()
        return [sorted(cell.outputs, key=lambda output: output.get("name", "")) for cell in notebook.cells]

    ordinary = shown(OrdinaryKernel(kernel_name="python3", limits=GENEROUS))
    for cell, sealed, expected in zip(CELLS, shown(SealedKernel(limits=GENEROUS)), ordinary, strict=True):
        assert sealed == expected, cell
    assert "image/png" in ordinary[5][0].data
    assert ordinary[8][0].data["text/plain"] == "(True, True, True)"


def test_two_submissions_share_neither_random_numbers_nor_files() -> None:
    cell = (
        "import os, random, numpy, torch\nprint(os.path.exists('/tmp/mine'), random.random(), numpy.random.rand(), "
        "torch.rand(1).item())\nopen('/tmp/mine', 'w').close()"
    )
    first, second = (run(cell).outputs[0].split() for _ in range(2))
    assert first[0] == second[0] == "False"
    assert all(one != other for one, other in zip(first[1:], second[1:], strict=True))


def test_a_fork_bomb_is_stopped_and_leaves_nothing() -> None:
    bomb = (
        "import os, time\nchildren = 0\ntry:\n    while True:\n"
        "        if os.fork() == 0:\n            time.sleep(600)\n        children += 1\n"
        "except OSError as error:\n    print(children, error)"
    )
    ran = run(bomb, "print('still here')", limits=Limits(processes=60))
    children = int(ran.outputs[0].split()[0])
    assert 0 < children < 60
    assert "unavailable" in ran.outputs[0]
    assert ran.outputs[1] == "still here\n"


def test_one_process_that_asks_for_too_much_memory_sees_an_error_at_its_cell() -> None:
    ran = run("x = bytearray(3 * 2**30)", "import torch; torch.zeros(2**30)", "print('still here')")
    assert ran.ended == ""
    assert "memory" in ran.outputs[1]
    assert ran.outputs[2] == "still here\n"


_EXIT = {"x86_64": 60, "aarch64": 93}[platform.machine()]


@pytest.mark.parametrize(
    "child",
    [
        "hoard()",
        "c.prctl(4, 0, 0, 0, 0); hoard()",  # nobody may look at what it shares
        f"threading.Thread(target=hoard).start(); c.syscall({_EXIT}, 0)",  # the first thread has nothing any more
    ],
    ids=["open", "hidden", "in another thread"],
)
def test_several_processes_together_keep_to_the_same_limit(child: str) -> None:
    hoard = "def hoard():\n    time.sleep(1)\n    x = bytearray(b'x') * (400 * 2**20)\n    time.sleep(600)\n"
    hoard += "c = ctypes.CDLL(None)\n"
    crowd = f"{hoard}for _ in range(8):\n    if os.fork() == 0:\n        {child}\ntime.sleep(600)"
    ran = run("import ctypes, os, threading, time", crowd, limits=Limits(memory_mb=1024, seconds=120))
    assert ran.ended == OUT_OF_MEMORY


def test_no_memory_escapes_the_limit() -> None:
    shared = (
        "import mmap\nfor fill in (-1, os.open('/dev/zero', os.O_RDWR)):\n"
        "    try: print(len(mmap.mmap(fill, 2**20)))\n    except OSError as error: print(error.strerror)"
    )
    private = "print(len(mmap.mmap(-1, 2**20, flags=mmap.MAP_PRIVATE)), open('/dev/zero', 'rb').read(2))"
    files = (
        "import multiprocessing, torch\nnumbers = multiprocessing.Array('i', 3)\n"
        "print(len(numbers), torch.ones(2).share_memory_().sum())"
    )
    held = (
        "import os, socket\nsender, _ = socket.socketpair()\nreads, writes = os.pipe()\n"
        "for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):\n"
        "    try: sender.setsockopt(socket.SOL_SOCKET, buffer, 2**22)\n"
        "    except OSError as error: print(error.strerror)\n"
        "sender.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)\n"
        "try: os.splice(reads, writes, 1)\nexcept OSError as error: print(error.strerror)"
    )
    ran = run(f"import os\n{shared}", private, files, held)
    assert ran.outputs[0] == "Operation not permitted\nNo such device\n"
    assert ran.outputs[1:3] == ["1048576 b'\\x00\\x00'\n", "3 tensor(2.)\n"]
    assert ran.outputs[3] == "Operation not permitted\n" * 3


def test_what_lies_in_sockets_counts_as_well() -> None:
    hoard = """
        import os, socket, time
        sockets = []
        for _ in range(40):
            if os.fork() == 0:
                while True:
                    try:
                        sockets += socket.socketpair()
                        sockets[-1].setblocking(False)
                        while True:
                            sockets[-1].send(bytes(65536))
                    except BlockingIOError:
                        pass
                    except OSError:  # as many as one process may have
                        time.sleep(600)
        time.sleep(600)
    """
    assert run(textwrap.dedent(hoard), limits=Limits(memory_mb=1024, seconds=120)).ended == OUT_OF_MEMORY


def test_what_the_system_notes_down_about_memory_counts_as_well() -> None:
    tables = (  # of pages: one for every 2 MB in which something was read, and be it nothing
        "import mmap\nread = []\nfor _ in range(64):\n"
        "    read.append(mmap.mmap(-1, 2**36, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))\n"
        "    for place in range(0, 2**36, 2**21): read[-1][place]"
    )
    assert run(tables, limits=Limits(memory_mb=1024, seconds=120)).ended == OUT_OF_MEMORY


def test_a_disk_filler_fills_its_scratch_alone() -> None:
    filler = (
        "written = 0\ntry:\n    for number in range(1000):\n        with open(f'/FOLDER/{number}', 'wb') as file:\n"
        "            for _ in range(16):\n                written += file.write(bytes(2**20))\n"
        "except OSError as error:\n    print(written // 2**20, error.strerror)"
    )
    limits = Limits(scratch_mb=64, file_mb=32)
    large = "with open('/tmp/large', 'wb') as file:\n    for _ in range(40): file.write(bytes(2**20))"
    places = ("tmp", "dev/shm", "run/mailbox")
    ran = run(
        large,
        "import os; os.remove('/tmp/large')",
        *(filler.replace("FOLDER", place) for place in places),
        limits=limits,
    )
    assert "File too large" in ran.outputs[0]
    for text, most in zip(ran.outputs[2:], (64, 64, 3 * 32), strict=True):
        size, _, why = text.strip().partition(" ")
        assert why == "No space left on device"
        assert int(size) <= most


def test_a_daemon_ends_with_its_submission() -> None:
    daemon = (
        "import os, signal, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        for number in range(1, 32):\n"
        "            if number not in (signal.SIGKILL, signal.SIGSTOP):\n"
        "                signal.signal(number, signal.SIG_IGN)\n"
        "        time.sleep(600)\n    os._exit(0)\nprint('started')"
    )
    assert run(daemon).outputs[0] == "started\n"  # `run` looks for what is left


@pytest.mark.parametrize(
    ("cell", "limits", "why"),
    [
        ("os._exit(0)", GENEROUS, KERNEL_ENDED),
        ("os.kill(os.getpid(), signal.SIGKILL)", GENEROUS, KERNEL_ENDED),
        ("os.killpg(0, signal.SIGKILL)", GENEROUS, KERNEL_ENDED),
        ("ctypes.string_at(0)", GENEROUS, KERNEL_ENDED),
        ("os.kill(os.getpid(), signal.SIGSTOP)", Limits(seconds=6), OUT_OF_TIME),
        ("signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", Limits(cpu_seconds=2), OUT_OF_CPU),
        (
            "for _ in range(3):\n    if os.fork() == 0:\n        while True: pass\ntime.sleep(600)",
            Limits(cpu_seconds=3),
            OUT_OF_CPU,
        ),
    ],
    ids=["exit", "kill itself", "kill its group", "crash", "stop itself", "compute", "compute in children"],
)
def test_the_grader_learns_how_it_ended(cell: str, limits: Limits, why: str) -> None:
    ran = run("import ctypes, os, signal, time", cell, "print('never')", limits=limits)
    assert ran.ended == why
    assert ran.outputs[2] == ""


def test_everything_it_can_signal_is_its_own() -> None:
    rude = "import os, signal\ntry: os.kill(-1, signal.SIGKILL)\nexcept OSError as error: print(error)"
    assert run(rude, "print('alone')").outputs[1] == "alone\n"
    assert run("print('others go on')").outputs == ["others go on\n"]


def test_a_cell_is_interrupted_by_a_message() -> None:
    kernel_loop = (
        "import time\ntry:\n    while True: time.sleep(0.01)\nexcept KeyboardInterrupt:\n    print('interrupted')"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(kernel_loop)])
    kernel = SealedKernel(limits=GENEROUS)
    client = NotebookClient(notebook, km=kernel, timeout=3, interrupt_on_timeout=True, shutdown_kernel="immediate")
    client.execute(cleanup_kc=True)
    kernel.close()
    assert _text(notebook.cells[0]) == "interrupted\n"


def test_a_cell_that_is_sent_while_another_runs_is_run_as_well() -> None:
    """It may arrive while the first reply is being sent, and nothing else would wake the kernel for it."""

    async def send_pairs() -> None:
        kernel = SealedKernel(limits=GENEROUS)
        await kernel.start_kernel()
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready()
        try:
            for number in range(120):
                sent = [await ensure_async(client.execute("import time; time.sleep(0.003)"))]
                await asyncio.sleep(0.0005 * (number % 12))
                sent.append(await ensure_async(client.execute("2")))
                replies = [await client.shell_channel.get_msg(timeout=20) for _ in sent]
                assert [reply["parent_header"]["msg_id"] for reply in replies] == sent
        finally:
            client.stop_channels()
            await kernel.shutdown_kernel(now=True)
            kernel.close()

    asyncio.run(send_pairs())


@pytest.mark.parametrize("trick", ["os.symlink('/etc/ld.so.cache', answer)", "os.mkfifo(answer)", "os.mkdir(answer)"])
def test_the_judge_follows_no_link_and_opens_no_pipe(trick: str) -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"import os\nanswer = '/run/mailbox/answer'\nos.remove(answer)\n{trick}")]
    )
    kernel = SealedKernel(limits=GENEROUS)
    NotebookClient(notebook, km=kernel, allow_errors=False).execute(cleanup_kc=False)
    kernel.mailbox.ask(b"a question")
    assert kernel.mailbox.answer(1 * MB) == b""
    kernel.close()
    kernel.context.destroy(linger=0)


def test_a_warm_process_that_is_gone_is_started_again() -> None:
    assert run("print(1)").outputs == ["1\n"]
    ours = [child for child in psutil.Process().children() if _is_warm_process(child)]
    assert ours
    for child in ours:  # with bubblewrap ends all that it holds
        child.send_signal(signal.SIGKILL)
    psutil.wait_procs(ours, timeout=30)
    assert run("print(2)").outputs == ["2\n"]


def test_a_folder_to_hide_is_hidden_even_inside_one_that_is_shown(tmp_path: Path) -> None:
    shown = Path(manyheads.__file__).parent / "fixtures"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(f"import os\nprint(os.listdir({str(shown)!r}))")]
    )
    kernel = SealedKernel(limits=GENEROUS, hidden=[shown])
    NotebookClient(notebook, km=kernel, shutdown_kernel="immediate").execute(cleanup_kc=True)
    kernel.close()
    assert _text(notebook.cells[0]) == "[]\n"


def test_a_python_whose_folder_is_the_scratch_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", "/tmp")
    with pytest.raises(Problem, match=r"this Python is installed directly in /tmp"):
        sandbox.command("autograder.sandbox.inside.try_layers")


_FROM_A_CLONE = """
import sys, nbformat
from nbclient import NotebookClient
from autograder.sandbox.kernel import SealedKernel
from autograder.sandbox.limits import Limits
for source in sys.argv[1:]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    kernel = SealedKernel(limits=Limits(seconds=240))
    NotebookClient(notebook, km=kernel, shutdown_kernel="immediate").execute(cleanup_kc=True)
    kernel.close()
    print(*(output.text for output in notebook.cells[0].outputs), end="")
"""
_LOOK_AROUND = """
import os, sys, manyheads.check, torch
from manyheads.checking import exam_files
clone = os.path.dirname(os.path.dirname(manyheads.__file__))
beside = os.path.dirname(clone)


def shown(package):
    for folder, folders, files in os.walk(os.path.join(clone, package)):
        yield from (os.path.relpath(os.path.join(folder, name), os.path.join(clone, package)) for name in files)


print([clone, sys.prefix, sorted(os.listdir("/tmp")), os.listdir(beside), sorted(os.listdir(clone)),
       os.listdir(exam_files.FOLDER), sorted(shown("autograder"))])
for place in (os.path.join(clone, "manyheads"), sys.prefix):
    try:
        open(os.path.join(place, "mine"), "w")
    except OSError as error:
        print([type(error).__name__, error.strerror])
for place in ("/tmp", beside, clone):
    open(os.path.join(place, "mine"), "w").close()
"""


def test_a_clone_below_the_scratch_folders_path_is_shown_there_and_nothing_beside_it() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="a clone ") as beside:
        clone, python = Path(beside, "course"), Path(beside, "course", ".venv")
        for package in ("autograder", "manyheads"):
            shutil.copytree(Path(manyheads.__file__).parent.parent / package, clone / package)
        (clone / "class").mkdir()
        Path(beside, "others.ipynb").write_text("swordfish")
        venv.create(python, symlinks=True)
        packages = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
        [own] = python.glob("lib/python3*/site-packages")
        (own / "all.pth").write_text("\n".join((str(clone), *packages)))
        command = [python / "bin" / "python", "-P", "-c", _FROM_A_CLONE, _LOOK_AROUND, _LOOK_AROUND]
        done = subprocess.run(command, cwd="/", env={"TMPDIR": "/tmp"}, capture_output=True, text=True, timeout=300)
        left = {path.name for path in (Path("/tmp"), Path(beside), clone) if Path(path, "mine").exists()}
    assert done.returncode == 0, done.stderr
    first, *refused, second, _, _ = map(ast.literal_eval, done.stdout.splitlines())
    top = Path(beside).name
    assert first[:6] == [
        str(clone),
        str(python),
        sorted(("home", top)),
        ["course"],
        [".venv", "autograder", "manyheads"],
        [],
    ]
    inside = sorted(path.name for path in Path(sandbox.__file__).with_name("inside").glob("*.py"))
    assert [path for path in first[6] if "__pycache__" not in path] == [
        "__init__.py",
        "sandbox/__init__.py",
        *(f"sandbox/inside/{name}" for name in inside),
    ]
    assert refused == [["OSError", "Read-only file system"]] * 2
    assert second == first, "what one submission leaves is gone"
    assert not left, "and lies nowhere outside"


def test_a_processs_memory_is_gathered_in_large_pages_where_linux_can() -> None:
    told = """
        from autograder.sandbox.inside.namespaces import use_large_pages
        held = bytearray(64 << 20)
        use_large_pages()
        [row] = [row for row in open("/proc/self/smaps_rollup") if row.startswith("AnonHugePages")]
        print(row.split()[1], sum(held))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(told)], capture_output=True, text=True, check=True)
    kilobytes, total = map(int, done.stdout.split())
    assert total == 0, "what stands there stays"
    if kilobytes == 0:
        pytest.skip("this Linux is older than 6.1")
    assert kilobytes > 60 * 1024
