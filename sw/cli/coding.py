"""Options of ``convert`` and ``calibrate`` that choose how values become spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from spikeloom.sw.cli.common import parse_per_layer
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.network import Neuron, Transport

if TYPE_CHECKING:
    from spikeloom.sw.coding import Options

#: Of :mod:`spikeloom.sw.coding.coding`; here, so that ``--help`` need not import torch.
TRANSPORTS = (Transport.COUNT.value, Transport.SPIKES.value)
ALIGNMENTS = ("repl+aver", "repl+trunc", "aver+trunc", "aver+aver")
NEURONS = tuple(Neuron.firing())
INPUTS = ("direct", "count", "spikes", "bernoulli")

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--alignment",
        type=click.Choice(ALIGNMENTS),
        help="How spikes reach a layer of other timesteps: first to more (repeat, or average), "
        "then to fewer (truncate, or average).  [default: equal timesteps only]",
    ),
    click.option(
        "--neuron",
        metavar="KIND",
        help=f"Neuron model: {', '.join(NEURONS)}; or by layer, as in first=if,default=dual. "
        "Ladders need count transport, signed neurons stand for LeakyReLU.  [default: ladder for "
        "count, if for spikes, signed for LeakyReLU]",
    ),
    click.option(
        "--timesteps",
        metavar="T",
        help="Timesteps, if not those that the model was trained for: a number, or numbers by "
        "layer, as in conv1=8,default=4.",
    ),
    click.option(
        "--largest",
        metavar="N",
        help="Most spikes of a burst neuron in one timestep: a number, or numbers by layer.  "
        "[default: 4]",
    ),
    click.option(
        "--tau",
        type=float,
        metavar="TAU",
        help="Leak of burst neurons, which lose 1/TAU of their potential in each timestep; a "
        "power of two.  [default: no leak]",
    ),
    click.option(
        "--input",
        type=click.Choice(INPUTS),
        help="What enters: pixels, counts, spikes with a time axis, or pixels that become random "
        "spikes.  [default: direct]",
    ),
    click.option(
        "--input-timesteps",
        type=click.IntRange(1),
        metavar="T",
        help="Length of the time axis of an input of spikes, or timesteps over which pixels become "
        "spikes.",
    ),
    click.option(
        "--input-highest",
        type=click.IntRange(1),
        metavar="N",
        help="Largest value of an input of counts or spikes.  [default: of counts, that of a "
        "pixel; of spikes, 1]",
    ),
    click.option(
        "--input-seed",
        type=click.IntRange(0, (1 << 32) - 1),
        metavar="SEED",
        help="Chooses the random numbers by which pixels become spikes.  [default: 0]",
    ),
)


def coding_options(transport: str) -> Callable[[_Command], _Command]:
    """Return a decorator that adds the options of a coding; :func:`coding_of` reads them.

    Parameters
    ----------
    transport : str
        The default that the help names.
    """

    def add(function: _Command) -> _Command:
        for option in reversed(_OPTIONS):
            function = option(function)
        return click.option(
            "--transport",
            type=click.Choice(TRANSPORTS),
            help="What connections carry: a layer's spikes of each timestep, or their sum.  "
            f"[default: {transport}]",
        )(function)

    return add


def network_options(function: _Command) -> _Command:
    """Add ``--fraction-bits``, ``--name`` and ``--out``, of the network that is written."""
    function = click.option(
        "--out",
        required=True,
        type=Output(),
        help="Network file to write (.safetensors).",
    )(function)
    function = click.option(
        "--name", help="Name of the network, for people.  [default: that of the model]"
    )(function)
    return click.option(
        "--fraction-bits",
        type=click.IntRange(0, 16),
        metavar="F",
        help="Fraction bits of the neurons.  [default: the fewest that are exact]",
    )(function)


def coding_of(given: dict[str, Any]) -> Options:
    """Return the given options as keyword arguments of :func:`~spikeloom.sw.conversion.convert`.

    Parameters
    ----------
    given : dict
        Values of the options of :func:`coding_options`, None where there was none.

    Raises
    ------
    ConfigError
        If a value by layer cannot be read.
    """
    options = {name: value for name, value in given.items() if value is not None}
    if "neuron" in options:
        options["neuron"] = _neurons(options["neuron"])
    for what in ("timesteps", "largest"):
        if what in options:
            options[what] = parse_per_layer(options[what], what)
    return options  # type: ignore[return-value]  # click knows no other names


def _neurons(text: str) -> str | dict[str, str]:
    """Return the kind in a text like ``dual``, or kinds by layer in ``first=if,default=dual``."""
    if "=" not in text:
        return text.strip()
    kinds: dict[str, str] = {}
    for item in text.split(","):
        name, equals, kind = (part.strip() for part in item.partition("="))
        if not (name and equals and kind):
            raise ConfigError(
                f"neuron must be a kind, or kinds by layer as in first=if,default=dual, not "
                f"{text!r}: {item!r} is no layer=kind"
            )
        if name in kinds:
            raise ConfigError(f"neuron names the layer {name!r} twice in {text!r}")
        kinds[name] = kind
    return kinds
