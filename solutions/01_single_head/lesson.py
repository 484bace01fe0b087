# %% [markdown]
"""
# 1 · One head, by hand

![A line runs from each word into a new vector for "sat". How thick is the one from "cat"?](pictures/question.svg)

Someone reads you this sentence and asks: *who sat?* You answer at once. To answer, you connect *sat* with *cat*.

A neural network reads each word as a vector, a list of numbers. So the question becomes: **what should the
vector for *sat* know about *cat*, and how does it get there?**

The answer is called **attention**. In this chapter you build one attention **head**, the part of a
transformer through which words learn of each other. (Transformers are the networks behind today's language models.)
It takes five short functions and a class:

| | you write | it answers |
|---|---|---|
| 1 | `project` | What does each word look for, what does it offer, what does it hand over? |
| 2 | `attention_scores` | How well does each word fit what another one looks for? |
| 3 | `causal_mask` | Which words may be looked at? |
| 4 | `attention_weights` | How much does each word take from each other word? |
| 5 | `attention` | What comes out? |
| 7 | `SingleHeadAttention` | How can all this be learned? |

Each exercise is followed by two check cells. Run them as often as you like. A failing check tells you what it
expected, what your code returned and, if it knows your mistake, which one it is. Code that has passed its checks is
saved on this machine, in the folder `.manyheads` of your home directory, and later chapters use it.

Nothing in this chapter needs a GPU. "Run all cells" stops at the first check that fails: run cell by cell instead.
"""

# %% role="imports"
import math

import torch
from torch import Tensor, nn

from manyheads import check, try_it

# %% [markdown]
"""
## Why look at other words?   <sub>5 min</sub>

Here is a tiny vocabulary. Each word has its vector, one row of a table. In a trained network these numbers are
learned; here they are random, and that is enough to see how attention works.

`d_model` is the length of a word's vector. `seq` is the number of words in the sentence.
"""

# %%
torch.manual_seed(0)
d_model = 16
vocabulary = ["the", "black", "cat", "sat", "on", "mat", "old", "man"]
table = torch.randn(len(vocabulary), d_model)  # one row per word


def embed(sentence: str) -> Tensor:
    """Look the words up: a sentence -> (seq, d_model)."""
    return table[[vocabulary.index(word) for word in sentence.lower().split()]]


sentence = "The black cat sat on the mat"
with_cat = embed(sentence)
with_man = embed("The old man sat on the mat")
print("shape:", tuple(with_cat.shape))
print("same vector for 'sat' in both sentences?", torch.equal(with_cat[3], with_man[3]))

# %% [markdown]
"""
The same vector, whether a cat sat or a man. A table cannot know about the neighbours. So how could they get in?

**Mix them in.** Make a new vector for *sat*: a bit of *black*, much of *cat*, a bit of *sat* itself. Say how much of
each in a row of **weights**. The weights are never negative and sum to 1, so the result is a **weighted average**
of the words.
"""

# %%
# how much of each word goes into the new "sat"
shares = torch.tensor([0.0, 0.1, 0.6, 0.3, 0.0, 0.0, 0.0])

# (seq) @ (seq, d_model) -> (d_model)
sat_with_cat, sat_with_man = shares @ with_cat, shares @ with_man
print("still the same vector for 'sat'?", torch.allclose(sat_with_cat, sat_with_man))

# %% [markdown]
"""
Now *sat* is a different vector in the two sentences. It knows who sat.

Every word can do this at the same time. Stack the rows of weights, one row per word, and you have a matrix of shape
`(seq, seq)`. Then `weights @ x` gives all new vectors in one matrix product.

One thing is missing. We wrote 0.6 by hand. **Who chooses the weights?**

The words do. To find out how well two vectors fit, multiply them entry by entry and add up: the **dot product**.
It is large if both point the same way. Let us try the simplest thing, each word against each word.
"""

# %%
words = sentence.split()
# (seq, d_model) @ (d_model, seq) -> (seq, seq)
fit = with_cat @ with_cat.T
for word, row in zip(words, fit, strict=True):
    print(f"{word:>6} fits best with {words[row.argmax()]}")
print("does i fit j exactly as j fits i?", torch.allclose(fit, fit.T))

