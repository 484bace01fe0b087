"""What the tests share: a toy course that has nothing to do with attention, and the real chapters."""

from __future__ import annotations

import gc
import os

# What is imported and collected stays: looking through it for garbage takes longer than many a test.
gc.disable()

# One thread a process: several tests run at once, and torch would start as many threads as there are cores in each
# of them and in each kernel that they start. It is read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# An error of the course's own in what explains a learner's is dropped for learners, and fails a test.
os.environ.setdefault("MANYHEADS_DEBUG", "1")

import itertools
import shutil
import signal
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from autograder.classroom.class_folder import ClassFolder, new_class
from autograder.cli.app import main
from autograder.course.build import build
from autograder.course.chapter import Chapter, read_chapter
from autograder.run import cluster
from tests.support import needs
from tests.support.lab import browser
from tests.support.submissions import write_submission
from tests.support.toy import TOY, TOY_COURSE, HandIn, Here, Said

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


# How long something takes is never tested: machines are busy.
hypothesis.settings.register_profile("busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(needs)


# Minutes each: begun last, one of them would run on when all else is done.
LONGEST = (
    "test_lab.py",
    "attacks",
    "test_chapters.py",
    "test_notebooks.py",
    "test_sandbox.py",
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Leave all that is there after the collection of tests out of every search for garbage."""
    result = yield
    gc.freeze()
    gc.enable()
    return result


MADE = {"built_toy", "new_toy_class"}  # fixtures that take seconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slowest files first, and those without kernels or servers last. Whatever makes a class is slow."""
    for item in items:
        if isinstance(item, pytest.Function) and MADE & set(item.fixturenames):
            item.add_marker("slow")
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def rank(item: pytest.Item) -> int:
        places = [place for place, name in enumerate(LONGEST) if name in (item.path.name, item.path.parent.name)]
        return places[0] if places else len(LONGEST) + (item.path not in slow)

    items.sort(key=rank)


# Tests with the exams of all chapters: a process sets them once.
WITH_EXAMS = (
    "test_chapters.py",
    "test_gradients.py",
    "test_needed_cells.py",
    "test_stand_ins.py",
)


class _ByFixtures(LoadFileScheduling):
    """Schedules all tests of a file in one process; also all attacks, which share one graded class, and exams."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith("tests/attacks/"):
            return "tests/attacks"
        file = super()._split_scope(nodeid)
        if file.endswith("test_colab_versions.py"):
            return nodeid  # `make colab` has nothing else to share out
        return "exams" if file.rpartition("/")[2] in WITH_EXAMS else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFixtures:
    return _ByFixtures(config, log)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Names of folders that are not there yet; `mktemp` would look through those of all tests before."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def an_own_home(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Saves code that passes its checks for that test only, not in the user's home directory."""
    monkeypatch.setenv("MANYHEADS_HOME", str(next(homes)))


@pytest.fixture(autouse=True, scope="session")
def workers_stay() -> Iterator[None]:
    """Starts the workers once for all tests."""
    with cluster.reuse_workers():
        yield


@pytest.fixture
def toy_root(tmp_path: Path) -> Path:
    """A copy of the toy course that a test may change; nothing is built yet."""
    return shutil.copytree(TOY_COURSE, tmp_path / "course")


@pytest.fixture(scope="session")
def built_toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy course, built. Read only."""
    root = shutil.copytree(TOY_COURSE, tmp_path_factory.mktemp("built") / "course")
    build(root)
    return root


@pytest.fixture(scope="session")
def toy() -> Chapter:
    return read_chapter(TOY_COURSE / "solutions" / TOY)


@pytest.fixture(scope="session")
def new_toy_class(built_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassFolder:
    """A class of the toy course as it was made. Read only."""
    return new_class(tmp_path_factory.mktemp("made") / "class", built_toy / "solutions")


@pytest.fixture
def toy_class(new_toy_class: ClassFolder, tmp_path: Path) -> ClassFolder:
    """A class of the toy course that a test may change."""
    return ClassFolder(shutil.copytree(new_toy_class.root, tmp_path / "class"))


@pytest.fixture
def hand_in() -> HandIn:
    """Hands in a toy notebook: the release with the given solutions written into it."""

    def hand_in(folder: ClassFolder, student: str, solutions: Mapping[str, str]) -> Path:
        return write_submission(folder, student, TOY, solutions)

    return hand_in


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Make Ctrl-C reach this process and its children: pytest-xdist and background shells ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs a command in this process."""

    def here(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        assert isinstance(end.value.code, int)
        printed = capsys.readouterr()
        return Said(end.value.code, printed.out, printed.err)

    return here


@pytest.fixture(scope="module")
def context() -> Iterator[BrowserContext]:
    """A browser for all tests of a file. Tests that use asyncio open their own: playwright has the only event loop."""
    with browser() as opened:
        yield opened


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A new page in the file's browser."""
    page = context.new_page()
    yield page
    page.close()
