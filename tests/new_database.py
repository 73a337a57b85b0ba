"""An empty database, made by copying: the steps of its schema run once in each worker of pytest."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from phonegate.store.database import Database


def make(path: Path) -> Path:
    """Puts there what `Database.open` would make, unless there is one, and returns the path."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(_content())
    return path


@cache
def _content() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "phonegate.db"
        Database.open(path).close()
        return path.read_bytes()
