"""A class on its hub, with real processes, accounts, log-ins and a browser, in a machine that is thrown away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import BrowserContext, Locator, Page, expect

from autograder.classroom.record import read_record
from autograder.course.chapter import Chapter
from autograder.course.notebooks import set_solution
from autograder.hub import throwaway
from autograder.outcomes import Outcome
from autograder.problems import Problem
from tests.support.formgrader import COMMENT, grade_by_hand
from tests.support.hub import ROOT, Hub, Person, running_hub
from tests.support.toy import TOY

pytestmark = [pytest.mark.slow, pytest.mark.hub, pytest.mark.browser, pytest.mark.sandbox]

looks_into_accounts = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may look into learners' folders and processes"
)
SERVICE = "/services/many-heads"
WRITTEN = f"{TOY}/{TOY}.ipynb"
WRONG = "def scale_rows(x, factors): return x + factors[:, None]"
PASSWORDS = {"ada": "analytical", "emmy": "noetherian"}
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def hub(built_toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub with two learners, and one on the class list who has the name of an account that machines have anyway."""
    try:
        refused = subprocess.run(throwaway.command("true"), capture_output=True, text=True).stderr
    except Problem as problem:
        refused = str(problem)
    if refused:
        pytest.skip(f"accounts can only be made by root, or where users may make namespaces: {refused}")
    with running_hub(tmp_path_factory.mktemp("hub"), built_toy / "solutions", [*PASSWORDS, "mail"], "grace") as running:
        yield running


@pytest.fixture(scope="module")
def ada_before_class(hub: Hub) -> Person:
    """A learner with a running server."""
    ada = Person(hub, "ada")
    assert ada.log_in(PASSWORDS["ada"]) == 200
    ada.start_server()
    return ada


def text_of(page: str) -> str:
    return " ".join(BeautifulSoup(page, "html.parser").get_text(" ").split())


def solve(learner: Person, solutions: dict[str, str]) -> None:
    """Write solutions into the fetched notebook, by the server's own interface."""
    notebook: Any = nbformat.from_dict(learner.send("GET", f"api/contents/{WRITTEN}")["content"])
    for exercise, source in solutions.items():
        set_solution(notebook, exercise, source)
    content = {"type": "notebook", "format": "json", "content": notebook}
    learner.send("PUT", f"api/contents/{WRITTEN}", json=content)


def log_in(context: BrowserContext, hub: Hub, name: str, password: str) -> Page:
    page = context.new_page()
    page.goto(f"{hub.address}/hub/login")
    page.fill("#username_input", name)
    page.fill("#password_input", password)
    page.click("#login_submit")
    return page


def press(page: Page, place: Locator) -> None:
    """Press one of the formgrader's icons, and close the window that reports success."""
    place.locator("a").click()
    window = page.locator("#success-modal")
    expect(window).to_be_visible(timeout=180_000)  # the first submission waits for the sandbox to warm up
    window.get_by_role("button").last.click()
    expect(window).to_be_hidden()


def test_only_the_class_list_gets_in_each_to_their_own(hub: Hub, ada_before_class: Person) -> None:
    assert Person(hub, "stranger").log_in("a password") == 403
    assert Person(hub, "root").log_in("a password") == 403
    assert Person(hub, "ada").log_in("not what she chose") == 403
    assert Person(hub, "grace").log_in("nobody takes the teacher's name") == 403
    assert ada_before_class.get(f"{SERVICE}/formgrader/").status_code == 403
    assert ada_before_class.get("/user/emmy/lab").status_code == 404
    assert ada_before_class.get("/hub/admin").status_code == 403
    assert ada_before_class.get("/user/ada/formgrader/").status_code == 404


def test_an_account_that_the_hub_has_not_made_is_nobody_s(hub: Hub) -> None:
    mail = Person(hub, "mail")
    mail.log_in("a password")
    assert "was not made by the hub" in text_of(mail.get("/hub/spawn/mail").text)
    assert hub.servers("mail") == []


