"""What an instructor does in nbgrader's formgrader, in a browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.support.toy import TOY

COMMENT = "You had the right idea: see me about broadcasting."


def grade_by_hand(page: Page, address: str) -> None:
    """Give 1.5 of 2 points to a cell that the judge gave nothing, and write a comment, as an instructor does."""
    page.goto(f"{address}/formgrader/gradebook/{TOY}/{TOY}")
    row = page.locator("table tbody tr").filter(has_text="7 / 9")  # names are hidden
    row.get_by_role("link", name="Submission #").click()
    shown = page.locator("body")
    expect(shown).to_contain_text("if you added the factors")  # what the judge told the learner
    score = page.locator("#scale_rows-outputs")
    expect(score).to_have_attribute("placeholder", "0")
    with page.expect_response(re.compile("/api/grade/")) as saved:
        score.fill("1.5")
        score.press("Tab")
    assert saved.value.ok
    with page.expect_response(re.compile("/api/comment/")) as saved:
        comment = page.locator("#scale_rows-comment")
        comment.fill(COMMENT)
        comment.blur()
    assert saved.value.ok
    page.reload()
    expect(page.locator("#scale_rows-outputs")).to_have_value("1.5")
    expect(page.locator("#scale_rows-comment")).to_have_value(COMMENT)
