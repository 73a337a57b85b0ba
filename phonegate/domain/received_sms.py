"""Received SMS as phones report them, by `POST /webhook` or over their links. Pure."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Annotated, Any, Final

import attrs

from phonegate.domain.inbox import Received
from phonegate.domain.reported_values import (
    Body,
    Date,
    Kind,
    LocalId,
    Media,
    Reported,
    Sender,
    SimNumber,
    Slot,
)
from phonegate.model.bounds import MAX_RECEIVED, MAX_URL
from phonegate.typed_json.fields import Wrong, field, fields_of


@attrs.frozen(kw_only=True)
class ReceivedSms:
    """An SMS that a phone received. It needs a body. What else is odd is put right or left out."""

    address: Annotated[str | None, Sender()] = field(
        "Who sent it. Empty where it named no sender.", default=None, example="+15553334444"
    )
    body: Annotated[str | None, Body()] = field(
        f"Its text, of which {MAX_RECEIVED} characters are kept. Only an MMS may leave it out.",
        default=None,
        example="hello",
        private=True,
    )
    date: Annotated[int | None, Date()] = field(
        "When, by the phone's clock, in ms since 1970. Seconds are taken too, and ISO 8601 with an "
        "offset.",
        default=None,
        example=1700000000000,
    )
    sim_slot: Annotated[int | None, Slot()] = field(
        "The receiving SIM's slot; -1 is as good as none.", default=None, example=0
    )
    sim: Annotated[str | None, SimNumber()] = field("The receiving SIM's number.", default=None)
    id: Annotated[str | int | None, LocalId()] = field(
        "The phone's own id of it, text or integer; tells equal texts apart. A phone that said "
        "hello gets it back in inbound_ack.",
        default=None,
        example="123",
    )
    media_urls: Annotated[tuple[str, ...] | None, Media()] = field(
        f"Pictures and other media of an MMS, up to {MAX_URL} characters each.", default=None
    )


@attrs.frozen(kw_only=True)
class Unread:
    """An entry of a list of received SMS that could not be read, while the others were."""

    local_id: str | int | None
    field: str
    """Of the entry. Empty where it is no object."""
    problem: str
    """As a sentence after the field's name."""


_TAKE: Final[Any] = SimpleNamespace(
    **{f.name: f.rule.take for f in fields_of(ReceivedSms) if isinstance(f.rule, Reported)}
)
"""How each field is read."""


def read_received(values: Sequence[object], cleaned: list[Kind]) -> tuple[Received | Unread, ...]:
    """Reads received SMS, each by itself: one that can't be read costs the others nothing.

    Args:
        values: As parsed from JSON.
        cleaned: Gets the kind of each thing that is put right.
    """
    return tuple(_read_one(value, cleaned) for value in values)


def _read_one(value: object, cleaned: list[Kind]) -> Received | Unread:
    if type(value) is not dict:
        cleaned.append("entry")
        return Unread(local_id=None, field="", problem="must be an object")
    get = value.get
    local_id = _TAKE.id(get("id"), cleaned)
    before = len(cleaned)
    media = _TAKE.media_urls(get("media_urls"), cleaned)
    body, problem = "", None if "body" in value else "is missing"
    if problem is None:
        try:
            body = _TAKE.body(get("body"), cleaned)
        except Wrong as error:
            problem = str(error)
    if problem is not None:
        if "media_urls" not in value:
            cleaned.append("entry")
            return Unread(local_id=local_id, field="body", problem=problem)
        # An MMS may have no text at all, and it happened whatever can be kept of its media.
        if "body" in value or (media is None and len(cleaned) == before):
            cleaned.append("media")
    address, given = _TAKE.address(get("address"), cleaned), get("address")
    return Received(
        address=address,
        given_address=given if type(given) is str and given != address else None,
        body=body,
        date=_TAKE.date(get("date"), cleaned),
        sim_slot=_TAKE.sim_slot(get("sim_slot"), cleaned),
        sim=_TAKE.sim(get("sim"), cleaned),
        local_id=local_id,
        media_urls=media,
    )
