"""The pictures of the course that stand still. `style` is how all look, the ones in `widgets` included; each other
module draws one kind of picture and returns a figure or HTML."""

__all__ = ["charts", "model_pictures", "number_grids", "relation_map", "style"]
