"""Orgs: the tenants, and the removal of everything that one owned."""

import hashlib
import sqlite3
from typing import Any

from phonegate.model.orgs import Options, Org
from phonegate.model.storage_errors import NameTaken
from phonegate.store.events import Events

_COLUMNS = "id, name, secret_hash, created_at, suspended_at"

SERVED = "org NOT IN (SELECT id FROM orgs WHERE suspended_at IS NOT NULL)"
"""The condition that the org of a row is served. The index has those that are not: few, or none."""


class Orgs:
    """The rows of `orgs`. A removed org is in no answer from that moment on."""

    def __init__(self, connection: sqlite3.Connection, events: Events) -> None:
        self._connection = connection
        self._events = events
        self._suspended: set[int] | None = None
        """Those that are not served, for the one connection that writes. None until looked."""
        self.removed = True
        """Whether removed orgs may be waiting to be cleared away; true until looked."""

    def get(self, name: str) -> Org | None:
        """Returns the org of this name. Letter case counts."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM orgs WHERE name = ?",  # noqa: S608 - a constant
            (name,),
        ).fetchone()
        return None if row is None else _org(row)

    def by_id(self, org: int) -> Org | None:
        """Returns the org of this id, unless it was removed."""
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM orgs WHERE id = ? AND name IS NOT NULL",  # noqa: S608
            (org,),
        ).fetchone()
        return None if row is None else _org(row)

    def exist(self) -> bool:
        """Tells whether there is any org."""
        found = self._connection.execute("SELECT 1 FROM orgs WHERE name IS NOT NULL LIMIT 1")
        return found.fetchone() is not None

    def all(self) -> list[Org]:
        """Returns every org, by name."""
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM orgs WHERE name IS NOT NULL ORDER BY name"  # noqa: S608
        )
        return [_org(row) for row in rows]

    def add(self, name: str, secret_hash: str, now: int, *, self_made: bool = False) -> Org:
        """Creates an org, *self_made* if it came by itself and not by its owner's command.

        Raises:
            NameTaken: There is one of this name; nothing was changed.
        """
        cursor = self._connection.execute(
            "INSERT INTO orgs (name, secret_hash, created_at, self_made) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (name) DO NOTHING",
            (name, secret_hash, now, int(self_made)),
        )
        if cursor.rowcount == 0 or cursor.lastrowid is None:
            raise NameTaken(name)
        self._connection.execute("DELETE FROM removed_orgs WHERE digest = ?", (_digest(name),))
        return Org(id=cursor.lastrowid, name=name, secret_hash=secret_hash, created_at=now)

    def rotate(self, name: str, secret_hash: str) -> bool:
        """Gives an org another secret, for its owner. Returns whether there is such an org."""
        cursor = self._connection.execute(
            "UPDATE orgs SET secret_hash = ?, self_made = 0 WHERE name = ?", (secret_hash, name)
        )
        self._connection.execute(
            "DELETE FROM published_secrets WHERE org = (SELECT id FROM orgs WHERE name = ?)",
            (name,),
        )
        return cursor.rowcount == 1

    def options(self) -> dict[int, Options]:
        """Returns the options of the orgs that have chosen any."""
        rows = self._connection.execute(
            "SELECT id, default_country, max_characters FROM orgs"
            " WHERE (default_country IS NOT NULL OR max_characters IS NOT NULL)"
            " AND name IS NOT NULL"
        )
        return {row[0]: _options(row[1], row[2]) for row in rows}

    def choose(
        self, org: int, *, default_country: str | None, max_characters: int | None
    ) -> Options | None:
        """Sets the options of an org that are not None. An empty country is none.

        Returns:
            All of its options, or None where there is no such org.
        """
        row = self._connection.execute(
            "UPDATE orgs SET default_country = nullif(coalesce(?, default_country), ''),"
            " max_characters = coalesce(?, max_characters)"
            " WHERE id = ? AND name IS NOT NULL RETURNING default_country, max_characters",
            (default_country, max_characters, org),
        ).fetchone()
        return None if row is None else _options(*row)

    # -- orgs that are not served

    def suspend(self, org: int, now: int) -> None:
        """Has an org not served from now on. One that is not served yet stays so since then."""
        self._connection.execute(
            "UPDATE orgs SET suspended_at = coalesce(suspended_at, ?) WHERE id = ?", (now, org)
        )
        self._suspended = None

    def resume(self, org: int) -> None:
        """Has an org served again."""
        self._connection.execute("UPDATE orgs SET suspended_at = NULL WHERE id = ?", (org,))
        self._suspended = None

    def suspended(self) -> set[int]:
        """Returns the orgs that are not served."""
        found = self._connection.execute("SELECT id FROM orgs WHERE suspended_at IS NOT NULL")
        return {org for (org,) in found}

    def is_suspended(self, org: int) -> bool:
        """Tells whether an org is not served. For the one connection that writes."""
        if self._suspended is None:
            self._suspended = self.suspended()
        return org in self._suspended

    def is_back(self, org: int) -> None:
        """Forgets that an org of this one's name was removed, since it was made again."""
        row = self._connection.execute("SELECT name FROM orgs WHERE id = ?", (org,)).fetchone()
        if row is not None:
            self._connection.execute(
                "DELETE FROM removed_orgs WHERE digest = ?", (_digest(row[0]),)
            )

    def undone(self) -> None:
        """Looks anew which orgs are not served, since a change of that may be no more."""
        self._suspended = None

    def publish(self, org: int) -> None:
        """Notes that an org's secret is one that documents print, until it gets another."""
        self._connection.execute("INSERT OR IGNORE INTO published_secrets VALUES (?)", (org,))

    def published(self) -> list[str]:
        """Returns the names of the orgs that are known to have a published secret."""
        rows = self._connection.execute(
            "SELECT o.name FROM published_secrets AS p JOIN orgs AS o ON o.id = p.org"
            " WHERE o.name IS NOT NULL ORDER BY o.name"
        )
        return [name for (name,) in rows]

    def was_removed(self, name: str) -> bool:
        """Tells whether an org of this name was removed, and none made since."""
        return (
            self._connection.execute(
                "SELECT 1 FROM removed_orgs WHERE digest = ?", (_digest(name),)
            ).fetchone()
            is not None
        )

    def has_owned(self) -> bool:
        """Tells whether there is an org that did not come by itself."""
        found = self._connection.execute(
            "SELECT 1 FROM orgs INDEXED BY orgs_of_owner"
            " WHERE name IS NOT NULL AND self_made = 0 LIMIT 1"
        )
        return found.fetchone() is not None

    def remove(self, name: str) -> bool:
        """Removes an org with all it owns. Returns whether there was such an org.

        The org, its secret, keys and phones are gone with the commit, and the name is free for
        callers of `add` who ask `was_removed` first.
        Messages may be millions: the writer clears them away afterwards in slices (see
        `doomed`), so that no other org waits for them. A restart goes on with it.
        """
        row = self._connection.execute("SELECT id FROM orgs WHERE name = ?", (name,)).fetchone()
        if row is None:
            return False
        (org,) = row
        self._connection.execute(
            "UPDATE orgs SET name = NULL, secret_hash = '', suspended_at = NULL WHERE id = ?",
            (org,),
        )
        self._suspended = None
        self._connection.execute("DELETE FROM imports WHERE org = ?", (org,))
        self._connection.execute("DELETE FROM api_keys WHERE org = ?", (org,))
        self._connection.execute("DELETE FROM phones WHERE org = ?", (org,))
        self._events.stop_listening(org)
        self._connection.execute("DELETE FROM org_places WHERE org = ?", (org,))
        self._connection.execute("INSERT OR IGNORE INTO removed_orgs VALUES (?)", (_digest(name),))
        self.removed = True
        return True

    def doomed(self) -> int | None:
        """Returns the id of a removed org that still has rows, or at least its own."""
        row = self._connection.execute(
            "SELECT id FROM orgs WHERE name IS NULL ORDER BY id LIMIT 1"
        ).fetchone()
        self.removed = row is not None
        return None if row is None else int(row[0])

    def forget(self, org: int) -> None:
        """Deletes the last of a removed org, once its messages are gone."""
        self._connection.execute("DELETE FROM orgs WHERE id = ? AND name IS NULL", (org,))


def _digest(name: str) -> bytes:
    """Returns what is kept of a removed org's name: enough to know it again."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()


def _options(default_country: str | None, max_characters: int | None) -> Options:
    if max_characters is None:
        return Options(default_country=default_country)
    return Options(default_country=default_country, max_characters=max_characters)


def _org(row: tuple[Any, ...]) -> Org:
    return Org(
        id=row[0],
        name=row[1],
        secret_hash=row[2],
        created_at=row[3],
        suspended_at=row[4],
    )
