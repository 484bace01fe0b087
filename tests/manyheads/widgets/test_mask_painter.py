"""The mask painter shows what a learner's masks block and what their layer makes of it, and explains mistakes."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.pictures import style
from manyheads.widgets import mask_painter
from manyheads.widgets.explorer import Explorer
from manyheads.widgets.mask_painter import BOTH, FUTURE, NUM_HEADS, PAD, PADDING, SENTENCE, SEQ, Painting, paint
from tests.support.figures import assert_is_a_picture, assert_readable, hides_its_picture, shown, texts

CHAPTER = "04_all_heads_at_once"
REFERENCE = read_chapter(REPOSITORY_ROOT / "solutions" / CHAPTER).namespace()
MultiHeadAttention, padding_mask = REFERENCE["MultiHeadAttention"], REFERENCE["padding_mask"]
causal_mask = REFERENCE["causal_mask"]

SETTINGS = list(itertools.product((SEQ, 6, 1, 0), (False, True), (False, True)))  # words, front, causal
settings = pytest.mark.parametrize(("words", "front", "causal"), SETTINGS)


def painted(words: int = SEQ, front: bool = False, causal: bool = False, head: int = 0) -> Painting:
    return paint(MultiHeadAttention, padding_mask, causal_mask, words, head, front=front, causal=causal)


def painter(layer: Any = MultiHeadAttention, padding: Any = padding_mask, causal: Any = causal_mask) -> Explorer:
    return mask_painter(layer, padding, causal)


def set_to(explorer: Explorer, **values: object) -> Explorer:
    for name, value in values.items():
        explorer.controls[name].value = value
    return explorer


@functools.cache
def figure_of(words: int, front: bool, causal: bool) -> Figure:
    """The picture at these settings. Read only: each is drawn once, at the end of three moves."""
    return shown(set_to(painter(), words=words, front=front, causal=causal))


def grids(figure: Figure) -> Iterator[np.ndarray]:
    """Each grid's colours, (SEQ, SEQ, 3)."""
    for axes in figure.axes:
        for artist in axes.collections:
            if isinstance(artist, QuadMesh):
                yield np.asarray(artist.get_array()).reshape(SEQ, SEQ, -1)[..., :3]


class TestWhatIsPainted:
    @settings
    def test_a_score_survives_where_neither_the_future_nor_padding_is(
        self, words: int, front: bool, causal: bool
    ) -> None:
        painting = painted(words, front, causal)

        for row, column in itertools.product(range(SEQ), repeat=2):
            is_pad = column < SEQ - words if front else column >= words
            assert painting.tokens[column] == PAD if is_pad else painting.tokens[column] in SENTENCE
            assert bool(painting.padding[row, column]) == is_pad
            assert bool(painting.future[row, column]) == (causal and column > row)

    @settings
    def test_the_weights_are_the_layers_own_under_that_mask(self, words: int, front: bool, causal: bool) -> None:
        painting = painted(words, front, causal, head=2)

        assert painting.scores is not None
        scores = painting.scores.masked_fill(painting.blocked, -torch.inf)
        torch.testing.assert_close(painting.weights, scores.softmax(dim=-1).nan_to_num(0.0))
        assert not painting.weights[painting.blocked].any()

    def test_no_row_is_lost_with_the_padding_at_the_end_and_the_first_ones_are_with_it_in_front(self) -> None:
        assert painted(6, front=False, causal=True).lost == []
        assert painted(6, front=True, causal=True).lost == [0, 1]
        assert painted(6, front=True, causal=False).lost == []
        assert painted(0).lost == list(range(SEQ))

    def test_heads_share_the_mask_and_nothing_else(self) -> None:
        one, other = painted(6, causal=True, head=0), painted(6, causal=True, head=1)

        assert torch.equal(one.blocked, other.blocked)
        assert not torch.allclose(one.weights, other.weights, atol=0.05)

    def test_the_same_setting_gives_the_same_numbers_and_the_learners_random_numbers_go_on_undisturbed(self) -> None:
        first = painted(5, causal=True).weights
        torch.manual_seed(1234)
        state = torch.get_rng_state()

        assert torch.equal(painted(5, causal=True).weights, first)
        assert torch.equal(torch.get_rng_state(), state)


