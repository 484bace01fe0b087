"""`make_heads`: makes the heads of a layer, in an nn.ModuleList."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, width_asked_the_wrong_way_round, width_with_a_remainder


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

EXERCISE = Exercise(
    name="make_heads",
    returns=(
        "the returned object",
        "heads",
        "parameters",
        "the number of separate parameters",
        "the number of weight matrices that differ from each other",
    ),
    cases=(
        Case("several heads", several_heads),
        Case("a single head", a_single_head),
        Case("numbers that do not divide evenly", width_with_a_remainder),
    ),
    misconceptions=(
        Misconception(
            "put the heads into a Python list",
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
            hint="A head takes the length of the vectors that go in first, then the length of those that come out.",
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
            "returned a list with a single head",
            replace=ALL_HEADS,
            by="nn.ModuleList([SingleHeadAttention(d_model, d_head)])",
            hint="There is one head where there should be num_heads. (You have a loop? A return inside it ends it in "
            "the first round, and a list that is made inside it starts anew in each.)",
            check="shapes",
        ),
        Misconception(
            "returned a single head",
            replace=f"return {ALL_HEADS}",
            by="return SingleHeadAttention(d_model, d_head)",
            hint="There is one head. Return num_heads of them, in an nn.ModuleList.",
            check="shapes",
        ),
        Misconception(
            "divided without asking whether it divides evenly",
            replace="head_width(d_model, num_heads)",
            by="d_model // num_heads",
            hint="// drops what is left over, and a layer of 511 numbers is made without an error. You have a "
            "function that refuses such numbers.",
            check="shapes",
        ),
        Misconception(
            "made plain layers instead of heads",
            replace="SingleHeadAttention(d_model, d_head)",
            by="nn.Linear(d_model, d_head)",
            hint="An nn.Linear layer projects and does not attend. A head is a SingleHeadAttention, which has three "
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
            replace=ALL_HEADS,
            by="nn.ModuleList(SingleHeadAttention(512, 64) for _ in range(8))",
            hint="The sizes come in as arguments: d_model and num_heads say how many heads there are, and how wide "
            "each is.",
            check="shapes",
        ),
        width_asked_the_wrong_way_round(),
        Misconception(
            "made one head too many",
            replace="range(num_heads)",
            by="range(num_heads + 1)",
            hint="num_heads says how many to make. (range(n) starts with 0 and has n steps.)",
            check="shapes",
        ),
        Misconception(
            "returned nothing",
            replace=f"return {ALL_HEADS}",
            by=f"heads = {ALL_HEADS}",
            hint="The heads are made, and gone when the function ends. Return them.",
            check="shapes",
        ),
        Misconception(
            "put the heads into an nn.ModuleDict",
            replace=ALL_HEADS,
            by="nn.ModuleDict({str(head): SingleHeadAttention(d_model, d_head) for head in range(num_heads)})",
            hint="torch finds heads in there, too, but who goes through a dict gets its keys. The heads have an order "
            "and no names: an nn.ModuleList.",
            check="shapes",
        ),
        Misconception(
            "swapped the number of heads and their width",
            replace=ALL_HEADS,
            by="nn.ModuleList(SingleHeadAttention(d_model, num_heads) for _ in range(d_head))",
            hint="num_heads says how many heads to make, and head_width how wide each of them is.",
            check="shapes",
        ),
        Misconception(
            "returned an empty list for numbers that do not fit",
            replace="d_head = head_width(d_model, num_heads)",
            by="try:\n        d_head = head_width(d_model, num_heads)\n"
            "    except ValueError:\n        return nn.ModuleList()",
            hint="The caller goes on with a layer that has no heads. Your head_width raises an error for such numbers: "
            "let it through, so that it stops whoever asked for them.",
            check="shapes",
        ),
        Misconception(
            "returned nothing for numbers that do not fit",
            replace="d_head = head_width(d_model, num_heads)",
            by="try:\n        d_head = head_width(d_model, num_heads)\n    except ValueError:\n        return None",
            hint="The caller goes on without heads. Your head_width raises an error for such numbers: let it through, "
            "so that it stops whoever asked for them.",
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
