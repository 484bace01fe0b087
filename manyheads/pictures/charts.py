"""Figures of measurements: bars for one setting, curves over a sweep, each contestant in a colour of its own.

Chapter 5 shows them, the learner's own measurements on the left and recorded ones, where there are any, on the right.
Each comes with a description in words.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..measuring.contestants import COMPILED, FAST, FUSED, LOOP, TORCH, VARIANTS
from ..measuring.measure import Measured, Plan, Setting, plan
from ..measuring.recorded import all_recordings, recording
from . import style

COLOURS: dict[str, str] = dict(zip([FUSED, FAST, TORCH, LOOP, COMPILED], style.HEAD_COLOURS, strict=False))
MARKERS: dict[str, str] = {LOOP: "o", FUSED: "s", COMPILED: "D", TORCH: "v", FAST: "^"}
_ROW = 26  # pixels of a bar's row
_ABOVE = 12  # pixels above the titles of bars, whose cell prints a line right above the picture
_TITLE = 34  # pixels of a title
_ROOM = 0.16  # of a panel's width, for the number behind a bar


@dataclass(frozen=True)
class Panel:
    """One half of a figure: the measurements of one device.

    Args:
        title: whose they are and on which device.
    """

    title: str
    measured: tuple[Measured, ...]


def bars(panels: Sequence[Panel]) -> HTML:
    """Show how long each contestant takes in one setting, forward and with the backward pass.

    A bar ends at the median. The line across its end shows the middle half of the calls; a "?" means that it is so long
    that the measurement should be made again.
    """
    return style.picture(draw_bars(panels), describe_bars(panels))


def curves(panels: Sequence[Panel], along: str, of: str = "seconds") -> HTML:
    """Show how each contestant changes along a sweep.

    Args:
        along: the field of a setting that changes, "seq" or "num_heads".
        of: "seconds" or "peak_bytes".
    """
    return style.picture(draw_curves(panels, along, of), describe_curves(panels, along, of))


def draw_bars(panels: Sequence[Panel]) -> Figure:
    """Draw the times of `bars`."""
    rows = max(len(_in_order(panel.measured, backward=False)) for panel in panels)
    with style.course():
        height = 2 * (_ROW * rows + _TITLE) + 50 + _ABOVE
        figure = style.figure(height=height)
        for column, panel in enumerate(panels):
            axes = figure.add_axes((column / len(panels), 0, 0.97 / len(panels), 1 - (_ABOVE + _TITLE) / height))
            axes.set_axis_off()
            axes.set(xlim=(0, 1), ylim=(2 * (rows + 1.3), 0))
            top = 1 - _ABOVE / height
            figure.text(column / len(panels), top, panel.title, weight="bold", size=style.SIZE + 1, va="top")
            names = 0.5 if len(panels) > 1 else 0.27  # of the panel's width, for the names
            _draw_group(axes, 0, "forward", _in_order(panel.measured, backward=False), names)
            _draw_group(axes, rows + 1.4, "forward + backward", _in_order(panel.measured, backward=True), names)
    return figure


def _draw_group(axes: Axes, top: float, title: str, measured: Sequence[Measured], names: float) -> None:
    axes.text(0, top + 0.5, title, color=style.QUIET, va="center")
    longest = max((one.seconds for one in measured if one.seconds), default=1.0)
    for row, one in enumerate(measured):
        middle = top + 1.5 + row
        axes.text(names - 0.02, middle, one.variant, ha="right", va="center")
        if one.seconds is None:
            axes.text(names, middle, one.note.partition(":")[0], va="center", color=style.WRONG, size=style.SIZE - 1)
            continue
        width = (1 - names - _ROOM / names * 0.5) * one.seconds / longest
        axes.barh(middle, width, left=names, height=0.72, color=COLOURS[one.variant])
        per_second = width / one.seconds
        end = names + width
        if one.quartiles is not None:
            lower, upper = (names + min(per_second * seconds, 1 - names - _ROOM) for seconds in one.quartiles)
            axes.plot([lower, upper], [middle, middle], color=style.INK, linewidth=2)
            end = max(end, upper)
        axes.text(end + 0.01, middle, _milliseconds(one.seconds) + (" ?" if one.unsteady else ""), va="center")


def describe_bars(panels: Sequence[Panel]) -> str:
    """Say what `draw_bars` shows."""
    parts = []
    for panel in panels:
        for backward in (False, True):
            times = ", ".join(
                f"{one.variant} {_milliseconds(one.seconds)}{' (unsteady)' if one.unsteady else ''}"
                if one.seconds is not None
                else f"{one.variant}: {one.note}"
                for one in _in_order(panel.measured, backward=backward)
            )
            if times:
                parts.append(f"{panel.title}, {'forward + backward' if backward else 'forward'}: {times}.")
    return " ".join(parts)


def draw_curves(panels: Sequence[Panel], along: str, of: str = "seconds") -> Figure:
    """Draw `of` against `along`, both on logarithmic scales, the panels on one scale."""
    unit, scale = ("ms", 1000.0) if of == "seconds" else ("MiB", 2.0**-20)
    with style.course():
        figure = style.figure(height=400)
        shown = [_lines(panel.measured, along, of) for panel in panels]
        values = [scale * value for lines in shown for line in lines.values() for _, value in line if value > 0]
        bounds = (min(values) / 1.5, max(values) * 1.5) if values else (1, 10)
        width = (1 - 0.08) / len(panels)
        for column, (panel, lines) in enumerate(zip(panels, shown, strict=True)):
            axes = figure.add_axes((0.08 + column * width, 0.24, width - 0.03, 0.64))
            axes.set(xscale="log", yscale="log", ylim=bounds)
            axes.set_title(panel.title)
            for name, line in lines.items():
                if of == "seconds":
                    for place, lower, upper in _spreads(panel.measured, along, name):
                        axes.plot(
                            [place, place], [scale * lower, scale * upper], color=COLOURS[name], linewidth=4, alpha=0.4
                        )
                axes.plot(
                    [place for place, _ in line],
                    [scale * value for _, value in line],
                    marker=MARKERS[name],
                    color=COLOURS[name],
                    label=name,
                    linewidth=2,
                )
            places = sorted({place for line in lines.values() for place, _ in line})
            axes.set_xticks(places, [str(place) for place in places], minor=False)
            axes.set_xticks([], minor=True)
            axes.set_xlabel(along)
            axes.grid(axis="y", color=style.GRID, linewidth=0.8)
            # 1, 2, 5, 10 … in plain numbers; over many powers of ten, those alone
            subs = (1.0, 2.0, 5.0) if bounds[1] < 1000 * bounds[0] else (1.0,)
            axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=12))
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
            if column:
                axes.tick_params(labelleft=False)
            else:
                axes.set_ylabel(unit)
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncols=len(labels), handlelength=1.6, columnspacing=1.2)
    return figure


def describe_curves(panels: Sequence[Panel], along: str, of: str = "seconds") -> str:
    """Say what `draw_curves` shows: each line's first and last value."""
    show: Callable[[float], str] = _milliseconds if of == "seconds" else _mebibytes
    parts = []
    for panel in panels:
        for name, line in _lines(panel.measured, along, of).items():
            (first, start), (last, end) = line[0], line[-1]
            parts.append(f"{name} from {show(start)} at {along} {first} to {show(end)} at {along} {last}")
    return f"{'Time' if of == 'seconds' else 'Peak memory'} against {along}. " + "; ".join(parts) + "."


