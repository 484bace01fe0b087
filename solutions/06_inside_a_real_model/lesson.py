# %% [markdown]
"""
# 6 · Inside a real model

![A sentence goes through six blocks into a vector. Each has a gap for your layer.](pictures/question.svg)

Your attention layer is complete, and it is fast. But nobody has trained it: so far its weights were random, or had
learned a toy grammar. **Is it the real thing?**

There is a hard test. Take a model that other people have trained and that thousands use. Take its attention out, and
put yours in. Mix up two matrices, and its answers are off. If all is right, the model does not notice.

Then comes the reward: a trained model whose every head you can look at, ask and switch off.

| | you write | it answers |
|---|---|---|
| 1 | `load_attention` | How do trained weights get into my layer? |
| 2 | `sink_score` | Why do so many heads stare at the same token? |
| 3 | `previous_token_score` | Which head has a job that I can name? |
| 4 | `attention_without` | What does the layer say when a head is silent? |
| 5 | `head_importance` | Which heads does the model need? |

Everything here runs on a CPU in seconds.
"""

# %% role="imports"
import copy
import time
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.pictures import style
from manyheads.earlier import FastMultiHeadAttention, MultiHeadAttention

# %% [markdown]
"""
You will want to see where each head looks. The fast layer of chapter 5 never holds the weights, so here the layer of
chapter 4 does most of the work, the one that returns them. The fast one gets its turn, too.
"""

# %%
earlier.whose("MultiHeadAttention", "FastMultiHeadAttention")

# %% [markdown]
"""
## A model from the shelf   <sub>4 min</sub>

The model is called **MiniLM** (in full: all-MiniLM-L6-v2). Its authors took a trained model and trained it further
(*fine-tuned* it) on more than a billion pairs of texts that belong together, such as a question and its answer. It
reads a text and gives **one vector**, and texts that mean similar things get similar vectors. Searching by meaning is
built on that.

It is small: 6 layers of 12 heads, `d_model` 384, so `d_head` is 384 / 12 = 32. It is an *encoder*: it has the whole
text in front of it, and there is **no causal mask**. Each word may look at all words.

What you get when you download a model is a **checkpoint**: a file of tensors, each with a name.
"""

# %%
from manyheads.models.checkpoint import load_checkpoint

checkpoint = load_checkpoint()

# %% [markdown]
"""
Here is all that belongs to layer 0. Where is your attention in it?
"""

# %%
for name, tensor in checkpoint.tensors.items():
    if name.startswith("encoder.layer.0."):
        print(f"{name:60} {tuple(tensor.shape)}")

sizes = {name: tensor.numel() for name, tensor in checkpoint.tensors.items()}
in_attention = [
    size
    for name, size in sizes.items()
    if ".attention." in name and "LayerNorm" not in name
]
print(f"\nof {sum(sizes.values()) / 1e6:.1f} million numbers,", end=" ")
print(f"{sum(in_attention) / 1e6:.1f} million are attention")

# %% [markdown]
"""
You should recognise four layers of `nn.Linear`: `self.query`, `self.key`, `self.value`, and `attention.output.dense`.
Those are your `w_q`, `w_k`, `w_v` and `w_o`. The 12 heads are nowhere to be seen. They exist only because the result
is split into 12 parts.

A layer is more than its attention. The whole of it is also called a *block*:

![Attention, x added back, norm, then feed-forward, added back, norm.](pictures/block.svg)

*Added back* means that a word keeps its own vector, and attention only adds to it what the others had to say. *Norm*
brings each word's vector back to a standard size. *Feed-forward* is two more layers of `nn.Linear`, for each word by
itself. `manyheads/models/minilm.py` holds all this **without attention**: that is your part.

## From text to tokens   <sub>3 min</sub>

A model does not read words. It has a fixed vocabulary of 30,522 **tokens**, and a word that is not among them is cut
into pieces. A piece that continues a word begins with `##`.
"""

# %%
from manyheads.models.wordpiece import WordPiece

tokenizer = WordPiece(checkpoint.vocabulary)
for text in ("The black cat sat on the mat.", "Unbelievably, the kitten purred."):
    tokens = tokenizer.batch([text], longest=32)
    print(tokens.words[0])
    print(tokens.ids[0].tolist(), "\n")

# %% [markdown]
"""
Each text is placed between two tokens that are not words, `[CLS]` and `[SEP]`. Keep an eye on `[CLS]`.

## 1 · Fill your layer with trained weights   <sub>11 min · difficulty 2/5</sub>

Your layer has four layers of `nn.Linear`, the checkpoint has the numbers. Copy the numbers into the layers. That sounds
trivial, and it goes wrong all the time, **silently**: `w_q`, `w_k`, `w_v` and `w_o` all have the same shape, so
nothing complains if you mix them up.

Two things to know first.

*A parameter records what is done to it.* torch keeps track of it for training, so it does not let you simply overwrite
it:
"""

# %%
linear = nn.Linear(3, 3)
try:
    linear.bias.copy_(torch.ones(3))
except RuntimeError as error:
    print("RuntimeError:", error)

with torch.no_grad():  # nothing is recorded in here
    linear.bias.copy_(torch.ones(3))
print(linear.bias)

