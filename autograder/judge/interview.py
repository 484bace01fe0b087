"""The way into a learner's kernel: an exam's questions as bytes, and the answers that came back, which may be anything.

`autograder.nbgrader_steps.execute` runs the expressions that are made here in the kernel, and decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from safetensors import SafetensorError

from manyheads.calling import wire
from manyheads.calling.call import Answer, Failure
from manyheads.checking.exam import Exam

from ..sandbox.mailbox import Letters

_PROBE = '__import__("manyheads.calling.probe", fromlist=["respond"]).respond({request!r}, {answer!r})'
_GRANT = '__import__("manyheads.earlier", fromlist=["grant"]).grant({request!r})'


class Interview:
    """Puts questions to one kernel.

    Args:
        letters: the two files through which questions and answers go.
        granted: source by exercise: the stand-ins of earlier chapters that the kernel may use.
        most: bytes that an answer may have.
    """

    def __init__(self, letters: Letters, granted: Mapping[str, str], most: int) -> None:
        self._letters, self._granted, self._most = letters, granted, most

    def grant(self) -> str:
        """Write down what earlier chapters built. Return the expression that gives it to the kernel."""
        self._letters.ask(wire.dumps(dict(self._granted), {}))
        return _GRANT.format(request=self._letters.request_path)

    def put(self, exam: Exam, stand_ins: Mapping[str, str]) -> None:
        """Write down an exam's questions.

        Args:
            stand_ins: source by exercise, for what is lent.

        Raises:
            OSError: if there is no room for them.
        """
        self._letters.ask(_questions(exam, tuple(stand_ins.items()), tuple(self._granted)))

    def probe(self) -> str:
        """Return the expression that has the questions read and answered."""
        return _PROBE.format(request=self._letters.request_path, answer=self._letters.answer_path)

    def has_begun(self) -> bool:
        """Return whether an answer came back, be it the beginning of one."""
        return self._letters.is_answered()

    def read(self, exam: Exam) -> Sequence[Answer]:
        """Return the answers that came back, one for each of the exam's trials."""
        try:
            given, tensors = wire.loads(self._letters.answer(self._most), self._most)
            answers = [wire.Unpacker(tensors).answer(packed) for packed in given["answers"]]
        except (wire.WireError, SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError) as error:
            return nothing_came(exam, error)
        if len(answers) != len(exam.trials):
            return no_answer(exam, "NoAnswer", f"{len(answers)} answers came to {len(exam.trials)} questions")
        return answers


def nothing_came(exam: Exam, error: Exception) -> Sequence[Answer]:
    """Return the answers of a kernel from which nothing came that can be judged."""
    return no_answer(exam, "NoAnswer", f"nothing that can be judged came back ({error})")


def no_answer(exam: Exam, kind: str, why: str) -> Sequence[Answer]:
    """Return the same failure for each of the exam's trials."""
    return [Answer(failure=Failure(kind, why))] * len(exam.trials)


@lru_cache(maxsize=64)
def _questions(exam: Exam, stand_ins: tuple[tuple[str, str], ...], granted: tuple[str, ...]) -> bytes:
    """Return an exam's questions as `manyheads.calling.probe` reads them: the same for every submission."""
    document = {"exercise": exam.exercise, "probe": exam.probe, "stand_ins": dict(stand_ins)}
    packer = wire.Packer()
    document["calls"] = [packer.call(trial.call) for trial in exam.trials]
    document["forbids"], document["granted"] = list(exam.forbids), list(granted)
    return wire.dumps(document, packer.tensors)
