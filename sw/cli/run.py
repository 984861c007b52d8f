"""``spikeloom run``: run images on a board, on simulated hardware, or on the golden model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw.cli.common import shape_text, table
from spikeloom.sw.cli.completion import completing
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.networks import committed, networks_in_help, open_network
from spikeloom.sw.cli.output import bars, console, json_option, print_json, say, say_report
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.cli.scores import score_text, show_report
from spikeloom.sw.cli.simulation import build_dir_option
from spikeloom.sw.cli.work import show_work
from spikeloom.sw.errors import ConfigError, LinkError
from spikeloom.sw.files import replacing
from spikeloom.sw.link.manifest import Manifest
from spikeloom.sw.progress import StageBars

if TYPE_CHECKING:
    from spikeloom.sw.inference import Inference
    from spikeloom.sw.network import Network

#: The targets of spikeloom.sw.inference, repeated here so that ``--help`` does not import torch.
TARGETS = ("golden", "sim", "board")
#: Most labels that are printed, if there are no right labels to compare them with.
_SHOWN = 20


@click.command()
@click.argument(
    "source",
    metavar="[NETWORK|MANIFEST]",
    required=False,
    shell_complete=completing(committed),
)
@click.option(
    "--port",
    metavar="PORT",
    help="The board's serial port, as /dev/ttyUSB0 or COM3, a pseudo-terminal, or socket://host:n.",
)
@click.option(
    "--baud",
    type=click.IntRange(1),
    metavar="N",
    help="Rate of the board's link, if not the manifest's; without manifest 3000000.",
)
@click.option(
    "--patience",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="How long the board may compute an image, if not 10 seconds. More lets it answer more "
    "slowly, too, as a simulated board of a large network does.",
)
@click.option(
    "--target",
    type=click.Choice(TARGETS),
    default="board",
    show_default=True,
    help="What computes: the golden model, the network's Verilog in simulation, or a board. The "
    "results are the same.",
)
@image_options
@click.option(
    "--counters", is_flag=True, help="Print what each layer has counted: cycles, events, stalls."
)
@click.option(
    "--counts",
    multiple=True,
    metavar="LAYER",
    help="Fetch the spike counts of a layer, for all images; can be given several times. On a "
    "board, those of its manifest's records.",
)
@build_dir_option("for --target sim")
@click.option(
    "--out",
    type=Output(),
    metavar="FILE",
    help="Write labels, logits, cycles and counts to this .npz file; of a network that was made "
    "for several labels, values, or two classes by one logit, its decisions, too.",
)
@json_option
@networks_in_help
def command(
    source: str | None,
    port: str | None,
    baud: int | None,
    patience: float | None,
    target: str,
    images: ImageOptions,
    counters: bool,
    counts: tuple[str, ...],
    build_dir: Path,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run images on a board that `spikeloom build` has made a bitstream for.

    MANIFEST is the .json file beside the bitstream. A board that holds another network is refused.
    NETWORK is {network}; then counters and counts of a board cannot be read, since the
    manifest says what they mean.

    Without arguments, the serial ports of this computer are listed.

    \b
        spikeloom run
        spikeloom run build/board/digits-conv-ulx3s-85f.json --port /dev/ttyUSB0 --data digits
        spikeloom run digits-conv --port /dev/ttyUSB0 --images mine.npy --out labels.npz
        spikeloom run digits-conv --target sim --data digits --limit 20 --counters
    """
    if source is None:
        _list_ports(port, as_json)
        return
    opened = _open(source)
    if isinstance(opened, Manifest):
        opened.require_link()
    options: dict[str, Any] = {}
    if target == "board":
        options = {"port": _required(port), "baud": baud}
        if patience is not None:
            options["patience"] = patience
    elif (port, baud, patience) != (None, None, None):
        raise ConfigError(
            f"--port, --baud and --patience are of boards: leave them out for --target {target}"
        )
    elif target == "sim":
        options = {"build_dir": build_dir}
    if counters and target == "golden":
        raise ConfigError("the golden model has no counters: take --target sim, or a board")
    images.require()

    from spikeloom.sw import inference

    contents = inference.Contents.of(opened)
    if counters and target == "board":
        contents.require_counters()
    task = contents.task
    pixels, labels = images.read(contents.input, task)
    with bars() as progress:
        found = inference.run(
            pixels,
            opened,
            target,
            counts=counts,
            progress=StageBars(progress),
            **options,
        )
    work = _figures(opened, found)
    if as_json:
        accuracy = None if labels is None else found.accuracy(labels)
        print_json(_summary(found, accuracy, out) | work)
    _show(found, port, counters)
    show_work(work)
    if labels is not None:
        _show_accuracy(found, labels)
    elif out is None:
        some = found.decisions[:_SHOWN]
        shown = " ".join(map(str, some.tolist()) if task is None else task.texts(some))
        more = len(found.labels) - _SHOWN
        name = "values" if task is not None and task.name == "values" else "labels"
        say(f"{name}: {shown}" + (f" and {more} more (--out)" if more > 0 else ""))
    if out is not None:
        _write(found, out)
        say(f"wrote {out}")
    say_report(source, *images.arguments())


