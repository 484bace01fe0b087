# %% [markdown]
"""
# 5 · The same layer, fast

![2 million numbers go in, 134 million scores lie in between, 2 million come out.](pictures/question.svg)

Your layer of chapter 4 is right. Is it fast?

Look at what lies in between. A text of 4096 words with d_model 512 goes in as 2 million numbers and comes out as
2 million numbers. On the way your layer writes down, for each of 8 heads, how well each word fits each other word:
134 million scores, and then as many weights. Yet only the output is used. **Must all this be
written down?**

In this chapter you make the layer run on a GPU, measure it honestly, and then find out what becomes faster, what does
not, and why.

| | you write | it answers |
|---|---|---|
| 1 | `best_device` | Where do we compute? |
| 2 | `causal_mask_like` | How do I write code that runs anywhere? |
| 3 | `time_on_device` | How long does it really take? |
| 4 | `score_matrix_bytes` | How much memory do the scores need? |
| 5 | `block_attention` | How does it go without them? |
| 6 | `fast_attention` | How does torch do it? |
| 7 | `FastMultiHeadAttention` | What does the whole layer gain? |

You need no GPU. Every check works on a CPU, and where there is an NVIDIA GPU it runs your code there as well. But this
is the chapter where a GPU is fun: on Colab, choose *Runtime → Change runtime type → T4 GPU* before you start.
"""

# %% role="imports"
import math
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import (
    MultiHeadAttention,
    ParallelHeads,
    attention,
    causal_mask,
    merge_heads,
    split_heads,
)

# %% [markdown]
"""
This chapter builds on what you wrote before. Where your code has passed its checks on this machine, it is used here.
"""

# %%
earlier.whose(
    "causal_mask",
    "attention",
    "ParallelHeads",
    "split_heads",
    "merge_heads",
    "MultiHeadAttention",
)

# %% [markdown]
"""
## 1 · Where do we compute?   <sub>6 min · difficulty 1/5</sub>

Each tensor lies in some memory: that of the processor (CPU) or that of a graphics card (GPU). torch calls the place
its **device**. Work happens where the tensors lie.
"""

# %%
x = torch.randn(2, 7, 16)  # batch 2, seq 7, d_model 16
print("x lies on:                      ", x.device)
print("An NVIDIA GPU is available:     ", torch.cuda.is_available())
print("Apple's GPU is available:       ", torch.backends.mps.is_available())
print("This torch was built for CUDA:  ", torch.version.cuda is not None)

# %% [markdown]
"""
There are three kinds that matter here:

| device | what it is |
|---|---|
| `torch.device("cuda")` | an NVIDIA GPU, through a library named CUDA |
| `torch.device("mps")` | the GPU of an Apple computer |
| `torch.device("cpu")` | the processor; it is always there |

Look at the last line of the output. A torch that is *built* for CUDA often runs on a computer without an NVIDIA card.
What you want to know is whether a GPU is *available* now.

**Your turn.** Return the best device of the machine that the code runs on: CUDA if it is available, else Apple's GPU,
else the CPU. The check pretends to be all kinds of machines.

<details>
<summary>Hint 1</summary>

The two questions you need are in the cell above. Ask them in the right order, and return as soon as one says yes.

</details>

<details>
<summary>Hint 2</summary>

What is `bool(torch.cuda.is_available)`, without the brackets behind it? And is `"cpu" == torch.device("cpu")` true?
Print both.

</details>
"""


# %% exercise="best_device"
def best_device() -> torch.device:
    """Choose where to compute.

    It is an NVIDIA GPU if torch can use one, else Apple's GPU, else the CPU.

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

# %% [markdown]
"""
A layer and its input move with `.to(device)`. Then the output comes out there, too:
"""

# %%
with try_it():
    device = best_device()
    # a layer moves as a whole
    layer = MultiHeadAttention(d_model=16, num_heads=4).to(device)
    # a tensor is copied: x itself stays where it is
    output, weights = layer(x.to(device))
    print("output lies on", output.device)

# %% [markdown]
"""
## 2 · Code that runs anywhere   <sub>8 min · difficulty 2/5</sub>

`layer.to(device)` moves what the layer owns. It cannot move what your code makes on the way. A tensor that you make
is **on the CPU, in float32**, unless you say otherwise. On a CPU you do not notice. On a GPU it stops the program.

How do you test such a thing without a GPU? torch has a pretend device named `meta`. Tensors there have a shape, a dtype
and a device, and no numbers. It is picky in the same way:
"""

# %%
there = torch.randn(2, 7, 16, device="meta")  # plays sentences on a GPU
# (2, 7, 16) @ (2, 16, 7) -> (2, 7, 7), still there
scores = there @ there.transpose(-2, -1)
print(tuple(scores.shape), "on", scores.device)

forgetful = torch.ones(7, 7, dtype=torch.bool).tril()  # made on the CPU
try:
    scores.masked_fill(~forgetful, float("-inf"))
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
"""
The dtype is less loud. Nothing stops, and your numbers quietly change their kind:
"""

# %%
# a dtype with half the bytes; section 8 is about it
half = torch.randn(3, dtype=torch.bfloat16)
print("times a Python number:         ", (half * 2.0).dtype)
print("times a tensor you just made:  ", (half * torch.ones(3)).dtype)
print("times one made like it:        ", (half * torch.ones_like(half)).dtype)

# %% [markdown]
"""
In the second line the result has twice the bytes, and all that follows from it is slower. Both traps have the same way
out: **do not say where and in which dtype. Ask a tensor that is there.** `x.device` and `x.dtype` tell you.

**Your turn.** Make the causal mask for a batch of sentences, on the device where they lie. Your `causal_mask(seq,
device)` of chapter 1 is here. A mask holds True and False whatever the dtype of `x` is, so ask `x` for one thing and
not for the other.