class TestThePicture:
    @pytest.mark.slow
    @settings
    def test_blocked_scores_are_grey_by_what_blocks_them(self, words: int, front: bool, causal: bool) -> None:
        painting = painted(words, front, causal)

        left, _ = grids(figure_of(words, front, causal))

        for row, column in itertools.product(range(SEQ), repeat=2):
            future, pad = bool(painting.future[row, column]), bool(painting.padding[row, column])
            colour = BOTH if future and pad else FUTURE if future else PADDING if pad else "white"
            assert np.allclose(left[row, column], to_rgb(colour), atol=1e-6)

    @pytest.mark.slow
    @pytest.mark.parametrize("head", range(NUM_HEADS))
    def test_weights_have_their_heads_colour(self, head: int) -> None:
        explorer = set_to(painter(), head=head, words=6, causal=True)

        _, right = grids(shown(explorer))

        expected = style.weight_colours(head)(painted(6, causal=True, head=head).weights.numpy())[..., :3]
        assert right == pytest.approx(expected)
        (title,) = (text for text in texts(shown(explorer)) if text.get_text() == f"weights of head {head}")
        assert title.get_color() == style.head_colour(head)

    @pytest.mark.slow
    def test_rows_in_which_all_is_blocked_are_framed_in_both_grids(self) -> None:
        figure = shown(set_to(painter(), words=6, front=True, causal=True))

        frames = [
            patch
            for axes in figure.axes
            for patch in axes.patches
            if isinstance(patch, Rectangle) and not patch.get_fill()
        ]
        assert len(frames) == 2 * 2

    @pytest.mark.slow
    @settings
    def test_it_is_readable(self, words: int, front: bool, causal: bool) -> None:
        assert_readable(figure_of(words, front, causal))

    def test_it_is_a_picture_no_wider_than_the_column_with_words_below(self) -> None:
        assert_is_a_picture(painter())

    def test_every_control_has_a_name_and_redraws_while_it_is_moved(self) -> None:
        for control in painter().controls.values():
            assert control.description
            assert getattr(control, "continuous_update", True) is True

    @pytest.mark.parametrize(("control", "value"), [("words", 5), ("causal", True), ("head", 3)])
    def test_every_control_changes_the_picture(self, control: str, value: object) -> None:
        explorer = painter()
        before = explorer.drawn

        set_to(explorer, **{control: value})

        assert explorer.drawn != before

    def test_padding_in_front_changes_the_picture_where_there_is_padding(self) -> None:
        explorer = set_to(painter(), words=5)
        before = explorer.drawn

        set_to(explorer, front=True)

        assert explorer.drawn != before

    def test_no_pyplot_figure_is_left_open_and_no_setting_changed(self) -> None:
        before = dict(mpl.rcParams)

        painter()

        assert plt.get_fignums() == []
        assert dict(mpl.rcParams) == before

    def test_a_learners_own_plot_settings_do_not_change_the_picture(self) -> None:
        usual = painter().drawn

        with mpl.rc_context({"font.size": 30, "text.color": "yellow", "figure.dpi": 33, "lines.linewidth": 5}):
            assert painter().drawn == usual


class TestTheWords:
    def test_without_a_mask_nothing_is_blocked(self) -> None:
        assert "Nothing is blocked</b>: all 64 scores survive." in painter().words.value

    def test_scores_are_counted_by_what_blocks_them(self) -> None:
        words = set_to(painter(), words=6, causal=True).words.value

        assert "33 of 64 scores survive.</b> Blocked are 15 in the future, 3 on padding, 13 on both." in words

    @pytest.mark.slow
    def test_rows_that_have_nothing_left_are_named_and_explained(self) -> None:
        explorer = set_to(painter(), words=6, front=True, causal=True)

        assert "Rows 0 and 1, framed, have nothing left to look at" in explorer.words.value
        assert "Softmax makes NaN of that" in explorer.words.value
        assert "Row 0, framed, has nothing left" in set_to(explorer, words=7).words.value
        assert "Every row has nothing left" in set_to(explorer, words=0).words.value
        assert "nothing left" not in set_to(explorer, words=6, front=False).words.value

    @pytest.mark.slow
    def test_right_code_gets_no_warning(self) -> None:
        explorer = painter()
        for words, front, causal in SETTINGS:
            set_to(explorer, words=words, front=front, causal=causal)
            assert explorer.view.warning == ""


def layer_like(forward: Callable[..., object]) -> type[nn.Module]:
    """A layer class that computes with the reference and passes the result to `forward`."""

    class Layer(MultiHeadAttention):
        def forward(
            self, query: Tensor, key: object = None, value: object = None, mask: Tensor | None = None
        ) -> object:
            return forward(super().forward, query, mask)

    return Layer


def unsolved(*_: object) -> NoReturn:
    raise NotImplementedError()


class Unsolved(nn.Module):
    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        raise NotImplementedError()


