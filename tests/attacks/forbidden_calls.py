"""Attacks on `forbids`: the call that does the whole exercise, under another name. Each gives the right numbers."""

from __future__ import annotations

from collections.abc import Mapping

from .attack import Attack

FIRST = "01_single_head"
_SDPA = "scaled_dot_product_attention"


def _diag(expression: str, before: str = "") -> Mapping[str, str]:
    return {"scale_rows": f"import torch\n{before}\ndef scale_rows(x, factors):\n    return {expression} @ x\n"}


# (name, how the call is hidden, what it hands in)
_TOY = (
    ("by-getattr", "getattr and a name in pieces", _diag("getattr(torch, 'di' + 'ag')(factors)")),
    ("by-format", "a name made by format", _diag("getattr(torch, '{}{}'.format('di', chr(97)) + 'g')(factors)")),
    ("by-exec", "exec of a string", _diag("d(factors)", "exec('d = torch.' + 'gaid'[::-1])")),
    ("by-importlib", "importlib", _diag("vars(__import__('importlib').import_module('torch'))['gaid'[::-1]](factors)")),
    ("by-ops", "torch.ops", _diag("getattr(torch.ops.aten, bytes([100, 105, 97, 103]).decode())(factors)")),
    ("by-c", "torch._C", _diag("vars(torch._C._VariableFunctions)['gaid'[::-1]](factors)")),
    ("by-method", "the tensor's own method", _diag("getattr(factors, 'gaid'[::-1])()")),
    (
        "by-dir",
        "its place in dir()",
        _diag("[getattr(torch, n) for n in dir(torch) if n[:3] == 'dia' and len(n) == 4][0](factors)"),
    ),
    (
        "by-reference",
        "a reference kept in a default argument",
        {
            "scale_rows": "import torch\nD = [v for k, v in vars(torch).items() if hash(k) == hash('gaid'[::-1])][0]\n"
            "def scale_rows(x, factors, call=D):\n    return call(factors) @ x\n"
        },
    ),
    (
        "by-compile",
        "code compiled under the name of a stand-in",
        _diag("f(factors)", "f = eval(compile('lambda v: torch.di' 'ag(v)', '<stand-in for scale_rows>', 'eval'))"),
    ),
)

_HIDDEN = (
    ("popped", "    pop()\n    return call(factors) @ x\n"),
    ("popped-for-a-while", "    with hide():\n        return call(factors) @ x\n"),
)
_HIDES = (
    "import torch\npop = getattr(torch._C, '_pop_torch_' + 'function_stack')\n"
    "hide = getattr(torch.overrides, '_pop_mode_' + 'temporarily')\n"
    "call = getattr(torch, ''.join(map(chr, (100, 105, 97, 103))))\ndef scale_rows(x, factors):\n"
)

# What was kept before the judge asked: torch's own words for modes, a traced call, code under the probe's name.
_KEPT = (
    ("put-back", "mode = pop()\n    out = call(factors)\n    push(mode)\n    return out @ x"),
    (
        "left-and-entered",
        "mode = torch.overrides._get_current_function_mode()\n    mode.__exit__(None, None, None)\n"
        "    out = call(factors)\n    mode.__enter__()\n    return out @ x",
    ),
    ("switched-off", "with off():\n        return call(factors) @ x"),
    ("traced", "return traced(factors) @ x"),
    ("as-the-probe", "return carried(factors) @ x"),
)
_KEEPS = (
    "import torch\nimport manyheads.calling.probe\n"
    "pop, push = [getattr(torch._C, name) for name in sorted(dir(torch._C)) "
    "if name in ('_pop_torch_' + 'function_stack', '_push_on_torch_' + 'function_stack')]\n"
    "off = getattr(torch._C, 'DisableTorch' + 'Function')\n"
    "call = getattr(torch, ''.join(map(chr, (100, 105, 97, 103))))\n"
    "traced = torch.jit.trace(lambda v: call(v), torch.ones(3))\n"
    "carried = eval(compile('lambda v: call(v)', manyheads.calling.probe.__file__, 'eval'), {'call': call})\n"
)

# The helper stands in a cell of its own, where no exercise is written.
_HELPER = Attack(
    "helper-in-another-cell",
    "make a forbidden call from a helper that stands in another cell",
    writes={"scale_rows": "def scale_rows(x, factors):\n    return helper(factors) @ x\n"},
    first="import torch\n\ndef deeper(v):\n    return torch.diag(v)\n\nhelper = lambda v: deeper(v)",
    score=0,
    told="uses diag",
)

_ATTEND = "def attention(q, k, v, mask=None):\n    return CALL, attention_weights(attention_scores(q, k), mask)\n"

