"""What the site adds to Sphinx: formulas as MathML, which needs no script and no network."""

from __future__ import annotations

from typing import Any

from ..pages.formulas import mathml


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx for its settings file."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: Any, node: Any) -> None:
    _write(translator, node, block=False)


def _block(translator: Any, node: Any) -> None:
    translator.body.append(translator.starttag(node, "div", CLASS="formula", tabindex="0"))
    _write(translator, node, block=True, closing="</div>")


def _write(translator: Any, node: Any, *, block: bool, closing: str = "") -> None:
    from docutils import nodes  # comes with Sphinx, which is not needed for anything else

    translator.body.append(mathml(node.astext(), block=block) + closing)
    raise nodes.SkipNode
