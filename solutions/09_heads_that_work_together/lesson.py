# %% [markdown]
"""
# 9 · Heads that work together

![K D R M P K D R, and then? R was there before; M came after it.](pictures/question.svg)

So far you have asked what a head does by itself, and what several do **side by side**. But a model has layers, and a
head of the second layer reads what the heads of the first have written. What can two heads do **in a row** that no
number of heads can do side by side?

Here is a game that decides it. A random sequence of tokens comes twice in a row. Nothing can tell you the first half.
In the second half, you know each next token, if you do two things: find where the token at hand was **before**, and
see what came **after** it.

You train two models on it, with eight heads each: all eight in one layer, or four in each of two layers. You watch
while it happens. Then you take the better one apart, head by head, until you know how it does it.

**Write down your guess first: will one layer learn it? And two?**

| | you write | it answers |
|---|---|---|
| 1 | `repeated_tokens` | What does the model read? |
| 2 | `induction_score` | Which head looks at what came next? |
| 3 | `patch_head` | Which heads does the answer depend on? |
| 4 | `composition_score` | Which head listens to which? |

Each model trains in some ten seconds on any CPU. Run the cells one by one and in order.
"""

# %% role="imports"
import math

import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import MultiHeadAttention, previous_token_score
from manyheads.pictures import style

# %%
earlier.whose("MultiHeadAttention", "previous_token_score")

# %% [markdown]
"""
That line says whose layer you train here: your own of chapter 4, if it passed its checks on this machine.

## 1 · Draw the sequences   <sub>6 min · difficulty 1/5</sub>

A **token** is a number from 0 up to the size of the vocabulary. Here they mean nothing at all, and that is the point:
no grammar helps, and no word goes well with another. All that can be known is in the sequence itself.

If you train on random data, you must be able to draw the same data again. So all numbers come from a **generator** that
the caller has seeded. Hand it to torch, and torch draws from it:
"""

# %%
generator = torch.Generator().manual_seed(0)
print(torch.randn(3, generator=generator), "and then other numbers:")
print(torch.randn(3, generator=generator))
generator = torch.Generator().manual_seed(0)
print(torch.randn(3, generator=generator), "the same seed, from the start")

# %% [markdown]
"""
**Your turn.** Draw a batch of such sequences. Each place of a first half gets a token by itself, all tokens equally
likely; the same token may come twice. The second half repeats the first. Any of torch's functions that draws so is
right.

<details>
<summary>Hint 1</summary>

Whole numbers are drawn by `torch.randint`. Its upper end is not included, and it takes `generator=…`, too. How many
tokens do you need to draw?

</details>

<details>
<summary>Hint 2</summary>

Try `torch.cat` on `torch.arange(6).view(2, 3)` and itself, with `dim=0` and with `dim=1`. In which of the two is a row
twice as long?

</details>
"""


# %% exercise="repeated_tokens"
def repeated_tokens(
    batch: int, half: int, vocabulary: int, generator: torch.Generator
) -> Tensor:
    """Draw random sequences whose second half repeats the first.

    Args:
        batch: number of sequences
        half: length of the first half
        vocabulary: number of different tokens; they are 0, 1, … vocabulary − 1
        generator: what all random numbers are drawn with
    Returns:
        tokens: (batch, 2 · half), whole numbers (torch.int64), each place of the first
            half drawn by itself
    """
    ### BEGIN SOLUTION
    first = torch.randint(vocabulary, (batch, half), generator=generator)
    # (batch, half) twice, side by side -> (batch, 2 * half)
    return torch.cat([first, first], dim=1)
    ### END SOLUTION


# %% check="repeated_tokens.shapes" points=1
check.shapes(repeated_tokens)

# %% check="repeated_tokens.outputs" points=2
check.outputs(repeated_tokens)

# %% [markdown]
"""
The model's vocabulary has 64 tokens. To look at them, we write each as a letter, a digit or a sign:
"""

# %%
from manyheads.models.attention_only import VOCABULARY, as_text

with try_it():
    tokens = repeated_tokens(4, 10, VOCABULARY, torch.Generator().manual_seed(1))
    for row in range(4):
        print(as_text(tokens[row, :10]), "|", as_text(tokens[row, 10:]))

# %% [markdown]
"""
In training, each batch has another length: `half` is drawn between 8 and 16. Why not always 12? Because then the
next token would always be 11 places back, and **counting places** would be enough. You will see what happens
then.

How good can a model get? It gives each next token a probability, and the **loss** is minus its logarithm, on average,
in nats. In the first half all 64 are equally likely, so no model gets below ln 64:
"""

