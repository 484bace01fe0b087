"""The pictures of chapter 2: accuracy as models train, one sentence in every head, and all heads' relations."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from manyheads.models.ready_heads import ReadyHeads
from manyheads.models.toy_grammar import NUMBER, ONE_ASKS, THREE_ASK, VOCABULARY, Game, Sentences, sentence, sentences
from manyheads.pictures import style
from manyheads.pictures.relation_map import describe_relation_maps, draw_relation_maps
from manyheads.widgets import one_or_many, sentence_explorer
from manyheads.widgets.explorer import Explorer
from manyheads.widgets.one_sentence import describe_reading, draw_reading, read
from manyheads.widgets.page import OnPage
from manyheads.widgets.training_race import Run, draw_runs, percent
from tests.support.figures import assert_readable, texts

OURS = sentence("The black cat sat on the mat.")
LONG = sentence("Yesterday the hungry spider happily danced beside the sleepy carpet.")
EXAMPLES = [OURS, LONG, *(sentences(200, seed=5)[row : row + 1] for row in range(200))]
Model = Callable[[Sentences, Game], tuple[Tensor, Tensor]]


def said(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


def meshes(figure: Figure) -> list[list[float]]:
    return [
        np.asarray(mesh.get_array()).flatten().tolist()
        for axes in figure.axes
        for mesh in axes.collections
        if isinstance(mesh, QuadMesh)
    ]


def model_with(num_heads: int, answers: tuple[str, str, str] | None = None) -> Model:
    """An untrained model that gives `answers`, or any."""
    torch.manual_seed(num_heads)
    table, heads = torch.randn(len(VOCABULARY), 48), ReadyHeads(48, num_heads)

    def model(batch: Sentences, game: Game) -> tuple[Tensor, Tensor]:
        _, weights = heads(20 * table[batch.words], batch.mask)
        scores = torch.randn(len(batch), 3, len(VOCABULARY))
        for question, answer in enumerate(answers or ()):
            scores[:, question, NUMBER[answer]] = 20
        return scores, weights

    return model


class TestOneOrMany:
    def test_the_empty_figure_has_a_panel_for_each_model(self) -> None:
        live = one_or_many([1, 2, 3, 4], steps=250)

        words = said(draw_runs(list(live.runs.values()), 250))

        assert [f"{n} head{'s' if n > 1 else ''}" in words for n in (1, 2, 3, 4)] == [True] * 4
        assert "%" not in live.words.value
        assert live.bar.max == 250
        assert live.bar.value == 0

    def test_a_guess_is_drawn_and_said_beside_the_result(self) -> None:
        live = one_or_many([1, 2, 4], steps=100, guesses={1: 50, 2: None, 4: 100.0})

        live.watch(1)(100, 0.2)
        figure = draw_runs(list(live.runs.values()), 100)

        assert_readable(figure)
        assert [text for text in said(figure) if "guess" in text] == ["your guess: 50%", "your guess: 100%"]
        assert "1 head: <b>20.0%</b> after 100 steps (your guess: 50%)" in live.words.value

    def test_levels_are_drawn_in_every_panel_with_their_names(self) -> None:
        live = one_or_many([1, 2], steps=100, levels={"a coin toss": 50, "two tosses": 25})
        live.watch(1)(100, 0.6)

        figure = draw_runs(list(live.runs.values()), 100, live.levels)

        assert said(figure).count("a coin toss") == said(figure).count("two tosses") == 2
        heights = [line.get_ydata() for line in figure.axes[0].lines if line.get_linestyle() == ":"]
        assert [np.asarray(height).tolist() for height in heights] == [[0.5, 0.5], [0.25, 0.25]] * 2
        assert_readable(figure)
        assert "Dotted lines: a coin toss, 50.0%; two tosses, 25.0%." in live.words.value

    @pytest.mark.parametrize("guess", [101, -1, "half", float("nan")])
    def test_what_is_no_share_is_not_taken_for_a_guess(self, guess: Any) -> None:
        with pytest.raises(ValueError, match="a guess is a number of percent between 0 and 100"):
            one_or_many([1], steps=100, guesses={1: guess})

    def test_bar_picture_and_words_follow_the_training(self) -> None:
        live = one_or_many([1, 2], steps=100)
        before, watch = live.drawn, live.watch(2)

        watch(0, 0.0)
        watch(50, 0.4)
        assert live.bar.value == 50
        assert "2 heads: step 50 of 100" in live.doing.value
        watch(100, 0.987)

        assert live.bar.bar_style == "success"
        assert live.drawn != before
        assert "2 heads: <b>98.7%</b> after 100 steps" in live.words.value
        assert "1 head:" not in live.words.value

    @pytest.mark.slow
    def test_the_last_step_is_always_drawn_and_others_only_now_and_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = sys.modules["manyheads.widgets.training_race"]
        clock = SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
        monkeypatch.setattr(module, "time", clock)
        live = one_or_many([1], steps=1000)
        watch, drawn = live.watch(1), []
        live.picture.observe(lambda _: drawn.append(live.bar.value), names="value")

        for step in range(0, 1001, 25):
            clock.now += 0.4 * module._PAUSE
            watch(step, 0.5)

        assert drawn[-1] == 1000
        assert drawn[:-1] == list(range(50, 1000, 75))

    def test_a_restarted_run_drops_its_old_curve(self) -> None:
        live = one_or_many([3], steps=10)
        watch = live.watch(3)
        for step in (0, 5, 10, 0, 5):
            watch(step, step / 10)

        assert live.runs[3].steps == [0, 5]
        assert live.runs[3].accuracies == [0, 0.5]

    @pytest.mark.slow
    @pytest.mark.parametrize("accuracies", [[], [0.0, 1.0], [0.0, 0.204, 0.9999]])
    @pytest.mark.parametrize("head_counts", [[1, 2], [1, 2, 3, 4], [2, 4, 12]])
    def test_it_is_readable(self, head_counts: list[int], accuracies: list[float]) -> None:
        steps = list(range(0, 25 * len(accuracies), 25))
        runs = [Run(f"{n} heads", n, steps, accuracies) for n in head_counts]

        assert_readable(draw_runs(runs, 750))

    def test_two_lines_of_title_are_readable_and_lead_to_the_same_run(self) -> None:
        live = one_or_many({"1 head": 1, "1 head, no positions\nin the values": 1}, 750)
        live.watch("1 head, no positions\nin the values")(750, 0.25)

        assert_readable(draw_runs(list(live.runs.values()), 750))
        assert "1 head, no positions in the values: <b>25.0%</b>" in live.words.value

    def test_only_what_is_all_right_is_100_percent(self) -> None:
        assert [percent(share) for share in (0, 0.2041, 0.9996, 1)] == ["0.0%", "20.4%", "99.9%", "100.0%"]


class TestOneSentence:
    def test_every_head_has_a_row_with_the_weights_of_the_verb(self) -> None:
        model = model_with(3)
        _, weights = model(OURS, ONE_ASKS)

        drawn = [mesh for mesh in draw_reading(read(model, OURS, ONE_ASKS)).axes[0].collections]

        assert [np.asarray(mesh.get_array()).shape for mesh in drawn] == [(1, 8), (1, 8), (1, 8)]
        for head, mesh in enumerate(drawn):
            assert np.asarray(mesh.get_array())[0] == pytest.approx(weights[0, head, 3, :8].tolist())

    def test_where_three_words_ask_there_is_a_row_for_each_of_them(self) -> None:
        model = model_with(1)
        _, weights = model(OURS, THREE_ASK)

        reading = read(model, OURS, THREE_ASK)

        assert [gaze.label for gaze in reading.gazes] == ["cat", "sat", "on"]
        for gaze, asker in zip(reading.gazes, (2, 3, 4), strict=True):
            assert gaze.weights == pytest.approx(weights[0, 0, asker, :8].tolist())

    def test_right_and_wrong_answers_differ_in_picture_and_words(self) -> None:
        reading = read(model_with(2, ("black", "mat", "mat")), OURS, ONE_ASKS)

        figure, (_, answers) = draw_reading(reading), describe_reading(reading)

        assert said(figure).count("✓") == 2
        assert "✗   right is “cat”" in said(figure)
        assert "what is it like? black (100%, right)" in answers
        assert "who? mat (100%, wrong, it is cat)" in answers

    def test_bars_are_as_long_as_the_answers_are_likely(self) -> None:
        reading = read(model_with(1), OURS, ONE_ASKS)

        drawn = draw_reading(reading).axes[0].patches
        bars = [patch.get_width() for patch in drawn if isinstance(patch, Rectangle)]

        likely = [chance for guess in reading.guesses for _, chance in guess.best if chance >= 0.01]
        assert [bar / max(bars) for bar in bars] == pytest.approx([chance / max(likely) for chance in likely])

    def test_its_alternative_text_has_no_tags(self) -> None:
        assert "<" not in " ".join(describe_reading(read(model_with(2), OURS, ONE_ASKS)))

    @pytest.mark.slow
    @pytest.mark.parametrize("num_heads", [1, 2, 3, 4])
    @pytest.mark.parametrize("place", [0, 1, 2, 3, 4, 5, 6, 7])
    def test_it_is_readable_whatever_the_sentence(self, num_heads: int, place: int) -> None:
        assert_readable(draw_reading(read(model_with(num_heads), EXAMPLES[place], ONE_ASKS)))

    def test_the_longest_words_fit(self) -> None:
        reading = read(model_with(4, ("hungry", "basket", "knight")), LONG, ONE_ASKS)

        assert_readable(draw_reading(reading))

    @pytest.mark.parametrize(("control", "value"), [("num_heads", 4), ("place", 2)])
    def test_every_control_changes_picture_and_words(self, control: str, value: int) -> None:
        explorer = explorer_of_untrained_models()
        picture, words = explorer.drawn, explorer.words.value

        explorer.controls[control].value = value

        assert explorer.drawn != picture
        assert explorer.words.value != words

    def test_a_model_that_fails_is_explained_in_a_sentence(self) -> None:
        def broken(batch: Sentences, game: Game) -> tuple[Tensor, Tensor]:
            raise RuntimeError("shapes do not fit")

        explorer = sentence_explorer({1: broken}, [OURS], ONE_ASKS)

        assert explorer.view.figure is None
        assert "RuntimeError: shapes do not fit" in explorer.words.value


MAPS = {n: torch.arange(3 * n).view(n, 3) / 12 for n in (1, 2, 3, 4)}


class TestRelationMap:
    def test_every_cell_says_its_number_and_the_picture_is_readable(self) -> None:
        figure = draw_relation_maps(MAPS, ("black", "cat", "mat"))

        assert_readable(figure)
        numbers = [f"{weight:.2f}" for one in MAPS.values() for weight in one.flatten().tolist()]
        assert sorted(text for text in said(figure) if "." in text) == sorted(numbers)
        assert [row for row in meshes(figure)] == [pytest.approx(row) for m in MAPS.values() for row in m.tolist()]

    def test_fewer_maps_are_readable_too(self) -> None:
        assert_readable(draw_relation_maps({2: MAPS[2]}, ("black", "cat", "mat")))

    def test_the_words_name_the_relation_that_each_head_serves_most(self) -> None:
        words = describe_relation_maps({2: torch.tensor([[0.1, 0.8, 0.0], [0.4, 0.0, 0.5]])}, ("black", "cat", "mat"))

        assert words == "With 2: head 0 cat (0.80), head 1 mat (0.50)."


def explorer_of_untrained_models() -> Explorer:
    return sentence_explorer({n: model_with(n) for n in (1, 2, 3, 4)}, [OURS, LONG], ONE_ASKS)


class TestEveryPicture:
    @pytest.mark.parametrize(
        "make", [lambda: one_or_many([1, 2], 50), explorer_of_untrained_models], ids=["race", "read"]
    )
    def test_it_is_a_picture_no_wider_than_the_column(self, make: Callable[[], OnPage]) -> None:
        before = dict(mpl.rcParams)

        drawn = ElementTree.fromstring(make().drawn)

        assert int(drawn.attrib["width"]) == style.WIDTH
        assert "max-width: 100%" in drawn.attrib["style"]
        assert plt.get_fignums() == []
        assert dict(mpl.rcParams) == before

    def test_every_control_has_a_name(self) -> None:
        for control in explorer_of_untrained_models().controls.values():
            assert control.description
