"""Sending from an assistant's number: through its carrier, or one of the org's own phones.

A message for a carrier is stored before the carrier is asked. What became of it is stored
afterwards, in another transaction. After a crash between the two, or where the carrier's answer
got lost, it is unknown whether the carrier has the message. Then the `reconciler` looks for it at
the carrier, and it is never sent again on suspicion.
"""

from collections.abc import Callable
from typing import Final, Literal

import attrs
import trio

from phonegate import log
from phonegate.domain import carrier_answers
from phonegate.domain.acceptance import Acceptance, new_message
from phonegate.domain.admission import Permit
from phonegate.domain.carrier_answers import Answered
from phonegate.domain.carrier_attempt import (
    Outcome,
    hand_over,
    new_reference,
    other_ids,
    outbound,
    store_outcome,
)
from phonegate.domain.carrier_pool import CarrierPool, NoAccount
from phonegate.domain.carrier_timings import CarrierTimings
from phonegate.domain.idempotency import Keep
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.segmentation import count
from phonegate.domain.sending import Outgoing, SendOutcome
from phonegate.domain.text_limits import carrier_text_fault
from phonegate.model.assistants import Assistant
from phonegate.model.callbacks import Callback
from phonegate.model.messages import Message, NewMessage
from phonegate.model.orgs import KeptAnswer
from phonegate.model.phones import BY_CARRIER
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, NotFound
from phonegate.model.states import QUEUED, SENDING
from phonegate.model.storage_errors import StorageUnavailable, StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MESSAGE_FIELD: Final = "message"
"""In the query of a callback address: the gateway's id of the message that is reported."""

OPEN: Final = 0
"""The status of a kept answer that is not known yet. Its body is the message's id."""

STORE_TRIES: Final = 3
"""To store an outcome, where the disk refuses."""

_log = log.get("carriers")


@attrs.frozen(kw_only=True)
class Draft:
    """A message to send from one of an org's numbers."""

    sender: str = attrs.field(repr=False)
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    ttl_s: int | None = None
    send_at: int | None = None
    """In ms."""
    callback: Callback | None = None
    """What is called with what becomes of it."""
    client_id: str | None = None
    """What its sender's program calls it."""


@attrs.frozen(kw_only=True)
class Terms:
    """What sending and reconciling have in common."""

    deadline_s: float
    """How long a carrier may take for one message."""
    now_ms: Callable[[], int]
    timings: CarrierTimings = attrs.field(factory=CarrierTimings)


