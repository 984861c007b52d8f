"""Changes to names in a design, in RTLIL (Yosys' text form) or Verilog, before Yosys reads it."""

from __future__ import annotations

import re

#: A public name with a bracket, which Amaranth gives to elements of arrays and memories. A name
#: ends at a blank, and an index into a signal stands behind the blank. Both languages write it so.
_INDEXED = re.compile(r'\\[^\s"\[]*\[[^\s"]*')


def without_brackets(design: str) -> str:
    r"""Return a design with names ``\\x[0]`` changed to ``\\x.0``.

    Yosys 0.70's abc9 calls bit 0 of a signal ``\\x`` by the name of another signal, ``\\x[0]``. If
    that one is wider, Yosys ends with an assertion (``GetSize(conn.first) ==
    GetSize(conn.second)``); if it is not, the two may have been joined without a message.
    """
    return _INDEXED.sub(lambda found: found[0].replace("[", ".").replace("]", ""), design)
