"""The public name of `configure`: every class folder's `nbgrader_config.py` imports it from here."""

from .classroom.class_folder import configure

__all__ = ["configure"]
