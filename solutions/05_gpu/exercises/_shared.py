"""What several exercises of chapter 5 share: sizes, torch's pretend device, and mistakes with is_causal.

The mistakes are edits of a call of scaled_dot_product_attention that is given attn_mask=mask and, last of all,
is_causal=is_causal.
"""

import torch

from autograder.declare import Misconception

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small
META = torch.device("meta")

# All True; tril() makes it causal.
CAUSAL = "torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)"


def with_mask(call: str, causal: str) -> str:
    """Return `call` without is_causal: where that is asked for, it gets the mask that the code `causal` makes."""
    return call.replace("attn_mask=mask", f"attn_mask={causal} if is_causal else mask").replace(
        ", is_causal=is_causal", ""
    )


ALWAYS_CAUSAL = Misconception(
    "blocked the future wherever there is no mask",
    replace="is_causal=is_causal",
    by="is_causal=mask is None",
    hint="Whether the future is blocked is up to the caller. is_causal is False unless they say so.",
)
NOT_CAUSAL_FOR_ONE_QUERY = Misconception(
    "dropped is_causal for a single query",
    replace="is_causal=is_causal",
    by="is_causal=is_causal and q.shape[-2] > 1",
    hint="That is right where the query is the last word and the keys are all before it. Here, and in torch, "
    "query i sees the keys 0 … i: the only query is query 0, and sees key 0 alone.",
)


def causal_to_the_last_key(call: str) -> Misconception:
    return Misconception(
        "aligned is_causal to the last key",
        replace=call,
        by=with_mask(call, f"{CAUSAL}.tril(k.shape[-2] - q.shape[-2])"),
        hint="With more keys than queries, some models let the last query see the last key. Here, and in torch, "
        "query i sees the keys 0 … i, however many there are.",
    )


def causal_to_the_last_of_more_keys(call: str) -> Misconception:
    return Misconception(
        "aligned is_causal to the last key where there are more keys than queries",
        replace=call,
        by=with_mask(call, f"{CAUSAL}.tril(max(k.shape[-2] - q.shape[-2], 0))"),
        hint="The last rows of a larger causal mask are for queries that come last. Here, and in torch, query i sees "
        "the keys 0 … i, however many there are.",
    )


def square_causal_mask(call: str) -> Misconception:
    return Misconception(
        "made a square causal mask",
        replace=call,
        by=with_mask(call, "causal_mask(q.shape[-2], q.device)"),
        hint="A mask has a row for each query and a column for each key, and there may be more or fewer keys than "
        "queries. is_causal needs no mask at all: pass it on.",
        check="shapes",
    )


def causal_mask_on_the_cpu(call: str, where: str) -> Misconception:
    """`where` begins the hint, saying what may lie elsewhere."""
    return Misconception(
        "built the causal mask on the CPU",
        replace=call,
        by=with_mask(call, f"{CAUSAL.replace(', device=q.device', '')}.tril()"),
        hint=f"{where} is_causal needs no mask at all: pass it on.",
        check="shapes",
    )
