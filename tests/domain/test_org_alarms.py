"""Alarms about an org are events of that org."""

import pytest
import trio
from structlog.testing import capture_logs

from phonegate.domain.alarms import News
from phonegate.domain.org_alarms import MOST_WAITING, OrgAlarms
from phonegate.model.events import Event
from phonegate.store.database import Database

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
    alarms = OrgAlarms(database, now_ms=lambda: NOW)
    await nursery.start(alarms.run)
    for news in (DISK, AWAY, OVER):
        alarms.take(news)
    with trio.fail_after(20):
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
    alarms = OrgAlarms(database, now_ms=lambda: NOW)
    with capture_logs() as lines:
        for _ in range(MOST_WAITING + 1):
            alarms.take(AWAY)
    (line,) = lines
    assert (line["event"], line["alarm"]) == ("alarm_not_recorded", "phone_away")


async def test_an_org_that_is_gone_gets_nothing(database: Database) -> None:
    await OrgAlarms(database, now_ms=lambda: NOW).record(AWAY)
