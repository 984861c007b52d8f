"""Reading an ONNX file as a torch model, node by node."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import fx

from spikeloom.sw.datasets.pixels import Pixels
from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.importing.onnx import (  # noqa: F401  # they enter their operators
    activations,
    arithmetic,
    layers,
    pools,
    quantization,
    shapes,
    sizes,
)
from spikeloom.sw.importing.onnx.builder import Builder
from spikeloom.sw.importing.onnx.calls import Call
from spikeloom.sw.importing.onnx.file import OWN, OnnxFile, read
from spikeloom.sw.importing.onnx.operators import Operator
from spikeloom.sw.importing.onnx.refused import REFUSED
from spikeloom.sw.importing.onnx.tensors import Tensors
from spikeloom.sw.importing.onnx.values import Signal, Value
from spikeloom.sw.network.network import MAX_VALUES
from spikeloom.sw.quantized.weights import QuantizedWeights

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto, ValueInfoProto

_FLOAT = 1


class OnnxModel(fx.GraphModule):
    """A torch model that was read from an ONNX file, in eval mode.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one image.
    pixels : Pixels or None
        The grid to which the file rounds its input, if it does: hand it to
        :func:`~spikeloom.sw.quantized.prepare`.
    """

    input_shape: tuple[int, ...]
    pixels: Pixels | None


def from_onnx(
    source: str | Path | bytes, *, input_shape: tuple[int, ...] | None = None
) -> OnnxModel:
    """Return a torch model that computes what an ONNX file says.

    It is made of ordinary torch modules and functions, so that
    :func:`~spikeloom.sw.quantized.check` and :func:`~spikeloom.sw.quantized.prepare` take it, and
    training can go on. Layers have the names that they have in the file. Integer weights (QDQ,
    QONNX, Brevitas) become layers that keep these integers when they are prepared, and quantized
    activations become activations that keep their levels and thresholds.

    Parameters
    ----------
    source : path or bytes
        The file, or its content. Files with weights are only read from the folder of the file.
    input_shape : tuple of int, optional
        Shape of one image, without the batch, where the file leaves sizes open.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, too large, or incomplete.
    UnsupportedError
        If it has an operator that cannot be taken, in a version that is not known, or values that
        depend on the image's size. The message names operator and node, and the remedy.
    ConfigError
        If ``input_shape`` is not the one that the file states.
    """
    file = read(source)
    needed = _needed(file)
    image = _image(file, needed)
    batch, shape = _sizes(file, image, input_shape)
    reader = _Reader(file, needed, Builder(batch))
    return reader.model(image.name, shape)


class _Reader:
    """Reads the nodes of a file, in order."""

    def __init__(self, file: OnnxFile, nodes: Sequence[NodeProto], builder: Builder) -> None:
        self.file = file
        self.nodes = nodes
        self.builder = builder
        self.tensors = Tensors(file)
        self.values: dict[str, Value] = {}
        self.readers = Counter(name for node in nodes for name in node.input)
        self.readers.update(output.name for output in file.graph.output)

    def model(self, image: str, shape: tuple[int, ...]) -> OnnxModel:
        """Return the model, whose input ``image`` has a shape."""
        self._keep(image, self.builder.input(shape))
        for node in self.nodes:
            self._read(node)
        outputs = [output.name for output in self.file.graph.output]
        if len(outputs) != 1:
            raise UnsupportedError(
                f"{self.file.name} has {len(outputs)} outputs: export the logits only"
            )
        result = self.values.get(outputs[0])
        if not isinstance(result, Signal):
            raise UnsupportedError(
                f"{self.file.name}: the output {outputs[0]!r} does not depend on the input: export "
                f"the model again"
            )
        self._share_scale(result)
        graph = self.builder.graph
        graph.output(result.node)
        model = OnnxModel(dict(self.builder.parts), graph, "OnnxModel")
        model.graph.eliminate_dead_code()
        model.graph.lint()
        model.delete_all_unused_submodules()
        model.recompile()
        model.input_shape = shape
        model.pixels = self.builder.pixels
        return model.eval()

    def _share_scale(self, logits: Signal) -> None:
        """Let the output layer's weights be real again, if they have a scale for each logit."""
        found: Signal | None = logits
        while found is not None and self.builder.called(found) is None:
            found = self.builder.behind(found)
        layer = None if found is None else self.builder.called(found)
        if found is None or not isinstance(layer, QuantizedWeights) or len(layer.scale) == 1:
            return
        self.builder.parts[str(found.node.target)] = layers.unquantized(layer)
        warnings.warn(
            f"{self.file.name}: the integer weights of the last layer have a scale for each "
            f"output, and its outputs need one for all: prepare() rounds them anew; to keep them, "
            f"quantize the last layer per tensor",
            stacklevel=4,
        )

    def _read(self, node: NodeProto) -> None:
        title = f"{self.file.name}: {node.op_type} {node.name or node.output[0]!r}"
        if node.name:
            title = f"{self.file.name}: {node.op_type} {node.name!r}"
        operator = Operator.kinds.get(node.op_type)
        if operator is None or node.domain not in operator.domains:
            raise UnsupportedError(f"{title}: {_reason(node)}")
        outputs = [name for name in node.output if name and self.readers[name]]
        last = max((i for i, name in enumerate(node.output) if name in outputs), default=0)
        call = Call(
            title,
            node.name or node.output[0],
            [self._value(name, title) for name in node.input],
            {each.name: self._attribute(each, title) for each in node.attribute},
            list(node.output)[: last + 1],
            node.output[0] in {output.name for output in self.file.graph.output},
            self.file.opset,
            self.builder,
        )
        found = operator().read(call)
        results = found if isinstance(found, tuple) else (found,)
        if last >= len(results):
            raise call.refusal(f"has {last + 1} results that are read, and one is known")
        for name, result in zip(node.output, results, strict=False):
            self._keep(name, result)

    def _keep(self, name: str, value: Value) -> None:
        if isinstance(value, Signal):
            value = replace(value, readers=max(value.readers, self.readers[name]))
        self.values[name] = value

    def _value(self, name: str, title: str) -> Value | None:
        if not name:
            return None
        if name in self.values:
            return self.values[name]
        if name in self.tensors:
            return self.tensors[name]
        raise FileFormatError(
            f"{title}: reads {name!r}, which neither an initialiser nor a node before it has: "
            f"export the model again, with its weights"
        )

    def _attribute(self, attribute: AttributeProto, title: str) -> Any:
        """Return an attribute as a number, a string, a list or a constant."""
        from onnx import AttributeProto, helper

        if attribute.type == AttributeProto.TENSOR:
            return self.tensors.constant(attribute.t, attribute.name)
        if attribute.type not in (
            AttributeProto.FLOAT,
            AttributeProto.FLOATS,
            AttributeProto.INT,
            AttributeProto.INTS,
            AttributeProto.STRING,
        ):
            raise FileFormatError(
                f"{title}: {attribute.name} is of a type that no option has: export the model again"
            )
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        return value if isinstance(value, (int, float)) else list(value)


