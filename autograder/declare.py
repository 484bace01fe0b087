"""The words that a chapter's exercises are declared in: `autograder.course.declare` under its public name."""

from .course.declare import Alternative, Call, Case, Draw, Exercise, Misconception, multiple_choice

__all__ = ["Alternative", "Call", "Case", "Draw", "Exercise", "Misconception", "multiple_choice"]
