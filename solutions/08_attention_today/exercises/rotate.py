"""`rotate`: turns pairs of features by angles that grow with the position."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def words(draw: Draw, start: int = 0, dtype: torch.dtype = torch.float32) -> Call:
    """Draw queries or keys of words that follow each other, the first at position `start`."""
    half = 5  # of which there is no other size
    draw.named(d_head=2 * half)
    batch, heads = draw.sizes("batch heads", low=2, high=3)
    (seq,) = draw.sizes("seq", low=4, high=4)
    positions = torch.arange(start, start + seq)
    return Call({"x": draw.normal(batch, heads, seq, 2 * half).to(dtype), "positions": positions})


def anywhere(draw: Draw) -> Call:
    """Words at places in no order, with gaps."""
    call = words(draw)
    seq = len(call.inputs["positions"])  # type: ignore[arg-type]
    return Call({**call.inputs, "positions": torch.tensor([draw.integer(0, 60) for _ in range(seq)])})


SPEEDS = "10000 ** (-torch.arange(half, device=x.device) / half)"
HALVES = "first, second = x[..., :half], x[..., half:]"
TURNED = "torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)"

EXERCISE = Exercise(
    name="rotate",
    returns=("turned",),
    keeps_dtype=True,
    milestones={
        "speeds": "the speeds of the pairs, in radians a place",
        "angles": "the angles, a row for each word",
        "cos": "the cosines",
        "sin": "the sines",
        "first": "the first half of each head's features",
        "second": "the second half of each head's features",
        "output 0": "the turned features",
    },
    optional_milestones=("speeds", "cos", "sin"),
    cases=(
        Case("words from the beginning of a text", words),
        Case("words at places in no order", anywhere),
        Case("words that begin far down a text, in bfloat16", lambda draw: words(draw, 300, torch.bfloat16)),
    ),
    misconceptions=(
        Misconception(
            "took neighbours for a pair",
            replace=f"{HALVES}",
            by="first, second = x[..., 0::2], x[..., 1::2]",
            hint="The features 2i and 2i + 1 were turned together, and then came apart. Here the pairs are i and "
            "i + d_head/2: the first half and the second half.",
        ),
        Misconception(
            "took neighbours for a pair and put them back where they were",
            replace=f"{HALVES}",
            by="""first, second = x[..., 0::2], x[..., 1::2]
    return torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)""",
            hint="That is the paper's convention, and a model could be trained with it. Here, as in most code, the "
            "pairs are i and i + d_head/2, and trained weights fit one of the two only.",
        ),
        Misconception(
            "turned clockwise",
            replace=TURNED,
            by="torch.cat([first * cos + second * sin, second * cos - first * sin], dim=-1)",
            hint="The scores would be the same, since queries and keys both turn the other way. But counterclockwise "
            "is what was asked for: look at the signs in turned.",
        ),
        Misconception(
            "forgot the minus sign",
            replace="first * cos - second * sin",
            by="first * cos + second * sin",
            hint="Turning an arrow leaves its length as it is, and yours changes. One of the four products has a "
            "minus sign.",
        ),
        Misconception(
            "swapped sine and cosine",
            replace="cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)",
            by="cos, sin = angles.sin().to(x.dtype), angles.cos().to(x.dtype)",
            hint="At position 0 nothing turns: the angle is 0, its cosine 1 and its sine 0. Your words at position 0 "
            "have changed.",
        ),
        Misconception(
            "turned all pairs at the same speed",
            replace=SPEEDS,
            by="torch.ones(half, device=x.device)",
            hint="Each pair has a speed of its own: the first turns 1 radian a place, the later ones ever less.",
        ),
        Misconception(
            "put the speeds in the wrong order",
            replace=SPEEDS,
            by="10000 ** (-torch.arange(half, device=x.device).flip(0) / half)",
            hint="Pair 0 turns fastest, and the last one slowest. Yours go from slow to fast.",
        ),
        Misconception(
            "forgot the minus sign in the exponent",
            replace="(-torch.arange(half, device=x.device) / half)",
            by="(torch.arange(half, device=x.device) / half)",
            hint="Your pairs turn ever faster, by up to thousands of radians a place. The exponent is −2i / d_head.",
        ),
        Misconception(
            "divided i by d_head, without the 2",
            replace="(-torch.arange(half, device=x.device) / half)",
            by="(-torch.arange(half, device=x.device) / x.shape[-1])",
            hint="The exponent is −2i / d_head, and i counts pairs, 0 … d_head/2 − 1. Your slowest pair is still too "
            "fast: the exponents should come close to −1.",
        ),
        Misconception(
            "counted the pairs in steps of two and multiplied by 2 again",
            replace="(-torch.arange(half, device=x.device) / half)",
            by="(-2 * torch.arange(half, device=x.device) / half)",
            hint="The exponent is −2i / d_head, which is −i / (d_head/2). Yours has the 2 twice.",
        ),
        Misconception(
            "divided by half − 1, so that the last exponent is −1",
            replace="(-torch.arange(half, device=x.device) / half)",
            by="(-torch.arange(half, device=x.device) / (half - 1))",
            hint="The exponents go from 0 almost to −1, which the next pair would have. linspace(0, 1, half) reaches "
            "its end; the formula −2i / d_head does not.",
        ),
        Misconception(
            "began to count the pairs at 1",
            replace="torch.arange(half, device=x.device)",
            by="torch.arange(1, half + 1, device=x.device)",
            hint="The first pair is number 0: it turns one radian a place.",
        ),
        Misconception(
            "took another base than 10000",
            replace="10000 ** (-torch",
            by="1000 ** (-torch",
            hint="The base sets how slow the slowest pair is. In the formula it is 10000, with four zeros.",
        ),
        Misconception(
            "ignored the positions and counted the words",
            replace="positions[:, None] * speeds",
            by="torch.arange(x.shape[2], device=x.device)[:, None] * speeds",
            hint="Where a word is in the text, positions says. A text that goes on does not begin at 0 again.",
        ),
        Misconception(
            "counted positions from 1",
            replace="positions[:, None] * speeds",
            by="(positions[:, None] + 1) * speeds",
            hint="A word at position 0 does not turn at all. Take the positions as they are.",
        ),
        Misconception(
            "measured the positions from the first word",
            replace="positions[:, None] * speeds",
            by="(positions - positions[0])[:, None] * speeds",
            hint="Distances within these words are the same, but a key that was rotated earlier is at its own place in "
            "the whole text. Take the positions as they are.",
        ),
        Misconception(
            "took radians for degrees",
            replace="positions[:, None] * speeds",
            by="positions[:, None] * speeds * math.pi / 180",
            hint="torch's sin and cos take radians, and so does the formula. Nothing needs to be converted.",
        ),
        Misconception(
            "took the angles for parts of a whole turn",
            replace="positions[:, None] * speeds",
            by="positions[:, None] * speeds * 2 * math.pi",
            hint="The formula gives radians already. A whole turn is 2π of them.",
        ),
        Misconception(
            "put the halves back in the wrong order",
            replace=TURNED,
            by="torch.cat([second * cos + first * sin, first * cos - second * sin], dim=-1)",
            hint="The first half of the result is what has become of the first half of x.",
        ),
        Misconception(
            "returned the two halves of each pair side by side",
            replace=TURNED,
            by="torch.stack([first * cos - second * sin, second * cos + first * sin], dim=-1).flatten(-2)",
            hint="The pairs were turned rightly and then put back as neighbours. A feature of the first half goes "
            "back into the first half.",
        ),
        Misconception(
            "overwrote the first half before the second was made",
            replace=f"return {TURNED}",
            by="""turned = x.clone()
    turned[..., :half] = first * angles.cos() - second * angles.sin()
    turned[..., half:] = second * angles.cos() + turned[..., :half] * angles.sin()
    return turned""",
            hint="The second half was made from the new first half. Both need the arrow as it was before it turned.",
            shown_by=("clone()|empty_like()|zeros_like()",),
        ),
        Misconception(
            "used a half that was turned already",
            replace=f"return {TURNED}",
            by="""first = first * cos - second * sin
    second = second * cos + first * sin
    return torch.cat([first, second], dim=-1)""",
            hint="The second half was made from the new first half. Both need the arrow as it was before it turned.",
        ),
        Misconception(
            "added the angles' sines and cosines instead of turning",
            replace=TURNED,
            by="torch.cat([first + sin, second + cos], dim=-1)",
            hint="That is how the transformer of 2017 marks positions. Here each pair is turned: its numbers are "
            "multiplied by sines and cosines.",
        ),
        Misconception(
            "left the second half as it was",
            replace=TURNED,
            by="torch.cat([first * cos - second * sin, second], dim=-1)",
            hint="Both numbers of an arrow change when it turns.",
        ),
        Misconception(
            "changed the dtype",
            replace="cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)",
            by="cos, sin = angles.cos(), angles.sin()",
            hint="A bfloat16 tensor times a float32 tensor is float32. Bring cosines and sines into x's dtype before "
            "you multiply.",
            check="shapes",
        ),
        Misconception(
            "turned along the heads instead of the words",
            replace="positions[:, None] * speeds",
            by="torch.arange(x.shape[1], device=x.device)[:, None, None] * speeds",
            hint="All heads of a word turn alike, and words differ by their positions. Your angles differ from head to "
            "head.",
        ),
        Misconception(
            "turned by next to nothing",
            replace=SPEEDS,
            by="10000 ** -2 * torch.arange(half, device=x.device) / x.shape[-1]",
            hint="What comes out is x, or so close to it that nothing can be seen. Look at your speeds: the first is "
            "1. (Python reads 10000 ** -2 * i as (10000 ** -2) * i. An exponent of several parts needs brackets.)",
        ),
        Misconception(
            "repeated the angles for neighbours and turned halves",
            replace=f"{HALVES}\n    # -> (batch, heads, seq, d_head)\n    return {TURNED}",
            by="""cos, sin = cos.repeat_interleave(2, dim=-1), sin.repeat_interleave(2, dim=-1)
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], dim=-1) * sin""",
            hint="Two conventions are mixed. If the pairs are i and i + d_head/2, the table of angles comes twice, one "
            "behind the other: each angle twice in a row belongs to pairs of neighbours.",
        ),
        Misconception(
            "rounded the exponents to whole numbers",
            replace="(-torch.arange(half, device=x.device) / half)",
            by="(-torch.arange(half, device=x.device) // half)",
            hint="// leaves whole numbers, and of 10000 ** −1 in whole numbers nothing is left: all pairs but the "
            "first stay where they are. Divide with /.",
        ),
        Misconception(
            "left the first half as it was",
            replace=TURNED,
            by="torch.cat([first, second * cos + first * sin], dim=-1)",
            hint="Both numbers of an arrow change when it turns.",
        ),
        Misconception(
            "put a minus sign into both halves",
            replace="second * cos + first * sin",
            by="second * cos - first * sin",
            hint="Turning an arrow leaves its length as it is, and yours changes. Only one of the four products has a "
            "minus sign.",
        ),
        Misconception(
            "wrote e where 10000 belongs",
            replace=SPEEDS,
            by="(-torch.arange(half, device=x.device) / half).exp()",
            hint="exp(y) is e to the power of y. With exp, 10000 to the power of y is exp(y · ln 10000).",
        ),
        Misconception(
            "took the logarithm to base 10",
            replace=SPEEDS,
            by="(-torch.arange(half, device=x.device) / half * math.log10(10000)).exp()",
            hint="10000 to the power of y is exp(y · ln 10000), with the natural logarithm: math.log.",
        ),
        Misconception(
            "computed the angles in the dtype of x",
            replace=f"""speeds = {SPEEDS}
    # (seq, 1) * (half) -> (seq, half)
    angles = positions[:, None] * speeds""",
            by="speeds = 10000 ** (-torch.arange(half, device=x.device, dtype=x.dtype) / half)\n"
            "    angles = positions.to(x.dtype)[:, None] * speeds",
            hint="bfloat16 keeps two or three digits: it has no 301, and of an angle of many turns nothing is left. "
            "Compute positions and angles in float32, and bring only sines and cosines into x's dtype.",
        ),
        Misconception(
            "rounded the angles to the dtype of x",
            replace="angles = positions[:, None] * speeds",
            by="angles = (positions[:, None] * speeds).to(x.dtype)",
            hint="bfloat16 keeps two or three digits, and of an angle of many turns nothing is left. Take sines and "
            "cosines first, and bring those into x's dtype.",
        ),
        Misconception(
            "wrote the turned features into x",
            replace=f"return {TURNED}",
            by=f"x.copy_({TURNED})\n    return x",
            hint="The numbers are right, but x belongs to the caller, who may turn the same words by other positions "
            "next. Leave x as it is, and return a new tensor.",
        ),
        Misconception(
            "wrote the new first half into x before the second half was made",
            replace=f"return {TURNED}",
            by="""x[..., :half] = first * cos - second * sin
    x[..., half:] = second * cos + first * sin
    return x""",
            hint="x belongs to the caller and should stay as it is. And a slice is a window into x: the first half "
            "shows the new numbers when the second is made. Return a new tensor.",
        ),
        Misconception(
            "raised 10000 to i, and divided by half afterwards",
            replace=SPEEDS,
            by="1 / (10000 ** torch.arange(half, device=x.device) / half)",
            hint="A power comes before a division: 10000 ** i / half is (10000 ** i) / half. The exponent needs "
            "brackets.",
        ),
        Misconception(
            "multiplied the sines and cosines by the speeds",
            replace="""angles = positions[:, None] * speeds
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)""",
            by="""angles = positions[:, None]
    cos, sin = (angles.cos() * speeds).to(x.dtype), (angles.sin() * speeds).to(x.dtype)""",
            hint="The speed belongs into the angle: position times speed. Turning leaves an arrow's length as it is, "
            "and yours become shorter.",
        ),
    ),
    alternatives=(
        Alternative(
            "complex numbers",
            """
