"""`head_width`: shares d_model out among the heads, and refuses numbers that do not fit."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import draw_heads, width_of_one_head, width_of_the_lesson, width_with_a_remainder


def width_that_divides(draw: Draw) -> Call:
    num_heads, _, d_model = draw_heads(draw)
    return Call({"d_model": d_model, "num_heads": num_heads})


def width_one(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": d_model})


def width_of_no_head(draw: Draw) -> Call:
    (d_model,) = draw.sizes("d_model", low=10, high=20)
    return Call({"d_model": d_model, "num_heads": 0})


def width_of_negative_heads(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    return Call({"d_model": num_heads * d_head, "num_heads": -num_heads})


def width_of_nothing(draw: Draw) -> Call:
    (num_heads,) = draw.sizes("num_heads", low=3, high=9)
    return Call({"d_model": 0, "num_heads": num_heads})


def width_of_negative_numbers(draw: Draw) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=3, high=9)
    return Call({"d_model": -num_heads * d_head, "num_heads": -num_heads})


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
        raise ValueError(
            f"d_model {d_model} cannot be shared out evenly among {num_heads} heads"
        )"""

EXERCISE = Exercise(
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
        Case("two negative numbers", width_of_negative_numbers),
    ),
    misconceptions=(
        Misconception(
            "divided with /, which makes a float",
            replace="return d_model // num_heads",
            by="return d_model / num_heads",
            hint="512 / 8 is 64.0, and nn.Linear takes a whole number. Another operator divides whole numbers.",
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
            hint="For numbers that divide evenly, the remainder is always 0. Return how often it goes.",
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
            hint="With `and` between the questions, the answer to all of them must be yes. One broken rule is "
            "enough to refuse the numbers.",
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
            replace="raise ValueError(",
            by="assert False, (",
            hint="An AssertionError says that the programmer was wrong, and Python can be told to skip assertions. "
            "What a caller gets wrong is a ValueError.",
            shown_by=("assert",),
        ),
        Misconception(
            "raised a plain Exception",
            replace="raise ValueError(",
            by="raise Exception(",
            hint="To catch your error, a caller would have to catch all errors there are. A wrong value has a kind "
            "of its own: ValueError.",
        ),
        Misconception(
            "returned the message instead of raising it",
            replace="raise ValueError(",
            by="return str(",
            hint="The caller takes what you return for a width. An error must be raised.",
        ),
        Misconception(
            "returned None for numbers that do not fit",
            replace=REFUSAL,
            by=REFUSAL.replace("raise ValueError(", "return print(end='' and "),
            hint="None goes on as if it were a width, and the error comes somewhere else. Raise one here. (A printed "
            "message stops nothing.)",
        ),
        Misconception(
            "raised an error that names no number",
            replace='f"d_model {d_model} cannot be shared out evenly among {num_heads} heads"',
            by='"d_model must be divisible by num_heads"',
            hint="The reader of the message knows the rule. What helps is the two numbers that broke it. (They are "
            "in your message? Then an f is missing before its quotes.)",
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
            hint="−3 divides 12 evenly, so the remainder does not show it. Zero is not the only number that is not "
            "positive.",
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
            replace="raise ValueError(",
            by="return ValueError(",
            hint="An error that is returned stops nothing: the caller takes it for a width. It has to be raised.",
        ),
        Misconception(
            "asked whether num_heads divides evenly by d_model",
            replace="d_model % num_heads != 0",
            by="num_heads % d_model != 0",
            hint="The features are shared out among the heads: what must leave no remainder is d_model divided by "
            "num_heads.",
            check="shapes",
            shown_by=("raise",),
        ),
        Misconception(
            "refused as many heads as features",
            replace="d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0",
            by="d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0 or num_heads == d_model",
            hint="Heads that are one feature wide are no use, but the numbers fit. (range(n) ends with n − 1 by "
            "itself.)",
            check="shapes",
        ),
        Misconception(
            "refused a single head",
            replace="num_heads <= 0",
            by="num_heads <= 1",
            hint="One head that has all features is a layer like any other. Only numbers that are not positive are "
            "refused.",
            check="shapes",
        ),
        Misconception(
            "did not ask whether it divides",
            replace=" or d_model % num_heads != 0",
            by="",
            hint="Both numbers are positive, that is asked. But features that are left over would belong to no head: a "
            "remainder must be refused, too.",
        ),
        Misconception(
            "raised a TypeError",
            replace="raise ValueError(",
            by="raise TypeError(",
            hint="A TypeError says that an argument is of the wrong kind, such as a text. A number of the right kind "
            "that does not fit is a ValueError.",
        ),
        Misconception(
            "returned 0 for numbers that do not fit",
            replace=REFUSAL,
            by=REFUSAL.replace("raise ValueError(", "return 0 * len("),
            hint="0 goes on as if it were a width, and the error comes somewhere else. Raise one here.",
        ),
        Misconception(
            "returned −1 for numbers that do not fit",
            replace=REFUSAL,
            by=REFUSAL.replace("raise ValueError(", "return -1 + 0 * len("),
            hint="−1 goes on as if it were a width, and the error comes somewhere else. Raise one here.",
        ),
        Misconception(
            "asked whether both numbers are not positive, instead of one of them",
            replace="d_model <= 0 or num_heads <= 0 or",
            by="(d_model <= 0 and num_heads <= 0) or",
            hint="A single number that is not positive is enough to refuse them, and with only one of them yours goes "
            "on. (`and` asks for both, `or` for one.)",
        ),
        Misconception(
            "asked whether the product of the two is positive",
            replace="d_model <= 0 or num_heads <= 0 or",
            by="d_model * num_heads <= 0 or",
            hint="Two negative numbers have a positive product, so they pass. Ask about each by itself.",
            shown_by=("*|prod",),
        ),
        Misconception(
            "refused 0, but not negative numbers",
            replace="d_model <= 0 or num_heads <= 0 or",
            by="d_model == 0 or num_heads == 0 or",
            hint="−3 divides 12 evenly, so the remainder does not show it. Zero is not the only number that is not "
            "positive.",
        ),
        Misconception(
            "left d_model out of the message about a remainder",
            replace=REFUSAL,
            by="""if d_model <= 0 or num_heads <= 0:
        raise ValueError(f"{d_model} {num_heads}")
    if d_model % num_heads != 0:
        raise ValueError(f"{num_heads}")""",
            hint="Whether a number fits depends on both. Every message must name d_model too.",
        ),
        Misconception(
            "left num_heads out of the message about a remainder",
            replace=REFUSAL,
            by="""if d_model <= 0 or num_heads <= 0:
        raise ValueError(f"{d_model} {num_heads}")
    if d_model % num_heads != 0:
        raise ValueError(f"{d_model}")""",
            hint="Whether a number fits depends on both. Every message must name num_heads too.",
        ),
        Misconception(
            "named the numbers only in the message about a remainder",
            replace=REFUSAL,
            by="""if d_model <= 0 or num_heads <= 0:
        raise ValueError("not positive")
    if d_model % num_heads != 0:
        raise ValueError(f"{d_model} {num_heads}")""",
            hint="Where one of the two is not positive, your error names neither. Every message must name both "
            "numbers.",
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
