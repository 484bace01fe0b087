"""`block_attention`: attention a block of keys at a time, with a running maximum and a running sum."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import META

FORBIDS = ("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward")


def block_call(
    draw: Draw,
    front: str = "num_heads",
    blocks: int = 3,
    last: int = 0,
    block: int | None = None,
    causal: bool = False,
    square: bool = False,
    times: float = 1,
    dtype: torch.dtype = torch.float32,
    exact: bool = False,
) -> Call:
    """Draw a call with `blocks` blocks of keys and `last` keys more, in blocks of 4 or 5 unless `block` says otherwise.

    `times` multiplies the scores. Exact scores are the same numbers in whatever order they are computed: the roundings
    of large ones would else be differences of up to a thousandth in the weights, and right ways would be refused.
    """
    keys = 5 if exact else draw.integer(4, 5)
    draw.named(block=block or keys)
    if exact:
        leading, d_head = draw.sizes(front, low=2, high=3), 4
        draw.named(d_head=d_head)
    else:
        *leading, d_head = draw.sizes(f"{front} d_head", low=2, high=5)
    seq_k = blocks * keys + last
    if square:
        seq_q = seq_k
        draw.named(seq=seq_k)
    else:
        (seq_q,) = draw.sizes("seq_q", low=6, high=7)
        draw.named(seq_k=seq_k)
    q = (times * draw.normal(*leading, seq_q, d_head)).to(dtype)
    k, v = (draw.normal(*leading, seq_k, d_head).to(dtype) for _ in range(2))
    if exact:  # sums of 64ths below 2^17, and their halves
        q, k = ((8 * tensor).round() / 8 for tensor in (q, k))
    return Call({"q": q, "k": k, "v": v, "block": block or keys, "is_causal": causal})


def all_scores_far_below_zero(draw: Draw) -> Call:
    call = block_call(draw, last=2, exact=True)
    q, k = call.inputs["q"], call.inputs["k"]
    assert isinstance(q, torch.Tensor)
    assert isinstance(k, torch.Tensor)
    return Call({**call.inputs, "q": 30 + q.abs(), "k": -5 - k.abs()})


def on_meta(draw: Draw) -> Call:
    call = block_call(draw, last=3, causal=True)
    return Call({name: v.to(META) if isinstance(v, torch.Tensor) else v for name, v in call.inputs.items()})


def block_attention_watched(target, q, k, v, block, is_causal):
    """Call it, and report besides whether no tensor was made that is larger than the scores of one block.

    A tensor as large as one of the inputs, or as the output, is allowed.
    """
    from manyheads.calling.made_tensors import LargestTensor

    with LargestTensor() as made:
        output = target(q, k, v, block, is_causal)
    scores_of_a_block = q[..., 0].numel() * block
    return output, made.numbers <= max(scores_of_a_block, q.numel(), k.numel(), v.numel())


MASK = 'scores = scores.masked_fill(numbers > queries, float("-inf"))'
LARGEST = "torch.maximum(largest, scores.amax(dim=-1, keepdim=True))"
TWO_MAXIMA = (
    "What is old was brought to the largest score so far, and the new shares were not: the two cannot be added. "
    "Measure both against the same maximum."
)

EXERCISE = Exercise(
    name="block_attention",
    returns=("output", "no tensor larger than the scores of one block"),
    keeps_dtype=True,
    forbids=FORBIDS,
    cases=(
        Case("as many keys as fill the blocks", lambda draw: block_call(draw, "batch num_heads", blocks=2)),
        Case("a last block that is shorter", lambda draw: block_call(draw, last=2)),
        Case("fewer keys than fit into a block", lambda draw: block_call(draw, blocks=2, last=1, block=16)),
        Case("a block of a single key", lambda draw: block_call(draw, blocks=2, last=1, block=1)),
        Case("is_causal", lambda draw: block_call(draw, last=1, causal=True, square=True)),
        Case("is_causal, with more keys than queries", lambda draw: block_call(draw, last=2, causal=True)),
        Case("scores in the hundreds", lambda draw: block_call(draw, last=3, times=200, exact=True), gradients=False),
        Case("scores that are all far below zero", all_scores_far_below_zero, gradients=False),
        Case(
            "is_causal, scores in the hundreds",
            lambda draw: block_call(draw, causal=True, times=200, exact=True),
            gradients=False,
        ),
        Case("another device, here the pretend device meta", on_meta),
        Case("float64", lambda draw: block_call(draw, last=1, dtype=torch.float64)),
    ),
    misconceptions=(
        Misconception(
            "ignored is_causal",
            replace="if is_causal:",
            by="if False:",
            hint="Your words see the future though the caller said no.",
        ),
        Misconception(
            "blocked each word from itself",
            replace="numbers > queries",
            by="numbers >= queries",
            hint="Query i may attend to key i, too. The first query has no other key.",
        ),
        Misconception(
            "forgot to scale",
            replace=" / math.sqrt(d_head)",
            by="",
            hint="Your scores are √d_head times too large, so the weights are too uneven.",
        ),
        Misconception(
            "did not shrink the sum",
            replace="total = total * shrink + shares",
            by="total = total + shares",
            hint="The shares in your sum were measured against an older maximum. When it rises, all of them shrink, in "
            "the sum as well as in the output.",
        ),
        Misconception(
            "did not shrink the output so far",
            replace="output = output * shrink + shares @ values",
            by="output = output + shares @ values",
            hint="The values in your output were weighted against an older maximum. When it rises, their weights "
            "shrink as those in the sum do.",
        ),
        Misconception(
            "shrank nothing",
            replace="shrink = torch.exp(largest - new)",
            by="shrink = torch.ones_like(new)",
            hint="Each block's shares are measured against the maximum that you knew then. Before you add those of two "
            "blocks, bring them to the same maximum.",
        ),
        Misconception(
            "forgot to divide by the sum",
            replace="return output / total",
            by="return output",
            hint="You have a sum of values, each times its share. A weighted average is that divided by the sum of the "
            "shares.",
        ),
        Misconception(
            "took a softmax of each block, with 0 where all is blocked, and averaged the blocks",
            replace="""total = total * shrink + shares.sum(dim=-1, keepdim=True)
        output = output * shrink + shares @ values""",
            by="""total = total + 1
        output = output + torch.softmax(scores, dim=-1).nan_to_num(0.0) @ values""",
            hint="In each block your shares sum to 1, so a block of unimportant keys counts as much as any other. "
            "Divide once, at the end, by the sum over all blocks.",
        ),
        Misconception(
            "numbered the keys of each block from 0",
            replace="torch.arange(begin, begin + keys.shape[-2], device",
            by="torch.arange(keys.shape[-2], device",
            hint="In the second block, the first key is not key 0. The mask needs its number in the whole sentence.",
        ),
        Misconception(
            "divided by d_head",
            replace="math.sqrt(d_head)",
            by="d_head",
            hint="Scores are divided by the square root of d_head, as in chapter 1.",
        ),
        Misconception(
            "left out the last, shorter block",
            replace="range(0, k.shape[-2], block)",
            by="range(0, k.shape[-2] - block + 1, block)",
            hint="The number of keys need not be a multiple of `block`. What is left over is a block, too.",
        ),
        Misconception(
            "aligned is_causal to the last key",
            replace="numbers > queries",
            by="numbers > queries + k.shape[-2] - seq_q",
            hint="Query i sees the keys 0 … i, however many more keys there are.",
        ),
        Misconception(
            "computed all scores at once",
            replace="seq_q, d_head = q.shape[-2:]",
            by="seq_q, d_head = q.shape[-2:]\n    block = k.shape[-2]",
            hint="The numbers are right, and the matrix of all scores was in memory. Take `block` keys, use their "
            "scores, and let go of them before you take the next.",
        ),
        Misconception(
            "gave everything to attention at once",
            replace="seq_q, d_head = q.shape[-2:]",
            by="mask = causal_mask(q.shape[-2], q.device) if is_causal else None\n"
            "    return attention(q, k, v, mask)[0]\n    seq_q, d_head = q.shape[-2:]",
            hint="`attention` makes the matrix of all scores. Take `block` keys, use their scores, and let go of them "
            "before you take the next.",
            check="shapes",
        ),
        Misconception(
            "always blocked the future",
            replace="if is_causal:",
            by="if True:",
            hint="Whether the future is blocked is up to the caller.",
        ),
        Misconception(
            "blocked the past in place of the future",
            replace="numbers > queries",
            by="numbers < queries",
            hint="Query i may attend to the keys 0 … i. What has to go has a number larger than i.",
        ),
        Misconception(
            "masked with 0",
            replace=MASK,
            by="scores = scores.masked_fill(numbers > queries, 0.0)",
            hint="A score of 0 is a score like any other: e to the power of 0 is 1. Which score has a share of 0?",
        ),
        Misconception(
            "scaled by the size of a block",
            replace="math.sqrt(d_head)",
            by="math.sqrt(block)",
            hint="How many keys you look at has nothing to do with how large a score is. d_head has.",
        ),
        Misconception(
            "shrank the new block's share of the output as well",
            replace="output * shrink + shares @ values",
            by="(output + shares @ values) * shrink",
            hint="The new shares are measured against the new maximum already. Only what is older has to shrink.",
        ),
        Misconception(
            "let only the last block count",
            replace="largest = new",
            by="pass",
            hint="Nothing of the earlier blocks is left. What do you carry from one block to the next, and is each of "
            "the three brought up to date?",
        ),
        Misconception(
            "subtracted no maximum",
            replace=LARGEST,
            by="torch.zeros_like(largest)",
            hint="e to the power of 89 is already more than float32 can hold. Subtract the largest score so far.",
        ),
        Misconception(
            "started the maximum at 0",
            replace='1), float("-inf"))',
            by="1), 0.0)",
            hint="Where all scores are far below 0, your maximum is none of them, and every share is rounded to 0. "
            "Which number is smaller than any score?",
        ),
        Misconception(
            "took the largest score of each block alone",
            replace=LARGEST,
            by="scores.amax(dim=-1, keepdim=True)",
            hint="Where an earlier block had a much larger score, what it left grows beyond all limits in place of "
            "shrinking. The maximum so far never falls.",
        ),
        Misconception(
            "took one maximum for all queries",
            replace="scores.amax(dim=-1, keepdim=True)",
            by="scores.amax()",
            hint="Where another query has a far larger score, all shares of this one are rounded to 0. Each query "
            "needs a maximum of its own.",
        ),
        Misconception(
            "took a softmax of each block",
            replace="torch.exp(scores - new)",
            by="torch.softmax(scores, dim=-1)",
            hint="In each block your shares sum to 1, so a block of unimportant keys counts as much as any other. "
            "Divide once, at the end.",
        ),
        Misconception(
            "took a softmax of each block and averaged the blocks",
            replace="""total = total * shrink + shares.sum(dim=-1, keepdim=True)
        output = output * shrink + shares @ values""",
            by="""total = total + 1
        output = output + torch.softmax(scores, dim=-1) @ values""",
            hint="In each block your shares sum to 1, so a block of unimportant keys counts as much as any other. "
            "Divide once, at the end, by the sum over all blocks.",
        ),
        Misconception(
            "divided by the number of keys",
            replace="output / total",
            by="output / k.shape[-2]",
            hint="The shares of a query do not sum to the number of keys. Divide by what they do sum to.",
        ),
        Misconception(
            "used the keys as values",
            replace="v[..., begin : begin + block, :]",
            by="k[..., begin : begin + block, :]",
            hint="The values never reach the output.",
        ),
        Misconception(
            "made a new tensor without asking where the queries lie",
            replace="q.new_full((*q.shape[:-1], 1)",
            by="torch.full((*q.shape[:-1], 1)",
            hint="A new tensor lies on the CPU, in float32, unless you say otherwise. Ask q.",
            check="shapes",
        ),
        Misconception(
            "returned the sum as well",
            replace="return output / total",
            by="return output / total, total",
            hint="Only the output is asked for. What you carried from block to block has done its work.",
            check="shapes",
        ),
        Misconception(
            "subtracted no maximum, and multiplied the shares by the mask",
            replace="""        new = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
        shrink = torch.exp(largest - new)
        shares = torch.exp(scores - new)""",
            by="""        shrink = 1.0
        scores = q @ keys.transpose(-2, -1) / math.sqrt(d_head)
        shares = torch.exp(scores)
        new = None
        if is_causal:
            shares = shares * (numbers <= queries)""",
            hint="e to the power of 89 is already more than float32 can hold, and infinity times 0 is NaN. Subtract "
            "the largest score so far.",
        ),
        Misconception(
            "took the maximum or the softmax of a block that lies wholly in the future",
            replace="shares = torch.exp(scores - new)",
            by="top = scores.amax(dim=-1, keepdim=True)\n"
            "        shares = torch.exp(scores - top) * torch.exp(top - new)",
            hint="All scores of such a block are −∞, and so is their maximum: −∞ − (−∞) is NaN, and softmax computes "
            "just that. The maximum so far is a number, since every query may attend to key 0: subtract that.",
        ),
        Misconception(
            "took a softmax of each block and added the blocks up",
            replace="""total = total * shrink + shares.sum(dim=-1, keepdim=True)
        output = output * shrink + shares @ values""",
            by="""total = torch.ones_like(total)
        output = output + torch.softmax(scores, dim=-1) @ values""",
            hint="In each block your shares sum to 1, so over all blocks they sum to the number of blocks. Divide "
            "once, at the end, by the sum over all blocks.",
        ),
        Misconception(
            "divided by the sum of the last block's shares",
            replace="total = total * shrink + shares.sum",
            by="total = shares.sum",
            hint="The output holds the values of all blocks, so it is to be divided by the shares of all blocks: the "
            "sum so far is carried from block to block, too.",
        ),
        Misconception(
            "divided by the sum in every block",
            replace="""output = output * shrink + shares @ values
        largest = new
    return output / total""",
            by="""output = (output * shrink + shares @ values) / total
        largest = new
    return output""",
            hint="What earlier blocks left is divided again and again. Divide once, at the end; or bring the average "
            "back to a sum before you add to it.",
        ),
        Misconception(
            "left out the last, shorter block, unless it is the only one",
            replace="range(0, k.shape[-2], block)",
            by="range(0, max(k.shape[-2] // block, 1) * block, block)",
            hint="The number of keys need not be a multiple of `block`. What is left over is a block, too.",
        ),
        Misconception(
            "measured the new shares against the maximum of their block alone",
            replace="shares = torch.exp(scores - new)",
            by="shares = torch.exp(scores - scores.amax(dim=-1, keepdim=True))",
            hint=TWO_MAXIMA,
        ),
        Misconception(
            "measured the new shares against the maximum of their block alone, with a large negative number for −∞",
            replace=f"""{MASK}
        new = {LARGEST}
        shrink = torch.exp(largest - new)
        shares = torch.exp(scores - new)""",
            by=f"""{MASK.replace('float("-inf")', "-1e30")}
        new = {LARGEST}
        shrink = torch.exp(largest - new)
        shares = torch.exp(scores - scores.amax(dim=-1, keepdim=True))""",
            hint=TWO_MAXIMA,
        ),
    ),
    alternatives=(
        Alternative(
            "the maximum first, in a pass of its own",
            """
