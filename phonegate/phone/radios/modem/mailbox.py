"""The SMS that lie on the modem in one run of the daemon."""

from collections.abc import Callable
from typing import Final

import attrs

from phonegate.phone.radios.modem import sms as messages
from phonegate.phone.radios.modem.errors import CallRefused
from phonegate.phone.radios.modem.manager import Line
from phonegate.phone.radios.modem.objects import SmsObject
from phonegate.phone.radios.radio import Desk, ReceivedSms

REMEMBERED_STORED: Final = 1000
"""Received SMS of which it is remembered that the gateway has them: far more than a modem holds."""


class StoredIds:
    """The received SMS that the gateway has, over all runs of the daemon: they may be deleted."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, inbound_id: str) -> None:
        """Adds one, and forgets the oldest beyond the bound."""
        self._ids[inbound_id] = None
        if len(self._ids) > REMEMBERED_STORED:
            del self._ids[next(iter(self._ids))]

    def __contains__(self, inbound_id: str) -> bool:
        return inbound_id in self._ids


@attrs.define(kw_only=True)
class Mailbox:
    """What is known of each SMS on a line, by its path.

    Args:
        line: The modem.
        desk: Gets what was received and reported.
        stored: What the gateway has.
        slot: The slot of the SIM.
        now_ms: The wall clock, ms since 1970, UTC.
    """

    line: Line
    desk: Desk
    stored: StoredIds
    slot: int
    now_ms: Callable[[], int]
    _done: set[str] = attrs.field(factory=set, init=False)
    """Paths of which nothing more is to be learned."""
    _received: dict[str, str] = attrs.field(factory=dict, init=False)
    """The names of the received SMS that are still on the modem."""
    _litter: set[str] = attrs.field(factory=set, init=False)
    """Paths to delete as soon as there is time."""

    async def collect(self) -> None:
        """Takes what is new, and deletes what is of no use any more. Raises as `Bus.call`."""
        known = set(self._litter)
        listed = await self.line.messages()
        for path in listed:
            if path not in self._done and (sms := await self.line.sms(path)) is not None:
                self._take(path, sms)
        for path in self._litter.intersection(listed):
            try:
                await self.line.delete(path)
            except CallRefused:
                # It stays until the daemon ends. Asking again at each look would not help.
                self._done.add(path)
        # What was thrown away since then may not have been listed yet.
        self._litter -= known.union(listed)
        self._done.intersection_update(listed)
        for path in self._received.keys() - listed:
            del self._received[path]

    async def delete(self, inbound_id: str) -> None:
        """Deletes a received SMS. Raises as `Bus.call`."""
        for path in [path for path, known in self._received.items() if known == inbound_id]:
            await self.line.delete(path)
            self._received.pop(path, None)

    def expect(self, path: str) -> None:
        """Leaves an SMS alone: it is the phone's own, which is being sent."""
        self._done.add(path)

    def throw_away(self, path: str) -> None:
        """Has an SMS deleted at the next look."""
        self._litter.add(path)

    def _take(self, path: str, sms: SmsObject) -> None:
        match sms.kind:
            case messages.DELIVER | messages.CDMA_DELIVER:
                self._take_received(path, sms)
            case messages.STATUS_REPORT:
                self._take_report(path, sms)
            case messages.SUBMIT:
                # Another program's, or that of an earlier run of this one, which may ask for it.
                self._done.add(path)

    def _take_received(self, path: str, sms: SmsObject) -> None:
        match messages.progress_of(sms, self.now_ms()):
            case "partial":
                return
            case "hopeless":
                self.desk.notice(
                    "an SMS of several parts never became whole: what there was of it is deleted"
                )
                self._litter.add(path)
                return
        name = messages.received_id(sms)
        if name in self.stored:
            self._litter.add(path)
        elif self.desk.received(
            ReceivedSms(
                id=name,
                address=sms.number,
                body=messages.body_of(sms),
                date=messages.date_ms(sms.timestamp) or self.now_ms(),
                sim_slot=self.slot,
            )
        ):
            self._done.add(path)
            self._received[path] = name

    def _take_report(self, path: str, sms: SmsObject) -> None:
        if sms.state != messages.RECEIVED:
            return
        report = messages.report_of(sms)
        if report.delivered is not None:
            date = report.date_ms or self.now_ms()
            self.desk.delivered(report.reference, date, delivered=report.delivered)
        self._litter.add(path)
