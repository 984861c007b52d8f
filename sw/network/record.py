"""Base of the contract's dataclasses, and checks of their integers and integer tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from spikeloom.sw.errors import ContractError
from spikeloom.sw.registry import Registered

IntArray = npt.NDArray[np.int64]

#: A feature map's (channels, height, width), or (features,) of a fully connected layer.
Shape = tuple[int, ...]

#: Metadata of a dataclass field that holds an integer tensor (stored outside the JSON metadata).
TENSOR: Mapping[str, Any] = MappingProxyType({"tensor": True})
#: Metadata of a JSON field that is left out where it has its default: a later one, without which
#: files and digests are as they were before it.
OMITTED: Mapping[str, Any] = MappingProxyType({"omitted": True})


def freeze(value: Any, what: str, ndim: int) -> IntArray:
    """Return ``value`` as a read-only ``int64`` array of ``ndim`` axes.

    Parameters
    ----------
    value : array of integers, or nested sequences of them
    what : str
        Subject of error messages.
    ndim : int

    Raises
    ------
    ContractError
        If the value does not consist of integers, has another number of axes, or is empty.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ContractError(f"{what} must be one array of integers: {error}") from None
    if array.dtype.kind not in "iu" or (array.dtype == np.uint64 and (array >> 63).any()):
        raise ContractError(
            f"{what} must hold signed integers of at most 64 bits, not {array.dtype}: the "
            f"contract has no fractions"
        )
    if array.ndim != ndim or array.size == 0:
        raise ContractError(
            f"{what} must have {ndim} axes, none of them empty, not shape {array.shape}"
        )
    frozen = array.astype(np.int64)
    frozen.flags.writeable = False
    return frozen


def require_int(value: Any, what: str, low: int, high: int) -> int:
    """Return ``value``, or raise `ContractError` unless it is from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ContractError(f"{what} must be an integer, not {value!r}")
    if not low <= value <= high:
        raise ContractError(f"{what} must be from {low} to {high}, not {value}")
    return int(value)


def require_members(value: Any, kind: type, what: str) -> tuple[Any, ...]:
    """Return ``value`` as a tuple, or raise `ContractError` unless it is a sequence of ``kind``."""
    if not isinstance(value, (tuple, list)):
        raise ContractError(f"{what} must be a tuple of {kind.__name__}, not {value!r}")
    for index, member in enumerate(value):
        if not isinstance(member, kind):
            raise ContractError(f"{what}[{index}] must be a {kind.__name__}, not {member!r}")
    return tuple(value)


def require_pair(value: Any, what: str, low: int, high: int) -> tuple[int, int]:
    """Return ``value``, or raise `ContractError` unless it is a pair from ``low`` to ``high``."""
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence) or len(value) != 2:
        raise ContractError(f"{what} must be two integers (vertical, horizontal), not {value!r}")
    return (
        require_int(value[0], f"{what}[0]", low, high),
        require_int(value[1], f"{what}[1]", low, high),
    )


@contextmanager
def named(what: str) -> Iterator[None]:
    """Begin the message of any `ContractError` that the block raises with ``what``."""
    try:
        yield
    except ContractError as error:
        raise ContractError(f"{what}: {error}") from None


class Record(Registered):
    """Base of the families of which a network consists: frozen dataclasses, found by their kind.

    ``Neuron``, ``Synapses``, ``Pool`` and ``Input`` open a family each, and a class below joins
    with ``class Name(Family, kind="name")``. Fields marked :data:`TENSOR` are integer tensors, all
    others are JSON values, of which those marked :data:`OMITTED` are left out where they have their
    default; saving and loading need to know no more than that.
    """

    kind: ClassVar[str]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record) or type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.tensors(), other.tensors()
        return (
            self.header() == other.header()
            and mine.keys() == theirs.keys()
            and all(np.array_equal(mine[name], theirs[name]) for name in mine)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def tensors(self) -> dict[str, IntArray]:
        """Return the integer tensors, by the name of their field; those that are None left out."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        given = {f.name: getattr(self, f.name) for f in fields if f.metadata.get("tensor")}
        return {name: value for name, value in given.items() if value is not None}

    def header(self) -> dict[str, Any]:
        """Return the JSON part: the kind, and every field that is not a tensor."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        rest = [(f, getattr(self, f.name)) for f in fields if not f.metadata.get("tensor")]
        kept = {f.name: v for f, v in rest if not (f.metadata.get("omitted") and v == f.default)}
        return {"kind": self.kind, **kept}

    @classmethod
    def build(cls, header: Any, tensors: Mapping[str, Any], what: str) -> Self:
        """Return the member of the family that ``header`` and ``tensors`` describe.

        Parameters
        ----------
        header : object
            Of JSON, as :meth:`header` returns it; it may come from anywhere, and is checked.
        tensors : mapping of str to array
            As :meth:`tensors` returns them.
        what : str
            Subject of error messages.

        Raises
        ------
        ContractError
            If the kind is unknown, or a field is missing, surplus or invalid.
        """
        if not isinstance(header, Mapping) or not isinstance(header.get("kind"), str):
            raise ContractError(f"{what} must be an object with a 'kind', not {header!r}")
        kind = header["kind"]
        message = f"{what} has the unknown kind {kind!r}; this version knows:"
        member: type[Any] = cls.member(kind, ContractError, message, alphabetical=True)
        fields = dataclasses.fields(member)
        options = {k: v for k, v in header.items() if k != "kind"}
        for given, where, is_tensor in ((options, "field", False), (tensors, "tensor", True)):
            members = [f for f in fields if bool(f.metadata.get("tensor")) == is_tensor]
            required = {f.name for f in members if f.default is dataclasses.MISSING}
            if missing := sorted(required - given.keys()):
                raise ContractError(f"{what} of kind {kind!r} lacks the {where} {missing[0]!r}")
            if surplus := sorted(given.keys() - {f.name for f in members}):
                raise ContractError(
                    f"{what} of kind {kind!r} has the unknown {where} {surplus[0]!r}"
                )
        with named(what):
            built: Self = member(**options, **tensors)
        return built
