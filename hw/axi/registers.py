"""Register map, as data that hardware, manifest and documentation are made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.engine import COUNTERS
from spikeloom.hw.planning.plan import Plan

#: Value of the register ID: the bytes ``LOOM``, the first one lowest.
MAGIC = int.from_bytes(b"LOOM", "little")
#: Version of the register map. A host must refuse any other.
VERSION = 1
#: Bytes of a register.
WORD = 4
#: Offset of the first counter; each layer has four.
COUNTERS_AT = 0x100
#: Bits of the smallest address segment that Vivado assigns, 4 KiB.
_LEAST_ADDRESS_BITS = 12

#: Kinds of access: read only; read and write; read, and clear bits by writing ones; write only.
ACCESSES = ("ro", "rw", "w1c", "wo")


@dataclass(frozen=True)
class Field:
    """Field of a register.

    Parameters
    ----------
    name : str
    bit : int
        Number of the lowest bit.
    width : int
        Number of bits.
    about : str
        Meaning, for documentation and manifest.
    """

    name: str
    bit: int
    width: int
    about: str


@dataclass(frozen=True)
class Register:
    """Register of 32 bits.

    Parameters
    ----------
    name : str
    offset : int
        Bytes from the beginning of the map.
    access : str
        One of :data:`ACCESSES`.
    about : str
        Meaning, for documentation and manifest.
    value : int, optional
        Value of a register that is constant.
    fields : tuple of Field
        Fields of a register that is divided into some; all other bits are 0.
    """

    name: str
    offset: int
    access: str
    about: str
    value: int | None = None
    fields: tuple[Field, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the register's description for a manifest, in JSON values."""
        return {
            "name": self.name,
            "offset": self.offset,
            "access": self.access,
            "about": self.about,
            "value": self.value,
            "fields": [vars(field) for field in self.fields],
        }


def register_map(plan: Plan) -> tuple[Register, ...]:
    """Return the registers of a plan's accelerator in the order of their offsets.

    They include the counters, if the plan has any.
    """
    network, target = plan.network, plan.layers[-1].target
    registers = [
        Register("ID", 0x00, "ro", "the letters LOOM", MAGIC),
        Register("VERSION", 0x04, "ro", "of this map", VERSION),
        Register(
            "CONTROL",
            0x08,
            "wo",
            "what is to be done; reads 0",
            fields=(
                Field("reset", 0, 1, "give up all images and reset counters and errors"),
                Field("skip", 1, 1, "with reset: leave out the rest of a packet that is half in"),
            ),
        ),
        Register(
            "STATUS",
            0x0C,
            "ro",
            "what is going on",
            fields=(
                Field("busy", 0, 1, "an image or a packet is half in, computed, or half out"),
                Field("open", 1, 1, "a packet has begun to come in, and its TLAST has not come"),
                Field("resetting", 2, 1, "after reset: the packet that is half out is completed"),
            ),
        ),
        Register(
            "ERRORS",
            0x10,
            "w1c",
            "what has gone wrong since the last reset",
            fields=(
                Field("short", 0, 1, "TLAST came early: the rest was taken to be 0"),
                Field("long", 1, 1, "TLAST did not come in time: the surplus was left out"),
                Field("range", 2, 1, "a value had more bits than there are: they were left out"),
            ),
        ),
        Register("IMAGES", 0x14, "ro", "images computed since the last reset, modulo 2^32"),
        Register("BROKEN", 0x18, "ro", "those among them that an error of ERRORS fell upon"),
        Register(
            "CYCLES",
            0x1C,
            "ro",
            "clock cycles of the last image, from its first value in to its last logit out, both "
            "included",
        ),
        *(
            Register(
                f"DIGEST{k}",
                0x20 + WORD * k,
                "ro",
                f"bytes {WORD * k} to {WORD * k + 3} of the network's digest",
                int.from_bytes(bytes.fromhex(network.digest)[WORD * k :][:WORD], "little"),
            )
            for k in range(8)
        ),
        Register("VALUES", 0x40, "ro", "values of an image", plan.pixels.transfers),
        Register("VALUE_BITS", 0x44, "ro", "bits of a value", plan.pixels.values.width),
        Register("CHANNELS", 0x48, "ro", "channels of an image", plan.pixels.channels),
        Register("HEIGHT", 0x4C, "ro", "rows of an image", plan.pixels.height),
        Register("WIDTH", 0x50, "ro", "columns of an image", plan.pixels.width),
        Register("TIMESTEPS", 0x54, "ro", "timesteps of an image", plan.pixels.steps),
        Register("LOGITS", 0x58, "ro", "logits of an image", network.classes),
        Register("LOGIT_BITS", 0x5C, "ro", "bits of a logit before its sign", target.values.width),
        Register(
            "COUNTERS",
            0x60,
            "ro",
            "counters from 0x100 on",
            len(plan.layers) * len(COUNTERS.members) if plan.config.counters else 0,
        ),
        Register("SCRATCH", 0x64, "rw", "for a host to try the bus with; nothing looks at it"),
        Register(
            "PACKET",
            0x68,
            "rw",
            "images between two TLAST, from 1 on, 1 after power-up; a write while STATUS says busy "
            "is refused",
            fields=(Field("images", 0, 16, "their number"),),
        ),
    ]
    if plan.config.counters:
        names = [f"{x.layer.name}.{counter}" for x in plan.layers for counter in COUNTERS.members]
        registers += [
            Register(name, COUNTERS_AT + WORD * k, "ro", "counter of a layer, modulo 2^32")
            for k, name in enumerate(names)
        ]
    return tuple(registers)


def address_bits(registers: Iterable[Register]) -> int:
    """Return the bits of an address in a register map."""
    return max(_LEAST_ADDRESS_BITS, max(register.offset for register in registers).bit_length())
