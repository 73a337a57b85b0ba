"""What a webhook takes up of what has happened, and what of that is due, with all who may see it.

A webhook of an org gets what its filter fits, as far as its maker may see it. One for status
callbacks gets what became of the messages whose callbacks go by it, and nothing else.
"""

from collections.abc import Callable
from typing import Final

import attrs

from phonegate.domain.event_filter import EventFilter
from phonegate.domain.event_log import seen
from phonegate.domain.status_callbacks import callback_of
from phonegate.domain.webhook_standing import reader_of
from phonegate.events.webhooks import callback_forms, smsgate_shape
from phonegate.events.webhooks.shapes import has_form
from phonegate.model.events import Event
from phonegate.model.principal import Principal
from phonegate.model.webhooks import Delivery, Webhook
from phonegate.store.deliveries import Due, Taken
from phonegate.store.tables import Tables

MOST_WAITING: Final = 10_000
"""Deliveries of one webhook that may wait. Beyond it no more events are taken up."""

MOST_WAITING_OF_ORG: Final = 50_000
"""The same for all webhooks of an org."""

FEW_WAITING: Final = 500
"""A webhook for which fewer wait takes events up in any case: a hundred of them have no more than
the org may have, and those for status callbacks half of that. To count what waits for all takes as
long as to take up three events."""


def active(tx: Tables, org: int | None) -> list[Webhook]:
    """Returns the webhooks that are called: of an org, or of all."""
    if org is None:
        return tx.webhooks.active()
    return tx.webhooks.active_of_org(org)


def take(tx: Tables, webhook: Webhook, limit: int, now: int) -> Taken | None:
    """Takes events up. None where too much waits already."""
    deliveries = tx.deliveries
    own = deliveries.waiting(webhook.id)
    if own >= MOST_WAITING:
        return None
    if own >= FEW_WAITING and deliveries.waiting_of_org(webhook.org) >= MOST_WAITING_OF_ORG:
        return None
    return deliveries.take(webhook, limit, _fitting(tx, webhook), now)


def _fitting(tx: Tables, webhook: Webhook) -> Callable[[Event], bool]:
    """Returns what tells whether a webhook gets an event."""
    if webhook.is_for_callbacks:

        def is_wanted(event: Event) -> bool:
            callback = callback_of(tx, webhook, event)
            return callback is not None and callback_forms.wants(callback, event)

        return is_wanted
    reader = reader_of(tx, webhook)
    wanted = EventFilter.of_webhook(webhook)

    def fits(event: Event) -> bool:
        if reader is None or not wanted.fits(event) or not has_form(webhook.shape, event.type):
            return False
        if webhook.shape == "smsgate" and not smsgate_shape.fits(webhook, event):
            return False
        return seen(reader.limits, event) is not None

    return fits


def due(tx: Tables, webhook: Webhook, now: int, limit: int) -> list[Due]:
    """Returns what is due, each event as the maker of the webhook sees it now."""
    if webhook.is_for_callbacks:
        return [_as_known(tx, webhook, one) for one in tx.deliveries.due(webhook, now, limit)]
    reader = reader_of(tx, webhook)
    return [
        one if one.event is None else _as_seen(tx, webhook, one.delivery, one.event, reader)
        for one in tx.deliveries.due(webhook, now, limit)
    ]


def _as_seen(
    tx: Tables, webhook: Webhook, delivery: Delivery, event: Event, reader: Principal | None
) -> Due:
    """Returns what is due as its reader sees it, with what some shapes say of media."""
    message = event.message
    types: tuple[str, ...] = ()
    shown = None if reader is None else seen(reader.limits, event)
    if message is not None and message.parts:
        if webhook.shape == "twilio":
            types = tx.media_parts.content_types(message.id)
        elif webhook.shape == "smsgate" and shown is not None:
            outline = tx.media_parts.outline(message.id)
            parts = {n: (kind, name, size) for n, kind, name, size in outline}
            shown = attrs.evolve(shown, data={"parts": parts})
    return Due(delivery, shown, media_types=types)


def _as_known(tx: Tables, webhook: Webhook, found: Due) -> Due:
    """Returns what is due with its callback, and the message as its sender knows it."""
    delivery, event = found.delivery, found.event
    callback = None if event is None else callback_of(tx, webhook, event)
    if event is None or event.message is None or callback is None:
        return Due(delivery, None)
    if callback.known_as is not None:
        known = event.message._replace(id=callback.known_as)
        return Due(delivery, attrs.evolve(event, message=known), callback)
    return Due(delivery, event, callback)
