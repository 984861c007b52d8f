"""Trained models in files: everything comes back, and what does not fit is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from support.models import small

from spikeloom.sw import models
from spikeloom.sw.conversion import convert
from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.network import DirectInput
from spikeloom.sw.network import save as save_network
from spikeloom.sw.network.file import METADATA_KEY
from spikeloom.sw.quantized import SignedQCFS, initialise, prepare
from spikeloom.sw.quantized.prepared import activation_of, layers_of
from spikeloom.sw.spiking import SpikingNetwork, spiking
from spikeloom.sw.training import Trained, checkpoint, train

USER_MODEL = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self, hidden=8):
        super().__init__(nn.Flatten(), nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
"""


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a file's metadata; None removes one."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][METADATA_KEY])
    header = {k: v for k, v in {**header, **changes}.items() if v is not None}
    tensors = safetensors.torch.load(content)
    path.write_bytes(safetensors.torch.save(tensors, {METADATA_KEY: json.dumps(header)}))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "trained.safetensors"
    checkpoint.save(small.trained("digits-conv"), path)
    return path


FIRST_NORM = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self):
        norm = nn.BatchNorm1d(3, momentum=None)
        super().__init__(norm, nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
"""


def test_the_normalisation_that_a_model_has_learned_comes_back(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FIRST_NORM)
    spec = f"{tmp_path / 'own.py'}:Net"
    images = np.random.default_rng(0).integers(90, 200, (64, 3)).astype(np.uint8)
    data = (images, images[:, 0] > images[:, 1])
    trained = train(checkpoint.build_model(spec), data, epochs=4, tune_epochs=2, spec=spec)
    checkpoint.save(trained, tmp_path / "trained.safetensors")
    loaded = checkpoint.load(tmp_path / "trained.safetensors")
    network = convert(trained.model)
    assert convert(loaded.model) == network
    assert isinstance(network.input, DirectInput)
    assert all(90 < zero < 200 for zero in network.input.zeros)
    inputs = torch.from_numpy(images)[:, :, None, None] / 255
    with torch.no_grad():
        assert torch.equal(loaded.model(inputs), trained.model(inputs))


def test_everything_comes_back(saved: Path) -> None:
    trained, loaded = small.trained("digits-conv"), checkpoint.load(saved)
    assert convert(loaded.model) == convert(trained.model)
    assert convert(loaded.model).about == convert(trained.model).about
    assert (loaded.spec, loaded.dataset) == ("digits-conv", "digits")
    assert loaded.float_accuracy == trained.float_accuracy
    assert loaded.quantized_accuracy == trained.quantized_accuracy
    images = small.digits("test").inputs()
    with torch.no_grad():
        assert torch.equal(loaded.model(images), trained.model(images))


@pytest.mark.parametrize("name", [name for name in models.MODELS if name not in small.LARGE])
def test_every_model_comes_back(name: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model: Any = models.build(name)
    choice = {"default": 3, "first": 5}
    prepared = prepare(model, input_shape=model.input_shape, timesteps=choice, weight_bits=choice)
    images = torch.rand(16, *model.input_shape)
    prepared(images)
    initialise(prepared, images)
    checkpoint.save(Trained.of(prepared.eval(), spec=name), tmp_path / "m.safetensors")
    loaded: Any = checkpoint.load(tmp_path / "m.safetensors").model
    activations = [
        [repr(activation_of(m, layer)) for layer in layers_of(m)[:-1]] for m in (prepared, loaded)
    ]
    assert activations[0] == activations[1]
    with torch.no_grad():
        assert torch.equal(loaded(images), prepared(images))


USER_SIGNED = """
from torch import nn
from spikeloom.sw.quantized import SignedQCFS
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten, self.fc1, self.fc2 = nn.Flatten(), nn.Linear(64, 12), nn.Linear(12, 12)
        self.first, self.second = SignedQCFS(8, 0.4, slope=0.3, ratio=0.5), nn.LeakyReLU(0.25)
        self.fc3, self.fc4 = nn.Linear(12, 10), nn.Linear(12, 10)

    def forward(self, x):
        x = self.first(self.fc1(self.flatten(x)))
        return self.fc3(x) + self.fc4(self.second(self.fc2(x) + x))
"""


def test_signed_and_residual_models_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(USER_SIGNED)
    spec = f"{tmp_path}/net.py:Net"
    data = small.digits("train").head(64)
    trained = train(checkpoint.build_model(spec), data, epochs=0, tune_epochs=1, spec=spec)
    checkpoint.save(trained, tmp_path / "m.safetensors")
    loaded: Any = checkpoint.load(tmp_path / "m.safetensors").model
    first, second = (activation_of(loaded, layer) for layer in layers_of(loaded)[:-1])
    assert isinstance(first, SignedQCFS)
    assert (first.levels, first.slope, first.ratio) == (4, 0.3, 0.5)
    assert first.threshold != pytest.approx(0.4)
    assert isinstance(second, SignedQCFS)
    assert (second.slope, second.ratio) == (0.25, 0.25)
    with torch.no_grad():
        assert torch.equal(loaded(data.inputs()), trained.model(data.inputs()))


def test_choices_per_layer_come_back(tmp_path: Path) -> None:
    trained = train(
        models.build("digits-mlp"),
        small.digits("train").head(64),
        timesteps={"fc1": 2, "fc2": 7},
        weight_bits={"first": 6, "default": 3},
        epochs=0,
        tune_epochs=0,
        spec="digits-mlp",
    )
    checkpoint.save(trained, tmp_path / "m.safetensors")
    network = convert(checkpoint.load(tmp_path / "m.safetensors").model)
    assert [layer.timesteps for layer in network.layers] == [2, 7, 1]
    assert network == convert(trained.model)


def test_a_model_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text(USER_MODEL)
    monkeypatch.chdir(tmp_path)
    data = small.digits("train").head(64)
    model = checkpoint.build_model("net.py:Net")
    trained = train(model, data, epochs=1, tune_epochs=0, spec="net.py:Net")
    checkpoint.save(trained, "m.safetensors")
    assert convert(checkpoint.load("m.safetensors").model) == convert(trained.model)
    monkeypatch.chdir("/")  # found beside the file, too
    assert checkpoint.load(tmp_path / "m.safetensors").spec == "net.py:Net"


def test_the_model_can_be_given(saved: Path) -> None:
    rewrite(saved, model="gone.py:Net")
    with pytest.raises(ConfigError, match=r"gone\.py does not exist"):
        checkpoint.load(saved)
    loaded = checkpoint.load(saved, models.build("digits-conv"))
    assert convert(loaded.model) == convert(small.trained("digits-conv").model)


def test_equal_models_give_equal_bytes(saved: Path, tmp_path: Path) -> None:
    checkpoint.save(checkpoint.load(saved), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


@pytest.mark.filterwarnings("ignore:every threshold λ is still 1")
def test_inputs_that_are_not_known_stay_so(tmp_path: Path) -> None:
    model = prepare(models.build("digits-mlp"), input_shape=(1, 8, 8))
    checkpoint.save(Trained.of(model, spec="digits-mlp"), tmp_path / "m.safetensors")
    loaded = checkpoint.load(tmp_path / "m.safetensors")
    with pytest.raises(ConfigError, match="input_bits is not known"):
        convert(loaded.model)


def test_a_model_without_a_name(tmp_path: Path) -> None:
    model = prepare(models.build("digits-mlp"), input_shape=(1, 8, 8))
    with pytest.raises(ConfigError, match="must say which model it is of"):
        checkpoint.save(Trained.of(model), tmp_path / "m.safetensors")


def test_files_that_are_no_checkpoints(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(FileFormatError, match=r"model file .*none\.safetensors does not exist"):
        checkpoint.load(tmp_path / "none.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(FileFormatError, match="damaged or no safetensors file"):
        checkpoint.load(cut)
    network = tmp_path / "net.safetensors"
    save_network(convert(small.trained("digits-conv").model), network)
    with pytest.raises(FileFormatError, match="its format is 'spikeloom-network', not"):
        checkpoint.load(network)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 3}, "version 3; this Spikeloom reads up to 2: update"),
        ({"version": 0}, "version 0, which must be an integer >= 1"),
        ({"version": "1"}, "version '1', which must be"),
        ({"timesteps": None}, "damaged metadata: 'timesteps' is None"),
        ({"accuracy": [1]}, r"damaged metadata: 'accuracy' is \[1\]"),
        ({"timesteps": {"conv9": 4}}, "does not fit the model 'digits-conv'.*names 'conv9'"),
        ({"model": "digits-mlp"}, "does not fit the model 'digits-mlp'"),
        ({"input": {}}, "does not fit the model 'digits-conv'"),
        ({"input": {"shape": []}}, "^[^\n]*does not fit the model 'digits-conv'[^\n]*$"),
    ],
)
def test_metadata_that_do_not_fit(saved: Path, changes: dict[str, Any], message: str) -> None:
    rewrite(saved, **changes)
    with pytest.raises(FileFormatError, match=message):
        checkpoint.load(saved)


def test_tensors_that_do_not_fit(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(USER_MODEL)
    data = small.digits("train").head(64)
    trained = train(
        checkpoint.build_model(f"{tmp_path}/net.py:Net"),
        data,
        epochs=0,
        tune_epochs=0,
        spec=f"{tmp_path}/net.py:Net",
    )
    checkpoint.save(trained, tmp_path / "m.safetensors")
    (tmp_path / "net.py").write_text(USER_MODEL.replace("hidden=8", "hidden=9"))
    with pytest.raises(FileFormatError, match="may have changed since it was trained"):
        checkpoint.load(tmp_path / "m.safetensors")


def test_a_spiking_network_comes_back_with_its_coding(tmp_path: Path) -> None:
    prepared = small.trained("digits-mlp").prepared
    network = spiking(prepared, transport="spikes", neuron="if").eval()
    network.free("start", "threshold")
    start = {"fc1": 1.5, "fc2": 2.5}
    trained = Trained.of(
        network,
        spec="digits-mlp",
        dataset="digits",
        input_bits=5,
        input_scale=1 / 16,
        start=start,
    )
    checkpoint.save(trained, tmp_path / "m.safetensors")
    loaded = checkpoint.load(tmp_path / "m.safetensors")
    assert isinstance(loaded.model, SpikingNetwork)
    assert loaded.start == start
    assert loaded.prepared is loaded.model.prepared
    assert convert(loaded.model) == convert(network)
    images = small.digits("test").inputs()
    assert torch.equal(loaded.model(images), network(images))


def test_timesteps_that_are_being_learned_are_fixed_in_a_file(tmp_path: Path) -> None:
    prepared = prepare(
        models.build("digits-mlp"), input_shape=(1, 8, 8), timesteps=5, learn="t,alpha"
    ).eval()
    initialise(prepared, small.digits("train").inputs())
    trained = Trained.of(prepared, spec="digits-mlp", input_bits=5, input_scale=1 / 16)
    checkpoint.save(trained, tmp_path / "m.safetensors")
    loaded = checkpoint.load(tmp_path / "m.safetensors")
    assert checkpoint.timesteps(loaded.prepared) == {"fc1": 5, "fc2": 5}
    assert convert(loaded.model) == convert(prepared)
