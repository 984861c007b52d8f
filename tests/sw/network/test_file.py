"""Network files: what is written is read again, and whatever else a file holds is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks.examples import every_kind, everything
from support.networks.strategies import networks

from spikeloom.sw.errors import ContractError, FileFormatError, SpikeloomError
from spikeloom.sw.network import (
    VERSION,
    Connection,
    CountInput,
    DirectInput,
    Input,
    Layer,
    Linear,
    Logits,
    MaxPool,
    Network,
    Range,
    load,
    save,
)
from spikeloom.sw.network.file import read_metadata

#: Values that a hand or a broken program may leave in place of any JSON value.
ODD: list[Any] = [
    None, True, False, -1, 0, 1, 10**30, 1.5, float("nan"), "", "x", "input", "count", [], [1],
    [1, 2], [[]], {}, {"kind": "if"}, {"kind": "linear"}, {"kind": "sum", "size": [1, 1]},
]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.safetensors"


def write(path: Path, header: Any, tensors: Any) -> Path:
    """Write a file as a stranger would: with nothing but safetensors and JSON."""
    text = header if isinstance(header, str) else json.dumps(header)
    path.write_bytes(safetensors.numpy.save(tensors, metadata={"spikeloom": text}))
    return path


def parts(
    build: Callable[[], Network] = everything,
) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    header, tensors = build().describe()
    header = {"format": "spikeloom-network", "version": 1, **header}
    return json.loads(json.dumps(header)), {k: v.copy() for k, v in tensors.items()}


def positions(value: Any, *at: Any) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, (dict, list)):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            yield from positions(inner, *at, key)


def put(header: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    changed = copy.deepcopy(header)
    inner = changed
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return changed


def attempt(path: Path) -> tuple[Network | None, str]:
    """Return the network, or else the message of the only kind of error that may come."""
    try:
        return load(path), ""
    except SpikeloomError as error:
        return None, str(error)


@settings(max_examples=60)
@given(network=networks(min_layers=1))
def test_networks_come_back_equal(tmp_path_factory: Any, network: Network) -> None:
    path = tmp_path_factory.mktemp("file") / "n.safetensors"
    save(network, path)
    first = path.read_bytes()
    loaded = load(path)
    assert loaded == network
    assert loaded.digest == network.digest
    save(loaded, path)
    assert path.read_bytes() == first


def test_name_and_about_come_back(path: Path) -> None:
    network = everything()
    save(network, path)
    loaded = load(path)
    assert (loaded.name, loaded.about) == (network.name, network.about)


def test_strings_of_any_characters_come_back(path: Path) -> None:
    network = everything()
    odd = 'ä"\\\n\u2028\ud800 😀'
    save(Network(network.input, network.layers, name=odd, about={odd: odd}), path)
    loaded = load(path)
    assert (loaded.name, loaded.about) == (odd, {odd: odd})


def test_tensors_are_written_in_the_narrowest_signed_type(path: Path) -> None:
    save(everything(), path)
    tensors = safetensors.numpy.load_file(path)
    assert tensors["layers.conv.connections.0.weight"].dtype == np.int8
    assert tensors["layers.steps.connections.1.weight"].dtype == np.int16


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8, np.uint16, np.uint32, np.uint64])
def test_any_integer_type_is_read(path: Path, dtype: Any) -> None:
    header, tensors = parts()
    tensors = {k: v.astype(dtype) if v.min() >= 0 else v for k, v in tensors.items()}
    assert load(write(path, header, tensors)) == everything()


def test_what_may_be_left_out(path: Path) -> None:
    header, tensors = parts()
    linear = header["layers"][3]["connections"][0]
    assert linear.pop("pool") is None
    conv = header["layers"][1]["connections"][0]["synapses"]
    assert (conv.pop("stride"), conv.pop("padding")) == ([1, 1], [0, 0])
    assert conv.pop("groups") == 1
    assert load(write(path, header, tensors)) == everything()


BOTH = pytest.mark.parametrize("build", [everything, every_kind])


@BOTH
def test_odd_json_at_every_position_is_refused_or_understood(
    path: Path, build: Callable[[], Network]
) -> None:
    header, tensors = parts(build)
    refused = 0
    for at in positions(header):
        free = at[:1] in (("about",), ("name",))
        for odd in ODD:
            network, message = attempt(write(path, put(header, at, odd), tensors))
            if network is None:
                assert str(path) in message
                refused += 1
            elif not free:
                # Nothing but integers, names and objects means something to the arithmetic, and
                # what is read must be whole: it can be written, and read once more.
                assert odd is None or type(odd) in (int, str, list, dict)
                save(network, path)
                assert load(path) == network
    assert refused > 1000


OPTIONAL = {
    *("pool", "stride", "padding", "groups", "leak", "amplitude", "negative_amplitude"),
    "highest",
}


@BOTH
def test_missing_fields_are_named(path: Path, build: Callable[[], Network]) -> None:
    header, tensors = parts(build)
    for at in positions(header):
        key = at[-1] if at else 0
        if not isinstance(key, str) or key in OPTIONAL or (at[0] == "about" and len(at) > 1):
            continue
        changed = copy.deepcopy(header)
        inner = changed
        for step in at[:-1]:
            inner = inner[step]
        del inner[key]
        with pytest.raises(SpikeloomError, match=key):
            load(write(path, changed, tensors))


def test_options_of_neurons_and_inputs_that_may_be_left_out(path: Path) -> None:
    header, tensors = parts(every_kind)
    assert header["input"].pop("highest") == 2
    signs, bursts = header["layers"][1]["neuron"], header["layers"][2]["neuron"]
    assert (signs.pop("amplitude"), signs.pop("negative_amplitude")) == (1, 4)
    assert bursts.pop("leak") == 2
    loaded = load(write(path, header, tensors))
    assert loaded.input.values() == Range(0, 1)
    assert loaded["signs"].neuron.spike() == Range(-1, 1)
    assert loaded["bursts"].neuron.header()["leak"] is None


@BOTH
def test_unknown_fields_are_refused(path: Path, build: Callable[[], Network]) -> None:
    header, tensors = parts(build)
    for at in positions(header):
        inner = header
        for key in at:
            inner = inner[key]
        if isinstance(inner, dict) and at[:1] != ("about",):
            with pytest.raises(ContractError, match="has the unknown field 'lek'"):
                load(write(path, put(header, at, inner | {"lek": 3}), tensors))


@BOTH
def test_odd_tensors_are_refused(path: Path, build: Callable[[], Network]) -> None:
    header, tensors = parts(build)
    for name, values in tensors.items():
        wide = np.full(values.shape, -(2**63))
        for odd, message in [
            (values.astype(np.float32), f"'{name}' of type F32; a network holds integers only"),
            (values.astype(np.float64), f"'{name}' of type F64"),
            (values > 0, f"'{name}' of type BOOL"),
            (values[:0], "none of them empty, not shape"),
            (values[None], "axes, none of them empty, not shape"),
            (values.reshape(-1)[0], r"not shape \(\)"),
            (np.concatenate([values, values]), "layer '"),
            (np.full(values.shape, 2**64 - 1, np.uint64), "not uint64"),
            (wide, "64 bits|must be from 1 to 32, not 64|must be positive"),
        ]:
            with pytest.raises(SpikeloomError, match=message):
                load(write(path, header, tensors | {name: np.array(odd)}))
        short = {k: v for k, v in tensors.items() if k != name}
        with pytest.raises(ContractError, match=f"lacks the tensor '{name.rpartition('.')[2]}'"):
            load(write(path, header, short))
        with pytest.raises(ContractError, match=r"lacks the tensor|unknown tensor|no layer uses"):
            load(write(path, header, short | {f"{name}x": values}))


@pytest.mark.parametrize(
    "dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_types_unknown_to_numpy_are_refused(path: Path, dtype: torch.dtype) -> None:
    header, tensors = parts()
    mixed = {k: torch.from_numpy(v) for k, v in tensors.items()}
    mixed["layers.out.neuron.bias"] = torch.zeros(2, dtype=dtype)
    metadata = {"spikeloom": json.dumps(header)}
    path.write_bytes(safetensors.torch.save(mixed, metadata=metadata))
    with pytest.raises(
        FileFormatError, match=r"'layers.out.neuron.bias' of type B?F.*integers onl"
    ):
        load(path)


def test_tensors_that_no_layer_uses(path: Path) -> None:
    header, tensors = parts()
    extra = {"x": np.ones(1, np.int8), "layers.ghost.weight": np.ones(1, np.int8)}
    with pytest.raises(
        ContractError, match=r"tensors that no layer uses: layers\.ghost\.weight, x"
    ):
        load(write(path, header, tensors | extra))


def test_two_layers_of_one_name(path: Path) -> None:
    header, tensors = parts()
    header["layers"].insert(1, header["layers"][0])
    with pytest.raises(ContractError, match="two layers have the name 'conv'"):
        load(write(path, header, tensors))


@pytest.mark.parametrize("version", [VERSION + 1, 10**30])
def test_newer_versions_are_refused(path: Path, version: int) -> None:
    header, tensors = parts()
    header |= {"version": version, "layers": "of another shape"}
    with pytest.raises(FileFormatError, match=f"of version {version}; .* reads up to {VERSION}: u"):
        load(write(path, header, tensors))


@pytest.mark.parametrize(
    ("pixels", "version"),
    [
        (DirectInput((1,), 3), 1),
        (CountInput((1,), 3), 1),
        (DirectInput((1,), 3, signed=True), 2),
        (DirectInput((1,), 3, zero=(4,)), 2),
    ],
)
def test_the_version_is_the_lowest_that_has_all(path: Path, pixels: Input, version: int) -> None:
    """So older readers keep reading networks that hold nothing new."""
    logits = Logits(np.array([1]), 0)
    connections = (Connection("input", "count", Linear(np.array([[1]]))),)
    network = Network(pixels, (Layer("out", 1, logits, connections),))
    save(network, path)
    with safetensors.safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["spikeloom"])
    assert header["version"] == version
    loaded = load(path)
    assert loaded == network
    assert loaded.digest == network.digest


def pooled(pool: MaxPool) -> Network:
    """Return a network with a max-pool over six columns."""
    columns = pool.shape((1, 1, 6))[2]
    neuron, weight = Logits(np.zeros(1, int), 0), np.ones((1, columns), int)
    connections = (Connection("input", "count", Linear(weight), pool),)
    return Network(DirectInput((1, 1, 6), 3), (Layer("out", 1, neuron, connections),))


@pytest.mark.parametrize(
    ("pool", "fields", "version"),
    [
        (MaxPool((1, 2)), {}, 1),
        (MaxPool((1, 2), (1, 2), (0, 0), ceil=False), {}, 1),
        (MaxPool((1, 3), (1, 2)), {"stride": [1, 2]}, 2),
        (MaxPool((1, 3), padding=(0, 1)), {"padding": [0, 1]}, 2),
        (MaxPool((1, 4), ceil=True), {"ceil": True}, 2),
    ],
)
def test_windows_of_a_pool_are_written_where_they_are_no_default(
    path: Path, pool: MaxPool, fields: dict[str, Any], version: int
) -> None:
    """So files and digests of networks without such windows stay as they are."""
    save(pooled(pool), path)
    with safetensors.safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["spikeloom"])
    assert header["version"] == version
    written = header["layers"][0]["connections"][0]["pool"]
    assert written == {"kind": "max", "size": list(pool.size)} | fields
    assert load(path) == pooled(pool)


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", None, True])
def test_versions_that_are_none(path: Path, version: Any) -> None:
    header, tensors = parts()
    with pytest.raises(FileFormatError, match=r"has the version .*, which must be an integer >= 1"):
        load(write(path, header | {"version": version}, tensors))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged metadata"),
        ("{", "damaged metadata"),
        ('{"format": NaN}', "NaN is no JSON"),
        ('{"version": 1' + "0" * 5000 + "}", "damaged metadata"),
        ("[" * 100_000, "damaged metadata"),
        ("3", "metadata that is no JSON object"),
        ("[]", "metadata that is no JSON object"),
        ("{}", "is no network file: its format is None, not 'spikeloom-network'"),
        ('{"format": "other"}', "is no network file: its format is 'other'"),
    ],
)
def test_metadata_that_is_no_network(path: Path, text: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        load(write(path, text, {"x": np.ones(1, np.int8)}))


@settings(max_examples=200)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1))
def test_flipped_bytes_never_give_a_traceback(
    tmp_path_factory: Any, changes: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("file") / "n.safetensors"
    save(everything(), path)
    content = bytearray(path.read_bytes())
    for position, value in changes:
        content[position % len(content)] = value
    path.write_bytes(content)
    network, message = attempt(path)
    assert network is not None or str(path) in message


def test_nothing_is_left_of_a_network_that_cannot_be_written(path: Path) -> None:
    path.write_text("a file, not a folder")
    with pytest.raises(FileFormatError, match="cannot write"):
        save(everything(), path / "network.safetensors")
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_metadata_of_other_files_is_read_with_their_key(path: Path) -> None:
    content = safetensors.numpy.save({"x": np.ones(1, np.float32)}, metadata={"other": '{"a": 1}'})
    assert read_metadata(content, path, "other") == {"a": 1}
