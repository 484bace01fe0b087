"""`kv_cache_bytes`: counts the bytes of a model's keys and values."""

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def model(draw: Draw, dtype: torch.dtype, low: int = 2, high: int = 13, seq: int | None = None) -> Call:
    batch, num_layers, num_kv_heads, d_head = draw.sizes("batch num_layers num_kv_heads d_head", low=low, high=high)
    if seq is None:
        (seq,) = draw.sizes("seq", low=low, high=high)
    return Call(
        {
            "batch": batch,
            "num_layers": num_layers,
            "num_kv_heads": num_kv_heads,
            "seq": seq,
            "d_head": d_head,
            "dtype": dtype,
        }
    )


PRODUCT = "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize"


def factors(name: str, by: str, hint: str, check: str = "outputs", shown_by: tuple[str, ...] = ()) -> Misconception:
    return Misconception(name, replace=PRODUCT, by=by, hint=hint, check=check, shown_by=shown_by)


EXERCISE = Exercise(
    name="kv_cache_bytes",
    returns=("bytes",),
    cases=(
        Case("a small model in float32", lambda draw: model(draw, torch.float32)),
        Case("a small model in bfloat16", lambda draw: model(draw, torch.bfloat16)),
        Case("a small model in float64", lambda draw: model(draw, torch.float64)),
        Case("numbers of one byte", lambda draw: model(draw, torch.float8_e4m3fn)),
        Case(
            "a text of a million words, in float16",
            lambda draw: model(draw, torch.float16, low=40, high=99, seq=1_000_000 + draw.integer(1, 999)),
        ),
    ),
    misconceptions=(
        factors(
            "counted the keys only",
            "batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize",
            "Half of it is missing. Two things are remembered of each word.",
        ),
        factors(
            "counted queries, too",
            "3 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize",
            "Queries of old words are never used again, so they are not kept.",
        ),
        factors(
            "counted numbers, not bytes",
            "2 * batch * num_layers * num_kv_heads * seq * d_head",
            "A number takes several bytes, and its dtype says how many.",
        ),
        factors(
            "took 4 bytes for every number",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * 4",
            "That is true of float32. The dtype says how many bytes its numbers take.",
        ),
        factors(
            "took 2 bytes for every number",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * 2",
            "That is true of bfloat16 and float16. The dtype says how many bytes its numbers take.",
        ),
        factors(
            "counted one layer",
            "2 * batch * num_kv_heads * seq * d_head * dtype.itemsize",
            "Each layer has keys and values of its own.",
        ),
        factors(
            "counted one text",
            "2 * num_layers * num_kv_heads * seq * d_head * dtype.itemsize",
            "Each text of the batch has words of its own, and so keys and values.",
        ),
        factors(
            "counted one head",
            "2 * batch * num_layers * seq * d_head * dtype.itemsize",
            "Each of the num_kv_heads heads has keys and values of its own.",
        ),
        factors(
            "counted one word",
            "2 * batch * num_layers * num_kv_heads * d_head * dtype.itemsize",
            "Every word so far is remembered.",
        ),
        factors(
            "forgot how wide a head is",
            "2 * batch * num_layers * num_kv_heads * seq * dtype.itemsize",
            "A key is a vector of d_head numbers, not a number.",
        ),
        factors(
            "counted a score for each pair of words",
            "2 * batch * num_layers * num_kv_heads * seq * seq * d_head * dtype.itemsize",
            "Scores are made and forgotten. What is kept is a key and a value for each word: it grows like seq.",
        ),
        factors(
            "counted the scores instead of keys and values",
            "batch * num_layers * num_kv_heads * seq * seq * dtype.itemsize",
            "Those are the scores of chapter 5. What is kept is a key and a value for each word.",
        ),
        factors(
            "counted bits",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize * 8",
            "dtype.itemsize counts bytes already, and no bits.",
        ),
        factors(
            "returned kilobytes",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize / 1000",
            "Return bytes, a whole number. Whoever prints it can divide.",
            check="shapes",
        ),
        factors(
            "returned GiB",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize / 2**30",
            "Return bytes, a whole number. Whoever prints it can divide.",
            check="shapes",
        ),
        factors(
            "returned a fraction",
            "batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize / 0.5",
            "Bytes are whole numbers, and dividing by / makes a float of them, even where it comes out even. Use // or "
            "multiply.",
            check="shapes",
        ),
        factors(
            "added keys and values once for the whole model",
            "(2 + batch * num_layers * num_kv_heads * seq * d_head) * dtype.itemsize",
            "Keys and values double the product: 2 is a factor, like all the others.",
        ),
        factors(
            "multiplied by the dtype itself",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype",
            "A dtype is not a number. It has one: itemsize, the bytes of a number.",
            check="shapes",
        ),
        factors(
            "built the cache and counted its bytes",
            "2 * torch.zeros(batch, num_layers, num_kv_heads, seq, d_head, dtype=dtype).nbytes",
            "That is right where it fits, and one case has a million words. Count, do not build.",
            check="shapes",
        ),
        factors(
            "raised 2 to a power instead of multiplying",
            "2**batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize",
            "Two stars are a power. Keys and values are two times as many numbers.",
        ),
        factors(
            "divided the width of a head by the number of heads of keys",
            "2 * batch * num_layers * num_kv_heads * seq * (d_head // num_kv_heads) * dtype.itemsize",
            "d_head is the width of one head already, however many share it.",
        ),
        factors(
            "took the square of seq for seq times d_head",
            "2 * batch * num_layers * num_kv_heads * seq * seq * dtype.itemsize",
            "Each word has a key of d_head numbers, whatever the number of words. What grows with seq · seq are the "
            "scores, and they are not kept.",
        ),
        factors(
            "took 2 bytes for every number that is not float32",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * (4 if dtype == torch.float32 else 2)",
            "There are more dtypes than two: some have numbers of 8 bytes, some of 1. The dtype itself says how many.",
        ),
        factors(
            "took 4 bytes for every number that is not float16 or bfloat16",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * "
            "(2 if dtype in (torch.float16, torch.bfloat16) else 4)",
            "There are more dtypes than these: some have numbers of 8 bytes, some of 1. The dtype itself says how "
            "many.",
        ),
        factors(
            "looked the bytes up in a table that lacks some dtypes",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * "
            "{torch.float32: 4, torch.float16: 2, torch.bfloat16: 2}[dtype]",
            "There are more dtypes than you have listed, and new ones come. The dtype itself says how many bytes its "
            "numbers take.",
            check="shapes",
        ),
        factors(
            "took the digits in the dtype's name for its bytes",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * int(''.join(filter(str.isdigit, str(dtype))))",
            "float32 says how many bits a number takes, and a name is no place to count from: some have more digits. "
            "The dtype itself says how many bytes.",
        ),
        factors(
            "took all digits in the dtype's name for its bits",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * "
            "(int(''.join(filter(str.isdigit, str(dtype)))) // 8)",
            "float8_e4m3fn has three digits, and only the first is its bits. The dtype itself says how many bytes its "
            "numbers take.",
        ),
        factors(
            "asked the dtype for nbytes",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.nbytes",
            "nbytes is what a whole tensor takes. A dtype knows what one of its numbers takes: itemsize.",
            check="shapes",
            shown_by=("nbytes",),
        ),
        factors(
            "added up the caches of all steps",
            "batch * num_layers * num_kv_heads * seq * (seq + 1) * d_head * dtype.itemsize",
            "A cache is not made anew with each word: it grows by one word. At the end it holds seq words, not "
            "1 + 2 + … + seq.",
        ),
        factors(
            "returned MiB",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize / 2**20",
            "Return bytes, a whole number. Whoever prints it can divide.",
            check="shapes",
        ),
        factors(
            "multiplied the keys alone by the number of layers",
            "(num_layers + 1) * batch * num_kv_heads * seq * d_head * dtype.itemsize",
            "Each layer has keys and values. A product comes before a sum: a + b in a product needs brackets.",
            shown_by=("+",),
        ),
        factors(
            "gave KiB",
            "2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize // 1024",
            "1024 bytes are a KiB. Here it is bytes.",
        ),
    ),
    alternatives=(
        Alternative(
            "on the device meta",
            """
def kv_cache_bytes(batch, num_layers, num_kv_heads, seq, d_head, dtype):
    return torch.empty(2, batch, num_layers, num_kv_heads, seq, d_head, dtype=dtype, device="meta").nbytes
""",
        ),
        Alternative(
            "a product of a tuple",
            """
def kv_cache_bytes(batch, num_layers, num_kv_heads, seq, d_head, dtype):
    numbers = math.prod((batch, num_layers, num_kv_heads, seq, d_head))
    return numbers * torch.tensor([], dtype=dtype).element_size() * 2
""",
        ),
        Alternative(
            "step by step",
            """
def kv_cache_bytes(batch, num_layers, num_kv_heads, seq, d_head, dtype):
    per_word = num_kv_heads * d_head
    keys = values = batch * seq * per_word
    return num_layers * (keys + values) * dtype.itemsize
""",
        ),
        Alternative(
            "a loop over the layers, and the size of an empty tensor",
            """
def kv_cache_bytes(batch, num_layers, num_kv_heads, seq, d_head, dtype):
    total = 0
    for _ in range(num_layers):
        for _ in ("k", "v"):
            total += batch * num_kv_heads * seq * d_head * torch.empty((), dtype=dtype).element_size()
    return total
""",
        ),
    ),
)
