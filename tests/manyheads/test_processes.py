"""Functions of a notebook run in several real processes."""

from __future__ import annotations

import pytest

from manyheads.processes import run_together


def adds_up(rank: int, world_size: int, meeting_point: str) -> None:
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=meeting_point, rank=rank, world_size=world_size)
    mine = torch.tensor([rank + 1.0])
    dist.all_reduce(mine)
    print(f"{world_size} processes, sum {mine.item():.0f}")
    dist.destroy_process_group()


def fails_in_one(rank: int, world_size: int, meeting_point: str) -> None:
    import time

    if rank == 1:
        raise SystemExit("no more")
    time.sleep(60)


def hangs(rank: int, world_size: int, meeting_point: str) -> None:
    import time

    print("begun")
    time.sleep(60)


@pytest.mark.slow
def test_two_processes_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_together(adds_up)

    assert capsys.readouterr().out == "process 0 | 2 processes, sum 3\nprocess 1 | 2 processes, sum 3\n"


def test_the_others_are_ended_if_one_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run_together(fails_in_one)

    assert capsys.readouterr().out == "process 1 | no more\n"


def test_they_are_ended_after_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run_together(hangs, seconds=2)

    said = capsys.readouterr().out
    assert "After 2 seconds they had not finished" in said
    assert "process 0 | begun" in said


def test_where_no_process_can_be_started_that_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")

    assert not run_together(hangs)

    assert "No process can be started here" in capsys.readouterr().out
