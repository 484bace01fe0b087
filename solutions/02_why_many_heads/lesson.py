# %% [markdown]
"""
# 2 · What one head cannot do

![Arcs join black and cat, cat and sat, sat and mat. Can one head follow all three?](pictures/relations.svg)

At the end of chapter 1, *sat* wanted to know two things: *who* sat, and *where*. A head makes one average for each
word, and half of *cat* plus half of *mat* does not say which is which.

From this it is often concluded: *there are three relations in this sentence. One head cannot follow them all at once,
so we need several.* (A well-known textbook, Jurafsky and Martin's *Speech and Language Processing*, gives this reason
in a draft of its third edition.) Is that so? Here you do not have to believe it. You train a small model with 1, 2, 3
and 4 heads, all with the same number of parameters, watch how many answers each one gets right, and then look into the
heads.

**Write down your guess first: how many heads does it take?** You will need it in section 3.

| | you write | it answers |
|---|---|---|
| 1 | `answer_parameters` | What do more heads cost? |
| 3 | `compare_head_counts` | How many heads does it take? |
| 4 | `mix_ups`, `answer_false_claim` | What exactly does one head find hard? |
| 5 | `attention_entropy` | How many words does a head look at? |
| 6 | `head_specialisation` | Which head looks at what? |
| 7 | `answer_benefit` | What are several heads good for? |

Training takes a few seconds for each model, on any CPU. Run the cells one by one and in order: what you train in one
cell is looked at in the next ones.
"""

# %% role="imports"
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from manyheads import check, earlier, try_it
from manyheads.earlier import SingleHeadAttention

# %%
earlier.whose("SingleHeadAttention")

# %% [markdown]
"""
That line says whose head this chapter uses. It is your own from chapter 1, if it passed its checks on this machine.

## A toy language   <sub>4 min</sub>

To count right answers, we need thousands of sentences whose answers are known. So here is a small language that
makes them:
"""

# %%
from manyheads.models.toy_grammar import QUESTIONS, VOCABULARY, sentence, sentences

examples = sentences(6, seed=1)
for row in range(6):
    print(examples.text(row))

# %% [markdown]
"""
They make little sense, and that is on purpose. Any of 96 nouns can sit, and any can be sat on. So a noun does not
tell you whether it is the one who sits: only its **place in the sentence** does. And that place is not a fixed number:
an opening (*Yesterday*), an adverb (*quietly*) and a second adjective come and go, and push the other words along.

Each sentence answers three questions:
"""

# %%
our_sentence = sentence("The black cat sat on the mat.")
for question, answer in zip(QUESTIONS, our_sentence.answers[0].tolist(), strict=True):
    print(f"{question:16} {VOCABULARY[answer]}")

# %% [markdown]
"""
Now comes the point on which this whole chapter turns: **which word asks?** We play two games with the same sentences
and the same answers.

![Above: cat looks at black, sat at cat, on at mat. Below: sat looks at black, cat and mat.](pictures/who_asks.svg)

- `THREE_ASK`: *cat* asks what it is like, *sat* asks who, *on* asks where.
- `ONE_ASKS`: *sat* asks all three.

"To ask" means: the answer must come out **at that word**. In the second game the new vector of *sat*, and nothing
else, must tell *black*, *cat* and *mat*.

## A model small enough to understand   <sub>7 min</sub>

The model has one layer of attention and nothing clever around it:

1. **Each word becomes a vector**, as in chapter 1. A second vector, for its position, is added. A head compares
   vectors and knows nothing of their order. Without the second vector, *the cat sat on the mat* and *the mat sat on
   the cat* would be the same to it.
2. **The heads.** `ReadyHeads` is a layer with several heads, ready made for this chapter. You will write one
   yourself in chapters 3 and 4. All you need for now: each head has its own queries, keys and values and is
   `d_model / num_heads` wide. The outputs of the heads are placed side by side, so the result is `d_model` long again.
3. **The answers.** For each question, one `nn.Linear` takes the asking word's new vector and gives each word in the
   vocabulary a score. The highest score is the answer.
"""

# %%
from manyheads.models.ready_heads import ReadyHeads
from manyheads.models.toy_grammar import LONGEST, ONE_ASKS, THREE_ASK, Game, Sentences

D_MODEL = 48  # 1, 2, 3 and 4 heads can share it evenly


