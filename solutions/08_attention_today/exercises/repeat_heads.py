"""`repeat_heads`: gives each head of keys or values to several heads of queries."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

RIGHT = "x.repeat_interleave(times, dim=1)"


def heads(draw: Draw, times: int, kv_heads: int) -> Call:
    """Draw heads to be repeated. No size is another's, and num_heads = kv_heads * times is registered."""
    if kv_heads > 1:
        draw.named(kv_heads=kv_heads)
    if times > 1:
        draw.named(num_heads=kv_heads * times)
    batch, seq, d_head = draw.sizes("batch seq d_head", low=2, high=5)
    return Call({"x": draw.normal(batch, kv_heads, seq, d_head), "times": times})


def other(name: str, by: str, hint: str, check: str = "outputs") -> Misconception:
    return Misconception(name, replace=RIGHT, by=by, hint=hint, check=check)


EXERCISE = Exercise(
    name="repeat_heads",
    returns=("heads",),
    cases=(
        Case("each head twice", lambda draw: heads(draw, times=2, kv_heads=3)),
        Case("a single head for all", lambda draw: heads(draw, times=4, kv_heads=1)),
    ),
    misconceptions=(
        # this edit and that of shared numbers leave each other room: made together, both are named
        Misconception(
            "repeated all heads one after the other",
            replace="x.repeat_interleave(",
            by="(lambda times, dim: x.repeat(1, times, 1, 1))(",
            hint="a, b, a, b: neighbours among the queries get different keys. Each head is repeated in a row, so that "
            "a group lies side by side. (A new dimension for the repeats belongs behind the heads.)",
        ),
        other(
            "repeated the words instead of the heads",
            "x.repeat_interleave(times, dim=2)",
            "Each word came several times, and there are as many heads as before. The heads are dimension 1.",
            check="shapes",
        ),
        other(
            "repeated the whole text of words",
            "x.repeat(1, 1, times, 1)",
            "The text is several times as long, and there are as many heads as before. The heads are dimension 1.",
            check="shapes",
        ),
        other(
            "repeated the batch",
            "x.repeat_interleave(times, dim=0)",
            "There are more texts now, and as many heads as before. The heads are dimension 1.",
            check="shapes",
        ),
        other(
            "made the heads wider",
            "x.repeat_interleave(times, dim=-1)",
            "Each feature came several times. There should be more heads, each as wide as before.",
            check="shapes",
        ),
        other(
            "made one long row of all numbers",
            "x.repeat_interleave(times)",
            "Without a dimension, torch flattens the tensor first. Say along which one.",
            check="shapes",
        ),
        other(
            "repeated so that there are times heads in all",
            "x.repeat_interleave(times, dim=1)[:, :times]",
            "times says how often each head comes, so there are kv_heads · times of them.",
            check="shapes",
        ),
        other(
            "left the repeats in a dimension of their own",
            "x[:, :, None].expand(-1, -1, times, -1, -1)",
            "The repeated heads are there, behind each other in a dimension of their own. Join it with the heads.",
            check="shapes",
        ),
        other(
            "left x as it was",
            "x",
            "The heads are still as many as before. Each comes times times.",
            check="shapes",
        ),
        other(
            "repeated once too often",
            "x.repeat_interleave(times + 1, dim=1)",
            "times counts the head itself: with times = 1 nothing changes.",
            check="shapes",
        ),
        other(
            "took the first head for all",
            "x[:, :1].expand(-1, x.shape[1] * times, -1, -1)",
            "Every head got the keys of head 0. That is multi-query attention; here each group has a head of its own.",
        ),
        Misconception(
            "shared each head's numbers out among the repeats",
            replace="dim=1)",
            by="dim=1) / times",
            hint="Each head of queries looks at the whole key. Repeating does not make it smaller.",
        ),
        other(
            "repeated each word, and read the repeats as heads",
            "x[:, :, :, None].expand(-1, -1, -1, times, -1).reshape(x.shape[0], -1, *x.shape[2:])",
            "The repeats were made for each word, and then read as heads: words are spread over several heads now. Put "
            "the new dimension behind the heads, before the words.",
        ),
        other(
            "put the heads in reverse order",
            "x.flip(1).repeat_interleave(times, dim=1)",
            "Head 0 comes first, and all its repeats before those of head 1.",
        ),
        other(
            "filled up with zeros",
            "torch.cat([x, x.new_zeros(x.shape[0], x.shape[1] * (times - 1), *x.shape[2:])], dim=1)",
            "The new heads are empty. A head of queries without keys has nothing to look at.",
        ),
        Misconception(
            "returned nothing",
            replace=f"return {RIGHT}",
            by=RIGHT,
            hint="repeat_interleave makes a new tensor and leaves x as it is. Return it.",
            check="shapes",
        ),
        families.gradient_cut_off(RIGHT, f"{RIGHT}.detach()"),
        other(
            "divided a head's number by kv_heads instead of times",
            "torch.stack([x[:, h // x.shape[1]] for h in range(x.shape[1] * times)], dim=1)",
            "Head h of the queries belongs to group h // times: times heads share one. By kv_heads, groups get the "
            "wrong size.",
            check="shapes",
        ),
        other(
            "counted the heads of queries from 1",
            "x[:, ((torch.arange(x.shape[1] * times) + 1) // times).clamp(max=x.shape[1] - 1)]",
            "Each group begins one head too early. The first head is number 0: heads 0 … times − 1 share head 0.",
        ),
        other(
            "divided a head's number by kv_heads instead of times, and took the last head for what is too large",
            "x[:, (torch.arange(x.shape[1] * times) // x.shape[1]).clamp(max=x.shape[1] - 1)]",
            "Head h of the queries belongs to group h // times: times heads share one. By kv_heads, groups get the "
            "wrong size.",
        ),
        other(
            "filled the first head of each group only",
            "torch.stack([x] + [torch.zeros_like(x)] * (times - 1), dim=2).flatten(1, 2)",
            "The other heads of each group are empty. All times of them get the same keys.",
        ),
        other(
            "left the last head of each group empty",
            "torch.stack([x] * (times - 1) + [torch.zeros_like(x)], dim=2).flatten(1, 2)",
            "A group has times heads, and the last of them is 0. (The end of a slice is not included.)",
        ),
        other(
            "repeated the batch, and read the repeats as heads",
            "x.repeat(times, 1, 1, 1).view(x.shape[0], x.shape[1] * times, *x.shape[2:])",
            "A text's heads lie in another text now. Put the new dimension behind the heads.",
        ),
        other(
            "expanded the heads, of which there are several",
            "x.expand(-1, x.shape[1] * times, -1, -1)",
            "expand repeats a dimension of size 1 only. Give the repeats a dimension of their own, behind the heads.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "expand and flatten",
            """
def repeat_heads(x, times):
    batch, kv_heads, seq, d_head = x.shape
    return x[:, :, None].expand(batch, kv_heads, times, seq, d_head).reshape(batch, kv_heads * times, seq, d_head)
""",
        ),
        Alternative(
            "an index",
            """
def repeat_heads(x, times):
    return x[:, torch.arange(x.shape[1] * times, device=x.device) // times]
""",
        ),
        Alternative(
            "a loop",
            """
def repeat_heads(x, times):
    return torch.cat([x[:, h : h + 1] for h in range(x.shape[1]) for _ in range(times)], dim=1)
""",
        ),
        Alternative(
            "stack and flatten",
            """
def repeat_heads(x, times):
    return torch.stack([x] * times, dim=2).flatten(1, 2)
""",
        ),
        Alternative(
            "einops",
            """
from einops import repeat

def repeat_heads(x, times):
    return repeat(x, "b h s d -> b (h times) s d", times=times)
""",
        ),
    ),
)
