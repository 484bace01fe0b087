"""What is known of the exercises of chapter 3: their cases, the mistakes learners make, other right solutions.

Read by `autograder`, in lesson order, through `EXERCISES`. The reference solutions stand in `lesson.py`.
"""

from __future__ import annotations

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

# Layers of several heads have many weights: these sizes keep the fixtures small.
LARGEST_HEAD, LARGEST = 5, 6
FORBIDS = ("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward")


def draw_heads(draw: Draw) -> tuple[int, int, int]:
    """Draw num_heads and d_head, and name their product d_model."""
    num_heads, d_head = draw.sizes("num_heads d_head", high=LARGEST_HEAD)
    draw.named(d_model=num_heads * d_head)
    return num_heads, d_head, num_heads * d_head


def draw_sentences(draw: Draw) -> tuple[int, int]:
    """Draw batch, which is 2, and seq."""
    (batch,) = draw.sizes("batch", low=2, high=2)
    (seq,) = draw.sizes("seq", high=LARGEST)
    return batch, seq


# head_width


def width_that_divides(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    return Call({"d_model": d_model, "num_heads": num_heads})


def width_of_the_lesson(draw: Draw) -> Call:
    return Call({"d_model": 512, "num_heads": 8})


def width_of_one_head(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": 1})


def width_one(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": d_model})


def width_with_a_remainder(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    return Call({"d_model": num_heads * d_head + draw.integer(1, num_heads - 1), "num_heads": num_heads})


def width_of_no_head(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": 0})


def width_of_negative_heads(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    return Call({"d_model": num_heads * d_head, "num_heads": -num_heads})


def width_of_nothing(draw: Draw) -> Call:
    (num_heads,) = draw.sizes("num_heads", low=3, high=9)
    return Call({"d_model": 0, "num_heads": num_heads})


def attempt(target, d_model, num_heads):
    """Return the width or, for numbers that do not fit, say in words how the call ends."""
    import re

    if d_model > 0 and num_heads > 0 and d_model % num_heads == 0:
        return target(d_model, num_heads)
    both = f"{d_model} and {num_heads}"
    try:
        value = target(d_model, num_heads)
    except NotImplementedError:
        raise
    except ValueError as error:
        numbers = re.findall(r"-?\d+", str(error))
        unnamed = [str(number) for number in (d_model, num_heads) if str(number) not in numbers]
        if len(unnamed) == 2:
            return f"a ValueError that names neither {d_model} nor {num_heads}"
        return f"a ValueError that does not name {unnamed[0]}" if unnamed else f"a ValueError that names {both}"
    except Exception as error:
        kind = type(error).__name__
        return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
    if value is None:
        return "no error, and nothing comes back"
    return f"no error, and {value if isinstance(value, (int, float)) else type(value).__name__} comes back"


REFUSAL = """if d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0:
        raise ValueError(f"d_model {d_model} cannot be shared out evenly among {num_heads} heads")"""

HEAD_WIDTH = Exercise(
    name="head_width",
    returns=("the outcome",),
    cases=(
        Case("numbers that divide evenly", width_that_divides),
        Case("the numbers of the lesson", width_of_the_lesson),
        Case("a single head", width_of_one_head),
        Case("as many heads as features", width_one),
        Case("numbers with a remainder", width_with_a_remainder),
        Case("no head at all", width_of_no_head),
        Case("a negative number of heads", width_of_negative_heads),
        Case("no features", width_of_nothing),
    ),
    misconceptions=(
        Misconception(
            "divided with /, which makes a float",
            replace="return d_model // num_heads",
            by="return d_model / num_heads",
            hint="512 / 8 is 64.0, and nn.Linear wants a whole number. Another sign divides whole numbers.",
            check="shapes",
            shown_by=("/",),
        ),
        Misconception(
            "divided the number of heads by d_model",
            replace="return d_model // num_heads",
            by="return num_heads // d_model",
            hint="The features are shared out among the heads, not the heads among the features.",
        ),
        Misconception(
            "returned what is left over",
            replace="return d_model // num_heads",
            by="return d_model % num_heads",
            hint="For numbers that divide evenly, the remainder is always 0. Asked for is how often it goes.",
        ),
        Misconception(
            "took the number of heads for their width",
            replace="return d_model // num_heads",
            by="return num_heads",
            hint="num_heads says how many heads there are. How wide each is follows from d_model as well.",
        ),
        Misconception(
            "refused only numbers that break all the rules at once",
            replace="d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0",
            by="d_model <= 0 and num_heads <= 0 and d_model % num_heads != 0",
            hint="With `and` between the questions, all of them must be answered with yes. One broken rule is enough "
            "to refuse the numbers.",
            shown_by=("and", "raise"),
        ),
        Misconception(
            "rounded down and raised no error",
            replace=REFUSAL,
            by="pass",
            hint="Features that are left over would belong to no head, and the error would come much later. Numbers "
            "that do not fit must be refused here, with an error. (Printing one refuses nothing.)",
        ),
        Misconception(
            "used assert",
            replace="raise ValueError(f",
            by="assert False, (f",
            hint="An AssertionError says that the programmer was wrong, and Python can be told to skip assertions. "
            "What a caller gets wrong is a ValueError.",
            shown_by=("assert",),
        ),
        Misconception(
            "raised a plain Exception",
            replace="raise ValueError(f",
            by="raise Exception(f",
            hint="Whoever wants to catch your error would have to catch all errors there are. A wrong value has a kind "
            "of its own: ValueError.",
        ),
        Misconception(
            "returned the message instead of raising it",
            replace="raise ValueError(f",
            by="return str(f",
            hint="Whoever calls you takes what you return for a width. An error is raised.",
        ),
        Misconception(
            "returned None for numbers that do not fit",
            replace=REFUSAL,
            by=REFUSAL.replace("raise ValueError(f", "return print(end='' and f"),
            hint="None goes on as if it were a width, and the error comes somewhere else. Raise one here. (A printed "
            "message stops nothing.)",
        ),
        Misconception(
            "raised an error that names no number",
            replace='f"d_model {d_model} cannot be shared out evenly among {num_heads} heads"',
            by='"d_model must be divisible by num_heads"',
            hint="The rule is known to whoever reads the message. What helps is the two numbers that broke it. (They "
            "are in your message? Then an f is missing before its quotes.)",
        ),
        Misconception(
            "named only d_model in the message",
            replace="among {num_heads} heads",
            by="among the heads",
            hint="Whether a number fits depends on both. The message must name num_heads too.",
        ),
        Misconception(
            "named only the number of heads in the message",
            replace='f"d_model {d_model} cannot',
            by='f"d_model cannot',
            hint="Whether a number fits depends on both. The message must name d_model too.",
        ),
        Misconception(
            "asked only whether it divides",
            replace="d_model <= 0 or num_heads <= 0 or ",
            by="",
            hint="A remainder with 0 is an error of its own, and −3 divides 12 evenly. Ask first whether both numbers "
            "are positive.",
        ),
        Misconception(
            "did not ask whether num_heads is positive",
            replace="num_heads <= 0 or ",
            by="",
            hint="A remainder with 0 is an error of its own, and −3 divides 12 evenly. Ask before you compute the "
            "remainder.",
        ),
        Misconception(
            "computed the remainder before asking whether num_heads is positive",
            replace="d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0",
            by="d_model % num_heads != 0 or d_model <= 0 or num_heads <= 0",
            hint="A remainder with 0 is an error of its own, and it comes before your question. Ask that first.",
        ),
        Misconception(
            "refused 0 heads, but not negative numbers of heads",
            replace="num_heads <= 0",
            by="num_heads == 0",
            hint="−3 divides 12 evenly, so the remainder does not give it away. Zero is not the only number that is "
            "not positive.",
        ),
        Misconception(
            "did not ask whether d_model is positive",
            replace="d_model <= 0 or ",
            by="",
            hint="0 can be divided by any number of heads, and each would be 0 wide. A word must have features.",
        ),
        Misconception(
            "refused the numbers that do fit",
            replace="d_model % num_heads != 0",
            by="d_model % num_heads == 0",
            hint="A remainder of 0 means that the numbers fit. The error is for all others.",
            check="shapes",
        ),
        Misconception(
            "returned the error instead of raising it",
            replace="raise ValueError(f",
            by="return ValueError(f",
            hint="An error that is returned stops nobody: the caller takes it for a width. It has to be raised.",
        ),
    ),
    alternatives=(
        Alternative(
            "divmod, one question after the other",
            """
def head_width(d_model, num_heads):
    if not (d_model > 0 and num_heads > 0):
        raise ValueError("both must be positive: d_model=%d, num_heads=%d" % (d_model, num_heads))
    width, rest = divmod(d_model, num_heads)
    if rest:
        raise ValueError(f"{d_model} / {num_heads} leaves {rest}")
    return width
""",
        ),
        Alternative(
            "multiplied back",
            """
def head_width(d_model, num_heads):
    if min(d_model, num_heads) < 1 or d_model // num_heads * num_heads != d_model:
        raise ValueError("d_model and num_heads do not fit", d_model, num_heads)
    return int(d_model / num_heads)
""",
        ),
        Alternative(
            "the error at the end",
            """
def head_width(d_model, num_heads):
    if d_model > 0 and num_heads > 0 and not d_model % num_heads:
        return d_model // num_heads
    message = "num_heads = " + str(num_heads) + " does not divide d_model = " + str(d_model)
    raise ValueError(message)
""",
        ),
    ),
    probe=attempt,
)


# make_heads


def several_heads(draw: Draw) -> Call:
    # so far apart that one head too many is not taken for d_head of them
    num_heads = draw.integer(3, 4)
    d_head = num_heads + draw.integer(2, 3)
    draw.named(num_heads=num_heads, d_head=d_head, d_model=num_heads * d_head)
    return Call({"d_model": num_heads * d_head, "num_heads": num_heads})


def a_single_head(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=6, high=12)
    return Call({"d_model": d_model, "num_heads": 1})


def parts(target, d_model, num_heads):
    """Say what was made: its class, its heads, their parameters, and how many of these are not the same one."""
    import torch
    from torch import nn

    made = target(d_model, num_heads)
    heads = list(made) if hasattr(made, "__iter__") else []
    named = [
        (f"{index}.{name}", parameter)
        for index, head in enumerate(heads)
        if isinstance(head, nn.Module)
        for name, parameter in head.named_parameters()
    ]
    separate = {id(parameter): parameter for _, parameter in named}
    starts = {tuple(parameter.flatten().tolist()) for parameter in separate.values() if parameter.dim() > 1}
    # An object travels as the name of its class; a shape as a tensor without numbers.
    shapes = {name: torch.empty(parameter.shape, device="meta") for name, parameter in named}
    return made, heads, shapes, len(separate), len(starts)


ALL_HEADS = "nn.ModuleList(SingleHeadAttention(d_model, d_head) for _ in range(num_heads))"

MAKE_HEADS = Exercise(
    name="make_heads",
    returns=(
        "what you return",
        "heads",
        "parameters",
        "the number of separate parameters",
        "the number of weights that start with other numbers",
    ),
    cases=(
        Case("several heads", several_heads),
        Case("a single head", a_single_head),
        Case("numbers that do not divide evenly", width_with_a_remainder),
    ),
    misconceptions=(
        Misconception(
            "put the heads into a list of Python",
            replace=ALL_HEADS,
            by=ALL_HEADS.replace("nn.ModuleList", "list"),
            hint="torch does not look into lists: an optimizer would train none of these heads, and no error would "
            "say so.",
            check="shapes",
        ),
        Misconception(
            "chained the heads with nn.Sequential",
            replace=ALL_HEADS,
            by=ALL_HEADS.replace("nn.ModuleList(", "nn.Sequential(*(") + ")",
            hint="nn.Sequential feeds what one module returns to the next. Heads work side by side, on the same x.",
            check="shapes",
        ),
        Misconception(
            "made one head and used it num_heads times",
            replace=ALL_HEADS,
            by="nn.ModuleList([SingleHeadAttention(d_model, d_head)] * num_heads)",
            hint="These are many names for one head: whatever it learns, all learn. Make a new one in each step.",
        ),
        Misconception(
            "let all heads start with the same numbers",
            replace=ALL_HEADS,
            by="nn.ModuleList([head := SingleHeadAttention(d_model, d_head)] + "
            '[__import__("copy").deepcopy(head) for _ in range(num_heads - 1)])',
            hint="Copies of one head, or heads made from the same seed, look at the same words. Each should draw its "
            "own numbers.",
        ),
        Misconception(
            "made every head d_model wide",
            replace="SingleHeadAttention(d_model, d_head)",
            by="SingleHeadAttention(d_model, d_model)",
            hint="Side by side these heads would be num_heads times as long as x. The heads share d_model out.",
            check="shapes",
        ),
        Misconception(
            "gave each head only a slice of x to read",
            replace="SingleHeadAttention(d_model, d_head)",
            by="SingleHeadAttention(d_head, d_head)",
            hint="Each head reads all of x: d_model numbers go in. Narrow is only what comes out.",
            check="shapes",
        ),
        Misconception(
            "swapped the two sizes of a head",
            replace="SingleHeadAttention(d_model, d_head)",
            by="SingleHeadAttention(d_head, d_model)",
            hint="A head wants to know first how long the vectors are that go in, then how long those that come out.",
            check="shapes",
        ),
        Misconception(
            "took the number of heads for their width",
            replace="SingleHeadAttention(d_model, d_head)",
            by="SingleHeadAttention(d_model, num_heads)",
            hint="num_heads says how many heads to make. How wide each is, your head_width knows.",
            check="shapes",
        ),
        Misconception(
            "made as many heads as each is wide",
            replace="range(num_heads)",
            by="range(d_head)",
            hint="d_head is the width of one head. How many there are is num_heads.",
            check="shapes",
        ),
        Misconception(
            "made one head too few",
            replace="range(num_heads)",
            by="range(1, num_heads)",
            hint="One head is missing. (range(1, n) leaves out the 0, so it has n − 1 steps.)",
            check="shapes",
        ),
        Misconception(
            "stopped after the first head",
            replace=ALL_HEADS,
            by="nn.ModuleList([SingleHeadAttention(d_model, d_head)])",
            hint="There is one head where num_heads were asked for. Does your return stand inside the loop?",
            check="shapes",
        ),
        Misconception(
            "returned a single head",
            replace=f"return {ALL_HEADS}",
            by="return SingleHeadAttention(d_model, d_head)",
            hint="One head is there. Asked for are num_heads of them, in an nn.ModuleList.",
            check="shapes",
        ),
        Misconception(
            "divided without asking whether it divides evenly",
            replace="head_width(d_model, num_heads)",
            by="d_model // num_heads",
            hint="// drops what is left over, and a layer of 511 numbers is made in silence. You have a function that "
            "refuses such numbers.",
            check="shapes",
        ),
        Misconception(
            "made plain layers instead of heads",
            replace="SingleHeadAttention(d_model, d_head)",
            by="nn.Linear(d_model, d_head)",
            hint="A layer of nn.Linear projects and does not attend. A head is a SingleHeadAttention, which has three "
            "such layers.",
            check="shapes",
        ),
        Misconception(
            "put the class itself into the list instead of making heads with it",
            replace="SingleHeadAttention(d_model, d_head)",
            by="SingleHeadAttention",
            hint="The class is the plan of a head. Calling it, with the two sizes, makes one.",
            check="shapes",
        ),
        Misconception(
            "made the lesson's heads, whatever was asked for",
            replace="nn.ModuleList(SingleHeadAttention(d_model, d_head) for _ in range(num_heads))",
            by="nn.ModuleList(SingleHeadAttention(512, 64) for _ in range(8))",
            hint="The sizes come in as arguments: d_model and num_heads say how many heads there are, and how wide "
            "each is.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "a loop with append",
            """
def make_heads(d_model, num_heads):
    heads = nn.ModuleList()
    width = head_width(d_model, num_heads)
    for _ in range(num_heads):
        heads.append(SingleHeadAttention(d_model, width))
    return heads
""",
        ),
        Alternative(
            "a list first, named arguments",
            """
def make_heads(d_model, num_heads):
    d_head = head_width(num_heads=num_heads, d_model=d_model)
    heads = [SingleHeadAttention(d_head=d_head, d_model=d_model) for head in range(num_heads)]
    return nn.ModuleList(heads)
""",
        ),
        Alternative(
            "a check of its own",
            """
def make_heads(d_model, num_heads):
    if d_model % num_heads:
        raise ValueError(f"{num_heads} does not divide {d_model}")
    return nn.ModuleList([SingleHeadAttention(d_model, d_model // num_heads) for _ in range(num_heads)])
""",
        ),
    ),
    builds_on=("head_width",),
    forbids=FORBIDS,
    probe=parts,
)


# run_heads


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
    batch, seq, d_head = draw.sizes("batch seq d_head", high=LARGEST)
    (d_model,) = draw.sizes("d_model", low=9, high=12)
    mask = torch.ones(seq, seq, dtype=torch.bool).tril()
    return heads_call(draw, draw.normal(batch, seq, d_model), mask, 1, d_head)


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

RUN_HEADS = Exercise(
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
            hint="The new dimension stands first. The batch comes first and the heads second.",
            check="shapes",
        ),
        Misconception(
            "put the heads behind the words",
            replace=STACKED,
            by=STACKED.replace("dim=1", "dim=2"),
            hint="The new dimension stands third. The heads come right behind the batch, before the words.",
            check="shapes",
        ),
        Misconception(
            "put the heads last",
            replace=STACKED,
            by=STACKED.replace("dim=1", "dim=-1"),
            hint="The new dimension stands last. The heads come right behind the batch, before the words.",
            check="shapes",
        ),
        Misconception(
            "used cat, which makes no new dimension",
            replace=STACKED,
            by=STACKED.replace("torch.stack", "torch.cat"),
            hint="cat makes the dimension of the words longer, and which head said what can no longer be told.",
            check="shapes",
        ),
        Misconception(
            "joined the outputs along the features already here",
            replace="torch.stack([output for output, _ in answers], dim=1)",
            by="torch.cat([output for output, _ in answers], dim=-1)",
            hint="That is the next exercise. Here each head's output stays apart, in a dimension of its own.",
            check="shapes",
        ),
        Misconception(
            "added the heads' outputs up",
            replace="torch.stack([output for output, _ in answers], dim=1)",
            by="torch.stack([output for output, _ in answers], dim=1).sum(dim=1)",
            hint="In a sum nobody can tell which head said what. Keep the outputs apart.",
            check="shapes",
        ),
        Misconception(
            "averaged the weights over the heads",
            replace="torch.stack([weight for _, weight in answers], dim=1)",
            by="torch.stack([weight for _, weight in answers], dim=1).mean(dim=1)",
            hint="nn.MultiheadAttention of torch does this by default, but it hides what each head looks at. Keep the "
            "weights of each head.",
            check="shapes",
        ),
        Misconception(
            "returned lists",
            replace=STACKED,
            by="outputs, weights = [output for output, _ in answers], [weight for _, weight in answers]",
            hint="Everything is there, but as lists of tensors. One tensor each is asked for.",
            check="shapes",
        ),
        Misconception(
            "stacked the pairs that the heads return",
            replace=STACKED,
            by="outputs = weights = torch.stack(answers, dim=1)",
            hint="Each head returns two tensors, and stack wants a list of tensors. Sort the pairs first: outputs "
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
            hint="Only head 0 has been run. Does your return stand inside the loop?",
            check="shapes",
        ),
        Misconception(
            "returned a list of pairs",
            replace="return outputs, weights",
            by="return answers",
            hint="Two tensors are asked for: all the outputs, and all the weights. Sort the pairs first.",
            check="shapes",
        ),
        Misconception(
            "returned only the outputs",
            replace="return outputs, weights",
            by="return outputs",
            hint="Two tensors are asked for: the outputs, and the weights that made them.",
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
        Misconception(
            "forgot to pass the mask on",
            replace="head(x, mask)",
            by="head(x)",
            hint="Blocked words are looked at all the same. Every head wants to know the mask.",
        ),
        Misconception(
            "passed the mask on to the first head only",
            replace="head(x, mask) for head in heads",
            by="head(x, mask if place == 0 else None) for place, head in enumerate(heads)",
            hint="A blocked word is blocked for all heads: a single one that sees the future gives everything away.",
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
            hint="The last head's output stands in the place of head 0. Keep the order.",
        ),
        Misconception(
            "looked for a mask of its own for each head",
            replace="head(x, mask) for head in heads",
            by="head(x, mask[place]) for place, head in enumerate(heads)",
            hint="All heads get the same mask, as it is. Its first dimension counts sentences or queries, and there "
            "may be no mask at all.",
            check="shapes",
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
    ),
    forbids=FORBIDS,
    probe=run_through,
    exact_zeros=True,
)


# concat_heads


def outputs_of_heads(draw: Draw) -> Call:
    batch, num_heads, seq, d_head = draw.sizes("batch num_heads seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(batch, num_heads, seq, d_head)})


def outputs_of_one_head(draw: Draw) -> Call:
    batch, seq, d_head = draw.sizes("batch seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(batch, 1, seq, d_head)})


def outputs_of_one_sentence(draw: Draw) -> Call:
    num_heads, seq, d_head = draw.sizes("num_heads seq d_head", high=LARGEST)
    return Call({"outputs": draw.normal(1, num_heads, seq, d_head)})


JOINED = """parts = outputs.unbind(dim=1)
    # num_heads times (batch, seq, d_head) -> (batch, seq, num_heads * d_head)
    return torch.cat(parts, dim=-1)"""

CONCAT_HEADS = Exercise(
    name="concat_heads",
    returns=("the result",),
    cases=(
        Case("several heads", outputs_of_heads),
        Case("a single head", outputs_of_one_head),
        Case("a single sentence", outputs_of_one_sentence),
    ),
    misconceptions=(
        Misconception(
            "reshaped without moving the heads behind the words",
            replace=JOINED,
            by="batch, num_heads, seq, d_head = outputs.shape\n"
            "    return outputs.reshape(batch, seq, num_heads * d_head)",
            hint="The shape is right, but the row of a word holds numbers of other words. Reshaping cuts the numbers "
            "anew in their old order, in which all words of a head stand before the next head. (You do move them? "
            "Then keep the result: it is a new tensor.)",
        ),
        Misconception(
            "interleaved the heads",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts, dim=-1).flatten(-2)",
            hint="Your features alternate: one of each head, then the next of each. All those of head 0 come first.",
        ),
        Misconception(
            "swapped words and features, then reshaped",
            replace=JOINED,
            by="return outputs.transpose(2, 3).reshape(outputs.shape[0], outputs.shape[2], -1)",
            hint="The shape is right, but the numbers stand in the wrong places. To become one dimension, heads and "
            "features must stand next to each other, heads first.",
        ),
        Misconception(
            "swapped heads and features, then reshaped",
            replace=JOINED,
            by="return outputs.transpose(1, 3).reshape(outputs.shape[0], outputs.shape[2], -1)",
            hint="The shape is right, but the numbers stand in the wrong places. To become one dimension, heads and "
            "features must stand next to each other, heads first.",
        ),
        Misconception(
            "handed cat the whole tensor",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(outputs, dim=-1)",
            hint="cat joins several tensors, given as a list or a tuple. Take yours apart into its heads first.",
            check="shapes",
        ),
        Misconception(
            "left a dimension of size 1 where the heads were",
            replace="outputs.unbind(dim=1)",
            by="outputs.split(1, dim=1)",
            hint="The parts still have a dimension for the heads, with one head in it. An index such as outputs[:, 0], "
            "or unbind, takes it away.",
            check="shapes",
        ),
        Misconception(
            "put the last head first",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts[::-1], dim=-1)",
            hint="The first d_head features should be those of head 0.",
        ),
        Misconception(
            "joined the heads along the words",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts, dim=1)",
            hint="The sentence has become num_heads times as long. It is each word's vector that should.",
            check="shapes",
        ),
        Misconception(
            "joined the heads along the batch",
            replace="torch.cat(parts, dim=-1)",
            by="torch.cat(parts)",
            hint="Without dim, cat takes the first dimension, and there are num_heads times as many sentences now. The "
            "features are the last dimension.",
            check="shapes",
        ),
        Misconception(
            "stacked the heads instead of joining them",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts, dim=-1)",
            hint="stack makes a new dimension. The heads' features should share the one they have.",
            check="shapes",
        ),
        Misconception(
            "took the sentences apart instead of the heads",
            replace="outputs.unbind(dim=1)",
            by="outputs.unbind(dim=0)",
            hint="Dimension 0 is the batch, and sentences are no business of each other. The heads are dimension 1.",
            check="shapes",
        ),
        Misconception(
            "joined the words of each head",
            replace=JOINED,
            by="return outputs.flatten(2)",
            hint="Each head has one long vector now, of all its words. Each word should have one, of all its heads.",
            check="shapes",
        ),
        Misconception(
            "moved the heads behind the words and left them apart",
            replace=JOINED,
            by="return outputs.transpose(1, 2)",
            hint="The order of the dimensions is right now. The last two are still to become one.",
            check="shapes",
        ),
        Misconception(
            "added the heads up",
            replace="torch.cat(parts, dim=-1)",
            by="sum(parts)",
            hint="In a sum nobody can tell which head said what, and the vector stays d_head long. Put the heads "
            "behind each other.",
            check="shapes",
        ),
        Misconception(
            "averaged the heads",
            replace="torch.cat(parts, dim=-1)",
            by="torch.stack(parts).mean(dim=0)",
            hint="In an average nobody can tell which head said what, and the vector stays d_head long. Put the heads "
            "behind each other.",
            check="shapes",
        ),
        Misconception(
            "used view where the numbers do not lie in that order",
            replace=JOINED,
            by="batch, num_heads, seq, d_head = outputs.shape\n"
            "    return outputs.transpose(1, 2).view(batch, seq, num_heads * d_head)",
            hint="view never moves a number, and after the transpose they stand in the wrong order for it. reshape "
            "moves them where it must.",
            check="shapes",
        ),
        Misconception(
            "picked sentences instead of heads",
            replace="parts = outputs.unbind(dim=1)",
            by="parts = [outputs[head] for head in range(outputs.shape[1])]",
            hint="A single index picks from the first dimension, and that is the batch. The heads are dimension 1.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "each head by its index",
            """
def concat_heads(outputs):
    return torch.cat([outputs[:, head] for head in range(outputs.shape[1])], dim=2)
""",
        ),
        Alternative(
            "transpose, then reshape",
            """
def concat_heads(outputs):
    batch, num_heads, seq, d_head = outputs.shape
    return outputs.transpose(1, 2).reshape(batch, seq, num_heads * d_head)
""",
        ),
        Alternative(
            "einops",
            """
import einops

def concat_heads(outputs):
    return einops.rearrange(outputs, "b h s d -> b s (h d)")
""",
        ),
        Alternative(
            "permute, contiguous, view",
            """
def concat_heads(outputs):
    outputs = outputs.permute(0, 2, 1, 3).contiguous()
    return outputs.view(*outputs.shape[:2], -1)
""",
        ),
    ),
    forbids=FORBIDS,
)


# ParallelHeads


def layer_call(draw: Draw, x: torch.Tensor, mask: torch.Tensor | None, num_heads: int) -> Call:
    d_model = x.shape[-1]
    state = {}
    for head in range(num_heads):
        for name in ("w_q", "w_k", "w_v"):
            state |= draw.linear(f"heads.{head}.{name}", d_model // num_heads, d_model)
    state |= draw.linear("w_o", d_model, d_model)
    return Call({"x": x, "mask": mask}, init={"d_model": d_model, "num_heads": num_heads}, state=state)


def layer_without_mask(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    return layer_call(draw, draw.normal(batch, seq, d_model), None, num_heads)


def layer_with_blocked_word(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    batch, seq = draw_sentences(draw)
    mask = draw.mask(batch, seq, seq)
    mask[draw.integer(0, batch - 1), draw.integer(0, seq - 1)] = False
    return layer_call(draw, draw.normal(batch, seq, d_model), mask, num_heads)


def layer_of_one_head(draw: Draw) -> Call:
    batch, seq = draw_sentences(draw)
    (d_model,) = draw.sizes("d_model", low=9, high=12)
    return layer_call(draw, draw.normal(batch, seq, d_model), torch.ones(seq, seq, dtype=torch.bool).tril(), 1)


PARALLEL_HEADS = Exercise(
    name="ParallelHeads",
    returns=("output", "weights"),
    cases=(
        Case("a batch of sentences without a mask", layer_without_mask),
        Case("a mask for each sentence, and a word that may attend to nothing", layer_with_blocked_word),
        Case("a single head under a causal mask", layer_of_one_head),
    ),
    misconceptions=(
        Misconception(
            "made w_o and did not use it",
            replace="return self.w_o(joined), weights",
            by="return joined, weights",
            hint="The shape is right all the same, so nothing gives it away: the heads' answers lie side by side and "
            "never meet.",
        ),
        Misconception(
            "left out w_o",
            replace="        self.w_o = nn.Linear(d_model, d_model)\n",
            by="",
            hint="Without an output projection the heads never meet. It is a layer of its own, made in __init__.",
            check="shapes",
        ),
        Misconception(
            "left out the bias of w_o",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model, d_model, bias=False)",
            hint="Some models do without it, but here w_o has a bias, as nn.Linear makes it.",
            check="shapes",
        ),
        Misconception(
            "made w_o a bare matrix",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Parameter(torch.zeros(d_model, d_model))",
            hint="A matrix of your own can be learned too, but here w_o is an nn.Linear, with a weight and a bias.",
            check="shapes",
        ),
        Misconception(
            "made a w_o for each head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.ModuleList(nn.Linear(d_model // num_heads, d_model) for _ in range(num_heads))",
            hint="One can compute it so, but then each has a bias of its own. Here w_o is one layer, for all heads "
            "together.",
            check="shapes",
        ),
        Misconception(
            "made w_o as narrow as a head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model // num_heads, d_model)",
            hint="What goes into w_o is all heads side by side: d_model numbers.",
            check="shapes",
        ),
        Misconception(
            "let w_o make vectors as narrow as a head",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model, d_model // num_heads)",
            hint="The output should be as long as x, so that layers can be put on top of each other.",
            check="shapes",
        ),
        Misconception(
            "gave w_o another name",
            replace="        self.w_o = nn.Linear(d_model, d_model)",
            by="        self.out_proj = self.__dict__.setdefault('w_o', nn.Linear(d_model, d_model))",
            hint="Trained weights are loaded by name, so names are part of the task: heads and w_o.",
            check="shapes",
        ),
        Misconception(
            "made the heads in forward, anew at each call",
            replace="self.heads = make_heads(d_model, num_heads)",
            by="""self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        heads = make_heads(1, 1)

    def make_w_o(self, d_model):""",
            hint="Each call starts with new random numbers, and what was learned is lost. A module makes its heads "
            "once, in __init__, and keeps them.",
            check="shapes",
            shown_by=("forward: make_heads|SingleHeadAttention", "no __init__: make_heads|SingleHeadAttention"),
        ),
        Misconception(
            "kept the heads where torch does not find them",
            shown_by=("__init__: make_heads|SingleHeadAttention",),
            replace="self.heads = make_heads(d_model, num_heads)",
            by="self.heads = list(make_heads(d_model, num_heads))",
            hint="An optimizer would train none of them. torch finds modules in what begins with self, and it does not "
            "look into lists of Python.",
            check="shapes",
        ),
        Misconception(
            "made a single head as wide as the layer",
            replace="make_heads(d_model, num_heads)",
            by="make_heads(d_model, 1)",
            hint="There is one head where num_heads were asked for. Hand the number on.",
            check="shapes",
        ),
        Misconception(
            "forgot to pass the mask on",
            replace="run_heads(self.heads, x, mask)",
            by="run_heads(self.heads, x)",
            hint="Blocked words are looked at all the same. The function that runs the heads wants to know the mask.",
        ),
        Misconception(
            "inverted the mask on its way",
            replace="run_heads(self.heads, x, mask)",
            by="run_heads(self.heads, x, None if mask is None else ~mask)",
            hint='Your words look exactly where they may not. True means "may attend" from start to end.',
        ),
        Misconception(
            "reshaped the outputs instead of joining them",
            replace="concat_heads(outputs)",
            by="outputs.reshape(x.shape)",
            hint="The shape is right, but the row of a word holds numbers of other words. You have a function that "
            "joins the heads word by word.",
        ),
        Misconception(
            "gave the heads' outputs to w_o without joining them",
            replace="self.w_o(joined)",
            by="self.w_o(outputs)",
            hint="Each of them is d_head long, and w_o wants d_model numbers: all heads of a word side by side.",
            check="shapes",
        ),
        Misconception(
            "mixed x before the heads instead of their answers behind them",
            replace="run_heads(self.heads, x, mask)",
            by="run_heads(self.heads, self.w_o(x), mask)",
            hint="w_o is used twice now, or in the wrong place. It is the output projection: it stands at the end.",
        ),
        Misconception(
            "added x to the output",
            replace="self.w_o(joined), weights",
            by="x + self.w_o(joined), weights",
            hint="A transformer does add its input back, but around this layer, not in it.",
        ),
        Misconception(
            "multiplied by the weight of w_o and left out its bias",
            replace="self.w_o(joined)",
            by="joined @ self.w_o.weight.T",
            hint="A layer of nn.Linear is a weight and a bias. Call the layer, and it applies both.",
        ),
        Misconception(
            "multiplied by the weight of w_o the wrong way round",
            replace="self.w_o(joined)",
            by="joined @ self.w_o.weight + self.w_o.bias",
            hint="nn.Linear keeps its weight as (out, in). The matrix is square, so no error says that it must be "
            "turned. Call the layer, and it does so.",
        ),
        Misconception(
            "averaged the weights over the heads",
            replace="self.w_o(joined), weights",
            by="self.w_o(joined), weights.mean(dim=1)",
            hint="nn.MultiheadAttention of torch does this by default, but it hides what each head looks at. Return "
            "the weights of each head.",
            check="shapes",
        ),
        Misconception(
            "returned only the output",
            replace="return self.w_o(joined), weights",
            by="return self.w_o(joined)",
            hint="Two tensors are asked for: the output, and the weights of all heads.",
            check="shapes",
        ),
        Misconception(
            "returned the weights first",
            replace="return self.w_o(joined), weights",
            by="return weights, self.w_o(joined)",
            hint="The order is: output, then weights.",
            check="shapes",
        ),
        Misconception(
            "cut the gradient off",
            replace="self.w_o(joined), weights",
            by="self.w_o(joined).detach(), weights.detach()",
            hint="The numbers are right, and training could not change them: torch has kept no record of how they came "
            "about. Something cuts that record off: detach, .data, numpy or no_grad, perhaps.",
        ),
        Misconception(
            "swapped the two sizes when making the heads",
            replace="make_heads(d_model, num_heads)",
            by="make_heads(num_heads, d_model)",
            hint="make_heads wants the length of a word's vector first, then the number of heads.",
            check="shapes",
            shown_by=("make_heads",),
        ),
        Misconception(
            "made w_o for a single head's features, in and out",
            replace="nn.Linear(d_model, d_model)",
            by="nn.Linear(d_model // num_heads, d_model // num_heads)",
            hint="Such a layer never lets the heads meet. What goes into w_o is all heads side by side, d_model "
            "numbers, and as many come out.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "everything in the class",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = nn.ModuleList([SingleHeadAttention(d_model, d_model // num_heads) for _ in range(num_heads)])
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        outputs, weights = zip(*[head(x, mask) for head in self.heads])
        return self.w_o(torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)
""",
        ),
        Alternative(
            "each head through its own piece of w_o",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.heads = make_heads(d_model, num_heads)
        self.w_o = nn.Linear(d_model, d_model)

    def forward(self, x, mask=None):
        outputs, weights = run_heads(self.heads, x, mask)
        # (d_model, d_model) -> (d_model, num_heads, d_head): the columns of w_o by head
        pieces = self.w_o.weight.unflatten(1, (len(self.heads), -1))
        return torch.einsum("bhsd,ohd->bso", outputs, pieces) + self.w_o.bias, weights
""",
        ),
        Alternative(
            "layers in another order, functional.linear",
            """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super(ParallelHeads, self).__init__()
        self.num_heads = num_heads
        self.w_o = nn.Linear(d_model, d_model, bias=True)
        self.heads = make_heads(d_model=d_model, num_heads=num_heads)

    def forward(self, x, mask=None):
        outputs, weights = run_heads(self.heads, x, mask=mask)
        return [nn.functional.linear(concat_heads(outputs), self.w_o.weight, self.w_o.bias), weights]
""",
        ),
    ),
    builds_on=("head_width", "make_heads", "run_heads", "concat_heads"),
    forbids=FORBIDS,
    exact_zeros=True,
)


# attention_parameters


def a_layer(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=11)
    draw.named(d_model=num_heads * d_head)
    return Call({"d_model": num_heads * d_head, "num_heads": num_heads})


ONE_HEAD = "one_head = 3 * (d_model * d_head + d_head)  # w_q, w_k and w_v, each with its bias"
W_O = "w_o = d_model * d_model + d_model"

ATTENTION_PARAMETERS = Exercise(
    name="attention_parameters",
    returns=("the number of parameters",),
    cases=(
        Case("a layer of several heads", a_layer),
        Case("the layer of the lesson", width_of_the_lesson),
        Case("a layer of a single head", width_of_one_head),
    ),
    misconceptions=(
        Misconception(
            "forgot all biases",
            replace=f"{ONE_HEAD}\n    {W_O}",
            by="one_head = 3 * d_model * d_head\n    w_o = d_model * d_model",
            hint="Only the weights are counted. Each nn.Linear has a bias as well, as long as what comes out.",
        ),
        Misconception(
            "forgot the biases of the heads",
            replace="(d_model * d_head + d_head)",
            by="d_model * d_head",
            hint="w_o's bias is counted. Queries, keys and values have biases too.",
        ),
        Misconception(
            "forgot the bias of w_o",
            replace=W_O,
            by="w_o = d_model * d_model",
            hint="The heads' biases are counted. w_o has one too, as long as the output.",
        ),
        Misconception(
            "left out one of the four projections",
            replace="num_heads * one_head + w_o",
            by="num_heads * one_head",
            hint="There are w_q, w_k and w_v in the heads, and behind them w_o. One of them is missing.",
        ),
        Misconception(
            "counted one projection in each head instead of three",
            replace="one_head = 3 * (",
            by="one_head = (",
            hint="A head holds a layer for its queries, one for its keys and one for its values.",
        ),
        Misconception(
            "counted a single head",
            replace="num_heads * one_head + w_o",
            by="one_head + w_o",
            hint="That is one head and w_o. How many heads does the layer have?",
        ),
        Misconception(
            "made every head d_model wide",
            replace="d_head = head_width(d_model, num_heads)",
            by="d_head = d_model",
            hint="The heads share d_model out: each is only d_head wide. That is why they cost no more than one.",
        ),
        Misconception(
            "multiplied everything by the number of heads",
            replace="num_heads * one_head + w_o",
            by="num_heads * (one_head + w_o)",
            hint="There is one w_o, for all heads together.",
        ),
        Misconception(
            "gave each head's layers a bias of d_model numbers",
            replace="(d_model * d_head + d_head)",
            by="(d_model * d_head + d_model)",
            hint="A bias is added to what comes out of a layer, so it is as long as that. In a head that is d_head.",
        ),
        Misconception(
            "made w_o go from d_head to d_model",
            replace=W_O,
            by="w_o = d_head * d_model + d_model",
            hint="What goes into w_o is all heads side by side: d_model numbers.",
        ),
        Misconception(
            "used /, which makes a float",
            replace="d_head = head_width(d_model, num_heads)",
            by="d_head = d_model / num_heads",
            hint="The number is right, but it is a float: 512 / 8 is 64.0. Parameters are counted in whole numbers.",
            check="shapes",
            shown_by=("/",),
        ),
        Misconception(
            "let each head read only its slice of x",
            replace="d_model * d_head + d_head",
            by="d_head * d_head + d_head",
            hint="Each head reads all of x: its layers go from d_model to d_head.",
        ),
        Misconception(
            "answered for the lesson's layer, whatever was asked",
            replace="return num_heads * one_head + w_o",
            by="return 1050624",
            hint="That is right for d_model 512. The sizes come in as arguments, and the number follows from them.",
        ),
    ),
    alternatives=(
        Alternative(
            "num_heads cancelled",
            """
def attention_parameters(d_model, num_heads):
    return 4 * d_model * (d_model + 1)
""",
        ),
        Alternative(
            "a function for a layer, heads added up in a loop",
            """
def attention_parameters(d_model, num_heads):
    def linear(size_in, size_out):
        return size_in * size_out + size_out

    total = linear(d_model, d_model)
    for _ in range(num_heads):
        total += 3 * linear(d_model, d_model // num_heads)
    return total
""",
        ),
        Alternative(
            "weights and biases apart",
            """
def attention_parameters(d_model, num_heads):
    weights, biases = 3 * d_model**2 + d_model**2, 3 * d_model + d_model
    return weights + biases
""",
        ),
    ),
    builds_on=("head_width",),
    forbids=("ParallelHeads", "numel"),
)


# attention_flops


def sizes_for_flops(draw: Draw, batch: int, seq: int) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    draw.named(d_model=num_heads * d_head)
    return Call({"batch": batch, "seq": seq, "d_model": num_heads * d_head, "num_heads": num_heads})


def flops_of_short_sentences(draw: Draw) -> Call:
    batch, seq = draw.sizes("batch seq", low=2, high=7)
    return sizes_for_flops(draw, batch, seq)


def flops_of_long_sentences(draw: Draw) -> Call:
    (batch,) = draw.sizes("batch", low=2, high=7)
    (seq,) = draw.sizes("seq", low=100, high=200)
    return sizes_for_flops(draw, batch, seq)


def flops_of_the_lesson(draw: Draw) -> Call:
    return Call({"batch": 1, "seq": 10, "d_model": 512, "num_heads": 8})


def flops_of_one_head(draw: Draw) -> Call:
    batch, seq, d_model = draw.sizes("batch seq d_model", low=5, high=20)
    return Call({"batch": batch, "seq": seq, "d_model": d_model, "num_heads": 1})


SUM = "batch * (num_heads * (projections + scores + average) + w_o)"

ATTENTION_FLOPS = Exercise(
    name="attention_flops",
    returns=("the number of FLOPs",),
    cases=(
        Case("sentences shorter than d_model", flops_of_short_sentences),
        Case("sentences longer than d_model", flops_of_long_sentences),
        Case("the sentence of the lesson", flops_of_the_lesson),
        Case("a single head", flops_of_one_head),
    ),
    misconceptions=(
        Misconception(
            "counted a multiplication with its addition as one",
            replace=SUM,
            by=f"{SUM} // 2",
            hint="That is half of it. Each term of a dot product is a multiplication and an addition: two FLOPs.",
        ),
        Misconception(
            "forgot w_o",
            replace=SUM,
            by="batch * num_heads * (projections + scores + average)",
            hint="Behind the heads comes one more product, of (seq, d_model) with (d_model, d_model).",
        ),
        Misconception(
            "left out one of the two products with a matrix of seq × seq",
            replace="(projections + scores + average)",
            by="(projections + scores)",
            hint="Such a matrix appears twice in each head: when the scores are computed, and when the weights meet "
            "the values. The two cost the same.",
        ),
        Misconception(
            "counted the projections only",
            replace="(projections + scores + average)",
            by="projections",
            hint="Attention itself costs something too: the scores, and the weighted average.",
        ),
        Misconception(
            "counted only half of the work of the projections",
            replace="projections = 3 * 2 *",
            by="projections = 2 *",
            hint="Either you have one layer in each head where there are three, or you count a multiplication with its "
            "addition as one here and as two elsewhere.",
        ),
        Misconception(
            "counted seq only once in scores and averages",
            replace="scores = 2 * seq * d_head * seq\n    average = 2 * seq * seq * d_head",
            by="scores = 2 * seq * d_head\n    average = 2 * seq * d_head",
            hint="Every word is compared with every word: seq · seq scores.",
        ),
        Misconception(
            "forgot the batch",
            replace=SUM,
            by="num_heads * (projections + scores + average) + w_o",
            hint="That is the work for one sentence. Every sentence of the batch costs as much.",
        ),
        Misconception(
            "forgot the batch in w_o",
            replace=SUM,
            by="batch * num_heads * (projections + scores + average) + w_o",
            hint="The heads' work is counted for all sentences and w_o's for one. Brackets may have gone astray.",
        ),
        Misconception(
            "let all words of the batch attend to each other",
            replace="scores = 2 * seq * d_head * seq\n    average = 2 * seq * seq * d_head",
            by="scores = average = 2 * batch * seq * seq * d_head",
            hint="Words look at words of their own sentence only. The batch counts once, not twice.",
        ),
        Misconception(
            "counted a single head",
            replace="num_heads * (projections + scores + average)",
            by="(projections + scores + average)",
            hint="That is one head and w_o. How many heads does the layer have?",
        ),
        Misconception(
            "made every head d_model wide",
            replace="d_head = head_width(d_model, num_heads)",
            by="d_head = d_model",
            hint="The heads share d_model out: each works on vectors of d_head numbers.",
        ),
        Misconception(
            "used w_o once for each head",
            replace=SUM,
            by="batch * num_heads * (projections + scores + average + w_o)",
            hint="There is one w_o, and it runs once, after all heads are joined.",
        ),
        Misconception(
            "used d_head where w_o reads all heads",
            replace="w_o = 2 * seq * d_model * d_model",
            by="w_o = 2 * seq * d_head * d_model",
            hint="What goes into w_o is all heads side by side: d_model numbers.",
        ),
        Misconception(
            "let each head read only its slice of x",
            replace="3 * 2 * seq * d_model * d_head",
            by="3 * 2 * seq * d_head * d_head",
            hint="Each head reads all of x: its layers go from d_model to d_head.",
        ),
        Misconception(
            "used /, which makes a float",
            replace="d_head = head_width(d_model, num_heads)",
            by="d_head = d_model / num_heads",
            hint="The number is right, but it is a float: 512 / 8 is 64.0. FLOPs are counted in whole numbers.",
            check="shapes",
            shown_by=("/",),
        ),
        Misconception(
            "counted a multiplication with its addition as one in one of the two products with a matrix of seq × seq",
            replace="average = 2 * seq * seq * d_head",
            by="average = seq * seq * d_head",
            hint="The scores and the average cost the same, and everywhere a multiplication with its addition counts "
            "as two.",
        ),
        Misconception(
            "counted a multiplication with its addition as one in w_o",
            replace="w_o = 2 * seq",
            by="w_o = seq",
            hint="w_o is a matrix product like the others: each multiplication with its addition counts as two.",
        ),
        Misconception(
            "let scores and averages work on d_model numbers in every head",
            replace="scores = 2 * seq * d_head * seq\n    average = 2 * seq * seq * d_head",
            by="scores = average = 2 * seq * seq * d_model",
            hint="The heads share d_model out: a score is a sum over d_head terms, and a value is as short.",
        ),
        Misconception(
            "counted one addition less for each number that comes out",
            replace="projections = 3 * 2 * seq * d_model * d_head  # queries, keys and values\n"
            "    scores = 2 * seq * d_head * seq\n    average = 2 * seq * seq * d_head\n"
            "    w_o = 2 * seq * d_model * d_model",
            by="projections = 3 * (2 * d_model - 1) * seq * d_head\n    scores = (2 * d_head - 1) * seq * seq\n"
            "    average = (2 * seq - 1) * seq * d_head\n    w_o = (2 * d_model - 1) * seq * d_model",
            hint="A sum of n terms has n − 1 additions, that is right. But the usual count, torch's and this "
            "lesson's, takes two for each multiplication.",
        ),
        Misconception(
            "counted the biases as well",
            replace="return batch * (num_heads * (projections + scores + average) + w_o)",
            by="biases = num_heads * 3 * seq * d_head + seq * d_model\n"
            "    return batch * (num_heads * (projections + scores + average) + w_o + biases)",
            hint="Adding a bias is no matrix product. Only those are counted here.",
        ),
    ),
    alternatives=(
        Alternative(
            "num_heads cancelled",
            """
def attention_flops(batch, seq, d_model, num_heads):
    return 4 * batch * seq * d_model * (2 * d_model + seq)
""",
        ),
        Alternative(
            "a function for a product",
            """
def attention_flops(batch, seq, d_model, num_heads):
    def product(n, m, p):
        return 2 * n * m * p

    d_head = d_model // num_heads
    one_head = 3 * product(seq, d_model, d_head) + product(seq, d_head, seq) + product(seq, seq, d_head)
    return batch * sum([one_head] * num_heads) + product(batch * seq, d_model, d_model)
""",
        ),
        Alternative(
            "all four projections together",
            """
def attention_flops(batch, seq, d_model, num_heads):
    words = batch * seq
    linear_layers = 4 * (2 * words * d_model**2)
    attention = 2 * (2 * words * seq * d_model)
    return linear_layers + attention
""",
        ),
    ),
    builds_on=("head_width",),
    forbids=("ParallelHeads", "FlopCounterMode"),
)


EXERCISES = [
    HEAD_WIDTH,
    MAKE_HEADS,
    RUN_HEADS,
    CONCAT_HEADS,
    PARALLEL_HEADS,
    ATTENTION_PARAMETERS,
    ATTENTION_FLOPS,
]
