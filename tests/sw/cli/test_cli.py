"""The command line: what it prints, what it writes, and how it tells errors."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors import numpy as safetensors_numpy

from spikeloom.sw import datasets, training
from spikeloom.sw import network as contract
from spikeloom.sw.cli import COMMANDS, _readable, main, train
from spikeloom.sw.cli.common import DATASETS, parse_per_layer, parse_shape
from spikeloom.sw.cli.inspect import summarize
from spikeloom.sw.errors import ConfigError

MODELS = """
import torch
from torch import nn


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 10))


class Leaky(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 6), nn.LeakyReLU(), nn.Linear(6, 10))


class Smooth(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 6), nn.Sigmoid(), nn.Linear(6, 10))


class NeedsArguments(nn.Module):
    def __init__(self, width):
        super().__init__()


def make():
    return Net()


number = 3
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def error_of(*arguments: str | Path) -> str:
    """Return the message of a run that must end with a told error and no traceback."""
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.lower().startswith(("error: ", "usage: ")), result.stderr
    return result.stderr


def tiny_network() -> contract.Network:
    """Two layers on 1x4x4 pixels of 2 bits, all parameters known."""
    conv = contract.Conv2d(np.arange(-9, 9).reshape(2, 1, 3, 3), padding=(1, 1), stride=(2, 2))
    first = contract.Layer(
        "conv",
        3,
        contract.Ladder(np.array([[5, 10, 20], [1, 2, 3]])),
        (contract.Connection(contract.INPUT, "count", conv),),
    )
    last = contract.Layer(
        "fc",
        1,
        contract.Logits(np.array([4, -5, 0]), 2),
        (contract.Connection("conv", "count", contract.Linear(np.eye(3, 8, dtype=np.int64))),),
    )
    return contract.Network(contract.DirectInput((1, 4, 4), 2), (first, last), name="tiny")


@pytest.fixture
def network_file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    contract.save(tiny_network(), path)
    return path


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "mynet.py"
    path.write_text(MODELS)
    return path


# --- the whole ------------------------------------------------------------------------------------


