"""Shows where each head looks in one sentence of the toy language, and what the model answers.

Chapter 2 shows `sentence_explorer(models, examples, game)`, and `draw_reading` if no control is needed. Everything
comes from the caller's model; nothing here computes attention.
"""

from __future__ import annotations

import html
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..models.toy_grammar import QUESTIONS, VOCABULARY, Game, Sentences
from ..pictures import style
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask

# model(batch, game) -> scores (batch, questions, vocabulary), weights (batch, heads, seq, seq)
Model = Callable[[Sentences, Game], tuple[Tensor, Tensor]]

_WORTH_A_NUMBER = 0.05  # smaller weights show by their colour only
# Lengths in pixels of a web page.
_LETTER, _NARROWEST, _BESIDE = 8.8, 38, 8  # a column is as wide as its word
_LABELS, _FIRST_ROW, _ROW = 66, 56, 32
_ANSWERS, _ANSWER, _BAR_OF_1 = 150, 256, 116  # the answers' height, the width of each, and its longest bar
_TITLE: dict[str, Any] = {"weight": "bold", "size": style.SIZE + 1, "va": "center"}


@dataclass(frozen=True)
class Gaze:
    """Where one head looks from one word.

    Args:
        label: the title of its row.
        head: the head's number, for its colour.
        asker: the position of the word that looks.
        weights: one for each word.
    """

    label: str
    head: int
    asker: int
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Guess:
    """What the model answers to one question.

    Args:
        question: "who?"
        right: the right answer.
        best: the two words it finds most likely, and how likely.
    """

    question: str
    right: str
    best: tuple[tuple[str, float], tuple[str, float]]


@dataclass(frozen=True)
class Reading:
    """How a model read a sentence."""

    tokens: tuple[str, ...]
    gazes: tuple[Gaze, ...]
    guesses: tuple[Guess, ...]


def read(model: Model, sentence: Sentences, game: Game, row: int = 0) -> Reading:
    """Have `model` read one sentence.

    If one word asks, there is a gaze for each head; otherwise one for each asking word, in the first head.
    """
    batch = sentence[row : row + 1]
    with torch.no_grad():
        scores, weights = model(batch, game)
    tokens = batch.tokens()
    askers = batch.asking_positions(game)[0].tolist()
    if len(set(askers)) == 1:
        columns = [(f"head {head}", head, askers[0]) for head in range(weights.shape[1])]
    else:
        columns = [(f"{tokens[asker]}", 0, asker) for asker in askers]
    gazes = [
        Gaze(label, head, asker, tuple(weights[0, head, asker, : len(tokens)].tolist()))
        for label, head, asker in columns
    ]
    likely = scores[0].softmax(dim=-1).topk(2)
    guesses = []
    for question, right, chances, words in zip(
        QUESTIONS, batch.answers[0].tolist(), likely.values.tolist(), likely.indices.tolist(), strict=True
    ):
        first, second = ((VOCABULARY[word], chance) for word, chance in zip(words, chances, strict=True))
        guesses.append(Guess(question, VOCABULARY[right], (first, second)))
    return Reading(tuple(tokens), tuple(gazes), tuple(guesses))


def draw_reading(reading: Reading) -> Figure:
    """Draw a row of weights for each gaze, with a column for each word; below them, the answers."""
    below = _FIRST_ROW + _ROW * len(reading.gazes) + 34
    with style.course():
        figure = style.figure(height=below + _ANSWERS)
        # One pair of axes for everything, and words in place of ticks: both are what takes time in matplotlib.
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, style.WIDTH), ylim=(below + _ANSWERS, 0))
        axes.set_axis_off()
        _draw_gazes(axes, reading)
        style.write(axes, 4, below, "what the model answers", **_TITLE)
        for place, guess in enumerate(reading.guesses):
            _draw_guess(axes, guess, 4 + place * _ANSWER, below + 30)
    return figure