<details>
<summary>Hint 1</summary>

How many words does a sentence of `x` have? `x` is (batch, seq, d_model). `len(x)` is the batch.

</details>

<details>
<summary>Hint 2</summary>

`causal_mask` takes two things, and `x` knows both. If the check on the pretend device fails: which of the two did you
not ask for?

</details>
"""


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

# %% [markdown]
"""
Now your layer of chapter 4 runs on the picky device:
"""

# %%
with try_it():
    layer = MultiHeadAttention(d_model=16, num_heads=4).to("meta")
    output, weights = layer(there, mask=causal_mask_like(there))
    print("output", tuple(output.shape), "on", output.device)

# %% [markdown]
"""
If that stops with an error about devices, the reason lies in your chapter 4: some tensor is made there without asking.

## 3 · How long does it really take?   <sub>13 min · difficulty 3/5</sub>

You want to know how long a call takes. Look at the clock, call, look at the clock again. What can go wrong?

![fn returns while the GPU has just begun. After synchronize the work is done.](pictures/queue.svg)

**The GPU works while Python goes on.** A call only puts work into the GPU's queue and returns. Stop the clock then, and
you have measured how long it takes to *order* the work.

You can see it without a GPU. Here a second thread plays one: it takes orders and works through them one by one. Each
job takes 30 ms.
"""

# %%
from concurrent.futures import ThreadPoolExecutor, wait

pretend_gpu = ThreadPoolExecutor(max_workers=1)

start = time.perf_counter()
job = pretend_gpu.submit(time.sleep, 0.03)  # order the work; returns at once
taken = 1000 * (time.perf_counter() - start)
print(f"clock stopped after the call:     {taken:6.2f} ms")
wait([job])  # wait until the work is done
taken = 1000 * (time.perf_counter() - start)
print(f"clock stopped after the waiting:  {taken:6.2f} ms")

# three jobs for warm-up, without waiting
jobs = [pretend_gpu.submit(time.sleep, 0.03) for _ in range(3)]
start = time.perf_counter()
wait([pretend_gpu.submit(time.sleep, 0.03)])  # one job, and we do wait
taken = 1000 * (time.perf_counter() - start)
print(f"clock started while it was busy:  {taken:6.2f} ms")
pretend_gpu.shutdown()

# %% [markdown]
"""
The first number is a lie, and so is the last: the timed job was in the queue behind three others. So: **wait before
you start the clock, and wait before you stop it.** The call that waits is `torch.cuda.synchronize()`, and on Apple's
GPU `torch.mps.synchronize()`. On a machine without CUDA the first one fails, so call it only if the device's `type` is
`"cuda"`.

**Measure your code, not your neighbours.** On a CPU, torch shares a large product out among several threads, and one
that waits for a busy core holds up all the others. So from here on one thread computes. (Where you have set
`OMP_NUM_THREADS`, it is as many as you said.)

**No two calls take equally long.** Here are 40 calls of one layer, on this machine:
"""

# %%
from manyheads.threads import limit

limit(1)
torch.manual_seed(0)
layer, x = nn.Linear(256, 256), torch.randn(64, 256)
taken = []
for _ in range(40):
    start = time.perf_counter()
    layer(x)
    taken.append(1e6 * (time.perf_counter() - start))  # in microseconds
print("the first five: ", ", ".join(f"{one:.0f} µs" for one in taken[:5]))
print("the last five:  ", ", ".join(f"{one:.0f} µs" for one in taken[-5:]))
print(
    f"fastest {min(taken):.0f} µs, median {statistics.median(taken):.0f} µs, "
    f"mean {statistics.mean(taken):.0f} µs, slowest {max(taken):.0f} µs"
)

# %% [markdown]
"""
The first calls are often the slowest: code is loaded, memory is fetched, caches are cold. They are the **warm-up** and
do not count. Later calls, too, are slow now and then, when something else happens on the machine. One of them is enough
to move the mean. The **median**, the value in the middle of the sorted times, hardly notices.

**Your turn.** Write the stopwatch for the rest of this chapter. Call `fn()` a few times for warm-up. Then time each of
`repeats` calls by itself, with `time.perf_counter()`, and return the median in seconds. `device` says where `fn` works.

The check runs your code on a pretend clock, with a pretend GPU where `device` is `cuda`: there you know how long each
call *should* take. (It has no Apple GPU. If you have one, wait for it, too.)

<details>
<summary>Hint 1</summary>

Around each timed call there are four steps: wait, look at the clock, call, wait. Then look at the clock again. Do you
wait on a CPU? There is nothing to wait for.

</details>

<details>
<summary>Hint 2</summary>

`torch.device(device).type == "cuda"` is the question, and it works for a name as well as for a device. (A
`torch.device` never equals a string.) Collect the times in a list; `statistics.median` takes a list.

</details>
"""


# %% exercise="time_on_device"
def time_on_device(
    fn: Callable[[], object],
    device: torch.device | str,
    warmup: int = 3,
    repeats: int = 20,
) -> float:
    """Measure how long `fn()` takes, until its work is really done.

    Args:
        fn: called without arguments, first `warmup` times, then `repeats` times
        device: where fn works. A GPU has nothing left to do whenever the clock starts
            or stops.
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

# %% [markdown]
"""
Your stopwatch at work. Does it make a difference how many numbers there are?
"""

# %%
with try_it():
    device = best_device()

    def seconds_of_product(size: int) -> float:
        left, right = torch.randn(2, size, size, device=device)
        return time_on_device(lambda: left @ right, device)

    for size in (16, 64, 256):
        seconds = seconds_of_product(size)
        shape = f"({size:3}, {size:3})"
        print(f"{shape} @ {shape}: {1000 * seconds:8.3f} ms", end="")
        print(f", {size**3 / seconds / 1e9:7.2f} billion multiplications a second")