def side_by_side(
    measured: Sequence[Measured], device: torch.device, choose: Callable[[Plan], Sequence[Setting]]
) -> list[Panel]:
    """Return a panel of what was just measured and, if any came with the course, one of a recording.

    Args:
        choose: which settings of a plan to show; a recording from another kind of device has other sizes.
    """
    panels = [Panel(f"yours: {recording([], device).title}", matching(measured, choose(plan(device))))]
    for recorded in all_recordings()[:1]:
        settings = choose(plan(torch.device(recorded.kind)))
        panels.append(Panel(f"recorded: {recorded.title}", matching(recorded.measured, settings)))
    room = 84 // len(panels)  # characters
    return [replace(panel, title=textwrap.shorten(panel.title, room, placeholder=" …")) for panel in panels]


def matching(measured: Sequence[Measured], settings: Sequence[Setting]) -> tuple[Measured, ...]:
    """Return those of `measured` that belong to one of `settings`, the latest of each contestant."""
    latest = {(one.variant, one.setting): one for one in measured if one.setting in settings}
    return tuple(latest.values())


def sizes(setting: Setting) -> str:
    """Say a setting's sizes in words."""
    dtype = str(setting.dtype).removeprefix("torch.")
    return f"batch {setting.batch}, seq {setting.seq}, d_model {setting.d_model}, {setting.num_heads} heads, {dtype}"


def _in_order(measured: Sequence[Measured], *, backward: bool) -> list[Measured]:
    chosen = [one for one in measured if one.setting.backward == backward]
    return sorted(chosen, key=lambda one: VARIANTS.index(one.variant))


def _lines(measured: Sequence[Measured], along: str, of: str) -> dict[str, list[tuple[int, float]]]:
    """Return for each contestant its (place, value) pairs, without those that were not measured."""
    lines: dict[str, list[tuple[int, float]]] = {}
    for name in VARIANTS:
        pairs = [(getattr(one.setting, along), getattr(one, of)) for one in measured if one.variant == name]
        known = sorted((place, value) for place, value in pairs if value is not None)
        if known:
            lines[name] = known
    return lines


def _spreads(measured: Sequence[Measured], along: str, variant: str) -> list[tuple[int, float, float]]:
    """Return (place, lower quartile, upper quartile) of a contestant's times, if known."""
    return [
        (getattr(one.setting, along), *one.quartiles)
        for one in measured
        if one.variant == variant and one.quartiles is not None
    ]


def _milliseconds(seconds: float) -> str:
    milliseconds = 1000 * seconds
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.2g} ms"


def _mebibytes(count: float) -> str:
    return f"{count / 2**20:.3g} MiB"
