"""Delivers webhook events from the queue: batch by batch, in order until one of them fails."""

import math
from random import Random

import trio

from phonegate.phone.smsgate import request_bodies
from phonegate.phone.smsgate.app_errors import Trouble
from phonegate.phone.smsgate.app_faults import CrashPoint, Die
from phonegate.phone.smsgate.app_memory import EventEnded, EventFailed, QueuedHookEvent
from phonegate.phone.smsgate.app_timings import EVENT_BATCH
from phonegate.phone.smsgate.handset import Handset

_KEY_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_KEY_LENGTH = 8


class EventPoster:
    """The deliveries of one life of the app.

    Args:
        handset: The phone.
        die: As for the sender.
    """

    def __init__(self, handset: Handset, die: Die) -> None:
        self._handset = handset
        self._die = die
        letters = Random(handset.owner.device_id)  # noqa: S311 (a gateway sets the real key)
        self._own_key = "".join(letters.choices(_KEY_LETTERS, k=_KEY_LENGTH))

    async def run(self) -> None:
        """Delivers events until cancelled."""
        handset = self._handset
        while True:
            now = handset.now_ms()
            due = [one for one in handset.memory.events.values() if one.due <= now][:EVENT_BATCH]
            for queued in due:
                await self._serve(queued)
            if not due:
                await handset.events.wait(self._pause_s())

    def _pause_s(self) -> float:
        dues = (queued.due for queued in self._handset.memory.events.values())
        return (min(dues, default=math.inf) - self._handset.now_ms()) / 1000

    async def _serve(self, queued: QueuedHookEvent) -> None:
        handset, event = self._handset, queued.event
        registration = handset.memory.registration
        device = "" if registration is None else registration.id
        counts = event.mail is not None
        handset.stats.inbound_sent += counts
        try:
            await handset.api.post_event(
                event.webhook.url,
                request_bodies.write(request_bodies.event(event, device)),
                key=handset.memory.settings.signing_key or self._own_key,
                now_ms=handset.now_ms(),
            )
        except Trouble as trouble:
            self._fail(queued, str(trouble))
            return
        crash: CrashPoint | None = (
            "event_taken" if handset.dice.happens(handset.plan.crash) else None
        )
        if self._die(crash, "event_taken", event.id):
            await trio.lowlevel.checkpoint()
        handset.stats.inbound_acked += counts
        handset.record(EventEnded(id=event.id))

    def _fail(self, queued: QueuedHookEvent, why: str) -> None:
        handset, event = self._handset, queued.event
        now, tries = handset.now_ms(), queued.tries + 1
        kept_ms = 1000 * handset.timings.event_kept_s
        if tries >= handset.memory.settings.event_tries or now - event.queued_at > kept_ms:
            handset.notice(f"dropped an event {event.webhook.event}: {why}")
            handset.record(EventEnded(id=event.id))
            return
        pause = handset.timings.event.pause_s(tries)
        handset.record(EventFailed(id=event.id, due=now + round(1000 * pause)))
