# %% [markdown]
"""
# 8 · Attention today

![Row by row a text grows by one word; most of its keys and values were there before.](pictures/question.svg)

Your layer is from 2017. Inside the large models of today there is still the same attention: queries, keys, values, a
softmax. But such a model *writes*. It takes all the words so far, says what comes next, puts that word at the end, and
begins again. For word number 1001 it reads 1000 words, and it has read 999 of them before.

**What of that work is new? And what must be in memory, so that nothing is done twice?**

Answering that has changed the layer in four places. In this chapter you make these changes, and show each time that
the result is still the layer you know.

| | you write | it answers |
|---|---|---|
| 1 | `rotate` | How does a score know how far apart two words are? |
| 2 | `KVCache` | What need not be computed again? |
| 3 | `kv_cache_bytes` | What does it cost to remember it? |
| 4 | `repeat_heads` | How can several heads share their keys? |
| 5 | `GroupedQueryAttention` | What does a layer look like that shares? |
| 6 | `attend_next` | How does it write word by word? |
| 7 | `shard` | How does a layer fit that is too large for one GPU? |
| 8 | `run_sharded` | How do the parts become one answer? |

Nothing in this chapter needs a GPU. Several processes work together at the end, also on a laptop.
"""

# %% role="imports"
import copy
import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import (
    MultiHeadAttention,
    attention,
    best_device,
    causal_mask,
    merge_heads,
    split_heads,
    time_on_device,
)

# %% [markdown]
"""
This chapter builds on what you wrote before. Where your code has passed its checks on this machine, it is used here.
As always, a mask says **True for "may attend"**.
"""

# %%
earlier.whose(
    "causal_mask",
    "attention",
    "split_heads",
    "merge_heads",
    "MultiHeadAttention",
    "best_device",
    "time_on_device",
)

# %% [markdown]
"""
## 1 · Where is a word?   <sub>18 min · difficulty 3/5</sub>

*Dog bites man* and *man bites dog* have the same words. Does your layer notice? Shuffle the words, and see what happens
to the outputs. What do you expect?
"""

# %%
with try_it():
    torch.manual_seed(0)
    layer = MultiHeadAttention(d_model=16, num_heads=4)
    words = torch.randn(1, 3, 16)  # dog, bites, man
    output, _ = layer(words)
    shuffled, _ = layer(words[:, [2, 1, 0]])  # man, bites, dog
    difference = (shuffled[:, [2, 1, 0]] - output).abs().max()
    print(f"outputs of dog, bites, man, in either order: difference {difference:.1e}")

# %% [markdown]
"""
Each word gets the very same output, wherever it is. A score compares *what* two words are, and nothing in it says
*where*. (A causal mask tells a little: the first word sees only itself.) So something about the position must get into
the numbers.

The transformer of 2017 added a vector for each position to the words, as your model of chapter 7 does. Most large
models of today do something else. They want a score to depend on **how far apart** two words are: *black* just before
*cat* should mean the same at the beginning of a text and 5,000 words later.

**An arrow that turns.** Take a vector of two numbers, an arrow in the plane. The dot product of two arrows depends on
their lengths and on the *angle between them*. Now turn the query by an angle for each place it is down the text, and
the key likewise. If both are moved by the same number of places, both turn by the same angle, and the angle between
them stays.
"""


# %%
def turned(arrow: Tensor, angle: float) -> Tensor:
    """Turn an arrow (2) by an angle, in radians, counterclockwise."""
    cos, sin = math.cos(angle), math.sin(angle)
    first, second = arrow
    return torch.stack([first * cos - second * sin, second * cos + first * sin])


query, key = torch.tensor([1.0, 0.5]), torch.tensor([0.8, 1.0])
print("position of the query and of the key, and the score, with 0.3 radians a place:")
for m, n in ((0, 0), (1, 0), (5, 4), (101, 100), (5, 0)):
    score = turned(query, 0.3 * m) @ turned(key, 0.3 * n)
    print(f"  {m:3} {n:3}   {score.item():.4f}")

# %% [markdown]
"""
Look at the three lines in the middle: one place apart is one place apart, at 1 and 0 and at 101 and 100.

A head is wider than two numbers. So it is cut into **pairs**, d_head/2 of them, and each pair is an arrow of its own.
They turn at different speeds. Why? An arrow with 0.3 radians a place is nearly back after 21 places, and then
near and far look alike. So the first pair turns fast and tells neighbours apart, the last turns slowly and tells the
beginning of a text from its end, as the hands of a clock do. Pair i turns by

**θᵢ = 10000^(−2i / d_head)** radians a place, i = 0 … d_head/2 − 1.

This is called **RoPE**, rotary position embedding (Su and others, 2021). Move the two words below:

- Which hands have moved after one place? And after fifty?
- Move both. What happens to the hands, and what to the score?
- Which pair would you look at to tell one place from none? Which one to tell 100 from 50?

<details>
<summary>Answers</summary>

After one place the first pair has turned by 57°, the second by 6°, the others hardly. After fifty the last has turned
by 3°, the third by 29°, the second by 286°, and the first has gone round eight times, all but 15°: it cannot tell fifty
places from none. If both words move, all hands move and the score stays. One place from none: the first pair. 100 from
50: the third. The first two have gone round in between, and the last has hardly moved.

</details>
"""

# %%
from manyheads.widgets import rotary_clocks

rotary_clocks()

