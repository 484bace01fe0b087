"""`autograder build`: makes all files derived from `solutions/`, or lists the stale ones.

For each chapter it makes the solved notebook beside the lesson (nbgrader's source), the released notebook in
`notebooks/`, and the learners' fixtures. It also makes the contents page and the list of chapters that
`check.progress()` shows, and updates the course's URLs and counts in pages that people write. Other derived files are
never edited by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from manyheads.calling import wire
from manyheads.checking import exam_files

from ..problems import Problem
from . import notebooks as source_notebook
from .chapter import REPOSITORY_ROOT, Chapter, read_chapter, read_chapters
from .contents_page import contents_page, counted, minutes
from .exams import learners_exams
from .home import pages, read_home


@dataclass(frozen=True)
class Derived:
    """A file that the builder makes.

    Args:
        path: its path.
        content: its bytes.
    """

    path: Path
    content: bytes

    def is_stale(self) -> bool:
        """Whether the file on disk is missing or differs."""
        if not self.path.is_file():
            return True
        return self.path.read_bytes() != self.content and not _same_fixture(self.path, self.content)


def derive(root: Path = REPOSITORY_ROOT, only: Sequence[str] = ()) -> Iterator[Derived]:
    """Make the files derived from the chapters in `root / "solutions"`, without writing them.

    Args:
        only: make only these chapters, and no pages; by default, everything.

    Raises:
        Problem: if a chapter is missing or has faults, or a released notebook is too large.
    """
    folder = root / "solutions"
    chapters = [read_chapter(folder / name) for name in only] if only else read_chapters(folder)
    if not chapters:
        raise Problem(f"{folder} contains no chapters")
    for chapter in chapters:
        yield from derive_chapter(chapter, root)
    if not only:
        yield from derive_pages(chapters, root)


def derive_chapter(chapter: Chapter, root: Path = REPOSITORY_ROOT) -> Iterator[Derived]:
    """Make the files derived from one chapter, without writing them."""
    home = read_home(root)
    solved = source_notebook.solved_notebook(chapter, home.repository, home.tag)
    released = source_notebook.to_text(source_notebook.released_notebook(solved)).encode()
    if len(released) > source_notebook.MAX_BYTES:
        raise Problem(
            f"{chapter.name}: the released notebook has {len(released):,} bytes, and the limit is "
            f"{source_notebook.MAX_BYTES:,}: shrink its pictures"
        )
    notebook = f"{chapter.name}.ipynb"
    yield Derived(chapter.folder / notebook, source_notebook.to_text(solved).encode())
    yield Derived(root / "notebooks" / chapter.name / notebook, released)
    yield Derived(root / "manyheads" / "fixtures" / f"{chapter.name}.safetensors", _fixture(chapter))


def derive_pages(chapters: Sequence[Chapter], root: Path = REPOSITORY_ROOT) -> Iterator[Derived]:
    """Make what is derived from all chapters together: their list, the contents page, and the addresses and counts in
    people's pages."""
    home = read_home(root)
    about = {chapter.name: exam_files.About(chapter.title, minutes(chapter)) for chapter in chapters}
    yield Derived(root / "manyheads" / "fixtures" / exam_files.CHAPTERS, exam_files.pack_chapters(about).encode())
    yield Derived(root / "notebooks" / "README.md", contents_page(chapters, home).encode())
    for page in pages(root):
        yield Derived(page, counted(home.pointed(page.read_bytes().decode()), chapters).encode())


def build(root: Path = REPOSITORY_ROOT, only: Sequence[str] = ()) -> list[Path]:
    """Write the stale files, of the chapters in `only` or of all, and return their paths."""
    written = []
    for derived in derive(root, only):
        if derived.is_stale():
            derived.path.parent.mkdir(parents=True, exist_ok=True)
            derived.path.write_bytes(derived.content)
            written.append(derived.path)
    return written


def stale(root: Path = REPOSITORY_ROOT, only: Sequence[str] = ()) -> list[Path]:
    """Return the derived files that are stale, and leftovers that no chapter makes any more."""
    derived = list(derive(root, only))
    if only:
        return [file.path for file in derived if file.is_stale()]
    return [file.path for file in derived if file.is_stale()] + sorted(built(root) - {file.path for file in derived})


def built(root: Path = REPOSITORY_ROOT) -> set[Path]:
    """Return the files there are of those that chapters make outside `solutions/`."""
    return {*(root / "notebooks").glob("*/*.ipynb"), *(root / "manyheads/fixtures").glob("*.safetensors")}


def _fixture(chapter: Chapter) -> bytes:
    document, tensors = exam_files.pack(learners_exams(chapter))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "fixture.safetensors"
        wire.save(path, document, tensors)
        return path.read_bytes()


def _same_fixture(path: Path, content: bytes) -> bool:
    """Whether two fixtures hold the same exams up to rounding, which differs between processors.

    Their bytes say less: answers that are equal on one processor, and stored once, may differ on another.
    """
    if path.suffix != ".safetensors":
        return False
    with TemporaryDirectory() as folder:
        fresh = Path(folder) / path.name
        fresh.write_bytes(content)
        new = exam_files.unpack(*wire.load(fresh))
        try:
            old = exam_files.unpack(*wire.load(path))
        except (wire.WireError, LookupError, TypeError, ValueError):  # it was written by another version
            return False
    return _alike(new, old)


def _alike(one: object, other: object) -> bool:
    """Whether all of two exams is equal, numbers up to rounding."""
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return _close(one, other)
    if type(one) is not type(other):
        return False
    if is_dataclass(one) and is_dataclass(other):
        return all(_alike(getattr(one, part.name), getattr(other, part.name)) for part in fields(one))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    return one == other


def _close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if (one.shape, one.dtype, one.device) != (other.shape, other.dtype, other.device):
        return False
    if one.is_meta:  # it has no numbers
        return True
    if not one.is_floating_point():
        return torch.equal(one, other)
    # A small number may be the difference of large ones, and then has their rounding error.
    largest = other[other.isfinite()].abs().max().item() if other.isfinite().any() else 0.0
    return torch.allclose(one, other, rtol=1e-5, atol=1e-5 * max(1.0, largest), equal_nan=True)