# %% [markdown]
"""
`parameter.copy_(tensor)` copies the numbers into the memory that the parameter has. Afterwards the two have nothing
to do with each other.

*copy_ is generous.* What happens if the tensor has the wrong shape? Guess first.
"""

# %%
with torch.no_grad():
    linear.bias.copy_(torch.tensor([7.0]))  # one number for three
    linear.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))  # three numbers for nine
print(linear.bias, linear.weight, sep="\n")

# %% [markdown]
"""
It repeats them until they fit, without a word. With a mask that was handy. Here it would give you a model that runs
and is wrong. **What cannot be right should be an error, at once.** So compare the shapes before you copy.

**Your turn.** Load layer `index` of a checkpoint into `layer`. `tensors` is a dictionary from name to tensor, with the
names that you saw above. If a tensor is missing or has another shape than its parameter, raise an error; which kind is
up to you (a dictionary that is asked for a name that it does not have raises a `KeyError` by itself).

<details>
<summary>Hint 1</summary>

All names begin with `encoder.layer.{index}.attention.`. Then comes
`self.query`, `self.key`, `self.value` or `output.dense`, then `.weight` or `.bias`. That is a loop over four things and
in it one over two.

</details>

<details>
<summary>Hint 2</summary>

Write down first which of your layers gets which name, in a dictionary or a list of pairs. In a loop,
`getattr(linear, "weight")` gives the same as `linear.weight`. Print the two shapes side by side before you copy
anything.

</details>
"""


# %% exercise="load_attention"
def load_attention(layer: nn.Module, tensors: dict[str, Tensor], index: int) -> None:
    """Copy the trained weights of one layer's attention into `layer`.

    Args:
        layer: a MultiHeadAttention. Its w_q, w_k, w_v and w_o are filled, weight and
            bias each.
        tensors: by name, such as
            "encoder.layer.0.attention.self.query.weight" (d_model, d_model) or
            "encoder.layer.0.attention.output.dense.bias" (d_model). They stay as they
            are, and share no memory with the layer.
        index: which layer of the checkpoint, 0 is the first
    Raises:
        KeyError, ValueError or any other error: if a tensor is missing, or its shape is
            not its parameter's.
    """
    ### BEGIN SOLUTION
    place = f"encoder.layer.{index}.attention"
    names = {
        layer.w_q: f"{place}.self.query",
        layer.w_k: f"{place}.self.key",
        layer.w_v: f"{place}.self.value",
        layer.w_o: f"{place}.output.dense",
    }
    with torch.no_grad():
        for linear, name in names.items():
            for kind in ("weight", "bias"):
                ours, theirs = getattr(linear, kind), tensors[f"{name}.{kind}"]
                if theirs.shape != ours.shape:
                    shapes = f"{tuple(theirs.shape)}, not {tuple(ours.shape)}"
                    raise ValueError(f"{name}.{kind} has the shape {shapes}")
                ours.copy_(theirs)
    ### END SOLUTION


# %% check="load_attention.shapes" points=1
check.shapes(load_attention)

# %% check="load_attention.outputs" points=2
check.outputs(load_attention)

# %% [markdown]
"""
Now put six of your layers into the model:
"""

# %%
from manyheads.models.minilm import MiniLM

with try_it():
    layers = []
    for index in range(checkpoint.num_layers):
        layer = MultiHeadAttention(checkpoint.d_model, checkpoint.num_heads)
        load_attention(layer, checkpoint.tensors, index)
        layers.append(layer)
    model = MiniLM(checkpoint, layers)
    print(f"{len(layers)} layers of yours are in place")

# %% [markdown]
"""
## Does the model notice?   <sub>3 min</sub>

It must not. For two sentences the course has saved what the published implementation computes (transformers by Hugging
Face, with the same weights): the vectors of all words, first as they go into layer 0 (the *embeddings* of the words)
and then after each layer. How far are yours from theirs?
"""

# %%
from manyheads.models.minilm import distance_from_published


def compare(model: MiniLM) -> None:
    """Print the largest difference from the published numbers, place by place."""
    if not checkpoint.is_real:
        print("A random model has no published numbers to compare with.")
        return
    for place, distance in enumerate(distance_from_published(model).tolist()):
        name = f"layer {place - 1}" if place else "the embeddings"
        print(f"after {name:15} {distance:.7f}")


with try_it():
    compare(model)

# %% [markdown]
"""
None should be above 0.00001. The vectors have entries of up to 10, and float32 keeps some seven digits, so this is
rounding. **Your layer runs MiniLM.** Take that in: it was trained years ago, by people who never saw your code.

What would a mistake look like? Swap the queries and the keys of layer 3 alone:
"""

# %%
with try_it():
    broken = copy.deepcopy(layers)
    broken[3].w_q, broken[3].w_k = broken[3].w_k, broken[3].w_q
    compare(MiniLM(checkpoint, broken))

# %% [markdown]
"""
Nothing crashes, and all shapes are right. But the first number that is off tells you **where** the mistake is. Compare
layer by layer with an implementation that you trust: few tests find such mistakes so fast.

And your fast layer of chapter 5? Its four layers of `nn.Linear` have the same names, so your `load_attention` fills it
as well. Let it read eight long texts in place of the other. How far will their vectors be apart, and which layer is
done first?
"""

