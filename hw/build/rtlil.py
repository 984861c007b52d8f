"""Designs in Yosys' text form."""

from __future__ import annotations

import re

#: A public name, which ends at a blank. An index into a signal stands behind a blank, and a name
#: with a bracket inside is Amaranth's, for an element of an array or of a memory.
_INDEXED = re.compile(r'\\[^\s"\[]*\[[^\s"]*')


def without_brackets(rtlil: str) -> str:
    r"""Return a design whose names ``\\x[0]`` are ``\\x.0``.

    Yosys 0.70's abc9 names bit 0 of a signal ``\\x`` like the whole signal ``\\x[0]``. If that one
    is wider, it ends with an assertion (``GetSize(conn.first) == GetSize(conn.second)``), and if
    not, nothing says that it has not joined the two.
    """
    return _INDEXED.sub(lambda found: found[0].replace("[", ".").replace("]", ""), rtlil)
