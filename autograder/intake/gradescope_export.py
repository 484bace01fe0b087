"""Reads whose is what in Gradescope's export of all submissions: its folders have numbers, and one file the names."""

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
    """Who handed a folder in.

    Args:
        people: one, or a group's members.
        time: when, in words; "" where that is not said.
    """

    people: tuple[Person, ...]
    time: str = ""


def read_submitters(files: Iterable[HandedIn]) -> Mapping[str, Submitters]:
    """Return the submitters by the path of their folder. A file that cannot be read says nothing.

    In another LMS's zip a file of that name is a learner's, so it is read where it can do no harm.
    """
    found: dict[str, Submitters] = {}
    with BoundedProcess() as bounded:
        for file in files:
            *folders, name = file.parts
            # One within a submission's own folder is a learner's.
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
    for folder, said in _parsed(content).items():
        if isinstance(folder, str) and isinstance(said, dict):
            submitters = said.get(":submitters")
            every = submitters if isinstance(submitters, list) else []
            people = tuple(_person(one) for one in every if isinstance(one, dict))
            if people:
                found[folder] = Submitters(people, _text(said.get(":created_at")))
    return found


def _parsed(data: bytes) -> Mapping[Any, Any]:
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        parsed = yaml.load(data, loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _person(said: Mapping[str, Any]) -> Person:
    name, sis_id, email = (_text(said.get(key)) for key in (":name", ":sid", ":email"))
    return Person("", name=name, sis_id=sis_id, email=email)


def _text(value: Any) -> str:
    """Return a value as text. A number that YAML read may have lost its zeros, and an address is never one."""
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()
