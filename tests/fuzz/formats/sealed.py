"""Files with a digest of their content: safetensors files of Spikeloom, and manifests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from fuzz import bytewise, trees
from fuzz.formats.base import Format
from spikeloom.sw.link.manifest import SEAL
from spikeloom.sw.network.file import METADATA_KEY
from spikeloom.sw.sealed import KEY, split

#: Bytes of a value of each type of tensors, by safetensors' names.
_TYPES = {"BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4}
_TYPES |= {"F32": 4, "F64": 8, "I64": 8, "U64": 8, "F8_E4M3": 1, "C64": 8}
_SIZES = (0, 1, 2, 3, 5, 8, 64)


def _digest(content: Any, *data: bytes) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    found = hashlib.sha256(text.encode())
    for piece in data:
        found.update(piece)
    return found.hexdigest()


class Manifest(Format):
    """A manifest. Its digest is right in most of them, else the old one or none."""

    understood = 0.9

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        content = json.loads(data)
        before = content.pop(SEAL, None)
        content = trees.damaged(content, chance)
        text = trees.json_text(content)
        if not isinstance(content, dict) or not text.startswith("{"):
            return text.encode()
        seal = before
        if chance.random() < 0.9:
            try:
                seal = _digest(json.loads(text))
            except (ValueError, RecursionError):
                seal = None  # no reader comes as far as a digest
        comma = "," if len(text) > 2 else ""
        return f'{text[:-1]}{comma}"{SEAL}":{json.dumps(seal)}}}'.encode()


@dataclass(frozen=True)
class _Tensor:
    kind: str
    shape: tuple[int, ...]
    data: bytes

    def resized(self, kind: str, shape: tuple[int, ...]) -> _Tensor:
        """Return a tensor of another type or shape, with as many bytes as these need."""
        size = _TYPES.get(kind, 1)
        for length in shape:
            size *= length
        return _Tensor(kind, shape, (self.data * (size // max(1, len(self.data)) + 1))[:size])


class Safetensors(Format):
    """A safetensors file with JSON in its metadata. Its digest is right in most of them."""

    understood = 0.9

    def inside(self, data: bytes, chance: Random) -> bytes | None:
        text, rest = split(data)
        header = json.loads(text)
        metadata = header.pop("__metadata__", {})
        seal = metadata.pop(KEY, None)
        tensors = {
            name: _Tensor(
                entry["dtype"],
                tuple(entry["shape"]),
                bytes(rest[slice(*entry["data_offsets"])]),
            )
            for name, entry in header.items()
        }
        kind = chance.random()
        raw = metadata[METADATA_KEY]
        if kind < 0.6 or not tensors:
            raw = trees.json_text(trees.damaged(json.loads(raw), chance))
        elif kind < 0.9:
            _change_tensor(tensors, chance)
        metadata[METADATA_KEY] = raw
        found, start = {}, 0
        for name, tensor in tensors.items():
            end = start + len(tensor.data)
            found[name] = {
                "dtype": tensor.kind,
                "shape": list(tensor.shape),
                "data_offsets": [start, end],
            }
            start = end
        whole = {**found, "__metadata__": metadata}
        if kind >= 0.9:
            whole = trees.damaged(whole, chance)
        content = b"".join(tensor.data for tensor in tensors.values())
        seal = _digest(whole, content) if chance.random() < 0.9 else seal
        if seal is not None and isinstance(whole.get("__metadata__"), dict):
            whole["__metadata__"][KEY] = seal
        return _written(trees.json_text(whole), content)


def _written(text: str, content: bytes) -> bytes:
    written = text.encode("utf-8", "replace")
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + content


def _change_tensor(tensors: dict[str, _Tensor], chance: Random) -> None:
    name = chance.choice(list(tensors))
    tensor = tensors[name]
    match chance.randrange(7):
        case 0:
            del tensors[name]
        case 1:
            tensors[chance.choice((f"{name}x", name[:-1], "", "x.y", name.upper()))] = tensors.pop(
                name
            )
        case 2:
            tensors[name] = tensor.resized(chance.choice(list(_TYPES)), tensor.shape)
        case 3:
            shape = list(tensor.shape) or [1]
            shape[chance.randrange(len(shape))] = chance.choice(_SIZES)
            tensors[name] = tensor.resized(tensor.kind, tuple(shape))
        case 4:
            shape = list(tensor.shape)
            shape.insert(chance.randint(0, len(shape)), chance.choice(_SIZES))
            tensors[name] = tensor.resized(tensor.kind, tuple(shape[: chance.randint(0, 6)]))
        case 5:
            other = tensors[chance.choice(list(tensors))]
            tensors[name] = tensor.resized(tensor.kind, other.shape)
        case _:
            size = max(1, _TYPES.get(tensor.kind, 1))
            changed = bytearray(tensor.data)
            for _ in range(chance.randint(1, 3)):
                place = chance.randrange(max(1, len(changed) // size)) * size
                value = chance.choice(bytewise.NUMBERS) & ((1 << 8 * size) - 1)
                changed[place : place + size] = value.to_bytes(size, "little")
            tensors[name] = replace(tensor, data=bytes(changed[: len(tensor.data)]))
