"""What stopped a learner's code is told by its own names and shapes, and nothing is said that is not so."""

from __future__ import annotations

import linecache
import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.overrides import TorchFunctionMode

from manyheads.calling import probe, wire
from manyheads.calling.call import Answer, Call, FailedStep, Failure, Operand
from manyheads.calling.made_tensors import LargestTensor
from manyheads.checking.exam import Exam, Trial
from manyheads.checking.failed_steps import failed_step as told_of

WATCH = """class Watch(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))
"""
Q, K = torch.ones(2, 3, 5), torch.ones(2, 4, 5)
SIZES = {"batch": 2, "seq_q": 3, "seq_k": 4, "d_head": 5}
PRELUDE = "import math\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
_Q = "`q` is (2, 3, 5) = (batch, seq_q, d_head)"
_K = "`k` is (2, 4, 5) = (batch, seq_k, d_head)"
_BROADCAST = "Sizes are compared from the last to the first; they must be the same, or one of them 1: "


def failure(
    source: str, inputs: dict[str, object] | None = None, names: dict[str, Any] | None = None, **call: Any
) -> Failure:
    """Return how a cell's `f` fails."""
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(PRELUDE, namespace)
    namespace.update(names or {})
    exec(compile(source, file, "exec"), namespace)
    asked = Call(inputs or {"q": Q, "k": K}, **call)
    found = probe.run(namespace["f"], asked, namespace=namespace).failure
    assert found is not None
    return found


def told(source: str, probe: str = "", **call: Any) -> str:
    """Return what is said of how a cell's `f` fails, as a learner reads it."""
    trial = Trial("a case", SIZES, Call({"q": Q, "k": K}, init=call.get("init")), Answer(), {})
    return told_of(Exam("f", ("scores",), (trial,), {}, probe=probe), [Answer(failure=failure(source, **call))], trial)


def function(body: str) -> str:
    lines = "\n    ".join(body.split("; "))
    return f"def f(q, k):\n    {lines}\n"


