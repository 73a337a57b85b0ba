"""What happens to a message after it was accepted, and which are refused at once, by recipient.

Twilio's documented test numbers are refused as Twilio does. Beside them `+150055` and a
carrier's error code (`+15005530003`, `+15005540001`) is a number to which a message fails with
that code after it was accepted, and `+15005500000` one whose delivery is never reported.
"""

import re
from collections.abc import Mapping

import attrs

MAGIC = "+150055"
SILENT = MAGIC + "00000"

NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
SHORT_CODE = re.compile(r"[0-9]{3,8}")

TWILIO_REFUSED: Mapping[str, tuple[int, str]] = {
    "+15005550001": (21211, "Invalid 'To' Phone Number: +15005550001"),
    "+15005550002": (21612, "The 'To' phone number +15005550002 is not currently reachable"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "To number: +15005550009, is not a mobile number"),
}
"""Recipients at which Twilio's test credentials refuse."""

TWILIO_FAILURES: Mapping[int, tuple[str, str]] = {
    30001: ("failed", "Queue overflow"),
    30002: ("failed", "Account suspended"),
    30003: ("undelivered", "Unreachable destination handset"),
    30004: ("undelivered", "Message blocked"),
    30005: ("undelivered", "Unknown destination handset"),
    30006: ("undelivered", "Landline or unreachable carrier"),
    30007: ("undelivered", "Message filtered"),
    30008: ("undelivered", "Unknown error"),
}
"""Error code, and the final status and words that go with it."""

TELNYX_REFUSED: Mapping[str, tuple[int, str, str, str]] = {
    MAGIC + "40300": (
        409,
        "40300",
        "Blocked due to STOP message",
        "Messages cannot be sent from your number due to an existing block rule.",
    ),
}

TELNYX_FAILURES: Mapping[int, tuple[str, str]] = {
    40001: ("delivery_failed", "Not routable"),
    40002: ("delivery_failed", "Blocked as spam - temporary"),
    40003: ("delivery_failed", "Blocked as spam - permanent"),
    40004: ("delivery_failed", "Rejected by destination"),
    40005: ("expired", "Message expired during transmission"),
    40006: ("delivery_failed", "Recipient server unavailable"),
    40008: ("delivery_failed", "Undeliverable"),
    40009: ("delivery_failed", "Invalid message body"),
    40012: ("delivery_failed", "Invalid messaging destination number"),
    40014: ("sending_failed", "Message expired in queue"),
}


@attrs.frozen(kw_only=True)
class Journey:
    """The states after acceptance, in order, and why the last of them is a failure."""

    states: tuple[str, ...]
    error_code: int | None = None
    error_text: str | None = None


def journey_at_twilio(recipient: str) -> Journey:
    if recipient == SILENT:
        return Journey(states=("sending", "sent"))
    code = _failure(recipient)
    if code is not None and code in TWILIO_FAILURES:
        final, words = TWILIO_FAILURES[code]
        way = ("failed",) if final == "failed" else ("sending", "sent", final)
        return Journey(states=way, error_code=code, error_text=words)
    return Journey(states=("sending", "sent", "delivered"))


def journey_at_telnyx(recipient: str) -> Journey:
    if recipient == SILENT:
        return Journey(states=("sending", "sent", "delivery_unconfirmed"))
    code = _failure(recipient)
    if code is not None and code in TELNYX_FAILURES:
        final, words = TELNYX_FAILURES[code]
        way = (final,) if final == "sending_failed" else ("sending", "sent", final)
        return Journey(states=way, error_code=code, error_text=words)
    return Journey(states=("sending", "sent", "delivered"))


def _failure(recipient: str) -> int | None:
    code = recipient.removeprefix(MAGIC)
    return int(code) if code != recipient and len(code) == 5 and code.isdigit() else None
