"""`phonegate certificate`."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phonegate.bind_address import parse_bind
from phonegate.cli import options, stand_in, terminal
from phonegate.config import client_environment

if TYPE_CHECKING:
    from phonegate.local_ca.authority import LocalAuthority, Outcome


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where its files are.  [default: tls, beside the database]",
)
@click.option(
    "--stand-in",
    "host",
    metavar="HOST",
    help="Make one in place of this host on the Internet instead: api.twilio.com. It is signed by "
    "an authority of its own, in the folder stand-in beside the database.",
)
@click.option("--renew", is_flag=True, help="Renew it though it is good for long.")
@options.as_json
@options.gateway
def command(
    names: tuple[str, ...],
    folder: Path | None,
    host: str | None,
    config: Path | None,
    database: Path | None,
    *,
    renew: bool,
    as_json: bool,
) -> int:
    """Make a certificate for HTTPS in a local network, or renew it where it ends soon.

    It is signed by an authority of your own, which is made once and which phones install. It is
    for the machine's name, that name with .local, its addresses, and NAMEs, others by which phones
    reach it. The authority may vouch for these names, names below them, and private networks alone.

    The lines for gateway.toml are printed. Nothing but the folder is written, and no key that is
    there is replaced. A gateway that serves by these files renews them by itself, and takes up new
    ones without a restart.
    """
    # Imported here to keep `--help` fast.
    from phonegate.local_ca.names import parse  # noqa: PLC0415
    from phonegate.operations.certificate_renewal import (  # noqa: PLC0415
        is_in_use,
        own_authority,
        own_names,
    )

    settings = options.settings(config, database)
    if host is not None:
        if names:
            raise click.UsageError("NAMEs are for the gateway itself, and not with --stand-in.")
        return stand_in.make(settings, host, folder, renew=renew, as_json=as_json)
    authority = own_authority(settings, folder)
    stand_in.refuse(authority)
    outcome = authority.ensure(parse(names), own_names(), force=renew)
    if as_json:
        terminal.print_json(
            {
                "certificate": str(authority.certificate),
                "key": str(authority.key),
                "authority": str(authority.authority),
                "fingerprint": outcome.authority.fingerprint,
                "names": list(outcome.server.names.shown),
                "ends_at": outcome.server.ends.isoformat(),
                "authority_ends_at": outcome.authority.ends.isoformat(),
                "renewed": outcome.new_server,
            }
        )
        return 0
    ports = [port for _, port in map(parse_bind, settings.http.bind)]
    address = f"https://localhost:{ports[0]}{settings.http.prefix}"
    _explain(authority, outcome, address, in_use=is_in_use(settings, authority))
    return 0


def _explain(
    authority: "LocalAuthority", outcome: "Outcome", address: str, *, in_use: bool
) -> None:
    """Prints what was made for a person, and what to do with it."""
    server = outcome.server
    made = "made" if outcome.new_server else "good already"
    for line in (
        f"authority    {authority.authority}, until {outcome.authority.ends:%Y-%m-%d}",
        f"             SHA-256 {outcome.authority.fingerprint}",
        f"certificate  {authority.certificate}, until {server.ends:%Y-%m-%d} ({made})",
        f"             for {', '.join(server.names.shown)}",
    ):
        click.echo(line, err=True)
    if in_use:
        click.echo("The gateway takes it up within some seconds.", err=True)
        _explain_client(authority, address)
        return
    click.echo("Put this into gateway.toml, and restart the gateway:\n", err=True)
    click.echo("[tls]")
    # A string of JSON is one of TOML.
    click.echo(f"certificate = {json.dumps(str(authority.certificate), ensure_ascii=False)}")
    click.echo(f"key = {json.dumps(str(authority.key), ensure_ascii=False)}")
    _explain_client(authority, address)
    click.echo(
        "Then install the authority on each phone: the gateway's page /certificate shows how.",
        err=True,
    )


def _explain_client(authority: "LocalAuthority", address: str) -> None:
    """Prints what the commands of this program need from then on."""
    for line in (
        "\nCommands such as `phonegate phones` reach the gateway on this machine after these:",
        f"export {client_environment.URL}={shlex.quote(address)}",
        f"export {client_environment.CACERT}={shlex.quote(str(authority.authority))}",
        f"\ncurl needs: --cacert {shlex.quote(str(authority.authority))}",
    ):
        click.echo(line, err=True)
