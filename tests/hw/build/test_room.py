from __future__ import annotations

from pathlib import Path

from support.hw.networks import showcase

from spikeloom.hw.boards import Board, Resources
from spikeloom.hw.build.family import Family
from spikeloom.hw.build.room import TooLargeError, compared, overfull, short_of
from spikeloom.sw.errors import ConfigError

HAS = Resources(luts=5280, flipflops=5280, block_ram=30, dsp=8)


def test_what_is_as_much_as_there_is_fits() -> None:
    entries = compared(Resources(luts=5280, flipflops=7, block_ram=30, dsp=0), HAS)
    assert entries["luts"] == {"used": 5280, "available": 5280}
    assert entries["dsp"] == {"used": 0, "available": 8}
    assert list(entries) == ["luts", "flipflops", "block_ram", "dsp"]
    assert short_of(entries) == []


def test_what_there_is_too_little_of_is_named_in_order() -> None:
    entries = compared(Resources(luts=5281, flipflops=7, block_ram=1031, dsp=0), HAS)
    assert short_of(entries) == ["5,281 look-up tables of 5,280", "1,031 block RAMs of 30"]


def test_a_packed_design_is_read_from_the_log(tmp_path: Path) -> None:
    log, family = tmp_path / "top.tim", Family.find("ice40")
    assert overfull(log, family) == []
    log.write_text(
        "Info: Device utilisation:\n"
        "Info: \t         ICESTORM_LC:    5509/   5280   104%\n"
        "Info: \t        ICESTORM_RAM:      30/     30   100%\n"
        "Info: \t               SB_GB:       9/      8   112%\n"
    )
    assert overfull(log, family) == ["5,509 look-up tables of 5,280", "9 SB_GB of 8"]


def test_the_message_says_what_to_do() -> None:
    error = TooLargeError(showcase(), Board.find("icebreaker"), ["31 block RAMs of 30"], 77)
    assert isinstance(error, ConfigError)
    assert str(error) == (
        f"{showcase().name!r} does not fit on iCEBreaker: it takes 31 block RAMs of 30. Take a "
        f"smaller network, weights of fewer bits, fewer lanes, or a larger board"
    )
    assert error.luts == 77
