"""The ``spikeloom`` command.

Each command is a module of this package and is imported only when it is asked for, so that
``spikeloom --help`` need not wait for torch.
"""

from __future__ import annotations

import importlib
import signal
import traceback
from typing import Any

import click
from click.shell_completion import CompletionItem

from spikeloom.sw.cli.output import show_log, verbose, with_verbosity
from spikeloom.sw.cli.settings import apply_settings
from spikeloom.sw.cli.signals import answer
from spikeloom.sw.errors import SpikeloomError
from spikeloom.sw.files import FULL
from spikeloom.sw.names import meant

#: Commands and their one-line descriptions, in the order of their use, which `--help` keeps.
COMMANDS = {
    "check": "Say whether a PyTorch model can be converted, node by node.",
    "data": "Show a data set, and whether its files are the published ones.",
    "train": "Train a model with quantized activations and weights.",
    "sweep": "Train many variants, for accuracy against cycles and area.",
    "diagnose": "Say per layer how training goes, and what is wrong.",
    "convert": "Turn a trained model into an integer spiking network.",
    "calibrate": "Convert, and let neurons learn when to fire.",
    "import": "Take in a network of another toolkit, from NIR or ONNX.",
    "export": "Write a network as NIR, for other toolkits.",
    "inspect": "Print a network: layers, weights, thresholds, widths.",
    "plan": "Find the best lanes, events and slots for a board.",
    "area": "Measure look-up tables and the like, component by component.",
    "generate": "Write a network's accelerator as Verilog.",
    "cosim": "Prove generated hardware equal to the golden model.",
    "boards": "List boards: resources, clock, link, and whether tried.",
    "build": "Make a bitstream for a board, with a manifest.",
    "program": "Load a bitstream into its board.",
    "board": "Simulate a board, pins and all, behind a serial port.",
    "run": "Run images on a board, in simulation, or on the golden model.",
    "report": "Show all that is known of a network in the browser.",
    "demo": "All of it on handwritten digits, in a few minutes.",
    "cache": "List and clear what is kept to save time.",
    "doctor": "Say what is installed here, and how to get the rest.",
}

#: Modules of commands whose names are words of Python's.
_MODULES = {"import": "importing"}

#: Exit status of an error that the user can mend; click's own usage errors have the same.
USER_ERROR = 2
#: Most characters of an error's message that are shown.
_LONGEST = 4000
#: Exit status after Ctrl-C: 128 + SIGINT, as in shells.
INTERRUPTED = 130


class _Signal(KeyboardInterrupt):
    """A signal has asked the process to end, as Ctrl-C does: what is at work is cleaned up."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__()
        self.number = number


def _end(number: signal.Signals) -> None:
    raise _Signal(number)


class _Commands(click.Group):
    """Commands that are imported on demand, and whose errors are printed in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"spikeloom.sw.cli.{_MODULES.get(cmd_name, cmd_name)}")
        return with_verbosity(module.command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # Without importing any command, as click would for its help.
        found = [
            CompletionItem(name, help=about)
            for name, about in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-"):
            found = super().resolve_command(ctx, args)
            if found[1] is not None:
                apply_settings(name, found[1], ctx)
            return found
        rest = f"the commands are {', '.join(COMMANDS)}"
        ctx.fail(f"No such command {name!r}: {meant(name, COMMANDS, rest)}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands, in the order of their use"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        if verbose():
            show_log(ctx)
        answer(_end)
        try:
            return super().invoke(ctx)
        except SpikeloomError as error:
            if verbose():
                click.echo(traceback.format_exc(), err=True)
            click.echo(f"error: {_readable(str(error))}", err=True)
            ctx.exit(USER_ERROR)
        except OSError as error:
            # A full disk or a missing permission is the user's to mend; an error without a file
            # is not.
            if error.filename is None and error.errno not in FULL:
                raise
            what = "cannot write" if error.filename is None else str(error.filename)
            click.echo(f"error: {_readable(what)}: {error.strerror}", err=True)
            ctx.exit(USER_ERROR)
        except _Signal as error:
            click.echo(f"ended by {error.number.name}", err=True)
            ctx.exit(128 + error.number)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _readable(message: str) -> str:
    """Return a message without characters that steer a terminal, and of bounded length.

    Values from files stand in messages, and a file may come from anywhere.
    """
    shown = "".join(x if x.isprintable() or x == "\n" else repr(x)[1:-1] for x in message)
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[: _LONGEST // 2]} [...] {shown[-_LONGEST // 2 :]}"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spikeloom", message="spikeloom %(version)s")
def main() -> None:
    """Weave a spiking neural network into hardware, and prove it equal at every step.

    A PyTorch model is trained with quantized activations, converted to an integer network that
    needs nothing but additions, written as Verilog, and simulated against a golden model: every
    spike, count and membrane potential must be the same.

    \b
        spikeloom train digits-conv --out trained.safetensors
        spikeloom convert trained.safetensors --out net.safetensors
        spikeloom generate net.safetensors --out net.v
        spikeloom cosim net.safetensors --data digits

    `spikeloom COMMAND --help` explains each command with examples.
    """


with_verbosity(main)
