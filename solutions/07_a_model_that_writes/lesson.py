# %% [markdown]
"""
# 7 · A model that writes

![A tower of blocks reads the start of a sentence and gives each possible next token a chance.](pictures/question.svg)

In chapter 6 your layer ran a model that other people had trained. It read; it could not say a word. Now you build
a model of your own around your `MultiHeadAttention`, train it here, in about half a minute, and let it write.

Attention alone is not enough for that. Beside it, a transformer has four parts that this course has passed by so far:
**positions, a feed-forward layer, a residual stream, and norm**. **What is each of them good for?** You take each one
away and see what is lost. Then you write it.

| | you write | it answers |
|---|---|---|
| 1 | `next_token_loss` | How surprised is the model by what comes next? |
| 3 | `position_table` | How does it know where a word is? |
| 4 | `FeedForward` | What does a word do with what it has found? |
| 5 | `Block` | How can many layers be put on top of each other? |
| 6 | `TinyGPT` | How does all this become one model? |
| 7 | `generate` | How does it write? |

Everything here runs on a CPU. Run the cells in order: the later ones look at the model that you train.
"""

# %% role="imports"
import math

import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import MultiHeadAttention, causal_mask

# %%
earlier.whose("MultiHeadAttention", "causal_mask")

# %% [markdown]
"""
## A book to learn from   <sub>4 min</sub>

The model needs a text. It gets *Alice's Adventures in Wonderland* by Lewis Carroll, of 1865: short, in the public
domain, and of a style that you will recognise.
"""

# %%
from manyheads.models import wonderland

text = wonderland.text()
print(wonderland.wrapped(text[:410]))
print(f"\n{len(text):,} characters, {len(text.split()):,} words")

# %% [markdown]
"""
As in chapter 6, the text is cut into **tokens** from a fixed vocabulary: frequent words are one token, rare ones are
made of pieces. (The vocabulary was made by *byte pair encoding*: begin with the characters, and again and again make
a new token of the pair that is most frequent.) A token that begins a word has its space in it, shown as `·`.
"""

# %%
pieces = wonderland.pieces()
VOCABULARY = len(pieces.vocabulary)

tokens = pieces.encode("Alice was considering the Caterpillar.")
print(" ".join(pieces.show(token) for token in tokens.tolist()))
print(tokens.tolist())

TRAIN, TEST = wonderland.train_tokens(), wonderland.test_tokens()
print(f"{VOCABULARY} kinds of tokens; {len(TRAIN):,} tokens for training, ", end="")
print(f"{len(TEST):,} for the test: the last tenth of the book")

# %% [markdown]
"""
## 1 · How surprised is the model?   <sub>10 min · difficulty 2/5</sub>

A model that writes does one thing only: it reads some tokens and gives **each token of the vocabulary a chance to be
the next one**. If it gave the token that really comes a chance of 1, it would not be surprised at all. If it gave it a
chance of nearly 0, it would be very surprised. Surprise is measured as −ln(chance), in **nats**:
"""

# %%
for chance in (1.0, 0.5, 0.1, 1 / VOCABULARY):
    print(f"chance {chance:6.4f}: surprise {abs(math.log(chance)):.2f} nats")

# %% [markdown]
"""
The mean over many tokens is the **loss**. The last line is what a model has that knows nothing and gives all
tokens the same chance. **What do you expect of one that knows how frequent each token is, and no more? And of one that
knows, of each token, what usually follows?** Type your guesses, in nats.
"""

# %%
my_guess_by_frequency, my_guess_by_pairs = None, None  # nats, for example 4.5, 3.0

guesses = (my_guess_by_frequency, my_guess_by_pairs)
counted = wonderland.counted_losses()  # on the test, from counts in the rest
for (name, loss), guess in zip(counted.items(), (None, *guesses), strict=True):
    yours = f"   (your guess: {guess})" if guess is not None else ""
    print(f"{name:15} {loss:.2f} nats{yours}")

# %% [markdown]
"""
Those two needed no network, only counting. They are the bar: **a model has learned something about language when it is
below them.**

A model gives scores, called **logits**, and softmax makes chances of them. It reads a whole sentence at once and gives
scores at *every* position: those at position t, where it has seen the tokens 0 … t, are for token **t + 1**. So a
sentence of 5 tokens asks for 4 predictions:

| position | has read | its scores are for |
|---|---|---|
| 0 | Alice | ·was |
| 1 | Alice ·was | ·not |
| 2 | Alice ·was ·not | ·silent |
| 3 | Alice ·was ·not ·silent | . |
| 4 | Alice ·was ·not ·silent . | nothing: the sentence ends here |

**Your turn.** Compute the loss: the mean of −ln(chance of the token that comes next), over all predictions in all
sentences of the batch.

<details>
<summary>Hint 1</summary>

Which positions have a token after them, and which tokens are the ones that come after? Two slices along the sentence;
each leaves out one end, and not the same.

</details>

<details>
<summary>Hint 2</summary>

`nn.functional.cross_entropy` takes scores, (n, vocabulary), and right answers, (n), and gives the mean of
−ln(softmax). Make one long list of all positions of all sentences: `flatten(0, 1)` joins the first two dimensions.

</details>
"""


