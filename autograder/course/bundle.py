"""Zips a class's chapters, so that a worker needs no folder of the instructor's machine.

`autograder.run.grade` puts the zip into every job; `autograder.run.job` unzips it in the worker.
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

from .chapter import chapter_files, chapter_names

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that the same course gives the same bytes
_lock = threading.Lock()
_unpacked: dict[str, Path] = {}


def zip_course(solutions: Path, assignment: str) -> bytes:
    """Return a zip of the chapter `assignment` and all earlier ones, which it may build on."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for chapter in chapter_names(solutions):
            if chapter <= assignment:
                for path in chapter_files(solutions / chapter):
                    name = path.relative_to(solutions).as_posix()
                    archive.writestr(zipfile.ZipInfo(name, _EPOCH), path.read_bytes())
    return content.getvalue()


def unzip_course(course: bytes) -> Path:
    """Return a folder with the chapters in the zip `course`. It is deleted when this process ends."""
    digest = hashlib.sha256(course).hexdigest()
    with _lock:
        if digest not in _unpacked or not _unpacked[digest].is_dir():  # may have been cleaned up
            # Local workers share a temporary folder, which is deleted with them; otherwise this process deletes it.
            folder = Path(tempfile.mkdtemp(prefix="course-", dir=config.get("temporary-directory")))
            Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)
            with zipfile.ZipFile(io.BytesIO(course)) as archive:
                archive.extractall(folder)
            _unpacked[digest] = folder
        return _unpacked[digest]
