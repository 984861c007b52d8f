"""Pages of the documentation, whose commands and code tests run as they are printed."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from spikeloom.sw.cli import main

DOCS = Path(__file__).parents[2] / "docs"
#: First line of a block that is a file: its name as a comment.
_NAMED = re.compile(r"# ([\w-]+\.\w+)\n")


@dataclass(frozen=True)
class Block:
    """A fenced block: ``language`` is "" for commands, "text" for what they print.

    Blocks in "sh" are commands that no test runs: they need a board, or minutes.
    """

    language: str
    text: str


@dataclass(frozen=True)
class Done:
    """A command that was run, or Python (the command ""), and what it has printed."""

    command: str
    printed: str


def blocks(page: str) -> list[Block]:
    """Return the fenced blocks of a page, from top to bottom."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return [Block(language, text) for language, text in found]


def commands(text: str) -> list[str]:
    """Return the commands in a block, one for each line that a backslash does not continue."""
    return text.replace("\\\n", " ").splitlines()


def run_commands(page: str) -> list[str]:
    """Run the block of ``spikeloom`` commands on a page, and return the output of each."""
    (text,) = re.findall(r"^```\n(spikeloom.*?)```", page, re.DOTALL | re.MULTILINE)
    return [run(line) for line in commands(text)]


def run(command: str) -> str:
    """Run one command of a page in this process, and return what it prints.

    It must succeed, or end as a comment behind it says: ``# exit status 1``.
    """
    program, *arguments = shlex.split(command, comments=True)
    if program == "python":
        printed = StringIO()
        with redirect_stdout(printed):
            runpy.run_path(arguments[0], run_name="__main__")
        return printed.getvalue()
    done = CliRunner().invoke(main, arguments)
    status = re.search(r"# exit status (\d)", command)
    expected = ("spikeloom", int(status[1]) if status else 0)
    assert (program, done.exit_code) == expected, f"{command}\n{done.output}"
    return done.output


def parsed(command: str) -> tuple[str, dict[str, object]]:
    """Return a ``spikeloom`` command's name and options; raise if one of them does not exist."""
    program, *words = shlex.split(command, comments=True)
    assert program == "spikeloom", command
    name, found, rest = main.resolve_command(click.Context(main), words)
    assert name is not None
    assert found is not None
    values, left, _ = found.make_parser(click.Context(found)).parse_args(list(rest))
    assert left == []
    return name, dict(values)


def follow(page: str) -> Iterator[Done]:
    """Do what a page says, from top to bottom, in the current folder, and yield what it prints.

    A block of Python or TOML whose first line is a file's name as a comment becomes that file.
    Other Python is run, all of it with the same names.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        named = _NAMED.match(block.text)
        if named:
            Path(named[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            printed = StringIO()
            with redirect_stdout(printed):
                exec(compile(block.text, "a page's Python", "exec"), names)
            yield Done("", printed.getvalue())
        elif block.language == "":
            for command in commands(block.text):
                yield Done(command, run(command))


def outputs(page: str) -> list[str]:
    """Return the lines of a page that commands have printed, without blank and abridged ones."""
    texts = [block.text for block in blocks(page) if block.language == "text"]
    return [line for text in texts for line in text.splitlines() if line.strip(" …─")]


def missing(shown: list[str], printed: str) -> list[str]:
    """Return the shown lines that were not printed, in this order.

    Lines are compared by their first word, and numbers in it by their being numbers: training
    makes other figures on other processors.
    """
    found = iter([_first(line) for line in printed.splitlines() if line.strip()])
    return [line for line in shown if _first(line) not in found]


def _first(line: str) -> str:
    return re.sub(r"\d[\d,.]*", "0", line.split()[0].rstrip("*:,"))
