"""What `POST /send` asks for, and what it is answered. Pure."""

from collections.abc import Iterator, Sequence

from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.endpoint import Answer
from phonegate.api.messages_types import (
    MAX_AHEAD_MS,
    TOO_FAR_AHEAD,
    Send,
    SendAnswer,
    SendItem,
    SendResult,
)
from phonegate.domain.sending import Outgoing, SendOutcome
from phonegate.domain.text_limits import text_fault
from phonegate.model.phones import ANY_SIM
from phonegate.model.refusals import FieldProblem


def outgoing(body: Send, now: int, most_characters: int) -> list[Outgoing]:
    """Lists the messages of a request, each with its own options or else those of the request.

    Args:
        body: The request.
        now: In ms.
        most_characters: How long the org lets its texts be.

    Raises:
        BadInput: The body has neither or both forms, a time lies too far ahead, or a text is too
            long.
    """
    single = (("to", body.to), ("body", body.body))
    if body.messages is None:
        missing = [name for name, value in single if value is None]
        problems = [FieldProblem(name, "is required, or else messages") for name in missing]
    else:
        given = [name for name, value in single if value is not None]
        problems = [FieldProblem(name, "can't stand beside messages") for name in given]
    for prefix, options in _options(body):
        if options.send_at is not None and options.send_at > now + MAX_AHEAD_MS:
            problems.append(FieldProblem(f"{prefix}send_at", TOO_FAR_AHEAD))
        if options.body is not None and (fault := text_fault(options.body, most_characters)):
            problems.append(FieldProblem(f"{prefix}body", fault))
    if problems:
        raise refusal(tuple(problems))
    if body.messages is None:
        return [_with_options(SendItem(to=body.to or "", body=body.body or ""), body)]
    return [_with_options(item, body) for item in body.messages]


def _options(body: Send) -> Iterator[tuple[str, Send | SendItem]]:
    """Yields each object that has options, with the beginning of its fields' names."""
    yield "", body
    for at, item in enumerate(body.messages or ()):
        yield f"messages[{at}].", item


def _with_options(item: SendItem, body: Send) -> Outgoing:
    priority = item.priority if item.priority is not None else body.priority
    sim_selector = item.sim if item.sim is not None else body.sim
    return Outgoing(
        to=item.to,
        body=item.body,
        sim_selector=ANY_SIM if sim_selector is None else sim_selector,
        ttl_s=item.ttl if item.ttl is not None else body.ttl,
        send_at=item.send_at if item.send_at is not None else body.send_at,
        priority=0 if priority is None else priority,
        on_uncertain=item.on_uncertain or body.on_uncertain,
    )


def asked(items: Sequence[Outgoing]) -> list[object]:
    """Lists what two requests under one Idempotency-Key must have in common."""
    return [
        [i.to, i.body, i.sim_selector, i.ttl_s, i.send_at, i.priority, i.on_uncertain, i.media_urls]
        for i in items
    ]


def fields_of_sim(body: Send, items: Sequence[Outgoing], sim_selector: str) -> list[str]:
    """Names the fields that selected a SIM."""
    if body.sim == sim_selector:
        return ["sim"]
    return [
        f"messages[{at}].sim" for at, item in enumerate(items) if item.sim_selector == sim_selector
    ]


def answer(outcome: SendOutcome) -> Answer:
    """Makes the answer to a send of which all was accepted."""
    results = tuple(
        SendResult(
            id=sent.id,
            to=sent.to,
            status=sent.status,
            eta_s=sent.eta_s,
            waiting_for="approval" if sent.held else None,
        )
        for sent in outcome.results
    )
    content = SendAnswer(device_online=outcome.device_online, queued=len(results), results=results)
    return Answer(content=CONVERTER.encode(content))
