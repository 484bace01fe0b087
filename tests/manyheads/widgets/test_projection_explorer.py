"""The projection explorer draws what the learner's layer really does, mistakes included, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.pictures import style
from manyheads.widgets import projection_explorer
from manyheads.widgets.explorer import Explorer
from manyheads.widgets.projection_explorer import (
    D_MODELS,
    MOST_HEADS,
    SEQS,
    find_faults,
    heads_that_divide,
    heads_that_do_not,
)
from manyheads.widgets.projection_flow import Flow, draw_flow, draw_remainder, in_bytes, in_words
from manyheads.widgets.trace_layer import run_layer
from tests.support.figures import assert_is_a_picture, assert_readable, hides_its_picture, shown, texts

CHAPTER = "03_a_head_each"
REFERENCE = read_chapter(REPOSITORY_ROOT / "solutions" / CHAPTER).namespace()
head_width, ParallelHeads = REFERENCE["head_width"], REFERENCE["ParallelHeads"]
Head = REFERENCE["SingleHeadAttention"]
sizes = pytest.mark.parametrize(
    ("d_model", "num_heads", "seq"), [(512, 8, 10), (24, 24, 5), (96, 3, 40), (768, 4, 2560)]
)


def explorer_of(layer: Any = ParallelHeads, width: Any = head_width) -> Explorer:
    return projection_explorer(width, layer)


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def layer_with(
    width: Callable[[int, int, int], int] = lambda d_model, num_heads, head: d_model // num_heads,
    into_w_o: Callable[[int, int], int] = lambda d_model, num_heads: d_model,
    out_of_w_o: Callable[[int, int], int] = lambda d_model, num_heads: d_model,
    bias: bool = True,
    shared: bool = False,
    end: Callable[[nn.Module, Tensor], Any] | None = None,
    times: int = 1,
) -> type[nn.Module]:
    """A layer with mistakes."""

    class Mistaken(nn.Module):
        def __init__(self, d_model: int, num_heads: int) -> None:
            super().__init__()
            heads = [Head(d_model, width(d_model, num_heads, head)) for head in range(num_heads)]
            self.heads = nn.ModuleList(heads[:1] * num_heads if shared else heads)
            self.w_o = nn.Linear(into_w_o(d_model, num_heads), out_of_w_o(d_model, num_heads), bias=bias)

        def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
            outputs: tuple[Tensor, ...] = ()
            weights: tuple[Tensor, ...] = ()
            for _ in range(times):
                outputs, weights = zip(*(head(x, mask) for head in self.heads), strict=True)
            joined = torch.cat(outputs, dim=-1)
            return (end(self, joined) if end else self.w_o(joined)), torch.stack(weights, dim=1)

    return Mistaken


def boxes(figure: Figure, place: float) -> Iterator[tuple[float, str]]:
    """The height and colour of each box at `place`."""
    collection = next(c for c in figure.axes[0].collections if isinstance(c, PolyCollection))
    for path, colour in zip(collection.get_paths(), np.asarray(collection.get_facecolor()), strict=True):
        corners = np.asarray(path.vertices)
        if len(corners) == 5 and corners[:, 0].min() < place < corners[:, 0].max():
            yield float(np.ptp(corners[:, 1])), to_hex(colour).upper()


X, QUERIES, CONCAT, OUTPUT = 56, 190, 624, 726  # where these stand in the picture


class TestRun:
    @sizes
    def test_every_shape_is_the_one_that_the_exercises_promise(self, d_model: int, num_heads: int, seq: int) -> None:
        run = run_layer(ParallelHeads, d_model, num_heads, seq)

        wide, narrow, square = (1, seq, d_model), (1, seq, d_model // num_heads), (1, seq, seq)
        assert (run.x, run.concat, run.output) == (wide, wide, wide)
        assert run.weights == (1, num_heads, seq, seq)
        assert len(run.heads) == num_heads
        for head in run.heads:
            assert (head.q, head.k, head.v, head.output, head.weights) == (narrow, narrow, narrow, narrow, square)
        assert find_faults(run, d_model, num_heads) == []

    @pytest.mark.slow
    @sizes
    def test_costs_are_those_that_the_exercises_compute_and_torch_counts(
        self, d_model: int, num_heads: int, seq: int
    ) -> None:
        run = run_layer(ParallelHeads, d_model, num_heads, seq)

        assert run.parameters == REFERENCE["attention_parameters"](d_model, num_heads)
        assert run.flops == REFERENCE["attention_flops"](1, seq, d_model, num_heads)
        assert run.score_bytes == 4 * num_heads * seq**2
        with torch.device("meta"), FlopCounterMode(display=False) as counter:
            ParallelHeads(d_model, num_heads)(torch.empty(1, seq, d_model))
        assert run.flops == counter.get_total_flops()

    @pytest.mark.parametrize(("batch", "seq", "d_model", "num_heads"), [(3, 5, 24, 4), (2, 40, 12, 1), (1, 7, 15, 15)])
    def test_the_reference_counts_flops_as_torch_does(self, batch: int, seq: int, d_model: int, num_heads: int) -> None:
        with FlopCounterMode(display=False) as counter:
            ParallelHeads(d_model, num_heads)(torch.randn(batch, seq, d_model))

        assert REFERENCE["attention_flops"](batch, seq, d_model, num_heads) == counter.get_total_flops()

    def test_each_head_is_counted_by_itself(self) -> None:
        run = run_layer(ParallelHeads, 96, 4, 16)

        assert {head.parameters for head in run.heads} == {3 * (96 * 24 + 24)}
        assert {head.flops for head in run.heads} == {3 * 2 * 16 * 96 * 24 + 2 * (2 * 16 * 16 * 24)}

    def test_a_layer_that_uses_its_weights_without_calling_the_modules_is_seen_too(self) -> None:
        class Functional(ParallelHeads):
            def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
                outputs, weights = [], []
                for head in self.heads:
                    q, k, v = (nn.functional.linear(x, w.weight, w.bias) for w in (head.w_q, head.w_k, head.w_v))
                    weights.append((q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1))
                    outputs.append(weights[-1] @ v)
                output = nn.functional.linear(torch.cat(outputs, -1), self.w_o.weight, self.w_o.bias)
                return output, torch.stack(weights, dim=1)

        explorer = explorer_of(Functional)

        assert explorer.view.warning == ""
        assert "q, k, v (1, 10, 64)" in explorer.words.value
        assert "output (1, 10, 64)" in explorer.words.value

    def test_the_learners_random_numbers_are_not_changed(self) -> None:
        torch.manual_seed(7)
        before = torch.get_rng_state()

        explorer_of()

        assert torch.equal(torch.get_rng_state(), before)


class TestPicture:
    def test_heads_share_the_height_of_x_and_concat_has_all_of_it(self) -> None:
        for num_heads in (1, 2, 4, 8):
            figure = draw_flow(Flow(run_layer(ParallelHeads, 512, num_heads, 16)))
            [(x, _)] = boxes(figure, X)
            colours = [style.head_colour(head) for head in range(num_heads)]
            assert [colour for _, colour in boxes(figure, QUERIES)] == colours
            assert [colour for _, colour in boxes(figure, CONCAT)] == colours
            assert sum(height for height, _ in boxes(figure, QUERIES)) == pytest.approx(x, rel=1e-3)
            assert sum(height for height, _ in boxes(figure, CONCAT)) == pytest.approx(x - num_heads, rel=0.01)
            [(output, _)] = boxes(figure, OUTPUT)
            assert output == pytest.approx(x)

    def test_heads_that_are_too_wide_are_drawn_too_wide(self) -> None:
        explorer = explorer_of(layer_with(lambda d_model, num_heads, head: d_model, lambda d, n: n * d))

        [(x, _)] = boxes(shown(explorer), X)
        assert [height for height, _ in boxes(shown(explorer), QUERIES)] == pytest.approx([x] * 8, rel=0.01)

    @pytest.mark.slow
    @pytest.mark.parametrize("num_heads", [1, 2, 8, 12, 16, 48])
    @pytest.mark.parametrize("seq", [SEQS[0], SEQS[-1]])
    def test_it_is_readable_with_few_heads_and_many(self, num_heads: int, seq: int) -> None:
        run = run_layer(ParallelHeads, 768, num_heads, seq)
        figure = draw_flow(Flow(run, run_layer(ParallelHeads, 768, 1, seq)))

        assert_readable(figure)
        said = [text.get_text() for text in texts(figure)]
        assert said.count(f"(1, {seq}, 768)") == (3 if num_heads > 1 else 5)
        named = [word for word in said if word.startswith("head ")]
        if num_heads <= 12:
            assert named == [f"head {head}" for head in range(num_heads)]
        else:
            assert named == ["head 0", "head 1", "head 2", "head 3", "head 4", f"head {num_heads - 1}"]
            assert any(f"{num_heads - 6} more heads" in word for word in said)

    @pytest.mark.slow
    @pytest.mark.parametrize("d_model", D_MODELS)
    def test_it_is_readable_for_every_d_model(self, d_model: int) -> None:
        assert_readable(draw_flow(Flow(run_layer(ParallelHeads, d_model, 12 if d_model % 12 == 0 else 8, 16))))

    @pytest.mark.parametrize(("d_model", "num_heads"), [(512, 3), (768, 16 - 1), (24, 16), (48, 5)])
    def test_the_picture_of_a_remainder_is_readable_and_says_what_is_left(self, d_model: int, num_heads: int) -> None:
        figure = draw_remainder(d_model, num_heads)

        figure.canvas.draw()
        said = [text.get_text() for text in texts(figure)]
        assert f"{d_model % num_heads} left over" in said
        assert said.count(str(d_model // num_heads)) == num_heads
        for text in texts(figure):
            box = text.get_window_extent()
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert text.get_fontproperties().get_size_in_points() >= 13

    def test_large_numbers_are_written_as_one_reads_them(self) -> None:
        assert [in_words(n) for n in (19_968, 34_078_720, 22_548_578_304)] == ["19,968", "34.1 million", "22.5 billion"]
        assert [in_bytes(n) for n in (768, 8192, 2_097_152, 10**10)] == ["768 bytes", "8.19 kB", "2.1 MB", "10 GB"]


class TestWidget:
    def test_it_says_in_words_what_it_shows(self) -> None:
        explorer = explorer_of()

        said = plain(explorer.words.value)
        assert "x (1, 10, 512). In each of the 8 heads: q, k, v (1, 10, 64); scores and weights (1, 10, 10)" in said
        assert "1,050,624 parameters, as with one head; 21.2 million FLOPs, as with one head" in said
        assert "3.2 kB of scores, 8 times as much as with one head" in said
        assert explorer.view.warning == ""

    @pytest.mark.parametrize(("control", "value"), [("num_heads", 4), ("d_model", 96), ("seq", 40), ("uneven", True)])
    def test_every_control_changes_the_picture_and_the_words(self, control: str, value: object) -> None:
        explorer = explorer_of()
        picture, words = explorer.drawn, explorer.words.value

        explorer.controls[control].value = value
        assert explorer.drawn != picture
        assert explorer.words.value != words

    @pytest.mark.slow
    def test_num_heads_goes_over_the_divisors_of_d_model(self) -> None:
        explorer = explorer_of()
        num_heads = explorer.controls["num_heads"]

        for d_model in D_MODELS:
            explorer.controls["d_model"].value = d_model
            options = tuple(num_heads.options)
            assert options == heads_that_divide(d_model)
            assert all(d_model % heads == 0 for heads in options)
            assert {1, d_model}.intersection(options) == ({1, d_model} if d_model <= MOST_HEADS else {1})
            assert explorer.view.warning == ""

    @pytest.mark.slow
    def test_num_heads_stays_as_near_as_it_can_when_d_model_changes(self) -> None:
        explorer = explorer_of()
        explorer.controls["num_heads"].value = 16
        explorer.controls["d_model"].value = 24
        assert explorer.controls["num_heads"].value == 12
        explorer.controls["uneven"].value = True
        assert explorer.controls["num_heads"].value == 11
        explorer.controls["uneven"].value = False
        assert explorer.controls["num_heads"].value == 12

    @pytest.mark.parametrize(("control", "off", "on"), [("uneven", True, False), ("d_model", 512, 48)])
    def test_num_heads_is_back_when_it_fits_again(self, control: str, off: object, on: object) -> None:
        explorer = explorer_of()
        explorer.controls["d_model"].value = 48
        explorer.controls["num_heads"].value = 3

        explorer.controls[control].value = off
        assert explorer.controls["num_heads"].value != 3
        explorer.controls[control].value = on
        assert explorer.controls["num_heads"].value == 3

    @pytest.mark.slow
    @pytest.mark.parametrize(("control", "value"), [("num_heads", 4), ("d_model", 24), ("seq", 40)])
    def test_a_change_draws_once(self, control: str, value: object) -> None:
        asked = []

        def counted(d_model: int, num_heads: int) -> int:
            asked.append((d_model, num_heads))
            return head_width(d_model, num_heads)

        explorer = explorer_of(width=counted)
        asked.clear()
        explorer.controls[control].value = value
        assert len(asked) == 1

    def test_a_number_that_does_not_divide_shows_the_learners_own_message(self) -> None:
        def refuse(d_model: int, num_heads: int) -> int:
            if d_model % num_heads:
                raise ValueError(f"{d_model} features < {num_heads} ways? No.")
            return d_model // num_heads

        explorer = explorer_of(width=refuse)
        explorer.controls["uneven"].value = True

        num_heads = explorer.controls["num_heads"].value
        assert num_heads in heads_that_do_not(512)
        assert f"ValueError: 512 features &lt; {num_heads} ways? No." in explorer.words.value
        assert f"{512 % num_heads} would be left" in explorer.words.value
        assert explorer.view.warning == ""
        shown(explorer)

    def test_it_is_a_picture_no_wider_than_the_column_and_leaves_no_figure_open(self) -> None:
        assert_is_a_picture(explorer_of())
        assert plt.get_fignums() == []

    def test_every_control_has_a_name_and_redraws_while_it_is_moved(self) -> None:
        for control in explorer_of().controls.values():
            assert control.description
            assert getattr(control, "continuous_update", True) is True


class TestMistakes:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("layer", "words"),
        [
            (
                layer_with(lambda d_model, num_heads, head: d_model, lambda d, n: n * d),
                "Queries, keys and values of each head have the shape (1, 10, 512), not (1, 10, 64).",
            ),
            (
                layer_with(lambda d_model, num_heads, head: d_model),
                "shapes cannot be multiplied (10x4096 and 512x512). Queries, keys and values of each head",
            ),
            (
                layer_with(lambda d_model, num_heads, head: d_model // num_heads + 8 * (head == 3)),
                "Queries, keys and values of head 3 have the shape (1, 10, 72), not (1, 10, 64).",
            ),
            (
                layer_with(out_of_w_o=lambda d_model, num_heads: d_model // num_heads),
                "The outputs of the layer have the shape (1, 10, 64), not (1, 10, 512).",
            ),
            (layer_with(end=lambda layer, joined: joined), "w_o is made and never called"),
            (layer_with(shared=True), "361,152 parameters, and 1,050,624 were expected. Do heads share a layer"),
            (layer_with(bias=False), "1,050,112 parameters, and 1,050,624 were expected. Do heads share a layer, or"),
            (
                layer_with(times=2),
                "The layer does 1.8 times the work that is needed. Is every head run",
            ),
            (lambda d_model, num_heads: ParallelHeads(d_model, num_heads // 2), "has 4 heads, and num_heads is 8."),
        ],
    )
    def test_a_mistake_is_drawn_and_flagged(self, layer: object, words: str) -> None:
        explorer = explorer_of(layer)

        assert words in plain(explorer.view.warning)
        assert_readable(shown(explorer))

    def test_wrong_values_have_another_colour_in_the_picture(self) -> None:
        figure = shown(explorer_of(layer_with(lambda d_model, num_heads, head: d_model)))

        flagged = [text.get_text() for text in texts(figure) if text.get_color() == style.WRONG]
        assert "(1, 10, 512)" in flagged
        assert "≠ (1, 10, 64)" in flagged
        assert "(1, 10, 4096)" in flagged
        assert "?" in flagged  # the output was never reached

    @pytest.mark.parametrize(
        ("width", "words"),
        [
            (lambda d_model, num_heads: d_model, "head_width(512, 8) returns 512, and 64 is right."),
            (lambda d_model, num_heads: d_model / num_heads, "head_width returns the float 64.0"),
            (lambda d_model, num_heads: None, "head_width should return a whole number; yours returns nothing."),
        ],
    )
    def test_a_wrong_head_width_is_explained_beside_the_picture(self, width: object, words: str) -> None:
        explorer = explorer_of(width=width)

        assert words in plain(explorer.view.warning)
        shown(explorer)

    @pytest.mark.parametrize(
        ("width", "words"),
        [
            (lambda d_model, num_heads: d_model // num_heads, "returns 73. "),
            (lambda d_model, num_heads: None, "lets this pass and should raise an error"),
            (lambda d_model, num_heads: 1 / 0, "ZeroDivisionError: division by zero"),
            (lambda d_model, num_heads: (_ for _ in ()).throw(ValueError("no")), "does not name 512 and 7."),
        ],
    )
    def test_the_result_of_head_width_for_a_remainder_is_shown(self, width: object, words: str) -> None:
        explorer = explorer_of(width=width)
        explorer.controls["uneven"].value = True

        assert words in plain(" ".join([*explorer.view.words, explorer.view.warning])) + " "
        shown(explorer)

    @pytest.mark.parametrize(
        ("layer", "words"),
        [
            (lambda d_model, num_heads: None, "should be an nn.Module; yours returns nothing."),
            (
                lambda d_model, num_heads: nn.Linear(d_model, d_model),
                "looks for the heads of ParallelHeads in",
            ),
            (lambda d_model, num_heads: 1 / 0, "ParallelHeads stopped with ZeroDivisionError: division by zero."),
            (layer_with(end=lambda layer, joined: None), "should return two tensors, (output, weights)"),
        ],
    )
    def test_what_cannot_be_drawn_is_explained_in_a_sentence(self, layer: object, words: str) -> None:
        explorer = explorer_of(layer)

        assert words in plain(explorer.words.value)
        assert "Traceback" not in explorer.words.value
        assert hides_its_picture(explorer)

    def test_a_layer_without_w_o_or_with_other_heads_says_what_is_missing(self) -> None:
        class WithoutEnd(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                self.heads = nn.ModuleList(Head(d_model, d_model // num_heads) for _ in range(num_heads))

        class OtherHeads(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                self.heads = nn.ModuleList(nn.Linear(d_model, d_model // num_heads) for _ in range(num_heads))

        assert "has no self.w_o yet" in plain(explorer_of(WithoutEnd).words.value)
        assert "has no layer w_q" in plain(explorer_of(OtherHeads).words.value)

    def test_a_layer_that_leaves_a_tensor_on_the_cpu_is_drawn_where_it_is_computed_and_else_told_why_not(self) -> None:
        class Mixes(ParallelHeads):
            def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
                return super().forward(x + torch.zeros(x.shape, device="cpu"), mask)

        explorer = explorer_of(Mixes)
        assert explorer.view.warning == ""
        shown(explorer)

        explorer.controls["seq"].value = 2560
        assert "does your code make a tensor and leave it on the CPU" in explorer.words.value
        assert hides_its_picture(explorer)


class TestUnfinishedCode:
    def test_unwritten_code_is_named(self) -> None:
        def head_width(d_model: int, num_heads: int) -> int:
            raise NotImplementedError()

        explorer = explorer_of(width=head_width)
        assert "head_width is not written yet." in plain(explorer.words.value)
        assert hides_its_picture(explorer)

        explorer.controls["uneven"].value = True
        assert "head_width is not written yet." in plain(explorer.words.value)
        assert hides_its_picture(explorer)

    def test_a_layer_whose_constructor_is_not_written_is_named(self) -> None:
        class ParallelHeads(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                raise NotImplementedError()

        explorer = explorer_of(ParallelHeads)
        assert "ParallelHeads is not written yet." in plain(explorer.words.value)
        assert hides_its_picture(explorer)

    def test_a_layer_whose_forward_is_not_written_is_drawn_as_far_as_it_goes(self) -> None:
        class Unfinished(ParallelHeads):
            def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
                raise NotImplementedError()

        explorer = explorer_of(Unfinished)

        assert "Unfinished is not written yet." in plain(explorer.words.value)
        assert "(not reached)" in explorer.words.value
        assert_readable(shown(explorer))
        assert len(list(boxes(shown(explorer), QUERIES))) == 8

    def test_every_redraw_asks_the_learners_code_again(self) -> None:
        right = False

        def width_in_progress(d_model: int, num_heads: int) -> int:
            return head_width(d_model, num_heads) if right else 1

        explorer = explorer_of(width=width_in_progress)
        assert explorer.view.warning

        right = True
        explorer.controls["seq"].value = 40
        assert explorer.view.warning == ""
