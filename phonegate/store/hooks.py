"""Hooks: secret URLs of orgs, to which programs post their own JSON."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.model.hooks import Hook, HookMapping, Outcome, Verification

_COLUMNS: Final = (
    "name",
    "mapping",
    "verification",
    "key",
    "created_at",
    "calls",
    "last_used_at",
    "disabled_at",
    "disabled_reason",
)
"""Those that `Hook` has too, but for its id and org."""

_SELECT: Final = (
    f"SELECT h.id, h.org, o.name, h.last_kind, h.last_detail, "  # noqa: S608 - constants
    f"{', '.join(f'h.{column}' for column in _COLUMNS)}"
    " FROM hooks AS h JOIN orgs AS o ON o.id = h.org AND o.name IS NOT NULL"
)
"""Those of a removed org are in no answer."""


def _mapping_text(mapping: HookMapping) -> str:
    return json.dumps(attrs.asdict(mapping))


def _verification_text(verification: Verification | None) -> str | None:
    return None if verification is None else json.dumps(attrs.asdict(verification))


_WRITTEN: Final[Mapping[str, Callable[[Any], Any]]] = MappingProxyType(
    {"mapping": _mapping_text, "verification": _verification_text}
)
"""How the values of some columns are kept."""


class Hooks:
    """The rows of `hooks`. What their URLs end with is kept as a digest alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def add(
        self,
        org: int,
        *,
        name: str,
        digest: bytes,
        mapping: HookMapping,
        verification: Verification | None,
        key: str | None,
        created_at: int,
    ) -> Hook:
        """Stores a hook.

        Args:
            org: Whose hook.
            name: What its owner calls it.
            digest: The SHA-256 of its token.
            mapping: How numbers and text are found.
            verification: How its calls are verified.
            key: The API key that binds it.
            created_at: When it is made (ms).
        """
        cursor = self._connection.execute(
            "INSERT INTO hooks (org, name, digest, mapping, verification, key, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                org,
                name,
                digest,
                _mapping_text(mapping),
                _verification_text(verification),
                key,
                created_at,
            ),
        )
        assert cursor.lastrowid is not None, "an INSERT of one row"  # noqa: S101
        made = self.get(org, cursor.lastrowid)
        assert made is not None, "it was stored for an org that there is"  # noqa: S101
        return made

    def get(self, org: int, id: int) -> Hook | None:  # noqa: A002 - the record's own name for it
        """Returns the hook of this id, where it is this org's."""
        return self._one("WHERE h.id = ? AND h.org = ?", id, org)

    def by_digest(self, digest: bytes) -> Hook | None:
        """Returns the hook whose token has this digest."""
        return self._one("WHERE h.digest = ?", digest)

    def of_org(self, org: int) -> list[Hook]:
        """Returns the hooks of an org, oldest first."""
        return self._all("WHERE h.org = ? ORDER BY h.id", org)

    def by_key(self, key: str) -> list[Hook]:
        """Returns the hooks that an API key binds."""
        return self._all("WHERE h.key = ? ORDER BY h.id", key)

    def count_of_org(self, org: int) -> int:
        """Returns how many hooks an org has."""
        sql = "SELECT count(*) FROM hooks WHERE org = ?"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def set(self, id: int, **columns: Any) -> None:  # noqa: A002
        """Changes columns of a hook, by their names in `Hook`, or its `digest`."""
        changes = ", ".join(f"{column} = ?" for column in columns)
        values = (_written(column, value) for column, value in columns.items())
        # The names are our own: a wrong one is no column.
        self._connection.execute(f"UPDATE hooks SET {changes} WHERE id = ?", (*values, id))  # noqa: S608

    def note(self, id: int, outcome: Outcome, now: int) -> None:  # noqa: A002
        """Notes what became of a call.

        Args:
            id: The hook.
            outcome: What became of it.
            now: When it was made (ms).
        """
        self._connection.execute(
            "UPDATE hooks SET calls = calls + 1, last_used_at = ?, last_kind = ?, last_detail = ?"
            " WHERE id = ?",
            (now, outcome.kind, outcome.detail, id),
        )

    def remove(self, org: int, id: int) -> bool:  # noqa: A002
        """Removes a hook of this org. Returns whether there was one."""
        sql = "DELETE FROM hooks WHERE org = ? AND id = ?"
        return self._connection.execute(sql, (org, id)).rowcount > 0

    def _one(self, where: str, *values: Any) -> Hook | None:
        found = self._all(where, *values)
        return found[0] if found else None

    def _all(self, where: str, *values: Any) -> list[Hook]:
        return [_hook(row) for row in self._connection.execute(f"{_SELECT} {where}", values)]


def _written(column: str, value: Any) -> Any:
    return _WRITTEN[column](value) if column in _WRITTEN else value


def _hook(row: tuple[Any, ...]) -> Hook:
    id_, org, org_name, kind, detail = row[:5]
    columns = dict(zip(_COLUMNS, row[5:], strict=True))
    mapping: dict[str, Any] = json.loads(columns["mapping"])
    mapping |= {name: tuple(mapping[name]) for name in ("to", "when")}
    columns["mapping"] = HookMapping(**mapping)
    if columns["verification"] is not None:
        columns["verification"] = Verification(**json.loads(columns["verification"]))
    last = None if kind is None else Outcome(kind=kind, detail=detail or "")
    return Hook(id=id_, org=org, org_name=org_name, last=last, **columns)
