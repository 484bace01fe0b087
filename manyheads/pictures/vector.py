"""Turns a figure into SVG for a notebook: small, crisp, in the page's own theme, and with places that can be touched.

matplotlib's own SVG takes ten times as long and has fixed colours. Here the colours of `theme.py` become variables
that follow a light or a dark page, and words stay words. Only matplotlib's public drawing interface, `RendererBase`, is
used.
"""

from __future__ import annotations

import base64
import html
import io
import re
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import imsave
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox, Transform

from . import theme

Colour = Sequence[float]


@dataclass(frozen=True)
class Spot:
    """A place in a picture that says something under the mouse, and may be clicked.

    Args:
        left, top, width, height: in the figure's pixels, from its top left corner.
        says: plain text, such as "sat looks at cat: 0.62".
        pick: what a click sets, as "control=value"; "" for nothing.
    """

    left: float
    top: float
    width: float
    height: float
    says: str
    pick: str = ""


def svg(figure: Figure, label: str, spots: Sequence[Spot] = ()) -> str:
    """Return `figure` as an SVG element for a page.

    Args:
        figure: from `style.figure()`, whose layout is in pixels of a web page.
        label: what the picture shows, for those who cannot see it; "" where the text beside it says so.
        spots: the later ones lie above the earlier ones.
    """
    renderer = _Renderer(figure.get_figwidth() * figure.dpi, figure.get_figheight() * figure.dpi)
    ground = figure.patch.get_visible()
    figure.patch.set_visible(False)  # the page's own ground
    try:
        figure.draw(renderer)
    finally:
        figure.patch.set_visible(ground)
    width, height = round(renderer.width), round(renderer.height)
    touch = "".join(map(_touched, spots))
    said = f'role="img" aria-label="{html.escape(label)}"' if label else 'aria-hidden="true"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="manyheads" {said} '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{theme.FONTS}" '
        f'style="max-width: 100%; height: auto; display: block"><style>{theme.STYLE}</style>'
        f"{''.join(renderer.parts)}{touch}</svg>"
    )


def _touched(spot: Spot) -> str:
    pick = f' data-pick="{html.escape(spot.pick)}"' if spot.pick else ""
    return (
        f'<rect class="spot" x="{spot.left:.5g}" y="{spot.top:.5g}" width="{spot.width:.5g}" '
        f'height="{spot.height:.5g}"{pick}><title>{html.escape(spot.says)}</title></rect>'
    )


_SPOT = re.compile(r'<rect class="spot".*?</rect>')
_LARGEST = 150_000  # characters of a picture and its image; the pages with feedback show no output of 200,000
_HIDDEN = (
    "The picture is hidden, since this notebook is not trusted here. Run the cell again, or in JupyterLab choose "
    "“Trust Notebook” in the command palette (Ctrl+Shift+C)."
)


def kept(drawn: str) -> str:
    """Return a picture for an output that is saved with the notebook, "" if nothing is drawn.

    JupyterLab lets no SVG and no style sheet through in a notebook that was not run on this machine, only the words in
    them; so do the pages with feedback. There the words stay hidden, and in their place is the picture as an image, in
    the colours of a light page, or a sentence where that would be too large. On any other page it is the other way
    round, by a style sheet of this picture's own: another notebook in the same page may be trusted.

    Args:
        drawn: from `svg`.
    """
    if not drawn:
        return ""
    mark = f"manyheads-{zlib.crc32(drawn.encode()):08x}"
    style = f"<style>.{mark}{{display:block!important}}.{mark}-image{{display:none!important}}</style>"
    shown = f'{style}<div class="{mark}" style="display: none">{drawn}</div>'
    data = base64.b64encode(_SPOT.sub("", drawn).encode()).decode()
    if len(drawn) + len(data) > _LARGEST:
        return f'{shown}<p class="{mark}-image">{_HIDDEN}</p>'
    says = re.search(r'aria-label="([^"]*)"', drawn)
    size = re.search(r'width="\d+" height="\d+"', drawn)
    return (
        f'{shown}<img class="{mark}-image" alt="{says[1] if says else ""}" {size[0] if size else ""} '
        f'style="background-color: #ffffff" src="data:image/svg+xml;base64,{data}">'
    )


