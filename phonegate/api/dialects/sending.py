"""The one act of sending by which every dialect sends.

What a dialect's client asks for goes the way of `POST /send`, or of `POST /sms/send` where the
sender's number is an assistant's at a carrier: with the same limits, pacing and states.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect
from phonegate.api.dialect_errors import in_dialect
from phonegate.api.endpoint import Answer, Call
from phonegate.api.errors import LIMIT_CODES, NOT_ALLOWED, FieldsRefused, answer_for
from phonegate.api.idempotency_key import once
from phonegate.api.messages_types import MAX_AHEAD_MS, MAX_TTL_S, TOO_FAR_AHEAD
from phonegate.domain.carrier_answers import Answered, CarrierSent
from phonegate.domain.carrier_sending import Draft
from phonegate.domain.idempotency import Keep
from phonegate.domain.recipients import (
    MAX_WRITINGS,
    READING,
    TooManyWritings,
    read_recipient,
    read_recipients,
    written_form,
)
from phonegate.domain.segmentation import count
from phonegate.domain.sending import Outgoing, SendOutcome
from phonegate.domain.text_limits import carrier_text_fault, text_fault
from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.callbacks import Callback
from phonegate.model.numbers import is_recipient
from phonegate.model.phones import ANY_SIM
from phonegate.model.refusals import (
    FieldProblem,
    NotFound,
    RecipientNotAllowed,
    Refused,
    UnknownSim,
)
from phonegate.model.states import FAILED, UNCERTAIN
from phonegate.typed_json.rules import NEVER_STORED

ONE_KEPT: Final = 200
"""The status that what became of one of several messages is kept with. No client gets it."""

MOST_DIGITS: Final = 3
"""A sender's text with fewer digits is a name."""

SENDING_CODES: Final = (
    "unknown_sim",
    "idempotency_key_reused",
    "conflict",
    "provider_failed",
    "outcome_unknown",
    *LIMIT_CODES,
)
"""What `send` may refuse, beside what is wrong in a request."""


@attrs.frozen(kw_only=True)
class Wanted:
    """A message that a dialect's client asks for."""

    to: str = attrs.field(repr=False)
    """An E.164 number or a short code, as `recipients` gives it."""
    body: str = attrs.field(repr=False)
    sender: str | None = attrs.field(default=None, repr=False)
    """A number of the org: a SIM's or an assistant's. What is no number, as a name, leaves the
    choice to the gateway."""
    slot: int | None = None
    """The slot of a phone's SIM, counted from 0, where no `sender` is given."""
    send_at: int | None = None
    """In ms. A past one means now."""
    ttl_s: int | None = None
    priority: int = 0
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    callback: Callback | None = attrs.field(default=None, repr=False)
    """Where its client wants to hear what becomes of it."""
    client_id: str | None = None
    """What its client calls it."""


@attrs.frozen(kw_only=True)
class Accepted:
    """What became of one of them."""

    id: int
    to: str = attrs.field(repr=False)
    status: str
    segments: int
    held: bool = False
    """Whether it waits for a person's approval."""
    sender: str | None = attrs.field(default=None, repr=False)
    """The number that was asked for, where it was one of the org's."""
    error: str | None = None
    """Why it failed at once, as a carrier may say."""


class CarrierFailed(Refused):
    """A carrier did not take the only message of a request. It is stored as failed."""

    code = "provider_failed"

    def __init__(self, accepted: Accepted) -> None:
        self.accepted = accepted
        super().__init__(accepted.error or "The carrier did not take the message.")


_KeepOne = Keep[Answered]

Render = Callable[[Sequence[Accepted]], Answer]
"""Makes the answer, whose content is bytes, of what became of the messages of a request."""