def _draw_gazes(axes: Axes, reading: Reading) -> None:
    edges = [float(_LABELS)]
    for token in reading.tokens:
        edges.append(edges[-1] + max(_NARROWEST, _LETTER * len(token) + _BESIDE))
    middles = [(left + right) / 2 for left, right in itertools.pairwise(edges)]
    askers = {gaze.asker for gaze in reading.gazes}
    one = reading.tokens[reading.gazes[0].asker]
    style.write(
        axes, 4, 14, f"where “{one}” looks" if len(askers) == 1 else "where each of three words looks", **_TITLE
    )
    for place, token in enumerate(reading.tokens):
        emphasis = "bold" if place in askers else "normal"
        style.write(axes, middles[place], _FIRST_ROW - 8, token, ha="center", va="baseline", weight=emphasis)
    for row, gaze in enumerate(reading.gazes):
        top, colours = _FIRST_ROW + row * _ROW, style.weight_colours(gaze.head)
        axes.pcolormesh(
            edges, [top, top + _ROW], [gaze.weights], cmap=colours, vmin=0, vmax=1, edgecolors=style.GRID, linewidth=0.8
        )
        middle, colour = top + _ROW / 2, style.head_colour(gaze.head)
        style.write(axes, _LABELS - 8, middle, gaze.label, ha="right", va="center", color=colour, weight="bold")
        for place, weight in enumerate(gaze.weights):
            if weight >= _WORTH_A_NUMBER:
                ink = style.ink_on(colours(min(weight, 1.0)))
                style.write(axes, middles[place], middle, f"{weight:.2f}", ha="center", va="center_baseline", color=ink)


def _draw_guess(axes: Axes, guess: Guess, left: float, top: float) -> None:
    right = guess.best[0][0] == guess.right
    style.write(axes, left, top, guess.question, va="center")
    mark = "✓" if right else f"✗   right is “{guess.right}”"
    style.write(axes, left, top + 24, mark, va="center", weight="bold", color=style.RIGHT if right else style.WRONG)
    bars = left + 72
    for line, (word, chance) in enumerate(guess.best):
        middle = top + 52 + 24 * line
        if chance >= 0.01:
            style.write(axes, bars - 6, middle, word, ha="right", va="center")
            axes.barh(middle, _BAR_OF_1 * chance, left=bars, height=16, color=style.QUIET)
            style.write(axes, bars + 6 + _BAR_OF_1 * chance, middle, f"{chance:.0%}", va="center")


def describe_reading(reading: Reading) -> tuple[str, str]:
    """Say in two paragraphs of plain text where the heads look and what the model answers."""
    return _looks(reading, str), _answers(reading, str)


def _looks(reading: Reading, strong: Callable[[str], str]) -> str:
    said = "; ".join(f"{strong(gaze.label)} looks at {_seen(reading.tokens, gaze.weights)}" for gaze in reading.gazes)
    return f"{said[:1].upper()}{said[1:]}."


def _seen(tokens: Sequence[str], weights: Sequence[float]) -> str:
    order = sorted(range(len(weights)), key=lambda place: -weights[place])
    seen = [f"{tokens[place]} ({weights[place]:.2f})" for place in order[:3] if weights[place] >= _WORTH_A_NUMBER]
    return ", ".join(seen) or "all words alike"


def _answers(reading: Reading, strong: Callable[[str], str]) -> str:
    said = []
    for guess in reading.guesses:
        (first, chance), _ = guess.best
        verdict = "right" if first == guess.right else f"wrong, it is {guess.right}"
        said.append(f"{guess.question} {strong(first)} ({chance:.0%}, {verdict})")
    return f"Answers: {'; '.join(said)}."


def _bold(words: str) -> str:
    return f"<b>{html.escape(words)}</b>"


def sentence_explorer(models: Mapping[int, Model], examples: Sequence[Sentences], game: Game) -> Explorer:
    """Return the widget: choose a model by its number of heads, and a sentence.

    Args:
        models: by number of heads.
        examples: batches of one sentence each.
    """

    def look(num_heads: int, place: int) -> View:
        try:
            example = examples[place - 1]
            reading = ask(f"the model with {num_heads} heads", read, models[num_heads], example, game)
        except CannotDraw as reason:
            return View(warning=str(reason))
        return View(draw_reading(reading), (f"“{example.text()}”", _looks(reading, _bold), _answers(reading, _bold)))

    controls = {
        "num_heads": widgets.ToggleButtons(
            options=[(f"{n} head" if n == 1 else f"{n} heads", n) for n in models],
            description="Model",
            style={"button_width": "86px", "description_width": "70px"},
        ),
        # A slider, not a menu: in JupyterLab, the arrow keys leave a menu for the next cell.
        "place": widgets.IntSlider(
            value=1,
            min=1,
            max=len(examples),
            description="Sentence",
            style={"description_width": "70px"},
            layout=widgets.Layout(width="460px"),
        ),
    }
    return Explorer(controls, rows=[["num_heads"], ["place"]], look=look)
