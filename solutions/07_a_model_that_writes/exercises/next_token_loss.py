"""`next_token_loss`: how surprised a model is by the tokens that follow."""

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import draw_tokens


def scores(draw: Draw, scale: float = 2.0, batch: int | None = None, seq: int | None = None) -> Call:
    drawn = dict(zip(("batch", "seq"), draw.sizes("batch seq", low=3, high=6), strict=True))
    (vocabulary,) = draw.sizes("vocabulary", low=7, high=9)
    batch, seq = batch or drawn["batch"], seq or drawn["seq"]
    draw.named(batch=batch, seq=seq)
    logits = draw.normal(batch, seq, vocabulary, scale=scale)
    return Call({"logits": logits, "tokens": draw_tokens(draw, vocabulary, batch, seq)})


SCORES = "logits[:, :-1]"
FOLLOWING = "tokens[:, 1:]"
LOSS = "nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())"

EXERCISE = Exercise(
    name="next_token_loss",
    returns=("loss",),
    cases=(
        Case("several sentences", scores),
        Case("scores so far apart that some chances round to 0", lambda draw: scores(draw, scale=150.0)),
        Case("a single sentence of two tokens", lambda draw: scores(draw, batch=1, seq=2)),
        # a loss is one number: with six of them, two mistakes at once can be recognised
        Case("a long sentence", lambda draw: scores(draw, batch=2, seq=11)),
        Case("many short sentences", lambda draw: scores(draw, batch=11, seq=3)),
        Case("scores that hardly differ", lambda draw: scores(draw, scale=0.1)),
    ),
    misconceptions=(
        Misconception(
            "compared each position with its own token",
            replace=f"""scores = {SCORES}  # (batch, seq - 1, vocabulary)
    following = {FOLLOWING}""",
            by="""scores = logits
    following = tokens""",
            hint="At position t the model has read token t, so it could simply repeat it. Its scores there are for "
            "token "
            "t + 1.",
        ),
        Misconception(
            "compared each position with the token before it",
            replace=f"""scores = {SCORES}  # (batch, seq - 1, vocabulary)
    following = {FOLLOWING}""",
            by="""scores = logits[:, 1:]
    following = tokens[:, :-1]""",
            hint="You shifted the wrong way: the scores of position t are for the token after it, and you compare them "
            "with the one before.",
        ),
        Misconception(
            "cut both at the same end",
            replace=FOLLOWING,
            by="tokens[:, :-1]",
            hint="Both without their last position: then each position is compared with its own token again. One loses "
            "its last, the other its first.",
        ),
        Misconception(
            "cut both at the front",
            replace=SCORES,
            by="logits[:, 1:]",
            hint="Both without their first position: then each position is compared with its own token again. One "
            "loses "
            "its last, the other its first.",
        ),
        Misconception(
            "gave bits instead of nats",
            replace="return ",
            by="return (1 / math.log(2)) * ",
            hint="With the logarithm to base 2 the loss is in bits. In nats it is the natural logarithm.",
        ),
        Misconception(
            "took the logarithm of chances that had become 0",
            replace=LOSS,
            by="-scores.softmax(dim=-1).gather(-1, following.unsqueeze(-1)).log().mean()",
            hint="A very small chance rounds to 0, and its logarithm is minus infinity. log_softmax computes both in "
            "one step and stays finite.",
        ),
        Misconception(
            "forgot the minus sign",
            replace="return ",
            by="return -",
            hint="The logarithm of a chance is negative, and training makes the loss small. Your loss is the "
            "smaller the "
            "worse the model is.",
        ),
        Misconception(
            "took the sum",
            replace="following.flatten())",
            by='following.flatten(), reduction="sum")',
            hint="A long text would have a larger loss than a short one. Take the mean over all tokens that are "
            "predicted.",
        ),
        Misconception(
            "divided by all tokens, the first ones too",
            replace=LOSS,
            by='nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="sum")'
            " / tokens.numel()",
            hint="The first token of a sentence is not predicted: there are seq − 1 predictions a sentence.",
        ),
        Misconception(
            "took softmax before the cross-entropy",
            replace="scores.flatten(0, 1)",
            by="scores.flatten(0, 1).softmax(dim=-1)",
            hint="cross_entropy expects scores and takes their softmax itself. With two of them, even a perfect model "
            "has a large loss.",
        ),
        Misconception(
            "shifted the sentences instead of the tokens",
            replace=f"""scores = {SCORES}  # (batch, seq - 1, vocabulary)
    following = {FOLLOWING}""",
            by="""scores = logits[:-1]
    following = tokens[1:]""",
            hint="The first dimension is the batch: you compare each sentence with the next one. Shift along the "
            "second.",
        ),
        Misconception(
            "took softmax over the positions",
            replace=f"return {LOSS}",
            by="logs = scores.log_softmax(dim=1).gather(-1, following.unsqueeze(-1))\n    return -logs.mean()",
            hint="At each position, the chances of all tokens of the vocabulary sum to 1: the last dimension.",
        ),
        Misconception(
            "compared each position with the token two further on",
            replace=f"""scores = {SCORES}  # (batch, seq - 1, vocabulary)
    following = {FOLLOWING}""",
            by="""scores = logits[:, :-2] if logits.shape[1] > 2 else logits[:, :-1]
    following = tokens[:, 2:] if logits.shape[1] > 2 else tokens[:, 1:]""",
            hint="The shift is one position too large: position t predicts token t + 1.",
        ),
        Misconception(
            "shifted one long list of all sentences",
            replace=f"return {LOSS}",
            by="return nn.functional.cross_entropy(logits.flatten(0, 1)[:-1], tokens.flatten()[1:])",
            hint="The last position of a sentence predicts the first token of the next one here. Leave an end out of "
            "each sentence first, then make one list of them.",
        ),
        Misconception(
            "rolled the tokens around",
            replace=f"""scores = {SCORES}  # (batch, seq - 1, vocabulary)
    following = {FOLLOWING}""",
            by="""scores = logits
    following = tokens.roll(-1, dims=1)""",
            hint="At the last position you compare with the first token of the sentence, since roll brings it there. "
            "The last position has no token after it, so it does not count.",
        ),
        Misconception(
            "averaged over all tokens of the vocabulary",
            replace=f"return {LOSS}",
            by="return -scores.log_softmax(dim=-1).mean()",
            hint="Only the token that really comes next counts. Which one that was, your result does not depend on.",
        ),
        Misconception(
            "took the squared difference",
            replace=f"return {LOSS}",
            by="right = nn.functional.one_hot(following, scores.shape[-1])\n"
            "    return (scores.softmax(dim=-1) - right).square().mean()",
            hint="That is another loss. Surprise is minus the logarithm of the chance of the token that comes next.",
        ),
        Misconception(
            "summed over the sentence and averaged over the batch",
            replace=f"return {LOSS}",
            by=f"return {LOSS} * following.shape[1]",
            hint="A long sentence would have a larger loss than a short one. Take the mean over all tokens that are "
            "predicted.",
        ),
        Misconception(
            "divided the sum by the length of a sentence",
            replace=LOSS,
            by='nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten(), reduction="sum")'
            " / tokens.shape[1]",
            hint="There are batch · (seq − 1) predictions: all sentences, and in each the tokens that come after "
            "another.",
        ),
        Misconception(
            "summed over the batch and averaged over the sentence",
            replace=f"return {LOSS}",
            by=f"return {LOSS} * following.shape[0]",
            hint="A large batch would have a larger loss than a small one. Take the mean over all tokens that are "
            "predicted.",
        ),
        Misconception(
            "took the logarithm to base 10",
            replace="return ",
            by="return (1 / math.log(10)) * ",
            hint="In nats it is the natural logarithm, torch.log.",
        ),
        Misconception(
            "gave the perplexity",
            replace=f"return {LOSS}",
            by=f"return {LOSS}.exp()",
            hint="exp(loss) is called perplexity. What training makes small is the loss itself.",
        ),
        Misconception(
            "kept infinity away with a small number",
            replace=f"return {LOSS}",
            by="chances = scores.softmax(dim=-1).gather(-1, following.unsqueeze(-1))\n"
            "    return -(chances + 1e-9).log().mean()",
            hint="The small number in the logarithm puts a lid on the loss: however wrong the model is, it cannot "
            "tell. "
            "log_softmax computes both in one step and stays exact.",
        ),
        Misconception(
            "took one minus the chance",
            replace=f"return {LOSS}",
            by="chances = scores.softmax(dim=-1).gather(-1, following.unsqueeze(-1))\n    return (1 - chances).mean()",
            hint="That is the chance to be wrong. Cross-entropy is minus the logarithm of the chance to be right.",
        ),
        Misconception(
            "took the score for the logarithm of the chance",
            replace=f"return {LOSS}",
            by="return -scores.gather(-1, following.unsqueeze(-1)).mean()",
            hint="Without softmax a score says nothing by itself: whether 3 is high depends on the scores of all other "
            "tokens.",
        ),
        Misconception(
            "took softmax over the positions, before one was left out",
            replace=f"return {LOSS}",
            by="chances = logits.softmax(dim=1)[:, :-1].gather(-1, following.unsqueeze(-1))\n"
            "    return -chances.log().mean()",
            hint="At each position, the chances of all tokens of the vocabulary sum to 1: the last dimension.",
        ),
        Misconception(
            "averaged the chances before taking the logarithm",
            replace=f"return {LOSS}",
            by="chances = scores.softmax(dim=-1).gather(-1, following.unsqueeze(-1))\n    return -chances.mean().log()",
            hint="One very wrong prediction hardly shows in a mean of chances. Take the logarithm of each, then the "
            "mean.",
        ),
        Misconception(
            "mixed words and vocabulary on the way",
            replace="scores.flatten(0, 1)",
            by="scores.transpose(1, 2).reshape(-1, scores.shape[-1])",
            hint="cross_entropy expects rows of scores, one a position. Your rows hold numbers of several positions: "
            "a reshape cannot swap dimensions.",
        ),
        Misconception(
            "counted the last position of each sentence only",
            replace=f"return {LOSS}",
            by="return nn.functional.cross_entropy(scores[:, -1], following[:, -1])",
            hint="Every position predicts the token after it. That is seq − 1 predictions a sentence, and all of them "
            "count.",
        ),
        Misconception(
            "counted the first sentence only",
            replace=f"return {LOSS}",
            by="return nn.functional.cross_entropy(scores[0], following[0])",
            hint="The mean goes over all sentences of the batch.",
        ),
        families.gradient_cut_off(f"return {LOSS}", f"return {LOSS.replace('scores.', 'scores.detach().')}"),
        Misconception(
            "returned a Python number",
            replace=f"return {LOSS}",
            by=f"return {LOSS}.item()",
            hint="From a plain number nothing can be trained: torch needs the tensor, with the record of how it came "
            "about.",
            check="shapes",
        ),
        Misconception(
            "returned a loss for each token",
            replace="following.flatten())",
            by='following.flatten(), reduction="none")',
            hint="Training needs one number: their mean.",
            check="shapes",
        ),
        Misconception(
            "cut the scores, and not the tokens",
            replace=FOLLOWING,
            by="tokens",
            hint="There are seq − 1 predictions a sentence, so there are seq − 1 right answers: all tokens but the "
            "first.",
            check="shapes",
        ),
        Misconception(
            "gave cross_entropy the dimensions as they are",
            replace=LOSS,
            by="nn.functional.cross_entropy(scores, following)",
            hint="cross_entropy wants the vocabulary in dimension 1. Make one long list of positions first, or move "
            "the dimension.",
            check="shapes",
        ),
        Misconception(
            "reshaped the scores so that the vocabulary is dimension 1",
            replace=LOSS,
            by="nn.functional.cross_entropy(scores.reshape(len(scores), scores.shape[-1], -1), following)",
            hint="cross_entropy does want the vocabulary there. But a reshape only counts the numbers off anew, so "
            "scores of several positions and tokens get mixed: it cannot swap dimensions.",
        ),
        Misconception(
            "left out the logarithm of the chances",
            replace=f"return {LOSS}",
            by="chances = scores.softmax(dim=-1).gather(-1, following.unsqueeze(-1))\n    return -chances.mean()",
            hint="Yours is minus the mean chance, between −1 and 0. Take the logarithm of each chance. (nll_loss takes "
            "logarithms, too, and does not make them.)",
        ),
        Misconception(
            "left token 0 out of the mean",
            replace="following.flatten())",
            by="following.flatten(), ignore_index=0)",
            hint="In other models token 0 may be padding. Here it is a token like the others, and it is predicted, "
            "too.",
        ),
        Misconception(
            "divided by the size of the vocabulary, too",
            replace=f"return {LOSS}",
            by=f"return {LOSS} / scores.shape[-1]",
            hint="At each position one token of the vocabulary counts, the one that comes next. Divide by the "
            "number of positions alone.",
        ),
        Misconception(
            "took softmax over the sentences of the batch",
            replace=f"return {LOSS}",
            by="logs = scores.log_softmax(dim=0).gather(-1, following.unsqueeze(-1))\n    return -logs.mean()",
            hint="The sentences of a batch have nothing to do with each other. At each position, the chances of all "
            "tokens of the vocabulary sum to 1: the last dimension.",
        ),
        Misconception(
            "took softmax over the positions of all sentences",
            replace=f"return {LOSS}",
            by="logs = scores.flatten(0, 1).log_softmax(dim=0)\n"
            "    return -logs.gather(-1, following.flatten().unsqueeze(-1)).mean()",
            hint="In a long list of positions, dimension 0 counts the positions. At each of them, the chances of all "
            "tokens of the vocabulary sum to 1: the last dimension.",
        ),
        Misconception(
            "took the logarithm of the scores",
            replace="nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())",
            by="-scores.log().gather(-1, following[..., None]).mean()",
            shown_by=("log|log2|log10",),
            hint="A score may be negative, and has no logarithm then. The loss is about chances: softmax makes them.",
        ),
        Misconception(
            "put the tokens into another order than the scores",
            replace="following.flatten()",
            by="following.T.flatten()",
            hint="Each prediction is compared with the token of another place. Scores and tokens must be joined into a "
            "list in the same order: sentence by sentence.",
        ),
        Misconception(
            "left out the last prediction of each sentence",
            replace="nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())",
            by="torch.stack([nn.functional.cross_entropy(scores[:, t], following[:, t]) "
            "for t in range(scores.shape[1] - 1)]).mean()",
            hint="Every token but the first is predicted, the last one too: seq − 1 predictions a sentence.",
            check="shapes",
        ),
        Misconception(
            "filled the tokens that follow up with token 0",
            replace="nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())",
            by="nn.functional.cross_entropy(logits.flatten(0, 1), nn.functional.pad(following, (0, 1)).flatten())",
            hint="At the last position there is no next token, and token 0 is a token like any other. That "
            "position does not count.",
        ),
        Misconception(
            "counted how often the likeliest token is wrong",
            replace="nn.functional.cross_entropy(scores.flatten(0, 1), following.flatten())",
            by="(scores.argmax(dim=-1) != following).to(scores.dtype).mean()",
            hint="Counting has no slope, so nothing could be learned from it. Ask what chance the right token was "
            "given.",
        ),
    ),
    alternatives=(
        Alternative(
            "log_softmax and gather",
            """
def next_token_loss(logits, tokens):
    chances = logits[:, :-1].log_softmax(dim=-1)
    return -chances.gather(-1, tokens[:, 1:, None]).mean()
""",
        ),
        Alternative(
            "the vocabulary in dimension 1",
            """
def next_token_loss(logits, tokens):
    return nn.CrossEntropyLoss()(logits.transpose(1, 2)[..., :-1], tokens[:, 1:])
""",
        ),
        Alternative(
            "logsumexp, in a loop",
            """
def next_token_loss(logits, tokens):
    total = 0.0
    batch, seq, _ = logits.shape
    for sentence in range(batch):
        for t in range(seq - 1):
            row = logits[sentence, t]
            total = total + row.logsumexp(dim=0) - row[tokens[sentence, t + 1]]
    return total / (batch * (seq - 1))
""",
        ),
        Alternative(
            "nll_loss, and reshape",
            """
def next_token_loss(logits, tokens):
    vocabulary = logits.size(-1)
    flat = logits[:, :-1, :].contiguous().view(-1, vocabulary)
    return torch.nn.functional.nll_loss(torch.log_softmax(flat, dim=1), tokens[:, 1:].reshape(-1))
""",
        ),
        Alternative(
            "the last position ignored",
            """
def next_token_loss(logits, tokens):
    following = torch.full_like(tokens, -100)
    following[:, :-1] = tokens[:, 1:]
    return nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())
""",
        ),
    ),
)
