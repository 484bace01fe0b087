"""Sends an exam's questions to a learner's kernel as bytes, and reads the answers, which may be malformed or hostile.

`autograder.nbgrader_steps.execute` runs in the kernel the expressions that this module makes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from safetensors import SafetensorError

from manyheads.calling import steps, wire
from manyheads.calling.call import Answer, Failure
from manyheads.checking.exam import Exam

from ..sandbox.mailbox import Mailbox

# The answers of a kernel, and the steps of each call.
Records = Sequence[tuple[Answer, steps.Recording]]

_UNREADABLE = (wire.WireError, SafetensorError, OSError, LookupError, TypeError, ValueError, RuntimeError)
_PROBE = '__import__("manyheads.calling.probe", fromlist=["respond"]).respond({request!r}, {answer!r})'
_GRANT = '__import__("manyheads.earlier", fromlist=["grant"]).grant({request!r})'


class Interview:
    """Exchanges questions and answers with one kernel.

    Args:
        mailbox: the two files for questions and answers.
        granted: source by exercise: the stand-ins of earlier chapters that the kernel may use.
        most: the maximum size of the answers, in bytes.
    """

    def __init__(self, mailbox: Mailbox, granted: Mapping[str, str], most: int) -> None:
        self._mailbox, self._granted, self._most = mailbox, granted, most

    def grant(self) -> str:
        """Write the stand-ins of earlier chapters, and return the expression that makes the kernel read them."""
        self._mailbox.ask(wire.dumps(dict(self._granted), {}))
        return _GRANT.format(request=self._mailbox.request_path)

    def put(self, exam: Exam, stand_ins: Mapping[str, str], *, records: bool = False) -> None:
        """Write an exam's questions.

        Args:
            stand_ins: source by exercise, for exercises that are replaced by a working version.
            records: whether to ask for the steps of each call too, see `read_records`.

        Raises:
            OSError: if there is no room for them.
        """
        self._mailbox.ask(questions(exam, tuple(stand_ins.items()), tuple(self._granted), records=records))

    def probe(self) -> str:
        """Return the expression that makes the kernel read and answer the questions."""
        return _PROBE.format(request=self._mailbox.request_path, answer=self._mailbox.answer_path)

    def has_begun(self) -> bool:
        """Return whether the kernel has started to answer."""
        return self._mailbox.is_answered()

    def read(self, exam: Exam) -> Sequence[Answer]:
        """Return the kernel's answers, one for each of the exam's trials. Unreadable answers become failures."""
        try:
            document, tensors = wire.loads(self._mailbox.answer(self._most), self._most)
            answers = [wire.Unpacker(tensors).answer(packed) for packed in document["answers"]]
        except _UNREADABLE as error:
            return unreadable(exam, error)
        if len(answers) != len(exam.trials):
            return no_answer(exam, "NoAnswer", f"there were {len(answers)} answers to {len(exam.trials)} questions")
        return answers

    def read_records(self, exam: Exam) -> Records:
        """Return the answers and their steps, for as many of the exam's trials as there was time for; none if they are
        unreadable.
        """
        most = min(self._most, len(exam.trials) * 2 * steps.MOST_BYTES)
        try:
            document, tensors = wire.loads(self._mailbox.answer(most), most)
            unpacker = wire.Unpacker(tensors)
            answers = [unpacker.answer(packed) for packed in document["answers"][: len(exam.trials)]]
            recorded = [steps.from_value(unpacker.value(packed)) for packed in document["recorded"][: len(exam.trials)]]
        except _UNREADABLE:
            return ()
        return tuple(zip(answers, recorded, strict=False))


def unreadable(exam: Exam, error: Exception) -> Sequence[Answer]:
    """Return failures in place of answers that could not be exchanged or read."""
    return no_answer(exam, "NoAnswer", f"your code's answers could not be read ({error})")


def no_answer(exam: Exam, kind: str, why: str) -> Sequence[Answer]:
    """Return the same failure for each of the exam's trials."""
    return [Answer(failure=Failure(kind, why))] * len(exam.trials)


@lru_cache(maxsize=64)
def questions(exam: Exam, stand_ins: tuple[tuple[str, str], ...], granted: tuple[str, ...], *, records: bool) -> bytes:
    """Return an exam's questions in the format of `manyheads.calling.probe`. They are the same for every submission."""
    packer = wire.Packer()
    document = {
        "exercise": exam.exercise,
        "probe": exam.probe,
        "stand_ins": dict(stand_ins),
        "calls": [packer.call(trial.call) for trial in exam.trials],
        "forbids": list(exam.forbids),
        "granted": list(granted),
        "records": records,
    }
    return wire.dumps(document, packer.tensors)
