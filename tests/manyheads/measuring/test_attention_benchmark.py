"""Chapter 5's measurements: layers are compared before they are timed, pretend hardware is honest, recordings are
used."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT
from benchmarks import attention as benchmark
from manyheads import threads
from manyheads.calling import pretend_hardware, probe
from manyheads.checking import diagnosis
from manyheads.checking.exam import Check
from manyheads.checking.exam_files import all_exams
from manyheads.measuring import contestants, measure, memory, recorded
from manyheads.measuring.contestants import COMPILED, FAST, FUSED, LOOP, TORCH, VARIANTS, Layers
from manyheads.measuring.measure import Measured, Setting
from manyheads.pictures import charts, style

CPU = torch.device("cpu")
SETTING = Setting(batch=2, seq=7, d_model=12, num_heads=3)
BOTH = [SETTING, replace(SETTING, backward=True)]
EAGER = [LOOP, FUSED, TORCH, FAST]


@pytest.fixture(scope="module")
def layers() -> Layers:
    return benchmark.reference_layers()


def quick_timer(fn: Callable[[], object], device: torch.device, warmup: int, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(warmup + repeats):
        fn()
    return (time.perf_counter() - start) / (warmup + repeats)


def race(
    layers: Layers, settings: list[Setting], variants: list[str], timer: measure.Timer = quick_timer
) -> list[Measured]:
    return measure.race(settings, layers, CPU, timer, variants, budget=0.001, progress=False)


# Contestants


def test_all_contestants_have_the_same_weights_and_give_the_same_outputs(layers: Layers) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 7, 12)
    line_up = list(contestants.contestants(layers, 12, 3, 7, CPU, torch.float32, EAGER))
    assert [one.name for one in line_up] == EAGER
    first, *others = (one.run(x) for one in line_up)
    for other in others:
        torch.testing.assert_close(other, first)


def test_no_contestant_looks_at_later_words(layers: Layers) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 7, 12)
    changed = x.clone()
    changed[:, -1] = 0
    for one in contestants.contestants(layers, 12, 3, 7, CPU, torch.float32, EAGER):
        torch.testing.assert_close(one.run(changed)[:, :-1], one.run(x)[:, :-1], msg=one.name)


# Compared before it is timed


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_right_layers_agree_and_are_timed_and_weighed(layers: Layers, dtype: torch.dtype) -> None:
    for one in race(layers, [replace(setting, dtype=dtype) for setting in BOTH], EAGER):
        assert one.seconds is not None, one
        assert one.seconds > 0
        assert one.peak_bytes
        assert one.difference is not None
        assert one.difference < measure.TOLERANCE[dtype]


class Wrong(nn.Module):
    """A layer that is right except for its last entry, or its gradient."""

    def __init__(self, layer: nn.Module, gradient_only: bool) -> None:
        super().__init__()
        self.layer, self.gradient_only = layer, gradient_only

    def load_state_dict(self, *state: Any, **options: Any) -> Any:
        return self.layer.load_state_dict(*state)

    def forward(self, x: Tensor, is_causal: bool) -> Tensor:
        output = self.layer(x, is_causal=is_causal)
        return output + (x - x.detach()) if self.gradient_only else output * 1.01


@pytest.mark.parametrize(("gradient_only", "setting"), [(False, BOTH[0]), (False, BOTH[1]), (True, BOTH[1])])
def test_a_wrong_layer_is_not_timed(layers: Layers, gradient_only: bool, setting: Setting) -> None:
    def timer(*_: object) -> float:
        raise AssertionError("it was timed")

    wrong = replace(layers, fast=lambda d_model, heads: Wrong(layers.fast(d_model, heads), gradient_only))
    [one] = race(wrong, [setting], [FAST], timer)
    assert one.seconds is None
    assert one.note.startswith("not timed: it differs from torch's layer by")


def test_a_layer_that_gives_nan_is_not_timed(layers: Layers) -> None:
    class NotANumber(nn.Module):
        def load_state_dict(self, *_: Any, **__: Any) -> Any: ...

        def forward(self, x: Tensor, is_causal: bool) -> Tensor:
            return x * float("nan")

    [one] = race(replace(layers, fast=lambda *_: NotANumber()), [SETTING], [FAST])
    assert one.seconds is None


@pytest.mark.slow
def test_long_sentences_are_compared_at_some_of_their_words_the_last_included(layers: Layers) -> None:
    setting = replace(SETTING, seq=300)
    judge = measure.Judge(setting, torch.randn(2, 300, 12))
    assert len(judge.rows) < 300
    assert {0, 299} <= set(judge.rows.tolist())
    assert all(one.seconds for one in race(layers, [setting, replace(setting, backward=True)], EAGER))


def test_out_of_memory_is_a_result_and_stops_nothing(layers: Layers) -> None:
    class TooLarge(nn.Module):
        def load_state_dict(self, *_: Any, **__: Any) -> Any: ...

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory")

    loop, fast = race(replace(layers, parallel=lambda *_: TooLarge()), [SETTING], [LOOP, FAST])
    assert (loop.seconds, loop.note) == (None, "out of memory")
    assert fast.seconds is not None


def test_if_torch_cannot_compile_it_says_why_and_continues(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: object, **__: object) -> Callable[[Tensor], Tensor]:
        def first_call(x: Tensor) -> Tensor:
            raise RuntimeError("outer") from ValueError("no working C++ compiler found\nand more")

        return first_call

    monkeypatch.setattr(torch, "compile", no_compiler)
    compiled, fast = race(layers, [SETTING], [COMPILED, FAST])
    assert compiled.note == "torch.compile does not work here: ValueError: no working C++ compiler found"
    assert compiled.seconds is None
    assert fast.seconds is not None


@pytest.mark.slow
def test_the_reference_layers_can_be_followed_by_torch_compile(layers: Layers, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = torch.compile
    # eager: the graph is made, and no C++ is compiled
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: compile_(function, backend="eager", fullgraph=True))
    [one] = race(layers, [SETTING], [COMPILED])
    assert one.seconds is not None, one.note


# Spread


def timer_that_tells(seconds: list[float]) -> measure.Timer:
    """Returns given times one after the other; the first decides the number of repeats."""
    told = iter([0.001, *seconds])

    def timer(fn: Callable[[], object], device: torch.device, warmup: int, repeats: int) -> float:
        assert repeats == 1  # so that the spread is known, whatever the timer makes of several
        return next(told)

    return timer


def test_the_median_and_the_middle_half_of_single_calls_are_reported(layers: Layers) -> None:
    timer = timer_that_tells([5.0, 1.0, 2.0, 90.0, 3.0])
    [one] = measure.race([SETTING], layers, CPU, timer, [FAST], budget=0.005, progress=False)
    assert (one.seconds, one.quartiles) == (3.0, (2.0, 5.0))


@pytest.mark.parametrize(
    ("seconds", "unsteady"), [([1.0, 1.1, 1.2, 1.1, 9.0], False), ([1.0, 1.0, 1.0, 1.6, 1.7], True)]
)
def test_a_measurement_that_varies_is_said_to_be_unsteady(layers: Layers, seconds: list[float], unsteady: bool) -> None:
    timer = timer_that_tells(seconds)
    [one] = measure.race([SETTING], layers, CPU, timer, [FAST], budget=0.005, progress=False)
    assert one.unsteady == unsteady
    assert ("run again: 1 of 1" in measure.what_was_unsteady([one])) == unsteady
    assert (" ?" in drawn_words(one), "unsteady" in benchmark.line(one)) == (unsteady, unsteady)
    assert ("(unsteady)" in charts.describe_bars([charts.Panel("yours", (one,))])) == unsteady


def drawn_words(one: Measured) -> str:
    figure = charts.draw_bars([charts.Panel("yours", (one,))])
    return " ".join(text.get_text() for text in figure.axes[0].texts)


def test_what_was_recorded_without_its_spread_is_read_and_drawn(tmp_path: Path) -> None:
    old = recorded.write(recorded.recording([Measured(FAST, SETTING, seconds=0.01, peak_bytes=8)], CPU), tmp_path)
    old.write_text(old.read_text(encoding="utf-8").replace(', "quartiles": null', ""), encoding="utf-8")
    [one] = recorded.read(old).measured
    assert (one.quartiles, one.unsteady) == (None, False)
    assert "10 ms" in drawn_words(one)


@pytest.mark.slow
def test_the_command_measures_a_cpu_with_one_thread_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in threads._SAID:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "_set", 4)
    before = torch.get_num_threads()
    used = []
    for options in ([], ["--threads", "2"]):
        torch.set_num_threads(4)
        common = ["--quick", "--device", "cpu", "--budget", "0.001", "--variants", FAST, "--to", str(tmp_path)]
        benchmark.main([*common, *options])
        used.append(json.loads(next(tmp_path.glob("*.json")).read_text(encoding="utf-8"))["threads"])
    torch.set_num_threads(before)
    assert used == [1, 2]


# Memory


def test_the_peak_on_a_cpu_is_what_the_tensors_take() -> None:
    def three_at_once() -> Tensor:
        one = torch.ones(1000)
        two = one + 1
        return one + two

    def one_after_the_other() -> None:
        for _ in range(3):
            torch.ones(1000)

    assert memory.peak_bytes(three_at_once, CPU) == 12_000
    assert memory.peak_bytes(one_after_the_other, CPU) == 4_000


def test_sdpa_needs_no_score_matrix_and_the_fused_layer_does(layers: Layers) -> None:
    setting = replace(SETTING, batch=1, seq=256)
    scores = 3 * 256 * 256 * 4
    for settings in ([setting], [replace(setting, backward=True)]):
        fused, fast = race(layers, settings, [FUSED, FAST])
        assert fused.peak_bytes is not None
        assert fast.peak_bytes is not None
        assert fused.peak_bytes > scores > fast.peak_bytes


def test_the_peak_on_cuda_is_asked_of_its_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    in_use = {"memory_allocated": 1000, "max_memory_allocated": 1700}
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name: asked.append(name))
    for name, count in in_use.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, name=name, count=count: asked.append(name) or count)
    peak = memory.peak_bytes(lambda: asked.append("fn"), torch.device("cuda"))
    assert peak == 700
    assert asked == [
        "synchronize", "reset_peak_memory_stats", "memory_allocated", "fn", "synchronize", "max_memory_allocated",
    ]  # fmt: skip


def test_memory_on_mps_is_not_measured() -> None:
    assert memory.peak_bytes(lambda: None, torch.device("mps")) is None


def test_kept_bytes_counts_each_tensor_once_and_not_what_was_there() -> None:
    x = torch.randn(10, 10, requires_grad=True)
    assert memory.kept_bytes(lambda: x.exp().view(100).view(10, 10)) == 400
    assert memory.kept_bytes(lambda: x @ x, but=[x]) == 0


# Pretend hardware


@pytest.mark.parametrize(
    ("gpus", "mps", "kind"), [(2, False, "cuda"), (0, True, "mps"), (0, False, None), (1, True, "cuda")]
)
def test_torch_answers_as_on_the_pretend_machine_and_as_before_afterwards(
    gpus: int, mps: bool, kind: str | None
) -> None:
    before = torch.cuda.is_available(), torch.backends.mps.is_available(), torch.accelerator.is_available()
    with pretend_hardware.machine(gpus, mps=mps):
        assert torch.cuda.is_available() == (gpus > 0)
        assert torch.cuda.device_count() == gpus
        assert torch.backends.mps.is_available() == mps
        assert torch.accelerator.current_accelerator() == (torch.device(kind) if kind else None)
    assert before == (torch.cuda.is_available(), torch.backends.mps.is_available(), torch.accelerator.is_available())


def test_the_pretend_gpu_works_while_the_caller_continues() -> None:
    with pretend_hardware.clock(gpu=True) as clock:
        start = time.perf_counter()
        clock.job(lambda: 5.0)
        ordered = time.perf_counter() - start
        torch.cuda.synchronize()
        done = time.perf_counter() - start
    assert ordered == pytest.approx(pretend_hardware.LAUNCH)
    assert done == pytest.approx(pretend_hardware.LAUNCH + 5)


@pytest.mark.parametrize("gpu", [False, True])
def test_how_long_a_job_takes_is_unknown_until_the_clock_gets_there(gpu: bool) -> None:
    asked: list[int] = []

    def seconds(job: int) -> float:
        asked.append(job)
        return 1.0 + job

    with pretend_hardware.clock(gpu=gpu) as clock:
        start = time.perf_counter()
        for job in range(3):
            clock.job(functools.partial(seconds, job))
        assert asked == []
        if gpu:
            time.perf_counter()
            assert asked == []
            torch.cuda.synchronize()
        assert time.perf_counter() - start == pytest.approx(6 + gpu * pretend_hardware.LAUNCH)
        assert asked == [0, 1, 2]


def test_the_pretend_cpu_has_no_gpu_to_wait_for() -> None:
    with pretend_hardware.clock(gpu=False) as clock:
        start = time.monotonic()
        clock.job(lambda: 5.0)
        assert time.monotonic() - start == pytest.approx(5)
        with pytest.raises(AssertionError, match="CUDA"):
            torch.cuda.synchronize()


def test_real_time_is_back_afterwards_also_after_an_error() -> None:
    real, synchronize = time.perf_counter, torch.cuda.synchronize
    with pytest.raises(ZeroDivisionError), pretend_hardware.clock(gpu=True):
        raise ZeroDivisionError
    assert time.perf_counter is real
    assert torch.cuda.synchronize is synchronize


def test_other_threads_keep_real_time() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor() as pool, pretend_hardware.clock(gpu=False) as clock:
        elsewhere = pool.submit(time.monotonic).result()
        assert time.monotonic() == clock.now
        assert elsewhere != clock.now


def test_the_spy_sees_attention_however_it_is_called() -> None:
    q = torch.randn(2, 3, 5, 4)
    with pretend_hardware.AttentionSpy() as spy:
        nn.functional.scaled_dot_product_attention(q, q, q, None, 0.25)
        torch.nn.functional.scaled_dot_product_attention(q, q, value=q, is_causal=True)
    assert spy.dropouts == [0.25, 0.0]


def test_the_spy_stops_keys_without_values_which_torch_does_not() -> None:
    q = torch.randn(2, 3, 5, 4)
    with pytest.raises(RuntimeError, match="5 keys and 4 values"), pretend_hardware.AttentionSpy():
        nn.functional.scaled_dot_product_attention(q, q, q[:, :, :4])


# The command and its records


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command's output, with tiny sizes."""
    folder = tmp_path_factory.mktemp("results")
    assert (
        benchmark.main(["--quick", "--device", "cpu", "--budget", "0.001", "--variants", *EAGER, "--to", str(folder)])
        == 0
    )
    [path] = folder.glob("*.json")
    return path