class TestUnfinishedCode:
    def test_a_layer_that_is_not_written_is_named_in_one_line(self) -> None:
        explorer = painter(Unsolved)

        assert "<code>Unsolved</code> is not written yet." in explorer.words.value
        assert hides_its_picture(explorer)

    def test_without_a_padding_mask_there_is_still_the_picture_without_padding(self) -> None:
        explorer = painter(padding=unsolved)
        assert shown(explorer)

        assert "<code>unsolved</code> is not written yet." in set_to(explorer, words=6).words.value
        assert hides_its_picture(explorer)

        assert shown(set_to(explorer, words=SEQ, causal=True))

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda lengths, seq: None, "yours returns nothing"),
            (lambda lengths, seq: padding_mask(lengths, seq)[0, 0], "yours is a tensor of shape (1, 8)"),
            (lambda lengths, seq: padding_mask(lengths, seq).float(), "and torch.float32"),
            (lambda lengths, seq: 1 // 0, "<code>padding_mask</code> stopped with <code>ZeroDivisionError"),
        ],
    )
    def test_a_padding_mask_that_cannot_be_drawn_is_explained(self, wrong: Callable[..., object], words: str) -> None:
        explorer = set_to(painter(padding=wrong), words=6)

        assert words in explorer.words.value
        assert hides_its_picture(explorer)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda right, x, mask: None, "yours returns nothing"),
            (lambda right, x, mask: right(x, mask=mask)[0], "yours is a tensor of shape (1, 8, 16)"),
            (lambda right, x, mask: right(x, mask=mask)[::-1], "The output of <code>MultiHeadAttention</code> should"),
            (
                lambda right, x, mask: (x, right(x, mask=mask)[1].mean(dim=1)),
                "The weights of <code>MultiHeadAttention</code> should have the shape (1, 4, 8, 8)",
            ),
            (lambda right, x, mask: (x, right(x, mask=mask)[1] * torch.nan), "it holds NaN"),
            (lambda right, x, mask: x @ x, "<code>MultiHeadAttention</code> stopped with <code>RuntimeError"),
        ],
    )
    def test_a_layer_whose_answer_cannot_be_drawn_is_explained(self, wrong: Callable[..., object], words: str) -> None:
        explorer = painter(layer_like(wrong))

        assert words in explorer.words.value
        assert "Traceback" not in explorer.words.value
        assert hides_its_picture(explorer)

    @pytest.mark.slow
    def test_nan_in_rows_that_are_blocked_is_explained_and_comes_back_when_they_are_not(self) -> None:
        def careless(right: Callable[..., tuple[Tensor, Tensor]], x: Tensor, mask: Tensor | None) -> object:
            output, weights = right(x, mask=mask)
            return output, weights / weights.sum(dim=-1, keepdim=True)

        explorer = set_to(painter(layer_like(careless)), words=6, front=True, causal=True)

        assert "it holds NaN" in explorer.words.value
        assert "all is blocked" in explorer.words.value
        assert hides_its_picture(explorer)
        assert shown(set_to(explorer, front=False))

    def test_a_layer_that_ignores_the_mask_is_drawn_with_a_warning(self) -> None:
        explorer = painter(layer_like(lambda right, x, mask: right(x)))
        assert explorer.view.warning == ""

        set_to(explorer, causal=True)

        assert shown(explorer)
        assert "Blocked words still get some weight" in explorer.words.value

    def test_rows_that_do_not_add_up_are_drawn_with_a_warning(self) -> None:
        explorer = painter(layer_like(lambda right, x, mask: (x, 0.5 * right(x, mask=mask)[1])))

        assert shown(explorer)
        assert "add up to 0.50 … 0.50; each should add up to 1." in explorer.words.value

    def test_masks_that_block_the_wrong_places_are_drawn_with_a_warning(self) -> None:
        explorer = set_to(painter(padding=lambda lengths, seq: ~padding_mask(lengths, seq)), words=6)
        assert shown(explorer)
        assert "<code>padding_mask</code> should block the padding and nothing else" in explorer.words.value

        explorer = set_to(painter(causal=lambda seq: causal_mask(seq).T), causal=True)
        assert shown(explorer)
        assert "<code>causal_mask</code> should block the future and nothing else" in explorer.words.value

    def test_a_layer_without_the_usual_projections_is_drawn_without_scores(self) -> None:
        class Fused(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                self.inner = MultiHeadAttention(d_model, num_heads)

            def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
                return self.inner(*inputs)

        explorer = painter(Fused)

        assert shown(explorer)
        assert paint(Fused, padding_mask, causal_mask, SEQ, 0, front=False, causal=False).scores is None

    def test_a_layer_that_is_not_a_module_is_explained(self) -> None:
        explorer = painter(lambda d_model, num_heads: "a layer")

        assert "should be a class derived from <code>nn.Module</code>" in explorer.words.value

    def test_every_redraw_calls_the_learners_code_again(self) -> None:
        written = False

        def in_progress(d_model: int, num_heads: int) -> nn.Module:
            return MultiHeadAttention(d_model, num_heads) if written else unsolved()

        explorer = painter(in_progress)
        assert hides_its_picture(explorer)

        written = True
        assert shown(set_to(explorer, causal=True))
