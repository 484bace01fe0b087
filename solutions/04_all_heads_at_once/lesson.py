# %% [markdown]
"""
# 4 · All heads at once

![Left: x goes through one head after the other. Right: it goes through one wide matrix.](pictures/question.svg)

In chapter 3 each head got small layers of its own, and a loop ran the heads one after the other. The result is right.
But you saw the clock: more heads take more time, though there is no more to compute. For 8 heads, queries, keys and
values alone are 24 small matrix products.

**Can all heads run at once, without a loop, and give the very same numbers?**

They can. At the end of this chapter you have the layer that transformers use, and you show that it equals two
others: your own heads from chapter 3, and torch's `nn.MultiheadAttention`.

| | you write | it answers |
|---|---|---|
| 1 | `split_heads` | How does each head get its own slice of the numbers? |
| 2 | `merge_heads` | How do the heads' answers become one vector again? |
| 3 | `padding_mask` | How do sentences of different lengths fit in one batch? |
| 4 | `MultiHeadAttention` | How does all this become one layer? |
| 5 | `fuse_heads` | Is it the same as many small heads? |
| 6 | `from_torch` | Is it the same as torch's layer? |

Nothing in this chapter needs a GPU.
"""

# %% role="imports"
import math

import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import (
    ParallelHeads,
    attention,
    attention_scores,
    attention_weights,
    causal_mask,
    head_width,
)

# %% [markdown]
"""
This chapter builds on what you wrote in chapters 1 and 3. As there, a mask says **True for "may attend"**.
"""

# %%
earlier.whose(
    "attention_scores",
    "attention_weights",
    "attention",
    "causal_mask",
    "head_width",
    "ParallelHeads",
)

# %% [markdown]
"""

## One product for all heads   <sub>6 min</sub>

![Three heads' weights below each other make one, and its product with x has all queries.](pictures/fused.svg)

Look at the queries only. Every head multiplies the same `x`, each with a small matrix of its own. `nn.Linear` stores
that matrix as `(d_head, d_model)`: one row for each entry of the query.

What comes out if you put the rows of all heads below each other and multiply once?
"""

# %%
torch.manual_seed(0)
parallel = ParallelHeads(d_model=12, num_heads=3)  # so d_head is 4
x = torch.randn(2, 7, 12)  # batch 2, seq 7

# three times (d_head, d_model), one below the other -> (d_model, d_model)
weight = torch.cat([head.w_q.weight for head in parallel.heads])
bias = torch.cat([head.w_q.bias for head in parallel.heads])
# (batch, seq, d_model) -> (batch, seq, d_model), in one product
all_queries = nn.functional.linear(x, weight, bias)
print("weight", tuple(weight.shape), "  all_queries", tuple(all_queries.shape))
for index, head in enumerate(parallel.heads):
    its_slice = all_queries[..., 4 * index : 4 * (index + 1)]
    difference = (its_slice - head.w_q(x)).abs().max()
    print(f"head {index}: largest difference {difference:.1e}")

# %% [markdown]
"""
The same queries, up to rounding. They lie **side by side** in each word's vector: first the `d_head` entries of head
0, then those of head 1, then those of head 2. All together they are as long as the word itself, `num_heads * d_head =
d_model`.

This is called a **fused projection**. It is nothing but `nn.Linear(d_model, d_model)`, and not a single number in it
is new. Keys and values get one each, too. So there are three products, however many heads there are.

What is missing is the step after it: each head must get *its* slice.

## 1 · Split the heads   <sub>13 min · difficulty 3/5</sub>

Your `attention` works on the last two dimensions, `(seq, d_head)`. It treats all dimensions in front of these as a
batch. So if the heads are a dimension *in front*, all of them run at once and there is no loop:

`(batch, seq, d_model) -> (batch, num_heads, seq, d_head)`

There are as many numbers on the left as on the right. So is **`x.view(batch, num_heads, seq, d_head)`** enough? And if
not, why not? Let the numbers answer. Here are four words with six features each. Each number says where it comes from:
23 is feature 3 of word 2. The features in blue are meant for head 0, those in orange for head 1.
"""

# %%
from manyheads.pictures.number_grids import number_grids

words = ["the", "cat", "sat", "down"]
# (1, 4, 1) + (6) -> (1, 4, 6): batch 1, seq 4, d_model 6
numbers = 10 * torch.arange(4).view(1, 4, 1) + torch.arange(6)
# what each head should get, cut out by hand: (2, 4, 3)
wanted = torch.stack([numbers[0, :, :3], numbers[0, :, 3:]])


def head_of(number: int) -> int:
    """Features 0, 1, 2 of each word are for head 0, features 3, 4, 5 for head 1."""
    return number % 10 // 3


number_grids(
    {
        "x": numbers[0],
        "x.view(1, 2, 4, 3)": numbers.view(1, 2, 4, 3)[0],
        "what it should be": wanted,
    },
    head_of,
    words,
    alt="Numbers of x, blue for head 0, orange for head 1. After a view alone each "
    "head has both colours, and head 0 holds 'the' and 'cat' only. As it should be, "
    "each head has one colour and all four words.",
)

