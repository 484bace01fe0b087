"""Two files through which the judge and a learner's kernel exchange questions and answers.

`autograder.sandbox.kernel` makes them with a kernel. This side opens each once, before any of the learner's code runs,
and then only reads and writes what it has open: whatever a learner puts in their place, no link is ever followed.
"""

from __future__ import annotations

import os
from pathlib import Path


class Letters:
    """The judge's end.

    Args:
        request: descriptor of the file "request".
        answer: descriptor of the file "answer".
        folder: where the kernel finds the two.
    """

    def __init__(self, request: int, answer: int, folder: str) -> None:
        self._request, self._answer = request, answer
        self.request_path, self.answer_path = f"{folder}/request", f"{folder}/answer"

    @classmethod
    def in_folder(cls, folder: Path) -> Letters:
        """Make the files in an empty `folder` that the kernel sees at the same place."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return cls(*(os.open(folder / name, flags, 0o600) for name in ("request", "answer")), folder=str(folder))

    def ask(self, request: bytes) -> None:
        """Write a request, and forget the last answer."""
        os.ftruncate(self._answer, 0)
        os.ftruncate(self._request, 0)
        written = 0
        while written < len(request):
            written += os.pwrite(self._request, request[written:], written)

    def is_answered(self) -> bool:
        """Return whether anything came back, be it the beginning of an answer."""
        return os.fstat(self._answer).st_size > 0

    def answer(self, max_bytes: int) -> bytes:
        """Return what came back, at most one byte more than `max_bytes`. It may be anything."""
        parts: list[bytes] = []
        size, most = 0, min(max_bytes + 1, os.fstat(self._answer).st_size)
        while size < most and (part := os.pread(self._answer, most - size, size)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def close(self) -> None:
        """Close both files."""
        os.close(self._request)
        os.close(self._answer)
