"""Stored measurements of named devices, made by `benchmarks/attention.py`, for learners with another device.

They are JSON files that travel with the package (`manyheads/recorded/`), so that a notebook on Colab has them too.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from .measure import Measured, Setting

FOLDER = Path(__file__).parents[1] / "recorded"


@dataclass(frozen=True)
class Recording:
    """The measurements of one device.

    Args:
        device: the device's name, "AMD EPYC"; no machine's name.
        kind: "cpu", "cuda" or "mps".
        threads: the number that torch uses on the CPU.
        versions: of torch, python and cuda (None without it).
        date: "2026-11-24".
    """

    device: str
    kind: str
    threads: int
    versions: dict[str, str | None]
    date: str
    measured: tuple[Measured, ...]

    @property
    def title(self) -> str:
        """The device and, for a CPU, the number of threads."""
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}" if self.kind == "cpu" else ""
        return f"{self.device}{threads}"


def device_name(device: torch.device) -> str:
    """Return the device's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    processor = found[1].strip() if found else platform.processor() or platform.machine() or "CPU"
    return f"{processor} GPU" if device.type == "mps" else processor


def recording(measured: Sequence[Measured], device: torch.device) -> Recording:
    """Return a recording of measurements made on this machine."""
    return Recording(
        device=device_name(device),
        kind=device.type,
        threads=torch.get_num_threads(),
        versions={"torch": torch.__version__, "python": platform.python_version(), "cuda": torch.version.cuda},
        date=datetime.now(UTC).date().isoformat(),
        measured=tuple(measured),
    )


def file_name(recording: Recording) -> str:
    """Return a file name made from the device's: "amd-epyc.json"."""
    return re.sub(r"[^a-z0-9]+", "-", recording.device.lower()).strip("-") + ".json"


def write(recording: Recording, folder: Path) -> Path:
    """Write `recording` into `folder`, replacing an older one of the same device, and return its path."""
    rows = []
    for measured in recording.measured:
        row = asdict(measured)
        setting = row.pop("setting")
        rows.append({"variant": row.pop("variant"), **setting, **row, "dtype": _dtype_name(setting["dtype"])})
    document = {**{key: value for key, value in vars(recording).items() if key != "measured"}, "measured": []}
    text = json.dumps(document, indent=2, ensure_ascii=False)
    # One measurement per line, so that a diff shows the lines that changed.
    lines = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in rows)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file_name(recording)
    path.write_text(text.replace('"measured": []', f'"measured": [\n{lines}\n  ]') + "\n", encoding="utf-8")
    return path


def read(path: Path) -> Recording:
    """Read what `write` wrote."""
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    measured = []
    for row in document.pop("measured"):
        row["dtype"] = getattr(torch, row["dtype"])
        setting = Setting(**{key: row.pop(key) for key in Setting.__dataclass_fields__})
        row["quartiles"] = tuple(row["quartiles"]) if row.get("quartiles") else None
        measured.append(Measured(setting=setting, **row))
    return Recording(**document, measured=tuple(measured))


def all_recordings(folder: Path = FOLDER) -> list[Recording]:
    """Return the package's recordings, GPUs first; there may be none."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: one.kind == "cpu")


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