# %% [markdown]
"""
In memory the numbers of a tensor lie in one long line, row by row: 00 01 02 03 04 05 10 11 and so on. **`view` moves
none of them.** It reads the same line in the same order and only cuts it in other places. Here it cuts the line in two
halves. Head 0 gets the first half: *the* and *cat*, with all their features. Then the half is cut into four rows. The
row that head 0 takes for *cat* is 03 04 05, the second half of *the*.

On the right, each head has one colour and all four words. No view can give that, since its first row is 00 01 02 and
its second 10 11 12: the order is another one. What can? Ask two questions:

- Which cut can be made **where the numbers lie**, so that each piece is in one colour?
- After that cut, which two dimensions are in the wrong order? **`transpose` swaps two dimensions**, and `view` never
  does.

Does it matter? The shape is right both ways, and torch does not complain. Let us ask **who can still see whom**. No
mask anywhere: each word's output should depend on every word.
"""


# %%
def who_sees_whom(split, merge) -> Tensor:
    """Row i, column j: 1 if the output of word i depends on word j."""
    x = torch.randn(1, 4, 6, requires_grad=True)
    heads = split(x)
    output = merge(attention(heads, heads, heads)[0])
    gradients = [
        torch.autograd.grad(word.sum(), x, retain_graph=True)[0] for word in output[0]
    ]
    # four times (1, 4, 6) -> (4, 4, 6) -> (4, 4)
    return (torch.cat(gradients).abs().sum(dim=-1) > 0).int()


torch.manual_seed(0)
print("split as it should be, and joined again:")
print(
    who_sees_whom(
        split=lambda x: torch.stack([x[..., :3], x[..., 3:]], dim=1),
        merge=lambda heads: torch.cat(heads.unbind(dim=1), dim=-1),
    )
)
print("view alone, there and back:")
print(who_sees_whom(lambda x: x.view(1, 2, 4, 3), lambda heads: heads.view(1, 4, 6)))

# %% [markdown]
"""
With a view alone, *sat* and *down* cannot see *the* and *cat*, and the other way round: each head is a sentence half as
long. Such a layer runs without a word of complaint. It just cannot learn anything that needs the other half.

**Your turn.** Split any `x`.

<details>
<summary>Hint 1</summary>

Each word's own features lie side by side in memory. Into which two dimensions can the last one be cut? How large is
each? Write the shape down, and compare it with the one that you want.

</details>

<details>
<summary>Hint 2</summary>

Draw what you get: `number_grids({"mine": split_heads(numbers, 2)[0]}, head_of, words)`. Are there two colours in a
head? Then the cut is in the wrong place. Are there too few words? Then two dimensions are still in the old order.

</details>
"""


# %% exercise="split_heads"
def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """Give each head its own slice of the features.

    Args:
        x: (batch, seq, d_model)
        num_heads: number of heads; it divides d_model
    Returns:
        heads: (batch, num_heads, seq, d_head); head h holds the features
            h * d_head … (h + 1) * d_head - 1
    """
    ### BEGIN SOLUTION
    batch, seq, d_model = x.shape
    d_head = d_model // num_heads
    # (batch, seq, d_model) -> (batch, seq, num_heads, d_head)
    # -> (batch, num_heads, seq, d_head)
    return x.view(batch, seq, num_heads, d_head).transpose(1, 2)
    ### END SOLUTION


# %% check="split_heads.shapes" points=1
check.shapes(split_heads)

# %% check="split_heads.outputs" points=2
check.outputs(split_heads)

# %% [markdown]
"""
Here is your own split, on the same numbers. With three heads of two features the colours change, of course.
"""

# %%
with try_it():
    picture = number_grids(
        {"x": numbers[0], "split_heads(x, 3)": split_heads(numbers, 3)[0]},
        head_of=lambda number: number % 10 // 2,
        words=words,
        alt="The numbers of x and what your split_heads makes of them, "
        "one grid a head.",
    )
    display(picture)

# %% [markdown]
"""
**Could head 0 not take every second feature instead**, 0, 2, 4, and head 1 the rest? Yes: that is another convention,
not a worse one. All features of a query are learned, so none belongs to a head before training. But whoever shares
trained weights must agree on one convention, and nearly everybody, torch and MiniLM among them, gives each head
features that lie side by side. In the other order your layer would read their weights as noise, without an error.

## 2 · Merge them again   <sub>9 min · difficulty 3/5</sub>

Each head has computed its answer, `(batch, num_heads, seq, d_head)`. The rest of the network wants one vector a word
again, with the answer of head 0 first: `(batch, seq, d_model)`. In chapter 3 you took the tensor apart for that, head
by head, and joined the parts. Now undo `split_heads`. There are two traps on the way.

**The first trap: to join what lies side by side in memory.** Here are the split numbers again, what `reshape` alone
makes of them, and what is wanted.
"""

# %%
split = wanted[None]  # (1, 2, 4, 3)
number_grids(
    {
        "heads": split[0],
        "heads.reshape(1, 4, 6)": split.reshape(1, 4, 6)[0],
        "what it should be": numbers[0],
    },
    head_of,
    words,
    alt="Left, the two heads. Reshaped alone, the rows of 'the' and 'cat' are blue and "
    "hold two words of head 0 each. As it should be, each row is a word again: blue, "
    "then orange.",
)

# %% [markdown]
"""
In the middle the row of *the* holds what head 0 found for *the* and for *cat*. On the right each row is one word again.

**The second trap: `view` after `transpose`.** Heads that come out of `attention` are a new tensor:
"""

# %%
# as it comes out of attention: (batch, num_heads, seq, d_head)
answer = torch.randn(1, 2, 4, 3)
turned = answer.transpose(1, 2)  # (batch, seq, num_heads, d_head)
print("the same memory?", answer.data_ptr() == turned.data_ptr())
print("steps in memory (strides) before:", answer.stride(), "  after:", turned.stride())
try:
    turned.view(1, 4, 6)
