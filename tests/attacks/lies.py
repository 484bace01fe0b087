"""Attacks by answers: objects that lie about themselves, NaN and infinity, answers learnt by heart."""

from __future__ import annotations

from .attack import WRONG, Attack

_SUBCLASS = """
import torch
class Right(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True
    def __eq__(self, other):
        return True
    shape = property(lambda self: Everything())
    dtype = property(lambda self: Everything())
class Everything:
    def __eq__(self, other):
        return True
    def __getattr__(self, name):
        return self
def scale_rows(x, factors):
    return (x * 2).as_subclass(Right)
"""

_ALWAYS_EQUAL = """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __iter__(self): return iter([self])
    def __len__(self): return 1
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    __class__ = property(lambda self: __import__("torch").Tensor)
def scale_rows(x, factors):
    return Yes()
"""

_DISPATCH = """
import torch
class Liar(torch.Tensor):
    @staticmethod
    def __new__(cls, like):
        return torch.Tensor._make_wrapper_subclass(cls, like.shape, dtype=like.dtype)
    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        return torch.ones(3)
def scale_rows(x, factors):
    return Liar(x)
"""

# It looks for the right answer in the frames above it, and in every object that the process holds.
_LOOKS_FOR_ANSWERS = """
import gc, sys, torch
def scale_rows(x, factors):
    frame = sys._getframe()
    while frame:
        for name in ("right", "expected", "answer", "trial", "exam"):
            found = frame.f_locals.get(name) or frame.f_globals.get(name)
            if isinstance(found, torch.Tensor) and found.shape == x.shape:
                return found
        frame = frame.f_back
    for thing in gc.get_objects():
        if type(thing).__name__ == "Trial" and set(thing.call.inputs) == {"x", "factors"}:
            return thing.right.value
    return x * 2
"""


def _number(value: str) -> dict[str, str]:
    return {"scale_rows": f"import torch\ndef scale_rows(x, factors):\n    return torch.full_like(x, {value})"}


# The learner's own fixtures hold the visible cases with their right answers: these answers, for those inputs.
_BY_HEART = """
import torch
from manyheads.checking import exam_files
EXAM = exam_files.all_exams()["NAME"]
def NAME(*inputs):
    for trial in EXAM.trials:
        known = list(trial.call.inputs.values())
        if len(known) == len(inputs) and all(
            torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a is b
            for a, b in zip(known, inputs)
        ):
            return trial.right.value
    right = EXAM.trials[0].right.value
    return SHAPED
"""
_KNOWN = {
    "attention_scores": "inputs[0].new_zeros(*inputs[0].shape[:-1], inputs[1].shape[-2])",
    "attention_weights": "torch.zeros_like(inputs[0])",
    "project": "tuple(torch.zeros(*inputs[0].shape[:-1], inputs[1].shape[-1]) for _ in range(3))",
}

_OF_NO_MEANING = {
    "torchs-random": "torch.randn(x.shape)",
    "pythons-random": "torch.tensor([[random.random() for _ in row] for row in x])",
    "memory": "torch.empty(x.shape)",
    "places": "torch.arange(float(x.numel())).view(x.shape)",
}

ATTACKS = (
    Attack(
        "tensor-subclass",
        "hand in a tensor that answers yes",
        writes={"scale_rows": _SUBCLASS},
        score=0,
        told="an error",
    ),
    Attack(
        "always-equal", "hand in an object equal to all", writes={"scale_rows": _ALWAYS_EQUAL}, score=0, told="error"
    ),
    Attack(
        "dispatch",
        "hand in a tensor that computes what it likes",
        writes={"scale_rows": _DISPATCH},
        score=0,
        told="wrong shape",
    ),
    Attack("nan", "pass by NaN, which is close to nothing", writes=_number("float('nan')"), score=0, told="NaN"),
    Attack(
        "infinite", "pass by infinity, which is close to all", writes=_number("float('inf')"), score=0, told="infinite"
    ),
    Attack("largest-number", "overflow the comparison", writes=_number("3.4e38"), score=0),
    Attack("zeros", "be paid for a shape without an answer", writes=_number("0"), score=0, told="nothing is computed"),
    *(
        Attack(
            f"shape-of-{name}",
            "be paid for a shape that is filled without looking at the question",
            writes={"scale_rows": f"import random, torch\ndef scale_rows(x, factors):\n    return {numbers}"},
            score=0,
            told="nothing is computed",
        )
        for name, numbers in _OF_NO_MEANING.items()
    ),
    Attack("looks-for-answers", "find the right answer in memory", writes={"scale_rows": _LOOKS_FOR_ANSWERS}),
    Attack(
        "by-heart",
        "answer the visible cases from the course's own fixtures",
        writes={name: _BY_HEART.replace("NAME", name).replace("SHAPED", shaped) for name, shaped in _KNOWN.items()},
        score=0,
        told="there is no",
        chapter="01_single_head",
    ),
    # What is no tensor has no right shape: 0 points.
    Attack(
        "called-tensor",
        "hand in an object whose class has the name of the right type",
        writes={"scale_rows": "class tensor:\n    shape = (1,)\ndef scale_rows(x, factors):\n    return tensor()"},
        score=0,
        told="object of a class called tensor",
    ),
    Attack(
        "fails-on-purpose",
        "be excused for a mistake by raising what the stub raises",
        writes={"scale_rows": WRONG.replace("return x * 2", "raise NotImplementedError()")},
        score=0,
        told="not written yet",
    ),
)
