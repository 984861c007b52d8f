"""Conversion between TOML tables and dataclasses, strict, with messages that name the key."""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from spikeloom.sw.errors import ConfigError, FileFormatError
from spikeloom.sw.files import read_bytes
from spikeloom.sw.names import nearest

_Kind = TypeVar("_Kind")

#: Bytes that a file of tables has at most: one that people write is far smaller.
LARGEST = 1 << 20

_SCALARS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
}


class _MisfitError(Exception):
    """A value has the wrong type; the message describes the right one."""


def load(path: str | Path, what: str) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Parameters
    ----------
    path : path
    what : str
        The kind of file, for messages: ``"recipe"``.

    Raises
    ------
    FileFormatError
        If there is no such file, it cannot be read, it has more than :data:`LARGEST` bytes, or it
        is no TOML.
    """
    try:
        found = tomllib.loads(read_bytes(path, what, LARGEST).decode())
        _require_integers(found)
        return found
    except RecursionError:
        raise FileFormatError(f"{path} is no TOML file: its lists are nested too deep") from None
    except ValueError as error:  # also of numbers with thousands of digits
        raise FileFormatError(f"{path} is no TOML file: {error}") from None


def _require_integers(found: Any) -> None:
    """Raise `ValueError` if an integer has more than TOML's 64 bits.

    Hexadecimal ones of any length are quickly read, but Python refuses to print them.
    """
    inner = [found]
    while inner:
        value = inner.pop()
        if isinstance(value, dict):
            inner += value.values()
        elif isinstance(value, list):
            inner += value
        elif isinstance(value, int) and value.bit_length() > 63:
            raise ValueError(f"an integer has {value.bit_length():,} bits, and TOML's have 64")


def read(kind: type[_Kind], table: Any, where: str) -> _Kind:
    """Build a dataclass from a table.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are numbers, texts, booleans, tuples of them, or mappings from
        text to them.
    table : Any
        The value that the file holds in place of the table; not yet checked.
    where : str
        Name of the table in the file, for messages.

    Raises
    ------
    ConfigError
        If ``table`` is not a table, a key is unknown or missing, or a value has the wrong type or
        is refused by the dataclass.
    """
    fields = [field for field in dataclasses.fields(kind) if field.init]  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values = values_of(table, {field.name: hints[field.name] for field in fields}, where)
    for field in fields:
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and field.name not in values:
            raise ConfigError(f"{where} must say {field.name!r}")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def values_of(table: Any, hints: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values of a table after checking that each has the type of its key.

    Raises
    ------
    ConfigError
        As for :func:`read`.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table, [{where}], not {table!r}")
    for key in table:
        require_known(key, hints, f"{where} has no key")
    values = {}
    for key, value in table.items():
        try:
            values[key] = _typed(value, hints[key])
        except _MisfitError as error:
            raise ConfigError(f"{where}.{key} must be {error}, not {value!r}") from None
    return values


def require_known(key: str, known: Collection[str], what: str) -> None:
    """Refuse an unknown name, and suggest a known one that is spelled like it.

    Parameters
    ----------
    key : str
    known : collection of str
    what : str
        Beginning of the message, for instance ``"engine has no key"``.

    Raises
    ------
    ConfigError
        If ``key`` is not known.
    """
    if key in known:
        return
    near = nearest(key, known)
    hint = "there" if near is None else f"did you mean {near!r}? There"
    raise ConfigError(f"{what} {key!r}: {hint} are {', '.join(known)}")


def _typed(value: Any, hint: Any) -> Any:
    if hint is Any:
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _either(value, arguments)
    if origin is tuple:
        if not isinstance(value, list):
            raise _MisfitError(f"a list, each of it {_SCALARS[arguments[0]]}")
        return tuple(_typed(item, arguments[0]) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _MisfitError("a table")
        return {key: _typed(item, arguments[1]) for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise _MisfitError(_SCALARS[hint])
    return value


def _either(value: Any, hints: tuple[Any, ...]) -> Any:
    wanted = []
    if value is None and type(None) in hints:
        return None  # of JSON
    for hint in hints:
        # TOML has no such values: the key is left out, or a name stands for the function.
        if hint is type(None) or typing.get_origin(hint) is Callable:
            continue
        try:
            return _typed(value, hint)
        except _MisfitError as error:
            wanted.append(str(error))
    raise _MisfitError(" or ".join(wanted))


def plain(value: Any) -> Any:
    """Return a value, or a dataclass of values, as values that TOML and JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def to_toml(table: Mapping[str, Any], name: str = "") -> str:
    """Return a table of plain values as TOML.

    Parameters
    ----------
    table : mapping
        Numbers, texts, booleans, lists of them, tables, and lists of tables. None is left out.
    name : str
        Prefix of the names of inner tables: the table's own name and a dot.
    """
    lines = []
    inner = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            path = f"{name}{_key(key)}"
            inner.append(f"\n[{path}]\n{to_toml(value, f'{path}.')}")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            path = f"{name}{_key(key)}"
            inner += [f"\n[[{path}]]\n{to_toml(item, f'{path}.')}" for item in value]
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}\n")
    return "".join(lines + inner)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(text: str) -> str:
    # JSON's escapes are also TOML's, except for DEL, which TOML wants escaped, and surrogates.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
