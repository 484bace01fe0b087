"""Shows every tensor of the learner's layer, from x to the output, and its costs, for any number of heads.

The third chapter shows `projection_explorer(head_width, ParallelHeads)`. Both are called at every redraw, and the
picture shows what they do: a layer whose heads are too wide is drawn too wide, with a line that says so.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import ipywidgets as widgets

from .explorer import Explorer, View
from .learner_code import CannotDraw, ask, came, code
from .projection_flow import Flow, draw_flow, draw_remainder, in_brackets, in_bytes, in_words
from .trace_layer import Layer, LayerRun, Shape, run_layer

HeadWidth = Callable[[int, int], int]

D_MODELS = (24, 48, 96, 192, 384, 512, 768)
# Five times a power of 2, unlike d_head and d_model, so that each number in a shape is recognisable.
SEQS = tuple(5 * 2**power for power in range(10))  # 5 … 2560
MOST_HEADS = 48
_MOST_THAT_DO_NOT_DIVIDE = 16


@dataclass(frozen=True)
class Fault:
    """Something that is not as it should be.

    Args:
        sentence: HTML
        shapes: by part, the given shape and the expected one; empty for other faults
    """

    sentence: str
    shapes: Mapping[str, tuple[Shape, Shape]] = field(default_factory=dict)


def heads_that_divide(d_model: int) -> tuple[int, ...]:
    """Return the numbers of heads that share `d_model` out evenly, up to MOST_HEADS."""
    return tuple(heads for heads in range(1, MOST_HEADS + 1) if d_model % heads == 0)


def heads_that_do_not(d_model: int) -> tuple[int, ...]:
    """Return some numbers of heads that do not divide `d_model`."""
    return tuple(heads for heads in range(2, _MOST_THAT_DO_NOT_DIVIDE + 1) if d_model % heads)


def look_at_layer(head_width: HeadWidth, layer: Layer, d_model: int, num_heads: int, seq: int) -> View:
    """Return the picture of the learner's layer on one sentence.

    Args:
        head_width: `head_width(d_model, num_heads) -> d_head`
        layer: the class, `layer(d_model, num_heads)`
    """
    try:
        width = ask("head_width", head_width, d_model, num_heads)
        run = run_layer(layer, d_model, num_heads, seq)
        one_head = _one_head(layer, run, d_model, seq) if num_heads > 1 else None
    except CannotDraw as reason:
        return View(warning=str(reason))
    faults = [*_wrong_width(width, d_model, num_heads), *find_faults(run, d_model, num_heads)]
    wrong = {part: shapes for fault in faults for part, shapes in fault.shapes.items()}
    return View(
        draw_flow(Flow(run, one_head, wrong)),
        describe(run, one_head),
        warning=" ".join([run.stopped, *(fault.sentence for fault in faults[:2])]).strip(),
    )


def _one_head(layer: Layer, run: LayerRun, d_model: int, seq: int) -> LayerRun | None:
    if run.stopped:
        return None
    try:
        alone = run_layer(layer, d_model, 1, seq)
    except CannotDraw:
        return None
    return None if alone.stopped else alone


def look_at_remainder(head_width: HeadWidth, layer: Layer, d_model: int, num_heads: int) -> View:
    """Return the picture of features that cannot be shared out evenly, and the learner's error message."""
    share, rest = divmod(d_model, num_heads)
    left_over = f"{num_heads} heads of {share} features use {num_heads * share} of the {d_model}; {rest} would be left."
    call = code(f"head_width({d_model}, {num_heads})")
    try:
        given: Any = head_width(d_model, num_heads)
    except NotImplementedError as error:
        if not str(error):
            return View(warning=_not_written(head_width, d_model, num_heads))
        said, warning = _raised(call, error), f"A {code('ValueError')} is asked for here."
    except ValueError as error:
        said = _raised(call, error)
        missing = [str(number) for number in (d_model, num_heads) if str(number) not in str(error)]
        warning = f"The message does not name {' and '.join(missing)}." if missing else ""
    except Exception as error:
        said, warning = _raised(call, error), f"A {code('ValueError')} is asked for here."
    else:
        what = code(f"{given!r:.80}") if isinstance(given, (int, float)) else came(given)
        said, warning = f"{call} returns {what}.", f"{code('head_width')} lets this pass and should raise an error."
    return View(draw_remainder(d_model, num_heads), (left_over, said), warning)


