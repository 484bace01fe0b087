"""Attacks that change, in the learner's own process, the code that handles the judge's questions."""

from __future__ import annotations

from autograder.outcomes import Outcome

from .attack import Attack

_COMPARISON = """
import torch, manyheads.checking.comparison, manyheads.checking.diagnosis
manyheads.checking.comparison.first_divergence = manyheads.checking.diagnosis.first_divergence = lambda *a: None
manyheads.checking.diagnosis.examine = manyheads.checking.diagnosis.decide = lambda *a: (None, ())
torch.allclose = torch.isclose = torch.equal = lambda *a, **k: True
torch.testing.assert_close = lambda *a, **k: None
torch.Tensor.__eq__ = lambda a, b: True
"""

_TORCH = """
import torch
torch.Tensor.__mul__ = torch.Tensor.mul = lambda a, b: a
torch.rand = torch.randn = lambda *shape, **k: torch.zeros(*shape)
torch.manual_seed = lambda seed: None
torch.random.fork_rng = None
"""

_SAFETENSORS = """
import safetensors.torch, torch
safetensors.torch.save = lambda tensors, metadata=None: b"\\x00" * 100
safetensors.torch.load = lambda data: {}
"""

_PROBE = """
import manyheads.calling.probe, manyheads.calling.wire
def respond(request, answer, namespace=None):
    document, tensors = manyheads.calling.wire.load(__import__("pathlib").Path(request))
    passed = {"passed": True, "earned": 3, "stage": "passed"}
    manyheads.calling.wire.save(__import__("pathlib").Path(answer), {"answers": [passed] * len(document["calls"])}, {})
manyheads.calling.probe.respond = respond
"""

# The inputs, sent back as if they were the answer; then as many answers as it likes.
_ECHO = """
import manyheads.calling.probe, manyheads.calling.wire, pathlib
def respond(request, answer, namespace=None):
    document, tensors = manyheads.calling.wire.load(pathlib.Path(request))
    answers = [
        {"value": call["inputs"], "failure": None, "parameters": None, "changed": [], "gradients": None}
        for call in document["calls"]
    ]
    manyheads.calling.wire.save(pathlib.Path(answer), {"answers": answers * 50}, tensors)
manyheads.calling.probe.respond = respond
"""

_PICKLE = """
import manyheads.calling.probe, pickle
class Bomb:
    def __reduce__(self):
        return (open, ("/tmp/opened-by-the-judge", "w"))
def respond(request, answer, namespace=None):
    open(answer, "wb").write(pickle.dumps(Bomb()))
manyheads.calling.probe.respond = respond
"""

# An answer whose header is small bytes and large objects: a list of millions of empty lists.
_ANSWER_BOMB = """
import manyheads.calling.probe, json
def respond(request, answer, namespace=None):
    text = "[" + "[]," * 2_300_000 + "[]]"
    header = json.dumps({"__metadata__": {"document": '{"answers": %s}' % text}}).encode()
    open(answer, "wb").write(len(header).to_bytes(8, "little") + header)
manyheads.calling.probe.respond = respond
"""

_LONG_NAMES = """
import manyheads.calling.probe, manyheads.calling.wire, pathlib
def respond(request, answer, namespace=None):
    document, tensors = manyheads.calling.wire.load(pathlib.Path(request))
    kind = "E"
    answers = [
        {"value": None, "failure": [kind, "\\x1b[2J\\x1b[1;32m✓ passed\\x1b[0m" * 100, kind], "parameters": None,
         "changed": [kind] * 50, "gradients": None}
        for call in document["calls"]
    ]
    manyheads.calling.wire.save(pathlib.Path(answer), {"answers": answers}, {})
manyheads.calling.probe.respond = respond
"""

_MODULES = """
import sys
class Anything:
    def __getattr__(self, name):
        return lambda *a, **k: True
for name in list(sys.modules):
    if name.startswith(("manyheads", "safetensors")):
        sys.modules[name] = Anything()
"""

_BUILTINS = """
import builtins
builtins.__import__ = lambda *a, **k: type("M", (), {"respond": staticmethod(lambda *a: print("✓ passed"))})
"""

_IMPORT_HOOK = """
import sys, importlib.abc, importlib.machinery
class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        module.respond = lambda request, answer: open(answer, "w").write("passed")
sys.meta_path.insert(0, Hook())
for name in list(sys.modules):
    if name.startswith("manyheads"):
        del sys.modules[name]
"""

_NOTHING = "answers could not be read"

ATTACKS = (
    Attack("patch-comparison", "make every comparison say yes", first=_COMPARISON, told="numbers"),
    Attack("patch-torch", "make multiplying do nothing", first=_TORCH, score=0, told="stopped with an error"),
    Attack("patch-safetensors", "save zeros in place of tensors", first=_SAFETENSORS, score=0, told=_NOTHING),
    Attack("patch-probe", "answer with verdicts in place of values", first=_PROBE, score=0, told=_NOTHING),
    Attack("echo", "answer with the inputs, fifty times", first=_ECHO, score=0, told="100 answers to 2 questions"),
    Attack("pickle", "have the judge unpickle an object", first=_PICKLE, score=0, told=_NOTHING),
    Attack("answer-bomb", "fill the judge's memory by a small answer", first=_ANSWER_BOMB, score=0, told=_NOTHING),
    Attack("escapes-in-an-answer", "show a pass by terminal escapes", first=_LONG_NAMES, score=0, told="✓ passed"),
    Attack("sys-modules", "put impostors into sys.modules", first=_MODULES, score=0, told=_NOTHING),
    Attack(
        "builtins",
        "replace builtins",
        first=_BUILTINS,
        outcome=Outcome.TIMEOUT,
        score=0,
        told="did not react to the interrupt",
    ),
    # Its kernel does not answer any more.
    Attack(
        "import-hook",
        "load its own modules by an import hook",
        first=_IMPORT_HOOK,
        score=0,
        told=_NOTHING,
        outcome=Outcome.TIMEOUT,
    ),
)
