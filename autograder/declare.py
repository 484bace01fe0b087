"""The words that a chapter's exercises are declared in: `course.declare` and `course.families` under a public name."""

from .course import families
from .course.declare import Alternative, Call, Case, Draw, Exercise, Misconception, multiple_choice

__all__ = ["Alternative", "Call", "Case", "Draw", "Exercise", "Misconception", "families", "multiple_choice"]