# %%
print(f"knows nothing:                         {math.log(VOCABULARY):.2f} nats")
print(f"sure and right:                        {math.log(1):.2f} nats")
print(f"torn between nine, one of them right:  {math.log(9):.2f} nats")

# %% [markdown]
"""
From here on, *loss* means that of the **second half**: the tokens that can be known. (Its first token cannot: nothing
says that the first half is over. Training itself counts all tokens, as training does for every language model.)

## A model of attention and nothing else   <sub>5 min</sub>

Three steps, and no feed-forward, no norm, nothing but your layer:

1. **Each token becomes a vector**, as ever.
2. **Each layer adds to it what its heads say.** The vector that is passed on and added to is called the **residual
   stream**. (Chapter 3 mentioned it.) It is how a layer can read what another has written.
3. **One `nn.Linear` reads the next token off it**: a number for each of the 64, the *logits*. Softmax makes
   probabilities of them.

And where is the place of a token? It is added to what queries and keys are made of, in each layer, but **not to the
values**. So a head can look by place, and what it hands over tells *which* token was there. Your layer can do that
already: it takes query, key and value. Here is the whole model, by hand:
"""

# %%
from manyheads.models.attention_only import D_MODEL, AttentionOnly


def new_model(num_layers: int, num_heads: int, seed: int = 1) -> AttentionOnly:
    """Return a model of your own layers, its weights drawn from a seed."""
    torch.manual_seed(seed)
    return AttentionOnly(
        [MultiHeadAttention(D_MODEL, num_heads) for _ in range(num_layers)]
    )


with try_it(), torch.no_grad():
    model = new_model(num_layers=2, num_heads=4)
    x = model.tokens(tokens)  # (batch, seq) -> (batch, seq, d_model)
    places = model.positions.weight[: tokens.shape[1]]  # (seq, d_model)
    causal = torch.ones(tokens.shape[1], tokens.shape[1]).bool().tril()
    for layer in model.layers:
        said, _ = layer(x + places, x + places, x, mask=causal)
        x = x + said
    by_hand = model.w_out(x)  # (batch, seq, d_model) -> (batch, seq, vocabulary)
    logits, weights = model(tokens)
    print("the same as model(tokens)?", torch.allclose(by_hand, logits, atol=1e-5))
    print("layers, batch, heads, seq, seq:", tuple(weights.shape))

# %% [markdown]
"""
## 2 · A score for looking at what came next   <sub>9 min · difficulty 2/5</sub>

In the second half, each token has an **earlier copy**, half a sequence before. What should a head look at, if it is
to say what comes next? Not at the copy itself, but at the token **after** it:

| place | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 |
|---|---|---|---|---|---|---|---|---|
| token | K | D | R | M | K | D | R | M |
| its earlier copy | | | | | 0 | 1 | 2 | 3 |
| the token after that | | | | | 1 | 2 | 3 | **4** |

A head that does so is called an **induction head**: it goes from one case to the next of its kind.

**Your turn.** Score each head by how much it looks there: the mean over **all queries of the second half** of the
weight on the token after their earlier copy. The last line of the table has them all; for the last token it is the
first one of the second half.

<details>
<summary>Hint 1</summary>

Half is 4 in the table. Write down row and column of the four weights. What is column minus row, in terms of half?

</details>

<details>
<summary>Hint 2</summary>

Two ranges of the same length as indices, `weights[:, :, rows, columns]`, take single pairs. Or look at chapter 6's
`diagonal`, and at its first entry: whose weight is that?

</details>
"""


# %% exercise="induction_score"
def induction_score(weights: Tensor) -> Tensor:
    """Say how much each head looks at the token after the earlier copy.

    This is the mean over the queries of the second half.

    Args:
        weights: (layers, heads, seq, seq), one row a query, for a sequence whose second
            half repeats the first; seq is 2 · half
    Returns:
        score: (layers, heads), each between 0 and 1
    """
    ### BEGIN SOLUTION
    half = weights.shape[-1] // 2
    query = torch.arange(half, 2 * half)
    # (layers, heads, seq, seq) -> row half + i, column i + 1: (layers, heads, half)
    picked = weights[:, :, query, query - half + 1]
    return picked.mean(dim=-1)
    ### END SOLUTION