# %% [markdown]
"""
**Which two numbers are a pair?** The paper takes neighbours, 0 and 1, 2 and 3. Much code takes **i and i + d_head/2**:
the first half of the head's numbers and the second half. Trained weights fit one of the two only. Here it is the
second: with d_head 6 the pairs are (0, 3), (1, 4) and (2, 5).

**Your turn.** Turn every pair of every head. `positions` says where each word is; in a text that goes on they need not
begin at 0.

<details>
<summary>Hint 1</summary>

Make a table of angles first, (seq, d_head/2): a row for each word, a column for each pair. Then you need two halves of
`x`, and `turned` above says what becomes of an arrow's first and second number. All arrows at once: no loop is needed.

</details>

<details>
<summary>Hint 2</summary>

`torch.arange(half, device=x.device)` counts the pairs. Positions and speeds make a table if one of them gets a
dimension of 1. Its cosines are (seq, half), and so is the end of `x[..., :half]`, (batch, heads, seq, half): they can
be multiplied as they are.

</details>
"""


# %% exercise="rotate"
def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Turn each pair of each word's features by an angle that grows with its position.

    Pair i consists of the features i and i + d_head / 2. At position p it is turned
    counterclockwise by p * 10000 ** (-2 * i / d_head) radians. Angles are computed in
    float32 or float64, whatever x's dtype: in bfloat16, nothing would be left of them.

    Args:
        x: (batch, heads, seq, d_head), d_head even: the queries or the keys
        positions: (seq), whole numbers: where each word is in the text
    Returns:
        turned: (batch, heads, seq, d_head), of x's dtype
    """
    ### BEGIN SOLUTION
    half = x.shape[-1] // 2
    speeds = 10000 ** (-torch.arange(half, device=x.device) / half)
    # (seq, 1) * (half) -> (seq, half)
    angles = positions[:, None] * speeds
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    # two times (batch, heads, seq, half)
    first, second = x[..., :half], x[..., half:]
    # -> (batch, heads, seq, d_head)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
    ### END SOLUTION


# %% check="rotate.shapes" points=1
check.shapes(rotate)

# %% check="rotate.outputs" points=3
check.outputs(rotate)

# %% [markdown]
"""
Does it keep its promise? Take ten words, rotate queries and keys, and compute all scores: once at the positions 0 to 9,
once at 5000 to 5009.
"""

# %%
with try_it():
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 4, 10, 16)  # each (batch 1, heads 4, seq 10, d_head 16)

    def scores_from(start: int) -> Tensor:
        places = torch.arange(start, start + 10)
        return rotate(q, places) @ rotate(k, places).transpose(-2, -1)

    print(f"scores are about    {scores_from(0).std():.1f}")
    moved = (scores_from(5000) - scores_from(0)).abs().max()
    print(f"moved by 5000 places {moved:.1e}")
    print(f"not rotated at all   {(q @ k.mT - scores_from(0)).abs().max():.1e}")

# %% [markdown]
"""
The scores stay, up to rounding, and rotating does make a difference. (The rounding is larger than you are used to:
5000 radians are many turns, and float32 keeps seven digits of them. That is why code computes the angles in float32
even if the model is in bfloat16.)

The values are *not* rotated: they are what is handed over, and where they come from has been settled by the weights.

## 2 · What need not be computed again?   <sub>12 min · difficulty 2/5</sub>

A model writes word after word. Here is a text of six words, and then the same with a seventh. Under a causal mask:
which of the first six outputs change?
"""

# %%
with try_it():
    torch.manual_seed(0)
    layer = MultiHeadAttention(d_model=16, num_heads=4)
    text = torch.randn(1, 7, 16)
    six, _ = layer(text[:, :6], mask=causal_mask(6))
    seven, _ = layer(text, mask=causal_mask(7))
    print(f"outputs of the first six words: {(seven[:, :6] - six).abs().max():.1e}")

# %% [markdown]
"""
None does. No word sees what comes after it. So all that is needed is the output of the *new* word, one row of the
scores. Think about what goes into that row:

- the **query** of the new word. The queries of the old words asked for outputs that are long known. They are not needed
  any more.
- the **keys** of all words, since the new word looks at all of them,
- the **values** of all words, since it may take from any of them.

The keys and values of old words are the same numbers as last time. So we keep them: this is the **KV cache**. How much
is saved? Without it, a text of n words takes 1 + 2 + … + n = n(n + 1)/2 projections, with it n. For 1000 words, how
many times fewer is that?

**Your turn.** Write the cache of one layer: it takes in the keys and values of some new words, and gives back those of
all words so far. One for each text: two caches must not know of each other.

<details>
<summary>Hint 1</summary>

At first there is nothing. Afterwards, the new ones come behind the old ones, along the dimension of the words. Which
one is that in (batch, num_kv_heads, new, d_head)?

</details>

<details>
<summary>Hint 2</summary>

None can stand for an empty cache. `torch.cat` takes a list of tensors and a dimension. It makes a new tensor and
leaves the others as they are, so what it makes must be kept.

</details>
"""


# %% exercise="KVCache"
class KVCache:
    """The keys and values of all words so far, for one layer and one batch of texts."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION
        self.k: Tensor | None = None
        self.v: Tensor | None = None
        ### END SOLUTION

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Take in the keys and values of new words.

        Args:
            k, v: (batch, num_kv_heads, new, d_head), of one or more new words
        Returns:
            k, v: (batch, num_kv_heads, total, d_head), of all words so far, oldest
                first
        """
        ### BEGIN SOLUTION
        if self.k is None or self.v is None:
            self.k, self.v = k, v
        else:
            # (batch, num_kv_heads, old, d_head), (batch, num_kv_heads, new, d_head)
            # -> (batch, num_kv_heads, old + new, d_head)
            self.k = torch.cat([self.k, k], dim=2)
            self.v = torch.cat([self.v, v], dim=2)
        return self.k, self.v
        ### END SOLUTION


# %% check="KVCache.shapes" points=1
check.shapes(KVCache)

# %% check="KVCache.outputs" points=2
check.outputs(KVCache)

# %% [markdown]
"""
(1000 words take 1000 projections with a cache and 500,500 without: 500 times as many.)

