"""Gives each learner a number under which a page can be shown to a room.

The numbers are shuffled by the class's secret seed: neither the alphabet nor a list of names tells who has which.
They are the same in every report of a class, until somebody joins it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping


def aliases(students: Iterable[str], secret: str) -> Mapping[str, int]:
    """Return each student's number, from 1.

    Args:
        students: in any order, named as often as one likes.
        secret: the class's seed.
    """

    def shuffled(student: str) -> bytes:
        return hmac.digest(secret.encode(), student.encode("utf-8", "surrogatepass"), hashlib.sha256)

    return {student: number for number, student in enumerate(sorted(set(students), key=shuffled), 1)}
