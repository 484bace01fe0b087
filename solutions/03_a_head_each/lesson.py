# %% [markdown]
"""
# 3 · A head each

![Eight heads read all of x. Each makes 64 numbers of it; side by side 512, which w_o mixes.](pictures/question.svg)

In the last chapter several heads did what one could not: they kept two answers for the same word apart. You used a
layer that was ready made, and two questions stayed open. What if the heads cannot share `d_model` evenly? And how do
their answers become one vector? **Now you build the layer yourself.**

The idea could hardly be simpler: give each question a head of its own. Take your head from chapter 1 several times,
put the heads side by side, and join what they say. We use the sizes of the first transformer, the one in the paper
*Attention Is All You Need*: `d_model` is 512, and there are 8 heads.

And one claim should still make you suspicious: **eight heads for the price of one?** At the end of this chapter you
will have measured and worked out what they cost, and know what does grow with their number.

| | you write | it answers |
|---|---|---|
| 1 | `head_width` | How wide may each head be? |
| 2 | `make_heads` | How does a module own eight heads? |
| 3 | `run_heads` | What does each head look at, and what does it say? |
| 4 | `concat_heads` | How do eight answers become one vector? |
| 5 | `ParallelHeads` | Who mixes the answers? |
| 6 | `attention_parameters` | How many numbers are there to learn? |
| 7 | `attention_flops` | How much is there to compute? |

Nothing here needs a GPU.
"""

# %% role="imports"
import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import SingleHeadAttention

# %% [markdown]
"""
The heads of this chapter are `SingleHeadAttention` from chapter 1. If yours has passed its checks on this machine, it
is your own code that runs here:
"""

# %%
earlier.whose("SingleHeadAttention")

# %% [markdown]
"""
A reminder: `SingleHeadAttention(d_model, d_head)` makes a head, and `head(x, mask)` gives `(output, weights)`, of the
shapes `(batch, seq, d_head)` and `(batch, seq, seq)`.

## 1 · How wide may a head be?   <sub>5 min · difficulty 1/5</sub>

A head can be as wide as you like. Let us count the **parameters**, all the numbers that training can change, for three
ways to choose. `numel()` says how many numbers a tensor holds.
"""


# %%
def count_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


wide, narrow = SingleHeadAttention(512, 512), SingleHeadAttention(512, 64)
print(f"one head, 512 wide:   {count_parameters(wide):10,}")
print(f"eight heads, 512 wide:{8 * count_parameters(wide):10,}")
print(f"eight heads, 64 wide: {8 * count_parameters(narrow):10,}")

# %% [markdown]
"""
The first and the last line are the same, because 8 × 64 = 512. So this is the rule: **the heads share `d_model` out
among themselves.** Each gets

`d_head = d_model // num_heads`

(`//` divides whole numbers and drops what is left over.) And if something *is* left over?
"""

# %%
for num_heads in (8, 7):
    width = 512 // num_heads
    print(num_heads, "heads of", width, "make", num_heads * width, "of 512")

# %% [markdown]
"""
With 7 heads the joined answers are 511 numbers long. Nothing complains yet. The error comes later and somewhere
else, when 511 numbers meet a layer that expects 512, and its message does not mention heads. An error is most useful
where the mistake is. So say it at once:

`raise ValueError("…")` stops with a message of your own. A good one holds **the numbers that do not fit**.

Two more things can be wrong. −8 heads divide 512 without a remainder (`%` gives what is left over). And 0 heads stop
with an error that names neither number.

**Your turn.** Return the width of each head. Raise a `ValueError` if `num_heads` does not divide `d_model`, or if one
of the two is not positive. Its message must name both numbers.

<details>
<summary>Hint 1</summary>

First all that can be wrong, then the division. The order of the questions matters: ask whether `num_heads` is
positive *before* you compute a remainder with it. `or` stops at the first question that is true.

</details>

<details>
<summary>Hint 2</summary>

Try (512, 8), (512, 7), (512, −8), (512, 0) and (0, 8). Which of them must stop? An `f` before the quotes of your
message puts `{d_model}` and `{num_heads}` in.

</details>
"""


# %% exercise="head_width"
def head_width(d_model: int, num_heads: int) -> int:
    """Say how wide each head is if num_heads heads share d_model out evenly.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads
    Returns:
        d_head, a whole number
    Raises:
        ValueError: if num_heads does not divide d_model, or one of them is not
            positive. Its message names both numbers.
    """
    ### BEGIN SOLUTION
    if d_model <= 0 or num_heads <= 0 or d_model % num_heads != 0:
        raise ValueError(
            f"d_model {d_model} cannot be shared out evenly among {num_heads} heads"
        )
    return d_model // num_heads
    ### END SOLUTION


# %% check="head_width.shapes" points=1
check.shapes(head_width)