async def send(
    dialect: Dialect,
    call: Call,
    wanted: Sequence[Wanted],
    render: Render,
    *,
    fields: Sequence[str] = ("to", "text"),
) -> Answer:
    """Sends messages, all or none of them, once for the request's Idempotency-Key.

    What a carrier sends goes to it one by one. If a limit ends that before the last, the answer
    shows which were accepted, and of the others why they were not.

    Args:
        dialect: Words what a carrier says that takes no message.
        call: The request.
        wanted: Its messages.
        render: Makes the answer.
        fields: What the dialect calls the recipient and the text, for refusals.

    Raises:
        BadInput: There are none or too many, or one is too long or too far ahead.
        Refused: As `Sending.send` and `CarrierSending.send`.
    """
    to, text = fields
    _require(wanted, call.services.now_ms(), to, text)
    owners: dict[str | None, Owner | None] = {}
    for sender in dict.fromkeys(one.sender for one in wanted):
        owners[sender] = await _owner(call, sender)
    _require_short(wanted, owners, text)
    wanted = [_from(one, owners[one.sender]) for one in wanted]
    act = _Act(dialect=dialect, call=call, wanted=wanted, render=render, to=to)
    if not any(owner is not None and owner.by_carrier for owner in owners.values()):
        return await _by_phones(act)
    return await (_by_carrier(act) if len(wanted) == 1 else _one_by_one(act))


@attrs.frozen(kw_only=True)
class _Act:
    """A request that is understood."""

    dialect: Dialect
    call: Call
    wanted: Sequence[Wanted]
    render: Render
    to: str
    """What the dialect calls the recipient."""

    @property
    def route(self) -> str:
        """Under it the answers to an Idempotency-Key are kept."""
        return f"dialect {self.call.request.path}"

    def asked(self) -> list[object]:
        """Lists what two requests under one Idempotency-Key must have in common."""
        return [
            [
                *(w.to, w.body, w.sender, w.slot, w.send_at, w.ttl_s, w.priority, w.media_urls),
                *(() if w.callback is None else _asked_of(w.callback)),
            ]
            for w in self.wanted
        ]

    def not_allowed(self, error: RecipientNotAllowed) -> FieldsRefused:
        """Returns the refusal of a recipient, with the field."""
        return FieldsRefused(error, [FieldProblem(self.to, NOT_ALLOWED)])


async def _by_phones(act: _Act) -> Answer:
    """Sends messages by the org's own phones."""
    call = act.call
    items = [_outgoing(call, one) for one in act.wanted]

    def rendered(outcome: SendOutcome) -> Answer:
        return act.render(
            [
                Accepted(
                    id=sent.id,
                    to=sent.to,
                    status=sent.status,
                    segments=sent.segments,
                    held=sent.held,
                    sender=item.sim_selector or None,
                )
                for sent, item in zip(outcome.results, items, strict=True)
            ]
        )

    async def by_phones(keep: Keep[SendOutcome] | None) -> SendOutcome:
        try:
            return await call.services.sending.send(call.caller, items, keep=keep)
        except RecipientNotAllowed as error:
            raise act.not_allowed(error) from None

    return await once(call, act.route, act.asked, by_phones, rendered)


async def recipients(call: Call, texts: Sequence[str], field: str = "to") -> tuple[str, ...]:
    """Returns the numbers of a list as people and programs write them, each once.

    Args:
        call: The request, whose org's country national numbers are of.
        texts: Numbers, or lists of them with commas, semicolons or line ends between.
        field: What the dialect calls them, for the refusal.

    Raises:
        BadInput: There are none or too many, or some can't be read. All of those are named.
    """
    services, org = call.services, call.caller.org
    country = services.org_options.of(org).default_country
    try:
        found = await services.large_bodies.read(
            lambda: read_recipients(texts, country), READING * sum(map(len, texts)), org
        )
    except TooManyWritings:
        problem = f"holds more than {MAX_WRITINGS} entries, which is the most"
        raise refusal((FieldProblem(field, problem),)) from None
    if not found:
        raise refusal((FieldProblem(field, "is required"),))
    if len(found) > MAX_MESSAGES:
        text = f"has more than {MAX_MESSAGES} recipients, which is the most"
        raise refusal((FieldProblem(field, text),))
    problems = [
        FieldProblem(
            field,
            f"{f'has a recipient, number {one.place}, that' if len(found) > 1 else ''} "
            f"is no phone number: {one.problem}".strip(),
        )
        for one in found
        if one.problem is not None
    ]
    if problems:
        raise refusal(tuple(problems))
    return tuple(one.number for one in found)


