"""The requests and answers of `/webhooks`."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, get_args

import attrs

from phonegate.api.rules import Sender, SimSelector
from phonegate.carriers.credentials import mask, masked
from phonegate.domain.event_filter import TYPE_PATTERNS, TypePattern
from phonegate.domain.webhook_form import MAX_HEADERS, MAX_NAME
from phonegate.domain.webhooks import Standing
from phonegate.http.outgoing_url import UnusableUrl, read_url
from phonegate.model.bounds import MAX_ID
from phonegate.model.callbacks import CallbackShape
from phonegate.model.times import iso
from phonegate.model.webhooks import Delivery, Shape
from phonegate.typed_json.fields import Rule, Wrong, field
from phonegate.typed_json.rules import OneOf, Several, Text, Whole

SHAPES: Final[tuple[str, ...]] = get_args(Shape)

ALL_SHAPES: Final = tuple(dict.fromkeys((*SHAPES, *get_args(CallbackShape))))
"""With those that only status callbacks have."""

USUAL_DELIVERIES: Final = 50
MOST_DELIVERIES: Final = 200
"""Deliveries of one answer, each with up to 1 KB of what its receiver answered."""


@attrs.frozen
class CalledUrl(Rule):
    """A URL that the gateway can call, as far as its form goes."""

    def read(self, value: object) -> str:
        """Returns the URL as given."""
        if type(value) is not str:
            raise Wrong("must be text")
        try:
            read_url(value)
        except UnusableUrl as error:
            raise Wrong(str(error)) from None
        return value


@attrs.frozen
class HeaderFields(Rule):
    """Headers by name. What each may be is the domain's to say."""

    removable: bool = False
    """Whether null takes one away."""

    def read(self, value: object) -> dict[str, str | None]:
        """Returns the headers."""
        if type(value) is not dict:
            raise Wrong("must be an object")
        if len(value) > MAX_HEADERS:
            raise Wrong(f"holds {len(value)}, at most {MAX_HEADERS} are allowed")
        if any(
            not (type(item) is str or (item is None and self.removable)) for item in value.values()
        ):
            raise Wrong("must hold nothing but text")
        return value


@attrs.frozen
class OrEmpty(Rule):
    """What another rule takes, or an empty text, which takes the value away."""

    rule: Rule

    def read(self, value: object) -> Any:
        """Returns the value as the rule does, or the empty text."""
        return "" if value == "" else self.rule.read(value)


EventPatterns = Annotated[tuple[Annotated[str, TypePattern()], ...], Several(1, len(TYPE_PATTERNS))]