def test_help_lists_every_command_in_order() -> None:
    result = run("--help")
    assert result.exit_code == 0
    positions = [result.output.index(f"\n  {name} ") for name in COMMANDS]
    assert positions == sorted(positions)
    assert " ".join(COMMANDS) == (
        "check data train sweep diagnose convert calibrate import export inspect plan area "
        "generate cosim boards build program board run report demo cache doctor"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"\n      spikeloom {name}" in result.output
    context = click.Context(main)
    command = main.get_command(context, name)
    assert command is not None
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert all(option.help for option in options)


def test_unknown_command_is_a_usage_error() -> None:
    assert "No such command 'inspec': did you mean inspect? The commands are" in error_of("inspec")
    assert "No such command 'xyz': the commands are check, data," in error_of("xyz")


def test_a_defect_keeps_its_traceback(network_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(contract, "load", broken)
    assert isinstance(run("inspect", network_file).exception, ZeroDivisionError)


def test_interruption_is_told_in_one_word(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(contract, "load", interrupted)
    result = run("inspect", network_file)
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_values_of_files_steer_no_terminal() -> None:
    shown = _readable("\x1b[2J\r\u202e" + "x" * 10_000 + "\nthe end")
    assert shown.startswith("\\x1b[2J\\r\\u202ex")
    assert shown.endswith("x\nthe end")
    assert len(shown) < 4100


def test_the_demo_asks_for_missing_tools_before_it_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikeloom.sim.tools.shutil.which", lambda name: None)
    message = error_of("demo", "--out", tmp_path / "out")
    assert "the simulator needs a C++ compiler" in message
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_told_without_traceback(
    network_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device", "net.v")

    monkeypatch.setattr(contract, "load", full)
    assert error_of("inspect", network_file) == "error: net.v: No space left on device\n"


# --- files that are no networks -------------------------------------------------------------------


def _rewritten(path: Path, target: Path, **changes: object) -> Path:
    """Return a copy of a network file whose metadata has ``changes``."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    metadata = json.loads(header["spikeloom"]) | changes
    tensors = safetensors_numpy.load(content)
    target.write_bytes(
        safetensors_numpy.save(tensors, metadata={"spikeloom": json.dumps(metadata)})
    )
    return target


READERS = {
    "inspect": (),
    "generate": ("--out", "never.v"),
    "cosim": ("--data", "digits"),
}


@pytest.mark.parametrize(("command", "options"), READERS.items(), ids=READERS)
class TestBadNetworkFiles:
    def test_missing(self, command: str, options: tuple[str, ...], tmp_path: Path) -> None:
        assert "does not exist" in error_of(command, tmp_path / "no.safetensors", *options)

    def test_folder(self, command: str, options: tuple[str, ...], tmp_path: Path) -> None:
        assert "Is a directory" in error_of(command, tmp_path, *options)

    def test_truncated(self, command: str, options: tuple[str, ...], network_file: Path) -> None:
        network_file.write_bytes(network_file.read_bytes()[:-7])
        assert "damaged" in error_of(command, network_file, *options)

    def test_other_kind(self, command: str, options: tuple[str, ...], tmp_path: Path) -> None:
        path = tmp_path / "weights.safetensors"
        path.write_bytes(safetensors_numpy.save({"weight": np.zeros(3)}))
        assert "not one of Spikeloom's" in error_of(command, path, *options)

    def test_newer(self, command: str, options: tuple[str, ...], network_file: Path) -> None:
        newer = _rewritten(network_file, network_file.with_name("newer"), version=999)
        message = error_of(command, newer, *options)
        assert "version 999" in message
        assert "update Spikeloom" in message


# --- inspect --------------------------------------------------------------------------------------


def test_inspect_prints_layers(network_file: Path) -> None:
    result = run("inspect", network_file)
    assert result.exit_code == 0
    network = tiny_network()
    lines = [line.split() for line in result.output.splitlines()]
    conv = next(words for words in lines if words[:1] == ["conv"])
    widths = [str(r.width) for r in (network.ranges["conv"].accumulator,) * 2]
    # 2 channels of 2x2 outputs at stride 2: the first row and column of windows reach into padding.
    assert conv == ["conv", "2x2x2", "3", "ladder", "levels", "1..20", "0..1", *widths, "50"]
    assert network.digest in result.output


def test_inspect_as_json_agrees_with_the_network(network_file: Path) -> None:
    network = tiny_network()
    summary = json.loads(run("inspect", network_file, "--json").output)
    assert summary["digest"] == network.digest
    assert summary["classes"] == 3
    assert summary["parameters"] == 18 + 6 + 24 + 3
    first, last = summary["layers"]
    assert first["ranges"] == {"levels": [1, 20]}
    assert first["connections"][0]["weight_bits"] == 5
    assert first["connections"][0]["zero_weights"] == 1
    assert last["neuron"] == {"kind": "logits", "fraction_bits": 2}
    assert last["potential_width"] == network.ranges["fc"].potential.width
    assert last["synapses"] == 24


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_synapses_are_counted_without_padding(stride: int, padding: int) -> None:
    source = (2, 5, 6)
    synapses = contract.Conv2d(
        np.ones((3, 2, 3, 4), np.int64), stride=(stride, 1), padding=(padding, padding)
    )
    # A convolution of ones over ones adds 1 per synapse.
    padded = np.zeros((5 + 2 * padding, 6 + 2 * padding), np.int64)
    padded[padding : padding + 5, padding : padding + 6] = 1
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 4))[::stride]
    assert synapses.pairs(source) == 2 * 3 * windows.sum()


def test_summary_counts_the_synapses_of_all_layers() -> None:
    assert summarize(tiny_network())["synapses"] == 50 + 24


# --- options --------------------------------------------------------------------------------------


def test_numbers_by_layer() -> None:
    assert parse_per_layer("8", "lanes") == 8
    assert parse_per_layer("conv1=8, fc=4", "lanes") == {"conv1": 8, "fc": 4}
    mixed = parse_per_layer("conv1=4,conv2=2,default=2", "timesteps")
    assert mixed == {"conv1": 4, "conv2": 2, "default": 2}


@pytest.mark.parametrize("text", ["", "x", "conv1", "conv1=", "conv1=-1", "a=1,,b=2", "1.5", "=3"])
def test_bad_numbers_by_layer(text: str) -> None:
    with pytest.raises(ConfigError, match="lanes must be a number, or numbers by layer"):
        parse_per_layer(text, "lanes")


def test_a_layer_named_twice() -> None:
    with pytest.raises(ConfigError, match="events name the layer 'a' twice"):
        parse_per_layer("a=1,a=2", "events")


def test_shapes() -> None:
    assert parse_shape("1,8,8") == parse_shape("1x8x8") == parse_shape("(1, 8, 8)") == (1, 8, 8)
    assert parse_shape("64") == (64,)
    assert parse_shape("6,100") == (6, 100)


@pytest.mark.parametrize("text", ["", "1,", "1,8,0", "1,8,8,8", "a,b,c", "-1"])
def test_bad_shapes(text: str) -> None:
    with pytest.raises(ConfigError, match="a shape is channels,height,width"):
        parse_shape(text)


def test_defaults_are_those_of_the_functions() -> None:
    parameters = inspect.signature(training.train).parameters
    options = {p.name: p for p in train.command.params}
    for name in ("epochs", "tune_epochs", "lr", "tune_lr", "seed"):
        assert options[name].default == parameters[name].default, name
    assert options["timesteps"].default == str(parameters["timesteps"].default)
    assert options["weight_bits"].default == str(parameters["weight_bits"].default)
    assert tuple(datasets.Loader.kinds) == DATASETS


# --- check ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Net", "Leaky", "make"])
def test_check_accepts(model_file: Path, name: str) -> None:
    result = run("check", f"{model_file}:{name}", "--input-shape", "1,8,8")
    assert result.exit_code == 0
    assert "can be converted" in result.output
    assert "NO" not in result.output.split()
    table = result.output[result.output.index(" layer ") :]
    assert {"logits", "signed" if name == "Leaky" else "ladder"} <= set(table.split())


def test_check_says_what_it_did_not_check(model_file: Path) -> None:
    result = run("check", f"{model_file}:Net")
    assert result.exit_code == 0
    assert "not checked, since the shape of an image is not known" in result.output


def test_check_names_what_stands_in_the_way(model_file: Path) -> None:
    result = run("check", f"{model_file}:Smooth", "--input-shape", "1,8,8")
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.split()[:1] == ["NO"]]
    assert "Sigmoid" in line
    assert "cannot be converted: mend 1 place" in result.output


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing", "no model is called 'nothing': the zoo has "),
        ("{folder}/no.py:Net", "no.py does not exist"),
        ("{file}:Other", "has no 'Other'; the models in it: Net, Leaky, Smooth, NeedsArguments"),
        ("{file}:", "a model is a name of the zoo, FILE.py:NAME or FILE.onnx"),
        ("{file}:number", "number is .*int.*: name a class"),
        ("{file}:NeedsArguments", "cannot be built without arguments: TypeError: .*'width'"),
        ("{folder}/broken.py:Net", "fails: SyntaxError"),
        ("no.such.module:Net", "a model is a name of the zoo, FILE.py:NAME or FILE.onnx"),
    ],
)
def test_check_of_no_model(model_file: Path, spec: str, message: str) -> None:
    model_file.with_name("broken.py").write_text("class Net(:\n")
    filled = spec.format(file=model_file, folder=model_file.parent)
    told = error_of("check", filled)
    assert re.search(message, told), told


def test_check_of_a_bad_shape(model_file: Path) -> None:
    assert "a shape is" in error_of("check", f"{model_file}:Net", "--input-shape", "1,8,")
