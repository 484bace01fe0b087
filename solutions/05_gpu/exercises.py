"""What is known of the exercises of chapter 5: their cases, the mistakes learners make, other right solutions.

Everything can be judged without a GPU: on pretend hardware (`manyheads.pretend`), on torch's pretend device "meta",
and by tolerances that depend on the dtype. Where there is a real GPU, the probes run the code there as well.
"""

import math
from dataclasses import replace

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

LARGEST = 7  # sizes are 3 … 7: all different, and the fixtures stay small
META = torch.device("meta")


# best_device


def device_on_a_machine(target, cuda_gpus, mps):
    """Ask for the device on a machine that has so many NVIDIA GPUs, and Apple's GPU or not."""
    import torch

    from manyheads import pretend

    with pretend.machine(cuda_gpus, mps):
        answer = target()
    return torch.device(answer.type) if isinstance(answer, torch.device) else answer


BEST_DEVICE = Exercise(
    name="best_device",
    returns=("the device",),
    cases=(
        Case("a machine with NVIDIA GPUs", lambda draw: Call({"cuda_gpus": draw.integer(1, 99), "mps": False})),
        Case("an Apple machine with a GPU", lambda draw: Call({"cuda_gpus": 0, "mps": True})),
        Case("a machine without any GPU", lambda draw: Call({"cuda_gpus": 0, "mps": False})),
        Case("a machine with both", lambda draw: Call({"cuda_gpus": draw.integer(1, 99), "mps": True})),
    ),
    misconceptions=(
        Misconception(
            "took CUDA without asking whether it is there",
            replace="torch.cuda.is_available()",
            by="torch.cuda.is_available",
            hint="On a machine without an NVIDIA GPU the first tensor that is made there fails. (You do ask? Then mind "
            "the brackets: a function that is not called counts as True.)",
        ),
        Misconception(
            "asked whether torch was built for CUDA",
            replace="torch.cuda.is_available()",
            by="torch.backends.cuda.is_built() and not torch.backends.mps.is_available()",
            hint="Most people's torch is built for CUDA, also on machines without a GPU. Ask whether a GPU is "
            "available now.",
        ),
        Misconception(
            "asked whether torch was built for Apple's GPU",
            replace="torch.backends.mps.is_available()",
            by="torch.backends.mps.is_built()",
            hint="A torch that knows Apple's GPU also runs on machines that have none, or too old a system. Ask "
            "whether it is available now.",
        ),
        Misconception(
            "forgot Apple's GPU",
            replace="torch.backends.mps.is_available()",
            by="False",
            hint="A Mac's GPU is not CUDA. It has a name of its own and a question of its own.",
        ),
        Misconception(
            "preferred Apple's GPU to CUDA",
            replace="torch.cuda.is_available()",
            by="torch.cuda.is_available() and not torch.backends.mps.is_available()",
            hint="Where both are there, CUDA comes first: ask for it first.",
        ),
        Misconception(
            "always took the CPU",
            replace="torch.cuda.is_available()",
            by="not isinstance(torch.device, type)",
            hint="That works everywhere and never uses a GPU. Ask for CUDA first.",
        ),
        Misconception(
            "returned the device's name instead of the device",
            replace='return torch.device("cuda")',
            by='return "cuda"',
            hint="Much of torch takes a name as well, but a name has no .type and no .index. Make a torch.device "
            "of it.",
            check="shapes",
        ),
        Misconception(
            "left out the CPU",
            replace='return torch.device("cpu")',
            by="return None",
            hint="Without any GPU nothing comes back, and .to(None) quietly moves nothing. Say cpu.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "torch.accelerator",
            """
def best_device():
    return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
""",
        ),
        Alternative(
            "the current device",
            """
def best_device():
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
""",
        ),
        Alternative(
            "one expression, with an index",
            """
def best_device():
    return torch.device(
        "cuda:0" if torch.cuda.device_count() > 0 else "mps" if torch.backends.mps.is_available() else "cpu"
    )
""",
        ),
    ),
    probe=device_on_a_machine,
)


# causal_mask_like


def mask_here_and_on_a_gpu(target, x):
    """Ask for the mask where x lies and, if this machine has a GPU, there too; else the answer counts for both."""
    import torch

    here = target(x)
    if x.is_meta or not torch.cuda.is_available():
        return here, here
    try:
        there = x.cuda()
    except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
        return here, here
    return here, target(there)


