"""Writes what became of a message as its sender's status callback wants it. Pure.

Sources: twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks; Jasmin's
`misc/doc/sources/apis/http/index.rst` and `jasmin/routing/throwers.py`; Kannel's user guide,
"Delivery reports" and "Parameters (escape codes)", with `gw/urltrans.c` where that says less.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import attrs

from phonegate.events.webhooks import shapes
from phonegate.model.callbacks import (
    JASMIN_FINAL,
    JASMIN_SENT,
    KANNEL_DELIVERED,
    KANNEL_QUEUED,
    KANNEL_REJECTED,
    KANNEL_SENT,
    KANNEL_UNDELIVERED,
    Callback,
    CallbackShape,
    Method,
)
from phonegate.model.events import Event
from phonegate.model.messages import MessageView

ACKNOWLEDGED: Final = b"ACK/Jasmin"
"""With this begins the answer of one of Jasmin's clients that has taken a report."""

_TAKEN: Final = "ESME_ROK"
"""Jasmin's word for a message that the carrier took, and for one that it did not (SMPP 3.4, 5.1.3).
"""
_NOT_TAKEN: Final = "ESME_RSUBMITFAIL"

_ENDS: Final[Mapping[str, str]] = {
    "message.delivered": "DELIVRD",
    "message.failed": "UNDELIV",
    "message.expired": "EXPIRED",
    "message.cancelled": "DELETED",
    "message.uncertain": "UNKNOWN",
}
"""What became of a message, in the words of SMPP 3.4 (5.2.28). One that was never sent and fails is
`REJECTD`."""

_NEVER_SENT: Final = frozenset({"message.failed", "message.expired", "message.cancelled"})

_ESCAPE: Final = re.compile(r"%(.)", re.DOTALL)
"""An escape of Kannel's."""


@attrs.frozen(kw_only=True)
class Report:
    """A status callback as it is sent."""

    url: str = attrs.field(repr=False)
    method: Method
    fields: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    """What is signed one by one: of a form that is posted."""
    body: bytes = attrs.field(default=b"", repr=False)
    expected: bytes = b""
    """What the answer must begin with."""


def wants(callback: Callback, event: Event) -> bool:
    """Tells whether a status callback is called with an event of its message."""
    message = event.message
    return message is not None and _WANTS[callback.shape](callback, event.type, message)


def write(callback: Callback, event: Event, shown: Mapping[str, Any]) -> Report:
    """Writes what a status callback is called with.

    Args:
        callback: The callback of the event's message, which `wants` it.
        event: What happened, and of which message it is reported.
        shown: The same as the API shows it.
    """
    if event.message is None:
        raise ValueError(f"{event.type} is of no message")
    if callback.shape == "kannel":
        return Report(url=_filled(callback, event, event.message), method="GET")
    if callback.shape == "twilio":
        fields = shapes.twilio_fields(shown, event.org)
        return with_fields(callback.url, callback.method, fields)
    fields = tuple(_jasmin(callback, event, event.message))
    made = with_fields(callback.url, callback.method, fields)
    return attrs.evolve(made, expected=ACKNOWLEDGED)


def with_fields(url: str, method: Method, fields: tuple[tuple[str, str], ...]) -> Report:
    """Returns a form: posted, or in the query of the URL."""
    text = urlencode(fields, errors="replace")
    if method == "POST":
        return Report(url=url, method=method, fields=fields, body=text.encode())
    mark = "&" if "?" in url else "?"
    return Report(url=f"{url}{mark}{text}", method=method)


def _was_sent(message: MessageView) -> bool:
    return message.sent_at is not None


def _was_not_said_sent(message: MessageView) -> bool:
    """Tells whether a delivery was the first sign that a message was sent, or may have been it."""
    return message.sent_at == message.delivered_at


# -- twilio


def _twilio_wants(_: Callback, kind: str, message: MessageView) -> bool:
    # RapidPro answers 400 to "sending", which would be repeated, and hold back what follows it.
    is_known = kind != "message.sending" and shapes.has_form("twilio", kind)
    return message.direction == "out" and is_known


# -- jasmin


def _jasmin_level(callback: Callback, kind: str, message: MessageView) -> int | None:
    """Returns the level of a report. None where there is none.

    Jasmin itself reports a message that no carrier took at level 1 alone. Who has asked for level 2
    would never know of it.
    """
    if kind in _ENDS and callback.mask & JASMIN_FINAL:
        return JASMIN_FINAL
    if callback.mask & JASMIN_SENT and (
        kind == "message.sent"
        or (kind in _NEVER_SENT and not _was_sent(message))
        or (kind == "message.delivered" and _was_not_said_sent(message))
    ):
        return JASMIN_SENT
    return None


def _jasmin_wants(callback: Callback, kind: str, message: MessageView) -> bool:
    return _jasmin_level(callback, kind, message) is not None