# %% check="induction_score.shapes" points=1
check.shapes(induction_score)

# %% check="induction_score.outputs" points=2
check.outputs(induction_score)

# %% [markdown]
"""
Before training, no head has a reason to look anywhere. What score do you expect of a head that looks at all tokens
that it may see alike, in a sequence of 24? A tenth? A hundredth?
"""

# %%
with try_it(), torch.no_grad():
    tests = repeated_tokens(128, 12, VOCABULARY, torch.Generator().manual_seed(2))
    _, weights = model(tests)
    # (layers, batch, heads, seq, seq) -> the mean of 128 sequences
    untrained = induction_score(weights.mean(dim=1))
    alike = torch.ones(24, 24).tril()  # 1 for each token that may be seen
    alike /= alike.sum(dim=-1, keepdim=True)
    print(f"alike:     {induction_score(alike[None, None]).item():.3f}")
    print("untrained:", [f"{score:.3f}" for score in untrained.flatten().tolist()])

# %% [markdown]
"""
## Train them   <sub>8 min</sub>

One layer with eight heads, and two layers with four. In how many of the places of the second half that can be known
will each model's likeliest token be the right one? Type your guesses, in percent, into the first line, and run the
cell. Keep your eyes on both curves: does the loss fall **steadily**?
"""

# %%
from manyheads.models.attention_only import STEPS, train
from manyheads.pictures.learning_curves import learning_curves

ONE, TWO = "1 layer of 8 heads", "2 layers of 4 heads"
my_guesses = {ONE: None, TWO: None}  # in percent, for example ONE: 50

live = learning_curves(
    (ONE, TWO),
    STEPS,
    induction_score,
    score_name="induction score",
    highest_loss=math.log(VOCABULARY),
    guesses=my_guesses,
)
with try_it():
    side_by_side = new_model(num_layers=1, num_heads=8)
    train(side_by_side, repeated_tokens, live.watch(ONE))
    in_a_row = new_model(num_layers=2, num_heads=4)
    train(in_a_row, repeated_tokens, live.watch(TWO))

# %% [markdown]
"""
One layer gets about one token in six right. Two layers get nine out of ten. And not little by little: for more than
200 steps the loss of the second model is above 3 nats, as that of the first one is. Then, within little more than a
hundred steps, it falls below 1. **In the same steps the induction scores of layer 1 rise**, from next to nothing to
most of what there is. (Solid lines are the last layer's heads, dashed ones layer 0's.)

Large language models show the same: a bump in the loss early in their training, and their induction heads come into
being right there (Olsson and others, 2022). Yours is small enough to ask why.

## What can one layer know?   <sub>6 min</sub>

Why do eight heads not help? Take the place of a head in the only layer, at the second *R* of the picture at the top.
You want to look at *M*. Your query knows: I am *R*, at place 7. The key of *M* knows: I am *M*, at place 3. That is
all. **That this *M* comes after an *R* is not in its key**, and more heads ask the same keys.

What is left is to go by place. The next token is `half − 1` places back, and `half` is one of nine numbers, 8 to 16. So
counting places leaves nine tokens to choose from, and ln 9 is 2.20. Is that what the one layer does? Here is how much
its eight heads look 4, 5, 6 … places back, in sequences of two lengths. If it knew which length it has in front of it,
where would the two columns be largest?
"""

# %%
with try_it(), torch.no_grad():
    columns = []
    for half in (12, 16):
        generator = torch.Generator().manual_seed(2)
        sequences = repeated_tokens(128, half, VOCABULARY, generator)
        # (1, batch, heads, seq, seq) -> mean over the batch and the heads: (seq, seq)
        looked = side_by_side(sequences)[1][0].mean(dim=(0, 1))
        # the mean over queries 16 to 23, which are in the second half of both
        columns.append(
            [looked[range(16, 24), range(16 - b, 24 - b)].mean() for b in range(4, 17)]
        )
    print("places back   half 12   half 16")
    for back, (one, other) in enumerate(zip(*columns, strict=True), 4):
        note = {11: "  next token if half is 12", 15: "  next token if half is 16"}
        print(f"{back:11} {one:9.3f} {other:9.3f}{note.get(back, '')}")

# %% [markdown]
"""
The two columns are nearly the same. It looks where the next token **may** be, for one half or another, and most in the
middle of that: it cannot tell which half it has in front of it. But take the uncertainty away, and one layer is enough.
Train it once more with sequences whose half is always 12:
"""

