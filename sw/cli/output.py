"""Output of commands, its amount and form: ``--verbose``, ``--quiet`` and ``--json``.

Reports for people are printed by :func:`say` and on :func:`console`, which are silent under
``--quiet`` and ``--json``. Results that are asked for as such, like the JSON itself, are printed by
:func:`click.echo`.
"""

from __future__ import annotations

import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from spikeloom.sw.progress import Bars

_Command = TypeVar("_Command", bound=Callable[..., Any])

#: Keys of what the options say, in the context that the group and its command share.
_VERBOSE, _QUIET, _JSON = (f"{__name__}.{name}" for name in ("verbose", "quiet", "json"))
#: Logger above those of all modules.
LOGGER = "spikeloom"


def _is_set(key: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(key))


def verbose() -> bool:
    """Return whether ``--verbose`` was given."""
    return _is_set(_VERBOSE)


def quiet() -> bool:
    """Return whether ``--quiet`` was given."""
    return _is_set(_QUIET)


def silent() -> bool:
    """Return whether nothing is to be printed for people, since all or only JSON is wanted."""
    return _is_set(_QUIET) or _is_set(_JSON)


def say(text: str = "") -> None:
    """Print a line for people."""
    if not silent():
        click.echo(text)


def say_report(*arguments: str | Path) -> None:
    """Print the command that shows what was made in the browser."""
    say(f"see it in the browser: spikeloom report {shlex.join(map(str, arguments))}")


def console(stderr: bool = False) -> Console:
    """Return a console on the current stream, wide enough for tables where that is no screen.

    It is new for each call, since the stream may be replaced (by tests, or by a caller's
    redirection).
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 120
    nothing = quiet() if stderr else silent()
    return Console(file=stream, highlight=False, width=width, quiet=nothing)


def bars() -> Bars:
    """Return progress bars on stderr, so that stdout has the results alone."""
    from spikeloom.sw.progress import Bars

    return Bars(console(stderr=True))


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show on stderr, while a block runs, that work goes on whose length is not known."""
    from spikeloom.sw.progress import busy

    with busy(text, console(stderr=True)):
        yield


def print_json(content: Any) -> None:
    """Print the JSON that ``--json`` asks for."""
    click.echo(json.dumps(content, indent=2))


def json_option(function: _Command) -> _Command:
    """Add ``--json``, passed as ``as_json``."""

    def noted(context: click.Context, _: click.Parameter, value: bool) -> bool:
        context.meta[_JSON] = value
        return value

    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=noted,
        help="Print JSON, and nothing else (docs/json.md).",
    )(function)


def with_verbosity(command: click.Command) -> click.Command:
    """Add ``--verbose`` and ``--quiet`` to a command or group, unless it has them."""
    if not any(option.name == "verbose" for option in command.params):
        command.params += [
            click.Option(
                ["-v", "--verbose"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_choose_verbose,
                help="Also say which files are read and written, which programs run, and how long "
                "it took; show where an error comes from.",
            ),
            click.Option(
                ["-q", "--quiet"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_choose_quiet,
                help="Print errors only, and what --json asks for; see the exit status.",
            ),
        ]
    return command


def _choose_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:
    if not value or context.resilient_parsing or context.meta.get(_VERBOSE):
        return
    _require_one(context, _QUIET)
    context.meta[_VERBOSE] = True
    # The group's own options are read before its context is entered, whose end removes the handler.
    if context.parent is not None:
        show_log(context)


def show_log(context: click.Context) -> None:
    """Print log records on stderr until the group's context ends."""
    handler = _Lines()
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def end() -> None:
        handler.print(f"ends after {handler.seconds:.1f} s")
        logger.removeHandler(handler)
        logger.setLevel(level)

    context.find_root().call_on_close(end)


def _choose_quiet(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _require_one(context, _VERBOSE)
        context.meta[_QUIET] = True


def _require_one(context: click.Context, other: str) -> None:
    if context.meta.get(other):
        raise click.UsageError("--verbose and --quiet: give one of them", context)


class _Lines(logging.Handler):
    """Prints log records on stderr, each with the seconds since the command's begin."""

    def __init__(self) -> None:
        super().__init__()
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self._begun

    def emit(self, record: logging.LogRecord) -> None:
        self.print(record.getMessage())

    def print(self, text: str) -> None:
        """Print a line."""
        click.echo(f"{self.seconds:7.2f} s  {text}", err=True)
