"""Summary of an analysis: the layers that hardware will have."""

from __future__ import annotations

from dataclasses import dataclass

from spikeloom.sw.graph.analysis import Analysis
from spikeloom.sw.graph.layers import LayerSpec
from spikeloom.sw.graph.values import map_shape


@dataclass(frozen=True)
class LayerSummary:
    """One layer of the spiking network that a model becomes.

    Parameters
    ----------
    name : str
    shape : tuple of int or None
        None if the input's shape is not known.
    reads : str
        Sources, with their pools, and the modules whose weights they get.
    activation : str
        Function that the layer's neurons stand for.
    neuron : str
        Kind of neurons, in count transport, unless the user chooses another.
    """

    name: str
    shape: tuple[int, ...] | None
    reads: str
    activation: str
    neuron: str


def layers_in_hardware(analysis: Analysis) -> list[LayerSummary]:
    """Return a summary of each layer, in order of evaluation."""
    return [_summary(analysis, layer) for layer in analysis.layers]


def _summary(analysis: Analysis, layer: LayerSpec) -> LayerSummary:
    reads = "; ".join(
        f"{synapse.tap}" + (" as it is" if synapse.target is None else f" by {synapse.target}")
        for synapse in layer.synapses
    )
    targets = [synapse.target for synapse in layer.synapses if synapse.target is not None]
    nodes = [n.name for n in analysis.module.graph.nodes if n.target in targets]
    shape = analysis.shapes.get(nodes[-1] if nodes else str(layer.activation))
    if shape is not None:
        shape = map_shape(shape)
    rectifier = layer.rectifier
    if rectifier is None:
        return LayerSummary(layer.name, shape, reads, "none", "logits")
    name = {0.0: "ReLU", 1.0: "identity"}.get(rectifier.slope, f"LeakyReLU({rectifier.slope:g})")
    if rectifier.limit is not None:
        name += f", clipped at {rectifier.limit:g}"
    if layer.implied:
        name += ", put in by prepare()"
    return LayerSummary(layer.name, shape, reads, name, "signed" if rectifier.signed else "ladder")
