"""Where a service has its files, for the whole machine or for one user. Pure."""

from collections.abc import Mapping
from pathlib import Path

import attrs

from phonegate.cli.service.unit import BACKUP_ROOT, CACHE_ROOT, NAME, STATE_ROOT, UNIT_NAME


@attrs.frozen(kw_only=True)
class Places:
    """The files and folders of a service.

    Args:
        user: The user of its own that it runs as. None: the person's own user.
        program: The copy of a zipapp.
        previous: The copy that was there before an upgrade.
        command: The command for a shell.
        config: The configuration file.
        state: The folder of the database.
        backups: The folder for copies of the database.
        cache: Where a zipapp unpacks itself.
        unit: The unit.
    """

    user: str | None
    program: Path
    previous: Path
    command: Path
    config: Path
    state: Path
    backups: Path
    cache: Path
    unit: Path

    @property
    def database(self) -> Path:
        """The database, in a new configuration."""
        return self.state / f"{NAME}.db"


def of_machine() -> Places:
    """Returns the places of a service of the whole machine (hier(7))."""
    library = Path("/usr/local/lib", NAME)
    return Places(
        user=NAME,
        program=library / f"{NAME}.pyz",
        previous=library / f"{NAME}-previous.pyz",
        command=Path("/usr/local/bin", NAME),
        config=Path("/etc", NAME, "gateway.toml"),
        state=Path(STATE_ROOT, NAME),
        backups=Path(BACKUP_ROOT, NAME),
        cache=Path(CACHE_ROOT, NAME),
        unit=Path("/etc/systemd/system", UNIT_NAME),
    )


def of_user(home: Path, environ: Mapping[str, str]) -> Places:
    """Returns the places of a service of one user (XDG Base Directory Specification)."""

    def base(variable: str, default: str) -> Path:
        given = environ.get(variable, "")
        # The specification has a relative path ignored.
        return Path(given) if given.startswith("/") else home / default

    data = base("XDG_DATA_HOME", ".local/share") / NAME
    config = base("XDG_CONFIG_HOME", ".config")
    library = home / ".local" / "lib" / NAME
    return Places(
        user=None,
        program=library / f"{NAME}.pyz",
        previous=library / f"{NAME}-previous.pyz",
        command=home / ".local" / "bin" / NAME,
        config=config / NAME / "gateway.toml",
        state=data,
        backups=data / "backups",
        cache=base("XDG_CACHE_HOME", ".cache") / NAME,
        unit=config / "systemd" / "user" / UNIT_NAME,
    )