# %% exercise="next_token_loss"
def next_token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Say how surprised the model is by the tokens that follow, on average.

    Args:
        logits: (batch, seq, vocabulary); those at position t are for token t + 1
        tokens: (batch, seq), whole numbers below vocabulary
    Returns:
        loss: one number, a tensor of shape (), in nats: the mean over all
            batch * (seq - 1) predictions
    """
    ### BEGIN SOLUTION
    scores = logits[:, :-1]  # (batch, seq - 1, vocabulary)
    following = tokens[:, 1:]  # (batch, seq - 1)
    # (batch * (seq - 1), vocabulary) and (batch * (seq - 1))
    return nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())
    ### END SOLUTION


# %% check="next_token_loss.shapes" points=1
check.shapes(next_token_loss)

# %% check="next_token_loss.outputs" points=2
check.outputs(next_token_loss)

# %% [markdown]
"""
What does yours say of a model whose scores are all 0? You know the number already.
"""

# %%
with try_it():
    some_tokens = TEST[:64].view(2, 32)
    print(next_token_loss(torch.zeros(2, 32, VOCABULARY), some_tokens).item())

# %% [markdown]
"""
## 2 · Take one part away   <sub>8 min</sub>

Before you build the model, watch one with all its parts, and four that lack one each. They are made from the course's
own `TinyGPT` (or from yours, once it is right) around your attention. To be quick, they write **letter by letter**: a
vocabulary of 65 characters, a context of 32 of them, 4 blocks, 250 steps of 16 excerpts.

| part | what is done without it |
|---|---|
| positions | words are not told where they are |
| feed-forward | only attention is left in each block |
| residual stream | the output of a layer *replaces* its input, and is not added to it |
| norm | nothing brings vectors back to a standard size |

Each of the five starts from the same numbers and reads the same letters. **Which loss will be worst, and is there a
part that hardly matters?** With all parts it will be about 2.2 nats a letter; knowing how frequent each letter is gives
3.2, and knowing nothing 4.2. Type your guesses.
"""

# %%
from manyheads.models import writer
from manyheads.widgets import loss_curves

my_guesses = {  # nats a letter, for example 2.5
    "without positions": None,
    "without feed-forward": None,
    "without residual stream": None,
    "without norm": None,
}
LETTER_STEPS, STEPS = 250, 400  # here, and for your own model below
letters = wonderland.letters()
letters_of_the_book = letters.encode(text)
end = int(0.9 * len(letters_of_the_book))
race = loss_curves(["all parts", *my_guesses], LETTER_STEPS, my_guesses)
display(race)

losses = {}
with try_it():
    for name in race.curves:
        torch.manual_seed(1)
        reduced = earlier.TinyGPT(len(letters.vocabulary), 32, 48, 4, 4)
        if name != "all parts":
            writer.take_away(name.removeprefix("without "), reduced)
        writer.train(
            reduced,
            next_token_loss,
            letters_of_the_book[:end],
            race.watch(name),
            steps=LETTER_STEPS,
            context=32,
        )
        losses[name] = writer.loss_on(
            reduced, next_token_loss, letters_of_the_book[end:], context=32
        )
    for name, loss in sorted(losses.items(), key=lambda pair: pair[1]):
        print(f"{name:25} {loss:.2f} nats a letter on the test")

# %% [markdown]
"""
The **residual stream** is worth most by far: without it, the model learns how frequent each letter is, and
hardly more.
Positions and feed-forward are worth about a tenth of a nat each, in so short a training. And **norm costs** something
here: the model without it comes out *lower*. Did you expect that? Norm is for deep models, as you will see; four small
blocks can do without. The next three sections take the parts one by one.

## 3 · Where is the word?   <sub>12 min · difficulty 3/5</sub>

Attention compares vectors. Give it the words of a sentence in another order, and each word gets the same output as
before; only the rows have changed places. See for yourself, with no mask:
"""

# %%
torch.manual_seed(0)
layer = MultiHeadAttention(12, 3)
x = torch.randn(1, 5, 12)
order = torch.tensor([3, 0, 4, 1, 2])
moved, _ = layer(x[:, order])
print(f"largest difference: {(moved - layer(x)[0][:, order]).abs().max():.1e}")

# %% [markdown]
"""
To such a layer, *the cat sat on the mat* and *the mat sat on the cat* are the same bag of words. A causal mask helps a
little: the first word sees one word, the tenth sees ten. But to learn from that alone where a word is takes long.