except RuntimeError as error:
    print("view:", error)
print("reshape:", tuple(turned.reshape(1, 4, 6).shape))

# %% [markdown]
"""
`transpose` moves no number either. It only notes down other **strides**: how far it is in memory from one entry to
the next, along each dimension. Such a tensor is called non-contiguous.

Now look at the first row that you want. It holds three numbers of head 0, which lie at the places 0, 1, 2 in memory,
and three of head 1, at the places 12, 13, 14. No cut of the line can give that row: the numbers must be **copied**
into a new order, and `view` never copies. These do:

- `.reshape(…)` and `.flatten(…)`: a view where that is possible, a copy where it is not;
- `.contiguous()`: a copy whose memory is in order, and then `.view(…)` works.

(You may see a `view` that works in `merge_heads(split_heads(x))` and fails in your layer. There the second transpose
undoes the first, so the line is in order again.)

**Your turn.** Merge the heads.

<details>
<summary>Hint 1</summary>

Do what `split_heads` did, backwards and in reverse order: first swap, then join the last two dimensions.

</details>

<details>
<summary>Hint 2</summary>

After the swap the shape is `(batch, seq, num_heads, d_head)`. The last two dimensions become one, of length
`num_heads * d_head`. Which of the three ways around `view` do you like best?

</details>
"""


# %% exercise="merge_heads"
def merge_heads(x: Tensor) -> Tensor:
    """Put the heads' answers side by side, head 0 first.

    Args:
        x: (batch, num_heads, seq, d_head)
    Returns:
        merged: (batch, seq, d_model), d_model = num_heads * d_head
    """
    ### BEGIN SOLUTION
    batch, num_heads, seq, d_head = x.shape
    # (batch, num_heads, seq, d_head) -> (batch, seq, num_heads, d_head)
    # -> (batch, seq, d_model)
    return x.transpose(1, 2).reshape(batch, seq, num_heads * d_head)
    ### END SOLUTION


# %% check="merge_heads.shapes" points=1
check.shapes(merge_heads)

# %% check="merge_heads.outputs" points=2
check.outputs(merge_heads)

# %% [markdown]
"""
Is it enough to test that splitting and merging gives `x` back? Say what you expect of the second line.
"""

# %%
with try_it():
    yours = merge_heads(split_heads(numbers, 2))
    views = numbers.view(1, 2, 4, 3).view(1, 4, 6)
    print("your split and your merge give x back:", torch.equal(yours, numbers))
    print("two views without transpose do, too:  ", torch.equal(views, numbers))

# %% [markdown]
"""
Two mistakes can cancel. There and back proves nothing about the place in between, and that is where attention works.
So the checks look at the numbers themselves.

## 3 · Mask the padding   <sub>8 min · difficulty 2/5</sub>

![Sentences of 7, 4 and 2 words, filled up to 7 places: the mask is True for words.](pictures/padding.svg)

A batch is a rectangle, and sentences are not all of one length. So short ones are filled up with **padding**, a
meaningless token. No word may look at it. Which places may be looked at, then? In a sentence of length 4, places 0 to
3.

The scores have the shape `(batch, num_heads, seq_q, seq_k)`. On which of these four does the padding depend? On the
sentence, since each has a length of its own. And on the key, since it is padding that must not be looked *at*. It
does not depend on the head, nor on who looks. So the mask has a 1 there: **`(batch, 1, 1, seq)`**. torch repeats a
dimension of 1 as often as needed. It lines shapes up **from the right**:
"""

# %%
scores = torch.zeros(3, 2, 7, 7)  # batch 3, num_heads 2, seq 7
for name, shape in {
    "causal           ": (7, 7),
    "padding          ": (3, 1, 1, 7),
    "both             ": (3, 1, 7, 7),
    "padding, too flat": (3, 7),
}.items():
    try:
        mask = torch.zeros(shape, dtype=torch.bool)
        result = tuple(scores.masked_fill(mask, 0.0).shape)
    except RuntimeError:
        result = "does not fit"
    print(name, f"{shape!s:>13} ->", result)

# %% [markdown]
"""
The last one, `(batch, seq)`, would be taken for `(seq_q, seq_k)`. Here torch complains, since 3 is not 7. With as many
sentences as words it would not, and then word 0 of *every* sentence would be masked by the length of sentence 0.

Two masks are combined by **`&`**: a word may be looked at where both say so. `padding & causal` is
`(batch, 1, 1, seq) & (seq, seq) -> (batch, 1, seq, seq)`.

**Your turn.** Make the padding mask from the lengths of the sentences. It must be on the device of `lengths`, so
that it can be combined with the scores there. `torch.arange(seq, device=…)` gives the places 0, 1, 2 and so on.

<details>
<summary>Hint 1</summary>

A place holds a word if its number is smaller than the sentence's length. Compare all places with all lengths at
once: shapes are lined up from the right, so what shape must the lengths have?

</details>

<details>
<summary>Hint 2</summary>

Indexing with None puts in a dimension of 1: `lengths[:, None]` is `(batch, 1)`. How many are needed, so that comparing
with the places gives `(batch, 1, 1, seq)`? And who knows on which device the lengths are?

</details>
"""


