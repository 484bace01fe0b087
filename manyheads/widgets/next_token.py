"""Shows which tokens a model thinks may come next, at any place of a sentence and any temperature.

Chapter 7 shows `next_token_explorer(chances, sentences)`. The drawing works without the widget, and it knows nothing of
the model.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import NamedTuple

import ipywidgets as widgets
from matplotlib.figure import Figure
from torch import Tensor

from ..pictures import style
from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, code, demand_finite

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 5.0)
_SHOWN = 8  # tokens with a bar
_ROW = 30  # pixels of a bar


class Reading(NamedTuple):
    """What a model makes of a sentence.

    Args:
        tokens: seq of them, as they are shown
        names: of the whole vocabulary, as they are shown
        logits: (seq, vocabulary)
    """

    tokens: Sequence[str]
    names: Sequence[str]
    logits: Tensor


def _share(chance: float) -> str:
    return f"{chance:.0%}" if chance >= 0.005 else "under 1%"


def draw_next(reading: Reading, place: int, temperature: float) -> Figure:
    """Draw the chances of the likeliest tokens after the token at `place`; the one that does come is marked."""
    chances = (reading.logits[place] / temperature).softmax(dim=-1)
    top = chances.topk(min(_SHOWN, len(chances)))
    real = reading.tokens[place + 1] if place + 1 < len(reading.tokens) else None
    with style.course():
        figure = style.figure(height=_ROW * _SHOWN + 20)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-0.35, 1.15)
        axes.set_ylim(_SHOWN, -0.4)
        for row, (chance, token) in enumerate(zip(top.values.tolist(), top.indices.tolist(), strict=True)):
            name = reading.names[int(token)]
            comes = name == real
            axes.barh(row + 0.4, chance, height=0.7, color=style.RIGHT if comes else style.GRID)
            weight = "bold" if comes else "normal"
            style.write(axes, -0.015, row + 0.4, name, ha="right", va="center", weight=weight)
            words = _share(chance) + ("  comes next" if comes else "")
            style.write(axes, chance + 0.012, row + 0.4, words, va="center", weight=weight)
    return figure


def describe_next(reading: Reading, place: int, temperature: float) -> tuple[str, ...]:
    """Say in HTML where in the sentence we are, and how surprised the model is by what comes next."""
    read = "".join(reading.tokens[: place + 1])
    chances = (reading.logits[place] / temperature).softmax(dim=-1)
    likeliest = int(chances.argmax())
    said = [
        f"It has read: <b>{html.escape(read)}</b>",
        f"Likeliest: <b>{html.escape(reading.names[likeliest])}</b> ({_share(chances[likeliest].item())})",
    ]
    if place + 1 < len(reading.tokens) and reading.tokens[place + 1] in reading.names:
        real = reading.tokens[place + 1]
        chance = chances[list(reading.names).index(real)]
        rank = int((chances > chance).sum()) + 1
        said.append(
            f"What comes next is <b>{html.escape(real)}</b>, number {rank} of {len(chances)}: a surprise of "
            f"{-chance.log().item():.1f} nats."
        )
    return tuple(said)


def next_token_explorer(read: Callable[[str], Reading], sentences: Sequence[str]) -> Explorer:
    """Return the widget: a choice of sentences, sliders for the place and the temperature, the bars and words.

    Args:
        read: from a sentence to what the model makes of it; called once a sentence.
        sentences: to choose from.
    """
    known: dict[str, Reading] = {}
    layout = widgets.Layout(width="360px")
    wide = {"description_width": "90px"}
    read_so_far = widgets.IntSlider(value=1, min=1, max=1, description="tokens read", layout=layout, style=wide)

    def look(sentence: str, read_: int, temperature: float) -> View:
        try:
            if sentence not in known:
                reading = Reading(*ask("read", read, sentence))
                demand_finite(code("logits"), reading.logits)
                known[sentence] = reading
        except CannotDraw as reason:
            return View(warning=str(reason))
        reading = known[sentence]
        read_so_far.max = len(reading.tokens)
        at = min(read_, read_so_far.max) - 1
        return View(draw_next(reading, at, temperature), describe_next(reading, at, temperature))

    return Explorer(
        {
            "sentence": widgets.Dropdown(
                options=list(sentences),
                value=sentences[0],
                description="sentence",
                layout=widgets.Layout(width="560px"),
            ),
            "read_": read_so_far,
            "temperature": widgets.SelectionSlider(
                options=TEMPERATURES, value=1.0, description="temperature", layout=layout, style=wide
            ),
        },
        rows=[["sentence"], ["read_", "temperature"]],
        look=look,
    )