def layer(forward: str, init: str = "pass") -> str:
    return (
        "class f(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.w_q, self.w_o = nn.Linear(5, 6), nn.Linear(5, 5)\n"
        "        self.num_heads = 2\n"
        f"        {init}\n"
        "    def forward(self, q, k):\n"
        f"        {forward}\n"
        "    def split(x, heads):\n"
        "        return x\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "return q @ k",
            f"In `q @ k`: {_Q}, {_K}. The last size of the first, 5, and the last but one of the second, 4, must be "
            f"the "
            "same. The last size of both is 5: with its last two dimensions swapped, the second would fit.",
        ),
        (
            "return (q > 0) and (k > 0)",
            "In `(q > 0) and (k > 0)`: `q > 0` is (2, 3, 5) = (batch, seq_q, d_head). Python needs one True or False "
            "here, and this tensor has 30 entries. `and` and `or` ask once; & and | answer for each entry.",
        ),
        (
            "table = torch.zeros(7, 6); table[0::2] = k[0]; return table",
            "In `table[0::2]`: `table` is (7, 6), `k[0]` is (4, 5) = (seq_k, d_head). What is replaced is of the shape "
            "(4, 6), and what is put there has the shape (4, 5).",
        ),
        (
            "table = torch.zeros(7, 6); table[1, 2] = q.sum((0, 1)); return table",
            "In `table[1, 2]`: `table` is (7, 6), `q.sum((0, 1))` is (5,) = (d_head,). What is replaced is one number, "
            "and what is put there has the shape (5,).",
        ),
        (
            "a = q[0].long(); return a == a & a == a",
            "In `a == a & a == a`: `a == a & a == a` is (3, 5) = (seq_q, d_head). Python needs one True or False here, "
            "and this tensor has 15 entries. & and | are taken before comparisons: each comparison needs brackets of "
            "its own.",
        ),
        (
            "return 0 < q < 1",
            "In `0 < q < 1`: `0 < q < 1` is (2, 3, 5) = (batch, seq_q, d_head). Python needs one True or False here, "
            "and this tensor has 30 entries. Comparisons in a row are joined by `and`, which asks once: & joins them "
            "entry by entry.",
        ),
        (
            "each = torch.arange(2); at = torch.zeros(2, 4).long(); return q[each, :, at]",
            "In `q[each, :, at]`: `q` is (2, 3, 5) = (batch, seq_q, d_head), `each` is (2,) = (batch,), `at` is (2, 4) "
            "= (batch, seq_k). Index tensors are read together, entry by entry. "
            f"{_BROADCAST}2 and 4 are not (dimension -1).",
        ),
        (
            "at = torch.ones(2); return q[at]",
            "In `q[at]`: `q` is (2, 3, 5) = (batch, seq_q, d_head), `at` is (2,) = (batch,). Indices are whole "
            "numbers, and these are float32.",
        ),
        (
            "return torch.dot(q, k)",
            f"In `torch.dot(q, k)`: {_Q}, {_K}. dot multiplies two vectors, of one dimension each: @ and matmul take "
            "any number of dimensions.",
        ),
        (
            "scores = q @ k.mT; return torch.matmul(scores, q)",
            f"In `torch.matmul(scores, q)`: `scores` is (2, 3, 4) = (batch, seq_q, seq_k), {_Q}. The last size of the "
            "first, 4, and the last but one of the second, 3, must be the same.",
        ),
        (
            "return q[:, None].expand(2, 4, 3, 5) @ k[:, None].mT.expand(2, 1, 5, 4).repeat(1, 3, 1, 1)",
            "In `q[:, None].expand(2, 4, 3, 5) @ k[:, None].mT.expand(2, 1, 5, 4).repeat(1, 3, 1, 1)`: "
            "`q[:, None].expand(2, 4, 3, 5)` is (2, 4, 3, 5) = (batch, seq_k, seq_q, d_head), "
            "`k[:, None].mT.expand(2, 1, 5, 4).repeat(1, 3, 1, 1)` is (2, 3, 5, 4) = (batch, seq_q, d_head, seq_k). "
            "The "
            "sizes in front of the last two must be the same, or one of them 1: 4 and 3 are not (dimension -3, counted "
            "from the end).",
        ),
        (
            "return q.double() @ k.mT",
            "In `q.double() @ k.mT`: `q.double()` is (2, 3, 5) = (batch, seq_q, d_head) float64, `k.mT` is (2, 5, 4) = "
            "(batch, d_head, seq_k) float32. The factors of a product must have one dtype.",
        ),
        (
            "return q.clone().copy_(k)",
            "In `q.clone().copy_(k)`: `q.clone()` is (2, 3, 5) = (batch, seq_q, d_head), `k` is (2, 4, 5) = (batch, "
            "seq_k, d_head). The first holds numbers of the shape (2, 3, 5), and what is copied has the shape (2, 4, "
            "5).",
        ),
        (
            "return q + k.to('meta')",
            "In `q + k.to('meta')`: `q` is (2, 3, 5) = (batch, seq_q, d_head) on cpu, `k.to('meta')` is (2, 4, 5) = "
            "(batch, seq_k, d_head) on meta. What is computed together must be on one device.",
        ),
        (
            "return F.scaled_dot_product_attention(q, k, k, mask=None)",
            "In `F.scaled_dot_product_attention(q, k, k, mask=None)`: `F.scaled_dot_product_attention` has no argument "
            "named `mask`. Did you mean `attn_mask`?",
        ),
        (
            "return F.softmax(q, axes=1)",
            "In `F.softmax(q, axes=1)`: `F.softmax` has no argument named `axes`. Its arguments are input, dim, dtype.",
        ),
        (
            "return nn.Linear(5, 4)(nn.GELU(q))",
            "In `nn.Linear(5, 4)(nn.GELU(q))`: `nn.GELU` is a class: `nn.GELU(…)` makes a layer, and that layer is "
            "then called with the tensor.",
        ),
        (
            "return q / torch.sqrt(q.shape[-1])",
            "In `torch.sqrt(q.shape[-1])`: `q.shape[-1]` is 5, an int. `torch.sqrt` takes a tensor. A plain number "
            "needs a function for numbers, as `math.sqrt` does.",
        ),
        (
            "kind = q.dtype; return kind.itemsize()",
            "In `kind.itemsize()`: `kind.itemsize` is 4, an int. This is a number already, and needs no brackets.",
        ),
        (
            "drop = nn.Dropout(0.1); return F.scaled_dot_product_attention(q, k, k, None, drop)",
            "In `F.scaled_dot_product_attention(q, k, k, None, drop)`: `q` is (2, 3, 5) = (batch, seq_q, d_head), `k` "
            "is (2, 4, 5) = (batch, seq_k, d_head), `drop` is a layer, Dropout. A layer is called with its input; its "
            "share is its `p`.",
        ),
        ("return q + k", f"In `q + k`: {_Q}, {_K}. {_BROADCAST}3 and 4 are not (dimension -2)."),
        ("q *= k; return q", f"In `q *= k`: {_Q}, {_K}. {_BROADCAST}3 and 4 are not (dimension -2)."),
        (
            "return q.masked_fill(k > 0, 0.0)",
            "In `q.masked_fill(k > 0, 0.0)`: `q` is (2, 3, 5) = (batch, seq_q, d_head), `k > 0` is (2, 4, 5) = (batch, "
            f"seq_k, d_head). {_BROADCAST}3 and 4 are not (dimension -2).",
        ),
        (
            "return q.masked_fill(q, 0.0)",
            f"In `q.masked_fill(q, 0.0)`: {_Q}. A mask is True and False, and this one holds float32.",
        ),
        (
            "return torch.einsum('bqd,bkd->bqk', q, k.mT)",
            f"In `torch.einsum('bqd,bkd->bqk', q, k.mT)`: {_Q}, `k.mT` is (2, 5, 4) = (batch, d_head, seq_k). “d” is 5 "
            "in one place and 4 in another.",
        ),
        (
            "return torch.einsum('bhqd,bkd->bqk', q, k)",
            f"In `torch.einsum('bhqd,bkd->bqk', q, k)`: {_Q}, {_K}. “bhqd” has 4 letters, for a tensor of 3 "
            f"dimensions.",
        ),
        (
            "return q.view(2, 4, 4)",
            f"In `q.view(2, 4, 4)`: {_Q}. It has 30 numbers, and (2, 4, 4) would hold 32.",
        ),
        (
            "return q.reshape(4, -1)",
            f"In `q.reshape(4, -1)`: {_Q}. It has 30 numbers, which cannot be divided among (4, -1): 4 does not divide "
            "30.",
        ),
        (
            "return q.mT.view(2, 15)",
            "In `q.mT.view(2, 15)`: `q.mT` is (2, 5, 3) = (batch, d_head, seq_q). view needs numbers that lie in "
            "memory "
            "without gaps, in the order of the dimensions, and after a transpose, permute or slice they do not: "
            "reshape copies them where it must, and contiguous() before view does.",
        ),
        (
            "return torch.cat([q, k], dim=-1)",
            f"In `torch.cat([q, k], dim=-1)`: {_Q}, {_K}. Joined along dimension -1, all other sizes must be the same: "
            "3 and 4 (dimension 1) are not.",
        ),
        (
            "heads = [q, k]; return torch.stack(heads)",
            "In `torch.stack(heads)`: `heads[0]` is (2, 3, 5) = (batch, seq_q, d_head), `heads[1]` is (2, 4, 5) = "
            "(batch, "
            "seq_k, d_head). stack needs tensors of one shape, and (2, 3, 5) is not (2, 4, 5).",
        ),
        (
            "return torch.cat(q, k)",
            f"In `torch.cat(q, k)`: {_Q}, {_K}. cat takes one list of tensors, in square brackets, and then the "
            "dimension.",
        ),
        (
            "return F.softmax(q, dim=3)",
            f"In `F.softmax(q, dim=3)`: {_Q}. There is no dimension 3: with 3 dimensions they are 0 to 2, or -3 to -1.",
        ),
        (
            "return q.transpose(1, 3)",
            f"In `q.transpose(1, 3)`: {_Q}. There is no dimension 3: with 3 dimensions they are 0 to 2, or -3 to -1.",
        ),
        (
            "return q.permute(0, 1)",
            f"In `q.permute(0, 1)`: {_Q}. permute needs each of the 3 dimensions once, and 2 are named.",
        ),
        ("return q[:, 3]", f"In `q[:, 3]`: {_Q}. Dimension 1 has 3 entries, 0 to 2, and 3 is not one of them."),
        (
            "return torch.arange(5).softmax(-1)",
            "In `torch.arange(5).softmax(-1)`: `torch.arange(5)` is (5,) = (d_head,). softmax needs fractions, and "
            "this "
            "holds int64.",
        ),
        ("return ~q", f"In `~q`: {_Q}. ~ turns True and False round, and this holds float32."),
        (
            "if k > 0: return q",
            "In `k > 0`: `k > 0` is (2, 4, 5) = (batch, seq_k, d_head). Python needs one True or False here, and this "
            "tensor has 40 entries.",
        ),
        (
            "return math.sqrt(q)",
            f"In `math.sqrt(q)`: {_Q}. Only a tensor of one entry is a number of Python's, and this one has 30.",
        ),
        (
            "return nn.Parameter(q).mul_(2)",
            "In `nn.Parameter(q).mul_(2)`: `nn.Parameter(q)` is (2, 3, 5) = (batch, seq_q, d_head). A tensor whose "
            "gradient is wanted cannot be changed in place while torch keeps track of what is computed: "
            "torch.no_grad() stops that for a block.",
        ),
    ],
)
def test_a_failed_operation_of_torchs_is_told_by_names_and_shapes(body: str, words: str) -> None:
    assert told(function(body)) == words


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (
            "return self.w_q(q.mT)",
            "In `self.w_q(q.mT)`: `q.mT` is (2, 5, 3) = (batch, d_head, seq_q), `self.w_q` is a Linear layer from 5 "
            "to 6. "
            "The layer takes 5 numbers in the last dimension, and gets 3.",
        ),
        (
            "return self.w_o(self.w_q(q))",
            "In `self.w_o(self.w_q(q))`: `self.w_q(q)` is (2, 3, 6) = (batch, seq_q, 6), `self.w_o` is a Linear layer "
            "from 5 to 5. The layer takes 5 numbers in the last dimension, and gets 6.",
        ),
        (
            "return self.w_q(q.long())",
            "In `self.w_q(q.long())`: `q.long()` is (2, 3, 5) = (batch, seq_q, d_head) int64, `self.w_q` is a Linear "
            "layer from 5 to 6. A layer needs its own dtype, float32.",
        ),
        (
            "return self.w_q @ q",
            f"In `self.w_q @ q`: `self.w_q` is a layer, Linear, {_Q}. A layer is called with its input; its numbers "
            f"are "
            "in its weight.",
        ),
        ("return self.wq(q)", "In `self.wq`: Did you mean `self.w_q`?"),
        ("return self.w_q.wieght", "In `self.w_q.wieght`: Did you mean `self.w_q.weight`?"),
        ("return self.w_v(q)", "In `self.w_v`: The Linear layers of `self` are w_q, w_o."),
        ("return w_q(q)", "In `w_q`: There is a `self.w_q`: an attribute is only found with self in front."),
        (
            "return self.num_heads(q)",
            "In `self.num_heads(q)`: `self.num_heads` is 2, an int. Round brackets after a number call it as a "
            "function: "
            "is an operator missing?",
        ),
        (
            "return self.split(q, 2)",
            "In `self.split(q, 2)`: A method gets the object itself first, and `split` has no self for it: it takes x, "
            "heads.",
        ),
    ],
)
def test_a_failed_line_of_a_layer_is_told_by_the_layers_own_parts(forward: str, words: str) -> None:
    assert told(layer(forward), init={}) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return torch.sofmax(q, -1)", "In `torch.sofmax`: Did you mean `torch.softmax`?"),
        ("return q.softmx(-1)", "In `q.softmx`: Did you mean `q.softmax`?"),
        ("scores = q; return socres", "In `socres`: Did you mean `scores`?"),
        (
            "return np.ones(3)",
            "In `np`: `np` is a module, usually numpy: it must be imported first. Has the cell with the imports run?",
        ),
        (
            "return k[m]; m = 1",
            "In `m`: `m` is assigned in this function, so everywhere in it the name is the function's own, and here it "
            "has no value yet.",
        ),
        (
            "return q.shape(0)",
            "In `q.shape(0)`: `q.shape` is (2, 3, 5) = (batch, seq_q, d_head). These are the sizes themselves, and "
            "not a "
            "function: one of them is taken with square brackets.",
        ),
        (
            "return q.shape[3]",
            "In `q.shape[3]`: `q.shape` is (2, 3, 5) = (batch, seq_q, d_head). It has 3 items, 0 to 2, and 3 is not "
            "one "
            "of them. A shape has one for each dimension.",
        ),
        (
            "batch, seq = q.shape",
            "In `batch, seq = q.shape`: `q.shape` is (2, 3, 5) = (batch, seq_q, d_head). `q.shape` holds 3 values, for "
            "2 names.",
        ),
        (
            "a, b, c = q",
            f"In `a, b, c = q`: {_Q}. `q` is one tensor, which Python takes apart along its first dimension, for 3 "
            f"names.",
        ),
        (
            "a, b, c = [row * 2 for row in k]",
            "In `a, b, c = [row * 2 for row in k]`: On the right is one list, with an item for each `row`, for 3 "
            "names.",
        ),
        (
            "pair = q, k; return pair @ q",
            f"In `pair @ q`: `pair` is a tuple of 2, {_Q}. It holds 2 values, (2, 3, 5), (2, 4, 5): give each a name "
            f"of "
            "its own, or take one by its index.",
        ),
        (
            "pair = q, k; return F.softmax(pair, dim=-1)",
            "In `F.softmax(pair, dim=-1)`: `pair` is a tuple of 2. It holds 2 values, (2, 3, 5), (2, 4, 5): give each "
            "a "
            "name of its own, or take one by its index.",
        ),
        (
            "heads = []; both = heads.append(q); return both @ k",
            f"In `both @ k`: `both` is None, {_K}. `append` changes the list itself and returns None.",
        ),
        (
            "sum = 3; return sum([1])",
            "In `sum([1])`: `sum` is 3, an int. `sum` is Python's own function, and this function has given its name "
            "to "
            "something else: use another name for it.",
        ),
        (
            "n = 2; return q.view(n, 30 / n)",
            "In `q.view(n, 30 / n)`: `30 / n` is a float, even if nothing is left over: // gives a whole number.",
        ),
        (
            "n = 3; for head in n: pass",
            "In `n`: `n` is 3, an int. One number is nothing to go through: range counts up to it.",
        ),
        ("return q.size / 2", "In `q.size / 2`: `q.size` is a function. A function is called with round brackets."),
        (
            "sizes = {'scale': 1}; return sizes['scal']",
            "In `sizes['scal']`: `sizes` is a dict of 1. Did you mean 'scale'?",
        ),
        (
            "sizes, key = {'one.scale': 1}, 'scale'; return sizes[f'one.{key}s']",
            "In `sizes[f'one.{key}s']`: `sizes` is a dict of 1. Did you mean 'one.scale'?",
        ),
        (
            "return q - q.max(-1, keepdim=True)",
            "In `q - q.max(-1, keepdim=True)`: `q.max(-1, keepdim=True)` is two tensors, the values and their places: "
            "take one of them by its name.",
        ),
        (
            "top = q.max(-1); return torch.maximum(q, top)",
            "In `torch.maximum(q, top)`: `top` is two tensors, the values and their places: take one of them by its "
            "name.",
        ),
        (
            "width = lambda: 5; return nn.Linear(5, width)(q)",
            "In `nn.Linear(5, width)`: `width` is a function. A function is called with round brackets.",
        ),
        (
            "out, weights, left = F.scaled_dot_product_attention(q, k, k); return out",
            "In `out, weights, left = F.scaled_dot_product_attention(q, k, k)`: `F.scaled_dot_product_attention` "
            "returns one tensor, which Python takes apart along its first dimension, for 3 names.",
        ),
        (
            "one, two, three = q.mT.repeat(1, 3, 1).split(3, dim=1); return one",
            "In `one, two, three = q.mT.repeat(1, 3, 1).split(3, dim=1)`: split takes the size of a part, here 3; "
            "chunk takes the number of parts.",
        ),
        (
            "def encode():\n        return q; return F.cosine_similarity(encode, q)",
            "In `F.cosine_similarity(encode, q)`: `encode` is a function. A function is called with round brackets.",
        ),
        ("return F(q)", "In `F(q)`: `F` is a module. A module cannot be called: name a function in it."),
        ("return torch.silu(q)", "In `torch.silu`: There is a `nn.functional.silu`."),
        (
            "share = 0.5; return F.scaled_dot_product_attention(q, k, k, None, 0.0, share)",
            "In `F.scaled_dot_product_attention(q, k, k, None, 0.0, share)`: `share` is 0.5, a float. One of these is "
            "in the place of True or False: give arguments by their names.",
        ),
        (
            "return softmax(q, -1)",
            "In `softmax`: There is a `torch.softmax` and a `F.softmax`: what is in a module is only found with the "
            "module in front.",
        ),
    ],
)
def test_pythons_usual_slips_are_told(body: str, words: str) -> None:
    assert told(function(body)) == words


