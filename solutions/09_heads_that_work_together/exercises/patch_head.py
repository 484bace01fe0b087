"""`patch_head`: runs a model on one input, with one head's output from another input."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception


def two_inputs(draw: Draw, batch: int = 2) -> Call:
    """A small model of layers with heads, and two batches of tokens for it."""
    layers, heads = draw.sizes("layers heads", low=3, high=4)
    seq, d_model = draw.sizes("seq d_model", low=5, high=7)
    (vocabulary,) = draw.sizes("vocabulary", low=8, high=9)
    draw.named(batch=batch)
    # neither the first nor the last, and two different numbers that exist the other way round, too
    layer, head = (1, 2) if layers == 3 else (2, 1)
    return Call(
        {
            "clean": draw.mask(batch, seq, vocabulary).int().argmax(dim=-1),
            "corrupted": draw.mask(batch, seq, vocabulary).int().argmax(dim=-1),
            "layer": layer,
            "head": head,
            "_embedding": draw.normal(vocabulary, d_model),
            "_mixing": draw.normal(layers, heads, d_model, d_model, scale=1.5 * d_model**-0.5),
        }
    )


def patches(patch_head, clean, corrupted, layer, head, embedding, mixing):
    """Let the learner's code run a model whose heads mix what came before, each in its own way."""
    import torch

    layers, heads = mixing.shape[:2]

    def checked(patch):
        try:
            layer, head, output = patch
            layer, head = int(layer), int(head)
        except (TypeError, ValueError):
            raise TypeError(f"patch is a triple, (layer, head, output), and it was given {_said(patch)}") from None
        if not (0 <= layer < layers and 0 <= head < heads):
            raise ValueError(f"there is no head {head} in layer {layer}")
        if not isinstance(output, torch.Tensor):
            raise TypeError(f"the output in a patch is a tensor, and it was given {_said(output)}")
        return layer, head, output

    def _said(value):
        if isinstance(value, torch.Tensor):
            return f"a tensor of shape {tuple(value.shape)}"
        return f"{type(value).__name__} of {len(value)}" if hasattr(value, "__len__") else repr(value)

    def run(tokens, patch=None):
        if not isinstance(tokens, torch.Tensor) or tokens.is_floating_point() or tokens.ndim != 2:
            raise TypeError(f"tokens are whole numbers, (batch, seq), and it was given {_said(tokens)}")
        patched = None if patch is None else checked(patch)
        x, outputs = embedding[tokens], []
        # (seq, seq): each token takes the mean of what came before, itself included
        past = torch.ones(x.shape[1], x.shape[1]).tril()
        past = past / past.sum(dim=1, keepdim=True)
        for index in range(layers):
            # (seq, seq) @ (batch, seq, d_model) @ (heads, 1, d_model, d_model) -> (heads, batch, seq, d_model)
            said = torch.tanh(past @ x @ mixing[index][:, None])
            if patched is not None and patched[0] == index:
                output = patched[2]
                if output.shape != said[0].shape:
                    raise ValueError(
                        f"what a head writes is (batch, seq, d_model) = {tuple(said[0].shape)}, and the patch holds "
                        f"{_said(output)}"
                    )
                said = torch.stack([output if other == patched[1] else said[other] for other in range(heads)])
            outputs.append(said)
            x = x + said.sum(dim=0)
        return x @ embedding.T, torch.stack(outputs)

    return patch_head(run, clean, corrupted, layer, head)


KEPT = "_, outputs = run(clean)"
PATCHED = "logits, _ = run(corrupted, patch=(layer, head, outputs[layer, head]))"

