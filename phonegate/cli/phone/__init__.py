"""`phonegate phone`: the phone's side of the link, by the radio that an option chooses."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from phonegate.cli.phone import modem, script, simulated, termux
from phonegate.cli.phone.add import add
from phonegate.cli.phone.connection import (
    Connection,
    address_of,
    connection_options,
    until_stopped,
)
from phonegate.cli.phone.way import Way

WAYS: tuple[Way, ...] = (simulated.WAY, modem.WAY, termux.WAY)
"""The ways that an option chooses. Without any the phone is a script's."""

SHARED = (
    click.Option(
        ["--journal"],
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Remember over a kill what was taken and sent. Modem and Termux have a file anyway.",
    ),
)
"""The options that some ways take, which name them in `Way.shares`."""


@click.group(
    invoke_without_command=True,
    options_metavar="[OPTIONS]",
    subcommand_metavar="",
    epilog="Chances P go from 0 to 1. Example: phonegate phone --simulate --phones 20 --reply "
    "--lose-links 0.01 --duration 60",
)
@connection_options
def command(
    *,
    url: str,
    org: str | None,
    secret: str | None,
    cacert: Path | None,
    secret_in_url: bool,
    duration: float | None,
    **others: Any,
) -> int:
    """Be a phone: a modem, this Android phone, a script's (frames as JSON lines) or simulated.

    With --modem, a USB or built-in modem sends and receives, by ModemManager. With --termux, the
    Android phone on which this runs does so. docs/phones.md says how to set up either.
    Without any of these, each line of standard input is sent as a frame, and each frame from the
    gateway is printed as a line. The end of the input ends the phone, unless --duration is given.
    With --simulate, the phones behave by themselves, including faults, and a summary is printed at
    the end: on a terminal in words, else as a JSON object. SIGTERM, SIGINT and SIGHUP end either.
    """
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        return 0
    import trio  # noqa: PLC0415 - `--help` is fast

    way = _chosen(context, others)
    address = address_of(
        url=url, org=org, secret=secret, cacert=cacert, secret_in_url=secret_in_url
    )
    connection = Connection(
        address=address,
        duration=duration,
        **{name: others[name] for name in ("device_id", "name", "sims", "reconnect_s", "verbose")},
    )
    if way is None:
        job = script.job(connection)
    else:
        job = way.job(connection, {name: others[name] for name in way.parameters})
    return trio.run(until_stopped, job, duration)


def _add_options() -> None:
    for way in WAYS:
        command.params += [way.choice, *way.options]
    command.params += SHARED


command.add_command(add)
_COMMON = frozenset(option.name for option in command.params)
_add_options()


def _chosen(context: click.Context, values: Mapping[str, Any]) -> Way | None:
    """Returns the way that the options choose, and None for a script's phone.

    Raises:
        click.UsageError: Two are chosen, or an option belongs to another way.
    """
    ways = [way for way in WAYS if values[str(way.choice.name)] not in {None, False}]
    if len(ways) > 1:
        raise click.UsageError(f"{_flags(ways, ' and ')} can't be used together")
    own = ways[0].parameters if ways else frozenset()
    for option in context.command.params:
        name = str(option.name)
        if (
            context.get_parameter_source(name) is ParameterSource.COMMANDLINE
            and name not in _COMMON | own
        ):
            takers = [way for way in WAYS if name in way.parameters]
            raise click.UsageError(f"{option.opts[0]}: only with {_flags(takers, ' or ')}")
    return ways[0] if ways else None


def _flags(ways: Collection[Way], between: str) -> str:
    return between.join(way.choice.opts[0] for way in ways)