@looks_into_accounts
def test_one_learner_sees_neither_another_s_files_nor_the_course_s(hub: Hub, ada_before_class: Person) -> None:
    hub.run("emmy", "sh", "-c", "echo mine > /home/emmy/secret; chmod 644 /home/emmy/secret")
    for path in (
        "/home/emmy/secret",
        f"{ROOT}/course/nbgrader_config.py",
        f"{ROOT}/course/.judge-seed",
        f"{ROOT}/course/solutions/{TOY}/lesson.py",
        f"{ROOT}/course/gradebook.db",
        f"{ROOT}/state/cookie-secret",
        f"{ROOT}/jupyterhub_config.py",
    ):
        assert hub.path(path).exists(), path
        refused = hub.run("ada", "cat", path)
        assert "Permission denied" in refused.stderr, path
    # Nobody but its owner may take away or replace what is in the exchange.
    assert hub.run("many-heads-course", "mkdir", "-p", f"{ROOT}/exchange/many-heads").returncode == 0
    assert hub.run("ada", "mv", f"{ROOT}/exchange/many-heads", f"{ROOT}/exchange/away").returncode != 0


@looks_into_accounts
def test_a_learner_s_processes_have_their_share_and_no_more(hub: Hub, ada_before_class: Person) -> None:
    [server, *_] = hub.servers("ada")
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    rows = {row[:26].strip(): row[26:].split()[0] for row in limits.splitlines()[1:]}
    assert int(rows["Max data size"]) >= 1536 * 2**20
    assert rows["Max processes"] == "256"
    said = server.environ()
    assert int(said["OMP_NUM_THREADS"]) >= 1
    assert int(said["MEM_LIMIT"]) == int(rows["Max data size"])
    # In a kernel, which inherits it: too much memory is an error in the learner's own code, and nothing else.
    used = hub.run("ada", "sh", "-c", f"ulimit -d {int(rows['Max data size']) // 1024}; python3 -c 'bytes(10**12)'")
    assert "MemoryError" in used.stderr


@looks_into_accounts
def test_a_password_is_reset_by_deleting_the_user(hub: Hub) -> None:
    emmy = Person(hub, "emmy")
    assert emmy.log_in("forgotten soon") == 200
    hub.run("emmy", "touch", "/home/emmy/work")
    grace = Person(hub, "grace")
    assert grace.log_in(hub.password) == 200
    assert grace.administer("DELETE", "users/emmy").ok
    assert emmy.log_in(PASSWORDS["emmy"]) == 200
    assert Person(hub, "emmy").log_in("forgotten soon") == 403
    assert hub.path("/home/emmy/work").exists()


def test_the_class_list_holds_from_the_next_log_in_on(hub: Hub) -> None:
    class_list = hub.path(f"{ROOT}/class-list.txt")
    before = class_list.read_text(encoding="utf-8")
    kurt = Person(hub, "kurt")
    assert kurt.log_in("incomplete") == 403
    class_list.write_text(f"{before}kurt\n", encoding="utf-8")
    assert kurt.log_in("incomplete") == 200
    assert hub.path("/home/kurt").stat().st_mode & 0o777 == 0o700
    class_list.write_text(before, encoding="utf-8")
    assert Person(hub, "kurt").log_in("incomplete") == 403


REPORT = """
import os, sys
from pathlib import Path
os.environ |= dict(line.split("=", 1) for line in sys.argv[1:])
from manyheads import board
joined = board.Client(lambda: Path.home() / ".manyheads")._joined()
report = {"id": "a" * 32, "exercise": "scale_rows", "check": "outputs", "stage": "values", "mistake": ""}
board._request("POST", f"{joined.address}/report", report, joined.token)
"""


@looks_into_accounts
def test_the_board_is_the_teacher_s_and_learners_take_part_by_themselves(hub: Hub, ada_before_class: Person) -> None:
    [server, *_] = hub.servers("ada")
    given = [f"{name}={value}" for name, value in server.environ().items() if name.startswith("MANYHEADS_BOARD")]
    reported = hub.run("ada", sys.executable, "-c", REPORT, *given, "HOME=/home/ada")
    assert reported.returncode == 0, reported.stderr
    assert ada_before_class.get("/services/board/teacher").status_code == 403
    grace = Person(hub, "grace")
    assert grace.log_in(hub.password) == 200
    assert 'data-events="teacher/events"' in grace.get("/services/board/teacher").text
    with grace.session.get(f"{hub.address}/services/board/teacher/events", stream=True, timeout=60) as events:
        shown = json.loads(next(events.iter_lines()).decode().removeprefix("data: "))
    assert (shown["learners"], shown["exercise"]) == (1, "scale_rows")
    assert f"MANYHEADS_BOARD_CODE={shown['code']}" in given


