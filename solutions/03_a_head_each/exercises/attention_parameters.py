"""`attention_parameters`: counts a layer's parameters."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import width_asked_the_wrong_way_round, width_of_one_head, width_of_the_lesson


def a_layer(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=11)
    draw.named(d_model=num_heads * d_head)
    return Call({"d_model": num_heads * d_head, "num_heads": num_heads})


ONE_HEAD = "one_head = 3 * (d_model * d_head + d_head)  # w_q, w_k and w_v, each with its bias"
W_O = "w_o = d_model * d_model + d_model"

EXERCISE = Exercise(
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
            "counted one bias in each head instead of three",
            replace="3 * (d_model * d_head + d_head)",
            by="3 * d_model * d_head + d_head",
            hint="The queries' layer, the keys' and the values' have a bias each. (Where does the 3 reach? A product "
            "goes before a sum.)",
        ),
        Misconception(
            "counted a single number for each bias",
            replace=f"{ONE_HEAD}\n    {W_O}",
            by="one_head = 3 * (d_model * d_head + 1)\n    w_o = d_model * d_model + 1",
            hint="A bias is a vector: it is as long as what comes out of its layer.",
        ),
        Misconception(
            "counted a single number for each kind of bias",
            replace=f"{ONE_HEAD}\n    {W_O}\n    return num_heads * one_head + w_o",
            by="return 3 * num_heads * d_model * d_head + 3 + d_model * d_model + 1",
            hint="A bias is a vector: it is as long as what comes out of its layer. Every head has three of its own.",
        ),
        Misconception(
            "counted the biases of a single head",
            replace="return num_heads * one_head + w_o",
            by="return num_heads * (one_head - 3 * d_head) + 3 * d_head + w_o",
            hint="Every head has biases of its own. (How far does the multiplication with num_heads reach?)",
        ),
        Misconception(
            "counted a single bias for all heads",
            replace="return num_heads * one_head + w_o",
            by="return num_heads * (one_head - 3 * d_head) + d_head + w_o",
            hint="Every head has biases of its own, three of them. (How far do the multiplications reach? A product "
            "goes before a sum.)",
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
        width_asked_the_wrong_way_round(),
        Misconception(
            "gave w_o a bias of d_head numbers",
            replace=W_O,
            by="w_o = d_model * d_model + d_head",
            hint="A bias is added to what comes out of a layer, so it is as long as that. Out of w_o come d_model "
            "numbers.",
        ),
        Misconception(
            "made w_o go from d_head to d_head",
            replace=W_O,
            by="w_o = d_head * d_head + d_head",
            hint="What goes into w_o is all heads side by side, d_model numbers, and as many come out.",
        ),
        Misconception(
            "made w_o go from d_model to d_head",
            replace=W_O,
            by="w_o = d_model * d_head + d_head",
            hint="The output is as long as x, so that layers can be put on top of each other: d_model numbers come out "
            "of w_o.",
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
