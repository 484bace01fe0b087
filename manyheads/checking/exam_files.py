"""Reads and writes the exams that learners' checks use: `manyheads/fixtures/<chapter>.safetensors`.

Written by `autograder build`, read by `manyheads.check`. A file holds inputs, outputs and, sealed, stand-ins. What the
chapters are called, and how long they take, is in `manyheads/fixtures/chapters.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..calling import wire
from ..calling.sealed import sealed
from .exam import Exam, Trial
from .milestones import Milestone
from .pairs import KnownPairs

FOLDER = Path(__file__).parents[1] / "fixtures"
CHAPTERS = "chapters.json"
_PLAIN = ("exercise", "probe", "exact_zeros", "keeps_dtype", "conceals", "atol", "rtol")
_NAMES = ("returns", "informs", "builds_on", "forbids")
_OF_MILESTONE = ("key", "words", "sealed", "output", "rows_sum_to_one", "rearranged", "doubled", "optional", "stacked")
_BY_NAME = ("hints", "shown_by", "points")


def pack(exams: list[Exam]) -> tuple[Any, dict[str, Tensor]]:
    """Return JSON and tensors for a chapter's exams, in the order of the lesson."""
    packer = wire.Packer()
    packed = []
    for exam in exams:
        trials = [_trial(packer, trial) for trial in exam.trials]
        plain = {key: getattr(exam, key) for key in _PLAIN}
        names = {key: list(getattr(exam, key)) for key in _NAMES}
        by_name = {key: [list(item) for item in getattr(exam, key).items()] for key in _BY_NAME}  # their order matters
        plain["stand_in"] = sealed(exam.stand_in)
        plain["pairs"] = _pairs(packer, exam)
        packed.append({**plain, **names, **by_name, "trials": trials})
    return {"exams": packed}, packer.tensors


def _trial(packer: wire.Packer, trial: Trial) -> Any:
    right = packer.answer(trial.right)
    wrong = {name: packer.answer(answer) for name, answer in trial.wrong.items()}
    return {
        "name": trial.name,
        "sizes": dict(trial.sizes),
        "call": packer.call(trial.call),
        "right": right,
        # Only answers that differ from the right one are stored.
        "wrong": {
            name: {field: value for field, value in answer.items() if value != right[field]}
            for name, answer in wrong.items()
        },
        "milestones": [_milestone(packer, milestone) for milestone in trial.milestones],
    }


def _milestone(packer: wire.Packer, milestone: Milestone) -> Any:
    if not milestone.sealed and milestone.output is None:
        raise ValueError(f"{milestone.key} is not sealed: no learner's file may hold its numbers")
    return {
        **{key: getattr(milestone, key) for key in _OF_MILESTONE},
        "shape": list(milestone.shape),
        "after": list(milestone.after),
        "numbers": packer.value(milestone.numbers),
    }


def _pairs(packer: wire.Packer, exam: Exam) -> Any:
    if not isinstance(exam.pairs, KnownPairs) or not exam.pairs.names:
        return None
    places = {name: place for place, name in enumerate(exam.hints)}
    names = torch.tensor([[places[name] for name in pair] for pair in exam.pairs.names], dtype=torch.uint8)
    return {
        "names": packer.value(names),
        "exact": packer.value(exam.pairs.exact.to(torch.int32)),
        "sums": packer.value(exam.pairs.sums),
    }


def _known_pairs(unpacker: wire.Unpacker, packed: Any, hints: Mapping[str, str]) -> KnownPairs | None:
    if packed is None:
        return None
    names = list(hints)
    places = unpacker.tensor(packed["names"]).tolist()
    return KnownPairs(
        tuple((names[one], names[other]) for one, other in places),
        unpacker.tensor(packed["exact"]),
        unpacker.tensor(packed["sums"]),
    )


def unpack(document: Any, tensors: dict[str, Tensor]) -> list[Exam]:
    """Reverse `pack`."""
    unpacker = wire.Unpacker(tensors)
    exams = []
    for packed in document["exams"]:
        trials = tuple(
            Trial(
                name=trial["name"],
                sizes=trial["sizes"],
                call=unpacker.call(trial["call"]),
                right=unpacker.answer(trial["right"]),
                wrong={name: unpacker.answer({**trial["right"], **part}) for name, part in trial["wrong"].items()},
                milestones=tuple(
                    Milestone(
                        **{key: milestone[key] for key in _OF_MILESTONE},
                        shape=tuple(milestone["shape"]),
                        after=tuple(milestone["after"]),
                        numbers=unpacker.tensor(milestone["numbers"]),
                    )
                    for milestone in trial["milestones"]
                ),
            )
            for trial in packed["trials"]
        )
        plain: dict[str, Any] = {key: packed[key] for key in _PLAIN}
        names: dict[str, Any] = {key: tuple(packed[key]) for key in _NAMES}
        by_name: dict[str, Any] = {key: dict(packed[key]) for key in _BY_NAME}
        pairs = _known_pairs(unpacker, packed.get("pairs"), by_name["hints"])
        exams.append(Exam(**plain, **names, **by_name, stand_in=packed["stand_in"], trials=trials, pairs=pairs))
    return exams


@cache
def exams_by_chapter() -> dict[str, dict[str, Exam]]:
    """Return every exercise's exam by the exercise's name, chapter by chapter, in the course's order."""
    return {
        path.stem: {exam.exercise: exam for exam in unpack(*wire.load(path))}
        for path in sorted(FOLDER.glob("*.safetensors"))
    }


@cache
def all_exams() -> dict[str, Exam]:
    """Return every exercise's exam by the exercise's name, over all chapters."""
    return {name: exam for exams in exams_by_chapter().values() for name, exam in exams.items()}


@dataclass(frozen=True)
class About:
    """What a chapter is called, and the minutes that its lesson is planned for."""

    title: str
    minutes: int


def pack_chapters(chapters: Mapping[str, About]) -> str:
    """Return the text of `chapters.json`."""
    return json.dumps({name: asdict(about) for name, about in chapters.items()}, ensure_ascii=False, indent=1) + "\n"


@cache
def about_chapters() -> dict[str, About]:
    """Return what is known of each chapter by its name: nothing if the file is not there."""
    path = FOLDER / CHAPTERS
    if not path.is_file():
        return {}
    return {name: About(**about) for name, about in json.loads(path.read_text(encoding="utf-8")).items()}
