"""``spikeloom train``: train a model with quantized activations and weights."""

from __future__ import annotations

from pathlib import Path

import click

from spikeloom.sw.cli.common import (
    bars,
    console,
    data_options,
    epoch_options,
    parse_per_layer,
    percent,
    table,
)

#: Of :func:`spikeloom.sw.training.train`; here, so that ``--help`` need not import torch.
LR = 5e-3
TUNE_LR = 4e-3


@click.command()
@click.argument("model")
@data_options(default="digits")
@click.option(
    "--timesteps",
    metavar="T",
    default="4",
    show_default=True,
    help="Levels of each activation, which become the timesteps of its layer: a number, or "
    "numbers by layer, as in conv1=8,default=4.",
)
@click.option(
    "--weight-bits",
    metavar="BITS",
    default="8",
    show_default=True,
    help="Bits of the weights, 2 to 16: a number, or numbers by layer, as in first=8,default=4.",
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
    "--seed",
    type=int,
    metavar="N",
    default=0,
    show_default=True,
    help="The same seed and number of threads repeat a run.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    help="Threads of torch; for models as small as the zoo's, one is fastest.",
)
@click.option("--limit", type=int, metavar="N", help="Train on the first N images only.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write the trained model to (.safetensors).",
)
def command(
    model: str,
    data: str,
    data_root: Path | None,
    timesteps: str,
    weight_bits: str,
    epochs: int,
    tune_epochs: int,
    lr: float,
    tune_lr: float,
    batch_size: int,
    seed: int,
    threads: int,
    limit: int | None,
    out: Path,
) -> None:
    """Train MODEL so that it can be converted without loss.

    MODEL is a model of the zoo (digits-mlp, digits-conv, digits-pool, digits-residual,
    digits-depthwise, digits-leaky, nmnist-conv, mnist-deep), or FILE.py:NAME, a torch.nn.Module
    class or a function that returns a model. It is an ordinary model with ReLU or LeakyReLU
    activations, which is trained as it is first, and then with activations that have T levels and
    weights of a few bits.

    \b
        spikeloom train digits-conv --out trained.safetensors
        spikeloom train digits-mlp --timesteps 2 --weight-bits 4 --out trained.safetensors
        spikeloom train digits-residual --timesteps conv1=4,default=2 --out trained.safetensors
        spikeloom train mynet.py:Net --data mnist --data-root ~/mnist --out trained.safetensors
    """
    levels = parse_per_layer(timesteps, "timesteps")
    bits = parse_per_layer(weight_bits, "weight bits")

    import torch

    from spikeloom.sw import checkpoint, datasets, training
    from spikeloom.sw.models.spec import build_model

    examples = datasets.load(data, "train", data_root)
    if limit is not None:
        examples = examples.head(limit)
    test = datasets.load(data, "test", data_root)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    built = build_model(model)
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
            seed=seed,
            spec=model,
            progress=progress,
        )
    checkpoint.save(trained, out)
    accuracies = table(f"{len(test)} test images of {data}", "#accuracy")
    accuracies.add_row("float ANN", percent(trained.float_accuracy))
    accuracies.add_row("quantized ANN", percent(trained.quantized_accuracy))
    console().print(accuracies)
    click.echo(f"wrote {out}")
