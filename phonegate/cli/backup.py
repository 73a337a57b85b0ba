"""`phonegate backup`."""

import sys
from pathlib import Path

import click

from phonegate.cli import options
from phonegate.cli.owner import carry_out


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options.gateway
def command(file: Path, config: Path | None, database: Path | None) -> None:
    """Copy the database to FILE, a consistent copy, while the gateway serves or not."""
    target = str(file.absolute())
    if not sys.stderr.isatty():
        answer = carry_out(config, database, "backup", file=target)
    else:
        with click.progressbar(length=100, label="Backing up", file=sys.stderr) as bar:

            def progress(done: int, total: int) -> None:
                bar.update(round(100 * done / total) - bar.pos)

            answer = carry_out(config, database, "backup", progress=progress, file=target)
            bar.update(100 - bar.pos)
    click.echo(f"{answer['file']}  {answer['bytes'] / 1e6:.1f} MB")