def _reason(node: NodeProto) -> str:
    """Return why a node is refused, and what to do."""
    if node.op_type in REFUSED:
        return REFUSED[node.op_type]
    if node.domain not in OWN:
        return f"is of the domain {node.domain!r}, which is not known: export standard operators"
    return "is not among the operators that can be taken: docs/onnx.md lists them"


def _needed(file: OnnxFile) -> list[NodeProto]:
    """Return the nodes that the outputs depend on, in order."""
    wanted = {output.name for output in file.graph.output}
    found = []
    for node in reversed(file.graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            found.append(node)
    return found[::-1]


def _image(file: OnnxFile, nodes: Sequence[NodeProto]) -> ValueInfoProto:
    """Return the one input of a model."""
    inputs: list[ValueInfoProto] = [
        value for value in file.graph.input if value.name not in file.initialisers
    ]
    if len(inputs) > 1:
        read = {name for node in nodes for name in node.input}
        inputs = [value for value in inputs if value.name in read]
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs[:8]) or "none"
        raise UnsupportedError(
            f"{file.name} must have one input, and has {names}: export the model with its weights, "
            f"and one image as its input"
        )
    return inputs[0]


def _sizes(
    file: OnnxFile, image: ValueInfoProto, given: tuple[int, ...] | None
) -> tuple[int | None, tuple[int, ...]]:
    """Return the number of images, None if it is open, and the shape of one."""
    if image.type.tensor_type.elem_type != _FLOAT:
        raise UnsupportedError(
            f"{file.name}: the input {image.name!r} is not of float32: export the model in float32"
        )
    stated = [
        size.dim_value if size.WhichOneof("value") == "dim_value" else None
        for size in image.type.tensor_type.shape.dim
    ]
    if not image.type.tensor_type.HasField("shape"):
        stated = [None] * (1 + len(given or ()))
    batch, shape = (stated[0], stated[1:]) if stated else (None, [])
    if given is not None:
        fits = len(given) == len(shape) and all(
            size in (None, wanted) for size, wanted in zip(shape, given, strict=True)
        )
        if not fits:
            raise ConfigError(
                f"input_shape {tuple(given)} is not that of {file.name}: "
                f"{_text(shape)}, where ? is open"
            )
        shape = list(given)
    if None in shape or not shape:
        raise UnsupportedError(
            f"{file.name}: the input {image.name!r} has the shape {_text(shape)}, where only the "
            f"number of images may be open: give input_shape, or export the model with fixed sizes"
        )
    known = [size for size in shape if size is not None]
    if min(known) < 1 or len(known) > 3:
        raise UnsupportedError(
            f"{file.name}: images have the shape {_text(shape)}: use (channels, height, width), "
            f"(channels, length) or (features,)"
        )
    if math.prod(known) > MAX_VALUES or (batch or 0) > MAX_VALUES:
        raise UnsupportedError(
            f"{file.name}: {batch or 1:,} images of the shape {_text(shape)}: an image has at most "
            f"{MAX_VALUES:,} values, and as many images go at once"
        )
    if batch is not None and batch < 1:
        batch = None
    return batch, tuple(known)


def _text(shape: Sequence[int | None]) -> str:
    return "x".join("?" if size is None else str(size) for size in shape) or "without axes"