# %% exercise="padding_mask"
def padding_mask(lengths: Tensor, seq: int) -> Tensor:
    """Say for each sentence of a batch which places hold words.

    The words come first, the padding after them.

    Args:
        lengths: integers (batch,), each 0 … seq
        seq: number of places
    Returns:
        mask: bool (batch, 1, 1, seq), on the device of lengths; sentence b is True in
            the places 0 … lengths[b] - 1
    """
    ### BEGIN SOLUTION
    positions = torch.arange(seq, device=lengths.device)
    # (seq) < (batch, 1, 1, 1) -> (batch, 1, 1, seq)
    return positions < lengths[:, None, None, None]
    ### END SOLUTION


# %% check="padding_mask.shapes" points=1
check.shapes(padding_mask)

# %% check="padding_mask.outputs" points=2
check.outputs(padding_mask)

# %% [markdown]
"""
Both masks together, for the sentence of 4 words. Which row has a single 1? What do the last three rows say?
"""

# %%
with try_it():
    both = padding_mask(torch.tensor([7, 4, 2]), 7) & causal_mask(7)
    print(tuple(both.shape))
    print(both[1, 0].int())

# %% [markdown]
"""
The last three rows are padding that looks at words. That is allowed: it sees the four words, and its output is thrown
away. A network's loss simply leaves these places out.

## 4 · The whole layer   <sub>20 min · difficulty 4/5</sub>

![Inputs are projected and split, each head attends, and the heads are merged.](pictures/layer.svg)

All parts are there. Three questions remain.

**Where do queries, keys and values come from?** In *self-attention* all from the same words. A translator also looks
from the new sentence into the old one, and that is *cross-attention*: queries from here, keys and values from there.
One layer does both:

| call | queries from | keys from | values from |
|---|---|---|---|
| `layer(x)` | `x` | `x` | `x` |
| `layer(x, other)` | `x` | `other` | `other` |
| `layer(x, other, third)` | `x` | `other` | `third` |

So a missing key is the query, and a missing value is the *key*. `x` has seq_q words, `other` has seq_k.

**What is dropout doing here?** In training, a share of the *weights* is set to 0 at random, so that no head relies on
a single word. torch has a module for it:
"""

# %%
torch.manual_seed(3)
drop = nn.Dropout(0.3)  # a share of 0.3
eight_weights = torch.full((8,), 1 / 8)
drop.train()
for _ in range(2):
    print("training:", [f"{weight:.3f}" for weight in drop(eight_weights).tolist()])
drop.eval()
print("eval:    ", [f"{weight:.3f}" for weight in drop(eight_weights).tolist()])
drop.train()
sums = drop(eight_weights.expand(10_000, 8)).sum(dim=-1)
print("sum of a row in training, average of 10000:", f"{sums.mean():.2f}")

# %% [markdown]
"""
Each call drops different ones, and those that are kept are divided by 1 − 0.3, so that a row sums to 1 *on average*. In
eval mode it does nothing: a trained layer must give the same answer every time. A module made in `__init__` follows its
owner's `train()` and `eval()`. (The function `nn.functional.dropout` does not: it drops always, unless you pass
`training=self.training`.)

Dropout comes between the weights and the average. So take `attention` apart: your `attention_scores` and
`attention_weights` from chapter 1 are imported.

**What if num_heads does not divide d_model?** Say so at once, in `__init__`, with a `ValueError` that names both
numbers. (Your `head_width` from chapter 3 raises it; it is imported too.)

**Your turn.** Write the layer. The mask needs no work at all: if it broadcasts to
`(batch, num_heads, seq_q, seq_k)`, your functions can take it as it is.

<details>
<summary>Hint 1</summary>

`__init__` makes whatever has parameters or a mode: four layers and, unless you use the function, a dropout module. What
else must `forward` know? In `forward`, write
down the shape after each step, from three dimensions to four and back. Where did chapter 3 have a loop?

</details>

<details>
<summary>Hint 2</summary>

Between the split and the merge nothing knows of heads: scores, weights and average look as they do for a single one. A
missing value is the *key*, so fill in the key first. Which weights made the output, those before dropout or after it?

</details>
"""


