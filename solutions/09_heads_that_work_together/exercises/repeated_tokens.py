"""`repeated_tokens`: draws random sequences whose second half repeats the first.

Any way to draw is right, so the tokens themselves are not compared: the probe says what is true of them.
"""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def many_tokens(draw: Draw, low: int, high: int) -> Call:
    """So many sequences that each number of the vocabulary occurs, and no two places agree in all by chance."""
    (vocabulary,) = draw.sizes("vocabulary", low=5, high=8)
    (half,) = draw.sizes("half", low=low, high=high)
    (batch,) = draw.sizes("batch", low=33, high=40)
    return Call({"batch": batch, "half": half, "vocabulary": vocabulary, "_seed": draw.integer(1, 10**6)})


def what_is_true(repeated_tokens, batch, half, vocabulary, seed):
    """Draw some sequences, and say what is true of their tokens and of the numbers they were drawn with."""
    import torch

    def generator(seed):
        return torch.Generator().manual_seed(seed)

    mine, others = generator(seed), torch.get_rng_state()
    before = mine.get_state()
    tokens = repeated_tokens(batch, half, vocabulary, mine)
    sources = {
        "the given generator": not torch.equal(mine.get_state(), before),
        "torch's own random numbers": not torch.equal(torch.get_rng_state(), others),
    }
    used = " and ".join(name for name, changed in sources.items() if changed) or "neither"
    again = {
        "a generator with the same seed": lambda: generator(seed),
        "a generator with another seed": lambda: generator(seed + 1),
        "the same generator": lambda: mine,
    }
    occurs = dict.fromkeys(("the sequences", "the second halves"), "")
    occurs |= dict.fromkeys(("the lowest token", "the highest token", "different tokens"), 0) | {"each token": ""}
    if not isinstance(tokens, torch.Tensor) or tokens.shape != (batch, 2 * half) or tokens.dtype != torch.int64:
        if isinstance(tokens, torch.Tensor):
            tokens = tokens.to("meta")
        nothing = torch.zeros(2 * half, dtype=torch.int64, device="meta")
        return tokens, occurs, used, dict.fromkeys(again, ""), nothing

    def compared(other):
        return "the same tokens" if torch.equal(tokens, other) else "other tokens"

    seen = tokens.unique().tolist()
    # So many that each token is drawn some 1,000 times: chance makes none half as frequent as another.
    many = repeated_tokens(1_000 * vocabulary // half, half, vocabulary, generator(seed))
    counts = many.unique(return_counts=True)[1]
    often = "about as often as the others" if counts.max() < 1.4 * counts.min() else "not equally often"
    # (batch, seq, 1) == (batch, 1, seq) -> (seq, seq): whether two places agree in all sequences
    agree = (tokens[:, :, None] == tokens[:, None, :]).all(dim=0)
    first, second = ({tuple(row) for row in part.tolist()} for part in tokens.split(half, dim=1))
    return (
        tokens.to("meta"),  # their type, shape and dtype; the numbers may be any
        {
            "the sequences": "different ones" if len(first) > 1 else "all the same",
            "the second halves": "some sequence's first half" if second <= first else "new",
            "the lowest token": seen[0],
            "the highest token": seen[-1],
            "different tokens": len(seen),
            "each token": often if len(first) > 1 else "",
        },
        used,
        {which: compared(repeated_tokens(batch, half, vocabulary, make())) for which, make in again.items()},
        agree.int().argmax(dim=1),
    )


DRAWN = "torch.randint(vocabulary, (batch, half), generator=generator)"
JOINED = "torch.cat([first, first], dim=1)"

EXERCISE = Exercise(
    name="repeated_tokens",
    returns=(
        "tokens",
        "The tokens",
        "What the tokens were drawn with",
        "Drawn once more, with",
        "The place of each token's first copy",
    ),
    cases=(
        Case("a half longer than the vocabulary", lambda draw: many_tokens(draw, 9, 15)),
        Case("a short half", lambda draw: many_tokens(draw, 3, 4)),
    ),
    misconceptions=(
        Misconception(
            "did not pass the generator on",
            replace=", generator=generator",
            by="",
            hint="torch drew from the random numbers that all code shares. Your data would change whenever other code "
            "draws a number before it. Say which generator to draw with.",
        ),
        Misconception(
            "seeded torch's own random numbers instead of using the generator",
            replace=DRAWN,
            by="torch.randint(vocabulary, (batch, half), generator=torch.manual_seed(0))",
            hint="Each call draws the same sequences now, and all other code that draws numbers starts again, too. The "
            "caller has seeded a generator: draw with that.",
        ),
        Misconception(
            "set the generator back to a seed",
            replace="generator=generator",
            by="generator=generator.manual_seed(0)",
            hint="Each call draws the same sequences, so a model would see one batch over and over. The caller has "
            "seeded the generator; draw with it as it is.",
        ),
        Misconception(
            "made a generator of your own",
            replace="generator=generator",
            by="generator=torch.Generator().manual_seed(0)",
            hint="Each call draws the same sequences, whatever generator it is given. Draw with the one that the "
            "caller hands in.",
        ),
        Misconception(
            "drew the second half anew",
            replace=JOINED,
            by=f"torch.cat([first, {DRAWN}], dim=1)",
            hint="Two random halves have nothing to do with each other, so there is nothing to find out. Draw once, "
            "and use what you have drawn twice.",
        ),
        Misconception(
            "repeated each token, not the half",
            replace=JOINED,
            by="first.repeat_interleave(2, dim=1)",
            hint="You made A A B B C C, and what is wanted is A B C A B C.",
        ),
        Misconception(
            "mirrored the second half",
            replace=JOINED,
            by="torch.cat([first, first.flip(1)], dim=1)",
            hint="You made A B C C B A. The second half runs in the same direction as the first: A B C A B C.",
        ),
        Misconception(
            "moved the second half by one place",
            replace=JOINED,
            by="torch.cat([first, first.roll(1, dims=1)], dim=1)",
            hint="You made A B C C A B. The second half starts again with the first token.",
        ),
        Misconception(
            "gave each sequence another sequence's half",
            replace=JOINED,
            by="torch.cat([first, first.roll(1, dims=0)], dim=1)",
            hint="The second half repeats the first half of another sequence of the batch. A model reads one sequence "
            "at a time and cannot know it.",
        ),
        Misconception(
            "drew the same sequence for the whole batch",
            replace=DRAWN,
            by="torch.randint(vocabulary, (half,), generator=generator).repeat(batch, 1)",
            hint="All sequences of the batch are the same. Draw a token for each place of each sequence.",
        ),
        Misconception(
            "drew one token for each sequence",
            replace=DRAWN,
            by="torch.randint(vocabulary, (batch, 1), generator=generator).repeat(1, half)",
            hint="Within a sequence all tokens are the same: A A A A A A. Draw a token for each place of each "
            "sequence.",
        ),
        Misconception(
            "never drew token 0",
            replace="torch.randint(vocabulary",
            by="torch.randint(1, vocabulary",
            hint="Tokens are counted from 0, so a vocabulary of 5 has the tokens 0, 1, 2, 3 and 4.",
        ),
        Misconception(
            "never drew the last token",
            replace="torch.randint(vocabulary",
            by="torch.randint(vocabulary - 1",
            hint="randint stops one before its upper end by itself: with 5 it draws 0 to 4.",
        ),
        Misconception(
            "drew a token that the vocabulary does not have",
            replace="torch.randint(vocabulary",
            by="torch.randint(vocabulary + 1",
            hint="A vocabulary of 5 has the tokens 0 to 4, and yours go one further: an embedding has no row for that.",
        ),
        Misconception(
            "counted the tokens from 1",
            replace="torch.randint(vocabulary",
            by="torch.randint(1, vocabulary + 1",
            hint="Tokens are rows of an embedding, so they are counted from 0: a vocabulary of 5 has the tokens 0 to "
            "4.",
        ),
        Misconception(
            "rounded fractions, so that the first and the last token are rare",
            replace=DRAWN,
            by="(torch.rand(batch, half, generator=generator) * (vocabulary - 1)).round().long()",
            hint="Only fractions below a half become 0, but all from a half to one and a half become 1. So 0 comes "
            "half as often, and so does the last token. Draw whole numbers, or cut fractions off.",
        ),
        Misconception(
            "rounded fractions up to a token that the vocabulary does not have",
            replace=DRAWN,
            by="(torch.rand(batch, half, generator=generator) * vocabulary).round().long()",
            hint="A fraction just below the size of the vocabulary is rounded up to it, and there is no such token. "
            "Draw whole numbers, or cut fractions off.",
        ),
        Misconception(
            "took tokens in order instead of drawing them",
            replace=DRAWN,
            by="torch.arange(half).remainder(vocabulary).repeat(batch, 1)",
            hint="After 3 always comes 4: then the token itself tells the next one, and nothing must be remembered. "
            "Draw the tokens.",
        ),
        Misconception(
            "put the second copy below the first, as more sequences",
            replace="dim=1",
            by="dim=0",
            hint="The batch got twice as many sequences, none of which repeats anything. Lengthen each sequence "
            "instead.",
            check="shapes",
        ),
        Misconception(
            "passed the generator without its name",
            replace=", generator=generator",
            by=", generator",
            hint="randint takes its generator by name only: what comes after the shape is not looked at by its place.",
            check="shapes",
        ),
        Misconception(
            "stacked the halves",
            replace="torch.cat([first, first], dim=1)",
            by="torch.stack([first, first], dim=1)",
            hint="Stacking makes a new dimension, (batch, 2, half). A sequence is one row: join the halves along the "
            "one they have.",
            check="shapes",
        ),
        Misconception(
            "returned the first half only",
            replace=f"return {JOINED}",
            by="return first",
            hint="The second half is missing: nothing is repeated yet.",
            check="shapes",
            shown_by=("no +",),
        ),
        Misconception(
            "drew both halves and then doubled them",
            replace=DRAWN,
            by="torch.randint(vocabulary, (batch, 2 * half), generator=generator)",
            hint="What you draw is what is repeated, so it is half as long as the result.",
            check="shapes",
        ),
        Misconception(
            "swapped batch and half",
            replace=DRAWN,
            by="torch.randint(vocabulary, (half, batch), generator=generator)",
            hint="A row is a sequence, a column a place: (batch, 2 · half).",
            check="shapes",
        ),
        Misconception(
            "drew fractions",
            replace=DRAWN,
            by="torch.rand(batch, half, generator=generator) * vocabulary",
            hint="A token is a whole number, the row of an embedding. Cut the fractions off and make whole numbers of "
            "them, or draw whole numbers at once.",
            check="shapes",
        ),
        Misconception(
            "let each token occur once",
            replace=DRAWN,
            by="torch.rand(batch, vocabulary, generator=generator).argsort(dim=1)[:, :half]",
            hint="A half may be longer than the vocabulary, and then there are too few different tokens. Draw each "
            "place by itself; a token may come twice.",
            check="shapes",
        ),
        Misconception(
            "returned the two halves as a pair",
            replace=f"return {JOINED}",
            by="return first, first",
            hint="A model reads one tensor, (batch, 2 · half). Join the halves.",
            check="shapes",
        ),
        Misconception(
            "drew with random numbers that are not torch's",
            replace=f"first = {DRAWN}",
            by="import random\n"
            "    first = torch.tensor([[random.randrange(vocabulary) for _ in range(half)] for _ in range(batch)])",
            hint="Python and NumPy have generators of their own, which know nothing of the one that you are given: the "
            "same seed gives other sequences each time. torch's functions take it as generator=….",
        ),
        Misconception(
            "made tokens of int32",
            replace=DRAWN,
            by=f"{DRAWN}.int()",
            hint="Tokens are torch.int64 throughout the course, as randint makes them and as an index of a tensor is.",
            check="shapes",
        ),
        Misconception(
            "repeated along a third dimension",
            replace=JOINED,
            by="first.repeat(1, 1, 2)",
            hint="repeat takes a number for each dimension, from the left, and makes a new one in front if there is a "
            "number too many. The tokens have two.",
            check="shapes",
        ),
        Misconception(
            "added the halves instead of joining them",
            replace=f"return {JOINED}",
            by="return first + first",
            hint="+ adds numbers: each token becomes another one, and no sequence becomes longer. (Only lists "
            "are joined "
            "by +.)",
            check="shapes",
            shown_by=("+",),
        ),
        Misconception(
            "took half for the length of the whole sequence",
            replace=DRAWN,
            by="torch.randint(vocabulary, (batch, half // 2), generator=generator)",
            hint="half is the length of the first half already, and the sequence has twice as many tokens.",
            check="shapes",
        ),
        Misconception(
            "gave randint the shape before the upper end",
            replace=DRAWN,
            by="torch.randint((batch, half), vocabulary, generator=generator)",
            hint="randint takes the numbers first, where to begin and where to end, and then the shape.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "repeat",
            """
def repeated_tokens(batch, half, vocabulary, generator):
    return torch.randint(0, vocabulary, (batch, half), generator=generator).repeat(1, 2)
""",
        ),
        Alternative(
            "fractions, cut off",
            """
def repeated_tokens(batch, half, vocabulary, generator):
    first = (torch.rand(batch, half, generator=generator) * vocabulary).long()
    return torch.hstack((first, first))
""",
        ),
        Alternative(
            "an index that runs twice",
            """
def repeated_tokens(batch, half, vocabulary, generator):
    tokens = torch.empty(batch, 2 * half, dtype=torch.long)
    tokens.random_(0, vocabulary, generator=generator)
    return tokens[:, torch.arange(2 * half) % half]
""",
        ),
        Alternative(
            "the second half overwritten",
            """
def repeated_tokens(batch, half, vocabulary, generator):
    tokens = torch.randint(vocabulary, (batch, 2 * half), generator=generator)
    tokens[:, half:] = tokens[:, :half]
    return tokens
""",
        ),
        Alternative(
            "multinomial, each token as likely as the other",
            """
def repeated_tokens(batch, half, vocabulary, generator):
    chances = torch.ones(batch, vocabulary)
    first = torch.multinomial(chances, half, replacement=True, generator=generator)
    return first.tile(2)
""",
        ),
    ),
    probe=what_is_true,
    gradients=False,
)
