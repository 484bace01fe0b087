"""`KVCache`: remembers the keys and values of all words so far."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def pieces(draw: Draw, news: str) -> Call:
    """Draw a text in pieces: `news` names how many words are new each time."""
    batch, kv_heads, d_head = draw.sizes("batch num_kv_heads d_head", low=2, high=4)
    sizes = [int(new) for new in news.split()]
    keys = [draw.normal(batch, kv_heads, new, d_head) for new in sizes]
    values = [draw.normal(batch, kv_heads, new, d_head) for new in sizes]
    draw.named(total=sum(sizes))
    return Call({"keys": keys, "values": values})


def filled_in_pieces(target, keys, values):
    """Hand a text over piece by piece while another cache is in use, and return what is given back in the end.

    The pieces that were handed over are written over afterwards: a cache must hold what it was given.
    """
    import torch

    cache, other = target(), target()
    totals, kept = [], []
    given = (None, None)
    for number, (k, v) in enumerate(zip(keys, values, strict=True)):
        given = cache.append(k, v)
        if not isinstance(given, (tuple, list)) or len(given) != 2:
            return given
        if not all(isinstance(part, torch.Tensor) for part in given):
            return given[0], given[1], [], True
        kept.append((given, [part.clone() for part in given]))
        totals.append(given[0].shape[2] if given[0].dim() > 2 else None)
        if number == 0:
            other.append(-k, -v)
    unchanged = all(
        part.shape == before.shape and bool((part == before).all())
        for parts, befores in kept
        for part, before in zip(parts, befores, strict=True)
    )
    return given[0], given[1], totals, unchanged


APPENDED = """self.k = torch.cat([self.k, k], dim=2)
            self.v = torch.cat([self.v, v], dim=2)"""
BODY = f"""if self.k is None or self.v is None:
            self.k, self.v = k, v
        else:
            # (batch, num_kv_heads, old, d_head), (batch, num_kv_heads, new, d_head)
            # -> (batch, num_kv_heads, old + new, d_head)
            {APPENDED}
        return self.k, self.v"""
START = """self.k: Tensor | None = None
        self.v: Tensor | None = None"""

EXERCISE = Exercise(
    name="KVCache",
    returns=("k", "v", "words in the cache after each append", "what was returned earlier stays as it was"),
    cases=(
        Case("a text in three pieces", lambda draw: pieces(draw, "5 1 2")),
        Case("word by word", lambda draw: pieces(draw, "1 1 1 1 1")),
    ),
    misconceptions=(
        Misconception(
            "put the new words in front",
            replace=APPENDED,
            by=APPENDED.replace("[self.k, k]", "[k, self.k]").replace("[self.v, v]", "[v, self.v]"),
            hint="The oldest word comes first: a mask counts the words in the order in which they came.",
        ),
        Misconception(
            "joined along the heads",
            replace=APPENDED,
            by=APPENDED.replace("dim=2", "dim=1"),
            hint="That needs as many new words as old ones, and makes more heads. Words are the dimension before the "
            "last one.",
            check="shapes",
        ),
        Misconception(
            "joined along the features",
            replace=APPENDED,
            by=APPENDED.replace("dim=2", "dim=-1"),
            hint="That makes wider heads. Words are the dimension before the last one.",
            check="shapes",
        ),
        Misconception(
            "joined along the batch",
            replace=APPENDED,
            by=APPENDED.replace(", dim=2", ""),
            hint="Without a dimension, cat joins along the first one: that is more texts, not more words.",
            check="shapes",
        ),
        Misconception(
            "gave back the new words only",
            replace="return self.k, self.v",
            by="return k, v",
            hint="What was there before is gone, or kept and not handed out. A new word looks at all words so far.",
            check="shapes",
        ),
        Misconception(
            "joined them and did not keep the result",
            replace=APPENDED,
            by="return torch.cat([self.k, k], dim=2), torch.cat([self.v, v], dim=2)",
            hint="The first words stay in the cache, and all later ones are forgotten at the next call. cat makes a "
            "new tensor: keep it.",
            check="shapes",
        ),
        Misconception(
            "returned what there was before the new words",
            replace=BODY,
            by="before = (k[:, :, :0], v[:, :, :0]) if self.k is None else (self.k, self.v)\n        "
            + BODY.replace("return self.k, self.v", "return before"),
            hint="A word looks at itself, too. Return all words, the new ones among them.",
            check="shapes",
        ),
        Misconception(
            "shared one cache among all objects",
            replace=BODY,
            by="self = type(self)\n        if not hasattr(self, 'k'):\n            self.k = self.v = None\n        "
            + BODY,
            hint="Two texts got into each other's cache: their keys are kept in the class, or in a list that all "
            "objects share. Make what an object owns in __init__, as self.….",
            check="shapes",
        ),
        Misconception(
            "returned only the keys",
            replace="return self.k, self.v",
            by="return self.k",
            hint="Two tensors come back: the keys, and the values.",
            check="shapes",
        ),
        Misconception(
            "returned nothing",
            replace="return self.k, self.v",
            by="pass",
            hint="All is in the cache, and nobody can get at it. Return the keys and the values.",
            check="shapes",
        ),
        Misconception(
            "returned the values first",
            replace="return self.k, self.v",
            by="return self.v, self.k",
            hint="The order is: keys, then values.",
        ),
        Misconception(
            "kept the keys for values",
            replace=BODY,
            by="v = k\n        " + BODY,
            hint="Keys and values are two things: what a word is compared by, and what it hands over. What comes back "
            "for values are keys.",
        ),
        Misconception(
            "forgot to add the values",
            replace="\n            self.v = torch.cat([self.v, v], dim=2)",
            by="",
            hint="The keys grow, and the values stay those of the first call.",
            check="shapes",
        ),
        Misconception(
            "returned lists of pieces",
            replace=BODY,
            by="self.k, self.v = (self.k or []) + [k], (self.v or []) + [v]\n        return self.k, self.v",
            hint="The pieces may be kept in a list, but attention needs one tensor: torch.cat joins a list.",
            check="shapes",
        ),
        Misconception(
            "put the words into a new dimension",
            replace=BODY,
            by="pieces = [] if self.k is None else list(self.k.unbind(2))\n        "
            "self.k = torch.stack([*pieces, k], dim=2)\n        "
            "pieces = [] if self.v is None else list(self.v.unbind(2))\n        "
            "self.v = torch.stack([*pieces, v], dim=2)\n        return self.k, self.v",
            hint="stack makes a new dimension; the words have one already. torch.cat joins along it.",
            check="shapes",
        ),
        Misconception(
            "added the numbers up instead of joining them",
            replace=APPENDED,
            by="self.k = self.k + k\n            self.v = self.v + v",
            hint="+ adds numbers where lists would be joined. For tensors, torch.cat joins.",
            check="shapes",
        ),
        Misconception(
            "left out the first words",
            replace=BODY,
            by="if self.k is None:\n            self.k, self.v = k[:, :, :0], v[:, :, :0]\n"
            "            return self.k, self.v\n        "
            + APPENDED.replace("\n            ", "\n        ")
            + "\n        return self.k, self.v",
            hint="At the first call the cache is made, and the words of that call are not in it.",
            check="shapes",
        ),
        Misconception(
            "took the first words twice",
            replace=BODY,
            by="if self.k is None:\n            self.k, self.v = k, v\n        "
            + APPENDED.replace("\n            ", "\n        ")
            + "\n        return self.k, self.v",
            hint="At the first call the cache is filled, and then the same words are added again: an else is missing.",
            check="shapes",
        ),
        Misconception(
            "assumed that something is in the cache",
            replace=BODY,
            by=APPENDED.replace("\n            ", "\n        ") + "\n        return self.k, self.v",
            hint="At the first call there is nothing to join with: None is not a tensor. What are all words then?",
            check="shapes",
        ),
        Misconception(
            "asked whether the old keys are true, not whether there are any",
            replace="if self.k is None or self.v is None:",
            by="if not self.k:",
            hint="A tensor of many entries is neither true nor false. Ask whether it is None.",
            check="shapes",
        ),
        Misconception(
            "joined them and threw the result away",
            replace=APPENDED,
            by="torch.cat([self.k, k], dim=2)\n            torch.cat([self.v, v], dim=2)",
            hint="torch.cat makes a new tensor and leaves the old ones as they are. Give what it makes a name.",
            check="shapes",
        ),
        Misconception(
            "gave cat two tensors instead of a list of them",
            replace=APPENDED,
            by="self.k = torch.cat(self.k, k, dim=2)\n            self.v = torch.cat(self.v, v, dim=2)",
            hint="torch.cat takes one thing to join, a list or a tuple of tensors, and then the dimension.",
            check="shapes",
        ),
        Misconception(
            "made names in __init__ that are gone when it ends",
            replace=START,
            by=START.replace("self.", ""),
            hint="The object has no such attribute: k = None makes a name inside the function. What an object is to "
            "remember is written self.….",
            check="shapes",
        ),
        Misconception(
            "put the new keys behind the old values",
            replace=APPENDED,
            by=APPENDED.replace("[self.v, v]", "[self.v, k]"),
            hint="The values of the first words are right, and keys come after them. Each grows by its own kind.",
        ),
        Misconception(
            "put the new values behind the old keys",
            replace=APPENDED,
            by=APPENDED.replace("[self.k, k]", "[self.k, v]"),
            hint="The keys of the first words are right, and values come after them. Each grows by its own kind.",
        ),
        Misconception(
            "stacked the pieces instead of joining them",
            replace=BODY,
            by="self.k, self.v = [*(self.k or []), k], [*(self.v or []), v]\n"
            "        return torch.stack(self.k), torch.stack(self.v)",
            hint="stack makes a new dimension, for which all pieces must be equally long. The words have a dimension "
            "already: torch.cat joins along it.",
            check="shapes",
        ),
        Misconception(
            "shared one list of pieces among all objects",
            replace=BODY,
            by="owner = type(self)\n"
            "        owner.pieces = [*getattr(owner, 'pieces', []), (k, v)]\n"
            "        keys, values = zip(*owner.pieces)\n"
            "        return torch.cat(keys, dim=2), torch.cat(values, dim=2)",
            hint="Two texts got into each other's cache: the list is made once, for the class or as the default of an "
            "argument, and all objects share it. Make what an object owns in __init__, as self.….",
            check="shapes",
        ),
        Misconception(
            "kept the newest words only",
            replace=f"{APPENDED}\n        return self.k, self.v",
            by=f"{APPENDED}\n        old, (self.k, self.v) = (self.k, self.v), (k, v)\n        return old",
            hint="What you return is right once: the next call finds the last words alone, and what was before them is "
            "forgotten. Keep what you return.",
            check="shapes",
        ),
        Misconception(
            "kept one of several new words",
            replace=APPENDED,
            by=APPENDED.replace(", k]", ", k[:, :, -1:]]").replace(", v]", ", v[:, :, -1:]]"),
            hint="Several words may come at once, and all of them are to be remembered. Join the new keys and values "
            "as they are.",
            check="shapes",
        ),
        Misconception(
            "put the new values behind the keys, the new ones among them",
            replace=APPENDED,
            by=APPENDED.replace("[self.v, v]", "[self.k, v]"),
            hint="The values should grow by the new values alone, behind the old values. Yours begin with all keys.",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "a list of pieces, joined when asked",
            """
