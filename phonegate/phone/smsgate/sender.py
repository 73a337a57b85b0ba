"""Gives pending messages to the radio one at a time, and reports what became of them."""

import math

import trio

from phonegate.phone.smsgate import outbox
from phonegate.phone.smsgate.air import AirSms
from phonegate.phone.smsgate.app_faults import AppFate, CrashPoint, Die
from phonegate.phone.smsgate.app_memory import DELIVERED, FAILED, PROCESSED, SENT, AppMessage
from phonegate.phone.smsgate.handset import Handset

EXPIRED = "TTL expired"


class Sender:
    """The sending of one life of the app.

    Args:
        handset: The phone.
        die: Called at each step at which the app may die.
        nursery: Of this life, for what the system reports later.
    """

    def __init__(
        self,
        handset: Handset,
        die: Die,
        nursery: trio.Nursery,
    ) -> None:
        self._handset = handset
        self._die = die
        self._nursery = nursery

    async def run(self) -> None:
        """Serves the pending messages until cancelled."""
        handset = self._handset
        for message, number in outbox.unsettled(
            handset.memory, deliveries=handset.plan.delivery_reports
        ):
            self._nursery.start_soon(self._settle, message, number)
        while True:
            pending = outbox.next_message(handset.memory, handset.now_ms())
            if pending is None:
                due = outbox.next_due_ms(handset.memory)
                await handset.outbox.wait(
                    math.inf if due is None else (due - handset.now_ms()) / 1000
                )
                continue
            await self._serve(pending)
            await trio.sleep(handset.memory.settings.send_interval_s)

    async def _serve(self, message: AppMessage) -> None:
        handset, pulled = self._handset, message.pulled
        error = None
        if outbox.expired(message, handset.now_ms()):
            error = EXPIRED
        elif not handset.has_sim(pulled.sim_number):
            error = f"Can't send message: SIM {pulled.sim_number} not found"
        if error is not None:
            handset.stats.failed += handset.move(pulled.id, None, FAILED, error)
            return
        # As the app: after a crash within this loop it is taken up from its start.
        for number in dict.fromkeys(pulled.phone_numbers):
            await self._hand_over(message, number)

    async def _hand_over(self, message: AppMessage, number: str) -> None:
        handset, pulled = self._handset, message.pulled
        fate = handset.dice.fate(pulled.id, number)
        key = f"{pulled.id}/{number}"
        await self._step(fate, "stored", key)
        await self._step(fate, "before_radio", key)
        self._transmit(message, number)
        await self._step(fate, "after_radio", key)
        handset.move(pulled.id, number, PROCESSED)
        self._nursery.start_soon(self._settle, message, number)
        await self._step(fate, "processed", key)

    async def _step(self, fate: AppFate, point: CrashPoint, key: str) -> None:
        # No other checkpoint lies between the radio and the table: one would widen the app's hole.
        if self._die(fate.crash, point, key):
            await trio.lowlevel.checkpoint()

    def _transmit(self, message: AppMessage, number: str) -> None:
        handset, pulled = self._handset, message.pulled
        handset.antenna.transmit(
            AirSms(
                phone=handset.owner.device_id,
                id=pulled.id,
                to=number,
                body=outbox.body(pulled),
                sim=handset.own_number(pulled.sim_number),
                time=handset.now_ms(),
            )
        )
        handset.stats.radioed += 1
        if (pulled.id, number) in handset.radioed:
            handset.stats.radioed_again += 1
        handset.radioed.add((pulled.id, number))

    async def _settle(self, message: AppMessage, number: str) -> None:
        """Reports what became of an SMS, as the phone's system does, part by part."""
        handset, pulled = self._handset, message.pulled
        fate = handset.dice.fate(pulled.id, number)
        recipient = next(one for one in message.recipients if one.number == number)
        delivers = handset.plan.delivery_reports and pulled.with_delivery_report
        if recipient.state == PROCESSED:
            await trio.sleep(fate.delay_s)
            if fate.error is not None:
                handset.stats.failed += handset.move(pulled.id, number, FAILED, fate.error)
                return
            if fate.no_result:
                return
            for part in range(1, outbox.parts(pulled)):
                await trio.sleep(handset.timings.part_s)
                if part == 1 and delivers:
                    # The first part arrives while the last is still on its way.
                    handset.move(pulled.id, number, DELIVERED)
            if handset.move(pulled.id, number, SENT) and handset.plan.reply:
                handset.receive(
                    number, f"echo: {outbox.body(pulled)}", sim_number=pulled.sim_number
                )
        if delivers:
            await trio.sleep(fate.delay_s)
            handset.move(pulled.id, number, DELIVERED)
