"""Templates: texts to send again and again, by org."""

import sqlite3

from phonegate.model.contacts import Template


class Templates:
    """The rows of `templates`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def of_org(self, org: int) -> list[Template]:
        """Returns the templates of an org by name."""
        rows = self._connection.execute(
            "SELECT id, name, body FROM templates WHERE org = ? ORDER BY name COLLATE NOCASE, id",
            (org,),
        )
        return [Template(id=row[0], name=row[1], body=row[2]) for row in rows]

    def named(self, org: int, name: str) -> int | None:
        """Returns the id of the template of a name."""
        row = self._connection.execute(
            "SELECT id FROM templates WHERE org = ? AND name = ?", (org, name)
        ).fetchone()
        return None if row is None else int(row[0])

    def count(self, org: int) -> int:
        """Returns how many templates an org has."""
        sql = "SELECT count(*) FROM templates WHERE org = ?"
        return int(self._connection.execute(sql, (org,)).fetchone()[0])

    def add(self, org: int, name: str, body: str) -> int:
        """Stores a template. Returns its id."""
        cursor = self._connection.execute(
            "INSERT INTO templates (org, name, body) VALUES (?, ?, ?)", (org, name, body)
        )
        assert cursor.lastrowid is not None, "an INSERT of one row"  # noqa: S101
        return cursor.lastrowid

    def change(self, org: int, id: int, name: str, body: str) -> bool:  # noqa: A002
        """Gives a template another name and text. Returns whether there is one."""
        cursor = self._connection.execute(
            "UPDATE templates SET name = ?, body = ? WHERE org = ? AND id = ?",
            (name, body, org, id),
        )
        return cursor.rowcount == 1

    def remove(self, org: int, id: int) -> bool:  # noqa: A002
        """Removes a template. Returns whether there was one."""
        cursor = self._connection.execute(
            "DELETE FROM templates WHERE org = ? AND id = ?", (org, id)
        )
        return cursor.rowcount == 1
