"""The alarms that are on."""

import json
import sqlite3

from phonegate.model.alarms import StandingAlarm


class StandingAlarms:
    """The rows of `alarms`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[StandingAlarm]:
        """Returns all of them, the oldest first."""
        rows = self._connection.execute(
            "SELECT name, about, org, since, fields, reported FROM alarms ORDER BY since, name"
        )
        return [
            StandingAlarm(
                name=name,
                about=about,
                org=org,
                since=since,
                fields=json.loads(fields),
                reported=bool(reported),
            )
            for name, about, org, since, fields, reported in rows
        ]

    def add(self, alarm: StandingAlarm) -> None:
        """Stores an alarm that has begun."""
        self._connection.execute(
            "INSERT OR REPLACE INTO alarms VALUES (?, ?, ?, ?, ?, ?)",
            (
                alarm.name,
                alarm.about,
                alarm.org,
                alarm.since,
                json.dumps(dict(alarm.fields)),
                int(alarm.reported),
            ),
        )

    def mark_reported(self, name: str, about: str) -> None:
        """Notes that a notice of an alarm has reached a target."""
        self._connection.execute(
            "UPDATE alarms SET reported = 1 WHERE name = ? AND about = ?", (name, about)
        )

    def remove(self, name: str, about: str) -> None:
        """Removes an alarm that is over."""
        self._connection.execute("DELETE FROM alarms WHERE name = ? AND about = ?", (name, about))
