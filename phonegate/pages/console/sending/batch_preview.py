"""What is shown of a batch before it is sent: each message, what it costs, what is wrong."""

import json
from collections.abc import Sequence
from functools import partial
from typing import Final

import attrs

from phonegate.api.convert import CONVERTER
from phonegate.api.limits_types import limits_json
from phonegate.domain.batch_drafts import BatchForm
from phonegate.domain.batch_plan import (
    Plan,
    Planned,
    Recipient,
    plan,
    recipients_of,
    with_contacts,
)
from phonegate.domain.batches import BatchView
from phonegate.domain.key_limits import may_receive
from phonegate.domain.recipients import READING
from phonegate.domain.routing import parse_sim_selector
from phonegate.model.bounds import MAX_BODY
from phonegate.model.refusals import Refused
from phonegate.pages.console.programs.key_words import limits_in_words
from phonegate.pages.console.sending import senders
from phonegate.pages.console.visit import Visit

NOT_ALLOWED: Final = "is none that this API key may send to"

MOST_FORECAST: Final = 2_000
"""Messages whose leaving is simulated. Of more, the time is that of these, stretched."""


@attrs.frozen(kw_only=True)
class Preview:
    """A batch as it would be sent now."""

    plan: Plan
    columns: tuple[str, ...]
    chosen: tuple[Planned, ...]
    """The messages that would be sent."""
    repeats: bool
    """Whether numbers that come twice get both messages."""
    segments: int
    wait_s: int | None
    """Seconds until the last would leave. None where no phone can send them now, or a carrier
    does."""
    by_carrier: bool
    cautions: tuple[str, ...]
    """What the API key's limits mean for it."""
    before: BatchView | None
    """The batch by which the same was sent within a day."""


async def preview(visit: Visit, form: BatchForm, *, repeats: bool) -> Preview:
    """Works out what would be sent of a form."""
    found, columns = await planned(visit, form)
    chosen = found.chosen(repeats=repeats)
    carried = senders.sim_of(form.sender) is None
    return Preview(
        plan=found,
        columns=columns,
        chosen=chosen,
        repeats=repeats,
        segments=sum(one.segments for one in chosen),
        wait_s=None if carried or not chosen else await _wait_s(visit, form, chosen),
        by_carrier=carried,
        cautions=tuple(_cautions(visit, len(chosen))),
        before=await visit.services.batches.sent_before(
            visit.principal, form, [(one.to, one.body) for one in chosen]
        )
        if chosen
        else None,
    )


async def planned(visit: Visit, form: BatchForm) -> tuple[Plan, tuple[str, ...]]:
    """Returns the messages of a form, and the names of its table's columns."""
    draft, services, principal = form.draft, visit.services, visit.principal
    size = len(draft.table) + len(draft.to) + sum(len(body) for _, body in draft.copies)
    size *= READING
    in_turn = partial(services.large_bodies.read, size=size, org=principal.org)
    recipients = await in_turn(partial(recipients_of, draft))
    if recipients.problems:
        return Plan(faults=recipients.problems), recipients.columns
    named = await services.contacts.of_names(principal, recipients.names)
    resolved = [_allowed(visit, one) for one in with_contacts(recipients, named)]
    numbers = [one.number for one in resolved if one.number]
    contacts = await services.contacts.of_numbers(principal, numbers)
    made = await in_turn(
        partial(
            plan,
            draft,
            resolved,
            columns=recipients.columns,
            contacts=contacts,
            most_characters=most_characters(visit, form.sender),
        )
    )
    return made, recipients.columns


def most_characters(visit: Visit, sender: str) -> int:
    """Returns how long a text may be that goes out by a choice of `senders`."""
    if senders.sim_of(sender) is None:
        return MAX_BODY
    return visit.services.org_options.of(visit.principal.org).max_characters


def _allowed(visit: Visit, recipient: Recipient) -> Recipient:
    limits = visit.principal.limits
    if limits is None or recipient.problem is not None or may_receive(limits, recipient.number):
        return recipient
    return attrs.evolve(recipient, problem=NOT_ALLOWED)


async def _wait_s(visit: Visit, form: BatchForm, chosen: Sequence[Planned]) -> int | None:
    sim = senders.sim_of(form.sender)
    first = [one.segments for one in chosen[:MOST_FORECAST]]
    try:
        found = await visit.services.sending.forecast(
            visit.principal.org, parse_sim_selector(sim or None), *first
        )
    except Refused:
        return None
    if found is None or len(chosen) <= MOST_FORECAST:
        return found
    return found * sum(one.segments for one in chosen) // sum(first)


def _cautions(visit: Visit, wanted: int) -> Sequence[str]:
    limits = visit.principal.limits
    if limits is None:
        return ()
    shown = json.loads(CONVERTER.encode(limits_json(limits)))
    words = [one for one in limits_in_words(shown) if one.startswith(("Sends", "Each"))]
    for span, most in (("an hour", limits.per_hour), ("a day", limits.per_day)):
        if most is not None and wanted > most:
            words.append(f"These are {wanted} messages, and {most} {span} is the most.")
    return words
