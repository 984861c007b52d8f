"""Verilog that can do nothing but compute.

A simulator runs what Verilog tells it to, programs and C++ included. Verilog as Spikeloom writes
it has none of the words that do so, and can be simulated wherever it comes from.
"""

from __future__ import annotations

import re

#: System functions and tasks that generated Verilog uses: they compute, read the files of
#: memories, or print.
_TASKS = {"$signed", "$unsigned", "$readmemh", "$display", "$fatal", "$finish"}
#: Directives that it uses.
_DIRECTIVES = {"`ifdef", "`ifndef", "`else", "`endif"}
#: Words that let in functions of C, or packages of other files.
_WORDS = re.compile(r"(?:import|export|include|library|config)")

_COMMENT = r"//[^\n]*|/\*(?:[^*]|\*(?!/))*+\*/"
_TEXT = r'"(?:[^"\\\n]|\\[^\n])*"'
_TOKEN = re.compile(
    rf"(?P<skipped>{_COMMENT}|\\[!-~]+)|(?P<text>{_TEXT})|(?P<name>[A-Za-z_`$][\w$]*)"
    r'|(?P<other>["`\\]|/\*)'
)
#: Characters that might end a line, or a word, for one reader and not for another.
_ODD = re.compile(r"[^\n\t -~]")


def powers(verilog: str) -> str | None:
    """Return the first thing in Verilog that can do more than compute; None if there is none.

    Parameters
    ----------
    verilog : str
        Source text.
    """
    odd = _ODD.search(verilog.replace("\r\n", "\n"))
    if odd is not None:
        return f"the character {odd[0]!r}"
    for token in _TOKEN.finditer(verilog):
        kind, found = token.lastgroup, token[0]
        if kind == "other":
            return f"a {found} without its end"
        if kind == "text" and "/" in found:
            return f"the path {found}"
        if kind == "name" and not _harmless(found):
            return found
    return None


def _harmless(name: str) -> bool:
    if name[0] == "$":
        return name in _TASKS
    if name[0] == "`":
        return name in _DIRECTIVES
    return not _WORDS.fullmatch(name)
