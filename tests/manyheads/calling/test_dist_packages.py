"""The course where packages lie in a folder called `dist-packages`, as on Colab and under Debian's Python."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import manyheads

CHECKED = """
import sys
sys.path.insert(0, {folder!r})
import linecache
import torch
from torch import nn
from manyheads.calling import probe
from manyheads.calling.call import Call

assert torch.__file__.startswith({folder!r}) and probe.__file__.startswith({folder!r})
cell = '''
def wrong(x):
    return layer(x.mT)  # mine

def prints(x):
    return len(str(x)) > 0
'''
linecache.cache["a cell"] = len(cell), None, cell.splitlines(keepends=True), "a cell"
names = {{"__name__": "__main__", "layer": nn.Linear(3, 3)}}
exec(compile(cell, "a cell", "exec"), names)
call = Call({{"x": torch.ones(2, 4, 3)}})
print(probe.run(names["wrong"], call, namespace=names).failure.line)
print(probe.run(names["prints"], call, "", ["numel"], namespace=names).value)
"""


@pytest.mark.slow
def test_the_failing_line_is_the_learners_not_torchs(tmp_path: Path) -> None:
    folder = tmp_path / "python3" / "dist-packages"
    folder.mkdir(parents=True)
    for path in (*Path(sysconfig.get_path("purelib")).iterdir(), Path(manyheads.__file__).parent):
        if not (folder / path.name).exists():
            (folder / path.name).symlink_to(path)
    code = CHECKED.format(folder=str(folder))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["return layer(x.mT)  # mine", "True"]
