"""ONNX graphs by hand, for tests of single operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


def node(
    kind: str,
    inputs: str = "x",
    outputs: str = "y",
    *,
    name: str = "",
    domain: str = "",
    **options: Any,
) -> onnx.NodeProto:
    """Return a node; names of tensors are separated by spaces, and ``_`` leaves one out."""
    return helper.make_node(
        kind,
        ["" if word == "_" else word for word in inputs.split()],
        outputs.split(),
        name=name,
        domain=domain,
        **options,
    )


def proto(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str | None],
    tensors: Mapping[str, Any] | None = None,
    *,
    batch: int | str | None = "batch",
    output: str = "y",
    opset: int = 18,
) -> onnx.ModelProto:
    """Return a model that reads images ``x`` and returns a tensor, ``y`` by default.

    Parameters
    ----------
    nodes : sequence of NodeProto
    shape : sequence of int, str or None
        Of one image.
    tensors : mapping of str to array, optional
        Initialisers.
    batch : int, str or None
    output : str
    opset : int
    """
    given = {name: np.asarray(value) for name, value in (tensors or {}).items()}
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in given.items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def content(*arguments: Any, **options: Any) -> bytes:
    """Return the bytes of :func:`proto`."""
    return bytes(proto(*arguments, **options).SerializeToString())
