"""`load_attention`: fills a layer with the tensors of a published model."""

from collections.abc import Sequence

from autograder.declare import Alternative, Call, Case, Draw, Exercise, Misconception, families

from ._shared import FORBIDS, OVERWRITTEN


def published_tensors(draw: Draw, change: str = "none", numbers: Sequence[int] = ()) -> Call:
    """Draw a small model's attention tensors, 4 for each layer (query, key, value, output), and which layer to load.

    Args:
        numbers: the layers' numbers, where they are not 0, 1, 2 and so on. Layer 1 is loaded then.
        change: what happens to the tensors, "ROLE" standing for the name of one of the four layers.
    """
    (num_heads,) = draw.sizes("num_heads", low=3, high=3)
    (d_head,) = draw.sizes("d_head", low=2, high=2)
    layers = len(numbers) or draw.sizes("layers", low=4, high=5)[0]
    d_model = num_heads * d_head
    draw.named(d_model=d_model)
    role = ("self.query", "self.key", "self.value", "output.dense")[draw.integer(0, 3)]
    return Call(
        {
            "_weights": draw.normal(layers, 4, d_model, d_model),
            "_biases": draw.normal(layers, 4, d_model),
            "_numbers": list(numbers or range(layers)),
            "index": 1 if numbers else draw.integer(1, layers - 2),  # neither the first nor the last
            "_change": change.replace("ROLE", role),
        }
    )


def loads(load_attention, weights, biases, numbers, index, change):
    """Load one layer of a small model whose tensors have MiniLM's names."""
    from torch import nn

    class Layer(nn.Module):
        def __init__(self, d_model, num_heads):
            super().__init__()
            self.num_heads = num_heads
            self.w_q, self.w_k, self.w_v, self.w_o = (nn.Linear(d_model, d_model) for _ in range(4))

    tensors = {}
    for number, weight, bias in zip(numbers, weights, biases, strict=True):
        for place, role in enumerate(("self.query", "self.key", "self.value", "output.dense")):
            name = f"encoder.layer.{number}.attention.{role}"
            tensors[f"{name}.weight"] = weight[place].clone()
            tensors[f"{name}.bias"] = bias[place].clone()
    layer = Layer(weights.shape[-1], 2)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    changed = f"encoder.layer.{index}.attention.{change.split(' ')[0]}"
    if changed in tensors:
        if change.endswith("is missing"):
            del tensors[changed]
        else:
            tensor = tensors[changed]
            narrower = tensor[:, :1] if change.endswith("column") else tensor[:1]
            tensors[changed] = tensor[None] if change.endswith("dimensions") else narrower
        try:
            load_attention(layer, tensors, index)
        except NotImplementedError:
            raise
        except Exception:  # which kind is up to the learner
            return "an error"
        role, _, kind = change.split(" ")[0].rpartition(".")
        linear = getattr(layer, {"self.query": "w_q", "self.key": "w_k", "self.value": "w_v"}.get(role, "w_o"))
        filled = getattr(linear, kind).detach().count_nonzero() > 0
        return f"no error, and a parameter that was {'filled with it' if filled else 'left as it was'}"
    load_attention(layer, tensors, index)
    if change != "none":
        for tensor in tensors.values():
            tensor.zero_()
    return dict(layer.named_parameters())


CHECK_SHAPE = """if theirs.shape != ours.shape:
                    shapes = f"{tuple(theirs.shape)}, not {tuple(ours.shape)}"
                    raise ValueError(f"{name}.{kind} has the shape {shapes}")"""

