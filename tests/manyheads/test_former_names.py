"""Modules that were imported before `manyheads` had packages can still be imported."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import manyheads

# What the lessons, the exercises and the settings of the time import, by module.
IMPORTED = {
    "toy_grammar": ("models.toy_grammar", "QUESTIONS VOCABULARY LONGEST ONE_ASKS THREE_ASK Game Sentences sentence"),
    "ready_heads": ("models.ready_heads", "ReadyHeads"),
    "checkpoint": ("models.checkpoint", "load_checkpoint"),
    "wordpiece": ("models.wordpiece", "WordPiece"),
    "minilm": ("models.minilm", "MiniLM distance_from_published"),
    "memory": ("measuring.memory", "kept_bytes peak_bytes"),
    "contestants": ("measuring.contestants", "COMPILED VARIANTS Layers compiled why_not_compiled"),
    "measure": ("measuring.measure", "Measured Plan Setting plan race what_was_unsteady"),
    "recorded": ("measuring.recorded", "all_recordings recording"),
    "style": ("pictures.style", "figure picture"),
    "number_grids": ("pictures.number_grids", "number_grids"),
    "model_pictures": ("pictures.model_pictures", "draw_layer_map draw_pairs draw_silencing"),
    "charts": ("pictures.charts", "bars curves side_by_side sizes"),
    "widgets.relation_map": ("pictures.relation_map", "describe_relation_maps draw_relation_maps"),
    "pretend": ("calling.pretend_hardware", "AttentionSpy clock machine number"),
    "diagnosis": ("checking.diagnosis", "decide examine"),
    "fixtures": ("checking.exam_files", "all_exams"),
}


@pytest.mark.parametrize("former", IMPORTED)
def test_a_former_name_gives_the_same_objects(former: str) -> None:
    today, names = IMPORTED[former]
    before, now = (importlib.import_module(f"manyheads.{name}") for name in (former, today))
    for name in names.split():
        assert getattr(before, name) is getattr(now, name)


def test_every_former_name_is_in_the_list() -> None:
    folder = Path(manyheads.__file__).parent
    assert {path.stem for path in (folder / "former_names").glob("[!_]*.py")} == IMPORTED.keys() - {
        "widgets.relation_map"
    }


def test_a_former_name_can_be_taken_from_the_package() -> None:
    from manyheads import charts, measure, recorded, style

    assert style.figure is importlib.import_module("manyheads.pictures.style").figure
    assert all((charts, measure, recorded))
