"""`time_on_device`: measures how long a function takes, on a CPU or a GPU."""

import math

import torch

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


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
        "_order": orders[draw.integer(0, len(orders) - 1)],
        "_key": draw.integer(1, 10**6),
    }


def timing_by_default(draw: Draw) -> Call:
    return Call({**timing(draw, "cpu", 3, 20), "warmup": None, "repeats": None})


def seconds_on_a_pretend_clock(target, device, warmup, repeats, order, key):
    """Let the learner's timer measure a job on a clock that only jobs move. Also report how often it ran the job, and
    whether the clock showed what it says: numbers that are known otherwise are not measured.

    The warm-up calls are slow, and so is one of those that are timed. All timed calls differ, but for the middle two of
    an even number: there, every way to take a median agrees.
    """
    from manyheads.calling import pretend_hardware

    options = () if warmup is None else (warmup, repeats)
    slow, timed = options or (3, 20)
    start, step = order

    def seconds(call):
        """How long a call takes. Nobody works it out before it is over."""
        call %= slow + timed
        if call < slow:
            return round(4 - call / 10 + pretend_hardware.number(key, call) / 20, 2)
        place = (start + step * (call - slow)) % timed  # among the timed calls, sorted
        if timed > 1 and place == timed - 1:
            return round(9 + pretend_hardware.number(key, "slowest"), 2)
        if timed % 2 == 0 and place == timed // 2:
            place -= 1
        return round(1 + place / 10 + pretend_hardware.number(key, place, "sorted") / 20, 2)

    readings = pretend_hardware.Readings()
    names = getattr(target, "__globals__", None)
    with pretend_hardware.clock(names, readings, gpu=str(device) == "cuda") as clock:

        def job():
            call = clock.jobs
            clock.job(lambda: seconds(call))

        taken = target(job, device, *options)
    return taken, clock.jobs, readings.hold(taken)


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

EXERCISE = Exercise(
    name="time_on_device",
    returns=("seconds", "the number of calls of fn", "measured by the clock"),
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
            "GPU before you read the clock again. (You do, between fn() and the clock? Then it is skipped: "
            'torch.device("cuda") == "cuda" is False, for one. Ask for its .type.)',
        ),
        Misconception(
            "compared the device itself with a name",
            replace="kind = torch.device(device).type",
            by="kind = device",
            hint="A torch.device never equals a string. So you wait where the device is given by its name, and nowhere "
            "else. What is the same for both is the kind of device.",
        ),
        Misconception(
            "started the clock once for all calls",
            replace=TIMED_LOOP,
            by="""wait()
    start = time.perf_counter()
    for _ in range(repeats):
        fn()
        wait()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)""",
            hint="Each of your times holds all the calls before it. The clock starts anew for each call.",
        ),
        Misconception(
            "started the clock while the GPU was still at work",
            replace="wait()\n        start",
            by="start",
            hint="The warm-up calls have returned, but their work is still in the GPU's queue, and the first timed "
            "call waits behind it. Wait before the clock starts, too.",
        ),
        Misconception(
            "took the mean",
            replace="statistics.median(taken)",
            by="statistics.mean(taken)",
            hint="One call that something else interrupted moves the mean. The median does not care how slow the "
            "slowest call was.",
            shown_by=("mean|fmean|sum|average|+",),
        ),
        Misconception(
            "added the times up",
            replace="statistics.median(taken)",
            by="sum(taken)",
            hint="That is how long all timed calls took together. Return their median.",
        ),
        Misconception(
            "took the fastest call",
            replace="statistics.median(taken)",
            by="min(taken)",
            hint="There are good reasons to report the fastest call, but here it is the one in the middle.",
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
            replace="for _ in range(warmup):\n        fn()\n    taken = []\n    for _ in range(repeats)",
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
            hint="Return seconds: perf_counter counts in seconds.",
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
            shown_by=("/", "no mean|fmean|sum|average|append|+"),
        ),
        Misconception(
            "timed all calls together and divided, and started the clock while the GPU was still at work",
            replace=TIMED_LOOP,
            by="""start = time.perf_counter()
    for _ in range(repeats):
        fn()
    wait()
    return (time.perf_counter() - start) / repeats""",
            hint="That is the mean, and one slow call moves it. The warm-up's work is in it, too: it may still be in "
            "the GPU's queue when your clock starts. Wait, and time each call by itself.",
            shown_by=("/", "no mean|fmean|sum|average|append|+"),
        ),
        Misconception(
            "started the clock once for all calls, while the GPU was still at work",
            replace=TIMED_LOOP,
            by=TIMED_LOOP.replace("for _", "start = time.perf_counter()\n    for _").replace(
                "wait()\n        start = time.perf_counter()", "wait()"
            ),
            hint="Each of your times holds all the calls before it. The clock starts anew for each call, after the "
            "waiting.",
        ),
        Misconception(
            "read the clock that shows the time of day",
            replace=TIMED_LOOP,
            by=TIMED_LOOP.replace("perf_counter", "time"),
            hint="time.time() is the time of day, and that clock is set now and then, by a time server for one. Here "
            "it was set forward while fn worked. time.perf_counter() only counts how much time has passed.",
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
            hint="Return one number: the median of that list.",
            check="shapes",
        ),
        Misconception(
            "assumed that the device is a torch.device",
            replace="kind = torch.device(device).type",
            by="kind = device.type",
            hint="A device may also be given by its name, as a text, and a text has no type. torch.device makes a "
            "device of either.",
            check="shapes",
        ),
        Misconception(
            "took the slowest call",
            replace="statistics.median(taken)",
            by="max(taken)",
            hint="The slowest call is the one that something else interrupted. Return the one in the middle.",
        ),
        Misconception(
            "took the first call only",
            replace="statistics.median(taken)",
            by="taken[0]",
            hint="Each call takes a little longer or shorter than the others. Keep the times of all and take the "
            "median.",
        ),
        Misconception(
            "timed as many calls more as there are for warm-up",
            replace="taken = []\n    for _ in range(repeats)",
            by="taken = []\n    for _ in range(warmup + repeats)",
            hint="The warm-up has run by then, and does not count. How many calls to time, repeats says alone.",
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
            "CUDA events around each call, and one wait for all of them",
            """
def time_on_device(fn, device, warmup=3, repeats=20):
    for _ in range(warmup):
        fn()
    if torch.device(device).type == "cuda":
        starts, ends = ([torch.cuda.Event(enable_timing=True) for _ in range(repeats)] for _ in range(2))
        for start, end in zip(starts, ends):
            start.record()
            fn()
            end.record()
        torch.cuda.synchronize()
        return statistics.median(start.elapsed_time(end) for start, end in zip(starts, ends)) / 1000
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        fn()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)
""",
        ),
        Alternative(
            "timeit.repeat",
            """
import timeit

def time_on_device(fn, device, warmup=3, repeats=20):
    wait = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None

    def once():
        fn()
        wait()

    for _ in range(warmup):
        once()
    return statistics.median(timeit.repeat(once, number=1, repeat=repeats))
""",
        ),
        Alternative(
            "one look at the clock between two calls",
            """
def time_on_device(fn, device, warmup=3, repeats=20):
    wait = torch.cuda.synchronize if torch.device(device).type == "cuda" else lambda: None
    stamps = []
    for _ in range(warmup + repeats):
        wait()
        stamps.append(time.monotonic_ns())
        fn()
    wait()
    stamps.append(time.monotonic_ns())
    taken = sorted(after - before for before, after in zip(stamps[warmup:], stamps[warmup + 1 :]))
    return (taken[repeats // 2] + taken[(repeats - 1) // 2]) / 2e9
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
