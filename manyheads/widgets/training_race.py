"""Shows how accuracy grows while models train: one panel per run, redrawn as it goes, with a progress bar.

Chapter 2 shows `one_or_many([1, 2, 3, 4], steps=…)` and passes `watch(num_heads)` to its training loop. The drawing
works without the widget. It knows nothing about the models.
"""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import ipywidgets as widgets
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from ..pictures import style
from ..pictures.percent import guess_in_percent, guessed_share, percent
from ..pictures.vector import kept, plain
from .page import OnPage

Watch = Callable[[int, float], None]

_PAUSE = 0.2  # seconds between two redraws: a redraw takes time from the training
_GAP = 0.16  # between two panels, which are 1 wide and 1 high
_ROOM_LEFT, _ROOM_RIGHT, _ROOM_ABOVE, _ROOM_BELOW = 0.34, 0.06, 0.48, 0.2


@dataclass
class Run:
    """The accuracy of one model as it trains.

    Args:
        title: the panel's title, one or two lines.
        num_heads: as many dots, in the heads' colours, are beside the title.
        steps: the steps after which accuracy was measured, ascending.
        accuracies: the accuracy after each of them, 0 … 1.
        guess: the expected last accuracy, 0 … 1; None without a guess.
    """

    title: str
    num_heads: int
    steps: list[int] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    guess: float | None = None


def draw_runs(runs: Sequence[Run], last_step: int, levels: Mapping[str, float] = MappingProxyType({})) -> Figure:
    """Draw a panel for each run, with its accuracy from step 0 to `last_step`, and the last accuracy in large figures.

    Args:
        levels: accuracies to compare with, 0 … 1, by name: a dotted line for each in every panel.
    """
    with style.course():
        figure = style.figure(height=260)
        # One pair of axes for all panels, and words in place of ticks: both are what takes time in matplotlib.
        axes = figure.add_axes((0, 0, 1, 1))
        panels = max(len(runs), 3)  # one or two panels are not wider than three
        axes.set_xlim(-_ROOM_LEFT * panels / 4, panels + (panels - 1) * _GAP + _ROOM_RIGHT)
        axes.set_ylim(-_ROOM_BELOW, 1 + _ROOM_ABOVE)
        axes.set_axis_off()
        for height in (0, 0.5, 1):
            style.write(axes, -0.05, height, f"{height:.0%}", ha="right", va="center", color=style.QUIET)
        for place, run in enumerate(runs):
            _draw_panel(axes, place * (1 + _GAP), run, last_step)
            for name, accuracy in levels.items():
                _draw_level(axes, place * (1 + _GAP), name, accuracy)
    return figure


def _draw_panel(axes: Axes, left: float, run: Run, last_step: int) -> None:
    lines = [((left, height), (left + 1, height)) for height in (0, 0.5, 1)]
    axes.add_collection(LineCollection(lines, colors=style.GRID, linewidths=1))
    style.write(axes, left, 1.32, run.title, weight="bold", size=style.SIZE + 1, va="center")
    for head in range(run.num_heads):
        axes.plot([left + 0.035 + 0.075 * head], [1.12], "o", color=style.head_colour(head), markersize=8)
    style.write(axes, left, -0.14, "0", color=style.QUIET)
    style.write(axes, left + 1, -0.14, f"{last_step} steps", color=style.QUIET, ha="right")
    if run.guess is not None:
        axes.plot([left, left + 1], [run.guess] * 2, color=style.WRONG, linewidth=1.5, linestyle=(0, (4, 3)))
        above = run.guess < 0.85
        style.write(
            axes,
            left + 0.02,
            run.guess + (0.02 if above else -0.02),
            f"your guess: {guess_in_percent(run.guess)}",
            va="bottom" if above else "top",
            color=style.WRONG,
        )
    if run.steps:
        across = [left + step / last_step for step in run.steps]
        axes.fill_between(across, run.accuracies, color=style.GRID, alpha=0.6, linewidth=0)
        axes.plot(across, run.accuracies, color=style.INK, linewidth=2.5)
        style.write(
            axes,
            left + 1,
            1.12,
            percent(run.accuracies[-1]),
            ha="right",
            va="center",
            weight="bold",
            size=style.SIZE + 6,
        )


