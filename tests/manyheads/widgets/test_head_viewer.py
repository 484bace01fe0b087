"""The head viewer draws the weights, stays readable with twelve heads, and explains mistakes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PolyCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.pictures import style
from manyheads.widgets import head_viewer, model_head_viewer
from manyheads.widgets.head_viewer import (
    TOKENS,
    describe_heads,
    draw_lines,
    draw_maps,
    every_map_has_names,
    random_vectors,
    spots_of_lines,
    spots_of_maps,
    weights_of_layer,
)
from tests.support.figures import assert_readable, hides_its_picture, shown, texts

MultiHeadAttention = read_chapter(REPOSITORY_ROOT / "solutions" / "04_all_heads_at_once").namespace()[
    "MultiHeadAttention"
]
LAYERS, HEADS, SEQ = 3, 12, 16
TEXT = "the old man walked his dog slowly through the quiet park before breakfast ."
SENTENCE = ("[CLS]", *TEXT.split(), "[SEP]")
QUERY = SENTENCE.index("dog")


def random_weights(*shape: int, seed: int = 0) -> Tensor:
    """Weights whose rows sum to 1 and lean towards the first token, as in a real model."""
    scores = 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    scores[..., 0] += 2
    return scores.softmax(dim=-1)


WEIGHTS = random_weights(LAYERS, HEADS, SEQ, SEQ)


def strong_lines(figure: Figure) -> dict[tuple[str, int], float]:
    """Width of each line of the chosen token, by its head's colour and the token where it ends."""
    (lines,) = (artist for artist in figure.axes[0].collections if isinstance(artist, LineCollection))
    named = [text for text in texts(figure) if text.get_horizontalalignment() == "left" and text.get_text() != "to"]
    heights = np.array([text.get_position()[1] for text in named])
    return {
        (str(tuple(np.round(colour[:3], 3))), int(abs(heights - segment[1][1]).argmin())): width
        for segment, colour, width, smooth in zip(
            lines.get_segments(),
            np.asarray(lines.get_edgecolor()),
            np.atleast_1d(lines.get_linewidth()),
            lines.get_antialiased(),
            strict=True,
        )
        if smooth
    }


def colour_of(head: int) -> str:
    return str(tuple(np.round(to_rgb(style.head_colour(head)), 3)))


def meshes(figure: Figure) -> list[np.ndarray]:
    """The colours of the cells of every map, (rows, columns, 4)."""
    return [
        np.asarray(artist.get_facecolor()).reshape(*np.asarray(artist.get_coordinates()).shape[0:2], 4)
        if artist.get_array() is None
        else np.asarray(artist.get_array())
        for artist in figure.axes[0].collections
        if isinstance(artist, QuadMesh)
    ]


