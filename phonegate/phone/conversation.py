"""The frames that a phone and the gateway exchange on one link."""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Protocol

import attrs
import trio

from phonegate.phone.conduct import Cut
from phonegate.phone.connector import OpenLink
from phonegate.phone.device import Device
from phonegate.phone.link import ABNORMAL, LinkLost
from phonegate.phone.radios.radio import SimCard
from phonegate.phone.records import Confirmed, Delivered, Inbound, InboundAcked, Result, Taken

GREETING_TIMEOUT_S = 15
"""Seconds to wait for `connected`, which the gateway sends as soon as the upgrade is done."""
QUIET_S = 50
"""A link that is silent for so many seconds is probed. The gateway pings far more often."""
PROBE_TIMEOUT_S = 10
INBOUND_WINDOW = 50
"""Received messages on their way to the gateway before it has acknowledged the first."""
REPORTED_TAIL = 200
"""Results that a phone of the basic protocol reports again after a broken link: no frame of that
protocol says what arrived, and no more than this fits into the buffers of a link."""
STATUS_EVERY_S = 60
POSTPONED: Final = 1000
"""Pushes that wait on the link for a radio that can't work now, as many as the gateway ever pushes.
More are passed over, and come again over the next link."""


async def greet(link: OpenLink) -> dict[str, Any]:
    """Waits for the gateway's `connected` frame and returns it.

    Raises:
        LinkLost: It did not come.
    """
    with trio.move_on_after(GREETING_TIMEOUT_S):
        while True:
            frame = await link.receive()
            if frame.get("type") == "connected":
                return frame
    raise LinkLost(ABNORMAL, "no word of welcome")


class Outbox(Protocol):
    """What the messages of the gateway go to: the queue before the radio."""

    def take(self, taken: Taken, repeat: bool) -> None:  # noqa: FBT001 (as `Transmitter` has it)
        """Queues a message that was accepted."""
        ...

    def cancel(self, message: int) -> Result | None:
        """Takes a message back. Returns the result, if there is a new one."""
        ...


def sims_frame(sims: Iterable[SimCard]) -> dict[str, Any]:
    """Returns the frame that reports these SIMs."""
    known = [
        {key: value for key, value in attrs.asdict(sim).items() if value is not None}
        for sim in sims
    ]
    return {"type": "sims", "sims": known}