@pytest.mark.slow
def test_the_command_records_every_setting_with_its_device_versions_and_date(written: Path) -> None:
    document = json.loads(written.read_text(encoding="utf-8"))
    assert document["versions"]["torch"] == torch.__version__
    assert document["kind"] == "cpu"
    assert len(document["date"]) == len("2026-11-24")
    rows = document["measured"]
    assert {row["variant"] for row in rows} == set(EAGER)
    assert {(row["backward"], row["dtype"]) for row in rows} == {
        (False, "float32"), (True, "float32"), (False, "bfloat16"), (True, "bfloat16"),
    }  # fmt: skip
    assert all(row["seconds"] > 0 and row["peak_bytes"] > 0 for row in rows)


@pytest.mark.slow
def test_a_record_says_nothing_about_whose_machine_it_was(written: Path) -> None:
    import getpass
    import socket

    text = written.read_text(encoding="utf-8")
    assert socket.gethostname() not in text
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text


def test_a_record_comes_back_as_it_was(written: Path, tmp_path: Path) -> None:
    once = recorded.read(written)
    again = recorded.write(once, tmp_path)
    assert recorded.read(again) == once
    assert again.read_bytes() == written.read_bytes()


def test_a_wrong_layer_ends_the_command_with_status_1(
    layers: Layers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(layers, fast=lambda d_model, heads: Wrong(layers.fast(d_model, heads), gradient_only=False))
    monkeypatch.setattr(benchmark, "reference_layers", lambda: wrong)
    options = ["--quick", "--device", "cpu", "--budget", "0.001", "--variants", FAST, "--to", str(tmp_path)]
    assert benchmark.main(options) == 1


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY_ROOT / "benchmarks" / "results").glob("*.json")), ids=lambda p: p.stem
)
def test_recorded_results_hold_both_sweeps_and_travel_with_the_package(path: Path) -> None:
    recording = recorded.read(path)
    plan = measure.plan(torch.device(recording.kind))
    settings = {one.setting for one in recording.measured}
    assert settings >= set(benchmark.settings(plan))
    assert {one.variant for one in recording.measured} == set(VARIANTS)
    assert not [one for one in recording.measured if one.note.startswith("not timed")]
    assert (recorded.FOLDER / path.name).read_bytes() == path.read_bytes()


