"""What every chapter promises. These tests find new chapters by themselves."""

from __future__ import annotations

import functools
import gc
import inspect
import json
import re
import sys
from collections.abc import Iterator
from functools import partial
from types import CodeType, FrameType, ModuleType

import pytest
import torch
from torch import Tensor

from autograder.course import build
from autograder.course.chapter import REPOSITORY_ROOT, Chapter
from autograder.course.declare import Misconception
from autograder.course.draw import Draw
from autograder.course.exams import VISIBLE_SEED, set_exams
from autograder.course.pairs import with_both
from manyheads import earlier
from manyheads.calling import probe, wire
from manyheads.calling.call import Answer, Call
from manyheads.checking import comparison, diagnosis, exam_files
from manyheads.checking.exam import Check, Exam
from manyheads.checking.nothing_computed import depends_on_nothing
from manyheads.checking.pairs import KnownPairs, apart
from manyheads.source.forbidden_names import forbidden_name
from tests.support.real_course import CHAPTERS, SECRET, chapters

seeds = pytest.mark.parametrize("seed", [VISIBLE_SEED, pytest.param(SECRET, marks=pytest.mark.thorough)])


def mistakes(called: str, number: int) -> pytest.MarkDecorator:
    """A parameter `which`: the first mistakes of each exercise in every run, the others every night."""
    others = pytest.param(slice(number, None), marks=pytest.mark.thorough)
    return pytest.mark.parametrize("which", [slice(number), others], ids=[called, "the others"])


def answers(exam: Exam, target: object) -> list[Answer]:
    return [probe.run(target, trial.call, exam.probe, exam.forbids) for trial in exam.trials]


def _numbers(call: Call) -> tuple[str, list[list[float]]]:
    packer = wire.Packer()
    return str(packer.call(call)), [tensor.flatten().tolist() for tensor in packer.tensors.values()]


@functools.cache  # two tests look at the answers
def _mistaken(chapter: Chapter, seed: str, exercise: str, mistake: Misconception) -> tuple[object, list[Answer]]:
    """Return the exercise as it is with `mistake`, and what it answers in the exam."""
    target = chapter.namespace({exercise: chapter.mistaken(exercise, mistake)})[exercise]
    return target, answers(set_exams(chapter, seed)[exercise], target)


# A probe builds a layer of these, and the lessons call them by these names.
SIZES = {"d_model", "num_heads", "num_kv_heads", "context", "dropout", "bias"}


@chapters
def test_a_case_tells_no_number_that_only_the_probe_knows(chapter: Chapter) -> None:
    names = chapter.namespace()
    for name, exercise in chapter.exercises.items():
        targets = [target for target in (names[name], getattr(names[name], "forward", None)) if callable(target)]
        known = SIZES.union(*(inspect.signature(target).parameters for target in targets))
        for case in exercise.cases:
            inputs = case.draw(Draw(VISIBLE_SEED, chapter.name, name, case.name)).inputs
            told = {name for name, value in inputs.items() if isinstance(value, (bool, int, float))}
            assert {name for name in told - known if not name.startswith("_")} == set(), (name, case.name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "which"),
    [
        pytest.param(VISIBLE_SEED, slice(None, None, 3), id="each third"),
        pytest.param(VISIBLE_SEED, slice(None), id="all", marks=pytest.mark.thorough),
        pytest.param(SECRET, slice(None), id="all, in a class's cases", marks=pytest.mark.thorough),
    ],
)
@chapters
def test_every_misconception_is_named_and_caught_where_it_should_be(chapter: Chapter, seed: str, which: slice) -> None:
    exams = set_exams(chapter, seed)
    for exercise, mistake in list(chapter.misconceptions())[which]:
        source = chapter.mistaken(exercise.name, mistake)
        _, given = _mistaken(chapter, seed, exercise.name, mistake)
        for check in Check:
            label = f"{exercise.name}, {mistake.name}, {check}"
            finding = diagnosis.examine(exams[exercise.name], given, check, source)
            if check == Check.SHAPES and mistake.check != Check.SHAPES:
                assert finding is None, label
            else:
                assert finding is not None, label
                assert finding.misconception == mistake.name, label


