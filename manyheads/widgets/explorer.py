"""The base of all widgets: controls, a picture below them, and the same in words below that.

Every widget of the course is an `Explorer` around a function from its controls' values to a `View`. It knows
nothing about attention, and uses only what ipywidgets 7.7 and 8 share. A click on a place in the picture sets a
control: what the mouse can do there, the keyboard can do at the controls.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure

from ..pictures import style
from ..pictures.vector import Spot, kept, plain
from .page import OnPage

_BOX = f"max-width: {style.WIDTH + 80}px; font-size: 15px; line-height: 1.4"
_WARNING = f"margin: 6px 0; border-left: 4px solid {style.WRONG}; padding-left: 10px"


@dataclass(frozen=True, eq=False)
class View:
    """The picture for one setting of the controls.

    Args:
        figure: the picture, None if there is nothing to draw.
        words: paragraphs of HTML that say the same as the figure.
        warning: HTML: why there is no picture, or what is wrong in it; "" if nothing is.
        spots: places in the figure that say something, and may be clicked.
        reading: how to read the picture, HTML that unfolds; "" if it goes without saying.
    """

    figure: Figure | None = None
    words: tuple[str, ...] = ()
    warning: str = ""
    spots: tuple[Spot, ...] = ()
    reading: str = ""


class Explorer(OnPage):
    """A picture that follows its controls, also while a slider is dragged.

    A slider sends no new value before the kernel has dealt with the last one, so a slow redraw does not pile up others.

    Args:
        controls: by the name of the parameter of `look` that each sets.
        rows: the layout of the controls, from top to bottom: names side by side.
        look: called with every control's value, at the start and after each change. It may change the controls
            itself, their options for example: it is not called again for that.
    """

    def __init__(
        self,
        controls: Mapping[str, widgets.ValueWidget],
        rows: Sequence[Sequence[str]],
        look: Callable[..., View],
    ) -> None:
        self.controls: dict[str, Any] = dict(controls)  # ipywidgets has no types: each has attributes of its own
        self.picture = widgets.HTML(layout=widgets.Layout(max_width="100%"))
        self.picture.add_class("manyheads-picture")
        self.words = widgets.HTML()
        self.picked = widgets.Text(layout=widgets.Layout(display="none"))  # where a click in the picture arrives
        self.picked.add_class("manyheads-picked")
        self._drawings = 0
        self.view = View()
        self._look = look
        self._looking = False
        boxes = [
            widgets.HBox([self.controls[name] for name in row], layout=widgets.Layout(flex_flow="row wrap"))
            for row in rows
        ]
        super().__init__([*boxes, self.picture, self.words, self.picked])
        for control in self.controls.values():
            if isinstance(control, widgets.ToggleButtons):
                # ipywidgets 8 forgets it, and then shows the name above the buttons, not beside them.
                control.add_class("widget-inline-hbox")
            control.observe(self._redraw, names="value")
        self.picked.observe(self._pick, names="value")
        self._redraw()

    def still(self) -> str:
        """Return the picture and its words as HTML."""
        return kept(self.drawn) + self.words.value

    def _pick(self, change: Any) -> None:
        """Set the control that was clicked for: "control=value", then "#" and the time, so that each click counts."""
        name, _, value = change["new"].partition("#")[0].partition("=")
        control = self.controls.get(name)
        if control is None or not value.removeprefix("-").isdecimal():
            return
        number = int(value)
        if hasattr(control, "options"):
            if number in [option[1] if isinstance(option, tuple) else option for option in control.options]:
                control.value = number
        elif control.min <= number <= control.max:
            control.value = number

    def _redraw(self, _change: object = None) -> None:
        if self._looking:
            return
        self._looking = True
        try:
            with _garbage_left_for_later():
                self.view = self._look(**{name: control.value for name, control in self.controls.items()})
                self._show(self.view)
        finally:
            self._looking = False

    def _show(self, view: View) -> None:
        self._drawings += 1
        self.drawn = "" if view.figure is None else style.drawing(view.figure, _label(view), view.spots)
        # The number makes each drawing a new one, so that the page notices it.
        self.picture.value = f"{self.alive()}{self.drawn}<!-- {self._drawings} -->"
        self.words.value = _in_words(view)


@contextmanager
def _garbage_left_for_later() -> Generator[None]:
    """Collect no garbage inside the block: in a process with torch that can take longer than a redraw itself."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _label(view: View) -> str:
    """Return the picture's label for those who cannot see it: the first of its paragraphs, which all are read below."""
    return plain(view.words[0]) if view.words else "A picture"


def _in_words(view: View) -> str:
    warning = f'<p style="{_WARNING}">{view.warning}</p>' if view.warning else ""
    paragraphs = "".join(f'<p style="margin: 0 0 6px">{paragraph}</p>' for paragraph in view.words)
    how = f"<details><summary>How to read this picture</summary>{view.reading}</details>" if view.reading else ""
    return f'<div class="manyheads" style="{_BOX}"><div role="status">{warning}{paragraphs}</div>{how}</div>'