class TestLines:
    @pytest.mark.parametrize("heads", [range(HEADS), [3], [2, 7]])
    def test_there_is_a_line_for_each_weight_of_the_chosen_token_and_no_other(self, heads: Sequence[int]) -> None:
        lines = strong_lines(draw_lines(WEIGHTS[0], SENTENCE, QUERY, heads))

        expected = {
            (colour_of(head), place) for head in heads for place in range(SEQ) if WEIGHTS[0, head, QUERY, place] >= 0.02
        }
        assert set(lines) == expected

    def test_the_bigger_the_weight_the_thicker_the_line(self) -> None:
        lines = strong_lines(draw_lines(WEIGHTS[0], SENTENCE, QUERY, range(HEADS)))

        by_weight = sorted(
            (float(WEIGHTS[0, head, QUERY, place]), lines[colour_of(head), place])
            for head, place in itertools.product(range(HEADS), range(SEQ))
            if (colour_of(head), place) in lines
        )
        widths = [width for _, width in by_weight]
        assert widths == sorted(widths)
        assert widths[-1] > 3 * widths[0]

    def test_beside_the_tokens_are_the_same_weights_a_column_per_head(self) -> None:
        heads = [5, 0, 11]

        (strip,) = meshes(draw_lines(WEIGHTS[0], SENTENCE, QUERY, heads))

        for column, head in enumerate(heads):
            colours = style.weight_colours(head)(WEIGHTS[0, head, QUERY].numpy())
            assert strip[:, column] == pytest.approx(colours)

    def test_few_heads_show_their_numbers_and_the_other_tokens_lines(self) -> None:
        weights = random_weights(2, 5, 5, seed=1)

        figure = draw_lines(weights, TOKENS[:5], 3, [0, 1])

        numbers = [text.get_text() for text in texts(figure) if text.get_text().startswith("0.")]
        assert numbers == [f"{weight:.2f}" for weight in weights[:, 3].T.flatten().tolist() if weight >= 0.05]
        (lines,) = (artist for artist in figure.axes[0].collections if isinstance(artist, LineCollection))
        faint = int((~np.asarray(lines.get_antialiased())).sum())
        others = [0, 1, 2, 4]
        assert faint == int((weights[:, others] >= 0.1).sum())

    def test_the_chosen_token_is_bold_on_a_grey_ground(self) -> None:
        figure = draw_lines(WEIGHTS[0], SENTENCE, QUERY, range(HEADS))

        (bold,) = (t for t in texts(figure) if t.get_fontweight() == "bold" and not t.get_text().isdigit())
        (ground,) = figure.axes[0].patches
        assert bold.get_text() == "dog"
        assert ground.get_window_extent().contains(*bold.get_window_extent().get_points().mean(axis=0))


class TestMaps:
    @pytest.mark.parametrize("heads", [range(HEADS), [3], [2, 7], range(5)])
    def test_each_head_has_a_map_of_its_weights_in_its_own_colour(self, heads: Sequence[int]) -> None:
        figure = draw_maps(WEIGHTS[1], SENTENCE, QUERY, heads)

        large = [] if every_map_has_names(len(heads), SEQ) else [heads[0]]
        for head, drawn in zip([*large, *heads], meshes(figure), strict=True):
            assert drawn == pytest.approx(style.weight_colours(head)(WEIGHTS[1, head].numpy()))
        said = {text.get_text(): text.get_color() for text in texts(figure)}
        assert all(said[f"head {head}"] == style.head_colour(head) for head in heads)

    def test_the_row_of_the_chosen_token_is_framed_in_every_map(self) -> None:
        figure = draw_maps(WEIGHTS[1], SENTENCE, QUERY, range(HEADS))

        frames = [a for a in figure.axes[0].collections if isinstance(a, PolyCollection)]
        assert len(frames) == 1 + HEADS  # the large one is first
        for frame in frames:
            whole, row = (path.get_extents() for path in frame.get_paths())
            assert row.height == pytest.approx(whole.height / SEQ)
            assert (row.y0 - whole.y0) / row.height == pytest.approx(QUERY)

    def test_each_map_says_which_token_is_looked_at_most(self) -> None:
        spots = spots_of_maps(WEIGHTS[1], SENTENCE, QUERY, range(HEADS), 3, range(SEQ))

        small = [spot.says for spot in spots if "rows and columns as in the large map" in spot.says]
        for head, says in enumerate(small):
            weight, place = WEIGHTS[1, head, QUERY].max(dim=0)
            token = SENTENCE[int(place)]
            assert f"head {head}: “dog” looks most at {token if len(token) <= 6 else token[:5] + '…'}" in says
            assert f"{float(weight):.2f}" in says
        assert len(small) == HEADS

    def test_each_row_of_a_small_map_says_whose_it_is(self) -> None:
        spots = spots_of_maps(WEIGHTS[1], SENTENCE, QUERY, range(HEADS), 3, range(SEQ))

        rows = [spot.says for spot in spots if spot.pick == "head_large=5" and spot.says.endswith("\na click: large")]
        assert [says.partition(" looks ")[0] for says in rows] == [f"head 5: “{token}”" for token in SENTENCE]

        long = spots_of_maps(random_weights(HEADS, 30, 30), ["so"] * 30, 0, range(HEADS), 3, range(30))
        assert sum(spot.pick == "head_large=5" for spot in long) == 1

    @pytest.mark.parametrize(("count", "seq"), [(2, 16), (3, 8), (4, 8), (6, 8), (8, 8), (12, 8), (12, 24)])
    def test_every_row_and_column_has_its_name_in_every_map_or_in_a_large_one(self, count: int, seq: int) -> None:
        tokens = [f"w{place}" for place in range(seq)]

        words = texts(draw_maps(random_weights(count, seq, seq), tokens, 3, range(count)))

        maps = count if every_map_has_names(count, seq) else 1
        assert (maps == 1) == (count == 12)
        for rotation in (0, 90):
            named = [text.get_text() for text in words if text.get_rotation() == rotation]
            assert all(named.count(token) == maps for token in tokens)

    @pytest.mark.parametrize("large", [0, 7])
    def test_the_large_map_is_of_the_chosen_head(self, large: int) -> None:
        first, *small = meshes(draw_maps(WEIGHTS[1], SENTENCE, QUERY, range(HEADS), large))

        assert first == pytest.approx(small[large])

    def test_a_single_map_names_every_row_and_column_and_the_chosen_weights(self) -> None:
        figure = draw_maps(WEIGHTS[1], SENTENCE, QUERY, [4])

        said = [text.get_text() for text in texts(figure)]
        assert all(said.count(token) == 2 * SENTENCE.count(token) for token in SENTENCE)
        numbers = [text for text in said if text.startswith(("0.", "1."))]
        assert numbers == [f"{weight:.2f}" for weight in WEIGHTS[1, 4, QUERY].tolist() if weight >= 0.05]


