"""The errors of the database."""

from pathlib import Path


class StoreError(Exception):
    """The database can't be used. Each kind names the file and what to do about it."""


class DatabaseUnusable(StoreError):
    """The file can't be used as this program's database. It was left as it was.

    `problem` says what is wrong with it, and `remedy` what the operator can do.
    """

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}. {remedy}.")


class DatabaseBusy(StoreError):
    """Another phonegate process uses the file. `process` is its id, if the lock file names it."""

    def __init__(self, path: Path, process: int | None = None) -> None:
        self.path = path
        self.process = process
        which = "" if process is None else f" (process {process})"
        super().__init__(f"{path}: another phonegate{which} is using this database. Stop it first.")


class StorageUnavailable(StoreError):
    """A write could not be made durable (disk full, I/O error). Nothing of it was stored."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"storage can't take it now: {reason}. See to the disk, and do it again.")


class StoreClosed(StoreError):
    """The gateway is stopping. The operation was not started."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class ConstraintBroken(StoreError):
    """An operation broke a rule of the schema: a row it refers to is gone, or a key is taken.

    Only this operation was undone. `rule` is SQLite's sentence: it names tables and columns,
    never values.
    """

    def __init__(self, rule: str) -> None:
        self.rule = rule
        super().__init__(rule)


class NameTaken(StoreError):
    """An org of this name exists already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is an org {name} already")


class NumberTaken(StoreError):
    """A sender number belongs to another assistant of the org."""

    def __init__(self, number: str) -> None:
        self.number = number
        super().__init__(f"{number} belongs to another assistant already")


class TooMany(StoreError):
    """An org has as many phones or SIMs as it may, so nothing was changed."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"the org has {most} already")


class FileFailed(StoreError):
    """A file that was named can't be made, or can't be read.

    `problem` says why, and `remedy` what the operator can do.
    """

    def __init__(self, target: Path, problem: str, remedy: str) -> None:
        self.target = target
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{target}: {problem}. {remedy}.")


class BackupFailed(FileFailed):
    """No backup was made. Nothing of it is left at `target`."""


class MoveFailed(FileFailed):
    """An org was not written to its file, or not wholly read from it."""
