"""Webhooks and what was delivered to them, in the words of people. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from phonegate.domain.event_filter import ANY, TYPE_PATTERNS
from phonegate.model.events import MEANINGS
from phonegate.pages.console.words import Mood

KINDS: Final[Mapping[str, str]] = {
    "message": "Messages",
    "phone": "Phones",
    "alarm": "Alarms",
    "webhook": "Webhooks",
}
"""What each kind of events is called: what stands before the dot of its types."""

SHAPE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "standard": (
        "Standard",
        "The event as JSON, signed as Standard Webhooks has it. For programs that you write.",
    ),
    "flat": (
        "Flat",
        "The same on one level of keys. For tools that read no nesting, such as n8n or Zapier.",
    ),
    "twilio": ("Twilio", "A form as Twilio sends it. For programs that were made for Twilio."),
    "smsgate": (
        "SMS Gateway for Android",
        "JSON as that app sends it. For programs that were made for it, such as integrations of "
        "Home Assistant. All webhooks of this shape have one secret, its signing key.",
    ),
}
"""What each shape is called, and whom it is for."""

SIGNATURE_CHECK: Final = '''\
import base64
import hmac
import time


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Tells whether a call is from the gateway. The names of headers are in lower case."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    right = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(right.encode(), one.encode()) for one in given)
'''
"""How a receiver checks who calls, as docs/events.md has it too."""


class Badge(NamedTuple):
    """A word with its mood, and a sentence where there is more to say."""

    mood: Mood
    word: str
    sentence: str = ""


class Kind(NamedTuple):
    """The types of events of a kind, with what each means."""

    title: str
    choices: Sequence[tuple[str, str, str]]


def event_kinds() -> list[Kind]:
    """Returns all that a webhook can be for, by kind: a word of the API, what it is, its meaning.

    The pattern that fits everything is a kind of its own.
    """
    found = [Kind("Everything", ((ANY, ANY, "All that happens, also what later versions add."),))]
    for kind, title in KINDS.items():
        mine = [one for one in TYPE_PATTERNS if one.startswith(f"{kind}.")]
        patterns = [(one, one, f"All of {title.lower()}.") for one in mine if one.endswith(ANY)]
        types = [(one, one, MEANINGS[one]) for one in mine if not one.endswith(ANY)]  # type: ignore[index]
        found.append(Kind(title, (*patterns, *types)))
    return found


def standing(webhook: Mapping[str, Any]) -> Badge:
    """Says how a webhook is, of what the API shows of it."""
    if not webhook["enabled"]:
        return Badge("bad", "Disabled", webhook["disabled_reason"] or "")
    if webhook["failing_since"]:
        return Badge("warn", "Failing", "Nothing has been taken since then. It is tried again.")
    return Badge("ok", "Works")


def progress(delivery: Mapping[str, Any], shape: str = "standard") -> Badge:
    """Says how far a delivery has come, of what the API shows of it.

    In the shape `jasmin` it is not taken by a status alone, but by what the answer says.
    """
    if delivery["next_at"] is not None:
        word = "Tried again" if delivery["attempts"] else "Waits"
        return Badge("warn" if delivery["attempts"] else "", word)
    if delivery["attempts"] == 0:
        return Badge("", "Under way")
    if delivery["error"] is not None and (shape == "jasmin" or not _is_taken(delivery)):
        return Badge("bad", "Failed" if delivery["event_id"] is None else "Given up")
    return Badge("ok", "Taken")


def is_failure(delivery: Mapping[str, Any]) -> bool:
    """Tells whether the last attempt of a delivery has failed."""
    return delivery["error"] is not None


def outcome_of_test(delivery: Mapping[str, Any]) -> Badge:
    """Says what came of a test, in a sentence."""
    took = f" in {delivery['ms']:,} ms" if delivery["ms"] is not None else ""
    status = delivery["status"]
    if _is_taken(delivery):
        return Badge("ok", "Test", f"The receiver took it: {status}{took}.")
    if status is not None:
        return Badge(
            "bad", "Test", f"The receiver answered {status}{took}, which counts as a failure."
        )
    return Badge("bad", "Test", f"There was no answer. {delivery['error'] or ''}".strip())


def _is_taken(delivery: Mapping[str, Any]) -> bool:
    status = delivery["status"]
    return status is not None and 200 <= status < 300  # noqa: PLR2004 - HTTP's successes
