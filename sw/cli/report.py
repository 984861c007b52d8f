"""``spikeloom report``: all that is known of a network or a sweep, as a page for the browser."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikeloom.sw import network as contract
from spikeloom.sw.cli.images import ImageOptions, image_options
from spikeloom.sw.cli.networks import SUFFIX, committed, networks_in_help, open_network
from spikeloom.sw.cli.output import json_option, print_json, say, working
from spikeloom.sw.cli.outputs import Output
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes, write_text

if TYPE_CHECKING:
    import numpy.typing as npt

    from spikeloom.hw.planning import Plan
    from spikeloom.sw.report import Run

#: Images that the golden model runs, and those of them whose clock cycles are predicted (seconds
#: each for a large network), unless --limit says how many; and those that are shown.
LIMIT, PREDICTED, SHOWN = 16, 4, (0, 1)
#: The data set that comes with Spikeloom: folders that name it need no --data.
_AT_HAND = "digits"
#: Bytes that nextpnr's report has at most.
_LARGEST = 1 << 28


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH [PATH]", required=True)
@image_options
@click.option(
    "--show",
    metavar="N,...",
    help="Images of which spikes and potentials are shown, counted from 0.  [default: 0,1]",
)
@click.option(
    "--neuron",
    "neurons",
    multiple=True,
    metavar="LAYER=N",
    help="Show this neuron of a layer, a place in its flattened feature map, instead of some "
    "that spike much and little. Can be given several times.",
)
@click.option(
    "--add",
    "added",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also show the figures in a JSON file: of cosim --report, of a build, or of area, plan or "
    "run with --json. Can be given several times.",
)
@click.option(
    "--out",
    type=Output(),
    help="HTML file to write.  [default: report.html in the folder PATH, otherwise "
    "build/report.html]",
)
@json_option
@networks_in_help
def command(
    paths: tuple[str, ...],
    images: ImageOptions,
    show: str | None,
    neurons: tuple[str, ...],
    added: tuple[Path, ...],
    out: Path | None,
    as_json: bool,
) -> None:
    """Show all that is known of a network as one HTML page, which needs no network connection.

    PATH is a folder that demo, train, build or sweep have written, a file of figures, a trained
    model, or {network}.

    The page has the layers as a graph, accuracy from the float model to the hardware, thresholds
    and timesteps, clock cycles with the bottleneck, area and clock, and how many values were
    compared: each as far as files say it. With images there are also spikes and potentials of
    neurons, by the golden model, and clock cycles with a timeline, as predicted. A folder that
    names the handwritten digits needs no --data. Of a sweep's folder, the page has the Pareto front
    and all trials. Two PATHs are shown beside each other.

    \b
        spikeloom report build/demo
        spikeloom report digits-conv --data digits --out build/digits.html
        spikeloom report net.safetensors --data digits --add cosim.json --show 3,7
        spikeloom report build/one build/other --out build/both.html
        spikeloom report runs/sweep
    """
    if len(paths) > 2:
        raise ConfigError(f"a report shows one PATH, or two beside each other, not {len(paths)}")
    if added and len(paths) > 1:
        raise ConfigError("--add belongs to a single PATH: put the files into the two folders")
    if images.data is not None and images.file is not None:
        raise ConfigError("which images? Give either --data or --images")
    shown, chosen = _numbers(show), _chosen(neurons)
    runs = []
    with working("collecting figures"):
        for path in paths:
            run = _collect(path, added)
            _compute(run, images, shown, chosen)
            runs.append(run)

    from spikeloom.sw.report.page import content, page

    target = out or _default(paths)
    write_text(target, page(runs))
    if as_json:
        print_json(content(runs))
    size = target.stat().st_size
    say(f"wrote {target}, {size / 1e6:.1f} MB: open it in a browser")


def _default(paths: tuple[str, ...]) -> Path:
    folder = Path(paths[0])
    inside = len(paths) == 1 and folder.is_dir()
    return folder / "report.html" if inside else Path("build", "report.html")


def _numbers(text: str | None) -> tuple[int, ...]:
    """Return the numbers of images in an option's text."""
    if text is None:
        return SHOWN
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise ConfigError(f"--show takes numbers of images as in 0,3, not {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def _chosen(neurons: tuple[str, ...]) -> dict[str, list[int]]:
    """Return the neurons that are shown, by layer."""
    found: dict[str, list[int]] = {}
    for text in neurons:
        name, equals, number = text.rpartition("=")
        if not equals or not number.isdecimal() or len(number) > 9:
            raise ConfigError(f"--neuron takes a layer and a number as in conv1=17, not {text!r}")
        if int(number) not in found.setdefault(name, []):
            found[name].append(int(number))
    return found


def _collect(path: str, added: tuple[Path, ...]) -> Run:
    """Return the run that a folder's files, or a network, and other files are of."""
    from spikeloom.sw.cli.inspect import summarize
    from spikeloom.sw.report import Run, add_figures, add_model, read_folder, require_one

    run, given = Run(path), Path(path)
    if given.is_dir():
        read_folder(given, run)
    elif given.suffix == ".json":
        add_figures(given, run, required=True)
    elif given.exists():
        add_model(given, run)
    else:
        run.model = open_network(path)
        run.files[path] = "network that comes with Spikeloom"
    if not run.files:
        raise FileFormatError(
            f"{path} holds nothing that a report shows: give a folder that demo, train, build or "
            f"sweep have written, a network, or a trained model"
        )
    for file in added:
        add_figures(file, run, required=True)
    if run.model is None:
        run.model = _brought(run)
    require_one(run, run.model)
    if run.model is not None:
        run.network = json.loads(json.dumps(summarize(run.model)))
    for name in run.manifests:
        _add_path(run.places[name].parent, name, run)
    return run


def _brought(run: Run) -> contract.Network | None:
    """Return the network of a folder's figures, if it is one that comes with Spikeloom."""
    from spikeloom.sw.cli.networks import FOLDER
    from spikeloom.sw.report.files import digests

    wanted = {digest for _, digest in digests(run)}
    for name in committed() if wanted else ():
        network = contract.load(FOLDER / f"{name}{SUFFIX}")
        if network.digest in wanted:
            return network
    return None


def _add_path(folder: Path, name: str, run: Run) -> None:
    """Add the longest path that place and route found for a manifest, if its report is there."""
    from spikeloom.hw.build.family import REPORT
    from spikeloom.hw.build.folder import WORK
    from spikeloom.hw.build.timing import critical_path
    from spikeloom.sw.documents import parse_json

    file = folder / WORK / REPORT
    if not file.is_file():
        return
    try:
        told = critical_path(parse_json(read_bytes(file, "report of nextpnr", _LARGEST)))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FileFormatError(f"{file} is damaged ({error}): build again") from None
    run.paths[name] = told


def _compute(
    run: Run, options: ImageOptions, shown: tuple[int, ...], chosen: dict[str, list[int]]
) -> None:
    """Add what golden model and prediction say of the images, if there are any."""
    network = run.model
    named = (run.demo or {}).get("data"), (run.result or {}).get("data")
    if options.data is None and options.file is None and _AT_HAND in named:
        options = replace(options, data=_AT_HAND)
    if network is None or (options.data is None and options.file is None):
        if chosen:
            raise ConfigError("--neuron is shown on images: give --data or --images")
        return

    from spikeloom.sw.report.values import activity, picture, trace
    from spikeloom.sw.tasks import of_network

    task = of_network(network.about)
    most = max(options.limit or LIMIT, max(shown) + 1)
    pixels, labels = _some(options, network, most)
    source = options.data or str(options.file)
    run.activity = activity(network, pixels, labels, task, source)
    numbers = shown if shown != SHOWN else [n for n in shown if n < len(pixels)]
    for number in numbers:
        if number >= len(pixels):
            raise ConfigError(f"--show {number}: the images are 0 to {len(pixels) - 1}")
        found = trace(network, pixels[number], chosen)
        right = None if labels is None else _plain(labels[number])
        image = {"image": number, "right": right, "picture": picture(network, pixels[number])}
        run.traces.append({**image, **found})
    planned = _planned(run, network)
    if planned is not None:
        run.prediction = _predicted(planned, pixels[: options.limit or PREDICTED], source)


def _some(
    options: ImageOptions, network: contract.Network, most: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the first images, and their labels if there are any."""
    import numpy as np

    from spikeloom.sw.golden.images import check_images
    from spikeloom.sw.tasks import of_network

    limited = replace(options, limit=most)
    pixels, labels = limited.read(network.input, of_network(network.about))
    return check_images(network, np.asarray(pixels[0 : len(pixels)])), labels


def _plain(label: Any) -> Any:
    return label.tolist() if hasattr(label, "tolist") else label


def _planned(run: Run, network: contract.Network) -> Plan | None:
    """Return the plan of the hardware that a run's files describe, or else the planner's own."""
    from spikeloom.hw.planning import HardwareConfig, PlanFile, plan

    if run.choices is not None:
        file = run.places[run.of_kind("choices")]
        return plan(network, PlanFile.load(file).for_network(network))
    if run.manifests:
        content = next(iter(run.manifests.values()))
        config = content.get("config") or {}
        keys = ("lanes", "events", "slots", "time", "planes", "copies", "compact", "units")
        known = {key: config[key] for key in keys if key in config}
        try:
            return plan(network, HardwareConfig(**known))
        except TypeError as error:
            raise FileFormatError(f"{next(iter(run.manifests))}, 'config': {error}") from None
    if run.sidecar is not None:
        from spikeloom.sim.sidecar import planned

        return planned(run.sidecar, network, run.path)
    return plan(network, HardwareConfig())


def _predicted(planned: Plan, pixels: Any, source: str) -> dict[str, Any]:
    """Return the predicted clock cycles and the timeline of the last image."""
    from spikeloom.hw.prediction import activity, coarse, predict

    found = predict(planned, activity(planned.network, pixels), timelines=True)
    last = len(pixels) - 1
    layers, joined = [], []
    for name, timeline in found.timelines.items():
        spans = timeline.image(last)
        drawn = {key: coarse(spans[key]) for key in ("starved", "blocked")}
        if any(len(drawn[key]) < len(spans[key]) for key in drawn):
            joined.append(name)
        layers.append({"name": name, **spans, **drawn})
    return {
        "data": source,
        **found.as_dict(),
        "slowest": found.slowest.name,
        "timeline": {"image": last, "coarse": joined, "layers": layers},
    }
