"""Networks as NIR, and back to the identical digest."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from support import nir
from support.networks.strategies import networks

from spikeloom.sw.errors import FileFormatError
from spikeloom.sw.importing import from_nir, read_nir, to_nir, write_nir
from spikeloom.sw.importing.exported import NIR_VERSION, network_of
from spikeloom.sw.importing.nir_graph import _graph
from spikeloom.sw.network import Connection, If, Layer, Linear, Logits, Network, SpikeInput

THRESHOLD, AMOUNT, BIAS = np.array([9, 12]), np.array([10, 14]), np.array([1, -2])
NEURON = If(THRESHOLD, np.array([2, 3]), BIAS, 2, leak=(3,), reset_amount=AMOUNT)
WEIGHT = np.array([[1, -2, 3], [4, 5, -6]])


def small() -> Network:
    layers = (
        Layer("hidden", 4, NEURON, (Connection("input", "spikes", Linear(WEIGHT)),)),
        Layer(
            "out",
            1,
            Logits(np.array([5]), 1),
            (Connection("hidden", "count", Linear(np.array([[1, -1]]))),),
        ),
    )
    return Network(SpikeInput((3,), 4, 2), layers, "small", {"made": "by hand"})


@settings(max_examples=60)
@given(networks())
def test_every_network_comes_back_identical(network: Network) -> None:
    back = network_of(_graph(to_nir(network), "the graph"))
    assert back.digest == network.digest
    assert (back.name, back.about) == (network.name, network.about)


def test_a_file_has_what_nir_can_say_and_metadata_the_rest(tmp_path: Path) -> None:
    network = small()
    write_nir(network, tmp_path / "net.nir")
    with h5py.File(tmp_path / "net.nir") as file:
        assert file["version"][()].decode() == NIR_VERSION
        nodes = file["node/nodes"]
        assert set(nodes) == {"input", "hidden", "hidden.0", "out.0", "output"}
        assert nodes["hidden.0/weight"][()].tolist() == WEIGHT.tolist()
        # In units of the accumulator: with F = 2, a quarter of the integers.
        assert nodes["hidden.0/bias"][()].tolist() == [0.25, -0.5]
        hidden = nodes["hidden"]
        assert hidden["type"][()] == b"LIF"
        assert hidden["v_threshold"][()].tolist() == [2.25, 3]
        assert hidden["tau"][()].tolist() == hidden["r"][()].tolist() == [8, 8]
        metadata = hidden["metadata"]
        assert metadata["reset"][()] == b"subtract"
        assert metadata["comparison"][()] == b">="
        assert metadata["scale"][()] == 4
        assert metadata["v0"][()].tolist() == [0.5, 0.75]
        assert metadata["reset_amount"][()].tolist() == AMOUNT.tolist()
    found, report = from_nir(tmp_path / "net.nir")
    assert found.digest == network.digest
    assert report.lines() == ["origin: spikeloom: exported by it, digest and all"]


def test_a_graph_that_was_changed_is_refused(tmp_path: Path) -> None:
    def changed(field: str, values: object) -> Path:
        path = tmp_path / "net.nir"
        write_nir(small(), path)
        with h5py.File(path, "r+") as file:
            del file[field]
            file[field] = values
        return path

    for field, values, message in [
        ("node/nodes/hidden.0/weight", WEIGHT + 1.0, "weights were changed since"),
        ("node/nodes/hidden.0/weight", WEIGHT + 0.5, "are no integers"),
        ("node/nodes/hidden/metadata/threshold", np.array([9.5, 1]), "changed since"),
        ("node/metadata/spikeloom", "{}", "changed since"),
        ("node/metadata/spikeloom", '{"version": 9, "digest": ""}', "by version 9"),
    ]:
        with pytest.raises(FileFormatError, match=message) as caught:
            from_nir(changed(field, values))
        assert "\n" not in str(caught.value)


def test_its_own_numbers_are_read_by_nir_s_equations(tmp_path: Path) -> None:
    write_nir(small(), tmp_path / "net.nir")
    with h5py.File(tmp_path / "net.nir", "r+") as file:
        del file["node/metadata"]
    graph = read_nir(tmp_path / "net.nir")
    assert "spikeloom" not in graph.metadata
    _, report = from_nir(graph, origin="nir", dt=1.0, reset="subtract", timesteps=4)
    assert report.layers["hidden"].shifts == (3,)


def test_no_file_is_left_behind_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileFormatError, match="cannot write"):
        write_nir(small(), tmp_path / "file" / "net.nir")
    assert nir.chain()["edges"] == [("input", "output")]
