"""`phonegate phone --modem`: a USB or built-in modem, by ModemManager."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import click

from phonegate.cli.phone.connection import Connection, notice
from phonegate.cli.phone.journal_file import default_journal
from phonegate.cli.phone.way import Way

ANY = ""
"""The value of `--modem` alone."""


def _job(connection: Connection, values: dict[str, Any]) -> Callable[[], Awaitable[None]]:
    from phonegate.phone.program import run_radio  # noqa: PLC0415 - `--help` is fast
    from phonegate.phone.radios.modem.radio import SLOT, ModemRadio  # noqa: PLC0415 - as above

    if any(sim.slot != SLOT for sim in connection.sims):
        raise click.UsageError(f"--sim: a modem has one SIM, in slot {SLOT}")
    wanted: str = values["modem"]
    kind = f"modem-{wanted}" if wanted else "modem"
    return partial(
        run_radio,
        connection.address,
        ModemRadio(wanted=wanted or None, pin=values["pin"]),
        journal=values["journal"] or default_journal(kind, connection.address),
        device_id=connection.device_id,
        name=connection.name,
        sims=connection.sims,
        reconnect_s=connection.reconnect_s,
        notice=notice,
    )


def _which(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and not (value.isascii() and value.isdigit()):
        raise click.BadParameter(f"{value!r} is not an IMEI, nor a modem's number in `mmcli -L`")
    return value


WAY = Way(
    choice=click.Option(
        ["--modem"],
        is_flag=False,
        flag_value=ANY,
        callback=_which,
        metavar="[IMEI]",
        help="Be the modem with this IMEI, or the only one.",
    ),
    options=(
        click.Option(
            ["--pin"],
            envvar="PHONEGATE_MODEM_PIN",
            show_envvar=True,
            help="Unlocks the modem's SIM. It is tried once. Better in the environment.",
        ),
    ),
    job=_job,
    shares=frozenset({"journal"}),
)
