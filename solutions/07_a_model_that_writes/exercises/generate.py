"""`generate`: writes, one token at a time."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import draw_tokens


def writing(draw: Draw, temperature: float = 0.0, seq: int | None = None) -> Call:
    """Return the inputs of `writes`: `seq` tokens before the first new one, by default fewer than the context."""
    batch, short = draw.sizes("batch seq", low=2, high=4)
    context, new_tokens, vocabulary = draw.sizes("context new_tokens vocabulary", low=5, high=9)
    seq = short if seq is None else context + seq
    draw.named(seq=seq)
    # A score for each of 41 sums that the tokens of a window can have
    scores = draw.normal(41, vocabulary, scale=1.5)
    tokens = draw_tokens(draw, vocabulary, batch, seq)
    return Call(
        {
            "_scores": scores,
            "tokens": tokens,
            "context": context,
            "new_tokens": new_tokens,
            "temperature": temperature,
            "_seed": draw.integer(1, 10**6),
        }
    )


def writes(generate, scores, tokens, context, new_tokens, temperature, seed):
    """Let the learner's code write with a model that looks its scores up by all tokens in its window and their places.

    At temperature 0: return what it writes. Else: the shares of the first new tokens in many copies of a sentence, and
    what the generator decides.
    """
    import torch
    from torch import nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.context = context
            self.register_buffer("positions", torch.arange(context))
            self.scores = nn.Parameter(scores.clone())

        def forward(self, tokens):
            seq = tokens.shape[1]
            if seq > context:
                raise ValueError(f"the model was given {seq} tokens, and its context is {context}")
            # (batch, seq): what was read up to each place, where a token counts by its place in the window
            read = (tokens * (3 * self.positions[:seq] + 1)).cumsum(dim=1)
            return self.scores[(read + seq) % len(self.scores)]  # (batch, seq, vocabulary)

    device = tokens.device
    model = Model().eval().to(device)
    if temperature == 0:
        return generate(model, tokens, new_tokens, 0)

    def written(copies, seed):
        generator = torch.Generator(device).manual_seed(seed)
        return generate(model, tokens[:1].repeat(copies, 1), 2, temperature, generator)

    many = written(40_000, seed)
    if not isinstance(many, torch.Tensor):
        return many
    vocabulary = scores.shape[1]
    before = torch.get_rng_state()
    few = written(20, seed)
    untouched = torch.equal(before, torch.get_rng_state())
    new = many[:, tokens.shape[1] :]
    return {
        "shape": tuple(many.shape),
        "how often each token comes first": torch.bincount(new[:, 0], minlength=vocabulary) / len(new),
        "how often each token comes second": torch.bincount(new[:, 1], minlength=vocabulary) / len(new),
        "prompt is kept": torch.equal(many[:, : tokens.shape[1]], tokens[:1].expand(len(many), -1)),
        "same seed, same text": torch.equal(few, written(20, seed)),
        "other seed, other text": not torch.equal(few, written(20, seed + 1)),
        "draws from its generator only": untouched,
    }


WINDOW = "tokens[:, -model.context :]"
ASK = f"logits = model({WINDOW})[:, -1]"
CHANCES = "chances = (logits / temperature).softmax(dim=-1)"
SAMPLE = "torch.multinomial(chances, 1, generator=generator)"
APPEND = "tokens = torch.cat([tokens, following], dim=1)"

EXERCISE = Exercise(
    name="generate",
    returns=("tokens",),
    cases=(
        Case("temperature 0, a prompt shorter than the context", writing),
        Case("temperature 0, a prompt longer than the context", lambda draw: writing(draw, seq=draw.integer(2, 3))),
        Case("a high temperature", lambda draw: writing(draw, temperature=2.5)),
    ),
    misconceptions=(
        # what the model is shown
        Misconception(
            "showed the model all tokens",
            replace=WINDOW,
            by="tokens",
            hint="Once there are more tokens than the context is long, the model has no positions for them. Show it "
            "the "
            "last model.context of them.",
            check="shapes",
        ),
        Misconception(
            "showed the model the first tokens instead of the last",
            replace=WINDOW,
            by="tokens[:, : model.context]",
            hint="As soon as the context is full, the model sees the same tokens again and again, and none of those "
            "that it writes from then on.",
        ),
        Misconception(
            "showed the model the last token only",
            replace=WINDOW,
            by="tokens[:, -1:]",
            hint="The model has forgotten all that came before. Show it as many of the last tokens as fit into its "
            "context.",
        ),
        Misconception(
            "showed the model one token too few",
            replace=WINDOW,
            by="tokens[:, -(model.context - 1) :]",
            hint="context tokens fit in; you show one less.",
        ),
        Misconception(
            "asked for the second token where the last belongs",
            replace="[:, -1]",
            by="[:, min(1, tokens.shape[1] - 1)]",
            hint="The scores of the token that comes next are at the last position.",
        ),
        Misconception(
            "took the scores of the first position",
            replace="[:, -1]",
            by="[:, 0]",
            hint="Position 0 predicts the second token of the text. What comes next is predicted at the last position.",
        ),
        Misconception(
            "took the scores of the position before the last",
            replace="[:, -1]",
            by="[:, -2]",
            hint="That position predicts the last token that is there already. What comes next is predicted at the "
            "last "
            "position.",
        ),
        Misconception(
            "averaged the scores of all positions",
            replace="[:, -1]",
            by=".mean(dim=1)",
            hint="Each position predicts the token after it. What comes next is predicted at the last position alone.",
        ),
        # which token is chosen
        Misconception(
            "multiplied by the temperature",
            replace="logits / temperature",
            by="logits * temperature",
            hint="A high temperature should make the choice more even, and yours makes it more certain.",
        ),
        Misconception(
            "divided the chances by the temperature",
            replace=CHANCES,
            by="chances = logits.softmax(dim=-1) / temperature",
            hint="multinomial scales the chances back to a sum of 1, so this changes nothing. Divide the scores, "
            "before "
            "softmax.",
            shown_by=("/",),
        ),
        Misconception(
            "ignored the temperature",
            replace="(logits / temperature)",
            by="logits",
            hint="The shares are those of temperature 1, whatever the temperature is.",
        ),
        Misconception(
            "squared the chances' temperature",
            replace="logits / temperature",
            by="logits / temperature**2",
            hint="The temperature acts twice. Is it divided by in two places?",
        ),
        Misconception(
            "always took the likeliest",
            replace="if temperature == 0:",
            by="if True:",
            hint="All copies of a sentence go on alike. Above temperature 0 the token is drawn by its chance.",
        ),
        Misconception(
            "took the scores for chances",
            replace=CHANCES,
            by="chances = (logits / temperature).clamp(min=0)",
            hint="Scores may be negative, and they do not sum to 1. softmax makes chances of them.",
        ),
        Misconception(
            "drew by the scores themselves",
            replace=CHANCES,
            by="chances = logits / temperature",
            hint="multinomial takes chances, which are never below 0. Scores may be: softmax makes chances of them.",
            check="shapes",
            shown_by=("no log_softmax|log",),
        ),
        Misconception(
            "took softmax over the batch",
            replace="softmax(dim=-1)",
            by="softmax(dim=0)",
            hint="The sentences of the batch compete with each other. The tokens of the vocabulary should: the last "
            "dimension.",
        ),
        Misconception(
            "passed the generator on to nothing",
            replace=", generator=generator)",
            by=")",
            hint="With the same seed it should write the same text again. Pass the generator to the function that "
            "draws.",
        ),
        Misconception(
            "drew from a generator of its own",
            replace="generator=generator)",
            by="generator=torch.Generator(logits.device).manual_seed(0))",
            hint="Whatever seed it is given, it writes the same. The caller's generator decides.",
        ),
        Misconception(
            "took the least likely at temperature 0",
            replace="argmax",
            by="argmin",
            hint="At temperature 0 the token with the highest score is taken.",
        ),
        Misconception(
            "divided by a temperature of 0",
            replace="if temperature == 0:",
            by="if temperature is None:",
            hint="Scores divided by 0 are infinite, and softmax makes NaN of them. Temperature 0 needs a way of its "
            "own: "
            "the highest score wins.",
            check="shapes",
        ),
        Misconception(
            "drew the same token for the whole batch",
            replace=SAMPLE,
            by="torch.multinomial(chances[:1], 1, generator=generator).expand(len(tokens), 1)",
            hint="Each sentence of the batch goes its own way. multinomial draws one token for each row.",
        ),
        # what is returned
        Misconception(
            "wrote one token too many",
            replace="range(new_tokens)",
            by="range(new_tokens + 1)",
            hint="Count the rounds of your loop: one for each new token.",
            check="shapes",
        ),
        Misconception(
            "wrote one token too few",
            replace="range(new_tokens)",
            by="range(new_tokens - 1)",
            hint="Count the rounds of your loop: one for each new token.",
            check="shapes",
        ),
        Misconception(
            "counted the prompt among the new tokens",
            replace="range(new_tokens)",
            by="range(new_tokens - tokens.shape[1])",
            hint="new_tokens are to be written, however long the prompt is.",
            check="shapes",
        ),
        Misconception(
            "returned the new tokens without the prompt",
            replace="return tokens",
            by="return tokens[:, tokens.shape[1] - new_tokens :]",
            hint="The prompt belongs to the text: (batch, seq + new_tokens).",
            check="shapes",
        ),
        Misconception(
            "put the new tokens in front",
            replace="torch.cat([tokens, following], dim=1)",
            by="torch.cat([following, tokens], dim=1)",
            hint="The text grows at its end, so the new tokens come last.",
        ),
        Misconception(
            "returned the last window only",
            replace="return tokens",
            by="return tokens[:, -model.context :]",
            hint="The model forgets what is further back than its context; the text does not.",
            check="shapes",
        ),
        Misconception(
            "cut the text itself",
            replace="with torch.no_grad():",
            by="tokens = tokens[:, -model.context :]\n        with torch.no_grad():",
            hint="What is further back than the context gets lost from the text. Cut only what you show the model.",
            check="shapes",
        ),
        Misconception(
            "added a single token",
            replace=f"{APPEND}\n    return tokens",
            by="text = torch.cat([tokens, following], dim=1)\n    return text",
            hint="Is the return inside the loop, or does each round join its token to the prompt alone? The next "
            "round must go on with the longer text.",
            check="shapes",
        ),
        Misconception(
            "joined along the batch",
            replace="following], dim=1)",
            by="following], dim=0)",
            hint="A new token makes the sentences longer, not more numerous: dimension 1.",
            check="shapes",
        ),
        Misconception(
            "put the new tokens of all sentences behind each other",
            replace="logits.argmax(dim=-1, keepdim=True)",
            by="logits.argmax(dim=-1)",
            hint="torch.cat joins tensors with equally many dimensions: tokens is (batch, seq), so what is added "
            "must be "
            "(batch, 1).",
            check="shapes",
        ),
        Misconception(
            "never showed the model what it has written",
            replace=WINDOW,
            by="tokens[:, : tokens.shape[1] - _][:, -model.context :]",
            hint="All new tokens come from the same scores, those of the prompt. What comes next depends on what came "
            "before: run the model anew for each token, on the longer text.",
        ),
        Misconception(
            "showed the model one token too many",
            replace=WINDOW,
            by="tokens[:, -model.context - 1 :]",
            hint="context tokens fit in; you show one more.",
            check="shapes",
        ),
        Misconception(
            "drew by the logarithms of the chances",
            replace=CHANCES,
            by="chances = (logits / temperature).log_softmax(dim=-1)",
            hint="multinomial takes chances, which are never below 0, and their logarithms are. Give it the chances "
            "themselves.",
            check="shapes",
            shown_by=("log_softmax|log",),
        ),
        Misconception(
            "drew tokens without a dimension for their place",
            replace=SAMPLE,
            by=f"{SAMPLE}.squeeze(1)",
            hint="torch.cat joins tensors with equally many dimensions: tokens is (batch, seq), so what is drawn must "
            "stay (batch, 1).",
            check="shapes",
        ),
    ),
    alternatives=(
        Alternative(
            "noise added to the scores",
            """
