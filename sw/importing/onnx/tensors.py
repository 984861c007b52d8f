"""Tensors of ONNX files, also those whose numbers lie in another file of the same folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.importing.onnx.file import OnnxFile
from spikeloom.sw.importing.onnx.values import Constant

if TYPE_CHECKING:
    from onnx import TensorProto


class Tensors:
    """The initialisers of a file, each of which is read when it is asked for first.

    Numbers in other files take no more memory than these files have bytes, however often tensors
    point to them.

    Parameters
    ----------
    file : OnnxFile
    """

    def __init__(self, file: OnnxFile) -> None:
        self.file = file
        self._left: dict[Path, int] = {}
        self._read: dict[str, Constant] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.file.initialisers

    def __getitem__(self, name: str) -> Constant:
        if name not in self._read:
            self._read[name] = self.constant(self.file.initialisers[name], name)
        return self._read[name]

    def constant(self, proto: TensorProto, name: str) -> Constant:
        """Return a tensor of the file; integers of any width as int64.

        Raises
        ------
        FileFormatError
            If its numbers are missing, too few or of a type that networks do not have.
        """
        from onnx import TensorProto, numpy_helper

        if proto.data_location == TensorProto.EXTERNAL:
            proto = self._with_numbers(proto, name)
        try:
            if min(proto.dims, default=0) < 0:
                raise ValueError(f"of shape {tuple(proto.dims)}")
            array = numpy_helper.to_array(proto)
            if array.dtype.kind not in "fiub":  # bfloat16 and narrow integers are numpy's guests
                array = array.astype(np.float32 if "float" in str(array.dtype) else np.int64)
            elif array.dtype.kind in "iub":
                array = array.astype(np.int64)
            value = torch.from_numpy(np.array(array))
        except Exception as error:  # whatever numpy and onnx raise for numbers that do not fit
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise FileFormatError(
                f"{self.file.name}: the tensor {name!r} is damaged ({text}): export the model again"
            ) from None
        return Constant(value, int(proto.data_type), name=name)

    def _with_numbers(self, proto: TensorProto, name: str) -> TensorProto:
        """Return a tensor with its numbers from another file, in place of where they are."""
        from onnx import TensorProto
        from onnx.helper import tensor_dtype_to_np_dtype

        where = {entry.key: entry.value for entry in proto.external_data}
        path = self._path(where.get("location", ""), name)
        try:
            start = int(where.get("offset", 0))
            size = math.prod(proto.dims) * tensor_dtype_to_np_dtype(proto.data_type).itemsize
            given = int(where.get("length", size))
            whole = path.stat().st_size
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise self._damaged(name, f"cannot be found in {path.name}: {error}") from None
        if min(start, size, *proto.dims) < 0 or given != size or start + size > whole:
            raise self._damaged(name, f"needs {size:,} bytes from {start:,} on in {path.name}")
        left = self._left.setdefault(path, whole) - size
        if left < 0:
            raise self._damaged(name, f"is read from bytes of {path.name} that others read, too")
        self._left[path] = left
        try:
            with open(path, "rb") as file:
                file.seek(start)
                raw = file.read(size)
        except OSError as error:
            raise self._damaged(name, f"cannot be read from {path.name}: {error}") from None
        return TensorProto(dims=proto.dims, data_type=proto.data_type, raw_data=raw)

    def _path(self, location: str, name: str) -> Path:
        """Return the path of another file, which must lie in the folder of the ONNX file."""
        if self.file.folder is None:
            raise FileFormatError(
                f"{self.file.name}: the numbers of {name!r} lie in another file, {location!r}: "
                f"give the model's path, not its bytes"
            )
        folder = self.file.folder.resolve()
        try:
            path = (folder / location).resolve()
        except (OSError, ValueError, RuntimeError):
            raise self._damaged(name, f"is said to lie in {location!r}") from None
        if not path.is_relative_to(folder):
            raise self._damaged(
                name, f"is said to lie in {location!r}, outside of the model's folder"
            )
        if not path.is_file():
            raise FileFormatError(
                f"{self.file.name}: the numbers of {name!r} lie in {location!r}, which is missing: "
                f"put that file into the model's folder"
            )
        return path

    def _damaged(self, name: str, text: str) -> FileFormatError:
        return FileFormatError(
            f"{self.file.name}: the tensor {name!r} {text}: export the model again"
        )


def shape_text(tensor: Tensor) -> str:
    """Return a tensor's shape for messages: ``3x8x8``."""
    return "x".join(map(str, tensor.shape)) or "one number"