# %% check="head_width.outputs" points=2
check.outputs(head_width)

# %% [markdown]
"""
What does yours say to 7 heads?
"""

# %%
with try_it():
    print("8 heads:", head_width(512, 8))
    try:
        print("7 heads:", head_width(512, 7))
    except ValueError as error:
        print("7 heads:", error)

# %% [markdown]
"""
## 2 · Make the heads   <sub>8 min · difficulty 2/5</sub>

Eight heads are eight modules. The obvious thing is a list of them. Here are two modules that own eight layers each,
one in a Python list, one in an `nn.ModuleList`. **How many parameters does torch find?**
"""

# %%
in_a_list, in_a_module_list = nn.Module(), nn.Module()
in_a_list.layers = [nn.Linear(512, 64) for _ in range(8)]
in_a_module_list.layers = nn.ModuleList(nn.Linear(512, 64) for _ in range(8))
print("in a list:      ", count_parameters(in_a_list))
print("in a ModuleList:", count_parameters(in_a_module_list))

# %% [markdown]
"""
torch does not look into lists. An optimizer asks `parameters()` what to train, so it would train none of the eight,
and no error would say so. `.to("cuda")` and saving would miss them too. An `nn.ModuleList` is a list that torch knows:
you can index it, loop over it and take its `len()`.

Here is another trap. In Python `[thing] * 8` is a short way to a list of eight:
"""

# %%
eight_times_one = nn.ModuleList([nn.Linear(512, 64)] * 8)
in_all = count_parameters(eight_times_one)
print(len(eight_times_one), "layers with", in_all, "parameters in all")

# %% [markdown]
"""
Eight names for one layer. Whatever it learns, all eight learn. Heads are worth having only if each can become
different, so each must be made by itself. (Copies of one head are separate, but they start with the same numbers and
look at the same words: each needs random numbers of its own.)

The last question: **what goes into a head?** One often reads that "the vector is split among the heads". Look at the
picture at the top. Each head reads **all 512 numbers** of `x`. Narrow is only what it makes of them: its queries, keys
and values, 64 numbers each. What a head needs may be anywhere in `x`, and the head's own layers pick
it out.

**Your turn.** Make the heads. Ask your `head_width` how wide they are, so that numbers that do not fit are refused
here too.

<details>
<summary>Hint 1</summary>

`SingleHeadAttention(…, …)` takes two numbers: how long the vectors are that go in, and how long those are that come
out. Make one in each step of a loop over `range(num_heads)`.

</details>

<details>
<summary>Hint 2</summary>

Count what you have made: `count_parameters(make_heads(512, 8))` must be 787,968, as many as one wide head has. If it
is less, some of your heads are the same one, or torch does not find them.

</details>
"""


# %% exercise="make_heads"
def make_heads(d_model: int, num_heads: int) -> nn.ModuleList:
    """Make num_heads separate heads that share d_model out evenly.

    Args:
        d_model: length of a word's vector: each head reads all of it
        num_heads: number of heads
    Returns:
        an nn.ModuleList of num_heads times SingleHeadAttention, each
            d_model // num_heads wide, with random numbers of its own
    Raises:
        ValueError: if num_heads does not divide d_model
    """
    ### BEGIN SOLUTION
    d_head = head_width(d_model, num_heads)
    return nn.ModuleList(SingleHeadAttention(d_model, d_head) for _ in range(num_heads))
    ### END SOLUTION


# %% check="make_heads.shapes" points=1
check.shapes(make_heads)

# %% check="make_heads.outputs" points=2
check.outputs(make_heads)

# %% [markdown]
"""
## 3 · Run them side by side   <sub>10 min · difficulty 3/5</sub>

Now let all heads look at the same sentences. Each gets the same `x` and the same `mask`; none knows of the others.
Each returns two tensors, so eight heads return sixteen. That is unwieldy. We want two: all outputs in one tensor, all
weights in another.

Torch has two ways to make one tensor of many. **What is the difference?**
"""

# %%
# eight outputs of the shape (batch 2, seq 7, d_head 64)
parts = [torch.zeros(2, 7, 64) for _ in range(8)]
print("torch.cat(parts, dim=1):  ", tuple(torch.cat(parts, dim=1).shape))
print("torch.stack(parts, dim=0):", tuple(torch.stack(parts, dim=0).shape))

# %% [markdown]
"""
`cat` makes an existing dimension longer: 8 × 7 = 56 "words", and which head said what is hard to tell. `stack` makes
a **new** dimension, and `dim` says where it goes in the result.

Where should the heads go? In this course, right behind the batch:

| | shape |
|---|---|
| outputs | `(batch, num_heads, seq, d_head)` |
| weights | `(batch, num_heads, seq, seq)` |

`batch` stays in front, so that everything about one sentence is together. The last two dimensions stay as they are,
so that each head's own matrix can be taken out with `weights[sentence, head]`.

**Your turn.** Run all heads, and return these two tensors. `heads` is what `make_heads` returns. The mask may be None,
and every head gets it as it is.

<details>
<summary>Hint 1</summary>

A head returns two things at once, and you need all of the first in one place and all of the second in another.

</details>

<details>
<summary>Hint 2</summary>

Each output is `(batch, seq, d_head)`. The new dimension must become the second one: which `dim` is that for
`torch.stack`? It is the same for the weights.

</details>
"""


