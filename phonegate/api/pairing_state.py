"""How far the pairing of a phone is, in words, for its link's page and for the one who made it."""

import shlex
from typing import Annotated, Final

import attrs

from phonegate.api.rules import Recipient
from phonegate.domain.pairing import MOST_TESTS, PairingLink, PairingState
from phonegate.model.messages import Message
from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    QUEUED,
    SENDING,
    SENT,
    UNCERTAIN,
)
from phonegate.typed_json.fields import field

_WORDS: Final = {
    QUEUED: "Waiting for its turn at the phone.",
    SENDING: "Handed to the phone. Waiting for the phone to say that it was sent.",
    SENT: "Sent by the phone. Waiting for it to come back.",
    DELIVERED: "Delivered. Waiting for the phone to pass it on.",
    FAILED: "Not sent",
    EXPIRED: "It could not leave in time, and was given up.",
    CANCELLED: "It was cancelled.",
    UNCERTAIN: "The phone took it, and did not say whether it was sent.",
}
"""What each state of the test SMS means to the person who waits for it."""


@attrs.frozen(kw_only=True)
class TestOrder:
    """Where to send the test SMS."""

    number: Annotated[str, Recipient()] = field(
        "The phone's own number.", example="+15551112222", private=True
    )


@attrs.frozen(kw_only=True)
class PairingStateJson:
    """How far the pairing is, in words for the page."""

    ok: bool = field("Always true.", default=True)
    ends_in_s: int = field("Seconds until the link ends.")
    online: bool = field("Whether the phone is connected.")
    forwards: bool = field("Whether an app that only forwards has called, and no phone connected.")
    phone: str = field("What is known of the phone, in words.")
    hint: str | None = field("What its owner should do, in a sentence.")
    number: str | None = field("The number of its first SIM, where that is known.", private=True)
    test: str | None = field("What became of the test SMS, in words. None before there is one.")
    test_failed: bool = field("Whether the test SMS will not be sent any more.")
    tests_left: int = field("Test SMS that this link may still send.")
    left: str = field("How many these are and what they need, in words.")
    received: bool = field("Whether the text of the test has come in.")


def state_json(link: PairingLink, state: PairingState, now: int) -> PairingStateJson:
    """Makes what is known of a pairing, for the page of its link and for that of its maker."""
    test = state.test
    failed = test is not None and test.status in {FAILED, EXPIRED, CANCELLED}
    return PairingStateJson(
        ends_in_s=max(0, (link.expires_at - now) // 1000),
        online=state.online,
        forwards=_only_forwards(state),
        phone=_described(state),
        hint=None if state.phone is None else state.phone.hint,
        number=next(iter(state.numbers), None),
        test=_tested(state),
        test_failed=failed,
        tests_left=MOST_TESTS - link.tests,
        left=_left(link, state),
        received=state.received,
    )


def _only_forwards(state: PairingState) -> bool:
    return state.forwards and state.phone is None


def _described(state: PairingState) -> str:
    if _only_forwards(state):
        return "An app that forwards has called. It passes on what comes in, and can't send."
    if state.phone is None:
        return "Waiting for the phone to connect."
    phone = state.phone
    name = phone.given_name or phone.name or phone.model or "The phone"
    if not state.online:
        return f"{name} was here, and is not connected now."
    if state.kept_name:
        return f"The phone is connected. It is already known as {name}, and keeps that name."
    return f"{name} is connected."


def _tested(state: PairingState) -> str | None:
    """Returns what the test has shown: a text that came in may have come from another phone."""
    sent = None if state.test is None else _in_words(state.test)
    if not state.received:
        return sent
    if state.test is not None and state.test.status in {SENT, DELIVERED}:
        return "It did: this phone sends and receives."
    came = "It came in: this phone receives."
    return came if sent is None else f"{came} Its own test SMS: {sent}"


def _in_words(test: Message) -> str:
    words = _WORDS[test.status]
    if test.status == FAILED:
        return f"{words}: {test.error.rstrip('.')}." if test.error else f"{words}."
    return words


def _left(link: PairingLink, state: PairingState) -> str:
    left = MOST_TESTS - link.tests
    if left < 1:
        command = f"phonegate phone add {shlex.quote(link.org_name)}"
        return f"0 left. For more, make a new link on the gateway's machine: {command}"
    words = f"{left} of {MOST_TESTS} left."
    if state.online:
        return words
    if _only_forwards(state):
        return "An app that only forwards can't send this. Use the words below instead."
    return f"{words} It works once the phone is online."
