"""`TinyGPT`: the whole model, from tokens to the scores of the next ones."""

from torch import Tensor

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception

from ._shared import FORBIDS, draw_block, draw_norm, draw_tokens


def model_call(draw: Draw) -> Call:
    """Return the call of a model with drawn weights, its context longer than the sentences."""
    num_heads, num_layers, d_model = 2, 3, 4
    batch = draw.integer(2, 3)
    vocabulary, seq, context = draw.integer(9, 11), 5, 7
    draw.named(d_model=d_model, batch=batch, vocabulary=vocabulary, seq=seq, context=context)
    state: dict[str, Tensor] = {"tokens.weight": draw.normal(vocabulary, d_model)}
    for layer in range(num_layers):
        state |= draw_block(draw, f"blocks.{layer}.", d_model, 4 * d_model)
    state |= draw_norm(draw, "norm", d_model) | draw.linear("w_out", vocabulary, d_model)
    init = {
        "vocabulary": vocabulary,
        "context": context,
        "d_model": d_model,
        "num_heads": num_heads,
        "num_layers": num_layers,
    }
    tokens = draw_tokens(draw, vocabulary, batch, seq)
    tokens[0, -1] = vocabulary - 1  # a token that is no position: it is larger than the context
    return Call({"tokens": tokens}, init=init, state=state)


def scores_and_facts(model, tokens):
    """Return the model's scores, and what else it promises: the length of its context, and a table that moves along."""
    logits = model(tokens)
    positions = model.positions
    return logits, {
        "context": getattr(model, "context", "missing"),
        "positions": tuple(getattr(positions, "shape", ())),
        "positions are a buffer": any(name == "positions" for name, _ in model.named_buffers()),
    }


BLOCKS = """self.blocks = nn.ModuleList(
            Block(d_model, num_heads, 4 * d_model) for _ in range(num_layers)
        )"""
SUM = "x = self.tokens(tokens) + self.positions[:seq]"
MASK = "mask = causal_mask(seq, device=tokens.device)"
LOOP = """for block in self.blocks:
            x = block(x, mask)"""
RETURN = "return self.w_out(self.norm(x))"
TABLE = 'self.register_buffer("positions", position_table(context, d_model))'