def test_a_size_that_no_variable_holds_is_told_where_it_is_found() -> None:
    assert told(function("return q * d_head")).endswith(
        "`d_head` is the name of a size and not of a variable: it can be read off the shape of `q`."
    )
    assert told(layer("return q * scale").replace("(self):", "(self, scale):"), init={"scale": 2}) == (
        "`scale` is an argument of __init__: other methods find it only if __init__ stores it on self."
    )
    assert told(function("return q * depth")) == ""
    # What a probe is given, the learner's code may not have.
    assert told(function("return d_head"), probe="x").endswith("`d_head` is the name of a size and not of a variable.")


HELPER = "def turned(x, n):\n    y = x * n\n"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            "z = turned(q, 2); return z @ q",
            f"In `z @ q`: `z` is None, {_Q}. `z` was returned by `turned`, which returns nothing: is there a return?",
        ),
        ("z, w = turned(q, 2)", "In `z, w = turned(q, 2)`: `turned` returns nothing: is there a return?"),
        ("return turned(q)", "In `turned(q)`: `turned` takes 2 values (x, n), and 1 is given."),
        ("return turend(q)", "In `turend`: Did you mean `turned`?"),
    ],
)
def test_a_slip_with_a_helper_is_told(body: str, words: str) -> None:
    assert told(HELPER + function(body)) == words


