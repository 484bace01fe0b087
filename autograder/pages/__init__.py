"""What all pages that show learners' work have in common: their look, the symbols of results, safe HTML.

`look` has styles, templates' filters and the content policy; `safe_html` makes markup and formulas harmless;
`formulas` shows TeX as MathML.
"""

__all__ = ["formulas", "look", "safe_html"]
