"""`phonegate org suspend`, `resume`, `export` and `import`."""

from pathlib import Path
from typing import Any

import click

from phonegate.cli import options, terminal
from phonegate.cli.bar import bar
from phonegate.cli.failure import Failure
from phonegate.cli.owner import carry_out, target


@click.command()
@click.argument("name")
@options.gateway
def suspend(name: str, config: Path | None, database: Path | None) -> None:
    """Stop serving the org NAME, until `phonegate org resume`.

    Its phones and its callers get 503 and come again later. Nothing of it is lost, and nothing is
    sent meanwhile. It stays so after a restart.
    """
    _suspend(name, config, database)
    click.echo(f"{name} is not served now. `phonegate org resume {name}` ends that.")


def _suspend(name: str, config: Path | None, database: Path | None) -> None:
    try:
        carry_out(config, database, "PUT", target("orgs", name, "suspension"))
    except KeyboardInterrupt:
        # The gateway waits for what is under way, and goes on with that.
        click.echo(
            f"{name} may be suspended all the same, which phonegate org list says. Serve it "
            f"again: phonegate org resume {name}",
            err=True,
        )
        raise


@click.command()
@click.argument("name")
@options.gateway
def resume(name: str, config: Path | None, database: Path | None) -> None:
    """Serve the org NAME again.

    Not once it is served by another gateway: its messages would be sent twice.
    """
    carry_out(config, database, "DELETE", target("orgs", name, "suspension"))
    click.echo(f"{name} is served again.")


@click.command(name="export")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--move",
    is_flag=True,
    help="Suspend the org first, so that the file is all of it and another gateway can go on.",
)
@click.option(
    "--without-credentials",
    is_flag=True,
    help="Write a file for reading, to keep or to give away. No gateway takes it in.",
)
@options.as_json
@options.gateway
def export(
    name: str,
    file: Path,
    config: Path | None,
    database: Path | None,
    *,
    move: bool,
    without_credentials: bool,
    as_json: bool,
) -> None:
    """Write the org NAME with all that it has to a new FILE.

    This works while the gateway serves and while it does not. The gateway writes the file, so FILE
    is a path on its machine where its user may write. It holds what carriers and webhooks are
    called with, in clear: keep it as you keep the database.

    Without --move the org goes on, and the file is a copy of it as it was at one moment. With it
    the org is suspended and stays so: import FILE on the other gateway, lead its phones and callers
    there, then remove it here. If a --move ends before the file is whole, the same command goes on.

    With --without-credentials the file gives no right to its reader, so you can keep it as an
    archive or give it away. It lacks the secret, keys, tokens, what carriers and webhooks are
    called with, and registrations of apps. Texts, numbers and names are in it. `zcat` shows it.
    """
    if move and without_credentials:
        raise click.UsageError(
            "A file without credentials can't be imported: leave out --move or "
            "--without-credentials."
        )
    fields: dict[str, Any] = {"org": name, "file": str(file.absolute())}
    if move:
        # Before the org is suspended: where the file can't be made, it goes on.
        carry_out(config, database, "POST", "/exports", {**fields, "only_look": True})
        _suspend(name, config, database)
        click.echo(f"{name} is not served now.", err=True)
    if without_credentials:
        fields["credentials"] = False
    try:
        with bar("Exporting") as progress:
            made = carry_out(config, database, "POST", "/exports", fields, progress=progress)
    except BaseException:
        if move:
            click.echo(
                f"{name} is still suspended, unless it was resumed or removed meanwhile. Export it "
                f"again to go on with {file}.part, or serve it again here and delete that file: "
                f"phonegate org resume {name}",
                err=True,
            )
        raise
    if as_json:
        terminal.print_json(made)
        return
    click.echo(f"{made['file']}  {made['messages']} messages  {made['bytes'] / 1e6:.1f} MB")
    if without_credentials:
        click.echo("This file is for reading: no gateway takes it in.", err=True)
    elif made["suspended"]:
        click.echo(
            f"Next: phonegate org import {made['file']} on the other gateway. Lead phones and "
            f"callers of {name} there. Then, here: phonegate org remove {name}",
            err=True,
        )
    else:
        click.echo(
            f"{name} goes on here, and this is a copy. To move it, use --move: what the org does "
            "from now on is not in this file.",
            err=True,
        )


@click.command(name="import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--large-ids",
    is_flag=True,
    help="Let ids of messages grow beyond 2,147,483,647, which not every phone can keep.",
)
@options.as_json
@options.gateway
def import_(
    file: Path, config: Path | None, database: Path | None, *, large_ids: bool, as_json: bool
) -> None:
    """Take in the org of a FILE from another gateway.

    `phonegate org export` has written it. The gateway reads it, so FILE is a path on its machine
    that its user may read. Other orgs are served meanwhile. This one is served once all of it is
    here. If the command ends before that, the same command goes on; `phonegate org remove` takes
    back what has come.
    """
    if not file.exists():
        raise Failure(f"There is no file {file.absolute()}.")
    fields: dict[str, Any] = {"file": str(file.absolute())}
    if large_ids:
        fields["large_ids"] = True
    with bar("Importing") as progress:
        made = carry_out(
            config,
            database,
            "POST",
            "/imports",
            fields,
            progress=progress,
            makes_database=True,
        )
    if as_json:
        terminal.print_json(made)
        return
    click.echo(f"{made['org']} is served here now, with {made['messages']} messages.")
    for space, by in sorted(made["shifted"].items()):
        click.echo(
            f"This gateway had given ids of its {space} already: they are {by} higher here.",
            err=True,
        )
