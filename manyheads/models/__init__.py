"""What lessons train and run: small heads on a toy grammar, and MiniLM.

`toy_grammar` makes the sentences that `ready_heads` and, in a `toy_model`, the learner's own layers are trained on.
`minilm` takes its weights from a `checkpoint`, and its tokens from `wordpiece`.
"""

__all__ = ["checkpoint", "minilm", "ready_heads", "toy_grammar", "toy_model", "wordpiece"]
