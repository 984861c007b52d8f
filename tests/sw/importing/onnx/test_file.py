"""Files: damaged, missing, huge; and weights in other files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto
from support.models.onnx_graphs import content, node, proto

from spikeloom.sw.errors import FileFormatError, SpikeloomError
from spikeloom.sw.importing.onnx import file, from_onnx

WEIGHT = np.arange(12, dtype=np.float32).reshape(2, 6)
GOOD = content([node("Gemm", "x w", transB=1, name="/fc/Gemm")], (6,), {"w": WEIGHT})


def refused(source: str | Path | bytes) -> str:
    with pytest.raises(FileFormatError) as caught:
        from_onnx(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_and_its_bytes_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(GOOD)
    for source in (path, str(path), GOOD):
        model = from_onnx(source)
        assert torch.equal(model.fc.weight, torch.from_numpy(WEIGHT))  # type: ignore[arg-type,union-attr]
        assert not model.training


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.onnx") == (
        f"ONNX file {tmp_path}/none.onnx does not exist: check the path"
    )
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        (b"", "has no graph of operators"),
        (b"\xff" * 100, "is damaged, or no ONNX file"),
        (GOOD[: len(GOOD) // 2], "is damaged, or no ONNX file"),
        (b"PK\x03\x04 a zip file", "is damaged, or no ONNX file"),
    ],
)
def test_a_damaged_file_is_refused(damaged: bytes, message: str) -> None:
    assert message in refused(damaged)


def test_a_file_damaged_anywhere_gives_no_traceback() -> None:
    rng = random.Random(0)
    outcomes, messages = set(), []
    for _ in range(150):
        damaged = bytearray(GOOD)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            from_onnx(bytes(damaged))
            outcomes.add("read")
        except SpikeloomError as error:
            messages.append(str(error))
            outcomes.add("refused")
    assert not any("\n" in message for message in messages)
    assert outcomes == {"read", "refused"}  # a changed weight is still a weight


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "MAX_BYTES", 100)
    path = tmp_path / "huge.onnx"
    with path.open("wb") as handle:
        handle.truncate(1 << 40)
    assert "has more than 100 bytes, which no ONNX file has" in refused(path)


def changed(**options: Any) -> bytes:
    """Return a file whose weights are changed."""
    model = onnx.ModelProto.FromString(GOOD)
    tensor = model.graph.initializer[0]
    for name, value in options.items():
        if isinstance(value, list):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    "options",
    [
        {"raw_data": b"\0" * 12},
        {"dims": [1 << 40, 6]},
        {"dims": [-1, 6]},
        {"data_type": TensorProto.STRING},
        {"data_type": 77},
    ],
)
def test_numbers_that_do_not_fit_are_refused(options: dict[str, Any]) -> None:
    assert "the tensor 'w' is damaged" in refused(changed(**options))


def test_a_file_without_an_opset_is_refused() -> None:
    model = onnx.ModelProto.FromString(GOOD)
    del model.opset_import[:]
    assert "does not say which opset it uses" in refused(bytes(model.SerializeToString()))


def test_weights_of_half_precision_are_refused_by_name() -> None:
    half = content([node("Gemm", "x w", transB=1)], (6,), {"w": WEIGHT.astype(np.float16)})
    with pytest.raises(SpikeloomError, match=r"its weights are of torch.float16: export the model"):
        from_onnx(half)


def saved(folder: Path, **where: str) -> Path:
    """Write a file whose weights lie in another one, ``weights.bin`` if it is not said."""
    folder.mkdir(exist_ok=True)
    model = proto([node("Gemm", "x w", transB=1, name="/fc/Gemm")], (6,), {"w": WEIGHT})
    tensor = model.graph.initializer[0]
    (folder / "weights.bin").write_bytes(b"head" + WEIGHT.tobytes())
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entries = {"location": "weights.bin", "offset": "4", "length": "48"} | where
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_weights_in_another_file_are_read(tmp_path: Path) -> None:
    model = from_onnx(saved(tmp_path))
    assert torch.equal(model.fc.weight, torch.from_numpy(WEIGHT))  # type: ignore[arg-type,union-attr]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"location": "../secret.bin"}, "outside of the model's folder"),
        ({"location": "/etc/hostname"}, "outside of the model's folder"),
        ({"location": "link.bin"}, "outside of the model's folder"),
        ({"location": "none.bin"}, "lie in 'none.bin', which is missing: put that file into"),
        ({"location": ""}, "which is missing"),
        ({"location": "a\0b"}, "has names that are no text"),
        ({"offset": "5"}, "needs 48 bytes from 5 on in weights.bin"),
        ({"offset": "-4"}, "needs 48 bytes from -4 on in weights.bin"),
        ({"offset": "4.5"}, "cannot be found in weights.bin"),
        ({"length": "47"}, "needs 48 bytes from 4 on in weights.bin"),
    ],
)
def test_other_files_are_read_with_bounds(
    tmp_path: Path, where: dict[str, str], message: str
) -> None:
    folder = tmp_path / "model"
    path = saved(folder, **where)
    (tmp_path / "secret.bin").write_bytes(b"head" + WEIGHT.tobytes())
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    assert message in refused(path)


def test_bytes_have_no_folder(tmp_path: Path) -> None:
    assert "give the model's path, not its bytes" in refused(saved(tmp_path).read_bytes())


def test_many_tensors_of_the_same_bytes_take_no_more_memory_than_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path)
    model = onnx.ModelProto.FromString(path.read_bytes())
    copied = onnx.TensorProto.FromString(model.graph.initializer[0].SerializeToString())
    copied.name = "v"
    model.graph.initializer.append(copied)
    model.graph.node.append(node("Gemm", "y v", "z", transB=1))
    model.graph.output[0].name = "z"
    path.write_bytes(model.SerializeToString())
    assert "is read from bytes of weights.bin that others read, too" in refused(path)