# %% exercise="run_heads"
def run_heads(
    heads: nn.ModuleList, x: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Let every head attend to the same sentences.

    Args:
        heads: num_heads times SingleHeadAttention
        x: (batch, seq, d_model)
        mask: bool, broadcasts to (batch, seq, seq), the same for all heads; True means
            "may attend"
    Returns:
        outputs: (batch, num_heads, seq, d_head)
        weights: (batch, num_heads, seq, seq)
    """
    ### BEGIN SOLUTION
    answers = [head(x, mask) for head in heads]
    # num_heads times (batch, seq, d_head) -> (batch, num_heads, seq, d_head)
    outputs = torch.stack([output for output, _ in answers], dim=1)
    # num_heads times (batch, seq, seq) -> (batch, num_heads, seq, seq)
    weights = torch.stack([weight for _, weight in answers], dim=1)
    return outputs, weights
    ### END SOLUTION


# %% check="run_heads.shapes" points=1
check.shapes(run_heads)

# %% check="run_heads.outputs" points=2
check.outputs(run_heads)

# %% [markdown]
"""
Do eight heads look at eight different words? Nothing is learned yet. Ask them where *sat* looks:
"""

# %%
words = ["The", "black", "cat", "sat", "on", "the", "mat"]
torch.manual_seed(1)
sentence = torch.randn(1, len(words), 512)  # a vector for each word

with try_it():
    torch.manual_seed(4)
    _, weights = run_heads(make_heads(512, 8), sentence)
    # (num_heads, seq): a row from each head
    for head, row in enumerate(weights[0, :, words.index("sat")]):
        print(f"head {head}: sat looks most at {words[row.argmax()]:5}", end=" ")
        print(f"with a weight of {row.max():.2f}")

# %% [markdown]
"""
They do not agree, since each was made with random numbers of its own. Nor are they sure: with 7 words, looking at all
alike would give each a weight of 0.14. They start out different, and that is what training needs to make each of
them good at something else.

## 4 · Put the answers side by side   <sub>8 min · difficulty 2/5</sub>

For each word there are now eight answers of 64 numbers. The rest of a network expects one vector of 512. So write
the eight answers behind each other: features 0 to 63 from head 0, features 64 to 127 from head 1, and so on. That
is **concatenation**.

From `(batch, num_heads, seq, d_head)` to `(batch, seq, num_heads · d_head)`: both hold equally many numbers, so
`reshape` does it without complaint. Does it do the right thing? Here is a small case whose numbers say where they
come from. The hundreds are the head, the tens the word, the ones the feature:
"""

# %%
from manyheads.pictures.number_grids import number_grids

head, word, feature = torch.arange(2), torch.arange(3), torch.arange(2)
# (2, 1, 1) + (3, 1) + (2) -> (2, 3, 2),
# and a batch of one sentence in front: (1, 2, 3, 2)
tell_tale = (100 * head[:, None, None] + 10 * word[:, None] + feature)[None]
wanted = torch.tensor([[0, 1, 100, 101], [10, 11, 110, 111], [20, 21, 120, 121]])
number_grids(
    {
        "outputs": tell_tale[0],
        "reshape(1, 3, 4)": tell_tale.reshape(1, 3, 4)[0],
        "what it should be": wanted,
    },
    head_of=lambda number: number // 100,
    words=["The", "cat", "sat"],
    alt="Left, two heads with three words of two numbers each. Middle, reshaped: the "
    "row of 'The' holds head 0's numbers of 'The' and of 'cat'. Right, as it should "
    "be: the row of 'The' holds its numbers of head 0, then those of head 1.",
)

# %% [markdown]
"""
The row of *The* should hold 0, 1 from head 0 and 100, 101 from head 1. After `reshape` it holds 0, 1, **10, 11**: the
second half belongs to *cat*. `reshape` goes through the numbers in their old order, row by row, and cuts them into new
rows. Here all words of head 0 come before the first word of head 1, so it cuts in the wrong places. There is no error
and no warning: the shape is right.

You know a function that makes an *existing* dimension longer, whatever the order in memory.

**Your turn.** Write the heads' outputs behind each other, head 0 first.

<details>
<summary>Hint 1</summary>

`outputs[:, 0]` is what head 0 says, of the shape `(batch, seq, d_head)`. With all heads' parts in a list you can join
them: along which dimension do the features lie?

</details>

<details>
<summary>Hint 2</summary>

Join `outputs[:, 0]` and `outputs[:, 1]` of the small case, until you get what the right grid shows. Then do it for any
number of heads: `outputs.unbind(dim=…)` takes a tensor apart along a dimension.

</details>
"""


# %% exercise="concat_heads"
def concat_heads(outputs: Tensor) -> Tensor:
    """Write the heads' outputs behind each other: one vector for each word.

    Args:
        outputs: (batch, num_heads, seq, d_head)
    Returns:
        (batch, seq, num_heads * d_head); the first d_head features are those of head 0
    """
    ### BEGIN SOLUTION
    # (batch, num_heads, seq, d_head) -> num_heads times (batch, seq, d_head)
    parts = outputs.unbind(dim=1)
    # num_heads times (batch, seq, d_head) -> (batch, seq, num_heads * d_head)
    return torch.cat(parts, dim=-1)
    ### END SOLUTION


# %% check="concat_heads.shapes" points=1
check.shapes(concat_heads)

# %% check="concat_heads.outputs" points=2
check.outputs(concat_heads)

# %% [markdown]
"""
Now each number should be in the row of the word that it names:
"""

# %%
with try_it():
    print(concat_heads(tell_tale)[0])

# %% [markdown]
"""
## 5 · Let the heads talk   <sub>12 min · difficulty 3/5</sub>

512 numbers went in for each word, 512 came out. Are we done? Do an experiment: let **one** head, head 2, say
something else, and see which of the 512 features change.
"""


# %%
def change_by_part(before: Tensor, after: Tensor) -> str:
    """How much each eighth of the features changes, from 0 … 63 to 448 … 511."""
    # (batch, seq, 512) -> 8 times (batch, seq, 64)
    parts = (after - before).chunk(8, dim=-1)
    return "  ".join(f"{part.abs().mean():.2f}" for part in parts)


torch.manual_seed(0)
# what eight heads say about 7 words: (batch, num_heads, seq, d_head)
outputs = torch.randn(1, 8, 7, 64)
others = outputs.clone()
others[:, 2] = torch.randn(1, 7, 64)  # head 2 says something else

with try_it():
    print("change:", change_by_part(concat_heads(outputs), concat_heads(others)))

# %% [markdown]
r"""
Only features 128 to 191 change. **The heads do not talk to each other.** Say that head 0 found out *who* sat and
head 1 *where*. Then the two facts lie side by side in the same vector, but no single number knows of both. And each
head can write only into its own 64 places.

One more layer fixes both: an `nn.Linear(d_model, d_model)` after the concatenation, called `w_o`, the **output
projection**. Each of its 512 outputs is a weighted sum of all 512 inputs, so each can draw on all heads. This is the
whole layer, **multi-head attention**:

$$\operatorname{head}_h = \operatorname{attention}(x W^Q_h,\; x W^K_h,\; x W^V_h), \qquad
\operatorname{output} = \operatorname{concat}(\operatorname{head}_0, \dots, \operatorname{head}_7)\, W^O$$

(Biases are not shown. Chapter 2's layer had no `w_o`: section 9 says why it could do without.)

**Your turn.** Write the module. Its heads are in `self.heads`, the output projection in `self.w_o`, with a bias as
`nn.Linear` makes it. Return the output and all heads' weights.

<details>
<summary>Hint 1</summary>

`__init__` is two lines; you have a function for the first. `forward` is three steps: run the heads, join their
outputs, mix them.

</details>

<details>
<summary>Hint 2</summary>

Print the shape after each of the three steps. Only the last two are (batch, seq, d_model). Which of your functions
takes what the one before it returns? Nothing happens to the weights.

</details>
"""


# %% exercise="ParallelHeads"
class ParallelHeads(nn.Module):
    """Multi-head attention in which each head is a module of its own.

    Args:
        d_model: length of a word's vector, in x and in the output
        num_heads: number of heads; must divide d_model
    """

    def __init__(self, d_model: int, num_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.heads = make_heads(d_model, num_heads)
        self.w_o = nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Let every head attend to the sentences, and mix what the heads say.

        Args:
            x: (batch, seq, d_model)
            mask: bool, broadcasts to (batch, seq, seq), the same for all heads; True
                means "may attend"
        Returns:
            output: (batch, seq, d_model)
            weights: (batch, num_heads, seq, seq)
        """
        ### BEGIN SOLUTION
        outputs, weights = run_heads(self.heads, x, mask)
        # (batch, num_heads, seq, d_head) -> (batch, seq, d_model)
        joined = concat_heads(outputs)
        # (batch, seq, d_model) -> (batch, seq, d_model)
        return self.w_o(joined), weights
        ### END SOLUTION


# %% check="ParallelHeads.shapes" points=1
check.shapes(ParallelHeads)

# %% check="ParallelHeads.outputs" points=3
check.outputs(ParallelHeads)

# %% [markdown]
"""
The same experiment once more, with `w_o`. Head 2 says something else; what changes now?
"""

# %%
with try_it():
    torch.manual_seed(0)
    layer = ParallelHeads(512, 8)
    before, after = concat_heads(outputs), concat_heads(others)
    print("before w_o:", change_by_part(before, after))
    print("after w_o: ", change_by_part(layer.w_o(before), layer.w_o(after)))

# %% [markdown]
"""
Everything. `w_o` is where the heads meet.

**Another way to see it.** Cut the weight of `w_o` into eight pieces, one for each head's 64 inputs. Let each head go
through its own piece, and add up. Does that give the same?
"""

# %%
with try_it():
    w_o = ParallelHeads(512, 8).w_o
    # the weight lies the other way round, (out, in) = (512, 512);
    # along "in": 8 pieces of the shape (512, 64)
    pieces = w_o.weight.chunk(8, dim=1)
    # (1, 7, 64) @ (64, 512) -> (1, 7, 512): what head h adds to the output
    contributions = [outputs[:, h] @ piece.T for h, piece in enumerate(pieces)]
    difference = sum(contributions) + w_o.bias - w_o(concat_heads(outputs))
    print(f"largest difference: {difference.abs().max():.7f}")

# %% [markdown]
"""
It does, up to rounding. So "concatenate, then mix" means the same as: **each head writes something into all 512
features, and what they write is added up.** Keep that in mind. In chapter 6 you silence single heads of a trained
model, and this is why that works.

## 6 · What does it cost to learn?   <sub>7 min · difficulty 2/5</sub>

Back to the suspicion. Twice as many heads: does the layer have twice as many parameters? Type what you expect. Below
the exercise your guess meets the count.
"""

# %%
my_guess = None  # so many times as many parameters have 16 heads as 8, for example 1.5

# %% [markdown]
"""
**Your turn.** Work it out in arithmetic, without building a layer. Go through it piece by piece: what does one head
hold, how many heads are there, what does `w_o` hold? Do not forget the biases.

<details>
<summary>Hint 1</summary>

An `nn.Linear(a, b)` holds a weight of a · b numbers and a bias of b numbers. Each head has three of them. Which are
their a and b?

</details>

<details>
<summary>Hint 2</summary>

Count a small layer on paper: `d_model` 4 and 2 heads make 80 numbers, 20 of them in `w_o`. How many are in each head?

</details>
"""


# %% exercise="attention_parameters"
def attention_parameters(d_model: int, num_heads: int) -> int:
    """Say how many parameters ParallelHeads(d_model, num_heads) has.

    Args:
        d_model: length of a word's vector
        num_heads: number of heads; divides d_model
    Returns:
        the number of weights and biases, those of w_o included
    """
    ### BEGIN SOLUTION
    d_head = head_width(d_model, num_heads)
    one_head = 3 * (d_model * d_head + d_head)  # w_q, w_k and w_v, each with its bias
    w_o = d_model * d_model + d_model
    return num_heads * one_head + w_o
    ### END SOLUTION


# %% check="attention_parameters.shapes" points=1
check.shapes(attention_parameters)

# %% check="attention_parameters.outputs" points=2
check.outputs(attention_parameters)

# %% [markdown]
"""
Does your arithmetic agree with the layer itself?
"""

# %%
with try_it():
    print("num_heads  d_head    computed     counted")
    counted = {}
    for num_heads in (1, 8, 16, 64):
        computed = attention_parameters(512, num_heads)
        counted[num_heads] = count_parameters(ParallelHeads(512, num_heads))
        print(f"{num_heads:9d} {512 // num_heads:7d}", end=" ")
        print(f"{computed:11,} {counted[num_heads]:11,}")
    times = counted[16] / counted[8]
    print(f"16 heads have {times:.2f} times as many as 8. Your guess: {my_guess}")

# %% [markdown]
"""
![A matrix of 512 by 512 holds as many numbers as eight matrices of 512 by 64.](pictures/strips.svg)

Eight heads hold the numbers of one large head, cut into strips. And `w_o` does not care how many heads there are.
On paper: `num_heads · 3 · (d_model · d_head + d_head)`. Now `num_heads · d_head` is `d_model`, so this is
`3 · (d_model · d_model + d_model)`, whatever `num_heads` is. With `w_o` there are four such pieces.

## 7 · What does it cost to compute?   <sub>10 min · difficulty 3/5</sub>

Parameters are memory. What about work? It is counted in **FLOPs**, floating point operations: single multiplications
and additions. Take a product of matrices, `(n, m) @ (m, p)`. It has n · p entries, each a dot product of m
multiplications and m additions. Together that is **2 · n · m · p**. torch can count while it computes:
"""

# %%
from torch.utils.flop_counter import FlopCounterMode


def count_flops(function, *inputs) -> int:
    with FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


a, b = torch.randn(3, 5), torch.randn(5, 7)
print("counted: ", count_flops(torch.matmul, a, b))
print("computed:", 2 * 3 * 5 * 7)
print("softmax: ", count_flops(torch.softmax, a, -1))

# %% [markdown]
"""
The counter counts matrix products and nothing else: softmax, masks and biases count as 0. Beside the products they
are small change: a bias is one addition for each number, and the product before it took 2 · 512 operations.

What will it say of your layer, on one sentence of 10 words? And does the work grow with the number of heads?

**Your turn.** Compute it. These are all the products there are, for one sentence:

| product | shapes | how often |
|---|---|---|
| queries, keys, values | `(seq, d_model) @ (d_model, d_head)` | three times in each head |
| scores | `(seq, d_head) @ (d_head, seq)` | once in each head |
| weighted average | `(seq, seq) @ (seq, d_head)` | once in each head |
| output projection | `(seq, d_model) @ (d_model, d_model)` | once, for all heads together |

<details>
<summary>Hint 1</summary>

One line for each row of the table: 2 · n · m · p, times how often. Which rows are multiplied by `num_heads`, and what
is multiplied by `batch`?

</details>

<details>
<summary>Hint 2</summary>

Work out a small one on paper, row by row: one sentence of 3 words, `d_model` 4, 2 heads. The whole makes 528, and `w_o`
alone 96. All sentences of a batch cost the same.

</details>
"""


# %% exercise="attention_flops"
def attention_flops(batch: int, seq: int, d_model: int, num_heads: int) -> int:
    """Say how many FLOPs the matrix products of ParallelHeads(d_model, num_heads) take.

    Args:
        batch: number of sentences
        seq: number of words in each
        d_model: length of a word's vector
        num_heads: number of heads; divides d_model
    Returns:
        two for each multiplication with its addition, w_o included; biases and softmax
            are not counted
    """
    ### BEGIN SOLUTION
    d_head = head_width(d_model, num_heads)
    projections = 3 * 2 * seq * d_model * d_head  # queries, keys and values
    scores = 2 * seq * d_head * seq
    average = 2 * seq * seq * d_head
    w_o = 2 * seq * d_model * d_model
    return batch * (num_heads * (projections + scores + average) + w_o)
    ### END SOLUTION


# %% check="attention_flops.shapes" points=1
check.shapes(attention_flops)

# %% check="attention_flops.outputs" points=2
check.outputs(attention_flops)

# %% [markdown]
"""
Does your arithmetic agree with the counter? (The counter sees products made with `@` and its relatives. If your chapter
1 adds up products by hand, it counts less.)
"""

# %%
with try_it():
    x = torch.randn(1, 10, 512)
    print("num_heads    computed     counted")
    for num_heads in (1, 8, 64):
        counted = count_flops(ParallelHeads(512, num_heads), x)
        print(f"{num_heads:9d} {attention_flops(1, 10, 512, num_heads):11,}", end=" ")
        print(f"{counted:11,}")

# %% [markdown]
"""
The same work for any number of heads. Now ask your formula something else: **how many times as much work is it if
sentences get twice as long?** Type your guess first.
"""

# %%
my_guess_twice = None  # how many times as much, for example 3
with try_it():
    print("  seq   FLOPs, compared with half as long a sentence")
    for seq in (10, 500, 2000, 50_000):
        whole = attention_flops(1, seq, 512, 8)
        half = attention_flops(1, seq // 2, 512, 8)
        print(f"{seq:5d}   {whole / half:.2f} times")
    print("your guess:", my_guess_twice)

# %% [markdown]
"""
It begins at twice and climbs towards four times. Projections grow with `seq`, scores and averages with `seq · seq`.
With short sentences the projections are nearly everything, with long ones the scores are.

## 8 · What does change?   <sub>8 min</sub>

Parameters: the same. FLOPs: the same. So why not take 64 heads? Three things *do* change. Here are two; the third
closes the chapter.

**Narrow heads see less.** A score is a dot product of `d_head` numbers. What is left of it if `d_head` is 1? Take a
sentence of 64 words and ask for each word where it looks most. How many *different* words are some word's favourite?
"""

# %%
torch.manual_seed(0)
long_sentence = torch.randn(1, 64, 512)
print("d_head  favourites of 64 words")
for d_head in (512, 64, 8, 2, 1):
    _, weights = SingleHeadAttention(512, d_head)(long_sentence)
    print(f"{d_head:6d} {len(weights[0].argmax(dim=-1).unique()):7d}")

# %% [markdown]
"""
With `d_head` 1 a score is one number of the query times one number of the key. If the query's number is positive, the
word with the largest key wins, if it is negative, the one with the smallest. So there are at most two favourites for
the whole sentence. No such head could let each word look at its neighbour. GPT-2 comes in four sizes, with 12, 16, 20
and 25 heads, and in all of them a head is 64 wide: `d_model` grows with the number of heads.

**Every head keeps scores of its own.** The matrix of scores is `(seq, seq)` whatever `d_head` is. Narrow heads do not
get smaller ones, so the memory for scores, and for weights, grows with `num_heads`.

**See all of it.** Here is your layer, run at each redraw. Heights are drawn to scale: a tensor is as tall as it has
features. (Its width only hints at the number of words.) Before you move `num_heads`, say what will happen to each part
of the picture.

1. From 1 head to 8 to 32: what gets smaller, what stays as large as it was?
2. With 8 heads and `d_model` 512, at which `seq` do the scores take more memory than the parameters? (A parameter
   takes 4 bytes.)
3. Tick the box. The sentence below the picture is your own error message. Would you understand it if you had not
   written it?
4. Go back to your `make_heads`, make each head `d_model` wide, run its cell and then the one below. What happens to
   the picture, and why? (Put it right again.)

<details>
<summary>Answers</summary>

1. The heads get narrower: queries, keys, values and outputs. The squares of scores and weights stay as large as
   they were, there are only more of them. What is at both ends does not change at all.
2. The parameters take 1,050,624 · 4 bytes, 4.2 MB. The scores take 3.28 MB at `seq` 320 and 13.1 MB at 640.
3. It should name both numbers, and say that one does not divide the other.
4. Every head is as tall as `x`, and side by side they are eight times as tall. `w_o` expects 512 numbers and gets
   4096, so the layer stops there.

</details>
"""

# %%
from manyheads.widgets import projection_explorer

projection_explorer(head_width, ParallelHeads)

# %% [markdown]
"""
## 9 · Does it learn?   <sub>6 min</sub>

In chapter 2 you trained a layer that was ready made. Now train your own: the same toy language, the same sentences in
the same order, the same game in which *sat* asks all three questions. Only the layer is another one, your
`ParallelHeads`. The third model does without `w_o`, as the ready-made layer did.

In how many of the test sentences will all three answers be right? Type your guesses into the first lines, and run the
cell.
"""

# %%
from manyheads.models import toy_model
from manyheads.models.toy_grammar import ONE_ASKS, QUESTIONS
from manyheads.widgets import one_or_many

NOT_MIXED = "4 heads,\nwithout w_o"
# in percent, for example "1 head": 50
my_guesses = {"1 head": None, "4 heads": None, NOT_MIXED: None}

head_counts = {"1 head": 1, "4 heads": 4, NOT_MIXED: 4}
race = one_or_many(head_counts, toy_model.STEPS, my_guesses)
display(race)
with try_it():
    for name in race.runs:
        torch.manual_seed(1)
        layer = ParallelHeads(toy_model.D_MODEL, race.runs[name].num_heads)
        if name == NOT_MIXED:
            # With ones on the diagonal and no bias it hands on what it is given.
            nn.init.eye_(layer.w_o.weight).requires_grad_(False)
            nn.init.zeros_(layer.w_o.bias).requires_grad_(False)
        toy_model.train(toy_model.ToyModel(layer), ONE_ASKS, race.watch(name))

# %% [markdown]
"""
**Your layer learns**, and it tells the same story as in chapter 2: one head gets few sentences right (about one in ten
here, one in five there), four heads get nearly all.

And `w_o` brings nothing here. Why does every transformer have it? In this little model, an `nn.Linear` for each
question reads the output, and can mix the heads by itself. In a transformer, the output is **added** to the vectors
that came in: entry 5 of what the layer says to entry 5 of the word's vector. (The sum is called the *residual stream*.)
Without `w_o`, head 0 could change the first 12 entries of a word's vector and no others, head 1 the next 12, and so on.
With it, each head can write to any of them.

Are two heads enough, as they were in chapter 2? Look at each answer by itself:
"""

# %%
with try_it():
    print("seed" + "".join(f"{question:>20}" for question in QUESTIONS))
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = toy_model.ToyModel(ParallelHeads(toy_model.D_MODEL, 2))
        toy_model.train(model, ONE_ASKS, watch=lambda step, accuracy: None)
        shares = toy_model.right_answers(model, ONE_ASKS).float().mean(dim=0).tolist()
        print(f"{seed:4}" + "".join(f"{share:20.0%}" for share in shares))

# %% [markdown]
"""
Two answers are nearly always right, and one hardly ever. (Not so with yours? It makes its weights in another order, so
it starts with other numbers. Try more seeds.) Two heads *can* give all three: you saw it. But training
starts somewhere and goes downhill from there, and from here it goes to a place where two questions are answered and the
third is not. With more steps some of these models still find a way out, others do not; which ones depends on the
weights that they start with. More heads than are strictly needed make it easier to find a way.

## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "d_model is 512 and there are 8 heads. What does one head get to see of a word?",
        (
            "All 512 numbers of its vector",
            "Each head's layers go from 512 to 64. Narrow is what a head makes, not what it reads.",
        ),
        (
            "Its own 64 of the 512 numbers",
            "This is what 'splitting the vector' suggests. But each head has an nn.Linear(512, 64): it reads all "
            "512. What is split is the result.",
        ),
        (
            "What the head before it has left over",
            "The heads do not come one after the other. All get the same x, and none knows of the others.",
        ),
    ),
    multiple_choice(
        "d_model is 768. Which number of heads is refused?",
        ("10", "768 = 10 · 76 + 8, so 8 features would be left over."),
        ("12", "768 = 12 · 64. These are the sizes of BERT and of the small GPT-2."),
        ("768", "768 heads of width 1 are of little use, but nothing is left over."),
    ),
    multiple_choice(
        "You leave out w_o. What is lost?",
        (
            "Each feature of the output depends on a single head",
            "You measured it: when head 2 changed, only its own 64 features did.",
        ),
        (
            "The output has the wrong shape",
            "8 · 64 = 512 already. That is why leaving it out goes unnoticed.",
        ),
        (
            "The heads can no longer look at different words each",
            "Where a head looks is decided by its own queries and keys, long before w_o.",
        ),
    ),
    multiple_choice(
        "You go from 8 heads to 16, with d_model as it is. What doubles?",
        (
            "The memory for the scores",
            "Each head has a (seq, seq) matrix of its own, and narrower heads do not make it smaller.",
        ),
        (
            "The number of parameters",
            "You counted: twice the heads, each half as wide. The product stays.",
        ),
        ("The FLOPs", "You counted those too: each head does half the work."),
        (
            "The length of the layer's output",
            "The heads share d_model out. Side by side they are d_model long, always.",
        ),
    ),
    multiple_choice(
        "Someone writes self.heads = [SingleHeadAttention(512, 64) for _ in range(8)]. What happens in training?",
        (
            "The heads stay as they are, since no optimizer is told about them",
            "forward works and w_o learns, so the loss may even fall, but the heads stay as random as they were.",
        ),
        (
            "torch stops with an error in forward",
            "A list of modules can be looped over and called. That is what makes this mistake hard to find.",
        ),
        (
            "All eight heads learn the same, since they came out of one expression",
            "That would come from [head] * 8, which is one head under eight names. Here there are eight heads.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- say which numbers of heads are possible, and refuse the others with a message that helps
- build several heads that can be trained, run them, and join what they say in the right order
- show by measurement that heads do not talk to each other until `w_o` mixes them
- work out parameters and FLOPs of an attention layer, and prove yourself right with a counter
- say what more heads do cost: memory for scores, and narrower heads

## What a head each leaves open   <sub>2 min</sub>

Two things that change with `num_heads` you have seen. Here is the third. The FLOPs are the same for 1, 8 and 64 heads.
**Is the time the same, too?**
"""

# %%
import time


def milliseconds(function, *inputs) -> float:
    """The shortest of 20 runs: the one that was disturbed least."""
    taken = []
    for _ in range(20):
        start = time.perf_counter()
        function(*inputs)
        taken.append(time.perf_counter() - start)
    return 1000 * min(taken)


with try_it(), torch.no_grad():
    x = torch.randn(1, 10, 512)
    for num_heads in (1, 8, 64):
        taken = milliseconds(ParallelHeads(512, num_heads), x)
        print(f"{num_heads:2d} heads: {taken:6.2f} ms")

# %% [markdown]
"""
It is not even close. Your layer goes through its heads one after the other, in a Python loop, and asks the machine
for many small products instead of a few large ones. Each request costs time of its own, however little there is to
compute. (Chapter 5 measures this on a GPU.)

But look at the strips in section 6 once more. Eight small matrices hold exactly the numbers of one large one. So why
not multiply by the large one, **once**, and cut the *result* into heads? That is the next chapter: **all heads at
once**.
"""

# %% [markdown]
"""
## Read on

- [Elhage and others, 2021: A Mathematical Framework for Transformer
  Circuits](https://transformer-circuits.pub/2021/framework/index.html):
    heads that add what they write to one stream, taken seriously.
- [Bhojanapalli and others, 2020: Low-Rank Bottleneck in Multi-head Attention
  Models](https://arxiv.org/abs/2002.07028):
    what heads lose that are narrower than the sentence is long.
- [Kaplan and others, 2020: Scaling Laws for Neural Language Models](https://arxiv.org/abs/2001.08361):
    section 2.1 counts parameters and FLOPs of whole models as you did for a layer.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
