"""Fake commands in this process, for a clock that jumps, and a desk that keeps what it gets."""

import attrs
import trio

from kit.fake_termux import FakeTermux, program
from phonegate.phone.radios.radio import ReceivedSms, SimCard
from phonegate.phone.radios.termux.commands import Commands, Ended
from phonegate.phone.radios.termux.errors import ApiSilent, CommandMissing


class InProcess(Commands):
    """Termux's commands of a fake phone, without a process for each."""

    def __init__(self, phone: FakeTermux) -> None:
        super().__init__({})
        self._phone = phone

    async def run(self, name: str, *arguments: str, deadline_s: float, text: str = "") -> Ended:
        await trio.lowlevel.checkpoint()
        if not (self._phone.bin / name).exists():
            raise CommandMissing(name, in_termux=True)
        try:
            answer = program.run(self._phone.folder, name, arguments, lambda: text)
        except program.Hung:
            await trio.sleep(deadline_s)
            raise ApiSilent(name, deadline_s) from None
        return Ended(
            status=answer.status,
            output=answer.output.encode(errors="replace"),
            complaint=answer.complaint.encode(),
        )


@attrs.define
class FakeDesk:
    """Keeps what a radio reports. Its marks outlive a radio, as those of a journal do."""

    room: float = float("inf")
    sms: list[ReceivedSms] = attrs.field(factory=list)
    marks: dict[str, str] = attrs.field(factory=dict)
    sims: tuple[SimCard, ...] = ()
    status: list[dict[str, object]] = attrs.field(factory=list)
    notices: list[str] = attrs.field(factory=list)

    def received(self, sms: ReceivedSms) -> bool:
        if len(self.sms) >= self.room:
            return False
        if sms.id not in {one.id for one in self.sms}:
            self.sms.append(sms)
        return True

    def delivered(self, reference: str, date_ms: int, *, delivered: bool = True) -> None:
        raise AssertionError("Termux knows of no delivery")

    def report_sims(self, sims: tuple[SimCard, ...]) -> None:
        self.sims = sims

    def report_status(self, **status: object) -> None:
        self.status.append({key: value for key, value in status.items() if value is not None})

    def report_working(self, *, works: bool) -> None:
        raise AssertionError("Android knows better")

    def notice(self, text: str) -> None:
        self.notices.append(text)

    def mark(self, name: str) -> str | None:
        return self.marks.get(name)

    def set_mark(self, name: str, value: str) -> None:
        self.marks[name] = value

    @property
    def bodies(self) -> list[str]:
        return [one.body for one in self.sms]
