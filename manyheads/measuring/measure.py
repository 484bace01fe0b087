"""Measures contestants: first whether they agree, then how long they take, how steadily, and how much memory.

Chapter 5 calls it with the learner's own layers and timer, `benchmarks/attention.py` with the reference's. A layer is
timed only after its outputs (and gradients) have been compared with those of torch's own layer, with weights written
out.
"""

from __future__ import annotations

import statistics
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from tqdm import tqdm

from .contestants import COMPILED, Contestant, Layers, contestants, draw_weights, give_weights, why_not_compiled
from .memory import peak_bytes

# How far an entry may be from the reference layer's, as a share of that layer's largest entry.
TOLERANCE = {torch.float64: 1e-4, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 4e-2}
_ROWS = 256  # queries that are compared, spread over the sentence: the reference's score matrix must fit into memory
_STEADY = 0.25  # share of the median within which the middle half of the calls must be

# timer(fn, device, warmup, repeats) -> median seconds, such as the learner's time_on_device
Timer = Callable[[Callable[[], object], torch.device, int, int], float]


@dataclass(frozen=True)
class Setting:
    """What is measured: a causal self-attention layer on sentences of random numbers.

    Args:
        backward: False: forward without gradients, as when a model is used. True: forward and backward, as when it
            is trained.
    """

    batch: int
    seq: int
    d_model: int
    num_heads: int
    dtype: torch.dtype = torch.float32
    backward: bool = False


@dataclass(frozen=True)
class Measured:
    """The result of one contestant in one setting.

    Args:
        seconds: median of several calls; None if it was not timed, and `note` says why.
        quartiles: seconds; half of the calls took a time between the two. None if unknown.
        peak_bytes: memory above weights and input; None if it cannot be measured.
        difference: largest distance from the reference, as a share of the reference's largest entry.
    """

    variant: str
    setting: Setting
    seconds: float | None = None
    peak_bytes: int | None = None
    difference: float | None = None
    note: str = ""
    quartiles: tuple[float, float] | None = None

    @property
    def unsteady(self) -> bool:
        """Whether the times differ so much that the median says little, and should be measured again."""
        if self.seconds is None or self.quartiles is None:
            return False
        lower, upper = self.quartiles
        return upper - lower > _STEADY * self.seconds


@dataclass(frozen=True)
class Plan:
    """The settings that fit a kind of device.

    Args:
        base: the setting from which all sweeps start.
        seqs: lengths of the sentences for the sweep over seq.
        head_counts: for the sweep over num_heads.
    """

    base: Setting
    seqs: tuple[int, ...]
    head_counts: tuple[int, ...]

    def over_seq(self, *, backward: bool) -> list[Setting]:
        """The sweep over seq."""
        return [replace(self.base, seq=seq, backward=backward) for seq in self.seqs]

    def over_heads(self, *, backward: bool) -> list[Setting]:
        """The sweep over num_heads."""
        return [replace(self.base, num_heads=count, backward=backward) for count in self.head_counts]


def plan(device: torch.device) -> Plan:
    """Return the settings for `device`: smaller ones for a CPU."""
    if device.type == "cpu":
        return Plan(Setting(2, 256, 256, 8), (64, 128, 256, 512), (1, 2, 4, 8, 16, 32))
    return Plan(Setting(4, 1024, 1024, 16), (256, 512, 1024, 2048, 4096), (4, 8, 16, 32, 64))


def race(
    settings: Sequence[Setting],
    layers: Layers,
    device: torch.device,
    timer: Timer,
    variants: Sequence[str],
    budget: float = 0.25,
    *,
    progress: bool = True,
) -> list[Measured]:
    """Measure `variants` in each of `settings`.

    Args:
        timer: called as `timer(fn, device, warmup, repeats)`.
        budget: about how many seconds each measurement may take; it decides the number of repeats, 3 … 20.
        progress: whether to show a progress bar.
    """
    measured: list[Measured] = []
    for setting in tqdm(settings, desc="measuring", leave=False, file=sys.stdout, disable=not progress):
        measured += _race(setting, layers, device, timer, variants, budget)
    return measured


def _race(
    setting: Setting, layers: Layers, device: torch.device, timer: Timer, variants: Sequence[str], budget: float
) -> Iterator[Measured]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(setting.batch, setting.seq, setting.d_model, generator=generator)
    x = x.to(device=device, dtype=setting.dtype)
    judge = Judge(setting, x)
    sizes = (setting.d_model, setting.num_heads, setting.seq)
    for contestant in contestants(layers, *sizes, device, setting.dtype, variants):
        try:
            # torch's warnings do not matter here, and a notebook shows them in red.
            with warnings.catch_warnings(action="ignore"):
                yield _measure(contestant, setting, x, judge, device, timer, budget)
        except torch.OutOfMemoryError:
            yield Measured(contestant.name, setting, note="out of memory")
        except Exception as error:
            if contestant.name != COMPILED:
                raise
            yield Measured(COMPILED, setting, note=f"torch.compile does not work here: {why_not_compiled(error)}")