# %% [markdown]
"""
Look at the last column: of a small product, most of the time is spent on everything except multiplying. Keep that in
mind when you think of a loop over heads.

## 4 · The matrix of all scores   <sub>7 min · difficulty 1/5</sub>

Time is one price, memory the other. The scores of one layer have the shape `(batch, num_heads, seq, seq)`. How many
bytes is that? Each number takes as many as its dtype says:
"""

# %%
for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
    print(f"{dtype!s:15} {dtype.itemsize} bytes for a number")

# %% [markdown]
"""
**Your turn.** Count the bytes of one layer's scores. Count, do not build: one of the cases has a million words, and no
machine can hold its scores.

<details>
<summary>Hint 1</summary>

How many numbers are there in a tensor of the shape `(batch, num_heads, seq, seq)`?

</details>

<details>
<summary>Hint 2</summary>

One sentence of 3 words, 2 heads, float32: that makes 72 bytes. Which numbers have you multiplied?

</details>
"""


# %% exercise="score_matrix_bytes"
def score_matrix_bytes(batch: int, num_heads: int, seq: int, dtype: torch.dtype) -> int:
    """Count the bytes of one layer's scores, (batch, num_heads, seq, seq) of `dtype`.

    Args:
        batch, num_heads, seq: the sizes of the layer and its input; seq is both seq_q
            and seq_k
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

# %% [markdown]
"""
Now see what a long text costs: one sentence, 32 heads, 2 bytes for a number. Beside it the input of such a layer, with
d_model 4096.
"""

# %%
with try_it():
    print("   words        input       scores of one layer")
    for seq in (1024, 8192, 131_072):
        scores = score_matrix_bytes(1, 32, seq, torch.bfloat16)
        print(f"{seq:8,} {seq * 4096 * 2 / 2**30:8.3f} GiB {scores / 2**30:12,.2f} GiB")

# %% [markdown]
"""
(A GiB is 2³⁰ bytes.)
Twice the words need four times the memory. There are models that read 131,072 words at once, and no GPU has room for
such scores: the largest have a few hundred GiB. So these models cannot be doing what your layer does.

It is not only counting. Let us ask torch what it really keeps. When a layer is trained, all that the backward pass will
need must be kept in memory. `kept_bytes` adds it up:
"""

# %%
from manyheads.measuring.memory import kept_bytes

with try_it():
    layer = MultiHeadAttention(d_model=64, num_heads=4)

    def kept_for(seq: int) -> int:
        x = torch.randn(1, seq, 64)
        return kept_bytes(lambda: layer(x)[0], but=[x, *layer.parameters()])

    print("words    all scores of the layer    kept by your layer of chapter 4")
    for seq in (64, 128, 256, 512):
        scores = score_matrix_bytes(1, 4, seq, torch.float32)
        print(f"{seq:5} {scores / 2**20:19.2f} MiB {kept_for(seq) / 2**20:22.2f} MiB")

# %% [markdown]
"""
The longer the text, the more the kept bytes grow like the score matrix. All the rest (queries, keys, values) grows only
like `seq`, and soon does not matter.

## 5 · Without the matrix   <sub>25 min · difficulty 4/5</sub>

Can you average values without having all the weights at once? Softmax divides by the sum of a whole row, so it seems
that the whole row must be there. But **a sum can be taken in pieces**. Here is one query with 1000 keys. One way has
all weights at once; the other never sees more than 100 scores:
"""

# %%
torch.manual_seed(0)
scores, values = torch.randn(1000), torch.randn(1000, 4)
whole = scores.softmax(dim=0) @ values  # (1000) @ (1000, 4) -> (4)


def in_pieces(scores: Tensor) -> Tensor:
    total, mixed = 0.0, torch.zeros(4)
    for begin in range(0, 1000, 100):
        shares = scores[begin : begin + 100].exp()  # not divided yet
        total += shares.sum()
        mixed += shares @ values[begin : begin + 100]  # (100) @ (100, 4) -> (4)
    return mixed / total


print("largest difference:", (in_pieces(scores) - whole).abs().max().item())
print("with scores 50 times as large:", in_pieces(50 * scores).tolist())

# %% [markdown]
"""
The same, up to rounding: divide once, at the end. But with large scores it fails: float32 cannot hold e to the
power of 89. `softmax` avoids that by subtracting the row's largest score from all of its scores first. That changes
nothing, since numerator and denominator shrink by the same factor. Now the largest score may be in the last block, and
you do not know it while you work on the first.

The way out is to subtract **the largest score so far**. When a later block has a larger one, everything that you have
summed was measured against the old maximum, and one multiplication brings it up to date:

**e^(s − old) · e^(old − new) = e^(s − new)**

In numbers: four scores, 1 and 3 in the first block, 5 and 2 in the second.

| after block | largest so far | the old sum, brought up to date | new shares | sum |
|---|---|---|---|---|
| 1 | 3 | nothing yet | e⁻² + e⁰ = 1.135 | 1.135 |
| 2 | 5 | 1.135 · e⁻² = 0.154 | e⁰ + e⁻³ = 1.050 | 1.203 |

And all at once: e⁻⁴ + e⁻² + e⁰ + e⁻³ = 1.203. The weighted sum of the values is brought up to
date in the same way. This is called **online softmax** (Milakov and Gimelshein, 2018). Move a block over the scores of
six queries, and watch what is carried from one block to the next:
"""

# %%
from manyheads.widgets import block_walk

block_walk()

# %% [markdown]
"""
Why is this worth the trouble? Because of where numbers lie:

![All scores do not fit into the small fast memory. A block of them does.](pictures/memories.svg)

