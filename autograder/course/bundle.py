"""A course as bytes: what a worker must know of the chapters, so that it needs no folder of the instructor's.

`autograder.run.grade` packs the class's chapters into every job; `autograder.run.job` unpacks them where the job runs.
"""

from __future__ import annotations

import hashlib
import io
import shutil
import tempfile
import threading
import zipfile
from multiprocessing.util import Finalize
from pathlib import Path

from dask import config

from .chapter import LESSON, chapter_files

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold: the same course, the same bytes
_lock = threading.Lock()
_unpacked: dict[str, Path] = {}


def pack(solutions: Path, assignment: str) -> bytes:
    """Return the chapter `assignment` and those before it, which it may build on, as a zip."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in sorted(path.parent for path in solutions.glob(f"*/{LESSON}")):
            if folder.name <= assignment:
                for path in chapter_files(folder):
                    name = path.relative_to(solutions).as_posix()
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes())
    return packed.getvalue()


def unpack(course: bytes) -> Path:
    """Return the folder of the chapters in `course`, which is this process's own and gone when it ends."""
    digest = hashlib.sha256(course).hexdigest()
    with _lock:
        if digest not in _unpacked or not _unpacked[digest].is_dir():  # whoever tidies up /tmp may have taken it
            # In the folder of this machine's workers, which goes with them; elsewhere it goes with this process.
            folder = Path(tempfile.mkdtemp(prefix="course-", dir=config.get("temporary-directory")))
            Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)
            with zipfile.ZipFile(io.BytesIO(course)) as archive:
                archive.extractall(folder)
            _unpacked[digest] = folder
        return _unpacked[digest]