What about the positions? A key is rotated by its own place in the text, and that place never changes. So it is rotated
*before* it goes into the cache, once. Here a text of ten words comes word by word, and each new query meets the keys in
the cache. Are these the scores of the whole text?
"""

# %%
with try_it():
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 4, 10, 16)  # each (batch 1, heads 4, seq 10, d_head 16)
    places = torch.arange(10)
    whole = rotate(q, places) @ rotate(k, places).transpose(-2, -1)
    cache, difference = KVCache(), 0.0
    for place in range(10):
        new, here = slice(place, place + 1), places[place : place + 1]
        new_key = rotate(k[:, :, new], here)
        keys, _ = cache.append(new_key, new_key)  # the values do not matter here
        # (1, 4, 1, 16) @ (1, 4, 16, total) -> (1, 4, 1, total)
        row = rotate(q[:, :, new], here) @ keys.transpose(-2, -1)
        error = (row - whole[:, :, new, : place + 1]).abs().max().item()
        difference = max(difference, error)
    print(f"scores, word by word and all at once: largest difference {difference:.1e}")

# %% [markdown]
"""
They are. This is one more reason why rotary positions are liked: a key has its own place in it, whichever query comes
later, and need not be touched again.

## 3 · What does it cost to remember?   <sub>8 min · difficulty 1/5</sub>

Each *layer* has keys and values of its own, for each word of each text in the batch. **num_kv_heads** is how many heads
have keys and values of their own. In your layer that is num_heads; the next section is about why it can be less. Each
of these heads keeps two vectors for a word, d_head numbers each.

**Your turn.** Count the bytes. Count, do not build.

<details>
<summary>Hint 1</summary>

How many bytes a number takes, its dtype says: `dtype.itemsize`.

</details>

<details>
<summary>Hint 2</summary>

It is a product of seven factors. One of them is not an argument: what is it that there are two of?

</details>
"""


# %% exercise="kv_cache_bytes"
def kv_cache_bytes(
    batch: int,
    num_layers: int,
    num_kv_heads: int,
    seq: int,
    d_head: int,
    dtype: torch.dtype,
) -> int:
    """Count the bytes of the keys and values of a whole model.

    Args:
        batch: how many texts
        num_layers: each has a cache of its own
        num_kv_heads: heads that have keys and values of their own
        seq: words of each text
        d_head: the width of a head
        dtype: of the keys and values
    Returns:
        the number of bytes
    """
    ### BEGIN SOLUTION
    return 2 * batch * num_layers * num_kv_heads * seq * d_head * dtype.itemsize
    ### END SOLUTION


# %% check="kv_cache_bytes.shapes" points=1
check.shapes(kv_cache_bytes)

# %% check="kv_cache_bytes.outputs" points=1
check.outputs(kv_cache_bytes)

# %% [markdown]
"""
Here are models that have been published, with the longest text each was made for. Which of them takes most memory for
each word? Guess first.

| model | num_layers | num_heads | num_kv_heads | d_head | context | source |
|---|---:|---:|---:|---:|---:|---|
| GPT-2 | 12 | 12 | 12 | 64 | 1,024 | Radford and others, 2019 |
| GPT-3 | 96 | 96 | 96 | 128 | 2,048 | Brown and others, 2020 |
| Falcon-7B | 32 | 71 | 1 | 64 | 2,048 | Almazrouei and others, 2023 |
| Llama 2 7B | 32 | 32 | 32 | 128 | 4,096 | Touvron and others, 2023 |
| Llama 2 70B | 80 | 64 | 8 | 128 | 4,096 | Touvron and others, 2023 |
| Llama 3.1 8B | 32 | 32 | 8 | 128 | 131,072 | Llama team, 2024 |
| Llama 3.1 405B | 126 | 128 | 8 | 128 | 131,072 | Llama team, 2024 |
| Qwen2.5-7B | 28 | 28 | 4 | 128 | 131,072 | Qwen team, 2024 |
"""

# %%
from manyheads.models.published import PUBLISHED

with try_it():
    print(
        "                 KiB a word    one text of full length    if no heads shared"
    )
    for model in PUBLISHED:
        sizes = (model.num_layers, model.num_kv_heads)
        word = kv_cache_bytes(1, *sizes, 1, model.d_head, torch.bfloat16)
        text = kv_cache_bytes(1, *sizes, model.context, model.d_head, torch.bfloat16)
        unshared = text * model.num_heads // model.num_kv_heads
        print(
            f"{model.name:15} {word / 2**10:11,.0f} {text / 2**30:19,.2f} GiB"
            f" {unshared / 2**30:19,.2f} GiB"
        )

# %% [markdown]
"""
And now with many readers at once, beside the memory of a GPU. The weights need room there, too.

- Llama 2 7B on one GPU with 80 GiB: for how many texts of full length is there room?
- Llama 3.1 8B with 131,072 words: how many then?
- What if all heads of Llama 3.1 405B had keys of their own?

<details>
<summary>Answers</summary>

Llama 2 7B: for 33, since the weights leave 67 GiB and each text takes 2. (The slider doubles: 32 fit, 64 do not.)
Llama 3.1 8B: for four, of 16 GiB each. Llama 3.1 405B: 1,008 GiB for a single text, more than its weights take. It
would need 23 GPUs, and needs 11.

