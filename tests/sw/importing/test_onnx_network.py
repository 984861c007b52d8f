"""``spikeloom import`` of an ONNX file: a network at once, compared with the file's model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from support.models.onnx_files import file_of
from support.models.onnx_graphs import content, node

from spikeloom.sw.cli import main
from spikeloom.sw.datasets import Dataset
from spikeloom.sw.errors import ConfigError
from spikeloom.sw.golden import Golden
from spikeloom.sw.importing import Options, from_onnx, reader_for
from spikeloom.sw.network import load

SHAPE = (1, 12, 12)
IMAGES = np.random.default_rng(0).integers(0, 256, (80, *SHAPE))
LENET = file_of("LeNet-5")


def test_a_network_agrees_with_the_file_s_model() -> None:
    seen: list[tuple[int, int]] = []
    options = Options(
        timesteps=64,
        bits=12,
        images=IMAGES,
        labels=np.arange(80) % 10,
        progress=lambda done, of: seen.append((done, of)),
    )
    network, report = reader_for(LENET).network(LENET, options)
    with torch.no_grad():
        expected = from_onnx(LENET)(torch.from_numpy(IMAGES / 255).float()).argmax(1)
    found = Golden(network).run(torch.from_numpy(IMAGES)).labels
    agreement = report.agreement
    assert agreement is not None
    assert agreement.images == 80
    assert agreement.labels == float((found == expected).double().mean())
    assert agreement.labels >= 0.95
    right = torch.arange(80) % 10
    assert agreement.accuracy == float((found == right).double().mean())
    assert agreement.float_accuracy == float((expected == right).double().mean())
    assert {layer.timesteps for layer in network.layers[:-1]} == {64}
    assert (network.name, seen) == ("lenet-5", [(80, 80)])


def test_data_sets_describe_their_pixels() -> None:
    data = Dataset.from_arrays(IMAGES // 16, np.arange(80) % 10, bits=4, scale=1 / 15)
    network, report = reader_for(LENET).network(LENET, Options(images=data))
    assert network.input.pixels().high == 15
    assert report.agreement is not None
    assert report.agreement.accuracy is not None


def test_a_file_with_levels_needs_no_images(tmp_path: Path) -> None:
    path = tmp_path / "levels.onnx"
    weight = np.array([[3, -2], [1, 7]], np.int8)
    one: dict[str, Any] = {"w": weight, "s": np.float32(0.5), "z": np.array(0, np.uint8)}
    path.write_bytes(
        content(
            [
                node("DequantizeLinear", "w s", "v"),
                node("Gemm", "x v", "a"),
                node("QuantizeLinear", "a s z", "q"),
                node("DequantizeLinear", "q s z", "r"),
                node("DequantizeLinear", "w s", "u"),
                node("Gemm", "r u"),
            ],
            (2,),
            one,
        )
    )
    network, report = reader_for(path).network(path, Options())
    assert report.agreement is None
    assert report.assumed["levels of the file"].endswith(" 255")
    found: Any = [layer.connections[0].synapses for layer in network.layers]
    assert [np.array(s.weight).reshape(2, 2).tolist() for s in found] == [weight.T.tolist()] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "follow from images: give some, by --data or --images"),
        ({"origin": "norse"}, "has no spiking neurons: leave out the option origin"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reader_for(LENET).network(LENET, Options(**options))


def test_the_command(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", images=IMAGES.astype(np.uint8), labels=np.arange(80) % 10)
    out = tmp_path / "net.safetensors"
    arguments = ["import", str(LENET), "--images", str(tmp_path / "mine.npz"), "--out", str(out)]
    done = CliRunner().invoke(main, [*arguments, "--timesteps", "16", "--json"])
    assert done.exit_code == 0, done.output
    printed = json.loads(done.stdout)
    assert load(out).digest == printed["digest"]
    assert printed["agreement"]["images"] == 80
    assert printed["assumed"] == {"pixels": "of the images"}