def block_attention(q, k, v, block, is_causal=False):
    queries = torch.arange(q.shape[-2], device=q.device).unsqueeze(-1)

    def scores_of(begin):
        scores = torch.einsum("...qd,...kd->...qk", q, k[..., begin : begin + block, :]) * q.shape[-1] ** -0.5
        if is_causal:
            numbers = begin + torch.arange(scores.shape[-1], device=q.device)
            scores = scores.masked_fill(~(queries >= numbers), -torch.inf)
        return scores

    begins = range(0, k.shape[-2], block)
    largest = scores_of(0).amax(dim=-1, keepdim=True)
    for begin in begins:
        largest = torch.maximum(largest, scores_of(begin).amax(dim=-1, keepdim=True))
    total, mixed = 0, 0
    for begin in begins:
        shares = (scores_of(begin) - largest).exp()
        total = total + shares.sum(dim=-1, keepdim=True)
        mixed = mixed + shares @ v[..., begin : begin + block, :]
    return mixed / total
""",
        ),
        Alternative(
            "an average so far, merged by log-sum-exp",
            """
def block_attention(q, k, v, block, is_causal=False):
    out, lse, begin = None, None, 0
    for keys, values in zip(k.split(block, dim=-2), v.split(block, dim=-2)):
        s = q @ keys.mT / math.sqrt(q.size(-1))
        if is_causal:
            rows = torch.arange(q.size(-2), device=q.device)
            s = s.masked_fill(rows[:, None] < rows.new_tensor(begin) + torch.arange(
                keys.size(-2), device=q.device), float("-inf"))
        here = s.logsumexp(dim=-1, keepdim=True)
        mixed = (s - here.clamp(min=torch.finfo(s.dtype).min)).exp() @ values
        if out is None:
            out, lse = mixed, here
        else:
            both = torch.logaddexp(lse, here)
            out = out * (lse - both).exp() + mixed * (here - both).exp()
            lse = both
        begin += keys.size(-2)
    return out
