"""Sizes that several exercises of chapter 2 draw."""

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small
