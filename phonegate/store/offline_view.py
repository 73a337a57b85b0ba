"""A look into the file of a gateway that is not running, which changes nothing."""

import contextlib
import sqlite3
from pathlib import Path

import attrs

from phonegate.store.tables import Tables


@attrs.frozen(kw_only=True)
class OfflineView:
    """What a file says of orgs, and of who may come in."""

    registration: str | None
    """What the owner chose by command."""
    published: tuple[str, ...]
    """Orgs whose secret is one that documents print."""
    orgs: frozenset[str]
    """The names of all orgs."""


def look(path: Path) -> OfflineView:
    """Looks into a database. One that is missing, or of an earlier version, says nothing.

    What a crash has left in the write-ahead log is not looked at: to read that would write.
    """
    with contextlib.suppress(sqlite3.Error):
        uri = f"{path.as_uri()}?mode=ro&immutable=1"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            tables = Tables(connection)
            return OfflineView(
                registration=tables.registrations.choice("registration"),
                published=tuple(tables.orgs.published()),
                orgs=frozenset(org.name for org in tables.orgs.all()),
            )
    return OfflineView(registration=None, published=(), orgs=frozenset())