def test_a_course_without_any_recording_shows_the_learners_own_alone(tmp_path: Path) -> None:
    assert recorded.all_recordings(tmp_path) == []


def test_a_gpu_calls_itself_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    recording = recorded.recording([], torch.device("cuda"))
    assert recorded.file_name(recording) == "nvidia-h100-80gb-hbm3.json"
    assert recording.title == "NVIDIA H100 80GB HBM3"


# Figures


@pytest.fixture
def panels(written: Path) -> list[charts.Panel]:
    recording = recorded.read(written)
    return [charts.Panel("yours", recording.measured), charts.Panel("recorded", recording.measured)]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2])
def test_figures_are_drawn_and_said_in_words(panels: list[charts.Panel], count: int) -> None:
    shown = panels[:count]
    for figure in (
        charts.draw_bars(shown),
        charts.draw_curves(shown, "seq"),
        charts.draw_curves(shown, "seq", "peak_bytes"),
    ):
        drawn = style.drawing(figure, "")
        assert all(name in drawn for name in EAGER)
    for name in EAGER:
        assert name in charts.describe_bars(shown)
        assert name in charts.describe_curves(shown, "num_heads")


def test_what_was_not_timed_shows_as_words_in_the_bars_and_is_missing_from_the_curves() -> None:
    failed = Measured(LOOP, SETTING, note="out of memory")
    panel = charts.Panel("yours", (failed, Measured(FAST, SETTING, seconds=0.01)))
    assert "out of memory" in style.drawing(charts.draw_bars([panel]), "")
    assert "loop over heads: out of memory" in charts.describe_bars([panel])
    assert LOOP not in charts.describe_curves([panel], "seq")


