"""A widget's cell has a still for when there is no kernel, and both major versions of ipywidgets can show the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import ipywidgets as widgets
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell

from autograder.course.chapter import REPOSITORY_ROOT
from manyheads.widgets import one_or_many, scaling_explorer
from manyheads.widgets.page import OnPage

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What is displayed from here on."""
    had = InteractiveShell.initialized()
    shell = InteractiveShell.instance()
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    yield publisher.outputs
    if not had:
        InteractiveShell.clear_instance()


def test_a_cell_shows_the_still_and_the_widget_which_hides_it(outputs: list[dict[str, Any]]) -> None:
    explorer = scaling_explorer()

    explorer._ipython_display_()

    still, alive = (output["data"] for output in outputs)
    assert explorer.drawn in still["text/html"]
    assert explorer.words.value in still["text/html"]
    assert VIEW not in still
    assert alive[VIEW]["model_id"] == explorer.model_id
    assert alive["text/plain"] == "", "what a notebook that is not trusted shows below the still"
    (name,) = {part.split('"')[1] for part in still["text/html"].split("data-of=")[1:]}
    assert f'.manyheads-still[data-of="{name}"]{{display:none}}' in explorer.picture.value
    assert name not in scaling_explorer().picture.value


def test_the_still_of_a_race_shows_its_end(outputs: list[dict[str, Any]]) -> None:
    race = one_or_many([2], 10)
    race._ipython_display_()
    watch = race.watch(2)

    watch(5, 0.25)
    assert len(outputs) == 2
    watch(10, 0.75)

    assert "75.0%" not in outputs[0]["data"]["text/html"]
    assert "75.0%" in outputs[2]["data"]["text/html"]
    assert outputs[2]["transient"] == outputs[0]["transient"]


def test_a_widget_that_was_never_shown_has_no_still_to_renew(outputs: list[dict[str, Any]]) -> None:
    one_or_many([2], 10).watch(2)(10, 0.75)

    assert outputs == []


def test_with_ipywidgets_7_the_widget_shows_itself(
    outputs: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[object] = []
    explorer = scaling_explorer()
    monkeypatch.delattr(widgets.Widget, "_repr_mimebundle_", raising=False)
    monkeypatch.setattr(widgets.Widget, "_ipython_display_", lambda self: shown.append(self), raising=False)

    explorer._ipython_display_()

    assert shown == [explorer]
    assert len(outputs) == 1


def test_a_widget_says_what_its_still_is() -> None:
    with pytest.raises(NotImplementedError):
        OnPage([]).still()


def test_no_progress_bar_is_a_widget_which_has_no_still() -> None:
    lessons = (REPOSITORY_ROOT / "solutions").glob("*/lesson.py")
    sources = [*lessons, *(REPOSITORY_ROOT / "manyheads").rglob("*.py")]
    assert [path.name for path in sources if re.search(r"tqdm\.(auto|notebook)", path.read_text("utf-8"))] == []
