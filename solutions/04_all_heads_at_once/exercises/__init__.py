"""The exercises of chapter 4, in the lesson's order."""

from . import from_torch, fuse_heads, merge_heads, multi_head_attention, padding_mask, split_heads

EXERCISES = [
    split_heads.EXERCISE,
    merge_heads.EXERCISE,
    padding_mask.EXERCISE,
    multi_head_attention.EXERCISE,
    fuse_heads.EXERCISE,
    from_torch.EXERCISE,
]
