"""Who has come and gone, and what was recorded of it. What holds for all kinds is in `contract`."""

from collections.abc import Mapping

import pytest
import trio

from phonegate.domain.phone_events import NOTED_AT_ONCE, Attendance
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones.attendance_book import AttendanceBook
from phonegate.phones.switchboard import Switchboard
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

from .conftest import Start
from .site import HASTY, PATIENT, Site, now_ms

COMINGS = ("phone.online", "phone.offline")


async def online(site: Site) -> list[int]:
    return await site.database.read(lambda tx: tx.phones.online(100))


async def test_an_unnamed_phone_comes_on_the_row_of_its_number(start: Start) -> None:
    site = await start(PATIENT)
    await site.listen()
    async with site.phone() as phone:
        await phone.sims("+15551112222")
    (came, went) = await site.until_events(2, *COMINGS)
    async with site.phone() as phone:
        await phone.settled()
        assert await site.events(*COMINGS) == [came, went]
        await phone.sims("+15551112222")
        again = (await site.until_events(3, *COMINGS))[-1]
        assert (again.type, again.phone) == ("phone.online", came.phone)
        assert await online(site) == [came.phone]
    (*_, gone) = await site.until_events(4, *COMINGS)
    assert (gone.type, gone.phone) == ("phone.offline", came.phone)
    assert await online(site) == []


async def test_a_phone_that_says_nothing_of_itself_comes_in_the_end(start: Start) -> None:
    site = await start(HASTY)
    await site.listen()
    async with site.phone():
        (came,) = await site.until_events(1, *COMINGS)
        assert (came.type, came.data["device_id"]) == ("phone.online", None)


async def test_the_health_and_the_sims_of_a_phone_are_events(start: Start) -> None:
    site = await start(PATIENT)
    await site.listen()
    async with site.phone(device_id="a", name="Pixel") as phone:
        await phone.sims("+15551112222", None)
        await phone.sims("+15551112222", None)
        await phone.say("status", battery=83, charging=True, network="wifi")
        await phone.settled()
        (sims,) = await site.until_events(1, "phone.sims")
        assert sims.data["sims"] == [
            {"slot": 0, "number": "+15551112222", "carrier": None, "given": False},
            {"slot": 1, "number": None, "carrier": None, "given": False},
        ]
        assert (sims.data["online"], sims.data["name"]) == (True, "Pixel")
        # The number moves to another phone: that changes both.
        async with site.phone(device_id="b") as other:
            await other.sims("+15551112222")
            first, second = (await site.until_events(3, "phone.sims"))[1:]
            by_phone = {event.data["device_id"]: event.data["sims"] for event in (first, second)}
            assert [sim["number"] for sim in by_phone["b"]] == ["+15551112222"]
            assert [sim["number"] for sim in by_phone["a"]] == [None]
    # It is written down now and then, and at the end.
    (health,) = await site.until_events(1, "phone.health")
    assert (health.data["battery"], health.data["network"]) == (83, "wifi")


async def test_of_an_org_that_does_not_listen_it_is_noted_who_is_there(start: Start) -> None:
    site = await start(PATIENT)
    async with site.phone(device_id="a") as phone:
        await phone.settled()
        await site.attendance.write()
        assert len(await online(site)) == 1
    await site.until_online(0)
    await site.attendance.write()
    assert await online(site) == []
    assert await site.events() == []


async def test_a_start_finds_those_gone_that_a_killed_process_left(
    database: Database, nursery: trio.Nursery
) -> None:
    def before(tx: Tables) -> int:
        org = tx.orgs.add("myorg", "hash", 1).id
        tx.events.listen(org, 2**50)
        for name in ("a", "b", "c"):
            phone = tx.phones.connect(org, name, 1).id
            tx.phones.set_online(phone, name != "b")
        return org

    org = await database.write(before)
    book = AttendanceBook(Switchboard(), Attendance(database, now_ms))
    await nursery.start(book.run)
    found = await database.read(lambda tx: tx.events.page(org, 0, 10))
    assert [(event.type, event.data["device_id"]) for event in found] == [
        ("phone.offline", "a"),
        ("phone.offline", "c"),
    ]
    assert await database.read(lambda tx: tx.phones.online(10)) == []


