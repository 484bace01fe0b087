"""`run_heads`: runs every head on the same sentence, one after the other."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, LARGEST, draw_heads, draw_sentences


def heads_call(draw: Draw, x: torch.Tensor, mask: torch.Tensor | None, num_heads: int, d_head: int) -> Call:
    d_model = x.shape[-1]
    # three layers a head: weights (num_heads, 3, d_head, d_model) and biases (num_heads, 3, d_head)
    weights = draw.normal(num_heads, 3, d_head, d_model, scale=d_model**-0.5)
    biases = draw.normal(num_heads, 3, d_head, scale=0.5)
    return Call({"the heads' weights": weights, "their biases": biases, "x": x, "mask": mask})


def heads_without_mask(draw: Draw) -> Call:
    num_heads, d_head, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    return heads_call(draw, draw.normal(batch, seq, d_model), None, num_heads, d_head)


def heads_with_blocked_word(draw: Draw) -> Call:
    num_heads, d_head, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    mask = draw.mask(batch, seq, seq)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq - 1)] = False
    return heads_call(draw, draw.normal(batch, seq, d_model), mask, num_heads, d_head)


def one_head_alone(draw: Draw) -> Call:
    batch, seq = draw.sizes("batch seq", high=LARGEST)
    (d_model,) = draw.sizes("d_model", low=9, high=12)  # and d_head, as it must be with one head
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return heads_call(draw, draw.normal(batch, seq, d_model), mask, 1, d_model)


def run_through(target, weights, biases, x, mask):
    """Make heads of chapter 1 with these weights and biases, of the dtype of x, and run them."""
    import torch
    from torch import nn

    from manyheads.earlier import SingleHeadAttention

    num_heads, _, d_head, d_model = weights.shape
    heads = nn.ModuleList(SingleHeadAttention(d_model, d_head) for _ in range(num_heads)).to(x.dtype)
    with torch.no_grad():
        for head, head_weights, head_biases in zip(heads, weights, biases, strict=True):
            for layer, weight, bias in zip((head.w_q, head.w_k, head.w_v), head_weights, head_biases, strict=True):
                layer.weight.copy_(weight)
                layer.bias.copy_(bias)
    return target(heads, x) if mask is None else target(heads, x, mask)


STACKED = """outputs = torch.stack([output for output, _ in answers], dim=1)
    # num_heads times (batch, seq, seq) -> (batch, num_heads, seq, seq)
    weights = torch.stack([weight for _, weight in answers], dim=1)"""
STACKED_IN_FRONT = """outputs = torch.stack([output for output, _ in answers])
    outputs = outputs.view(len(x), len(heads), *outputs.shape[2:])
    weights = torch.stack([weight for _, weight in answers])
    weights = weights.view(len(x), len(heads), *weights.shape[2:])"""

EXERCISE = Exercise(
    name="run_heads",
    returns=("outputs", "weights"),
    cases=(
        Case("several heads without a mask", heads_without_mask),
        Case("a mask for each sentence, and a word that may attend to nothing", heads_with_blocked_word),
        Case("a single head under a causal mask", one_head_alone),
    ),
    misconceptions=(
        Misconception(
            "put the heads in front of the batch",
            replace=STACKED,
            by=STACKED.replace("dim=1", "dim=0"),
            hint="The new dimension comes first here. The batch comes first and the heads second.",
            check="shapes",
        ),
        Misconception(
            "put the heads behind the words",
            replace=STACKED,
            by=STACKED.replace("dim=1", "dim=2"),
            hint="The new dimension comes third here. The heads come right behind the batch, before the words.",
            check="shapes",
        ),
        Misconception(
            "put the heads last",
            replace=STACKED,
            by=STACKED.replace("dim=1", "dim=-1"),
            hint="The new dimension comes last here. The heads come right behind the batch, before the words.",
            check="shapes",
        ),
        Misconception(
            "used cat, which makes no new dimension",
            replace=STACKED,
            by=STACKED.replace("torch.stack", "torch.cat"),
            hint="cat makes the dimension of the words longer, and there is no telling which head said what.",
            check="shapes",
        ),
        Misconception(
            "joined the outputs along the features here already",
            replace="torch.stack([output for output, _ in answers], dim=1)",
            by="torch.cat([output for output, _ in answers], dim=-1)",
            hint="That is the next exercise. Here each head's output stays apart, in a dimension of its own.",
            check="shapes",
        ),
        Misconception(
            "added the heads' outputs up",
            replace="torch.stack([output for output, _ in answers], dim=1)",
            by="torch.stack([output for output, _ in answers], dim=1).sum(dim=1)",
            hint="In a sum there is no telling which head said what. Keep the outputs apart.",
            check="shapes",
        ),
        Misconception(
            "averaged the weights over the heads",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="torch.stack([weight for _, weight in answers], dim=1).mean(dim=1)",
            hint="torch's nn.MultiheadAttention does this by default, but it hides what each head looks at. Keep "
            "the weights of each head.",
            check="shapes",
        ),
        Misconception(
            "returned lists",
            replace=STACKED,
            by="outputs, weights = [output for output, _ in answers], [weight for _, weight in answers]",
            hint="Everything is there, but as lists of tensors. Return one tensor each.",
            check="shapes",
        ),
        Misconception(
            "stacked the pairs that the heads return",
            replace=STACKED,
            by="outputs = weights = torch.stack(answers, dim=1)",
            hint="Each head returns two tensors, and stack takes a list of tensors. Sort the pairs first: outputs "
            "here, weights there.",
            check="shapes",
        ),
        Misconception(
            "called the list of heads itself",
            replace="[head(x, mask) for head in heads]",
            by="heads(x, mask)",
            hint="An nn.ModuleList only holds modules; it does nothing with x. Call the heads in it, one by one.",
            check="shapes",
        ),
        Misconception(
            "stopped after the first head",
            replace="[head(x, mask) for head in heads]",
            by="[head(x, mask) for head in heads[:1]]",
            hint="Only head 0 has been run. Is your return inside the loop?",
            check="shapes",
        ),
        Misconception(
            "returned a list of pairs",
            replace="return outputs, weights",
            by="return answers",
            hint="Return two tensors: all the outputs, and all the weights. Sort the pairs first.",
            check="shapes",
        ),
        Misconception(
            "returned only the outputs",
            replace="return outputs, weights",
            by="return outputs",
            hint="Return two tensors: the outputs, and the weights that made them.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace="return outputs, weights",
            by="return weights, outputs",
            hint="The order is: outputs, then weights.",
            check="shapes",
        ),
        Misconception(
            "gave a head something narrower than x, a slice of it or what another head returned",
            replace="head(x, mask) for head in heads",
            by="head(part, mask) for head, part in zip(heads, x.chunk(len(heads), dim=-1))",
            hint="Each head reads all of x, the same x for all. None gets a part, or what another one returned.",
            check="shapes",
        ),
        families.mask_forgotten("head(x, mask)", "Every head needs the mask."),
        Misconception(
            "passed the mask on to the first head only",
            replace="head(x, mask) for head in heads",
            by="head(x, mask if place == 0 else None) for place, head in enumerate(heads)",
            hint="A blocked word is blocked for all heads: a single one that sees the future reveals everything.",
        ),
        Misconception(
            "ran the first head again and again",
            replace="head(x, mask) for head in heads",
            by="heads[0](x, mask) for head in heads",
            hint="All heads say the same. Call the one whose turn it is.",
        ),
        Misconception(
            "went through the heads backwards",
            replace="for head in heads]",
            by="for head in reversed(heads)]",
            hint="The last head's output is in the place of head 0. Keep the order.",
        ),
        Misconception(
            "looked for a mask of its own for each head",
            replace="head(x, mask) for head in heads",
            by="head(x, mask[place]) for place, head in enumerate(heads)",
            hint="All heads get the same mask, as it is. Its first dimension counts sentences or queries, and there "
            "may be no mask at all.",
            check="shapes",
        ),
        families.mask_inverted("head(x, mask)"),
        Misconception(
            "blocked the future where no mask is given",
            replace="answers = [head(x, mask) for head in heads]",
            by="mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril() if mask is None else mask\n"
            "    answers = [head(x, mask) for head in heads]",
            hint="Without a mask nothing is blocked: every word may look at every word. Whether the future is blocked "
            "is up to the caller.",
        ),
        Misconception(
            "gave every head the mean of all heads' weights",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="torch.stack([weight for _, weight in answers], dim=1)\n"
            "    weights = weights.mean(dim=1, keepdim=True).expand_as(weights)",
            hint="The mean hides what each head looks at. Keep the weights of each head.",
        ),
        Misconception(
            "stacked the outputs in the place of the weights, too",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="torch.stack([output for output, _ in answers], dim=1)",
            hint="Both tensors you return are outputs. A head returns two: its output comes first, and its weights "
            "second.",
            check="shapes",
        ),
        Misconception(
            "stacked the weights in the place of the outputs, too",
            replace="torch.stack([output for output, _ in answers], dim=1)",
            by="torch.stack([weight for _, weight in answers], dim=1)",
            hint="Both tensors you return are weights. A head returns two: its output comes first, and its weights "
            "second.",
            check="shapes",
        ),
        Misconception(
            "left out the last head",
            replace="[head(x, mask) for head in heads]",
            by="[head(x, mask) for head in list(heads)[:-1]]",
            hint="One head is missing, the last. (range(n) ends with n − 1 by itself.)",
            check="shapes",
        ),
        Misconception(
            "left out the first head",
            replace="[head(x, mask) for head in heads]",
            by="[head(x, mask) for head in list(heads)[1:]]",
            hint="One head is missing, the first. (Places in a list are counted from 0.)",
            check="shapes",
        ),
        families.gradient_cut_off("return outputs, weights", "return outputs.detach(), weights.detach()"),
        Misconception(
            "returned the weights of the last head only",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="answers[-1][1]",
            hint="Each head looks somewhere else, and the weights of the others are lost. Collect them like the "
            "outputs. (A name that is set in a loop keeps the last value.)",
            check="shapes",
        ),
        Misconception(
            "returned the weights of the first head only",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="answers[0][1]",
            hint="Each head looks somewhere else, and the weights of the others are lost. Collect them like the "
            "outputs.",
            check="shapes",
        ),
        Misconception(
            "let each head see only its slice of x",
            replace="head(x, mask) for head in heads",
            by="head(x * (torch.arange(x.shape[-1]) * len(heads) // x.shape[-1] == h), mask)\n"
            "        for h, head in enumerate(heads)",
            hint="Each head reads all of x, the same x for all. Narrow is only what it makes of it.",
        ),
        Misconception(
            "stacked the heads in front of the batch and viewed that in the wanted shape",
            replace=STACKED,
            by=STACKED_IN_FRONT,
            hint="A view swaps no dimensions: it reads first head 0 for all sentences, and calls that the heads of "
            "sentence 0. Stack the heads behind the batch at once, or swap the two.",
        ),
    ),
    alternatives=(
        Alternative(
            "two lists, filled in a loop",
            """