_REAL = (
    ("sdpa-by-getattr", "getattr(torch.nn.functional, 'scaled_dot_' + 'product_attention')(q, k, v, attn_mask=mask)"),
    ("sdpa-by-ops", "getattr(torch.ops.aten, 'scaled_dot_' + 'product_attention')(q, k, v, attn_mask=mask)"),
    ("sdpa-by-c", "vars(torch._C._nn)['_'.join(['scaled', 'dot', 'product', 'attention'])](q, k, v, attn_mask=mask)"),
)

# The course's own stand-ins, meant for chapters that build on these exercises.
_READY_MADE = (
    (
        "ready-made",
        "uses attention, the course's ready-made",
        "from manyheads.earlier import attention as ready\n",
    ),
    (
        "ready-made-by-module",
        "uses manyheads.earlier, the course's ready-made",
        "import manyheads.earlier\nready = getattr(manyheads.earlier, 'atten' + 'tion')\n",
    ),
)

# What a later chapter builds does more than this one's exercises ask for, and may use what this one forbids.
_LATER = (
    (
        "later-ready-made",
        "uses fast_attention, the course's ready-made",
        "from manyheads.earlier import fast_attention as later\n",
    ),
    (
        "later-by-another-name",
        "NameError",
        "later = getattr(__import__('manyheads.ear' + 'lier', fromlist=['']), 'fast_' + 'attention')\n",
    ),
)

# The grader's processes hold nothing that solves what is being judged, however it is looked for.
_NOT_THERE = (
    ("attribute", "attention_scores", "def attention_scores(q, k):\n    return check.earlier.attention_scores(q, k)"),
    ("below-a-magic", "causal_mask", "%time 1\nfrom manyheads.earlier import causal_mask as causal_mask"),
    (
        "from-its-file",
        "attention_scores",
        "import glob, os, manyheads\nfrom manyheads.calling import sealed, wire\n"
        "from manyheads.checking import exam_files\n"
        "for path in glob.glob(os.path.dirname(manyheads.__file__) + '/**/*.safetensors', recursive=True):\n"
        "    for exam in exam_files.unpack(*wire.load(__import__('pathlib').Path(path))):\n"
        "        exec(sealed.unsealed(exam.stand_in), globals())",
    ),
    (
        "in-memory",
        "attention_scores",
        "import gc, sys\nfor thing in gc.get_objects():\n"
        "    if isinstance(thing, dict) and isinstance(thing.get('attention_scores'), str):\n"
        "        exec(thing['attention_scores'], globals())\n"
        "for module in list(sys.modules.values()):\n"
        "    if 'stand_in' in getattr(module, '__name__', ''):\n        attention_scores = module.attention_scores",
    ),
)

ATTACKS = (
    *(
        Attack(
            f"stand-in-{name}",
            "hand in the course's own stand-in",
            writes={exercise: source},
            score=0,
            told="no earlier chapter" if name == "attribute" else exercise,
            chapter=FIRST,
        )
        for name, exercise, source in _NOT_THERE
    ),
    *(
        Attack(
            name,
            "hand in what a later chapter builds",
            writes={"attention": _ATTEND.replace("CALL", "later(q, k, v, mask=mask)")},
            first=first,
            score=0,
            told=told,
            chapter=FIRST,
        )
        for name, told, first in _LATER
    ),
    *(
        Attack(
            name,
            "hand in the course's own stand-in",
            writes={"attention": "def attention(q, k, v, mask=None):\n    return ready(q, k, v, mask)\n"},
            first=first,
            score=0,
            told=told,
            chapter=FIRST,
        )
        for name, told, first in _READY_MADE
    ),
    *(
        Attack(f"forbidden-{name}", f"make a forbidden call by {how}", writes=writes, score=0, told="uses diag")
        for name, how, writes in _TOY
    ),
    *(
        Attack(
            f"watch-{name}",
            "take away what watches for forbidden calls",
            writes={"scale_rows": _HIDES + body},
            score=0,
            told="hides calls that this exercise forbids",
        )
        for name, body in _HIDDEN
    ),
    *(
        Attack(
            f"kept-{name}",
            "make a forbidden call with what it kept from before",
            writes={"scale_rows": f"def scale_rows(x, factors):\n    {body}\n"},
            first=_KEEPS,
            score=0,
            told="uses diag|hides calls that this exercise forbids",
        )
        for name, body in _KEPT
    ),
    _HELPER,
    *(
        Attack(
            name,
            "have torch do the whole exercise",
            writes={"attention": "import torch\n" + _ATTEND.replace("CALL", call)},
            score=0,
            told=f"uses {_SDPA}",
            chapter=FIRST,
        )
        for name, call in _REAL
    ),
)