A GPU has a large memory, and a small one beside its arithmetic units. On an A100 they hold 40 GB and 20 MB, and pass on
1.5 and 19 TB a second (Dao and others, 2022, figure 1). The matrix of all scores does not fit into the small one, so
each step on it (divide, mask, softmax) reads the whole of it from the large memory and writes it back. A block of
scores does fit: it is computed, used and forgotten without ever being written to the large memory.

![All scores at once, or a block at a time, with three numbers kept for each query.](pictures/blocks.svg)

That is the idea of **FlashAttention**, from the same paper: take a block of queries and a block of keys, compute their
scores, use them, forget them. It does not multiply less. It *writes and reads* less, and the paper shows that on a GPU
this is what takes the time. In the backward pass it computes the scores once more, rather than keeping them.

**Your turn.** Write attention a block of keys at a time, for all queries at once. Carry three things from one block to
the next: for each query the largest score so far, the sum of its shares, and the sum of the values, each times its
share. (If you find a way that carries fewer, it is as right.) The check also looks at every tensor that your code
makes: none may have more numbers than the scores of one block, (…, seq_q, block), or than the largest of the inputs.

<details>
<summary>Hint 1</summary>

Go through the table above as a program would: what is carried from row to row, and what is done with it when a new
maximum comes? The output is treated as the sum is. What must the maximum be before the first block, so that any score
is larger?

</details>

<details>
<summary>Hint 2</summary>

Keep the maximum and the sum as (…, seq_q, 1), so that they broadcast over scores and output. Slices may end behind the
last key. For `is_causal`, compare each key's number *in the whole sentence* with the query's number. If something is
NaN: is there an ∞ − ∞ in your exponents?