def rotate(x, positions):
    half = x.shape[-1] // 2
    speeds = 10000 ** (-2 * torch.arange(half, dtype=torch.float64) / x.shape[-1])
    turns = torch.polar(torch.ones(()).double(), positions[:, None] * speeds)
    arrows = torch.complex(x[..., :half].double(), x[..., half:].double()) * turns
    return torch.cat([arrows.real, arrows.imag], dim=-1).to(x.dtype)
""",
        ),
        Alternative(
            "rotate_half, as in most published code",
            """
def rotate(x, positions):
    d_head = x.shape[-1]
    inv_freq = 1.0 / (10000.0 ** (torch.arange(0, d_head, 2, device=x.device).float() / d_head))
    freqs = torch.outer(positions.float(), inv_freq)
    emb = torch.cat((freqs, freqs), dim=-1)
    x1, x2 = x.chunk(2, dim=-1)
    rotated = torch.cat((-x2, x1), dim=-1)
    return x * emb.cos().to(x.dtype) + rotated * emb.sin().to(x.dtype)
""",
        ),
        Alternative(
            "computed in float32 throughout, and rounded at the end",
            """
def rotate(x, positions):
    half = x.shape[-1] // 2
    exponents = torch.arange(half, device=x.device, dtype=torch.float32) * (-math.log(10000.0) / half)
    angles = torch.einsum("s,i->si", positions.to(torch.float32), exponents.exp())
    first, second = x.float().split(half, dim=-1)
    turned = torch.empty(x.shape, device=x.device)
    turned[..., :half] = first * angles.cos() - second * angles.sin()
    turned[..., half:] = first * angles.sin() + second * angles.cos()
    return turned.type_as(x)
""",
        ),
        Alternative(
            "a matrix for each angle",
            """
def rotate(x, positions):
    half = x.shape[-1] // 2
    speeds = 10000 ** (-torch.arange(half, device=x.device) / half)
    angles = positions.unsqueeze(-1) * speeds
    cos, sin = angles.cos(), angles.sin()
    # (seq, half, 2, 2)
    matrices = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    pairs = torch.stack([x[..., :half], x[..., half:]], dim=-1).float()
    turned = torch.einsum("sipq,bhsiq->bhspi", matrices, pairs)
    return turned.flatten(-2).to(x.dtype)
""",
        ),
        Alternative(
            "a loop over the pairs",
            """
def rotate(x, positions):
    half = x.shape[-1] // 2
    out = x.clone()
    for i in range(half):
        angle = positions * 10000 ** (-i / half)
        c, s = torch.cos(angle).to(x.dtype), torch.sin(angle).to(x.dtype)
        out[..., i] = x[..., i] * c - x[..., i + half] * s
        out[..., i + half] = x[..., i + half] * c + x[..., i] * s
    return out
""",
        ),
    ),
)
