"""`phonegate upgrade`: what another version would bring, and how to come to it."""

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

import phonegate
from phonegate.cli import installation, options, terminal
from phonegate.cli.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from phonegate.cli.service.places import Places
    from phonegate.cli.upgrade.comparison import Running

NEWER: Final = 10
"""The exit code where what was compared is newer."""


@click.command()
@click.option(
    "--check",
    "place",
    metavar="FILE_OR_URL",
    help="Compare with this: a file of a release, or an address of one or of a list of releases.",
)
@options.as_json
@options.gateway
def command(place: str | None, config: Path | None, database: Path | None, *, as_json: bool) -> int:
    """Show how to upgrade this program, or compare it with another version.

    Without --check, the commands that upgrade are shown, as they are for the way in which phonegate
    was installed. Nothing is upgraded, and no other machine is asked.

    With --check, this version is compared with a file, or with what is at an address of https (of
    http only in a private network): a zipapp, wheel, sdist or Debian package, SHA256SUMS, a
    version, or the JSON of a page of releases. Nothing of it is run. Shown are what changes,
    whether the database would change, and which settings of your gateway.toml would be gone, as
    far as the file tells. Exits with 10 if it is newer, with 0 if not, and with 1 if they can't be
    compared.
    """
    # Imported here to keep `--help` fast.
    from phonegate.cli.upgrade.instructions import instructions  # noqa: PLC0415

    found = installation.own()
    if place is None:
        lines = instructions(found, service=_service())
        if as_json:
            terminal.print_json(
                {"version": phonegate.__version__, "way": found.way, "commands": list(lines)}
            )
            return 0
        click.echo(f"phonegate {phonegate.__version__}, {_WAYS[found.way]} ({found.place})")
        _show(lines)
        return 0

    from phonegate.cli.upgrade import package_file, source  # noqa: PLC0415
    from phonegate.cli.upgrade.comparison import compare  # noqa: PLC0415

    taken = source.take(place)
    offer = package_file.read(taken.content)
    if offer is None:
        raise Failure(f"{place} names no version of phonegate, and is none of its files.")
    running = _running(config, database)
    seen = compare(running, offer)
    if taken.remark:
        click.echo(taken.remark, err=True)
    if as_json:
        terminal.print_json(seen.as_json())
    else:
        for text in seen.lines(running.file):
            for line in text.splitlines() or [""]:
                click.echo(terminal.clean(line))
        if seen.newer:
            file = place if Path(place).is_file() else ""
            _show(instructions(found, service=_service(), file=file))
    return NEWER if seen.newer else 0


_WAYS: Final = {
    "zipapp": "a zipapp",
    "deb": "the Debian package",
    "container": "in a container",
    "pipx": "installed by pipx",
    "uv": "installed by uv",
    "venv": "in a virtual environment",
    "python": "installed into a shared Python",
}


def _show(lines: "Sequence[str]") -> None:
    click.echo("To upgrade:")
    for line in lines:
        click.echo(f"  {line}")


def _service() -> "Places | None":
    """Returns the files of the service that runs this program, where there is one."""
    from phonegate.cli.service import places  # noqa: PLC0415 - keeps `--help` fast

    try:
        home = Path.home()
    except RuntimeError:
        return None
    for service in (places.of_machine(), places.of_user(home, os.environ)):
        if service.unit.exists():
            return service
    return None


def _running(config: Path | None, database: Path | None) -> "Running":
    """Returns what runs here. A configuration with faults is no obstacle: it may be a newer one's.

    Raises:
        Failure: This version has no number that can be compared.
    """
    # Imported here to keep `--help` fast.
    import attrs  # noqa: PLC0415

    from phonegate.cli.upgrade.comparison import Running  # noqa: PLC0415
    from phonegate.cli.upgrade.version_number import VersionNumber  # noqa: PLC0415
    from phonegate.config.settings import Settings  # noqa: PLC0415
    from phonegate.operations import schema_steps  # noqa: PLC0415

    version = VersionNumber.read(phonegate.__version__)
    if version is None:
        raise Failure(f"This version, {phonegate.__version__}, can't be compared with others.")
    source = options.config_file(config)
    chosen: dict[str, dict[str, object]] = {}
    if source is not None:
        try:
            tables = tomllib.loads(source.read_bytes().decode("utf-8-sig"))
        except (OSError, ValueError) as error:
            raise Failure(f"{source} can't be read: {error}") from None
        chosen = {name: table for name, table in tables.items() if isinstance(table, dict)}
    path = database or Path(str(chosen.get("database", {}).get("path", "phonegate.db")))
    try:
        steps = schema_steps.of_file(path)
    except OSError:
        # It belongs to the service's user.
        steps = None
    kinds = {field.name: field.type for field in attrs.fields(Settings)}
    return Running(
        version=version,
        steps=schema_steps.KNOWN,
        settings={
            name: frozenset(one.name for one in attrs.fields(kind))
            for name, kind in kinds.items()
            if isinstance(kind, type) and attrs.has(kind)
        },
        chosen={name: frozenset(table) for name, table in chosen.items()},
        file=str(source or ""),
        database=steps or None,
    )
