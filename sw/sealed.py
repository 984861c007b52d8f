"""Seals: a digest of a safetensors file's content in its own metadata, so that damage is seen.

The format itself notices a file that is cut short, but not a bit that has changed in a weight.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from spikeloom.sw.errors import FileFormatError

#: Key of the seal in the metadata.
KEY = "sha256"

_LOG = logging.getLogger(__name__)
_METADATA = "__metadata__"


def sealed(save: Callable[..., bytes], tensors: Any, metadata: Mapping[str, str]) -> bytes:
    """Return the content of a safetensors file with a seal.

    Parameters
    ----------
    save : callable
        ``save`` of ``safetensors.numpy`` or ``safetensors.torch``.
    tensors : mapping
        As ``save`` takes them.
    metadata : mapping of str to str
    """
    text, data = split(save(tensors, metadata=dict(metadata)))
    header = json.loads(text)
    # The library writes several keys of metadata in random order, but equal content is to give
    # equal bytes. As it does, blanks fill the header up, so that tensors begin at multiples of 8.
    header[_METADATA] = {**metadata, KEY: _digest(header, data)}
    written = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    written += b" " * (-len(written) % 8)
    return len(written).to_bytes(8, "little") + written + data


def split(content: bytes) -> tuple[bytes, memoryview]:
    """Return the header of a safetensors file, which is JSON, and the bytes of its tensors."""
    end = 8 + int.from_bytes(content[:8], "little")
    return content[8:end], memoryview(content)[end:]


def require_intact(header: Mapping[str, Any], data: memoryview, path: str | Path) -> None:
    """Require that a file is as it was written, if it has a seal; older ones have none.

    Parameters
    ----------
    header : mapping
        The file's header, as JSON values.
    data : memoryview
        The bytes of its tensors.
    path : path
        The file's, for messages.

    Raises
    ------
    FileFormatError
        If its content is another than its seal says.
    """
    seal = header[_METADATA].get(KEY)
    if seal is None:
        _LOG.warning("%s is older than digests of content: damage would not be seen", path)
    elif seal != _digest(header, data):
        raise FileFormatError(
            f"{path} is damaged: its content is another than the digest in it says; get or write "
            f"it again"
        )


def digest(content: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a text as UTF-8, as 64 hexadecimal digits."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def _digest(header: Mapping[str, Any], data: memoryview) -> str:
    """Return the SHA-256 of a header without the seal, with sorted keys, and of the tensors."""
    bare = {name: value for name, value in header[_METADATA].items() if name != KEY}
    text = json.dumps({**header, _METADATA: bare}, sort_keys=True, separators=(",", ":"))
    found = hashlib.sha256(text.encode())
    found.update(data)
    return found.hexdigest()
