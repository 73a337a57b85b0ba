"""`phonegate serve`."""

import gc
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

import phonegate
from phonegate import deferred_methods
from phonegate.cli import hangup, options
from phonegate.domain.registration import Mode
from phonegate.own_addresses import base_urls, in_container, lan_addresses, local_url

if TYPE_CHECKING:
    from phonegate.config.settings import Settings

_NEW_ORGS: dict[Mode, str] = {
    "local": "from this machine and private networks",
    "open": "from everywhere",
    "closed": "by phonegate org add alone",
}
"""Which callers may make an org, in words."""


CONTAINED: Final = (
    "others use this machine's address and the port that leads here; set PHONEGATE_HTTP_PUBLIC_URL"
)
"""What a container can't know of the machine around it."""


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

    def read() -> "Settings":
        found = options.settings(config, database, bind)
        demand_usable_targets(found)
        return found

    # Loaded modules stay: to search them for garbage takes a sixth of a start. The little that they
    # leave stays too, 0.7 MB, since to search for it once takes a seventh of a start.
    gc.disable()
    deferred_methods.defer()
    try:
        from phonegate import gateway, log  # noqa: PLC0415 - keeps `--help` fast
        from phonegate.cli.exposure import exposures  # noqa: PLC0415 - as above
        from phonegate.operations.notices.notifier import demand_usable_targets  # noqa: PLC0415
    finally:
        gc.freeze()
        gc.enable()

    settings = read()

    log.configure(settings.log.format, settings.log.level, trouble_per_s=settings.log.trouble_per_s)
    for finding in exposures(settings, options.config_file(config)):
        log.get("configuration").warning("exposed", note=finding.text)
    scheme = "https" if settings.tls.certificate else "http"

    def ready(bound: list[tuple[str, int]], mode: Mode, set_up: str | None) -> None:
        http, database_path = settings.http, settings.database.path
        for line in where_to_look(
            bound,
            scheme,
            http.public_url,
            database_path,
            mode,
            prefix=http.prefix,
            set_up=set_up,
            contained=in_container(),
        ):
            # Where this can't be written, the log still says where the gateway listens.
            with suppress(OSError, ValueError):
                click.echo(line)

    gateway.run(
        settings,
        ready=ready,
        reread=read,
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
    set_up: str | None = None,
    contained: bool = False,
) -> list[str]:
    """Returns what a newcomer needs next: addresses, the file, and who may make an org.

    `set_up` is the path of the set-up link, where there is no org yet. `contained` is whether the
    addresses are those of a container.
    """
    urls = [local_url(host, port, scheme=scheme, prefix=prefix) for host, port in bound]
    others = base_urls(bound, lan_addresses(), scheme=scheme, public_url=public_url, prefix=prefix)
    shown = others[0] if others else urls[0]
    link = shown.replace("http", "ws", 1)
    console = f"  Console     {shown}/console"
    if set_up is not None:
        console = f"  Set up      {shown}{set_up}"
    hint = [f"  Container   {CONTAINED}"] if contained and not public_url else []
    return [
        f"phonegate {phonegate.__version__} is serving.",
        f"  Here        {', '.join(dict.fromkeys(urls))}",
        f"  Phones      {link}/websocket?org_id=ORG&secret_key=SECRET",
        console,
        *hint,
        f"  Database    {Path(database).absolute()}",
        f"  New orgs    {_NEW_ORGS[mode]} (phonegate registration)",
        "  Stop        Ctrl-C",
    ]
