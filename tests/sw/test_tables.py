"""TOML tables: what is refused, in which words, and that writing undoes reading."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.tables import LARGEST, load, plain, read, to_toml


def test_a_file_of_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with pytest.raises(FileFormatError, match=r"^thing .*a\.toml does not exist: check the path$"):
        load(path, "thing")
    path.write_text("a = 1")
    assert load(path, "thing") == {"a": 1}
    path.write_text("a = " + "[" * 9999)
    with pytest.raises(FileFormatError, match=r"is no TOML file: its lists are nested too deep$"):
        load(path, "thing")
    path.write_text(f"a = {2**63 - 1}\nb = [{{c = {-(2**63) + 1}}}]")
    assert load(path, "thing")["a"] == 2**63 - 1
    for integer in ("0x" + "f" * 5000, f"[{{b = {2**63}}}]"):
        path.write_text(f"a = {integer}")
        with pytest.raises(FileFormatError, match=r"integer has [\d,]+ bits, and TOML's have 64"):
            load(path, "thing")
    path.write_text("#" * (LARGEST + 1))
    with pytest.raises(FileFormatError, match=r"has more than 1,048,576 bytes, which no thing has"):
        load(path, "thing")


@dataclass(frozen=True)
class Part:
    count: int
    rate: float = 0.5
    on: bool = False
    name: str = "x"
    steps: int | Mapping[str, int] = 4
    learn: tuple[str, ...] = ()
    inner: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    maybe: float | None = None

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ConfigError(f"count must be at least 0, not {self.count}")


def test_values_are_read() -> None:
    table = tomllib.loads(
        "count = 3\nrate = 2\non = true\nlearn = ['a', 'b']\nmaybe = 1\n"
        "[steps]\nconv1 = 2\n[inner.timesteps]\ntarget = 3"
    )
    assert read(Part, table, "part") == Part(
        3, 2.0, True, "x", {"conv1": 2}, ("a", "b"), {"timesteps": {"target": 3}}, 1.0
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"count": 1, "raet": 2}, r"part has no key 'raet': did you mean 'rate'\? There are count"),
        ({"count": 1, "zzz": 2}, "part has no key 'zzz': there are count, rate"),
        ({}, "part must say 'count'"),
        ({"count": "3"}, "part.count must be an integer, not '3'"),
        ({"count": True}, "part.count must be an integer, not True"),
        ({"count": 1.0}, "part.count must be an integer, not 1.0"),
        ({"count": 1, "rate": "fast"}, "part.rate must be a number, not 'fast'"),
        ({"count": 1, "rate": True}, "part.rate must be a number, not True"),
        ({"count": 1, "on": 1}, "part.on must be true or false, not 1"),
        ({"count": 1, "name": 1}, "part.name must be a text, not 1"),
        ({"count": 1, "steps": "4"}, "part.steps must be an integer or a table, not '4'"),
        ({"count": 1, "steps": {"a": "4"}}, "part.steps must be an integer or an integer, not"),
        ({"count": 1, "learn": "a"}, "part.learn must be a list, each of it a text, not 'a'"),
        ({"count": 1, "learn": [1]}, r"part.learn must be a text, not \[1\]"),
        ({"count": -1}, "part: count must be at least 0, not -1"),
        (3, r"part must be a table, \[part\], not 3"),
    ],
)
def test_what_is_wrong_is_named(table: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(Part, table, "part")


_SCALARS = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_TABLES = st.recursive(
    st.dictionaries(_KEYS, _SCALARS | st.lists(_SCALARS, max_size=3), max_size=4),
    lambda inner: st.dictionaries(
        _KEYS, inner | st.lists(inner, min_size=1, max_size=3) | _SCALARS, max_size=3
    ),
    max_leaves=8,
)


@given(_TABLES)
def test_what_is_written_is_read(table: dict[str, Any]) -> None:
    assert tomllib.loads(to_toml(table)) == table


def test_none_is_left_out_and_tuples_are_lists() -> None:
    assert to_toml(plain(Part(1, learn=("a",)))) == (
        'count = 1\nrate = 0.5\non = false\nname = "x"\nsteps = 4\nlearn = ["a"]\n\n[inner]\n'
    )
