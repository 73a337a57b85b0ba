"""The parts of received MMS: which are kept, how they are read, and what they are given out as."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

import attrs

from phonegate.domain import message_access
from phonegate.domain.reported_texts import label
from phonegate.model.bounds import MAX_MMS_BYTES, MAX_PART_BYTES, MAX_PARTS
from phonegate.model.media import Part
from phonegate.model.messages import Message
from phonegate.model.principal import SCOPES, Principal, allows, usable
from phonegate.model.refusals import Forbidden, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables

UNKNOWN: Final = "application/octet-stream"
"""What is given out of a type that is not on the list, so that no program opens it by itself."""

TEXT: Final = "text/plain"

ENDINGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "image/jpeg": (".jpg", ".jpeg"),
        "image/png": (".png",),
        "image/gif": (".gif",),
        "image/webp": (".webp",),
        "image/bmp": (".bmp",),
        "image/heic": (".heic",),
        "image/heif": (".heif",),
        "audio/aac": (".aac",),
        "audio/amr": (".amr",),
        "audio/amr-wb": (".awb",),
        "audio/mp4": (".m4a", ".mp4"),
        "audio/mpeg": (".mp3",),
        "audio/ogg": (".ogg", ".oga"),
        "audio/3gpp": (".3gp", ".3gpp"),
        "video/mp4": (".mp4",),
        "video/mpeg": (".mpg", ".mpeg"),
        "video/webm": (".webm",),
        "video/3gpp": (".3gp", ".3gpp"),
        "video/3gpp2": (".3g2",),
        TEXT: (".txt",),
        "text/vcard": (".vcf",),
        "text/x-vcard": (".vcf",),
        UNKNOWN: (".bin",),
    }
)
"""The types that parts are given out as, with the endings of their files, the usual one first. All
are types of OMA's MMS Conformance Document or what phones of today send. None is one that a browser
runs, as it runs HTML and SVG."""

_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
"""A media type (RFC 6838, 4.2), of half the length that one may have."""

_SHOWN: Final = 3
"""Parts that a remark names."""


def part(content_type: str | None, name: str | None, data: bytes) -> Part:
    """Returns a part as a phone reports it, with what is odd put right."""
    declared = (content_type or "").partition(";")[0].strip().lower()
    base = (name or "").replace("\\", "/").rpartition("/")[2]
    return Part(
        content_type=declared if _TYPE.fullmatch(declared) else UNKNOWN,
        name=label(base),
        data=data,
    )


def select(
    parts: Iterable[Part], stored: Collection[bytes] = (), stored_bytes: int = 0
) -> tuple[list[Part], list[Part]]:
    """Says which parts of an MMS are to be kept, and which must be left out.

    Args:
        parts: As reported.
        stored: The digests of those that the message has already. They count, and are in neither
            list. Equal parts are kept once.
        stored_bytes: What those have together.
    """
    kept: list[Part] = []
    beyond: list[Part] = []
    seen = set(stored)
    room = MAX_MMS_BYTES - stored_bytes
    for one in parts:
        if one.digest in seen:
            continue
        if len(one.data) > min(MAX_PART_BYTES, room) or len(seen) >= MAX_PARTS:
            beyond.append(one)
        else:
            seen.add(one.digest)
            kept.append(one)
            room -= len(one.data)
    return kept, beyond


def remark(left_out: Sequence[Part]) -> str | None:
    """Returns what a reader of the message should know of the parts that were left out."""
    if not left_out:
        return None
    shown = [f"{one.content_type} ({len(one.data):,} bytes)" for one in left_out[:_SHOWN]]
    if len(left_out) > _SHOWN:
        shown.append(f"{len(left_out) - _SHOWN} more")
    return (
        f"Not kept of this MMS: {', '.join(shown)}. At most {MAX_PARTS} parts are kept, of at most "
        f"{MAX_PART_BYTES:,} bytes each and {MAX_MMS_BYTES:,} together."
    )


@attrs.frozen(kw_only=True)
class File:
    """A part as it is given out."""

    content_type: str
    name: str = attrs.field(repr=False)
    data: bytes = attrs.field(repr=False)


def file(message_id: int, number: int, found: Part) -> File:
    """Returns a part as a file whose name fits its type."""
    content_type = found.content_type if found.content_type in ENDINGS else UNKNOWN
    endings = ENDINGS[content_type]
    name = found.name or f"{message_id}-{number}"
    if PurePosixPath(name).suffix.lower() not in endings:
        name += endings[0]
    return File(content_type=content_type, name=name, data=found.data)


class Media:
    """Reads parts for callers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def file(self, reader: Principal, message_id: int, number: int) -> File:
        """Returns a part of a received MMS.

        Raises:
            NotFound: There is none, or the reader may not see its message.
            Forbidden: It may show a code that the reader must not see.
        """
        return await self._database.read(lambda tx: _file(tx, reader, message_id, number))

    async def types(self, reader: Principal, message_id: int) -> tuple[Message, list[str]]:
        """Returns a message, and as what types its parts are given out, in their order.

        Raises:
            NotFound: There is none, or the reader may not see it.
        """

        def op(tx: Tables) -> tuple[Message, list[str]]:
            message = message_access.find(tx, reader, message_id)
            if message is None:
                raise NotFound(f"No message {message_id} in this org.")
            declared = tx.media_parts.content_types(message_id) if message.parts else ()
            return message, [one if one in ENDINGS else UNKNOWN for one in declared]

        return await self._database.read(op)

    async def attachment(self, org: int, sent: int, message_id: int, number: int) -> File:
        """Returns a part of a received MMS that a message of the same org takes along.

        Args:
            org: The org.
            sent: The message that takes it along. What its sender may not read, it can't send.
            message_id: The received MMS.
            number: The part.

        Raises:
            NotFound, Forbidden: As `file`. Or the sender may read nothing.
        """

        def op(tx: Tables) -> File:
            message = tx.messages.find(org, sent)
            key = None if message is None or message.key is None else tx.keys.get(message.key)
            if message is None or (message.key is not None and key is None):
                raise Forbidden("The API key of this message is gone.")
            scopes = SCOPES if key is None else usable(key)
            if not allows(scopes, "read"):
                raise Forbidden("The API key of this message may read nothing.")
            reader = Principal(
                org=org,
                org_name="" if key is None else key.org_name,
                scopes=scopes,
                key_id=None if key is None else key.id,
                limits=None if key is None else key.limits,
            )
            return _file(tx, reader, message_id, number)

        return await self._database.read(op)


