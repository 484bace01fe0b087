"""The static pictures of the course. `style` is the look of all of them, including those in `widgets`; each other
module draws one kind of picture and returns a figure or HTML."""

__all__ = ["charts", "model_pictures", "number_grids", "relation_map", "style"]