</details>
"""


# %% exercise="block_attention"
def block_attention(
    q: Tensor, k: Tensor, v: Tensor, block: int, is_causal: bool = False
) -> Tensor:
    """Let each query take a weighted average of the values, a block of keys at a time.

    Args:
        q: (..., seq_q, d_head)
        k, v: (..., seq_k, d_head) each
        block: how many keys to work on at once; the last block may have fewer
        is_causal: True: query i may attend to the keys 0 … i
    Returns:
        output: (..., seq_q, d_head), as `attention` gives it. No tensor that is made on
            the way is larger than (..., seq_q, block), or than the largest of q, k, v.
    """
    ### BEGIN SOLUTION
    seq_q, d_head = q.shape[-2:]
    # (..., seq_q, 1): the largest score so far
    largest = q.new_full((*q.shape[:-1], 1), float("-inf"))
    # (..., seq_q, 1): the sum of the shares so far
    total = torch.zeros_like(largest)
    # (..., seq_q, d_head): the sum of the values, each times its share
    output = torch.zeros_like(q)
    queries = torch.arange(seq_q, device=q.device).unsqueeze(-1)  # (seq_q, 1)
    for begin in range(0, k.shape[-2], block):
        keys = k[..., begin : begin + block, :]
        values = v[..., begin : begin + block, :]
        # (..., seq_q, d_head) @ (..., d_head, block) -> (..., seq_q, block)
        scores = q @ keys.transpose(-2, -1) / math.sqrt(d_head)
        if is_causal:
            # (block): the keys' numbers in the whole sentence
            numbers = torch.arange(begin, begin + keys.shape[-2], device=q.device)
            scores = scores.masked_fill(numbers > queries, float("-inf"))
        new = torch.maximum(largest, scores.amax(dim=-1, keepdim=True))
        shrink = torch.exp(largest - new)
        shares = torch.exp(scores - new)
        total = total * shrink + shares.sum(dim=-1, keepdim=True)
        output = output * shrink + shares @ values
        largest = new
    return output / total
    ### END SOLUTION


# %% check="block_attention.shapes" points=1
check.shapes(block_attention)

# %% check="block_attention.outputs" points=3
check.outputs(block_attention)

# %% [markdown]
"""
What have you gained? Before you run the next cell: how does the memory of `attention` grow when a text becomes twice as
long, and how does that of `block_attention`? And which of them is faster, in Python and on this machine?
"""

# %%
from manyheads.measuring.memory import peak_bytes

with try_it():
    device = best_device()

    def cost(fn: Callable[[], object]) -> str:
        peak, seconds = peak_bytes(fn, device), time_on_device(fn, device, repeats=5)
        memory = "" if peak is None else f"{peak / 2**20:8.1f} MiB "
        return f"{memory}{1000 * seconds:7.1f} ms"

    def compare_costs(seq: int) -> None:
        # batch 1, 4 heads, d_head 32
        q, k, v = torch.randn(3, 1, 4, seq, 32, device=device)
        at_once = cost(lambda: attention(q, k, v)[0])
        in_blocks = cost(lambda: block_attention(q, k, v, block=64))
        print(f"{seq:5} {at_once:>24} {in_blocks:>24}")

    print(f"words {'attention':>24} {'block_attention':>24}")
    for seq in (256, 512, 1024, 2048):
        compare_costs(seq)

# %% [markdown]
"""
The memory of `attention` grows like seq², yours like seq. (Chapter 1's `attention` also has to return its weights.)

The time is another matter. Your loop makes many small calls in place of a few large ones, and each of them reads its
block and writes it back. For a short text that is slower. For a long one it may be faster all the same: the caches of a
CPU are a small fast memory, too. To gain all that there is to gain, the whole loop has to run inside the small memory,
without writing anything back. That takes a program for the GPU, a *kernel*.

## 6 · torch's own   <sub>8 min · difficulty 2/5</sub>

You need not write that one yourself. torch has it, in one function, for each kind of device:

`F.scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False)`

It is called **SDPA** for short. What you should know about it:

- Its fifth argument is `dropout_p`. A call with `(q, k, v, mask, is_causal)` makes `is_causal` the dropout, without a
  complaint. So pass everything after `value` by name.
- It divides by √d_head itself.
- A boolean `attn_mask` means what it means in this course: True is "may attend". (torch's layer
  `nn.MultiheadAttention` has it the other way round.)
- `is_causal=True` blocks the future without any mask: query *i* attends to the keys 0 … *i*. Blocks above the diagonal
  need not be computed at all.
- It returns the output alone. There are no weights to return.

What if you give it a mask *and* `is_causal`?
"""

# %%
q, k, v = torch.randn(3, 2, 4, 7, 8)  # batch 2, 4 heads, seq 7, d_head 8
padding = torch.ones(2, 1, 1, 7, dtype=torch.bool)
padding[1, ..., 5:] = False  # the second sentence has only 5 words
# (2, 1, 1, 7) & (7, 7) -> (2, 1, 7, 7): what both allow
both = padding & causal_mask(7)
wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=both)
try:
    output = F.scaled_dot_product_attention(q, k, v, attn_mask=padding, is_causal=True)
    same = torch.allclose(output, wanted, atol=1e-6)
    print("the same as with both in one mask:", same)
except RuntimeError as error:
    print("RuntimeError:", error)

# %% [markdown]
"""
The documentation says that this is an error. Some of the programs behind the function refuse, others apply both; which
one you get depends on the device and the dtype. So never rely on it: put both into one mask, as `both` above.

**Your turn.** Write `attention` once more, with this function. Pass on what the caller gave you; a query that may
attend to nothing is the function's business, too. The check compares it
with your `attention` of chapter 1, in several dtypes, and watches whether SDPA is really called.

<details>
<summary>Hint 1</summary>

It is a single call. Which of the function's arguments do you have, and under which name?

</details>

<details>
<summary>Hint 2</summary>

If your result differs from `attention`, you are doing something that the function does already. Read the list above
once more, and pass on what you were given, None included.

</details>
"""


# %% exercise="fast_attention"
def fast_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, is_causal: bool = False
) -> Tensor:
    """Let each query take a weighted average of the values.

    It is computed by torch's scaled_dot_product_attention.

    Args:
        q: (..., seq_q, d_head)
        k, v: (..., seq_k, d_head) each
        mask: bool, of two or more dimensions, broadcasts to (..., seq_q, seq_k); True
            means "may attend". None blocks nothing. A query that may attend to nothing
            gets zeros.
        is_causal: True: query i may attend to the keys 0 … i. Never given together with
            a mask.
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

# %% [markdown]
"""
Do the two agree? "Equal" depends on how many digits the dtype keeps. `eps` is the distance from 1 to the next number:
"""

# %%
with try_it():

    def compare(dtype: torch.dtype, device: torch.device) -> None:
        torch.manual_seed(0)
        # batch 1, 4 heads, seq 256, d_head 16
        q, k, v = torch.randn(3, 1, 4, 256, 16).to(device, dtype)
        mask = causal_mask(256, device)
        by_hand, _ = attention(q, k, v, mask)
        difference = by_hand - fast_attention(q, k, v, is_causal=True)
        difference = difference.abs().max().item()
        for tensor in (q, k, v):
            tensor.requires_grad_()
        slow = kept_bytes(lambda: attention(q, k, v, mask)[0], but=(q, k, v, mask))
        fast = kept_bytes(
            lambda: fast_attention(q, k, v, is_causal=True), but=(q, k, v)
        )
        print(f"{dtype!s:15} {torch.finfo(dtype).eps:8.1e} {difference:12.1e}", end="")
        print(f" {slow / 2**20:19.2f} MiB {fast / 2**20:12.2f} MiB")

    print("                               largest", end="    ")
    print("kept for backward:    kept for backward:")
    print("dtype                eps    difference", end="    ")
    print("         attention        fast_attention")
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        compare(dtype, best_device())

# %% [markdown]
"""
The differences are a few `eps`: rounding. That is why a test with one tolerance for all dtypes is either blind or
wrong. And the second column of bytes no longer holds any score matrix.

What about a query that may attend to nothing? Your `attention` gives zeros. torch's documentation makes no promise
there; it used to be NaN. So ask your torch, on your device:
"""

# %%
with try_it():
    q, k, v = torch.randn(3, 1, 1, 4, 8, device=best_device())
    # nothing for the first query: (seq_q, 1) -> (seq_q, seq_k)
    mask = torch.tensor([[False], [True], [True], [True]], device=q.device).expand(4, 4)
    print("first query:", fast_attention(q, k, v, mask)[0, 0, 0].tolist())

# %% [markdown]
"""
## 7 · The fast layer   <sub>12 min · difficulty 3/5</sub>

The layer around it stays the same: four projections, split, attend, merge, project. Only the middle changes. Three
things need care.

**Dropout.** In training, your layer of chapter 4 sets a share of the weights to 0. Now the weights never come out, so
only the function can do it: `dropout_p`. But it is a *function*. `nn.Dropout` knows whether the layer is in training or
evaluation mode; a function does not. See what it does after `eval()`:
"""

# %%
torch.manual_seed(6)
q, k, v = torch.randn(3, 1, 1, 3, 4)
layer = nn.Module().eval()  # any module knows its mode
print("training?", layer.training)
for attempt in (1, 2):
    output = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5)
    print(f"attempt {attempt}:", output[0, 0, 0].tolist())