def _not_written(head_width: HeadWidth, d_model: int, num_heads: int) -> str:
    try:
        ask("head_width", head_width, d_model, num_heads)
    except CannotDraw as reason:
        return str(reason)
    return ""


def _raised(call: str, error: Exception) -> str:
    return f"{call} says: <b>{type(error).__name__}: {html.escape(str(error)[:300])}</b>"


def _wrong_width(width: object, d_model: int, num_heads: int) -> Iterator[Fault]:
    d_head = d_model // num_heads
    if isinstance(width, bool) or not isinstance(width, (int, float)):
        yield Fault(f"{code('head_width')} should return a whole number; {came(width)}.")
    elif width != d_head:
        yield Fault(f"{code(f'head_width({d_model}, {num_heads})')} returns {width}, and {d_head} is right.")
    elif not isinstance(width, int):
        yield Fault(f"{code('head_width')} returns the float {width}; a width is a whole number.")


def find_faults(run: LayerRun, d_model: int, num_heads: int) -> list[Fault]:
    """Return what is not as it should be in the layer's run, from x to the output."""
    d_head, (batch, seq, _) = d_model // num_heads, run.x
    narrow, square, wide = (batch, seq, d_head), (batch, seq, seq), (batch, seq, d_model)
    faults = []
    if len(run.heads) != num_heads:
        faults.append(Fault(f"The layer has {len(run.heads)} heads, and num_heads is {num_heads}."))
    for part, subject, came_by_head, expected in (
        ("q", "Queries, keys and values", [_odd_one((h.q, h.k, h.v), narrow) for h in run.heads], narrow),
        ("weights", "The weights", [head.weights for head in run.heads], square),
        ("head output", "The outputs", [head.output for head in run.heads], narrow),
    ):
        wrong = {head: shape for head, shape in enumerate(came_by_head) if shape is not None and shape != expected}
        if wrong:
            whose = "each head" if len(wrong) == len(run.heads) else f"head {next(iter(wrong))}"
            faults.append(_wrong_shape(f"{subject} of {whose}", part, next(iter(wrong.values())), expected))
    for part, subject, shape, expected in (
        ("concat", "The vectors that go into w_o", run.concat, wide),
        ("output", "The outputs of the layer", run.output, wide),
        ("all weights", "The weights that the layer returns", run.weights, (batch, num_heads, seq, seq)),
    ):
        if shape is not None and shape != expected:
            faults.append(_wrong_shape(subject, part, shape, expected))
    return faults or list(_wrong_costs(run, d_model))


def _odd_one(shapes: Sequence[Shape], expected: Shape) -> Shape:
    """Return the first of `shapes` that is not as expected, or else the first."""
    return next((shape for shape in shapes if shape != expected), shapes[0])


def _wrong_shape(subject: str, part: str, shape: Shape, expected: Shape) -> Fault:
    sentence = f"{subject} have the shape {in_brackets(shape)}, not {in_brackets(expected)}."
    return Fault(sentence, {part: (shape, expected)})


def _wrong_costs(run: LayerRun, d_model: int) -> Iterator[Fault]:
    """Say what shapes do not show: parts that are shared, missing or unused."""
    if run.stopped:
        return
    seq = run.x[1]
    parameters = 4 * (d_model**2 + d_model)
    flops = 8 * seq * d_model**2 + 4 * seq**2 * d_model
    if run.parameters != parameters:
        fewer = run.parameters < parameters
        guess = "Do heads share a layer, or is a bias missing?" if fewer else "Which of them are not asked for?"
        yield Fault(f"The layer has {run.parameters:,} parameters, and {parameters:,} were expected. {guess}")
    if not run.called_w_o and run.flops < flops:
        yield Fault(f"{code('w_o')} is made and never called: the heads' outputs stay side by side.")
    elif run.flops > 1.01 * flops:
        yield Fault(
            f"The layer does {run.flops / flops:.1f} times the work that is needed. Is every head run more than once?"
        )