EXERCISE = Exercise(
    name="load_attention",
    returns=("The loaded layer",),
    cases=(
        Case("a layer in the middle of the model", published_tensors),
        Case(
            "layer 1 of a model that has layers 10 and 11, too",
            lambda draw: published_tensors(draw, numbers=(0, 1, 2, 10, 11)),
        ),
        Case(
            "the tensors change after loading",
            lambda draw: published_tensors(draw, "all tensors are set to 0 after loading"),
        ),
        Case("a tensor is missing", lambda draw: published_tensors(draw, "ROLE.bias is missing")),
        Case("a bias does not fit", lambda draw: published_tensors(draw, "ROLE.bias holds a single number")),
        Case("a bias is a row", lambda draw: published_tensors(draw, "ROLE.bias has two dimensions")),
        Case("a weight does not fit", lambda draw: published_tensors(draw, "ROLE.weight holds a single row")),
        Case("a weight is narrower", lambda draw: published_tensors(draw, "ROLE.weight holds a single column")),
    ),
    misconceptions=(
        Misconception(
            "swapped queries and keys",
            replace='layer.w_q: f"{place}.self.query",\n        layer.w_k: f"{place}.self.key"',
            by='layer.w_k: f"{place}.self.query",\n        layer.w_q: f"{place}.self.key"',
            hint="Each query would be compared the wrong way round. Match the names one by one.",
        ),
        Misconception(
            "loaded the keys' weights as values",
            replace='layer.w_v: f"{place}.self.value"',
            by='layer.w_v: f"{place}.self.key"',
            hint="Where to look would be right, and what is handed over would not. Values have tensors of their own.",
        ),
        Misconception(
            "swapped values and output",
            replace='layer.w_v: f"{place}.self.value",\n        layer.w_o: f"{place}.output.dense"',
            by='layer.w_o: f"{place}.self.value",\n        layer.w_v: f"{place}.output.dense"',
            hint="All four have the same shape here, so nothing complains. “output.dense” is what comes last.",
        ),
        Misconception(
            "forgot the output projection",
            replace='        layer.w_o: f"{place}.output.dense",\n',
            by="",
            hint="w_o still holds what it was made with, so whatever the heads find is scrambled on its way out.",
        ),
        Misconception(
            "always loaded the first layer",
            replace="encoder.layer.{index}",
            by="encoder.layer.0",
            hint="All layers of the model would be copies of the first one. The index belongs in the name.",
        ),
        Misconception(
            "counted the layers from 1",
            replace="encoder.layer.{index}",
            by="encoder.layer.{index - 1}",
            hint="You have loaded the layer before the one that was asked for. In the names, too, the first is 0.",
        ),
        Misconception(
            "loaded the layer after it",
            replace="encoder.layer.{index}",
            by="encoder.layer.{index + 1}",
            hint="You have loaded the layer after the one that was asked for. In the names, too, the first is 0.",
        ),
        Misconception(
            "forgot the biases",
            replace='("weight", "bias")',
            by='("weight",)',
            hint="Each of the four layers has two parameters. The other one still holds what it was made with.",
        ),
        Misconception(
            "transposed the weights",
            replace="ours.copy_(theirs)",
            by="ours.copy_(theirs.T)",
            hint="These models were saved from nn.Linear layers, so their weights are stored as yours are. There is "
            "no error because all of them are square.",
        ),
        Misconception(
            "used the file's own tensors instead of copying their numbers",
            replace="ours.copy_(theirs)",
            by="ours.data = theirs",
            hint="Your layer and the file's tensors are the same memory now: changing one changes both, and "
            "training your layer would ruin what was loaded. Copy the numbers into the parameters that are there.",
        ),
        families.recorded_by_torch("let torch record the copying", OVERWRITTEN),
        Misconception(
            "put a plain tensor in the place of a parameter",
            replace="ours.copy_(theirs)",
            by="setattr(linear, kind, theirs)",
            hint="Only a parameter can be there. Leave the parameter where it is, and copy the numbers into it.",
            check="shapes",
        ),
        Misconception(
            "left “attention” out of the names",
            replace="encoder.layer.{index}.attention",
            by="encoder.layer.{index}",
            hint="There is no such tensor. Look at the list of names once more: what is between the layer's number "
            "and “self”?",
            check="shapes",
        ),
        Misconception(
            "loaded into a copy of the layer",
            shown_by=("deepcopy|copy",),
            replace='place = f"encoder',
            by='layer = copy.deepcopy(layer)\n    place = f"encoder',
            hint="The layer that you were given is as it was before. Its own parameters are to be filled.",
            check="shapes",
        ),
        Misconception(
            "did not look at the shapes",
            replace=CHECK_SHAPE,
            by="pass",
            hint="copy_ repeats a single number until it fits, without an error. The layer is wrong then, and "
            "nothing shows it. Compare the shapes before you copy.",
        ),
        Misconception(
            "ignored a tensor that is missing",
            replace='tensors[f"{name}.{kind}"]',
            by='tensors.get(f"{name}.{kind}", getattr(linear, kind))',
            hint="One parameter stays as it was made, and nothing shows it. What cannot be right should stop with "
            "an error.",
        ),
        Misconception(
            "gave the tensor the parameter's name instead of copying its numbers",
            replace="ours.copy_(theirs)",
            by="ours = theirs",
            hint="A name points to something else now, and the layer is as it was before. The numbers have to go into "
            "the parameter that is there.",
            shown_by=("no copy_|copy|deepcopy|data|set_|load_state_dict",),
            check="shapes",
        ),
        Misconception(
            "left the layer as it was",
            replace="ours.copy_(theirs)",
            by="ours.clone().copy_(theirs)",
            hint="Nothing has arrived in the parameters of the layer that you were given. Its own are to be filled.",
            check="shapes",
        ),
        Misconception(
            "compared the numbers of entries instead of the shapes",
            replace=f"{CHECK_SHAPE}\n                ours.copy_(theirs)",
            by="ours.copy_(theirs.view_as(ours))",
            hint="A tensor of another shape is another thing, also where it has as many entries: read in the wrong "
            "order it fits, and nothing shows it. Compare the shapes themselves.",
        ),
        Misconception(
            "swapped keys and values",
            replace='layer.w_k: f"{place}.self.key",\n        layer.w_v: f"{place}.self.value"',
            by='layer.w_v: f"{place}.self.key",\n        layer.w_k: f"{place}.self.value"',
            hint="What a word offers and what it hands over have changed places. Match the names one by one.",
        ),
        Misconception(
            "swapped queries and values",
            replace='        layer.w_q: f"{place}.self.query",\n'
            '        layer.w_k: f"{place}.self.key",\n'
            '        layer.w_v: f"{place}.self.value"',
            by='        layer.w_v: f"{place}.self.query",\n'
            '        layer.w_k: f"{place}.self.key",\n'
            '        layer.w_q: f"{place}.self.value"',
            hint="What a word looks for and what it hands over have changed places. Match the names one by one.",
        ),
        Misconception(
            "loaded the queries' weights as keys",
            replace='layer.w_k: f"{place}.self.key"',
            by='layer.w_k: f"{place}.self.query"',
            hint="Each word would look for words like itself. Keys have tensors of their own.",
        ),
        Misconception(
            "compared the shapes of the weights, and not those of the biases",
            replace="if theirs.shape != ours.shape:",
            by='if kind == "weight" and theirs.shape != ours.shape:',
            hint="copy_ repeats a single number until it fits, without an error, and takes a row for a bias. Compare "
            "the shapes of both before you copy.",
        ),
        Misconception(
            "compared the shapes of the biases, and not those of the weights",
            replace="if theirs.shape != ours.shape:",
            by='if kind == "bias" and theirs.shape != ours.shape:',
            hint="copy_ repeats a single row until it fits, without an error. Compare the shapes of both before you "
            "copy.",
        ),
        Misconception(
            "left out a tensor that does not fit, without an error",
            replace=CHECK_SHAPE,
            by="if theirs.shape != ours.shape:\n                    continue",
            hint="One parameter stays as it was made, and nothing shows it. What cannot be right should stop with an "
            "error.",
        ),
        Misconception(
            "looked through all names for the layer's number, and took layer 10 for layer 1 as well",
            replace='ours, theirs = getattr(linear, kind), tensors[f"{name}.{kind}"]',
            by='ours, (_, last) = getattr(linear, kind), place.split("encoder")\n'
            '                ending, beginning = name.removeprefix(place), place.removesuffix(".attention")\n'
            "                found = [\n"
            "                    tensor for full, tensor in tensors.items()\n"
            '                    if full.startswith(beginning) and full.endswith(f"{ending}.{kind}")\n'
            "                ]\n"
            "                theirs = found[-1] if found else ours",
            hint="“encoder.layer.10” begins with “encoder.layer.1”, too, so that later layers overwrite yours. And "
            "where a tensor is missing, nothing says so. You know the whole name: ask for it.",
        ),
        Misconception(
            "compared the lengths of the tensors instead of their shapes",
            replace="if theirs.shape != ours.shape:",
            by="if len(theirs) != len(ours):",
            hint="len is the first size alone, and copy_ repeats a single column until it fits, without an error. "
            "Compare the shapes themselves.",
        ),
        Misconception(
            "loaded the values' weights as the output projection",
            replace='layer.w_o: f"{place}.output.dense"',
            by='layer.w_o: f"{place}.self.value"',
            hint="What is handed over would be changed the same way twice, and the heads' findings never be put "
            "together as they were trained to be. “output.dense” has tensors of its own.",
        ),
        Misconception(
            "took a name that contains the layer's number for the layer's own, so that layer 10 counts for layer 1",
            replace='tensors[f"{name}.{kind}"]',
            by="[tensors[full] for full in tensors if place.removesuffix('.attention') in full\n"
            "                    and f'{name.removeprefix(place)}.{kind}' in full][-1]",
            hint="“layer.1” is a part of “layer.10”, too, and the last name that was found is that of another layer. "
            "You know the whole name: ask for it.",
        ),
    ),
    alternatives=(
        Alternative(
            "load_state_dict, which looks at names and shapes itself",
            """
def load_attention(layer, tensors, index):
    place = f"encoder.layer.{index}.attention."
    theirs = {"w_q": "self.query", "w_k": "self.key", "w_v": "self.value", "w_o": "output.dense"}
    state = {}
    for ours, name in theirs.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = tensors[f"{place}{name}.{kind}"]
    layer.load_state_dict(state)
""",
        ),
        Alternative(
            "one line a parameter, with a function that checks",
            """
def load_attention(layer, tensors, index):
    def put(parameter, name):
        tensor = tensors[f"encoder.layer.{index}.attention.{name}"]
        assert tensor.shape == parameter.shape, name
        parameter.data.copy_(tensor)

    put(layer.w_q.weight, "self.query.weight")
    put(layer.w_q.bias, "self.query.bias")
    put(layer.w_k.weight, "self.key.weight")
    put(layer.w_k.bias, "self.key.bias")
    put(layer.w_v.weight, "self.value.weight")
    put(layer.w_v.bias, "self.value.bias")
    put(layer.w_o.weight, "output.dense.weight")
    put(layer.w_o.bias, "output.dense.bias")
    return layer
""",
        ),
        Alternative(
            "new parameters",
            """
def load_attention(layer, tensors, index):
    for linear, name in (
        (layer.w_q, "self.query"), (layer.w_k, "self.key"), (layer.w_v, "self.value"), (layer.w_o, "output.dense")
    ):
        for kind in ("weight", "bias"):
            key = f"encoder.layer.{index}.attention.{name}.{kind}"
            if key not in tensors:
                raise KeyError(f"there is no {key}")
            if tensors[key].shape != getattr(linear, kind).shape:
                raise ValueError(f"{key} does not fit")
            setattr(linear, kind, nn.Parameter(tensors[key].clone()))
""",
        ),
    ),
    forbids=FORBIDS,
    probe=loads,
)
