"""Up to which line a wrong solution is right: what is said of it, and that all of it is true."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.course.chapter import Chapter
from autograder.course.milestones import with_milestones
from benchmarks.mutated import mutated
from manyheads.calling import probe
from manyheads.calling.call import Answer
from manyheads.calling.steps import Recording, Step
from manyheads.checking import diagnosis, first_wrong_line
from manyheads.checking.exam import Check, Exam
from manyheads.checking.exam_files import all_exams
from manyheads.checking.stage import Stage
from tests.manyheads.attempts import ATTEMPTS, Attempt
from tests.support.real_course import CHAPTERS, chapters
from tests.support.recomputed import runs, untrue

pytestmark = pytest.mark.slow  # exams of all chapters, and their mutants

Recorded = Sequence[tuple[Answer, Recording]]


def chapter_of(number: str) -> Chapter:
    return next(chapter for chapter in CHAPTERS if chapter.name.startswith(number))


@lru_cache
def judges(chapter: Chapter, exercise: str) -> Exam:
    """The visible cases with the milestones' own numbers, as the judge has them of its secret ones."""
    reference = chapter.namespace()
    return with_milestones(all_exams()[exercise], chapter.exercises[exercise], reference[exercise], reference)


def recorded(exam: Exam, namespace: Mapping[str, Any]) -> Recorded:
    calls = [trial.call for trial in exam.trials]
    for call in calls:  # as a check does first: what is imported at a first call is not recorded
        probe.run(namespace[exam.exercise], call, exam.probe, namespace=namespace)
    return probe.record(namespace[exam.exercise], calls, exam.probe, namespace)


def namespace_with(chapter: Chapter, attempt: Attempt) -> dict[str, Any]:
    namespace = chapter.namespace({attempt.exercise: attempt.source})
    exec(compile(attempt.helpers, "<another cell>", "exec"), namespace)
    return namespace


def assert_true(chapter: Chapter, exercise: str, text: str, source: str, helpers: str = "") -> None:
    exam = judges(chapter, exercise)
    false, compared = untrue(exam, text, runs(exam, chapter, {exercise: source}, helpers))
    assert false == [], f"{text}\n{source}"
    assert compared > 1, text


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=[f"{one.exercise}: {one.style}" for one in ATTEMPTS])
@pytest.mark.parametrize("whose", ["learner", "judge"])
def test_it_is_said_up_to_which_line_an_attempt_is_right(attempt: Attempt, whose: str) -> None:
    chapter = chapter_of(attempt.chapter)
    exam = all_exams()[attempt.exercise] if whose == "learner" else judges(chapter, attempt.exercise)
    said = first_wrong_line.explain(exam, recorded(exam, namespace_with(chapter, attempt)))
    place = 0
    for part in attempt.said:
        found = said.text.lower().find(part.lower(), place)
        assert found >= 0, f"{part!r} is not in {said.text!r}"
        place = found + len(part)
    if attempt.said:
        assert_true(chapter, attempt.exercise, said.text, attempt.source, attempt.helpers)
    else:
        assert said == first_wrong_line.Said()


@pytest.mark.parametrize(
    ("chapter", "exercise", "source", "told"),
    [
        (
            "07",
            "next_token_loss",
            "def next_token_loss(logits, tokens):\n"
            "    rights = tokens[:, 1:, None]\n"
            "    chances = logits[:, :-1].sqrt()\n"
            "    return -chances.gather(-1, rights).mean()\n",
            "Line 3, `chances = logits[:, :-1].sqrt()`, is the first to give NaN.",
        ),
        (
            "01",
            "attention_scores",
            "def attention_scores(q, k):\n"
            "    products = q @ k.transpose(-2, -1)\n"
            "    roots = products.sqrt()\n"
            "    return roots / 2\n",
            "Line 3, `roots = products.sqrt()`, is the first to give NaN.",
        ),
    ],
)
def test_the_first_line_that_gives_nan_is_told(chapter: str, exercise: str, source: str, told: str) -> None:
    exam, namespace = all_exams()[exercise], chapter_of(chapter).namespace({exercise: source})
    answers = [probe.run(namespace[exercise], trial.call, exam.probe, exam.forbids) for trial in exam.trials]
    finding = diagnosis.examine(exam, answers, Check.OUTPUTS, source)
    assert finding is not None
    assert first_wrong_line.is_unexplained(finding)
    assert first_wrong_line.may_tell(finding, exam)
    places = first_wrong_line.departing(exam, answers)
    made = probe.record(namespace[exercise], [exam.trials[place].call for place in places], exam.probe, namespace)
    made = first_wrong_line.of_all(answers, places, made)
    further = first_wrong_line.explained(finding, exam, answers, made).message.further
    assert further[0].startswith(told)


