"""Gives a lesson's drawing the colours of a dark page.

`notebooks.py` passes each SVG picture of a lesson through `with_dark_colours`. Authors draw for a white page alone; the
colours for a dark one are computed. A picture in a Markdown cell is an <img>: it cannot see the page, but JupyterLab,
VS Code and the course's site declare their page's `color-scheme`, and browsers hand that on to the picture. Where none
is declared, the picture may be dark on a light page: it brings its own ground and can be read all the same.
"""

from __future__ import annotations

import re
from colorsys import hls_to_rgb, rgb_to_hls

from matplotlib.colors import to_hex, to_rgb

from manyheads.pictures import theme

_COLOURED = re.compile(r'\b(fill|stroke)="(#(?:[0-9a-fA-F]{3}){1,2})"')
_OPENING = re.compile(r"<svg\b[^>]*>")


def with_dark_colours(drawing: str) -> str:
    """Return `drawing`, the text of an SVG file, with a style that sets its colours on a dark page.

    Only attributes `fill` and `stroke` with hexadecimal digits are changed.
    """
    rules = "".join(
        f'[{attribute}="{colour}"]{{{attribute}:{_on_dark(colour)}}}'
        for attribute, colour in sorted(set(_COLOURED.findall(drawing)))
    )
    style = f"<style>@media screen and (prefers-color-scheme:dark){{{rules}}}</style>"
    return _OPENING.sub(lambda opening: opening[0] + style, drawing, count=1)


def _on_dark(colour: str) -> str:
    """Return the course's own counterpart of a colour, or else one of the same hue that is as dark as it was light."""
    own = theme.on_dark(colour)
    if own != to_hex(colour):
        return own
    darkest, lightest = (rgb_to_hls(*to_rgb(end))[1] for end in (theme.DARK_PAPER, theme.DARK_INK))
    hue, lightness, saturation = rgb_to_hls(*to_rgb(colour))
    return to_hex(hls_to_rgb(hue, lightest - lightness * (lightest - darkest), saturation))
