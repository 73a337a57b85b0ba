"""How many steps of the schema a database file has seen, and how many this program knows."""

from pathlib import Path
from typing import Final

from phonegate.store import data_file, migrations

KNOWN: Final = migrations.VERSION
"""The steps of this program."""

_USER_VERSION: Final = slice(60, 64)
"""The place of `PRAGMA user_version` in a file (sqlite.org/fileformat2.html, 1.3)."""


def of_file(path: Path) -> int | None:
    """Returns the steps that a database file has seen, or None where it is no database.

    The write-ahead log is not read. A file that was updated a moment ago may show fewer steps than
    it has seen.

    Raises:
        OSError: It can't be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_USER_VERSION.stop)
    except FileNotFoundError:
        return None
    if len(head) < _USER_VERSION.stop or not head.startswith(data_file.MAGIC):
        return None
    return int.from_bytes(head[_USER_VERSION], "big")
