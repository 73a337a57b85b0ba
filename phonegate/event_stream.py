"""Reads a stream of server-sent events, as the HTML standard (9.2.6) has it. Pure."""

import re
from typing import Final

import attrs

MEDIA: Final = "text/event-stream"
"""The Content-Type of such a stream."""

MAX_LINE_BYTES: Final = 1 << 20
"""A line beyond this is no event of a gateway."""

MAX_EVENT_BYTES: Final = 2 * MAX_LINE_BYTES
"""The lines of data of one event together. A gateway writes each event's in one line."""

_LINE_END: Final = re.compile(b"\r\n|\r|\n")
_MARK: Final = b"\xef\xbb\xbf"
"""The byte order mark with which a stream may begin."""


@attrs.frozen
class StreamEvent:
    """One event of a stream. Without a name, `name` is empty."""

    name: str
    data: str
    id: str = ""
    """The last id that the stream has named so far. Empty before the first."""


class StreamReader:
    """Takes the bytes of a stream and gives its events. Comments give nothing."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._skips_newline = False
        self._name = ""
        self._id = ""
        self.last_id = ""
        """The last id that the stream has named, from which it can go on. Empty before the first.

        A stream may name one without an event: everything up to it has been looked at.
        """
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Takes the next bytes and returns the events that they complete.

        Raises:
            ValueError: A line or an event is too long.
        """
        if self._skips_newline and chunk:
            # A line end of two characters was cut in two, and the line has been read.
            chunk = chunk.removeprefix(b"\n")
            self._skips_newline = False
        text = self._rest + chunk
        if not self._begun and len(text) >= len(_MARK):
            self._begun, text = True, text.removeprefix(_MARK)
        *lines, self._rest = _LINE_END.split(text)
        self._skips_newline = text.endswith(b"\r")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ValueError("a line of the stream is too long")
        events = (self._line(line) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: bytes) -> StreamEvent | None:
        if not line:
            # Not before: an event that was cut off has named its id already.
            self.last_id = self._id
            event = StreamEvent(self._name, "\n".join(self._data), self._id) if self._data else None
            self._name, self._data, self._size = "", [], 0
            return event
        field, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "data":
            self._size += len(line)
            if self._size > MAX_EVENT_BYTES:
                raise ValueError("an event of the stream is too long")
            self._data.append(value)
        return None