class ToyModel(nn.Module):
    def __init__(self, num_heads: int, positions_in_values: bool = True) -> None:
        super().__init__()
        self.word = nn.Embedding(len(VOCABULARY), D_MODEL)  # a vector for each word
        self.position = nn.Embedding(LONGEST, D_MODEL)  # and one for each position
        self.heads = ReadyHeads(D_MODEL, num_heads)
        self.answer = nn.ModuleList(
            nn.Linear(D_MODEL, len(VOCABULARY)) for _ in QUESTIONS
        )
        # for the last section; leave it for now
        self.positions_in_values = positions_in_values

    def forward(self, batch: Sentences, game: Game) -> tuple[Tensor, Tensor]:
        words = self.word(batch.words)  # (batch, seq, d_model)
        # (batch, seq, d_model) + (seq, d_model) -> (batch, seq, d_model)
        x = words + self.position.weight
        values_from = x if self.positions_in_values else words
        # (batch, seq, d_model)
        # -> (batch, seq, d_model) and (batch, num_heads, seq, seq)
        output, weights = self.heads(x, batch.mask, values_from)
        each, scores = torch.arange(len(batch)), []
        # for each question; askers, (batch), is the position of the word that asks it
        positions = batch.asking_positions(game).T
        for answer, askers in zip(self.answer, positions, strict=True):
            # (batch, seq, d_model) -> (batch, d_model) -> (batch, vocabulary)
            scores.append(answer(output[each, askers]))
        # scores: (batch, questions, vocabulary)
        return torch.stack(scores, dim=1), weights


# %% [markdown]
"""
Is one of these heads really the head you know? Give both the same numbers and compare. (`ReadyHeads` has no biases,
so yours are set to 0.)
"""

# %%
with try_it():
    torch.manual_seed(0)
    ready = ReadyHeads(D_MODEL, num_heads=1)
    yours = SingleHeadAttention(D_MODEL, d_head=D_MODEL)
    with torch.no_grad():
        for name in ("w_q", "w_k", "w_v"):
            # nn.Linear keeps its matrix transposed
            getattr(yours, name).weight.copy_(getattr(ready, name)[0].T)
            getattr(yours, name).bias.zero_()
        x = torch.randn(2, 7, D_MODEL)
        print("largest difference:", (ready(x)[0] - yours(x)[0]).abs().max().item())

# %% [markdown]
"""
If that is below 0.000001, it is rounding. `ReadyHeads` with one head **is** your head.

## 1 · What do more heads cost?   <sub>3 min · difficulty 1/5</sub>

If four heads do better than one, people will say: of course, four heads have more to learn with. So count.
"""

# %%
HEAD_COUNTS = (1, 2, 3, 4)

for num_heads in HEAD_COUNTS:
    model = ToyModel(num_heads)
    in_heads = sum(p.numel() for p in model.heads.parameters())
    in_all = sum(p.numel() for p in model.parameters())
    shape = f"{D_MODEL} x {D_MODEL // num_heads}"
    print(f"num_heads {num_heads}, matrices {shape}:", end=" ")
    print(f"{in_heads} parameters in heads, {in_all} in all")

# %% [markdown]
"""
**Your turn.** Some exercises of this chapter are questions. The answer is a letter: write `return "a"`, for example.

You split one head with d_head = 48 into 4 heads with d_head = 12, and leave d_model at 48. What happens to the number
of parameters in w_q, w_k and w_v, all heads taken together?

- **a:** It is 4 times as large, because each of the 4 heads brings a w_q, w_k and w_v of its own.
- **b:** It stays the same, because there are 4 times as many matrices and each is a quarter as wide.
- **c:** It falls to a quarter, because each matrix has 12 columns now where it used to have 48.
- **d:** It grows a little, because the 4 outputs have to be put together in some way.

<details>
<summary>Hint 1</summary>

Two things change when you go from 1 head to 4: how many matrices there are, and how large each of them is.

</details>

<details>
<summary>Hint 2</summary>

One head has 3 matrices of 48 × 48. Four heads have 12 matrices. Of which size? Multiply it out.

</details>
"""


# %% exercise="answer_parameters"
def answer_parameters() -> str:
    """Return the letter of the right answer to the question above."""
    ### BEGIN SOLUTION
    return "b"
    ### END SOLUTION


# %% check="answer_parameters.shapes" points=1
check.shapes(answer_parameters)

# %% check="answer_parameters.outputs" points=1
check.outputs(answer_parameters)

# %% [markdown]
"""
So whatever several heads gain, size is not the reason. That makes it a fair race.

## 2 · Three words ask   <sub>6 min</sub>

This is how a model is trained, and how it is tested. In the test sentences, the two nouns are a pair that no training
sentence has: nothing can be known by heart. "Right" means that **all three** answers are right.
"""

# %%
from manyheads.threads import one_thread

STEPS, BATCH = 250, 128
TRAINING = sentences(100_000, seed=2)
TEST = sentences(1_000, seed=3, held_out=True)


def right_answers(model: ToyModel, game: Game) -> Tensor:
    """Which answers to the test sentences are right: bool (sentences, questions)."""
    with torch.no_grad():
        scores, _ = model(TEST, game)
    return scores.argmax(dim=-1) == TEST.answers


def accuracy(model: ToyModel, game: Game) -> float:
    """The share of test sentences with all three answers right."""
    return right_answers(model, game).all(dim=1).float().mean().item()


