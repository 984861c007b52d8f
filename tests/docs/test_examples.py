"""``docs/examples.md``: its table and code are those that were measured, and its commands run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks import examples, page
from click.testing import CliRunner

from spikeloom.sw.cli import main

TEXT = examples.PAGE.read_text(encoding="utf-8")
#: Steps of the commands, in order.
STEPS = ["data", "check", "train", "convert", "run", "inspect", "generate", "cosim"]


@pytest.mark.parametrize("example", examples.EXAMPLES, ids=lambda example: example.name)
def test_every_example_has_its_code_and_all_steps(example: examples.Example) -> None:
    code = (examples.FILES / f"{example.name}.py").read_text(encoding="utf-8")
    assert page.parts(TEXT, example.name)[1] == f"```python\n{code}```"
    commands = examples.commands_of(example.name, TEXT)
    assert [command[0] for command in commands] == STEPS
    source = f"{example.name}.py:{example.data[0]}"
    assert all(source in command for command in commands if command[0] in examples.READ)


def test_nothing_is_lost_on_the_way_to_hardware() -> None:
    rows = [line.strip("| ").split(" | ") for line in page.parts(TEXT, "results")[1].splitlines()]
    assert [row[0] for row in rows[2:]] == [example.name for example in examples.EXAMPLES]
    for row in rows[2:]:
        quantized, integer, hardware = row[4:7]
        assert quantized == integer == hardware
        assert int(row[7].replace(",", "")) > 0
        assert row[8] == "0"
        # Within what the choice of the test images makes, and not worse than the plain method.
        floats, plain = (float(row[i].split()[0].strip("%,")) for i in (3, 2))
        ten = 10.0 if "%" in row[3] else 0.1
        assert floats - float(quantized.split()[0]) < 0.2 * ten
        assert float(quantized.split()[0]) > plain - 0.2 * ten


def test_commands_up_to_hardware(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (x for x in examples.EXAMPLES if x.name == "diabetes")
    (tmp_path / "diabetes.py").write_text((examples.FILES / "diabetes.py").read_text())
    monkeypatch.chdir(tmp_path)
    printed = {}
    for command in examples.commands_of(example.name, TEXT)[:-1]:
        fast = ["--epochs", "15", "--tune-epochs", "5"] if command[0] == "train" else []
        done = CliRunner().invoke(main, [*command, *fast])
        assert done.exit_code == 0, done.output
        printed[command[0]] = done.output
    assert "88 test images of diabetes.py:table" in printed["train"]
    (score,) = re.findall(r"R²: (\d\.\d+)", printed["run"])
    assert float(score) > 0.4
    assert f"quantized ANN      {score}" in re.sub(" {6,}", " " * 6, printed["train"])
    assert (tmp_path / "diabetes.v").read_text().count("module ") > 1
