"""`fast_attention`: attention by torch's scaled_dot_product_attention."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import (
    ALWAYS_CAUSAL,
    CAUSAL,
    META,
    NOT_CAUSAL_FOR_ONE_QUERY,
    causal_mask_on_the_cpu,
    causal_to_the_last_key,
    causal_to_the_last_of_more_keys,
    square_causal_mask,
)


def attention_call(
    draw: Draw,
    front: str = "batch num_heads",
    masked: bool = False,
    causal: bool = False,
    square: bool = False,
    single: bool = False,
    keys: str = "",
    dtype: torch.dtype = torch.float32,
) -> Call:
    """Draw queries, keys and values; `keys`: more or fewer of them than queries, or as it comes."""
    *leading, seq_q, d_head = draw.sizes(f"{front} seq_q d_head", low=2, high=6)
    if single:
        seq_q = 1
        draw.named(seq_q=seq_q)
    seq_k = seq_q if square else draw.sizes("seq_k", low=2, high=6)[0]
    if keys:
        seq_q, seq_k = sorted((seq_q, seq_k), reverse=keys == "fewer")
        draw.named(seq_q=seq_q, seq_k=seq_k)
    q = draw.normal(*leading, seq_q, d_head).to(dtype)
    k, v = (draw.normal(*leading, seq_k, d_head).to(dtype) for _ in range(2))
    mask = draw.mask(leading[0], *[1] * (len(leading) - 1), seq_q, seq_k) if masked else None
    return Call({"q": q, "k": k, "v": v, "mask": mask, "is_causal": causal})


def attention_with_blocked_query(draw: Draw) -> Call:
    call = attention_call(draw, masked=True)
    mask = call.inputs["mask"]
    assert isinstance(mask, torch.Tensor)
    mask[0, 0, draw.integer(0, mask.shape[-2] - 1)] = False
    return call


def attention_on_meta(draw: Draw) -> Call:
    call = attention_call(draw, causal=True, square=True)
    on_meta = {
        name: value.to(META) if isinstance(value, torch.Tensor) else value for name, value in call.inputs.items()
    }
    return Call(on_meta)


def fast_attention_spied_on(target, q, k, v, mask, is_causal):
    """Call it where the inputs lie and, if this machine has a GPU, there too; else the answer counts for both."""
    import torch

    from manyheads.calling import pretend_hardware

    with pretend_hardware.AttentionSpy() as spy:
        here = target(q, k, v, mask, is_causal)
    used = bool(spy.dropouts)
    if q.is_meta or not torch.cuda.is_available():
        return here, here, used
    try:
        moved = [part if part is None else part.cuda() for part in (q, k, v, mask)]
    except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
        return here, here, used
    return here, target(*moved, is_causal), used


SDPA = "F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)"

EXERCISE = Exercise(
    name="fast_attention",
    keeps_dtype=True,
    returns=("output", "output on a GPU", "use of scaled_dot_product_attention"),
    cases=(
        Case("a batch of heads without a mask", attention_call),
        Case("a mask of its own for each sentence", lambda draw: attention_call(draw, masked=True)),
        Case("is_causal", lambda draw: attention_call(draw, causal=True, square=True)),
        Case("is_causal, with more keys than queries", lambda draw: attention_call(draw, causal=True, keys="more")),
        Case("is_causal, with fewer keys than queries", lambda draw: attention_call(draw, causal=True, keys="fewer")),
        Case("is_causal, with a single query", lambda draw: attention_call(draw, causal=True, single=True)),
        Case("a query that may attend to nothing", attention_with_blocked_query),
        Case("bfloat16 and a mask", lambda draw: attention_call(draw, masked=True, dtype=torch.bfloat16)),
        Case("is_causal on another device, here the pretend device meta", attention_on_meta),
        Case("one dimension in front, in float64", lambda draw: attention_call(draw, "batch", dtype=torch.float64)),
    ),
    misconceptions=(
        Misconception(
            "ignored the mask",
            replace="attn_mask=mask, ",
            by="",
            hint="Blocked words are still looked at. torch's function takes the mask as attn_mask.",
        ),
        Misconception(
            "inverted the mask",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else ~mask",
            hint="Your words look exactly where they may not. nn.MultiheadAttention marks what is blocked, but "
            'scaled_dot_product_attention is like this course: True means "may attend".',
        ),
        Misconception(
            "turned the mask into numbers",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else mask.to(q.dtype)",
            hint="A mask of numbers is added to the scores: allowed ones rise by 1 and nothing is blocked. Pass the "
            "boolean mask as it is.",
        ),
        Misconception(
            "ignored is_causal",
            replace=", is_causal=is_causal",
            by="",
            hint="Your words see the future though the caller said no. torch's function has an is_causal of its own.",
        ),
        ALWAYS_CAUSAL,
        Misconception(
            "scaled the queries a second time",
            replace="F.scaled_dot_product_attention(q,",
            by="F.scaled_dot_product_attention(q / q.shape[-1] ** 0.5,",
            hint="Your weights are too even. The function divides by √d_head itself: that is the scaled in its name.",
        ),
        Misconception(
            "switched the scaling off",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, scale=1.0",
            hint="scale is what the scores are multiplied with. Left out, it is 1/√d_head, which is what you want.",
        ),
        Misconception(
            "gave √d_head as the scale",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, scale=q.shape[-1] ** 0.5",
            hint="scale multiplies the scores and does not divide them. Left out, it is 1/√d_head.",
        ),
        Misconception(
            "swapped keys and values",
            replace="(q, k, v, attn_mask",
            by="(q, v, k, attn_mask",
            hint="The order is queries, keys, values, as in your own attention.",
        ),
        Misconception(
            "used the keys as values",
            replace="(q, k, v, attn_mask",
            by="(q, k, k, attn_mask",
            hint="The values never reach the output. The order is queries, keys, values.",
        ),
        causal_to_the_last_key(SDPA),
        causal_to_the_last_of_more_keys(SDPA),
        NOT_CAUSAL_FOR_ONE_QUERY,
        Misconception(
            "left dropout on",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, dropout_p=0.5",
            hint="The function drops weights at random whenever dropout_p is not 0: it cannot know whether you train.",
        ),
        Misconception(
            "computed in float32 and stayed there",
            replace="(q, k, v, attn_mask",
            by="(q.float(), k.float(), v.float(), attn_mask",
            hint="The output has another dtype than what came in. The function works in the dtype of its inputs, so "
            "leave them as they are.",
            check="shapes",
        ),
        causal_mask_on_the_cpu(SDPA, "q, k and v may lie on a GPU, and your mask does not."),
        Misconception(
            "used your own attention",
            replace=SDPA,
            by=f"attention(q, k, v, {CAUSAL}.tril() if is_causal else mask)[0]",
            hint="The numbers are right, and the score matrix is written down. Let scaled_dot_product_attention do it.",
        ),
        Misconception(
            "returned the weights as well",
            replace=f"return {SDPA}",
            by=f"return {SDPA}, None",
            hint="torch's function returns the output alone: the weights are never written down. So does yours.",
            check="shapes",
        ),
        square_causal_mask(SDPA),
        Misconception(
            "took only the first of the batch",
            replace="attn_mask=mask, is_causal=is_causal)",
            by="attn_mask=mask, is_causal=is_causal)[0]",
            hint="Your own attention returns two tensors. torch's function returns the output alone, so an index "
            "picks a sentence out of the batch.",
            check="shapes",
        ),
        Misconception(
            "gave is_causal to dropout_p",
            replace="attn_mask=mask, is_causal=is_causal",
            by="attn_mask=mask, dropout_p=is_causal",
            hint="The argument after the mask is dropout_p, and True counts as 1: every weight is dropped. Pass "
            "is_causal by name.",
        ),
        families.asked_whether_true(
            "the mask is", "attn_mask=mask", "attn_mask=mask if mask else None", "if not|if name|or"
        ),
        Misconception(
            "turned is_causal round",
            replace="is_causal=is_causal",
            by="is_causal=not is_causal and mask is None",
            hint="The future is blocked where it may be seen, and seen where it may not. Pass is_causal on as it is.",
        ),
    ),
    alternatives=(
        Alternative(
            "by position, from torch.nn.functional",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal)
""",
        ),
        Alternative(
            "imported by name, both masks combined",
            """
from torch.nn.functional import scaled_dot_product_attention

def fast_attention(q, k, v, mask=None, is_causal=False):
    if mask is not None and is_causal:
        mask = mask & torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
        is_causal = False
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)
""",
        ),
        Alternative(
            "the causal mask written down, on the right device",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    if is_causal:
        causal = torch.ones(q.size(-2), k.size(-2), dtype=torch.bool, device=q.device).tril()
        mask = causal if mask is None else mask & causal
    return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
""",
        ),
        Alternative(
            "a mask of 0 and −∞",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    if mask is not None:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal)
""",
        ),
    ),
    probe=fast_attention_spied_on,
)
