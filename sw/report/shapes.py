"""Shapes of JSON values: whether a file of anybody's holds what is read from it."""

from __future__ import annotations

from typing import Any

from spikeloom.sw.errors import FileFormatError

#: Kinds of values, by the words that messages use.
_PLAIN: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "whole number": (int,),
    "number": (int, float),
    "truth value": (bool,),
    "object": (dict,),
}
#: Largest magnitude of a number.
_LARGEST = 2**53
TEXT, WHOLE, NUMBER, TRUTH, OBJECT = _PLAIN


class Maybe:
    """A value that may be null."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


class Missing(Maybe):
    """A value that may be null, or missing in its object."""


class ByName:
    """An object with any keys, all of whose values have one shape."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


def require(value: Any, shape: Any, where: str) -> None:
    """Require that a JSON value has a shape.

    Parameters
    ----------
    value : object
    shape : object
        One of the words :data:`TEXT` to :data:`OBJECT`; a list of one shape, which all entries of
        a list have; a dict of shapes, for those keys of an object that are read;
        :class:`Maybe`, :class:`Missing` or :class:`ByName`. The entries of a list whose shape has
        ``"name"`` are told apart by it: no two have the same.
    where : str
        Name of the value, for messages.

    Raises
    ------
    FileFormatError
        If it has not.
    """
    if isinstance(shape, Maybe):
        if value is not None:
            require(value, shape.shape, where)
    elif isinstance(shape, ByName):
        for key, entry in _of(value, dict, "object", where).items():
            require(entry, shape.shape, f"{where}, {key!r}")
    elif isinstance(shape, dict):
        _of(value, dict, "object", where)
        for key, inner in shape.items():
            if key not in value and not isinstance(inner, Missing):
                raise FileFormatError(f"{where} lacks {key!r}: write it again")
            require(value.get(key), inner, f"{where}, {key!r}")
    elif isinstance(shape, list):
        for number, entry in enumerate(_of(value, list, "list", where)):
            require(entry, shape[0], f"{where}, entry {number}")
        if isinstance(shape[0], dict) and "name" in shape[0]:
            names = [entry["name"] for entry in value]
            if len(set(names)) != len(names):
                raise FileFormatError(f"{where} has two entries of one name: write it again")
    else:
        kinds = _PLAIN[shape]
        found = isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
        # JavaScript's integers are exact up to this; a comparison with NaN does not hold.
        if not found or (isinstance(value, int | float) and not abs(value) <= _LARGEST):
            _refuse(value, shape, where)


def _of(value: Any, kind: type, word: str, where: str) -> Any:
    if not isinstance(value, kind):
        _refuse(value, word, where)
    return value


def _refuse(value: Any, word: str, where: str) -> None:
    text = "a number too large" if isinstance(value, int) and abs(value) > _LARGEST else repr(value)
    shown = text if len(text) <= 60 else f"{text[:60]}..."
    raise FileFormatError(f"{where}: a {word} is expected, not {shown}: write it again")
