"""``spikeloom doctor``: say what this computer has of all that Spikeloom uses."""

from __future__ import annotations

from dataclasses import asdict

import click

from spikeloom.sw.cli.common import table
from spikeloom.sw.cli.output import console, json_option, print_json, say, working

#: Words and colours of states, for people.
_SHOWN = {
    "ok": ("ok", "green"),
    "missing": ("missing", "bold red"),
    "absent": ("not there", "yellow"),
    "low": ("low", "yellow"),
}


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Say what is installed of all that Spikeloom uses, and how to get the rest.

    For each way of use, from training to boards: programs and their versions, serial ports and the
    right to open them, memory and free disk. Whatever is missing has a command beside it that gets
    it. Nothing is changed, and nothing leaves this computer: the output may go into a bug report.

    The exit status is 1 if something is missing that training or simulation needs. What is only
    "not there" is needed for some uses alone, as the boards' programs are.

    \b
        spikeloom doctor
        spikeloom doctor --json
    """
    from spikeloom.sw.cli.checkup import checkup

    with working("looking around"):
        findings = checkup()
    missing = [finding.subject for finding in findings if finding.state == "missing"]
    if as_json:
        print_json({"complete": not missing, "findings": [asdict(finding) for finding in findings]})
    shown = table("for", "subject", "state", "found", "to get it")
    purpose = ""
    for finding in findings:
        word, colour = _SHOWN[finding.state]
        first = "" if finding.purpose == purpose else finding.purpose
        purpose = finding.purpose
        shown.add_row(
            first, finding.subject, f"[{colour}]{word}[/]", finding.found, finding.remedy or "-"
        )
    console().print(shown)
    say(
        f"missing: {', '.join(missing)}"
        if missing
        else "Networks can be trained, converted, generated and simulated here."
    )
    if missing:
        ctx.exit(1)