def _jasmin(callback: Callback, event: Event, message: MessageView) -> Iterator[tuple[str, str]]:
    kind, id_ = event.type, str(message.id)
    level = _jasmin_level(callback, kind, message)
    yield "id", id_
    yield "level", str(level)
    yield "connector", message.provider
    if level == JASMIN_SENT:
        yield "message_status", _NOT_TAKEN if kind in _NEVER_SENT else _TAKEN
        return
    yield "message_status", _end(kind, message)
    yield "id_smsc", id_
    yield from _receipt(event, message).items()
    yield "text", ""


def _end(kind: str, message: MessageView) -> str:
    rejected = kind == "message.failed" and not _was_sent(message)
    return "REJECTD" if rejected else _ENDS[kind]


def _receipt(event: Event, message: MessageView) -> dict[str, str]:
    """Returns the numbers and times of an SMPP receipt (3.4, appendix B), in its order."""
    parts = min(message.segments or 1, 999)
    arrived = parts if event.type == "message.delivered" else 0
    done = message.delivered_at or event.at
    return {
        "sub": f"{parts:03d}",
        "dlvrd": f"{arrived:03d}",
        "subdate": _time(message.created_at, "%y%m%d%H%M"),
        "donedate": _time(done, "%y%m%d%H%M"),
        "err": "000" if arrived else "001",
    }


# -- kannel


def _kannel_value(callback: Callback, kind: str, message: MessageView) -> int | None:
    """Returns the bit of a report. None where there is none.

    As with Kannel, who asks for failures hears of a message that no carrier took too.
    """
    mask = callback.mask
    if kind == "message.queued" and mask & KANNEL_QUEUED:
        return KANNEL_QUEUED
    if kind == "message.delivered" and mask & KANNEL_DELIVERED:
        return KANNEL_DELIVERED
    sent = kind == "message.delivered" and _was_not_said_sent(message)
    if (kind == "message.sent" or sent) and mask & KANNEL_SENT:
        return KANNEL_SENT
    if kind in _NEVER_SENT:
        if _was_sent(message):
            return KANNEL_UNDELIVERED if mask & KANNEL_UNDELIVERED else None
        return KANNEL_REJECTED if mask & (KANNEL_REJECTED | KANNEL_UNDELIVERED) else None
    return None


def _kannel_wants(callback: Callback, kind: str, message: MessageView) -> bool:
    return _kannel_value(callback, kind, message) is not None


def _filled(callback: Callback, event: Event, message: MessageView) -> str:
    """Returns the URL with its escapes replaced, each value encoded for a URL.

    An escape that there is none for stays as it is, such as the `%20` of a blank. None can stand
    before the path: no host that can be called has a `%`.
    """
    value = _kannel_value(callback, event.type, message)
    values = dict(_kannel_values(value, event, message))

    def fill(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        text = values.get(found[1])
        return found[0] if text is None else quote_plus(text, errors="replace")

    return _ESCAPE.sub(fill, callback.url)


def _kannel_values(
    value: int | None, event: Event, message: MessageView
) -> Iterator[tuple[str, str]]:
    """Yields what the escapes stand for. The text of a report is what the SMSC has said."""
    id_, sender = str(message.id), message.sim or ""
    reply = _kannel_reply(value, event, message)
    yield "d", str(value)
    yield from ((name, reply) for name in "Aab")
    yield "k", reply.partition(" ")[0]
    yield "r", reply.partition(" ")[2]
    yield from (("p", sender), ("q", sender), ("P", message.address), ("Q", message.address))
    yield from (("i", message.provider), ("I", id_), ("F", id_))
    yield "t", _time(event.at, "%Y-%m-%d %H:%M:%S")
    yield "T", str(event.at // 1000)
    yield from (("c", "0"), ("C", "UTF-8"), ("m", "-1"), ("M", "-1"), ("O", "00"))
    yield from ((name, "") for name in "BDfnoRsSuvV")


def _kannel_reply(value: int | None, event: Event, message: MessageView) -> str:
    """Returns what an SMSC would have said: of how it ended, a receipt of SMPP's."""
    if value == KANNEL_REJECTED:
        return f"NACK/{message.error or _ENDS[event.type]}"
    if value in (KANNEL_SENT, KANNEL_QUEUED):
        return "ACK/"
    names = {"subdate": "submit date", "donedate": "done date"}
    receipt = _receipt(event, message)
    err = receipt.pop("err")
    numbers = " ".join(f"{names.get(name, name)}:{text}" for name, text in receipt.items())
    return f"id:{message.id} {numbers} stat:{_end(event.type, message)} err:{err} text:"


def _time(at: int, form: str) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime(form)


_WANTS: Final[Mapping[CallbackShape, Callable[[Callback, str, MessageView], bool]]] = {
    "twilio": _twilio_wants,
    "jasmin": _jasmin_wants,
    "kannel": _kannel_wants,
}
