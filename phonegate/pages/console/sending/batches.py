"""The screens of batches: how far each is, what became of its messages, and the rest of it."""

from typing import Any, Final

import attrs
from quart import Response

from phonegate.domain.batch_plan import MAX_RECIPIENTS, Draft
from phonegate.domain.batches import UNSENT, BatchView
from phonegate.model.messages import MessageView
from phonegate.model.refusals import NotFound, Refused
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
from phonegate.model.times import iso
from phonegate.pages.console import csv_cells
from phonegate.pages.console.downloads import download, in_turn
from phonegate.pages.console.question import question
from phonegate.pages.console.sending.batch_sending import send_step, withdraw
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.words import STATE_WORDS

LISTED: Final = 100
"""Messages that a batch's page lists of those that were not sent."""

LISTED_STATES: Final = (FAILED, EXPIRED, UNCERTAIN)

BAR: Final = (
    (DELIVERED, "delivered"),
    (SENT, "sent"),
    (SENDING, "sending"),
    (UNCERTAIN, "uncertain"),
    (FAILED, "failed"),
    (EXPIRED, "failed"),
    (CANCELLED, "cancelled"),
    (QUEUED, "queued"),
)
"""The states in the order of the bar, each with the class that colours it."""

WIDTH: Final = 1_000
"""The width of the bar in the units of its drawing."""


@attrs.frozen(kw_only=True)
class Stretch:
    """The part of a bar that stands for a state."""

    name: str
    begin: float
    width: float


@attrs.frozen(kw_only=True)
class Progress:
    """A batch with its bar."""

    batch: BatchView
    stretches: tuple[Stretch, ...]
    counts: tuple[tuple[str, str, int], ...]
    """Each state that any message is in: its class, its word and how many."""

    @property
    def left(self) -> int:
        """How many messages have left."""
        return self.batch.count(SENT, DELIVERED)


async def show(visit: Visit) -> Response:
    """Lists the batches that were sent, newest first."""
    found = await visit.services.batches.begun(visit.principal)
    return await visit.page("console/batches.html", batches=[progress(one) for one in found])


async def one(visit: Visit) -> Response:
    """Shows how far a batch is, and its messages that were not sent."""
    return await visit.page("console/batch.html", **await _shown(visit))


async def part(visit: Visit) -> Response:
    """Shows the same for a script to place."""
    return await visit.part("console/batch_part.html", **await _shown(visit))


async def _shown(visit: Visit) -> dict[str, Any]:
    batch = await _begun(visit)
    listed: list[MessageView] = []
    if visit.may("read") and batch.count(*LISTED_STATES):
        listed = await visit.services.batches.messages(
            visit.principal, batch.token, LISTED_STATES, limit=LISTED
        )
    numbers = [message.address for message in listed]
    return {
        "progress": progress(batch),
        "listed": listed,
        "names": await visit.services.contacts.names_of(visit.principal, numbers),
        "unsent": batch.count(*UNSENT),
        "mine": batch.key == visit.principal.key_id,
    }


async def go_on(visit: Visit) -> Response:
    """Hands over what is left of a batch."""
    token = visit.path["token"]
    try:
        await send_step(visit, token)
    except Refused as refused:
        if visit.by_script:
            raise
        return visit.go("/batches", token, said=refused.detail)
    return await part(visit) if visit.by_script else visit.go("/batches", token)


async def ask_cancelling(visit: Visit) -> Response:
    """Asks whether the rest of a batch is to be cancelled."""
    batch = await _begun(visit)
    waiting = batch.count(QUEUED, SENDING) + batch.total - batch.accepted
    return await question(
        visit,
        f"Cancel the {waiting} messages that have not left?",
        sentences=("Those that a phone has already may still leave.",),
        action=visit.url("/batches", batch.token, "cancel"),
        word="Cancel them",
        back=visit.url("/batches", batch.token),
        stay="Let them leave",
    )


async def cancel(visit: Visit) -> Response:
    """Cancels what has not left of a batch."""
    token = visit.path["token"]
    withdrawn, left = await withdraw(visit, token)
    said = f"{withdrawn} messages were cancelled."
    if left:
        said += f" {left} have not left yet: a phone was asked for them, or cancel once more."
    return visit.go("/batches", token, said=said)


async def again(visit: Visit) -> Response:
    """Makes a draft of the messages that were not sent, and leads to its preview."""
    batch = await _begun(visit)
    messages = await visit.services.batches.messages(
        visit.principal, batch.token, UNSENT, limit=MAX_RECIPIENTS
    )
    if not messages:
        raise NotFound("There is no message of this batch that was not sent.")
    copies = tuple((message.address, message.body) for message in messages)
    form = attrs.evolve(batch.form, draft=Draft(copies=copies), send_at=None)
    token = await visit.services.batches.save(visit.principal, form)
    return visit.go("/compose", token)


async def results(visit: Visit) -> Response:
    """Gives out what became of each message, as a table."""
    batch = await _begun(visit)
    messages = await visit.services.batches.messages(
        visit.principal, batch.token, limit=MAX_RECIPIENTS
    )
    numbers = [message.address for message in messages]
    names = await visit.services.contacts.names_of(visit.principal, numbers)
    header = (
        "number",
        "name",
        "text",
        "state",
        "error",
        "segments",
        "sent_at",
        "delivered_at",
        "id",
    )
    rows = (
        (
            message.address,
            names.get(message.address, ""),
            message.body,
            message.status,
            message.error,
            message.segments,
            _time(message.sent_at),
            _time(message.delivered_at),
            message.id,
        )
        for message in messages
    )
    content = await in_turn(visit, len(messages), lambda: csv_cells.csv_file(header, rows))
    return download(content, "results.csv", csv_cells.MEDIA)


def progress(batch: BatchView) -> Progress:
    """Works out the bar of a batch."""
    begin = 0.0
    stretches = []
    for status, name in BAR:
        width = WIDTH * batch.count(status) / max(1, batch.total)
        if width:
            stretches.append(Stretch(name=name, begin=round(begin, 2), width=round(width, 2)))
        begin += width
    counts = [(name, STATE_WORDS[status], batch.count(status)) for status, name in BAR]
    return Progress(
        batch=batch,
        stretches=tuple(stretches),
        counts=tuple(found for found in counts if found[2]),
    )


def _time(ms: int | None) -> str:
    return "" if ms is None else iso(ms)


async def _begun(visit: Visit) -> BatchView:
    batch = await visit.services.batches.find(visit.principal, visit.path["token"])
    if batch.begun_at is None:
        raise NotFound("This batch is a draft, and was not sent.")
    return batch


ROUTES: Final = (
    Route(path="/batches", scope="send", view=show),
    Route(path="/batches/<token>", scope="send", view=one),
    Route(path="/batches/<token>/part", scope="send", view=part),
    Route(path="/batches/<token>/continue", methods=("POST",), scope="send", view=go_on),
    Route(path="/batches/<token>/cancel", scope="send", view=ask_cancelling),
    Route(path="/batches/<token>/cancel", methods=("POST",), scope="send", view=cancel),
    Route(path="/batches/<token>/again", methods=("POST",), scope="read", view=again),
    Route(path="/batches/<token>/results.csv", scope="read", view=results),
)