class TestTouch:
    @pytest.mark.parametrize("heads", [range(HEADS), [3], [2, 7]])
    @pytest.mark.parametrize("of", ["lines", "maps"])
    def test_every_cell_says_its_weight_and_a_word_is_chosen_by_its_place_in_the_sentence(
        self, heads: Sequence[int], of: str
    ) -> None:
        places = [2 * place for place in range(SEQ)]
        if of == "lines":
            figure = draw_lines(WEIGHTS[0], SENTENCE, QUERY, heads)
            spots = spots_of_lines(WEIGHTS[0], SENTENCE, QUERY, heads, places)
        else:
            figure = draw_maps(WEIGHTS[0], SENTENCE, QUERY, heads, heads[0])
            spots = spots_of_maps(WEIGHTS[0], SENTENCE, QUERY, heads, heads[0], places)

        for spot in spots:
            assert spot.left >= 0
            assert spot.left + spot.width <= style.width_in_pixels(figure) + 0.01
            assert 0 <= spot.top < spot.top + spot.height <= figure.get_figheight() * 72 + 0.01
        weight = float(WEIGHTS[0, heads[0], QUERY, 4])
        (cell,) = (s for s in spots if s.says == f"head {heads[0]}: “dog” looks at “walked”: {weight:.2f}")
        assert cell.pick in ("query_from=8", f"query_from={2 * QUERY}")
        word, *_ = (spot for spot in spots if spot.says == "where “slowly” looks")  # one a map
        assert word.pick == f"query_from={2 * SENTENCE.index('slowly')}"

    @pytest.mark.slow
    def test_a_click_sets_the_control_once_and_nonsense_sets_nothing(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, view="maps")

        for click in ("query_from=3#1", "head_large=5#2", "query_from=99#3", "layer=9", "_look=1", "query_from=x", ""):
            explorer.picked.value = click

        assert explorer.controls["query_from"].value == 3
        assert explorer.controls["head_large"].value == 5
        assert explorer.controls["layer"].value == 0
        assert meshes(shown(explorer))[0] == pytest.approx(style.weight_colours(5)(WEIGHTS[0, 5].numpy()))
        explorer.picked.value = "head_shown=4#4"
        assert len(meshes(shown(explorer))) == 1
        explorer.picked.value = "head_shown=-1#5"
        assert len(meshes(shown(explorer))) == 1 + HEADS