def _require(wanted: Sequence[Wanted], now: int, to: str, text: str) -> None:
    """Checks what all messages have in common.

    Raises:
        BadInput: Something is wrong. All of it is named.
    """
    problems: list[FieldProblem] = []
    if not wanted:
        problems.append(FieldProblem(to, "is required"))
    if len(wanted) > MAX_MESSAGES:
        problems.append(
            FieldProblem(to, f"has {len(wanted)} recipients, at most {MAX_MESSAGES} are allowed")
        )
    for body in {one.body for one in wanted}:
        if not body and not all(one.media_urls for one in wanted):
            problems.append(FieldProblem(text, "must not be empty"))
        elif found := NEVER_STORED.search(body):
            kind = "a NUL character" if found[0] == "\0" else "half of a surrogate pair"
            problems.append(FieldProblem(text, f"holds {kind}"))
        elif fault := text_fault(body):
            problems.append(FieldProblem(text, fault))
    if any(one.send_at is not None and one.send_at > now + MAX_AHEAD_MS for one in wanted):
        problems.append(FieldProblem("send_at", TOO_FAR_AHEAD))
    if any(one.ttl_s is not None and not 1 <= one.ttl_s <= MAX_TTL_S for one in wanted):
        problems.append(FieldProblem("ttl", f"must be 1 to {MAX_TTL_S} seconds"))
    if problems:
        raise refusal(tuple(problems))


def _require_short(
    wanted: Sequence[Wanted], owners: Mapping[str | None, "Owner | None"], text: str
) -> None:
    """Refuses texts that are too long for the carriers that would send them.

    Raises:
        BadInput: Some are. All of them are named.
    """
    faults = {
        fault: None
        for one in wanted
        if (owner := owners[one.sender]) is not None
        and owner.by_carrier
        and (fault := carrier_text_fault(one.body))
    }
    if faults:
        raise refusal(tuple(FieldProblem(text, fault) for fault in faults))


@attrs.frozen
class Owner:
    """Who sends from a number of the org."""

    number: str = attrs.field(repr=False)
    by_carrier: bool


async def _owner(call: Call, sender: str | None) -> Owner | None:
    """Finds who sends from a number. None: any SIM will do.

    Raises:
        UnknownSim: It is a number, and none of the org's.
    """
    if sender is None or sum(map(str.isdigit, sender)) < MOST_DIGITS:
        return None
    country = call.services.org_options.of(call.caller.org).default_country
    digits = written_form(sender)
    candidates = [read_recipient(sender, country).number, f"+{digits}", digits]
    for one in filter(is_recipient, candidates):
        try:
            owner = await call.services.carrier_sending.owner(call.caller.org, one)
        except NotFound:
            continue
        return Owner(one, owner != "phone")
    if any(map(str.isalpha, sender)):
        return None
    known = await call.services.messages.sims(
        call.caller.org, lambda sims: [sim.number for sim in sims if sim.number]
    )
    raise UnknownSim(digits, known)


async def _by_carrier(act: _Act) -> Answer:
    """Sends a single message by the carrier that has its sender's number."""
    call, (one,) = act.call, act.wanted
    service = call.services.carrier_sending

    def rendered(answered: Answered) -> Answer:
        accepted = _of_carrier(answered, one)
        if accepted.status == FAILED:
            # No error that is raised: the answer is kept in the transaction that stores it.
            refused = _with_carrier(answer_for(CarrierFailed(accepted)), answered)
            return in_dialect(refused, act.dialect, call.request)
        return act.render([accepted])

    async def accept(keep: Keep[Answered] | None) -> Answered:
        try:
            return await service.send(call.caller, _draft(one), keep=keep)
        except RecipientNotAllowed as error:
            raise act.not_allowed(error) from None

    recall = partial(service.recall, call.caller.org)
    return await once(call, act.route, act.asked, accept, rendered, recall=recall)