def describe(run: LayerRun, one_head: LayerRun | None) -> tuple[str, ...]:
    """Say in paragraphs of HTML what `draw_flow` shows."""
    head, heads = run.heads[0], len(run.heads)
    each = f"In <b>each of the {heads} heads</b>" if heads > 1 else "In the <b>one head</b>"
    way = (
        f"x {in_brackets(run.x)}. {each}: q, k, v {in_brackets(head.q)}; scores and weights {_or_none(head.weights)}; "
        f"output {_or_none(head.output)}. Side by side {_or_none(run.concat)}; through w_o {_or_none(run.output)}."
    )
    if run.stopped:
        return (way,)
    costs = [
        f"<b>{number}</b> {what}{_compared(own, None if one_head is None else getattr(one_head, name))}"
        for number, what, own, name in (
            (f"{run.parameters:,}", "parameters", run.parameters, "parameters"),
            (in_words(run.flops), "FLOPs", run.flops, "flops"),
            (in_bytes(run.score_bytes), "of scores", run.score_bytes, "score_bytes"),
        )
    ]
    return way, f"{'; '.join(costs)}. Grey in the bars: w_o. Counted while your layer ran on one sentence."


def _compared(own: int, alone: int | None) -> str:
    if not alone:
        return ""
    return ", as with one head" if own == alone else f", {own / alone:.3g} times as much as with one head"


def _or_none(shape: Shape | None) -> str:
    return in_brackets(shape) if shape is not None else "(not reached)"


class ProjectionExplorer(Explorer):
    """An explorer whose numbers of heads follow d_model and the switch: those that divide it, or those that do not.

    Where the number that was chosen is not among them, it is the nearest until the chosen one is there again.
    """

    def __init__(self, *given: Any, **named: Any) -> None:
        self._fitting = False
        self._chosen: dict[bool, int] = {}  # by the switch
        super().__init__(*given, **named)

    def _redraw(self, _change: Any = None) -> None:
        if self._fitting:  # the slider reports each step of its own refitting
            return
        slider = self.controls["num_heads"]
        if _change is None or _change["owner"] is slider:
            self._chosen[self.controls["uneven"].value] = slider.value
        self._fitting = True
        try:
            self._fit()
        finally:
            self._fitting = False
        super()._redraw(_change)

    def _fit(self) -> None:
        slider: Any = self.controls["num_heads"]
        d_model, uneven = self.controls["d_model"].value, self.controls["uneven"].value
        options = heads_that_do_not(d_model) if uneven else heads_that_divide(d_model)
        chosen = self._chosen.get(uneven, slider.value)
        nearest = min(options, key=lambda heads: abs(heads - chosen))
        if tuple(slider.options) != options:
            slider.options = options
        slider.value = nearest


def projection_explorer(head_width: HeadWidth, layer: Layer) -> Explorer:
    """Return the widget: sliders for num_heads, d_model and seq, the flow of tensors, and the costs.

    Args:
        head_width: the learner's `head_width(d_model, num_heads) -> d_head`
        layer: the learner's class, `ParallelHeads(d_model, num_heads)`
    """

    def look(num_heads: int, d_model: int, seq: int, *, uneven: bool) -> View:
        if uneven:
            return look_at_remainder(head_width, layer, d_model, num_heads)
        return look_at_layer(head_width, layer, d_model, num_heads, seq)

    def slider(description: str, options: tuple[int, ...], value: int) -> widgets.SelectionSlider:
        return widgets.SelectionSlider(
            options=options,
            value=value,
            description=description,
            layout=widgets.Layout(width="380px"),
        )

    controls = {
        "num_heads": slider("num_heads", heads_that_divide(512), 8),
        "d_model": slider("d_model", D_MODELS, 512),
        "seq": slider("seq", SEQS, 10),
        "uneven": widgets.Checkbox(
            value=False,
            description="try a number that does not divide d_model",
            indent=False,
            layout={"width": "380px"},
        ),
    }
    return ProjectionExplorer(controls, rows=[["num_heads", "uneven"], ["d_model", "seq"]], look=look)
