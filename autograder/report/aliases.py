"""Assigns each learner a number, so that the report can be shown to a class without names.

The order is shuffled with the class's secret seed, so neither the alphabet nor a list of names reveals a number's
owner. The numbers are the same in every report of a class, until a learner joins.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping


def aliases(students: Iterable[str], secret: str) -> Mapping[str, int]:
    """Return each student's number, from 1.

    Args:
        students: in any order; duplicates are allowed.
        secret: the class's seed.
    """

    def shuffled(student: str) -> bytes:
        return hmac.digest(secret.encode(), student.encode("utf-8", "surrogatepass"), hashlib.sha256)

    return {student: number for number, student in enumerate(sorted(set(students), key=shuffled), 1)}
