"""What all pages that show learners' work have in common: their look, the symbols of results, safe HTML.

`assets` has styles and scripts, `look` templates' filters and the content policy; `safe_html` makes markup and formulas
harmless; `formulas` shows TeX as MathML.
"""

__all__ = ["assets", "formulas", "look", "safe_html"]