class CarrierSending:
    """Sends from the numbers of an org, by whichever carrier or phone has the number.

    Args:
        database: Where assistants and messages are stored.
        acceptance: Admits and stores messages.
        phones: Sends from the numbers of the org's own SIMs.
        pool: The accounts at carriers.
        terms: How long carriers may take, and the clock.
        callback_url: Gives the address that an assistant's carrier reports to, if there is one.
    """

    def __init__(
        self,
        database: Database,
        acceptance: Acceptance,
        phones: OwnPhones,
        pool: CarrierPool,
        terms: Terms,
        *,
        callback_url: Callable[[Assistant], str | None],
    ) -> None:
        self._database = database
        self._acceptance = acceptance
        self._phones = phones
        self._pool = pool
        self._terms = terms
        self._callback_url = callback_url

    async def owner(self, org: int, number: str) -> Assistant | Literal["phone"]:
        """Finds who sends from a number: an assistant of the org with a carrier, or its phones.

        Raises:
            NotFound: The number is no assistant's and no known SIM's.
        """
        assistant = await self._database.read(lambda tx: tx.assistants.by_number(org, number))
        if assistant is not None:
            return "phone" if assistant.provider == "phone" else assistant
        if await self._phones.has(org, number):
            return "phone"
        raise NotFound(f"No assistant found for phone number {number}")

    def phone_for_media(self, org: int, number: str | None) -> int:
        """Returns the own phone that would send media, as `OwnPhones.phone_for_media`."""
        return self._phones.phone_for_media(org, number)

    async def send(
        self, sender: Principal, draft: Draft, *, keep: Keep[Answered] | None = None
    ) -> Answered:
        """Sends a message by the carrier or phone that has its sender's number.

        Raises:
            RecipientNotAllowed, QuietHoursBegun, KeyLimitReached, BatchOverLimit: A limit of the
                sender's API key. Nothing was stored.
            NotFound: As `owner`. Or an assistant says that a phone has the number, and none does.
            BadInput: The phone can't send media, or the carrier no text as long as this.
            Throttled: Too many messages wait for this carrier. Nothing was stored.
            QueueFull, StorageSpent, DiskLow: A limit of the org. Nothing was stored.
            StorageUnavailable, Conflict, TooSlowError: As `Sending.send`.
        """
        owner = await self.owner(sender.org, draft.sender)
        if owner == "phone":
            return await self._by_phone(sender, draft, keep)
        if fault := carrier_text_fault(draft.body):
            raise BadInput(f"message {fault}.", [FieldProblem("message", fault)])
        now = self._terms.now_ms()
        permit = self._permit(sender, draft, now)
        if permit.held or (draft.send_at is not None and draft.send_at > now):
            new = self._new(sender, owner, draft, permit, now)
            return carrier_answers.of_message(await self._store(sender, new, keep, now))
        return await self._by_carrier(sender, owner, draft, keep)

    async def recall(self, org: int, kept: KeptAnswer, keep: Keep[Answered]) -> KeptAnswer:
        """Completes a kept answer that was not known yet when it was kept.

        Args:
            org: Whose request it was.
            kept: The answer as it was kept.
            keep: Keeps the complete answer in its place.

        Raises:
            Conflict: What became of the message is still being found out.
            NotFound: The message has been deleted.
        """
        if kept.status != OPEN:
            return kept
        message = await self._database.read(
            lambda tx: tx.messages.find(org, int(kept.body.decode()))
        )
        if message is None:
            raise NotFound("The message of this Idempotency-Key is gone.")
        if message.carrier_id is None and message.next_poll_at is not None:
            raise Conflict(
                "What became of the message of this Idempotency-Key is still being found out. "
                "Ask again later."
            )
        answered = carrier_answers.of_message(message)
        if not carrier_answers.is_open(answered):
            # From now on it is the answer, whatever becomes of the message afterwards.
            await self._database.write(lambda tx: keep.put(tx, org, answered, kept.created_at))
        return keep.reply(answered, kept.created_at)

    # -- by phone

    async def _by_phone(
        self, sender: Principal, draft: Draft, keep: Keep[Answered] | None
    ) -> Answered:
        outgoing = Outgoing(
            to=draft.to,
            body=draft.body,
            sim_selector=draft.sender,
            ttl_s=draft.ttl_s,
            send_at=draft.send_at,
            media_urls=draft.media_urls or None,
            callback=draft.callback,
            client_id=draft.client_id,
        )
        of_phone: Keep[SendOutcome] | None = None
        if keep is not None:
            render = keep.render
            of_phone = keep.rendered(
                lambda outcome: render(carrier_answers.of_phone(outcome.results[0]))
            )
        sent = await self._phones.accept(sender, outgoing, keep=of_phone)
        return carrier_answers.of_phone(sent)

    # -- by carrier

    async def _by_carrier(
        self, sender: Principal, assistant: Assistant, draft: Draft, keep: Keep[Answered] | None
    ) -> Answered:
        deadline_s = self._terms.deadline_s
        try:
            hold = self._pool.hold(assistant, patience_s=deadline_s)
            async with hold as carrier:
                # A client that hangs up must not leave a message that the carrier may have.
                store_s = self._acceptance.commit_deadline_s + self._terms.timings.store_deadline_s
                with trio.fail_after(deadline_s + store_s, shield=True):
                    now = self._terms.now_ms()
                    # It waited for its turn at the carrier: quiet hours may have begun.
                    permit = self._permit(sender, draft, now)
                    new = self._new(sender, assistant, draft, permit, now)
                    message = await self._store(sender, new, keep, now)
                    outcome = await hand_over(
                        carrier,
                        outbound(message),
                        deadline_s=deadline_s,
                        others=lambda: other_ids(self._database, message),
                        now_ms=self._terms.now_ms,
                        closing=self._pool.closing,
                        timings=self._terms.timings,
                    )
                    self._pool.health.note(assistant.id, assistant.provider, outcome)
                    return await self._conclude(message, outcome, keep)
        except NoAccount as error:
            raise Conflict(
                f"The {assistant.provider} account of this assistant can't be used: {error}"
            ) from None

    def _permit(self, sender: Principal, draft: Draft, now: int) -> Permit:
        (permit,) = self._acceptance.permits(sender, [draft], now)
        return permit

    def _new(
        self, sender: Principal, assistant: Assistant, draft: Draft, permit: Permit, now: int
    ) -> NewMessage:
        timing = permit.timing(draft.send_at, draft.ttl_s, now)
        held = timing.held_until is not None
        deadline_ms = round(self._terms.deadline_s * 1000)
        return new_message(
            sender,
            draft,
            timing,
            now,
            segments=count(draft.body),
            status=QUEUED if held else SENDING,
            sim_selector=BY_CARRIER,
            sim=draft.sender,
            provider=assistant.provider,
            assistant=assistant.id,
            reference=new_reference(self._pool.account_mark(assistant)),
            callback_url=self._callback_url(assistant),
            first_tried_at=None if held else now,
            next_poll_at=None if held else now + deadline_ms + self._terms.timings.margin_ms,
        )

    async def _store(
        self, sender: Principal, new: NewMessage, keep: Keep[Answered] | None, now: int
    ) -> Message:
        def insert(tx: Tables) -> Message:
            message_id = tx.messages.insert(new)
            if new.callback_url is not None:
                # The carrier calls with the id: it may be faster than its own answer.
                address = f"{new.callback_url}?{MESSAGE_FIELD}={message_id}"
                tx.messages.set(message_id, callback_url=address)
            message = tx.messages.find(new.org, message_id)
            assert message is not None, "it was stored just now"  # noqa: S101
            return message

        first = None if keep is None else _first_answer(keep)
        return await self._acceptance.store(sender, [new], insert, keep=first, now=now)

    async def _conclude(
        self, message: Message, outcome: Outcome, keep: Keep[Answered] | None
    ) -> Answered:
        """Stores what became of a message that was handed over. Returns its sender's answer."""
        now = self._terms.now_ms()

        def store(tx: Tables) -> Answered:
            changed = store_outcome(tx, message, outcome, now, polls=self._terms.timings.polls)
            answered = carrier_answers.of_message(changed, outcome)
            if keep is not None and not carrier_answers.is_open(answered):
                keep.put(tx, message.org, answered, message.created_at)
            return answered

        # The carrier's outcome is the answer even if the store fails: after an error the sender
        # would send the message again.
        with trio.move_on_after(self._terms.timings.store_deadline_s):
            for tries_left in reversed(range(STORE_TRIES)):
                try:
                    return await self._database.write(store)
                except StoreError as error:
                    _log.error("outcome_not_stored", message=message.id, reason=str(error))
                    if not isinstance(error, StorageUnavailable) or not tries_left:
                        break
                    await trio.sleep(self._terms.timings.store_pause_s)
        # The message itself is stored, and the reconciler will find out the same.
        return carrier_answers.of_unstored(message, outcome)


def _first_answer(keep: Keep[Answered]) -> Keep[Message]:
    """Keeps the id alone for a message that is about to be handed over, for `recall`."""

    def render(message: Message) -> tuple[int, bytes]:
        if message.status == QUEUED:
            return keep.render(carrier_answers.of_message(message))
        return OPEN, str(message.id).encode()

    return keep.rendered(render)
