"""SHA256SUMS: the digests of a release's files, as `sha256sum --check` reads them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

NAME = "SHA256SUMS"


def digest_of(path: Path) -> str:
    """A file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(folder: Path, files: Iterable[Path]) -> Path:
    """Writes the digests of files of one folder into it."""
    lines = [f"{digest_of(path)}  {path.name}\n" for path in sorted(files)]
    written = folder / NAME
    written.write_text("".join(lines))
    return written


def named(folder: Path) -> list[Path]:
    """The files that a folder's digests name, with their list: what a build has left there."""
    written = folder / NAME
    if not written.exists():
        return []
    names = [line.partition("  ")[2] for line in written.read_text().splitlines()]
    return [written, *(folder / Path(name).name for name in names)]
