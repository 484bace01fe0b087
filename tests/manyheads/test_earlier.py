"""Chapters get the learner's own code of earlier chapters if it is right, else the course's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from autograder.course.chapter import Chapter, read_chapter
from manyheads import check, earlier
from manyheads.calling.sealed import unsealed
from manyheads.checking.exam_files import all_exams
from manyheads.earlier import keep, whose
from tests.support.real_course import CHAPTERS, chapters

OWN = "def causal_mask(seq, device=None):\n    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()\n"
WRONG = OWN.replace("tril", "triu")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANYHEADS_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept"


def file_of(function: Any) -> str:
    return function.__code__.co_filename


def test_without_own_code_the_courses_stand_in_works() -> None:
    from manyheads.earlier import causal_mask

    assert "stand-in" in file_of(causal_mask)
    assert torch.equal(causal_mask(3), torch.ones(3, 3, dtype=torch.bool).tril())


def test_own_code_that_is_right_comes_back(home: Path) -> None:
    keep("causal_mask", OWN)
    from manyheads.earlier import causal_mask

    assert file_of(causal_mask) == str(home / "causal_mask.py")


@pytest.mark.parametrize("source", [WRONG, "def causal_mask(:", "1 / 0", "def other(): ..."])
def test_own_code_that_is_not_right_any_more_is_passed_over(source: str) -> None:
    keep("causal_mask", source)
    from manyheads.earlier import causal_mask

    assert "stand-in" in file_of(causal_mask)


def test_own_code_that_calls_another_exercise_finds_it() -> None:
    keep("attention_scores", "def attention_scores(q, k):\n    return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])")
    keep(
        "attention",
        "def attention(q, k, v, mask=None):\n"
        "    weights = attention_weights(attention_scores(q, k), mask)\n"
        "    return weights @ v, weights",
    )
    from manyheads.earlier import attention

    assert "stand-in" not in file_of(attention)
    assert attention(*torch.randn(3, 2, 4, 5))[0].shape == (2, 4, 5)


HEAD = """
class SingleHeadAttention(nn.Module):
    def __init__(self, d_model, d_head):
        super().__init__()
        self.w_q, self.w_k, self.w_v = (nn.Linear(d_model, d_head) for _ in range(3))

    def forward(self, x, mask=None):
        return attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)
