"""`phonegate backup`."""

from pathlib import Path
from typing import Any

import click

from phonegate.cli import options
from phonegate.cli.bar import bar
from phonegate.cli.owner import carry_out
from phonegate.model.bounds import MAX_COPIES


@click.command()
@click.argument("target", metavar="FILE_OR_FOLDER", type=click.Path())
@click.option(
    "--keep",
    type=click.IntRange(1, MAX_COPIES),
    metavar="N",
    help="Remove all but the newest N copies from the folder, once the new one is complete.",
)
@options.gateway
def command(target: str, keep: int | None, config: Path | None, database: Path | None) -> None:
    """Copy the database, a consistent copy, while the gateway serves or not.

    A file must not be there yet. In a folder that is there, the copy is named by the database
    and the time: phonegate-20300131T080000Z.db.
    """
    file = Path(target)
    if target.endswith("/") and not file.is_dir():
        raise click.BadParameter(f"{target} is no folder. Make it first, or name a file.")
    if keep is not None and not file.is_dir():
        raise click.BadParameter(f"{file} is no folder. --keep needs one that is there.")
    fields: dict[str, Any] = {"file": str(file.absolute())}
    if keep is not None:
        fields["keep"] = keep
    request = ("POST", "/backups", fields)
    with bar("Backing up") as progress:
        answer = carry_out(config, database, *request, progress=progress)
    click.echo(f"{answer['file']}  {answer['bytes'] / 1e6:.1f} MB")
    for path in answer.get("removed", ()):
        click.echo(f"{path}  removed")
