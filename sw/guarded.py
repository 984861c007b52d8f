"""Readers that may take the process with them, called in a process of their own.

A library in C may crash on a damaged file, or never return. In a process of its own that is an
error of one line. It costs a quarter of a second for each file.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikeloom.sw import errors, numpy_file
from spikeloom.sw.children import Child
from spikeloom.sw.errors import FileFormatError, SpikeloomError

#: Seconds of processor time that a reader has, and those for each MB of the file.
_SECONDS, _PER_MB = 10, 2
#: Bytes of a number ahead of an answer: that of its JSON, which arrays follow.
_PREFIX = 8


def guarded(reader: Callable[[Path], Any], path: str | Path, seconds: int = _SECONDS) -> Any:
    """Return what a reader makes of a file, which it reads in a process of its own.

    Parameters
    ----------
    reader : function
        Of a module of Spikeloom's, found by its name. It returns None, a text, a number, an array
        of numbers, an array of texts (of type object), or a dict from texts to these and to such
        dicts.
    path : str or Path
    seconds : int
        Time of the processor that the reader may take, and more for a file of many MB.

    Raises
    ------
    SpikeloomError
        As the reader raises it.
    FileFormatError
        If the reader crashes, or takes unusually long.
    """
    # The reader says what is wrong with a path that leads to no file.
    size = os.path.getsize(path) if os.path.isfile(path) else 0
    most = seconds + _PER_MB * (size >> 20)
    named = [reader.__module__, reader.__qualname__, str(path), str(most)]
    command = [sys.executable, "-m", __name__, *named]
    # Where this one finds its modules, the other one does.
    found = os.pathsep.join(place or os.getcwd() for place in sys.path)
    with Child(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": found},
    ) as child:
        answer, _ = child.process.communicate()
        status = child.process.returncode
    if status != 0:
        late = status == -signal.SIGXCPU
        how = "does not return from it" if late else f"ends with status {status}"
        raise FileFormatError(f"{path} is damaged: its reader {how}: get or export it again")
    ahead = int.from_bytes(answer[:_PREFIX], "little")
    told = json.loads(answer[_PREFIX : _PREFIX + ahead])
    if "error" in told:
        kind: type[SpikeloomError] = getattr(errors, told["error"], FileFormatError)
        raise kind(told["message"])
    arrays = numpy_file.arrays(answer[_PREFIX + ahead :])
    return _tree(told["tree"], arrays)


def _answer(reader: Callable[[Path], Any], path: Path) -> bytes:
    arrays: list[Any] = []
    try:
        told = {"tree": _packed(reader(path), arrays)}
    except SpikeloomError as error:
        told = {"error": type(error).__name__, "message": str(error)}
    file = io.BytesIO()
    np.savez(file, *arrays)
    head = json.dumps(told).encode()
    return len(head).to_bytes(_PREFIX, "little") + head + file.getvalue()


def _packed(value: Any, arrays: list[Any]) -> Any:
    """Return a value as JSON in which arrays are numbers of a list."""
    if isinstance(value, dict):
        return {"members": [[name, _packed(one, arrays)] for name, one in value.items()]}
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return {"texts": value.ravel().tolist(), "shape": list(value.shape)}
    if isinstance(value, np.ndarray | np.generic):
        arrays.append(value)
        return {"array": len(arrays) - 1, "scalar": isinstance(value, np.generic)}
    return {"value": value}


def _tree(told: Any, arrays: dict[str, Any]) -> Any:
    """Return the value that :func:`_packed` has packed."""
    if "members" in told:
        return {name: _tree(one, arrays) for name, one in told["members"]}
    if "texts" in told:
        texts = np.empty(len(told["texts"]), object)
        texts[:] = told["texts"]
        return texts.reshape(told["shape"])
    if "array" in told:
        found = arrays[f"arr_{told['array']}"]
        return found[()] if told["scalar"] else found
    return told["value"]


def main(words: Sequence[str]) -> None:
    """Read a file for :func:`guarded`, and write the answer to standard output."""
    module, name, path, seconds = words
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reader: Any = importlib.import_module(module)
    for part in name.split("."):
        reader = getattr(reader, part)
    sys.stdout.buffer.write(_answer(reader, Path(path)))


if __name__ == "__main__":
    main(sys.argv[1:])
