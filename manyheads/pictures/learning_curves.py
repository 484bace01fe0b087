"""Shows models while they train: a panel for each, with its loss and, below it, a score of each of its heads.

Chapter 9 calls `learning_curves(…)` and passes `watch(title)` to its training loop. The picture is redrawn in place as
an ordinary output, without ipywidgets, so a notebook that is opened again still shows its last state. It knows nothing
about the models: what the score means is up to the caller.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from . import style
from .percent import guess_in_percent, guessed_share, percent

_PAUSE = 0.5  # seconds between two redraws: a redraw takes time from the training
_HEIGHT = 470  # pixels
_LINES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (4, 1, 1, 1)))  # one style for each layer, from the last one down


class Measured(Protocol):
    """What a training loop has measured after some steps."""

    @property
    def step(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def accuracy(self) -> float: ...
    @property
    def weights(self) -> Tensor: ...


@dataclass
class Curves:
    """One model as it trains.

    Args:
        steps: after which it was measured, ascending.
        losses: after each of them, in nats.
        scores: after each of them, by layer and head, 0 … 1.
        accuracy: after the last of them, 0 … 1.
        guess: the expected accuracy at the end, 0 … 1; None without a guess.
    """

    title: str
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    scores: list[list[list[float]]] = field(default_factory=list)
    accuracy: float = 0.0
    guess: float | None = None


def draw_curves(runs: Sequence[Curves], last_step: int, highest_loss: float, score: str) -> Figure:
    """Draw a panel for each run.

    Args:
        highest_loss: the upper end of the scale of losses, in nats: that of a model that knows nothing.
        score: what the lower curves are, such as "induction score".
    """
    left, gap, wide = 0.07, 0.05, 0.9
    width = (wide - gap * (len(runs) - 1)) / len(runs)
    with style.course():
        figure = style.figure(height=_HEIGHT)
        for place, run in enumerate(runs):
            start = left + place * (width + gap)
            above = figure.add_axes((start, 0.5, width, 0.3))
            below = figure.add_axes((start, 0.11, width, 0.27))
            _draw_losses(above, run, last_step, highest_loss)
            _draw_scores(below, run, last_step)
            figure.text(start, 0.955, run.title, weight="bold", size=style.SIZE + 1, va="center")
            figure.text(start, 0.9, _reached(run), va="center", color=style.QUIET if not run.steps else style.INK)
            if place:
                above.tick_params(labelleft=False)
                below.tick_params(labelleft=False)
            else:
                above.set_title("loss, in nats", weight="normal", size=style.SIZE, color=style.QUIET)
                below.set_title(f"{score} of each head", weight="normal", size=style.SIZE, color=style.QUIET)
    return figure


def _draw_losses(axes: Axes, run: Curves, last_step: int, highest: float) -> None:
    axes.set(xlim=(0, last_step), ylim=(0, highest * 1.06), xticks=[0, last_step], yticks=[0, round(highest, 2)])
    axes.tick_params(labelbottom=False)
    axes.axhline(highest, color=style.QUIET, linewidth=1, linestyle=(0, (4, 3)))
    style.write(axes, last_step, highest * 0.97, "knows nothing", ha="right", va="top", color=style.QUIET)
    axes.plot(run.steps, run.losses, color=style.INK, linewidth=2.5)


def _draw_scores(axes: Axes, run: Curves, last_step: int) -> None:
    axes.set(xlim=(0, last_step), ylim=(0, 1.02), xticks=[0, last_step], yticks=[0, 0.5, 1])
    axes.set_xlabel("steps", labelpad=-14)
    layers = len(run.scores[-1]) if run.scores else 0
    for layer in range(layers):
        heads = range(len(run.scores[-1][layer]))
        lines = [[(step, at[layer][head]) for step, at in zip(run.steps, run.scores, strict=True)] for head in heads]
        colours = [style.head_colour(head) for head in heads]
        dashes = _LINES[(layers - 1 - layer) % len(_LINES)]
        axes.add_collection(LineCollection(lines, colors=colours, linewidths=2, linestyles=[dashes]))
        height = 0.92 - 0.17 * (layers - 1 - layer)
        axes.plot([0.02, 0.1], [height] * 2, color=style.QUIET, linewidth=2, linestyle=dashes, transform=axes.transAxes)
        axes.text(0.12, height, f"layer {layer}", va="center", color=style.QUIET, transform=axes.transAxes)


def _reached(run: Curves) -> str:
    guess = "" if run.guess is None else f", your guess: {guess_in_percent(run.guess)}"
    return f"right: {percent(run.accuracy)}{guess}" if run.steps else f"not trained yet{guess}"


class LearningCurves:
    """The figure of all runs, kept up to date where it was displayed.

    Args:
        runs: by the name that `watch` takes.
        last_step: how many steps each of them takes.
        score: from weights (layers, num_heads, seq, seq) to the heads' scores (layers, num_heads).
        score_name: what it is called.
        highest_loss: of a model that knows nothing, in nats.
    """

    def __init__(
        self,
        runs: Mapping[str, Curves],
        last_step: int,
        score: Callable[[Tensor], Tensor],
        score_name: str,
        highest_loss: float,
    ) -> None:
        self.runs = dict(runs)
        self.last_step = last_step
        self._score, self._score_name, self._highest = score, score_name, highest_loss
        self._drawn_at = time.monotonic()
        self._handle = display(self.picture(), display_id=True)

    def picture(self) -> HTML:
        """Return the figure as it is now, with the same in words below it."""
        drawn = draw_curves(list(self.runs.values()), self.last_step, self._highest, self._score_name)
        words = self.in_words()
        shown = style.picture(drawn, words).data
        return HTML(f'{shown}<p role="status" style="max-width: {style.WIDTH}px">{html.escape(words)}</p>')

    def watch(self, name: str) -> Callable[[Measured], None]:
        """Return a function for the training of `name` to call now and then with what it has measured."""
        run = self.runs[name]

        def note(measured: Measured) -> None:
            if run.steps and measured.step <= run.steps[-1]:  # it was restarted
                run.steps.clear()
                run.losses.clear()
                run.scores.clear()
            run.steps.append(measured.step)
            run.losses.append(measured.loss)
            run.scores.append(self._score(measured.weights).tolist())
            run.accuracy = measured.accuracy
            if measured.step >= self.last_step or time.monotonic() - self._drawn_at > _PAUSE:
                if self._handle is not None:  # None outside of a notebook
                    self._handle.update(self.picture())
                self._drawn_at = time.monotonic()

        return note

    def in_words(self) -> str:
        """Say what the figure shows: where each run is, and its best head."""
        said = [_said(run, self._score_name) for run in self.runs.values() if run.steps]
        return " ".join(said) or "Not trained yet."


def _said(run: Curves, score: str) -> str:
    best = max((value, layer, head) for layer, row in enumerate(run.scores[-1]) for head, value in enumerate(row))
    guess = "" if run.guess is None else f" (your guess: {guess_in_percent(run.guess)})"
    return (
        f"{run.title}, step {run.steps[-1]}: loss {run.losses[-1]:.2f}, {percent(run.accuracy)} right{guess}; "
        f"highest {score} {best[0]:.2f}, layer {best[1]}, head {best[2]}."
    )


def learning_curves(
    titles: Sequence[str],
    steps: int,
    score: Callable[[Tensor], Tensor],
    *,
    score_name: str,
    highest_loss: float,
    guesses: Mapping[str, float | None] | None = None,
) -> LearningCurves:
    """Display the figure, empty, and return it.

    Args:
        titles: of the models. `watch` takes the same.
        steps: how many steps each of them trains.
        score, score_name, highest_loss: see `LearningCurves`.
        guesses: what somebody expects of a model's accuracy, in percent; None: nothing.

    Raises:
        ValueError: if a guess is not a number between 0 and 100.
    """
    runs = {title: Curves(title) for title in titles}
    for title, guess in (guesses or {}).items():
        if title in runs and guess is not None:
            runs[title].guess = guessed_share(guess)
    return LearningCurves(runs, steps, score, score_name, highest_loss)