@pytest.mark.parametrize(
    ("source", "call", "words"),
    [
        ("def f(q):\n    return q\n", {}, "In `def f(q)`: It is called with 2 values: q, k."),
        ("def f(q, k, v):\n    return q\n", {}, "In `def f(q, k, v)`: It is called with 2 values: q, k."),
        (
            layer("return q").replace("forward(self, ", "forward("),
            {"init": {}},
            "In `def forward(q, k)`: A method gets the object itself first, and `forward` has no self for it.",
        ),
        (
            layer("return q").replace("__init__(self)", "__init__()"),
            {"init": {"d_model": 4}},
            "In `def __init__()`: A method gets the object itself first, and `__init__` has no self for it.",
        ),
        (
            layer("return q"),
            {"init": {"d_model": 4}},
            "In `def __init__(self)`: It is called with 1 value: d_model.",
        ),
        (
            layer("return q").replace("super().__init__()", "pass").replace(", self.w_o = nn.Linear(5, 6), ", " = "),
            {"init": {}},
            "In `self.w_q`: A module holds nothing before `super().__init__()`: make that the first line of __init__.",
        ),
    ],
)
def test_what_cannot_even_be_called_is_told_by_its_first_line(source: str, call: dict[str, Any], words: str) -> None:
    assert told(source, **call) == words