EXERCISE = Exercise(
    name="patch_head",
    returns=("logits",),
    cases=(
        Case("two sequences", two_inputs),
        Case("a single sequence", lambda draw: two_inputs(draw, batch=1)),
    ),
    misconceptions=(
        Misconception(
            "swapped the clean and the corrupted run",
            replace=f"{KEPT}\n    {PATCHED}",
            by="_, outputs = run(corrupted)\n    logits, _ = run(clean, patch=(layer, head, outputs[layer, head]))",
            hint="You broke one head of the intact run. Here everything is broken, and one head is put right.",
        ),
        Misconception(
            "changed nothing in the corrupted run",
            replace="run(clean)",
            by="run(corrupted)",
            hint="A run without a patch gives these logits, and so does one in which the head is given what it writes "
            "anyway. Which run has the output that you want to put in?",
        ),
        Misconception(
            "returned the logits of the clean run",
            replace="run(corrupted,",
            by="run(clean,",
            hint="Either your patched run reads the clean tokens, where a clean output changes nothing. Or these are "
            "the other run's logits.",
        ),
        Misconception(
            "took the output of another head",
            replace="outputs[layer, head]",
            by="outputs[layer, head - 1]",
            hint="The output that you put in is not this head's. (Heads are counted from 0.)",
        ),
        Misconception(
            "took the output of the same head in another layer",
            replace="outputs[layer, head]",
            by="outputs[layer + 1, head]",
            hint="The output that you put in is from another layer. (Layers are counted from 0.)",
        ),
        Misconception(
            "took the output of the head after it",
            replace="outputs[layer, head]",
            by="outputs[layer, head + 1]",
            hint="The output that you put in is not this head's. (Heads are counted from 0, and so is the index.)",
        ),
        Misconception(
            "took the output of the same head in the layer before",
            replace="outputs[layer, head]",
            by="outputs[layer - 1, head]",
            hint="The output that you put in is from another layer. (Layers are counted from 0, and so is the index.)",
        ),
        Misconception(
            "took the output at the swapped place, head first",
            replace="outputs[layer, head]",
            by="outputs[head, layer]",
            hint="outputs is (layers, heads, …): its first index says which layer, the second which head.",
        ),
        Misconception(
            "put the output into another head",
            replace="(layer, head, outputs",
            by="(layer, head - 1, outputs",
            hint="You took the right output and put it in place of another head's. (Heads are counted from 0.)",
        ),
        Misconception(
            "put the output into another layer",
            replace="(layer, head, outputs",
            by="(layer + 1, head, outputs",
            hint="You took the right output and put it in place of what a head of another layer writes.",
        ),
        Misconception(
            "put in what all heads of the layer write, added up",
            replace="outputs[layer, head]",
            by="outputs[layer].sum(dim=0)",
            hint="One head now writes what all of its layer wrote. Put in the output of this head alone.",
        ),
        Misconception(
            "put in the mean of the layer's heads",
            replace="outputs[layer, head]",
            by="outputs[layer].mean(dim=0)",
            hint="Put in what this head wrote in the clean run, not a mean over the heads of its layer.",
        ),
        Misconception(
            "put zeros in",
            replace="outputs[layer, head]",
            by="torch.zeros_like(outputs[layer, head])",
            hint="That silences the head, as in chapter 6. Patching puts in what it says in the clean run.",
        ),
        Misconception(
            "put in the difference of the two runs",
            replace="outputs[layer, head]",
            by="outputs[layer, head] - run(corrupted)[1][layer, head]",
            hint="run replaces the head's output by what you give it. It does not add: give it the clean output as "
            "it is.",
        ),
        Misconception(
            "put in the mean of the two runs",
            replace="outputs[layer, head]",
            by="(outputs[layer, head] + run(corrupted)[1][layer, head]) / 2",
            hint="Half of the corrupted output is still there. Put in the clean one.",
        ),
        Misconception(
            "returned by how much the patch changes the logits",
            replace="return logits",
            by="return logits - run(corrupted)[0]",
            hint="Return the patched run's logits themselves. What to compare them with is up to the caller.",
        ),
        Misconception(
            "returned how far the patched run is from the clean one",
            replace="return logits",
            by="return logits - run(clean)[0]",
            hint="Return the patched run's logits themselves. What to compare them with is up to the caller.",
        ),
        Misconception(
            "turned the logits into probabilities",
            replace="return logits",
            by="return logits.softmax(dim=-1)",
            hint="Return the logits as the run gives them.",
        ),
        Misconception(
            "patched the heads of the layers one after the other, too",
            replace=PATCHED,
            by="for index in range(len(outputs)):\n"
            "        logits, _ = run(corrupted, patch=(index, head, outputs[index, head]))",
            hint="What you return is a run in which the head of another layer was patched. There is one run to make, "
            "with one patch.",
        ),
        Misconception(
            "returned the outputs of the heads",
            replace="logits, _ = run(corrupted",
            by="_, logits = run(corrupted",
            hint="run returns two things: the logits first, then what each head wrote. Return the logits.",
            check="shapes",
        ),
        Misconception(
            "returned logits and outputs",
            replace=f"{PATCHED}\n    return logits",
            by="return run(corrupted, patch=(layer, head, outputs[layer, head]))",
            hint="run returns two things, the logits and what each head wrote. Return the logits alone.",
            check="shapes",
        ),
        Misconception(
            "kept the logits of the last token only",
            replace="return logits",
            by="return logits[:, -1]",
            hint="Return the logits of all tokens, (batch, seq, vocabulary).",
            check="shapes",
        ),
        Misconception(
            "swapped layer and head in the patch",
            replace="(layer, head, outputs",
            by="(head, layer, outputs",
            hint="The patch says first which layer, then which head in it, then the output.",
        ),
        Misconception(
            "patched with the outputs of all heads",
            replace="outputs[layer, head]",
            by="outputs",
            hint="outputs holds what every head of every layer wrote. Pick what this one wrote.",
            check="shapes",
        ),
        Misconception(
            "patched with what the whole layer wrote",
            replace="outputs[layer, head]",
            by="outputs[layer]",
            hint="outputs[layer] holds what each head of the layer wrote. Pick what this head wrote.",
            check="shapes",
        ),
        Misconception(
            "took the logits for what the heads wrote",
            replace=KEPT,
            by="outputs, _ = run(clean)",
            hint="run returns the logits first, then what each head wrote. You indexed the logits by layer and head.",
            check="shapes",
        ),
        Misconception(
            "patched with the logits",
            replace="outputs[layer, head]",
            by="run(clean)[0]",
            hint="Logits are what comes out at the end. A patch holds what ONE head wrote, (batch, seq, d_model).",
            check="shapes",
        ),
        Misconception(
            "indexed batch and place by layer and head",
            replace="outputs[layer, head]",
            by="outputs[:, :, layer, head]",
            hint="outputs is (layers, heads, batch, seq, d_model): layer and head are its first two indices.",
            check="shapes",
        ),
        Misconception(
            "put the patch into a list",
            replace="patch=(layer, head, outputs[layer, head])",
            by="patch=[(layer, head, outputs[layer, head])]",
            hint="run takes one patch at a time: three things, layer, head, and the output, as they are.",
            check="shapes",
        ),
        Misconception(
            "gave the patch without saying where it belongs",
            replace="patch=(layer, head, outputs[layer, head])",
            by="patch=outputs[layer, head]",
            hint="A patch is three things: layer, head, and the output to put in there.",
            check="shapes",
        ),
        Misconception(
            "patched with what run returns, logits and all",
            replace=KEPT,
            by="outputs = run(clean)",
            hint="run returns a pair: the logits, and what each head wrote. Take the pair apart.",
            check="shapes",
        ),
        Misconception(
            "added the clean output to the corrupted one",
            replace="outputs[layer, head]",
            by="outputs[layer, head] + run(corrupted)[1][layer, head]",
            hint="The head writes both now. Patching puts the clean output in the place of the corrupted one.",
        ),
        Misconception(
            "returned the logarithms of the chances",
            replace="return logits",
            by="return logits.log_softmax(dim=-1)",
            hint="Return the logits as the run gives them.",
        ),
        Misconception(
            "returned the likeliest tokens",
            replace="return logits",
            by="return logits.argmax(dim=-1)",
            hint="How much the patch helps shows in the logits long before another token wins. Return them as they "
            "are.",
            check="shapes",
        ),
        Misconception(
            "put the output first in the patch",
            replace="(layer, head, outputs[layer, head])",
            by="(outputs[layer, head], layer, head)",
            hint="The patch says first which layer, then which head in it, then the output.",
            check="shapes",
        ),
        Misconception(
            "put in the mean over the sequences",
            replace="(layer, head, outputs[layer, head])",
            by="(layer, head, outputs[layer, head].mean(dim=0, keepdim=True).expand_as(outputs[layer, head]))",
            hint="Each sequence of the batch has a clean run of its own. Put in what the head writes there, sequence "
            "by sequence.",
        ),
    ),
    alternatives=(
        Alternative(
            "in one expression",
            """
def patch_head(run, clean, corrupted, layer, head):
    return run(corrupted, patch=(layer, head, run(clean)[1][layer][head]))[0]
""",
        ),
        Alternative(
            "without keywords, a list for the patch, no gradients",
            """
def patch_head(run, clean, corrupted, layer, head):
    with torch.no_grad():
        clean_logits, written = run(clean)
        kept = written[layer, head].clone()
        patched, _ = run(corrupted, [layer, head, kept])
    return patched
""",
        ),
        Alternative(
            "all runs, for a look at each",
            """
def patch_head(run, clean, corrupted, layer, head):
    runs = {name: run(tokens) for name, tokens in (("clean", clean), ("corrupted", corrupted))}
    patch = layer, head, runs["clean"][1][layer, head]
    return run(corrupted, patch=patch)[0]
""",
        ),
    ),
    probe=patches,
    gradients=False,
)
