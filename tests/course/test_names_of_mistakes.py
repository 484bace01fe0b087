"""Mistakes as learners write them: the name fits their code, or none is given."""

from __future__ import annotations

import textwrap

import pytest

from manyheads.calling import probe
from manyheads.checking import diagnosis, exam_files
from manyheads.checking.exam import Check
from tests.support.real_course import CHAPTERS

WIDTH = "took the root of the notebook's width, which a loop further up has left at 1024"
REFUSES = "if d_model <= 0 or num_heads <= 0 or d_model % num_heads:"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signature", "body", "name"),
    [
        ("attention_scores(q, k, width=1024)", "return q @ k.mT / math.sqrt(width)", WIDTH),
        ("attention_scores(q, k)", "return q @ k.mT / 32", None),
        (
            "attention_weights(scores, mask=None)",
            """
            if mask is not None:
                scores[mask == False] = -torch.inf
            return scores.softmax(-1) if mask is None else scores.softmax(-1).nan_to_num(0.0)
            """,
            "took the mask as an index into the caller's own scores",
        ),
        (
            "attention_weights(scores, mask=None)",
            "return torch.softmax(scores if mask is None else scores[mask], dim=-1)",
            "picked the allowed scores out with the mask as an index",
        ),
        (
            "attention_weights(scores, mask=None)",
            "return torch.softmax(scores[mask], dim=-1)",
            "picked the allowed scores out with the mask as an index, even where there is no mask",
        ),
        (
            "head_width(d_model, num_heads)",
            """
            if d_model % num_heads == 0 and num_heads > 0 and d_model > 0:
                return d_model // num_heads
            raise ValueError("d_model and num_heads do not fit")
            """,
            "raised an error that names no number, and also computed the remainder before asking whether num_heads is "
            "positive",
        ),
        (
            "attention_entropy(weights)",
            """
            from torch.distributions import Categorical
            return Categorical(weights).entropy()
            """,
            "took torch's Categorical, which refuses a row of zeros",
        ),
        (
            "compare_head_counts(train, head_counts)",
            """
            for heads in head_counts:
                accuracy = train(heads)
            return {heads: accuracy}
            """,
            "kept only the last model",
        ),
        *(
            (
                "generate(model, tokens, new_tokens, temperature=1.0, generator=None)",
                f"""
                for _ in range(new_tokens):
                    with torch.no_grad():
                        logits = model(tokens[:, -model.context:])[:, -1]
                    following = logits.argmax(dim=-1, keepdim=True)
                    if temperature:
                        following = torch.multinomial({drawn_by}, 1, generator=generator)
                    tokens = torch.cat([tokens, following], dim=1)
                return tokens
                """,
                name,
            )
            for drawn_by, name in (
                ("nn.functional.log_softmax(logits / temperature, dim=-1)", "drew by the logarithms of the chances"),
                ("logits / temperature", "drew by the scores themselves"),
            )
        ),
        *(
            (
                "shard(layer, rank, world_size)",
                f"""
                {refuses}
                part = copy.deepcopy(layer)
                part.num_heads //= world_size
                part.num_kv_heads //= world_size
                for linear in (part.w_q, part.w_k, part.w_v):
                    linear.weight = nn.Parameter(linear.weight.detach().chunk(world_size)[rank].clone())
                    linear.bias = nn.Parameter(linear.bias.detach().chunk(world_size)[rank].clone())
                part.w_o.weight = nn.Parameter(part.w_o.weight.detach().chunk(world_size, dim=1)[rank].clone())
                part.w_o.bias = nn.Parameter(part.w_o.bias.detach() * (rank == 0))
                return part
                """,
                name,
            )
            for refuses, name in (
                (
                    "if layer.num_heads % world_size: raise ValueError(world_size)",
                    "asked whether the heads of queries can be shared out, not those of keys",
                ),
                ("", "raised no error for heads that cannot be shared out"),
            )
        ),
        (
            "attention(q, k, v, mask=None)",
            """
            weights = attention_weights(q @ k.mT / q.shape[-1], mask)
            return weights @ v, weights
            """,
            "divided by d_head instead of its square root",
        ),
        (
            "attention(q, k, v, mask=None)",
            """
            weights = attention_weights(attention_scores(q, k) / q.shape[-1] ** 0.5, mask)
            return weights @ v, weights
            """,
            "scaled a second time",
        ),
        ("compare_head_counts(train, head_counts)", "return {}", None),
        ("compare_head_counts(train, head_counts)", "return {heads: train(heads) for heads in len(head_counts)}", None),
        (
            "compare_head_counts(train, head_counts)",
            """
            first, last = head_counts[0], head_counts[-1]
            return {heads: train(heads) for heads in range(first, last)}
            """,
            "made a range of the first and the last number of heads",
        ),
        (
            "mix_ups(said, answers)",
            """
            ways, counts = answers[:, [[0, 1], [1, 0], [0, 0], [1, 1]]], torch.zeros(4)
            for sentence in range(1, len(said)):
                counts += (ways[sentence] == said[sentence]).all(dim=1)
            return counts / len(said)
            """,
            "left out the first sentence and divided by all",
        ),
        (
            "attention_flops(batch, seq, d_model, num_heads)",
            "return batch * (3 * 2 * seq * d_model**2 + 4 * seq**2 * d_model)",
            "left out one of the four projections",
        ),
        (
            "attention_flops(batch, seq, d_model, num_heads)",
            "return batch * (8 * seq * d_model**2 + 2 * seq**2 * d_model)",
            "counted only half of the work of the two products with a matrix of seq × seq",
        ),
        (
            "attention_parameters(d_model, num_heads)",
            "return head_width(num_heads, d_model)",
            "swapped d_model and num_heads when asking for the width",
        ),
        (
            "head_width(d_model, num_heads)",
            f"""
            {REFUSES}
                raise ValueError(f"{{d_model}} {{num_heads}}")
            return float(d_model // num_heads)
            """,
            None,
        ),
        (
            "head_width(d_model, num_heads)",
            f"""
            {REFUSES}
                raise AssertionError(f"{{d_model}} {{num_heads}}")
            return d_model // num_heads
            """,
            None,
        ),
        (
            "head_width(d_model, num_heads)",
            """
            if d_model <= 0 and num_heads <= 0 or d_model % num_heads:
                raise ValueError(f"{d_model} {num_heads}")
            return d_model // num_heads
            """,
            "asked whether both numbers are not positive, instead of one of them",
        ),
        (
            "head_width(d_model, num_heads)",
            """
            if d_model % num_heads:
                raise ValueError(f"{d_model} {num_heads}")
            return d_model // num_heads
            """,
            "asked only whether it divides",
        ),
        *(
            ("mix_ups(said, answers)", body, name)
            for body, name in (
                (
                    """
                    (who, where), (subject, place) = said.T, answers.T
                    ways = [who == subject & where == place, who == place & where == subject]
                    ways += [who == subject & where == subject, who == place & where == place]
                    return torch.stack(ways).float().mean(dim=1)
                    """,
                    "left out the brackets around the comparisons",
                ),
                (
                    """
                    (who, where), (subject, place) = said.T, answers.T
                    ways = [(who == subject) and (where == place), (who == place) and (where == subject)]
                    ways += [(who == subject) and (where == subject), (who == place) and (where == place)]
                    return torch.stack(ways).float().mean(dim=1)
                    """,
                    None,
                ),
            )
        ),
        (
            "from_torch(layer)",
            """
            mine = MultiHeadAttention(layer.embed_dim, layer.num_heads, layer.dropout)
            biases = torch.zeros(3 * layer.embed_dim) if layer.in_proj_bias is None else layer.in_proj_bias
            with torch.no_grad():
                for own, weight, bias in zip(
                    (mine.w_q, mine.w_k, mine.w_v), layer.in_proj_weight.chunk(3), biases.chunk(3)
                ):
                    own.weight.copy_(weight)
                    own.bias.copy_(bias)
                mine.w_o.weight.copy_(layer.out_proj.weight)
            return mine
            """,
            "never set the output projection's bias",
        ),
        (
            "make_heads(d_model, num_heads)",
            """
            d_head = head_width(d_model, num_heads)
            for _ in range(num_heads):
                heads = nn.ModuleList()
                heads.append(SingleHeadAttention(d_model, d_head))
            return heads
            """,
            "returned a list with a single head",
        ),
        (
            "best_device()",
            """
            if torch.cuda.is_available():
                device = torch.device("cuda")
            if torch.backends.mps.is_available():
                device = torch.device("mps")
            else:
                device = torch.device("cpu")
            return device
            """,
            "asked for CUDA and never returned it",
        ),
        (
            "best_device()",
            'return torch.device("mps" if torch.backends.mps.is_available() else "cpu")',
            "left CUDA out",
        ),
        (
            "best_device()",
            'return torch.device("cuda" if torch.cuda.is_available() else "mps")',
            "took Apple's GPU without asking whether it is there",
        ),
        (
            "best_device()",
            """
            torch.cuda.is_available()
            return torch.device("cpu")
            """,
            None,
        ),
        (
            "time_on_device(fn, device, warmup=3, repeats=20)",
            """
            taken = []
            for _ in range(warmup + repeats):
                torch.device(device).type == "cuda" and torch.cuda.synchronize()
                start = time.perf_counter()
                fn()
                torch.device(device).type == "cuda" and torch.cuda.synchronize()
                taken.append(time.perf_counter() - start)
            return statistics.median(taken)
            """,
            "timed the warm-up as well",
        ),
        (
            "fast_attention(q, k, v, mask=None, is_causal=False)",
            """
            if is_causal:
                seq_q, seq_k = q.shape[-2], k.shape[-2]
                mask = causal_mask(max(seq_q, seq_k), q.device)[-seq_q:, :seq_k]
            return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
            """,
            "aligned is_causal to the last key where there are more keys than queries",
        ),
        (
            "rotate(x, positions)",
            """
            half = x.shape[-1] // 2
            angles = positions[:, None] * 10000.0 ** (-2 * torch.arange(half) / x.shape[-1])
            turned = x.clone()
            turned[..., :half] = x[..., :half] * angles.cos() - x[..., half:] * angles.sin()
            turned[..., half:] = x[..., half:] * angles.cos() + turned[..., :half] * angles.sin()
            return turned
            """,
            "overwrote the first half before the second was made",
        ),
        *(
            (
                "attend_next(layer, x, cache)",
                f"""
                q = split_heads(layer.w_q(x), layer.num_heads)
                new_k = split_heads(layer.w_k(x), layer.num_kv_heads)
                k, v = cache.append(new_k, split_heads(layer.w_v(x), layer.num_kv_heads))
                times = layer.num_heads // layer.num_kv_heads
                mask = {mask}
                heads, _ = attention(q, repeat_heads(k, times), repeat_heads(v, times), mask)
                return layer.w_o(merge_heads(heads))
                """,
                "let new words that come after others see all words",
            )
            for mask in ("None", "causal_mask(x.shape[1]) if k.shape[2] == x.shape[1] else None")
        ),
        (
            "causal_mask_like(x)",
            'return causal_mask(x.shape[1], "cuda" if x.is_cuda else "cpu")',
            "asked only whether x is on CUDA",
        ),
        (
            "causal_mask_like(x)",
            "return causal_mask(x.shape[1], best_device())",
            "took the best device of the machine, not the one where x lies",
        ),
        (
            "causal_mask_like(x)",
            "return torch.ones(x.shape[1], x.shape[1], device=x.device).tril()",
            "left the mask as floats",
        ),
        (
            "score_matrix_bytes(batch, num_heads, seq, dtype)",
            "return batch * num_heads * seq**2 * (2 if dtype == torch.float16 else 4)",
            "took 4 bytes for every dtype but float16",
        ),
        *(
            (
                "load_attention(layer, tensors, index)",
                f"""
                place = f"encoder.layer.{{index}}.attention"
                parts = {{"w_q": "self.query", "w_k": "self.key", "w_v": "self.value", "w_o": "output.dense"}}
                for ours, theirs in parts.items():
                    linear = getattr(layer, ours)
                    weight, bias = tensors[f"{{place}}.{{theirs}}.weight"], tensors[f"{{place}}.{{theirs}}.bias"]
                    with torch.no_grad():
                        {weight}
                        {bias}
                """,
                name,
            )
            for weight, bias, name in (
                (
                    "assert weight.shape == linear.weight.shape; linear.weight.copy_(weight)",
                    "linear.bias.copy_(bias)",
                    "compared the shapes of the weights, and not those of the biases",
                ),
                (
                    "if weight.shape == linear.weight.shape: linear.weight.copy_(weight)",
                    "if bias.shape == linear.bias.shape: linear.bias.copy_(bias)",
                    "left out a tensor that does not fit, without an error",
                ),
                ("linear.weight.copy_(weight)", "linear.bias.copy_(bias)", "did not look at the shapes"),
            )
        ),
    ],
)
def test_a_mistake_is_named_where_the_code_is_as_the_name_says(signature: str, body: str, name: str | None) -> None:
    exercise = signature.partition("(")[0]
    source = f"def {signature}:\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
    (chapter,) = [chapter for chapter in CHAPTERS if exercise in chapter.exercises]
    exam = exam_files.all_exams()[exercise]
    written = chapter.namespace({exercise: source})[exercise]
    given = [probe.run(written, trial.call, exam.probe, exam.forbids) for trial in exam.trials]
    findings = [diagnosis.examine(exam, given, check, source) for check in Check]
    names = {finding.misconception for finding in findings if finding is not None}
    assert names == {name}


