"""``docs/onnx.md``: its Python and its command run as they are printed, and its tables are whole.

To write the tables anew: ``PYTHONPATH=tests python tests/docs/test_onnx.py``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from benchmarks.page import parts, replace, table
from support.models.onnx_files import exported
from support.pages import run_commands

from spikeloom.sw import models
from spikeloom.sw.datasets import load
from spikeloom.sw.importing.onnx import REFUSED, Operator
from spikeloom.sw.importing.onnx.file import OPSETS

PATH = Path(__file__).parents[2] / "docs/onnx.md"
PAGE = PATH.read_text(encoding="utf-8")


def tables() -> dict[str, str]:
    """Return the tables of operators that are taken and that are refused by name."""
    reasons = dict.fromkeys(REFUSED[name] for name in sorted(REFUSED))
    return {
        "operators": table(
            ["operator", "becomes"],
            [(f"`{name}`", kind.becomes) for name, kind in sorted(Operator.kinds.items())],
        ),
        "refused": table(
            ["operator", "refused, since it"],
            [
                (", ".join(f"`{n}`" for n in sorted(REFUSED) if REFUSED[n] == reason), reason)
                for reason in reasons
            ],
        ),
    }


def test_the_tables_have_every_operator() -> None:
    for name, text in tables().items():
        assert parts(PAGE, name)[1] == text


def test_the_page_says_which_opsets_are_read() -> None:
    assert f"Opsets {OPSETS[0]} to {OPSETS[1]} are read" in PAGE


def test_the_page_s_python_and_command_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = load("digits", "test").inputs()[:1]
    content = exported(models.digits.DigitsConv().eval(), image, open_batch=False)
    (tmp_path / "net.onnx").write_bytes(content)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, names)
    agreement = names["network"].about["agreement"]
    assert agreement["network_as_prepared"] == agreement["images"] == 200
    checked, imported = run_commands(PAGE)
    assert "net.onnx can be converted" in checked
    assert "have the label of the float simulation" in imported


if __name__ == "__main__":
    for name, text in tables().items():
        replace(PATH, name, text)
