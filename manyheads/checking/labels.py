"""What the parts of an output are called in a message. The comparison and the relations share these names."""

from __future__ import annotations

import re

_OF_CODE = re.compile(r"[\w.]+")
_KEY = re.compile(r": (?:“(.+)”|([\w.]+))$")


def inside(name: str, key: object) -> str:
    """Return what one value of a dictionary is called: "shares[4]", "the layer: w_q.bias", "the layer: “can learn”".

    Text is a key of the course's own, under which a probe says what it has seen: a learner has no such dictionary. Nor
    has a learner a variable whose name is several words: "the number of trainings for 4".
    """
    if not isinstance(key, str):
        return f"{name} for {key!r}" if " " in name else f"{name}[{key!r}]"
    return f"{name}: {key}" if _OF_CODE.fullmatch(key) else f"{name}: “{key}”"


def key_of(label: str) -> str:
    """Return the key of text that `inside` has put at the end of a label, "" if there is none."""
    found = _KEY.search(label)
    return (found[1] or found[2]) if found else ""
