"""What lessons train and run: small heads on a toy grammar, attention layers on repeated sequences, and MiniLM.

`toy_grammar` makes the sentences that `ready_heads` and, in a `toy_model`, the learner's own layers are trained on.
`attention_only` has layers of the learner's own, one after the other, and nothing else.
`wonderland` is the book that a `writer` trains models to write.
`minilm` takes its weights from a `checkpoint`, and its tokens from `wordpiece`.
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
