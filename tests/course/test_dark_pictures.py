"""A lesson's drawings on a light and on a dark page."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import BrowserContext, Page

from autograder.course.chapter import REPOSITORY_ROOT
from autograder.course.dark_pictures import with_dark_colours
from manyheads.pictures import theme

DRAWINGS = sorted((REPOSITORY_ROOT / "solutions").glob("*/pictures/*.svg"))
SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9" fill="#fff"/></svg>'

# Yields the contrast of every text with what is beneath its middle, as [text, contrast], as WCAG counts it.
CONTRASTS = """() => {
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => colour.slice(0, 3).map(part => part / 255)
        .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, place) => sum + part * [0.2126, 0.7152, 0.0722][place], 0);
    return [...document.querySelectorAll("text")].map(text => {
        const box = text.getBoundingClientRect();
        let [beneath, opaque] = [[0, 0, 0], 0];
        for (const at of document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)) {
            const look = getComputedStyle(at);
            if (!(at instanceof SVGGeometryElement) || look.fill === "none") continue;
            const share = Number(look.fillOpacity) * (1 - opaque);
            beneath = beneath.map((sum, part) => sum + numbers(look.fill)[part] * share);
            opaque += share;
        }
        const pair = [light(numbers(getComputedStyle(text).fill)), light(beneath)];
        return [text.textContent, opaque && (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)];
    });
}"""


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.mark.browser
@pytest.mark.parametrize("drawing", DRAWINGS, ids=lambda path: f"{path.parent.parent.name[:2]}-{path.stem}")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read(page: Page, drawing: Path, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_content(with_dark_colours(drawing.read_text(encoding="utf-8")))
    contrasts = page.evaluate(CONTRASTS)
    assert contrasts
    assert [found for found in contrasts if found[1] < 4.5] == []


@pytest.mark.browser
def test_the_embedded_picture_follows_the_pages_theme(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    embedded = base64.b64encode(with_dark_colours(SQUARE).encode()).decode()
    for scheme, ground in (("light", theme.PAPER), ("dark", theme.DARK_PAPER)):
        page.set_content(
            f'<body style="color-scheme: {scheme}"><img src="data:image/svg+xml;base64,{embedded}"></body>'
        )
        red, green, blue, _ = page.evaluate(MIDDLE)
        assert f"#{red:02X}{green:02X}{blue:02X}" == ground


MIDDLE = """async () => {
    const image = document.querySelector("img");
    await image.decode();
    const canvas = document.createElement("canvas").getContext("2d");
    document.body.append(canvas.canvas);
    canvas.drawImage(image, 0, 0);
    return [...canvas.getImageData(4, 4, 1, 1).data];
}"""


def test_the_colours_of_heads_are_the_widgets() -> None:
    dark = with_dark_colours(f'<svg><path fill="{theme.HEADS[0]}" stroke="{theme.HEADS[1].lower()}"/></svg>')
    assert f'[fill="{theme.HEADS[0]}"]{{fill:{theme.DARK_HEADS[0].lower()}}}' in dark
    assert f'[stroke="{theme.HEADS[1].lower()}"]{{stroke:{theme.DARK_HEADS[1].lower()}}}' in dark


def test_a_colour_keeps_its_hue_and_what_was_light_is_dark() -> None:
    dark = with_dark_colours('<svg><path fill="#d6e9f7"/><path fill="#123"/></svg>')
    found = dict(re.findall(r'\[fill="(#\w+)"\]\{fill:(#\w+)\}', dark))
    assert theme.contrast(found["#d6e9f7"], "white") > 10
    assert theme.contrast(found["#123"], "black") > 10
    red, _, blue = (int(found["#d6e9f7"][place : place + 2], 16) for place in (1, 3, 5))
    assert blue > 2 * red


def test_only_what_is_drawn_on_a_screen_is_changed() -> None:
    drawing = DRAWINGS[0].read_text(encoding="utf-8")
    style = re.compile(r"<style>@media screen and \(prefers-color-scheme:dark\)\{(\[[^{}]*\]\{[^{}]*\})+\}</style>")
    assert style.sub("", with_dark_colours(drawing)) == drawing
