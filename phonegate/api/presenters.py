"""The JSON objects of answers that show what is stored."""

from collections.abc import Callable, Sequence
from typing import Annotated

import attrs

from phonegate.api.limits_types import LimitsJson, limits_json
from phonegate.carriers.registry import CARRIERS, alternatives
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.assistants import PHONE
from phonegate.model.messages import Direction, Message, MessageView
from phonegate.model.orgs import ApiKey
from phonegate.model.phones import Sim
from phonegate.model.principal import usable
from phonegate.model.states import QUEUED, SENDING, STATES
from phonegate.model.times import iso
from phonegate.typed_json import fields
from phonegate.typed_json.fields import field
from phonegate.typed_json.rules import OneOf

APPROVAL = "approval"
"""What a message waits for if its API key holds messages until a person approves them."""


# Without slots a frozen object is made in a third of the time, and a page has a thousand of these.
@attrs.frozen(kw_only=True, slots=False)
class MessageJson:
    """A message of either direction."""

    id: int = field("Ascending in the gateway; the ticket that /send gave.", example=5)
    direction: Direction = field("in or out", example="out")
    address: str = field(
        "The other party's number or name; empty where a received SMS named no sender.",
        example="+15553334444",
    )
    body: str = field("The text.", example="sent from the API", private=True)
    status: Annotated[str, OneOf(STATES)] = field(
        "in: received; out: queued, sending, sent, delivered, failed, expired, cancelled "
        "or uncertain.",
        example="sent",
    )
    created_at: str = field(
        "When the gateway stored it (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    sim_slot: int | None = field("The SIM's slot in its phone.", example=0)
    sim: str | None = field("The SIM's number.", example="+15551112222")
    date: int | None = field("The phone's own time of a received message, in ms since 1970.")
    sent_at: str | None = field("When a phone or carrier sent it.")
    delivered_at: str | None = field("When the recipient's phone confirmed it.")
    error: str | None = field(
        "Why it failed, in the phone's or carrier's words; of a received MMS what was not kept."
    )
    segments: int | None = field("SMS that it takes.", example=1)
    provider: Annotated[str, OneOf((PHONE, *CARRIERS))] = field(
        alternatives((PHONE, *CARRIERS)), example=PHONE
    )
    media_urls: tuple[str, ...] | None = field(
        "Pictures and other media of an MMS. Those at /media/ are the gateway's own, to be read "
        "with a credential."
    )
    send_at: str | None = field("Not before this time, while it waits for that.")
    expires_at: str | None = field(
        "Given up at this time if it has not left (its ttl, or its API key's quiet hours)."
    )
    waiting_for: str | None = field(
        "Why it has not been sent yet: approval (a person's), send_at (its time), phone (the phone "
        "that has to send it is away), sim (that phone is online without the SIM asked for, or no "
        "phone has it any more), turn (others before it, or the SIM's pacing), result (a phone has "
        "it)."
    )
    key: str | None = field("The id of the API key that sent it; null without one.", example="k3v9")


@attrs.frozen(kw_only=True)
class SimJson:
    """A SIM that a phone reported."""

    slot: int = field("Slot index in its phone.", example=0)
    number: str | None = field("Its number, where Android tells it.", example="+15551112222")
    carrier: str | None = field("Its network.", example="AT&T")


@attrs.frozen(kw_only=True)
class KeyJson:
    """An API key, without the key itself."""

    id: str = field("Names the key in /keys/{org}/{id}.", example="k3v9")
    name: str = field("What its owner called it.", example="billing")
    scopes: tuple[str, ...] = field("Of send, read, manage, phone.", example=["send"])
    created_at: str = field("ISO 8601, UTC.", example="2026-11-21T08:00:00.000Z")
    last_used_at: str | None = field("ISO 8601, UTC.")
    limits: LimitsJson | None = field(
        "What it may do, where that is limited.", default=None, omit=True
    )


@attrs.frozen(kw_only=True)
class FieldError:
    """A wrong field of a request."""

    field: str = fields.field("Where it is.", example="messages[2].to")
    problem: str = fields.field("What is wrong with it.", example="is required")


def message_json(
    message: Message | MessageView,
    online: Sequence[OnlinePhone] | None,
    known: Callable[[], Sequence[Sim]] = tuple,
    *,
    media: str,
) -> MessageJson:
    """Makes the message of an answer, or of an event.

    `online` are the org's phones and `known` finds its SIMs, to tell why the message waits. Without
    phones, as they are not known of a past time, only what the message shows by itself counts.
    `media` is the beginning of the addresses of its org's parts (see `media_address`).
    """
    # Written for a page of a thousand: what rarely is costs no call where it is not.
    send_at, sent_at, delivered_at = message.held_until, message.sent_at, message.delivered_at
    expires_at = message.expires_at
    waiting_for, media_urls = None, message.media_urls
    if message.parts:
        own = (f"{media}/{message.id}/{number}" for number in range(1, message.parts + 1))
        media_urls = (*own, *(media_urls or ()))
    if message.status in {QUEUED, SENDING}:
        waiting_for = _reason(message, online, known)
        if waiting_for == APPROVAL:
            send_at = message.wanted_at
    return MessageJson(
        id=message.id,
        direction=message.direction,
        address=message.address,
        body=message.body,
        status=message.status,
        created_at=iso(message.created_at),
        sim_slot=message.sim_slot,
        sim=message.sim,
        date=message.date,
        sent_at=None if sent_at is None else iso(sent_at),
        delivered_at=None if delivered_at is None else iso(delivered_at),
        error=message.error,
        segments=message.segments,
        provider=message.provider,
        media_urls=media_urls,
        send_at=None if send_at is None else iso(send_at),
        expires_at=None if expires_at is None else iso(expires_at),
        waiting_for=waiting_for,
        key=message.key,
    )


def sim_json(sim: Sim) -> SimJson:
    """Makes the SIM of an answer."""
    return SimJson(slot=sim.slot, number=sim.number, carrier=sim.carrier)


def key_json(key: ApiKey) -> KeyJson:
    """Makes the API key of an answer."""
    return KeyJson(
        id=key.id,
        name=key.name,
        scopes=usable(key),
        created_at=iso(key.created_at),
        last_used_at=None if key.last_used_at is None else iso(key.last_used_at),
        limits=None if key.limits is None else limits_json(key.limits),
    )


def _reason(
    message: Message | MessageView,
    online: Sequence[OnlinePhone] | None,
    known: Callable[[], Sequence[Sim]],
) -> str | None:
    """Returns why a queued or sending message has not been sent."""
    if message.status == SENDING:
        return None if online is None else _awaited(message, online)
    if message.approval == "asked":
        return APPROVAL
    if message.held_until is not None:
        return "send_at"
    if online is None:
        return None
    if any(_can_send(phone, message) for phone in online):
        return "turn"
    return "sim" if _is_sim_gone(message, online, known) else "phone"


def _awaited(message: Message | MessageView, online: Sequence[OnlinePhone]) -> str:
    """Returns what a pushed message waits for."""
    if message.phone is None or message.acked_at is not None:
        return "result"
    # A push that was never acked, to a phone that left, waits for its return, with its SIM.
    holder = next((phone for phone in online if phone.phone == message.phone), None)
    if holder is None:
        return "phone"
    return "result" if _can_send(holder, message) or not holder.sims else "sim"


def _is_sim_gone(
    message: Message | MessageView,
    online: Sequence[OnlinePhone],
    known: Callable[[], Sequence[Sim]],
) -> bool:
    """Tells whether the phone that should send it is online without the SIM that it asks for."""
    if message.phone is not None:
        return any(phone.phone == message.phone and phone.sims for phone in online)
    if not any(phone.sims for phone in online):
        return False
    # Else a phone has it that is away.
    return not any(message.sim_selector in {sim.form, str(sim.slot)} for sim in known())


def _can_send(phone: OnlinePhone, message: Message | MessageView) -> bool:
    if message.phone not in {None, phone.phone}:
        return False
    if not message.sim_selector:
        return True
    return any(message.sim_selector in {sim.form, str(sim.slot)} for sim in phone.sims)