@torch.no_grad()
def generate(model, tokens, new_tokens, temperature=1.0, generator=None):
    for _ in range(new_tokens):
        scores = model(tokens[:, -model.context:])[:, -1, :]
        if temperature > 0:
            noise = torch.rand(scores.shape, generator=generator, device=scores.device).clamp(min=1e-20)
            scores = scores / temperature - torch.log(-torch.log(noise))
        tokens = torch.cat((tokens, scores.argmax(dim=-1)[:, None]), dim=1)
    return tokens
""",
        ),
        Alternative(
            "a tensor made at the start, and filled",
            """
def generate(model, tokens, new_tokens, temperature=1.0, generator=None):
    batch, seq = tokens.shape
    text = torch.zeros(batch, seq + new_tokens, dtype=tokens.dtype, device=tokens.device)
    text[:, :seq] = tokens
    with torch.inference_mode():
        for end in range(seq, seq + new_tokens):
            logits = model(text[:, max(0, end - model.context):end])
            last = logits[:, logits.shape[1] - 1]
            if not temperature:
                text[:, end] = last.max(dim=-1).indices
            else:
                text[:, end] = (last / temperature).softmax(-1).multinomial(1, generator=generator).squeeze(1)
    return text
""",
        ),
        Alternative(
            "the running sum of the chances",
            """
def generate(model, tokens, new_tokens, temperature=1.0, generator=None):
    for step in range(new_tokens):
        window = tokens if tokens.shape[1] <= model.context else tokens[:, tokens.shape[1] - model.context:]
        with torch.no_grad():
            logits = model(window)[:, -1]
        if temperature == 0:
            following = torch.topk(logits, 1).indices
        else:
            below = torch.softmax(logits / temperature, dim=1).cumsum(dim=1)
            dice = torch.rand(len(tokens), 1, generator=generator, device=tokens.device)
            following = (below < dice).sum(dim=1, keepdim=True).clamp(max=logits.shape[1] - 1)
        tokens = torch.hstack([tokens, following])
    return tokens
""",
        ),
    ),
    probe=writes,
    atol=0.02,
)