class KVCache:
    def __init__(self):
        self.keys, self.values = [], []

    def append(self, k, v):
        self.keys.append(k)
        self.values.append(v)
        return torch.cat(self.keys, dim=-2), torch.cat(self.values, dim=-2)
""",
        ),
        Alternative(
            "one tensor for both",
            """
class KVCache:
    def __init__(self):
        self.both = None

    def append(self, k, v):
        new = torch.stack([k, v])
        self.both = new if self.both is None else torch.cat([self.both, new], dim=-2)
        return self.both[0], self.both[1]
""",
        ),
        Alternative(
            "room for more, that doubles",
            """
class KVCache:
    def __init__(self):
        self.length = 0
        self.k = self.v = None

    def append(self, k, v):
        end = self.length + k.shape[2]
        if self.k is None or end > self.k.shape[2]:
            old, self.k, self.v = (self.k, self.v), *(x.new_empty(*x.shape[:2], 2 * end, x.shape[3]) for x in (k, v))
            if self.length:
                self.k[:, :, : self.length] = old[0][:, :, : self.length]
                self.v[:, :, : self.length] = old[1][:, :, : self.length]
        self.k[:, :, self.length : end] = k
        self.v[:, :, self.length : end] = v
        self.length = end
        return self.k[:, :, :end], self.v[:, :, :end]
""",
        ),
        Alternative(
            "begins with an empty tensor",
            """
class KVCache:
    def __init__(self):
        self.k = torch.empty(0)
        self.v = torch.empty(0)

    def append(self, k, v):
        if self.k.numel() == 0:
            self.k, self.v = k.new_empty(k.shape[0], k.shape[1], 0, k.shape[3]), v[:, :, :0]
        self.k, self.v = torch.concat((self.k, k), 2), torch.concat((self.v, v), 2)
        return self.k, self.v
""",
        ),
        Alternative(
            "a module",
            """
class KVCache(nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = {}

    def append(self, k, v):
        for name, new in {"k": k, "v": v}.items():
            self.cache[name] = torch.cat([self.cache[name], new], dim=2) if name in self.cache else new
        return tuple(self.cache.values())
""",
        ),
    ),
    probe=filled_in_pieces,
    gradients=False,
)
