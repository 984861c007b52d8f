"""Sections on the hardware: cycles, a timeline, area, clock, energy, and the ladder of proof."""

from __future__ import annotations

from typing import Any

from spikeloom.sw.report import charts
from spikeloom.sw.report.parts import Chart, Column, Fold, Note, Table
from spikeloom.sw.report.run import Json, Run
from spikeloom.sw.report.section import Section

_LAYER = Column("layer", "text")
_RESOURCES = {
    "luts": "LUTs",
    "flipflops": "flip-flops",
    "block_ram": "block RAMs",
    "dsp": "DSP blocks",
}


class CyclesSection(Section, kind="cycles"):
    """Clock cycles of each layer, and the one that sets the pace."""

    title = "Clock cycles"
    about = (
        "The layer that works in most cycles sets the pace of all. Starved of input, or blocked by "
        "its consumer, a layer waits."
    )

    def parts(self, run: Run, number: int) -> list[Any]:
        found: list[Any] = []
        measured = run.measured()
        if measured is not None:
            name, content = measured
            title = f"Counted by the hardware, over {content['images']:,} images ({name})"
            found += _cycles(title, content["layers"], "clock cycles")
            every, first = content["cycles_per_image"], content["latency"]
            if every is not None and first is not None:
                text = f"{every:,.1f} clock cycles per image; the first takes {first:,}"
                found.append(Note(text))
        if run.prediction is not None:
            content = run.prediction
            title = f"Predicted, per image, over {content['images']:,} images of {content['data']}"
            found += _cycles(title, content["layers"], "clock cycles per image")
            found.append(Note(_pace(content)))
        for name, content in run.manifests.items():
            foreseen = content.get("prediction")
            if foreseen:
                found.append(
                    Note(
                        f"{name}: {foreseen['cycles_per_image']:,.1f} clock cycles and "
                        f"{foreseen['images_per_second']:,.1f} images per second predicted, from "
                        f"{foreseen['source']}; the slowest layer is {foreseen['slowest']}"
                    )
                )
        for name, content in run.inference.items():
            if content["images_per_second"] is not None:
                found.append(
                    Note(
                        f"{name}: {content['images']:,} images on {content['target']}, "
                        f"{content['images_per_second']:,.1f} per second"
                    )
                )
        return found


def bottleneck(layers: list[Json]) -> str:
    """Return the name of the layer that works in most clock cycles."""
    return str(max(layers, key=lambda layer: layer["cycles"])["name"])


def _cycles(title: str, layers: list[Json], unit: str) -> list[Any]:
    names = [layer["name"] for layer in layers]
    slowest = bottleneck(layers)
    series = {
        "at work": [layer["cycles"] for layer in layers],
        "blocked": [layer["blocked"] for layer in layers],
        "starved": [layer["starved"] for layer in layers],
    }
    chart = charts.bars(title, names, series, unit)
    columns = [
        _LAYER,
        Column("cycles at work"),
        Column("events"),
        Column("starved"),
        Column("blocked"),
        Column("utilisation", "share"),
    ]
    rows = [
        [layer[key] for key in ("name", "cycles", "events", "starved", "blocked", "utilisation")]
        for layer in layers
    ]
    return [
        Chart(title, f"The slowest layer is {slowest}", chart),
        Table(title, columns, rows, layers=True, marked=slowest, mark="bottleneck"),
    ]


def _pace(content: Json) -> str:
    text = f"The first image takes {content['latency']:,} clock cycles"
    if content["interval"] is not None:
        text += f", and each following one {content['interval']:,.1f}"
    return text + "; predictions are equal to what the hardware counts."


