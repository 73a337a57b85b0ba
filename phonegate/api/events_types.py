"""The queries and answers of `GET /events/{org}`, and the form in which a stream writes events."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import attrs

from phonegate import event_stream
from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.event_json import EventJson
from phonegate.api.messages_types import DEFAULT_PAGE
from phonegate.api.rules import Sender, SimSelector
from phonegate.domain.event_filter import EventFilter, TypeList
from phonegate.model.bounds import MAX_ID, MAX_PAGE
from phonegate.model.refusals import FieldProblem
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import DIGITS, Whole

MAX_WAIT_S: Final = 60
"""Proxies cut off what is silent for longer (nginx: `proxy_read_timeout` 60 s)."""

LAST_EVENT_ID: Final = "Last-Event-ID"
"""What a browser sends when it opens a stream again: the id of the last event that it had."""

_SECRET: Final = "The org's SecretKey, where it is in no header"  # noqa: S105 - a description

_RANGE: Final = re.compile(r"\s*([\w!#$&^.+-]+|\*)/([\w!#$&^.+-]+|\*)\s*(;.*)?")
_QUALITY: Final = re.compile(r";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class EventsQuery:
    """Which events to read or to follow, and for how long to wait."""

    limit: Annotated[int, Whole(1, MAX_PAGE)] = field(
        "At most so many in a page; fewer where texts are long, or where many others had to be "
        "looked through: go on at last_id.",
        default=DEFAULT_PAGE,
        example=100,
    )
    since_id: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "The first ones after this id; without, the newest (a page), or those from now on (a "
        "stream, or with wait).",
        default=None,
        example=0,
    )
    before_id: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "The newest ones before this id, where there is no since_id (a page that does not wait).",
        default=None,
    )
    wait: Annotated[int, Whole(0, MAX_WAIT_S)] | None = field(
        "Seconds to wait for the first event, where a page would have none (long poll). The answer "
        "may come a little earlier without one.",
        default=None,
    )
    types: Annotated[tuple[str, ...], TypeList()] | None = field(
        "Only these types, with commas between them; message.* are all of a kind.",
        default=None,
        example="message.*",
    )
    address: Annotated[str, Sender()] | None = field(
        "Only those of messages from or to this number or name.", default=None, private=True
    )
    sim: Annotated[str, SimSelector()] | None = field(
        "Only those of messages by this SIM as it was then, by number or slot index.",
        default=None,
        private=True,
    )
    phone: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "Only those of this phone, and of messages by it.", default=None
    )

    @property
    def wanted(self) -> EventFilter:
        """The filter that it asks for."""
        return EventFilter(
            types=self.types or (), address=self.address, sim=self.sim, phone=self.phone
        )


@attrs.frozen(kw_only=True)
class EventsAnswer:
    """A page of events."""

    ok: bool = field("Always true.", default=True)
    events: tuple[EventJson, ...] = field("By ascending id.")
    last_id: int = field(
        "Where to go on: the since_id of the next page. It may be beyond the last event here.",
        example=1234,
    )
    gap: bool = field(
        "True where events after since_id are missing: they were older than what is kept, or the "
        "org's events were not recorded yet.",
        default=False,
        omit=True,
    )


def page_text(events: Sequence[bytes], last_id: int, *, gap: bool) -> bytes:
    """Writes an `EventsAnswer` of events that are JSON already."""
    end = b',"gap":true}' if gap else b"}"
    return b'{"ok":true,"events":[%b],"last_id":%d%b' % (b",".join(events), last_id, end)


# --- The stream, as the HTML standard (9.2) has it ---------------------------------------------


def event_text(event: EventJson) -> bytes:
    """Writes an event of a stream."""
    data = CONVERTER.encode(event)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, event.type.encode(), data)


def gap_text(first: int, position: int) -> bytes:
    """Writes that events may be missing.

    Args:
        first: Up to this id.
        position: The id after which those come that are there, which may be lower.
    """
    return b'id: %d\nevent: gap\ndata: {"first":%d}\n\n' % (position, first)


def opening_text(position: int, retry_ms: int, *, blank: bool) -> bytes:
    """Writes the beginning of a stream, so that its client sees at once that it is open.

    Args:
        position: The id after which its events come.
        retry_ms: When to come back after the stream was lost.
        blank: Whether a blank line follows. By the standard an id counts only with one. To many
            programs each such line is an event without data, which they would stumble upon.
    """
    return b": events\nretry: %d\nid: %d\n%b" % (retry_ms, position, b"\n" if blank else b"")


def silence_text(position: int, *, blank: bool) -> bytes:
    """Writes what is sent while there is no event: that the stream is there, and how far it is."""
    return b": no event\nid: %d\n%b" % (position, b"\n" if blank else b"")


def last_event_id(headers: Mapping[str, str]) -> int | None:
    """Returns the last event that a client had before it opened a stream again.

    Raises:
        BadInput: It is no id.
    """
    text = headers.get(LAST_EVENT_ID.lower(), "")
    if not text:
        return None
    if not DIGITS.fullmatch(text) or not 0 <= int(text) <= MAX_ID:
        raise refusal((FieldProblem(LAST_EVENT_ID, "must be the id of an event"),))
    return int(text)


def wants_stream(headers: Mapping[str, str]) -> bool:
    """Tells whether a client asks for a stream, and not rather for JSON (RFC 9110, 12.5.1)."""
    stream = json = 0.0
    for part in headers.get("accept", "").split(","):
        found = _RANGE.fullmatch(part)
        if found is None:
            continue
        quality = _QUALITY.search(found[3] or "")
        weight = 1.0 if quality is None else min(float(quality[1]), 1.0)
        name = f"{found[1]}/{found[2]}".lower()
        if name == event_stream.MEDIA:
            stream = weight
        elif name == "application/json":
            json = weight
    return stream > 0 and stream >= json
