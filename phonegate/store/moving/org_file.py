"""The file of an org: lines of JSON, packed by gzip in pieces that each say whether they are whole.

The first line is the *head*: what the file is, and the org's own row. Each line after it is a
*chunk* with rows of one table. The last line is the *foot*, which counts the chunks and has the
SHA-256 of all lines before it. Each line is a gzip member of its own (RFC 1952, 2.2), with a
checksum: `zcat` reads the file, a damaged or cut one is found out, and what was written before a
crash can be gone on with. Bytes are objects with their base64. Pure, but for the streams that it is
given.
"""

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, Final

import attrs

from phonegate.model.bounds import MAX_ID

FORMAT: Final = 1
"""Grows when a reader of before would misunderstand a file."""

LEVEL: Final = 1
"""Of the packing. Higher ones take several times as long for a tenth less."""

READ_BYTES: Final = 65_536
"""Bytes that are read at once."""

LONGEST_LINE: Final = 24 * 1024 * 1024
"""Most bytes of a line. The longest that is written has one row, the draft of a batch, which has up
to 16 MiB (`domain/batches.py`) and a third more for base64. To parse more stops other orgs."""

MOST_GIVEN: Final = 1 << 48
"""The highest id that a file may say was given. No gateway comes near it, and ids stay exact in
programs that take numbers for floats (RFC 8259, 6) however often an org moves."""

FOR_READING: Final = (
    "This file is for reading. It lacks the credentials of the org, so no gateway takes it in."
)
"""What the head of a file without credentials says of it."""

LONGEST_VERSION: Final = 40
"""Characters of a version that are shown."""

_HALF: Final = re.compile("[\ud800-\udfff]")

_GZIP: Final = 16 + zlib.MAX_WBITS
"""Has zlib read and write gzip members."""

Row = list[Any]


class FileProblem(Exception):
    """A file is none of an org, is not whole, or is of a newer phonegate. The text says which."""


@attrs.frozen(kw_only=True)
class Head:
    """What a file is of."""

    note: str | None = None
    """Why no gateway takes the file in, in words for its reader. None: one does."""
    id: str
    """Names this export: no other has it."""
    schema: int
    """The version of the tables."""
    version: str
    """The phonegate that wrote it."""
    made_at: int
    """In ms."""
    suspended_at: int | None
    """Since when the org is not served, so that the file is all of it. None: it went on."""
    org: Mapping[str, Any] = attrs.field(repr=False)
    """Its own row."""
    tables: Mapping[str, tuple[str, ...]]
    """The columns of the rows in chunks, by table."""
    given: Mapping[str, int]
    """The highest id that the gateway had given in each space."""
    marks: Mapping[str, int]
    messages: int
    """About how many messages follow."""


Reached = tuple[str, tuple[Any, ...]]
"""How far an export has come: a table, and the key of its last row."""


@attrs.frozen(kw_only=True)
class Chunk:
    """Some rows of one table."""

    number: int
    """Counted from 0."""
    table: str
    rows: list[Row] = attrs.field(repr=False)
    reached: Reached | None = None
    """Set where all up to there is in the file by now."""


class Lines:
    """Writes lines to a file, and knows what the foot will say."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._rows: dict[str, int] = {}
        self._chunks = 0

    @property
    def chunks(self) -> int:
        """How many chunks there are so far."""
        return self._chunks

    def head(self, head: Head) -> None:
        """Writes the first line."""
        fields = attrs.asdict(head, recurse=False)
        self._write({"phonegate_org": FORMAT, **fields, "tables": dict(head.tables)})

    def chunk(self, chunk: Chunk) -> None:
        """Writes rows."""
        self._write(_of_chunk(chunk))
        self._count(chunk)

    def foot(self) -> None:
        """Writes the last line."""
        self._write(
            {"chunks": self._chunks, "rows": self._rows, "sha256": self._digest.hexdigest()}
        )

    def resume(self, line: bytes, chunk: Chunk | None) -> None:
        """Takes note of a line that is in the file already."""
        self._digest.update(line)
        if chunk is not None:
            self._count(chunk)

    def _count(self, chunk: Chunk) -> None:
        self._chunks += 1
        self._rows[chunk.table] = self._rows.get(chunk.table, 0) + len(chunk.rows)

    def _write(self, fields: Mapping[str, Any]) -> None:
        text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=_packed)
        line = text.encode("utf-8", "surrogatepass") + b"\n"
        self._digest.update(line)
        packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
        self._file.write(packer.compress(line) + packer.flush())


def members(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yields the lines of a file, each with the place at which it ends there.

    Raises:
        FileProblem: It is damaged, or ends within a line.
    """
    unpacker = zlib.decompressobj(_GZIP)
    line, end = b"", 0
    piece = file.read(READ_BYTES)
    if not piece:
        raise FileProblem("it is empty")
    while piece:
        try:
            line += unpacker.decompress(piece, LONGEST_LINE + 1 - len(line))
        except zlib.error:
            what = "it is damaged" if end else "it is no file of an org"
            raise FileProblem(f"{what} (at byte {end})") from None
        if len(line) > LONGEST_LINE:
            raise FileProblem(f"it is damaged (at byte {end}): a line is too long")
        if not unpacker.eof:
            end += len(piece)
            piece = file.read(READ_BYTES)
            if not piece:
                raise FileProblem("it is cut off: its end is missing")
            continue
        piece, end = unpacker.unused_data, end + len(piece) - len(unpacker.unused_data)
        yield line, end
        unpacker, line = zlib.decompressobj(_GZIP), b""
        piece = piece or file.read(READ_BYTES)