class TimelineSection(Section, kind="timeline"):
    """What each engine does over one image."""

    title = "Timeline of one image"
    about = (
        "Each layer's engine works on the image in its own time. Clock cycles count from the end "
        "of reset, and images follow without a pause."
    )

    def parts(self, run: Run, number: int) -> list[Any]:
        line = run.prediction["timeline"] if run.prediction else None
        if line is None:
            return []
        layers = line["layers"]
        names = [layer["name"] for layer in layers]
        kinds = {
            "at work": {layer["name"]: [[layer["begin"], layer["end"]]] for layer in layers},
            "blocked": {layer["name"]: layer["blocked"] for layer in layers},
            "starved": {layer["name"]: layer["starved"] for layer in layers},
        }
        title = f"Engines on image {line['image']}"
        ends = f"from clock cycle {layers[0]['begin']:,} to {layers[-1]['end']:,}"
        found: list[Any] = [Chart(title, ends, charts.spans(title, names, kinds))]
        columns = [_LAYER, Column("first cycle"), Column("cycle after the last"), Column("cycles")]
        rows = [[x["name"], x["begin"], x["end"], x["end"] - x["begin"]] for x in layers]
        found.append(Table(title, columns, rows, layers=True))
        if line["coarse"]:
            found.append(
                Note(
                    "Waits that are close to each other are drawn as one in "
                    f"{', '.join(line['coarse'])}; the clock cycles above are exact."
                )
            )
        return found


class AreaSection(Section, kind="area"):
    """Look-up tables and the like."""

    title = "Area"
    about = "Look-up tables, flip-flops and block RAMs."

    def parts(self, run: Run, number: int) -> list[Any]:
        found: list[Any] = []
        for name, content in run.manifests.items():
            if content.get("resources"):
                found.append(_used(name, content))
        if run.area is not None:
            found += _components(run.area)
        if run.plan is not None:
            columns = [_LAYER, Column("cycles"), Column("LUTs"), Column("block RAMs")]
            rows = [
                [x[key] for key in ("name", "cycles", "luts", "block_ram")]
                for x in run.plan["layers"]
            ]
            slowest = run.plan["bottleneck"]
            title = "Estimated by the planner"
            found.append(
                Table(title, columns, rows, layers=True, marked=slowest, mark="bottleneck")
            )
        return found


def _used(name: str, content: Json) -> Table:
    columns = [
        Column("resource", "text"),
        Column("used"),
        Column("available"),
        Column("share", "share"),
    ]
    rows = [
        [
            _RESOURCES.get(key, key),
            entry["used"],
            entry["available"],
            entry["used"] / entry["available"] if entry["available"] else None,
        ]
        for key, entry in content["resources"].items()
    ]
    return Table(f"{content['board']}, {content.get('device') or ''} ({name})", columns, rows)


def _components(area: Json) -> list[Any]:
    between = "between layers"
    while any(layer["name"] == between for layer in area["layers"]):
        between += ", apart"
    places = [*area["layers"], {"name": between, "components": area["between"]}]
    kinds = list(dict.fromkeys(part["name"] for place in places for part in place["components"]))
    luts = {
        kind: [
            sum(part["luts"] for part in place["components"] if part["name"] == kind)
            for place in places
        ]
        for kind in kinds
    }
    title = f"LUTs by component, {area['family']}"
    names = [place["name"] for place in places]
    text = f"{area['whole']['luts']:,} LUTs as a whole"
    columns = [
        _LAYER,
        Column("component", "text"),
        *(Column(_RESOURCES[key]) for key in list(_RESOURCES)[:3]),
    ]
    rows = [
        [place["name"], part["name"], part["luts"], part["flipflops"], part["block_ram"]]
        for place in places
        for part in place["components"]
    ]
    whole = area["whole"]
    return [
        Chart(title, text, charts.bars(title, names, luts, "LUTs")),
        Table(title, columns, rows),
        Note(
            f"The accelerator as a whole: {whole['luts']:,} LUTs, {whole['flipflops']:,} "
            f"flip-flops, {whole['block_ram']:,} block RAMs; without link and board. "
            + ", ".join(f"{tool} {version}" for tool, version in area["tools"].items())
        ),
    ]


