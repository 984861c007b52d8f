"""Models by name: of the zoo, of a file, and what can be wrong with one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.models.onnx_files import file_of
from torch import nn

from spikeloom.sw.errors import ConfigError, FileFormatError, UnsupportedError
from spikeloom.sw.models.digits import DigitsConv
from spikeloom.sw.models.spec import build_model, load_model_class

FILE = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn
from helper import WIDTH
class Net(nn.Linear):
    def __init__(self):
        super().__init__(WIDTH, 2)
@dataclass
class Options:
    width: int = 3
class Needs(nn.Linear):
    pass
def make():
    return nn.Linear(5, 2)
built = nn.Linear(6, 2)
number = 3
def nothing():
    return None
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "mynet.py").write_text(FILE)
    (tmp_path / "helper.py").write_text("WIDTH = 4\n")
    return str(tmp_path / "mynet.py")


def test_the_zoo() -> None:
    assert load_model_class("digits-conv") is DigitsConv
    assert isinstance(build_model("digits-conv"), DigitsConv)


@pytest.mark.parametrize(("name", "inputs"), [("Net", 4), ("make", 5), ("built", 6)])
def test_classes_functions_and_models_in_a_file(file: str, name: str, inputs: int) -> None:
    path = list(sys.path)
    model = build_model(f"{file}:{name}")
    assert isinstance(model, nn.Linear)
    assert model.in_features == inputs
    assert sys.path == path


def test_files_are_looked_for_in_another_folder(file: str) -> None:
    folder = Path(file).parent
    assert isinstance(build_model("mynet.py:Net", folder), nn.Linear)


def test_a_model_of_an_onnx_file(tmp_path: Path) -> None:
    copied = tmp_path / "lenet.onnx"
    copied.write_bytes(file_of("LeNet-5").read_bytes())
    for spec, folder in ((str(copied), None), ("lenet.onnx", tmp_path)):
        assert getattr(build_model(spec, folder), "input_shape", None) == (1, 12, 12)
    copied.write_bytes(b"damaged")
    with pytest.raises(FileFormatError, match=r"lenet\.onnx is damaged, or no ONNX file"):
        build_model(str(copied))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "digits-vgg",
            "no model is called 'digits-vgg': did you mean .*he zoo has digits-mlp, .*FILE.py:NAME",
        ),
        ("mynet:Net", "FILE.py:NAME or FILE.onnx, not 'mynet:Net'"),
        ("mynet.py:", "FILE.py:NAME or FILE.onnx, not 'mynet.py:'"),
        ("gone.py:Net", "file gone.py does not exist"),
        ("gone.onnx", "file gone.onnx does not exist"),
        ("{file}:Nett", "has no 'Nett'; the models in it: Net, Needs"),
        ("{file}:number", "is a int, not a model"),
        ("{file}:nothing", r"nothing\(\) returns NoneType, not a torch.nn.Module"),
    ],
)
def test_names_of_nothing(file: str, spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_model(spec.format(file=file))


def test_a_class_that_needs_arguments(file: str) -> None:
    with pytest.raises(UnsupportedError, match="cannot be built without arguments: TypeError"):
        build_model(f"{file}:Needs")


@pytest.mark.parametrize("text", ["import nosuchmodule", "def (", "1 / 0"])
def test_a_file_that_fails(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(UnsupportedError, match=r"broken\.py fails: \w+Error"):
        build_model(f"{path}:Net")