def _list_ports(port: str | None, as_json: bool) -> None:
    from spikeloom.sw.link.serial import ports

    if port is not None:
        raise ConfigError("what should the board hold? Name its manifest, or its network")
    found = ports()
    if as_json:
        print_json({"ports": [{"port": name, "what": what} for name, what in found]})
    if not found:
        say("this computer has no serial port: plug in the board")
        return
    listing = table("port", "what it is")
    for name, what in found:
        listing.add_row(name, what)
    console().print(listing)


def _required(port: str | None) -> str:
    from spikeloom.sw.link.serial import known_ports

    if port is None:
        raise LinkError(f"which port is the board on? Give --port: {known_ports()}")
    return port


def _open(source: str) -> Network | Manifest:
    return Manifest.load(source) if Path(source).suffix == ".json" else open_network(source)


def _figures(opened: Network | Manifest, found: Inference) -> dict[str, Any]:
    """Return the work and energy of a network, as far as the target counts them."""
    from spikeloom.sw.golden.figures import FIGURES, figures

    if isinstance(opened, Manifest):
        return dict.fromkeys(FIGURES)
    return figures(opened, found.work)


def _show(found: Inference, port: str | None, counters: bool) -> None:
    """Print the speed of a run, and its traffic, counters and counts."""
    where = {"golden": "the golden model", "sim": "simulated hardware"}.get(found.target, port)
    speed = f"{len(found.labels):,} images on {where}: {found.images_per_second:,.1f} per second"
    if found.cycles_per_image is not None:
        speed += f", {found.cycles_per_image:,.1f} clock cycles per image"
    say(speed)
    if found.traffic is not None:
        traffic = found.traffic
        say(
            f"link: {traffic.requests:,} requests, {traffic.resent:,} sent again, "
            f"{traffic.stray:,} stray answers, {traffic.repeated:,} images sent again"
        )
    if counters and found.counters:
        names = list(next(iter(found.counters.values())))
        counted = table("layer", *(f"#{name}" for name in names))
        for layer, values in found.counters.items():
            counted.add_row(layer, *(f"{values[name]:,}" for name in names))
        console().print(counted)
    if found.counts:
        fetched = table("counts of", "shape", "#sum", "#largest", "#per neuron and image")
        for layer, sent in found.counts.items():
            mean = f"{sent.double().mean():.3f}"
            shape = shape_text(sent.shape[1:])
            fetched.add_row(layer, shape, f"{sent.sum():,}", str(int(sent.max())), mean)
        console().print(fetched)


def _show_accuracy(found: Inference, labels: Any) -> None:
    """Print how many labels are right; of values, how near they are."""
    figure = "accuracy" if found.task is None else found.task.figure
    say(f"{figure}: {score_text(found.accuracy(labels), found.task)}")
    if found.task is not None and found.task.name != "classes":
        show_report(found.report(labels))


def _summary(found: Inference, accuracy: float | None, out: Path | None) -> dict[str, Any]:
    """Return the JSON of a run."""
    return {
        "target": found.target,
        "images": len(found.labels),
        "labels": found.labels.tolist(),
        "decisions": None if found.task is None else found.decisions.tolist(),
        "accuracy": accuracy,
        "images_per_second": found.images_per_second,
        "cycles_per_image": found.cycles_per_image,
        "counters": found.counters or None,
        "counts": {layer: int(sent.sum()) for layer, sent in found.counts.items()},
        "traffic": None if found.traffic is None else asdict(found.traffic),
        "out": None if out is None else str(out),
    }


def _write(found: Inference, path: Path) -> None:
    import numpy as np

    arrays = {"labels": found.labels, "logits": found.logits}
    if found.task is not None:
        arrays["decisions"] = found.decisions
    if found.cycles is not None:
        arrays["cycles"] = found.cycles
    arrays |= {f"counts_{layer}": values for layer, values in found.counts.items()}
    named: dict[str, Any] = {name: values.numpy() for name, values in arrays.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **named)
