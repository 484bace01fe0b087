"""Shows where each head looks in one sentence of the toy language, and what the model answers.

Chapter 2 shows `sentence_explorer(models, examples, game)`, and `draw_reading` if no control is needed. Everything
comes from the caller's model; nothing here computes attention.
"""

from __future__ import annotations

import html
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
# Widths and places, in the height of a word: across and down.
_CELL, _FIRST_CELL, _BARS, _FIRST_WORD = 2.05, 3.0, 12.9, 2.05
_ACROSS, _DOWN = 25.2, 13.2
_TITLE: dict[str, Any] = {"weight": "bold", "size": style.SIZE + 1, "va": "center"}


@dataclass(frozen=True)
class Gaze:
    """Where one head looks from one word.

    Args:
        label: the title of its column.
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
    """Draw the words from top to bottom with a column of weights for each gaze; beside it, the answers."""
    with style.course():
        figure = style.figure(height=400)
        # One pair of axes for everything, and words in place of ticks: both are what takes time in matplotlib.
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, _ACROSS), ylim=(_DOWN, 0))
        axes.set_axis_off()
        _draw_gazes(axes, reading)
        _draw_guesses(axes, reading.guesses)
    return figure


def _draw_gazes(axes: Axes, reading: Reading) -> None:
    seq = len(reading.tokens)
    askers = {gaze.asker for gaze in reading.gazes}
    one = reading.tokens[reading.gazes[0].asker]
    style.write(
        axes, 0.2, 0.5, f"where “{one}” looks" if len(askers) == 1 else "where each of three words looks", **_TITLE
    )
    for place, token in enumerate(reading.tokens):
        emphasis = "bold" if place in askers else "normal"
        middle = _FIRST_WORD + place + 0.5
        style.write(axes, _FIRST_CELL - 0.2, middle, token, ha="right", va="center_baseline", weight=emphasis)
    for column, gaze in enumerate(reading.gazes):
        left, colours = _FIRST_CELL + column * _CELL, style.weight_colours(gaze.head)
        across, down = [left, left + _CELL], [_FIRST_WORD + place for place in range(seq + 1)]
        cells = [[weight] for weight in gaze.weights]
        axes.pcolormesh(across, down, cells, cmap=colours, vmin=0, vmax=1, edgecolors=style.GRID, linewidth=0.8)
        centre, colour = left + _CELL / 2, style.head_colour(gaze.head)
        style.write(axes, centre, 1.5, gaze.label, ha="center", va="center", color=colour, weight="bold")
        for place, weight in enumerate(gaze.weights):
            if weight >= _WORTH_A_NUMBER:
                middle, ink = _FIRST_WORD + place + 0.5, style.ink_on(colours(min(weight, 1.0)))
                style.write(axes, centre, middle, f"{weight:.2f}", ha="center", va="center_baseline", color=ink)


def _draw_guesses(axes: Axes, guesses: Sequence[Guess]) -> None:
    style.write(axes, _BARS, 0.5, "what the model answers", **_TITLE)
    bars = _BARS + 3.0
    for place, guess in enumerate(guesses):
        top = 2.0 + 3.8 * place
        right = guess.best[0][0] == guess.right
        style.write(axes, _BARS, top, guess.question, va="center")
        mark = "✓" if right else f"✗   right is “{guess.right}”"
        style.write(
            axes, _BARS + 4.4, top, mark, va="center", weight="bold", color=style.RIGHT if right else style.WRONG
        )
        for line, (word, chance) in enumerate(guess.best):
            middle = top + 1.1 + line
            if chance >= 0.01:
                style.write(axes, bars - 0.2, middle, word, ha="right", va="center")
                axes.barh(middle, 6 * chance, left=bars, height=0.7, color=style.QUIET)
                style.write(axes, bars + 0.25 + 6 * chance, middle, f"{chance:.0%}", va="center")


def describe_reading(reading: Reading) -> tuple[str, str]:
    """Say in two paragraphs of HTML where the heads look and what the model answers."""
    looks = "; ".join(_describe_gaze(reading, gaze) for gaze in reading.gazes)
    answers = "; ".join(_describe_guess(guess) for guess in reading.guesses)
    return f"{looks[:1].upper()}{looks[1:]}.", f"Answers: {answers}."


def _describe_gaze(reading: Reading, gaze: Gaze) -> str:
    order = sorted(range(len(gaze.weights)), key=lambda place: -gaze.weights[place])
    seen = [f"{html.escape(reading.tokens[p])} ({gaze.weights[p]:.2f})" for p in order[:3] if gaze.weights[p] >= 0.05]
    return f"<b>{html.escape(gaze.label)}</b> looks at {', '.join(seen) or 'all words alike'}"


def _describe_guess(guess: Guess) -> str:
    (first, chance), _ = guess.best
    verdict = "right" if first == guess.right else f"wrong, it is {guess.right}"
    return f"{guess.question} <b>{first}</b> ({chance:.0%}, {verdict})"


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
        return View(draw_reading(reading), (f"“{example.text()}”", *describe_reading(reading)))

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
