"""Strict JSON: what other readers let pass is an error."""

from __future__ import annotations

import pytest

from spikeloom.sw.documents import parse_json


def test_values() -> None:
    assert parse_json(b'{"a": [1, -2.5, null, true, "\\u00e9"]}') == {
        "a": [1, -2.5, None, True, "é"]
    }
    assert parse_json(" 7 ") == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' stands twice in one object"),
        ("[NaN]", "NaN is no JSON"),
        ("[-Infinity]", "-Infinity is no JSON"),
        ("[-1e999]", "the number -1e999 is too large"),
        ("[" * 100_000, "it is nested too deep"),
        ("9" * 5000, "Exceeds the limit"),
        ('{"a": 1', "Expecting"),
        (b"\xff", "codec can't decode"),
        ("", "Expecting value"),
    ],
)
def test_everything_wrong_is_one_error(text: bytes | str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_json(text)