EACH_THIRD, ALL = slice(None, None, 3), pytest.param(slice(None), marks=pytest.mark.thorough)
some = pytest.mark.parametrize("which", [EACH_THIRD, ALL], ids=["each third", "all"])


@some
@chapters
def test_nothing_is_said_of_right_solutions(chapter: Chapter, which: slice) -> None:
    for exercise, alternative in list(chapter.alternatives())[which]:
        exam = all_exams()[exercise.name]
        namespace = chapter.namespace({exercise.name: alternative.code})
        said = first_wrong_line.explain(exam, recorded(exam, namespace))
        assert said.text == "", f"{exercise.name}: {alternative.name}"


@some
@chapters
def test_all_that_is_said_of_mutants_is_true(chapter: Chapter, which: slice) -> None:
    """Each claim is computed again from the rewritten code and the reference's own numbers."""
    draw = random.Random(chapter.name)
    names = [name for name, exercise in chapter.exercises.items() if exercise.milestones][which]
    said = 0
    for name in names:
        exercise = chapter.exercises[name]
        ways = [chapter.reference[name], *(one.code for one in exercise.alternatives)]
        most = said + 3
        for _ in range(30):
            source, _ = mutated(draw.choice(ways), draw)
            try:
                given = recorded(all_exams()[name], chapter.namespace({name: source}))
            except Exception:  # not even the cell runs
                continue
            texts = {first_wrong_line.explain(exam, given).text for exam in (all_exams()[name], judges(chapter, name))}
            for text in filter(None, texts):
                said += 1
                assert_true(chapter, name, text, source)
            if said >= most:
                break
    assert said >= 2 * len(names)


def test_what_is_false_is_found() -> None:
    """The comparison that other tests rely on notices each kind of false claim."""
    chapter = chapter_of("06")
    attempt = next(one for one in ATTEMPTS if one.exercise == "sink_score")
    exam = judges(chapter, "sink_score")
    given = runs(exam, chapter, {"sink_score": attempt.source})
    true = first_wrong_line.explain(exam, recorded(exam, namespace_with(chapter, attempt))).text
    assert untrue(exam, true, given)[0] == []
    for part, instead in (
        ("Line 2", "Line 3"),
        ("(layers, heads, seq)", "(heads, layers, seq)"),
        ("gives the right weights on that position", "gives the right score"),
        ("Line 3", "Line 2"),
        ("but others.", "whose columns sum to 1 and not its rows."),
        ("but others.", "but others. It is blue."),
        ("Next should come", "The course's solution goes on to"),
    ):
        assert part in true
        assert untrue(exam, true.replace(part, instead), given)[0], f"{part} -> {instead}"
    right = runs(exam, chapter, {})
    assert "the weights on that position is wrong" not in untrue(exam, true, right)[0]
    assert "no line gives score" in untrue(exam, true, right)[0]


def test_words_are_those_of_one_milestone_in_a_case() -> None:
    for chapter in CHAPTERS:
        for name in chapter.exercises:
            for trial in judges(chapter, name).trials:
                words = [milestone.words for milestone in trial.milestones]
                assert len(words) == len(set(words)), (name, words)


def _failed(exercise: str, whose: Exam) -> tuple[diagnosis.Finding, list[Answer], Recorded]:
    chapter, attempt = chapter_of("06"), next(one for one in ATTEMPTS if one.exercise == exercise)
    given = recorded(whose, namespace_with(chapter, attempt))
    answers = [answer for answer, _ in given]
    finding = diagnosis.examine(replace(whose, trials=whose.trials), answers, Check.OUTPUTS, attempt.source)
    assert finding is not None
    return finding, answers, given


def test_a_finding_gets_the_sentence_and_a_group_for_the_report() -> None:
    exam = judges(chapter_of("06"), "sink_score")
    finding, answers, given = _failed("sink_score", exam)
    told = first_wrong_line.explained(finding, exam, answers, given)
    assert "Line 2, `column = weights[:, :, :, position]`, gives the right" in " ".join(str(told.message).split())
    assert told.message.group == "right up to the weights on that position"
    assert (told.stage, told.misconception) == (finding.stage, None)