def test_an_input_that_is_none_is_told_only_where_nothing_was_assigned_to_it() -> None:
    masked = "def f(q, k, mask=None):\n    {}return q.masked_fill(mask, 0)\n"
    assert told(masked.format("")).endswith(
        "`mask` is None. The call gives no `mask` here: ask whether `mask` is None first."
    )
    assert "gives no" not in told(masked.format("mask = None\n    "))
    # An input may well be None: it is not told where torch refuses something else.
    dropped = (
        "def f(q, k, mask=None):\n    drop = nn.Dropout(0.1)\n"
        "    return F.scaled_dot_product_attention(q, k, k, attn_mask=mask, dropout_p=drop)\n"
    )
    assert told(dropped).endswith("`drop` is a layer, Dropout. A layer is called with its input; its share is its `p`.")


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('q @ k')",
        "assert False",
        "return sum(q, k)",  # the sum that failed is in no line of the learner's
        "return [a @ b for a, b in [(q, k)]][0] if True else 0",
        "return q @ None",
        "return (lambda *both: both[0] @ both[1])(q, k)",
        "return nothing_like_it_is_here",
        "return torch.linalg.inv(q)",
        "return 1 / 0",
        "return eval('q @ k')",
        "args = (q, k); return torch.matmul(*args)",
    ],
)
def test_what_is_said_is_never_more_than_is_known(body: str) -> None:
    said = told(function(body))
    for text, shape in re.findall(r"`(q|k|a|b)` is \((.*?)\)", said):
        assert shape == ("2, 3, 5" if text in "qa" else "2, 4, 5")
    if "@" not in body:
        assert not said


