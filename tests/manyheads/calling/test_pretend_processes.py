"""Pretend processes do what real ones of torch.distributed do, one after the other and without a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from manyheads.calling import pretend_processes
from manyheads.calling.pretend_processes import WouldHang, together


def counted(rank: int) -> Tensor:
    return torch.tensor([1.0, 10.0]) * (rank + 1)


def test_all_reduce_makes_the_sum_in_every_process() -> None:
    def work(rank: int, group: Any) -> Tensor:
        mine = counted(rank)
        assert dist.all_reduce(mine, group=group) is None
        return mine

    ran = together(3, work)

    assert [one.tolist() for one in ran.returned] == [[6.0, 60.0]] * 3
    assert ran.calls == ["all_reduce"]


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (dist.ReduceOp.AVG, [2.0, 20.0]),
        (dist.ReduceOp.MAX, [3.0, 30.0]),
        (dist.ReduceOp.MIN, [1.0, 10.0]),
        (dist.ReduceOp.PRODUCT, [6.0, 6000.0]),
    ],
)
def test_other_operations_are_known(op: dist.ReduceOp.RedOpType, expected: list[float]) -> None:
    def work(rank: int, group: Any) -> list[float]:
        mine = counted(rank)
        dist.all_reduce(mine, op=op)
        return mine.tolist()

    assert together(3, work).returned == [expected] * 3


def test_each_process_knows_its_rank_and_its_group() -> None:
    def work(rank: int, group: Any) -> tuple[object, ...]:
        return dist.get_rank(), dist.get_rank(group), dist.get_world_size(), dist.get_world_size(group)

    assert together(4, work, members=(1, 3)).returned == [(1, 0, 4, 2), (3, 1, 4, 2)]


def test_a_smaller_group_sums_among_its_members_alone() -> None:
    def work(rank: int, group: Any) -> list[float]:
        mine = counted(rank)
        dist.all_reduce(mine, group=group)
        return mine.tolist()

    assert together(4, work, members=(1, 3)).returned == [[6.0, 60.0]] * 2


def test_several_calls_follow_each_other() -> None:
    def work(rank: int, group: Any) -> tuple[list[float], list[list[float]], list[float]]:
        mine = counted(rank)
        dist.all_reduce(mine)
        parts = [torch.empty(2) for _ in range(2)]
        dist.all_gather(parts, mine + rank)
        dist.barrier()
        first = counted(rank)
        dist.broadcast(first, 1)
        return mine.tolist(), [part.tolist() for part in parts], first.tolist()

    ran = together(2, work)

    assert ran.returned == [([3.0, 30.0], [[3.0, 30.0], [4.0, 31.0]], [2.0, 20.0])] * 2
    assert ran.calls == ["all_reduce", "all_gather", "barrier", "broadcast"]


def test_reduce_gives_the_sum_to_one_process() -> None:
    def work(rank: int, group: Any) -> list[float]:
        mine = counted(rank)
        dist.reduce(mine, 2)
        return mine.tolist()

    assert together(3, work).returned == [[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]]


def test_an_asynchronous_sum_arrives_when_it_is_waited_for() -> None:
    def work(rank: int, group: Any) -> tuple[list[float], list[float]]:
        mine = counted(rank)
        arriving = dist.all_reduce(mine, async_op=True)
        assert arriving is not None
        before = mine.tolist()
        arriving.wait()
        return before, mine.tolist()

    assert together(2, work).returned == [([1.0, 10.0], [3.0, 30.0]), ([2.0, 20.0], [3.0, 30.0])]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # newer torch has another name for it
def test_the_call_with_a_gradient_and_a_call_of_the_group_itself_work_too() -> None:
    from torch.distributed.nn import functional as with_gradient

    def work(rank: int, group: Any) -> tuple[list[float], list[float]]:
        mine = counted(rank)
        everyone = dist.group.WORLD
        assert everyone is not None
        everyone.allreduce([mine], dist.AllreduceOptions()).wait()
        return with_gradient.all_reduce(counted(rank)).tolist(), mine.tolist()

    assert together(2, work).returned == [([3.0, 30.0], [3.0, 30.0])] * 2


def test_a_process_that_waits_for_ever_is_named() -> None:
    def work(rank: int, group: Any) -> None:
        if rank == 0:
            dist.all_reduce(counted(rank))

    with pytest.raises(WouldHang, match="Process 0 waits in all_reduce for process 1"):
        together(2, work)


def test_processes_that_wait_for_others_than_they_should_are_named() -> None:
    def alone(rank: int, group: Any) -> None:
        dist.all_reduce(counted(rank))  # of all four, and only two run

    with pytest.raises(WouldHang, match="waits in all_reduce for process 0, which is not in the group"):
        together(4, alone, members=(1, 3))

    def unlike(rank: int, group: Any) -> None:
        dist.all_reduce(torch.zeros(2 + rank))

    with pytest.raises(WouldHang, match=r"a tensor \(2,\) .* a tensor \(3,\)"):
        together(2, unlike)


def test_a_loop_without_an_end_is_stopped() -> None:
    def work(rank: int, group: Any) -> None:
        while True:
            dist.barrier()

    with pytest.raises(WouldHang, match="more than 20 times"):
        together(2, work)


def test_an_error_of_the_code_comes_through_and_leaves_nothing_behind() -> None:
    def work(rank: int, group: Any) -> None:
        dist.all_reduce(counted(rank))
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        together(2, work)
    assert not dist.is_initialized()


def test_a_real_group_of_the_notebook_is_there_again_afterwards(tmp_path: Path) -> None:
    hook = sys.excepthook
    dist.init_process_group("gloo", init_method=(tmp_path / "meet").as_uri(), rank=0, world_size=1)
    installed = sys.excepthook
    try:

        def work(rank: int, group: Any) -> int:
            dist.barrier()
            return dist.get_world_size()

        assert together(3, work).returned == [3, 3, 3]

        assert (dist.get_rank(), dist.get_world_size()) == (0, 1)
        mine = counted(0)
        dist.all_reduce(mine)
        assert mine.tolist() == [1.0, 10.0]
        assert sys.excepthook is installed
    finally:
        dist.destroy_process_group()
        sys.excepthook = hook


def test_no_exception_handler_of_the_code_stops_a_process_from_waiting() -> None:
    def work(rank: int, group: Any) -> list[float]:
        mine = counted(rank)
        try:
            dist.all_reduce(mine)
        except Exception:
            mine = torch.zeros(2)
        return mine.tolist()

    assert together(2, work).returned == [[3.0, 30.0]] * 2
    assert issubclass(pretend_processes._Waits, BaseException)
