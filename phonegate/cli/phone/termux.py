"""`phonegate phone --termux`: the Android phone on which this program runs, by Termux:API."""

import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from phonegate.cli.phone.connection import Connection, notice
from phonegate.cli.phone.journal_file import default_journal
from phonegate.cli.phone.way import Way
from phonegate.config import client_environment


def _sub_id(value: str) -> tuple[int, int]:
    """Parses `SLOT:ID`."""
    slot, _, number = value.partition(":")
    if not all(part.isascii() and part.isdigit() for part in (slot, number)):
        raise click.BadParameter(f"{value!r} is not SLOT:ID")
    return int(slot), int(number)


def _job(connection: Connection, values: dict[str, Any]) -> Callable[[], Awaitable[None]]:
    from phonegate.phone.program import run_radio  # noqa: PLC0415 - `--help` is fast
    from phonegate.phone.radios.termux.errors import CommandMissing  # noqa: PLC0415 - as above
    from phonegate.phone.radios.termux.handset import DEVICE  # noqa: PLC0415 - as above
    from phonegate.phone.radios.termux.radio import TermuxRadio  # noqa: PLC0415 - as above

    if values["install_boot"]:
        if shutil.which(DEVICE) is None:
            raise CommandMissing(DEVICE, in_termux=bool(os.environ.get("TERMUX_VERSION")))
        return partial(_install_boot, click.get_current_context())
    sub_ids = dict(values["sub_ids"])
    if strange := sub_ids.keys() - {sim.slot for sim in connection.sims}:
        raise click.UsageError(f"--sub-id: no --sim names slot {min(strange)}")
    return partial(
        run_radio,
        connection.address,
        TermuxRadio(sims=connection.sims, sub_ids=sub_ids, signal=values["signal"]),
        journal=values["journal"] or default_journal("termux", connection.address),
        device_id=connection.device_id,
        name=connection.name,
        sims=connection.sims,
        reconnect_s=connection.reconnect_s,
        notice=notice,
    )


WAY = Way(
    choice=click.Option(
        ["--termux"], is_flag=True, help="Be the Android phone that this runs on, in Termux."
    ),
    options=(
        click.Option(
            ["--sub-id", "sub_ids"],
            type=_sub_id,
            multiple=True,
            metavar="SLOT:ID",
            help="Android's own number of the SIM in a slot, else learned; repeatable.",
        ),
        click.Option(
            ["--signal"], is_flag=True, help="Report the signal; needs the location permission."
        ),
        click.Option(
            ["--install-boot"],
            is_flag=True,
            help="Write a script for Termux:Boot that starts this phone, and end.",
        ),
    ),
    job=_job,
    shares=frozenset({"journal"}),
)


async def _install_boot(context: click.Context) -> None:
    """Writes the script, with what was given to this command."""
    from phonegate.phone.radios.termux import boot  # noqa: PLC0415 - `--help` is fast

    prefix = os.environ.get("PREFIX", "/usr")
    text = boot.boot_script(prefix, _words(context.params), _environment(context.params))
    folder = Path.home() / boot.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / boot.NAME
    # Made with its mode: the secret in it is never readable for others.
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, boot.MODE), "w") as script:
        script.write(text)
    click.echo(f"{path} starts this phone after Android has started, by the app Termux:Boot.")
    click.echo("Open that app once. What the phone says will be in ~/.phonegate-boot.log.")


def _words(params: Mapping[str, Any]) -> list[str]:
    """Returns the command, with all that is not in its environment."""
    program = Path(sys.argv[0]).absolute()
    # The zipapp and an installed script are run by their path, a package is not.
    run = ["-m", "phonegate"] if program.name == "__main__.py" else [str(program)]
    words = [sys.executable, *run, "phone", "--termux"]
    for name in ("device_id", "name"):
        if params[name] is not None:
            words += [f"--{name.replace('_', '-')}", params[name]]
    for name in ("cacert", "journal"):
        if params[name] is not None:
            words += [f"--{name}", str(Path(params[name]).absolute())]
    for sim in params["sims"]:
        carrier = f":{sim.carrier}" if sim.carrier else ""
        words += ["--sim", f"{sim.slot}:{sim.number or ''}{carrier}"]
    for slot, number in params["sub_ids"]:
        words += ["--sub-id", f"{slot}:{number}"]
    shortest, longest = params["reconnect_s"]
    words += ["--reconnect", f"{shortest:g}-{longest:g}"]
    for flag in ("signal", "secret_in_url", "verbose"):
        if params[flag]:
            words.append(f"--{flag.replace('_', '-')}")
    return words


def _environment(params: Mapping[str, Any]) -> dict[str, str]:
    named = {
        client_environment.URL: params["url"],
        client_environment.ORG: params["org"],
        client_environment.CREDENTIALS[-1]: params["secret"],
    }
    return {name: value for name, value in named.items() if value is not None}
