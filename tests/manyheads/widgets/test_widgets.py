"""The interactive pictures are right and readable, and explain unfinished code."""

from __future__ import annotations

import gc
import itertools
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from ipywidgets import IntSlider
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.pictures import style, theme
from manyheads.widgets import head_map, head_viewer, model_head_viewer, scaling_explorer
from manyheads.widgets.explorer import Explorer, View
from manyheads.widgets.head_map import MADE_BY_HAND, TOKENS, draw_head_map, vectors
from manyheads.widgets.scaling import D_HEADS, QUERIES, describe_scaling, draw_scaling, scaling_numbers
from tests.support.figures import assert_is_a_picture, assert_readable, hides_its_picture, shown, texts

SEQ, D_HEAD = 8, 7
REFERENCE = read_chapter(REPOSITORY_ROOT / "solutions" / "01_single_head").namespace()
attention, causal_mask = REFERENCE["attention"], REFERENCE["causal_mask"]
d_heads = pytest.mark.parametrize("d_head", D_HEADS)


def unsolved(*_: object) -> NoReturn:
    raise NotImplementedError()


def drawn_weights(figure: Figure) -> np.ndarray:
    (mesh,) = (artist for axes in figure.axes for artist in axes.collections if isinstance(artist, QuadMesh))
    return np.asarray(mesh.get_array()).reshape(SEQ, SEQ)


class TestScaling:
    @d_heads
    def test_unscaled_scores_spread_like_the_root_of_d_head_and_scaled_ones_like_1(self, d_head: int) -> None:
        numbers = scaling_numbers(d_head)

        assert numbers.unscaled.spread == pytest.approx(math.sqrt(d_head), rel=0.1)
        assert numbers.scaled.spread == pytest.approx(1, rel=0.1)

    def test_scaling_changes_the_scores_by_the_root_and_nothing_else(self) -> None:
        numbers = scaling_numbers(16)

        torch.testing.assert_close(numbers.scaled.scores * 4, numbers.unscaled.scores)
        for softmax in (numbers.unscaled, numbers.scaled):
            torch.testing.assert_close(
                softmax.weights, softmax.scores.exp() / softmax.scores.exp().sum(1, keepdim=True)
            )

    def test_softmax_collapses_without_scaling_and_never_with_it(self) -> None:
        assert scaling_numbers(1).unscaled.biggest < 0.5
        assert scaling_numbers(256).unscaled.biggest > 0.99
        assert max(scaling_numbers(d_head).scaled.biggest for d_head in D_HEADS) < 0.6

    def test_the_gradient_is_the_one_that_autograd_finds(self) -> None:
        numbers = scaling_numbers(8)
        scores = numbers.unscaled.scores[numbers.shown].double()

        jacobian = torch.autograd.functional.jacobian(lambda row: row.softmax(dim=0), scores)

        assert isinstance(jacobian, Tensor)
        assert numbers.unscaled.gradient == pytest.approx(float(jacobian.diagonal().max()), rel=1e-4)

    def test_the_query_that_is_shown_is_the_middle_one(self) -> None:
        numbers = scaling_numbers(64)

        less_collapsed = int((numbers.unscaled.weights.amax(dim=1) < numbers.unscaled.biggest).sum())

        assert abs(less_collapsed - QUERIES / 2) <= 1

    def test_the_same_d_head_gives_the_same_numbers_whatever_the_learner_has_drawn(self) -> None:
        first = scaling_numbers(32).unscaled.scores
        scaling_numbers.cache_clear()
        torch.manual_seed(1234)
        state = torch.get_rng_state()

        assert torch.equal(scaling_numbers(32).unscaled.scores, first)
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.slow
    @d_heads
    def test_the_picture_is_readable_and_says_what_it_shows(self, d_head: int) -> None:
        figure = draw_scaling(d_head)

        assert_readable(figure)
        said = " | ".join(text.get_text() for text in texts(figure))
        assert f"q·k:  standard deviation {scaling_numbers(d_head).unscaled.spread:.1f}" in said
        assert f"q·k / √{d_head}:  standard deviation {scaling_numbers(d_head).scaled.spread:.1f}" in said
        assert f"{scaling_numbers(d_head).unscaled.biggest:.2f}" in said
        assert f"{scaling_numbers(d_head).scaled.biggest:.2f}" in said

    def test_the_bars_are_the_weights(self) -> None:
        numbers = scaling_numbers(64)

        bars = [patch.get_height() for patch in draw_scaling(64).axes[1].patches if isinstance(patch, Rectangle)]

        weights = torch.cat([numbers.unscaled.weights[numbers.shown], numbers.scaled.weights[numbers.shown]])
        assert bars == pytest.approx(weights.tolist())

    def test_the_largest_score_has_the_number_of_the_largest_bar(self) -> None:
        numbers = scaling_numbers(64)
        largest = int(numbers.unscaled.weights[numbers.shown].argmax())

        said = [text for text in texts(draw_scaling(64)) if text.get_text() == f"{largest}"]

        dots = [float(softmax.scores[numbers.shown].max()) for softmax in (numbers.unscaled, numbers.scaled)]
        assert sorted(text.get_position()[0] for text in said) == pytest.approx(sorted([*dots, largest, largest]))

    def test_the_words_say_that_softmax_has_collapsed(self) -> None:
        unscaled, scaled = describe_scaling(64)

        assert f"standard deviation of {scaling_numbers(64).unscaled.spread:.1f} (√64 = 8.0)" in unscaled
        assert f"softmax has collapsed: {scaling_numbers(64).unscaled.biggest:.2f} on one token" in unscaled
        assert "hardly anything to learn from" in unscaled
        assert "softmax still spreads its weight" in scaled
        assert f"the biggest is {scaling_numbers(64).scaled.biggest:.2f}" in scaled

    @pytest.mark.slow
    def test_moving_the_slider_changes_the_picture_and_the_words(self) -> None:
        explorer = scaling_explorer()
        picture, words = explorer.drawn, explorer.words.value

        explorer.controls["d_head"].value = 4
        assert explorer.drawn != picture
        assert explorer.words.value != words
        assert "√4 = 2.0" in explorer.words.value

        explorer.controls["d_head"].value = 64
        assert (explorer.drawn, explorer.words.value) == (picture, words)


