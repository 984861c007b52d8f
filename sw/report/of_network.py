"""Sections on the network itself: its graph and layers, its accuracy, its spikes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from spikeloom.sw.report import charts
from spikeloom.sw.report.graph import graph, size_text
from spikeloom.sw.report.parts import Chart, Column, Drawing, Fold, Note, Picture, Table
from spikeloom.sw.report.run import Json, Run
from spikeloom.sw.report.section import Section


class NetworkSection(Section, kind="network"):
    """Graph and table of the layers."""

    title = "Network"
    about = "Choose a layer, in the drawing or in any table, to see all its figures."

    def parts(self, run: Run, number: int) -> list[Any]:
        network = run.network
        if network is None:
            return []
        rows = []
        for layer in network["layers"]:
            neurons = 1
            for size in layer["shape"]:
                neurons *= size
            rows.append(
                [
                    layer["name"],
                    size_text(layer["shape"]),
                    layer["timesteps"],
                    layer["neuron"]["kind"],
                    neurons,
                    max(way["weight_bits"] for way in layer["connections"]),
                    layer["accumulator_width"],
                    layer["potential_width"],
                    layer["synapses"],
                    layer["parameters"],
                    ", ".join(
                        f"{way['source']} ({way['transport']})" for way in layer["connections"]
                    ),
                ]
            )
        columns = [
            Column("layer", "text"),
            Column("shape", "text"),
            Column("T"),
            Column("neuron", "text"),
            Column("neurons"),
            Column("weight bits"),
            Column("accumulator bits"),
            Column("potential bits"),
            Column("synapses"),
            Column("parameters"),
            Column("reads", "text"),
        ]
        return [
            Drawing(graph(network, number)),
            Table("Layers", columns, rows, layers=True),
            Note(f"Digest of the network: {network['digest']}"),
        ]


class AccuracySection(Section, kind="accuracy"):
    """From the float model to the hardware, and against T."""

    title = "Accuracy"
    about = "What each step from the float model to the hardware costs, on test images."

    def parts(self, run: Run, number: int) -> list[Any]:
        found: list[Any] = []
        rows = list(accuracies(run))
        if rows:
            if len(rows) > 1 and len({name for name, _, _ in rows}) == len(rows):
                names, values = [row[0] for row in rows], [row[1] for row in rows]
                text = ", ".join(f"{name} {value:.2%}" for name, value, _ in rows)
                model = charts.steps("Accuracy by step", names, values, "accuracy")
                found.append(Chart("Accuracy by step", text, model))
            lost = [
                None,
                *(after[1] - before[1] for before, after in pairwise(rows)),
            ]
            columns = [
                Column("model", "text"),
                Column("accuracy", "share"),
                Column("change", "share"),
                Column("source", "text"),
            ]
            table = [
                [name, value, change, source]
                for (name, value, source), change in zip(rows, lost, strict=True)
            ]
            found.append(Table("Accuracy by step", columns, table))
        return found + _against_timesteps(run)


def accuracies(run: Run) -> list[tuple[str, float, str]]:
    """Return name, accuracy and source of each step that a run knows, in the order of the steps.

    Of several files that know a step, the one nearest to the training counts.
    """
    demo, result = run.demo or {}, run.result or {}
    about = (run.network or {}).get("about", {}).get("accuracy")
    said = about if isinstance(about, dict) else {}
    of_demo: Json = demo.get("accuracy", {})
    of_trained = (run.trained or {}).get("accuracy", {})
    of_board = [
        (content["network"].get("accuracy") or {}, name) for name, content in run.manifests.items()
    ]
    measured = run.measured()
    simulated = [] if measured is None or run.demo else [(measured[1]["accuracy"], measured[0])]
    sources: dict[str, list[tuple[Any, str]]] = {
        "float ANN": [
            (of_demo.get("float"), "demo"),
            (result.get("float_accuracy"), "training"),
            (of_trained.get("float"), "trained model"),
            (said.get("float"), "network"),
            *((x.get("float"), name) for x, name in of_board),
        ],
        "quantized ANN": [
            (of_demo.get("quantized"), "demo"),
            (result.get("quantized_accuracy"), "training"),
            (of_trained.get("quantized"), "trained model"),
            (said.get("quantized"), "network"),
            *((x.get("quantized"), name) for x, name in of_board),
        ],
        "through time": [(result.get("spiking_accuracy"), "training")],
        "integer network": [
            (of_demo.get("golden"), "demo"),
            (result.get("integer_accuracy"), "training"),
        ],
        "hardware": [(of_demo.get("hardware"), "demo"), *simulated],
    }
    found = []
    for step, known in sources.items():
        for value, source in known:
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.append((step, float(value), source))
                break
    return found


def _against_timesteps(run: Run) -> list[Any]:
    found: list[Any] = []
    scores = run.activity["accuracy_by_timestep"] if run.activity else None
    if scores:
        title = "Accuracy after each timestep"
        steps = list(range(1, len(scores) + 1))
        text = f"from {scores[0]:.2%} after the first timestep to {scores[-1]:.2%} after the last"
        found.append(
            Chart(title, text, charts.points(title, steps, scores, "timestep", "accuracy", True))
        )
        columns = [Column("timesteps"), Column("accuracy", "share")]
        rows = [[step, score] for step, score in zip(steps, scores, strict=True)]
        found.append(
            Fold("Accuracy after each timestep, as a table", [Table(title, columns, rows)])
        )
    epochs = [
        entry
        for entry in run.log
        if entry.get("average_timesteps") is not None
        and entry.get("validation_accuracy") is not None
    ]
    if epochs:
        title = "Accuracy against mean T, by epoch of the training"
        across = [entry["average_timesteps"] for entry in epochs]
        up = [entry["validation_accuracy"] for entry in epochs]
        text = f"{len(epochs)} epochs, with a mean T of {min(across):.2f} to {max(across):.2f}"
        model = charts.points(title, across, up, "mean T", "validation accuracy", False)
        found.append(Chart(title, text, model))
    return found


class LayersSection(Section, kind="layers"):
    """λ, T and spike rate of each layer."""

    title = "Thresholds, timesteps and spikes"
    about = "λ is where a layer's activation ends, in the units of the trained model."

    def parts(self, run: Run, number: int) -> list[Any]:
        thresholds = run.trained["thresholds"] if run.trained else {}
        rates = {x["name"]: x for x in run.activity["layers"]} if run.activity else {}
        if not thresholds and not rates:
            return []
        steps = {x["name"]: x["timesteps"] for x in run.network["layers"]} if run.network else {}
        names = [x for x in (run.names() or thresholds) if x in thresholds or x in rates]
        found: list[Any] = []
        for title, unit, values in (
            ("λ", "λ", thresholds),
            ("Timesteps T", "timesteps", {name: steps[name] for name in names if name in steps}),
            (
                "Spike rate",
                "spikes per neuron and timestep",
                {k: x["rate"] for k, x in rates.items()},
            ),
        ):
            shown = [name for name in names if name in values]
            if shown:
                lengths = [values[name] for name in shown]
                text = f"{unit} by layer, from {min(lengths):.3g} to {max(lengths):.3g}"
                found.append(Chart(title, text, charts.bars(title, shown, {title: lengths}, unit)))
        columns = [
            Column("layer", "text"),
            Column("λ"),
            Column("T"),
            Column("spikes per image"),
            Column("spike rate", "share"),
        ]
        rows = [
            [
                name,
                thresholds.get(name),
                steps.get(name),
                rates.get(name, {}).get("spikes"),
                rates.get(name, {}).get("rate"),
            ]
            for name in names
        ]
        found.append(
            Table("Thresholds, timesteps and spikes", columns, rows, layers=bool(run.names()))
        )
        if run.activity:
            found.append(
                Note(
                    f"Spikes: means over {run.activity['images']} images of "
                    f"{run.activity['source']}"
                )
            )
        return found


class SpikesSection(Section, kind="spikes"):
    """Raster and potentials of some neurons on some images."""

    title = "Spikes and potentials"
    about = "Neurons of each layer on single images, timestep by timestep, by the golden model."

    def parts(self, run: Run, number: int) -> list[Any]:
        found: list[Any] = []
        for traced in run.traces:
            right = "" if traced["right"] is None else f", labelled {traced['right']}"
            title = f"Image {traced['image']}{right}: the network says {traced['label']}"
            parts: list[Any] = [Picture(traced["picture"], f"Image {traced['image']}{right}")]
            for place, layer in enumerate(traced["layers"]):
                parts.append(_traced(traced["image"], layer, not found and place == 0))
            found.append(Fold(title, parts, open=not found))
        return found


def _traced(image: int, layer: Json, shown: bool) -> Fold:
    name, neurons = layer["name"], layer["neurons"]
    names = [f"({', '.join(map(str, neuron['place']))})" for neuron in neurons]
    spikes = [neuron["spikes"] for neuron in neurons]
    total = sum(value != 0 for row in spikes for value in row)
    title = f"{name}: potentials at the end of each timestep"
    potentials = [neuron["potentials"] for neuron in neurons]
    text = f"{len(names)} neurons of {name} on image {image}, by their place in its feature map"
    parts: list[Any] = []
    if total:
        raster = charts.raster(f"{name}: spikes", names, spikes)
        parts.append(Chart(f"{name}: spikes", f"{text}: {total} spikes", raster))
    parts.append(Chart(title, text, charts.curves(title, names, potentials, "potential")))
    columns = [Column("neuron", "text"), Column("spikes", "text"), Column("potentials", "text")]
    rows = [
        [label, " ".join(map(str, neuron["spikes"])), " ".join(map(str, neuron["potentials"]))]
        for label, neuron in zip(names, neurons, strict=True)
    ]
    parts.append(Table(f"{name} on image {image}, by timestep", columns, rows))
    return Fold(name, parts, open=shown)