@pytest.mark.parametrize("factor", [1.4, 30, 5000])
def test_times_on_a_logarithmic_axis_are_plain_numbers(factor: float) -> None:
    times = (0.006, 0.006 * factor)
    measured = tuple(
        Measured(FAST, replace(SETTING, seq=seq), seconds=seconds)
        for seq, seconds in zip((64, 128), times, strict=True)
    )

    figure = charts.draw_curves([charts.Panel("yours", measured)], "seq")

    low, high = figure.axes[0].get_ylim()
    ticks = [float(label.get_text()) for label in figure.axes[0].get_yticklabels() if label.get_text()]
    assert len([tick for tick in ticks if low <= tick <= high]) >= 2
    assert [label for label in figure.axes[0].get_yticklabels(minor=True) if label.get_text()] == []
    assert "times" not in style.drawing(figure, "")


def test_no_measurements_are_not_an_error() -> None:
    empty = charts.Panel("yours", (Measured(LOOP, SETTING, note="out of memory"),))
    for figure in (charts.draw_curves([empty], "seq"), charts.draw_bars([empty])):
        assert "<svg" in style.drawing(figure, "")


def test_each_setting_is_shown_once_and_the_latest_counts() -> None:
    old, new = Measured(FAST, SETTING, seconds=1.0), Measured(FAST, SETTING, seconds=2.0)
    assert charts.matching([old, new], [SETTING]) == (new,)