class _Renderer(RendererBase):
    """Collects SVG elements. y grows downwards in SVG and upwards in matplotlib."""

    def __init__(self, width: float, height: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self.parts: list[str] = []
        self._flip = Affine2D().scale(1, -1).translate(0, height)

    def get_canvas_width_height(self) -> tuple[float, float]:
        return self.width, self.height

    def points_to_pixels(self, points: Any) -> Any:
        return points  # 72 dots an inch

    def get_text_width_height_descent(self, s: str, prop: FontProperties, ismath: Any) -> tuple[float, float, float]:
        if ismath:
            return super().get_text_width_height_descent(s, prop, ismath)
        return _measured(s, _Font(prop))

    def draw_path(self, gc: GraphicsContextBase, path: Path, transform: Transform, rgbFace: Any = None) -> None:
        points = (transform + self._flip).transform(path.vertices)
        with self._clipped(gc, points):
            self.parts.append(f'<path d="{_outline(points, path.codes)}"{self._look(gc, rgbFace)}/>')

    def draw_markers(
        self,
        gc: GraphicsContextBase,
        marker_path: Path,
        marker_trans: Transform,
        path: Path,
        trans: Transform,
        rgbFace: Any = None,
    ) -> None:
        shape = marker_trans.transform(marker_path.vertices) * (1, -1)
        places = (trans + self._flip).transform(path.vertices)
        drawn = "".join(_outline(shape + place, marker_path.codes) for place in places if np.isfinite(place).all())
        if drawn:
            self.parts.append(f'<path d="{drawn}"{self._look(gc, rgbFace)}/>')

    def draw_path_collection(
        self,
        gc: GraphicsContextBase,
        master_transform: Transform,
        paths: Sequence[Path],
        all_transforms: Any,
        offsets: Any,
        offset_trans: Transform,
        facecolors: Any,
        edgecolors: Any,
        linewidths: Any,
        linestyles: Any,
        antialiaseds: Any,
        urls: Any,
        offset_position: Any,
        **more: Any,  # since 3.11, the colours of hatches
    ) -> None:
        moved = len(offsets) > 1 or (len(offsets) and np.any(offset_trans.transform(offsets)))
        if len(all_transforms) or moved or not paths:
            super().draw_path_collection(
                gc,
                master_transform,
                paths,
                all_transforms,
                offsets,
                offset_trans,
                facecolors,
                edgecolors,
                linewidths,
                linestyles,
                antialiaseds,
                urls,
                offset_position,
                **more,
            )
            return
        # All points at once, and no graphics context for each: hundreds of shapes in a third of the time.
        corners = [np.asarray(path.vertices) for path in paths]
        ends = np.cumsum(list(map(len, corners)))[:-1]
        points = (master_transform + self._flip).transform(np.concatenate(corners))
        faces, edges = np.asarray(facecolors).reshape(-1, 4).tolist(), np.asarray(edgecolors).reshape(-1, 4).tolist()
        widths, dashes = list(np.atleast_1d(linewidths)), list(linestyles)
        cap = gc.get_capstyle()
        for place, (path, line) in enumerate(zip(paths, np.split(points, ends), strict=True)):
            face = faces[place % len(faces)] if faces else None
            edge = edges[place % len(edges)] if edges else (0.0, 0.0, 0.0, 0.0)
            width = float(widths[place % len(widths)]) if widths else 0.0
            dash = dashes[place % len(dashes)][1] if dashes else None
            self.parts.append(f'<path d="{_outline(line, path.codes)}"{_look(face, edge, width, dash, cap)}/>')

    def draw_quad_mesh(
        self,
        gc: GraphicsContextBase,
        master_transform: Transform,
        meshWidth: int,
        meshHeight: int,
        coordinates: Any,
        offsets: Any,
        offsetTrans: Transform,
        facecolors: Any,
        antialiased: bool,
        edgecolors: Any,
    ) -> None:
        # Cells of one colour become one path: a map of 32 tokens has a thousand cells, and few that are not white.
        corners = np.asarray((master_transform + self._flip).transform(np.reshape(coordinates, (-1, 2))))
        corners = corners.reshape(meshHeight + 1, meshWidth + 1, 2)
        faces = np.asarray(facecolors).reshape(-1, 4)
        if len(faces) == 1:
            faces = np.repeat(faces, meshWidth * meshHeight, axis=0)
        first, last = corners[0, 0], corners[-1, -1]
        around = _box(*first, *(last - first))
        self.parts.append(f'<path d="{around}" fill="var(--paper)"/>')
        cells: dict[str, list[str]] = {}
        starts, ends = corners[:-1, :-1].reshape(-1, 2), corners[1:, 1:].reshape(-1, 2)
        for face, start, size in zip(faces.tolist(), starts.tolist(), (ends - starts).tolist(), strict=True):
            if face[3] >= 0.005:
                cells.setdefault(_paint("fill", face), []).append(_box(*start, *size))
        self.parts += [f'<path d="{"".join(boxes)}"{paint}/>' for paint, boxes in cells.items()]
        edges = np.asarray(edgecolors).reshape(-1, 4)
        if len(edges) and gc.get_linewidth():
            down = "".join(f"M{x:.5g} {first[1]:.5g}V{last[1]:.5g}" for x in corners[0, :, 0].tolist())
            across = "".join(f"M{first[0]:.5g} {y:.5g}H{last[0]:.5g}" for y in corners[:, 0, 1].tolist())
            stroke = _paint("stroke", edges[0].tolist())
            self.parts.append(f'<path d="{down}{across}" fill="none"{stroke} stroke-width="{gc.get_linewidth():g}"/>')

    def draw_image(self, gc: GraphicsContextBase, x: float, y: float, im: Any, transform: Any = None) -> None:
        data = io.BytesIO()
        imsave(data, np.asarray(im)[::-1], format="png")
        high, wide = np.asarray(im).shape[:2]
        self.parts.append(
            f'<image x="{x:.5g}" y="{self.height - y - high:.5g}" width="{wide}" height="{high}" '
            f'href="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"/>'
        )

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Text | None = None,
    ) -> None:
        if ismath:
            super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        anchor = ""
        if mtext is not None and not angle and "\n" not in mtext.get_text():
            # Another font is wider or narrower: the word keeps to the end by which it was placed.
            place = mtext.get_transform().transform(mtext.get_unitless_position())[0]
            align = mtext.get_horizontalalignment()
            if align != "left":
                anchor = f' text-anchor="{"middle" if align == "center" else "end"}"'
            x = float(place)
        turned = f' transform="rotate({-angle:g} {x:.5g} {y:.5g})"' if angle else ""
        weight = ' font-weight="bold"' if prop.get_weight() in ("bold", 700) else ""
        slant = ' font-style="italic"' if prop.get_style() == "italic" else ""
        family = ' font-family="monospace"' if "Mono" in prop.get_family()[0] else ""
        self.parts.append(
            f'<text x="{x:.5g}" y="{y:.5g}" font-size="{prop.get_size_in_points():g}"{weight}{slant}{family}{anchor}'
            f"{turned}{_paint('fill', gc.get_rgb(), words=True)}>{html.escape(s)}</text>"
        )

    def flipy(self) -> bool:
        return True

    def _look(self, gc: GraphicsContextBase, face: Colour | None) -> str:
        if face is not None and gc.get_forced_alpha():
            face = (*face[:3], gc.get_alpha())
        return _look(face, gc.get_rgb(), gc.get_linewidth(), gc.get_dashes()[1], gc.get_capstyle())

    @contextmanager
    def _clipped(self, gc: GraphicsContextBase, points: np.ndarray) -> Generator[None]:
        """Draw in an element of its own, which cuts off what lies outside, where something does."""
        box = gc.get_clip_rectangle()
        if box is None:
            yield
            return
        corners = self._flip.transform_bbox(Bbox(box.get_points()))
        left, top, right, bottom = corners.xmin, corners.ymin, corners.xmax, corners.ymax
        known = points[np.isfinite(points).all(axis=-1)]
        inside = not len(known) or ((known >= (left - 1, top - 1)).all() and (known <= (right + 1, bottom + 1)).all())
        if inside:
            yield
            return
        width, height = right - left, bottom - top
        self.parts.append(
            f'<svg x="{left:.5g}" y="{top:.5g}" width="{width:.5g}" height="{height:.5g}" '
            f'viewBox="{left:.5g} {top:.5g} {width:.5g} {height:.5g}">'
        )
        yield
        self.parts.append("</svg>")