# %% [markdown]
"""
The same input, and another output each time: it drops whenever `dropout_p` is not 0. A model that is used must not roll
dice. `self.training` says in which mode a module is.

**Order of dimensions.** SDPA lets the last but one dimension attend: `(batch, num_heads, seq, d_head)`, which is what
`split_heads` gives you. With `(batch, seq, num_heads, d_head)` it runs without a complaint, and the heads of each word
attend to each other.

**Names.** The weights of your `MultiHeadAttention` should fit in here without any change, so the four layers are called
`w_q`, `w_k`, `w_v` and `w_o` again.

**Your turn.** Write the layer. `key` and `value` may be None, as in chapter 4: then the query's words serve as keys,
and the key's words as values. It returns the output alone.

<details>
<summary>Hint 1</summary>

Start from your layer of chapter 4. Which line changes? `fast_attention` has no dropout, so call
`F.scaled_dot_product_attention` itself.

</details>

<details>
<summary>Hint 2</summary>

In chapter 4, `nn.Dropout` knew the mode by itself. Who knows it here, and what must `dropout_p` be in each of the two
modes? Everything before the attention and after it stays as it was.

</details>
"""


# %% exercise="FastMultiHeadAttention"
class FastMultiHeadAttention(nn.Module):
    """Multi-head attention that writes down no score matrix.

    It is MultiHeadAttention, computed by scaled_dot_product_attention.

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
            mask: bool, of two or more dimensions, broadcasts to (batch, num_heads,
                seq_q, seq_k); True means "may attend". Where a word may attend to
                nothing, its heads return zeros.
            is_causal: True: query i may attend to the keys 0 … i. Never given together
                with a mask.
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
        heads = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, dropout_p=dropout, is_causal=is_causal
        )
        # (batch, num_heads, seq_q, d_head) -> (batch, seq_q, d_model)
        return self.w_o(merge_heads(heads))
        ### END SOLUTION


# %% check="FastMultiHeadAttention.shapes" points=1
check.shapes(FastMultiHeadAttention)

# %% check="FastMultiHeadAttention.outputs" points=3
check.outputs(FastMultiHeadAttention)

# %% [markdown]
"""
Give it the weights of your layer of chapter 4. Do outputs *and* gradients agree?
"""

# %%
with try_it():
    device = best_device()
    torch.manual_seed(0)
    slow = MultiHeadAttention(64, 8).to(device)
    fast = FastMultiHeadAttention(64, 8).to(device)
    fast.load_state_dict(slow.state_dict())
    x = torch.randn(2, 50, 64, device=device, requires_grad=True)
    one, other = slow(x, mask=causal_mask_like(x))[0], fast(x, is_causal=True)
    print("largest difference of the outputs:  ", (one - other).abs().max().item())
    [g_one] = torch.autograd.grad(one.sum(), x)
    [g_other] = torch.autograd.grad(other.sum(), x)
    print("largest difference of the gradients:", (g_one - g_other).abs().max().item())

# %% [markdown]
"""
The price: there are no weights to look at. To see what a head looks at, you still need your layer of chapter 4. The
next chapter does.

## 8 · Half the bytes   <sub>4 min</sub>

A float32 takes 4 bytes. Two dtypes take 2, and they spend them differently:
"""

# %%
print("dtype            largest number   from 1 to the next     70000 becomes")
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    about = torch.finfo(dtype)
    stored = torch.tensor(70_000.0, dtype=dtype).item()
    print(f"{dtype!s:15} {about.max:15.2g} {about.eps:15.1e} {stored:18.0f}")

# %% [markdown]
"""
float16 keeps more digits, and overflows soon: scores and gradients beyond 65504 become infinite. bfloat16 reaches as
far as float32 and keeps two or three digits. Networks forgive few digits more easily than infinities, so many large
models are trained in bfloat16.

How far off is your layer in bfloat16? The weights are rounded, and so is each step:
"""

# %%
with try_it():
    device = best_device()
    torch.manual_seed(0)
    layer = FastMultiHeadAttention(64, 8).to(device)
    x = torch.randn(2, 50, 64, device=device)
    with torch.no_grad():
        exact = layer(x, is_causal=True)
        rounded = layer.to(torch.bfloat16)(x.to(torch.bfloat16), is_causal=True)
    error = (rounded.float() - exact).abs().max() / exact.abs().max()
    print(f"bytes of the output: {exact.nbytes} and {rounded.nbytes}")
    print(f"largest error: {100 * error:.2f}% of the largest entry")

# %% [markdown]
"""
Half the bytes are certain. Half the *time* is not: only hardware with circuits for bfloat16 gains. The measurement
below tells you about yours. (A T4, the GPU that Colab gives you, has none.)

## 9 · Let torch write the code   <sub>3 min</sub>

Your layer of chapter 4 has several steps on the scores: divide, mask, softmax, mask again. Each step reads the whole
matrix and writes a new one. `torch.compile` reads your Python once, and writes a program that does such steps together.
It needs a compiler for that: C++ on a CPU, and torch's own on a GPU. Where there is none, it cannot work. Then the cell
says why, and you go on without.

The first call compiles, which may take half a minute:
"""

# %%
from manyheads.measuring.contestants import compiled, why_not_compiled

with try_it():
    device = best_device()
    torch.manual_seed(0)
    layer = MultiHeadAttention(256, 8).to(device)
    x = torch.randn(2, 256, 256, device=device)
    mask = causal_mask_like(x)

    def plain() -> Tensor:
        return layer(x, mask=mask)[0]

    quick = compiled(plain)
    with torch.no_grad():
        start = time.perf_counter()
        try:
            output = quick()
        except Exception as error:  # a compiler can fail in many ways
            print("torch.compile does not work here:", why_not_compiled(error))
        else:
            print(f"first call: {time.perf_counter() - start:.1f} s")
            print("largest difference:", (output - plain()).abs().max().item())
            for name, fn in {"plain": plain, "compiled": quick}.items():
                print(f"{name:8} {1000 * time_on_device(fn, device):7.2f} ms", end="")
                peak = peak_bytes(fn, device)
                print("" if peak is None else f", {peak / 2**20:5.1f} MiB at its peak")

# %% [markdown]
"""
Is the compiled one faster? On one thread of the CPU on which this was written it was not. And does it need less memory?
torch also looks for the steps of attention in what you wrote. Where it recognises them, it puts SDPA in their place,
and the score matrix is gone. It does not always: a small change of your code, or asking for the weights, and it is
back. So measure, or call SDPA yourself.

