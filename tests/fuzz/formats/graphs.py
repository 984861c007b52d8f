"""Graphs of other toolkits: NIR, which is HDF5, and ONNX, which is a protocol buffer."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from fuzz.formats.base import Format

if TYPE_CHECKING:
    from onnx import GraphProto

_NODES: tuple[str, ...] = (
    "Affine",
    "Linear",
    "Conv2d",
    "Conv1d",
    "IF",
    "LIF",
    "CubaLIF",
    "LI",
    "I",
    "Scale",
    "Flatten",
)
_NODES += ("SumPool2d", "AvgPool2d", "Input", "Output", "NIRGraph", "Threshold", "Delay", "x")
_REALS = (0.0, -1.0, 0.5, 1e-30, 1e30, 1e300, np.inf, -np.inf, np.nan, 3.0, 1.0)
_SIZES = (0, 1, 2, 3, 4, 16, 100)


class Hdf5(Format):
    """NIR: the tree of groups and arrays is damaged, and written anew.

    The library crashes on some files whose bytes were damaged. So only those are taken apart that
    it has written itself.

    Parameters
    ----------
    seeds : str
        Folder of the corpus, whose files it has written, too.
    """

    understood = 0.4

    def __init__(self, seeds: str) -> None:
        self.folder = Path(__file__).parents[1] / "corpus" / seeds
        self._written: set[bytes] = set()

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        if not self._written:
            self._written = {_mark(file.read_bytes()) for file in self.folder.iterdir()}
        if _mark(data) not in self._written:
            return None
        changed = io.BytesIO()
        with h5py.File(io.BytesIO(data), "r") as source, h5py.File(changed, "w") as target:
            for name in source:
                source.copy(name, target)
            for _ in range(1 + min(chance.getrandbits(1), chance.getrandbits(1))):
                _change_member(target, chance)
        self._written.add(_mark(changed.getvalue()))
        return changed.getvalue()


def _mark(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _change_member(file: h5py.File, chance: Random) -> None:
    names: list[str] = []
    file.visit(names.append)
    name = chance.choice(names)
    member = file[name]
    if isinstance(member, h5py.Group):
        _change_group(file, name, names, chance)
        return
    value = member[()]
    del file[name]
    if isinstance(value, bytes):
        text = chance.choice((*_NODES, value.decode("utf-8", "replace"), "", "é", "x" * 70_000))
        file.create_dataset(name, data=text, dtype=h5py.string_dtype())
    elif np.asarray(value).dtype.kind == "O":
        rows = [[x.decode() for x in row] for row in np.atleast_2d(value).tolist()]
        row = chance.choice(rows)
        match chance.randrange(4):
            case 0:
                rows.remove(row)
            case 1:
                rows.append([chance.choice(rows)[0], chance.choice(rows)[1]])
            case 2:
                row.reverse()
            case _:
                row[chance.randrange(len(row))] = chance.choice(("x", "0", "input", ""))
        file.create_dataset(name, data=np.array(rows, object), dtype=h5py.string_dtype())
    else:
        array = _changed_array(np.asarray(value), chance)
        packed = {"compression": "gzip"} if array.ndim and array.size else {}
        file.create_dataset(name, data=array, **packed)


def _change_group(file: h5py.File, name: str, names: list[str], chance: Random) -> None:
    other = chance.choice(names)
    match chance.randrange(6):
        case 0:
            del file[name]
        case 1:
            file[f"{name}/again"] = file[other]
        case 2:
            file[f"{name}/more"] = h5py.SoftLink(f"/{other}")
        case 3:
            file.copy(file[other], f"{name}/copy") if not name.startswith(other) else None
        case 4:
            file[f"{name}/type2"] = chance.choice(_NODES)
        case _:
            file.move(name, f"{name}x")


def _changed_array(array: Any, chance: Random) -> Any:
    match chance.randrange(6):
        case 0:
            kinds = ("<f4", "<f8", "<i4", "<i8", "|u1", "|b1", "<f2", "|S4", "<c8")
            with np.errstate(all="ignore"):
                return array.astype(chance.choice(kinds))
        case 1:
            shape = list(array.shape)
            shape.insert(chance.randint(0, len(shape)), chance.choice(_SIZES))
            return np.resize(array, shape)
        case 2 if array.ndim:
            shape = list(array.shape)
            shape[chance.randrange(len(shape))] = chance.choice(_SIZES)
            return np.resize(array, shape)
        case 3 if array.ndim:
            return array.reshape(-1)[chance.randrange(max(1, array.size)) :]
        case _:
            flat = array.reshape(-1).copy()
            if flat.size and flat.dtype.kind in "fiu":
                value = chance.choice(_REALS)
                if flat.dtype.kind != "f":
                    value = int(chance.choice((0, 1, -1, 2, 1 << 30, 100)))
                with np.errstate(all="ignore"):
                    flat[chance.randrange(flat.size)] = np.array(value).astype(flat.dtype)
            return flat.reshape(array.shape)


class Onnx(Format):
    """ONNX: nodes, attributes, shapes and tensors are damaged, and written anew."""

    understood = 0.75

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        from onnx import ModelProto

        model = ModelProto.FromString(data)
        for _ in range(1 + min(chance.getrandbits(1), chance.getrandbits(1))):
            _change_graph(model.graph, chance)
        if chance.getrandbits(5) == 0:
            model.opset_import[0].version = chance.choice((0, 8, 9, 13, 25, 26, -1))
        return bytes(model.SerializeToString())


_OPERATORS = (
    *("Conv", "Gemm", "MatMul", "Relu", "Add", "Sub", "Mul", "Div", "Reshape", "Flatten", "Sign"),
    *("Transpose", "MaxPool", "AveragePool", "GlobalAveragePool", "BatchNormalization", "Pad"),
    *("Concat", "Slice", "Gather", "Shape", "Unsqueeze", "Squeeze", "Constant", "Identity"),
    *("QuantizeLinear", "DequantizeLinear", "Clip", "LeakyRelu", "Split", "ReduceMean", "Cast"),
    *("ConstantOfShape", "Expand", "Resize", "If", "Loop", "Range", "Tile", "x"),
)
_ATTRIBUTES = ("axis", "kernel_shape", "strides", "pads", "group", "alpha", "transB", "perm", "to")
_NUMBERS = (0, 1, -1, 2, 3, 7, 100, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63))


def _change_graph(graph: GraphProto, chance: Random) -> None:
    node = chance.choice(graph.node)
    match chance.randrange(10):
        case 0:
            node.op_type = chance.choice(_OPERATORS)
        case 1 if node.input:
            names = [*(x for other in graph.node for x in (*other.input, *other.output)), "", "x"]
            node.input[chance.randrange(len(node.input))] = chance.choice(names)
        case 2 if node.input:
            del node.input[chance.randrange(len(node.input))]
        case 3:
            node.input.append(chance.choice([*chance.choice(graph.node).output, ""]))
        case 4:
            graph.node.remove(node)
        case 5 if node.attribute:
            _change_attribute(chance.choice(node.attribute), chance)
        case 6:
            made = node.attribute.add()
            made.name, made.type = chance.choice(_ATTRIBUTES), chance.choice((1, 2, 3, 6, 7))
            _change_attribute(made, chance)
        case 7 if graph.input:
            dims = chance.choice(graph.input).type.tensor_type.shape.dim
            if dims:
                chance.choice(dims).dim_value = chance.choice(_NUMBERS)
        case _ if graph.initializer:
            _change_tensor(chance.choice(graph.initializer), chance)
        case _:
            graph.node.add().CopyFrom(node)


def _change_attribute(attribute: Any, chance: Random) -> None:
    match chance.randrange(4):
        case 0:
            attribute.i = chance.choice(_NUMBERS)
        case 1:
            attribute.f = chance.choice(_REALS[:4])
        case 2 if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(_NUMBERS)
        case 3 if attribute.ints:
            del attribute.ints[0]
        case _:
            attribute.ints.append(chance.choice(_NUMBERS))


def _change_tensor(tensor: Any, chance: Random) -> None:
    match chance.randrange(6):
        case 0 if tensor.dims:
            tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(_NUMBERS)
        case 1:
            tensor.dims.append(chance.choice((0, 1, 2, 1 << 40)))
        case 2:
            tensor.data_type = chance.choice((0, 1, 2, 3, 6, 7, 9, 10, 11, 16, 17, 22, 99))
        case 3:
            tensor.raw_data = tensor.raw_data[: chance.randint(0, len(tensor.raw_data))]
        case 4:
            tensor.name += chance.choice(("x", ".", " "))
        case _ if len(tensor.raw_data) >= 4:
            place = chance.randrange(len(tensor.raw_data) // 4) * 4
            value = np.array(chance.choice(_REALS), np.float32).tobytes()
            tensor.raw_data = tensor.raw_data[:place] + value + tensor.raw_data[place + 4 :]
        case _:
            entry = tensor.external_data.add()
            entry.key, entry.value = "location", chance.choice(("x.bin", "../x", "/dev/zero"))
            tensor.data_location = 1