So each word's vector gets a second one added to it, which says **where** it is. Which one? Numbers 0, 1, 2, … would
grow without end. The paper that introduced the transformer (Vaswani and others, 2017, section 3.5) uses hands of
clocks: many of them, **each pair of numbers is one hand**, and each turns more slowly than the one before it. With
pos for the position and i for the pair, 0, 1, 2, …:

$$\mathrm{table}_{pos,\,2i} = \sin\frac{pos}{10000^{\,2i/d_{model}}} \qquad
\mathrm{table}_{pos,\,2i+1} = \cos\frac{pos}{10000^{\,2i/d_{model}}}$$

In numbers, for d_model = 4: pair 0 turns by 1 radian a word, pair 1 by 1 / 10000^(2/4) = 0.01.

| position | column 0: sin(pos) | 1: cos(pos) | 2: sin(pos / 100) | 3: cos(pos / 100) |
|---|---|---|---|---|
| 0 | 0.000 | 1.000 | 0.000 | 1.0000 |
| 1 | 0.841 | 0.540 | 0.010 | 1.0000 |
| 2 | 0.909 | −0.416 | 0.020 | 0.9998 |

The fast hands tell neighbours apart, the slow ones tell the beginning from the end. **How alike are two rows of such a
table? Does it depend on where they are, or only on how far apart?** You can find out as soon as you have one.

**Your turn.** Make the table.

<details>
<summary>Hint 1</summary>

One angle for each position and pair: a column of positions, (seq, 1), and a row of frequencies, (d_model / 2). torch
makes a table of them by itself.

</details>

<details>
<summary>Hint 2</summary>

`torch.arange(0, d_model, 2)` counts 0, 2, 4, …: that is 2i already. The columns 0, 2, 4, … of a table are
`table[:, 0::2]`, the others `table[:, 1::2]`, and one can assign to them.

</details>
"""


# %% exercise="position_table"
def position_table(seq: int, d_model: int) -> Tensor:
    """Give each position a row of numbers of its own.

    Args:
        seq: number of positions
        d_model: numbers a position; even
    Returns:
        table: (seq, d_model), float; sines in the even columns, cosines in the odd
            ones, as in Vaswani et al. 2017, section 3.5
    """
    ### BEGIN SOLUTION
    position = torch.arange(seq).unsqueeze(1)  # (seq, 1)
    pair = torch.arange(0, d_model, 2)  # 2i, for each pair of columns
    # (seq, 1) / (d_model / 2) -> (seq, d_model / 2)
    angle = position / 10_000 ** (pair / d_model)
    table = torch.zeros(seq, d_model)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table
    ### END SOLUTION


# %% check="position_table.shapes" points=1
check.shapes(position_table)

# %% check="position_table.outputs" points=2
check.outputs(position_table)

# %% [markdown]
"""
Here are the hands of one position, made with your table, and how alike it is to all the others. Move the position
first, then make d_model smaller.
"""

# %%
from manyheads.widgets import position_clocks

position_clocks(position_table)

# %% [markdown]
"""
The likeness of two positions depends on **how far apart they are**, not on where they are: the shape moves along. So a
head can learn to look three words back, and it will find them anywhere. (Its queries and keys need a fixed turn of
each hand for that, which is a matrix product.)

## 4 · Think about it   <sub>9 min · difficulty 1/5</sub>

What does attention do with the words it has found? It *averages* their values. A word gets a mixture of what others
are, and nothing in that is a new thought: with the weights fixed, the output is a matrix product of the inputs. Put
two such layers on top of each other and it still is.

The **feed-forward layer** is where each word works on what it has collected, all by itself. It is two layers of
`nn.Linear` with something between them that is not a straight line:
"""

# %%
numbers = torch.tensor([-3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0])
print("x      ", [round(x, 1) for x in numbers.tolist()])
print("GELU(x)", [round(y, 3) for y in nn.functional.gelu(numbers).tolist()])

# %% [markdown]
"""
**GELU** lets large numbers through and holds negative ones back, smoothly: GELU(x) = x · Φ(x), where Φ(x) is the chance
that a normally distributed number is below x. So each of the `d_hidden` numbers in the middle is a little detector: it
answers to some vectors and is silent for the others. Each block of a real model has thousands of them.

