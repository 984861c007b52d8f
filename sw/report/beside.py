"""Key figures of runs, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikeloom.sw.report.of_network import accuracies
from spikeloom.sw.report.of_sweep import best
from spikeloom.sw.report.parts import Column, Share, Table
from spikeloom.sw.report.run import Run


def key_figures(run: Run) -> dict[str, Any]:
    """Return the figures that a run is judged by, by name; only those that are known."""
    found: dict[str, Any] = {}
    network = run.network
    if network is not None:
        layers = network["layers"]
        firing = [x["timesteps"] for x in layers if x["neuron"]["kind"] != "logits"]
        found |= {
            "layers": len(layers),
            "synapses": network["synapses"],
            "parameters": network["parameters"],
            "mean T": sum(firing) / len(firing) if firing else None,
        }
    found |= best(run)
    for step, value, _ in accuracies(run):
        found[f"accuracy, {step}"] = Share(value)
    measured = run.measured()
    if measured is not None:
        found["clock cycles per image"] = measured[1]["cycles_per_image"]
        found["latency, clock cycles"] = measured[1]["latency"]
    if run.prediction is not None:
        found["predicted clock cycles per image"] = run.prediction["interval"]
        found["predicted latency, clock cycles"] = run.prediction["latency"]
        found["slowest layer"] = run.prediction["slowest"]
    if run.activity is not None:
        found["spikes per image"] = sum(layer["spikes"] for layer in run.activity["layers"])
    if run.area is not None:
        found[f"LUTs, {run.area['family']}"] = run.area["whole"]["luts"]
    if len(run.manifests) == 1:
        (content,) = run.manifests.values()
        found["board"] = content["board"]
        for key, entry in (content.get("resources") or {}).items():
            found[f"used {key}"] = entry["used"]
        found["highest clock, MHz"] = content.get("fmax_mhz")
    simulations = [content for _, content in run.simulations()]
    if simulations:
        found["values compared"] = sum(content["compared"] for content in simulations)
        found["values that differ"] = sum(content["differing"] for content in simulations)
    return {key: value for key, value in found.items() if value is not None}


def beside(runs: Sequence[Run]) -> Table:
    """Return the table of key figures, with a column for each run; of two, also the change."""
    known = [key_figures(run) for run in runs]
    keys = list(dict.fromkeys(key for figures in known for key in figures))
    rows = []
    for key in keys:
        values = [figures.get(key) for figures in known]
        row = [key, *values]
        if len(runs) == 2:
            row.append(_change(*values))
        rows.append(row)
    columns = [Column("figure", "text"), *(Column(run.path) for run in runs)]
    columns += [Column("change")] if len(runs) == 2 else []
    return Table("Key figures", columns, rows)


def _change(before: Any, after: Any) -> Any:
    """Return the difference of two numbers; None of anything else."""
    if not isinstance(before, int | float) or not isinstance(after, int | float):
        return None
    change = after - before
    return Share(change) if isinstance(before, Share) else change