class TestHeadMap:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("word", "seen"),
        [
            ("sat", "cat"),
            ("cat", "black"),
            ("mat", "the"),
            ("black", "cat"),
            ("on", "mat"),
            ("the", "mat"),
            (".", "sat"),
        ],
    )
    def test_a_word_looks_at_what_its_query_asks_for(self, word: str, seen: str) -> None:
        explorer = head_map(attention, causal_mask)
        explorer.controls["query"].value = TOKENS.index(word)

        row = drawn_weights(shown(explorer))[TOKENS.index(word)]

        assert TOKENS[int(row.argmax())] == seen
        assert row.max() > 0.6
        assert f"<b>{word}</b> looks most at <b>{seen}</b> ({row.max():.2f})" in explorer.words.value

    def test_it_says_that_the_vectors_are_made_by_hand(self) -> None:
        assert MADE_BY_HAND in head_map(attention, causal_mask).words.value

    def test_no_two_sizes_are_the_same_so_that_a_transposed_tensor_shows(self) -> None:
        q, k, v = vectors(8)

        assert {tuple(tensor.shape) for tensor in (q, k, v)} == {(1, SEQ, D_HEAD)}

    def test_without_sharpness_every_word_looks_everywhere_alike(self) -> None:
        explorer = head_map(attention, causal_mask)
        explorer.controls["sharpness"].value = 0

        assert drawn_weights(shown(explorer)) == pytest.approx(np.full((SEQ, SEQ), 1 / SEQ))
        assert "<b>sat</b> looks at 8 words alike, 0.12 each." in explorer.words.value

    def test_more_sharpness_makes_the_biggest_weight_bigger(self) -> None:
        explorer = head_map(attention, causal_mask)
        biggest = []
        for sharpness in (1, 4, 16):
            explorer.controls["sharpness"].value = sharpness
            biggest.append(drawn_weights(shown(explorer))[TOKENS.index("sat")].max())

        assert biggest[0] < biggest[1] < biggest[2]

    def test_ticking_causal_draws_zeros_above_the_diagonal_and_marks_them(self) -> None:
        explorer = head_map(attention, causal_mask)
        assert np.triu(drawn_weights(shown(explorer)), 1).any()

        explorer.controls["causal"].value = True

        drawn = drawn_weights(shown(explorer))
        above = [(row, column) for row in range(SEQ) for column in range(row + 1, SEQ)]
        assert all(drawn[place] == 0 for place in above)
        assert drawn.sum(axis=1) == pytest.approx(np.ones(SEQ))
        crosses = next(line for line in shown(explorer).axes[0].lines if line.get_marker() == "x")
        marked = {(int(y), int(x)) for x, y in np.asarray(crosses.get_xydata())}
        assert marked == set(above)

    @pytest.mark.slow
    @pytest.mark.parametrize("query", range(SEQ))
    def test_the_row_of_the_chosen_word_is_framed_and_drawn_as_bars(self, query: int) -> None:
        weights = torch.rand(SEQ, SEQ, generator=torch.Generator().manual_seed(query)).softmax(dim=-1)

        figure = draw_head_map(weights, TOKENS, query)

        patches = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
        (frame,) = (patch for patch in patches if not patch.get_fill())
        assert frame.get_bbox().bounds == (0, query, SEQ, 1)
        heights = np.array([-patch.get_height() for patch in patches if patch.get_fill()])
        assert heights / heights.sum() == pytest.approx(weights[query].numpy(), rel=1e-5)
        (bold,) = (text for text in texts(figure) if text.get_fontweight() == "bold" and text.get_text() in TOKENS)
        assert (bold.get_text(), bold.get_position()[1]) == (TOKENS[query], query + 0.5)

    @pytest.mark.slow
    @pytest.mark.parametrize("causal", [False, True])
    @pytest.mark.parametrize("query", range(SEQ))
    def test_the_picture_is_readable(self, query: int, causal: bool) -> None:
        explorer = head_map(attention, causal_mask)
        explorer.controls["causal"].value = causal
        explorer.controls["query"].value = query

        assert_readable(shown(explorer))
        said = [text.get_text() for text in texts(shown(explorer))]
        assert all(said.count(token) == 2 for token in TOKENS)  # a row and a column each
        assert f"where “{TOKENS[query]}” looks" in said

    @pytest.mark.parametrize(("control", "value"), [("query", 0), ("sharpness", 2), ("causal", True)])
    def test_every_control_changes_the_picture_and_the_words(self, control: str, value: object) -> None:
        explorer = head_map(attention, causal_mask)
        picture, words = explorer.drawn, explorer.words.value

        explorer.controls[control].value = value

        assert explorer.drawn != picture
        assert explorer.words.value != words