</details>
"""

# %%
from manyheads.widgets import cache_explorer

with try_it():
    display(cache_explorer(kv_cache_bytes))

# %% [markdown]
"""
## 4 · Heads that share   <sub>8 min · difficulty 2/5</sub>

![Eight query heads: each its own key and value; in groups of four; all sharing one.](pictures/sharing.svg)

The cache has to be *read*, too. For each new word, every key and every value goes from memory to where it is
multiplied, and there each number is used once. A GPU could multiply much more in that time: it waits for memory, as in
chapter 5. So fewer keys and values mean not only more room, but also faster writing.

What can be left out? The queries are not in the cache: they cost nothing there. So keep all heads' queries, and let
several heads look at **the same keys and values**:

- **multi-query attention** (Shazeer, 2019): all heads share one head of keys and values;
- **grouped-query attention** (Ainslie and others, 2023): each *group* of heads shares one.

With 6 heads and 2 heads of keys, heads 0, 1, 2 look at the first, heads 3, 4, 5 at the second. To use your `attention`,
keys and values must have as many heads as the queries: each is repeated `times` = 3 times.

**Your turn.** Repeat heads. Which of these is right, and what is the other: a, b, a, b, a, b, or a, a, a, b, b, b?

<details>
<summary>Hint 1</summary>

torch has two functions that repeat. `repeat` lays the whole tensor down several times, one after the other. The other
one repeats each entry where it is.

</details>

<details>
<summary>Hint 2</summary>

`repeat_interleave` takes how often, and along which dimension. Or put in a dimension of 1 behind the heads, expand it,
and join the two.

</details>
"""


# %% exercise="repeat_heads"
def repeat_heads(x: Tensor, times: int) -> Tensor:
    """Give each head of keys or values to several heads of queries.

    Args:
        x: (batch, kv_heads, seq, d_head)
        times: how many heads share one
    Returns:
        (batch, kv_heads * times, seq, d_head); heads 0 … times - 1 are x's head 0
    """
    ### BEGIN SOLUTION
    return x.repeat_interleave(times, dim=1)
    ### END SOLUTION


# %% check="repeat_heads.shapes" points=1
check.shapes(repeat_heads)

# %% check="repeat_heads.outputs" points=1
check.outputs(repeat_heads)

# %% [markdown]
"""
## 5 · The layer that shares   <sub>18 min · difficulty 3/5</sub>

Now the layer. It is your `MultiHeadAttention` with one change: `w_k` and `w_v` are narrower, since they make keys and
values for `num_kv_heads` heads only. How wide is that? The heads themselves are as wide as before, d_model / num_heads.

Two more things are simpler than in chapter 4. It is self-attention only, and it returns the output without the weights:
nobody needs them when a model writes.

Two numbers can be wrong: num_heads must divide d_model, and num_kv_heads must divide num_heads.

**Your turn.** Write the layer. Keep `num_heads` and `num_kv_heads` as attributes of these names: the following sections
ask the layer for them.

<details>
<summary>Hint 1</summary>

`__init__`: two errors, d_head, four linear layers of which two have another width. `forward`: project, split (into how
many heads each?), repeat keys and values, attend, merge, project.

</details>

<details>
<summary>Hint 2</summary>

`split_heads` takes the number of heads, which for keys is another one than for queries. `attention` returns two
things, and you need the first. How many heads of queries share one head of keys?

</details>
"""


# %% exercise="GroupedQueryAttention"
class GroupedQueryAttention(nn.Module):
    """Self-attention in which groups of heads share their keys and values.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads of queries, each d_model // num_heads wide
        num_kv_heads: number of heads of keys and of values; head h of the queries uses
            number h // (num_heads // num_kv_heads)
    Raises:
        ValueError: if num_heads does not divide d_model, or num_kv_heads does not
            divide num_heads

    Its layers are w_q, w_k, w_v and w_o, each nn.Linear with a bias; num_heads and
    num_kv_heads are attributes.
    """

    def __init__(self, d_model: int, num_heads: int, num_kv_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % num_heads != 0:
            raise ValueError(f"{num_heads} heads do not divide d_model {d_model}")
        if num_heads % num_kv_heads != 0:
            raise ValueError(
                f"{num_kv_heads} heads of keys do not divide {num_heads} heads"
            )
        d_head = d_model // num_heads
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_v = nn.Linear(d_model, num_kv_heads * d_head)
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let the words of x attend to each other.

        Args:
            x: (batch, seq, d_model)
            mask: bool, broadcasts to (batch, num_heads, seq, seq); True means "may
                attend". None blocks nothing.
        Returns:
            output: (batch, seq, d_model)
        """
        ### BEGIN SOLUTION
        # (batch, seq, d_model) -> (batch, num_heads, seq, d_head)
        q = split_heads(self.w_q(x), self.num_heads)
        # (batch, seq, d_model) -> (batch, num_kv_heads, seq, d_head)
        k = split_heads(self.w_k(x), self.num_kv_heads)
        v = split_heads(self.w_v(x), self.num_kv_heads)
        # (batch, num_kv_heads, seq, d_head) -> (batch, num_heads, seq, d_head)
        times = self.num_heads // self.num_kv_heads
        heads, _ = attention(q, repeat_heads(k, times), repeat_heads(v, times), mask)
        # (batch, num_heads, seq, d_head) -> (batch, seq, d_model)
        return self.w_o(merge_heads(heads))
        ### END SOLUTION


# %% check="GroupedQueryAttention.shapes" points=2
check.shapes(GroupedQueryAttention)

