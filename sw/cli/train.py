"""``spikeloom train``: train a model with quantized activations and weights, or by a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw import recipes
from spikeloom.sw.cli.common import (
    DATASETS,
    ZOO,
    data_options,
    epoch_options,
    parse_by_channel,
    parse_numbers,
    parse_per_layer,
    parse_shift,
    table,
    zoo_in_help,
)
from spikeloom.sw.cli.completion import completing
from spikeloom.sw.cli.output import bars, console, json_option, print_json, say, say_report
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.cli.recipe import is_recipe, list_recipes, train_by_recipe
from spikeloom.sw.cli.scores import score_text, show_report
from spikeloom.sw.cli.settings import was_given
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.names import nearest, unknown_model

#: Of :func:`spikeloom.sw.training.train`; here, so that ``--help`` need not import torch.
LR = 5e-3
TUNE_LR = 4e-3
#: Names of :class:`spikeloom.sw.training.losses.TargetLoss`; here, for the same reason.
LOSSES = ("cross_entropy", "focal", "bce", "mse")


@click.command()
@click.argument(
    "target",
    metavar="MODEL|RECIPE",
    shell_complete=completing(lambda: [*ZOO, *recipes.committed()]),
)
@data_options(default="digits")
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Begin with the weights in a file: .safetensors, .pth or .pt. The first phase is then "
    "left out unless --epochs is given.",
)
@click.option(
    "--timesteps",
    metavar="T",
    default="4",
    show_default=True,
    help="Levels of each activation, which become the timesteps of its layer: one number, or "
    "numbers by layer, as in conv1=8,default=4.",
)
@click.option(
    "--weight-bits",
    metavar="BITS",
    default="8",
    show_default=True,
    help="Bits of the weights, 2 to 16: one number, or numbers by layer, as in first=8,default=4.",
)
@epoch_options
@click.option(
    "--lr",
    type=float,
    metavar="RATE",
    default=LR,
    show_default=True,
    help="Learning rate of the first phase.",
)
@click.option(
    "--tune-lr",
    type=float,
    metavar="RATE",
    default=TUNE_LR,
    show_default=True,
    help="Learning rate of the second phase.",
)
@click.option(
    "--batch-size",
    type=int,
    metavar="N",
    default=64,
    show_default=True,
    help="Images per training step.",
)
@click.option(
    "--shift",
    metavar="N",
    help="Move training images at random by up to N pixels, or by up to ROWS,COLUMNS as in 0,2. "
    "By default 1 for the data sets that have names, and 0 for data of your own.",
)
@click.option(
    "--input-bits",
    type=click.IntRange(1, 16),
    metavar="BITS",
    help="Bits of a pixel, if fewer than the images have: they are rounded, in training and later.",
)
@click.option(
    "--mean",
    metavar="M[,M...]",
    help="Mean that the model's images are normalised by, of images from 0 to 1: one number, or "
    "one for each channel, as in 0.485,0.456,0.406.",
)
@click.option(
    "--std",
    metavar="S[,S...]",
    help="Standard deviation that the model's images are normalised by.",
)
@click.option("--flip", is_flag=True, help="Mirror half of the training images, left and right.")
@click.option(
    "--cutout",
    type=click.IntRange(0),
    metavar="N",
    default=0,
    show_default=True,
    help="Blank a square of N pixels a side in each training image.",
)
@click.option(
    "--seed",
    type=int,
    metavar="N",
    default=0,
    show_default=True,
    help="Seed: with the same seed and number of threads, the result is the same.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Threads of torch; one is fastest for models as small as those of the zoo.",
)
@click.option(
    "--task",
    type=click.Choice(("classes", "labels", "values")),
    help="Meaning of the labels of data of your own, where type and shape do not show it: one "
    "class of several, several labels at once, or real values.",
)
@click.option(
    "--loss",
    metavar="NAME|FILE.py:FUNCTION",
    help=f"Loss: {', '.join(LOSSES)}, or a function of outputs and targets. By default "
    "cross_entropy for classes, bce for several labels, mse for values.",
)
@click.option(
    "--class-weights",
    metavar="balanced|W,W,...",
    help="Weight of each class, or of each label where it applies: numbers, or balanced, so that "
    "rare ones count as much as frequent ones.",
)
@click.option("--limit", type=int, metavar="N", help="Train on the first N images only.")
@click.option(
    "--out",
    required=True,
    type=Output(folder=True),
    help="File to write the trained model to (.safetensors); for a recipe, a folder.",
)
@click.option(
    "--recipes",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=list_recipes,
    help="List the recipes that come with Spikeloom.",
)
@json_option
@click.pass_context
@zoo_in_help
def command(
    ctx: click.Context,
    target: str,
    data: str,
    data_root: Path | None,
    weights: Path | None,
    timesteps: str,
    weight_bits: str,
    epochs: int,
    tune_epochs: int,
    lr: float,
    tune_lr: float,
    batch_size: int,
    shift: str | None,
    input_bits: int | None,
    mean: str | None,
    std: str | None,
    flip: bool,
    cutout: int,
    seed: int,
    threads: int,
    task: str | None,
    loss: str | None,
    class_weights: str | None,
    limit: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Train a model so that it can be converted without loss.

    MODEL is a model of the zoo ({zoo}), FILE.py:NAME, a torch.nn.Module class
    or a function that returns a model, or FILE.onnx. It is an ordinary model with ReLU or LeakyReLU
    activations. It is first trained as it is, and then with activations of T levels and weights of
    a few bits.

    RECIPE is a TOML file with all of these choices and more: data, phases, devices, conversion.
    A recipe that comes with Spikeloom is found by its name. --out is then a folder, which gets the
    trained model, the integer network, a log and the figures. The same command resumes a training
    that was interrupted. Only --out, --data-root, --weights, --seed and --threads can be given with
    a recipe.

    \b
        spikeloom train digits-conv --out trained.safetensors
        spikeloom train digits-mlp --timesteps 2 --weight-bits 4 --out trained.safetensors
        spikeloom train digits-residual --timesteps conv1=4,default=2 --out trained.safetensors
        spikeloom train mynet.py:Net --data mnist --data-root ~/mnist --out trained.safetensors
        spikeloom train digits-conv.toml --out runs/digits
        spikeloom train mnist-lenet5 --data-root ~/data --out runs/lenet5
    """
    if is_recipe(target):
        given = {
            name: value
            for name, value in ctx.params.items()
            # A recipe says what it needs itself, but not where this user's data lie.
            if was_given(name) or name == "data_root"
        }
        train_by_recipe(target, out, given)
        return
    _require_target(target)
    levels = parse_per_layer(timesteps, "timesteps")
    bits = parse_per_layer(weight_bits, "weight bits")
    by_class = None if class_weights is None else _parse_weights(class_weights)
    reach = parse_shift(shift) if shift is not None else int(data in DATASETS)

    import torch

    from spikeloom.sw import datasets, training
    from spikeloom.sw.models.spec import build_model
    from spikeloom.sw.models.weights import read_weights
    from spikeloom.sw.training import checkpoint

    if out.is_dir():
        raise ConfigError(f"--out {out} is a folder: name the file to write the model to")
    described = (input_bits, parse_by_channel(mean, "--mean"), parse_by_channel(std, "--std"))
    examples = datasets.load(data, "train", data_root, task=task).described(*described)
    if limit is not None:
        examples = examples.head(limit)
    test = datasets.load(data, "test", data_root, task=task).described(*described)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    built = build_model(target, classes=examples.classes)
    begun = None if weights is None else read_weights(str(weights))
    if begun is not None:
        begun.load_into(built, target)
        if not was_given("epochs"):
            epochs = 0
    with bars() as progress:
        trained = training.train(
            built,
            examples,
            test,
            timesteps=levels,
            weight_bits=bits,
            epochs=epochs,
            tune_epochs=tune_epochs,
            lr=lr,
            tune_lr=tune_lr,
            batch_size=batch_size,
            shift=reach,
            flip=flip,
            cutout=cutout,
            loss=loss,
            class_weights=by_class,
            seed=seed,
            spec=target,
            progress=progress,
        )
    checkpoint.save(trained, out)
    if as_json:
        print_json(
            {
                "data": data,
                "images": len(test),
                "accuracy": {
                    "float": trained.float_accuracy,
                    "quantized": trained.quantized_accuracy,
                },
                "report": trained.report,
                "out": str(out),
                **({} if begun is None else {"weights": begun.digest}),
            }
        )
    meant = test.meaning
    accuracies = table(f"{len(test)} test images of {data}", f"#{meant.figure}")
    accuracies.add_row("float ANN", score_text(trained.float_accuracy, meant))
    accuracies.add_row("quantized ANN", score_text(trained.quantized_accuracy, meant))
    console().print(accuracies)
    show_report(trained.report, test.class_names)
    say(f"wrote {out}")
    say_report(out)


def _require_target(target: str) -> None:
    """Require that ``target``, which is no recipe, may be a model.

    Raises
    ------
    ConfigError
        If it cannot be; a recipe may have been meant.
    """
    if ":" in target or target in ZOO:
        return
    near = nearest(target, [*ZOO, *recipes.committed()])
    if near is not None and near not in ZOO:
        raise ConfigError(
            f"no model or recipe is called {target!r}: did you mean {near}? `spikeloom train "
            f"--recipes` lists the recipes, `spikeloom train --help` the models"
        )
    raise ConfigError(unknown_model(target, ZOO))


def _parse_weights(text: str) -> str | tuple[float, ...]:
    """Return class weights: "balanced", or numbers."""
    if text == "balanced":
        return text
    expected = "--class-weights must be balanced, or a number for each class as in 1,2.5"
    return parse_numbers(text, expected)
