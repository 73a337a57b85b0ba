"""Looks at what there is of a service on this machine, and changes nothing."""

import filecmp
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from phonegate.bind_address import parse_bind
from phonegate.cli.failure import Failure
from phonegate.cli.installation import Installation
from phonegate.cli.service.changes import user_exists
from phonegate.cli.service.places import Places
from phonegate.cli.service.plan import Present
from phonegate.cli.service.unit import UNIT_NAME

if TYPE_CHECKING:
    from phonegate.config.settings import Settings

PACKAGED: Final = (Path("/usr/lib/systemd/system"), Path("/lib/systemd/system"))
"""Where packages put units."""

FIRST_FREE_PORT: Final = 1024
"""Lower ports take a capability."""


@attrs.frozen(kw_only=True)
class Configured:
    """What a service is set to by its configuration file.

    Args:
        settings: All settings.
        database: Where its database is.
    """

    settings: "Settings"
    database: Path


def configured(places: Places) -> Configured:
    """Reads the configuration of the service, or that which a new one begins with.

    Raises:
        ConfigError: It has faults.
        Failure: The service could not use its database.
    """
    from phonegate.config import reader, setting_texts  # noqa: PLC0415 - keeps `--help` fast

    # What this shell sets for commands is not what the service gets.
    own = setting_texts.PREFIX
    environ = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    if places.config.exists():
        settings = reader.load(places.config, environ)
    else:
        settings = reader.load(Path(os.devnull), environ, {"database.path": str(places.database)})
    database = places.state / settings.database.path
    if places.user is not None and not database.is_relative_to(places.state):
        raise Failure(
            f"[database] path in {places.config} is {database}, and the service may write to "
            f"{places.state} alone. Set it to {places.database}, and move the files there: the "
            "database, and those beside it whose names begin the same."
        )
    return Configured(settings=settings, database=database)


def survey(places: Places, program: Installation, now: Configured) -> Present:
    """Looks at what there is before an installation.

    Raises:
        OSError: A file can't be read.
    """
    from phonegate.operations import schema_steps  # noqa: PLC0415 - keeps `--help` fast

    seen = schema_steps.of_file(now.database)
    return Present(
        **attrs.asdict(remains(places), recurse=False)
        | {
            "config": places.config.exists(),
            "same_program": program.way == "zipapp" and _same(program.place, places.program),
            "migrates": seen is not None and 0 < seen < schema_steps.KNOWN,
            "low_ports": any(0 < port < FIRST_FREE_PORT for port in _ports(now.settings)),
        }
    )


def remains(places: Places) -> Present:
    """Looks at what there is already, and a removal would remove."""
    folders = {path.parent for path in (places.program, places.config, places.command, places.unit)}
    folders |= {places.cache, places.state, places.backups}
    packaged = places.user is not None and any((folder / UNIT_NAME).exists() for folder in PACKAGED)
    return Present(
        user=places.user is not None and user_exists(places.user),
        unit=_text(places.unit),
        command=_text(places.command),
        packaged=packaged,
        there=frozenset(folder for folder in folders if folder.is_dir()),
    )


def _ports(settings: "Settings") -> Iterator[int]:
    binds = [*settings.http.bind, *settings.http.plain_bind]
    if settings.stand_in.enabled:
        binds += settings.stand_in.bind
    if settings.operator.bind:
        binds.append(settings.operator.bind)
    for bind in binds:
        yield parse_bind(bind)[1]


def _same(one: Path, other: Path) -> bool:
    return other.exists() and filecmp.cmp(one, other, shallow=False)


def _text(path: Path) -> str | None:
    """Returns the text of a file, which is empty where it is no text. None without a file."""
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""