# %%
with try_it():
    counting = new_model(num_layers=1, num_heads=8)
    final = []
    train(counting, repeated_tokens, final.append, steps=STEPS // 2, halves=[12])
    at_12 = induction_score(final[-1].weights)
    print("induction scores:", [f"{score:.2f}" for score in at_12[0].tolist()])
    with torch.no_grad():
        for half in (12, 11):
            generator = torch.Generator().manual_seed(3)
            other = repeated_tokens(128, half, VOCABULARY, generator)
            logits, _ = counting(other)
            right = logits[:, half:-1].argmax(dim=-1) == other[:, half + 1 :]
            print(f"half {half}: {right.float().mean():.0%} right")

# %% [markdown]
"""
Always right at 12, and lost at 11. Its induction scores are high, too. **So a high score does not say how a head finds
its token.** In chapter 6 you met a subject finder that went by place: name a head only after you have tried to prove
the name wrong.

## Try to prove it wrong   <sub>5 min</sub>

Could the heads of the two layers count places as well? Cut the first half into four blocks of three, and put the blocks
into another order: *ABC DEF GHI JKL* continues with *DEF ABC JKL GHI*. Within a block, the token after the earlier copy
is still the right one, but now it is 8 places back in some blocks, and 14 in others. What will the one layer do that
counts to 11?
"""


# %%
def score_in_blocks(model: AttentionOnly, order: list[int]) -> list[float]:
    """Return the induction scores of the last layer's heads, with blocks reordered."""
    first = tests[:, :12]
    # (batch, half) -> (batch, 4, 3) -> in another order -> (batch, half)
    second = first.view(-1, 4, 3)[:, order].flatten(1)
    _, weights = model(torch.cat([first, second], dim=1))
    # for each place of the second half: itself, and where its earlier copy is
    query, copy = torch.arange(12, 24).view(4, 3), torch.arange(12).view(4, 3)[order]
    # the last of each block does not count: what comes next is another block
    picked = weights[-1].mean(dim=0)[:, query[:, :2], copy[:, :2] + 1]
    return [round(score, 2) for score in picked.mean(dim=(1, 2)).tolist()]


with try_it(), torch.no_grad():
    orders = {"as it was": [0, 1, 2, 3], "swapped": [1, 0, 3, 2], "mixed": [2, 0, 3, 1]}
    for name, order in orders.items():
        print(
            f"blocks {name:9}  counting layer {max(score_in_blocks(counting, order))},"
        )
        print(f"{'':17} layer 1 of the two {score_in_blocks(in_a_row, order)}")

# %% [markdown]
"""
The counting layer is lost at once. The heads of layer 1 find their token 8 and 14 places back nearly as well as 11.
They go by **what** was there. (Mostly. In the last order, some tokens are 5 or 17 places back, which never happened in
training, and the scores fall. Heads that were of use at 7 to 15 places only have also learned to look there.)

But one layer cannot go by what was there, as you have seen. So something in layer 0 must have told them. Look for it:
choose layer 0 and go through its heads. Does one of them do something that you know?
"""

# %%
from manyheads.widgets import model_head_viewer

with try_it(), torch.no_grad():
    one_sequence = tests[:1]
    _, weights = in_a_row(one_sequence)
    # (layers, 1, heads, seq, seq) -> (layers, heads, seq, seq)
    shown = list(as_text(one_sequence[0]))
    display(model_head_viewer(weights[:, 0], shown, view="maps", layer=0))

# %%
from manyheads.pictures.model_pictures import draw_layer_map

with try_it(), torch.no_grad():
    _, weights = in_a_row(tests)
    previous = previous_token_score(weights.mean(dim=1))
    title = "How much each head looks at the token before"
    tellers = [head for head in range(4) if previous[0, head] > 0.5]
    words = f"More than half of the weight in layer 0: heads {tellers}."
    print(words)
    picture = draw_layer_map(previous, title, most=1.0)
    display(style.picture(picture, alt=f"{title}. {words}"))

# %% [markdown]
"""
There they are: **previous-token heads**, like the neatest head of chapter 6, which MiniLM did not miss. The story about
them would be this:

![Layer 0 tells each token what came before it. Layer 1 looks for the one that came after D.](pictures/two_steps.svg)

1. In layer 0, each token looks at the one before it and writes **what that was** into its own vector: *M* now also says
   "after *R*".
2. In layer 1, the second *R* looks for a token that says "after *R*". It finds *M*, and hands over *M*.

It is a good story, and you have heard good stories before. Two experiments will tell. **Which heads does the answer
depend on, and which one listens to which?**

## 3 · Which heads does the answer depend on?   <sub>12 min · difficulty 2/5</sub>

In chapter 6 you silenced heads. There is a finer tool. Take two inputs, one **clean**, on which the model is right, and
one **corrupted**, on which it cannot be:

- clean: *K D R M P K D R M P*
- corrupted: *X B F S A K D R M P*, the same second half after another first half.

Now run the model on one of them, but let **a single head** write what it wrote in the other run. Everything after that
head goes on with it. This is called **activation patching**, and it asks two questions:

- *Does this head's clean output put the corrupted run right?* Then it carries what the answer needs.
- *Does its corrupted output break the clean run?* Then the answer needs what it carries.

What a head writes is its part of the layer's output, as in chapter 3: it goes through its own columns of `w_o` and is
added up with what the others write. The model gives it to you:

- `model.run(tokens)` returns `logits` and `outputs`, (layers, heads, batch, seq, d_model);
- `model.run(tokens, patch=(layer, head, output))` does the same, but in that layer that head writes `output`, of the
  shape (batch, seq, d_model), in place of its own.

**Your turn.** Run the corrupted tokens with one head's output of the clean run, and return the logits.

<details>
<summary>Hint 1</summary>

Two runs, one after the other. Which of them must come first, since the other needs what it gives?

</details>

<details>
<summary>Hint 2</summary>

`run` returns a pair each time. From one run you need the second part, from the other the first. And of `outputs`, you
need what one head wrote: its first two dimensions are layer and head.

</details>
"""


# %% exercise="patch_head"
def patch_head(run, clean: Tensor, corrupted: Tensor, layer: int, head: int) -> Tensor:
    """Run the model on one input, with one head's output from another.

    Args:
        run: `run(tokens)` returns (logits, outputs): logits (batch, seq, vocabulary),
            and what each head wrote, outputs (layers, heads, batch, seq, d_model).
            `run(tokens, patch=(layer, head, output))` does the same, but that head
            writes `output`, (batch, seq, d_model), in place of its own.
        clean: tokens (batch, seq), from whose run the head's output is taken
        corrupted: tokens (batch, seq), on which the patched model is run
        layer, head: which head
    Returns:
        logits: (batch, seq, vocabulary), of the corrupted run with that head's output
            of the clean one
    """
    ### BEGIN SOLUTION
    _, outputs = run(clean)
    logits, _ = run(corrupted, patch=(layer, head, outputs[layer, head]))
    return logits
    ### END SOLUTION


# %% check="patch_head.shapes" points=1
check.shapes(patch_head)

# %% check="patch_head.outputs" points=2
check.outputs(patch_head)

# %% [markdown]
"""
Now for each of the eight heads, both ways. The numbers are shares: 1 means that the patch closes the whole gap between
the clean loss and the corrupted one, 0 that it changes nothing, and below 0 that it makes things worse.

Before you run it: if the story is true, which heads put the corrupted run right? And which ones break the clean one?
"""

# %%
from manyheads.models.attention_only import second_half_loss

with try_it():
    corrupted = tests.clone()
    generator = torch.Generator().manual_seed(4)
    corrupted[:, :12] = repeated_tokens(len(tests), 12, VOCABULARY, generator)[:, :12]

    def loss(logits: Tensor) -> float:
        """Return the loss of the second half, which clean and corrupted share."""
        return second_half_loss(logits, tests).item()

    clean_loss = loss(in_a_row.run(tests)[0])
    corrupted_loss = loss(in_a_row.run(corrupted)[0])
    print(f"loss, clean {clean_loss:.2f}, corrupted {corrupted_loss:.2f}")
    gap = corrupted_loss - clean_loss
    repaired, broken = torch.zeros(2, 4), torch.zeros(2, 4)
    for layer in range(2):
        for head in range(4):
            fixed = patch_head(in_a_row.run, tests, corrupted, layer, head)
            repaired[layer, head] = (corrupted_loss - loss(fixed)) / gap
            spoilt = patch_head(in_a_row.run, corrupted, tests, layer, head)
            broken[layer, head] = (loss(spoilt) - clean_loss) / gap
    for title, shares in {
        "Repaired by its clean output in the corrupted run": repaired,
        "Broken by its corrupted output in the clean run": broken,
    }.items():
        layers = [[round(share, 2) for share in row] for row in shares.tolist()]
        alt = f"{title}: layer 0 {layers[0]}, layer 1 {layers[1]}"
        display(style.picture(draw_layer_map(shares, title, most=0.5), alt=alt))

# %% [markdown]
"""
Read it layer by layer.

**Layer 1: each head repairs a part, and together they carry the answer.** They are the ones that hand over the next
token.

**Layer 0: nothing repairs, and yet some heads break.** Those are the previous-token heads of the map above. Why can
they not repair anything? With such a head put right, each token of the first half is told what came before it in the
clean run. So layer 1 finds the right place. But what it finds there is the corrupted token, and that is what it hands
over: the tag is right and the token is wrong. Patched the other way round, the tags are wrong, and the heads of layer 1
look in the wrong places.

So a head that repairs nothing may still be needed. **Patch both ways**: putting right shows what is enough, breaking
shows what is needed. And chapter 6? There, the neatest previous-token head broke nothing. Here the story has passed its
test. It is the same story, told about another model.

## 4 · Which head listens to which?   <sub>12 min · difficulty 3/5</sub>

A head meets the stream in two places. Leave biases aside, and each is one matrix, (d_model, d_model):

- **What it hands over.** A token's vector `x` goes through the head's rows of `w_v` and then its columns of `w_o`. In
  one step: `w_ov @ x`, with `w_ov = columns @ rows`.
- **Where it looks.** The score of a query `q` and a key `k` is the dot product of two products, `rows_q @ q` and
  `rows_k @ k`. In one step: `q @ w_qk @ k`, with `w_qk = rows_q.T @ rows_k`.

These are the products that count; the four matrices by themselves do not. You can read them off your layer:
"""


# %%
def head_matrices(layer: nn.Module, head: int, num_heads: int) -> tuple[Tensor, Tensor]:
    """Return w_ov and w_qk of one head, (d_model, d_model) each."""
    d_head = layer.w_o.in_features // num_heads
    own = slice(head * d_head, (head + 1) * d_head)
    # (d_model, d_head) @ (d_head, d_model)
    w_ov = layer.w_o.weight[:, own] @ layer.w_v.weight[own]
    w_qk = layer.w_q.weight[own].T @ layer.w_k.weight[own]
    return w_ov.detach(), w_qk.detach()


# %% [markdown]
"""
Now let a head of layer 1 look at a token into whose vector a head of layer 0 has written `w_ov @ x`. Then `k` holds
`w_ov @ x` among other things. Write that into the score in place of `k`: **all that the second head's keys read of the
first head goes through one product of two matrices.** Which two, and in which order? If the keys read nothing of the
first head, that product is 0.

How large is it? The size of a matrix is the root of the sum of its squared entries (the *Frobenius norm*). And since
two large matrices have a large product anyway, divide by both sizes. This is **K-composition**, K for keys (Elhage and
others, 2021).

**Your turn.** Write that score.

<details>
<summary>Hint 1</summary>

Two steps: the product of the two matrices, then three sizes. In which order does a vector pass through the heads, and
which side of a product is that?

</details>

<details>
<summary>Hint 2</summary>

`matrix.norm()` is the root of the sum of all squared entries. Test your function: doubling one of the matrices must
not change the score, and for `torch.eye(4)` twice it is 2 / (2 · 2).

</details>
"""


# %% exercise="composition_score"
def composition_score(first: Tensor, second: Tensor) -> Tensor:
    """Say how much of what the first head writes the second head's keys read.

    Args:
        first: (d_model, d_model), what the first head hands over: it makes
            `first @ x` of a token's vector x
        second: (d_model, d_model), where the second head looks: `q @ second @ k` is the
            score of a query token's vector q and a key token's vector k
    Returns:
        score: one number, the size of the product of both that the score of a key
            `first @ x` goes through, divided by the sizes of both. The size of a matrix
            is the root of the sum of all its squared entries.
    """
    ### BEGIN SOLUTION
    read = second @ first  # (d_model, d_model): from what first reads to a query
    return read.norm() / (first.norm() * second.norm())
    ### END SOLUTION


# %% check="composition_score.shapes" points=1
check.shapes(composition_score)

# %% check="composition_score.outputs" points=2
check.outputs(composition_score)

# %% [markdown]
"""
What do two matrices score that have **nothing to do with each other**? Not 0: two random directions overlap a little.
Draw some, narrow ones like those of a head:
"""

# %%
with try_it():
    torch.manual_seed(0)
    by_chance = []
    for _ in range(200):
        w_v, w_o, w_q, w_k = torch.randn(4, D_MODEL // 4, D_MODEL)
        by_chance.append(float(composition_score(w_o.T @ w_v, w_q.T @ w_k)))
    by_chance = torch.tensor(by_chance)
    print(f"by chance {by_chance.mean():.3f}, of 200 the largest {by_chance.max():.3f}")
    print(f"1 / √d_model = {D_MODEL**-0.5:.3f}")

# %% [markdown]
"""
By chance it is 1/√d_model, and hardly ever much more. Now the sixteen pairs: a row for each head of layer 0, a column
for each head of layer 1. Which row do you expect to stand out?
"""

# %%
with try_it():
    composed = torch.zeros(4, 4)
    for writer in range(4):
        w_ov, _ = head_matrices(in_a_row.layers[0], writer, 4)
        for reader in range(4):
            _, w_qk = head_matrices(in_a_row.layers[1], reader, 4)
            composed[writer, reader] = composition_score(w_ov, w_qk)
    above = composed - by_chance.mean()
    means = ", ".join(f"{mean:.3f}" for mean in composed.mean(dim=1).tolist())
    words = f"Mean of each row, chance included: {means}."
    print(words)
    title = "Composition above chance: layer 0 (row) read by layer 1 (column)"
    rows = [f"head {writer}" for writer in range(4)]
    picture = draw_layer_map(above, title, rows=rows)
    display(style.picture(picture, alt=f"{title}. {words}"))

# %% [markdown]
"""
The rows of the previous-token heads stand out, and the others are about where chance is. It is not a large difference,
since the keys read other things as well: what a token is, and where it is.

## Cut the wire   <sub>4 min</sub>

A number about matrices is not yet a proof that the model **uses** this path. So cut it. Layer 1 gets its queries, keys
and values from the same stream. Take what the previous-token heads wrote out of just one of the three, and leave it in
the other two. If the story is true, which one must hurt?
"""

# %%
with try_it(), torch.no_grad():
    seq = tests.shape[1]
    causal = torch.ones(seq, seq).bool().tril()
    places = in_a_row.positions.weight[:seq]
    first_layer, second_layer = in_a_row.layers
    x = in_a_row.tokens(tests)
    x = x + first_layer(x + places, x + places, x, mask=causal)[0]
    _, outputs = in_a_row.run(tests)
    # what the previous-token heads wrote, added up: (batch, seq, d_model)
    written = outputs[0, tellers].sum(dim=0)
    for without in ("nothing", "queries", "keys", "values"):
        query, key, value = (
            x - written if part == without else x
            for part in ("queries", "keys", "values")
        )
        said, _ = second_layer(query + places, key + places, value, mask=causal)
        print(f"without {without:8} loss {loss(in_a_row.w_out(x + said)):.2f}")

# %% [markdown]
"""
**Only the keys hurt.** Queries and values can do without it: the second *R* needs to know only that it is *R*, and what
*M* hands over is *M*. But to be found, *M* must be known as the one after *R*. That comes from layer 0, and it goes
into the key. Two heads in a row, each with a job that is easy by itself: that is what no number of heads side by side
can do.

## What else could have come out?   <sub>4 min</sub>

All this came out of one seed, and one case proves little. So the course has trained both models from ten seeds
(`benchmarks/induction.py` repeats it):

| from ten seeds | one layer of 8 heads | two layers of 4 heads |
|---|---|---|
| right at the end | 13% to 22% | 89% to 94% |
| loss of the second half | 3.0 to 3.4 | 0.5 to 0.9 |
| last above 3 nats, then first below 1 | always above 1 | steps 220 to 340, then 340 to 480 |
| induction scores at the end | at most 0.20 | 0.80 to 0.88, all of layer 1 |
| previous-token heads in layer 0 | | one, two or three |
| loss without them in the keys alone | | 2.9 to 3.4, from 0.3 to 0.5 |

What always holds: the sudden fall, four induction heads, and that only the keys hurt. What varies is **who does it**.
Before training no head has a job; which ones become previous-token heads, and how many, is up to chance. Where there is
only one, breaking it breaks most of the answer (72% of the gap, or more). Where several share the work, each
of them breaks less.

Go back to `new_model`, give both models another `seed`, and see which heads it is with you. (Your own layer may draw
its first weights in another order than the course's, so even seed 1 may give you other heads.)

## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "Why can no head of a single layer look for the token after the earlier copy?",
        (
            "A token's key does not tell what came before it",
            "A key is made from token and place, however many heads there are. A layer before must add the rest.",
        ),
        (
            "A head of width 8 is too narrow to tell 64 different tokens apart",
            "With 64 numbers instead of 8 it would still read a key that does not hold what it looks for.",
        ),
        (
            "The causal mask hides the earlier copy from the tokens of the second half",
            "The mask hides what comes later. The earlier copy and the token after it are in the past.",
        ),
    ),
    multiple_choice(
        "A head has an induction score of .95 on sequences whose half is always 12. What do you know?",
        (
            "Where it looks, and not by what it finds the place",
            "The one layer that counts places has such scores, too. Another kind of sequence told them apart.",
        ),
        (
            "That it compares tokens, since no other way leads to such a score",
            "You trained a layer that counts 11 places back, and it has high scores.",
        ),
        (
            "That the model would lose its answer without this head",
            "Where a head looks is one question, what depends on it another: that is what patching asks.",
        ),
    ),
    multiple_choice(
        "A head's clean output repairs nothing in the corrupted run. Is the head of no use?",
        (
            "That is not said: patched the other way, it may break the clean run",
            "The previous-token heads are needed, and yet none of them can carry the answer.",
        ),
        (
            "Yes: a head that the answer depends on repairs at least a part of it when it is put right",
            "It may need others to be right as well: what layer 1 hands over was still the corrupted token.",
        ),
        (
            "No: every head of so small a model does some part of the work",
            "You have seen heads of layer 0 that neither repair nor break anything much.",
        ),
    ),
    multiple_choice(
        "d_model is 64, and two heads have a composition score of 0.13. What does that say?",
        (
            "Nothing: two random heads have that, too",
            "By chance it is 1/√64 = 0.125. Compare with that, not with 0.",
        ),
        (
            "The second reads about an eighth of what the first writes",
            "It is a ratio of sizes. Two random heads have one of 0.125, and neither knows of the other.",
        ),
        (
            "They work against each other, or it would be close to 1",
            "It is 1 only if all of both matrices lies in a single common direction. No heads come near that.",
        ),
    ),
    multiple_choice(
        "What did cutting the wire show that the composition scores could not?",
        (
            "That the answer goes through the keys",
            "A score says what could be read. Taking it out of the keys alone shows that it is used.",
        ),
        (
            "That what the previous-token head writes is large",
            "The same vectors were taken out of queries and values, and their size did no harm there.",
        ),
        (
            "That layer 1 has four induction heads and no previous-token head",
            "The scores of section 2 said that. The wire was cut for all heads of layer 1 at once.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- draw data of which you know exactly what can be learned from it, and what cannot
- read a training curve in nats, and say which tokens a model must still be torn between
- score heads for a job, and find a test in which a simpler story gives another answer
- patch a head from one run into another, both ways, and say what each way proves
- tell from two matrices how much one head reads of another, compared with chance
- explain in two sentences how an induction head works, and why one layer has none

## What is left open   <sub>1 min</sub>

In your model, two layers of four heads do one thing. A large language model has dozens of layers, with feed-forward
layers between them. It has induction heads, too, and some of them go by **likeness**: they find a case that is similar,
not the same, and continue that one. How much of what such a model learns from the examples in its prompt is their work?
That question is open, and you know now how one would begin to ask it.
"""

# %% [markdown]
"""
## Read on

- [Olsson and others, 2022: In-context Learning and Induction Heads](https://arxiv.org/abs/2209.11895):
    the bump in the loss of large models, and what comes into being there.
- [Elhage and others, 2021: A Mathematical Framework for Transformer
  Circuits](https://transformer-circuits.pub/2021/framework/index.html):
    models of attention alone, with one layer and with two; composition by queries, keys and values.
- [Sanford, Hsu and Telgarsky, 2024: One-layer transformers fail to solve the induction heads
  task](https://arxiv.org/abs/2408.14332):
    a proof that a single layer would have to be exponentially larger.
- [Heimersheim and Nanda, 2024: How to use and interpret activation patching](https://arxiv.org/abs/2404.15255):
    what patching proves in each direction, and what it does not.
- [Press, Smith and Lewis, 2021: Shortformer](https://arxiv.org/abs/2012.15832):
    positions that are added to queries and keys, and not to values.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