def _look(face: Colour | None, edge: Colour, width: float, dashes: Any, cap: str) -> str:
    """Return the attributes of a shape: how it is filled, and the line around it."""
    opacity = 0.0 if face is None else face[3] if len(face) > 3 else 1.0
    fill = _paint("fill", face) if face is not None and opacity else ' fill="none"'
    if not width or (len(edge) > 3 and edge[3] == 0):
        return fill
    look = f'{fill}{_paint("stroke", edge)} stroke-width="{width:.4g}"'
    if dashes is not None:
        look += f' stroke-dasharray="{" ".join(f"{dash:g}" for dash in dashes)}"'
    return look + (' stroke-linecap="round"' if cap == "round" else "")


def _outline(points: np.ndarray, codes: Any) -> str:
    """Return points, (count, 2), as the data of an SVG path."""
    if codes is None:
        return _line(points)
    drawn: list[str] = []
    letters = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
    takes = {Path.CURVE3: 2, Path.CURVE4: 3}
    place = 0
    while place < len(codes):
        code = codes[place]
        count = takes.get(code, 1)
        if code == Path.CLOSEPOLY:
            drawn.append("Z")
        elif code in letters:
            numbers = points[place : place + count].ravel().tolist()
            drawn.append(letters[code] + " ".join(f"{number:.5g}" for number in numbers))
        place += count
    return "".join(drawn)