# %% exercise="MultiHeadAttention"
class MultiHeadAttention(nn.Module):
    """An attention layer with all its heads at once.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads, each d_model // num_heads wide
        dropout: share of the weights that is set to 0 at random, in training mode only
    Raises:
        ValueError: if num_heads does not divide d_model
    """

    def __init__(self, d_model: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        if d_model % num_heads != 0:
            raise ValueError(
                "d_model must be a multiple of num_heads, "
                f"and {d_model} is not one of {num_heads}"
            )
        self.num_heads = num_heads
        self.w_q = nn.Linear(d_model, d_model)
        self.w_k = nn.Linear(d_model, d_model)
        self.w_v = nn.Linear(d_model, d_model)
        self.w_o = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        ### END SOLUTION

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Let the words of query attend to the words of key.

        Args:
            query: (batch, seq_q, d_model)
            key: (batch, seq_k, d_model); None means that it is the query
            value: (batch, seq_k, d_model); None means that it is the key
            mask: bool, broadcasts to (batch, num_heads, seq_q, seq_k); True means
                "may attend". None blocks nothing.
        Returns:
            output: (batch, seq_q, d_model)
            weights: (batch, num_heads, seq_q, seq_k), those that made the output: in
                training mode after dropout
        """
        ### BEGIN SOLUTION
        if key is None:
            key = query
        if value is None:
            value = key
        # (batch, seq, d_model) -> (batch, seq, d_model)
        # -> (batch, num_heads, seq, d_head)
        q = split_heads(self.w_q(query), self.num_heads)
        k = split_heads(self.w_k(key), self.num_heads)
        v = split_heads(self.w_v(value), self.num_heads)
        # (batch, num_heads, seq_q, d_head), (batch, num_heads, seq_k, d_head)
        # -> (batch, num_heads, seq_q, seq_k)
        weights = self.dropout(attention_weights(attention_scores(q, k), mask))
        # (batch, num_heads, seq_q, seq_k) @ (batch, num_heads, seq_k, d_head)
        # -> (batch, num_heads, seq_q, d_head) -> (batch, seq_q, d_model)
        output = self.w_o(merge_heads(weights @ v))
        return output, weights
        ### END SOLUTION


# %% check="MultiHeadAttention.shapes" points=2
check.shapes(MultiHeadAttention)

# %% check="MultiHeadAttention.outputs" points=5
check.outputs(MultiHeadAttention)

# %% [markdown]
"""
Try cross-attention: three French words look at four English ones. Which shape has each output? Say it first.
"""

# %%
with try_it():
    torch.manual_seed(0)
    layer = MultiHeadAttention(d_model=12, num_heads=3)
    french, english = torch.randn(1, 3, 12), torch.randn(1, 4, 12)
    output, weights = layer(french, english)
    print("output ", tuple(output.shape))
    print("weights", tuple(weights.shape))

# %% [markdown]
"""
One output for each word that asks, and for each head a row of 4 weights for each of the 3 words.

## See what a mask lets through   <sub>4 min</sub>

Your layer at work on one sentence, with your masks. On the left are the scores of one head, as far as the mask lets
them through; on the right are its weights. Nothing has been trained, so the numbers are random: look only at *where*
there are any.

- Tick "causal". What can *cat* still see, and what do its weights sum to?
- Untick it and move "words" to 6, so that two places become padding. What goes: rows, columns or a triangle?
- Both at once: does a row lose everything? And with the padding in front?
- Change the head. What changes on the left, and what does not?
- Move "words" to 0.

<details>
<summary>Answers</summary>

*cat* sees *The*, *black* and itself, and these three weights sum to 1. Padding blocks columns. With the padding at the
end every row can still see the first word. In front, the first two rows see padding only, and nothing is left: all
their weights are 0. Another head has other scores, and the mask is the same for all. Without any words every row is
like that. Your `attention_weights` takes care of it; with softmax alone there would be NaN.

</details>
"""

# %%
from manyheads.widgets import mask_painter

mask_painter(MultiHeadAttention, padding_mask, causal_mask)

# %% [markdown]
"""
## See what your heads look at   <sub>3 min</sub>

Your layer once more, with as many heads as you like. A line runs from each word that looks to the words it looks at;
the thicker, the more weight. The numbers are random again.

- Move "num_heads". d_model stays 48. What happens to each head's width?
- Look from *sat*. Is there a word that two heads look at most? Do they have the same weights?
- Choose "maps", all heads. What is a row, and what does it sum to?

<details>
<summary>Answers</summary>

The heads get narrower: d_head is 48 divided by num_heads. Two heads may well look most at the same word, by chance.
But no two have the same weights, since each compares other features: its own slice of the queries with its own slice
of the keys. A row belongs to the word that looks, and sums to 1 in each head.

</details>
"""

# %%
from manyheads.widgets import head_viewer

head_viewer(MultiHeadAttention)

# %% [markdown]
"""
## 5 · The same as many small heads?   <sub>10 min · difficulty 3/5</sub>

You have two layers now: `ParallelHeads`, with a loop, and `MultiHeadAttention`, without. Are they the same function?
Put the numbers of one into the other and see.

How does one write numbers into a layer? Here are three ways that do not work, or not as you think:
"""

# %%
old, new = nn.Linear(2, 2), nn.Linear(2, 2)
try:
    new.weight = torch.zeros(2, 2)
except TypeError as error:
    print("1.", error)
try:
    new.weight.copy_(torch.zeros(2, 2))
except RuntimeError as error:
    print("2.", error)
new.weight = old.weight
with torch.no_grad():
    new.weight.zero_()  # as if new had learned something
print("3. the old layer's weight:", old.weight.tolist())

# %% [markdown]
"""
1. A parameter is not just a tensor, so a tensor cannot take its place.
2. Changing it in place is refused, since torch keeps track of what happens to parameters.
3. Assigning the parameter itself makes *one* parameter with two owners. When one layer learns, the other changes.

What does work: `with torch.no_grad():` and in it `layer.weight.copy_(numbers)`. It copies numbers and leaves no trace.

(torch also has `load_state_dict`, which copies all parameters of one layer into another at once, by name. It needs the
same names and shapes in both. Here only `w_o` has them: `heads.0.w_q.weight` is (d_head, d_model), `w_q.weight` is
(d_model, d_model). In chapter 5 all agree, and you will use it.)

**Your turn.** Make a `MultiHeadAttention` from `ParallelHeads`. The heads' layers are `parallel.heads[0].w_q` and so
on; `parallel.w_o` is the output projection, `nn.Linear(d_model, d_model)`, and its `in_features` is d_model.
Nothing may be shared.

<details>
<summary>Hint 1</summary>

You saw at the start of this chapter what to do with the queries' weights and biases. What about keys and values? And
what about `w_o`, which there is only once?

</details>

<details>
<summary>Hint 2</summary>

Begin with `w_q` alone, and compare `fused.w_q(x)` with `all_queries` from the start of the chapter. For the others you
need no new lines: `getattr(head, "w_q")` is `head.w_q`, so the name can come from a loop. Do you return the layer?

</details>
"""


# %% exercise="fuse_heads"
def fuse_heads(parallel: ParallelHeads) -> MultiHeadAttention:
    """Make a layer that computes all heads at once from one that takes them one by one.

    Args:
        parallel: has `heads`, each with the layers w_q, w_k, w_v,
            nn.Linear(d_model, d_head); and w_o, nn.Linear(d_model, d_model)
    Returns:
        fused: gives the same output and the same weights, with parameters of its own
    """
    ### BEGIN SOLUTION
    d_model = parallel.w_o.in_features
    fused = MultiHeadAttention(d_model, len(parallel.heads))
    with torch.no_grad():
        for name in ("w_q", "w_k", "w_v"):
            wide = getattr(fused, name)
            narrow = [getattr(head, name) for head in parallel.heads]
            # num_heads times (d_head, d_model)
            # -> (d_model, d_model), head 0's rows first
            wide.weight.copy_(torch.cat([layer.weight for layer in narrow]))
            wide.bias.copy_(torch.cat([layer.bias for layer in narrow]))
        fused.w_o.weight.copy_(parallel.w_o.weight)
        fused.w_o.bias.copy_(parallel.w_o.bias)
    return fused
    ### END SOLUTION


# %% check="fuse_heads.shapes" points=1
check.shapes(fuse_heads)

# %% check="fuse_heads.outputs" points=3
check.outputs(fuse_heads)

# %% [markdown]
"""
Now compare the two: outputs, weights, and also what they would **learn**. If the gradients agree, they stay the same
after every step of training. And how often does each ask torch for a linear layer?
"""


# %%
def linear_calls(layer: nn.Module, *inputs: Tensor) -> int:
    """Count how often layers of nn.Linear are called."""
    calls = []
    hooks = [
        module.register_forward_hook(lambda *_: calls.append(1))
        for module in layer.modules()
        if isinstance(module, nn.Linear)
    ]
    layer(*inputs)
    for hook in hooks:
        hook.remove()
    return len(calls)


with try_it():
    torch.manual_seed(0)
    x = torch.randn(2, 7, 512)
    parallel = ParallelHeads(d_model=512, num_heads=8)
    fused = fuse_heads(parallel)
    output_1, weights_1 = parallel(x, causal_mask(7))
    output_2, weights_2 = fused(x, mask=causal_mask(7))
    output_1.square().sum().backward()
    output_2.square().sum().backward()
    # 8 times (64, 512) -> (512, 512)
    gradient_1 = torch.cat([head.w_q.weight.grad for head in parallel.heads])
    print(f"outputs: largest difference   {(output_1 - output_2).abs().max():.1e}")
    print(f"weights: largest difference   {(weights_1 - weights_2).abs().max():.1e}")
    difference = (gradient_1 - fused.w_q.weight.grad).abs().max()
    print(f"gradients: largest difference {difference:.1e}")
    calls_1, calls_2 = linear_calls(parallel, x), linear_calls(fused, x)
    print("calls of nn.Linear:", calls_1, "one by one,", calls_2, "all at once")

# %% [markdown]
"""
The same function, up to rounding: 25 calls, or 4. How much faster that is, you measure in chapter 5.

## 6 · The same as torch's layer?   <sub>12 min · difficulty 3/5</sub>

torch has a layer of its own, `nn.MultiheadAttention`. You will meet it in other people's code, so it is worth
knowing how it names things. It goes one step further than you and stores queries, keys and values in a *single* matrix:

| | in `nn.MultiheadAttention` | in yours |
|---|---|---|
| d_model, num_heads, dropout | `layer.embed_dim`, `layer.num_heads`, `layer.dropout` | the arguments of `__init__` |
| weights | `layer.in_proj_weight` (3 * d_model, d_model): the rows of q, then k, then v | `w_q`, `w_k`, `w_v` |
| biases | `layer.in_proj_bias` (3 * d_model), in the same order | |
| output projection | `layer.out_proj`, an `nn.Linear` | `w_o` |

If it was made with `bias=False`, then `layer.in_proj_bias` and `layer.out_proj.bias` are both None. Your layer always
has its four biases. Which numbers in them change nothing?

**Your turn.** Make a `MultiHeadAttention` from torch's layer. Again, copy. (Whether it is in training or in eval mode
is up to the caller.)