EXERCISE = Exercise(
    name="TinyGPT",
    returns=("logits", "what it holds"),
    milestones={"x": "the words with their positions", "norm": "the normalised words at the end"},
    cases=(Case("sentences shorter than the context", model_call),),
    misconceptions=(
        Misconception(
            "left out the positions",
            replace=SUM,
            by="x = self.tokens(tokens)",
            hint="The table is there and never used. Add the row of its position to each word.",
        ),
        Misconception(
            "counted the positions from the end of the table",
            replace="self.positions[:seq]",
            by="self.positions[-seq:]",
            hint="The first word has position 0, however long the sentence is.",
        ),
        Misconception(
            "added position 0 to every word",
            replace="self.positions[:seq]",
            by="self.positions[0]",
            hint="All words get the same row of the table, so they still cannot be told apart by their places.",
        ),
        Misconception(
            "took the positions by token",
            replace="self.positions[:seq]",
            by="self.positions[tokens]",
            hint="The table is asked for the row of the token's number. It should be asked for the place where the "
            "token "
            "is: 0, 1, 2, …",
            check="shapes",
        ),
        Misconception(
            "multiplied words and positions",
            replace=SUM,
            by=SUM.replace(" + ", " * "),
            hint="Where the table has a 0, a word would lose that number. The two are added.",
        ),
        Misconception(
            "scaled the words by the root of d_model",
            replace=SUM,
            by="x = self.tokens(tokens) * math.sqrt(self.tokens.embedding_dim) + self.positions[:seq]",
            hint="The paper of 2017 does that, since its words start out smaller. Here the vectors are added as "
            "they are.",
        ),
        Misconception(
            "let every word see the future",
            replace="block(x, mask)",
            by="block(x)",
            hint="The model reads the token that it is to predict. Its loss would fall to 0, and it could write "
            "nothing. "
            "Give each block the causal mask.",
        ),
        Misconception(
            "inverted the mask",
            replace="block(x, mask)",
            by="block(x, ~mask)",
            hint='Each word sees the future, and nothing else. True means "may attend".',
        ),
        Misconception(
            "did not let a word see itself",
            replace="block(x, mask)",
            by="block(x, mask.tril(-1))",
            hint="Each word may attend to itself and to those before it.",
        ),
        Misconception(
            "let each word see itself and those after it, not those before it",
            replace="block(x, mask)",
            by="block(x, mask.T)",
            hint="Each word sees the future. Row i of the mask says what word i may look at: itself and those before "
            "it.",
        ),
        Misconception(
            "made a mask for the whole context",
            replace="causal_mask(seq, device=tokens.device)",
            by="causal_mask(self.context, device=tokens.device)",
            hint="A sentence may be shorter than the context. The mask has as many rows and columns as the sentence "
            "has words.",
            check="shapes",
        ),
        Misconception(
            "let the last block's output go",
            replace="x = block(x, mask)",
            by="block(x, mask)",
            hint="A block returns new words, and does not change the old ones. Go on with what it returns.",
        ),
        Misconception(
            "gave every block the words as they came in",
            replace=LOOP,
            by="""words = x
        for block in self.blocks:
            x = block(words, mask)""",
            hint="Only the last block has any effect. Each takes what the block before it returns.",
        ),
        Misconception(
            "ran the blocks from the last to the first",
            replace="for block in self.blocks",
            by="for block in reversed(self.blocks)",
            hint="blocks[0] is the first to see the words.",
        ),
        Misconception(
            "ran the first block only",
            replace="for block in self.blocks",
            by="for block in self.blocks[:1]",
            hint="The other blocks are there and never used.",
        ),
        Misconception(
            "ran the first block again and again",
            replace="x = block(x, mask)",
            by="x = self.blocks[0](x, mask)",
            hint="The loop goes through the blocks, and its body always calls the same one.",
        ),
        Misconception(
            "added to the block what was in it already",
            replace="x = block(x, mask)",
            by="x = x + block(x, mask)",
            hint="A block adds its own input. Added once more, the words double with each block.",
        ),
        Misconception(
            "left out the last norm",
            replace=RETURN,
            by="return self.w_out(x)",
            hint="No block normalises its own sum, so the words have grown with every block. norm is for that.",
        ),
        Misconception(
            "normalised before the blocks",
            replace=f"{LOOP}\n        {RETURN}",
            by=f"x = self.norm(x)\n        {LOOP}\n        return self.w_out(x)",
            hint="The last norm comes after all blocks, just before w_out.",
        ),
        Misconception(
            "normalised after every block",
            replace=f"{LOOP}\n        {RETURN}",
            by="for block in self.blocks:\n            x = self.norm(block(x, mask))\n        return self.w_out(x)",
            hint="The words go from block to block as they are. The last norm comes once, after all blocks.",
        ),
        Misconception(
            "normalised before every block",
            replace="x = block(x, mask)",
            by="x = block(self.norm(x), mask)",
            hint="Each block has its own norms inside. The words go from block to block as they are.",
        ),
        Misconception(
            "added the positions in front of every block",
            replace="x = block(x, mask)",
            by="x = block(x + self.positions[:seq], mask)",
            hint="Once, in front of the first block, is enough: the stream carries them on.",
        ),
        Misconception(
            "returned chances instead of scores",
            replace=RETURN,
            by="return self.w_out(self.norm(x)).softmax(dim=-1)",
            hint="cross_entropy takes the softmax itself, and so will generate. Return the scores.",
        ),
        Misconception(
            "returned the logarithms of the chances",
            replace=RETURN,
            by="return self.w_out(self.norm(x)).log_softmax(dim=-1)",
            hint="The loss would be the same. But logits are the scores as they come out of w_out.",
        ),
        Misconception(
            "returned the scores of the last token only",
            replace=RETURN,
            by="return self.w_out(self.norm(x))[:, -1]",
            hint="In training every position predicts the token after it: (batch, seq, vocabulary). generate picks the "
            "last one itself.",
            check="shapes",
        ),
        Misconception(
            "returned the likeliest tokens",
            replace=RETURN,
            by="return self.w_out(self.norm(x)).argmax(dim=-1)",
            hint="The loss needs the scores of all tokens. Choosing one is generate's task.",
            check="shapes",
        ),
        Misconception(
            "added the whole table",
            replace="self.positions[:seq]",
            by="self.positions",
            hint="The table has a row for each place of the context, and a sentence may be shorter: take as many "
            "rows as "
            "it has words.",
            check="shapes",
        ),
        # what is made in __init__
        Misconception(
            "did not note the context",
            replace="self.context = context",
            by="self.longest = context",
            hint="generate asks the model how many tokens it can read at once: model.context.",
            check="shapes",
        ),
        Misconception(
            "used one block for all layers",
            replace=BLOCKS,
            by="self.blocks = nn.ModuleList([Block(d_model, num_heads, 4 * d_model)] * num_layers)",
            hint="That list holds the same block several times. Each layer is a block of its own, with its own "
            "weights.",
            check="shapes",
        ),
        Misconception(
            "kept the blocks in a plain list",
            replace=BLOCKS,
            by=BLOCKS.replace("nn.ModuleList(", "list("),
            hint="torch does not look into lists, so none of the blocks' weights would ever be trained. Use "
            "nn.ModuleList.",
            check="shapes",
        ),
        Misconception(
            "made the hidden layers as wide as a word",
            replace="Block(d_model, num_heads, 4 * d_model)",
            by="Block(d_model, num_heads, d_model)",
            hint="The feed-forward layers have 4 · d_model hidden numbers.",
            check="shapes",
        ),
        Misconception(
            "made the positions a parameter",
            replace=f"{TABLE}",
            by="self.positions = nn.Parameter(position_table(context, d_model))",
            hint="GPT-2 has learned positions. Here the table stays as it is: no parameter, a buffer.",
            check="shapes",
        ),
        Misconception(
            "made an embedding for the positions",
            replace=f"{TABLE}",
            by="self.positions = nn.Embedding(context, d_model)",
            hint="GPT-2 does that: it learns them. Here they are your position_table, which stays as it is: no "
            "parameter, a buffer.",
            check="shapes",
        ),
        Misconception(
            "kept the table as a plain tensor",
            replace=f"{TABLE}",
            by="self.positions = position_table(context, d_model)",
            hint="The numbers are right. But model.to(device) moves parameters and buffers, and this tensor would stay "
            "behind on the CPU. register_buffer makes it one.",
        ),
        Misconception(
            "made a table as long as the vocabulary",
            replace="position_table(context, d_model)",
            by="position_table(vocabulary, d_model)",
            hint="There is a row for each place of the context.",
        ),
        Misconception(
            "left out the bias of the last layer",
            replace="nn.Linear(d_model, vocabulary)",
            by="nn.Linear(d_model, vocabulary, bias=False)",
            hint="Some models do without it. Here w_out has one, as nn.Linear makes it.",
            check="shapes",
        ),
        Misconception(
            "used the words' vectors again as the last layer's weight",
            replace="self.w_out = nn.Linear(d_model, vocabulary)",
            by="self.w_out = nn.Linear(d_model, vocabulary)\n        self.w_out.weight = self.tokens.weight",
            hint="Many models do that, to save parameters. Here w_out has a weight of its own.",
            check="shapes",
        ),
        Misconception(
            "began to count the positions at 1",
            replace="self.positions[:seq]",
            by="self.positions[1 : seq + 1]",
            hint="The first word has position 0, the first row of the table.",
        ),
        Misconception(
            "made as many blocks as a block has heads",
            replace="range(num_layers)",
            by="range(num_heads)",
            hint="num_layers says how many blocks there are, and num_heads is for each of them.",
            check="shapes",
        ),
        Misconception(
            "gave each block as many heads as there are layers",
            replace="Block(d_model, num_heads, 4 * d_model)",
            by="Block(d_model, num_layers, 4 * d_model)",
            hint="num_heads says how many heads a block has, and num_layers how many blocks there are.",
            check="shapes",
        ),
        Misconception(
            "returned the words instead of scores",
            replace=RETURN,
            by="return self.norm(x)",
            hint="The last layer is missing: w_out makes the scores of all tokens of the vocabulary of each word.",
            check="shapes",
        ),
        Misconception(
            "put the last norm behind w_out",
            replace=RETURN,
            by="return self.norm(self.w_out(x))",
            hint="The norm is d_model wide: it is for words. What comes out of w_out is a score for each token.",
            check="shapes",
        ),
        Misconception(
            "added the positions anew in front of every block",
            replace=f"{SUM}\n        {MASK}\n        {LOOP}",
            by=f"x = self.tokens(tokens)\n        {MASK}\n        {LOOP}".replace(
                "block(x, mask)", "block(x + self.positions[:seq], mask)"
            ),
            hint="What a block returns holds the positions already, so they are added again and again. Once, in front "
            "of the first block, is enough.",
        ),
        Misconception(
            "added the same row of the table to every word",
            replace=SUM,
            by="x = self.tokens(tokens) + self.positions[seq]",
            hint="A single row says nothing of where a word is. Each word gets the row of its own position.",
        ),
    ),
    alternatives=(
        Alternative(
            "torch's functions for a mask and a loop over numbers",
            """
class TinyGPT(nn.Module):
    def __init__(self, vocabulary, context, d_model, num_heads, num_layers):
        super().__init__()
        self.context = context
        self.tokens = nn.Embedding(vocabulary, d_model)
        self.register_buffer("positions", position_table(context, d_model), persistent=False)
        self.blocks = nn.ModuleList()
        for _ in range(num_layers):
            self.blocks.append(Block(d_model, num_heads, d_hidden=d_model * 4))
        self.norm = nn.LayerNorm(d_model)
        self.w_out = nn.Linear(d_model, vocabulary)

    def forward(self, tokens):
        batch, seq = tokens.shape
        x = self.tokens(tokens)
        x = x + self.positions[torch.arange(seq)].unsqueeze(0)
        mask = torch.tril(torch.ones(seq, seq, device=tokens.device)).bool()
        for index in range(len(self.blocks)):
            x = self.blocks[index](x, mask=mask)
        x = self.norm(x)
        return x @ self.w_out.weight.T + self.w_out.bias
""",
        ),
        Alternative(
            "positions looked up, blocks passed through by a helper",
            """
class TinyGPT(nn.Module):
    def __init__(self, vocabulary, context, d_model, num_heads, num_layers):
        super().__init__()
        self.context, self.num_layers = context, num_layers
        self.tokens = nn.Embedding(num_embeddings=vocabulary, embedding_dim=d_model)
        self.register_buffer("positions", position_table(context, d_model))
        self.norm = nn.LayerNorm(d_model)
        self.w_out = nn.Linear(d_model, vocabulary)
        self.blocks = nn.ModuleList(Block(d_model, num_heads, 4 * d_model) for _ in range(num_layers))

    def through_blocks(self, x):
        seq = x.size(-2)
        mask = torch.arange(seq)[:, None] >= torch.arange(seq)[None, :]
        for block in self.blocks:
            x = block(x, mask.to(x.device))
        return x

    def forward(self, tokens):
        places = torch.arange(tokens.size(1), device=tokens.device).expand_as(tokens)
        embedded = torch.add(self.tokens(tokens), nn.functional.embedding(places, self.positions))
        return self.w_out(self.norm(self.through_blocks(embedded)))
""",
        ),
        Alternative(
            "a mask for the whole context, made once",
            """
class TinyGPT(nn.Module):
    def __init__(self, vocabulary: int, context: int, d_model: int, num_heads: int, num_layers: int):
        super().__init__()
        self.context = context
        self.tokens = nn.Embedding(vocabulary, d_model)
        self.blocks = nn.ModuleList([Block(d_model, num_heads, 4 * d_model) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(d_model)
        self.w_out = nn.Linear(d_model, vocabulary)
        self.register_buffer("positions", position_table(context, d_model))
        self.register_buffer("mask", causal_mask(context))

    def forward(self, tokens: Tensor) -> Tensor:
        seq = tokens.size(1)
        x = self.tokens.weight[tokens] + self.positions[:seq]
        for block in self.blocks:
            x = block(x, self.mask[:seq, :seq])
        return self.w_out(self.norm(x))
""",
        ),
    ),
    builds_on=("position_table", "Block", "FeedForward"),
    probe=scores_and_facts,
    forbids=FORBIDS,
)