## 10 · The measurement   <sub>8 min</sub>

Now all of them side by side, with the same weights:

| name | what it is |
|---|---|
| loop over heads | your `ParallelHeads` of chapter 3 |
| one fused layer | your `MultiHeadAttention` of chapter 4 |
| fused, compiled | the same, by `torch.compile` |
| nn.MultiheadAttention | torch's own layer |
| SDPA | your `FastMultiHeadAttention` |

**Compare first, then measure.** A wrong answer can be as fast as you like. So the measuring module compares outputs,
and gradients of the input, with those of torch's own layer with its score matrix written out. A layer that is too far
off is not timed.

*forward* is the layer in use: no gradients. *forward + backward* is a step of training. All are causal. Sizes are small
on a CPU and larger on a GPU, and a CPU skips the compiled training step, since compiling it takes
too long for a lesson. Memory is what torch hands out above weights and input: on CUDA counted by its allocator, on a
CPU by torch's profiler, on Apple's GPU not at all.

A bar and a point are medians. The thin line across the end of a bar, and the faint one behind a point, is the
**spread**: half of the calls took a time within it. Do not believe a difference that is smaller than the spreads. If
something else keeps the machine busy, the spreads are long; then the cell says "Unsteady, run again", and a bar's time
has a question mark behind it.

Before you look: which one do you expect to win, and by how much? Does num_heads matter? And seq? Type into the next
cell how many times as fast as the loop over heads you expect them to be, in use.
"""

# %%
my_guesses = {"one fused layer": None, "SDPA": None}  # for example 1.5

# %%
from dataclasses import replace

from IPython.display import display

from manyheads.measuring import measure, recorded
from manyheads.measuring.contestants import COMPILED, VARIANTS, Layers
from manyheads.pictures import charts


def compete(
    settings: list[measure.Setting], variants: tuple[str, ...] = VARIANTS
) -> list[measure.Measured]:
    """Compare and measure your own layers with your own stopwatch."""
    layers = Layers(ParallelHeads, MultiHeadAttention, FastMultiHeadAttention)
    measured = measure.race(settings, layers, best_device(), time_on_device, variants)
    for one in measured:
        if one.note:
            print(f"{one.variant}, {charts.sizes(one.setting)}: {one.note}")
    print(measure.what_was_unsteady(measured), end="")
    return measured


def both_ways(setting: measure.Setting) -> list[measure.Setting]:
    return [setting, replace(setting, backward=True)]


without_compiling = tuple(name for name in VARIANTS if name != COMPILED)
if recorded.all_recordings():
    print("Measurements that came with the course:")
for one in recorded.all_recordings():
    print(f"  {one.title}, torch {one.versions['torch']}, {one.date}")

# %%
with try_it():
    device = best_device()
    base = measure.plan(device).base
    print(charts.sizes(base))
    trained = VARIANTS if device.type == "cuda" else without_compiling
    forward = compete([base])
    seconds = {one.variant: one.seconds for one in forward}
    for name, guess in my_guesses.items():
        if seconds.get(name) and seconds.get("loop over heads"):
            times = seconds["loop over heads"] / seconds[name]
            print(f"{name}: {times:.1f} times as fast as the loop. Your guess: {guess}")
    measured = [*forward, *compete([replace(base, backward=True)], trained)]
    panels = charts.side_by_side(measured, device, lambda plan: both_ways(plan.base))
    display(charts.bars(panels))

# %% [markdown]
"""
**num_heads.** The weights and the multiplications stay the same (you counted them in chapter 3). Does the time?
"""

# %%
with try_it():
    plan = measure.plan(device)
    measured = compete(plan.over_heads(backward=False), without_compiling)
    panels = charts.side_by_side(
        measured, device, lambda plan: plan.over_heads(backward=False)
    )
    display(charts.curves(panels, along="num_heads"))

# %% [markdown]
"""
**seq.** Both axes are logarithmic: a line that climbs one step for each step to the right grows like `seq`, one that
climbs two grows like `seq²`. First the layer in use, then a step of training:
"""

# %%
with try_it():
    plan = measure.plan(device)
    settings = [*plan.over_seq(backward=False), *plan.over_seq(backward=True)]
    measured = compete(settings, without_compiling)
    in_use = charts.side_by_side(
        measured, device, lambda plan: plan.over_seq(backward=False)
    )
    in_training = charts.side_by_side(
        measured, device, lambda plan: plan.over_seq(backward=True)
    )
    for title, panels in {"forward": in_use, "forward + backward": in_training}.items():
        print(f"time, {title}")
        display(charts.curves(panels, along="seq"))

# %% [markdown]
"""
And the memory, of the same calls:
"""

# %%
with try_it():
    for title, panels in {"forward": in_use, "forward + backward": in_training}.items():
        print(f"peak memory, {title}")
        display(charts.curves(panels, along="seq", of="peak_bytes"))

# %% [markdown]
"""
**bfloat16.** The same sizes as at first, with half the bytes:
"""

# %%
with try_it():
    halved = replace(measure.plan(device).base, dtype=torch.bfloat16)
    print(charts.sizes(halved))
    measured = compete(both_ways(halved), without_compiling)
    panels = charts.side_by_side(
        measured,
        device,
        lambda plan: both_ways(replace(plan.base, dtype=torch.bfloat16)),
    )
    display(charts.bars(panels))

# %% [markdown]
"""
Read your own figures:

