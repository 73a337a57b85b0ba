"""`phonegate certificate --stand-in`: what is printed of it."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from phonegate.bind_address import parse_bind
from phonegate.cli import terminal
from phonegate.model.stand_ins import TWILIO_HOST

if TYPE_CHECKING:
    from phonegate.config.settings import Settings
    from phonegate.local_ca.authority import LocalAuthority, Outcome
    from phonegate.local_ca.stand_in import StandInAuthority

HTTPS: Final = 443
"""The port that programs call which can't choose the host."""

WARNING: Final = (
    f"""\
What this means: a program that trusts this authority, and for which {TWILIO_HOST} leads to
this gateway, takes the gateway for Twilio. It sends its SMS, and its Twilio account's SID and
token as it has them, to the gateway, and does not reach Twilio any more. The authority can
vouch for {TWILIO_HOST} and names below it, and for nothing else. Who steals ca.key can
pose as {TWILIO_HOST} to those programs: the key stays here, and no other machine needs it.
Set it up for the programs that are to send through the gateway, and not for a whole network.
""",
    f"""\
To undo it: take the name {TWILIO_HOST} out of the hosts file or the compose file, unset the
variables (or remove the authority from where you installed it), set enabled to false, and
delete the folder.
""",
)
"""What a person has to know who makes one, and how it is undone."""


def make(
    settings: "Settings", host: str, folder: Path | None, *, renew: bool, as_json: bool
) -> int:
    """Makes or renews the certificate that stands in for a host, and prints what to do with it.

    Returns the exit code.
    """
    # Imported here to keep `--help` fast.
    from phonegate.operations import stand_ins  # noqa: PLC0415

    host = host.strip().lower().removesuffix(".")
    if problem := stand_ins.host_problem(host):
        click.echo(problem, err=True)
        return 1
    authority = stand_ins.authority(settings, folder)
    outcome = authority.ensure(force=renew)
    if as_json:
        terminal.print_json(_as_json(authority, outcome))
        return 0
    _explain(authority, outcome)
    if settings.stand_in.enabled and stand_ins.folder(settings) == authority.files.folder:
        click.echo("The gateway takes it up within some seconds.\n", err=True)
    else:
        _explain_settings(settings, authority, chosen=folder is not None)
    _explain_clients(authority)
    for text in WARNING:
        click.echo(f"\n{text}", err=True, nl=False)
    if problem := stand_ins.loop_problem(settings):
        click.echo(f"\nNote: {problem}.", err=True)
    return 0


def refuse(authority: "LocalAuthority") -> None:
    """Refuses a stand-in's authority where the gateway's own is meant.

    Raises:
        OutsideAuthority: It is one.
    """
    from phonegate.local_ca.errors import OutsideAuthority  # noqa: PLC0415 - as above

    there = authority.read_authority()
    if (
        there is not None
        and there.permitted is not None
        and set(there.permitted.dns) == {TWILIO_HOST}
    ):
        raise OutsideAuthority(
            f"{authority.authority} is the authority that stands in for {TWILIO_HOST}, and not the "
            "gateway's own. Name another folder, or add --stand-in."
        )


def variables(authority: "StandInAuthority") -> dict[str, Path]:
    """Returns the variables by which programs trust it, each with its file."""
    own, bundle = authority.files.authority, authority.bundle
    return {"NODE_EXTRA_CA_CERTS": own, "REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle}


def _as_json(authority: "StandInAuthority", outcome: "Outcome") -> dict[str, object]:
    return {
        "host": authority.host,
        "certificate": str(authority.files.certificate),
        "key": str(authority.files.key),
        "authority": str(authority.files.authority),
        "bundle": str(authority.bundle),
        "fingerprint": outcome.authority.fingerprint,
        "ends_at": outcome.server.ends.isoformat(),
        "authority_ends_at": outcome.authority.ends.isoformat(),
        "renewed": outcome.new_server,
        "environment": {name: str(path) for name, path in variables(authority).items()},
    }


def _explain(authority: "StandInAuthority", outcome: "Outcome") -> None:
    made = "made" if outcome.new_server else "good already"
    for line in (
        f"authority    {authority.files.authority}, until {outcome.authority.ends:%Y-%m-%d}",
        f"             SHA-256 {outcome.authority.fingerprint}",
        f"bundle       {authority.bundle}, the same and the public authorities",
        f"certificate  {authority.files.certificate}, until {outcome.server.ends:%Y-%m-%d} "
        f"({made})",
        f"             for {', '.join(outcome.server.names.shown)}\n",
    ):
        click.echo(line, err=True)


def _explain_settings(settings: "Settings", authority: "StandInAuthority", *, chosen: bool) -> None:
    """Prints what belongs into gateway.toml."""
    click.echo("Put this into gateway.toml, and restart the gateway:\n", err=True)
    click.echo("[stand_in]\nenabled = true")
    ports = {port for _, port in map(parse_bind, settings.http.bind)}
    if not (settings.tls.certificate and HTTPS in ports):
        click.echo(f'bind = ["0.0.0.0:{HTTPS}"]')
    if chosen:
        # A string of JSON is one of TOML.
        click.echo(f"folder = {json.dumps(str(authority.files.folder), ensure_ascii=False)}")


def _explain_clients(authority: "StandInAuthority") -> None:
    """Prints what the programs need that are to take the gateway for the host."""
    own = shlex.quote(str(authority.files.authority))
    about = {
        "NODE_EXTRA_CA_CERTS": "Node.js",
        "REQUESTS_CA_BUNDLE": "Python with requests",
        "SSL_CERT_FILE": "Python with httpx or aiohttp, Go, Ruby, curl",
    }
    click.echo("\nThe programs need that variable which is for their language:", err=True)
    for name, path in variables(authority).items():
        click.echo(f"export {name}={shlex.quote(str(path))}  # {about[name]}", err=True)
    click.echo(
        f"Others trust what the system does: copy {own} to\n"
        "/usr/local/share/ca-certificates/phonegate-stand-in.crt and run update-ca-certificates.\n"
        f"And {authority.host} has to lead to the gateway, by a compose network's alias or a\n"
        "hosts file. docs/stand-in.md has both, and what Java and PHP need.",
        err=True,
    )
