"""ONNX files: the protocol buffer, its opset and its initialisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikeloom.sw.errors import FileFormatError, UnsupportedError
from spikeloom.sw.files import read_bytes

if TYPE_CHECKING:
    from onnx import GraphProto, TensorProto

#: Bytes of the largest protocol buffer. Files of more have their weights in other files.
MAX_BYTES = (1 << 31) - 1
#: Versions of ONNX's operators whose meaning is known, the first and the last.
OPSETS = (9, 25)
#: Domains of ONNX's own operators.
OWN = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxFile:
    """An ONNX file that has been read, its weights in other files not yet.

    Parameters
    ----------
    name : str
        The file, for messages: ``"ONNX file net.onnx"``.
    graph : onnx.GraphProto
    opset : int
        Version of ONNX's own operators.
    folder : path or None
        Folder in which other files with weights may lie; None if the file was given as bytes.
    initialisers : mapping of str to onnx.TensorProto
    """

    name: str
    graph: GraphProto
    opset: int
    folder: Path | None
    initialisers: Mapping[str, TensorProto]


def read(source: str | Path | bytes) -> OnnxFile:
    """Return an ONNX file.

    Parameters
    ----------
    source : path or bytes
        The file, or its content.

    Raises
    ------
    FileFormatError
        If it is missing, too large, damaged, or no ONNX file.
    UnsupportedError
        If its operators are of a version that is not known, or it has functions of its own.
    """
    if isinstance(source, bytes):
        name, folder, content = "ONNX model", None, source
    else:
        path = Path(source)
        name, folder = f"ONNX file {path}", path.parent
        content = read_bytes(path, "ONNX file", MAX_BYTES)
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        model = ModelProto.FromString(content)
    except DecodeError:
        raise FileFormatError(f"{name} is damaged, or no ONNX file: export it again") from None
    del content
    if not model.HasField("graph") or not model.graph.node:
        raise FileFormatError(f"{name} has no graph of operators: export the model again")
    if model.functions:
        raise UnsupportedError(
            f"{name} has functions of its own ({model.functions[0].name}): replace them by their "
            f"operators, with onnx.inliner.inline_local_functions"
        )
    if not all(map(_is_text, _texts(model.graph))):
        raise FileFormatError(f"{name} is damaged: it has names that are no text; export it again")
    return OnnxFile(
        name,
        model.graph,
        _opset(name, {entry.domain: entry.version for entry in model.opset_import}),
        folder,
        {tensor.name: tensor for tensor in model.graph.initializer},
    )


def _opset(name: str, versions: Mapping[str, int]) -> int:
    version = next((versions[domain] for domain in OWN if domain in versions), None)
    if version is None:
        raise FileFormatError(f"{name} does not say which opset it uses: export it again")
    if not OPSETS[0] <= version <= OPSETS[1]:
        raise UnsupportedError(
            f"{name} uses opset {version}, and opsets {OPSETS[0]} to {OPSETS[1]} can be read: "
            f"export it with opset_version=18"
        )
    return version


def _texts(graph: GraphProto) -> Iterator[Any]:
    """Return all names in a graph, which are bytes where they are no UTF-8."""
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for value in (*graph.input, *graph.output):
        yield value.name
    for tensor in graph.initializer:
        yield tensor.name
        for entry in tensor.external_data:
            yield from (entry.key, entry.value)


def _is_text(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable()
