"""Says up to which line of a learner's code all is right, where no known mistake explains a wrong answer.

The steps that a failing call went through (`manyheads.calling.steps`) are compared with the milestones of the reference
solution, whatever the learner's names are. Steps come from the learner's process: they can make this say something
strange to their own author, and nothing else. Of a line it is never said that it is wrong: another way may be as right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..calling.call import Answer
from ..calling.cause import tensors_in
from ..calling.steps import Recording, Step
from .comparison import first_divergence, same, tolerance, wrong_outputs
from .diagnosis import Finding
from .exam import Check, Exam, Trial
from .milestones import RESIZED, SAME, SHUFFLED, TURNED, Candidate, Match, Milestone, match
from .stage import Stage
from .wording import joined

# The answer and the steps of each of an exam's calls.
Recorded = Sequence[tuple[Answer, Recording]]

STAGES = (Stage.VALUES, Stage.SHAPE, Stage.FINITE, Stage.COUNT)  # where an answer departs in what was computed
_MOST_NAMED = 3  # lines in one sentence
_WHENCE_NAN = "NaN comes of 0/0, of ∞ − ∞ or ∞/∞, and of a negative number's logarithm or root."
_MOST_STACKED = 64  # rounds of a loop

# A place in the code that makes a tensor: line, source, function, name, which one of the line's.
Site = tuple[int, str, str, str, int]
ONCE, LAST, TOGETHER = "once", "last", "together"  # how a line that runs in rounds gives a tensor


@dataclass(frozen=True)
class _Found:
    """A milestone in the learner's code."""

    site: Site
    rounds: str
    how: str


@dataclass(frozen=True)
class _Case:
    """A case in which the answer departs."""

    exam: Exam
    trial: Trial
    given: Answer
    recording: Recording

    @cached_property
    def known(self) -> dict[str, Milestone]:
        """The milestones by key."""
        return {milestone.key: milestone for milestone in self.trial.milestones}

    @cached_property
    def wrong_outputs(self) -> frozenset[int]:
        """The places of the outputs that are wrong."""
        return wrong_outputs(self.exam, self.trial, self.given)

    @cached_property
    def sites(self) -> dict[tuple[Site, str], Tensor]:
        """What each site gave: at once, in its last round, or in all its rounds together."""
        by_site: dict[Site, list[Tensor]] = {}
        for step in self.recording.steps:
            by_site.setdefault(_site(step), []).append(step.value)
        found: dict[tuple[Site, str], Tensor] = {}
        for site, values in by_site.items():
            if len(values) == 1:
                found[site, ONCE] = values[0]
                continue
            if not site[3]:  # a part of an expression: which of its rounds is right does not matter
                found |= {(site, f"{ONCE} {place}"): value for place, value in enumerate(values)}
                found[site, ONCE] = values[-1]
            found[site, LAST] = values[-1]
            alike = all((value.shape, value.dtype) == (values[0].shape, values[0].dtype) for value in values)
            if alike and len(values) <= _MOST_STACKED:
                found[site, TOGETHER] = torch.stack(values)
        return found

    @cached_property
    def _candidates(self) -> dict[int, Candidate]:
        return {id(value): Candidate(value) for value in self._values}

    @cached_property
    def _compared(self) -> dict[tuple[str, int], Match | None]:
        return {}

    @property
    def _values(self) -> list[Tensor]:
        return [*(step.value for step in self.recording.steps), *self.sites.values()]

    def matches(self, key: str) -> dict[Site, tuple[str, Match]]:
        """Return the sites that give a milestone's numbers, and how: the best way of each."""
        found: dict[Site, tuple[str, Match]] = {}
        for (site, rounds), value in self.sites.items():
            one = self._match(self.known[key], value)
            if one is not None and (site not in found or found[site][1].how == SHUFFLED):
                found[site] = rounds.split()[0], one
        return found

    def _match(self, milestone: Milestone, value: Tensor) -> Match | None:
        key = milestone.key, id(value)
        if key not in self._compared:
            dtype = value.dtype if value.is_floating_point() else torch.float32
            self._compared[key] = match(milestone, self._candidates[id(value)], *tolerance(self.exam, dtype))
        return self._compared[key]

    def returns(self, key: str) -> bool:
        """Return whether an output, as it was returned, has the milestone's numbers."""
        place, value = self.known[key].output, self.given.value
        several = len(self.exam.returns) > 1 and isinstance(value, (tuple, list))
        returned = list(value)[place : (place or 0) + 1] if several and isinstance(value, (tuple, list)) else [value]
        tensors = [one for one in returned if isinstance(one, Tensor) and not one.is_meta]
        closeness = tolerance(self.exam, torch.float32)
        return any(match(self.known[key], Candidate(one), *closeness) is not None for one in tensors)

    def gives(self, key: str, *, exactly: bool = False, anyhow: bool = False) -> bool:
        """Return whether any step, in whatever round, is the milestone, its dimensions in whatever order.

        Args:
            exactly: the dimensions must have the milestone's order.
            anyhow: the same numbers are enough.
        """
        hows = {SAME} if exactly else {SAME, TURNED, RESIZED, SHUFFLED} if anyhow else {SAME, TURNED, RESIZED}
        found = (self._match(self.known[key], value) for value in self._values)
        return any(one is not None and one.how in hows for one in found)


