"""Cases and sizes that several exercises of chapter 3 draw, and the calls that they forbid."""

from autograder.declare import Call, Draw, Misconception

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


def width_of_the_lesson(draw: Draw) -> Call:
    return Call({"d_model": 512, "num_heads": 8})


def width_of_one_head(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": 1})


def width_with_a_remainder(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    return Call({"d_model": num_heads * d_head + draw.integer(1, num_heads - 1), "num_heads": num_heads})


def width_asked_the_wrong_way_round() -> Misconception:
    """`head_width` refuses the numbers: a few heads do not share out among many."""
    return Misconception(
        "swapped d_model and num_heads when asking for the width",
        replace="head_width(d_model, num_heads)",
        by="head_width(num_heads, d_model)",
        hint="head_width takes the length of a word's vector first, then the number of heads. The other way round it "
        "refuses numbers that do fit.",
        check="shapes",
        shown_by=("head_width",),
    )