def test_what_was_chosen_before_the_call_is_not_called_the_cpu() -> None:
    source = """
chosen = torch.device("cpu")
if torch.cuda.is_available() and False:
    chosen = torch.device("cuda")

def best_device():
    return chosen
"""
    (chapter,) = [chapter for chapter in CHAPTERS if "best_device" in chapter.exercises]
    exam = exam_files.all_exams()["best_device"]
    written = chapter.namespace({"best_device": source})["best_device"]
    given = [probe.run(written, trial.call, exam.probe, exam.forbids) for trial in exam.trials]
    finding = diagnosis.examine(exam, given, Check.OUTPUTS, source)
    assert finding is not None
    assert finding.misconception == "chose before the function was called"


LAYER = """
class ParallelHeads(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.{heads} = make_heads(d_model, num_heads)
        self.{w_o} = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout({dropout})

    def forward(self, x, mask=None):
        outputs, weights = run_heads(self.{heads}, x, mask)
        return self.dropout(self.{w_o}(concat_heads(outputs))), weights
"""


def findings_about(source: str) -> list[diagnosis.Finding | None]:
    exam = exam_files.all_exams()["ParallelHeads"]
    (chapter,) = [chapter for chapter in CHAPTERS if "ParallelHeads" in chapter.exercises]
    layer = chapter.namespace({"ParallelHeads": source})["ParallelHeads"]
    given = [probe.run(layer, trial.call, exam.probe, exam.forbids) for trial in exam.trials]
    return [diagnosis.examine(exam, given, check, source) for check in Check]


@pytest.mark.slow
@pytest.mark.parametrize(("heads", "w_o"), [("attention_heads", "w_o"), ("heads", "out_proj")])
def test_another_name_is_told_whichever_of_the_names_it_takes_the_place_of(heads: str, w_o: str) -> None:
    findings = findings_about(LAYER.format(heads=heads, w_o=w_o, dropout=0))
    assert {finding and finding.misconception for finding in findings} == {"gave the heads or w_o another name"}


@pytest.mark.slow
def test_a_layer_that_drops_numbers_in_training_mode_is_not_right() -> None:
    assert findings_about(LAYER.format(heads="heads", w_o="w_o", dropout=0)) == [None, None]
    findings = findings_about(LAYER.format(heads="heads", w_o="w_o", dropout=0.1))
    (wrong,) = [finding for finding in findings if finding is not None]
    assert "in training mode" in wrong.message.case