# %% [markdown]
"""
Two problems show:

1. Here each word fits itself best (*The* and *the* are the same row). It would learn little from the others.
2. The fit is the same both ways. But if *sat* looks for its subject, that is no reason for *cat* to look for *sat*
   just as hard.

The way out: do not compare the words as they are. Give each word **a vector for each role it plays**.

## 1 · Three vectors for each word   <sub>8 min · difficulty 1/5</sub>

![x gives q, k, v. q and k give scores. Scores become weights. Weights times v is the output.](pictures/flow.svg)

Look at the left half of the picture; the rest fills in as you go.

Think of a library. You come with a **query**: what you look for. Each book has a **key** on its spine: what it
offers. When they fit, you take home the **value**: what is inside. Each word gets all three:

| vector | made by | says |
|---|---|---|
| query `q` | `w_q` | what this word looks for: "I am a verb, who is my subject?" |
| key `k` | `w_k` | what this word offers: "I am a noun, I can be a subject" |
| value `v` | `w_v` | what this word hands over when it is looked at |

Each is made from `x` by a matrix product with a weight matrix of its own. That is called a **projection**. The
matrices have the shape `(d_model, d_head)`, so the new vectors have the length `d_head`. Papers write d_k for
`d_head`; we keep one name. Mind the words: a *weight matrix* holds numbers that are learned; the *weights* above are
shares, computed for each sentence.

This picture leaves out one dimension: sentences come in batches, so `x` has the shape `(batch, seq, d_model)`.
You need not do anything about it. If the left side of `@` has more than two dimensions, the product is taken for
each sentence by itself:
"""

# %%
sentences, matrix = torch.randn(2, 7, 16), torch.randn(16, 5)
# (2, 7, 16) @ (16, 5) -> (2, 7, 5)
print(tuple((sentences @ matrix).shape))

# %% [markdown]
"""
**Your turn.** Make the queries, keys and values of a batch of sentences. All three are made from `x`.

<details>
<summary>Hint 1</summary>

Three matrix products, all with `x` on the left. Look at the shapes in the docstring: which dimension must disappear?

</details>

<details>
<summary>Hint 2</summary>

The cell above makes one of the three, with other names. Only the weight matrix changes from one to the next. The
docstring says in which order they are returned.

</details>
"""


