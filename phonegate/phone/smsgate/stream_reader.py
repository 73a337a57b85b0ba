"""Reads a stream of server-sent events, as the HTML standard (9.2.6) has it. Pure."""

import attrs

MAX_LINE_BYTES = 1 << 20
"""A line beyond this is no event of a gateway."""


@attrs.frozen
class StreamEvent:
    """One event of a stream. Without a name, `name` is empty."""

    name: str
    data: str


class StreamReader:
    """Takes the bytes of a stream and gives its events. Comments give nothing."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Takes the next bytes and returns the events that they complete.

        Raises:
            ValueError: A line is too long.
        """
        *lines, self._rest = (self._rest + chunk).replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ValueError("a line of the stream is too long")
        events = (self._line(line.decode(errors="replace")) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: str) -> StreamEvent | None:
        if not line:
            event = StreamEvent(self._name, "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        return None