""",
        ),
        Alternative(
            "blocks that lie wholly in the future are not computed",
            """
def block_attention(q, k, v, block, is_causal=False):
    seq_q, seq_k = q.shape[-2], k.shape[-2]
    m = torch.full(q.shape[:-1], -float("inf"), dtype=q.dtype, device=q.device)
    l = torch.zeros(q.shape[:-1], dtype=q.dtype, device=q.device)
    acc = torch.zeros_like(q)
    start = 0
    while start < seq_k:
        if is_causal and start >= seq_q:
            break
        end = min(start + block, seq_k)
        s = (q / q.shape[-1] ** 0.5) @ k[..., start:end, :].transpose(-1, -2)
        if is_causal:
            allowed = torch.ones(seq_q, end - start, dtype=torch.bool, device=q.device).tril(-start)
            s = torch.where(allowed, s, torch.tensor(float("-inf"), dtype=s.dtype, device=s.device))
        m_new = torch.max(m, s.max(dim=-1).values)
        p = torch.exp(s - m_new.unsqueeze(-1))
        factor = torch.exp(m - m_new)
        l = l * factor + p.sum(-1)
        acc = acc * factor.unsqueeze(-1) + p @ v[..., start:end, :]
        m = m_new
        start = end
    return acc / l.unsqueeze(-1)
