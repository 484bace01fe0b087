"""What all pages that show learners' work have in common: their look, the symbols of results, safe HTML.

`look` has styles, templates' filters and the content policy; `safe_html` makes markup and formulas harmless.
"""

__all__ = ["look", "safe_html"]