def _line(points: np.ndarray) -> str:
    drawn, letter = [], "M"
    for x, y in points.tolist():
        if x - x or y - y:  # NaN and infinity leave a gap
            letter = "M"
            continue
        drawn.append(f"{letter}{x:.5g} {y:.5g}")
        letter = "L"
    return "".join(drawn)


def _box(x: float, y: float, width: float, height: float) -> str:
    return f"M{x:.5g} {y:.5g}h{width:.5g}v{height:.5g}h{-width:.5g}z"


def _paint(what: str, colour: Colour, *, words: bool = False) -> str:
    """Return the attribute "fill" or "stroke" for a colour, a variable if the theme knows it."""
    red, green, blue = colour[:3]
    known = theme.variable(_hex(red, green, blue), words=words)
    opacity = colour[3] if len(colour) > 3 else 1.0
    see_through = f' {what}-opacity="{opacity:.2f}"' if opacity < 0.995 else ""
    return f' {what}="{known}"{see_through}'


@lru_cache(4000)
def _hex(red: float, green: float, blue: float) -> str:
    return to_hex((red, green, blue))


class _Font:
    """Font properties as a key: their value at the time, since matplotlib's own may change later."""

    def __init__(self, prop: FontProperties) -> None:
        self.prop = prop.copy()
        self._hash = hash(prop)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Font) and self._hash == other._hash


@lru_cache(4000)  # measuring words is a third of the time that a picture takes
def _measured(s: str, font: _Font) -> tuple[float, float, float]:
    return RendererBase().get_text_width_height_descent(s, font.prop, ismath=False)


def plain(words: str) -> str:
    """Return a paragraph of HTML as plain text."""
    return html.unescape(re.sub(r"</?[a-zA-Z][^>]*>", "", words)).replace("\xa0", " ").strip()
