"""Shows how the loss falls while models train: a curve each, redrawn as it goes, and samples of what a model writes.

Chapter 7 shows `loss_curves([…], steps)` and passes `watch(name)` to its training. The drawing works without the
widget. It knows nothing about the models.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import ipywidgets as widgets
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..pictures import style
from ..pictures.vector import kept, plain
from .page import OnPage

Watch = Callable[[int, float], None]

_PAUSE = 0.5  # seconds between two redraws: a redraw takes time from the training
_LINE = 22  # pixels between two names beside the curves
_NAMES = 0.3  # of the figure's width, for the names


@dataclass
class Curve:
    """The loss of one model as it trains.

    Args:
        name: what it is called beside its curve.
        steps: the steps after which the loss was measured, ascending.
        losses: the loss after each of them, in nats.
        guess: the expected last loss; None without a guess.
    """

    name: str
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    guess: float | None = None


def draw_curves(curves: Sequence[Curve], last_step: int, bars: Mapping[str, float] | None = None) -> Figure:
    """Draw the losses from step 0 to `last_step`, each with its name and its last number.

    Args:
        bars: losses to compare with, drawn as dashed lines with their names.
    """
    levels = dict(bars or {})
    seen = [loss for curve in curves for loss in curve.losses] + list(levels.values())
    seen += [curve.guess for curve in curves if curve.guess is not None]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    room = max(high - low, 0.2) * 0.08
    with style.course():
        figure = style.figure(height=300)
        axes = figure.add_axes((0.08, 0.16, 0.92 - _NAMES - 0.02, 0.78))
        axes.set_xlim(0, last_step)
        axes.set_ylim(low - room, high + room)
        axes.set_xlabel("steps")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel("loss in nats")
        for name, level in levels.items():
            axes.plot([0, last_step], [level] * 2, color=style.QUIET, linewidth=1.2, linestyle=(0, (4, 3)))
            style.write(axes, last_step * 0.99, level, name, color=style.QUIET, ha="right", va="bottom")
        ends: list[tuple[float, str, str]] = []
        for number, curve in enumerate(curves):
            colour = style.head_colour(number)
            if curve.guess is not None:
                axes.plot([last_step], [curve.guess], "<", color=colour, markersize=9, clip_on=False)
            if curve.losses:
                axes.plot(curve.steps, curve.losses, color=colour, linewidth=2.5)
                ends.append((curve.losses[-1], f"{curve.losses[-1]:.2f}  {curve.name}", colour))
        height = 0.78 * 300
        places = _apart([(end[0] - low + room) / (high - low + 2 * room) * height for end in ends], _LINE, height)
        for (_, words, colour), place in zip(ends, places, strict=True):
            axes.annotate(
                words,
                (1, place / height),
                xycoords="axes fraction",
                xytext=(12, 0),
                textcoords="offset points",
                color=colour,
                va="center",
                weight="bold",
                annotation_clip=False,
            )
    return figure


def _apart(wanted: Sequence[float], gap: float, top: float) -> list[float]:
    """Return heights near `wanted`, in the same order, any two of them at least `gap` apart, none above `top`."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    placed = list(wanted)
    for lower, upper in pairwise(order):
        placed[upper] = max(placed[upper], placed[lower] + gap)
    highest = top
    for index in reversed(order):
        placed[index] = min(placed[index], highest)
        highest = placed[index] - gap
    return placed


class LossCurves(OnPage):
    """The figure, a progress bar of the current run, and what was written on the way.

    Args:
        curves: the runs, each under its name.
        last_step: how many steps each of them takes.
        bars: losses to compare with, by name.
    """

    def __init__(self, curves: Mapping[str, Curve], last_step: int, bars: Mapping[str, float]) -> None:
        self.curves = dict(curves)
        self.last_step = last_step
        self.bars = dict(bars)
        self.bar = widgets.IntProgress(value=0, min=0, max=last_step, layout=widgets.Layout(width="300px"))
        self.doing = widgets.HTML("Not started yet.")
        self.picture = widgets.HTML(layout=widgets.Layout(max_width="100%"))
        self.picture.add_class("manyheads-picture")
        self.words = widgets.HTML()
        self.samples = widgets.HTML()
        self._written: list[tuple[int, str]] = []
        self._drawn_at = 0.0
        super().__init__([widgets.HBox([self.bar, self.doing]), self.picture, self.words, self.samples])
        self._redraw()

    def watch(self, name: str) -> Watch:
        """Return a function for the training of the run `name` to call now and then with (steps done, loss)."""
        curve = self.curves[name]

        def note(step: int, loss: float) -> None:
            if curve.steps and step <= curve.steps[-1]:  # it was restarted
                curve.steps.clear()
                curve.losses.clear()
                self._written.clear()
            curve.steps.append(step)
            curve.losses.append(loss)
            done = step >= self.last_step
            self.bar.value = step
            self.bar.bar_style = "success" if done else ""
            self.doing.value = f"&nbsp;{html.escape(name)}: step {step} of {self.last_step}"
            if done or time.monotonic() - self._drawn_at > _PAUSE:
                self._redraw()
            if done:
                self.renew_still()

        return note

    def wrote(self, step: int, text: str) -> None:
        """Show below the curves what the model wrote after `step` steps."""
        self._written.append((step, text))
        rows = "".join(
            f'<p style="margin: 0 0 8px"><b>after {step} steps</b>&ensp;{html.escape(text)}</p>'
            for step, text in self._written
        )
        self.samples.value = (
            f'<div class="manyheads" style="max-width: {style.WIDTH}px; font-size: 15px; line-height: 1.5">{rows}</div>'
        )
        if step >= self.last_step:
            self.renew_still()

    def still(self) -> str:
        """Return the picture, its words and the samples as HTML."""
        return kept(self.drawn) + self.words.value + self.samples.value

    def _redraw(self) -> None:
        said = plain(self._in_words()) or "No run has begun."
        self.drawn = style.drawing(draw_curves(list(self.curves.values()), self.last_step, self.bars), said)
        self.picture.value = self.alive() + self.drawn
        self.words.value = f'<div role="status" style="font-size: 15px; line-height: 1.5">{self._in_words()}</div>'
        self._drawn_at = time.monotonic()

    def _in_words(self) -> str:
        said = [
            f"{html.escape(curve.name)}: <b>{curve.losses[-1]:.2f}</b> nats after {curve.steps[-1]} steps"
            + (f" (your guess: {curve.guess:.2f})" if curve.guess is not None else "")
            for curve in self.curves.values()
            if curve.losses
        ]
        return "; ".join(said) + "." if said else ""


def loss_curves(
    names: Sequence[str],
    steps: int,
    guesses: Mapping[str, float | None] | None = None,
    bars: Mapping[str, float] | None = None,
) -> LossCurves:
    """Return the figure, empty.

    Args:
        names: of the runs; `watch` takes one of them.
        steps: how many steps each of them trains.
        guesses: what somebody expects of a run's last loss, in nats, by its name; None: nothing.
        bars: losses to compare with, by name.

    Raises:
        ValueError: if a guess is not a positive number.
    """
    curves = {name: Curve(name) for name in names}
    for name, guess in (guesses or {}).items():
        if name not in curves or guess is None:
            continue
        if not isinstance(guess, (int, float)) or not guess > 0:
            raise ValueError(f"a guess is a loss in nats, a number above 0, and this is {guess!r}")
        curves[name].guess = float(guess)
    return LossCurves(curves, steps, bars or {})
