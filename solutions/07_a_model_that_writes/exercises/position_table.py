"""`position_table`: sines and cosines that tell positions apart."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def table(draw: Draw, low: int, high: int) -> Call:
    # Not 10: there, a table with 100000 equals one that is spread up to 10000.
    d_model = (6, 8, 12)[draw.integer(0, 2)]
    draw.named(d_model=d_model)
    (seq,) = draw.sizes("seq", low=low, high=high)
    return Call({"seq": seq, "d_model": d_model})


POSITION = "torch.arange(seq).unsqueeze(1)"
PAIR = "torch.arange(0, d_model, 2)"
ANGLE = "position / 10_000 ** (pair / d_model)"
FILLED = """table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table"""

EXERCISE = Exercise(
    name="position_table",
    returns=("table",),
    keeps_dtype=True,
    milestones={"angle": "the angles", "sin": "the sines", "cos": "the cosines"},
    optional_milestones=("sin", "cos", "angle"),
    cases=(
        Case("a few positions", lambda draw: table(draw, 3, 5)),
        Case("many positions", lambda draw: table(draw, 13, 16)),
    ),
    misconceptions=(
        Misconception(
            "swapped sines and cosines",
            replace=FILLED,
            by=FILLED.replace("sin", "x").replace("cos", "sin").replace("x()", "cos()"),
            hint="Position 0 should begin 0, 1, 0, 1: sines in the even columns, cosines in the odd ones.",
        ),
        Misconception(
            "put all sines before all cosines",
            replace=FILLED,
            by="return torch.cat([angle.sin(), angle.cos()], dim=1)",
            hint="Many programs do that, and it works as well. In the paper they take turns: sines in the even "
            "columns, cosines in the odd ones.",
        ),
        Misconception(
            "put all cosines before all sines",
            replace=FILLED,
            by="return torch.cat([angle.cos(), angle.sin()], dim=1)",
            hint="In the paper they take turns: sines in the even columns, cosines in the odd ones.",
        ),
        Misconception(
            "put sines into all columns",
            replace=FILLED,
            by=FILLED.replace("cos", "sin"),
            hint="Columns 0 and 1 are the same, and so is each pair. The odd ones are cosines.",
        ),
        Misconception(
            "put cosines into all columns",
            replace=FILLED,
            by=FILLED.replace("sin", "cos"),
            hint="Columns 0 and 1 are the same, and so is each pair. The even ones are sines.",
        ),
        Misconception(
            "left the odd columns at 0",
            replace="table[:, 1::2] = angle.cos()",
            by="pass",
            hint="The sines are right. The odd columns hold the cosines of the same angles.",
        ),
        Misconception(
            "gave each column a frequency of its own",
            replace=f"""pair = {PAIR}  # 2i, for each pair of columns
    # (seq, 1) / (d_model / 2) -> (seq, d_model / 2)
    angle = {ANGLE}
    table = torch.zeros(seq, d_model)
    {FILLED}""",
            by="""angle = position / 10_000 ** (torch.arange(d_model) / d_model)
    table = angle.sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table""",
            hint="A sine and the cosine beside it belong together: both have the angle of their pair, with 2i / "
            "d_model "
            "in the exponent, and i is the same for both.",
        ),
        Misconception(
            "counted the pairs instead of the columns in the exponent",
            replace=PAIR,
            by="torch.arange(d_model // 2)",
            hint="The exponent is 2i / d_model, and yours is i / d_model: the factor 2 is missing, and the slowest "
            "pair "
            "turns too fast.",
        ),
        Misconception(
            "doubled the exponent",
            replace="(pair / d_model)",
            by="(2 * pair / d_model)",
            hint="In the exponent there should be 0, 2, 4, … over d_model. You count by twos and then double once "
            "more: "
            "the slow pairs hardly turn at all.",
        ),
        Misconception(
            "gave each column a frequency of its own, and doubled the exponent",
            replace=f"""pair = {PAIR}  # 2i, for each pair of columns
    # (seq, 1) / (d_model / 2) -> (seq, d_model / 2)
    angle = {ANGLE}
    table = torch.zeros(seq, d_model)
    {FILLED}""",
            by="""angle = position / 10_000 ** (2 * torch.arange(d_model) / d_model)
    table = angle.sin()
    table[:, 1::2] = angle[:, 1::2].cos()
    return table""",
            hint="In the formula i counts pairs, 0 … d_model / 2 − 1, and you count columns with it. The two "
            "columns of a "
            "pair share one angle.",
        ),
        Misconception(
            "left out the brackets around the exponent",
            replace="10_000 ** (pair / d_model)",
            by="10_000**pair / d_model",
            hint="Python takes the power first and divides afterwards. The whole of 2i / d_model is the exponent.",
        ),
        Misconception(
            "multiplied where it should divide",
            replace="position / 10_000 **",
            by="position * 10_000 **",
            hint="Your pairs turn faster and faster: the last one makes hundreds of turns from one word to the next. "
            "They should turn slower and slower.",
        ),
        Misconception(
            "took 1000 for 10000",
            replace="10_000",
            by="1_000",
            hint="Count the zeros: ten thousand has four.",
        ),
        Misconception(
            "took 100000 for 10000",
            replace="10_000",
            by="100_000",
            hint="Count the zeros: ten thousand has four.",
        ),
        Misconception(
            "started to count at 1",
            replace=POSITION,
            by="torch.arange(1, seq + 1).unsqueeze(1)",
            hint="The first position is 0. Its row is 0, 1, 0, 1, …",
        ),
        Misconception(
            "divided whole numbers in the exponent",
            replace="(pair / d_model)",
            by="(pair // d_model)",
            hint="`//` rounds down, and all your exponents are 0: every pair turns equally fast.",
            shown_by=("//",),
        ),
        Misconception(
            "left out the frequencies",
            replace=ANGLE,
            by="position + 0 * pair",
            hint="Every pair turns equally fast, and after six words it is back where it was. Each pair has a speed of "
            "its own.",
        ),
        Misconception(
            "took the length for d_model",
            replace="(pair / d_model)",
            by="(pair / seq)",
            hint="Position 3 has to look the same in a long sentence and in a short one. The exponent is over d_model.",
        ),
        Misconception(
            "went around the circle in whole turns",
            replace="angle.sin()\n    table[:, 1::2] = angle.cos()",
            by="(2 * math.pi * angle).sin()\n    table[:, 1::2] = (2 * math.pi * angle).cos()",
            hint="There is no 2π in it: the fastest pair turns by 1 from word to word, not by a whole turn.",
        ),
        Misconception(
            "took degrees for radians",
            replace="angle.sin()\n    table[:, 1::2] = angle.cos()",
            by="angle.deg2rad().sin()\n    table[:, 1::2] = angle.deg2rad().cos()",
            hint="The sine takes the angle as it is, in radians.",
        ),
        Misconception(
            "spread the pairs so that the last has exactly 10000",
            replace="(pair / d_model)",
            by="(pair / (d_model - 2))",
            hint="tensor2tensor's code does that. In the paper the exponent is 2i / d_model, and the last pair stays "
            "a little below.",
        ),
        Misconception(
            "wrote e where 10000 belongs",
            replace=ANGLE,
            by="position / (pair / d_model).exp()",
            hint="exp(y) is e to the power of y. With exp, 10000 to the power of y is exp(y · ln 10000).",
        ),
        Misconception(
            "took the logarithm to base 10",
            replace=ANGLE,
            by="position * (-pair / d_model * math.log10(10_000)).exp()",
            hint="10000 to the power of y is exp(y · ln 10000), with the natural logarithm: math.log.",
        ),
        Misconception(
            "put the positions into the columns",
            replace="return table",
            by="return table.T",
            hint="A row is a position and has d_model numbers, so that it can be added to a word.",
            check="shapes",
        ),
        Misconception(
            "added a dimension for the batch",
            replace="return table",
            by="return table.unsqueeze(0)",
            hint="torch adds (seq, d_model) to every sentence of a batch by itself.",
            check="shapes",
        ),
        Misconception(
            "gave each pair one column",
            replace=FILLED,
            by="return angle.sin()",
            hint="Each angle gives two numbers, its sine and its cosine. So there are d_model of them.",
            check="shapes",
        ),
        Misconception(
            "multiplied where it should divide, in double precision",
            replace=ANGLE,
            by="position * 10_000 ** (pair.double() / d_model)",
            hint="Your pairs turn faster and faster: the last one makes hundreds of turns from one word to the next. "
            "They should turn slower and slower.",
        ),
        Misconception(
            "made a row for each pair, and reshaped where rows and columns should be swapped",
            replace=ANGLE,
            by="torch.outer(10_000 ** (-pair / d_model), torch.arange(seq).float()).reshape(seq, d_model // 2)",
            hint="A reshape only counts the numbers off anew, so a row holds angles of several positions. Begin "
            "with the positions in the rows, or swap the dimensions.",
        ),
        Misconception(
            "turned all pairs by next to nothing",
            replace=ANGLE,
            by="position / 10_000**2 * (pair // 2) / d_model",
            hint="All rows begin alike, 0, 1, 0, 1. The first pair should turn by 1 from one position to the next. "
            "(Python reads 10000 ** 2 * i as (10000 ** 2) * i. An exponent of several parts needs brackets.)",
        ),
        Misconception(
            "began to count the pairs at 1",
            replace=PAIR,
            by="torch.arange(2, d_model + 2, 2)",
            hint="The first pair is number 0, and turns by 1 from one position to the next.",
        ),
        Misconception(
            "filled every second row instead of every second column",
            replace=FILLED,
            by=FILLED.replace("[:, 0::2]", "[0::2]").replace("[:, 1::2]", "[1::2]"),
            hint="One index alone picks rows, which are positions. Sines and cosines take turns in the columns.",
            check="shapes",
        ),
        Misconception(
            "left sines and cosines in a dimension of their own",
            replace=FILLED,
            by="return torch.stack([angle.sin(), angle.cos()], dim=-1)",
            hint="Each pair of columns is there, side by side, in a third dimension. Join it with the one before.",
            check="shapes",
        ),
        Misconception(
            "wrote the cosines over the sines",
            replace="table[:, 1::2]",
            by="table[:, 0::2]",
            hint="The odd columns are still 0, and no sine is left. Sines belong into the even columns, cosines into "
            "the odd ones.",
        ),
    ),
    alternatives=(
        Alternative(
            "with exp and log",
            """
def position_table(seq, d_model):
    frequency = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
    table = torch.empty(seq, d_model)
    table[:, 0::2] = torch.sin(torch.arange(seq)[:, None] * frequency)
    table[:, 1::2] = torch.cos(torch.arange(seq)[:, None] * frequency)
    return table
""",
        ),
        Alternative(
            "stack and flatten",
            """
def position_table(seq, d_model):
    i = torch.arange(d_model // 2)
    angle = torch.outer(torch.arange(seq).float(), 10000 ** (-2 * i / d_model))
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
""",
        ),
        Alternative(
            "entry by entry",
            """
def position_table(seq, d_model):
    rows = []
    for position in range(seq):
        row = []
        for i in range(d_model // 2):
            angle = position / 10000 ** (2 * i / d_model)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows)
""",
        ),
        Alternative(
            "one sine, shifted by a quarter turn",
            """
def position_table(seq, d_model):
    column = torch.arange(d_model)
    frequency = 10000.0 ** (-(column - column % 2) / d_model)
    shift = (column % 2) * math.pi / 2
    return torch.sin(torch.arange(seq).unsqueeze(1) * frequency + shift)
""",
        ),
    ),
)