def explained(finding: Finding, exam: Exam, answers: Sequence[Answer], recorded: Recorded) -> Finding:
    """Return the finding with what the learner's lines say of it, where nothing else explains it.

    Args:
        exam: with its milestones, if there are any.
        answers: those that the finding is about.
        recorded: what came of the same calls, made once more. Nothing is said where their answers differ.
    """
    if not (is_unexplained(finding) and may_tell(finding, exam) and len(recorded) == len(exam.trials)):
        return finding
    if not all(
        same(exam, trial, replace(before, gradients=None), again)  # which are not asked for again
        for trial, before, (again, _) in zip(exam.trials, answers, recorded, strict=True)
    ):
        return finding
    said = explain(exam, recorded)
    nan = _first_nan(exam, recorded) if finding.stage == Stage.FINITE else ""
    if not (said.text or nan):
        return finding
    told = tuple(filter(None, (nan, said.text)))
    return replace(finding, message=replace(finding.message, further=told, group=said.group))


def _first_nan(exam: Exam, recorded: Recorded) -> str:
    """Return which line is the first to give NaN, in the first case whose answer holds one; "" if none is seen."""
    for trial, (given, recording) in zip(exam.trials, recorded, strict=True):
        if not _departs(exam, trial, given) or not any(map(_holds_nan, tensors_in([given.value]))):
            continue
        step = next((step for step in recording.steps if _holds_nan(step.value)), None)
        if step is None:
            return ""
        where = _line(exam, _site(step))
        return f"{where} is the first to give NaN. {_WHENCE_NAN}"
    return ""


def _holds_nan(value: Tensor) -> bool:
    return value.is_floating_point() and not value.is_meta and bool(value.isnan().any())


def departing(exam: Exam, answers: Sequence[Answer]) -> tuple[int, ...]:
    """Return the places of the cases whose lines are worth watching.

    The answer departs, and milestones are known or there is NaN in it.
    """
    return tuple(
        place
        for place, (trial, given) in enumerate(zip(exam.trials, answers, strict=True))
        if (trial.milestones or any(map(_holds_nan, tensors_in([given.value])))) and _departs(exam, trial, given)
    )


def of_all(answers: Sequence[Answer], places: Sequence[int], recorded: Recorded) -> Recorded:
    """Return what was recorded in the first of some cases, with the answers that were there before in all others."""
    made = dict(zip(places, recorded, strict=False))
    others = (replace(given, gradients=None) for given in answers)
    return [made.get(place, (given, Recording())) for place, given in enumerate(others)]


def _departs(exam: Exam, trial: Trial, given: Answer) -> bool:
    return given.failure is None and first_divergence(exam, _without_gradients(trial), given, Check.OUTPUTS) is not None


def is_unexplained(finding: Finding) -> bool:
    """Return whether numbers or shapes are wrong, and neither a known mistake nor anything else says why."""
    return not finding.misconception and not finding.message.further and finding.stage in STAGES


def may_tell(finding: Finding, exam: Exam) -> bool:
    """Return whether the lines may tell anything: there are milestones, or a first NaN may be found."""
    return finding.stage == Stage.FINITE or any(trial.milestones for trial in exam.trials)


@dataclass(frozen=True)
class Said:
    """What can be said of a wrong answer's steps: a text, and a phrase that answers like it share, both "" if nothing.

    The phrase contains nothing that a learner has written.
    """

    text: str = ""
    group: str = ""


