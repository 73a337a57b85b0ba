"""The command line: one module for each group of commands, loaded when its command is run.

Exit codes: 0 for success, 1 for failure (one sentence on standard error), 2 for wrong usage.
A command that has others names them in its help.
"""

import importlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import attrs
import click

import phonegate
from phonegate import colour
from phonegate.cli import streams
from phonegate.cli.failure import explain, reader_left
from phonegate.cli.pauses import PAUSES, Pauses


@attrs.frozen
class CommandEntry:
    """The place of a command, and its line in the overview, which needs no import."""

    module: str
    attribute: str
    about: str


COMMANDS: Mapping[str, CommandEntry] = {
    "serve": CommandEntry("serve", "command", "Run the gateway."),
    "setup": CommandEntry(
        "setup", "command", "Show the link by which a new gateway is set up in a browser."
    ),
    "demo": CommandEntry("demo", "command", "Watch messages flow, with a simulated phone."),
    "phone": CommandEntry("phone", "command", "Be a phone: connect, receive and send."),
    "send": CommandEntry("send", "command", "Send an SMS through a gateway."),
    "messages": CommandEntry(
        "messages", "command", "Read messages from a gateway; approve what waits for approval."
    ),
    "events": CommandEntry(
        "events", "command", "Read what happens to an org's messages and phones, as it happens."
    ),
    "sims": CommandEntry("sims", "command", "List the SIMs of an org's phones."),
    "phones": CommandEntry("phones", "command", "List, name and forget an org's phones."),
    "mcp": CommandEntry(
        "mcp", "command", "Give an AI agent on this machine the tools of a gateway."
    ),
    "org": CommandEntry("org", "command", "Add, list and remove orgs; change their secrets."),
    "registration": CommandEntry(
        "registration", "command", "Show or change who may make an org by a first call."
    ),
    "key": CommandEntry("key", "command", "Add, list, limit and revoke API keys."),
    "assistant": CommandEntry("assistant", "command", "Add, list and remove senders at a carrier."),
    "webhook": CommandEntry(
        "webhook", "command", "Add, list, test and remove URLs that are called with events."
    ),
    "hook": CommandEntry(
        "hook", "command", "Add, list, try and remove URLs that programs call to send SMS."
    ),
    "status": CommandEntry("status", "command", "Show the state of the gateway that serves."),
    "health": CommandEntry(
        "health", "command", "Ask the gateway whether it works, for Docker, systemd and cron."
    ),
    "alarms": CommandEntry(
        "alarms", "command", "List the alarms that are on; try what they are reported to."
    ),
    "service": CommandEntry(
        "service", "command", "Install, remove and look at the gateway as a service of systemd."
    ),
    "upgrade": CommandEntry(
        "upgrade", "command", "Show how to upgrade, or compare this version with another."
    ),
    "backup": CommandEntry("backup", "command", "Copy the database, while serving or not."),
    "check": CommandEntry(
        "check", "command", "Find everything wrong with the configuration and machine."
    ),
    "certificate": CommandEntry(
        "certificate", "command", "Make a certificate for HTTPS in a local network, or renew it."
    ),
    "openapi": CommandEntry("openapi", "command", "Print the OpenAPI document."),
    "version": CommandEntry(
        "version", "command", "Show the versions of phonegate, Python and SQLite."
    ),
    "help": CommandEntry("help", "command", "Explain phonegate, or one command."),
}


class Commands(click.Group):
    """A group whose commands are loaded when they are run, so that `--help` is instant."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in the order in which a newcomer needs them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, which is loaded from its module."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"phonegate.cli.{entry.module}")
        command: click.Command = getattr(module, entry.attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that the first word names.

        For an unknown name, the error suggests the one that was probably meant.
        """
        word = args[0]
        if word not in COMMANDS and not word.startswith("-") and not ctx.resilient_parsing:
            close = get_close_matches(word, COMMANDS, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else "'phonegate help' lists them."
            raise click.UsageError(f"No such command '{word}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the overview, from the table alone."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.about) for name, entry in COMMANDS.items()])


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `phonegate demo`. `phonegate COMMAND --help` explains each command.",
)
@click.version_option(phonegate.__version__, message="phonegate %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Turn the phones and modems you already have into an SMS API."""
    context.color = colour.asked(os.environ)


def main(arguments: Sequence[str] | None = None, *, pauses: Pauses = PAUSES) -> int:
    """Runs one command. Returns the exit code.

    Args:
        arguments: The words after the program's name. None means those of the process.
        pauses: How long commands wait for a gateway.
    """
    streams.prepare()
    try:
        return _run(arguments, pauses)
    finally:
        streams.let_go()


def _run(arguments: Sequence[str] | None, pauses: Pauses) -> int:
    try:
        outcome: Any = group.main(
            args=arguments, prog_name="phonegate", standalone_mode=False, obj=pauses
        )
    except click.UsageError as error:
        with suppress(OSError, ValueError):
            error.show()
        return error.exit_code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.Abort:
        _print_error("Stopped.")
        return 1
    except Exception as error:
        if reader_left(error):
            return 1
        sentence = explain(error)
        if sentence is None:
            raise
        _print_error(f"phonegate: {sentence}")
        return 1
    return outcome if isinstance(outcome, int) else 0


def _print_error(sentence: str) -> None:
    # Where standard error can't be written, the exit code still reports the failure.
    with suppress(OSError, ValueError):
        click.echo(sentence, err=True)