async def _one_by_one(act: _Act) -> Answer:
    """Sends several messages of which a carrier has some. Its answer is kept after the last."""
    call, services = act.call, act.call.services

    async def accept(keep: Keep[Sequence[Accepted]] | None) -> Sequence[Accepted]:
        found: list[Accepted] = []
        for place, one in enumerate(act.wanted):
            keep_one = _keep_one(keep, place, one)
            if before := await _before(call, keep_one):
                found.append(before)
                continue
            try:
                answered = await services.carrier_sending.send(
                    call.caller, _draft(one), keep=keep_one
                )
            except Refused as error:
                if not found:
                    if isinstance(error, RecipientNotAllowed):
                        raise act.not_allowed(error) from None
                    raise
                found.append(
                    Accepted(id=0, to=one.to, status=FAILED, segments=0, error=error.detail)
                )
            else:
                found.append(_of_carrier(answered, one))
        if keep is not None:
            org, now = call.caller.org, services.now_ms()
            await services.idempotency.keep(org, keep, found, now)
        return found

    return await once(call, act.route, act.asked, accept, act.render)


def _keep_one(keep: Keep[Sequence[Accepted]] | None, place: int, one: Wanted) -> _KeepOne | None:
    """Asks for the answer to one of several messages to be kept with it.

    So a request that ended amid its messages, with the gateway or with its time, goes on where it
    stopped when its client repeats it under the same Idempotency-Key.
    """
    if keep is None:
        return None

    def render(answered: Answered) -> tuple[int, bytes]:
        return ONE_KEPT, json.dumps(attrs.asdict(_of_carrier(answered, one))).encode()

    return attrs.evolve(keep.rendered(render), route=f"{keep.route} {place}")


async def _before(call: Call, keep: _KeepOne | None) -> Accepted | None:
    """Returns what became of a message at an earlier try of its request, if that sent it.

    Raises:
        KeyReused: As `Idempotency.kept_of`.
        Conflict, NotFound: As `CarrierSending.recall`.
    """
    org = call.caller.org
    kept = None if keep is None else await call.services.idempotency.kept_of(org, keep)
    if keep is None or kept is None:
        return None
    known = await call.services.carrier_sending.recall(org, kept, keep)
    return Accepted(**json.loads(known.body))


def _draft(one: Wanted) -> Draft:
    return Draft(
        sender=one.sender or "",
        to=one.to,
        body=one.body,
        media_urls=one.media_urls,
        ttl_s=one.ttl_s,
        send_at=one.send_at,
        callback=one.callback,
        client_id=one.client_id,
    )


def _with_carrier(refused: Answer, answered: Answered) -> Answer:
    """Returns a refusal with the carrier's name and its own code, for dialects that know it."""
    code = getattr(answered, "code", None)
    beside = {"provider": answered.provider, "provider_code": code}
    return attrs.evolve(refused, content={**refused.content, **beside})


def _of_carrier(answered: Answered, one: Wanted) -> Accepted:
    if isinstance(answered, CarrierSent):
        status, error = answered.status, None
    else:
        status, error = (UNCERTAIN if answered.uncertain else FAILED), answered.reason
    return Accepted(
        id=answered.id,
        to=one.to,
        status=status,
        segments=count(one.body),
        held=isinstance(answered, CarrierSent) and answered.held,
        sender=one.sender,
        error=error,
    )


def _from(one: Wanted, owner: Owner | None) -> Wanted:
    """Returns a message with the number that sends it, as the org's own lists have it."""
    return attrs.evolve(one, sender=None if owner is None else owner.number)


def _outgoing(call: Call, one: Wanted) -> Outgoing:
    phone = None
    if one.media_urls:
        able = call.services.carrier_sending.phone_for_media(call.caller.org, one.sender)
        # A SIM that was asked for finds its phone by itself.
        phone = None if one.sender else able
    return Outgoing(
        to=one.to,
        body=one.body,
        sim_selector=one.sender or _slot(one.slot),
        ttl_s=one.ttl_s,
        send_at=one.send_at,
        priority=one.priority,
        media_urls=one.media_urls or None,
        phone=phone,
        callback=one.callback,
        client_id=one.client_id,
    )


def _asked_of(callback: Callback) -> tuple[object, ...]:
    """Returns what a request says of a callback: another token of the same client may sign it."""
    return callback.shape, callback.url, callback.mask, callback.method


def _slot(slot: int | None) -> str:
    return ANY_SIM if slot is None else str(slot)