@attrs.frozen(kw_only=True)
class NewWebhookJson:
    """The webhook to make."""

    closed: ClassVar[bool] = True
    """An unknown field is refused: a misspelt filter would let everything through."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    url: Annotated[str, CalledUrl()] = field(
        "What is called, by POST: http or https, without user, password and fragment. It can't be "
        "this gateway, nor this machine or, in some gateways, a private network, unless its owner "
        "allows that.",
        example="https://example.org/sms",
        private=True,
    )
    events: EventPatterns = field(
        "The types of events that it gets, or patterns of them: message.received, message.*, *.",
        example=["message.received"],
    )
    address: Annotated[str, Sender()] | None = field(
        "Only of messages from or to this number or name.",
        default=None,
        example="+15553334444",
        private=True,
    )
    sim: Annotated[str, SimSelector()] | None = field(
        "Only of messages by this SIM, by number or slot index.", default=None, private=True
    )
    phone: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "Only of this phone, and of messages by it.", default=None
    )
    headers: Annotated[Mapping[str, str], HeaderFields()] | None = field(
        "Sent along with each call, such as Authorization. They come back masked.",
        default=None,
        example={"Authorization": "Bearer abc"},
        private=True,
    )
    shape: Annotated[Shape, OneOf(SHAPES)] = field(
        "standard: the event as JSON, signed by Standard Webhooks. flat: the same, on one level "
        "of keys (from, to, text, status, id, sim, date), for tools that read no nesting. twilio: "
        "a form as Twilio sends it, for programs made for that. smsgate: JSON as the app SMS "
        "Gateway for Android sends it, likewise; all of this shape have one secret.",
        default="standard",
    )
    name: Annotated[str, Text(1, MAX_NAME, line=True)] | None = field(
        "What to call it.", default=None, example="crm"
    )


@attrs.frozen(kw_only=True)
class WebhookPatch:
    """What to change of a webhook. What is left out, or null, stays as it is."""

    closed: ClassVar[bool] = True
    """As of a new one."""

    secret_key: Annotated[str, Text(0, 400)] | None = field(
        "The org's SecretKey, where it is not sent in X-Secret-Key.", default=None, private=True
    )
    url: Annotated[str, CalledUrl()] | None = field(
        "Where it goes from now on, also what waits.", default=None, private=True
    )
    events: EventPatterns | None = field(
        "All that it gets, in place of what it got before.", default=None
    )
    address: Annotated[str, OrEmpty(Sender())] | None = field(
        "As of a new one; empty: of every party.", default=None, private=True
    )
    sim: Annotated[str, OrEmpty(SimSelector())] | None = field(
        "As of a new one; empty: by every SIM.", default=None, private=True
    )
    phone: Annotated[int, Whole(0, MAX_ID)] | None = field(
        "As of a new one; 0: of every phone.", default=None
    )
    headers: Annotated[Mapping[str, str | None], HeaderFields(removable=True)] | None = field(
        "Those to change; null takes one away.", default=None, private=True
    )
    shape: Annotated[Shape, OneOf(SHAPES)] | None = field(
        "As of a new one. The secret stays as it is.", default=None
    )
    name: Annotated[str, Text(0, MAX_NAME, line=True)] | None = field(
        "What to call it; empty: nothing.", default=None
    )


@attrs.frozen(kw_only=True)
class WebhookState:
    """A webhook. Of its secret and headers it shows the last four characters."""

    id: int = field("Names it in /webhooks/{org}/{id}.", example=3)
    name: str | None = field("What its owner called it.", example="crm")
    url: str = field("What is called.", example="https://example.org/sms", private=True)
    events: tuple[str, ...] = field("What it gets.", example=["message.received"])
    address: str | None = field("Only of messages with this other party.", private=True)
    sim: str | None = field("Only of messages by this SIM.", private=True)
    phone: int | None = field("Only of this phone.")
    headers: Mapping[str, str] = field("Masked.", example={"Authorization": "…4f2a"}, private=True)
    shape: Annotated[str, OneOf(ALL_SHAPES)] = field("How it gets events.", example="standard")
    callbacks: bool = field(
        "Whether it brings the status callbacks of messages to one host, at the URLs that came "
        "with them. Made by itself, it can be enabled and removed, and its log read.",
        example=False,
    )
    secret: str = field("Masked. … alone: it has none.", example="…8Qo=", private=True)
    old_secret_until: str | None = field(
        "Until then the secret before the last rotation signs too (ISO 8601, UTC)."
    )
    key: str | None = field(
        "The API key that made it, whose limits bind it and which it ends with; null: none."
    )
    created_at: str = field("ISO 8601, UTC.", example="2026-11-21T08:00:00.000Z")
    enabled: bool = field("Whether it is called.", example=True)
    disabled_at: str | None = field("When that ended (ISO 8601, UTC).")
    disabled_reason: str | None = field("Why, in a sentence.")
    failing_since: str | None = field(
        "The first failure after which nothing has succeeded (ISO 8601, UTC)."
    )
    waiting: int = field("Events that wait to be delivered to it.", example=0)
    missed_at: str | None = field(
        "When it was found last that events had been deleted before they could be delivered, since "
        "the webhook was too far behind (ISO 8601, UTC)."
    )


@attrs.frozen(kw_only=True)
class DeliveryJson:
    """An event on its way to a webhook, and the last attempt."""

    n: int = field("Names it in /webhooks/{org}/{id}/deliveries/{n}.", example=17)
    event_id: int | None = field("The event; null: a test.", example=1234)
    type: str = field("The type of the event.", example="message.received")
    created_at: str = field(
        "When it was taken up (ISO 8601, UTC).", example="2026-11-21T08:00:00.000Z"
    )
    attempts: int = field("How often it was tried.", example=1)
    at: str | None = field("When it was tried last (ISO 8601, UTC).")
    status: int | None = field("The HTTP status of the answer; null: there was none.", example=200)
    error: str | None = field("Why the last attempt counts as a failure; null: it does not.")
    ms: int | None = field("How long the last attempt took.", example=48)
    answer: str | None = field("The beginning of the answer, up to 1 KB.", private=True)
    next_at: str | None = field("When it is tried next (ISO 8601, UTC); null: it is over.")


@attrs.frozen(kw_only=True)
class OneWebhookAnswer:
    """One webhook."""

    ok: bool = field("Always true.", default=True)
    webhook: WebhookState = field("The webhook.")


@attrs.frozen(kw_only=True)
class NewWebhookAnswer:
    """The new webhook, with its secret."""

    ok: bool = field("Always true.", default=True)
    secret: str = field(
        "Signs what it gets. It is shown here and by a rotation, and nowhere else.",
        example="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw…",
        private=True,
    )
    webhook: WebhookState = field("The webhook.")


@attrs.frozen(kw_only=True)
class WebhooksAnswer:
    """The org's webhooks."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Webhooks in this answer.", example=1)
    webhooks: tuple[WebhookState, ...] = field("By age.")