# %% check="GroupedQueryAttention.outputs" points=4
check.outputs(GroupedQueryAttention)

# %% [markdown]
"""
**The same layer?** With num_kv_heads = num_heads nothing is shared, so it must be chapter 4's layer. And a layer that
is trained already can be *converted*: Ainslie and others replace the keys of a group by their **mean**, and the values
likewise. `nn.Linear` stores its weight as (out, in), so it is groups of rows that are averaged.
"""


# %%
@torch.no_grad()
def grouped(
    layer: MultiHeadAttention, num_heads: int, num_kv_heads: int
) -> GroupedQueryAttention:
    """Convert a layer of chapter 4 by averaging the keys and values of each group."""
    d_model = layer.w_o.in_features
    new = GroupedQueryAttention(d_model, num_heads, num_kv_heads)
    new.w_q.load_state_dict(layer.w_q.state_dict())
    new.w_o.load_state_dict(layer.w_o.state_dict())
    times = num_heads // num_kv_heads
    for name in ("w_k", "w_v"):
        whole, narrow = getattr(layer, name), getattr(new, name)
        # (d_model, d_model) -> (num_kv_heads, times, d_head, d_model)
        # -> (num_kv_heads, d_head, d_model) -> (num_kv_heads * d_head, d_model)
        weight = whole.weight.view(num_kv_heads, times, -1, d_model).mean(dim=1)
        narrow.weight.copy_(weight.flatten(0, 1))
        narrow.bias.copy_(whole.bias.view(num_kv_heads, times, -1).mean(1).flatten())
    return new


with try_it():
    torch.manual_seed(0)
    layer = MultiHeadAttention(d_model=64, num_heads=8)
    x, mask = torch.randn(2, 9, 64), causal_mask(9)
    with torch.no_grad():
        expected, _ = layer(x, mask=mask)
        print("num_kv_heads   largest difference   numbers in the cache for a word")
        for num_kv_heads in (8, 4, 2, 1):
            converted = grouped(layer, 8, num_kv_heads)
            difference = (converted(x, mask) - expected).abs().max()
            print(f"{num_kv_heads:12} {difference:20.1e} {2 * num_kv_heads * 8:20}")

# %% [markdown]
"""
With 8 it is the same layer, up to rounding. With fewer it is another one: these heads were drawn at random, and the
mean of random keys is nobody's key. In the paper the converted model is trained a little more, with 5% of the computing
that its first training took, and then it comes close to what it was.

Why not always share, and save the most? A shared key must serve all the questions of its group. Which number of groups
is worth its memory is found by trying: look at the table in section 3 for what people have chosen.

## 6 · Word by word   <sub>18 min · difficulty 4/5</sub>

Now put the cache into the layer. `attend_next` gets **only the new words**, and a cache that knows the old ones. There
may be several new words: a model first reads the whole question at once, and then writes word by word.

The result must be what the whole text at once would give for these words, under a causal mask. So two things need care:

- *Which keys may a new word see?* All old ones, and of the new ones those up to itself. With 4 old words and 3 new
  ones, the mask has 3 rows and 7 columns:

| | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
|---|---|---|---|---|---|---|---|
| word 4 | ✓ | ✓ | ✓ | ✓ | ✓ | · | · |
| word 5 | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | · |
| word 6 | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ | ✓ |

- *What is projected?* New words alone. The check counts for how many words keys and values are computed.

**Your turn.** Write it, with the layer's own `w_q`, `w_k`, `w_v`, `w_o`, `num_heads` and `num_kv_heads`.

<details>
<summary>Hint 1</summary>

It is the layer's `forward` with two changes. Between splitting and repeating, keys and values go through
`cache.append`. And the mask is made here: from how many words are new and how many there are in all.

</details>

<details>
<summary>Hint 2</summary>

Old words have rows in a causal mask, too. Which of its rows are in the table above? How many keys come back from the
cache tells you how many words there are in all.

</details>
"""


# %% exercise="attend_next"
def attend_next(layer: GroupedQueryAttention, x: Tensor, cache: KVCache) -> Tensor:
    """Compute a layer's output for new words, with the keys and values of old ones.

    Args:
        layer: the layer, to be used under a causal mask
        x: (batch, new, d_model), the words that come next; one or more
        cache: has the keys and values of all words before them, perhaps of none, and
            gets those of the new ones
    Returns:
        output: (batch, new, d_model), what layer gives for these words when it reads
            the whole text under a causal mask
    """
    ### BEGIN SOLUTION
    # (batch, new, d_model) -> (batch, num_heads, new, d_head)
    q = split_heads(layer.w_q(x), layer.num_heads)
    # (batch, new, d_model) -> (batch, num_kv_heads, new, d_head)
    new_k = split_heads(layer.w_k(x), layer.num_kv_heads)
    new_v = split_heads(layer.w_v(x), layer.num_kv_heads)
    # -> (batch, num_kv_heads, total, d_head)
    k, v = cache.append(new_k, new_v)
    new, total = q.shape[2], k.shape[2]
    # (total, total) -> (new, total)
    mask = causal_mask(total, x.device)[total - new :]
    times = layer.num_heads // layer.num_kv_heads
    heads, _ = attention(q, repeat_heads(k, times), repeat_heads(v, times), mask)
    # (batch, num_heads, new, d_head) -> (batch, new, d_model)
    return layer.w_o(merge_heads(heads))
    ### END SOLUTION


# %% check="attend_next.shapes" points=1
check.shapes(attend_next)

# %% check="attend_next.outputs" points=4
check.outputs(attend_next)

