"""``spikeloom cosim``: the generated hardware against the golden model."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import bars, data_options, parse_stalls, percent
from spikeloom.sw.cli.hardware import hardware_config, hardware_options
from spikeloom.sw.cli.networks import network_argument
from spikeloom.sw.cli.simulation import StageBars, show
from spikeloom.sw.errors import ConfigError, DataError, FileFormatError
from spikeloom.sw.files import read_bytes, write_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Images = tuple[npt.NDArray[np.integer], npt.NDArray[np.integer] | None]


@click.command()
@network_argument
@data_options(default=None)
@click.option(
    "--images",
    "image_file",
    type=click.Path(path_type=Path),
    help="Your own images instead: integers of shape (N, *input shape), as .npy, or as .npz with "
    "'images' and perhaps 'labels'.",
)
@click.option(
    "--labels",
    "label_file",
    type=click.Path(path_type=Path),
    help="Labels of --images, as .npy, for the accuracy.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="The first N images only.")
@hardware_options
@click.option(
    "--verilog",
    type=click.Path(path_type=Path),
    help="Simulate this file, which `spikeloom generate` wrote, instead of generating anew. "
    "Without --debug there, logits and labels alone are compared; without --counters, cycles per "
    "layer are not known.",
)
@click.option(
    "--stalls",
    metavar="P",
    default="0",
    show_default=True,
    help="Probability that the input has no pixel in a clock cycle, and that the output is not "
    "ready: one number, or two as in 0.2,0.5.",
)
@click.option(
    "--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of the stalls."
)
@click.option(
    "--build-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("build/sim"),
    show_default=True,
    help="Where built simulators are kept, to be used again.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSON file to write the figures to.",
)
@click.pass_context
def command(
    ctx: click.Context,
    network: contract.Network,
    data: str | None,
    data_root: Path | None,
    image_file: Path | None,
    label_file: Path | None,
    limit: int | None,
    lanes: str | None,
    events: str | None,
    time: str,
    verilog: Path | None,
    stalls: str,
    seed: int,
    build_dir: Path,
    report_file: Path | None,
) -> None:
    """Simulate the hardware of NETWORK, and compare it with the golden model.

    NETWORK is {network}.

    Every spike, membrane potential and count of every layer, and every logit, must be the same. The
    exit status is 1 if anything differs; the first difference is named. Clock cycles are counted by
    the hardware itself.

    \b
        spikeloom cosim net.safetensors --data digits
        spikeloom cosim net.safetensors --data digits --limit 20 --lanes 4 --stalls 0.3,0.5
        spikeloom cosim net.safetensors --images mine.npy --verilog build/net.v
        spikeloom cosim net.safetensors --data mnist --data-root ~/mnist --report report.json
    """
    if (data is None) == (image_file is None):
        raise ConfigError("which images? Give either --data or --images")
    if label_file is not None and image_file is None:
        raise ConfigError("--labels are for --images: a data set has its own")
    if verilog is not None and (lanes is not None or events is not None):
        raise ConfigError("--verilog is generated already: leave out --lanes and --events")
    probabilities = parse_stalls(stalls)
    config = hardware_config(lanes, events, time, debug=True, counters=True)
    if data is not None:
        images, labels = _data_set(data, data_root, network)
    else:
        assert image_file is not None
        images, labels = _own(image_file, label_file, network)

    from spikeloom.sim.cosim import cosimulate
    from spikeloom.sim.design import Design
    from spikeloom.sw.golden import check_images

    check_images(network, images)  # ahead of half a minute's build

    with bars() as progress:
        report = cosimulate(
            network,
            images[:limit],
            labels=None if labels is None else labels[:limit],
            config=None if verilog else config,
            design=Design.load(verilog) if verilog else None,
            build_dir=build_dir,
            stalls=probabilities,
            seed=seed,
            progress=StageBars(progress),
        )
    show(report)
    if report.accuracy is not None:
        click.echo(f"accuracy of the hardware: {percent(report.accuracy)}")
    if report_file is not None:
        write_text(report_file, json.dumps(report.as_dict(), indent=1) + "\n")
        click.echo(f"wrote {report_file}")
    if not report.equal:
        ctx.exit(1)


def _data_set(name: str, root: Path | None, network: contract.Network) -> Images:
    from spikeloom.sw import datasets

    test = datasets.load(name, "test", root, datasets.Binning.of(network.input))
    return test.images_for(network.input), test.labels


def _own(image_file: Path, label_file: Path | None, network: contract.Network) -> Images:
    from spikeloom.sw.datasets.images import load_images

    entry = network.input
    images, labels = load_images(image_file, entry.image_shape, entry.values().high)
    return images, labels if label_file is None else _read_labels(label_file, len(images))


def _read_labels(path: Path, count: int) -> npt.NDArray[np.integer]:
    """Return the ``count`` labels in a ``.npy`` file."""
    import numpy as np

    content = read_bytes(path, "label file")
    try:
        labels = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FileFormatError(f"{path} is damaged or no .npy file ({error})") from None
    if not isinstance(labels, np.ndarray):
        raise FileFormatError(f"{path} holds several arrays: save the labels alone, as .npy")
    if labels.dtype.kind not in "iu" or labels.shape != (count,):
        raise DataError(
            f"{path} must hold {count} integers, one for each image, not {labels.dtype} of shape "
            f"{labels.shape}"
        )
    return labels
