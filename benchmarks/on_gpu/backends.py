"""The programs behind torch's scaled_dot_product_attention: which can be used, which is chosen, and what each makes of
a query that may attend to nothing, for which chapter 5's `fast_attention` promises zeros.
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from .findings import Findings

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_SEQ = 64


def run(findings: Findings, device: torch.device) -> None:
    """Try each backend with each kind of mask, in each dtype."""
    backends = [
        one for one in SDPBackend.__members__.values() if one not in (SDPBackend.ERROR, SDPBackend.OVERRIDEABLE)
    ]
    for dtype, d_head, kind in product(_DTYPES, (32, 128), ("nothing", "is_causal", "a mask", "a row blocked")):
        q, k, v = torch.randn(3, 2, 4, _SEQ, d_head, generator=torch.Generator().manual_seed(0)).to(device, dtype)
        mask = torch.ones(_SEQ, _SEQ, dtype=torch.bool, device=device).tril()
        mask[0, 0] = kind != "a row blocked"
        options: dict[str, Any] = (
            {"is_causal": True} if kind == "is_causal" else {} if kind == "nothing" else {"attn_mask": mask}
        )
        usable = {}
        for backend in backends:
            output = _with(backend, q, k, v, options)
            if output is not None:
                usable[backend.name] = output
        chosen = F.scaled_dot_product_attention(q, k, v, **options)
        what = f"{str(dtype).removeprefix('torch.')}, d_head {d_head}, {kind}"
        facts: dict[str, Any] = {"usable": list(usable), "chosen": _chosen(q, k, v, options)}
        if kind == "a row blocked":
            # batch, head, query, features: the first query may attend to nothing
            facts["first_query"] = {name: _described(output[:, :, 0]) for name, output in usable.items()}
            findings.add(what, _described(chosen[:, :, 0]) == "zeros", **facts)
        else:
            findings.add(what, bool(chosen.isfinite().all()), **facts)
    _both(findings, device)


def _with(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> Tensor | None:
    try:
        with warnings.catch_warnings(action="ignore"), sdpa_kernel([backend]):
            return F.scaled_dot_product_attention(q, k, v, **options)
    except RuntimeError:  # it cannot do that
        return None


def _chosen(q: Tensor, k: Tensor, v: Tensor, options: dict[str, Any]) -> str:
    """Return the backend that torch takes by itself, "unknown" for a torch that does not say."""
    choose = getattr(torch, "_fused_sdp_choice", None)
    try:
        return SDPBackend(choose(q, k, v, **options)).name if choose else "unknown"
    except (RuntimeError, TypeError, ValueError):
        return "unknown"


def _described(rows: Tensor) -> str:
    if rows.isnan().any():
        return "NaN"
    return "zeros" if (rows == 0).all() else "numbers"


def _both(findings: Findings, device: torch.device) -> None:
    """A mask and is_causal at once: the lesson says that one should not rely on what happens then."""
    for dtype in _DTYPES:
        q, k, v = torch.randn(3, 1, 2, _SEQ, 32).to(device, dtype)
        padding = torch.ones(1, 1, 1, _SEQ, dtype=torch.bool, device=device)
        padding[..., _SEQ // 2 :] = False
        causal = torch.ones(_SEQ, _SEQ, dtype=torch.bool, device=device).tril()
        wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=padding & causal)
        try:
            output = F.scaled_dot_product_attention(q, k, v, attn_mask=padding, is_causal=True)
        except RuntimeError as error:
            happens = f"refused: {str(error).splitlines()[0]}"
        else:
            happens = "both are applied" if torch.allclose(output, wanted, atol=1e-2) else "something else comes out"
        findings.add(f"a mask and is_causal at once, {dtype}", True, happens)