HOSTILE = """
ran = []
class Evil(type):
    def __getattribute__(cls, name):
        ran.append(name)
        return super().__getattribute__(name)
class Value(metaclass=Evil):
    def __getattribute__(self, name):
        ran.append(name)
        raise SystemExit
    def __repr__(self):
        ran.append("repr")
        return "x" * 10**6
    def __len__(self):
        ran.append("len")
        return 3
    def __eq__(self, other):
        ran.append("eq")
        return True
    def __hash__(self):
        return 1
    @property
    def __class__(self):
        ran.append("class")
        return torch.Tensor
class Mine(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        ran.append("torch function")
        raise RuntimeError("no")
class Layer(nn.Module):
    @property
    def w_q(self):
        ran.append("property")
        return 3
    def __getattr__(self, name):
        ran.append("getattr")
        raise AttributeError(name)
    def __dir__(self):
        ran.append("dir")
        return []
evil, mine, own = Value(), torch.ones(2).as_subclass(Mine), Layer()
"""


@pytest.mark.parametrize(
    ("body", "may_run"),
    [
        ("return q + evil", set()),
        ("return [] + evil", set()),
        ("return evil[0]", set()),
        ("a, b = evil", set()),
        ("return len(evil, evil)", set()),
        ("evil.nothing", {"nothing"}),
        ("evil()", set()),
        ("return {evil: 1}['key']", {"eq"}),
        ("return [1] @ mine", {"torch function"}),
        ("return [1] + own.w_q", {"property"}),
        ("own.w_k", {"getattr"}),
        ("return [1] + own", set()),
        ("return torch.cat(own, evil)", {"__torch_function__", "class"}),
        ("return torch.matmul(q, evil)", {"__torch_function__", "class"}),
    ],
)
def test_looking_into_an_error_runs_none_of_the_learners_code(body: str, may_run: set[str]) -> None:
    source = HOSTILE + function(f"ran.clear(); {body}")
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(PRELUDE, namespace)
    exec(compile(source, file, "exec"), namespace)
    target = namespace["f"]

    from manyheads.calling.cause import Operations
    from manyheads.calling.failed_step import failed_step

    assert callable(target)
    operations = Operations()
    error: BaseException | None = None
    try:
        with operations:
            target(Q, K)
    except BaseException as raised:
        error = raised
    assert error is not None
    before = list(namespace["ran"])
    failed_step(error, operations.failed(error), lambda frame: frame.f_globals is namespace)
    assert namespace["ran"] == before


