"""Analyses the source of notebook cells, without running it."""

__all__ = ["lines", "outline"]
