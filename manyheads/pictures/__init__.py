"""The static pictures of the course. `style` is the look of all of them, including those in `widgets`, `theme` has its
colours on light and dark pages, and `vector` makes SVG of a figure; each other module draws one kind of picture and
returns a figure or HTML; `percent` shows shares."""

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