# %% [markdown]
"""
**How much faster is it?** Four layers write a text, once with a cache and once without. There is no vocabulary here:
the output of the last layer is taken for the next word, which is all that matters for the time. Both ways must give the
same text. How many times faster will the cache be, after 32 words, and after 512?
"""

# %%
from functools import partial

from manyheads.threads import limit

limit(1)


def write_without(layers: nn.ModuleList, text: Tensor) -> Tensor:
    """Read the whole text (batch, seq, d_model) and return the next word."""
    mask = causal_mask(text.shape[1], text.device)
    for layer in layers:
        text = text + layer(text, mask)
    return F.normalize(text[:, -1:], dim=-1) * text.shape[-1] ** 0.5


def write_with(layers: nn.ModuleList, new: Tensor, caches: list[KVCache]) -> Tensor:
    """Read new words (batch, new, d_model) only, and return the next word."""
    for layer, cache in zip(layers, caches, strict=True):
        new = new + attend_next(layer, new, cache)
    return F.normalize(new[:, -1:], dim=-1) * new.shape[-1] ** 0.5


with try_it():
    device = best_device()
    torch.manual_seed(0)
    layers = nn.ModuleList(GroupedQueryAttention(256, 8, 2) for _ in range(4))
    layers = layers.to(device)
    start = torch.randn(1, 8, 256, device=device)
    with torch.no_grad():
        text, caches = start, [KVCache() for _ in layers]
        word = write_with(layers, start, caches)
        cached = [word]
        for _ in range(15):
            text = torch.cat([text, write_without(layers, text)], dim=1)
            word = write_with(layers, word, caches)
            cached.append(word)
        text = torch.cat([text, write_without(layers, text)], dim=1)
        difference = (torch.cat(cached, dim=1) - text[:, 8:]).abs().max()
        print(f"16 words, written both ways: largest difference {difference:.1e}")

# %%
my_guess = None  # how many times faster with a cache, after 512 words: type a number

# %%
with try_it():
    print("words so far    without a cache    with a cache    (tokens a second)")
    with torch.no_grad():
        for seq in (32, 64, 128, 256, 512):
            text = torch.randn(1, seq, 256, device=device)
            caches = [KVCache() for _ in layers]
            write_with(layers, text[:, :-1], caches)
            again = partial(write_without, layers, text)
            # each call makes the text a word longer, by ten in all
            onwards = partial(write_with, layers, text[:, -1:], caches)
            without = time_on_device(again, device, 1, 5)
            cached = time_on_device(onwards, device, 1, 9)
            print(f"{seq:12} {1 / without:18,.0f} {1 / cached:15,.0f}")
    print(
        f"after 512 words {without / cached:.0f} times faster; your guess: {my_guess}"
    )

# %% [markdown]
"""
Without a cache each word takes longer than the one before it: the whole text goes through all layers again. With one,
a single word is projected, however long the text is. Only its row of scores grows.

<details>
<summary>What to look for</summary>

After 32 words there is little difference: most of the time goes into calling torch, not into computing. On one core of
the machine on which this was written the cache was 10 to 15 times faster after 256 words, and 20 to 40 times after 512:
it depends on what else the machine does meanwhile.

A model that reads a question of a thousand words has all of them at once, so it takes them in one call of
`attend_next`: servers call that *prefill*. Then it writes word by word, *decode*. The two are limited by different
things: the first by multiplying, the second by reading weights and cache from memory. That is why servers write many
texts at once: the weights are read once for all of them. The cache is not: each text has its own.

</details>

## 7 · A layer in two places   <sub>18 min · difficulty 4/5</sub>

![Each process has some heads: their rows of w_q, w_k, w_v and their columns of w_o.](pictures/shards.svg)

The weights of Llama 3.1 405B take 810 GB in bfloat16. No GPU has that much memory, so each *layer* is cut into parts,
and each GPU computes with its own. Where can an attention layer be cut?

Heads do not talk to each other until `w_o`. So give each process some heads: the **rows** of `w_q`, `w_k` and `w_v`
that make them. What about `w_o`? It takes all heads side by side:

output = w_o · (all heads) + bias = (columns of heads 0 to 3) · (heads 0 to 3) + (columns of heads 4 to 7) ·
(heads 4 to 7) + bias

A matrix times a long vector is a **sum**, with a term for each piece of the vector. So each process needs only its own
**columns** of `w_o`, and one addition at the end makes the output. This is how Megatron cuts a layer (Shoeybi and
others, 2019). One thing is in that sum only once. What is it, and who adds it?

**Your turn.** Make the smaller layer of one process, its **rank**: 0 for the first, world_size − 1 for the last. It is
a `GroupedQueryAttention` itself: it has some of the heads, and the width of a head is as before. (So
`GroupedQueryAttention(…)` cannot make it for you, since it would make heads of another width. Start from a copy.)

<details>
<summary>Hint 1</summary>

`copy.deepcopy(layer)` gives you a layer of your own. Then give it fewer heads, twice, and narrower linear layers, four
times. `tensor.chunk(world_size, dim=…)` cuts a tensor into equal parts, and `[rank]` takes one.

</details>

<details>
<summary>Hint 2</summary>

A parameter can be replaced by a new one: `linear.weight = nn.Parameter(…)`. The weight is (out, in): rows are dimension
0, columns dimension 1. The biases of `w_q`, `w_k`, `w_v` belong to their rows. The bias of `w_o` belongs to nobody: let
rank 0 have it and make it 0 for all others. (Any way is right in which the sum has it once.)

</details>
"""


