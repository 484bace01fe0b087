# %% [markdown]
"""
# 5 · The same layer, fast
"""

# %% role="imports"
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manyheads import check, try_it
from manyheads.earlier import MultiHeadAttention, ParallelHeads, attention, causal_mask, merge_heads, split_heads


# %% exercise="best_device"
def best_device() -> torch.device:
    """Choose where to compute: an NVIDIA GPU if torch can use one, else Apple's GPU, else the CPU.

    Returns:
        torch.device("cuda"), torch.device("mps") or torch.device("cpu")
    """
    ### BEGIN SOLUTION
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
    ### END SOLUTION


# %% check="best_device.shapes" points=1
check.shapes(best_device)

# %% check="best_device.outputs" points=1
check.outputs(best_device)


# %% exercise="causal_mask_like"
def causal_mask_like(x: Tensor) -> Tensor:
    """Make the causal mask for a batch of sentences, on the device where they lie.

    Args:
        x: (batch, seq, d_model), on any device and of any dtype
    Returns:
        mask: bool (seq, seq) on x's device; row i is True in the columns 0 … i
    """
    ### BEGIN SOLUTION
    return causal_mask(x.shape[1], device=x.device)
    ### END SOLUTION


# %% check="causal_mask_like.shapes" points=1
check.shapes(causal_mask_like)

# %% check="causal_mask_like.outputs" points=1
check.outputs(causal_mask_like)


# %% exercise="time_on_device"
def time_on_device(fn: Callable[[], object], device: torch.device | str, warmup: int = 3, repeats: int = 20) -> float:
    """Measure how long `fn()` takes, until its work is really done.

    Args:
        fn: called without arguments, first `warmup` times, then `repeats` times
        device: where fn works. A GPU has nothing left to do whenever the clock starts or stops.
        warmup: calls that are not timed
        repeats: calls that are timed, each by itself, with time.perf_counter()
    Returns:
        the median of the timed calls, in seconds
    """
    ### BEGIN SOLUTION
    kind = torch.device(device).type

    def wait() -> None:
        """Return when the GPU has nothing left to do."""
        if kind == "cuda":
            torch.cuda.synchronize()
        elif kind == "mps":
            torch.mps.synchronize()

    for _ in range(warmup):
        fn()
    taken = []
    for _ in range(repeats):
        wait()
        start = time.perf_counter()
        fn()
        wait()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)
    ### END SOLUTION


# %% check="time_on_device.shapes" points=1
check.shapes(time_on_device)

# %% check="time_on_device.outputs" points=3
check.outputs(time_on_device)


# %% exercise="score_matrix_bytes"
def score_matrix_bytes(batch: int, num_heads: int, seq: int, dtype: torch.dtype) -> int:
    """Count the bytes of one layer's scores: (batch, num_heads, seq, seq) numbers of `dtype`.

    Args:
        batch, num_heads, seq: the sizes of the layer and its input; seq is both seq_q and seq_k
        dtype: of the scores
    Returns:
        the number of bytes, without making such a tensor
    """
    ### BEGIN SOLUTION
    return batch * num_heads * seq * seq * dtype.itemsize
    ### END SOLUTION


# %% check="score_matrix_bytes.shapes" points=1
check.shapes(score_matrix_bytes)

# %% check="score_matrix_bytes.outputs" points=1
check.outputs(score_matrix_bytes)


# %% exercise="fast_attention"
def fast_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, is_causal: bool = False) -> Tensor:
    """Let each query take a weighted average of the values, by torch's scaled_dot_product_attention.

    Args:
        q: (..., seq_q, d_head)
        k, v: (..., seq_k, d_head) each
        mask: bool, broadcasts to (..., seq_q, seq_k); True means "may attend". None blocks nothing. A query
            that may attend to nothing gets zeros.
        is_causal: True: query i may attend to the keys 0 … i. Not together with a mask: torch refuses that.
    Returns:
        output: (..., seq_q, d_head), as `attention` gives it
    """
    ### BEGIN SOLUTION
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)
    ### END SOLUTION


# %% check="fast_attention.shapes" points=1
check.shapes(fast_attention)

# %% check="fast_attention.outputs" points=3
check.outputs(fast_attention)


# %% exercise="FastMultiHeadAttention"
class FastMultiHeadAttention(nn.Module):
    """Multi-head attention that writes down no score matrix: MultiHeadAttention, by scaled_dot_product_attention.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads; it divides d_model
        dropout: share of the attention weights that is set to 0, in training mode only
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.num_heads = num_heads
        self.dropout = dropout
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Let the words of `query` attend to those of `key`.

        Args:
            query: (batch, seq_q, d_model)
            key: (batch, seq_k, d_model); None: the query's own words
            value: (batch, seq_k, d_model); None: the same words as key
            mask: bool, broadcasts to (batch, num_heads, seq_q, seq_k); True means "may attend"
            is_causal: True: query i may attend to the keys 0 … i. Not together with a mask.
        Returns:
            output: (batch, seq_q, d_model)
        """
        ### BEGIN SOLUTION
        key = query if key is None else key
        value = key if value is None else value
        # (batch, seq, d_model) -> (batch, num_heads, seq, d_head), three times
        q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)
        dropout = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal)
        # (batch, num_heads, seq_q, d_head) -> (batch, seq_q, d_model)
        return self.w_o(merge_heads(heads))
        ### END SOLUTION


# %% check="FastMultiHeadAttention.shapes" points=1
check.shapes(FastMultiHeadAttention)

# %% check="FastMultiHeadAttention.outputs" points=3
check.outputs(FastMultiHeadAttention)
