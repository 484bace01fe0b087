"""The mailbox: two files through which the judge and a learner's kernel exchange questions and answers.

`autograder.sandbox.kernel` makes one for each kernel. The judge's side opens the files once, before any of the
learner's code runs, and uses only these descriptors: links or other files that a learner's code creates in their place
have no effect.
"""

from __future__ import annotations

import os
from pathlib import Path


class Mailbox:
    """The judge's end of a mailbox.

    Args:
        request: descriptor of the file "request".
        answer: descriptor of the file "answer".
        folder: the files' folder, as a path inside the kernel.
    """

    def __init__(self, request: int, answer: int, folder: str) -> None:
        self._request, self._answer = request, answer
        self.request_path, self.answer_path = f"{folder}/request", f"{folder}/answer"

    @classmethod
    def in_folder(cls, folder: Path) -> Mailbox:
        """Make the files in an empty `folder` that has the same path for the kernel."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return cls(*(os.open(folder / name, flags, 0o600) for name in ("request", "answer")), folder=str(folder))

    def ask(self, request: bytes) -> None:
        """Write a request, and clear the last answer."""
        os.ftruncate(self._answer, 0)
        os.ftruncate(self._request, 0)
        written = 0
        while written < len(request):
            written += os.pwrite(self._request, request[written:], written)

    def is_answered(self) -> bool:
        """Return whether the kernel has written at least a part of its answer."""
        return os.fstat(self._answer).st_size > 0

    def answer(self, max_bytes: int) -> bytes:
        """Return the answer, which may be any bytes. It is cut to `max_bytes` + 1 bytes."""
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