<details>
<summary>Hint 1</summary>

`tensor.chunk(3)` cuts a tensor into three equal parts along its first dimension. Both layers store their weights as
(out, in), so nothing needs to be transposed.

</details>

<details>
<summary>Hint 2</summary>

Compare parameter by parameter: the rows `d_model` to `2 * d_model - 1` of `in_proj_weight` belong to which of yours?
Then try a layer with `bias=False`: your biases must not stay as `nn.Linear` has made them.

</details>
"""


# %% exercise="from_torch"
def from_torch(layer: nn.MultiheadAttention) -> MultiHeadAttention:
    """Make one of our layers from torch's.

    Args:
        layer: made with batch_first=True, keys and values as wide as queries; perhaps
            with bias=False
    Returns:
        mine: gives the same output and the same weights, with parameters of its own
            and the same dropout
    """
    ### BEGIN SOLUTION
    mine = MultiHeadAttention(layer.embed_dim, layer.num_heads, layer.dropout)
    ours = (mine.w_q, mine.w_k, mine.w_v)
    with torch.no_grad():
        # (3 * d_model, d_model) -> three times (d_model, d_model)
        for linear, weight in zip(ours, layer.in_proj_weight.chunk(3), strict=True):
            linear.weight.copy_(weight)
        mine.w_o.weight.copy_(layer.out_proj.weight)
        if layer.in_proj_bias is None:  # it was made with bias=False
            for linear in (*ours, mine.w_o):
                linear.bias.zero_()
        else:
            for linear, bias in zip(ours, layer.in_proj_bias.chunk(3), strict=True):
                linear.bias.copy_(bias)
            mine.w_o.bias.copy_(layer.out_proj.bias)
    return mine
    ### END SOLUTION


# %% check="from_torch.shapes" points=1
check.shapes(from_torch)

# %% check="from_torch.outputs" points=3
check.outputs(from_torch)

# %% [markdown]
"""
Compare the two, first without a mask. Torch averages the weights over the heads, unless you say
`average_attn_weights=False`.
"""

# %%
with try_it():
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    mine = from_torch(theirs)
    x = torch.randn(2, 7, 12)
    my_output, my_weights = mine(x)
    their_output, their_weights = theirs(x, x, x, average_attn_weights=False)
    my_output.square().sum().backward()
    their_output.square().sum().backward()
    # (3 * d_model, d_model) -> the first of three times (d_model, d_model)
    their_gradient = theirs.in_proj_weight.grad.chunk(3)[0]
    print(f"outputs: largest difference   {(my_output - their_output).abs().max():.1e}")
    difference = (my_weights - their_weights).abs().max()
    print(f"weights: largest difference   {difference:.1e}")
    difference = (mine.w_q.weight.grad - their_gradient).abs().max()
    print(f"gradients: largest difference {difference:.1e}")
    print("shape of their weights by default:", tuple(theirs(x, x, x)[1].shape))

# %% [markdown]
"""
**Now with a mask, and here is a trap.** Give torch's layer our causal mask, once as it is and once inverted:
"""

# %%
torch.manual_seed(0)
theirs = nn.MultiheadAttention(12, 3, batch_first=True)
x = torch.randn(1, 4, 12)
mask = causal_mask(4)
for name, attn_mask in {"attn_mask=mask": mask, "attn_mask=~mask": ~mask}.items():
    weights = theirs(x, x, x, attn_mask=attn_mask, average_attn_weights=False)[1]
    print(f"{name}, the weights of head 0:\n{weights[0, 0].detach()}")

# %% [markdown]
"""
In `nn.MultiheadAttention` a boolean mask means **the opposite: True means blocked**. With our mask every word looks
at the future only, and the last word, which has none, gets NaN. Turned over with `~`, it is the mask we meant.

