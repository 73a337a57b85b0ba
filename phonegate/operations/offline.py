"""What can be known of a gateway that is not running, by its database file. Changes nothing."""

from pathlib import Path

from phonegate.config.settings import Settings
from phonegate.domain.registration import MODES, Registration
from phonegate.store import data_file
from phonegate.store.offline_view import look


def check_sqlite() -> None:
    """Checks that the SQLite of this Python can do what the store needs.

    Raises:
        DatabaseUnusable: It can't.
    """
    data_file.check_sqlite(Path("SQLite"))


def has_database(path: Path) -> bool:
    """Tells whether there is a database already, or one will be made at the first start.

    Raises:
        DatabaseUnusable: No gateway can serve from this path.
    """
    return data_file.inspect(path)


def registration(settings: Settings, path: Path) -> tuple[Registration, tuple[str, ...]]:
    """Finds who could make an org by a first call, and the orgs that have a published secret."""
    seen, rule = look(path), Registration.configured(settings)
    rule.chosen = next((mode for mode in MODES if mode == seen.registration), None)
    return rule, seen.published
