"""The name under which every class's `nbgrader_config.py` finds `configure`."""

from .classroom.class_folder import configure

__all__ = ["configure"]
