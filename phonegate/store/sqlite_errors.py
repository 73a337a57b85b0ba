"""SQLite's errors sorted: the operation's own fault, or the storage's."""

import sqlite3
from typing import Final

from phonegate.model.storage_errors import ConstraintBroken, StorageUnavailable

_OF_STORAGE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""Result codes that say something of the file or its disk (https://www.sqlite.org/rescode.html)."""


def code(error: BaseException) -> int:
    """Returns the primary result code of an error of SQLite, or 0 for any other."""
    # The attribute is missing where the module itself raised (wrong parameters, closed, …).
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def of_storage(error: BaseException) -> bool:
    """Tells whether the file or its disk is at fault, rather than what was asked of it."""
    return isinstance(error, sqlite3.Error) and code(error) in _OF_STORAGE


def translated(error: Exception) -> Exception:
    """Returns the error that a caller outside the store gets in place of *error*.

    Errors that need no translation are returned as they are.
    """
    if of_storage(error):
        return StorageUnavailable(str(error))
    if isinstance(error, sqlite3.IntegrityError):
        return ConstraintBroken(str(error))
    return error
