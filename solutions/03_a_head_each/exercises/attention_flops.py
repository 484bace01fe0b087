"""`attention_flops`: counts the FLOPs of a layer's matrix products."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import width_asked_the_wrong_way_round


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

EXERCISE = Exercise(
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
            "left out one of the four projections",
            replace=SUM,
            by="batch * num_heads * (projections + scores + average)",
            hint="There are w_q, w_k and w_v in the heads, and behind them w_o, a product of (seq, d_model) with "
            "(d_model, d_model). All four cost the same, and one of them is missing.",
        ),
        Misconception(
            "counted only half of the work of the two products with a matrix of seq × seq",
            replace="(projections + scores + average)",
            by="(projections + scores)",
            hint="Such a matrix appears twice in each head: when the scores are computed, and when the weights meet "
            "the values. Either one of the two is missing, or you count a multiplication with its addition as one here "
            "and as two elsewhere.",
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
            hint="The heads' work is counted for all sentences and w_o's for one. Check the brackets.",
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
            "counted the projections of a single head, or of heads that read only a slice of x",
            replace="3 * 2 * seq * d_model * d_head",
            by="3 * 2 * seq * d_head * d_head",
            hint="Every head has three layers, and each reads all of x: it goes from d_model to d_head. (How far does "
            "the multiplication with num_heads reach?)",
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
            hint="Adding a bias is not a matrix product. Only those are counted here.",
        ),
        Misconception(
            "counted scores and averages of a single head",
            replace="num_heads * (projections + scores + average)",
            by="num_heads * projections + scores + average",
            hint="Every head compares all words with all words. (How far does the multiplication with num_heads "
            "reach?)",
        ),
        Misconception(
            "counted softmax as well",
            replace="num_heads * (projections + scores + average)",
            by="num_heads * (projections + scores + average + seq * seq)",
            hint="Softmax is not a matrix product. Only those are counted here.",
        ),
        width_asked_the_wrong_way_round(),
        Misconception(
            "made w_o go from d_head to d_head",
            replace="w_o = 2 * seq * d_model * d_model",
            by="w_o = 2 * seq * d_head * d_head",
            hint="What goes into w_o is all heads side by side, d_model numbers, and as many come out.",
        ),
        Misconception(
            "counted the batch twice",
            replace="return batch * (",
            by="return batch * batch * (",
            hint="Every sentence costs as much as the others: the batch counts once. (Is it in the single products "
            "already?)",
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
