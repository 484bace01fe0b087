"""The progress bar of the command line: what is being done, how much of it is done, and how long it will take."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

_FORMAT = "{desc}: {n_fmt} of {total_fmt} |{bar:20}| {elapsed}, {remaining} left{postfix}"


def progress_bar(doing: str, total: int, *, shown: bool) -> tqdm[Any]:
    """Return a bar on stderr; call its `update()` after each of the `total` steps. Without steps nothing is shown.

    Args:
        doing: what is done, such as "Grading 01_single_head".
        shown: whether there is a bar at all.
    """
    seconds = 0.1 if sys.stderr.isatty() else 30  # in a log, each state of the bar is a line
    return tqdm(total=total, desc=doing, bar_format=_FORMAT, mininterval=seconds, disable=not shown or not total)
