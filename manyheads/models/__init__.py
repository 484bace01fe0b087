"""What lessons train and run: heads on a toy grammar, layers on repeated sequences, a model that writes, and MiniLM.

`toy_grammar`, for `ready_heads` and a `toy_model`, and `wonderland`, for a `writer`, are texts to train on. `minilm`
takes its weights from a `checkpoint` and its tokens from `wordpiece`.
"""

__all__ = [
    "attention_only",
    "checkpoint",
    "minilm",
    "published",
    "ready_heads",
    "toy_grammar",
    "toy_model",
    "wonderland",
    "wordpiece",
    "writer",
]