class TestReadable:
    @pytest.mark.slow
    @pytest.mark.parametrize("draw", [draw_lines, draw_maps])
    @pytest.mark.parametrize("seq", [4, 8, 24])
    @pytest.mark.parametrize("count", [1, 4, 8, HEADS])
    def test_no_word_is_small_or_cut_off_or_on_another(self, draw: Callable[..., Figure], seq: int, count: int) -> None:
        tokens = (SENTENCE + SENTENCE)[:seq]

        figure = draw(random_weights(count, seq, seq), tokens, seq // 2, range(count))

        assert style.width_in_pixels(figure) == style.WIDTH
        assert figure.get_figheight() * 72 <= (440 if seq <= 16 else 560)
        if len(texts(figure)) >= 8:
            assert_readable(figure)

    @pytest.mark.parametrize("draw", [draw_lines, draw_maps])
    def test_long_tokens_are_shortened_and_no_token_is_a_formula(self, draw: Callable[..., Figure]) -> None:
        tokens = ["incomprehensibilities", "$x^2$", "a$b$c", "multimillionairesses", "<b>", "_", "^", "\\"]

        figure = draw(random_weights(12, 8, 8), tokens, 0, range(12))

        figure.canvas.draw()
        assert_readable(figure)

    def test_weights_that_are_all_zero_are_drawn_and_said(self) -> None:
        weights = torch.zeros(2, 4, 4)

        for draw in (draw_lines, draw_maps):
            assert "head" in style.drawing(draw(weights, TOKENS[:4], 1, [0, 1]), "")
        assert "head&nbsp;0 at nothing" in describe_heads(weights, TOKENS[:4], 1, [0, 1])


class TestWords:
    def test_they_say_where_each_head_looks_most(self) -> None:
        said = describe_heads(WEIGHTS[0], SENTENCE, QUERY, [2])

        weight, place = WEIGHTS[0, 2, QUERY].max(dim=0)
        assert said.startswith("From <b>dog</b>, most of all: ")
        assert f"head&nbsp;2 at <b>{SENTENCE[int(place)]}</b> ({float(weight):.2f})." in said

    def test_a_token_cannot_put_html_into_the_page(self) -> None:
        said = describe_heads(torch.eye(2).flip(0).unsqueeze(0), ["<script>", "<b>"], 0, [0])

        assert "<script>" not in said
        assert "&lt;script&gt;" in said

    def test_itself_and_all_alike(self) -> None:
        assert "at <b>itself</b> (1.00)" in describe_heads(torch.eye(3).unsqueeze(0), ["a", "b", "c"], 1, [0])
        assert "at all alike (0.33)" in describe_heads(torch.full((1, 3, 3), 1 / 3), ["a", "b", "c"], 1, [0])


class TestTheLearnersLayer:
    def test_the_picture_is_the_layers_own_weights(self) -> None:
        explorer = head_viewer(MultiHeadAttention, view="maps")
        explorer.controls["num_heads"].value = 6

        weights = weights_of_layer(MultiHeadAttention, 6, TOKENS, 48)

        assert weights.shape == (6, 8, 8)
        for head, drawn in enumerate(meshes(shown(explorer))):
            assert drawn == pytest.approx(style.weight_colours(head)(weights[head].numpy()))

    def test_random_heads_differ_plainly_and_no_two_look_alike(self) -> None:
        for num_heads in (2, 3, 4, 6, 8, 12):
            weights = weights_of_layer(MultiHeadAttention, num_heads, TOKENS, 48)
            assert float(weights.max()) > 0.5
            for one, other in itertools.combinations(weights, 2):
                assert float((one - other).abs().max()) > 0.2

    def test_the_slider_offers_the_divisors_of_d_model_that_have_a_colour_each(self) -> None:
        assert tuple(head_viewer(MultiHeadAttention).controls["num_heads"].options) == (1, 2, 3, 4, 6, 8, 12)
        assert tuple(head_viewer(MultiHeadAttention, d_model=20).controls["num_heads"].options) == (1, 2, 4, 5, 10)

    def test_the_same_setting_gives_the_same_picture_and_leaves_the_learners_randomness_alone(self) -> None:
        torch.manual_seed(5)
        state = torch.get_rng_state()
        explorer = head_viewer(MultiHeadAttention)
        first = explorer.drawn

        explorer.controls["num_heads"].value = 8
        assert explorer.drawn != first
        explorer.controls["num_heads"].value = 4

        assert explorer.drawn == first
        assert torch.equal(torch.get_rng_state(), state)

    def test_dropout_is_off(self) -> None:
        def with_dropout(d_model: int, num_heads: int) -> nn.Module:
            return MultiHeadAttention(d_model, num_heads, dropout=0.5)

        weights = weights_of_layer(with_dropout, 4, TOKENS, 48)

        assert torch.allclose(weights.sum(-1), torch.ones(4, 8))

    def test_another_sentence_and_the_same_word_twice(self) -> None:
        tokens = ["one", "head", "and", "one", "more"]

        vectors = random_vectors(tokens, 12)

        assert vectors.shape == (5, 12)
        assert not torch.allclose(vectors[0], vectors[3])
        assert shown(head_viewer(MultiHeadAttention, tokens=tokens, d_model=12))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda x, w: None, "should return two tensors, (output, weights); yours returns nothing."),
            (lambda x, w: x, "yours is a tensor of shape (1, 8, 48)"),
            (lambda x, w: (x, w, w), "yours returns 3 things"),
            (lambda x, w: (w, x), "The output of <code>Layer</code> for x of shape (1, 8, 48) should have the shape"),
            (
                lambda x, w: (x, w.mean(1)),
                "The weights of <code>Layer</code>, with 4 heads on 8 tokens, should have the shape (1, 4, 8, 8); "
                "yours is a tensor of shape (1, 8, 8)",
            ),
            (lambda x, w: (x, w.transpose(0, 1)), "yours is a tensor of shape (4, 1, 8, 8)"),
            (lambda x, w: (x, "weights"), "yours is of type str"),
            (lambda x, w: (x, w * torch.nan), "it holds NaN"),
            (lambda x, w: (x, w / 0), "it holds infinity"),
            (lambda x, w: x @ x, "<code>Layer</code> stopped with <code>RuntimeError"),
        ],
    )
    def test_what_cannot_be_drawn_is_explained_in_one_line(
        self, answer: Callable[[Tensor, Tensor], object], words: str
    ) -> None:
        class Layer(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                self.num_heads = num_heads

            def forward(self, x: Tensor) -> object:
                return answer(x, torch.full((1, self.num_heads, 8, 8), 1 / 8))

        explorer = head_viewer(Layer)

        assert words in explorer.words.value
        assert "Traceback" not in explorer.words.value
        assert hides_its_picture(explorer)

    def test_a_layer_that_is_not_written_is_named(self) -> None:
        class Unsolved(nn.Module):
            def __init__(self, d_model: int, num_heads: int) -> None:
                super().__init__()
                raise NotImplementedError()

        explorer = head_viewer(Unsolved)

        assert "<code>Unsolved</code> is not written yet." in explorer.words.value
        assert hides_its_picture(explorer)

    def test_a_function_that_makes_no_layer_is_explained(self) -> None:
        assert "should be a layer; yours returns nothing" in head_viewer(cast(Any, lambda *_: None)).words.value

    @pytest.mark.parametrize(
        ("spoil", "words"),
        [
            (lambda w: w * 2, "The rows of your weights add up to 2.00 … 2.00; each should add up to 1."),
            (lambda w: w.transpose(-2, -1), "each should add up to 1."),
            (lambda w: w - 0.5, "Some of your weights are below 0 (the smallest is -0.5"),
        ],
    )
    def test_weights_that_cannot_be_right_are_drawn_with_a_warning(
        self, spoil: Callable[[Tensor], Tensor], words: str
    ) -> None:
        class Spoilt(MultiHeadAttention):
            def forward(self, query: Tensor) -> tuple[Tensor, Tensor]:
                output, weights = super().forward(query)
                return output, spoil(weights)

        explorer = head_viewer(Spoilt)

        assert shown(explorer)
        assert words in explorer.words.value

    def test_a_mistake_at_one_setting_does_not_stop_the_next(self) -> None:
        def picky(d_model: int, num_heads: int) -> nn.Module:
            if num_heads == 3:
                raise ValueError("not three")
            return MultiHeadAttention(d_model, num_heads)

        explorer = head_viewer(picky)
        explorer.controls["num_heads"].value = 3
        assert "<code>picky</code> stopped with <code>ValueError: not three</code>." in explorer.words.value
        assert hides_its_picture(explorer)

        explorer.controls["num_heads"].value = 2
        assert shown(explorer)
        assert explorer.drawn


class TestAModel:
    @pytest.mark.slow
    def test_the_layer_slider_goes_through_the_layers(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, view="maps", layer=1)
        assert explorer.controls["layer"].value == 1
        assert [value for _, value in explorer.controls["layer"].options] == list(range(LAYERS))

        explorer.controls["layer"].value = 2

        for head, drawn in enumerate(meshes(shown(explorer))[1:]):
            assert drawn == pytest.approx(style.weight_colours(head)(WEIGHTS[2, head].numpy()))

    def test_it_starts_where_the_lesson_wants(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, view="maps", layer=2, head=7, query=3)

        values = {name: control.value for name, control in explorer.controls.items()}
        assert (values["layer"], values["head_shown"], values["query_from"], values["show_as"]) == (2, 7, 3, "maps")
        (drawn,) = meshes(shown(explorer))
        assert drawn == pytest.approx(style.weight_colours(7)(WEIGHTS[2, 7].numpy()))
        assert f"From <b>{SENTENCE[3]}</b>" in explorer.words.value

    @pytest.mark.slow
    def test_one_head_or_two_or_all(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, view="maps")
        assert len(meshes(shown(explorer))) == 1 + HEADS

        explorer.controls["head_shown"].value = 5
        assert len(meshes(shown(explorer))) == 1

        explorer.controls["head_beside"].value = 2
        assert len(meshes(shown(explorer))) == 2
        assert "head&nbsp;2" in explorer.words.value

        explorer.controls["head_beside"].value = 5
        assert len(meshes(shown(explorer))) == 1

    def test_a_second_head_can_be_chosen_only_beside_a_first_one(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE)
        assert explorer.controls["head_beside"].layout.display == "none"

        explorer.controls["head_shown"].value = 0
        # pyrefly: ignore[unnecessary-comparison]  # the line above has changed it
        assert explorer.controls["head_beside"].layout.display is None

    @pytest.mark.slow
    @pytest.mark.parametrize("special", ["left out", "left out, the rest rescaled to 1"])
    def test_cls_and_sep_can_be_left_out(self, special: str) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, view="maps")
        explorer.controls["special_as"].value = special

        inner = WEIGHTS[0][:, 1:-1, 1:-1]
        if special != "left out":
            inner = inner / inner.sum(-1, keepdim=True)
        for head, drawn in enumerate(meshes(shown(explorer))[1:]):
            assert drawn == pytest.approx(style.weight_colours(head)(inner[head].numpy()))
        offered = [label for label, _ in explorer.controls["query_from"].options]
        assert offered == list(SENTENCE[1:-1])
        assert explorer.view.warning == ""
        expected = "no longer adds up to 1" if special == "left out" else "it adds up to 1 again"
        assert expected in explorer.words.value

    def test_the_share_on_cls_and_sep_is_said(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, head=3, query=QUERY)

        share = float(WEIGHTS[0, 3, QUERY, [0, -1]].sum())
        assert f"Of this token's weight {share:.2f} lies on [CLS] and [SEP]." in explorer.words.value
        explorer.controls["special_as"].value = "left out"
        assert f"Of this token's weight {share:.2f} lies on [CLS] and [SEP]; they are left out" in explorer.words.value

    def test_the_chosen_token_stays_when_others_are_left_out_and_moves_when_it_is_left_out_itself(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE, query=QUERY)
        explorer.controls["special_as"].value = "left out"
        assert explorer.controls["query_from"].value == QUERY

        explorer.controls["special_as"].value = "shown"
        explorer.controls["query_from"].value = 0
        assert "From <b>[CLS]</b>" in explorer.words.value
        explorer.controls["special_as"].value = "left out"
        assert explorer.controls["query_from"].value == 1
        assert "From <b>the</b>" in explorer.words.value

    def test_without_special_tokens_there_is_no_such_switch(self) -> None:
        explorer = model_head_viewer(random_weights(2, 4, 5, 5), TOKENS[:5])

        assert explorer.controls["special_as"].layout.display == "none"
        assert "[CLS]" not in explorer.words.value

    def test_one_change_is_one_redraw(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE)
        views = []
        explorer.picture.observe(lambda change: views.append(change.new), names="value")

        explorer.controls["special_as"].value = "left out"

        assert len(views) == 1

    def test_the_sentence_can_be_chosen_and_the_model_is_asked_once_for_each(self) -> None:
        asked: list[str] = []

        def encode(sentence: str) -> tuple[list[str], Tensor]:
            asked.append(sentence)
            tokens = ["[CLS]", *sentence.split(), "[SEP]"]
            return tokens, random_weights(2, 4, len(tokens), len(tokens))

        explorer = model_head_viewer(encode, sentences=["a cat sat", "the black cat sat on the mat"])
        assert [label for label, _ in explorer.controls["query_from"].options] == ["[CLS]", "a", "cat", "sat", "[SEP]"]

        explorer.controls["sentence"].value = "the black cat sat on the mat"
        assert len(explorer.controls["query_from"].options) == 9
        explorer.controls["layer"].value = 1
        explorer.controls["sentence"].value = "a cat sat"

        assert shown(explorer)
        assert asked == ["a cat sat", "the black cat sat on the mat"]

    def test_a_sentence_can_be_typed_unless_it_is_too_long_to_draw(self) -> None:
        def encode(sentence: str) -> tuple[list[str], Tensor]:
            tokens = sentence.split()
            return tokens, random_weights(2, 4, len(tokens), len(tokens))

        explorer = model_head_viewer(encode, sentences=["a cat sat"])

        explorer.controls["typed"].value = " who is that "
        assert [label for label, _ in explorer.controls["query_from"].options] == ["who", "is", "that"]
        explorer.controls["typed"].value = "so " * 40
        assert "That makes 40 tokens" in explorer.words.value
        explorer.controls["typed"].value = ""
        assert [label for label, _ in explorer.controls["query_from"].options] == ["a", "cat", "sat"]

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (None, "<code>encode</code> should return (tokens, weights); yours returns nothing."),
            ((["a", "b"], torch.ones(2, 2)), "should have the shape (layers, heads, 2, 2); yours is a tensor"),
            ((["a", "b"], torch.full((1, 1, 2, 2), torch.nan)), "it holds NaN"),
        ],
    )
    def test_a_model_that_gives_something_else_is_explained(self, answer: object, words: str) -> None:
        def encode(sentence: str) -> Any:
            return answer

        explorer = model_head_viewer(encode, sentences=["a b"])

        assert words in explorer.words.value
        assert hides_its_picture(explorer)

    def test_a_model_that_is_not_written_yet_is_asked_again(self) -> None:
        written = False

        def encode(sentence: str) -> tuple[list[str], Tensor]:
            if not written:
                raise NotImplementedError()
            return list("ab"), random_weights(2, 3, 2, 2)

        explorer = model_head_viewer(encode, sentences=["a b"])
        assert "<code>encode</code> is not written yet." in explorer.words.value
        written = True
        explorer.controls["show_as"].value = "maps"

        assert shown(explorer)

    def test_weights_of_another_length_than_the_tokens_are_explained(self) -> None:
        explorer = model_head_viewer(WEIGHTS, SENTENCE[:5])

        assert "The weights of 5 tokens should have the shape (layers, heads, 5, 5)" in explorer.words.value

    def test_a_sentence_of_nothing_but_special_tokens(self) -> None:
        explorer = model_head_viewer(random_weights(1, 2, 2, 2), ["[CLS]", "[SEP]"])
        explorer.controls["special_as"].value = "left out"

        assert "Nothing is left" in explorer.words.value