_FOUND = {
    "what waits for the clock": "fn() for _ in every]\n    times = [taken() for _, taken in held['clock']._open",
    "what the probe works out": "fn() for _ in every]\n    times = [held['seconds'](call) for call in every",
    "the same, with looks at the clock": (
        "(fn(), time.perf_counter()) for _ in every]\n    times = [held['seconds'](call) for call in every"
    ),
}


@pytest.mark.parametrize("found", _FOUND.values(), ids=_FOUND)
def test_times_that_no_clock_has_shown_are_not_measured(found: str) -> None:
    exam = all_exams()["time_on_device"]
    scope: dict[str, Any] = {}
    exec(
        "import statistics, sys, time\n"
        "def time_on_device(fn, device, warmup=3, repeats=20):\n"
        "    held, every = sys._getframe(1).f_locals, range(warmup + repeats)\n"
        f"    [{found}]\n"
        "    return statistics.median(times[warmup:])\n",
        scope,
    )
    answers: list[Any] = [probe.run(scope["time_on_device"], trial.call, exam.probe) for trial in exam.trials]
    rights: list[Any] = [trial.right for trial in exam.trials]
    seconds = [(answer.value[0], right.value[0]) for answer, right in zip(answers, rights, strict=True)]
    assert all(found == pytest.approx(right, rel=1e-3) for found, right in seconds), "the numbers are the right ones"
    finding = diagnosis.examine(exam, answers, Check.OUTPUTS)
    assert finding is not None
    assert "measured by the clock is not right" in str(finding.message)


