"""Status callbacks: which webhooks bring them to their receivers, and of which messages.

A webhook of this kind stands for one receiver: all callbacks of an org that have the same shape and
the same host and port. It is made when the first message of such a callback is accepted, so that
one receiver that is dead holds up no other, and is removed when none has used it for long.
"""

from collections.abc import Iterable
from typing import Final

from phonegate.model.callbacks import Callback
from phonegate.model.events import Event
from phonegate.model.refusals import Conflict
from phonegate.model.times import DAY_MS, HOUR_MS
from phonegate.model.webhooks import Webhook
from phonegate.store.tables import Tables

MOST_RECEIVERS: Final = 50
"""Receivers of status callbacks that an org may have at the same time. Each has its own line."""

EVENTS: Final = ("message.*",)
"""What they are for. Which events of a message, and of which messages, its callback says."""

KEPT_MS: Final = 7 * DAY_MS
"""How long a receiver stays that no new message names: networks report for up to three days."""

IDLE_MS: Final = 3 * DAY_MS
"""After this one is removed where there is no room for another."""

NOTED_EACH_MS: Final = HOUR_MS
"""How often it is written down that one is in use."""


def expect(tx: Tables, org: int, callbacks: Iterable[Callback | None], now: int) -> None:
    """Has the events of messages that are being stored brought to their callbacks.

    Args:
        tx: The tables, in the transaction that stores the messages.
        org: Whose messages.
        callbacks: Those of the messages. None: a message has none.
        now: The time (ms).

    Raises:
        Conflict: The org has too many receivers at once.
    """
    wanted = {(one.shape, one.origin) for one in callbacks if one is not None}
    for shape, origin in sorted(wanted):
        found = tx.webhooks.for_callbacks(org, shape, origin)
        if found is None:
            _make_room(tx, org, now)
            tx.webhooks.add(
                org,
                url=origin,
                events=EVENTS,
                secret="",
                shape=shape,
                created_at=now,
                used_at=now,
            )
            continue
        if found.used_at is None or not 0 <= now - found.used_at < NOTED_EACH_MS:
            tx.webhooks.note_use(found.id, now)
        if found.disabled_at is not None:
            # It was for failing. Who names it again expects it to work.
            tx.webhooks.set(found.id, failing_since=None, disabled_at=None, disabled_reason=None)


def _make_room(tx: Tables, org: int, now: int) -> None:
    """Removes a receiver that is not in use, where the org has as many as it may."""
    if tx.webhooks.count_for_callbacks(org) < MOST_RECEIVERS:
        return
    if not (idle := tx.webhooks.unused(now - IDLE_MS, 1, org)):
        raise Conflict(
            f"This org has status callbacks at {MOST_RECEIVERS} hosts already, which is as many "
            "as it may have within three days. Remove one at /webhooks, or come again later."
        )
    tx.webhooks.remove(*idle[0])


def callback_of(tx: Tables, webhook: Webhook, event: Event) -> Callback | None:
    """Returns the status callback that a webhook of this kind is to call with an event.

    None where the event is no message's, or the callback is another one's to call, or the API key
    that sent the message was revoked: its holder has chosen where it goes.
    """
    message = event.message
    if message is None or message.direction != "out":
        return None
    callback = tx.webhooks.callback(webhook.org, message.id)
    if callback is None or (callback.shape, callback.origin) != (webhook.shape, webhook.url):
        return None
    return callback if message.key is None or tx.keys.exists(message.key) else None