class ClockSection(Section, kind="clock"):
    """Clock and critical path of builds."""

    title = "Clock"
    about = "The clock of the design, and the highest that place and route found."

    def parts(self, run: Run, number: int) -> list[Any]:
        rows, notes = [], []
        for name, content in run.manifests.items():
            rows.append(
                [
                    content["board"],
                    content.get("device"),
                    content.get("oscillator_mhz"),
                    content.get("clock_mhz"),
                    content.get("fmax_mhz"),
                    name,
                ]
            )
            if name in run.paths:
                notes.append(Note(f"{name}: {run.paths[name]}"))
        if not rows:
            return []
        columns = [
            Column("board", "text"),
            Column("device", "text"),
            Column("oscillator, MHz"),
            Column("clock, MHz"),
            Column("highest clock, MHz"),
            Column("manifest", "text"),
        ]
        return [Table("Clocks", columns, rows), *notes]


class EnergySection(Section, kind="energy"):
    """Energy, as far as files say."""

    title = "Energy"
    about = "As the files say; how each figure is made stands in the documentation."

    def parts(self, run: Run, number: int) -> list[Any]:
        files = {**dict(run.simulations()), **run.manifests, **run.inference}
        found = []
        for name, content in files.items():
            energy = content.get("energy")
            if isinstance(energy, dict):
                columns = [Column("figure", "text"), Column("value")]
                rows = [[key, value] for key, value in _plain(energy)]
                found.append(Table(f"Energy ({name})", columns, rows))
        return found


def _plain(content: Json, before: str = "") -> list[tuple[str, Any]]:
    """Return keys and values of an object and those in it, without lists."""
    found: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, dict):
            found += _plain(value, f"{before}{key}, ")
        elif not isinstance(value, list):
            found.append((before + key, value))
    return found


class ProofSection(Section, kind="proof"):
    """The ladder of proof: how many values were compared, and how many differed."""

    title = "Ladder of proof"
    about = "Values that were compared one by one, without tolerance."

    def parts(self, run: Run, number: int) -> list[Any]:
        rows: list[list[Any]] = []
        parts: list[Any] = []
        if run.result is not None:
            for what, key in (
                ("integer network against quantized ANN, labels", "differing_labels"),
                (
                    "integer network against the model through time, labels",
                    "differing_spiking_labels",
                ),
            ):
                differing = run.result.get(key)
                if differing is not None:
                    images = run.result["images"]
                    rows.append([what, images, images, differing, differing == 0])
        for name, content in run.simulations():
            what = f"hardware in simulation against golden model ({name})"
            if any(content["stalls"]) and "stalls" not in name:
                what += ", with stalls"
            rows.append(
                [what, *(content[key] for key in ("images", "compared", "differing", "equal"))]
            )
            parts.append(_quantities(name, content))
            parts += [
                Note(f"{name}: {content[key]}") for key in ("divergence", "stuck") if content[key]
            ]
        for name, content in run.manifests.items():
            test = content.get("self_test")
            if test:
                what = f"self test in the bitstream, at each power-up ({name})"
                rows.append([what, test["images"], None, None, None])
        if not rows:
            return []
        columns = [
            Column("comparison", "text"),
            Column("images"),
            Column("values compared"),
            Column("differ"),
            Column("equal", "text"),
        ]
        return [Table("Ladder of proof", columns, rows), *parts]


def _quantities(name: str, content: Json) -> Fold:
    parts = {layer["name"]: layer["quantities"] for layer in content["layers"]}
    parts["output stream"] = content["output"]
    rows = [
        [layer, quantity, tally["compared"], tally["differing"]]
        for layer, tallies in parts.items()
        for quantity, tally in tallies.items()
    ]
    columns = [_LAYER, Column("quantity", "text"), Column("compared"), Column("differ")]
    return Fold(
        f"{name}: by layer and quantity", [Table(f"Values compared ({name})", columns, rows)]
    )
