"""``spikeloom check``: say whether a model can be converted."""

from __future__ import annotations

import click
from rich.markup import escape

from spikeloom.sw.cli.common import ZOO, parse_shape, require_model, table, zoo_in_help
from spikeloom.sw.cli.completion import completing
from spikeloom.sw.cli.output import console, json_option, print_json, say


@click.command()
@click.argument("model", shell_complete=completing(lambda: ZOO))
@click.option(
    "--input-shape",
    metavar="C,H,W",
    help="Shape of one image, such as 1,28,28, of one signal, such as 6,100, or a number of "
    "features; by default the model's attribute input_shape. "
    "Without either, what depends on shapes is not checked.",
)
@click.option(
    "--task",
    type=click.Choice(("classes", "labels", "values")),
    help="Meaning of the outputs: one class of several, several labels at once, or real values. A "
    "model with one output needs it.",
)
@json_option
@click.pass_context
@zoo_in_help
def command(
    ctx: click.Context, model: str, input_shape: str | None, task: str | None, as_json: bool
) -> None:
    """Say, node by node, whether MODEL can be converted, and what stands in the way.

    MODEL is a model of the zoo ({zoo}), FILE.py:NAME, a torch.nn.Module class
    or a function that returns a model, or FILE.onnx. FILE.py is run as Python. The exit status is 1
    if the model cannot be converted.

    \b
        spikeloom check digits-conv
        spikeloom check mynet.py:Net --input-shape 1,28,28
    """
    shape = parse_shape(input_shape) if input_shape else None
    require_model(model)

    from spikeloom.sw.graph import analyse, layers_in_hardware, trace
    from spikeloom.sw.models.spec import build_model
    from spikeloom.sw.quantized import check

    built = build_model(model)
    if shape is None:
        shape = getattr(built, "input_shape", None)
    reports = check(built, shape, task)
    convertible = all(report.supported for report in reports)
    layers = layers_in_hardware(analyse(trace(built), shape, task)) if convertible else ()
    if as_json:
        print_json(
            {
                "model": model,
                "convertible": convertible,
                "input_shape": None if shape is None else list(shape),
                "nodes": [
                    {
                        "node": report.node,
                        "what": report.what,
                        "supported": report.supported,
                        "reason": report.reason,
                        "where": report.where or None,
                    }
                    for report in reports
                ],
                "layers": [
                    {
                        "name": layer.name,
                        "shape": None if layer.shape is None else list(layer.shape),
                        "reads": layer.reads,
                        "activation": layer.activation,
                        "neuron": layer.neuron,
                    }
                    for layer in layers
                ],
            }
        )
    out = console()
    verdicts = table("", "node", "what", "verdict")
    for report in reports:
        mark = "[green]ok[/]" if report.supported else "[red]NO[/]"
        reason = report.reason
        if report.where and not report.supported:
            reason += f" [{report.where}]"
        verdicts.add_row(mark, *map(escape, (report.node, report.what, reason)))
    out.print(verdicts)
    obstacles = sum(not report.supported for report in reports)
    if obstacles:
        places = "1 place" if obstacles == 1 else f"{obstacles} places"
        say(f"{model} cannot be converted: mend {places} marked NO")
        ctx.exit(1)
    made = table("layer", "shape", "reads", "activation", "neurons")
    for layer in layers:
        size = "?" if layer.shape is None else "x".join(map(str, layer.shape))
        made.add_row(*map(escape, (layer.name, size, layer.reads, layer.activation, layer.neuron)))
    out.print(made)
    if shape is None:
        say(
            "not checked, since the shape of an image is not known: sizes of feature maps, of "
            "additions and of fully connected layers; give --input-shape"
        )
    say(f"{model} can be converted")