# %%
with try_it():
    fast = []
    for index in range(checkpoint.num_layers):
        layer = FastMultiHeadAttention(checkpoint.d_model, checkpoint.num_heads)
        load_attention(layer, checkpoint.tensors, index)
        fast.append(layer)

    def attend_fast(index: int, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        return fast[index](x, mask=mask)

    long_texts = ["The black cat sat on the mat. " * 40] * 8  # cut off at 256 tokens
    vectors = {}
    for name, attend in {"chapter 4": None, "chapter 5": attend_fast}.items():
        model.embed(long_texts, attend)  # the first run of anything is slower
        start = time.perf_counter()
        vectors[name] = model.embed(long_texts, attend)
        print(f"your layer of {name}: {time.perf_counter() - start:.2f} s")
    apart = (vectors["chapter 4"] - vectors["chapter 5"]).abs().max().item()
    print(f"largest difference: {apart:.7f}")

# %% [markdown]
"""
The same vectors, and no weights to look at. (Are the times close together? Run the cell again, and see how steady they
are.) To use a model, take the fast layer; to understand it, the other.

## What it says about sentences   <sub>4 min</sub>

The model gives a vector for each token. Its authors take the **mean over the tokens** of a text and scale it to the
length 1. That is the text's **embedding**. The dot product of two such vectors is their cosine: 1 if they point the
same way, about 0 if they have nothing to do with each other.

Which of these five pairs will it find alike? Two share most of their meaning, two share words, one shares nothing.
Guess the cosine of each pair, and type your guesses into the last line before you run the cell.
"""

# %%
pairs = [
    ("How old are you?", "What is your age?"),
    ("The black cat sat on the mat.", "A dark kitten rested on a rug."),
    ("How old are you?", "How old is this house?"),
    ("She keeps her money in the bank.", "We had lunch on the bank of the river."),
    ("The black cat sat on the mat.", "Prices rose again in March."),
]
# one for each pair, from 0 to 1, for example 0.5
my_guesses = [None, None, None, None, None]

# %%
from manyheads.pictures.model_pictures import draw_pairs


def similarities(pairs: list[tuple[str, str]]) -> list[float]:
    """Return the cosine of each pair's embeddings."""
    # (batch, d_model) each, of length 1
    ones, others = (model.embed(side) for side in zip(*pairs, strict=True))
    return (ones * others).sum(dim=-1).tolist()


with try_it():
    alike = similarities(pairs)
    words = "; ".join(
        f"{one} / {other} {value:.2f}"
        for (one, other), value in zip(pairs, alike, strict=True)
    )
    alt = f"How alike are the sentences? {words}"
    display(style.picture(draw_pairs(pairs, alike, my_guesses), alt=alt))

# %% [markdown]
"""
"How old are you?" and "What is your age?" share no word and come out on top. The two banks share two words and come
far below. This model goes by meaning, and your attention is where the words tell each other what they mean.

Now the question that chapter 1 ended with. Can it tell these two apart?
"""

# %%
with try_it():
    pair = ("The cat sat on the mat.", "The mat sat on the cat.")
    print(f"{pair[0]} / {pair[1]} {similarities([pair])[0]:.2f}")
    two = model.read(pair)
    cats = [two.hidden[-1, row, two.tokens.words[row].index("cat")] for row in range(2)]
    print(f"the two vectors of cat alone: {torch.cosine_similarity(*cats, dim=0):.2f}")

# %% [markdown]
"""
Hardly. The words are the same, a mean does not care for their order, and even *cat* by itself has nearly the same
vector in both. Chapter 2 showed that heads **can** keep apart who sat and on what. A model learns it only if its
training asks for it, and this one was asked what a text is about. Know your tool.

## 2 · Where do the heads look?   <sub>8 min · difficulty 1/5</sub>

Read one sentence and keep the weights of all layers. That is where the 72 heads look.
"""

# %%
with try_it():
    reading = model.read(["The black cat sat on the mat."])
    # (layers, batch, heads, seq, seq)
    # -> of the only sentence: (layers, heads, seq, seq)
    weights = reading.weights[:, 0]
    print("layers, heads, seq, seq:", tuple(weights.shape))

# %% [markdown]
"""
Look at the maps of a few layers: a row is the word that looks, a column the word that is looked at. Which column do
you see again and again? You can also type a sentence of your own.
"""

# %%
from manyheads.widgets import model_head_viewer

sentences_to_view = [
    "The black cat sat on the mat.",
    "The keys to the old cabinet are lost.",
    "When the music stopped, everyone in the room laughed.",
    "Time flies like an arrow; fruit flies like a banana.",
]


def look(sentence: str) -> tuple[tuple[str, ...], Tensor]:
    """Return a sentence's tokens and all heads' weights, (layers, heads, seq, seq)."""
    reading = model.read([sentence])
    return reading.tokens.words[0], reading.weights[:, 0]


model_head_viewer(look, sentences=sentences_to_view, view="maps", layer=4)

# %% [markdown]
"""
In layers 1 to 4, most maps are a single column: `[CLS]`, the first token, which is not a word at all. You have met an
**attention sink**. Looking at it with the eye is good, a number is better.

**Your turn.** For each head, say how much weight goes to the token at `position`: the **mean over all queries**, the
token itself among them.

<details>
<summary>Hint 1</summary>

What says who looks **at** a token, its row or its column? Which dimension of `weights` is that?

</details>

<details>
<summary>Hint 2</summary>

In an index, `...` stands for all dimensions that you do not write. Once you have picked one token, three dimensions
are left: which one are the queries?

</details>
"""


# %% exercise="sink_score"
def sink_score(weights: Tensor, position: int = 0) -> Tensor:
    """Say how much each head looks at one token.

    This is the mean over ALL queries of their weight on it.

    Args:
        weights: (layers, heads, seq, seq), one row a query
        position: of the token; as in any index, −1 is the last one
    Returns:
        score: (layers, heads), each between 0 and 1
    """
    ### BEGIN SOLUTION
    # (layers, heads, seq, seq) -> the column (layers, heads, seq)
    # -> its mean (layers, heads)
    return weights[..., position].mean(dim=-1)
    ### END SOLUTION


# %% check="sink_score.shapes" points=1
check.shapes(sink_score)

# %% check="sink_score.outputs" points=2
check.outputs(sink_score)

# %%
from manyheads.pictures.model_pictures import draw_layer_map

with try_it():
    sink = sink_score(weights)
    layer, head = divmod(int(sink.argmax()), checkpoint.num_heads)
    alike, sinks = 1 / weights.shape[-1], int((sink > 0.5).sum())
    print(f"If heads looked at all tokens alike, each would have {alike:.2f}.")
    print(f"More than half of the weight on [CLS]: {sinks} heads of {sink.numel()}.")
    picture = draw_layer_map(sink, "How much each head looks at [CLS]", most=1.0)
    words = f"The darkest is layer {layer}, head {head}, with {float(sink.max()):.2f}."
    display(style.picture(picture, alt=f"How much each head looks at [CLS]. {words}"))

# %% [markdown]
"""
## Why stare at nothing?   <sub>4 min</sub>

More than half of the heads give more than half of their weight to a token that means nothing. Is the model broken?

Think of what softmax demands: each row sums to 1. **A head cannot look nowhere.** But suppose that a head waits for
something special, and this sentence does not have it. Where can it put its weight so that it does no harm?

Remember what happens to the weights: they average **values**. So look at the values. How long is the one that `[CLS]`
hands over, compared to those of the words?
"""

# %%
with try_it():
    print("layer   length of [CLS]'s value, as a share of the words'", end=" ")
    print("(mean of all heads, smallest, largest)")
    shares = []
    for index, layer in enumerate(layers):
        x = reading.hidden[index, 0]  # (seq, d_model): what goes into this layer
        # (seq, d_model) -> (seq, num_heads, d_head)
        # -> the values' lengths (seq, num_heads)
        lengths = layer.w_v(x).view(len(x), checkpoint.num_heads, -1).norm(dim=-1)
        share = lengths[0] / lengths[1:-1].mean(dim=0)
        shares.append(share)
        print(f"{index:5} {share.mean():10.2f} {share.min():10.2f} {share.max():10.2f}")
    shares = torch.stack(shares).detach()
    most = sink.flatten().topk(12).indices
    print(f"the 12 heads that look at [CLS] most: {shares.flatten()[most].mean():.2f}")

# %% [markdown]
"""
There it is. To those heads `[CLS]` hands over **next to nothing**: a few hundredths of what a word does. A head that
puts .90 on it has turned itself down to a tenth. The model has learned an off switch, because softmax gave it none.

Two lessons for reading such maps:

- **A weight is not what arrives.** What arrives is weight times value.
- Look at what is left. In the viewer above, leave `[CLS]` and `[SEP]` out, and the rest becomes visible. Try layer 2.

Large language models do the same with their first token, whatever it is. It was noticed when people dropped the oldest
tokens to save memory: without their sink, the models fell apart (Xiao and others, 2023, who gave it its name).

## 3 · A head with a job   <sub>8 min · difficulty 2/5</sub>

Go back to the viewer, layer 0, and look at head 2. Its line runs just below the diagonal: each token looks at
the one **before** it. Are there more such heads? You would not want to check 72 maps by eye.

**Your turn.** Score each head by how much it looks at the previous token: the mean over the positions 1, 2, 3 … of
the weight on the position before. Position 0 has none before it, so it does not count.

<details>
<summary>Hint 1</summary>

Row *i*, column *i* − 1: those entries form the diagonal just below the main one. There are seq − 1 of them.

</details>

<details>
<summary>Hint 2</summary>

`weights.diagonal(offset=…, dim1=…, dim2=…)` takes a diagonal of any two dimensions and puts it in the last place.
Which offset lies below the main diagonal? Try it on `torch.arange(9).view(3, 3)`. Or index with two ranges,
`weights[:, :, rows, columns]`.

</details>
"""


# %% exercise="previous_token_score"
def previous_token_score(weights: Tensor) -> Tensor:
    """Say how much each head looks at the token before.

    This is the mean over positions 1 … of the weight on it.

    Args:
        weights: (layers, heads, seq, seq), one row a query; seq is at least 2
    Returns:
        score: (layers, heads), each between 0 and 1
    """
    ### BEGIN SOLUTION
    # (layers, heads, seq, seq) -> the diagonal below the main one
    # (layers, heads, seq - 1) -> (layers, heads)
    return weights.diagonal(offset=-1, dim1=-2, dim2=-1).mean(dim=-1)
    ### END SOLUTION


# %% check="previous_token_score.shapes" points=1
check.shapes(previous_token_score)

# %% check="previous_token_score.outputs" points=2
check.outputs(previous_token_score)

# %%
with try_it():
    previous = previous_token_score(weights)
    best, second = previous.flatten().topk(2).values.tolist()
    layer, head = divmod(int(previous.argmax()), checkpoint.num_heads)
    title = "How much each head looks at the token before"
    picture = draw_layer_map(previous, title, most=1.0)
    words = f"Layer {layer}, head {head} stands out with {best:.2f};"
    words += f" the next best has {second:.2f}."
    print(words)
    display(style.picture(picture, alt=f"{title}. {words}"))

# %% [markdown]
"""
One head does this and nothing else. Is it the words, or the places? Test it with a sentence that makes no sense. Then
write one of your own: **can you fool this head?** And is there a head for the **next** token? Turn the maps over, and
your function answers that too.
"""

# %%
text = "the blue lemon sudden cat on mat sat black the"  # now yours
with try_it():
    _, nonsense = look(text)
    print(f"on “{text}”: {previous_token_score(nonsense)[layer, head]:.2f}")
    # row i, column i + 1 becomes row i + 1, column i
    following = previous_token_score(weights.transpose(-2, -1))
    layer_after, head_after = divmod(int(following.argmax()), checkpoint.num_heads)
    print(f"next token: layer {layer_after}, head {head_after}", end=" ")
    print(f"with {float(following.max()):.2f}")

# %% [markdown]
"""
It goes by places. That is possible because the embeddings add a vector for each position to the word's own. So after
layer 0 each word can know its left neighbour, and the later layers can tell *dog bites man* from *man bites dog*. It
sounds like a head that the model cannot do without. **Remember that story**: in section 5 you can test it.

## A story is not a proof   <sub>3 min</sub>

Is there a head that finds the **subject** of a verb? Take eight sentences, and let each head show how much its verb
looks at its subject:
"""

# %%
simple = [
    ("The black cat sat on the mat.", "sat", "cat"),
    ("The old dog slept near the door.", "slept", "dog"),
    ("The young girl laughed at the joke.", "laughed", "girl"),
    ("The tall man walked to the station.", "walked", "man"),
    ("The small bird sang in the tree.", "sang", "bird"),
    ("My brother found a coin.", "found", "brother"),
    ("Two boys kicked the ball.", "kicked", "boys"),
    ("The river froze in May.", "froze", "river"),
]


def on_subject(sentences: list[tuple[str, str, str]]) -> Tensor:
    """Return each head's mean weight from the verb to its subject, (layers, heads)."""
    found = []
    for sentence, verb, subject in sentences:
        words, weights = look(sentence)
        found.append(weights[..., words.index(verb), words.index(subject)])
    return torch.stack(found).mean(dim=0)


with try_it():
    near = on_subject(simple)
    finder = divmod(int(near.argmax()), checkpoint.num_heads)
    print(f"The best: layer {finder[0]}, head {finder[1]} with {float(near.max()):.2f}")

# %% [markdown]
"""
A perfect subject finder! Or is it? You know this head. What do all eight sentences have in common?
"""

# %%
distant = [
    ("The keys to the old cabinet are lost.", "are", "keys"),
    ("The cat that the dog chased sat on the mat.", "sat", "cat"),
    ("The girl with the red shoes laughed.", "laughed", "girl"),
    ("The man who sold us the car lied.", "lied", "man"),
]
with try_it():
    far = on_subject(distant)
    other = divmod(int(far.argmax()), checkpoint.num_heads)
    print(f"Layer {finder[0]}, head {finder[1]} now: {float(far[finder]):.2f}")
    best = float(far.max())
    print(f"The best now: layer {other[0]}, head {other[1]} with {best:.2f}")

# %% [markdown]
"""
It is the previous-token head. In all eight sentences the subject comes right before the verb. Move it away, and the
subject finder is gone. The best that is left gives the subject about a quarter of its weight: a hint, not a rule.

So be careful with stories such as "this head finds the subject". **Name a head only after you have tried to prove the
name wrong**, with sentences in which your story and a simpler one disagree.

## 4 · Silence a head   <sub>12 min · difficulty 3/5</sub>

Where a head looks does not tell you whether the model needs it. So switch it off, and see what happens.

What does *off* mean? Nothing of this head may arrive in the output, and all others stay as they are. Look at how the
output is made:

![w_o's weight times the merged heads: each head meets columns of its own.](pictures/columns.svg)

The merged heads of one word are `d_model` numbers: `d_head` from head 0, then `d_head` from head 1, and so on. Each
number meets **one column** of `w_o`'s weight. So there are two good places to silence a head: make its part of the
merged heads 0, or the columns that it meets.

Think about some other places first. If the head's *queries* are 0, all its scores are 0, and softmax makes them
equal: the head looks at all words alike. That is not silence. And the bias of `w_o` belongs to no head: it stays.

One more thing: when the call is over, **the layer must be what it was before**. It will be needed again.

**Your turn.** Return the layer's output without some of its heads. The layer is a `MultiHeadAttention` as in chapter
4: it has `w_q`, `w_k`, `w_v` and `w_o`, and `layer(x, mask=mask)` returns (output, weights). You can read the number of
heads off the weights, whatever the class calls it: (batch, num_heads, seq, seq).

<details>
<summary>Hint 1</summary>

`copy.deepcopy(layer)` gives you a second layer with parameters of its own, and you may do with it what you like.

</details>

<details>
<summary>Hint 2</summary>

Take 12 columns and 3 heads, and write down which columns belong to head 0, 1 and 2. What is the rule for head *h*?
And what did you need in section 1 before torch let you write into a parameter?

</details>
"""


# %% exercise="attention_without"
def attention_without(
    layer: nn.Module, x: Tensor, heads: list[int], mask: Tensor | None = None
) -> Tensor:
    """Return the output of `layer` with some heads silenced.

    Nothing of them arrives, the others stay as they are.

    Args:
        layer: a MultiHeadAttention; afterwards it is what it was before
        x: (batch, seq, d_model), for self-attention
        heads: the numbers of the heads to silence, in a list or a tuple; it may be
            empty
        mask: bool, broadcasts to (batch, num_heads, seq, seq); True means "may attend".
            None blocks nothing.
    Returns:
        output: (batch, seq, d_model)
    """
    ### BEGIN SOLUTION
    _, weights = layer(x, mask=mask)
    d_head = x.shape[-1] // weights.shape[1]
    edited = copy.deepcopy(layer)
    with torch.no_grad():
        for head in heads:
            # (d_model, d_model): a column for each entry of the merged heads, d_head of
            # them for each head
            edited.w_o.weight[:, head * d_head : (head + 1) * d_head] = 0
    output, _ = edited(x, mask=mask)
    return output
    ### END SOLUTION


# %% check="attention_without.shapes" points=1
check.shapes(attention_without)

# %% check="attention_without.outputs" points=3
check.outputs(attention_without)

# %% [markdown]
"""
Try it on layer 0 of the model. What should be left if all 12 heads are silent?
"""

# %%
with try_it(), torch.no_grad():
    x, layer = reading.hidden[0], layers[0]  # (1, seq, d_model): what goes into layer 0
    full, _ = layer(x)
    same = torch.allclose(attention_without(layer, x, []), full, atol=1e-5)
    print("no head silent, same output?      ", same)
    silent = attention_without(layer, x, range(checkpoint.num_heads))
    bias = layer.w_o.bias.expand_as(silent)
    print("all silent, is it the bias of w_o?", torch.allclose(silent, bias, atol=1e-5))
    print("is the layer what it was before?  ", torch.equal(layer(x)[0], full))

# %% [markdown]
"""
## 5 · Which heads does the model need?   <sub>8 min · difficulty 2/5</sub>

Silence one head, embed some sentences, and see how far their vectors move. Do that for each of the 72. That is called
an **ablation**, and it is how such questions are answered for the largest models, too.

How far a vector has moved is again told by the cosine: **1 − cosine** is 0 if it has not turned at all. Take the mean
over the sentences.

**Your turn.** You get a function `encode` that does the rest. `encode()` returns the embeddings of the intact model;
`encode(silenced=(layer, head))` those with one head silenced. Each call runs the whole model, so waste none: **one**
call for the intact model, and one for each head.

<details>
<summary>Hint 1</summary>

`nn.functional.cosine_similarity(a, b, dim=…)` compares vectors along one dimension: which one holds the entries of a
sentence's vector?

</details>

<details>
<summary>Hint 2</summary>

Try your function on a model that you can work out on paper: an `encode` that returns `torch.eye(2)`, and with
`silenced=(0, 1)` the same with its rows swapped. What must row 0, column 1 be, and what all others? Count the calls.

</details>
"""


# %% exercise="head_importance"
def head_importance(encode, num_layers: int, num_heads: int) -> Tensor:
    """Say for each head how far the embeddings move without it.

    This is 1 − cosine similarity, the mean over the batch.

    Args:
        encode: `encode(silenced=None)` returns embeddings (batch, d): of the intact
            model for None, else of the model without one head, given as a pair
            (layer, head). It is called once for each of these.
    Returns:
        importance: (num_layers, num_heads)
    """
    ### BEGIN SOLUTION
    intact = encode()
    importance = torch.zeros(num_layers, num_heads)
    for layer in range(num_layers):
        for head in range(num_heads):
            without = encode(silenced=(layer, head))
            # (batch, d) and (batch, d) -> (batch) -> one number
            alike = nn.functional.cosine_similarity(intact, without, dim=-1)
            importance[layer, head] = 1 - alike.mean()
    return importance
    ### END SOLUTION


# %% check="head_importance.shapes" points=1
check.shapes(head_importance)

# %% check="head_importance.outputs" points=3
check.outputs(head_importance)

# %% [markdown]
"""
Now for the real one. `embed_without` replaces the layers' own attention with your `attention_without`, and
embeds the ten sentences of the five pairs.
"""

# %%
import sys

from tqdm import tqdm

sentences = [sentence for pair in pairs for sentence in pair]


def embed_without(
    silenced: list[tuple[int, int]], texts: Sequence[str] = sentences
) -> Tensor:
    """Return embeddings (batch, d_model) with these (layer, head) pairs silenced."""

    def attend(index: int, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        heads = [head for where, head in silenced if where == index]
        if heads:
            return attention_without(layer, x, heads, mask)
        return layer(x, mask=mask)[0]

    return model.embed(texts, attend)


runs = 1 + checkpoint.num_layers * checkpoint.num_heads
with try_it(), tqdm(total=runs, file=sys.stdout) as bar:

    def encode(silenced: tuple[int, int] | None = None) -> Tensor:
        bar.update()
        return embed_without([] if silenced is None else [silenced])

    importance = head_importance(encode, checkpoint.num_layers, checkpoint.num_heads)

# %%
with try_it():
    layer, head = divmod(int(importance.argmax()), checkpoint.num_heads)
    title = "How far the embeddings move without each head"
    picture = draw_layer_map(importance, f"{title} (1 − cosine)", digits=3)
    most = float(importance.max())
    words = f"The most important is layer {layer}, head {head}: {most:.3f}."
    print(words)
    display(style.picture(picture, alt=f"{title}. {words}"))
    means = ", ".join(f"{value:.4f}" for value in importance.mean(dim=1).tolist())
    print("mean of each layer, 0 to 5:", means)

# %% [markdown]
"""
Read the map, and look at the scale: **most heads hardly matter, one at a time.** The last layer matters most. That
makes sense: what it says goes straight into the mean, and no later layer can make up for what is missing.

And the sinks? If a head that stares at `[CLS]` has turned itself down, silencing it should change little. Take the
`sink_score` of the same ten sentences. In each layer, compare the six heads with the most weight on `[CLS]` with the
six others:
"""

# %%
with try_it():
    sinks = [sink_score(look(sentence)[1]) for sentence in sentences]
    sink_of_ten = torch.stack(sinks).mean(dim=0)
    print("layer   importance of the six that look at [CLS] most   of the six others")
    for index in range(checkpoint.num_layers):
        order = sink_of_ten[index].argsort(descending=True)
        most = importance[index, order[:6]].mean()
        least = importance[index, order[6:]].mean()
        print(f"{index:5} {most:28.4f} {least:28.4f}")

# %% [markdown]
"""
In layers 0 to 4 it holds. In the last one it does not: there, the heads that look at `[CLS]` count as much as the
others. A rule that you can state is a rule that you can test.

## Does the model need its neatest head?   <sub>3 min</sub>

Now to the story of section 3: a head that looks at the token before, always and with all its weight, from which later
layers learn who bites whom. If it is true, two things must follow.

- Silencing that head should move the embeddings far.
- Sentences with the same words in another order should become **more alike**, since the model has lost what tells them
  apart.

Which place among the 72 do you give it? Type it into the first line, then run the cell.
"""

# %%
my_guess = None  # 1 is the most important of the 72
swapped = [
    ("The dog bit the man.", "The man bit the dog."),
    ("The cat sat on the mat.", "The mat sat on the cat."),
    ("The girl saw the boy.", "The boy saw the girl."),
    ("A red car hit a blue bus.", "A blue car hit a red bus."),
    ("The king killed the bear.", "The bear killed the king."),
    ("The teacher thanked the student.", "The student thanked the teacher."),
]

with try_it():
    neat = divmod(int(previous.argmax()), checkpoint.num_heads)
    place = int((importance > importance[neat]).sum()) + 1
    print(
        f"Layer {neat[0]}, head {neat[1]}: importance {importance[neat]:.4f},", end=" "
    )
    print(f"number {place} of 72 (your guess: {my_guess})")
    for name, silenced in {"intact": [], "without that head": [neat]}.items():
        ones, others = (
            embed_without(silenced, side) for side in zip(*swapped, strict=True)
        )
        alike = (ones * others).sum(dim=-1).mean()
        print(f"{name:18} mean similarity of swapped sentences {alike:.4f}")

# %% [markdown]
"""
Neither follows. The neatest head of all is somewhere in the middle, and without it the swapped sentences are as far
apart as before. *What* it does you have shown on short sentences. *That the model needs it* was a story. Other
heads may stand in for it, or it may matter for other sentences. Try some whose words are cut into pieces, such as
"Zookeepers vaccinated the hippopotamuses.": there you might expect more of it.

## How many heads can go?   <sub>3 min</sub>

If most heads hardly matter one at a time, can they all go? Silence more and more of them, in two orders: the least
important first, and the most important first. Guess where the first curve drops.
"""

# %%
from manyheads.pictures.model_pictures import draw_silencing

with try_it():
    places = importance.flatten().argsort().tolist()
    ranking = [divmod(place, checkpoint.num_heads) for place in places]
    counts = [0, 6, 12, 18, 24, 30, 36, 48, 60, 72]
    intact = embed_without([])

    def similarity(silenced: list[tuple[int, int]]) -> float:
        embedded = embed_without(silenced)
        return float(nn.functional.cosine_similarity(intact, embedded, dim=-1).mean())

    orders = {"least important first": ranking, "most important first": ranking[::-1]}
    curves = {}
    for name, order in orders.items():
        curves[name] = [similarity(order[:count]) for count in counts]
    at_24 = counts.index(24)
    words = "; ".join(f"{name} {curve[at_24]:.2f}" for name, curve in curves.items())
    print(f"With 24 heads silent: {words}")
    picture = draw_silencing(counts, curves, "Similarity to the intact embeddings")
    alt = f"Similarity as heads fall silent, in two orders. With 24 silent: {words}."
    display(style.picture(picture, alt=alt))

# %% [markdown]
"""
A third of all heads can fall silent, and the embeddings hardly turn, **if it is the right third**. That does not mean
that fewer heads would have done from the start: in chapter 2, several heads learned what one could not. What can go
*after* training is another question. Taking it away is called **pruning**, one of the ways to make models faster.

Be honest about what you measured. It is one number (how far embeddings turn), on ten sentences, silencing one head at a
time. Heads that stand in for each other look useless one by one.

## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "You load a checkpoint and mix up w_q and w_k in one layer. How do you notice?",
        (
            "Only by comparing numbers with an implementation that you trust",
            "All shapes fit, nothing crashes, and the outputs look like outputs.",
        ),
        (
            "torch raises an error about shapes",
            "Both are (d_model, d_model): they fit either way.",
        ),
        (
            "The rows of weights no longer sum to 1, which a test of them shows",
            "Softmax makes them sum to 1, whatever the scores are.",
        ),
    ),
    multiple_choice(
        "A head puts .90 of its weight on [CLS]. What does that do to the other words?",
        (
            "Little: [CLS] hands over a very short value, so hardly anything arrives",
            "The head has turned itself down to the remaining tenth.",
        ),
        (
            "Much: .90 of each of their new vectors is now the meaning of [CLS] alone",
            "You measured what [CLS] hands over: a few hundredths of what a word does.",
        ),
        (
            "It makes them alike, since all get the same vector",
            "They would, if the vector were of any size. What counts is weight times value.",
        ),
    ),
    multiple_choice(
        "A head scores 1.00 at “from the verb to its subject” on all your sentences. What do you do?",
        (
            "Look for sentences where a simpler story would give another answer",
            "That is how the subject finder turned out to look at the token before.",
        ),
        (
            "Publish it: 1.00 leaves no doubt",
            "The subject may stand right before the verb in all of them. Then the score cannot tell two stories apart.",
        ),
        (
            "Nothing: what a head inside a model does cannot be known from outside",
            "It can be tested. The previous-token head passed a test with nonsense words.",
        ),
    ),
    multiple_choice(
        "How do you silence head h without touching the others?",
        (
            "Set the columns of w_o that it meets to 0",
            "Each column takes one entry of the merged heads, and d_head of them belong to head h.",
        ),
        (
            "Set its queries to 0",
            "Then all its scores are equal, and it hands over the mean of all values: that is not silence.",
        ),
        (
            "Set the rows of w_o with the numbers of h to 0",
            "A row makes one entry of the output from ALL heads. You would silence entries, not a head.",
        ),
    ),
    multiple_choice(
        "Silenced one at a time, two heads have an importance of 0.001. Can both go?",
        (
            "Not necessarily: each may be doing the other's work",
            "One at a time, a head that has a substitute looks useless. Silence both and see.",
        ),
        (
            "Yes: 0.001 and 0.001 make 0.002, which is still nothing",
            "Importance does not add up: without one of them, the other may be what everything depends on.",
        ),
        (
            "No: every head of a trained model is needed",
            "You have silenced a third of them at once, and the embeddings hardly turned.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- load published weights into a layer of your own, and prove number by number that it computes the same
- find the first layer that is wrong, in any model, by comparing hidden states
- recognise attention sinks, and say why a trained head wants one
- score heads for a job, and try to prove the story wrong before you believe it
- tell what a head does from whether the model needs it
- silence heads, and measure which of them a model needs

## What is left open   <sub>1 min</sub>

You have taken a real transformer apart down to its single heads. Three questions go beyond it.

MiniLM reads. Could your layer also **write**? It would need the rest of a block, which you have only seen in a picture:
adding back, norm and feed-forward. What are they good for?

Each of the 72 heads has keys and values of its own. Does it need them? In many large models, **groups of heads share**
theirs, and hardly lose anything.

And a model that writes adds one token at a time. Must it compute all keys and values again for each new token, when
nothing about the old ones has changed?
"""

# %% [markdown]
"""
## Read on

- [Wang and others, 2020: MiniLM](https://arxiv.org/abs/2002.10957):
    how the model of this chapter was made out of a larger one.
- [Reimers and Gurevych, 2019: Sentence-BERT](https://arxiv.org/abs/1908.10084):
    how a vector for each word becomes one for the sentence.
- [Clark and others, 2019: What Does BERT Look At?](https://arxiv.org/abs/1906.04341):
    heads for the next word, for the one before, and for [SEP].
- [Xiao and others, 2023: Efficient Streaming Language Models with Attention Sinks](https://arxiv.org/abs/2309.17453):
    why so much weight goes to the first token, and what it is good for.
- [Jain and Wallace, 2019: Attention is not Explanation](https://arxiv.org/abs/1902.10186):
    why a picture of weights proves little by itself.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