def _draw_level(axes: Axes, left: float, name: str, accuracy: float) -> None:
    axes.plot([left, left + 1], [accuracy] * 2, color=style.INK, linewidth=1.5, linestyle=":")
    style.write(axes, left + 0.02, accuracy + 0.02, name, va="bottom", color=style.QUIET)


class OneOrMany(OnPage):
    """The figure, and a progress bar of the current run.

    Args:
        runs: the runs, each under its name.
        last_step: how many steps each of them takes.
        levels: as in `draw_runs`.
    """

    def __init__(self, runs: Mapping[Hashable, Run], last_step: int, levels: Mapping[str, float]) -> None:
        self.runs = dict(runs)
        self.last_step = last_step
        self.levels = dict(levels)
        self.bar = widgets.IntProgress(value=0, min=0, max=last_step, layout=widgets.Layout(width="300px"))
        self.doing = widgets.HTML("Not started yet.")
        self.picture = widgets.HTML(layout=widgets.Layout(max_width="100%"))
        self.picture.add_class("manyheads-picture")
        self.words = widgets.HTML()
        self._drawn_at = 0.0
        super().__init__([widgets.HBox([self.bar, self.doing]), self.picture, self.words])
        self._redraw()

    def watch(self, name: Hashable) -> Watch:
        """Return a function for the training of the run `name` to call now and then with (steps done, accuracy)."""
        run = self.runs[name]

        def note(step: int, accuracy: float) -> None:
            if run.steps and step <= run.steps[-1]:  # it was restarted
                run.steps.clear()
                run.accuracies.clear()
            run.steps.append(step)
            run.accuracies.append(accuracy)
            done = step >= self.last_step
            self.bar.value = step
            self.bar.bar_style = "success" if done else ""
            self.doing.value = f"&nbsp;{_one_line(run.title)}: step {step} of {self.last_step}"
            if done or time.monotonic() - self._drawn_at > _PAUSE:
                self._redraw()
            if done:
                self.renew_still()

        return note

    def still(self) -> str:
        """Return the picture and its words as HTML."""
        return kept(self.drawn) + self.words.value

    def _redraw(self) -> None:
        said = plain(self._in_words()) or "No run has begun."
        self.drawn = style.drawing(draw_runs(list(self.runs.values()), self.last_step, self.levels), said)
        self.picture.value = self.alive() + self.drawn
        self.words.value = f'<div role="status" style="font-size: 15px; line-height: 1.5">{self._in_words()}</div>'
        self._drawn_at = time.monotonic()

    def _in_words(self) -> str:
        said = [
            f"{_one_line(run.title)}: <b>{percent(run.accuracies[-1])}</b> after {run.steps[-1]} steps"
            + (f" (your guess: {guess_in_percent(run.guess)})" if run.guess is not None else "")
            for run in self.runs.values()
            if run.steps
        ]
        levels = [f"{html.escape(name)}, {percent(accuracy)}" for name, accuracy in self.levels.items()]
        lines = f" Dotted lines: {'; '.join(levels)}." if levels else ""
        return f"Test sentences with all three answers right. {'; '.join(said)}.{lines}" if said else ""


def _one_line(title: str) -> str:
    return html.escape(" ".join(title.split()))


def one_or_many(
    runs: Sequence[int] | Mapping[str, int],
    steps: int,
    guesses: Mapping[Any, float | None] | None = None,
    levels: Mapping[str, float] = MappingProxyType({}),
) -> OneOrMany:
    """Return the figure, empty.

    Args:
        runs: the numbers of heads to compare; or titles, each with its number of heads. `watch` takes the same.
        steps: how many steps each of them trains.
        guesses: what somebody expects of a run, in percent, under the name that `watch` takes; None: nothing.
        levels: accuracies to compare with, in percent, by name: a dotted line for each in every panel.

    Raises:
        ValueError: if a guess is not a number between 0 and 100.
    """
    if isinstance(runs, Mapping):
        named: dict[Hashable, Run] = {title: Run(title, num_heads) for title, num_heads in runs.items()}
    else:
        named = {n: Run(f"{n} head" if n == 1 else f"{n} heads", n) for n in runs}
    for name, guess in (guesses or {}).items():
        if name in named and guess is not None:
            named[name].guess = guessed_share(guess)
    return OneOrMany(named, steps, {name: percents / 100 for name, percents in levels.items()})
