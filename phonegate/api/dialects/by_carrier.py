"""Sends what a dialect's client asks for by the carriers of its org's assistants."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs

from phonegate.api.dialect_errors import in_dialect
from phonegate.api.dialects.wanted import Accepted, Act, CarrierFailed, Wanted
from phonegate.api.endpoint import Answer, Call
from phonegate.api.errors import answer_for
from phonegate.api.idempotency_key import once
from phonegate.domain.carrier_answers import Answered, CarrierSent
from phonegate.domain.carrier_sending import Draft
from phonegate.domain.idempotency import Keep
from phonegate.domain.segmentation import count
from phonegate.model.refusals import RecipientNotAllowed, Refused
from phonegate.model.states import FAILED, UNCERTAIN

ONE_KEPT: Final = 200
"""The status that what became of one of several messages is kept with. No client gets it."""

_KeepOne = Keep[Answered]


async def send_one(act: Act) -> Answer:
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


async def send_list(act: Act) -> Answer:
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
