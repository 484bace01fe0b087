"""The static pictures of the course. `style` is the look of all of them, including those in `widgets`, `theme` has its
colours on light and dark pages, and `vector` makes SVG of a figure; each other module draws one kind of picture and
returns a figure or HTML; `percent` shows shares."""

import logging

# Before the first picture on a machine, matplotlib says on stderr that it builds its font cache: in red, in a notebook.
logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)

__all__ = [
    "charts",
    "learning_curves",
    "lettering",
    "model_pictures",
    "number_grids",
    "percent",
    "relation_map",
    "style",
    "theme",
    "vector",
    "weight_maps",
]