@pytest.mark.slow
@mistakes("two of each", 2)
@chapters
def test_a_mistake_in_the_numbers_keeps_the_points_for_the_shapes(chapter: Chapter, which: slice) -> None:
    exams = set_exams(chapter, VISIBLE_SEED)
    names = chapter.namespace()
    written = [(name, "the reference", (names[name], answers(exams[name], names[name]))) for name in chapter.exercises]
    for name, exercise in chapter.exercises.items():
        for mistake in [mistake for mistake in exercise.misconceptions if mistake.check != Check.SHAPES][which]:
            written.append((name, mistake.name, _mistaken(chapter, VISIBLE_SEED, name, mistake)))
    for name, label, (target, given) in written:
        nothing = depends_on_nothing(exams[name], given, partial(answers, target=target))
        assert nothing is None, f"{name}, {label}"


@pytest.mark.slow
@seeds
@chapters
def test_every_valid_alternative_keeps_full_marks(chapter: Chapter, seed: str) -> None:
    exams = set_exams(chapter, seed)
    for exercise, alternative in chapter.alternatives():
        exam = exams[exercise.name]
        target = chapter.namespace({exercise.name: alternative.code})[exercise.name]
        given = answers(exam, target)
        assert forbidden_name(alternative.code, exam.forbids, exercise.name) is None, alternative.name
        for check in Check:
            finding = diagnosis.examine(exam, given, check)
            assert finding is None, f"{exercise.name}, {alternative.name}: {finding and str(finding.message)}"


@pytest.mark.slow
@seeds
@chapters
def test_valid_alternatives_keep_full_marks_together(chapter: Chapter, seed: str) -> None:
    """A learner may write each exercise of a chapter in another way, and rounding in one affects the next."""
    exams = set_exams(chapter, seed)
    ways = {name: exercise.alternatives for name, exercise in chapter.exercises.items() if exercise.alternatives}
    for number in range(max(map(len, ways.values()))):
        chosen = {name: alternatives[number % len(alternatives)] for name, alternatives in ways.items()}
        written = chapter.namespace({name: alternative.code for name, alternative in chosen.items()})
        for name, exam in exams.items():
            given = answers(exam, written[name])
            for check in Check:
                finding = diagnosis.examine(exam, given, check)
                of = {other: alternative.name for other, alternative in chosen.items()}
                assert finding is None, f"{name}, {of}: {finding and str(finding.message)}"