@attrs.frozen(kw_only=True)
class WebhookRemovedAnswer:
    """What became of a webhook."""

    ok: bool = field("Always true.", default=True)
    id: int = field("The webhook that is no more.", example=3)


@attrs.frozen(kw_only=True)
class DeliveriesQuery:
    """Which deliveries to show."""

    limit: Annotated[int, Whole(1, MOST_DELIVERIES)] = field(
        "At most so many.", default=USUAL_DELIVERIES
    )
    before: Annotated[int, Whole(1, MAX_ID)] | None = field(
        "Only those with a lower n, to go on where a page ended.", default=None
    )


@attrs.frozen(kw_only=True)
class DeliveriesAnswer:
    """A page of the log of a webhook."""

    org_id: str = field("The org.", example="myorg")
    count: int = field("Deliveries in this answer.", example=1)
    deliveries: tuple[DeliveryJson, ...] = field("The newest first.")


@attrs.frozen(kw_only=True)
class TestedAnswer:
    """What came of a test."""

    ok: bool = field("Always true: the test was made.", default=True)
    succeeded: bool = field("Whether the receiver took it: a status from 200 to 299.", example=True)
    delivery: DeliveryJson = field("What it answered.")


@attrs.frozen(kw_only=True)
class ReplayedAnswer:
    """A delivery that is made again."""

    ok: bool = field("Always true.", default=True)
    n: int = field("The delivery that was asked for.", example=17)


def webhook_json(standing: Standing) -> WebhookState:
    """Returns a webhook for an answer."""
    hook = standing.webhook
    return WebhookState(
        id=hook.id,
        name=hook.name,
        url=hook.url,
        events=hook.events,
        address=hook.address,
        sim=hook.sim,
        phone=hook.phone,
        headers=masked(dict(hook.headers)),
        shape=hook.shape,
        callbacks=hook.is_for_callbacks,
        secret=mask(hook.secret),
        old_secret_until=_iso(hook.old_secret_until),
        key=hook.key,
        created_at=iso(hook.created_at),
        enabled=hook.disabled_at is None,
        disabled_at=_iso(hook.disabled_at),
        disabled_reason=hook.disabled_reason,
        failing_since=_iso(hook.failing_since),
        waiting=standing.waiting,
        missed_at=_iso(hook.missed_at),
    )


def delivery_json(delivery: Delivery) -> DeliveryJson:
    """Returns a delivery for an answer."""
    last = delivery.last
    return DeliveryJson(
        n=delivery.n,
        event_id=delivery.event,
        type=delivery.type,
        created_at=iso(delivery.created_at),
        attempts=delivery.attempts,
        at=None if last is None else iso(last.at),
        status=None if last is None else last.status,
        error=None if last is None else last.error,
        ms=None if last is None else last.ms,
        answer=None if last is None else last.answer,
        next_at=_iso(delivery.next_at),
    )


def _iso(at: int | None) -> str | None:
    return None if at is None else iso(at)
