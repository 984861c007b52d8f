"""Options, tables and texts that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem
from rich import box
from rich.table import Table

from spikeloom.sw.cli.completion import completed
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.names import meant, unknown_model

#: Names of the data sets; here, so that ``--help`` need not import their loaders.
DATASETS = (
    *("digits", "mnist", "fashion-mnist", "cifar10", "cifar100", "imagenet", "tiny-imagenet"),
    *("nmnist", "dvs-gesture", "cifar10-dvs", "shd"),
)
#: Names in the model zoo; here, for the same reason.
ZOO = (
    *("digits-mlp", "digits-conv", "digits-pool", "digits-residual", "digits-depthwise"),
    *("digits-leaky", "nmnist-conv", "dvs-conv", "shd-mlp", "mnist-mlp", "mnist-small", "lenet5"),
    *("net4", "net4-leaky", "mnist-deep", "resnet18", "resnet18-imagenet", "resnet20"),
    *("resnet20-a", "resnet56-a", "vgg9", "vgg11", "vgg16"),
)
#: Defaults of :func:`spikeloom.sw.training.train`; here, for the same reason.
EPOCHS = 40
TUNE_EPOCHS = 60


_Command = TypeVar("_Command", bound=Callable[..., Any])


class DataSet(click.ParamType[str]):
    """The name of a data set, or the path to data of the user's own."""

    name = "data set"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "NAME|PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name or path; whether the path exists shows when it is loaded."""
        text = str(value)
        path = Path(text)
        own = path.suffix in (".npz", ".npy") or ".py:" in text or path.is_dir()
        if text in DATASETS or own or len(path.parts) > 1:
            return text
        rest = (
            f"there are {', '.join(DATASETS)}; your own is a .npz or .npy file, a folder of images "
            f"by class, or FILE.py:FUNCTION"
        )
        self.fail(f"no data set is called {text!r}: {meant(text, DATASETS, rest)}", param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completed(DATASETS, incomplete)


def require_model(spec: str) -> None:
    """Require that ``spec`` is of the zoo, FILE.py:NAME or FILE.onnx, without importing torch.

    Raises
    ------
    ConfigError
        If it is none of these.
    """
    if ":" not in spec and not spec.lower().endswith(".onnx") and spec not in ZOO:
        raise ConfigError(unknown_model(spec, ZOO))


def zoo_in_help(function: _Command) -> _Command:
    """Replace ``{zoo}`` in a command's docstring by the names of the zoo's models."""
    function.__doc__ = (function.__doc__ or "").replace("{zoo}", ", ".join(ZOO))
    return function


def data_root_option(says: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds ``--data-root``, with this help."""
    folder = click.Path(path_type=Path)
    return click.option("--data-root", type=folder, metavar="FOLDER", help=says)


def data_options(default: str | None) -> Callable[[_Command], _Command]:
    """Return a decorator that adds ``--data``, with the ``default``, and ``--data-root``."""

    def add(function: _Command) -> _Command:
        function = data_root_option(
            "Folder with the original files, or with a folder of the data set's name: "
            "*-ubyte.gz of mnist and fashion-mnist, the binary version of cifar10, Train and Test "
            "of nmnist, and so on (docs/own-data.md)."
        )(function)
        return click.option(
            "--data",
            type=DataSet(),
            default=default,
            show_default=default is not None,
            help=f"Images: {', '.join(DATASETS)}, of which the 8x8 digits come with Spikeloom and "
            f"others need a folder; or your own: a .npz or .npy file, a folder of images by class, "
            f"or FILE.py:FUNCTION (docs/own-data.md).",
        )(function)

    return add


def epoch_options(function: _Command) -> _Command:
    """Add ``--epochs`` and ``--tune-epochs``."""
    function = click.option(
        "--tune-epochs",
        type=click.IntRange(0),
        metavar="N",
        default=TUNE_EPOCHS,
        show_default=True,
        help="Passes after that, with quantized activations and weights.",
    )(function)
    return click.option(
        "--epochs",
        type=click.IntRange(0),
        metavar="N",
        default=EPOCHS,
        show_default=True,
        help="Passes over the training images for the model as it is.",
    )(function)


def table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table; a column whose name begins with ``#`` holds numbers."""
    result = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        number = column.startswith("#")
        result.add_column(
            column.removeprefix("#"),
            justify="right" if number else "left",
            no_wrap=number,
            min_width=None if number else 8,
            overflow="fold",
        )
    return result


def shape_text(shape: Sequence[int]) -> str:
    """Return ``(1, 8, 8)`` as ``1x8x8``."""
    return "x".join(str(n) for n in shape)


def span_text(low: int, high: int) -> str:
    """Return a range of integers as text: ``-3..7``, or ``4`` where both ends are the same."""
    return str(low) if low == high else f"{low}..{high}"


def size_text(number: int) -> str:
    """Return bytes as text, in kB, MB or GB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number / 1e3:.1f} kB"


def age_text(seconds: float) -> str:
    """Return how long ago something was, in its largest unit: ``3 days ago``, or ``now``."""
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= unit:
            number = int(seconds // unit)
            return f"{number} {name}{'s' if number > 1 else ''} ago"
    return "now"


def percent(share: float | None) -> str:
    """Return a share, 1 for the whole, as text: ``97.22 %``; ``-`` for None."""
    return "-" if share is None else f"{share:.2%}".replace("%", " %")


def parse_shape(text: str) -> tuple[int, ...]:
    """Return the shape that ``1,8,8``, ``1x8x8`` or ``64`` spells.

    Raises
    ------
    ConfigError
        If it is not one to three positive integers.
    """
    parts = re.split(r"[,x]", text.strip().strip("()"))
    if len(parts) > 3 or not all(re.fullmatch(r"\s*[1-9]\d{0,8}\s*", p) for p in parts):
        raise ConfigError(
            f"a shape is channels,height,width as in 1,28,28, channels,length of a signal as in "
            f"6,100, or one number of features, not {text!r}"
        )
    return tuple(int(part) for part in parts)


def parse_per_layer(text: str, what: str) -> int | dict[str, int]:
    """Return the number, or the numbers by layer, that ``8`` or ``conv1=8,fc=4`` spells.

    Parameters
    ----------
    text : str
    what : str
        Name of the numbers in messages.

    Raises
    ------
    ConfigError
        If it is neither, or a layer is named twice. Whether such a layer exists is not checked.
    """
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return int(text)
    numbers: dict[str, int] = {}
    for item in text.split(","):
        match = re.fullmatch(r"\s*([A-Za-z]\w*)\s*=\s*(\d{1,9})\s*", item)
        if match is None:
            raise ConfigError(
                f"{what} must be a number, or numbers by layer as in conv1=8,fc=4, not {text!r}: "
                f"{item!r} is no layer=number"
            )
        name, number = match.groups()
        if name in numbers:
            raise ConfigError(f"{what} name the layer {name!r} twice in {text!r}")
        numbers[name] = int(number)
    return numbers


def parse_shift(text: str) -> int | tuple[int, int]:
    """Return the largest movements of images that ``1`` or ``0,2`` spells.

    Raises
    ------
    ConfigError
        If it is not one or two integers.
    """
    parts = text.split(",")
    if len(parts) not in (1, 2) or not all(re.fullmatch(r"\s*\d{1,4}\s*", part) for part in parts):
        raise ConfigError(
            f"--shift must be one number of pixels, or two for rows and columns as in 0,2, not "
            f"{text!r}"
        )
    return int(text) if len(parts) == 1 else (int(parts[0]), int(parts[1]))


def parse_numbers(text: str, expected: str) -> tuple[float, ...]:
    """Return the numbers that ``0.5`` or ``0.485,0.456,0.406`` spells.

    Parameters
    ----------
    text : str
    expected : str
        Beginning of the error message: the option, and the texts that it takes.

    Raises
    ------
    ConfigError
        If they are no numbers.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{expected}, not {text!r}") from None


def parse_by_channel(text: str | None, option: str) -> tuple[float, ...] | None:
    """Return the numbers of all channels or of each, as :func:`parse_numbers`; None for None."""
    expected = f"{option} must be one number, or one for each channel as in 0.485,0.456,0.406"
    return None if text is None else parse_numbers(text, expected)


def parse_stalls(text: str) -> tuple[float, float]:
    """Return the probabilities of input and output stalls that ``0.2`` or ``0.2,0.5`` spells.

    Raises
    ------
    ConfigError
        If it is not one or two numbers from 0 to 0.99.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 <= number <= 0.99 for number in numbers):
        raise ConfigError(
            f"stalls must be one probability from 0 to 0.99, or two as in 0.2,0.5, not {text!r}"
        )
    return (numbers[0], numbers[-1])
