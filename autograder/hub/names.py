"""Which names people can have on a hub: they are accounts of the machine, too."""

from __future__ import annotations

import re

ACCOUNT_OF_THE_COURSE = "many-heads-course"
_ACCOUNT = re.compile(r"[a-z][a-z0-9_-]{0,30}")  # valid on every Linux, and as JupyterHub's and nbgrader's name


def is_user_name(name: str) -> bool:
    """Return whether somebody on a hub can have this name."""
    return _ACCOUNT.fullmatch(name) is not None and name != ACCOUNT_OF_THE_COURSE
