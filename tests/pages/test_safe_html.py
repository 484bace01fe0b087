"""Formulas become MathML that does no harm, and learners' markup has no class that our pages give a meaning to."""

from __future__ import annotations

import re

import pytest
from pygments.token import STANDARD_TYPES

from autograder.pages import assets
from autograder.pages.safe_html import harmless_html, prose

TEXT = "alert(1)"


def test_a_formula_is_mathml() -> None:
    shown = prose(r"The weights are $\frac{q k^\top}{\sqrt{d_k}}$, softmaxed.")
    assert "<mfrac>" in shown
    assert "<msqrt>" in shown
    assert "⊤" in shown
    assert "$" not in shown
    assert "<math display=block>" in prose("$$x^2$$")
    assert "<mtable>" in prose(r"\begin{bmatrix} 1 & 2 \end{bmatrix}")


@pytest.mark.parametrize(
    "tex",
    [
        rf"\href{{javascript:{TEXT}}}{{x}}",
        r"\style{position:fixed}{x}",
        r"\class{look}{x}",
        rf"\text{{<img src=x onerror={TEXT}>}}",
        rf'\text{{"><script>{TEXT}</script>}}',
        r"\kern-99em x",
        r"\color{url(http://evil.invalid)}{x}",
    ],
)
def test_a_formula_neither_links_nor_loads_nor_leaves_its_place(tex: str) -> None:
    shown = prose(f"before ${tex}$ after ![${tex}$](data:image/png;base64,AAAA)")
    formula = re.search(r"<math.*?</math>", shown)
    assert formula
    names = re.findall(r"<[a-z]+((?: [a-z]+=[\w.-]+)*)>", formula[0])
    assert {pair.partition("=")[0] for pair in " ".join(names).split()} <= {"display", "stretchy", "width"}
    assert len(names) == formula[0].count("<") - formula[0].count("</"), "every < begins a tag of the formula"
    assert "=-" not in formula[0], "no space is negative"


def test_what_cannot_be_converted_stays_readable() -> None:
    assert prose(r"$\frac{a}{$") == "<p><code>\\frac{a}{</code></p>\n"
    assert "<code>\\newcommand" in prose(r"$\newcommand{\a}{\a\a}\a$")


def test_a_learner_cannot_name_the_place_of_a_formula() -> None:
    places = [re.search(r"[0-9a-f]{32}", str(prose(f"$x$ {'0' * 32}-0-")))]
    assert [found[0] for found in places if found] == ["0" * 32]


@pytest.mark.parametrize(
    ("package", "name"), [("autograder.handback", "feedback.css"), ("autograder.report", "report.css")]
)
def test_no_class_that_learners_may_use_has_a_meaning_outside_of_code(package: str, name: str) -> None:
    style = re.sub(r"/\*.*?\*/", "", assets.asset(package, name), flags=re.DOTALL)
    selectors = [part for rule in re.findall(r"([^{}]+)\{", style) for part in re.split(r",(?![^(]*\))", rule)]
    outside = [one for one in selectors if not re.search(r"\.(?:code|highlight)\s+\S", one)]
    ours = set(re.findall(r"\.([A-Za-z][\w-]*)", " ".join(outside)))
    assert ours, "the style sheet was read"
    assert ours & {*filter(None, STANDARD_TYPES.values()), "highlight", "hl-ipython3", "hl-python"} == set()
    for mine in sorted(ours):
        assert mine not in harmless_html(f'<div class="{mine}">x</div><p class="{mine}">y</p>')