async def test_a_start_on_a_full_disk_finds_them_gone_later(
    database: Database, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a phone that comes back would be noted as there already, without an event."""

    def before(tx: Tables) -> int:
        org = tx.orgs.add("myorg", "hash", 1).id
        tx.events.listen(org, 2**50)
        tx.phones.set_online(tx.phones.connect(org, "a", 1).id, True)
        return org

    org = await database.write(before)
    note = Attendance.note
    full = True

    async def refuse(
        self: Attendance, changes: Mapping[int, bool], *, at: int | None = None
    ) -> None:
        if full:
            raise StorageUnavailable("disk full")
        await note(self, changes, at=at)

    monkeypatch.setattr(Attendance, "note", refuse)
    monkeypatch.setattr("phonegate.phones.attendance_book.AGAIN_S", 0.01)
    await nursery.start(AttendanceBook(Switchboard(), Attendance(database, now_ms)).run)
    assert len(await database.read(lambda tx: tx.phones.online(10))) == 1
    full = False
    with trio.fail_after(PATIENCE_S):
        while not (found := await database.read(lambda tx: tx.events.page(org, 0, 10))):  # noqa: ASYNC110 - it waits
            await trio.sleep(0.01)
    assert [event.type for event in found] == ["phone.offline"]


async def test_what_the_disk_refuses_is_noted_later(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = await start(PATIENT)
    await site.listen()
    note = Attendance.note
    refused = 0

    async def refuse(
        self: Attendance, changes: Mapping[int, bool], *, at: int | None = None
    ) -> None:
        nonlocal refused
        refused += 1
        if refused == 1:
            raise StorageUnavailable("disk full")
        await note(self, changes, at=at)

    monkeypatch.setattr(Attendance, "note", refuse)
    monkeypatch.setattr("phonegate.phones.attendance_book.AGAIN_S", 0.01)
    with capture_logs() as lines:
        async with site.phone(device_id="a"):
            (came,) = await site.until_events(1, *COMINGS)
            assert came.type == "phone.online"
    assert [line["reason"] for line in lines if line["event"] == "attendance_not_noted"] == [
        "disk full"
    ]


async def test_at_the_end_all_have_gone(start: Start) -> None:
    site = await start(PATIENT)
    await site.listen()
    async with site.phone(device_id="a"), site.phone(device_id="b"):
        await site.until_events(2, *COMINGS)
        await site.switchboard.close_all(1012, "the gateway restarts")
        await site.attendance.finish()
        found = await site.events(*COMINGS)
        assert [event.type for event in found] == [*["phone.online"] * 2, *["phone.offline"] * 2]


async def test_no_write_notes_many(
    database: Database, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(tx: Tables) -> None:
        org = tx.orgs.add("myorg", "hash", 1).id
        for number in range(NOTED_AT_ONCE + 5):
            tx.phones.connect(org, str(number), 1)

    await database.write(before)
    rows = range(1, NOTED_AT_ONCE + 6)
    switchboard = Switchboard()
    monkeypatch.setattr(switchboard, "is_identified", rows.__contains__)
    book = AttendanceBook(switchboard, Attendance(database, now_ms))
    noted: list[int] = []
    note = Attendance.note

    async def counted(self: Attendance, changes: Mapping[int, bool]) -> None:
        noted.append(len(changes))
        await note(self, changes)

    monkeypatch.setattr(Attendance, "note", counted)
    for row in rows:
        switchboard.on_seat(row)
    await book.write()
    assert noted == [NOTED_AT_ONCE, 5]
    assert len(await database.read(lambda tx: tx.phones.online(1000))) == len(rows)
