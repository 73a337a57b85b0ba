"""Alarms about an org are events of that org."""

import pytest
import trio

from phonegate.domain.alarm_record import KEPT, MOST_WAITING, AlarmRecord
from phonegate.domain.alarm_wording import WORDINGS
from phonegate.domain.alarms import News
from phonegate.model.alarms import StandingAlarm
from phonegate.model.events import Event
from phonegate.store.database import Database
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S

NOW = 1_800_000_000_000
AWAY = News(
    ("phone_away", "club"), True, {"org": "club", "messages": 3}, "club", since=NOW / 1000 - 60
)
OVER = News(AWAY.key, False, AWAY.fields, "club", since=AWAY.since, lasted_s=40.0)
DISK = News(("disk_low", ""), True, {"free_bytes": 1})


@pytest.fixture
async def orgs(database: Database) -> dict[str, int]:
    """The orgs club and other, which both listen."""

    made = {}
    for name in ("club", "other"):
        org = await database.write(lambda tx, name=name: tx.orgs.add(name, "hash", NOW))  # type: ignore[misc]
        await database.write(lambda tx, org=org: tx.events.listen(org.id, NOW * 2))  # type: ignore[misc]
        made[name] = org.id
    return made


async def events(database: Database, org: int) -> list[Event]:
    return list(await database.read(lambda tx: tx.events.page(org, 0, 10)))


async def test_its_beginning_and_its_end_are_recorded(
    database: Database, orgs: dict[str, int], nursery: trio.Nursery
) -> None:
    alarms = AlarmRecord(database, now_ms=lambda: NOW)
    await nursery.start(alarms.run)
    for news in (DISK, AWAY, OVER):
        alarms.take(news)
    with trio.fail_after(PATIENCE_S):
        while len(found := await events(database, orgs["club"])) < 2:  # noqa: ASYNC110 - it waits
            await trio.sleep(0.01)
    assert [one.type for one in found] == ["alarm.raised", "alarm.cleared"]
    first, second = (one.data for one in found)
    assert first["alarm"] == "phone_away"
    assert first["since"] == NOW - 60_000
    assert first["sentence"].startswith("Phone away: 3 messages of org club")
    assert first["remedy"].startswith("Check its battery")
    assert first["fields"] == {"org": "club", "messages": 3}
    assert second["sentence"].endswith("It lasted 40 seconds, from 07:59 UTC.")
    assert second["remedy"] is None
    assert await events(database, orgs["other"]) == []


async def test_what_waits_is_bounded(database: Database) -> None:
    alarms = AlarmRecord(database, now_ms=lambda: NOW)
    with capture_logs() as lines:
        for _ in range(MOST_WAITING + 1):
            alarms.take(AWAY)
    (line,) = lines
    assert (line["event"], line["alarm"]) == ("alarm_not_recorded", "phone_away")


async def test_those_of_thousands_of_orgs_at_once_are_all_recorded(
    database: Database, nursery: trio.Nursery
) -> None:
    alarms = AlarmRecord(database, now_ms=lambda: NOW)
    orgs = [f"org-{number}" for number in range(2_000)]
    with capture_logs() as lines:
        for org in orgs:
            fields = {"org": org, "messages": 1}
            news = News(("phone_away", org), True, fields, org, since=NOW / 1000)
            alarms.take(news)
            alarms.reported(news.key)
        await nursery.start(alarms.run)
        with trio.fail_after(PATIENCE_S):
            while sum(reported for _, reported in await alarms.load()) < len(orgs):  # noqa: ASYNC110 - it waits
                await trio.sleep(0.01)
    assert {news.org for news, _ in await alarms.load()} == set(orgs)
    assert lines == []


async def test_an_org_that_is_gone_gets_nothing(database: Database) -> None:
    await AlarmRecord(database, now_ms=lambda: NOW).record(AWAY)


async def test_what_is_on_is_known_after_a_restart_until_it_is_over(database: Database) -> None:
    record = AlarmRecord(database, now_ms=lambda: NOW)
    await record.record(AWAY)
    await record.record(DISK)
    again = AlarmRecord(database, now_ms=lambda: NOW)
    assert await again.load() == [(DISK, False), (AWAY, False)]
    await record.record(AWAY.key)
    assert (AWAY, True) in await again.load()
    await record.record(OVER)
    assert await again.load() == [(DISK, False)]


async def test_an_alarm_of_another_version_is_left_out(database: Database) -> None:
    alarm = StandingAlarm(name="of_the_future", about="", org=None, since=1, fields={})
    await database.write(lambda tx: tx.alarms.add(alarm))
    assert await AlarmRecord(database, now_ms=lambda: NOW).load() == []


async def test_an_alarm_of_which_a_new_start_knows_nothing_is_not_kept(database: Database) -> None:
    assert set(WORDINGS) > KEPT
    record = AlarmRecord(database, now_ms=lambda: NOW)
    await record.record(News(("modem_away", ""), True, {"problem": "No bus."}))
    assert await database.read(lambda tx: tx.alarms.all()) == []