The same library's `scaled_dot_product_attention` reads a mask as we do. So look it up each time, and test it: change a
word that should be invisible, and see that no output changes.

| | yours, and `scaled_dot_product_attention` | `nn.MultiheadAttention` |
|---|---|---|
| True in a boolean mask | may attend | **blocked** |
| causal mask | `mask`, (seq, seq) | `attn_mask`, (seq, seq) |
| padding | the same `mask`, (batch, 1, 1, seq) | `key_padding_mask`, (batch, seq) |
| weights | one matrix a head | averaged, unless `average_attn_weights=False` |
| all blocked | zeros | NaN, if it returns the weights |

Do you agree with both masks at once?
"""

# %%
with try_it():
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    mine = from_torch(theirs)
    x = torch.randn(3, 7, 12)
    padding, causal = padding_mask(torch.tensor([7, 4, 2]), 7), causal_mask(7)
    my_output, my_weights = mine(x, mask=padding & causal)
    their_output, their_weights = theirs(
        x,
        x,
        x,
        attn_mask=~causal,
        key_padding_mask=~padding[:, 0, 0],
        average_attn_weights=False,
    )
    print(f"outputs: largest difference {(my_output - their_output).abs().max():.1e}")
    print(f"weights: largest difference {(my_weights - their_weights).abs().max():.1e}")

# %% [markdown]
"""
## 7 · Train it   <sub>5 min</sub>

Two layers that are the same function, gradients included, must also learn the same. Take chapter 2's toy language once
more, with the game in which *sat* asks all three questions. Torch's layer and yours start with the same weights and
read the same sentences.

In how many of the test sentences will all three answers be right at the end, and how far apart will the two curves be?
Type your guesses into the first lines.
"""

# %%
# in percent, for example "yours": 50
my_guesses = {"nn.MultiheadAttention": None, "yours": None}

from manyheads.models import toy_model
from manyheads.models.toy_grammar import ONE_ASKS
from manyheads.widgets import one_or_many

D_MODEL = toy_model.D_MODEL


class Theirs(nn.Module):
    """Torch's layer, called as yours is."""

    def __init__(self, layer: nn.MultiheadAttention) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        # (batch, 1, 1, seq) -> (batch, seq); True means blocked here
        blocked = ~mask[:, 0, 0]
        return self.layer(x, x, x, key_padding_mask=blocked, average_attn_weights=False)


head_counts = {"nn.MultiheadAttention": 4, "yours": 4}
race = one_or_many(head_counts, toy_model.STEPS, my_guesses)
display(race)
models = {}
with try_it():
    torch.manual_seed(1)
    theirs = nn.MultiheadAttention(D_MODEL, 4, batch_first=True)
    layers = {"yours": from_torch(theirs), "nn.MultiheadAttention": Theirs(theirs)}
    for name, layer in layers.items():
        torch.manual_seed(2)  # both get the same vectors for the words
        models[name] = toy_model.ToyModel(layer, heads_in_mask=True)
        toy_model.train(models[name], ONE_ASKS, race.watch(name))

