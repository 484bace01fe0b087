"""Reads the owners in Gradescope's export of all submissions: folders are numbered, a metadata file has the names."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from ..classroom.person import Person
from ..sandbox.bounded import BoundedProcess, OutOfBounds
from .source_files import Damaged, HandedIn

METADATA = "submission_metadata.yml"
_FOLDER = re.compile(r"submission_\d+")
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Submitters:
    """The people who submitted a folder.

    Args:
        people: one person, or the members of a group.
        time: the submission time as text; "" if unknown.
    """

    people: tuple[Person, ...]
    time: str = ""


def read_submitters(files: Iterable[HandedIn]) -> Mapping[str, Submitters]:
    """Return the submitters by the path of their folder. A metadata file that cannot be read is ignored.

    In another LMS's zip a learner may have written a file of that name, so it is parsed in a bounded process.
    """
    found: dict[str, Submitters] = {}
    with BoundedProcess() as bounded:
        for file in files:
            *folders, name = file.parts
            # A learner wrote the file if it is inside a submission's folder.
            if name != METADATA or any(map(_FOLDER.fullmatch, folders)) or file.size > _MAX_BYTES:
                continue
            with contextlib.suppress(Damaged, OutOfBounds):
                with file.opened() as source:
                    content = source.read(_MAX_BYTES)
                for folder, submitters in bounded(_submitters, content).items():
                    found["/".join([*folders, folder])] = submitters
    return found


def _submitters(content: bytes) -> dict[str, Submitters]:
    found: dict[str, Submitters] = {}
    for folder, entry in _parsed(content).items():
        if isinstance(folder, str) and isinstance(entry, dict):
            submitters = entry.get(":submitters")
            every = submitters if isinstance(submitters, list) else []
            people = tuple(_person(one) for one in every if isinstance(one, dict))
            if people:
                found[folder] = Submitters(people, _text(entry.get(":created_at")))
    return found


def _parsed(data: bytes) -> Mapping[Any, Any]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        parsed = yaml.load(data, loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _person(entry: Mapping[str, Any]) -> Person:
    name, sis_id, email = (_text(entry.get(key)) for key in (":name", ":sid", ":email"))
    return Person("", name=name, sis_id=sis_id, email=email)


def _text(value: Any) -> str:
    """Return a scalar as text, and "" for a list or mapping."""
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()
