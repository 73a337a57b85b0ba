"""The numbers of an org, be they of its phones' SIMs or of its assistants, and who is called there.

A webhook of shape `twilio` for one SIM, and for nothing else, is what Twilio's clients see as the
address of a number: the one that gets received messages, or that which gets the states of sent
ones. So what they set is a webhook like any other, and they see one that was made otherwise.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.webhook_form import Change, NewWebhook
from phonegate.domain.webhooks import Webhooks
from phonegate.model.assistants import PHONE
from phonegate.model.callbacks import Method
from phonegate.model.phones import MMS, number_form
from phonegate.model.principal import Principal
from phonegate.model.webhooks import TWILIO, Webhook
from phonegate.store.database import Database
from phonegate.store.tables import Tables

RECEIVED: Final = ("message.received",)
"""The events of a number's address for received messages."""

REPORTED: Final = (
    "message.queued",
    "message.sending",
    "message.sent",
    "message.delivered",
    "message.failed",
    "message.expired",
    "message.cancelled",
)
"""The events of its address for the states of sent ones."""


@attrs.frozen(kw_only=True)
class OwnNumber:
    """A number of an org."""

    number: str = attrs.field(repr=False)
    """In the form in which numbers are compared."""
    name: str | None = None
    """What its phone or assistant is called."""
    mms: bool = False
    """Whether messages with media can be sent from it now."""
    created_at: int | None = None
    """Since when it is known, in ms."""
    received_to: Webhook | None = None
    """What is called with messages that it receives."""
    reported_to: Webhook | None = None
    """What is called with the states of messages that it sends."""


@attrs.frozen(kw_only=True)
class Target:
    """Where a number's address leads from now on."""

    url: str | None = attrs.field(default=None, repr=False)
    """Empty: nowhere. None: where it leads now."""
    method: Method | None = None
    """None: as it is called now."""
    signing_state: bytes | None = attrs.field(repr=False)
    """Signs the calls: a state of `http/hmac_state.py`. None: the secret of the webhook does."""


class OwnNumbers:
    """Lists the numbers of orgs."""

    def __init__(self, database: Database, dispatcher: Dispatcher) -> None:
        self._database = database
        self._dispatcher = dispatcher

    async def of_org(self, org: int) -> list[OwnNumber]:
        """Lists the numbers of an org, each once, in their order."""
        found, hooks = await self._database.read(
            lambda tx: (_stored(tx, org), tx.webhooks.of_org(org))
        )
        for phone in self._dispatcher.online(org):
            for sim in phone.sims:
                if sim.form is not None:
                    known = found.get(sim.form, OwnNumber(number=sim.form, name=phone.name))
                    mms = known.mms or MMS in phone.features
                    found[sim.form] = attrs.evolve(known, mms=mms)
        return [_with_hooks(found[number], hooks) for number in sorted(found)]


async def direct(
    webhooks: Webhooks,
    caller: Principal,
    own: OwnNumber,
    *,
    received: Target | None = None,
    reported: Target | None = None,
) -> None:
    """Sets what is called for a number. None leaves it as it is.

    Args:
        webhooks: Makes, changes and removes what is called.
        caller: Who sets it.
        own: The number.
        received: What is called with messages that it receives.
        reported: What is called with the states of messages that it sends.

    Raises:
        BadInput, AddressRefused, Forbidden, OrgFull: As `Webhooks.add` and `Webhooks.change`.
    """
    if received is not None:
        name = f"received by {own.number}"
        await _direct(webhooks, caller, received, own.received_to, _Wanted(RECEIVED, own, name))
    if reported is not None:
        name = f"sent by {own.number}"
        await _direct(webhooks, caller, reported, own.reported_to, _Wanted(REPORTED, own, name))


@attrs.frozen
class _Wanted:
    """What a webhook of a number is for."""

    events: Sequence[str]
    own: OwnNumber
    name: str = attrs.field(repr=False)


async def _direct(
    webhooks: Webhooks, caller: Principal, target: Target, present: Webhook | None, wanted: _Wanted
) -> None:
    if present is None:
        if target.url:
            new = NewWebhook(
                url=target.url,
                events=wanted.events,
                sim=wanted.own.number,
                shape=TWILIO,
                name=wanted.name,
            )
            await webhooks.add(
                caller, new, signing_state=target.signing_state, method=target.method or "POST"
            )
    elif target.url == "":
        await webhooks.remove(caller, present.id)
    else:
        await webhooks.change(
            caller,
            present.id,
            Change(url=target.url),
            signing_state=target.signing_state,
            method=target.method,
        )
        if present.disabled_at is not None:
            await webhooks.enable(caller, present.id)


def _stored(tx: Tables, org: int) -> dict[str, OwnNumber]:
    """Returns the numbers that the store knows of."""
    phones = {phone.id: phone for phone in tx.phones.of_org(org)}
    found: dict[str, OwnNumber] = {}
    for sim in tx.phones.known_sims(org):
        if sim.form is not None:
            phone = None if sim.phone is None else phones.get(sim.phone)
            found[sim.form] = OwnNumber(
                number=sim.form,
                name=None if phone is None else phone.given_name or phone.name,
                created_at=None if phone is None else phone.first_seen,
            )
    for assistant in tx.assistants.of_org(org):
        for number in map(number_form, assistant.phone_numbers):
            found[number] = OwnNumber(
                number=number,
                name=assistant.name,
                mms=assistant.provider != PHONE,
                created_at=assistant.created_at,
            )
    return found


def _with_hooks(own: OwnNumber, hooks: Sequence[Webhook]) -> OwnNumber:
    """Returns a number with the webhooks that are for it alone, the oldest of each kind."""
    mine = [
        hook
        for hook in hooks
        if hook.shape == TWILIO
        and hook.sim == own.number
        and hook.address is None
        and hook.phone is None
    ]
    received = (hook for hook in mine if set(hook.events) == set(RECEIVED))
    reported = (hook for hook in mine if set(hook.events) <= set(REPORTED))
    return attrs.evolve(own, received_to=next(received, None), reported_to=next(reported, None))