What would happen without GELU? `w_out(w_in(x))` is W₂(W₁x + b₁) + b₂, and that is (W₂W₁)x + …: **one** matrix, however
wide the middle is. What no feed-forward layer at all costs, you have measured in section 2.

**Your turn.** Write the layer. Its names are part of the task.

<details>
<summary>Hint 1</summary>

Two layers of `nn.Linear`: one from d_model to d_hidden, one back.

</details>

<details>
<summary>Hint 2</summary>

`nn.functional.gelu` is a function like `torch.sin`: it changes each number by itself. It belongs between the two
layers.

</details>
"""


# %% exercise="FeedForward"
class FeedForward(nn.Module):
    """Two layers that each word goes through by itself, with GELU between.

    Args:
        d_model: length of a word's vector
        d_hidden: length between the two layers

    Its layers are w_in and w_out, each nn.Linear with a bias.
    """

    def __init__(self, d_model: int, d_hidden: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.w_in = nn.Linear(d_model, d_hidden)
        self.w_out = nn.Linear(d_hidden, d_model)
        ### END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """Change each word by itself.

        Args:
            x: (batch, seq, d_model)
        Returns:
            output: (batch, seq, d_model)
        """
        ### BEGIN SOLUTION
        # (batch, seq, d_model) -> (batch, seq, d_hidden)
        hidden = nn.functional.gelu(self.w_in(x))
        return self.w_out(hidden)
        ### END SOLUTION


# %% check="FeedForward.shapes" points=1
check.shapes(FeedForward)

# %% check="FeedForward.outputs" points=2
check.outputs(FeedForward)

# %% [markdown]
"""
## 5 · Put them on top of each other   <sub>14 min · difficulty 3/5</sub>

Now put layers on top of each other: attention, feed-forward, attention, feed-forward, … and the output of each is the
input of the next. In the race, this was the model that learned hardly anything. Why? Let us see what is
left of a word behind 1, 2, 4 and 8 small layers, and how large a gradient reaches the first of them:
"""


# %%
def tower(depth: int, added: bool, normalised: bool = False) -> str:
    """What becomes of a word behind `depth` layers, and of the gradient before them."""
    torch.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(64, 64), nn.GELU()) for _ in range(depth)]
    norm = nn.LayerNorm(64) if normalised else nn.Identity()
    x = torch.randn(100, 64)
    y = x
    for layer in layers:
        y = y + layer(norm(y)) if added else layer(y)
    y.sum().backward()
    alike = torch.cosine_similarity(x, y, dim=-1).mean().item()
    longer = (y.norm(dim=-1) / x.norm(dim=-1)).mean().item()
    gradient = layers[0][0].weight.grad.norm().item()
    return f"like itself {alike:4.2f}, length {longer:6.2f}, gradient {gradient:10,.2f}"


for depth in (1, 2, 4, 8):
    print(f"{depth} layers, each replaces:", tower(depth, added=False))
    print(f"{depth} layers, each is added:", tower(depth, added=True))

# %% [markdown]
"""
If each layer *replaces* its input, a word forgets within a few layers who it was, and layer 0 gets next to no gradient:
it cannot learn. If each layer's output is **added**, the word's own vector goes straight through, and so does the
gradient. This line is called the **residual stream**: layers read from it, and write to it by adding. That is why
chapter 3 has `w_o`: it decides what the heads add.