def test_a_pretend_gpu_is_asked_what_a_real_one_is_asked() -> None:
    with pretend_hardware.machine(1, mps=False):
        torch.cuda.set_device(0)
        with torch.cuda.device(0):
            assert torch.cuda.get_device_name(0) == torch.cuda.get_device_properties(0).name
    with pretend_hardware.clock(gpu=True) as clock:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        clock.job(lambda: 5.0)
        end.record()
        while not end.query():
            pass
        assert start.elapsed_time(end) == pytest.approx(5000, rel=1e-4)


def test_adding_up_single_times_is_not_timing_all_calls_together() -> None:
    exam = all_exams()["time_on_device"]
    source = (
        "import time\nimport torch\n"
        "def time_on_device(fn, device, warmup=3, repeats=20):\n"
        "    wait = torch.cuda.synchronize if torch.device(device).type == 'cuda' else lambda: None\n"
        "    for _ in range(warmup):\n        fn()\n    total = 0.0\n"
        "    for _ in range(repeats):\n        wait()\n        start = time.perf_counter()\n        fn()\n"
        "        wait()\n        total += time.perf_counter() - start\n    return total / repeats\n"
    )
    scope: dict[str, Any] = {}
    exec(source, scope)
    answers = [probe.run(scope["time_on_device"], trial.call, exam.probe) for trial in exam.trials]
    finding = diagnosis.examine(exam, answers, Check.OUTPUTS, source)
    assert finding is not None
    assert finding.misconception == "took the mean"
