"""The one act of sending by which every dialect sends.

What a dialect's client asks for goes the way of `POST /send`, or of `POST /sms/send` where the
sender's number is an assistant's at a carrier: with the same limits, pacing and states.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Dialect
from phonegate.api.dialects.by_carrier import send_list, send_one
from phonegate.api.dialects.wanted import Accepted, Act, Render, Wanted
from phonegate.api.endpoint import Answer, Call
from phonegate.api.idempotency_key import once
from phonegate.api.messages_types import MAX_AHEAD_MS, MAX_TTL_S, TOO_FAR_AHEAD
from phonegate.domain.idempotency import Keep
from phonegate.domain.recipients import (
    MAX_WRITINGS,
    READING,
    TooManyWritings,
    read_recipient,
    read_recipients,
    written_form,
)
from phonegate.domain.sending import Outgoing, SendOutcome
from phonegate.domain.text_limits import carrier_text_fault, text_fault
from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.numbers import is_recipient
from phonegate.model.phones import ANY_SIM
from phonegate.model.refusals import (
    FieldProblem,
    NotFound,
    RecipientNotAllowed,
    UnknownSim,
)
from phonegate.typed_json.rules import NEVER_STORED

MOST_DIGITS: Final = 3
"""A sender's text with fewer digits is a name."""


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
    act = Act(dialect=dialect, call=call, wanted=wanted, render=render, to=to)
    if not any(owner is not None and owner.by_carrier for owner in owners.values()):
        return await _by_phones(act)
    return await (send_one(act) if len(wanted) == 1 else send_list(act))


async def _by_phones(act: Act) -> Answer:
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


def _slot(slot: int | None) -> str:
    return ANY_SIM if slot is None else str(slot)
