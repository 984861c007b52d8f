"""Damage of trees of values, as JSON and TOML hold them, and their text."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

#: Marks of what a tree of values cannot hold: text that is written as it is, by its place in the
#: list of such texts, and a key that stands twice.
RAW, TWICE = "@raw:", "@twice:"
_MARKS = re.compile(rf'"{RAW}(\d+)@"|"{TWICE}([^"@]*)@"')

#: Values that few expect.
EXTREMES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 48, 49, 64, 255, 256, 4096, 65535, 65536, 1 << 26),
    *((1 << 31) - 1, 1 << 31, 1 << 32, 1 << 53, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63)),
    *(10**30, 0.5, 1.0, -0.0, 1e308, 1e-308, -2.5, "", " ", "\0", "a\nb", "é", "../../x", "."),
    *("/dev/zero", "x" * 300, "%s{0}$(x)", "input", "count", "spikes", "__class__", "1", "nan"),
    *([], {}, [[]], [1], [0, 0], [1, 2, 3], [None], {"": 0}, {"a": {"a": 1}}),
)
#: The same in JSON's text: numbers without end, words that are no JSON, half a letter, deep lists.
RAW_JSON = (
    *("1e999", "-1e999", "NaN", "Infinity", "1" * 5000, "1e-999", '"\\ud800"', "0x10", "01"),
    *("[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000, "[" * 50 + "]" * 50, "nul"),
)
#: And in TOML's.
RAW_TOML = (
    *("inf", "-inf", "nan", "1" * 5000, "0x" + "f" * 5000, '"\\ud800"', "1979-05-27", "00:00:01"),
    *("[" * 3000 + "]" * 3000, "[" * 50 + "]" * 50, "{a = " * 900 + "1" + "}" * 900, "1_0", "'x"),
)
#: A place in a tree: what holds it, and its key or index there.
_Place = tuple[Any, Any]


def damaged(root: Any, chance: Random) -> Any:
    """Return a tree, which is not used any more, after one to three random changes."""
    box = [root]
    for _ in range(1 + min(chance.getrandbits(1), chance.getrandbits(2))):
        places = list(_places(box))
        if not places:
            break  # all of it is gone
        holder, key = chance.choice(places)
        if chance.getrandbits(5) == 0:
            holder[key] = f"{RAW}{chance.randrange(len(RAW_JSON))}@"
        else:
            chance.choice(_CHANGES)(holder, key, places, chance)
    return box[0] if box else None


def _places(box: list[Any]) -> Iterator[_Place]:
    pending: list[Any] = [box]
    while pending:
        holder = pending.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder)
        for key, value in items:
            yield holder, key
            if isinstance(value, dict | list):
                pending.append(value)


def _replace(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    holder[key] = copy.deepcopy(chance.choice(EXTREMES))


def _near(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int | float):
        step = chance.choice((1, -1, value, -2 * value, 0.5))
        holder[key] = value + step
    elif isinstance(value, str):
        cut = chance.randint(0, len(value))
        holder[key] = value[:cut] + chance.choice(("", "x", "0", ".", " ")) + value[cut + 1 :]
    else:
        holder[key] = copy.deepcopy(chance.choice(EXTREMES))


def _remove(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    del holder[key]


def _rename(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    if isinstance(holder, dict):
        holder[chance.choice((f"{key}x", key[:-1], "", "name", "layers"))] = holder.pop(key)
    else:
        chance.shuffle(holder)


def _twice(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    value = holder[key]
    if isinstance(holder, list):
        holder.insert(key, copy.deepcopy(value))
    elif chance.getrandbits(1):
        holder[f"{TWICE}{key}@"] = copy.deepcopy(value)
    else:
        holder[f"{key}2"] = copy.deepcopy(value)


def _from_elsewhere(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    other, there = chance.choice(places)
    holder[key] = copy.deepcopy(other[there])


def _wrap(holder: Any, key: Any, places: list[_Place], chance: Random) -> None:
    value = holder[key]
    holder[key] = [value] if chance.getrandbits(1) else {"name": value}


_Change = Callable[[Any, Any, list[_Place], Random], None]
_CHANGES: tuple[_Change, ...] = (
    _replace,
    _replace,
    _near,
    _near,
    _remove,
    _rename,
    _twice,
    _from_elsewhere,
    _from_elsewhere,
    _wrap,
)


def json_text(value: Any) -> str:
    """Return the JSON of a damaged tree."""
    text = json.dumps(value, separators=(",", ":"))
    return _MARKS.sub(_marked(RAW_JSON), text) if "@" in text else text


def toml_text(table: Any) -> str:
    """Return the TOML of a damaged tree, tables within tables on one line each."""
    if not isinstance(table, dict):
        table = {"it": table}
    lines = [f"{_toml_key(key)} = {_toml_value(value)}\n" for key, value in table.items()]
    return _MARKS.sub(_marked(RAW_TOML), "".join(lines))


def _marked(raw: tuple[str, ...]) -> Callable[[re.Match[str]], str]:
    return lambda mark: raw[int(mark[1])] if mark[1] else f'"{mark[2]}"'


def _toml_key(key: Any) -> str:
    return json.dumps(str(key), ensure_ascii=False)


def _toml_value(value: Any) -> str:
    if isinstance(value, dict):
        pairs = [f"{_toml_key(key)} = {_toml_value(item)}" for key, item in value.items()]
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if value is None:
        return '""'
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
