"""Webhooks as the client makes and reads them, and the check of what they are called with. Pure."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final, Literal, Protocol

import attrs

from phonegate.client.errors import BadSignature, NotAGateway
from phonegate.client.events import Event
from phonegate.client.record import Record
from phonegate.standard_webhooks import (
    ID_HEADER,
    SIGNATURE_HEADER,
    TIME_HEADER,
    TOLERANCE_S,
    signs,
)

Shape = Literal["standard", "flat", "twilio", "smsgate"]
"""How the calls of a webhook are written."""


class Keep(Enum):
    """A value that is to stay as it is."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP


@attrs.frozen(kw_only=True)
class Webhook(Record):
    """A URL that the gateway calls with events."""

    id: int
    name: str | None = None
    url: str
    events: tuple[str, ...]
    address: str | None = None
    sim: str | None = None
    phone: int | None = None
    headers: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    shape: str = "standard"
    callbacks: bool = False
    """Whether it stands for the status callbacks of single messages."""
    secret: str | None = attrs.field(default=None, repr=False)
    """Masked: the whole one is shown once, when the webhook is made or its secret changed."""
    old_secret_until: datetime | None = None
    key: str | None = None
    """The API key that made it."""
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    waiting: int = 0
    """Calls that wait for their turn."""
    missed_at: datetime | None = None


@attrs.frozen(kw_only=True)
class NewWebhook(Record):
    """A webhook with its secret, which is shown this once."""

    secret: str = attrs.field(repr=False)
    webhook: Webhook


@attrs.frozen(kw_only=True)
class Delivery(Record):
    """A call of a webhook: what became of it, or when it is tried again."""

    n: int
    event_id: int | None = None
    type: str
    created_at: datetime
    attempts: int
    at: datetime | None = None
    """The last attempt."""
    status: int | None = None
    """What the receiver answered, as a status of HTTP."""
    error: str | None = None
    ms: int | None = None
    answer: str | None = attrs.field(default=None, repr=False)
    next_at: datetime | None = None


@attrs.frozen(kw_only=True)
class CalledWebhook(Record):
    """The call by which a webhook was tested."""

    succeeded: bool
    delivery: Delivery


def changed_filters(
    address: str | Keep | None, sim: str | int | Keep | None, phone: int | Keep | None
) -> dict[str, Any]:
    """Returns the filters of a webhook that are to change, as the API takes them."""
    filters = {"address": (address, ""), "sim": (sim, ""), "phone": (phone, 0)}
    return {
        name: removed if value is None else value
        for name, (value, removed) in filters.items()
        if value is not KEEP
    }


class Headers(Protocol):
    """The headers of a request, as every framework has them."""

    def items(self) -> Iterable[tuple[str, str]]:
        """Returns the names and values."""


def verify_webhook(
    secret: str | Iterable[str],
    headers: Headers,
    body: bytes | str,
    *,
    tolerance_s: float = TOLERANCE_S,
    now: float | None = None,
) -> Event:
    """Checks that a gateway made a call of a webhook of shape `standard`, and reads its event.

    A call may come twice, after an answer that was lost: `event.id` is the same then.

    Args:
        secret: The webhook's, or several: while one is replaced, both are valid.
        headers: Those of the request, however their names are written.
        body: What was received, byte for byte, before any framework has read it as JSON.
        tolerance_s: How much older or newer than this machine's clock a call may be.
        now: The time in seconds since 1970, by default that of the clock.

    Raises:
        BadSignature: It was not made by this gateway, or is too old. Answer it with 400 or 401.
        NotAGateway: It is signed, and yet no event.
    """
    found = {name.lower(): value for name, value in headers.items()}
    try:
        call_id, seconds = found[ID_HEADER], found[TIME_HEADER]
        signatures = found[SIGNATURE_HEADER]
    except KeyError as missing:
        raise BadSignature(f"The call has no header {missing.args[0]}.") from None
    if not (seconds.isascii() and seconds.isdigit()):
        raise BadSignature(f"The header {TIME_HEADER} is no time.")
    data = body.encode() if isinstance(body, str) else body
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not any(signs(one, call_id, seconds, data, signatures) for one in secrets):
        raise BadSignature("The call was not signed with this webhook's secret.")
    clock = time.time() if now is None else now
    if abs(clock - int(seconds)) > tolerance_s:
        raise BadSignature(
            "The call is too old or from the future: are the clocks of both machines right?"
        )
    try:
        return Event.read(json.loads(data))
    except ValueError:
        raise NotAGateway(
            "The call is no event in JSON: is the webhook's shape standard?"
        ) from None