def test_what_a_function_of_the_courses_was_given_is_told_from_the_learners_line() -> None:
    scope: dict[str, Any] = {"__name__": "manyheads.stand_in", "nn": torch.nn}
    exec("def course(a, b):\n    return a + b\ndef wide(size):\n    return nn.Linear(3, size)\n", scope)
    for body, expected in (
        ("return course(q, k)", f"In `course(q, k)`: {_Q}, {_K}. `course` stops at what it is given here."),
        ("return wide(6 / 2)", "In `wide(6 / 2)`: `6 / 2` is a float, even if nothing is left over: // gives a whole"),
    ):
        assert expected in told(function(body), names={"course": scope["course"], "wide": scope["wide"]})


def test_an_error_below_a_watch_of_what_torch_makes_is_the_learners() -> None:
    within = function("with LargestTensor():\n        return q + k")
    assert told(within, names={"LargestTensor": LargestTensor}).startswith(f"In `q + k`: {_Q}, {_K}.")


def test_an_error_that_passed_through_a_watch_of_the_courses_is_the_learners() -> None:
    scope: dict[str, Any] = {"__name__": "manyheads.probe", "TorchFunctionMode": TorchFunctionMode}
    exec(WATCH, scope)
    assert "In `q`: `q` is (2, 3, 5)" in told(
        function("with Watch():\n        if q:\n            pass"), names={"Watch": scope["Watch"]}
    )


def test_a_message_of_millions_of_characters_is_cut_to_a_few() -> None:
    long = "x" * 1000
    said = told(f"def f(q, k):\n    {long} = q\n    return {long} @ k\n")
    assert len(said) < 600


def test_what_is_called_without_values_says_so() -> None:
    source = "class Cache:\n    def __init__(self, k, v):\n        pass\n"
    exec(source, scope := {"__name__": "__main__"})
    found = probe.run(scope["Cache"], Call({}), "def probe(target):\n    return target()\n", namespace=scope).failure
    assert found is not None
    assert found.step is not None
    assert (found.step.expression, found.step.why) == (
        "def __init__(self, k, v)",
        "It is called without any values.",
    )


