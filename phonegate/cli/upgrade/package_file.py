"""Reads single files out of a zipapp, wheel, sdist or Debian package, within limits."""

import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Final, cast

from phonegate.cli.upgrade import offer
from phonegate.cli.upgrade.offer import Offer

LARGEST_SOURCE: Final = 2 * 1024 * 1024
"""Bytes of one file of the program, or of its changelog."""

LARGEST_UNPACKED: Final = 256 * 1024 * 1024
"""Bytes of an archive that is unpacked as a stream, to find some files in it."""

MOST_ENTRIES: Final = 50_000

LARGEST_TEXT: Final = 4 * 1024 * 1024

_WANTED: Final = (offer.INIT, offer.MIGRATIONS, offer.SETTINGS, offer.CHANGELOG)
_OF_WHEELS: Final = re.compile(r"phonegate-[^/]+\.dist-info/extra_metadata/")
_GZIP: Final = b"\x1f\x8b"
_XZ: Final = b"\xfd7zXZ"
_AR: Final = b"!<arch>\n"
_AR_HEAD: Final = 60
_AR_SIZE: Final = slice(48, 58)

_UNREADABLE: Final = (
    *(zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error),
    *(EOFError, OSError, ValueError, NotImplementedError, RuntimeError),
)
"""What the readers of archives raise for what is damaged or made to harm."""


def read(content: bytes) -> Offer | None:
    """Returns what a file offers, whatever it is of what a release has. None: nothing known."""
    try:
        found = _program(content)
    except _UNREADABLE:
        return None
    if found is not None:
        return found
    if len(content) > LARGEST_TEXT:
        return None
    try:
        return offer.of_text(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, RecursionError):
        return None


def _program(content: bytes) -> Offer | None:
    if zipfile.is_zipfile(io.BytesIO(content)):
        return _of_zip(content)
    if content.startswith(_AR):
        return _of_deb(content)
    if content.startswith(_GZIP):
        return _of_tar(content)
    return None


def _of_zip(content: bytes) -> Offer | None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()[:MOST_ENTRIES]
        # A zipapp has its packages in a folder.
        below = next((name.removesuffix(offer.INIT) for name in names if _is_init(name)), "")
        # A wheel has what is about the program beside it.
        about = next((found[0] for name in names if (found := _OF_WHEELS.match(name))), "")

        def text(name: str) -> str | None:
            for place in (below + name, name, about + name):
                if place in names and archive.getinfo(place).file_size <= LARGEST_SOURCE:
                    with archive.open(place) as file:
                        return _text(file.read(LARGEST_SOURCE))
            return None

        return offer.of_program(text)


def _is_init(name: str) -> bool:
    return name in {offer.INIT, f"site-packages/{offer.INIT}"}


def _of_deb(content: bytes) -> Offer | None:
    for name, part in _members(content):
        if name.startswith("data.tar"):
            return _of_tar(part)
    return None


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yields the files of an archive of ar(5), which a Debian package is (deb(5))."""
    at = len(_AR)
    while at + _AR_HEAD <= len(content):
        head = content[at : at + _AR_HEAD]
        size = int(head[_AR_SIZE])
        if size < 0:
            return
        at += _AR_HEAD
        yield head[:16].decode("ascii").strip().rstrip("/"), content[at : at + size]
        at += size + size % 2


def _of_tar(content: bytes) -> Offer | None:
    """Reads a tar as a stream, whatever it is packed by, to the end or the limit."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=cast("IO[bytes]", _Unpacked(content)), mode="r|") as archive:
        for count, entry in enumerate(archive):
            if count > MOST_ENTRIES:
                break
            wanted = next((w for w in _WANTED if f"/{entry.name}".endswith(f"/{w}")), None)
            if wanted is None or not entry.isfile() or entry.size > LARGEST_SOURCE:
                continue
            file = archive.extractfile(entry)
            # The one nearest to the top: an sdist has others' in its tests.
            if file is not None and wanted not in found:
                found[wanted] = _text(file.read(LARGEST_SOURCE)) or ""
    reading: Callable[[str], str | None] = found.get
    return offer.of_program(reading)


class _Unpacked:
    """What a file unpacks to, up to the limit.

    The sizes that a tar names say little: the reader of Python takes a long head whole.
    """

    def __init__(self, content: bytes) -> None:
        opened = io.BytesIO(content)
        self._file: io.BufferedIOBase = opened
        if content.startswith(_GZIP):
            self._file = gzip.GzipFile(fileobj=opened)
        elif content.startswith(_XZ):
            self._file = lzma.LZMAFile(opened)  # noqa: SIM115 - of bytes in memory
        self._left = LARGEST_UNPACKED

    def read(self, size: int) -> bytes:
        """Returns some bytes.

        Raises:
            ValueError: There are too many.
        """
        self._left -= size
        if self._left < 0:
            raise ValueError("it unpacks to too much")
        return self._file.read(size)


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
