"""Weights from files: their forms, names with prefixes, and files that do not fit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.models.weights import read_weights


class Tied(nn.Module):
    """A model with a batch-norm, and two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.first = nn.Linear(3, 3, bias=False)
        self.second = nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight


def tensors() -> dict[str, Tensor]:
    torch.manual_seed(5)
    return {key: torch.rand_like(x.float()) for key, x in Tied().state_dict().items()}


def loaded(path: Path) -> dict[str, Tensor]:
    model = Tied()
    read_weights(str(path)).load_into(model, "tied")
    return {key: x for key, x in model.state_dict().items() if not key.endswith("tracked")}


def prefixed(prefix: str) -> Callable[[dict[str, Tensor]], Any]:
    return lambda found: {prefix + key: x for key, x in found.items()}


@pytest.mark.parametrize("suffix", [".pth", ".pt"])
@pytest.mark.parametrize(
    "wrapped",
    [
        lambda found: found,
        prefixed("module."),
        prefixed("model."),
        prefixed("_orig_mod.module."),
        lambda found: {"state_dict": found, "epoch": 3, "optimizer": {"state": {}}},
        lambda found: {"model": prefixed("module.")(found), "lr": 0.1},
        lambda found: {"epoch": 1, "checkpoint": 2, "model_state_dict": found},
        lambda found: {k: x for k, x in found.items() if k != "second.weight"},
        lambda found: {k: x.half() for k, x in found.items()},
    ],
)
def test_forms_of_torchs_files(suffix: str, wrapped: Any, tmp_path: Path) -> None:
    found = tensors()
    found["second.weight"] = found["first.weight"]
    found.pop("norm.num_batches_tracked")  # as old files
    content = wrapped(found)
    path = tmp_path / f"weights{suffix}"
    torch.save(content, path)
    half = any(isinstance(x, Tensor) and x.dtype == torch.half for x in content.values())
    for key, value in loaded(path).items():
        assert torch.equal(value, found[key].half().float() if half else found[key]), key


def test_safetensors_and_digests(tmp_path: Path) -> None:
    found = tensors()
    found["norm.num_batches_tracked"] = torch.tensor(7)
    del found["second.weight"]
    safetensors.torch.save_file(prefixed("module.")(found), tmp_path / "w.safetensors")
    assert torch.equal(loaded(tmp_path / "w.safetensors")["second.weight"], found["first.weight"])
    read = read_weights("w.safetensors", [None, tmp_path / "no", tmp_path])
    assert read.path == tmp_path / "w.safetensors"
    assert read.digest == hashlib.sha256((tmp_path / "w.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first.weight": None}, r"the file lacks: first\.weight, second\.weight\. Choose the mo"),
        ({"extra": torch.ones(2)}, r"the model has no: extra\. Choose"),
        (
            {"norm.bias": torch.ones(4), "head.bias": torch.ones(1)},
            r"no: head\.bias; of other shapes are: norm\.bias \(3,\) in the model and \(4,\) in ",
        ),
        ({f"more{n}": torch.ones(1) for n in range(8)}, r"more5 and 2 more"),
        ({"norm.bias": torch.ones(3, dtype=torch.int8)}, r"of whole numbers are: norm\.bias"),
        ({"norm.bias": torch.full((3,), torch.nan)}, r"not finite, in norm\.bias: its training"),
    ],
)
def test_weights_that_do_not_fit(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    found = {**tensors(), **change}
    del found["second.weight"]
    torch.save({k: x for k, x in found.items() if x is not None}, tmp_path / "w.pth")
    model = Tied()
    before = {key: x.clone() for key, x in model.state_dict().items()}
    with pytest.raises(ConfigError, match=message):
        read_weights(str(tmp_path / "w.pth")).load_into(model, "tied")
    assert all(torch.equal(x, before[key]) for key, x in model.state_dict().items())


class Evil:
    """Would make a file if it were unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("made-by-a-pickle",)


def test_no_code_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weights": Evil()}, "evil.pth")
    with pytest.raises(FileFormatError, match=r"evil\.pth holds more than tensors, .*state_dict"):
        read_weights("evil.pth")
    torch.save(Tied(), "module.pt")
    with pytest.raises(FileFormatError, match=r"module\.pt holds more than tensors"):
        read_weights("module.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evil.pth", "module.pt"]


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    damaged = {
        "text.pth": b"hello, this is no file of tensors",
        "empty.pt": b"",
        "text.safetensors": b"hello, this is no file of tensors",
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match=name):
            read_weights(str(tmp_path / name))
    torch.save({"epoch": 3, "lr": 0.1}, tmp_path / "none.pth")
    with pytest.raises(FileFormatError, match=r"no tensors by name, but the keys epoch, lr: save"):
        read_weights(str(tmp_path / "none.pth"))
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(FileFormatError, match=r"no tensors by name, but .*list"):
        read_weights(str(tmp_path / "list.pth"))
    with pytest.raises(ConfigError, match=r"weights none\.pt does not exist: .*looked in \., "):
        read_weights("none.pt", [tmp_path])
    (tmp_path / "w.bin").touch()
    with pytest.raises(ConfigError, match=r"end in \.safetensors, \.pth, \.pt, not w\.bin"):
        read_weights(str(tmp_path / "w.bin"))
