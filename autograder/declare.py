"""The public names for declaring a chapter's exercises, from `course.declare` and `course.families`."""

from .course import families
from .course.declare import Alternative, Call, Case, Draw, Exercise, Misconception, multiple_choice

__all__ = ["Alternative", "Call", "Case", "Draw", "Exercise", "Misconception", "families", "multiple_choice"]
