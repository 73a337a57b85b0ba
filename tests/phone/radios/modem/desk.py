"""A desk that keeps what a radio reports, and waits for it."""

from collections.abc import Callable

import attrs
import trio

from phonegate.phone.radios.radio import ReceivedSms, SimCard, Transmission
from tests.patience import PATIENCE_S


@attrs.define
class DeskMemory:
    """Implements `radio.Desk` in memory."""

    inbox: dict[str, ReceivedSms] = attrs.field(factory=dict)
    reports: list[tuple[str, bool]] = attrs.field(factory=list)
    sims: tuple[SimCard, ...] = ()
    signal: int | None = None
    notices: list[str] = attrs.field(factory=list)
    marks: dict[str, str] = attrs.field(factory=dict)
    has_room: bool = True
    works: bool = True
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def received(self, sms: ReceivedSms) -> bool:
        if self.has_room:
            self.inbox[sms.id] = sms
            self._change()
        return self.has_room

    def delivered(self, reference: str, date_ms: int, *, delivered: bool = True) -> None:
        self.reports.append((reference, delivered))
        self._change()

    def report_sims(self, sims: tuple[SimCard, ...]) -> None:
        self.sims = sims
        self._change()

    def report_status(
        self,
        *,
        battery: int | None = None,
        charging: bool | None = None,
        signal: int | None = None,
        network: str | None = None,
    ) -> None:
        self.signal = signal
        self._change()

    def report_working(self, *, works: bool) -> None:
        self.works = works
        self._change()

    def notice(self, text: str) -> None:
        self.notices.append(text)
        self._change()

    def mark(self, name: str) -> str | None:
        return self.marks.get(name)

    def set_mark(self, name: str, value: str) -> None:
        self.marks[name] = value

    def bodies(self) -> list[str]:
        return [sms.body for sms in self.inbox.values()]

    def says(self, word: str) -> bool:
        return any(word in notice for notice in self.notices)

    async def until(self, condition: Callable[["DeskMemory"], bool]) -> None:
        with trio.fail_after(PATIENCE_S):
            while not condition(self):
                await self._changed.wait()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


def sms(body: str, *, to: str = "+4915112345678", message: int = 1) -> Transmission:
    return Transmission(phone="modem", id=message, to=to, body=body, sim=None, time=0)
