"""Says up to which line of a learner's code all is right, where no known mistake explains a wrong answer.

The steps that a failing call went through (`manyheads.calling.steps`) are compared with the milestones of the reference
solution, whatever the learner's names are. Steps come from the learner's process: they can make this say something
strange to their own author, and nothing else. Of a line it is never said that it is wrong: another way may be as right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ..calling.call import Answer
from ..calling.steps import Recording, Step
from .comparison import first_divergence, right_outputs, tolerance
from .diagnosis import Finding
from .exam import OUTPUTS, Exam, Trial
from .milestones import RESIZED, SAME, SHUFFLED, TURNED, Candidate, Match, Milestone, match

# Makes an exam's calls once more, and returns the answer and the steps of each.
Record = Callable[[Exam], Sequence[tuple[Answer, Recording]]]

STAGES = ("values", "shape", "finite", "count")  # where an answer departs in what was computed
_MOST_NAMED = 3  # lines in one sentence
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

    def gives(self, key: str, *, exactly: bool = False) -> bool:
        """Return whether any step, in whatever round, is the milestone, or unless `exactly`, in another order."""
        found = (self._match(self.known[key], value) for value in self._values)
        return any(one is not None and (one.how == SAME or not (exactly or one.how == SHUFFLED)) for one in found)


def explained(finding: Finding | None, exam: Exam, record: Record) -> Finding | None:
    """Return the finding with what the learner's lines say of it, where nothing else explains it.

    Args:
        exam: with milestones.
        record: makes the exam's calls once more, and records them.
    """
    if finding is None or not is_unexplained(finding):
        return finding
    known = replace(exam, trials=tuple(trial for trial in exam.trials if trial.milestones))
    if exam.conceals or not known.trials:
        return finding
    text = explain(known, record(known), in_general=len(known.trials) == len(exam.trials))
    return replace(finding, message=replace(finding.message, further=(text,))) if text else finding


def is_unexplained(finding: Finding) -> bool:
    """Return whether numbers or shapes are wrong, and neither a known mistake nor anything else says why."""
    return not finding.misconception and not finding.message.further and finding.stage in STAGES


def explain(exam: Exam, recorded: Sequence[tuple[Answer, Recording]], *, in_general: bool = True) -> str:
    """Return up to where the code is right and what should come next; "" where that cannot be said.

    What is said is true of the first case in which the answer departs, and no other such case contradicts it.

    Args:
        recorded: the answer and the steps in each of the exam's trials.
        in_general: whether these are all cases of the exercise, so that it need not be said which are meant.
    """
    cases = [
        _Case(exam, trial, given, recording)
        for trial, (given, recording) in zip(exam.trials, recorded, strict=False)
        if first_divergence(exam, _without_gradients(trial), given, OUTPUTS) is not None
    ]
    return (
        _Explanation(exam, cases, in_general=in_general).text() if cases and len(recorded) == len(exam.trials) else ""
    )


def _without_gradients(trial: Trial) -> Trial:
    return replace(trial, right=replace(trial.right, gradients=None))


class _Explanation:
    def __init__(self, exam: Exam, cases: Sequence[_Case], *, in_general: bool) -> None:
        self._in_general = in_general
        self._exam, self._cases, self._shown = exam, cases, cases[0]
        self._known = self._shown.known
        self._matches = {key: [case.matches(key) for case in self._knowing(key)] for key in self._known}
        self._reached = {key: found for key in self._known if (found := self._find(key)) is not None}
        right = right_outputs(exam, self._shown.trial, self._shown.given)
        self._wrong = [key for key, one in self._known.items() if one.output is not None and not right[one.output]]

    def text(self) -> str:
        """Return all that can be said."""
        unreturned = [key for key in self._wrong if key in self._reached and self._reached[key].how == SAME]
        if unreturned:
            return self._introduced(unreturned, [*self._right(unreturned[:1]), self._not_returned(unreturned[0])])
        missing = self._missing()
        if missing is None:
            last = [key for key in self._reached if not self._leads_to_another(key)][-1:]
            return self._introduced(last, self._right(last)) if last and self._wrong else ""
        before = [key for key in self._known[missing].after if key in self._reached]
        before = [key for key in before if not any(key in self._known[other].after for other in before)]
        if not before:
            return ""
        said = [*self._right(before), *self._next(missing), *self._candidate(missing, before)]
        return self._introduced([*before, missing], said)

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
            knowing = self._knowing(key, apart=True)
            if (
                self._shown in knowing
                and all(case.recording.complete for case in knowing)
                and not any(case.gives(key) for case in knowing)
            ):
                return key
            if not any(case.known[key].rearranged for case in knowing):
                return None
            if self._known[key].output is not None:
                exactly = any(case.gives(key, exactly=True) for case in knowing)
                return key if not exactly and all(case.recording.complete for case in knowing) else None
            # It may be there in an order of the learner's own: nothing is said of it.
        return None

    def _passed_by(self, key: str) -> bool:
        """Return whether the learner's code reaches something for which the reference needs this milestone."""
        return any(key in self._known[other].after for other in self._reached)

    def _leads_to_another(self, key: str) -> bool:
        return self._passed_by(key)

    def _introduced(self, keys: Sequence[str], sentences: Sequence[str]) -> str:
        everywhere = self._in_general and all(len(self._knowing(key, apart=True)) == len(self._cases) for key in keys)
        text = " ".join(sentences)
        return text if everywhere else f"In this case: {text[:1].lower()}{text[1:]}"

    def _right(self, keys: Sequence[str]) -> list[str]:
        """Say which lines give the right numbers, one sentence for all."""
        parts = []
        for key in keys[-_MOST_NAMED:]:
            found, milestone = self._reached[key], self._known[key]
            words = milestone.words.replace("the ", "the right ", 1)
            dimensions = self._dimensions(key)
            how = {SAME: "", RESIZED: ", but for dimensions of size 1", TURNED: ", its dimensions in another order"}
            rounds = {ONCE: "", LAST: " in its last round", TOGETHER: " in all its rounds together"}[found.rounds]
            turned = how[found.how] if found.rounds != TOGETHER else ""
            if self._is_whole(found.site):
                parts.append(f"{self._line(found.site)} gives {words}{dimensions}{turned}{rounds}")
            else:
                parts.append(f"{self._line(found.site)} computes {words}{dimensions}{turned} on the way{rounds}")
        if not parts:
            return []
        return [f"{_and(parts)}."]

    def _not_returned(self, key: str) -> str:
        return "Your code returns something else in that place."

    def _next(self, key: str) -> Iterator[str]:
        """Say what should come next, and where the same numbers lie otherwise."""
        milestone = self._known[key]
        rows = all(case.known[key].rows_sum_to_one for case in self._knowing(key))
        what = f"{milestone.words}{self._dimensions(key)}" + (", each row of which sums to 1" if rows else "")
        shuffled = next((site for site in self._matches[key][0] if self._shuffled(key, site)), None)
        if any(case.gives(key) for case in self._knowing(key, apart=True)):
            yield f"Next should come {what}; none of your lines gives these numbers in this arrangement."
            return
        if shuffled is None:
            yield f"Next should come {what}; none of your lines gives these numbers."
            return
        line = self._line(shuffled)
        yield f"Next should come {what}. {line} gives these numbers, but in another arrangement."

    def _shuffled(self, key: str, site: Site) -> bool:
        return all(site in found and found[site][0] == ONCE for found in self._matches[key])

    def _candidate(self, key: str, before: Sequence[str]) -> Iterator[str]:
        """Say what the next line makes that gives a tensor of the milestone's shape."""
        if self._matches[key][0]:  # there is a line that gives these numbers in some arrangement
            return
        last = max(self._order(self._reached[other].site) for other in before)
        taken = {found.site for found in self._reached.values()}
        for site, rounds in self._shown.sites:
            values = [case.sites.get((site, rounds)) for case in self._knowing(key)]
            shapes = [case.known[key].shape for case in self._knowing(key)]
            if rounds != ONCE or not self._is_whole(site) or site in taken or self._order(site) <= last:
                continue
            there = [value for value in values if value is not None]
            if [tuple(value.shape) for value in there] == shapes:
                yield f"{self._line(site)} gives numbers of that shape{self._sums(key, there)}."
                return

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
        line, source, function = site[:3]
        exercise = self._exam.exercise
        where = "" if function in (exercise, f"{exercise}.forward") else f" of {function[:60]}"
        shown = source.replace("`", "'")[:60]
        return f"Line {line}{where}, `{shown}`," if shown else f"Line {line}{where}"

    def _dimensions(self, key: str) -> str:
        """Return a milestone's shape in the names of its sizes, those that fit in every case: sizes may coincide."""
        shape = self._known[key].shape
        alike = [
            (milestone.shape, trial.sizes)
            for trial in self._exam.trials
            for milestone in trial.milestones
            if milestone.key == key and len(milestone.shape) == len(shape)
        ]
        names = [
            next(
                (
                    name
                    for name in self._shown.trial.sizes
                    if all(of[place] in (1, sizes.get(name, of[place])) for of, sizes in alike)
                ),
                "",
            )
            for place in range(len(shape))
        ]
        inside = ", ".join(name or str(size) for name, size in zip(names, shape, strict=True))
        return f", ({inside}{',' if len(shape) == 1 else ''})" if shape else ""


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
    parts = [part if place == 0 else f"l{part[1:]}" for place, part in enumerate(parts)]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