def explain(exam: Exam, recorded: Recorded) -> Said:
    """Say up to where the code is right and what should come next, as far as that can be told.

    What is said is true of the first case in which the answer departs, and no other such case that was watched
    contradicts it. Where it need not be true of all cases, it says which it is about. One case alone, where there are
    more, is not enough: numbers may be alike by chance.

    Args:
        recorded: the answer and the steps in each of the exam's trials; no steps in those that were not watched.
    """
    departing = [
        _Case(exam, trial, given, recording)
        for trial, (given, recording) in zip(exam.trials, recorded, strict=True)
        if trial.milestones and _departs(exam, trial, given)
    ]
    cases = [case for case in departing if case.recording != Recording()]
    return _Explanation(exam, cases).said() if len(cases) >= min(2, max(1, len(departing))) else Said()


def _without_gradients(trial: Trial) -> Trial:
    return replace(trial, right=replace(trial.right, gradients=None))


class _Explanation:
    def __init__(self, exam: Exam, cases: Sequence[_Case]) -> None:
        self._exam, self._cases, self._shown = exam, cases, cases[0]
        self._known = self._shown.known
        self._matches = {key: [case.matches(key) for case in self._knowing(key)] for key in self._known}
        self._reached = {key: found for key in self._known if (found := self._find(key)) is not None}
        self._wrong = [key for key, one in self._known.items() if one.output in self._shown.wrong_outputs]

    def said(self) -> Said:
        """Return all that can be said."""
        unreturned = [key for key in self._wrong if key in self._reached and self._reached[key].how == SAME]
        if unreturned:
            # Numbers may be close enough to be recognised, and the answer wrong all the same, by its type for one.
            if any(self._shown.returns(key) for key in unreturned):
                return Said()
            sentences = [*self._right(unreturned[:1]), "Your code returns something else in that place."]
            return self._introduced(unreturned, sentences)
        missing = self._missing()
        if missing is None:
            last = [key for key in self._reached if not self._passed_by(key)][-1:]
            return self._introduced(last, self._right(last)) if last and self._wrong else Said()
        before = self._before(missing)
        # What is right already and leads nowhere yet, where nothing of it leads to what is missing.
        right = before or [key for key in self._reached if not self._passed_by(key)]
        if not right and self._known[missing].output is not None:
            return Said()
        everywhere = self._everywhere([*right, missing])
        following = self._next(missing, right, before, self._cases if everywhere else [self._shown])
        sentences = [*self._right(right), following, *self._candidate(missing, right)]
        return self._introduced([*right, missing], sentences)

    def _before(self, key: str) -> list[str]:
        """Return the last of the milestones that this one is computed from and that the code reaches."""
        before = [other for other in self._known[key].after if other in self._reached]
        return [one for one in before if not any(one in self._known[other].after for other in before)]

    def _knowing(self, key: str, *, apart: bool = False) -> list[_Case]:
        """Return the cases in which a milestone is known; `apart`: and is not the same as another one."""
        known = [case for case in self._cases if key in case.known]
        return [case for case in known if not case.known[key].doubled] if apart else known

    def _find(self, key: str) -> _Found | None:
        """Return where the learner's code gives a milestone, the same place in all cases."""
        first, *others = self._matches[key]
        rearranged = any(case.known[key].rearranged for case in self._knowing(key))
        found = []
        for site, (rounds, one) in first.items():
            hows = {one.how, *(other[site][1].how if site in other else SHUFFLED for other in others)}
            # A dimension of size 1 in one case alone may lie in any place.
            how = next(how for how in (SHUFFLED, RESIZED, TURNED, SAME) if how in hows)
            if {RESIZED, TURNED} <= hows:  # neither is true of all cases
                how = SHUFFLED
            if how == SAME or (how != SHUFFLED and not rearranged):
                found.append(_Found(site, rounds, how))
        ranks = [SAME, RESIZED, TURNED, ONCE, LAST, TOGETHER]
        # Stable: of those that are alike, the first one.
        found.sort(key=lambda one: (ranks.index(one.how), ranks.index(one.rounds), not one.site[3]))
        return found[0] if found else None

    def _missing(self) -> str | None:
        """Return the first milestone on the way to a wrong output that no line gives, where all before it is plain."""
        way = {key for wrong in self._wrong for key in (wrong, *self._known[wrong].after)}
        for key in (key for key in self._known if key in way):
            if key in self._reached or self._passed_by(key):
                continue
            if self._known[key].optional and not self._before(key):
                continue
            # Of what was not recorded to the end, nothing can be called missing.
            knowing = [case for case in self._knowing(key, apart=True) if case.recording.complete]
            if self._shown not in knowing:
                return None
            if not any(case.gives(key) for case in knowing):
                return key
            if not any(case.known[key].rearranged for case in knowing):
                return None
            if self._known[key].output is not None:
                return key if not any(case.gives(key, exactly=True) for case in knowing) else None
            # It may be there in an order of the learner's own: nothing is said of it.
        return None

    def _passed_by(self, key: str) -> bool:
        """Return whether the learner's code reaches something for which the reference needs this milestone."""
        return any(key in self._known[other].after for other in self._reached)

    def _everywhere(self, keys: Sequence[str]) -> bool:
        """Return whether what is said of milestones is about every case of the exercise."""
        return len(self._cases) == len(self._exam.trials) and all(
            case.wrong_outputs == self._shown.wrong_outputs
            and case.recording.complete
            and all(key in case.known and not case.known[key].doubled for key in keys)
            and all(self._has_that_shape(case, key) for key in keys)
            for case in self._cases
        )

    def _introduced(self, keys: Sequence[str], sentences: Sequence[str]) -> Said:
        text = " ".join(sentences)
        if not self._everywhere(keys):
            text = f"In the case of {self._shown.trial.name}: {text[:1].lower()}{text[1:]}"
        reached = [key for key in keys if key in self._reached]
        if not reached:
            return Said(text, f"not right up to {self._known[keys[0]].words}")
        words = self._known[reached[-1]].words
        unreturned = reached[-1] in self._wrong
        return Said(text, f"has {words}, returns something else" if unreturned else f"right up to {words}")

    def _right(self, keys: Sequence[str]) -> list[str]:
        """Say which lines give the right numbers, one sentence for all."""
        parts: list[tuple[str, str]] = []  # of a sentence: the line with its verb, and what it gives
        for key in keys[-_MOST_NAMED:]:
            found, milestone = self._reached[key], self._known[key]
            words = milestone.words.replace("the ", "the right ", 1)
            dimensions = self._dimensions(key)
            how = {SAME: "", RESIZED: ", but for dimensions of size 1", TURNED: ", its dimensions in another order"}
            rounds = {ONCE: "", LAST: " in its last round", TOGETHER: " in all its rounds together"}[found.rounds]
            turned = how[found.how] if found.rounds != TOGETHER else ""
            if self._is_whole(found.site):
                parts.append((f"{self._line(found.site)} gives", f"{words}{dimensions}{turned}{rounds}"))
            else:
                parts.append((f"{self._line(found.site)} computes", f"{words}{dimensions}{turned} on the way{rounds}"))
        if not parts:
            return []
        by_line: dict[str, list[str]] = {}
        for line, given in parts:
            by_line.setdefault(line, []).append(given)
        told = [f"{line} {', and '.join(given)}" for line, given in by_line.items()]
        return [f"{_and(told)}."]

    def _next(self, key: str, right: Sequence[str], before: Sequence[str], cases: Sequence[_Case]) -> str:
        """Say what comes next, and where the same numbers lie otherwise."""
        rows = all(case.known[key].rows_sum_to_one for case in cases)
        lead = "Next should come" if before else "Beside that, there should be" if right else "First should come"
        if self._known[key].optional:
            lead = "The course's solution goes on to"
        what = f"{lead} {self._known[key].words}{self._dimensions(key)}"
        what += ", each row of which sums to 1" if rows else ""
        shuffled = next((site for site in self._matches[key][0] if self._shuffled(key, site)), None)
        if shuffled is not None and not any(case.gives(key) for case in cases):
            return f"{what}. {self._line(shuffled)} gives these numbers, but in another arrangement."
        anyhow = any(case.gives(key, anyhow=True) for case in cases)
        return f"{what}; none of your lines gives these numbers{' in this arrangement' if anyhow else ''}."

    def _shuffled(self, key: str, site: Site) -> bool:
        return all(site in found and found[site][0] == ONCE for found in self._matches[key])

    def _candidate(self, key: str, right: Sequence[str]) -> Iterator[str]:
        """Say what else has the milestone's shape, where one line after those that are right does."""
        if self._matches[key][0]:  # there is a line that gives these numbers in some arrangement
            return
        last = max((self._order(self._reached[other].site) for other in right), default=-1)
        taken = {found.site for found in self._reached.values()}
        shapes = [case.known[key].shape for case in self._knowing(key)]
        found: list[tuple[Site, list[Tensor]]] = []
        for site, rounds in self._shown.sites:
            if rounds != ONCE or not self._is_whole(site) or site in taken or self._order(site) <= last:
                continue
            values = [case.sites.get((site, rounds)) for case in self._knowing(key)]
            there = [value for value in values if value is not None]
            handed_on = any(all(map(torch.equal, there, values)) for _, values in found)  # such as by `return weights`
            if [tuple(value.shape) for value in there] == shapes and not handed_on:
                found.append((site, there))
        if len(found) == 1:
            site, values = found[0]
            yield f"{self._line(site)} gives numbers of that shape{self._sums(key, values)}."

    def _sums(self, key: str, values: Sequence[Tensor]) -> str:
        if not all(case.known[key].rows_sum_to_one for case in self._knowing(key)):
            return ", but others"
        rows, columns = (all(sums_to_one(value, dim) for value in values) for dim in (-1, -2))
        if rows:
            return ", whose rows sum to 1, but others"
        return ", whose columns sum to 1 and not its rows" if columns else ", whose rows do not all sum to 1"

    def _is_whole(self, site: Site) -> bool:
        """Return whether a tensor is what its line binds or returns, and not a part of it."""
        line, source, function, name, place = site
        places = [other[4] for other, _ in self._shown.sites if other[:3] == (line, source, function)]
        once = (site, LAST) not in self._shown.sites
        return bool(name) or (once and source.startswith("return") and place == max(places))

    def _order(self, site: Site) -> int:
        return next(index for index, step in enumerate(self._shown.recording.steps) if _site(step) == site)

    def _line(self, site: Site) -> str:
        return _line(self._exam, site)

    def _dimensions(self, key: str) -> str:
        """Return a milestone's shape in words, with a comma before them."""
        shape = self._named(key)
        return f", ({', '.join(shape)}{',' if len(shape) == 1 else ''})" if shape else ""

    def _named(self, key: str) -> list[str]:
        """Return a milestone's dimensions, by the names of the sizes that fit in every case: some may coincide."""
        shape = self._known[key].shape
        alike = [
            (milestone.shape, trial.sizes)
            for trial in self._exam.trials
            for milestone in trial.milestones
            if milestone.key == key and len(milestone.shape) == len(shape)
        ]
        found = [
            next(
                (
                    name
                    for name in self._shown.trial.sizes
                    if all(of[place] == sizes.get(name, of[place]) for of, sizes in alike)
                ),
                str(size),
            )
            for place, size in enumerate(shape)
        ]
        return [f"{shape[0]} rounds", *found[1:]] if self._known[key].stacked else found

    def _has_that_shape(self, case: _Case, key: str) -> bool:
        """Return whether the dimensions that `_named` gives are those of another case too."""
        return case.known[key].shape == tuple(case.trial.sizes.get(name) for name in self._named(key))


def _line(exam: Exam, site: Site) -> str:
    line, source, function = site[:3]
    where = "" if function in (exam.exercise, f"{exam.exercise}.forward") else f" of {function[:60]}"
    shown = source.replace("`", "'")[:60]
    return f"Line {line}{where}, `{shown}`," if shown else f"Line {line}{where}"


def _site(step: Step) -> Site:
    return step.line, step.source, step.function, step.name, step.place


def sums_to_one(value: Tensor, dim: int) -> bool:
    """Return whether all sums along `dim` are 1."""
    if value.dim() < 2 or not value.is_floating_point():
        return False
    sums = value.double().sum(dim=dim)
    return bool((sums - 1).abs().max() < 1e-3)


def _and(parts: Sequence[str]) -> str:
    """Return the parts as one sentence: "Line 4 gives …, line 5 gives … and line 6 gives …"."""
    return joined([part if place == 0 else f"l{part[1:]}" for place, part in enumerate(parts)])
