"""The frames that a simulated phone and the gateway exchange on one link."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import trio

from phonegate.phone.device import Device
from phonegate.phone.ledger import (
    Confirmed,
    Delivered,
    Inbound,
    InboundAcked,
    Result,
    Taken,
)
from phonegate.phone.link import ABNORMAL, Link, LinkLost
from phonegate.phone.simulated_faults import Cut

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


async def greet(link: Link) -> dict[str, Any]:
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


class Conversation:
    """One link of a phone, from the greeting to its end.

    Args:
        device: The phone.
        link: The open link, greeted.
        take: Called with each message that was accepted and acknowledged.
    """

    def __init__(self, device: Device, link: Link, take: Callable[[Taken, bool], None]) -> None:
        self._device = device
        self._ledger = device.journal.ledger
        self._link = link
        self._take = take
        # Results that were sent and are not confirmed. True for those of a delivery.
        self._reported: deque[tuple[int, bool]] = deque()
        self._reported_at = 0.0
        # What the `ping` that is under way will confirm.
        self._asked: tuple[tuple[int, bool], ...] | None = None
        self._inbound: dict[str, None] = {}
        self._battery = device.dice.other.randint(20, 100)

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
        if self._device.extended:
            more = {"error": result.error, "segments": result.segments}
            frame |= {key: value for key, value in more.items() if value is not None}
            if result.uncertain:
                frame["uncertain"] = True
        for _ in range(times):
            await self._send(frame)
        delivered = self._ledger.delivery(result.id)
        if delivered is None:
            self._note_reported(result.id, delivery=False)
        else:
            await self._report_delivery(delivered)

    async def _report_delivery(self, delivered: Delivered) -> None:
        report = {"id": delivered.id, "delivered": True, "date": delivered.date}
        await self._send({"type": "delivery_report", **report})
        self._note_reported(delivered.id, delivery=True)

    def _note_reported(self, message: int, *, delivery: bool) -> None:
        self._reported.append((message, delivery))
        if len(self._reported) == 1:
            self._reported_at = trio.current_time()
            self._device.wake.set()
        if not self._device.extended and len(self._reported) > REPORTED_TAIL:
            self._confirm([self._reported.popleft()])

    async def _introduce(self) -> None:
        identity, plan = self._device.identity, self._device.plan
        if self._device.extended:
            reports = ["delivery_report"] if plan.delivery_reports else []
            hello = {
                "device_id": identity.device_id,
                "name": identity.name,
                "model": identity.model,
                "app": "phonegate phone",
                "features": ["ack", "cancel", *reports],
            }
            await self._send({"type": "hello", **hello})
        sims = [
            {key: value for key, value in attrs.asdict(sim).items() if value is not None}
            for sim in identity.sims
        ]
        await self._send({"type": "sims", "sims": sims})
        for result in self._ledger.unreported():
            await self.report(result)
        for delivered in self._ledger.undelivered_reports():
            await self._report_delivery(delivered)

    async def _send(self, frame: dict[str, Any]) -> None:
        """Sends a frame, unless the plan loses the link at it."""
        cut = self._device.dice.cut()
        if cut is None or not cut.before:
            await self._link.send(frame)
        if cut is not None:
            self._lose(cut)

    def _lose(self, cut: Cut) -> None:
        self._device.cut(self._link, reset=cut.reset)
        raise LinkLost(ABNORMAL, "cut on purpose")

    # Frames of the gateway.

    async def _hear(self, frame: dict[str, Any]) -> None:
        cut = self._device.dice.cut()
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
        if answer.record is None:
            self._device.stats.repeats += 1
            await self._ack(push.id)
            if answer.result is not None:
                await self.report(answer.result)
            return
        self._device.journal.record(answer.record)
        self._device.stats.received += 1
        repeat = self._device.dice.repeat()
        try:
            for _ in range(2 if repeat else 1):
                await self._ack(push.id)
        finally:
            # The radio gets an accepted message even if the link was lost during the ack.
            self._take(push, repeat)

    async def _ack(self, message: int) -> None:
        if self._device.extended:
            await self._send({"type": "ack", "id": message})

    def _hear_inbound_ack(self, ids: object) -> None:
        if not isinstance(ids, list):
            return
        acked = tuple(str(one) for one in ids)
        before = self._ledger.unacked_count
        self._device.journal.record(InboundAcked(ids=acked))
        self._device.stats.inbound_acked += before - self._ledger.unacked_count
        for one in acked:
            self._inbound.pop(one, None)
        self._device.wake.set()

    async def _hear_cancel(self, message: object) -> None:
        if type(message) is not int:
            return
        result = self._ledger.cancel(message)
        if result is not None:
            self._device.stats.cancelled += 1
            self._device.finish(result)
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

    # Periodic work of the link.

    async def _keep(self) -> None:
        plan, device = self._device.plan, self._device
        status_at = trio.current_time() if plan.battery and device.extended else float("inf")
        while True:
            if trio.current_time() >= status_at:
                status_at = trio.current_time() + STATUS_EVERY_S
                await self._send_status()
            await self._report_inbound()
            if trio.current_time() >= self._ask_at():
                self._asked = tuple(self._reported)
                self._reported.clear()
                await self._send({"type": "ping"})
            if self._link.silent_for_s >= QUIET_S:
                await self._link.probe(PROBE_TIMEOUT_S)
            quiet_at = trio.current_time() + QUIET_S - self._link.silent_for_s
            with trio.move_on_at(min(status_at, quiet_at, self._ask_at())):
                await device.wake.wait()
            device.wake = trio.Event()

    def _ask_at(self) -> float:
        if not (self._device.extended and self._reported) or self._asked is not None:
            return float("inf")
        return self._reported_at + self._device.plan.confirm_every_s

    async def _send_status(self) -> None:
        self._battery = self._battery - 1 if self._battery > 1 else 100
        signal = self._device.dice.other.randint(1, 4)
        status = {"battery": self._battery, "charging": False, "signal": signal, "network": "wifi"}
        await self._send({"type": "status", **status})

    async def _report_inbound(self) -> None:
        while unreported := self._unreported_inbound():
            for inbound in unreported:
                self._inbound[inbound.id] = None
                message: dict[str, Any] = {
                    "address": inbound.address,
                    "body": inbound.body,
                    "date": inbound.date,
                }
                if self._device.extended:
                    message |= {"id": inbound.id, "sim_slot": inbound.sim_slot}
                await self._send({"type": "inbound", "message": message})
                self._device.stats.inbound_sent += 1
            if not self._device.extended:
                self._forget_inbound()
            self._device.change()

    def _unreported_inbound(self) -> list[Inbound]:
        # Those under way are the oldest unacknowledged ones, so the limit leaves the rest.
        limit = INBOUND_WINDOW if self._device.extended else 2 * REPORTED_TAIL
        return [one for one in self._ledger.unacked(limit) if one.id not in self._inbound]

    def _forget_inbound(self) -> None:
        oldest = list(self._inbound)[:-REPORTED_TAIL]
        if oldest:
            self._device.journal.record(InboundAcked(ids=oldest))
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