- At the longest `seq`, how many times less memory does SDPA need than the fused layer?
- With more heads the multiplications stay the same. Which lines rise nevertheless, and what do they have to write more
  of?
- Where do two lines cross, so that the "slow" way is faster? For how many words?
- Is bfloat16 faster on your device, or only smaller?

<details>
<summary>What to look for</summary>

*Memory.* Where the scores are written down, it climbs nearly two steps for each step of `seq`; SDPA's climbs one. The
loop can get by with less than the fused layer: it has the scores of one head at a time, the fused layer those of all
heads at once, and more than one copy of them, since each step on them writes a new one.

*More heads.* There are more score matrices, `num_heads · seq²` numbers. The layers that write them down take longer,
the loop and the fused layer alike. SDPA has none to write.

*Fused or loop?* The loop has `3 · num_heads` small products where the fused layer has three large ones, and small
products use a device badly, as you saw in section 3. For short texts that counts. The longer the text, the more of the
time goes into the scores, and both write those down. On one thread of the CPU on which this was written, the loop took
twice as long as the fused layer for 64 words, and for 512 words no longer. SDPA was three times as fast as both
by then. On a CPU it is not the fusing that makes a long text fast, but the scores that are never written.

*bfloat16.* Whether it pays depends on your hardware, not on the dtype.

torch's own layer has two paths inside. In training it uses SDPA, as you do. In use, without gradients, it takes a path
of its own; whether that one writes the scores down, the memory tells you.

</details>

Want to measure more? `python benchmarks/attention.py`, in the course's repository, makes the same measurements from the
command line and writes them down.
"""

# %% [markdown]
"""
## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "You time a call on a GPU with perf_counter and nothing else. What have you measured?",
        (
            "How long it takes to put the work into the GPU's queue",
            "The call returns as soon as the work is ordered. Synchronise before you read the clock.",
        ),
        (
            "How long the GPU works",
            "Only if something made Python wait for it, such as synchronize() or reading a number with .item().",
        ),
        (
            "How long the GPU works, plus the time to copy the result back",
            "Nothing is copied back until you ask for it. The result stays on the GPU.",
        ),
    ),
    multiple_choice(
        "A text becomes twice as long. How much more memory do the scores of one layer need?",
        ("Four times as much", "seq × seq. Each word meets each word."),
        (
            "Twice as much",
            "That is true of the input. The scores have a row AND a column for each word.",
        ),
        (
            "As much as before, if num_heads is halved",
            "Then it is still twice as much: half of four times.",
        ),
    ),
    multiple_choice(
        "Why does SDPA need so much less memory?",
        (
            "It forgets each block of scores as soon as it has used it",
            "For each query it keeps the largest score and two sums: of the shares, and of the values times them.",
        ),
        (
            "It leaves out all weights that are too small to matter much",
            "It leaves out nothing: you compared the outputs, and they differ by rounding only.",
        ),
        (
            "It computes in bfloat16 inside",
            "It computes in the dtype that you give it, and often sums in a wider one.",
        ),
    ),
    multiple_choice(
        "You call SDPA with dropout_p=0.1 in a layer that is in evaluation mode. What happens?",
        (
            "It still drops weights: a function knows no layer's mode",
            "Pass 0.0 unless self.training is True.",
        ),
        (
            "Nothing is dropped",
            "That is true of nn.Dropout, a module. SDPA is a function.",
        ),
        (
            "It raises an error, since dropout belongs in training mode alone",
            "It would be kind, but it cannot know. The results just change from call to call.",
        ),
    ),
    multiple_choice(
        "Which of these works on any device and in any dtype?",
        (
            "torch.zeros(seq, device=x.device, dtype=x.dtype)",
            "Ask a tensor that is there.",
        ),
        (
            'torch.zeros(seq, dtype=torch.float32, device="cuda")',
            "It fails on machines without CUDA, and is float32 whatever x is.",
        ),
        (
            "torch.zeros(seq)",
            "It is on the CPU and float32, wherever and whatever x is.",
        ),
    ),
    multiple_choice(
        "bfloat16 and float16 both take 2 bytes. What is the difference?",
        (
            "bfloat16 reaches as far as float32 and keeps fewer digits",
            "It overflows as late as float32 does, which training needs more than digits.",
        ),
        (
            "bfloat16 keeps more digits than float16 and overflows sooner",
            "It is the other way round.",
        ),
        (
            "None but the name",
            "They share their 16 bits out differently, as section 8 shows.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- write layers that run on any device and in any dtype, and test that without a GPU
- time code honestly: warm up, synchronise, take the median
- count the memory of attention before you run out of it
- write attention without its score matrix, a block of keys at a time, and use torch's function for it
- compare implementations fairly: same weights, same outputs, then the clock

## What this leaves open   <sub>1 min</sub>

Your layer is right, and it is fast. But its weights were random numbers, or had learned a toy language. What would it
do with weights that were trained on a billion pairs of sentences? Would they even fit?

They do. In the next chapter **your layer runs inside a real model**, and you look at what its 72 heads are for.
"""

# %% [markdown]
"""
## Read on

- [Dao and others, 2022: FlashAttention](https://arxiv.org/abs/2205.14135):
    blocks, a running maximum, and what reading and writing costs on a GPU.
- [Milakov and Gimelshein, 2018: Online normalizer calculation for softmax](https://arxiv.org/abs/1805.02867):
    softmax with a running maximum and a running sum.
- [Rabe and Staats, 2021: Self-attention Does Not Need O(n²) Memory](https://arxiv.org/abs/2112.05682):
    the same idea for TPUs, with its code.
- [Horace He: Making Deep Learning Go Brrrr From First Principles](https://horace.io/brrr_intro.html):
    how to find out whether arithmetic, memory or Python is what takes the time.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