def run_heads(heads, x, mask=None):
    outputs, weights = [], []
    for head in heads:
        output, weight = head(x, mask=mask)
        outputs.append(output.unsqueeze(1))
        weights.append(weight.unsqueeze(1))
    return torch.cat(outputs, dim=1), torch.cat(weights, dim=1)
""",
        ),
        Alternative(
            "zip",
            """
def run_heads(heads, x, mask=None):
    outputs, weights = zip(*(head(x, mask) for head in heads))
    return torch.stack(outputs, 1), torch.stack(weights, 1)
""",
        ),
        Alternative(
            "stacked in front, then moved",
            """
def run_heads(heads, x, mask=None):
    answers = [head(x, mask) for head in heads]
    outputs = torch.stack([answer[0] for answer in answers]).transpose(0, 1)
    weights = torch.stack([answer[1] for answer in answers]).movedim(0, 1)
    return [outputs, weights]
""",
        ),
        Alternative(
            "a tensor to fill, of the right dtype",
            """
def run_heads(heads, x, mask=None):
    batch, seq, _ = x.shape
    outputs = x.new_empty(batch, len(heads), seq, heads[0].w_v.out_features)
    weights = x.new_empty(batch, len(heads), seq, seq)
    for i in range(len(heads)):
        outputs[:, i], weights[:, i] = heads[i](x, mask)
    return outputs, weights
""",
        ),
        Alternative(
            "a tensor to fill, as wide as the heads' rule says",
            """
def run_heads(heads, x, mask=None):
    batch, seq, d_model = x.shape
    outputs = torch.empty(batch, len(heads), seq, d_model // len(heads), dtype=x.dtype)
    weights = torch.empty(batch, len(heads), seq, seq, dtype=x.dtype)
    for place, head in enumerate(heads):
        outputs[:, place], weights[:, place] = head(x, mask)
    return outputs, weights
""",
        ),
    ),
    forbids=FORBIDS,
    probe=run_through,
    exact_zeros=True,
)
