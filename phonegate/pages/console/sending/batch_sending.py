"""Sends a batch in steps: each is so long as a person waits for a page, and repeats nothing."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any, Final

import trio

from phonegate.api import messages_api, sms_api
from phonegate.api.inner_calls import CallRefused
from phonegate.domain.batches import OPEN, Chunk
from phonegate.model.refusals import Refused, Throttled
from phonegate.pages.console.sending import senders
from phonegate.pages.console.visit import Visit

STEP_S: Final = 4.0
"""How long one request goes on sending. Then its page shows how far it came, and asks for more."""

AT_ONCE: Final = 16
"""Messages that are withdrawn at the same time, so that they share commits."""

WITHDRAWN: Final = 2_000
"""Most messages that one request withdraws."""


async def send_step(visit: Visit, token: str) -> bool:
    """Hands over what is left of a batch, for a few seconds at most. Returns whether all is done.

    Raises:
        Refused: A chunk was refused. What came before it is accepted.
        StoreError: The database can't be asked.
    """
    batches, end = visit.services.batches, perf_counter() + STEP_S
    while (chunk := await batches.next_chunk(visit.principal, token)) is not None:
        ids = await _hand_over(visit, chunk)
        if await batches.accepted(visit.principal, token, chunk, ids):
            await _cancel(visit, ids)
            return True
        if perf_counter() >= end:
            return await batches.next_chunk(visit.principal, token) is None
    return True


async def _hand_over(visit: Visit, chunk: Chunk) -> list[int]:
    """Sends a chunk by the API. Returns its messages."""
    form = chunk.form
    options = {
        name: value
        for name, value in (("ttl", form.ttl_s), ("send_at", form.send_at))
        if value is not None
    }
    sim = senders.sim_of(form.sender)
    if sim is None:
        return await _by_carrier(visit, chunk, options)
    body: dict[str, Any] = {
        "messages": [{"to": to, "body": text} for to, text in chunk.messages],
        "priority": form.priority,
        **options,
        **({"sim": sim} if sim else {}),
    }
    made = await visit.call("send_sms", body=body, idempotency_key=chunk.idempotency_key)
    return [one["id"] for one in made["results"]]


async def _by_carrier(visit: Visit, chunk: Chunk, options: dict[str, Any]) -> list[int]:
    """Sends one message from the number of an assistant. One that its carrier refuses counts."""
    ((to, text),) = chunk.messages
    endpoint, body = senders.asked(chunk.form.sender, to, text, None)
    try:
        made = await visit.call(
            endpoint, body={**body, **options}, idempotency_key=chunk.idempotency_key
        )
    except CallRefused as refused:
        found = refused.content.get("id")
        if not isinstance(found, int):
            raise
        return [found]
    sent = await visit.services.batches.message_of(visit.principal, str(made["message_id"]))
    return [] if sent is None else [sent]


async def withdraw(visit: Visit, token: str) -> tuple[int, int]:
    """Withdraws what still waits of a batch. Returns how many were, and how many are left."""
    batches, principal = visit.services.batches, visit.principal
    for route in (messages_api.ROUTE, sms_api.ROUTE):
        # What was sent right before an end, and is not known as this batch's yet.
        while (chunk := await batches.next_chunk(principal, token, kept_under=route)) is not None:
            await batches.accepted(principal, token, chunk, await _hand_over(visit, chunk))
    await batches.stop(principal, token)
    ids = await batches.message_ids(principal, token, OPEN, limit=WITHDRAWN)
    withdrawn = await _cancel(visit, ids)
    left = (await batches.find(principal, token)).count(*OPEN)
    return withdrawn, left


async def _cancel(visit: Visit, ids: Sequence[int]) -> int:
    """Cancels messages, for a few seconds at most. Returns how many were."""
    end, withdrawn = perf_counter() + STEP_S, 0
    waiting = iter(ids)

    async def work() -> None:
        nonlocal withdrawn
        for one in waiting:
            if perf_counter() >= end:
                return
            try:
                await visit.call("cancel_message", path={"id": one})
            except Throttled:
                return
            except Refused:
                continue  # it has left meanwhile
            withdrawn += 1

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(work)
    return withdrawn
