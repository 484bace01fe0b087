"""Pretend processes: a learner's code for torch.distributed runs as if in several processes, in this one.

No process is started and no network is used, so that such code can be judged in a sealed kernel, and checked on any
system. The processes take turns. One that communicates ends there at first; when all of them have come to the same
call, each begins anew, and that call gives it the answer. So what is run must do the same each time.

All that is replaced in torch is restored when `together` returns.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import Tensor

if not dist.is_available():
    raise ImportError("This torch was built without torch.distributed. The builds that PyTorch publishes have it.")

from torch._C._distributed_c10d import Store, Work

_BACKEND = "pretend"
_TABLES = ("pg_map", "pg_names", "pg_group_ranks", "pg_backend_config", "tags_to_pg", "pg_to_tag")
_MOST_CALLS = 20  # of one process: more are taken for a loop without an end


class WouldHang(Exception):
    """Real processes would wait for each other for ever."""


@dataclass(frozen=True)
class Talk:
    """What one process says when it communicates.

    Args:
        name: of the call: "all_reduce".
        how: what all processes must agree on, such as the operation and the number of entries.
        tensor: what it hands over.
        over: the ranks that take part.
    """

    name: str
    how: tuple[object, ...]
    tensor: Tensor
    over: tuple[int, ...]


@dataclass
class Ran:
    """What the processes did.

    Args:
        returned: what each of them returned, by rank.
        calls: the calls by which they communicated, in their order: the same for all of them.
    """

    returned: list[Any] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)


def together(world_size: int, work: Callable[[int, Any], Any], members: tuple[int, ...] | None = None) -> Ran:
    """Run `work(rank, group)` as if in `world_size` processes, and return what happened.

    Args:
        work: called several times for each rank. Whatever it changes must be its own each time. `group` is None, the
            default group of all processes, or the group of `members`, for which alone `work` is run.
        members: ranks of a smaller group.

    Raises:
        WouldHang: if not all processes make the same calls.
        Exception: whatever `work` raises.
    """
    ranks = members or tuple(range(world_size))
    said: list[dict[int, Talk]] = []  # by call, then by rank
    while True:
        ran = Ran(calls=[_agreed(talks) for talks in said])
        waiting = dict[int, Talk]()
        for rank in ranks:
            try:
                ran.returned.append(_process(rank, world_size, members, said, work))
            except _Waits as waits:
                waiting[rank] = waits.talk
        if not waiting:
            return ran
        silent = [rank for rank in ranks if rank not in waiting]
        if silent:
            first = min(waiting)
            raise WouldHang(
                f"Process {first} waits in {waiting[first].name} for process {silent[0]}, which has ended without "
                "calling it. All processes of a group must make the same calls."
            )
        said.append(waiting)
        _agreed(waiting)
        if len(said) > _MOST_CALLS:
            raise WouldHang(f"The processes have communicated more than {_MOST_CALLS} times, and go on.")


class _Waits(BaseException):
    """Ends a process until the others have come as far. No `except Exception` catches it."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk


def _agreed(talks: dict[int, Talk]) -> str:
    """Return the name of the call that all processes make."""
    for rank, talk in talks.items():
        for other in talk.over:
            if other not in talks:
                raise WouldHang(f"Process {rank} waits in {talk.name} for process {other}, which is not in the group.")
            if (talks[other].name, talks[other].how, talks[other].over) != (talk.name, talk.how, talk.over):
                raise WouldHang(
                    f"Process {rank} calls {_described(talk)}, and process {other} {_described(talks[other])}. All "
                    "processes of a group must make the same calls, with tensors of one shape."
                )
    return next(iter(talks.values())).name


def _described(talk: Talk) -> str:
    return f"{talk.name} with a tensor {tuple(talk.tensor.shape)} in the group of the processes {list(talk.over)}"


def _process(
    rank: int,
    world_size: int,
    members: tuple[int, ...] | None,
    said: list[dict[int, Talk]],
    work: Callable[[int, Any], Any],
) -> Any:
    """Run one process from its beginning. Raises `_Waits` where it communicates for the first time that is new."""
    if _BACKEND not in dist.Backend.backend_list:
        dist.Backend.register_backend(_BACKEND, _make_group, devices=["cpu", "cuda"])
    heard: list[int] = [0]  # calls so far, of whatever group
    with _world_of_its_own(), mock.patch.object(_Group, "now", (said, heard)):
        dist.init_process_group(_BACKEND, store=_NoStore(), rank=rank, world_size=world_size)
        try:
            group = None if members is None else dist.new_group(list(members))
            return work(rank, group)
        finally:
            dist.destroy_process_group()


@contextlib.contextmanager
def _world_of_its_own() -> Generator[None]:
    """Hide the groups that this process may really be in, and bring them back.

    Some of what torch knows of groups is not in its world but beside it: the names of groups, the rank in messages.
    """
    c10d = dist.distributed_c10d
    real = c10d._world
    count = real.group_count
    try:
        with contextlib.ExitStack() as stack:
            for name in _TABLES:  # a new world has the same ones
                if isinstance(table := getattr(real, name, None), dict):
                    stack.enter_context(mock.patch.dict(table, clear=True))
            stack.enter_context(mock.patch.object(c10d, "_world", c10d._World()))
            stack.enter_context(mock.patch.object(sys, "excepthook", sys.excepthook))
            yield
    finally:
        real.group_count = count
        for group, name in real.pg_names.items():
            c10d._register_process_group(name, group)
        if real.default_pg is not None:
            c10d._update_default_pg(real.default_pg)


