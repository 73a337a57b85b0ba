"""What the carriers saw and did, for tests to hold the gateway against."""

import base64
from collections import deque
from typing import Any

import attrs

from kit.fake_carrier.accounts import CarrierName
from kit.fake_carrier.message import Sms

MEMORY = 100_000
"""Requests and callbacks remembered: enough for any test, bounded for a program left running."""


@attrs.frozen(kw_only=True)
class SeenRequest:
    """One request, byte for byte as it came, and what was done with it."""

    at_ms: int
    carrier: CarrierName | None
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    """Lower-case names, in the order they came."""
    body: bytes
    raw: bytes
    """Head and body as they came over the wire, chunked framing included."""
    fault: str | None
    status: int | None
    """What the carrier decided, answered or not. None when it never read the request."""
    accepted: str | None
    """The id of the message that it accepted with this request."""

    def plain(self) -> dict[str, Any]:
        return {
            **attrs.asdict(self),
            "body": base64.b64encode(self.body).decode(),
            "raw": base64.b64encode(self.raw).decode(),
        }


@attrs.frozen(kw_only=True)
class SentCallback:
    """One call of a webhook, and how it was answered: a status, or else an error."""

    at_ms: int
    carrier: CarrierName
    message: str
    event: str
    """The reported state, or `received`."""
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    attempt: int
    status: int | None = None
    answer: bytes = b""
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        return {
            **attrs.asdict(self),
            "body": self.body.decode(),
            "answer": self.answer.decode(errors="replace"),
        }


class Ledger:
    """Kept in order of events; `accepted` holds an entry for each SMS on the air."""

    def __init__(self) -> None:
        self.accepted: list[Sms] = []
        self.received: list[Sms] = []
        self.requests: deque[SeenRequest] = deque(maxlen=MEMORY)
        self.callbacks: deque[SentCallback] = deque(maxlen=MEMORY)

    def on_air(
        self, *, to: str | None = None, text: str | None = None, carrier: CarrierName | None = None
    ) -> list[Sms]:
        """Returns the SMS accepted, of those that are asked for."""
        return [
            sms
            for sms in self.accepted
            if (to is None or sms.recipient == to)
            and (text is None or sms.text == text)
            and (carrier is None or sms.carrier == carrier)
        ]

    def sends(self, carrier: CarrierName | None = None) -> list[SeenRequest]:
        """Returns the requests that asked to send a message."""
        return [
            seen
            for seen in self.requests
            if seen.method == "POST"
            and seen.target.split("?")[0].endswith(("/Messages.json", "/v2/messages"))
            and (carrier is None or seen.carrier == carrier)
        ]

    def plain(self) -> dict[str, Any]:
        return {
            "accepted": [sms.plain() for sms in self.accepted],
            "received": [sms.plain() for sms in self.received],
            "requests": [seen.plain() for seen in self.requests],
            "callbacks": [sent.plain() for sent in self.callbacks],
        }