def test_nothing_is_said_where_the_calls_give_something_else_the_second_time() -> None:
    exam = judges(chapter_of("06"), "sink_score")
    finding, answers, given = _failed("sink_score", exam)
    assert isinstance(answers[-1].value, Tensor)
    others = [*answers[:-1], replace(answers[-1], value=answers[-1].value + 1)]
    assert first_wrong_line.explained(finding, exam, others, given) is finding
    assert first_wrong_line.explained(finding, exam, answers, ()) is finding
    assert first_wrong_line.explained(finding, exam, answers, given[:-1]) is finding


def test_what_is_explained_already_keeps_its_explanation() -> None:
    exam = judges(chapter_of("06"), "sink_score")
    finding, answers, given = _failed("sink_score", exam)
    for known in (
        replace(finding, misconception="averaged over the words"),
        replace(finding, message=replace(finding.message, further=("All numbers are twice as large.",))),
        replace(finding, stage=Stage.RAN),
    ):
        assert first_wrong_line.explained(known, exam, answers, given) is known


def test_numbers_that_are_close_and_still_wrong_are_not_called_something_else() -> None:
    """An exact zero is asked for: 1e-12 is close enough to be recognised, and is returned."""
    chapter = chapter_of("01")
    source = f"{chapter.reference['attention_weights']}\nright = attention_weights\n"
    source += (
        "def attention_weights(scores, mask=None):\n    weights = right(scores, mask)\n    return weights + 1e-12\n"
    )
    exam = judges(chapter, "attention_weights")
    assert exam.exact_zeros
    given = recorded(exam, chapter.namespace({"attention_weights": source}))
    wrong = [diagnosis.examine(replace(exam, trials=(trial,)), [answer], Check.OUTPUTS)
             for trial, (answer, _) in zip(exam.trials, given, strict=True)]  # fmt: skip
    assert Stage.VALUES in {finding.stage for finding in wrong if finding is not None}
    assert first_wrong_line.explain(exam, given).text == ""


def test_steps_that_lie_change_no_more_than_words() -> None:
    exam = judges(chapter_of("01"), "attention")
    extremes = [torch.full((5,), float("nan")), torch.tensor([float("inf")]), torch.zeros(0, 3), torch.ones(2, 2, 2)]
    given = []
    for trial in exam.trials:
        assert isinstance(trial.right.value, tuple)
        zeros = tuple(torch.zeros_like(part) for part in trial.right.value if isinstance(part, Tensor))
        lies = [
            Step(1, "</pre><script>alert(1)</script>" * 3, "f" * 200, "`" * 50, 0, place, milestone.numbers)
            for place, milestone in enumerate(trial.milestones)
        ]
        lies += [Step(10**6, "x", "y", "z", 9, 9, value) for value in extremes]
        given.append((replace(trial.right, value=zeros), Recording(tuple(lies), True)))
    said = first_wrong_line.explain(exam, given)
    assert 0 < len(said.text) < 2000
    assert said.group
    assert "script" not in said.group


def test_a_milestone_that_is_missing_in_an_incomplete_recording_is_not_called_missing() -> None:
    exam = judges(chapter_of("06"), "sink_score")
    _, _, given = _failed("sink_score", exam)
    cut = [(answer, Recording(recording.steps, False)) for answer, recording in given]
    assert "none of your lines" in first_wrong_line.explain(exam, given).text
    assert "none of your lines" not in first_wrong_line.explain(exam, cut).text


def test_cases_that_were_not_watched_neither_help_nor_hinder_and_one_alone_is_not_enough() -> None:
    exam = judges(chapter_of("06"), "sink_score")
    _, _, given = _failed("sink_score", exam)
    assert len(exam.trials) > 2
    unwatched = [(answer, Recording()) for answer, _ in given]
    said = first_wrong_line.explain(exam, [*given[:2], *unwatched[2:]]).text
    assert said.startswith(f"In the case of {exam.trials[0].name}: ")
    assert (
        first_wrong_line.explain(exam, given).text.lower()
        in said.replace(f"In the case of {exam.trials[0].name}: ", "").lower()
    )
    assert first_wrong_line.explain(exam, [*given[:1], *unwatched[1:]]).text == ""
