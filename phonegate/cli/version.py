"""`phonegate version`."""

import platform
import sqlite3

import click

import phonegate


@click.command()
def command() -> None:
    """Show the versions of phonegate, Python and SQLite."""
    python = platform.python_version()
    click.echo(
        f"phonegate {phonegate.__version__} (Python {python}, SQLite {sqlite3.sqlite_version})"
    )
