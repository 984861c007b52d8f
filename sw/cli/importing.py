"""``spikeloom import``: networks from other toolkits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.common import parse_shape
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.output import bars, json_option, print_json, say
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.importing import reader_for
from spikeloom.sw.importing.readers import Options
from spikeloom.sw.progress import StageBars

if TYPE_CHECKING:
    from spikeloom.sw.importing import Imported

#: Names of toolkits and of resets; here, so that ``--help`` need not import what knows them.
ORIGINS = ("snntorch", "spikingjelly", "sinabs", "norse", "nir")
RESETS = ("subtract", "hard", "zero")
#: Images that weights are fitted to.
CALIBRATION = 128


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--origin", type=click.Choice(ORIGINS), help="Toolkit that the neurons are from.")
@click.option("--dt", type=float, metavar="SECONDS", help="Timestep that FILE was exported with.")
@click.option("--reset", type=click.Choice(RESETS), help="How neurons reset; zero is hard, too.")
@click.option("--timesteps", type=click.IntRange(1, 4096), metavar="T", help="Timesteps.")
@click.option(
    "--bits", type=click.IntRange(2, 16), default=8, show_default=True, help="Bits of the weights."
)
@click.option("--fraction-bits", type=click.IntRange(0, 16), help="F of all layers that fire.")
@click.option(
    "--largest",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Most spikes of one timestep, of neurons that can fire several times.",
)
@click.option("--input-shape", metavar="SHAPE", help="Of one image, as 1,28,28; else the graph's.")
@click.option(
    "--input-bits",
    type=click.IntRange(1, 16),
    help="Bits of a pixel.  [default: the data set's, or 8]",
)
@click.option("--input-scale", type=float, help="Real value of one unit of a pixel.")
@click.option(
    "--highest",
    type=click.IntRange(1, 255),
    default=1,
    show_default=True,
    help="Most events of a pixel and timestep, of recordings.",
)
@image_options
@click.option("--name", help="Name of the network.  [default: that of FILE]")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The network file to write."
)
@json_option
def command(
    file: Path,
    images: ImageOptions,
    highest: int,
    input_shape: str | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn the network of another toolkit in FILE into an integer network.

    The toolkit that wrote FILE is recognised. What the file leaves open, such as how neurons
    reset, is asked for. With images, weights are fitted to them, and the network is compared with
    a float simulation of the toolkit's own neurons: labels, counts and spikes.

    \b
        spikeloom import net.nir --reset subtract --timesteps 10 --data mnist \\
            --data-root ~/data --out net.safetensors
        spikeloom import net.nir --origin sinabs --timesteps 20 --images mine.npz \\
            --out net.safetensors
        spikeloom import net.onnx --timesteps 16 --data mnist --data-root ~/data \\
            --out net.safetensors

    Of ONNX, a network of ReLUs is read, whose thresholds follow from the images. FILE can also be
    what `spikeloom export` wrote.
    """
    reader = reader_for(file)
    shape = None if input_shape is None else parse_shape(input_shape)
    chosen = Options(input_shape=shape, **options)
    if images.data is not None or images.file is not None:
        images.require()
        chosen = dataclasses.replace(chosen, **_images(images, chosen, highest))
    with bars() as progress:
        bar = StageBars(progress)
        shown = dataclasses.replace(chosen, progress=lambda done, of: bar("compare", done, of))
        imported = reader.network(file, shown)
    contract.save(imported.network, out)
    if as_json:
        print_json(_described(imported, out))
    for line in imported.report.lines():
        say(line)
    say(f"wrote {out}")


def _images(images: ImageOptions, chosen: Options, highest: int) -> dict[str, Any]:
    """Return the images that are fitted to and compared on, for the options."""
    if images.data is not None:
        from spikeloom.sw.datasets import Binning, Loader, load

        if chosen.timesteps is None:
            raise ConfigError("images are run for a number of timesteps: give --timesteps")
        loader = Loader.kinds.get(images.data)
        binned = loader is not None and loader.timed
        timed = Binning(chosen.timesteps, highest) if binned else None
        test = load(images.data, "test", images.root, timed)
        first = load(images.data, "train", images.root, timed)
        compared = test.head(images.limit or len(test))
        return {"images": first.head(CALIBRATION), "compared": compared}
    assert images.file is not None
    from spikeloom.sw.cli.images import read_labels
    from spikeloom.sw.datasets.images import read_numpy

    arrays = read_numpy(images.file)
    if "images" not in arrays:
        raise ConfigError(f"{images.file} holds {', '.join(arrays)}: call the array 'images'")
    pixels, labels = arrays["images"][: images.limit], arrays.get("labels")
    if images.labels is not None:
        labels = read_labels(images.labels, len(arrays["images"]), None)
    return {"images": pixels, "labels": None if labels is None else labels[: images.limit]}


def _described(imported: Imported, out: Path) -> dict[str, Any]:
    network, report = imported
    agreement = report.agreement
    return {
        "name": network.name,
        "digest": network.digest,
        "assumed": dict(report.assumed),
        "repairs": list(report.repairs),
        "layers": [
            {
                "name": layer.name,
                "neuron": layer.neuron.kind,
                "timesteps": layer.timesteps,
                **(
                    {}
                    if (fit := report.layers.get(layer.name)) is None
                    else {
                        "rule": fit.rule,
                        "weight_error": fit.weight_error,
                        "leak_error": fit.residual,
                    }
                ),
            }
            for layer in network.layers
        ],
        "agreement": None
        if agreement is None
        else {
            "images": agreement.images,
            "labels": agreement.labels,
            "accuracy": {"float": agreement.float_accuracy, "network": agreement.accuracy},
            "layers": {
                name: {"spikes": layer.spikes, "counts": layer.counts}
                for name, layer in agreement.layers.items()
            },
        },
        "out": str(out),
    }
