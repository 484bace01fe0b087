"""What published models use: how many layers and heads they have, how wide a head is, and for how long a text.

Each line names its source. Only what the source says, or what follows from it, is here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published model's attention.

    Args:
        num_kv_heads: heads that have keys and values of their own.
        context: how many tokens of text it was made for.
        billions: of parameters, as its makers say.
        source: where these numbers are from.
    """

    name: str
    num_layers: int
    num_heads: int
    num_kv_heads: int
    d_head: int
    context: int
    billions: float
    source: str


_LLAMA_2 = (
    "Touvron and others, 2023, Llama 2: Open Foundation and Fine-Tuned Chat Models, https://arxiv.org/abs/2307.09288"
)
_LLAMA_3 = "Grattafiori and others, 2024, The Llama 3 Herd of Models, table 3, https://arxiv.org/abs/2407.21783"

PUBLISHED = (
    Published("GPT-2", 12, 12, 12, 64, 1024, 0.124, "Radford and others, 2019, table 2, smallest; d_model 768"),
    Published(
        "GPT-3", 96, 96, 96, 128, 2048, 175, "Brown and others, 2020, table 2.1, https://arxiv.org/abs/2005.14165"
    ),
    Published(
        "Falcon-7B", 32, 71, 1, 64, 2048, 7, "its model card, https://huggingface.co/tiiuae/falcon-7b; d_model 4544"
    ),
    Published("Llama 2 7B", 32, 32, 32, 128, 4096, 7, _LLAMA_2),
    Published("Llama 2 70B", 80, 64, 8, 128, 4096, 70, _LLAMA_2),
    Published("Llama 3.1 8B", 32, 32, 8, 128, 131_072, 8, _LLAMA_3),
    Published("Llama 3.1 405B", 126, 128, 8, 128, 131_072, 405, _LLAMA_3),
    Published(
        "Qwen2.5-7B",
        28,
        28,
        4,
        128,
        131_072,
        7.6,
        "its model card, https://huggingface.co/Qwen/Qwen2.5-7B; d_model 3584",
    ),
)