# %% exercise="shard"
def shard(
    layer: GroupedQueryAttention, rank: int, world_size: int
) -> GroupedQueryAttention:
    """Make the part of a layer that one of several processes computes.

    Args:
        layer: the whole layer; it stays as it is
        rank: which process, 0 … world_size - 1
        world_size: how many there are
    Returns:
        part: a layer with parameters of its own and num_heads // world_size heads,
            rank 0 with the first ones; the sum of all ranks' outputs is the layer's
    Raises:
        ValueError: if world_size does not divide num_kv_heads
    """
    ### BEGIN SOLUTION
    if layer.num_kv_heads % world_size != 0:
        raise ValueError(
            f"{layer.num_kv_heads} heads of keys cannot be shared out evenly "
            f"among {world_size} processes"
        )
    part = copy.deepcopy(layer)
    part.num_heads = layer.num_heads // world_size
    part.num_kv_heads = layer.num_kv_heads // world_size
    with torch.no_grad():
        for linear in (part.w_q, part.w_k, part.w_v):
            # (out, d_model) -> (out / world_size, d_model): the rows of these heads
            weight = linear.weight.chunk(world_size, dim=0)[rank]
            linear.weight = nn.Parameter(weight.clone())
            linear.bias = nn.Parameter(linear.bias.chunk(world_size)[rank].clone())
            linear.out_features = len(weight)
        # (d_model, d_model) -> (d_model, d_model / world_size): their columns
        weight = part.w_o.weight.chunk(world_size, dim=1)[rank]
        part.w_o.weight = nn.Parameter(weight.clone())
        part.w_o.in_features = weight.shape[1]
        if rank > 0:
            part.w_o.bias.zero_()
    return part
    ### END SOLUTION


# %% check="shard.shapes" points=1
check.shapes(shard)

# %% check="shard.outputs" points=4
check.outputs(shard)

# %% [markdown]
"""
Four parts, and their sum:
"""

# %%
with try_it():
    torch.manual_seed(0)
    layer = GroupedQueryAttention(64, 8, 4)
    x, mask = torch.randn(2, 9, 64), causal_mask(9)
    parts = [shard(layer, rank, 4) for rank in range(4)]
    outputs = [part(x, mask) for part in parts]
    whole = layer(x, mask)
    for done in range(1, 5):
        difference = (sum(outputs[:done]) - whole).abs().max()
        print(f"sum of {done} parts: largest difference {difference:.1e}")

    def numbers(layer: nn.Module) -> int:
        return sum(parameter.numel() for parameter in layer.parameters())

    print(
        "parameters:", numbers(layer), "in the layer,", numbers(parts[0]), "in a part"
    )

# %% [markdown]
"""
Why cut along the heads, and not, say, the words? Each process keeps the keys and values of its own heads only: the
cache is cut along with the layer.

And what if there is only one head of keys, as in Falcon-7B, and there are 8 GPUs? It cannot be cut. Then each GPU keeps
a copy of it, and the cache is no smaller. (Here, `shard` refuses.)

## 8 · One sum   <sub>12 min · difficulty 2/5</sub>

Each process has its part of the output now, in its own memory. They need the sum, all of them, since the next layer
goes on with it. `torch.distributed` has a call for that. All processes make it, each hands in a tensor of the same
shape, and when it returns, **each one's own tensor has become the sum**:

`dist.all_reduce(tensor, group=group)`

It works in place and returns nothing. (With `async_op=True` it returns at once, and what it returns has a `wait()`,
which is to be called before the sum is used.) `group` says which processes take part, if not all; None means all.
Every process of the group must make the call, or the others wait for ever.

**Your turn.** Run one process's part of a layer, and return the output of the whole layer. The check pretends that
there are several processes: it needs no network.

<details>
<summary>Hint 1</summary>

Two steps. Which tensor must be added up: the input, the heads, or the output?

</details>

<details>
<summary>Hint 2</summary>

Call the shard, and give what it returns a name. Hand that to `all_reduce`, with the group. Then return it, not what
`all_reduce` returns.

</details>
"""


# %% exercise="run_sharded"
def run_sharded(
    shard: nn.Module, x: Tensor, group: dist.ProcessGroup | None = None
) -> Tensor:
    """Compute a layer's output together with the other processes, by one all_reduce.

    Args:
        shard: this process's part of the layer
        x: (batch, seq, d_model), the same in all processes
        group: the processes that take part; None means all
    Returns:
        output: (batch, seq, d_model), the whole layer's, in every process
    """
    ### BEGIN SOLUTION
    output = shard(x)
    dist.all_reduce(output, group=group)
    return output
    ### END SOLUTION


# %% check="run_sharded.shapes" points=1
check.shapes(run_sharded)

# %% check="run_sharded.outputs" points=2
check.outputs(run_sharded)

# %% [markdown]
"""
**Now for real.** Two new Pythons start, each with its own memory, and compute one layer together. They know nothing of
this notebook: what they run is the text of the function below, and your `shard` and `run_sharded` come from where your
checks have kept them. On a CPU they talk by *gloo*, through this machine's network; on two GPUs by *NCCL*.
"""

# %%
from manyheads.processes import run_together


def work(rank: int, world_size: int, meeting_point: str) -> None:
    """What each process does. It imports all that it needs."""
    import torch
    import torch.distributed as dist

    from manyheads import earlier
    from manyheads.earlier import GroupedQueryAttention, run_sharded, shard

    gpus = torch.cuda.device_count() >= world_size
    device = torch.device("cuda", rank) if gpus else torch.device("cpu")
    dist.init_process_group(
        "nccl" if gpus else "gloo",
        init_method=meeting_point,
        rank=rank,
        world_size=world_size,
    )
    if rank == 0:
        earlier.whose("GroupedQueryAttention", "shard", "run_sharded")
    torch.manual_seed(0)  # so all of them draw the same layer and the same words
    whole = GroupedQueryAttention(64, 8, 4)
    x = torch.randn(2, 9, 64)
    with torch.no_grad():
        expected = whole(x)
        part = shard(whole, rank, world_size).to(device)
        output = run_sharded(part, x.to(device)).cpu()
    print(
        f"on {device}, {part.num_heads} of {whole.num_heads} heads: "
        f"largest difference {(output - expected).abs().max():.1e}"
    )
    dist.destroy_process_group()


