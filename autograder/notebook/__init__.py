"""Reads what a cell's source says of itself, and runs nothing."""

__all__ = ["lines", "outline"]