def test_a_guess_at_what_would_fit_is_left_out_where_the_mistake_has_a_name() -> None:
    trial = Trial("a case", SIZES, Call({}), Answer(), {})
    exam, given = Exam("f", ("scores",), (trial,), {}), [Answer(failure=failure(function("return q @ k")))]
    sizes = f"In `q @ k`: {_Q}, {_K}. The last size of the first, 5, and the last but one of the second, 4, must be the"
    assert told_of(exam, given, trial) == (
        f"{sizes} same. The last size of both is 5: with its last two dimensions swapped, the second would fit."
    )
    assert told_of(exam, given, trial, named=True) == f"{sizes} same."


def test_what_a_kernel_sends_is_bounded_and_of_the_right_kind() -> None:
    step = FailedStep("e" * 10_000, (Operand("t" * 10_000, "w" * 10_000, (2, 3)),) * 1000, "y" * 10_000, "z" * 10_000)
    packed = wire.Packer().answer(Answer(failure=Failure("TypeError", "no", step=step)))
    back = wire.Unpacker({}).answer(packed).failure
    assert back is not None
    assert back.step is not None
    assert len(back.step.operands) <= wire.MAX_PARTS
    assert (
        max(map(len, [back.step.expression, back.step.operands[0].text, back.step.operands[0].what])) <= wire.MAX_PART
    )
    assert len(back.step.why) == len(back.step.advice) == 4 * wire.MAX_PART
    for bad in ("a", [1, 2], *(["e", "w", [operand], ""] for operand in (["t", "w", ["2"]], ["t", "w", [-1]], ["t"]))):
        packed["failure"][4] = bad
        with pytest.raises(wire.WireError):
            wire.Unpacker({}).answer(packed)


SHAPE = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
OPERATION = st.sampled_from(
    ["q @ k", "q + k", "torch.matmul(q, k)", "torch.cat([q, k], dim=-1)", "torch.where(q > 0, q, k)", "q.bmm(k)",
     "q.view(k.shape)", "q.masked_fill(k > 0, 1.0)", "torch.stack([q, k])", "q.softmax(3)", "q.transpose(1, 2)",
     "q[3]", "q.permute(0, 1)", "torch.einsum('ab,bc->ac', q, k)", "F.linear(q, k)"]
)  # fmt: skip


@pytest.mark.slow
@given(SHAPE, SHAPE, OPERATION)
@settings(max_examples=150, deadline=None)
def test_the_shapes_that_are_told_are_the_tensors_own(
    first: tuple[int, ...], second: tuple[int, ...], code: str
) -> None:
    tensors: dict[str, Tensor] = {"q": torch.ones(first), "k": torch.ones(second)}
    source = function(f"return {code}")
    file = f"<cell {hash(source)}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(PRELUDE, namespace)
    exec(compile(source, file, "exec"), namespace)
    found = probe.run(namespace["f"], Call(dict(tensors)), namespace=namespace).failure
    if found is None or found.step is None:
        return
    for operand in found.step.operands:
        value = eval(operand.text, {**namespace, **tensors})
        assert tuple(value.shape) == operand.shape
    # "5 and 4 are not the same" is said of two sizes that are not, and that are sizes of these tensors.
    pair = re.search(r"(\d+) and (\d+)(?: \(dimension \d+\))? are not", found.step.why)
    if pair is not None and "dimensions" not in found.step.why:
        one, other = map(int, pair.groups())
        assert one != other
        assert one in first
        assert other in second


def test_a_size_has_a_name_only_where_all_cases_agree_in_it() -> None:
    source = function("return q[:, :2] @ k")
    trials = [
        Trial("one", SIZES, Call({}), Answer(), {}),
        Trial("another", {**SIZES, "batch": 6}, Call({}), Answer(), {}),
    ]
    exam = Exam("f", ("scores",), tuple(trials), {})
    answers = [
        Answer(failure=failure(source, {"q": torch.ones(batch, 3, 5), "k": torch.ones(batch, 4, 5)}))
        if batch > 2
        else Answer(failure=failure(source))
        for batch in (2, 6)
    ]
    assert "`q[:, :2]` is (2, 2, 5) = (batch, 2, d_head)" in told_of(exam, answers, trials[0])