def sentences(draw: Draw, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return draw.normal(*draw.sizes("batch seq d_model", high=LARGEST)).to(dtype)


def one_word_each(draw: Draw) -> Call:
    batch, d_model = draw.sizes("batch d_model", high=LARGEST)
    return Call({"x": draw.normal(batch, 1, d_model)})


CAUSAL_MASK_LIKE = Exercise(
    name="causal_mask_like",
    returns=("mask", "mask on a GPU"),
    cases=(
        Case("sentences on the CPU", lambda draw: Call({"x": sentences(draw)})),
        Case(
            "sentences on another device, here the pretend device meta",
            lambda draw: Call({"x": sentences(draw).to(META)}),
        ),
        Case("sentences in bfloat16", lambda draw: Call({"x": sentences(draw, torch.bfloat16)})),
        Case("sentences of a single word", one_word_each),
    ),
    misconceptions=(
        Misconception(
            "built the mask on the CPU",
            replace=", device=x.device",
            by="",
            hint="On another device x lies there and the mask does not, and "
            "torch refuses to combine them. Ask x where it lies.",
            check="shapes",
        ),
        Misconception(
            "took d_model for the number of words",
            replace="x.shape[1]",
            by="x.shape[-1]",
            hint="The last dimension of x is the length of a word's vector. The mask has a row and a column for each "
            "word.",
            check="shapes",
        ),
        Misconception(
            "took the batch for the number of words",
            replace="x.shape[1]",
            by="x.shape[0]",
            hint="The first dimension of x counts the sentences, and so does len(x). The mask has a row and a column "
            "for each word.",
            check="shapes",
        ),
        Misconception(
            "gave the mask the dtype of x as well",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return causal_mask(x.shape[1], device=x.device).to(x)",
            hint="The device of x is wanted, its dtype is not: a mask holds True and False. "
            "(.to(x), new_ones and ones_like take over both.)",
            check="shapes",
        ),
        Misconception(
            "made a mask for each sentence",
            replace="return causal_mask(x.shape[1], device=x.device)",
            by="return causal_mask(x.shape[1], device=x.device).expand(x.shape[0], -1, -1)",
            hint="All sentences of a batch share the mask: (seq, seq) is repeated where it is used.",
            check="shapes",
        ),
        Misconception(
            "let each word see the future and not the past",
            replace="device=x.device)",
            by="device=x.device).T",
            hint="The mask is transposed: its first row is all True. Row i says what word i may look at.",
        ),
        Misconception(
            "marked what is blocked with True",
            replace="return causal_mask",
            by="return ~causal_mask",
            hint='The mask is inverted. In this course, and in scaled_dot_product_attention, True means "may attend".',
        ),
        Misconception(
            "blocked each word from itself",
            replace="device=x.device)",
            by="device=x.device).tril(-1)",
            hint="The diagonal is False, so the first word may look at nothing at all. A word may attend to itself.",
        ),
        Misconception(
            "allowed everything",
            replace="device=x.device)",
            by="device=x.device) | True",
            hint="Nothing is blocked: each word sees the whole future. A triangle must be cut out.",
        ),
    ),
    alternatives=(
        Alternative(
            "from nothing but torch",
            """
def causal_mask_like(x):
    batch, seq, d_model = x.shape
    return torch.ones(seq, seq, dtype=torch.bool, device=x.device).tril()
""",
        ),
        Alternative(
            "new_ones, with a dtype of its own",
            """
def causal_mask_like(x):
    return x.new_ones(x.size(-2), x.size(-2), dtype=torch.bool).tril()
""",
        ),
        Alternative(
            "positions compared",
            """
def causal_mask_like(x):
    position = torch.arange(x.shape[1], device=x.device)
    return position[:, None] >= position[None, :]
""",
        ),
        Alternative(
            "built on the CPU and moved",
            """
def causal_mask_like(x):
    return causal_mask(x.shape[1]).to(x.device)
""",
        ),
    ),
    probe=mask_here_and_on_a_gpu,
)


# time_on_device


def seconds_on_a_pretend_clock(target, device, warmup, repeats, order, key):
    """Let the learner's timer measure a job on a clock that only jobs move. Also report how often it ran the job.

    The warm-up calls are slow, and so is one of those that are timed. All timed calls differ, but for the middle two of
    an even number: there, every way to take a median agrees.
    """
    from manyheads import pretend

    options = () if warmup is None else (warmup, repeats)
    slow, timed = options or (3, 20)
    start, step = order

    def seconds(call):
        """How long a call takes. Nobody works it out before it is over."""
        call %= slow + timed
        if call < slow:
            return round(4 - call / 10 + pretend.number(key, call) / 20, 2)
        place = (start + step * (call - slow)) % timed  # among the timed calls, sorted
        if timed > 1 and place == timed - 1:
            return round(9 + pretend.number(key, "slowest"), 2)
        if timed % 2 == 0 and place == timed // 2:
            place -= 1
        return round(1 + place / 10 + pretend.number(key, place, "sorted") / 20, 2)

    with pretend.clock(str(device) == "cuda", getattr(target, "__globals__", None)) as clock:

        def job():
            call = clock.jobs
            clock.job(lambda: seconds(call))

        taken = target(job, device, *options)
    return taken, clock.jobs


def timing(draw: Draw, device: str, warmup: int, repeats: int) -> dict[str, object]:
    """Return the arguments of a job whose timed calls take their times in no order.

    `order` is (start, step): how many others the first timed call is slower than, and how many more each next one is.
    Neither the last call nor the middle one is the median.
    """
    middle, last = repeats // 2, repeats - 1
    orders = [
        [start, step]
        for step in range(1, repeats + 1)
        for start in range(repeats)
        if math.gcd(step, repeats) == 1
        and (repeats == 1 or middle not in ((start + step * middle) % repeats, (start + step * last) % repeats))
    ]
    return {
        "device": torch.device(device),
        "warmup": warmup,
        "repeats": repeats,
        "order": orders[draw.integer(0, len(orders) - 1)],
        "key": draw.integer(1, 10**6),
    }


def timing_by_default(draw: Draw) -> Call:
    return Call({**timing(draw, "cpu", 3, 20), "warmup": None, "repeats": None})


TIMED_LOOP = """for _ in range(repeats):
        wait()
        start = time.perf_counter()
        fn()
        wait()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)"""

CALLS = """for _ in range(warmup):
        fn()
    taken = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        fn()"""

TIME_ON_DEVICE = Exercise(
    name="time_on_device",
    returns=("seconds", "the number of calls of fn"),
    cases=(
        Case("a job on the CPU, on a pretend clock", lambda draw: Call(timing(draw, "cpu", 2, 5))),
        Case("a job on a pretend GPU", lambda draw: Call(timing(draw, "cuda", 2, 7))),
        Case(
            "a single timed call on a pretend GPU, after several for warm-up",
            lambda draw: Call(timing(draw, "cuda", 4, 1)),
        ),
        Case("warmup and repeats left out", timing_by_default),
        Case(
            "a pretend GPU that is given by its name",
            lambda draw: Call({**timing(draw, "cuda", 1, 3), "device": "cuda"}),
        ),
    ),
    misconceptions=(
        Misconception(
            "stopped the clock before the GPU was done",
            replace="fn()\n        wait()\n        taken",
            by="fn()\n        taken",
            hint="fn() only puts work into the GPU's queue and returns: you measured how long that takes. Wait for the "
            'GPU before you read the clock again. (You do wait? torch.device("cuda") == "cuda" is False: ask for its '
            ".type.)",
        ),
        Misconception(
            "started the clock while the GPU was still at work",
            replace="wait()\n        start",
            by="start",
            hint="The warm-up calls have returned, but their work still stands in the GPU's queue, and the first timed "
            "call waits behind it. Wait before the clock starts, too.",
        ),
        Misconception(
            "took the mean",
            replace="statistics.median(taken)",
            by="statistics.mean(taken)",
            hint="One call that something else interrupted moves the mean. The median does not care how slow the "
            "slowest call was.",
        ),
        Misconception(
            "added the times up",
            replace="statistics.median(taken)",
            by="sum(taken)",
            hint="That is how long all timed calls took together. Asked for is the median of them.",
        ),
        Misconception(
            "took the fastest call",
            replace="statistics.median(taken)",
            by="min(taken)",
            hint="There are good reasons to report the fastest call, but here the one in the middle is asked for.",
        ),
        Misconception(
            "took the last call only",
            replace="statistics.median(taken)",
            by="taken[-1]",
            hint="Each call takes a little longer or shorter than the one before. Keep the times of all and take the "
            "median.",
        ),
        Misconception(
            "took the middle call without sorting",
            replace="statistics.median(taken)",
            by="taken[len(taken) // 2]",
            hint="The median is the middle of the sorted times, not of the order in which they came.",
        ),
        Misconception(
            "timed the warm-up as well",
            replace="taken = []\n    for _ in range(repeats)",
            by="taken = []\n    for _ in range(warmup + repeats)",
            hint="The first calls are slow for reasons of their own. They run before the clock matters, and do not "
            "count.",
        ),
        Misconception(
            "left the warm-up out",
            replace="for _ in range(warmup):\n        fn()\n    ",
            by="",
            hint="The first calls load code, fill caches and take memory from the system. Call fn as often as warmup "
            "says before you time it.",
        ),
        Misconception(
            "always warmed up three times",
            replace="range(warmup)",
            by="range(3)",
            hint="Three is only the default: the caller says how many.",
        ),
        Misconception(
            "always repeated twenty times",
            replace="range(repeats)",
            by="range(20)",
            hint="Twenty is only the default: the caller says how many.",
        ),
        Misconception(
            "always warmed up three times and repeated twenty times",
            replace=CALLS,
            by=CALLS.replace("warmup", "3").replace("repeats", "20"),
            hint="Three and twenty are only the defaults: the caller says how many of each.",
        ),
        Misconception(
            "named fn and never called it",
            replace=CALLS,
            by=CALLS.replace("fn()", "fn"),
            hint="fn by itself is a function that waits to be called. Nothing ran between your two looks at the clock.",
        ),
        Misconception(
            "returned milliseconds",
            replace="statistics.median(taken)",
            by="1000 * statistics.median(taken)",
            hint="Seconds are asked for, and perf_counter counts in seconds.",
        ),
        Misconception(
            "timed all calls together and divided",
            replace=TIMED_LOOP,
            by="""wait()
    start = time.perf_counter()
    for _ in range(repeats):
        fn()
    wait()
    return (time.perf_counter() - start) / repeats""",
            hint="That is the mean, and one slow call moves it. Time each call by itself, so that you can take the "
            "median.",
        ),
        Misconception(
            "asked for the processor's time",
            replace=TIMED_LOOP,
            by=TIMED_LOOP.replace("perf_counter", "process_time"),
            hint="process_time adds up what all cores work and leaves out all waiting, such as that for a GPU. The "
            "learner in front of the screen waits by the clock on the wall: perf_counter.",
        ),
        Misconception(
            "waited for a GPU without asking where fn works",
            replace='if kind == "cuda":',
            by='if kind != "mps":',
            hint="torch.cuda.synchronize() fails on a machine without CUDA. Ask for the device's type first.",
            check="shapes",
        ),
        Misconception(
            "returned a tensor",
            replace="statistics.median(taken)",
            by="torch.tensor(taken).median()",
            hint="A number of seconds is a Python float: .item() takes it out of the tensor.",
            check="shapes",
        ),
        Misconception(
            "returned the list of all times",
            replace="statistics.median(taken)",
            by="taken",
            hint="One number is asked for: the median of that list.",
            check="shapes",
        ),
        Misconception(
            "took for granted that the device is a torch.device",
            replace="kind = torch.device(device).type",
            by="kind = device.type",
            hint="A device may also be given by its name, as a text, and a text has no type. torch.device makes a "
            "device of either.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "sorted by hand",
            """
def time_on_device(fn, device, warmup=3, repeats=20):
    device = torch.device(device)
    times = []
    for call in range(warmup + repeats):
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        start = time.perf_counter()
        fn()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    return sorted(times[warmup:])[repeats // 2]
""",
        ),
        Alternative(
            "the clock as a default argument",
            """
def time_on_device(fn, device, warmup=3, repeats=20, clock=time.perf_counter):
    wait = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        wait()
        begin = clock()
        fn()
        wait()
        times.append(clock() - begin)
    return statistics.median(times)
""",
        ),
        Alternative(
            "CUDA events on a GPU",
            """
def time_on_device(fn, device, warmup=3, repeats=20):
    for _ in range(warmup):
        fn()
    times = []
    for _ in range(repeats):
        if torch.device(device).type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            torch.cuda.synchronize()
            start.record()
            fn()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end) / 1000)
        else:
            begin = time.monotonic()
            fn()
            times.append(time.monotonic() - begin)
    return torch.tensor(times).median().item()
""",
        ),
        Alternative(
            "torch.accelerator, nanoseconds and a clock imported by name",
            """
from time import perf_counter_ns

def time_on_device(fn, device, warmup=3, repeats=20):
    wait = torch.accelerator.synchronize if torch.device(device).type != "cpu" else lambda: None
    [fn() for _ in range(warmup)]
    wait()
    nanoseconds = []
    while len(nanoseconds) < repeats:
        begin = perf_counter_ns()
        fn()
        wait()
        nanoseconds.append(perf_counter_ns() - begin)
    return float(torch.quantile(torch.tensor(nanoseconds, dtype=torch.float64), 0.5)) / 1e9
""",
        ),
    ),
    probe=seconds_on_a_pretend_clock,
)


# score_matrix_bytes


def scores_of(draw: Draw, dtype: torch.dtype) -> Call:
    batch, num_heads, seq = draw.sizes("batch num_heads seq", low=3, high=64)
    return Call({"batch": batch, "num_heads": num_heads, "seq": seq, "dtype": dtype})


def scores_of_a_long_text(draw: Draw) -> Call:
    """More bytes than any machine has: whoever makes the tensor to ask for its size gets an error."""
    (num_heads,) = draw.sizes("num_heads", low=20, high=40)
    return Call(
        {"batch": 16, "num_heads": num_heads, "seq": 1_000_000 + draw.integer(0, 1000), "dtype": torch.bfloat16}
    )


BYTES = "batch * num_heads * seq * seq * dtype.itemsize"

SCORE_MATRIX_BYTES = Exercise(
    name="score_matrix_bytes",
    returns=("the number of bytes",),
    cases=(
        Case("float32", lambda draw: scores_of(draw, torch.float32)),
        Case("bfloat16", lambda draw: scores_of(draw, torch.bfloat16)),
        Case("float64", lambda draw: scores_of(draw, torch.float64)),
        Case("a text of a million words, in bfloat16", scores_of_a_long_text),
    ),
    misconceptions=(
        Misconception(
            "took 4 bytes for every dtype",
            replace="dtype.itemsize",
            by="4",
            hint="Only float32 and int32 have 4 bytes. bfloat16 has 2 and float64 has 8: ask the dtype.",
        ),
        Misconception(
            "took 2 bytes for every dtype",
            replace="dtype.itemsize",
            by="2",
            hint="Only half precision has 2 bytes. float32 has 4 and float64 has 8: ask the dtype.",
        ),
        Misconception(
            "counted numbers instead of bytes",
            replace=" * dtype.itemsize",
            by="",
            hint="Each number takes several bytes. How many depends on the dtype, which knows it.",
        ),
        Misconception(
            "counted bits instead of bytes",
            replace="dtype.itemsize",
            by="torch.finfo(dtype).bits",
            hint="The 32 in float32 counts bits, and a byte has eight of them.",
        ),
        Misconception(
            "forgot num_heads",
            replace="num_heads * ",
            by="",
            hint="Each head has weights of its own, so each has a score matrix of its own.",
        ),
        Misconception(
            "forgot the batch",
            replace="return batch * ",
            by="return ",
            hint="Each sentence of the batch has scores of its own.",
        ),
        Misconception(
            "counted one score for each word",
            replace="seq * seq",
            by="seq",
            hint="Each word is compared with each word: a matrix, not a row.",
        ),
        Misconception(
            "counted only the scores that a causal mask leaves",
            replace="seq * seq",
            by="(seq * (seq + 1) // 2)",
            hint="A mask blocks scores, it does not save their place: the tensor is (batch, num_heads, seq, seq).",
        ),
        Misconception(
            "returned megabytes",
            replace=BYTES,
            by=f"{BYTES} / 2**20",
            hint="Bytes are asked for, and their number is a whole one.",
            check="shapes",
        ),
        Misconception(
            "made the tensor and asked it for its size",
            replace="return batch * num_heads * seq * seq * dtype.itemsize",
            by="return torch.zeros(batch, num_heads, seq, seq, dtype=dtype).nbytes",
            hint="For a long text no memory is large enough, and that is what you want to know before. The number "
            "follows from the sizes.",
            check="shapes",
        ),
        Misconception(
            "divided with /, which makes a float",
            replace="dtype.itemsize",
            by="torch.finfo(dtype).bits / 8",
            hint="The number is right, but it is a float. Bytes are counted in whole numbers.",
            check="shapes",
            shown_by=("/",),
        ),
    ),
    alternatives=(
        Alternative(
            "a tensor on meta, which takes no memory",
            """
def score_matrix_bytes(batch, num_heads, seq, dtype):
    return torch.empty(batch, num_heads, seq, seq, dtype=dtype, device="meta").nbytes
""",
        ),
        Alternative(
            "bits divided by eight, and a power",
            """
def score_matrix_bytes(batch, num_heads, seq, dtype):
    return batch * num_heads * seq**2 * torch.finfo(dtype).bits // 8
""",
        ),
        Alternative(
            "the element size of an empty tensor",
            """
import math

def score_matrix_bytes(batch, num_heads, seq, dtype):
    return math.prod((batch, num_heads, seq, seq, torch.tensor([], dtype=dtype).element_size()))
""",
        ),
    ),
)


# fast_attention


def fast_attention_spied_on(target, q, k, v, mask, is_causal):
    """Call it where the inputs lie and, if this machine has a GPU, there too; else the answer counts for both."""
    import torch

    from manyheads import pretend

    with pretend.AttentionSpy() as spy:
        here = target(q, k, v, mask, is_causal)
    used = bool(spy.dropouts)
    if q.is_meta or not torch.cuda.is_available():
        return here, here, used
    try:
        moved = [part if part is None else part.cuda() for part in (q, k, v, mask)]
    except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
        return here, here, used
    return here, target(*moved, is_causal), used


def attention_call(
    draw: Draw,
    front: str = "batch num_heads",
    masked: bool = False,
    causal: bool = False,
    square: bool = False,
    single: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Call:
    *leading, seq_q, d_head = draw.sizes(f"{front} seq_q d_head", low=2, high=6)
    if single:
        seq_q = 1
        draw.named(seq_q=seq_q)
    seq_k = seq_q if square else draw.sizes("seq_k", low=2, high=6)[0]
    q = draw.normal(*leading, seq_q, d_head).to(dtype)
    k, v = (draw.normal(*leading, seq_k, d_head).to(dtype) for _ in range(2))
    mask = draw.mask(leading[0], *[1] * (len(leading) - 1), seq_q, seq_k) if masked else None
    return Call({"q": q, "k": k, "v": v, "mask": mask, "is_causal": causal})


def attention_with_blocked_query(draw: Draw) -> Call:
    call = attention_call(draw, masked=True)
    mask = call.inputs["mask"]
    assert isinstance(mask, torch.Tensor)
    mask[0, 0, draw.integer(0, mask.shape[-2] - 1)] = False
    return call


def attention_on_meta(draw: Draw) -> Call:
    call = attention_call(draw, causal=True, square=True)
    on_meta = {
        name: value.to(META) if isinstance(value, torch.Tensor) else value for name, value in call.inputs.items()
    }
    return Call(on_meta)


# All True; tril() makes it causal.
CAUSAL = "torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device)"
SDPA = "F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)"

FAST_ATTENTION = Exercise(
    name="fast_attention",
    keeps_dtype=True,
    returns=("output", "output on a GPU", "use of scaled_dot_product_attention"),
    cases=(
        Case("a batch of heads without a mask", attention_call),
        Case("a mask of its own for each sentence", lambda draw: attention_call(draw, masked=True)),
        Case("is_causal", lambda draw: attention_call(draw, causal=True, square=True)),
        Case("is_causal, with more or fewer keys than queries", lambda draw: attention_call(draw, causal=True)),
        Case("is_causal, with a single query", lambda draw: attention_call(draw, causal=True, single=True)),
        Case("a query that may attend to nothing", attention_with_blocked_query),
        Case("bfloat16 and a mask", lambda draw: attention_call(draw, masked=True, dtype=torch.bfloat16)),
        Case("is_causal on another device, here the pretend device meta", attention_on_meta),
        Case("one dimension in front, in float64", lambda draw: attention_call(draw, "batch", dtype=torch.float64)),
    ),
    misconceptions=(
        Misconception(
            "ignored the mask",
            replace="attn_mask=mask, ",
            by="",
            hint="Blocked words are looked at all the same. torch's function takes the mask as attn_mask.",
        ),
        Misconception(
            "inverted the mask",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else ~mask",
            hint="Your words look exactly where they may not. nn.MultiheadAttention marks what is blocked, but "
            'scaled_dot_product_attention is like this course: True means "may attend".',
        ),
        Misconception(
            "turned the mask into numbers",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else mask.to(q.dtype)",
            hint="A mask of numbers is added to the scores: allowed ones rise by 1 and nothing is blocked. Hand the "
            "boolean mask over as it is.",
        ),
        Misconception(
            "ignored is_causal",
            replace=", is_causal=is_causal",
            by="",
            hint="Your words see the future though the caller said no. torch's function has an is_causal of its own.",
        ),
        Misconception(
            "always blocked the future",
            replace="is_causal=is_causal",
            by="is_causal=mask is None",
            hint="Whether the future is blocked is up to the caller. is_causal is False unless they say so.",
        ),
        Misconception(
            "scaled the queries a second time",
            replace="F.scaled_dot_product_attention(q,",
            by="F.scaled_dot_product_attention(q / q.shape[-1] ** 0.5,",
            hint="Your weights are too even. The function divides by √d_head itself: that is the scaled in its name.",
        ),
        Misconception(
            "switched the scaling off",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, scale=1.0",
            hint="scale is what the scores are multiplied with. Left out, it is 1/√d_head, which is what you want.",
        ),
        Misconception(
            "gave √d_head as the scale",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, scale=q.shape[-1] ** 0.5",
            hint="scale multiplies the scores and does not divide them. Left out, it is 1/√d_head.",
        ),
        Misconception(
            "swapped keys and values",
            replace="(q, k, v, attn_mask",
            by="(q, v, k, attn_mask",
            hint="The order is queries, keys, values, as in your own attention.",
        ),
        Misconception(
            "used the keys as values",
            replace="(q, k, v, attn_mask",
            by="(q, k, k, attn_mask",
            hint="The values never reach the output. The order is queries, keys, values.",
        ),
        Misconception(
            "aligned is_causal to the last key",
            replace=SDPA,
            by="F.scaled_dot_product_attention(q, k, v, attn_mask="
            f"{CAUSAL}.tril(k.shape[-2] - q.shape[-2]) if is_causal else mask)",
            hint="With more keys than queries, some models let the last query see the last key. Here, and in torch, "
            "query i sees the keys 0 … i, however many there are.",
        ),
        Misconception(
            "dropped is_causal for a single query",
            replace="is_causal=is_causal",
            by="is_causal=is_causal and q.shape[-2] > 1",
            hint="That is right where the query is the last word and the keys are all before it. Here, and in torch, "
            "query i sees the keys 0 … i: the only query is query 0, and sees key 0 alone.",
        ),
        Misconception(
            "left dropout on",
            replace="is_causal=is_causal",
            by="is_causal=is_causal, dropout_p=0.5",
            hint="The function drops weights at random whenever dropout_p is not 0: it cannot know whether you train.",
        ),
        Misconception(
            "computed in float32 and stayed there",
            replace="(q, k, v, attn_mask",
            by="(q.float(), k.float(), v.float(), attn_mask",
            hint="The output has another dtype than what came in. The function works in the dtype of its inputs, so "
            "leave them as they are.",
            check="shapes",
        ),
        Misconception(
            "built the causal mask on the CPU",
            replace=SDPA,
            by="F.scaled_dot_product_attention(q, k, v, attn_mask="
            f"{CAUSAL.replace(', device=q.device', '')}.tril() if is_causal else mask)",
            hint="q, k and v may lie on a GPU, and your mask does not. is_causal needs no mask at all: hand it on.",
            check="shapes",
        ),
        Misconception(
            "used your own attention",
            replace=SDPA,
            by=f"attention(q, k, v, {CAUSAL}.tril() if is_causal else mask)[0]",
            hint="The numbers are right, and the score matrix is written down. Let scaled_dot_product_attention do it.",
        ),
        Misconception(
            "returned the weights as well",
            replace=f"return {SDPA}",
            by=f"return {SDPA}, None",
            hint="torch's function returns the output alone: the weights are never written down. So does yours.",
            check="shapes",
        ),
        Misconception(
            "made a square causal mask",
            replace="F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)",
            by="F.scaled_dot_product_attention("
            "q, k, v, attn_mask=causal_mask(q.shape[-2], q.device) if is_causal else mask)",
            hint="A mask has a row for each query and a column for each key, and there may be more or fewer keys than "
            "queries. is_causal needs no mask at all: hand it on.",
            check="shapes",
        ),
        Misconception(
            "took only the first of the batch",
            replace="attn_mask=mask, is_causal=is_causal)",
            by="attn_mask=mask, is_causal=is_causal)[0]",
            hint="Your own attention returns two tensors. torch's function returns the output alone, so an index "
            "picks a sentence out of the batch.",
            check="shapes",
        ),
        Misconception(
            "gave is_causal to dropout_p",
            replace="attn_mask=mask, is_causal=is_causal",
            by="attn_mask=mask, dropout_p=is_causal",
            hint="The argument after the mask is dropout_p, and True counts as 1: every weight is dropped. Hand "
            "is_causal over by its name.",
        ),
    ),
    alternatives=(
        Alternative(
            "by position, from torch.nn.functional",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    return torch.nn.functional.scaled_dot_product_attention(q, k, v, mask, 0.0, is_causal)
""",
        ),
        Alternative(
            "imported by name, both masks combined",
            """
from torch.nn.functional import scaled_dot_product_attention

def fast_attention(q, k, v, mask=None, is_causal=False):
    if mask is not None and is_causal:
        mask = mask & torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
        is_causal = False
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)
""",
        ),
        Alternative(
            "the causal mask written down, on the right device",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    if is_causal:
        causal = torch.ones(q.size(-2), k.size(-2), dtype=torch.bool, device=q.device).tril()
        mask = causal if mask is None else mask & causal
    return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
""",
        ),
        Alternative(
            "a mask of 0 and −∞",
            """
def fast_attention(q, k, v, mask=None, is_causal=False):
    if mask is not None:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, float("-inf"))
    return F.scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal)
""",
        ),
    ),
    probe=fast_attention_spied_on,
)


# FastMultiHeadAttention


def layer_spied_on(layer, query, key, value, mask, is_causal):
    """Call the layer in the dtype and on the device of its input and, if this machine has a GPU, there too.

    With dropout in training mode the numbers depend on chance, and only the output's shape is reported.
    """
    import torch

    from manyheads import pretend

    layer.to(device=query.device, dtype=query.dtype)
    inputs = (query, key, value, mask)
    with pretend.AttentionSpy() as spy:
        here = there = layer(*inputs, is_causal)
    if torch.cuda.is_available() and not query.is_meta:
        try:
            moved = [part if part is None else part.cuda() for part in inputs]
        except RuntimeError:  # a GPU that cannot be used is no fault of the learner's
            moved = None
        if moved is not None:
            there = layer.cuda()(*moved, is_causal)
    if layer.training and isinstance(here, torch.Tensor) and isinstance(there, torch.Tensor):
        here, there = here.to("meta"), there.to("meta")
    return here, there, bool(spy.dropouts), max(spy.dropouts, default=0.0)


def layer_call(
    draw: Draw,
    cross: bool = False,
    values: bool = False,
    masked: bool = False,
    causal: bool = False,
    single: bool = False,
    dropout: float = 0.0,
    training: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> Call:
    num_heads, d_head = draw.sizes("num_heads d_head", low=2, high=4)
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    batch, seq_q = draw.sizes("batch seq_q", low=2, high=LARGEST)
    if single:
        seq_q = 1
        draw.named(seq_q=seq_q)
    seq_k = draw.sizes("seq_k", low=2, high=LARGEST)[0] if cross else seq_q
    query = draw.normal(batch, seq_q, d_model)
    key = draw.normal(batch, seq_k, d_model) if cross else None
    value = draw.normal(batch, seq_k, d_model) if values else None
    mask = draw.mask(batch, 1, 1, seq_k) if masked else None
    state = {}
    for name in ("w_q", "w_k", "w_v", "w_o"):
        state |= draw.linear(name, d_model, d_model)
    tensors = {"query": query, "key": key, "value": value}
    return Call(
        {
            **{name: None if part is None else part.to(device, dtype) for name, part in tensors.items()},
            "mask": mask,
            "is_causal": causal,
        },
        init={"d_model": d_model, "num_heads": num_heads, "dropout": dropout},
        state=state,
        training=training,
    )


def layer_on_blocked_words(draw: Draw) -> Call:
    """A mask (seq_q, seq_k) for all sentences and heads; one word may attend to nothing."""
    call = layer_call(draw, cross=True)
    query, key = call.inputs["query"], call.inputs["key"]
    assert isinstance(query, torch.Tensor)
    assert isinstance(key, torch.Tensor)
    mask = draw.mask(query.shape[1], key.shape[1])
    mask[draw.integer(0, len(mask) - 1)] = False
    return replace(call, inputs={**call.inputs, "mask": mask})


def quarter(draw: Draw) -> float:
    """A share of weights to drop that is not its own complement."""
    return draw.integer(10, 40) / 100


CALL = "F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal)"
LAYERS = """self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)"""
SPLIT = """q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)"""

FAST_MULTI_HEAD_ATTENTION = Exercise(
    name="FastMultiHeadAttention",
    keeps_dtype=True,
    returns=(
        "output",
        "output on a GPU",
        "use of scaled_dot_product_attention",
        "the dropout_p that scaled_dot_product_attention was given",
    ),
    cases=(
        Case("self-attention", layer_call),
        Case("is_causal", lambda draw: layer_call(draw, causal=True)),
        Case("is_causal, with more or fewer keys than queries", lambda draw: layer_call(draw, cross=True, causal=True)),
        Case("is_causal, with a single query", lambda draw: layer_call(draw, cross=True, causal=True, single=True)),
        Case("cross-attention, value left out", lambda draw: layer_call(draw, cross=True)),
        Case("key and value from different words", lambda draw: layer_call(draw, cross=True, values=True)),
        Case("a padding mask", lambda draw: layer_call(draw, masked=True)),
        Case("one mask for all sentences, and a word that may attend to nothing", layer_on_blocked_words),
        Case("dropout, in evaluation mode", lambda draw: layer_call(draw, dropout=quarter(draw))),
        Case("dropout, in training mode", lambda draw: layer_call(draw, dropout=quarter(draw), training=True)),
        Case("a layer in bfloat16", lambda draw: layer_call(draw, dtype=torch.bfloat16)),
        Case("another device, here the pretend device meta", lambda draw: layer_call(draw, causal=True, device=META)),
    ),
    misconceptions=(
        Misconception(
            "forgot w_o",
            replace="self.w_o(merge_heads(heads))",
            by="merge_heads(heads)",
            hint="The heads stand side by side and never meet. The last projection, w_o, mixes them.",
        ),
        Misconception(
            "kept dropout in evaluation mode",
            replace="self.dropout if self.training else 0.0",
            by="self.dropout",
            hint="The function drops weights whenever dropout_p is not 0: unlike nn.Dropout, it does not know about "
            "eval(). A module knows it, by self.training.",
        ),
        Misconception(
            "dropped numbers of the output instead of weights",
            replace="dropout_p=dropout, is_causal=is_causal)",
            by="is_causal=is_causal)\n        heads = F.dropout(heads, dropout)",
            hint="Many models do that as well, after the layer. Here it is the weights that are dropped. They never "
            "leave the function, so only it can do that: dropout_p.",
            shown_by=("forward: dropout()|Dropout()", "no dropout_p"),
        ),
        Misconception(
            "left dropout out",
            replace="dropout_p=dropout, ",
            by="",
            hint="In training mode a share of the weights is dropped. They never leave the function, so only it can do "
            "that: dropout_p. (self.dropout must be a number there, no nn.Dropout.)",
        ),
        Misconception(
            "dropped only when not training",
            replace="self.dropout if self.training else 0.0",
            by="0.0 if self.training else self.dropout",
            hint="It is the other way round: dropout makes training harder, and is off when the layer is used.",
        ),
        Misconception(
            "gave the share to keep instead of the share to drop",
            replace="self.dropout if self.training else 0.0",
            by="1 - self.dropout if self.training else 0.0",
            hint="dropout_p is the share that is set to 0, as in nn.Dropout.",
        ),
        Misconception(
            "ignored the mask",
            replace="attn_mask=mask, ",
            by="",
            hint="Padding is looked at all the same. Hand the mask on to the function that knows what to do.",
        ),
        Misconception(
            "inverted the mask",
            replace="attn_mask=mask",
            by="attn_mask=None if mask is None else ~mask",
            hint="Your words look exactly at the padding. nn.MultiheadAttention marks what is blocked, but "
            'scaled_dot_product_attention is like this course: True means "may attend".',
        ),
        Misconception(
            "ignored is_causal",
            replace=", is_causal=is_causal",
            by="",
            hint="Your words see the future though the caller said no. Hand is_causal on.",
        ),
        Misconception(
            "always blocked the future",
            replace="is_causal=is_causal",
            by="is_causal=mask is None",
            hint="Whether the future is blocked is up to the caller. is_causal is False unless they say so.",
        ),
        Misconception(
            "made keys and values from the query",
            replace="key = query if key is None else key",
            by="key = query",
            hint="In cross-attention the words of query look at other words. Only when key is None do they look at "
            "each other.",
            check="shapes",
        ),
        Misconception(
            "made the values from the query when value was left out",
            replace="value = key if value is None else value",
            by="value = query if value is None else value",
            hint="Keys and values belong to the same words: there must be as many of each. Without a value, the key's "
            "words serve.",
            check="shapes",
        ),
        Misconception(
            "ignored value",
            replace="value = key if value is None else value",
            by="value = key",
            hint="The caller may give values of their own. Only when value is None do the key's words serve.",
        ),
        Misconception(
            "did not split the heads",
            replace=SPLIT,
            by="q, k, v = self.w_q(query)[:, None], self.w_k(key)[:, None], self.w_v(value)[:, None]",
            hint="That is a single head as wide as d_model, whatever num_heads says. Split q, k and v first.",
        ),
        Misconception(
            "let the heads attend to each other instead of the words",
            replace=SPLIT,
            by=SPLIT.replace("split_heads(", "torch.transpose(split_heads(").replace("num_heads)", "num_heads), 1, 2)"),
            hint="scaled_dot_product_attention wants (batch, num_heads, seq, d_head): the last two dimensions of q, k "
            "and v are words and features. With (batch, seq, num_heads, d_head) it takes heads for words.",
            check="shapes",
        ),
        Misconception(
            "merged the heads without putting the words first",
            replace="merge_heads(heads)",
            by="heads.reshape(query.shape)",
            hint="The shape is right and the numbers are in the wrong places: a word's row holds pieces of other "
            "words. The heads' dimension must stand beside d_head before the two become one.",
        ),
        Misconception(
            "scaled the queries a second time",
            replace="F.scaled_dot_product_attention(q,",
            by="F.scaled_dot_product_attention(q / q.shape[-1] ** 0.5,",
            hint="Your weights are too even. The function divides by √d_head itself.",
        ),
        Misconception(
            "used the keys as values",
            replace="(q, k, v, attn_mask",
            by="(q, k, k, attn_mask",
            hint="The layer for the values is there but never used, so it can never learn.",
        ),
        Misconception(
            "returned the weights as well",
            replace="return self.w_o(merge_heads(heads))",
            by="return self.w_o(merge_heads(heads)), None",
            hint="The weights are never written down: that is what makes the layer fast. It returns the output alone.",
            check="shapes",
        ),
        Misconception(
            "computed attention in float32",
            replace="(q, k, v, attn_mask",
            by="(q.float(), k.float(), v.float(), attn_mask",
            hint="In a bfloat16 layer w_o expects bfloat16 numbers. Nothing here needs a dtype of its own: leave q, k "
            "and v as they are.",
            check="shapes",
        ),
        Misconception(
            "built the causal mask on the CPU",
            replace=CALL,
            by=CALL.replace(
                "attn_mask=mask",
                f"attn_mask={CAUSAL.replace(', device=q.device', '')}.tril() if is_causal else mask",
            ).replace(", is_causal=is_causal", ""),
            hint="The layer may lie on a GPU, and your mask does not. is_causal needs no mask at all: hand it on.",
            check="shapes",
        ),
        Misconception(
            "used your own attention",
            replace=CALL,
            by=f"F.dropout(attention(q, k, v, {CAUSAL}.tril() if is_causal else mask)[0], dropout)",
            hint="That is the layer of the last chapter: it writes the score matrix down. Let "
            "scaled_dot_product_attention do it.",
        ),
        Misconception(
            "left out w_o's layer",
            replace=LAYERS,
            by=LAYERS.replace("\n        self.w_o = nn.Linear(d_model, d_model)", ""),
            hint="Four layers: for queries, keys, values, and one that mixes the heads' outputs. Names matter: "
            "trained weights are loaded by name.",
            check="shapes",
        ),
        Misconception(
            "left out the biases",
            replace=LAYERS,
            by=LAYERS.replace("d_model)", "d_model, bias=False)"),
            hint="The weights of your MultiHeadAttention should fit in here: its layers have a bias each.",
            check="shapes",
        ),
        Misconception(
            "made one layer for queries, keys and values together",
            replace=LAYERS,
            by="self.w_qkv = nn.Linear(d_model, 3 * d_model)\n        self.w_o = nn.Linear(d_model, d_model)",
            hint="Many fast layers do this. But here the weights of your MultiHeadAttention must fit: w_q, w_k, w_v "
            "and w_o.",
            check="shapes",
        ),
        Misconception(
            "cut the gradient off",
            replace="return self.w_o(merge_heads(heads))",
            by="return self.w_o(merge_heads(heads)).detach()",
            hint="The numbers are right, and training could not change them. Something cuts torch's "
            "record of them off: detach, .data, numpy or no_grad, perhaps.",
        ),
        Misconception(
            "aligned is_causal to the last key",
            replace=CALL,
            by=CALL.replace(
                "attn_mask=mask", f"attn_mask={CAUSAL}.tril(k.shape[-2] - q.shape[-2]) if is_causal else mask"
            ).replace(", is_causal=is_causal", ""),
            hint="With more keys than queries, some models let the last query see the last key. Here, and in torch, "
            "query i sees the keys 0 … i, however many there are.",
        ),
        Misconception(
            "dropped is_causal for a single query",
            replace="is_causal=is_causal",
            by="is_causal=is_causal and q.shape[-2] > 1",
            hint="That is right where the query is the last word and the keys are all before it. Here, and in torch, "
            "query i sees the keys 0 … i: the only query is query 0, and sees key 0 alone.",
        ),
        Misconception(
            "made a square causal mask",
            replace=CALL,
            by=CALL.replace(
                "attn_mask=mask", "attn_mask=causal_mask(q.shape[-2], q.device) if is_causal else mask"
            ).replace(", is_causal=is_causal", ""),
            hint="A mask has a row for each query and a column for each key, and there may be more or fewer keys than "
            "queries. is_causal needs no mask at all: hand it on.",
            check="shapes",
        ),
        Misconception(
            "gave dropout_p a layer instead of a number",
            replace="self.dropout if self.training else 0.0",
            by="nn.Dropout(self.dropout) if self.training else 0.0",
            hint="dropout_p is the share that is dropped, a number. A layer of nn.Dropout drops by itself, and the "
            "function cannot ask it.",
            check="shapes",
        ),
        Misconception(
            "compared the words without splitting the heads",
            replace="q = split_heads(self.w_q(query), self.num_heads)\n"
            "        k = split_heads(self.w_k(key), self.num_heads)\n"
            "        v = split_heads(self.w_v(value), self.num_heads)",
            by="q, k, v = self.w_q(query), self.w_k(key), self.w_v(value)\n        merge_heads = lambda heads: heads",
            hint="That is a single head as wide as d_model, whatever num_heads says, and masks for the heads do not "
            "fit it. Split q, k and v first.",
            check="shapes",
        ),
        Misconception(
            "left the heads behind the words",
            replace="q = split_heads(self.w_q(query), self.num_heads)\n"
            "        k = split_heads(self.w_k(key), self.num_heads)\n"
            "        v = split_heads(self.w_v(value), self.num_heads)",
            by="q, k, v = (\n"
            "            y.unflatten(-1, (self.num_heads, -1))\n"
            "            for y in (self.w_q(query), self.w_k(key), self.w_v(value))\n"
            "        )\n        merge_heads = lambda heads: heads.flatten(-2)",
            hint="scaled_dot_product_attention wants (batch, num_heads, seq, d_head): the last two dimensions of q, k "
            "and v are words and features. With (batch, seq, num_heads, d_head) the heads of a word attend to each "
            "other.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "view and transpose, one product for q, k and v",
            """
class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.drop = num_heads, nn.Dropout(dropout)
        for name in ("w_q", "w_k", "w_v", "w_o"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value

        def heads(layer, x):
            batch, seq, d_model = x.shape
            # (batch, seq, d_model) -> (batch, seq, num_heads, d_head) -> (batch, num_heads, seq, d_head)
            return layer(x).view(batch, seq, self.num_heads, d_model // self.num_heads).transpose(1, 2)

        q, k, v = heads(self.w_q, query), heads(self.w_k, key), heads(self.w_v, value)
        output = F.scaled_dot_product_attention(q, k, v, mask, self.drop.p if self.training else 0, is_causal)
        # (batch, num_heads, seq, d_head) -> (batch, seq, num_heads, d_head) -> (batch, seq, d_model)
        return self.w_o(output.transpose(1, 2).flatten(2))
""",
        ),
        Alternative(
            "a subclass of the last chapter's layer",
            """
class FastMultiHeadAttention(MultiHeadAttention):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__(d_model, num_heads, dropout)
        self.share, self.count = dropout, num_heads

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        if key is None:
            key = query
        if value is None:
            value = key
        q, k, v = (
            split_heads(layer(x), self.count)
            for layer, x in ((self.w_q, query), (self.w_k, key), (self.w_v, value))
        )
        share = self.share if self.training else 0.0
        return self.w_o(merge_heads(F.scaled_dot_product_attention(q, k, v, mask, share, is_causal)))
""",
        ),
        Alternative(
            "fast_attention outside of training",
            """
class FastMultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads, dropout=0.0):
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, query, key=None, value=None, mask=None, is_causal=False):
        key = query if key is None else key
        value = key if value is None else value
        q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)
        if self.training and self.dropout > 0:
            output = F.scaled_dot_product_attention(q, k, v, mask, self.dropout, is_causal)
        else:
            output = fast_attention(q, k, v, mask, is_causal)
        return self.w_o(merge_heads(output))
""",
        ),
    ),
    builds_on=("fast_attention",),
    probe=layer_spied_on,
)


EXERCISES = [
    BEST_DEVICE,
    CAUSAL_MASK_LIKE,
    TIME_ON_DEVICE,
    SCORE_MATRIX_BYTES,
    FAST_ATTENTION,
    FAST_MULTI_HEAD_ATTENTION,
]