class Conversation:
    """One link of a phone, from the greeting to its end.

    Args:
        device: The phone.
        link: The open link, greeted.
        outbox: Takes each message that was accepted and acknowledged.
    """

    def __init__(self, device: Device, link: OpenLink, outbox: Outbox) -> None:
        self._device = device
        self._conduct = device.conduct
        self._ledger = device.journal.ledger
        self._link = link
        self._outbox = outbox
        # Results that were sent and are not confirmed. True for those of a delivery.
        self._reported: deque[tuple[int, bool]] = deque()
        self._reported_at = 0.0
        # What the `ping` that is under way will confirm.
        self._asked: tuple[tuple[int, bool], ...] | None = None
        self._inbound: dict[str, None] = {}
        # What this link has sent: delivery reports that are not confirmed, results, SIMs.
        self._delivered: dict[int, Delivered] = {}
        self._results: set[int] = set()
        self._sims: tuple[SimCard, ...] | None = None
        # Pushes that are not accepted while the radio can't work.
        self._postponed: deque[dict[str, Any]] = deque()

    async def run(self) -> None:
        """Exchanges frames until the link ends.

        Raises:
            LinkLost: It ended (inside an exception group).
        """
        async with trio.open_nursery() as nursery:
            await self._introduce()
            nursery.start_soon(self._keep)
            while True:
                await self._hear(await self._link.receive())

    async def report(self, result: Result, *, times: int = 1) -> None:
        """Sends a result, and the delivery report if there is one.

        Raises:
            LinkLost: It may not have arrived. The next link sends it again.
        """
        frame: dict[str, Any] = {
            "type": "send_result",
            "id": result.id,
            "success": result.success,
        }
        if self._conduct.extended:
            more = {"error": result.error, "segments": result.segments}
            frame |= {key: value for key, value in more.items() if value is not None}
            if result.uncertain:
                frame["uncertain"] = True
        # A message that was said to be cancelled or failed must not go out after a loss of power.
        await self._device.journal.sync()
        for _ in range(times):
            await self._send(frame)
        self._results.add(result.id)
        delivered = self._ledger.delivery(result.id)
        if delivered is None:
            self._note_reported(result.id, delivery=False)
        else:
            await self._report_delivery(delivered)

    async def _report_delivery(self, delivered: Delivered) -> None:
        self._delivered[delivered.id] = delivered
        await self._send({"type": "delivery_report", **attrs.asdict(delivered)})
        self._note_reported(delivered.id, delivery=True)

    def _note_reported(self, message: int, *, delivery: bool) -> None:
        self._reported.append((message, delivery))
        if len(self._reported) == 1:
            self._reported_at = trio.current_time()
            self._device.wake.set()
        if not self._conduct.extended and len(self._reported) > REPORTED_TAIL:
            self._confirm([self._reported.popleft()])

    async def _introduce(self) -> None:
        identity = self._device.identity
        if self._conduct.extended and identity is not None:
            hello = {
                "device_id": identity.device_id,
                "name": identity.name,
                "model": identity.model,
                "app": "phonegate phone",
                "features": ["ack", "cancel", *sorted(self._device.radio.features)],
                "window": self._device.radio.window,
            }
            known = {key: value for key, value in hello.items() if value is not None}
            await self._send({"type": "hello", **known})
        await self._report_sims()
        for result in self._ledger.unreported():
            await self.report(result)
        await self._report_deliveries()

    async def _report_sims(self) -> None:
        sims = self._device.sims
        if sims is not None and sims != self._sims:
            self._sims = sims
            await self._send(sims_frame(sims))

    async def _report_deliveries(self) -> None:
        """Sends the delivery reports of all results that this or an earlier link has sent."""
        for delivered in self._ledger.deliveries():
            told = delivered.id in self._results or not self._ledger.is_unreported(delivered.id)
            if told and self._delivered.get(delivered.id) != delivered:
                await self._report_delivery(delivered)

    async def _send(self, frame: dict[str, Any]) -> None:
        """Sends a frame, unless the plan loses the link at it."""
        cut = self._conduct.cut()
        if cut is None or not cut.before:
            await self._link.send(frame)
        if cut is not None:
            self._lose(cut)

    def _lose(self, cut: Cut) -> None:
        self._device.cut(self._link, reset=cut.reset)
        raise LinkLost(ABNORMAL, "cut on purpose")

    # Frames of the gateway.

    async def _hear(self, frame: dict[str, Any]) -> None:
        cut = self._conduct.cut()
        if cut is not None and cut.before:
            self._lose(cut)
        match frame.get("type"):
            case "send_sms":
                await self._hear_push(frame)
            case "inbound_ack":
                self._hear_inbound_ack(frame.get("ids"))
            case "cancel":
                await self._hear_cancel(frame.get("id"))
            case "pong":
                self._hear_pong()
            case "error":
                self._device.notice(f"the gateway says: {frame.get('detail')}")
        self._device.change()
        if cut is not None:
            self._lose(cut)

    async def _hear_push(self, frame: dict[str, Any]) -> None:
        push = _push_of(frame)
        if push is None:
            self._device.notice("a push without a proper id, to or body was passed over")
            return
        answer = self._ledger.answer(push)
        if not answer.ack:
            self._device.notice(f"message {push.id} is under way with another text")
            return
        if answer.record is None:
            self._device.stats.repeats += 1
            if answer.result is None:
                await self._ack(push.id)
            else:
                # Without an ack, after which it would not be asked for again if this is lost.
                await self.report(answer.result)
            return
        if not self._device.works:
            # Without an ack it stays the gateway's, which pushes it again over the next link.
            if len(self._postponed) < POSTPONED:
                self._postponed.append(frame)
            return
        self._device.journal.record(answer.record)
        self._device.stats.received += 1
        repeat = self._conduct.repeat()
        try:
            await self._device.journal.sync()
            for _ in range(2 if repeat else 1):
                await self._ack(push.id)
        finally:
            # The radio gets an accepted message even if the link was lost during the ack.
            self._outbox.take(push, repeat)

    async def _ack(self, message: int) -> None:
        if self._conduct.extended:
            await self._send({"type": "ack", "id": message})

    def _hear_inbound_ack(self, ids: object) -> None:
        if not isinstance(ids, list):
            return
        acked = tuple(str(one) for one in ids)
        before = self._ledger.unacked_count
        self._device.journal.record(InboundAcked(ids=acked))
        self._device.acked.set()
        self._device.stats.inbound_acked += before - self._ledger.unacked_count
        for one in acked:
            self._inbound.pop(one, None)
        self._device.wake.set()

    async def _hear_cancel(self, message: object) -> None:
        if type(message) is not int:
            return
        result = self._outbox.cancel(message)
        if result is not None:
            self._device.stats.cancelled += 1
            await self.report(result)

    def _hear_pong(self) -> None:
        # The gateway answers a ping when everything that came before it is stored.
        if self._asked is not None:
            self._confirm(self._asked)
            self._asked = None
            self._device.wake.set()

    def _confirm(self, confirmed: Iterable[tuple[int, bool]]) -> None:
        pairs = tuple(confirmed)
        results = tuple(message for message, _ in pairs)
        deliveries = tuple(message for message, delivery in pairs if delivery)
        self._device.journal.record(Confirmed(results=results, deliveries=deliveries))
        self._results.difference_update(results)
        for message in deliveries:
            self._delivered.pop(message, None)

    # Periodic work of the link.

    async def _keep(self) -> None:
        device, status_at = self._device, trio.current_time()
        while True:
            if not self._conduct.extended:
                status_at = float("inf")
            elif device.status is not None and trio.current_time() >= status_at:
                status_at = trio.current_time() + STATUS_EVERY_S
                await self._send({"type": "status", **device.status})
            while self._postponed and device.works:
                await self._hear_push(self._postponed.popleft())
            await self._report_sims()
            await self._report_deliveries()
            await self._report_inbound()
            if trio.current_time() >= self._ask_at():
                self._asked = tuple(self._reported)
                self._reported.clear()
                await self._send({"type": "ping"})
            if self._link.silent_for_s >= QUIET_S:
                await self._link.probe(PROBE_TIMEOUT_S)
            quiet_at = trio.current_time() + QUIET_S - self._link.silent_for_s
            # A radio that has not reported a status wakes this task when it does.
            next_status_at = float("inf") if device.status is None else status_at
            with trio.move_on_at(min(next_status_at, quiet_at, self._ask_at())):
                await device.wake.wait()
            device.wake = trio.Event()

    def _ask_at(self) -> float:
        if not (self._conduct.extended and self._reported) or self._asked is not None:
            return float("inf")
        return self._reported_at + self._conduct.confirm_every_s

    async def _report_inbound(self) -> None:
        while unreported := self._unreported_inbound():
            for inbound in unreported:
                self._inbound[inbound.id] = None
                message: dict[str, Any] = {
                    "address": inbound.address,
                    "body": inbound.body,
                    "date": inbound.date,
                }
                if self._conduct.extended:
                    message |= {"id": inbound.id, "sim_slot": inbound.sim_slot}
                await self._send({"type": "inbound", "message": message})
                self._device.stats.inbound_sent += 1
            if not self._conduct.extended:
                self._forget_inbound()
            self._device.change()

    def _unreported_inbound(self) -> list[Inbound]:
        # Those under way are the oldest unacknowledged ones, so the limit leaves the rest.
        limit = INBOUND_WINDOW if self._conduct.extended else 2 * REPORTED_TAIL
        return [one for one in self._ledger.unacked(limit) if one.id not in self._inbound]

    def _forget_inbound(self) -> None:
        oldest = list(self._inbound)[:-REPORTED_TAIL]
        if oldest:
            self._device.journal.record(InboundAcked(ids=oldest))
            self._device.acked.set()
            for one in oldest:
                del self._inbound[one]


def _push_of(frame: dict[str, Any]) -> Taken | None:
    message, to, body, sim = (frame.get(key) for key in ("id", "to", "body", "sim"))
    if type(message) is not int or not isinstance(to, str) or not isinstance(body, str):
        return None
    expires_at = frame.get("expires_at")
    return Taken(
        id=message,
        to=to,
        body=body,
        sim=None if sim is None else str(sim),
        expires_at=expires_at if type(expires_at) is int else None,
    )