""",
        ),
        Alternative(
            "the logarithm of the sum alone is carried, and an average so far",
            """
def block_attention(q, k, v, block, is_causal=False):
    i = torch.arange(q.shape[-2], device=q.device).unsqueeze(-1)
    log_total = torch.full_like(q[..., :1], -math.inf)
    output = torch.zeros_like(q)
    for begin in range(0, k.shape[-2], block):
        part = slice(begin, begin + block)
        scores = q @ k[..., part, :].mT / math.sqrt(q.shape[-1])
        if is_causal:
            j = torch.arange(begin, begin + scores.shape[-1], device=q.device)
            scores = scores.masked_fill(j > i, -math.inf)
        new = torch.logaddexp(log_total, scores.logsumexp(dim=-1, keepdim=True))
        output = output * (log_total - new).exp() + (scores - new).exp() @ v[..., part, :]
        log_total = new
    return output
""",
        ),
        Alternative(
            "by torch.addcmul, over torch.split",
            """
def block_attention(q, k, v, block, is_causal=False):
    largest = torch.full_like(q[..., :1], float("-inf"))
    mixed, total = q * 0, q[..., :1] * 0
    i = torch.arange(q.shape[-2], device=q.device)
    start = 0
    for keys, values in zip(torch.split(k, block, -2), torch.split(v, block, -2)):
        scores = torch.matmul(q, keys.transpose(-1, -2)).div(math.sqrt(q.shape[-1]))
        if is_causal:
            j = torch.arange(start, start + keys.shape[-2], device=q.device)
            scores = scores.masked_fill(j[None, :] > i[:, None], -math.inf)
        start += keys.shape[-2]
        top = scores.max(dim=-1, keepdim=True).values.maximum(largest)
        old, new = (largest - top).exp(), (scores - top).exp()
        mixed = torch.addcmul(new @ values, mixed, old)
        total = torch.addcmul(new.sum(-1, keepdim=True), total, old)
        largest = top
    return mixed.div(total)
""",
        ),
    ),
    probe=block_attention_watched,
)
