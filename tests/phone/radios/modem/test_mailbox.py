from collections.abc import Callable
from typing import Any, cast

import attrs

from phonegate.phone.radios.modem import sms as messages
from phonegate.phone.radios.modem.mailbox import REMEMBERED_STORED, Mailbox, StoredIds
from phonegate.phone.radios.modem.manager import Line
from phonegate.phone.radios.modem.objects import SmsObject, sms_of

from .desk import DeskMemory
from .mock_manager import sms


@attrs.define
class FakeLine:
    """SMS by their paths."""

    held: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    deleted: list[str] = attrs.field(factory=list)
    listing: Callable[[], None] = attrs.field(default=lambda: None)

    async def messages(self) -> list[str]:
        listed = list(self.held)
        self.listing()
        return listed

    async def sms(self, path: str) -> SmsObject | None:
        return sms_of({name: value for name, (_, value) in self.held[path].items()})

    async def delete(self, path: str) -> None:
        self.deleted.append(path)
        self.held.pop(path, None)


def mailbox(line: FakeLine, desk: DeskMemory) -> Mailbox:
    return Mailbox(line=cast("Line", line), desk=desk, stored=StoredIds(), slot=0, now_ms=lambda: 1)


async def test_what_is_thrown_away_while_the_list_is_made_is_deleted_at_the_next_look() -> None:
    line = FakeLine()
    box = mailbox(line, DeskMemory())

    def send() -> None:
        line.held["/sent"] = sms("+1", "hi", PduType=("u", messages.SUBMIT))
        box.expect("/sent")
        box.throw_away("/sent")

    line.listing = send
    await box.collect()
    assert line.deleted == []
    line.listing = lambda: None
    await box.collect()
    assert line.deleted == ["/sent"]
    await box.collect()
    assert line.deleted == ["/sent"]


async def test_drafts_of_others_are_left_alone() -> None:
    line = FakeLine({"/draft": sms("+1", "hi", PduType=("u", messages.SUBMIT))})
    desk = DeskMemory()
    await mailbox(line, desk).collect()
    assert line.deleted == []
    assert not desk.inbox


async def test_one_sms_that_lies_there_twice_is_reported_once_and_deleted_twice() -> None:
    line = FakeLine({"/a": sms("+1", "hi"), "/b": sms("+1", "hi")})
    desk = DeskMemory()
    box = mailbox(line, desk)
    await box.collect()
    (name,) = desk.inbox
    await box.delete(name)
    assert sorted(line.deleted) == ["/a", "/b"]


def test_the_memory_of_what_is_stored_is_bounded() -> None:
    stored = StoredIds()
    for number in range(REMEMBERED_STORED + 1):
        stored.add(str(number))
    assert "0" not in stored
    assert "1" in stored
    assert str(REMEMBERED_STORED) in stored
