"""A toy language of sentences like "The black cat sat on the mat.", drawn from a seed.

Chapter 2 trains its model on them. Each sentence holds three answers, in this order: its adjective (what is the
subject like?), its subject (who?) and its place (where?). Three more words, an opening, an adverb and a second
adjective, come and go, so that no answer has a fixed position. A `Game` says which word asks for an answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NOUNS = _words("""
    cat dog fox man girl boy bird fish mat horse cow pig goat sheep duck hen wolf bear lion tiger mouse rat frog
    toad snake crab whale seal bee ant moth spider king queen prince witch knight cook nurse pilot judge clown baker
    farmer table chair sofa bed shelf desk bench stool box bag basket bucket bottle cup plate bowl pan pot lamp
    clock drum piano ball kite doll robot book letter map coin key ring hat coat shoe boot sock scarf glove rug
    carpet pillow wall fence gate door roof bridge boat train rock log
""")
ADJECTIVES = _words("""
    black white red blue green brown grey old young small big tall thin round happy sad tired sleepy hungry brave
    shy wild proud clever
""")
VERBS = _words("sat slept stood lay danced sang waited hid rested jumped played snored")
PREPOSITIONS = _words("on under behind beside near above")
OPENINGS = _words("today yesterday sometimes again")
ADVERBS = _words("quietly happily slowly calmly")
PADDING = "·"  # fills short sentences up; no word may attend to it
VOCABULARY = (PADDING, "the", ".", *NOUNS, *ADJECTIVES, *VERBS, *PREPOSITIONS, *OPENINGS, *ADVERBS)
NUMBER = {word: number for number, word in enumerate(VOCABULARY)}

# The parts of a sentence, in order. Those in brackets are optional.
PLAN = (
    "(opening)", "the", "adjective", "subject", "(adverb)", "verb", "preposition", "the", "(adjective)", "place", ".",
)  # fmt: skip
LONGEST = len(PLAN)
QUESTIONS = ("what is it like?", "who?", "where?")
ANSWERS = ("adjective", "subject", "place")  # the part of the sentence that answers each question
_OPTIONAL = tuple(index for index, part in enumerate(PLAN) if part.startswith("("))
_WORDS = {
    "(opening)": OPENINGS,
    "adjective": ADJECTIVES,
    "subject": NOUNS,
    "(adverb)": ADVERBS,
    "verb": VERBS,
    "preposition": PREPOSITIONS,
    "(adjective)": ADJECTIVES,
    "place": NOUNS,
}
HELD_OUT = 8  # one in so many pairs of subject and place occurs in test sentences only


@dataclass(frozen=True)
class Game:
    """Which word of a sentence asks each of the three questions.

    Args:
        asked_by: for each of `QUESTIONS`, the part of the sentence that asks it.
    """

    name: str
    asked_by: tuple[str, str, str]


THREE_ASK = Game("three words ask one question each", ("subject", "verb", "preposition"))
ONE_ASKS = Game("one word asks all three questions", ("verb", "verb", "verb"))


@dataclass(frozen=True, eq=False)
class Sentences:
    """A batch of sentences.

    Args:
        words: (batch, seq), numbers of words in `VOCABULARY`; seq is `LONGEST`, short sentences end in `PADDING`
        positions: by part ("subject", "verb", …): (batch), its position
    """

    words: Tensor
    positions: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.words)

    def __getitem__(self, rows: slice) -> Sentences:
        return Sentences(self.words[rows], {part: where[rows] for part, where in self.positions.items()})

    @property
    def mask(self) -> Tensor:
        """(batch, 1, seq), True where there is a word to attend to."""
        return (self.words != NUMBER[PADDING]).unsqueeze(1)

    @property
    def answer_positions(self) -> Tensor:
        """(batch, 3): the position of the answer to each question."""
        return torch.stack([self.positions[part] for part in ANSWERS], dim=1)

    @property
    def answers(self) -> Tensor:
        """(batch, 3): the word that answers each question, as a number in `VOCABULARY`."""
        return self.words.gather(1, self.answer_positions)

    def asking_positions(self, game: Game) -> Tensor:
        """(batch, 3): the position of the word that asks each question."""
        return torch.stack([self.positions[part] for part in game.asked_by], dim=1)

    def tokens(self, row: int = 0) -> list[str]:
        """The words of one sentence, without padding."""
        words = [VOCABULARY[number] for number in self.words[row].tolist() if number != NUMBER[PADDING]]
        return [words[0].capitalize(), *words[1:]]

    def text(self, row: int = 0) -> str:
        """One sentence as one writes it."""
        return " ".join(self.tokens(row)).replace(" .", ".")


def sentences(count: int, seed: int, *, held_out: bool = False) -> Sentences:
    """Draw `count` sentences. The same seed gives the same ones.

    Args:
        held_out: draw sentences for a test. Their pairs of subject and place are in no other sentences.
    """
    generator = torch.Generator().manual_seed(seed)
    columns = []
    for part in PLAN:
        choice = torch.tensor([NUMBER[word] for word in _WORDS.get(part, (part,))])
        columns.append(choice[torch.randint(len(choice), (count,), generator=generator)])
    columns[PLAN.index("place")] = _places(columns[PLAN.index("subject")], generator, held_out=held_out)
    there = torch.ones(count, LONGEST, dtype=torch.bool)
    for index in _OPTIONAL:
        there[:, index] = torch.rand(count, generator=generator) < 0.5
    return _closed_up(torch.stack(columns, dim=1), there)


def sentence(text: str) -> Sentences:
    """Read one sentence of the toy language: a batch of one.

    Raises:
        ValueError: if it is not one, with the first word that does not fit.
    """
    words = text.lower().replace(".", " . ").split()
    row, there, left = [], [], [*words]
    for part in PLAN:
        known = _WORDS.get(part, (part,))
        fits = bool(left) and left[0] in known
        if not fits and not part.startswith("("):
            came = f"“{left[0]}”" if left else "the end"
            raise ValueError(f"“{text}” is not a sentence of the toy language: got {came}, expected {_one_of(part)}")
        row.append(NUMBER[left.pop(0)] if fits else 0)
        there.append(fits)
    if left:
        raise ValueError(f"“{text}” is not a sentence of the toy language: “{left[0]}” comes after the full stop")
    return _closed_up(torch.tensor([row]), torch.tensor([there]))


def _one_of(part: str) -> str:
    words = _WORDS.get(part, (part,))
    return f"“{part}”" if words == (part,) else f"one of: {', '.join(words)}"


def _places(subjects: Tensor, generator: torch.Generator, *, held_out: bool) -> Tensor:
    """Draw another noun for each of `subjects`, (batch), so that all pairs are held out, or none."""
    first = NUMBER[NOUNS[0]]
    distances = torch.arange(1, len(NOUNS))
    distances = distances[(distances % HELD_OUT == 0) == held_out]
    drawn = distances[torch.randint(len(distances), subjects.shape, generator=generator)]
    return (subjects - first + drawn) % len(NOUNS) + first


def _closed_up(words: Tensor, there: Tensor) -> Sentences:
    """Remove the optional words that were not chosen, (batch, LONGEST) each, and pad at the end."""
    order = (~there).int().argsort(dim=1, stable=True)  # chosen words first, in their old order
    closed = words.gather(1, order).masked_fill(~there.gather(1, order), NUMBER[PADDING])
    position = there.cumsum(dim=1) - 1
    parts = {part: position[:, index] for index, part in enumerate(PLAN) if part in _WORDS and index not in _OPTIONAL}
    return Sentences(closed, parts)