def _file(tx: Tables, reader: Principal, message_id: int, number: int) -> File:
    message = message_access.find(tx, reader, message_id)
    found = tx.media_parts.get(message_id, number) if message else None
    if message is None or found is None:
        raise NotFound(f"No part {number} of a message {message_id} in this org.")
    if reader.limits is not None and reader.limits.codes_hidden:
        found = _without_codes(message.address, found)
    return file(message_id, number, found)


def _without_codes(address: str, found: Part) -> Part:
    """Returns a part as a reader sees it from whom one-time codes are hidden.

    Raises:
        Forbidden: It can't be known what it shows.
    """
    if found.content_type == TEXT and (text := plain_text(found.data)) is not None:
        return Part(content_type=TEXT, data=message_access.without_codes(address, text).encode())
    if found.content_type in ENDINGS and found.content_type.startswith(("image", "audio", "video")):
        return Part(content_type=found.content_type, data=found.data)
    raise Forbidden(
        "This part may hold a one-time code, and those are hidden from this API key, which gets "
        "pictures, sounds, videos and plain text in UTF-8."
    )


def plain_text(data: bytes) -> str | None:
    """Returns the text of data in UTF-8. None for others: in UTF-16 every character has a NUL."""
    try:
        return None if b"\0" in data else data.decode("utf-8")
    except UnicodeDecodeError:
        return None