# %% [markdown]
"""
The same curve twice: what torch's layer learns, yours learns. (Each step rounds a little differently, and after many
steps you may see it.)

Now you have a layer that was trained, and it is your own. Which head of it looks at what? From *sat*, with your
`head_specialisation` of chapter 2:
"""

# %%
from manyheads.earlier import head_specialisation
from manyheads.pictures import style
from manyheads.pictures.relation_map import describe_relation_maps, draw_relation_maps

with try_it():
    test = toy_model.test_sentences()
    with torch.no_grad():
        _, weights = models["yours"](test, ONE_ASKS)
    asking, answers = test.asking_positions(ONE_ASKS), test.answer_positions
    found = {4: head_specialisation(weights, asking, answers)}
    relations = ("black", "cat", "mat")
    words = describe_relation_maps(found, relations)
    display(style.picture(draw_relation_maps(found, relations), alt=words))

# %% [markdown]
"""
## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "x has the shape (1, 4, 6) and there are 2 heads. What does head 0 hold after x.view(1, 2, 4, 3)?",
        (
            "All six features of the first two words",
            "view keeps the order of the numbers, and the first half of them is the first two words.",
        ),
        (
            "The first three features of all four words",
            "That is what it should hold. For it, the numbers have to change their order, and view never does that.",
        ),
        (
            "Every second feature of all four words",
            "That would be interleaved heads, from view(1, 4, 3, 2) and a permute. view alone keeps the numbers in "
            "the order they lie in.",
        ),
    ),
    multiple_choice(
        "Why does x.transpose(1, 2).view(…) fail in merge_heads when reshape works?",
        (
            "The new rows are made of numbers that lie apart in memory, and view never copies",
            "reshape copies where it must, and view says that it cannot.",
        ),
        (
            "view cannot change the number of dimensions",
            "It can: split_heads goes from three to four with it.",
        ),
        (
            "transpose has moved the numbers in memory, and view only works on a tensor that is new",
            "It has moved none, it only reads them in other steps. That is why the rows no longer lie in one piece.",
        ),
    ),
    multiple_choice(
        "Your masks: padding is (batch, 1, 1, seq), causal is (seq, seq). What shape has padding & causal?",
        (
            "(batch, 1, seq, seq)",
            "Shapes are lined up from the right, and a 1 is repeated. The heads' dimension stays 1.",
        ),
        (
            "(batch, num_heads, seq, seq)",
            "Neither mask knows how many heads there are. The 1 is repeated later.",
        ),
        (
            "(batch, seq, seq)",
            "No dimension gets lost: padding has four, so the result has four.",
        ),
    ),
    multiple_choice(
        "You hand your causal mask to nn.MultiheadAttention as attn_mask. What happens?",
        (
            "Words see only the future, since there True means blocked",
            "Turn it over with ~ first.",
        ),
        (
            "The same as in your layer, since torch means the same by a boolean mask everywhere",
            "scaled_dot_product_attention does, nn.MultiheadAttention means the opposite.",
        ),
        (
            "An error, since it wants numbers that are added to the scores",
            "It takes boolean masks as well as numbers.",
        ),
    ),
    multiple_choice(
        "You call layer(x, other) with 3 words in x and 5 in other. Which is true?",
        (
            "There are 3 outputs, averages of values made from other",
            "The words that ask are in x. Keys and values both come from other.",
        ),
        (
            "There are 5 outputs, averages of values made from other",
            "The words that ask are the queries, and they come from x.",
        ),
        (
            "There are 3 outputs, averages of values made from x",
            "A missing value is the key: the 5 weights of a row need 5 values.",
        ),
    ),
    multiple_choice(
        "A layer with dropout=0.1 gives another output each time you call it, after training. What was forgotten?",
        (
            "layer.eval()",
            "Until then it is in training mode and drops other weights each time.",
        ),
        (
            "torch.no_grad()",
            "That only stops torch from recording gradients. It does not change what is computed.",
        ),
        (
            "torch.manual_seed(…)",
            "That would hide it: the same weights would be missing each time.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- compute the queries, keys and values of all heads in three products, and say why nothing changes by it
- explain why heads are split with `view` and then `transpose`, and what goes wrong otherwise
- say when `view` fails, and what to use instead
- mask padding and future at once, for a batch, without copying masks
- write the attention layer of a transformer, for self- and cross-attention, with dropout
- test whether two layers are the same function, gradients included, and move weights from one to the other

## What this leaves open   <sub>1 min</sub>

Your layer makes all the weights of all heads at once, `(batch, num_heads, seq, seq)`, and keeps them. How large does
that get?
"""

# %%
num_heads = 8
for seq in (128, 1024, 8192, 65_536):
    mebibytes = num_heads * seq * seq * 4 / 2**20  # a float32 has 4 bytes
    print(f"seq {seq:6,}: {mebibytes:9,.1f} MiB for one sentence")

# %% [markdown]
"""
Eight times as many words take 64 times as much memory. At 65,536 words the weights of this one layer take 128 GiB.

Yet there are models that read texts that long, with the same attention. How? And how much faster is "all at once"
really, on your machine and on a GPU? That is the next chapter.
"""

# %% [markdown]
"""
## Read on

- [Rush and others: The Annotated Transformer](https://nlp.seas.harvard.edu/annotated-transformer/):
    a whole model around a layer like yours, line by line.
- [PyTorch: nn.MultiheadAttention](https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html):
    all its arguments. Look for its masks.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