But what is added piles up: behind 8 layers a word is 2.5 times as long. **How long is it behind 32?** And if each layer
is given a copy of the word that is always of the same size?
"""

# %%
for depth in (8, 32):
    print(f"{depth:2} layers, no norm:", tower(depth, added=True))
    print(f"{depth:2} layers,    norm:", tower(depth, added=True, normalised=True))

# %% [markdown]
"""
The larger a layer's input, the larger its output, and the next layer's input is the sum of both. So without norm
words and gradients grow by a factor with each layer. (The word's own part of the sum is soon too small to be seen.)
With norm, each layer adds about as much as the one before. From ten seeds, words are 360 to 710 times as long behind 32
layers without norm, and 4.3 to 4.5 times with it. In section 2 the model without norm was none the worse, since four
small blocks are not yet a tower. GPT-2 has up to 48, GPT-3 has 96.

![Two layers beside the residual stream: norm and attention, norm and feed-forward.](pictures/block.svg)

**Norm** is `nn.LayerNorm(d_model)`: it takes each word's vector, subtracts its mean, divides by its standard deviation,
and applies a scale and a shift that it learns. It belongs *before* each layer, and not on the stream itself. (That is
**pre-norm**. The paper of 2017 has norm after each sum, post-norm, and so has MiniLM, as you saw in chapter 6. It needs
more care to train.)

**Your turn.** Write a block as in the picture.

<details>
<summary>Hint 1</summary>

Follow the line from left to right. Each of the two layers gets a normalised copy of what is on the line, and its
output is added to the line.

</details>

<details>
<summary>Hint 2</summary>

`MultiHeadAttention` returns two things, and only one of them is added. Give it the mask by its name: its second
argument is the key.

</details>
"""


# %% exercise="Block"
class Block(nn.Module):
    """Attention and a feed-forward layer, each added to the residual stream.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads of the attention
        d_hidden: length between the two layers of the feed-forward layer
        dropout: the share of attention's weights that it drops in training

    Its layers are norm_1, attention, norm_2 and feed_forward.
    """

    def __init__(
        self, d_model: int, num_heads: int, d_hidden: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.attention = MultiHeadAttention(d_model, num_heads, dropout)
        self.feed_forward = FeedForward(d_model, d_hidden)
        self.norm_1 = nn.LayerNorm(d_model)
        self.norm_2 = nn.LayerNorm(d_model)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Let words look at each other, and then each think for itself.

        Args:
            x: (batch, seq, d_model)
            mask: as for MultiHeadAttention; True means "may attend"
        Returns:
            output: (batch, seq, d_model)
        """
        ### BEGIN SOLUTION
        attended, _ = self.attention(self.norm_1(x), mask=mask)
        x = x + attended
        return x + self.feed_forward(self.norm_2(x))
        ### END SOLUTION


# %% check="Block.shapes" points=1
check.shapes(Block)

# %% check="Block.outputs" points=3
check.outputs(Block)

# %% [markdown]
"""
## 6 · The whole model   <sub>14 min · difficulty 3/5</sub>

The rest is assembling:

![From below: tokens, plus positions, blocks under a causal mask, norm, w_out, scores.](pictures/model.svg)

1. `tokens`, an `nn.Embedding(vocabulary, d_model)`: a vector for each token, learned.
2. `positions`: your `position_table`, a row for each place of the context. It is not learned, and it has to be where
   the model is, on a GPU perhaps. That is what a **buffer** is for: `self.register_buffer("positions", table)` makes
   `self.positions` a tensor that moves with the model. The rows are added to the tokens' vectors, both as they are.
3. `blocks`, an `nn.ModuleList` of `num_layers` blocks, with `d_hidden = 4 * d_model`, all under the same causal mask.
4. `norm`, the last `nn.LayerNorm`, since the stream itself was never normalised.
5. `w_out`, an `nn.Linear` that gives each token of the vocabulary its score.

And `context`: the model notes how many tokens it can read, as `self.context`. Why the causal mask? At position t the
model is to *predict* token t + 1. What would its loss be if it could look at it?

This kind of model, with nothing but a causal mask between it and the future, is called **decoder-only**. GPT is one.

**Your turn.** Write the model.

<details>
<summary>Hint 1</summary>

In `__init__`: `nn.Embedding`, your `position_table` as a buffer, an `nn.ModuleList` of blocks, `nn.LayerNorm`,
`nn.Linear`. Then `forward` goes through them in this order. Which two things does it need to know of `tokens`?

</details>

<details>
<summary>Hint 2</summary>

A sentence may be shorter than the context: as many rows of the table as it has tokens. The mask is the one of chapter
1, `causal_mask(seq)`, on the device of the tokens. Each block takes what the one before it returned.

</details>
"""


# %% exercise="TinyGPT"
class TinyGPT(nn.Module):
    """A decoder-only transformer: from tokens to scores for the next ones.

    Args:
        vocabulary: number of different tokens
        context: the most tokens that it can read at once
        d_model: length of a word's vector
        num_heads: heads of each block
        num_layers: number of blocks; d_hidden is 4 * d_model in each

    Its layers are tokens, blocks, norm and w_out; positions is a buffer, and context
    an attribute.
    """

    def __init__(
        self,
        vocabulary: int,
        context: int,
        d_model: int,
        num_heads: int,
        num_layers: int,
    ) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.context = context
        self.tokens = nn.Embedding(vocabulary, d_model)
        self.register_buffer("positions", position_table(context, d_model))
        self.blocks = nn.ModuleList(
            Block(d_model, num_heads, 4 * d_model) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.w_out = nn.Linear(d_model, vocabulary)
        ### END SOLUTION

    def forward(self, tokens: Tensor) -> Tensor:
        """Score each token of the vocabulary as the next one, at every position.

        Args:
            tokens: (batch, seq), seq at most context
        Returns:
            logits: (batch, seq, vocabulary)
        """
        ### BEGIN SOLUTION
        seq = tokens.shape[1]
        # (batch, seq, d_model) + (seq, d_model) -> (batch, seq, d_model)
        x = self.tokens(tokens) + self.positions[:seq]
        mask = causal_mask(seq, device=tokens.device)
        for block in self.blocks:
            x = block(x, mask)
        return self.w_out(self.norm(x))
        ### END SOLUTION


# %% check="TinyGPT.shapes" points=1
check.shapes(TinyGPT)

# %% check="TinyGPT.outputs" points=3
check.outputs(TinyGPT)

# %% [markdown]
"""
## 7 · Write   <sub>12 min · difficulty 3/5</sub>

Your model gives chances for *one* next token. To write, draw one, put it at the end, and ask again. That is all that
any language model does when it writes.

Which token, then? The scores are divided by a **temperature** before softmax. **What do you expect of a low one, and of
a high one?**
"""

# %%
scores = torch.tensor([2.0, 1.0, 0.0, -1.0])
for temperature in (0.25, 0.5, 1.0, 2.0, 10.0):
    chances = (scores / temperature).softmax(dim=-1)
    print(f"temperature {temperature:5}:", [f"{chance:.2f}" for chance in chances])

# %% [markdown]
"""
At a low temperature the likeliest token nearly always wins; as the temperature goes to 0 it always does. That is what
temperature 0 means, though one cannot divide by it. At a high temperature, all tokens become equally likely.

Two more things. The model has positions for `model.context` tokens only, so it is shown **at most the last
`model.context`** of the text. And training is over: `with torch.no_grad():` spares torch its records.

**Your turn.** Write `generate`, for a whole batch of beginnings at once. How you draw is up to you, as long as each
token comes with its chance, and the same seed gives the same text.

<details>
<summary>Hint 1</summary>

A loop with one round a token: show the model the last tokens, take the scores of one position, choose, and join what
you chose to the text.

</details>

<details>
<summary>Hint 2</summary>

`torch.multinomial(chances, 1, generator=generator)` draws one token for each row of chances, (batch, 1).
`argmax(dim=-1, keepdim=True)` has the same shape. `torch.cat([…], dim=1)` joins along the sentence.

</details>
"""


# %% exercise="generate"
def generate(
    model: nn.Module,
    tokens: Tensor,
    new_tokens: int,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go on with a text, token by token.

    Args:
        model: model(tokens) gives logits, (batch, seq, vocabulary), for at most
            model.context tokens
        tokens: (batch, seq), the beginnings; seq may be more than model.context
        new_tokens: how many tokens to add to each
        temperature: the scores are divided by it before softmax; at 0 the token with
            the highest score is taken
        generator: draws the tokens; None: torch's own
    Returns:
        tokens: (batch, seq + new_tokens)
    """
    ### BEGIN SOLUTION
    for _ in range(new_tokens):
        with torch.no_grad():
            # (batch, seq, vocabulary) -> (batch, vocabulary)
            logits = model(tokens[:, -model.context :])[:, -1]
        if temperature == 0:
            following = logits.argmax(dim=-1, keepdim=True)
        else:
            chances = (logits / temperature).softmax(dim=-1)
            following = torch.multinomial(chances, 1, generator=generator)
        # (batch, seq) and (batch, 1) -> (batch, seq + 1)
        tokens = torch.cat([tokens, following], dim=1)
    return tokens
    ### END SOLUTION


# %% check="generate.shapes" points=1
check.shapes(generate)

# %% check="generate.outputs" points=3
check.outputs(generate)

# %% [markdown]
"""
## 8 · Train it   <sub>6 min</sub>

Now all of it is yours. Two blocks of 4 heads, `d_model` 96, a context of 32 tokens: some 600,000 parameters, most of
them in `tokens` and `w_out`. Each step reads 16 excerpts of the book. After every hundred steps the model writes
something.

**How low will its loss fall, in nats a token?** Counting pairs gave 5.2.
"""

# %%
my_guess = None  # nats, for example 4.0

CONTEXT = 32
BEGINNING = pieces.encode("\nAlice")  # a new paragraph, and its first word


def sample(model: nn.Module, beginning: Tensor, temperature: float = 0.6) -> str:
    """What the model writes after `beginning`, (seq)."""
    dice = torch.Generator().manual_seed(3)
    written = generate(model, beginning.unsqueeze(0), 50, temperature, dice)
    return pieces.decode(written[0]).strip().replace("\n", " ¶ ")


live = loss_curves(
    ["your model"],
    STEPS,
    {"your model": my_guess},
    bars={"counting pairs": counted["by pairs"]},
)
display(live)


def watch(step: int, loss: float) -> None:
    live.watch("your model")(step, loss)
    if step % 100 == 0:
        live.wrote(step, sample(model, BEGINNING))


with try_it():
    torch.manual_seed(1)
    model = TinyGPT(VOCABULARY, CONTEXT, d_model=96, num_heads=4, num_layers=2)
    live.wrote(0, sample(model, BEGINNING))
    writer.train(model, next_token_loss, TRAIN, watch, steps=STEPS, context=CONTEXT)
    test_loss = writer.loss_on(model, next_token_loss, TEST, CONTEXT)
    print(f"on the test: {test_loss:.2f} nats a token")

# %% [markdown]
"""
At first it writes words in any order, and then it has learned what the book looks like: paragraphs that begin with a
name, quotation marks that close, people who say things. Its sentences mean nothing, but they are sentences.

On the test its loss is a little below that of counting pairs, and far above its loss on what it trains with. It begins
to know the book by heart: the book has 36,000 tokens for it, and the model has 600,000 numbers to keep them in.

Play with it. Any beginning will do, as long as it has no signs that the book lacks:
"""

# %%
with try_it():
    for beginning in ("\n‘I don’t", "\nThe Queen", "\nSo she"):
        for temperature in (0, 0.6, 1.5):
            written = sample(model, pieces.encode(beginning), temperature)
            print(wonderland.wrapped(f"temperature {temperature}: {written}"))
        print()

# %% [markdown]
"""
At temperature 0 it soon goes round in circles: the likeliest word leads to the likeliest word. At 1.5 it stammers.
Between them, it writes.

Which other words did it have in mind? Drag the number of tokens read, then the temperature:
"""

# %%
from manyheads.widgets import next_token_explorer


def read(sentence: str) -> tuple[list[str], list[str], Tensor]:
    """The tokens of a sentence, those of the vocabulary, and the model's scores."""
    tokens = pieces.encode(sentence)[:CONTEXT]
    names = [pieces.show(token) for token in range(VOCABULARY)]
    return [names[token] for token in tokens.tolist()], names, model(tokens[None])[0]


with try_it():
    display(
        next_token_explorer(
            read,
            [
                "Alice was beginning to get very tired of sitting by her sister.",
                "‘I don’t know,’ said the March Hare.",
                "The Queen turned to the King, and the King said nothing.",
            ],
        )
    )

# %% [markdown]
"""
## 9 · Look into its heads   <sub>6 min</sub>

The attention in there is your own, so you can ask it for its weights. Read one sentence of the test, and keep the
weights of both layers:
"""

# %%
from manyheads.widgets import model_head_viewer


def weights_of(tokens: Tensor) -> Tensor:
    """Where all heads look while the model reads (seq): (layers, heads, seq, seq)."""
    seen = []
    hooks = [
        block.attention.register_forward_hook(lambda *call: seen.append(call[-1][1][0]))
        for block in model.blocks
    ]
    with torch.no_grad():
        model(tokens.unsqueeze(0))
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)


def look(sentence: str) -> tuple[tuple[str, ...], Tensor]:
    """The tokens of a sentence, and where all heads look."""
    tokens = pieces.encode(sentence)[:CONTEXT]
    return tuple(pieces.show(token) for token in tokens.tolist()), weights_of(tokens)


with try_it():
    display(
        model_head_viewer(
            look,
            sentences=[
                "Alice looked at the Mock Turtle, and said nothing.",
                "‘I don’t know,’ said the March Hare.",
                "The Queen turned to the King, and the King said nothing.",
            ],
            view="maps",
        )
    )

# %% [markdown]
"""
Which of them have a job? Chapter 6 gave you two measures, `previous_token_score` and `sink_score`. Here they are for
your own model, over 100 excerpts of the test. A head that spread its weight evenly would have a previous-token score
of 0.10 and a sink score of 0.13. **Do you expect a head that looks at the token before it, as layer 0 of MiniLM has?**
"""

# %%
from manyheads.earlier import previous_token_score, sink_score

with try_it():
    excerpts = writer.draw(TEST, CONTEXT, 100, torch.Generator().manual_seed(0))
    for score in (previous_token_score, sink_score):
        # 100 times (layers, heads) -> (layers, heads)
        mean = torch.stack([score(weights_of(excerpt)) for excerpt in excerpts]).mean(0)
        print(score.__name__)
        for layer, row in enumerate(mean.tolist()):
            print(f"  layer {layer}:", *(f"{value:.2f}" for value in row))

# %% [markdown]
"""
No head has made it its job. Each of layer 0 puts about a fifth of its weight on the token before, twice an even share,
and no head of either layer is a sink. (Other seeds give nearly the same.) So do not expect jobs in every model: this
one has read 400 batches of one short book, and its loss has not asked for more. In chapter 9 a game does ask for such
heads, and you watch them come.

## 10 · What would a larger one do?   <sub>3 min</sub>

Nothing in your code knows how large the model is. If there is a GPU, the next cell trains one with 6 blocks, `d_model`
256 and a context of 128 tokens: six million parameters. **Will its loss on the test be lower than yours?** The book
is still as short.
"""

# %%
from manyheads.earlier import best_device

device = best_device()
if device.type == "cpu":
    print("There is no GPU here, so this cell does nothing.")
else:
    with try_it():
        torch.manual_seed(1)
        large = TinyGPT(VOCABULARY, 128, d_model=256, num_heads=8, num_layers=6)
        large.to(device)
        curve = loss_curves(["a larger model"], 1500)
        display(curve)
        writer.train(
            large,
            next_token_loss,
            TRAIN,
            curve.watch("a larger model"),
            steps=1500,
            context=128,
            batch=64,
            rate=1e-3,
        )
        large_loss = writer.loss_on(large, next_token_loss, TEST, 128)
        print(f"on the test: {large_loss:.2f} nats a token")
        written = generate(large, BEGINNING.unsqueeze(0).to(device), 100, 0.6)
        print(wonderland.wrapped(pieces.decode(written[0])))

# %% [markdown]
"""
## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "A sentence has 10 tokens. How many predictions does its loss average?",
        (
            "9",
            "Each token but the first is predicted, from those before it.",
        ),
        (
            "10, one at each position",
            "At the last position there is a prediction, but no token in the sentence to compare it with.",
        ),
        (
            "1, that of the last token, from the nine before it",
            "The causal mask lets one pass make them all: position t has seen the tokens 0 … t only.",
        ),
    ),
    multiple_choice(
        "You forget the causal mask in training. What happens?",
        (
            "Its loss falls towards 0, and it writes nonsense",
            "It has learned to copy the token that it should predict. When it writes, there is none.",
        ),
        (
            "The loss stays high, since too many words mix",
            "It falls further than it should: the answer is among what the model sees.",
        ),
        (
            "Nothing, since generate shows it only the past anyway",
            "Showing it the past is what makes the mistake visible: it never learned to predict from the past alone.",
        ),
    ),
    multiple_choice(
        "What is left of a feed-forward layer without GELU?",
        (
            "A single matrix and a bias",
            "Two linear layers in a row are one, however wide the middle is.",
        ),
        (
            "Nothing: its output is 0",
            "It still computes w_out(w_in(x)).",
        ),
        (
            "Two layers that learn more slowly, and in the end the same things",
            "They cannot: whatever they learn, a single matrix could do.",
        ),
    ),
    multiple_choice(
        "Where does the norm of a pre-norm block act?",
        (
            "On the copy that goes into each layer",
            "The stream itself is never normalised, so gradients go straight through.",
        ),
        (
            "On the sum, after each layer's output has been added",
            "That is post-norm, as in MiniLM.",
        ),
        (
            "On what each layer returns, before it is added to the stream",
            "What is added, is added as it is: a layer may write much or little.",
        ),
    ),
    multiple_choice(
        "What does temperature 0 do?",
        (
            "It takes the likeliest token each time",
            "The text is the same each time, too, and soon repeats itself.",
        ),
        (
            "It divides the scores by 0",
            "Nothing can be divided by 0. It is the limit of ever lower temperatures.",
        ),
        (
            "It draws each token of the vocabulary with the same chance",
            "That is what a very high temperature does.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- measure a language model: surprise in nats, and the bars that counting sets
- say what positions, feed-forward layers, the residual stream and norm are for, and what their loss costs
- write a decoder-only transformer from tokens to scores, and train it
- let it write, and say what the temperature does
- look into the heads of a model that you have trained yourself

## What this leaves open   <sub>1 min</sub>

Your `generate` reads the whole text again for each new token, and computes all keys and values anew, though only one
is new. The table of positions ends with the context. And large models share keys and values between heads. How and why
they do that is chapter 8.

## Read on

- [Vaswani and others: Attention Is All You Need](https://arxiv.org/abs/1706.03762), 2017. Section 3 has all that you
    have built, with norm after each sum.
- [Radford and others: Language Models are Unsupervised Multitask
    Learners](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf),
    2019: GPT-2, which is your model, larger, with norm before each layer.
- [Xiong and others: On Layer Normalization in the Transformer Architecture](https://arxiv.org/abs/2002.04745), 2020:
    why pre-norm is easier to train.
- [Haviv and others: Transformer Language Models without Positional Encodings Still Learn Positional
    Information](https://arxiv.org/abs/2203.16634), 2022: what the causal mask gives away.
- [Hendrycks and Gimpel: Gaussian Error Linear Units](https://arxiv.org/abs/1606.08415), 2016: GELU.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