# %% exercise="project"
def project(
    x: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Make a query, a key and a value for each word.

    Args:
        x: (batch, seq, d_model)
        w_q, w_k, w_v: (d_model, d_head) each
    Returns:
        q, k, v: (batch, seq, d_head) each
    """
    ### BEGIN SOLUTION
    # (batch, seq, d_model) @ (d_model, d_head) -> (batch, seq, d_head)
    q = x @ w_q
    k = x @ w_k
    v = x @ w_v
    return q, k, v
    ### END SOLUTION


# %% check="project.shapes" points=1
check.shapes(project)

# %% check="project.outputs" points=2
check.outputs(project)

# %% [markdown]
"""
Are the two problems gone? Compare queries with keys, instead of words with words. Random projections will do:
"""

# %%
with try_it():
    torch.manual_seed(8)
    # [None]: a batch of one sentence
    queries, keys, values = project(with_cat[None], *torch.randn(3, d_model, 8) / 4)
    fit = queries[0] @ keys[0].T  # (seq, d_head) @ (d_head, seq) -> (seq, seq)
    print(f"sat looks at cat: {fit[3, 2]:.1f}   cat looks at sat: {fit[2, 3]:.1f}")
    themselves = fit.argmax(dim=-1) == torch.arange(7)
    print("words that fit themselves best:", themselves.sum().item(), "of 7")

# %% [markdown]
"""
They are: the two numbers differ, and six of the seven words fit another word best. What random projections look for
is random, of course. In section 6 you choose them yourself, and in section 7 they are learned.

## 2 · How well does each query fit each key?   <sub>12 min · difficulty 2/5</sub>

![A query and three keys as arrows in the plane, with their dot products 3, 0 and −1.](pictures/arrows.svg)

A dot product measures direction. Arrows that point the same way have a large one, arrows at a right angle have 0, and
arrows that point against each other have a negative one. (It also grows with their lengths.)

Take the dot product of each query with each key. Query *i* against key *j* gives the **score** in row *i*,
column *j*. A matrix product does all of them at once, if the keys are transposed first, so that `d_head` meets
`d_head`:

`(seq_q, d_head) @ (d_head, seq_k) -> (seq_q, seq_k)`

Why two names, `seq_q` and `seq_k`? Queries and keys may come from different sentences: a translator looks from the
new sentence into the old one. So never assume that there are as many queries as keys.

Before you write it: **how large do scores get?** Draw queries and keys whose entries have spread (standard
deviation) 1, for several `d_head`. Then measure the spread of their dot products.
"""

# %%
torch.manual_seed(0)
print("d_head   spread of the scores   √d_head")
for width in (4, 16, 64, 256, 1024):
    queries, keys = torch.randn(2, 2000, 7, width)  # 2000 sentences of 7 words
    # (2000, 7, width) @ (2000, width, 7) -> (2000, 7, 7)
    products = queries @ keys.transpose(-2, -1)
    print(f"{width:6d} {products.std():15.1f} {math.sqrt(width):16.1f}")

# %% [markdown]
"""
The spread grows like √d_head. Here is why: a score is a sum of `d_head` random products. Entries drawn independently,
with mean 0 and variance 1, make products of variance 1, and the variances of independent numbers add up: to `d_head`.
The spread is the square root of the variance.

**Is that bad?** Soon `softmax` turns each row of scores into weights: it takes e to the power of each score and
divides by the row's sum. What does it make of large scores?
"""

# %%
torch.manual_seed(0)
print("            largest weight of 7      gradient of a weight by its score")
print("d_head      as it is    / √d_head    as it is    / √d_head")
for width in (4, 64, 1024):
    queries, keys = torch.randn(2, 2000, 7, width)
    raw = queries @ keys.transpose(-2, -1)
    as_it_is, divided = raw.softmax(dim=-1), (raw / math.sqrt(width)).softmax(dim=-1)
    row = f"{width:6d}"
    for shares in (as_it_is, divided):
        row += f" {shares.max(dim=-1).values.mean():12.2f}"
    for shares in (as_it_is, divided):
        # softmax's derivative: of a weight by its own score
        row += f" {(shares * (1 - shares)).mean():11.3f}"
    print(row)

# %% [markdown]
"""
Read the last line. As they are, the scores of a wide head give one word nearly everything before anything is
learned, and the gradient nearly vanishes: a head like that can hardly change its mind. Divided by √d_head, the
weights look, on average, the same for every width.

That is the reason for the division. Move the slider and watch it. (A *token* is what the model reads in one place:
here, a word. The picture shows a single query, so its bars differ a little from width to width.)
"""

# %%
from manyheads.widgets import scaling_explorer

scaling_explorer()

# %% [markdown]
"""
**Your turn.** Compute all scores, divided by √d_head.

There may be any number of dimensions in front: none, a batch, or more. So count dimensions from the end. `-1` is
the last one, `-2` the one before. (`k.T` would reverse *all* dimensions, the batch too.)

<details>
<summary>Hint 1</summary>

Which two dimensions of `k` must change places? `transpose` takes their two numbers. Where can you read `d_head` from?

</details>

<details>
<summary>Hint 2</summary>

Try it with sizes that all differ: `torch.ones(2, 5, 4)` as `q` and `torch.ones(2, 3, 4)` as `k` must give the shape
(2, 5, 3), and each score must be 4 / √4 = 2.

</details>
"""


# %% exercise="attention_scores"
def attention_scores(q: Tensor, k: Tensor) -> Tensor:
    """Score how well each query fits each key: their dot product divided by √d_head.

    Args:
        q: (..., seq_q, d_head)
        k: (..., seq_k, d_head)
    Returns:
        scores: (..., seq_q, seq_k)
    """
    ### BEGIN SOLUTION
    d_head = q.shape[-1]
    # (..., seq_q, d_head) @ (..., d_head, seq_k) -> (..., seq_q, seq_k)
    return q @ k.transpose(-2, -1) / math.sqrt(d_head)
    ### END SOLUTION


# %% check="attention_scores.shapes" points=1
check.shapes(attention_scores)

# %% check="attention_scores.outputs" points=2
check.outputs(attention_scores)

# %% [markdown]
"""
## 3 · Mask the future   <sub>7 min · difficulty 2/5</sub>

Some words must not be looked at. A model that writes text learns to guess the next word. If *sat* could look at
*on*, guessing the word after *sat* would be no work at all, and nothing would be learned. So each word may look at
itself and at the words before it, **never at the future**. That rule is called **causal**.

A **mask** writes down who may look at whom. In this course a mask holds `True` and `False`, and **True means "may
attend"**:

![A grid of words by words: True on and below the diagonal, False above it.](pictures/causal_mask.svg)

Look at the row of *sat*, then at its column. Which one says what *sat* may look at? The row. The column says who may
look at *sat*.

**Your turn.** Build this mask for any `seq`. It must be boolean. Create it on the `device` you are given, so that
it is on the same device as the scores; you can pass `device` to the torch function that makes your tensor, even if it
is `None`.

<details>
<summary>Hint 1</summary>

In row *i*, which columns *j* are True? Either compare positions (`torch.arange`), or start with a matrix that is all
True and cut a triangle out of it.

</details>

<details>
<summary>Hint 2</summary>

A matrix has the methods `tril()` and `triu()`. Print what each makes of `torch.ones(3, 3)`, and compare with the
picture.

</details>
"""


# %% exercise="causal_mask"
def causal_mask(seq: int, device: torch.device | str | None = None) -> Tensor:
    """Say for each word which words it may attend to: itself and those before it.

    Args:
        seq: number of words
        device: where the mask is created
    Returns:
        mask: bool (seq, seq); row i is True in the columns 0 … i
    """
    ### BEGIN SOLUTION
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()
    ### END SOLUTION


# %% check="causal_mask.shapes" points=1
check.shapes(causal_mask)

# %% check="causal_mask.outputs" points=1
check.outputs(causal_mask)

# %% [markdown]
"""
## 4 · From scores to weights   <sub>14 min · difficulty 3/5</sub>

Now turn each row of scores into a row of weights, with `softmax`. A blocked word must get a weight of exactly 0.

**How do you block a word?** Here are three ways, on one row of three scores. The third word is blocked. What must
the two weights that are left sum to?
"""

# %%
three_scores = torch.tensor([2.0, 1.0, 3.0])
may_attend = torch.tensor([True, True, False])
with_0 = three_scores.masked_fill(~may_attend, 0.0)
with_minus_inf = three_scores.masked_fill(~may_attend, -math.inf)
ways = {
    "softmax, then weight to 0  ": three_scores.softmax(dim=-1) * may_attend,
    "score to 0, then softmax   ": with_0.softmax(dim=-1),
    "score to -inf, then softmax": with_minus_inf.softmax(dim=-1),
}
for way, shares in ways.items():
    print(way, [f"{share:.3f}" for share in shares.tolist()], end=" ")
    print(f"the two left sum to {shares[may_attend].sum():.3f}")

# %% [markdown]
"""
They must sum to 1, and only the third way gets there. In the first, two thirds of the weight are simply lost. In
the second, the blocked word keeps a share, because e to the power of 0 is 1. Minus infinity works, because e to the
power of −∞ is 0.

`~` turns True into False and back. `masked_fill(where, number)` returns a copy with `number` in all places where
`where` is True. A smaller mask is repeated to fit: one `(seq_q, seq_k)` mask serves a whole batch.

**Three traps.** See each before you step into it.

*What if all words are blocked?* This happens with padding, when short sentences are filled up to a common length.
Then each score is −∞:
"""

# %%
print("all blocked:", torch.full((3,), -math.inf).softmax(dim=-1))

# %% [markdown]
"""
0 divided by 0 is NaN, "not a number", and each sum that meets a NaN becomes NaN as well. One such row spoils a whole
training run. We want zeros: who may look at nothing takes nothing.

*What if scores are large?* e to the power of 10000 is too large for any float:
"""

# %%
large = torch.tensor([10_000.0, 9_999.0, -10_000.0])
print("by hand:      ", large.exp() / large.exp().sum())
print("torch.softmax:", large.softmax(dim=-1))

# %% [markdown]
"""
`softmax` subtracts the largest score of the row first. That changes nothing in theory and everything in practice.
So use it, rather than writing it yourself.

Such scores are also why "minus infinity" should be the real one, `-math.inf`. A replacement like −10000 is not
smaller than the last score above.

*What happens to the tensor you were given?* In torch, a method whose name ends in an underscore, such as
`masked_fill_`, works **in place**, and so do `x += …` and `x[mask] = …`: they change the caller's tensor. Somebody
may still need those scores. Leave them as they are.

**Your turn.** Turn each row of scores into weights. If `mask` is None, nothing is blocked.

<details>
<summary>Hint 1</summary>

Over which dimension must the weights sum to 1? A row belongs to one query; its columns are the keys. So it is the
last dimension, `-1`.

For rows without any True, softmax gives NaN. After the softmax you know which entries must be 0: the blocked ones.

</details>

<details>
<summary>Hint 2</summary>

Try it on the three scores above: with `may_attend` as the mask you must get the third line of that table, with
`None` the softmax of all three, and with a mask that is all False three zeros. `masked_fill` works on weights as well
as on scores.

</details>
"""


# %% exercise="attention_weights"
def attention_weights(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Turn scores into weights: softmax over the keys that each query may attend to.

    Args:
        scores: (..., seq_q, seq_k)
        mask: bool, broadcasts to (..., seq_q, seq_k); True means "may attend". None
            blocks nothing.
    Returns:
        weights: (..., seq_q, seq_k). Rows sum to 1, blocked entries are 0, a row with
            nothing but blocked entries is all 0.
    """
    ### BEGIN SOLUTION
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    if mask is not None:
        # softmax makes a row NaN if all of it is blocked
        weights = weights.masked_fill(~mask, 0.0)
    return weights
    ### END SOLUTION


# %% check="attention_weights.shapes" points=1
check.shapes(attention_weights)

# %% check="attention_weights.outputs" points=3
check.outputs(attention_weights)

# %% [markdown]
"""
Put your mask and your weights together. What should the first row look like, whatever the scores are? Say it before
you run the cell.
"""

# %%
with try_it():
    torch.manual_seed(0)
    print(attention_weights(torch.randn(4, 4), causal_mask(4)))

# %% [markdown]
r"""
The first word may look only at itself, so it must take all of itself.

## 5 · The whole head   <sub>7 min · difficulty 2/5</sub>

Everything is there. Scores, from queries and keys. Weights, from scores and mask. The last step is the one we began
with: the **weighted average**, now of the values.

Follow it once in numbers, for the query and the three keys that you saw as arrows (`d_head` is 2):

| | key | query (1, 1) · key | divided by √2 | weight | value |
|---|---|---|---|---|---|
| *the* | (1, −1) | 0 | 0 | 0.10 | (0, 0) |
| *cat* | (2, 1) | 3 | 2.12 | 0.85 | (10, 0) |
| *sat* | (−1, 0) | −1 | −0.71 | 0.05 | (0, 10) |

The output is 0.10 · (0, 0) + 0.85 · (10, 0) + 0.05 · (0, 10) = (8.5, 0.5): mostly *cat*.

In papers this is one line (the mask is not shown: it sets scores to −∞ before the softmax):

$$\operatorname{attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d_k}}\right) V$$

**Your turn.** Use the functions you have written. Return the output *and* the weights, so that you can look at what
the head looks at.

<details>
<summary>Hint 1</summary>

Two of your functions do all but the last step. Which one takes the mask?

</details>

<details>
<summary>Hint 2</summary>

Write down the shapes of weights and values, and the one that you want. Do the two fit `@` as they are? Then test it
on the table above: `q` is `torch.tensor([[1.0, 1.0]])`.

</details>
"""


# %% exercise="attention"
def attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Let each query take a weighted average of the values.

    Args:
        q: (..., seq_q, d_head)
        k, v: (..., seq_k, d_head) each
        mask: bool, broadcasts to (..., seq_q, seq_k); True means "may attend". None
            blocks nothing.
    Returns:
        output: (..., seq_q, d_head)
        weights: (..., seq_q, seq_k)
    """
    ### BEGIN SOLUTION
    scores = attention_scores(q, k)
    weights = attention_weights(scores, mask)
    # (..., seq_q, seq_k) @ (..., seq_k, d_head) -> (..., seq_q, d_head)
    output = weights @ v
    return output, weights
    ### END SOLUTION


# %% check="attention.shapes" points=1
check.shapes(attention)

# %% check="attention.outputs" points=3
check.outputs(attention)

# %% [markdown]
"""
Does the causal mask keep its promise? Change the **last** word of a sentence. The outputs of the words before it must
not move at all.
"""

# %%
with try_it():
    torch.manual_seed(0)
    x = torch.randn(7, 16)
    y = x.clone()
    y[-1] = torch.randn(16)  # another last word
    for name, mask in {"no mask": None, "causal ": causal_mask(7)}.items():
        change = attention(x, x, x, mask)[0] - attention(y, y, y, mask)[0]
        largest = [f"{amount:.2f}" for amount in change.abs().amax(dim=-1).tolist()]
        print(name, "change of each word's output:", largest)

# %% [markdown]
"""
The second line must be 0.00 everywhere but at the end. If it is not, run the checks of sections 3 and 4 again.

## 6 · Set a head by hand   <sub>8 min</sub>

What do the numbers in `w_q` and `w_k` mean? Choose them yourself, before a machine does. Here each word has three
features, so `d_model` is 3, and the head has `d_head` 2. The row of a feature in `w_q` is what a word with it looks
for, its row in `w_k` what such a word offers.

With the numbers below, a verb looks for nouns. So *sat* looks at *cat* and *mat* alike, and not very hard.

**Try it.** No points, no check: change the numbers until *sat* gives *cat* at least 0.90. There are many ways.
"""

# %%
from manyheads.pictures import style
from manyheads.pictures.weight_maps import describe_weight_maps, draw_weight_maps

six_words = ["The", "cat", "sat", "on", "the", "mat"]
# a row for each word; its features: noun, verb, and early (it comes before the verb)
x = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]])
w_q = torch.tensor(
    [
        [0.0, 0.0],  # what a noun looks for
        [1.0, 0.0],  # what a verb looks for
        [0.0, 0.0],  # what an early word looks for
    ]
)
w_k = torch.tensor(
    [
        [1.0, 0.0],  # what a noun offers
        [0.0, 0.0],  # what a verb offers
        [0.0, 0.0],  # what an early word offers
    ]
)


def map_of(maps, words):
    """Draw weights, (seq, seq) each by its title; a row is the word that looks."""
    picture, alt = draw_weight_maps(maps, words), describe_weight_maps(maps, words)
    return style.picture(picture, alt)


with try_it():
    # [None]: a batch of one sentence; what is handed over does not matter here
    queries, keys, values = project(x[None], w_q, w_k, w_k)
    _, weights = attention(queries, keys, values)
    print(f"sat gives cat {weights[0, 2, 1]:.2f} and mat {weights[0, 2, 5]:.2f}")
    display(map_of({"weights": weights[0]}, six_words))

# %% [markdown]
"""
<details>
<summary>One way, and a second task</summary>

*cat* and *mat* are both nouns. What only *cat* has is that it is a noun **and** early. So use the second number: let
early words offer (0, 1), and let a verb look for (1, 1). Now *cat* fits best, but its weight is still small: softmax
needs larger differences. With (6, 6) *sat* gives *cat* 0.97.

Can *cat* look at *sat* in the same head, at the same time? Let a verb offer (−1, −1) and a noun look for (−6, −6).
*sat* still finds *cat*: each word has a row of its own. So one head can follow two relations. Remember this in chapter
2.

</details>

## 7 · A head that can learn   <sub>9 min · difficulty 2/5</sub>

So far the projections came from outside. A real head **owns** them and learns them. In torch that is an
`nn.Module`: what it owns is made in `__init__`, what it does is written in `forward`.

For a projection torch has `nn.Linear(d_model, d_head)`. It holds a weight matrix and a **bias**, a vector that is
added at the end, and you call it like a function: `layer(x)`. It works on the last dimension and leaves all others
alone:
"""

# %%
layer = nn.Linear(16, 5)
print({name: tuple(parameter.shape) for name, parameter in layer.named_parameters()})
print("(2, 7, 16) ->", tuple(layer(torch.randn(2, 7, 16)).shape))

# %% [markdown]
"""
The weight is stored transposed, `(d_head, d_model)`; `nn.Linear` takes care of that when you call it. So three of
these take the place of your `project`: each multiplies by its own matrix, as `project` did, and adds a bias. (Handing
`self.w_q.weight` to `project` would not work: it is transposed, and the bias would be left out.)

**Your turn.** Write the module. It needs three layers with the names `w_q`, `w_k` and `w_v`. In `forward`, queries,
keys and values all come from the same `x`. That is called **self-attention**: the words of a sentence look at each
other.

<details>
<summary>Hint 1</summary>

`__init__` makes what the head owns, under the three names that it must have. Each has a weight and a
bias, as `nn.Linear` makes them.

</details>

<details>
<summary>Hint 2</summary>

A layer is called like a function. What do you call it with, three times? Which of your functions takes the results,
and what does it return?

</details>
"""


# %% exercise="SingleHeadAttention"
class SingleHeadAttention(nn.Module):
    """One attention head with projections of its own.

    Args:
        d_model: length of a word's vector
        d_head: length of its query, its key and its value
    """

    def __init__(self, d_model: int, d_head: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.w_q = nn.Linear(d_model, d_head)
        self.w_k = nn.Linear(d_model, d_head)
        self.w_v = nn.Linear(d_model, d_head)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Let the words of each sentence attend to each other.

        Args:
            x: (batch, seq, d_model)
            mask: bool, broadcasts to (batch, seq, seq); True means "may attend". None
                blocks nothing.
        Returns:
            output: (batch, seq, d_head)
            weights: (batch, seq, seq)
        """
        ### BEGIN SOLUTION
        # (batch, seq, d_model) -> (batch, seq, d_head), three times
        return attention(self.w_q(x), self.w_k(x), self.w_v(x), mask)
        ### END SOLUTION


# %% check="SingleHeadAttention.shapes" points=1
check.shapes(SingleHeadAttention)

# %% check="SingleHeadAttention.outputs" points=3
check.outputs(SingleHeadAttention)

# %% [markdown]
"""
**Does it learn where to look?** You found weights by hand, for three features and one sentence. Now give a head a
game. In each sentence one word carries a flag: its entry 0 is 3. Every word must output entries 1 to 4 of the flagged
word. Nobody tells the head to look for the flag. It sees only how far off its output is.

The maps fill as it plays. They show its weights in one sentence, whose word 2 has the flag. How will they look at the
end?
"""

# %%
from manyheads.threads import one_thread

# such a small model is slower with several threads, which wait for each other
with try_it(), one_thread():
    torch.manual_seed(1)
    example = torch.randn(1, 7, 8)
    example[:, :, 0] = torch.tensor([0.0, 0, 3, 0, 0, 0, 0])
    places = ["0", "1", "flag", "3", "4", "5", "6"]
    maps = dict.fromkeys(["step 0", "step 20", "step 40", "step 100"])
    shown = display(map_of(maps, places), display_id=True)

    torch.manual_seed(0)
    head = SingleHeadAttention(d_model=8, d_head=4)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.02)
    for step in range(101):
        x = torch.randn(64, 7, 8)
        flagged, each = torch.randint(7, (64,)), torch.arange(64)
        x[:, :, 0] = 0
        x[each, flagged, 0] = 3
        output, weights = head(x)
        loss = (output - x[each, flagged, 1:5].unsqueeze(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            on_flag = weights[each, :, flagged].mean()
            print(f"step {step:3d}   error {loss:.3f}", end="   ")
            print(f"weight on the flagged word {on_flag:.2f}")
        if f"step {step}" in maps:
            maps[f"step {step}"] = head(example)[1][0].detach()
            shown.update(map_of(maps, places))

# %% [markdown]
"""
It starts with about 1/7 on each word, since it cannot know better, and ends with nearly everything on the flagged
one: its column stands out. The error alone has taught the queries and the keys to find each other.

## Check it against torch   <sub>2 min</sub>

torch comes with a function for the whole of attention. You will use it in chapter 5, where speed matters. Here it
is the judge: do you agree?
"""

# %%
with try_it():
    torch.manual_seed(0)
    queries, keys, values = torch.randn(3, 2, 7, 16)  # batch 2, seq 7, d_head 16
    mine, _ = attention(queries, keys, values, causal_mask(7))
    theirs = nn.functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=causal_mask(7)
    )
    print("largest difference:", (mine - theirs).abs().max().item())

# %% [markdown]
"""
You agree if the difference is at most 0.000001. That much is rounding: float32 keeps some seven digits.

## See what a head sees   <sub>3 min</sub>

Here are queries, keys and values made by hand for our sentence, and your own functions at work on them. Each row
shows where one word looks.

- Where does *sat* look?
- Tick "causal". Which rows change, and which word has no choice at all?
- The sharpness multiplies all queries. What is left of the picture at 0, and why?

(The full stop counts as a word here.)

<details>
<summary>Answers</summary>

*sat* looks at *cat*, its subject. With "causal", every row that looked to the right changes; *The* comes first and
has no choice left but itself. At sharpness 0 all scores are 0, so softmax gives every word the same share, 1/8.

</details>
"""

# %%
from manyheads.widgets import head_map

head_map(attention, causal_mask)

# %% [markdown]
"""
## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "Row i of the weights belongs to which word, and what does it say?",
        (
            "To word i as a query: how much it takes of each word",
            "A row is one query, its columns are the keys, and the row sums to 1.",
        ),
        (
            "To word i as a key: how much each other word takes of it",
            "That is column i. Columns need not sum to 1: a word may be popular or ignored.",
        ),
        (
            "To entry i of the vectors",
            "The weights have the shape (seq_q, seq_k). The entries of the vectors, d_head of them, "
            "were summed away in the dot product.",
        ),
    ),
    multiple_choice(
        "You leave out the division by √d_head in a head with d_head = 1024. What happens?",
        (
            "Softmax puts nearly everything on one word, and gradients nearly vanish",
            "The scores have a spread of about 32, and you measured what softmax does then.",
        ),
        (
            "The rows of weights no longer sum to 1",
            "Softmax always gives rows that sum to 1, for large scores too. What changes is how the 1 is shared out.",
        ),
        (
            "Nothing changes: softmax looks at the order of the scores, and not at their size",
            "Softmax does not care if you ADD the same number to a whole row. Multiplying the row by 32 changes a lot.",
        ),
    ),
    multiple_choice(
        "Why is a blocked score set to minus infinity and not to 0?",
        (
            "Because e to the power of 0 is 1, so the blocked word would still get a share",
            "A score of 0 is an ordinary score. Only minus infinity gives a weight of 0.",
        ),
        (
            "Because a 0 in a row of scores makes softmax divide by 0, and the row becomes NaN",
            "It is the other way round: minus infinity makes NaN, but only in a row where all words are blocked.",
        ),
        (
            "Because it is faster",
            "It takes the same time. The difference is in what comes out.",
        ),
    ),
    multiple_choice(
        "With a causal mask, which word has exactly the same weights whatever the sentence is?",
        (
            "The first",
            "It may look only at itself, so its weights are 1, 0, 0 and so on.",
        ),
        (
            "The last word",
            "The last word may look at all words, so nothing is blocked for it.",
        ),
        ("None", "Think of the first row of the causal mask: it has a single True."),
    ),
    multiple_choice(
        "You have 5 queries, 9 keys and d_head = 4. What shapes do the weights and the output have?",
        (
            "Weights (5, 9), output (5, 4)",
            "One row of weights for each query, one output vector for each query.",
        ),
        (
            "Weights (9, 5), output (9, 4)",
            "The words that ask are the queries, and there are 5 of them: 5 rows of weights, 5 outputs.",
        ),
        (
            "Weights (5, 9), output (5, 9)",
            "The output is an average of values, so it is as long as a value: d_head = 4.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- say why a word's vector needs its neighbours, and build it as a weighted average of their values
- explain query, key and value, and give each tensor's shape without looking
- show by measurement why scores are divided by √d_head
- block words with a mask, without NaN, overflow or a leak from the future
- write an attention head as a module that learns where to look

## What one head leaves open   <sub>1 min</sub>

A head makes **one** average for each word. Now *sat* wants to know two things: *who* sat, and *where*. Let it take
half of *cat* and half of *mat*:
"""

# %%
cat, mat = table[vocabulary.index("cat")], table[vocabulary.index("mat")]
the_cat_sat_on_the_mat = 0.5 * cat + 0.5 * mat
the_mat_sat_on_the_cat = 0.5 * mat + 0.5 * cat
same = torch.equal(the_cat_sat_on_the_mat, the_mat_sat_on_the_cat)
print("can you tell them apart?", not same)

# %% [markdown]
"""
The average has both words in it and has lost which is which. One head can serve *different* words well, each with a
row of its own. What it finds hard is to keep **two answers for the same word** apart.

What if *sat* had two heads, one for each question? That is the next chapter: **what one head cannot do**.
"""

# %% [markdown]
"""
## Read on

- [Vaswani and others, 2017: Attention Is All You Need](https://arxiv.org/abs/1706.03762):
    section 3.2.1 is the formula of this chapter, and its footnote 4 the reason for √d_k.
- [Bahdanau, Cho and Bengio, 2014: Neural Machine Translation by Jointly Learning to Align and
  Translate](https://arxiv.org/abs/1409.0473):
    where a network first chose what to look at, with a small network in place of the dot product.
- [Jay Alammar: The Illustrated Transformer](https://jalammar.github.io/illustrated-transformer/):
    the same in pictures.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
