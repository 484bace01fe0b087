"""The code that writes into an argument is found, and none is shown that may write into something else."""

from __future__ import annotations

import pytest

from manyheads.source.writes import first_write


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("x += 1", "x += 1"),
        ("x[0] *= 2", "x[0] *= 2"),
        ("half = x[..., :2]; x[..., :2] = 2 * half", "x[..., :2] = 2 * half"),
        ("x.mul_(2)", "x.mul_(2)"),
        ("torch.add(x, 1, out=x)", "torch.add(x, 1, out=x)"),
        ("y = x; x += 1; x = y", "x += 1"),
        # Something else by that name, or nothing that is certain:
        ("x = x + 1; x += 1", ""),
        ("y = x; y += 1", ""),
        ("x[[0, 1]].mul_(2)", ""),
        ("y = x.exp()", ""),
        ("y[x] = 1", ""),
        ("change = lambda x: x.add_(1)", ""),
    ],
)
def test_the_first_code_that_writes_into_an_argument_is_found(body: str, found: str) -> None:
    lines = "".join(f"    {line}\n" for line in body.split("; "))
    assert first_write(f"def f(x, y):\n{lines}    return x\n", "f", "x") == found


def test_a_layers_forward_is_looked_into() -> None:
    layer = "class Layer(nn.Module):\n    def __init__(self, x):\n        x[0] = 1\n"
    forward = "    def forward(self, x):\n        x += self.attention(x)\n        return x\n"
    assert first_write(layer + forward, "Layer", "x") == "x += self.attention(x)"
    assert first_write(layer + forward, "Layer", "mask") == ""


def test_source_that_is_not_python_shows_nothing() -> None:
    assert first_write("def f(x):\n    x +=\n", "f", "x") == ""
