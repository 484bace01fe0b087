"""How a widget comes onto a page: alive beside a kernel, and as a still picture where a notebook is opened without one.

ipywidgets alone shows "model not found" in a notebook that is opened again. So a widget's cell has two outputs: the
still, plain HTML that every front end keeps and shows, and the widget, which hides the still while it is there. Only
ipywidgets' own controls are used, which JupyterLab, Notebook, VS Code and Colab all bring along; `page.js` adds clicks
in pictures, names for screen readers and "drawing…" where scripts may run.
"""

from __future__ import annotations

import uuid
from functools import cache
from importlib.resources import files
from typing import Any

import ipywidgets as widgets
from IPython.display import display

from ..pictures import theme

_FOCUS = (
    "button:focus-visible",
    "select:focus-visible",
    "input:focus-visible",
    ".noUi-handle:focus-visible",
    ".ui-slider-handle:focus",
    "summary:focus-visible",
)
STYLE = (
    ",".join(f".manyheads-explorer {one}" for one in _FOCUS)
    + "{outline:3px solid #2B8FE0!important;outline-offset:2px}"
    + ".manyheads-picture{position:relative}"
    + ".manyheads-waiting .manyheads-picture svg{opacity:.4}"
    + ".manyheads-waiting .manyheads-picture::after{content:'drawing…';position:absolute;left:12px;top:12px;"
    + f"padding:4px 12px;border-radius:4px;background:{theme.INK};color:#fff;font-size:15px}}"
    + ".manyheads-tip{position:fixed;z-index:100000;pointer-events:none;max-width:360px;padding:3px 9px;"
    + f"border-radius:4px;background:{theme.INK};color:#fff;border:1px solid #8A8A8A;"
    + "font:14px/1.4 sans-serif;white-space:pre-line}.manyheads-tip[hidden]{display:none}"
)
_AGAIN = "A still picture. Run this cell to move its controls."
# JupyterLab and Notebook write "Error displaying widget: model not found" into the widget's own output.
_NO_ERROR = (
    ".jp-OutputArea-child:has(.manyheads-still)+.jp-OutputArea-child .jupyter-widgets:not(:has(*)){display:none}"
)


@cache
def _script() -> str:
    return (files("manyheads.widgets") / "page.js").read_text(encoding="utf-8")


class OnPage(widgets.VBox):
    """A widget with a still. A subclass says what that shows, in `still`."""

    def __init__(self, children: list[widgets.Widget]) -> None:
        super().__init__(children)
        self._name = uuid.uuid4().hex[:12]
        self._shown: Any = None
        self.drawn = ""  # the picture as SVG
        self.add_class("manyheads-explorer")

    def still(self) -> str:
        """Return the picture and its words as HTML."""
        raise NotImplementedError

    def alive(self) -> str:
        """Return the style sheet that must be in the live widget: it hides the still."""
        still = f'.manyheads-still[data-of="{self._name}"]'
        return (
            f"<style>{STYLE}{still}{{display:none}}"
            f".jp-OutputArea-child:has(>.jp-OutputArea-output {still}){{display:none}}</style>"
        )

    def renew_still(self) -> None:
        """Show in the still what the widget shows now."""
        if self._shown is not None:
            self._shown.update({"text/html": self._still(), "text/plain": ""}, raw=True)

    def _still(self) -> str:
        return (
            f'<div class="manyheads-still" data-of="{self._name}">{self.still()}'
            f'<p style="opacity: 0.8">{_AGAIN}</p></div><style>{_NO_ERROR}</style><script>{_script()}</script>'
        )

    def _ipython_display_(self, **kwargs: Any) -> None:  # called by IPython
        self._shown = display({"text/html": self._still(), "text/plain": ""}, raw=True, display_id=True)
        bundle = getattr(super(), "_repr_mimebundle_", None)
        if bundle is None:  # ipywidgets 7
            earlier: Any = super()
            earlier._ipython_display_(**kwargs)
            return
        data = bundle()
        data = data[0] if isinstance(data, tuple) else data
        # Shown as the widget's own output where it cannot live: below the still, which says all.
        display({**data, "text/plain": ""}, raw=True)

    def __repr__(self) -> str:
        return "controls"  # what ipywidgets 7 writes there