@one_thread()  # so small a model is slower where several threads wait for each other
def train_model(
    model: ToyModel, game: Game, steps: int, watch: Callable[[int, float], None]
) -> None:
    """Train `model`, and tell `watch` now and then: (steps done, accuracy)."""
    named = model.named_parameters()
    others = [p for name, p in named if not name.startswith("heads.")]
    optimizer = torch.optim.AdamW(
        [
            {"params": others, "lr": 0.02},
            # Slowly: no head should settle on a word before the others have a meaning.
            {"params": model.heads.parameters(), "lr": 0.002},
        ]
    )
    watch(0, accuracy(model, game))
    for step in range(1, steps + 1):
        batch = TRAINING[(step - 1) * BATCH : step * BATCH]
        scores, _ = model(batch, game)
        # (batch, questions, vocabulary) -> (batch * questions, vocabulary)
        scores = scores.flatten(0, 1)
        loss = nn.functional.cross_entropy(scores, batch.answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            watch(step, accuracy(model, game))


# %% [markdown]
"""
One head, and the game in which *cat*, *sat* and *on* ask one question each. That is three relations in one sentence.
If the textbook line is right, the head must fail. **What do you expect?**
"""

# %%
from manyheads.widgets import one_or_many

live = one_or_many([1], STEPS)
display(live)

torch.manual_seed(1)
one_head_for_three = ToyModel(num_heads=1)
train_model(one_head_for_three, THREE_ASK, STEPS, live.watch(1))

# %% [markdown]
"""
It does not fail. **One head follows all three relations**, and it hardly ever errs. How? Look at our sentence. Its two
nouns are a pair of the test, so the model has never seen them together:
"""

# %%
from manyheads.pictures import style
from manyheads.widgets.one_sentence import describe_reading, draw_reading, read

reading = read(one_head_for_three, our_sentence, THREE_ASK)
style.picture(draw_reading(reading), alt=" ".join(describe_reading(reading)))

# %% [markdown]
"""
Each row of the picture is a row of the weights: where one word looks. There is one head, and each word has **a row of
weights of its own**: *cat* puts its weight on *black*, *sat* puts its on *cat*, *on* puts its on *mat*. One average for
each word, and here no word needs more than one.

So the textbook line is wrong as written. The number of relations in a sentence is not what matters.

## 3 · One word asks three times   <sub>8 min · difficulty 2/5</sub>

Now the second game. The sentences are the same, the answers are the same, but all three must come out at *sat*. Is one
head still enough? If not, how many does it take? You wrote down a guess.

**Your turn.** First the function that makes the comparison. `train` is a function that the caller passes in: it takes a
number of heads, trains a model, and returns its accuracy. (It is not `train_model` above.) Call it once for each number
in `head_counts`, in that order, and return a `dict` from the number of heads to the accuracy.

<details>
<summary>Hint 1</summary>

A function is a value like any other. Inside yours, `train` is just a name, and `train(3)` calls it.

</details>

<details>
<summary>Hint 2</summary>

What is the key and what is the value of one entry? Try your function with a `train` that trains nothing:
`compare_head_counts(lambda num_heads: num_heads / 10, [4, 1])` must give `{4: 0.4, 1: 0.1}`.

</details>
"""


# %% exercise="compare_head_counts"
def compare_head_counts(
    train: Callable[[int], float], head_counts: Sequence[int]
) -> dict[int, float]:
    """Train one model for each number of heads.

    Args:
        train: a function; train(num_heads) trains a model with that many heads and
            returns its accuracy
        head_counts: the numbers of heads, all different
    Returns:
        the accuracy by number of heads, such as {1: 0.5, 2: 0.75}
    """
    ### BEGIN SOLUTION
    return {num_heads: train(num_heads) for num_heads in head_counts}
    ### END SOLUTION


# %% check="compare_head_counts.shapes" points=1
check.shapes(compare_head_counts)

# %% check="compare_head_counts.outputs" points=2
check.outputs(compare_head_counts)

# %% [markdown]
"""
The race. Each model gets the same sentences in the same order, and only the number of heads is different.
(`trained` keeps the models, so that the cells below can look at them without training again.)

In how many of the test sentences will all three answers be right? Type your guesses into the first lines.
"""

# %%
# number of heads: percent, for example 1: 50
my_guesses = {1: None, 2: None, 3: None, 4: None}
race = one_or_many(HEAD_COUNTS, STEPS, my_guesses)
models: dict[int, ToyModel] = {}


def trained(num_heads: int) -> ToyModel:
    """The model whose verb asks everything, trained when it is first wanted."""
    if num_heads not in models:
        torch.manual_seed(1)
        model = ToyModel(num_heads)
        train_model(model, ONE_ASKS, STEPS, race.watch(num_heads))
        models[num_heads] = model
    return models[num_heads]


display(race)
with try_it():
    accuracies = compare_head_counts(
        lambda n: accuracy(trained(n), ONE_ASKS), HEAD_COUNTS
    )
    print({num_heads: f"{part:.1%}" for num_heads, part in accuracies.items()})

# %% [markdown]
"""
**One head gets about one sentence in five right. Two get nearly all.** With the same number of parameters, the same
sentences and the same number of steps.

Two surprises, then. One head failed at the very answers it could give a moment ago. And for three questions, two heads
were enough. Was that your guess?

## 4 · What exactly goes wrong?   <sub>14 min · difficulty 2/5</sub>

"All three right" hides *which* answer is wrong. Take them one by one:
"""

# %%
print("num_heads" + "".join(f"{question:>18}" for question in QUESTIONS))
for num_heads in HEAD_COUNTS:
    parts = right_answers(trained(num_heads), ONE_ASKS).float().mean(dim=0).tolist()
    print(f"{num_heads:9}" + "".join(f"{part:18.0%}" for part in parts))

# %% [markdown]
"""
The one head gets most adjectives right. It is the two **nouns** that it has trouble with, and "where?" far more often
than "who?". What does it say when it is wrong? With the two nouns of our sentence there are four ways to answer:

| | who? | where? |
|---|---|---|
| both right | *cat* | *mat* |
| mixed up | *mat* | *cat* |
| the subject twice | *cat* | *cat* |
| the place twice | *mat* | *mat* |

And it may name a third word. Which way do you expect to see most?

**Your turn.** Write the experiment that tells. You get what a model said to "who?" and to "where?", and what was right,
for all sentences at once; words are numbers. Subject and place are always two different words, and a third word may
have been said in place of either. Return the share of **all** sentences that went each way.

<details>
<summary>Hint 1</summary>

`said.T` has two rows, one for each question, and so has `answers.T`. Compare whole rows with `==`. Of two rows of True
and False, `&` makes one that is True where both are. (`and` does not work on tensors. Put each comparison in brackets:
without them, `&` comes before `==`.)

</details>

<details>
<summary>Hint 2</summary>

Try it on three sentences that you can check by eye: `torch.tensor([[1, 2], [2, 1], [1, 1]])` was said, and
`torch.tensor([[1, 2], [1, 2], [1, 2]])` is right. Three of the shares must be a third, and the last one 0.

</details>
"""


# %% exercise="mix_ups"
def mix_ups(said: Tensor, answers: Tensor) -> Tensor:
    """Say how often two nouns were said rightly, mixed up, or one of them twice.

    Args:
        said: integers (sentences, 2), the words that were said to "who?" and to
            "where?"
        answers: integers (sentences, 2), the right ones: the subject and the place
    Returns:
        shares: (4), of all sentences: both right; mixed up; the subject said twice; the
            place said twice
    """
    ### BEGIN SOLUTION
    who, where = said.T
    is_who, is_where = answers.T
    ways = [
        (who == is_who) & (where == is_where),  # both right
        (who == is_where) & (where == is_who),  # mixed up
        (who == is_who) & (where == is_who),  # the subject twice
        (who == is_where) & (where == is_where),  # the place twice
    ]
    # four times (sentences) -> (4, sentences) -> (4)
    return torch.stack(ways).float().mean(dim=1)
    ### END SOLUTION


# %% check="mix_ups.shapes" points=1
check.shapes(mix_ups)

# %% check="mix_ups.outputs" points=2
check.outputs(mix_ups)

# %%
with torch.no_grad():
    scores, _ = trained(1)(TEST, ONE_ASKS)
said = scores.argmax(dim=-1)  # (sentences, questions)


def percentage(which: Tensor) -> str:
    return f"{which.float().mean():.0%}"


with try_it():
    shares = mix_ups(said[:, 1:], TEST.answers[:, 1:])
    ways = ("both right", "mixed up", "the subject twice", "the place twice")
    for way, share in zip(ways, shares.tolist(), strict=True):
        print(f"{way:18} {share:4.0%}")
    print(f"{'a third word':18} {1 - shares.sum():4.0%}")

# %% [markdown]
"""
The last line says that the head does look at the right words: it hardly ever names a noun that is not in the sentence.
**It knows which words, but not which is which.** This is what chapter 1 left open. The average has *cat* and *mat* in
it and has lost who is who.

The other lines say where the columns of the first table come from. "Who?" is right where both are right or the subject
was said twice: add these two shares. "Where?" is right where both are right or the place was said twice. (With a third
word, one answer may be right as well.) The subject
twice is so frequent because both questions read the same average, and in most sentences it has a little more of the
subject in it than of the place. A coin toss for each question would get both right in 25%, and one head is not far from
that.

And *black*? It is in the same average. But it is an adjective, and no adjective can be the answer to "who?" or
"where?". So it cannot be taken for *cat* or *mat*, and it may share a head with a noun. Only the two nouns must be
kept apart, and for that two heads are enough.

**Your turn.** Four claims about one head. Three of them you have measured. Which one is false?

- **a:** It can answer three questions about one sentence, if three different words ask them.
- **b:** It makes one average for each word, so two answers for the same word get mixed up.
- **c:** It can follow only one relation in a sentence, no matter which words ask for it.
- **d:** It often looks at the right two nouns and still cannot tell which one did the sitting.

<details>
<summary>Hint 1</summary>

Read each claim and ask yourself in which of the two games you could have seen it fail.

</details>

<details>
<summary>Hint 2</summary>

Section 2 has something to say about two of the claims, this section about the other two.

</details>
"""


# %% exercise="answer_false_claim"
def answer_false_claim() -> str:
    """Return the letter of the false claim above."""
    ### BEGIN SOLUTION
    return "c"
    ### END SOLUTION


# %% check="answer_false_claim.shapes" points=1
check.shapes(answer_false_claim)

# %% check="answer_false_claim.outputs" points=1
check.outputs(answer_false_claim)

# %% [markdown]
"""
Now look for yourself. Choose a model and a sentence, and see where the verb looks in each head.

- With 1 head: where does it look? How sure is the model of "who?" and "where?"
- With 2 heads: is there a head that looks at both nouns? Is there one that looks at only one of them?
- With 4 heads: does each head have a job of its own?

<details>
<summary>Answers</summary>

The one head spreads its weight over adjective, subject and place, and often the model is torn between the two nouns.
With two heads or more, there is always a head that looks at the subject and leaves the place alone: in its output,
the subject is not mixed up with the other noun. The adjective may well be in there too. With four heads, some look at
one word and others at a mixture. The mixtures do no harm, since there are purer heads to go by.

</details>
"""

# %%
from manyheads.widgets import sentence_explorer

shown = [our_sentence, *(TEST[row : row + 1] for row in range(9))]
trained_models = {num_heads: trained(num_heads) for num_heads in HEAD_COUNTS}
sentence_explorer(trained_models, shown, ONE_ASKS)

# %% [markdown]
r"""
## 5 · How many words does a head look at?   <sub>8 min · difficulty 2/5</sub>

Ten sentences are an impression. For a measurement, we need a number for "this head looks sharply at one word" and
"this one spreads its weight". The number is the **entropy** of a row of weights $w$:

$$H = -\sum_j w_j \log w_j$$

With the natural logarithm its unit is the nat. It is 0 if all the weight is on one word, and $\log n$ if it is
shared out evenly over $n$ words. So $e^H$ counts words: it is the number of words that the row looks at, as if it
looked at them alike.

One trap is in the way. A weight may be exactly 0:
"""

# %%
row = torch.tensor([0.5, 0.5, 0.0])
print("logarithms:", row.log())
print("terms:     ", row * row.log())
print("sum:       ", (row * row.log()).sum())

# %% [markdown]
"""
0 times minus infinity is NaN, and one NaN spoils the sum. The right term is 0: a word that is not looked at adds
nothing. (And the smaller *w* gets, the closer *w* log *w* gets to 0.)

**Your turn.** Return the entropy of each row. The rows lie along the last dimension.

<details>
<summary>Hint 1</summary>

Repair the single terms before you add them up. After the sum it is too late. You know a method from chapter 1 that
returns a copy with some entries replaced.

</details>

<details>
<summary>Hint 2</summary>

Where exactly is `weights.log()` not a number that you can use? A comparison finds these places. Try your function on
the row above: it must give log 2 = 0.693, and a row of zeros must give 0. (Both need the dimensions batch and heads in
front.)

</details>
"""


# %% exercise="attention_entropy"
def attention_entropy(weights: Tensor) -> Tensor:
    """Measure how widely each word spreads its attention.

    Args:
        weights: (batch, heads, seq_q, seq_k)
    Returns:
        entropy: (batch, heads, seq_q), in nats. A weight of 0 adds nothing, so a row of
            zeros gives 0.
    """
    ### BEGIN SOLUTION
    # the logarithm of 0 is minus infinity, and 0 · log 0 counts as 0
    logarithms = weights.log().masked_fill(weights == 0, 0.0)
    # (batch, heads, seq_q, seq_k) -> (batch, heads, seq_q)
    return -(weights * logarithms).sum(dim=-1)
    ### END SOLUTION


# %% check="attention_entropy.shapes" points=1
check.shapes(attention_entropy)

# %% check="attention_entropy.outputs" points=2
check.outputs(attention_entropy)

# %% [markdown]
"""
At how many words does the verb look, in each head of each model? The mean over all test sentences:
"""

# %%
with try_it():
    each, verb = torch.arange(len(TEST)), TEST.positions["verb"]
    print("num_heads   head 0   head 1   head 2   head 3")
    for num_heads in HEAD_COUNTS:
        with torch.no_grad():
            _, weights = trained(num_heads)(TEST, ONE_ASKS)
        # (batch, heads, seq) -> (batch, heads)
        entropy = attention_entropy(weights)[each, :, verb]
        words_seen = entropy.exp().mean(dim=0).tolist()
        print(f"{num_heads:9}" + "".join(f"{count:9.1f}" for count in words_seen))

# %% [markdown]
"""
The one head spreads itself over about five words, because three answers must get into one average. Why five, and not
three? The three answers get about four fifths of the weight, as the next section shows. The rest lies thinly on all
other words, and counts as much as two. With more heads, some can afford to look sharply. How many words a head looks
at, we now know. At *which*?

## 6 · Which head looks at what?   <sub>20 min · difficulty 3/5</sub>

A **relation** has two ends: the word that asks (the query) and the word that is the answer (the target). For every
sentence and every relation you get both positions:

- `query_index`, of shape `(batch, relations)`: the position of the asking word,
- `target_index`, of the same shape: the position of its target.

Make a table with a row for each head and a column for each relation: **how much weight does this head put on
the target of this relation, on average over the sentences?**

So for each sentence you have to pick one entry out of each head's weights, and it is another entry in each sentence.
Slices cannot do that. Index tensors can. Here is how they work, on two small matrices:
"""

# %%
two_matrices = torch.arange(24).view(2, 3, 4)  # (batch, rows, columns)
print(two_matrices)
each, rows, columns = torch.arange(2), torch.tensor([0, 2]), torch.tensor([3, 1])
print("with index tensors in all three places:", two_matrices[each, rows, columns])
with_colon = two_matrices[:, rows, columns].tolist()
print("with a colon in the first place:       ", with_colon)

# %% [markdown]
"""
Three index tensors are read **together**, entry by entry: matrix 0 at row 0, column 3; matrix 1 at row 2, column 1.
With a colon, *every* matrix is read at *every* pair of places, and that is not what we want.

The index tensors need not have the same shape, as long as they broadcast: `(batch, 1)` for the sentence and
`(batch, relations)` for row and column pick `(batch, relations)` entries. A dimension *behind* all index
tensors is left as it is. Your weights have the heads in the second place; `weights.movedim(1, -1)` moves them to
the end: `(batch, seq_q, seq_k, heads)`.

**Your turn.** Make this table. A loop over the relations is just as right as index tensors.

<details>
<summary>Hint 1</summary>

Two steps. First pick, for all sentences at once, what each head puts on each target: `(batch, relations, heads)`.
Then take the mean over the sentences, and transpose the table so that it has a row for each head.

</details>

<details>
<summary>Hint 2</summary>

Start with one sentence and one relation: `weights[0, :, query_index[0, 0], target_index[0, 0]]` is `(heads)`. Then
replace the first 0 by the numbers of all sentences. If torch cannot broadcast your three index tensors, print their
shapes: which of them lacks a dimension?

</details>
"""


# %% exercise="head_specialisation"
def head_specialisation(
    weights: Tensor, query_index: Tensor, target_index: Tensor
) -> Tensor:
    """Measure each head's mean weight from asking word to target, for each relation.

    Args:
        weights: (batch, heads, seq_q, seq_k)
        query_index: (batch, relations), the position of the word that asks
        target_index: (batch, relations), the position of the word that answers
    Returns:
        specialisation: (heads, relations)
    """
    ### BEGIN SOLUTION
    sentence = torch.arange(len(weights)).unsqueeze(1)  # (batch, 1)
    # (batch, seq_q, seq_k, heads), picked at (batch, relations) places
    # -> (batch, relations, heads)
    picked = weights.movedim(1, -1)[sentence, query_index, target_index]
    # (batch, relations, heads) -> (relations, heads) -> (heads, relations)
    return picked.mean(dim=0).T
    ### END SOLUTION


# %% check="head_specialisation.shapes" points=1
check.shapes(head_specialisation)

# %% check="head_specialisation.outputs" points=3
check.outputs(head_specialisation)

# %% [markdown]
"""
Your function, on all test sentences and all four models. The columns are named after our sentence: *black* stands
for the adjective, *cat* for the subject, *mat* for the place. The rows are the heads.
"""

# %%
from manyheads.pictures.relation_map import describe_relation_maps, draw_relation_maps

with try_it():
    maps = {}
    for num_heads in HEAD_COUNTS:
        with torch.no_grad():
            _, weights = trained(num_heads)(TEST, ONE_ASKS)
        query_index = TEST.asking_positions(ONE_ASKS)
        target_index = TEST.answer_positions
        maps[num_heads] = head_specialisation(weights, query_index, target_index)
    relations = ("black", "cat", "mat")
    words = describe_relation_maps(maps, relations)
    display(style.picture(draw_relation_maps(maps, relations), alt=words))

# %% [markdown]
"""
Look at the columns *cat* and *mat*, in each model by itself.

- The one head has about the same weight on both. That is the mixture.
- With two heads or more, **there is a head with much weight on *cat* and next to none on *mat***. Whatever the others
  do, that head says *cat* and nothing else.
- *black* and *cat* often share a head. Nothing is lost by that, as you saw in section 4.

Nobody has told the heads to share out the work. The wrong answers alone have done it. Which head takes which job is
left to chance: if you like, set another seed in `trained`, run the cells from there on again, and look.

## 7 · What are several heads good for?   <sub>3 min · difficulty 1/5</sub>

**Your turn.** Say what you have found out. What is a primary benefit of several heads, compared with one head of the
same total size?

- **a:** The layer has more parameters, so it can store more about the words and their relations.
- **b:** The layer can look at several words from one word, which a single head is not able to do.
- **c:** The layer has less to compute, because each of its heads works with shorter vectors.
- **d:** Each word gets several averages, each with weights of its own, and they stay apart.

<details>
<summary>Hint 1</summary>

Three of the four are things that people often say, and that your measurements speak against.

</details>

<details>
<summary>Hint 2</summary>

What had *sat* with two heads that it did not have with one? Not more numbers to learn with.

</details>
"""


# %% exercise="answer_benefit"
def answer_benefit() -> str:
    """Return the letter of the right answer to the question above."""
    ### BEGIN SOLUTION
    return "d"
    ### END SOLUTION


# %% check="answer_benefit.shapes" points=1
check.shapes(answer_benefit)

# %% check="answer_benefit.outputs" points=1
check.outputs(answer_benefit)

# %% [markdown]
"""
## How does one head get as far as it does?   <sub>6 min</sub>

This section has no exercise. It is for those who noticed that something is odd. If an average cannot tell *cat* from
*mat* at all, one head should have to toss a coin whenever both nouns are in it. One toss for both questions ("which of
the two is which?") would be right in half of the sentences, a toss for each question in a quarter. Does it ever do
better? Train it three times as long.
"""

# %%
LONGER = 3 * STEPS
WITHOUT = "1 head, no positions\nin the values"

tosses = {"one coin toss": 50, "two coin tosses": 25}
long_race = one_or_many({"1 head": 1, WITHOUT: 1}, LONGER, levels=tosses)
display(long_race)

torch.manual_seed(1)
patient = ToyModel(num_heads=1)
train_model(patient, ONE_ASKS, LONGER, long_race.watch("1 head"))
print(f"1 head, {LONGER} steps: {accuracy(patient, ONE_ASKS):.1%}")

# %% [markdown]
"""
(The second panel is still empty; it gets its turn below.) With patience, one head does better than any coin, and
still does not get to where two heads were after a fraction of the time. **"Cannot" is too strong a word: one head
finds it hard.** How does it do it?

It has learned a trick. It looks *unevenly*: at some nouns harder than at others. How hard *cat* was looked at says
nothing by itself. But the values are made of words **and positions**. So the average also says how much of it came
from the front of the sentence. If most of it did, the noun that is always looked at harder must have come first.

If that is the trick, two things must follow. Sentences whose nouns are looked at unevenly should come out right, and
those whose nouns are looked at alike should not:
"""

# %%
each, verb = torch.arange(len(TEST)), TEST.positions["verb"]
with torch.no_grad():
    scores, weights = patient(TEST, ONE_ASKS)
at_verb = weights[each, 0, verb]  # (batch, seq): the row of the verb in the only head
_, on_who, on_where = at_verb.gather(1, TEST.answer_positions).T
nouns_right = (scores.argmax(dim=-1) == TEST.answers)[:, 1:].all(dim=1)
times = torch.maximum(on_who, on_where) / torch.minimum(on_who, on_where)
print("Both nouns are right in", percentage(nouns_right[times < 1.2]), end=" ")
print("where their weights are about equal,")
print("and in", percentage(nouns_right[times > 1.5]), end=" ")
print("where one has over 1.5 times the other's weight.")

# %% [markdown]
"""
That fits. And without positions in the values, the trick must be gone. Here is the same model with values made of
the words alone (queries and keys still know the positions):
"""

# %%
torch.manual_seed(1)
hindered = ToyModel(num_heads=1, positions_in_values=False)
train_model(hindered, ONE_ASKS, LONGER, long_race.watch(WITHOUT))
print(f"1 head, {LONGER} steps, no positions in the values:", end=" ")
print(f"{accuracy(hindered, ONE_ASKS):.1%}")

torch.manual_seed(1)
hindered = ToyModel(num_heads=2, positions_in_values=False)
train_model(hindered, ONE_ASKS, STEPS, watch=lambda step, accuracy: None)
print(f"2 heads, {STEPS} steps, no positions in the values:", end=" ")
print(f"{accuracy(hindered, ONE_ASKS):.1%}")

# %% [markdown]
"""
The figure above has its second panel now. Without the trick, three times as many steps bring one head no further
than a coin toss for each question. Two heads do not need the trick.

## Quiz   <sub>3 min</sub>

Not graded. Each answer explains itself; try the wrong ones too.
"""

# %% role="quiz"
from manyheads.quiz import multiple_choice, quiz

quiz(
    multiple_choice(
        "One word asked three questions, and two heads were enough. Why not three?",
        (
            "An adjective cannot be taken for a noun, so black and cat can share a head",
            "Only answers that could be confused must be kept apart: here, the two nouns.",
        ),
        (
            "Two heads have more parameters to learn with than one, and that was just enough",
            "All models had the same number of parameters. You counted them.",
        ),
        (
            "Each head can look at one word, and the third was guessed",
            "A head can look at several words, and all three answers were right, not guessed.",
        ),
    ),
    multiple_choice(
        "The entropy of a row of weights is log 3, about 1.1 nats. What does it say?",
        (
            "The row is spread as widely as if it looked at 3 words alike",
            "exp(1.1) is about 3. The row may well have more than 3 weights that are not 0.",
        ),
        (
            "The word looks at exactly 3 words, and all other weights are 0",
            "Not exactly: one large weight and many small ones can have the same entropy.",
        ),
        (
            "The word looks at 1.1 words",
            "The entropy is a logarithm. Take exp of it to count words.",
        ),
    ),
    multiple_choice(
        "head_specialisation gives 0.02 for head 1 and the relation sat–mat. What follows?",
        (
            "From sat, head 1 takes hardly anything of mat",
            "On average over the sentences, that is. So mat does not disturb what head 1 says about other words.",
        ),
        (
            "The model answers “where?” rightly in 2% of the sentences",
            "The table is about weights, not about answers. Another head may look at mat all the time.",
        ),
        (
            "Head 1 is of no use",
            "It may well be the head that says cat, and says it so clearly because it leaves mat alone.",
        ),
    ),
    multiple_choice(
        "A sentence has five relations, and each is asked by another word. How many heads does it take at least?",
        (
            "1",
            "Each word has a row of weights of its own. You trained one head for three words that ask.",
        ),
        (
            "5",
            "That is the textbook line. Count what one word has to keep apart, not what a sentence holds.",
        ),
        (
            "2",
            "Two heads are needed where one word has two answers that can be confused. Here, no word asks twice.",
        ),
    ),
    multiple_choice(
        "Why was it important that all models had the same number of parameters?",
        (
            "So that only the number of heads could explain the difference",
            "Had the four heads been larger too, you could not have said which of the two helped.",
        ),
        (
            "Because larger models take longer to train",
            "They do, but that would be no reason to doubt the result.",
        ),
        (
            "Because attention only works with 48 numbers for each of the words",
            "48 was chosen because 1, 2, 3 and 4 divide it. Nothing else depends on it.",
        ),
    ),
)

# %% [markdown]
"""
## What you can now do

- say what one head can do in a sentence, and what it finds hard: keeping two answers for the same word apart
- show by measurement what several heads gain when nothing else is different
- explain why more heads of the same total width have no more parameters
- measure how widely a head looks, and at what
- doubt a sentence in a textbook, and test it

## What this chapter leaves open   <sub>1 min</sub>

You used a layer with several heads without having built one. Each head was `d_model / num_heads` wide, and the outputs
lay side by side. But what if that division leaves a remainder?
"""

# %%
try:
    ReadyHeads(D_MODEL, num_heads=5)
except ValueError as error:
    print(error)

# %% [markdown]
"""
And how are the outputs put together, so that the next layer can use what all heads have found? In the next chapter
you take several heads like yours and build the layer yourself: **a head each**.
"""

# %% [markdown]
"""
## Read on

- [Jurafsky and Martin: Speech and Language Processing, third edition](https://web.stanford.edu/~jurafsky/slp3/):
    a textbook, still growing. See what its chapter on transformers says today about the reason for several heads.
- [Vaswani and others, 2017: Attention Is All You Need](https://arxiv.org/abs/1706.03762):
    section 3.2.2 gives the reason for several heads in two sentences. Compare it with what you measured.
- [Voita and others, 2019: Analyzing Multi-Head Self-Attention](https://arxiv.org/abs/1905.09418):
    in a translation model a few heads have jobs that can be named, and most others can be taken out.
- [Michel, Levy and Neubig, 2019: Are Sixteen Heads Really Better than One?](https://arxiv.org/abs/1905.10650):
    in trained models, many layers do nearly as well with a single head.
"""

# %% [markdown]
"""
## How far you are

Run this cell at any time: it counts what your checks have said so far.
"""

# %%
check.progress()