class TestUnfinishedCode:
    def test_an_attention_that_is_not_written_is_named_in_one_line(self) -> None:
        explorer = head_map(unsolved, causal_mask)

        assert "<code>unsolved</code> is not written yet." in explorer.words.value
        assert hides_its_picture(explorer)

    def test_the_function_that_is_missing_is_named_and_not_the_one_that_calls_it(self) -> None:
        def attention_scores(q: Tensor, k: Tensor) -> Tensor:
            raise NotImplementedError()

        def attention_that_is_written(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
            return attention_scores(q, k) @ v

        explorer = head_map(attention_that_is_written, causal_mask)  # pyrefly: ignore[bad-argument-type]  # no weights

        assert "<code>attention_scores</code> is not written yet." in explorer.words.value
        assert "attention_that_is_written" not in explorer.words.value

    def test_a_missing_causal_mask_leaves_the_picture_without_a_mask(self) -> None:
        explorer = head_map(attention, unsolved)
        picture = explorer.drawn
        assert picture

        explorer.controls["causal"].value = True
        assert "<code>unsolved</code> is not written yet." in explorer.words.value
        assert "Untick “causal”" in explorer.words.value
        assert hides_its_picture(explorer)

        explorer.controls["causal"].value = False
        assert explorer.drawn == picture
        assert explorer.drawn
        assert "not written yet" not in explorer.words.value

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda q, k, v, mask: None, "yours returns nothing"),
            (lambda q, k, v, mask: attention(q, k, v)[1], "yours is a tensor of shape (1, 8, 8)"),
            (lambda q, k, v, mask: (*attention(q, k, v), q), "yours returns 3 things"),
            (
                lambda q, k, v, mask: attention(q, k, v)[::-1],
                "The output of <code>attention</code> should have the shape (1, 8, 7); yours is a tensor of shape",
            ),
            (
                lambda q, k, v, mask: (v, attention(q, k, v)[1][0]),
                "The weights of <code>attention</code> should have the shape (1, 8, 8); yours is a tensor of shape",
            ),
            (lambda q, k, v, mask: (v, "weights"), "yours is of type str"),
            (lambda q, k, v, mask: (v, attention(q, k, v)[1] * torch.nan), "it holds NaN"),
            (lambda q, k, v, mask: (v / 0, attention(q, k, v)[1]), "should hold plain numbers"),
            (lambda q, k, v, mask: (v, attention(q, k, v)[1] + torch.inf), "it holds infinity"),
            (lambda q, k, v, mask: q @ k, "stopped with <code>RuntimeError"),
            (lambda q, k: (q, k), "stopped with <code>TypeError"),
        ],
    )
    def test_what_cannot_be_drawn_is_explained_in_one_line(self, wrong: Callable[..., Any], words: str) -> None:
        explorer = head_map(wrong, causal_mask)

        assert words in explorer.words.value
        assert "Traceback" not in explorer.words.value
        assert hides_its_picture(explorer)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda seq: None, "yours returns nothing"),
            (lambda seq: torch.ones(seq, seq).tril(), "yours is a tensor of shape (8, 8) and torch.float32"),
            (lambda seq: torch.ones(seq, dtype=torch.bool), "yours is a tensor of shape (8,)"),
            (lambda seq: 1 // 0, "<code>causal_mask</code> stopped with <code>ZeroDivisionError"),
        ],
    )
    def test_a_wrong_causal_mask_is_explained_in_one_line(self, wrong: Callable[..., Any], words: str) -> None:
        explorer = head_map(attention, wrong)
        explorer.controls["causal"].value = True

        assert words in explorer.words.value
        assert "Untick “causal”" in explorer.words.value
        assert hides_its_picture(explorer)

    def test_a_learners_error_cannot_put_html_into_the_page(self) -> None:
        def hostile(*_: object) -> tuple[Tensor, Tensor]:
            raise ValueError("<script>alert(1)</script>")

        words = head_map(hostile, causal_mask).words.value

        assert "&lt;script&gt;" in words
        assert "<script>" not in words

    def test_weights_that_do_not_add_up_to_1_are_drawn_with_a_warning(self) -> None:
        def over_queries(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
            weights = (q @ k.transpose(-2, -1)).softmax(dim=-2)
            return weights @ v, weights

        explorer = head_map(over_queries, causal_mask)

        assert explorer.drawn
        assert "each should add up to 1." in explorer.words.value

    @pytest.mark.slow
    def test_a_mask_that_is_not_used_is_drawn_with_a_warning(self) -> None:
        explorer = head_map(lambda q, k, v, mask=None: attention(q, k, v), causal_mask)
        assert "later words" not in explorer.words.value

        explorer.controls["causal"].value = True

        assert np.triu(drawn_weights(shown(explorer)), 1).any()
        assert "words still look at later words" in explorer.words.value

    def test_right_code_gets_no_warning(self) -> None:
        explorer = head_map(attention, causal_mask)
        for causal in (True, False):
            explorer.controls["causal"].value = causal
            assert explorer.view.warning == ""

    def test_every_redraw_calls_the_learners_function_again(self) -> None:
        written = False

        def attention_in_progress(*inputs: Tensor) -> tuple[Tensor, Tensor]:
            return attention(*inputs) if written else unsolved()

        explorer = head_map(attention_in_progress, causal_mask)
        assert hides_its_picture(explorer)

        written = True
        explorer.controls["query"].value = 0

        assert drawn_weights(shown(explorer)).any()

    def test_a_function_that_changes_its_inputs_does_not_spoil_the_next_picture(self) -> None:
        def greedy(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
            result = attention(q, k, v, mask)
            for tensor in (q, k, v):
                tensor.zero_()
            return result

        explorer = head_map(greedy, causal_mask)
        first = explorer.drawn
        explorer.controls["query"].value = 0
        explorer.controls["query"].value = TOKENS.index("sat")

        assert explorer.drawn == first


MultiHeadAttention = read_chapter(REPOSITORY_ROOT / "solutions" / "04_all_heads_at_once").namespace()[
    "MultiHeadAttention"
]
WIDGETS: dict[str, Callable[[], Explorer]] = {
    "scaling_explorer": scaling_explorer,
    "head_map": lambda: head_map(attention, causal_mask),
    "head_viewer": lambda: head_viewer(MultiHeadAttention),
    "model_head_viewer": lambda: model_head_viewer(torch.full((2, 3, 4, 4), 0.25), TOKENS[:4]),
}
every = pytest.mark.parametrize("make", WIDGETS.values(), ids=WIDGETS)


class TestEveryWidget:
    @every
    def test_it_is_a_picture_no_wider_than_the_column_with_words_below(self, make: Callable[[], Explorer]) -> None:
        assert_is_a_picture(make())

    @every
    def test_every_control_has_a_name_and_redraws_while_it_is_moved(self, make: Callable[[], Explorer]) -> None:
        for control in make().controls.values():
            assert control.description
            assert getattr(control, "continuous_update", True) is True

    @every
    def test_no_pyplot_figure_is_left_open_and_no_setting_changed(self, make: Callable[[], Explorer]) -> None:
        before = dict(mpl.rcParams)

        make()

        assert plt.get_fignums() == []
        assert dict(mpl.rcParams) == before

    @every
    def test_a_learners_own_plot_settings_do_not_change_the_picture(self, make: Callable[[], Explorer]) -> None:
        usual = make().drawn

        with mpl.rc_context({"font.size": 30, "text.color": "yellow", "figure.dpi": 33, "lines.linewidth": 5}):
            assert make().drawn == usual

    @pytest.mark.parametrize("collecting", [True, False])
    def test_garbage_waits_until_the_picture_is_shown_and_is_collected_again_afterwards(self, collecting: bool) -> None:
        during = []

        def look(place: int) -> View:
            during.append(gc.isenabled())
            if place == 2:
                raise ValueError("a mistake of ours")
            return View(words=(str(place),))

        explorer = Explorer({"place": IntSlider(0, 0, 2, description="place")}, [["place"]], look)
        was = gc.isenabled()
        (gc.enable if collecting else gc.disable)()
        try:
            explorer.controls["place"].value = 1
            assert gc.isenabled() == collecting
            with pytest.raises(ValueError, match="ours"):
                explorer.controls["place"].value = 2
            assert gc.isenabled() == collecting
        finally:
            (gc.enable if was else gc.disable)()
        assert during == [False, False, False]

    @pytest.mark.slow
    def test_importing_the_widgets_does_not_import_pyplot(self) -> None:
        code = "import sys, manyheads.pictures.style, manyheads.widgets as w; w.scaling_explorer(); print(*sys.modules)"

        modules = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()

        assert "manyheads.widgets.scaling" in modules
        assert "matplotlib.pyplot" not in modules


# Machado, Oliveira and Fernandes 2009: what someone sees in whom one kind of cone is missing, in linear RGB
SIGHT = {
    "all cones": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def oklab(colour: str, sight: str) -> np.ndarray:
    """Where `colour` lies in Ottosson's Oklab, in which equal distances look alike; lightness is 0 … 1."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHT[sight]) @ linear, 0, 1)
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    opponents = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return opponents @ np.cbrt(cones @ seen)


PAGES = {"light": (theme.HEADS, theme.PAGES), "dark": (theme.DARK_HEADS, theme.DARK_PAGES)}
pages = pytest.mark.parametrize("page", PAGES)


class TestStyle:
    @pages
    def test_there_are_colours_for_twelve_heads_and_lines_in_each_stand_out(self, page: str) -> None:
        heads, grounds = PAGES[page]
        assert len(set(heads)) == 12
        assert min(style.contrast(colour, ground) for colour in heads for ground in grounds) >= 3

    def test_words_in_any_colour_can_be_read_on_any_page(self) -> None:
        words = [theme.head_words(head) for head in range(12)]
        words += [(theme.INK, theme.DARK_INK), (theme.QUIET, theme.DARK_QUIET)]
        for light, dark in words:
            assert min(style.contrast(light, ground) for ground in theme.PAGES) >= 4.5
            assert min(style.contrast(dark, ground) for ground in theme.DARK_PAGES) >= 4.5

    def test_words_on_what_is_blocked_can_be_read(self) -> None:
        for ground in ("future", "padding", "both", "paper"):
            light, dark = (getattr(theme, prefix + ground.upper()) for prefix in ("", "DARK_"))
            assert style.contrast(theme.INK, light) >= 4.5
            assert style.contrast(theme.DARK_INK, dark) >= 4.5

    @pages
    @pytest.mark.parametrize("sight", SIGHT)
    def test_any_two_heads_can_be_told_apart(self, sight: str, page: str) -> None:
        for one, other in itertools.combinations(PAGES[page][0], 2):
            distance = np.linalg.norm(oklab(one, sight) - oklab(other, sight))
            assert distance > 0.07, f"{one} and {other} look alike"

    def test_a_head_keeps_its_colour_and_the_thirteenth_begins_again(self) -> None:
        assert [style.head_colour(head) for head in range(12)] == list(style.HEAD_COLOURS)
        assert style.head_colour(12) == style.HEAD_COLOURS[0]

    @pytest.mark.parametrize("head", range(12))
    def test_a_bigger_weight_stands_out_more_and_its_number_can_be_read_on_any_page(self, head: int) -> None:
        colours = style.weight_colours(head)
        names = {theme.variable(marker): marker for marker in ("#000001", "#000002", "#fffffe", "#fffffd")}
        light_and_dark = {
            "var(--on-black-black)": ("black", "black"),
            "var(--on-black-white)": ("black", "white"),
            "var(--on-white-white)": ("white", "white"),
            "var(--on-white-black)": ("white", "black"),
        }
        assert names.keys() == light_and_dark.keys()
        before = (1.0, 1.0)
        for weight in np.linspace(0, 1, 51):
            *full, opacity = colours(weight)
            red, green, blue = full
            grounds = (
                theme.blend((red, green, blue), opacity, theme.PAPER),
                theme.blend(theme.on_dark((red, green, blue)), opacity, theme.DARK_PAPER),
            )
            inks = light_and_dark[theme.variable(style.ink_on(colours(weight)))]
            for ink, ground in zip(inks, grounds, strict=True):
                assert style.contrast(ink, ground) >= 4.5
            now = style.contrast(grounds[0], theme.PAPER), style.contrast(grounds[1], theme.DARK_PAPER)
            assert all(later >= earlier - 1e-9 for earlier, later in zip(before, now, strict=True))
            before = now

    def test_words_are_where_the_axes_say(self) -> None:
        figure = style.figure(300, 200)
        axes = figure.add_axes((0.5, 0.5, 0.5, 0.5))
        axes.set(xlim=(0, 10), ylim=(10, 0))

        word = style.write(axes, 5, 5, "here", ha="center")

        assert word.get_window_extent().x0 + word.get_window_extent().width / 2 == pytest.approx(0.75 * 300, abs=1)

    def test_a_figure_from_elsewhere_is_refused_with_the_reason(self) -> None:
        with pytest.raises(TypeError, match=r"manyheads\.pictures\.style\.figure"):
            style.drawing(Figure(), "")

    def test_a_picture_in_a_cell_says_what_it_shows(self) -> None:
        shown = style.picture(style.figure(320, 120), 'weights "a" &lt; <b>b</b>').data

        assert shown is not None
        assert 'aria-label="weights &quot;a&quot; &lt; b"' in shown
        assert 'alt="weights &quot;a&quot; &lt; b"' in shown  # of the image for a notebook that is not trusted
        assert 'width="320" height="120"' in shown
