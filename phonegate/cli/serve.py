"""`phonegate serve`."""

import gc
import ipaddress
import socket
from contextlib import suppress
from pathlib import Path

import click

import phonegate
from phonegate.cli import hangup, options
from phonegate.domain.registration import Mode

_NEW_ORGS: dict[Mode, str] = {
    "local": "from this machine and private networks",
    "open": "from everywhere",
    "closed": "by phonegate org add alone",
}
"""Which callers may make an org, in words."""


@click.command()
@options.config
@click.option(
    "--bind",
    multiple=True,
    metavar="HOST:PORT",
    help="Where to listen; may be repeated.  [default: as configured, 0.0.0.0:8080]",
)
@options.database
def command(config: Path | None, bind: tuple[str, ...], database: Path | None) -> None:
    """Run the gateway, until SIGTERM or Ctrl-C.

    SIGHUP makes a service read the certificate, [log] and [alarms] again. Where standard input or
    error is a terminal, SIGHUP means that the terminal was closed, and the gateway stops.

    No configuration is needed: it listens on port 8080 and keeps its data in ./phonegate.db.
    """
    settings = options.settings(config, database, bind)
    # Loaded modules stay: to search them for garbage takes a sixth of a start.
    gc.disable()
    try:
        from phonegate import gateway, log  # noqa: PLC0415 - keeps `--help` fast
        from phonegate.cli.examination import exposures  # noqa: PLC0415 - as above
    finally:
        gc.enable()

    log.configure(settings.log.format, settings.log.level, trouble_per_s=settings.log.trouble_per_s)
    for finding in exposures(settings, options.config_file(config)):
        log.get("configuration").warning("exposed", note=finding.text)
    scheme = "https" if settings.tls.certificate else "http"

    def ready(bound: list[tuple[str, int]], mode: Mode) -> None:
        http, database_path = settings.http, settings.database.path
        for line in where_to_look(
            bound, scheme, http.public_url, database_path, mode, prefix=http.prefix
        ):
            # Where this can't be written, the log still says where the gateway listens.
            with suppress(OSError, ValueError):
                click.echo(line)

    gateway.run(
        settings,
        ready=ready,
        reread=lambda: options.settings(config, database, bind),
        hang_up_stops=hangup.ends_with_terminal(),
    )


def where_to_look(
    bound: list[tuple[str, int]],
    scheme: str,
    public_url: str,
    database: str,
    mode: Mode,
    *,
    prefix: str = "",
) -> list[str]:
    """Returns what a newcomer needs next: addresses, the file, and who may make an org."""
    urls = [f"{scheme}://{_host(host)}:{port}{prefix}" for host, port in bound]
    reachable = _reachable(bound, scheme)
    shown = public_url.rstrip("/") or (reachable + prefix if reachable else urls[0])
    link = shown.replace("http", "ws", 1)
    return [
        f"phonegate {phonegate.__version__} is serving.",
        f"  Here        {', '.join(dict.fromkeys(urls))}",
        f"  Phones      {link}/websocket?org_id=ORG&secret_key=SECRET",
        f"  Database    {Path(database).absolute()}",
        f"  New orgs    {_NEW_ORGS[mode]} (phonegate registration)",
        "  Stop        Ctrl-C",
    ]


def _host(host: str) -> str:
    """Returns a host as it is written in an address that works on this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "[::1]"  # noqa: PLR2004 - IP version
    return f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IP version


def _reachable(bound: list[tuple[str, int]], scheme: str) -> str | None:
    """Returns the address for phones in the same network, if all interfaces are listened on."""
    port = next((port for host, port in bound if host == "0.0.0.0"), None)  # noqa: S104 - compared
    if port is None:
        return None
    # Connecting a datagram socket sends nothing. It asks the kernel which of this machine's
    # addresses would be used. The target is TEST-NET-1 (RFC 5737).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return f"{scheme}://{probe.getsockname()[0]}:{port}"
