"""The colours of the course on a light page and on a dark one, and how a picture names them.

A figure is drawn with the light page's colours. `vector.py` replaces each that stands in the tables here by a variable,
and `STYLE`, which travels in every picture, gives the variables their values for the page that it is on.
"""

from __future__ import annotations

from functools import cache

from matplotlib.colors import to_hex, to_rgb
from matplotlib.typing import ColorType

# Head 0 is blue in every chapter. The first four colours are Okabe and Ito's, the others were searched for: on
# white each has a contrast of 3 or more, and any two can be told apart with protanopia, deuteranopia and
# tritanopia. With more than about six heads in one figure, write the head's number beside its colour as well.
HEADS = (
    "#0072B2",  # blue
    "#D55E00",  # vermilion
    "#009E73",  # bluish green
    "#CC79A7",  # pink
    "#A40C5E",  # wine
    "#8177E4",  # lavender
    "#52451B",  # olive
    "#910CF4",  # violet
    "#945F51",  # brick
    "#00362C",  # bottle green
    "#321546",  # aubergine
    "#000000",  # black
)
# The same heads on a dark page: of the same or a neighbouring hue, and as far apart as those above.
DARK_HEADS = (
    "#61B2FC",  # blue
    "#F88704",  # orange
    "#66F4A1",  # green
    "#C95AAE",  # pink
    "#EC434F",  # red
    "#CFD2FC",  # pale lavender
    "#EFD20E",  # yellow
    "#A961E9",  # violet
    "#F0A186",  # salmon
    "#1D946B",  # bottle green
    "#CA8DBA",  # mauve
    "#F4F4F4",  # white
)
INK, DARK_INK = "#222222", "#E8E8E8"  # words and outlines
QUIET, DARK_QUIET = "#5C5C5C", "#B4B4B4"  # axes and secondary text
GRID, DARK_GRID = "#DDDDDD", "#4A4A4A"
PAPER, DARK_PAPER = "#FFFFFF", "#1B1B1B"  # the ground of maps
PLAIN, DARK_PLAIN = "#8A8A8A", "#9A9A9A"  # for parts that belong to no head
# What is blocked is grey: colours belong to heads.
FUTURE, DARK_FUTURE = "#E2E2E2", "#333333"
PADDING, DARK_PADDING = "#C4C4C4", "#4D4D4D"
BOTH, DARK_BOTH = "#A3A3A3", "#606060"
# The grounds of pages: JupyterLab's and Notebook's, VS Code's and Colab's.
PAGES, DARK_PAGES = ("#FFFFFF",), ("#111111", "#212121", "#1E1E1E", "#383838")

FONTS = "DejaVu Sans, Verdana, sans-serif"  # the first is what figures are laid out with, the second is like it

# The colour of words on a coloured ground: black or white, on a light page and on a dark one.
_ON = {
    ("black", "black"): "#000001",
    ("black", "white"): "#000002",
    ("white", "white"): "#fffffe",
    ("white", "black"): "#fffffd",
}


def contrast(one: ColorType, other: ColorType) -> float:
    """Return the contrast of two colours as WCAG 2 defines it: 1 for none, 21 for black on white."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: ColorType) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def blend(colour: ColorType, opacity: float, ground: ColorType) -> tuple[float, float, float]:
    """Return what one sees of `colour` over `ground`."""
    red, green, blue = (
        opacity * over + (1 - opacity) * under for over, under in zip(to_rgb(colour), to_rgb(ground), strict=True)
    )
    return red, green, blue


def ink_on(light: ColorType, dark: ColorType) -> str:
    """Return the colour of words on a ground that is `light` on a light page and `dark` on a dark one.

    Each time it is black or white, whichever has more contrast, 4.5 or more.
    """
    chosen = [max("white", "black", key=lambda ink: contrast(ink, ground)) for ground in (light, dark)]
    return _ON[chosen[0], chosen[1]]


@cache
def _for_words(colour: str, grounds: tuple[str, ...]) -> str:
    """Return `colour` or, where words in it could not be read, the nearest shade of it in which they can."""
    end = "black" if grounds == PAGES else "white"
    for step in range(101):
        shade = blend(end, step / 100, colour)
        if min(contrast(to_hex(shade), ground) for ground in grounds) >= 4.5:
            return to_hex(shade)
    raise AssertionError("black or white can be read on any page")


def head_words(head: int) -> tuple[str, str]:
    """Return the colour of words about a head, on a light and on a dark page."""
    head %= len(HEADS)
    return _for_words(HEADS[head], PAGES), _for_words(DARK_HEADS[head], DARK_PAGES)


def on_dark(colour: ColorType) -> str:
    """Return what a colour of the course becomes on a dark page; any other stays as it is."""
    return _DARK.get(to_hex(colour), to_hex(colour))


_PAIRS = {
    "ink": (INK, DARK_INK),
    "quiet": (QUIET, DARK_QUIET),
    "grid": (GRID, DARK_GRID),
    "paper": (PAPER, DARK_PAPER),
    "plain": (PLAIN, DARK_PLAIN),
    "future": (FUTURE, DARK_FUTURE),
    "padding": (PADDING, DARK_PADDING),
    "both": (BOTH, DARK_BOTH),
    **{f"h{head}": pair for head, pair in enumerate(zip(HEADS, DARK_HEADS, strict=True))},
}
_DARK = {light.lower(): dark.lower() for light, dark in _PAIRS.values()}
_WORDS = {colour.lower(): f"var(--t{head})" for head, colour in enumerate(HEADS)}
_VARIABLES = {
    **{light.lower(): f"var(--{name})" for name, (light, _) in _PAIRS.items()},
    **{marker: f"var(--on-{light}-{dark})" for (light, dark), marker in _ON.items()},
}
_VALUES = {
    **_PAIRS,
    **{f"on-{light}-{dark}": (light, dark) for light, dark in _ON},
    **{f"t{head}": head_words(head) for head in range(len(HEADS))},
}


def variable(colour: str, *, words: bool = False) -> str:
    """Return the variable of a colour in hexadecimal digits, or the colour itself if it has none.

    Args:
        words: whether words are to be drawn in it, which must be read on any page.
    """
    return (words and _WORDS.get(colour)) or _VARIABLES.get(colour, colour)


def _values(*, dark: bool) -> str:
    return "".join(f"--{name}:{pair[dark]};" for name, pair in _VALUES.items())


# JupyterLab and Notebook; VS Code; Colab
_ON_DARK_PAGES = (
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast:not(.vscode-high-contrast-light)",
    '[theme="dark"]',
)
STYLE = (
    f".manyheads{{{_values(dark=False)}}}"
    f"{','.join(f'{page} .manyheads' for page in _ON_DARK_PAGES)}{{{_values(dark=True)}}}"
    ".manyheads text{pointer-events:none}"
    ".manyheads .spot{fill:transparent;stroke:none}"
    ".manyheads .spot:hover{fill:var(--ink);fill-opacity:.08;stroke:var(--ink);stroke-width:1.5}"
    ".manyheads .spot[data-pick]{cursor:pointer}"
)