def _make_group(_store: Any, rank: int, size: int, _timeout: Any) -> _Group:
    return _Group(rank, size)


class _NoStore(Store):
    """Where real processes find each other. These need not."""


class _Done(Work):
    """A call whose answer arrives when somebody waits for it."""

    def __init__(self, arrive: Callable[[], object]) -> None:
        super().__init__()
        self._arrive: Callable[[], object] | None = arrive

    def wait(self, timeout: Any = None) -> bool:
        if self._arrive is not None:
            self._arrive()
            self._arrive = None
        return True

    def is_completed(self) -> bool:
        return self._arrive is None


# torch's stub says how code calls a group, not how torch asks one that is written in Python.
class _Group(dist.ProcessGroup):
    """A group as one of its processes sees it."""

    now: tuple[list[dict[int, Talk]], list[int]] = ([], [0])

    def __init__(self, rank: int, size: int) -> None:
        super().__init__(rank, size)  # pyrefly: ignore[bad-argument-type, missing-argument]

    def getBackendName(self) -> str:
        return _BACKEND

    def _talk(self, name: str, how: tuple[object, ...], tensor: Tensor) -> list[Tensor]:
        """Return what each process of the group hands over, or end this process until that is known."""
        said, heard = self.now
        over = tuple(dist.get_process_group_ranks(self))
        talk = Talk(name, (*how, tuple(tensor.shape), tensor.dtype), tensor.detach().clone(), over)
        place = heard[0]
        heard[0] += 1
        if place >= len(said):
            raise _Waits(talk)
        return [said[place][rank].tensor for rank in over]

    def allreduce(self, tensors: list[Tensor] | Tensor, opts: Any = None) -> _Done:  # pyrefly: ignore[bad-override]
        [tensor] = [tensors] if isinstance(tensors, Tensor) else tensors
        op = _operation(opts)
        parts = self._talk("all_reduce", (op,), tensor)
        return _Done(lambda: _filled(tensor, _reduced(op, parts)))

    def reduce(self, tensors: list[Tensor] | Tensor, opts: Any = None) -> _Done:  # pyrefly: ignore[bad-override]
        [tensor] = [tensors] if isinstance(tensors, Tensor) else tensors
        op = _operation(opts)
        parts = self._talk("reduce", (op, opts.rootRank), tensor)
        if self.rank() != opts.rootRank:  # what the others are left with is not defined
            return _Done(lambda: None)
        return _Done(lambda: _filled(tensor, _reduced(op, parts)))

    def broadcast(self, tensors: list[Tensor] | Tensor, opts: Any = None) -> _Done:  # pyrefly: ignore[bad-override]
        [tensor] = [tensors] if isinstance(tensors, Tensor) else tensors
        parts = self._talk("broadcast", (opts.rootRank,), tensor)
        return _Done(lambda: _filled(tensor, parts[opts.rootRank]))

    # pyrefly: ignore[bad-override]
    def allgather(self, outputs: list[list[Tensor]], tensors: list[Tensor], opts: Any = None) -> _Done:
        parts = self._talk("all_gather", (), tensors[0])
        return _Done(lambda: [_filled(output, part) for output, part in zip(outputs[0], parts, strict=True)])

    def _allgather_base(self, output: Tensor, input: Tensor, opts: Any = None) -> _Done:
        parts = self._talk("all_gather", (), input)
        return _Done(lambda: _filled(output, torch.cat(parts).view_as(output)))

    def all_gather_single(self, output: Tensor, input: Tensor, opts: Any = None) -> _Done:
        return self._allgather_base(output, input, opts)  # the former name

    def barrier(self, opts: Any = None) -> _Done:  # pyrefly: ignore[bad-override]
        self._talk("barrier", (), torch.empty(0))
        return _Done(lambda: None)


def _operation(opts: Any) -> str:
    chosen = dist.ReduceOp.SUM if opts is None else opts.reduceOp
    for name in ("SUM", "AVG", "PRODUCT", "MIN", "MAX"):
        if chosen == getattr(dist.ReduceOp, name):
            return name
    raise NotImplementedError(f"a pretend group does not know the operation {chosen}")


def _reduced(op: str, parts: list[Tensor]) -> Tensor:
    stacked = torch.stack(parts)
    if op == "SUM":
        return stacked.sum(dim=0)
    if op == "AVG":
        return stacked.mean(dim=0)
    if op == "PRODUCT":
        return stacked.prod(dim=0)
    return stacked.amin(dim=0) if op == "MIN" else stacked.amax(dim=0)


def _filled(tensor: Tensor, numbers: Tensor) -> None:
    with torch.no_grad():
        tensor.copy_(numbers)