finished = run_together(work, world_size=2)

# %% [markdown]
"""
Each process has half the weights, and both have the whole output.

What does it cost? Each layer of the model needs that sum, for each word that is written, and meanwhile nobody can go
on. So the GPUs that share a layer are connected by the fastest wires there are, and a model is cut in this way within
one computer, seldom across several.

"""

# %% [markdown]
"""
## Quiz   <sub>4 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "Queries and keys are rotated. Query and key both move 100 words further down the text. What happens to their "
        "score?",
        (
            "It stays the same",
            "Both turn by the same angle, so the angle between them stays.",
        ),
        (
            "It becomes smaller, since they are further from the beginning of the text",
            "Only how far they are from each other matters. Nothing in a score knows where the text begins.",
        ),
        (
            "It changes in some pairs only, those that turn fast",
            "In every pair both arrows turn alike, whatever its speed.",
        ),
    ),
    multiple_choice(
        "Why is there no cache for queries?",
        (
            "An old word's query is never used again",
            "Its output is known, and new words ask with queries of their own.",
        ),
        (
            "Queries are rotated, so they would have to be computed anew at each step",
            "A word's position never changes. Keys are rotated as well, and are kept.",
        ),
        (
            "There are more heads of queries than of keys, so it would be too large",
            "Even where there are as many, they are not kept. What would they be used for?",
        ),
    ),
    multiple_choice(
        "A model has 32 heads and 8 heads of keys and values. What does it save, compared with 32?",
        (
            "Three quarters of the cache, and some weights",
            "w_k and w_v are narrower, too. Queries and w_o are as they were.",
        ),
        (
            "Three quarters of the multiplications of queries and keys",
            "Each of the 32 heads still compares its queries with all keys. They only come from fewer places.",
        ),
        (
            "Three quarters of the weights of the layer",
            "w_q and w_o are as large as before.",
        ),
    ),
    multiple_choice(
        "3 new words come to a cache with 4 old ones. The mask (3, 7) is made by tril() alone. What goes wrong?",
        (
            "New words see too little: the first one sees key 0 only",
            "tril() begins at the first key. The new words begin at key 4.",
        ),
        (
            "New words see the future: the first one sees all seven keys",
            "tril() hides all that lies to the right of the diagonal, and the diagonal begins at the first key.",
        ),
        (
            "It has the wrong shape",
            "It has a row for each new word and a column for each key. That is right.",
        ),
    ),
    multiple_choice(
        "A layer is cut among 4 processes, and each keeps the whole bias of w_o. What comes out?",
        (
            "Each output is too large by three biases",
            "The sum has the bias four times.",
        ),
        (
            "The right output: a bias is added to each word once, in each process",
            "Once in each process, and then the processes are added up.",
        ),
        (
            "A quarter of the bias, since the all_reduce takes the mean over the processes",
            "all_reduce adds up, unless you ask for something else.",
        ),
    ),
    multiple_choice(
        "One of two processes does not call all_reduce. What does the other one do?",
        (
            "It waits",
            "Until a time limit ends it. All must make the same calls.",
        ),
        (
            "It goes on with its own part of the output",
            "It cannot know that nothing will come. It waits.",
        ),
        (
            "It raises an error at once, since the group is not complete",
            "The group was complete when it was made. Whether the other one is slow or never comes, nobody can tell.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- give positions to queries and keys, so that scores depend on distances alone
- say which of a text's numbers are needed again, and how many bytes they take in a published model
- write a layer whose heads share keys and values, and convert one that does not
- write word by word, without computing anything twice, and test that against the whole text at once
- cut a layer into parts for several processes, and put the answer together by one sum

## What this leaves open   <sub>1 min</sub>

You have looked at heads one by one: what each looks at, and what is missing without it. But a model has layers above
layers, and a head can read what another head has written. What can two heads do together that neither can do alone?
"""

# %% [markdown]
"""
## Read on

- [Su and others, 2021: RoFormer](https://arxiv.org/abs/2104.09864):
    rotary positions, and why the speeds are as they are.
- [Shazeer, 2019: One Write-Head is All You Need](https://arxiv.org/abs/1911.02150):
    multi-query attention, and what reading the cache costs.
- [Ainslie and others, 2023: GQA](https://arxiv.org/abs/2305.13245):
    grouped queries, and how to convert a trained model.
- [Shoeybi and others, 2019: Megatron-LM](https://arxiv.org/abs/1909.08053):
    layers cut among GPUs, attention in section 3.
- [Kwon and others, 2023: PagedAttention](https://arxiv.org/abs/2309.06180):
    how a server keeps the caches of many texts without wasting memory.

Sources of the table:
[GPT-2](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
[GPT-3](https://arxiv.org/abs/2005.14165) (table 2.1), [Falcon](https://arxiv.org/abs/2311.16867), [Llama
2](https://arxiv.org/abs/2307.09288), [Llama 3](https://arxiv.org/abs/2407.21783) (table 3),
[Qwen2.5](https://arxiv.org/abs/2412.15115) (table 1). """

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