"""


def test_stand_ins_that_import_an_exercise_get_the_learners_own() -> None:
    keep("SingleHeadAttention", HEAD)
    from manyheads.earlier import ParallelHeads, SingleHeadAttention

    own = "manyheads.own_SingleHeadAttention"
    assert SingleHeadAttention.__module__ == own
    assert {type(head).__module__ for head in ParallelHeads(6, 3).heads} == {own}


def test_a_kept_exercise_that_does_not_load_takes_no_other_with_it() -> None:
    keep("causal_mask", OWN)
    keep("attention", "def attention(q: NoSuchName, k, v, mask=None): ...")
    from manyheads.earlier import attention, causal_mask

    assert "stand-in" not in file_of(causal_mask)
    assert "stand-in" in file_of(attention)


@pytest.mark.parametrize("own", [False, True])
def test_what_comes_back_can_be_compiled_by_torch(own: bool) -> None:
    if own:
        keep("causal_mask", OWN)
    from manyheads.earlier import causal_mask

    # eager: without a C++ compiler. It follows the function's names all the same.
    compiled = torch.compile(lambda x: causal_mask(x.shape[0]) & (x > 0), backend="eager", fullgraph=True)
    assert torch.equal(compiled(torch.ones(3, 3)), torch.ones(3, 3, dtype=torch.bool).tril())


def test_a_kept_cell_finds_what_the_chapters_first_cells_import() -> None:
    keep("causal_mask", OWN.replace("device=None", "device: Callable | None = None, s=statistics, t=time, f=F"))
    from manyheads.earlier import causal_mask

    assert "stand-in" not in file_of(causal_mask)


def test_whose_says_of_each_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    keep("causal_mask", OWN)
    whose("causal_mask", "attention")
    own, *others = capsys.readouterr().out.splitlines()
    assert own == "Your own, as you wrote it: causal_mask."
    assert " ".join(others) == "The course's, since none of yours has been kept on this machine: attention."


def test_no_line_is_so_long_that_jupyterlab_breaks_it_within_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    names = ["attention_scores", "attention_weights", "attention", "causal_mask", "SingleHeadAttention"]
    whose(*names)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 72
    assert " ".join(lines).endswith(f"on this machine: {', '.join(names)}.")


def test_of_what_has_passed_it_is_never_said_that_it_has_not(capsys: pytest.CaptureFixture[str]) -> None:
    keep("causal_mask", "def causal_mask(seq, device=None):\n    return lost_helper(seq)")
    whose("causal_mask")
    said = " ".join(capsys.readouterr().out.split())
    assert "does not work by itself: causal_mask." in said
    assert "not passed" not in said


def test_a_name_that_no_chapter_has_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        from manyheads.earlier import nonsense  # noqa: F401


def test_passing_the_outputs_check_keeps_the_cell_and_failing_keeps_nothing(home: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("import torch\nfrom manyheads import check").raise_error()
    shell.run_cell(WRONG)
    assert not shell.run_cell("check.outputs(causal_mask)").success
    assert not home.exists()
    shell.run_cell(OWN)
    assert shell.run_cell("check.outputs(causal_mask)").success
    assert (home / "causal_mask.py").read_text().strip() == OWN.strip()


def test_what_an_exercise_needs_from_other_cells_is_kept_with_it_and_nothing_else(home: Path) -> None:
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    for cell in (
        "import torch, functools\nfrom manyheads import check",
        "def triangle(seq):\n    return 'an older one'",
        "import numpy as np\nSIDE = 1\ndef triangle(seq):\n    return torch.as_tensor(np.tri(seq) == SIDE)",
        "def anew(function):\n    def called(*args):\n        return function(*args)\n    return called",
        "seq = 1 / 7\n@anew\ndef causal_mask(seq, device=None):\n    return triangle(seq).to(device)\n"
        "assert causal_mask(3).all(dim=1).sum() == 1, seq",
        "check.outputs(causal_mask)",
    ):
        shell.run_cell(cell, store_history=True).raise_error()

    kept = (home / "causal_mask.py").read_text()
    assert "an older one" not in kept
    assert "assert" not in kept
    assert "1 / 7" not in kept
    from manyheads.earlier import causal_mask

    assert causal_mask.__module__ == "manyheads.own_causal_mask"
    assert torch.equal(causal_mask(3), torch.ones(3, 3, dtype=torch.bool).tril())


def test_helpers_of_one_name_do_not_get_in_each_others_way() -> None:
    helper = "def helper(*size, **how):\n    return torch.ones(*size, **how)"
    keep("causal_mask", OWN.replace("torch.ones", "helper") + helper)
    scores = "def attention_scores(q, k):\n    return helper(q) @ k.mT\n"
    keep("attention_scores", f"{scores}\ndef helper(q):\n    return q / math.sqrt(q.shape[-1])")
    from manyheads.earlier import attention_scores, causal_mask

    assert "stand-in" not in file_of(causal_mask)
    assert "stand-in" not in file_of(attention_scores)


def test_a_home_that_cannot_be_written_fails_no_check(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.write_text("a file where the folder should be")
    keep("causal_mask", OWN)
    scope: dict[str, object] = {"torch": torch}
    exec(OWN, scope)
    check.outputs(scope["causal_mask"])
    assert capsys.readouterr().out.startswith("✓ causal_mask.outputs")


def test_the_grader_uses_neither_kept_code_nor_fixtures(home: Path) -> None:
    keep("causal_mask", OWN)
    sources: Mapping[str, str] = {"causal_mask": "def causal_mask(seq):\n    return 'given'"}
    with earlier.given(sources):
        from manyheads.earlier import causal_mask

        assert causal_mask(3) == "given"
        with pytest.raises(ImportError):
            from manyheads.earlier import attention  # noqa: F401


@chapters
def test_what_a_chapter_finds_of_earlier_ones_is_in_learners_fixtures_too(chapter: Chapter) -> None:
    learners = {name: unsealed(exam.stand_in) for name, exam in all_exams().items()}
    assert chapter.earlier.items() <= learners.items()


def test_the_first_chapter_has_nothing_before_it() -> None:
    assert read_chapter(CHAPTERS[0].folder).earlier == {}