def _measure(
    contestant: Contestant,
    setting: Setting,
    x: Tensor,
    judge: Judge,
    device: torch.device,
    timer: Timer,
    budget: float,
) -> Measured:
    contestant.layer.train(setting.backward)
    difference = judge.difference(contestant)
    result = Measured(contestant.name, setting, difference=difference)
    if not difference <= TOLERANCE[setting.dtype]:  # NaN is not
        return replace(
            result, note=f"not timed: it differs from torch's layer by {difference:.2g} of its largest entry"
        )
    step = training_step(contestant, x) if setting.backward else using_step(contestant, x)
    peak = peak_bytes(step, device)
    once = timer(step, device, 1, 1)
    repeats = max(3, min(20, int(budget / max(once, 1e-9))))
    # One at a time: the median of one call is that call, so a timer that returns medians gives the spread as well.
    taken = [timer(step, device, 0, 1) for _ in range(repeats)]
    lower, median, upper = statistics.quantiles(taken, n=4, method="inclusive")
    return replace(result, peak_bytes=peak, seconds=median, quartiles=(lower, upper))


def what_was_unsteady(measured: Sequence[Measured]) -> str:
    """Return lines about the measurements that should be made again, "" if there are none."""
    names = list(dict.fromkeys(one.variant for one in measured if one.unsteady))
    if not names:
        return ""
    count = sum(one.unsteady for one in measured)
    return (
        f"Unsteady, run again: {count} of {len(measured)} measurements\n({', '.join(names)}).\n"
        f"The middle half of their times spreads over more than {_STEADY:.0%} of the median:\n"
        "something else keeps this machine busy.\n"
    )


def using_step(contestant: Contestant, x: Tensor) -> Callable[[], Tensor]:
    """Return a function that uses a trained layer: forward, without gradients."""

    def step() -> Tensor:
        with torch.no_grad():
            return contestant.run(x)

    return step


def training_step(contestant: Contestant, x: Tensor) -> Callable[[], object]:
    """Return a function that does a training step: forward, then the gradients of input and weights."""
    x = x.detach().requires_grad_()
    wanted = (x, *contestant.layer.parameters())
    upstream = torch.ones_like(x)

    def step() -> object:
        return torch.autograd.grad(contestant.run(x), wanted, upstream)

    return step


class Judge:
    """torch's own layer in float32, with the contestants' weights and its score matrix written out.

    It has the outputs for some of the words, and the input's gradient from those words.
    """

    def __init__(self, setting: Setting, x: Tensor) -> None:
        self.setting, self.x = setting, x
        count = min(_ROWS, setting.seq)
        self.rows = torch.linspace(0, setting.seq - 1, count, device=x.device).round().long()
        layer = nn.MultiheadAttention(setting.d_model, setting.num_heads, batch_first=True)
        # Rounded to the measured dtype, so that only the computation differs.
        give_weights(layer, {name: w.to(setting.dtype).float() for name, w in draw_weights(setting.d_model).items()})
        layer.to(x.device)
        blocked = torch.ones(setting.seq, setting.seq, dtype=torch.bool, device=x.device).triu(1)[self.rows]
        exact = x.float().requires_grad_(setting.backward)
        self.output, _ = layer(exact[:, self.rows], exact, exact, attn_mask=blocked, need_weights=True)
        self.gradient: Tensor | None = None
        if setting.backward:
            [self.gradient] = torch.autograd.grad(self.output, exact, torch.ones_like(self.output))
        self.output = self.output.detach()

    def difference(self, contestant: Contestant) -> float:
        """Return the contestant's largest distance from the reference, as a share of the reference's largest entry."""
        x = self.x.detach().requires_grad_(self.setting.backward)
        with torch.set_grad_enabled(self.setting.backward):
            output = contestant.run(x)
        far = _distance(output.detach()[:, self.rows], self.output)
        if self.gradient is not None:
            upstream = torch.zeros_like(output)
            upstream[:, self.rows] = 1
            [gradient] = torch.autograd.grad(output, x, upstream)
            far = max(far, _distance(gradient, self.gradient))
        return far


def _distance(one: Tensor, right: Tensor) -> float:
    if one.shape != right.shape:
        return float("inf")
    return ((one.float() - right).abs().max() / right.abs().max()).item()