def test_the_larger_of_two_large_scores_does_not_depend_on_rounding() -> None:
    """Scaling the queries or their products gives softmax the same largest score."""
    [case] = [case for case in CHAPTERS[0].exercises["attention"].cases if "10000" in case.name]
    for seed in range(100):
        inputs = case.draw(Draw(str(seed), "any chapter", "attention", case.name)).inputs
        q, k = inputs["q"], inputs["k"]
        assert isinstance(q, Tensor)
        assert isinstance(k, Tensor)
        before, after = ((q / q.shape[-1] ** 0.5) @ k.mT).softmax(-1), (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
        torch.testing.assert_close(before, after)


@pytest.mark.slow
@seeds
@chapters
def test_stand_ins_work_for_those_who_build_on_them(chapter: Chapter, seed: str) -> None:
    for exam in set_exams(chapter, seed).values():
        if exam.stand_in:
            scope: dict[str, object] = {}
            with earlier.given(chapter.earlier):
                exec(exam.stand_in, scope)
            # The course's own may call what learners may not.
            given_out = [probe.run(scope[exam.exercise], trial.call, exam.probe) for trial in exam.trials]
            for trial, given in zip(exam.trials, given_out, strict=True):
                assert comparison.same(exam, trial, trial.right, given), f"{exam.exercise}, {trial.name}"


@pytest.mark.slow
@mistakes("one of each", 1)
@chapters
def test_a_mistake_in_a_foundation_takes_no_points_from_what_builds_on_it(chapter: Chapter, which: slice) -> None:
    """A stand-in takes the place of all that the learner wrote, whatever the mistake in it is."""
    exams = set_exams(chapter, VISIBLE_SEED)
    chosen = [(one, mistake) for one in chapter.exercises.values() for mistake in one.misconceptions[which]]
    for exercise, mistake in chosen:
        names = chapter.namespace({exercise.name: chapter.mistaken(exercise.name, mistake)})
        for other in exams.values():
            if exercise.name in other.builds_on and exams[exercise.name].stand_in:
                with probe.standing_in(names, {exercise.name: exams[exercise.name].stand_in}):
                    given = answers(other, names[other.exercise])
                for check in Check:
                    assert diagnosis.examine(other, given, check) is None, f"{mistake.name} → {other.exercise}"


@pytest.mark.slow
@chapters
def test_what_is_derived_from_it_is_fresh(chapter: Chapter) -> None:
    """As `autograder build --check` does, with the exams of these tests."""
    stale = [derived.path for derived in build.derive_chapter(chapter) if derived.is_stale()]
    assert stale == [], "run: .venv/bin/autograder build"


def test_what_is_derived_from_all_is_fresh_and_nothing_is_left_over() -> None:
    stale = [derived.path for derived in build.derive_pages(CHAPTERS) if derived.is_stale()]
    assert stale == [], "run: .venv/bin/autograder build"
    assert {path.stem for path in build.built()} == {chapter.name for chapter in CHAPTERS}


@chapters
def test_misconceptions_have_names_hints_and_no_twins(chapter: Chapter) -> None:
    for exercise in chapter.exercises.values():
        names = [mistake.name for mistake in exercise.misconceptions]
        assert len(names) == len(set(names))
        for mistake in exercise.misconceptions:
            assert len(mistake.hint) >= 30, mistake.name
            assert "```" not in mistake.hint


@chapters
def test_no_line_within_a_paragraph_begins_as_a_list_does(chapter: Chapter) -> None:
    """Such a line, "1. That is", would be shown as an item of a list."""
    path = REPOSITORY_ROOT / "notebooks" / chapter.name / f"{chapter.name}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    lessons = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    for block in re.sub(r"^> ?", "", lessons, flags=re.MULTILINE).split("\n\n"):
        first, *others = block.strip("\n").split("\n")
        if not re.match(r"\s*([-+*] |\d+[.)] |[|<#`$])", first):
            assert [line for line in others if re.match(r"([-+*]|\d+[.)]) ", line)] == []


@pytest.mark.slow
@chapters
def test_learners_fixtures_are_what_the_chapter_says(chapter: Chapter) -> None:
    learners = exam_files.all_exams()
    for name, exam in set_exams(chapter, VISIBLE_SEED).items():
        assert list(learners[name].hints.items()) == list(exam.hints.items())  # of two that explain all, the first wins
        assert [trial.name for trial in learners[name].trials] == [trial.name for trial in exam.trials]
        given = answers(learners[name], chapter.namespace()[name])
        assert diagnosis.examine(learners[name], given, Check.OUTPUTS) is None


@pytest.mark.slow
@chapters
def test_two_known_mistakes_at_once_are_named_together(chapter: Chapter) -> None:
    learners = exam_files.all_exams()
    for name, exercise in chapter.exercises.items():
        exam, mistakes = learners[name], {mistake.name: mistake for mistake in exercise.misconceptions}
        pairs = exam.pairs.names if isinstance(exam.pairs, KnownPairs) else ()
        for one, other in pairs[:: max(1, len(pairs) - 1)]:
            source = with_both(chapter.reference[name], mistakes[one], mistakes[other])
            assert source is not None
            given = answers(exam, chapter.namespace({name: source})[name])
            finding = diagnosis.examine(exam, given, Check.OUTPUTS, source)
            assert finding is not None
            assert set(apart(finding.misconception or "")) <= mistakes.keys()
            assert exam.pairs is not None
            assert (one, other) in list(exam.pairs.found(exam, given))


@pytest.mark.parametrize(
    "name",
    [
        *("concat_heads", "split_heads", "merge_heads", "MultiHeadAttention", "fuse_heads", "from_torch"),
        *("FastMultiHeadAttention", "attention_without", "head_importance"),
    ],
)
def test_an_exercise_about_the_order_of_heads_has_a_case_with_three_or_more(name: str) -> None:
    """Of two heads, too many orders are right by chance."""
    chapter = next(chapter for chapter in CHAPTERS if name in chapter.exercises)
    for seed in range(20):
        heads = []
        for case in chapter.exercises[name].cases:
            draw = Draw(str(seed), chapter.name, name, case.name)
            case.draw(draw)
            heads.append(draw.sizes_by_name.get("num_heads", 0))
        assert max(heads) > 2


@chapters
def test_the_judge_draws_other_numbers_than_the_learner_sees(chapter: Chapter) -> None:
    for name, exercise in chapter.exercises.items():
        visible, secret = (
            [case.draw(Draw(seed, chapter.name, name, case.name)) for case in exercise.cases]
            for seed in (VISIBLE_SEED, SECRET)
        )
        if not any(call.inputs for call in visible):
            continue  # a question without inputs is the same for everybody
        assert list(map(_numbers, visible)) != list(map(_numbers, secret)), name


@chapters
def test_sizes_of_a_case_are_all_different(chapter: Chapter) -> None:
    for exam in exam_files.exams_by_chapter()[chapter.name].values():
        for trial in exam.trials:
            sizes = list(trial.sizes.values())
            assert len(sizes) == len(set(sizes)), f"{exam.exercise}, {trial.name}: {trial.sizes}"


def _fractions(value: object) -> Iterator[float]:
    if isinstance(value, float):
        yield from [value] * (value % 1 != 0)
    elif isinstance(value, dict):
        yield from _fractions(list(value.values()))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _fractions(item)


def _in_sight(frame: FrameType | None) -> Iterator[float]:
    """Yield the floats that called code can find in the frames above it, up to the probe's, and in their objects."""
    held: list[object] = []
    while frame is not None:
        held += frame.f_locals.values()
        frame = None if frame.f_code is probe.run.__code__ else frame.f_back
    known: set[int] = set()
    while held:
        thing = held.pop()
        everybodys = isinstance(thing, dict) and "__spec__" in thing  # the names of a module
        if id(thing) in known or everybodys or isinstance(thing, (type, ModuleType, torch.Tensor, CodeType)):
            continue
        known.add(id(thing))
        yield from _fractions(thing)
        held += gc.get_referents(thing)


@pytest.mark.slow
@chapters
def test_a_number_that_is_asked_for_lies_nowhere_in_sight(chapter: Chapter) -> None:
    for exam in set_exams(chapter, VISIBLE_SEED).values():
        for trial in exam.trials:
            wanted = set(_fractions(trial.right.value))
            if not wanted or trial.call.init is not None:  # a layer gives back some of what it was made with
                continue
            seen: set[float] = set()

            def looks(*inputs: object, seen: set[float] = seen) -> None:
                seen.update(_in_sight(sys._getframe()))

            probe.run(looks, trial.call, exam.probe)
            near = {number for number in wanted for other in seen if abs(number - other) < 1e-6}
            assert near == set(), f"{exam.exercise}, {trial.name}"


def test_the_course_has_the_misconceptions_and_alternatives_it_promises(capsys: pytest.CaptureFixture[str]) -> None:
    misconceptions = sum(len(list(chapter.misconceptions())) for chapter in CHAPTERS)
    alternatives = sum(len(list(chapter.alternatives())) for chapter in CHAPTERS)
    with capsys.disabled():
        print(f"\n{len(CHAPTERS)} chapters: {misconceptions} misconceptions, {alternatives} valid alternatives")
    assert misconceptions >= 100
    assert alternatives >= 40