def submit_in_jupyterlab(page: Page, learner: Person, solutions: dict[str, str]) -> None:
    """Fetch the assignment, write the solutions, run the notebook and submit it, as a learner does."""
    released, fetched, submitted = assignment_list(page)
    released.get_by_role("button", name="Fetch").click()
    expect(fetched.get_by_role("button", name="Submit")).to_be_visible()
    solve(learner, solutions)
    page.goto(f"{learner.hub.address}/user/{learner.name}/lab/tree/{WRITTEN}")
    page.get_by_text("| Idle").wait_for()
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).click()
    expect(page.locator(".jp-Cell .jp-OutputArea-output").first).to_be_visible()
    page.keyboard.press("Control+s")
    _, fetched, submitted = assignment_list(page)
    fetched.get_by_role("button", name="Submit").click()
    expect(submitted.get_by_role("button", name="Fetch Feedback")).to_be_visible()


def read_feedback_in_jupyterlab(page: Page) -> str:
    """Fetch the feedback, and return the text of its page."""
    _, _, submitted = assignment_list(page)
    submitted.get_by_role("button", name="Fetch Feedback").click()
    submitted.get_by_text("(view feedback)").click()
    page.get_by_text(f"{TOY}.html", exact=True).first.dblclick()
    shown = page.frame_locator(".jp-HTMLViewer iframe")
    expect(shown.locator("body")).to_contain_text("Score")
    return shown.locator("body").inner_text()


def assignment_list(page: Page) -> tuple[Locator, Locator, Locator]:
    """Open nbgrader's assignment list; return the parts for released, fetched and submitted assignments."""
    page.get_by_role("menuitem", name="Nbgrader", exact=True).click()
    page.get_by_text("Assignment List", exact=True).last.click()
    parts = (page.locator(f"#{what}_assignments_list") for what in ("released", "fetched", "submitted"))
    released, fetched, submitted = parts
    return released, fetched, submitted


@looks_into_accounts
@pytest.mark.timeout(600)
def test_a_class_from_handing_out_to_reading_feedback(
    hub: Hub, context: BrowserContext, ada_before_class: Person, toy: Chapter, tmp_path: Path
) -> None:
    # Hand out: the teacher sees the formgrader, without a detour by a JupyterLab.
    grace = log_in(context, hub, "grace", hub.password)
    press(grace, grace.locator("tr").filter(has_text=TOY).locator(".release"))

    # Work, and hand in.
    assert context.browser is not None
    ada = log_in(context.browser.new_context(viewport={"width": 1400, "height": 1000}), hub, "ada", PASSWORDS["ada"])
    submit_in_jupyterlab(ada, ada_before_class, {**toy.reference, "scale_rows": WRONG})
    emmy = Person(hub, "emmy")
    assert emmy.log_in(PASSWORDS["emmy"]) == 200
    emmy.start_server()
    emmy.assignments("fetch", TOY)
    solve(emmy, dict(toy.reference))
    emmy.assignments("submit", TOY)
    assert "Permission denied" in hub.run("emmy", "ls", f"{ROOT}/exchange/many-heads/inbound").stderr

    # Collect, and grade with the sealed grader.
    press(grace, grace.locator("tr").filter(has_text=TOY).locator(".collect"))
    grace.goto(f"{hub.address}{SERVICE}/formgrader/manage_submissions/{TOY}")
    for name in PASSWORDS:
        press(grace, grace.locator("tr").filter(has=grace.get_by_text(name, exact=True)).locator(".autograde"))
    records = [read_record(hub.path(f"{ROOT}/course/outcomes/{TOY}/{name}.json")) for name in PASSWORDS]
    assert all(record is not None and record.outcome == Outcome.GRADED and record.sealed for record in records)

    # A point by hand, and feedback.
    grade_by_hand(grace, f"{hub.address}{SERVICE}")
    grace.goto(f"{hub.address}{SERVICE}/formgrader/manage_assignments")
    for step in (".generate-feedback", ".release-feedback"):
        press(grace, grace.locator("tr").filter(has_text=TOY).locator(step))

    # Both read it.
    read = read_feedback_in_jupyterlab(ada)
    assert COMMENT in read
    assert "8.5" in read
    emmy.assignments("fetch_feedback", TOY)
    [page] = hub.path("/home/emmy").glob(f"{TOY}/feedback/*/*.html")
    assert "9.0 / 9.0" in text_of(page.read_text(encoding="utf-8"))