class Reader:
    """Reads a file from its beginning, and finds out whether it is whole.

    Args:
        file: What to read.
        schema: The version of the tables here.
    """

    def __init__(self, file: IO[bytes], schema: int) -> None:
        self._members = members(file)
        self._digest = hashlib.sha256()
        self.at = 0
        """How far it has read, in bytes of the file."""
        self.head = self._head(schema)

    def _head(self, schema: int) -> Head:
        fields = self._next("it is empty")
        kind = fields.pop("phonegate_org", None)
        if not _is_whole(kind) or not _is_whole(fields.get("schema")):
            raise FileProblem("it is no file of an org")
        if kind > FORMAT or fields["schema"] > schema:
            version = str(fields.get("version"))[:LONGEST_VERSION]
            raise FileProblem(
                f"phonegate {version!a} wrote it, which is newer than this one: update this "
                "gateway first"
            )
        head = head_of(fields)
        if head is None:
            raise FileProblem("it is damaged: its first line lacks something")
        return head

    def chunks(self) -> Iterator[Chunk]:
        """Yields the chunks. It ends where the foot says that all was there.

        Raises:
            FileProblem: It is not whole.
        """
        count, rows = 0, dict[str, int]()
        while True:
            before = self._digest.hexdigest()
            fields = self._next("it is cut off: its end is missing")
            if "sha256" in fields:
                foot = (fields.get("chunks"), fields.get("rows"), fields["sha256"])
                if foot != (count, rows, before):
                    raise FileProblem("it is damaged: its parts don't fit its end")
                if next(self._members, None) is not None:
                    raise FileProblem("it is damaged: something follows its end")
                return
            chunk = _chunk(fields)
            if chunk.number != count:
                raise FileProblem("it is damaged: a part is missing or stands twice")
            if not _fits(chunk, self.head):
                raise FileProblem(f"it is damaged: rows of part {count} are none")
            count += 1
            rows[chunk.table] = rows.get(chunk.table, 0) + len(chunk.rows)
            yield chunk

    def _next(self, missing: str) -> dict[str, Any]:
        found = next(self._members, None)
        if found is None:
            raise FileProblem(missing)
        line, self.at = found
        self._digest.update(line)
        return parsed(line)


def parsed(line: bytes) -> dict[str, Any]:
    """Returns the fields of a line.

    Raises:
        FileProblem: It is no JSON object.
    """
    try:
        fields = json.loads(line.decode("utf-8", "surrogatepass"), object_hook=_unpacked)
    except (ValueError, RecursionError):
        raise FileProblem("it is no file of an org") from None
    if not isinstance(fields, dict):
        raise FileProblem("it is no file of an org")
    return fields


def chunk_of(line: bytes) -> Chunk:
    """Returns the chunk of a line."""
    return _chunk(parsed(line))


def head_of(fields: dict[str, Any]) -> Head | None:
    """Returns the head that a line's fields are. None where they are none."""
    try:
        tables = {name: tuple(columns) for name, columns in fields.pop("tables").items()}
        head = Head(tables=tables, **fields)
        whole = (head.schema, head.made_at, head.messages, head.org["id"], head.suspended_at or 0)
        texts = (head.id, head.version, head.org["name"], head.note or "")
        given, marks = head.given.values(), head.marks.values()
        listed = [name for columns in tables.values() for name in columns]
    except (KeyError, TypeError, AttributeError):
        return None
    fits = (
        all(map(_is_whole, whole))
        and all(isinstance(one, str) for one in (*texts, *listed))
        and all(_is_whole(one) and 0 <= one <= MOST_GIVEN for one in (*given, *marks))
        and all(map(_is_value, head.org.values()))
        and all(len(set(columns)) == len(columns) for columns in tables.values())
    )
    return head if fits else None


def _chunk(fields: dict[str, Any]) -> Chunk:
    try:
        reached = fields.get("reached")
        return Chunk(
            number=fields["number"],
            table=fields["table"],
            rows=fields["rows"],
            reached=None if reached is None else (reached[0], tuple(reached[1])),
        )
    except (KeyError, TypeError, IndexError):
        raise FileProblem("it is damaged: a line of it is no part") from None


def _fits(chunk: Chunk, head: Head) -> bool:
    """Tells whether a chunk's rows have what the head says, in values that a database takes."""
    if not isinstance(chunk.table, str) or not isinstance(chunk.rows, list):
        return False
    width = len(head.tables.get(chunk.table, ()))
    return all(
        isinstance(row, list) and len(row) == width and all(map(_is_value, row))
        for row in chunk.rows
    )


def _is_whole(value: object) -> bool:
    return type(value) is int and -MAX_ID - 1 <= value <= MAX_ID


def _is_value(value: object) -> bool:
    if isinstance(value, str):
        # Half an emoji is no text to SQLite.
        return _HALF.search(value) is None
    return value is None or isinstance(value, bytes) or _is_whole(value)


def _of_chunk(chunk: Chunk) -> dict[str, Any]:
    fields = {"number": chunk.number, "table": chunk.table, "rows": chunk.rows}
    return fields if chunk.reached is None else {**fields, "reached": chunk.reached}


def _packed(value: object) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"no JSON for {type(value).__name__}")


def _unpacked(fields: dict[str, Any]) -> Any:
    if len(fields) == 1 and isinstance(text := fields.get("base64"), str):
        return base64.b64decode(text)
    return fields
