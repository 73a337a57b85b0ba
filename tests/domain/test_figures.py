"""Reading and keeping figures: for whom, by which SIM, against which limit, and for how long."""

import pytest

from phonegate.domain.clock_jumps import ClockJumps
from phonegate.domain.figure_keeping import FigureKeeping, FigureTimings
from phonegate.domain.figure_spans import last_hours
from phonegate.domain.figures import FigureReading
from phonegate.domain.pacing import PacingRates
from phonegate.model.orgs import KeyLimits
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import Forbidden
from phonegate.model.times import DAY_MS, HOUR_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.figure_rows import ZONE, add_figures
from tests.store.conftest import inbound

NOW = 500_000 * HOUR_MS + 5
RATES = PacingRates.of_settings(24, ["quick=0"], ["+15550002=10"])


def _reading(database: Database) -> FigureReading:
    return FigureReading(database, lambda: RATES)


async def _org(database: Database, name: str = "myorg") -> Principal:
    org = await database.write(lambda tx: tx.orgs.add(name, "hash", 1))
    return Principal(org=org.id, org_name=name, scopes=("read",))


async def test_a_sim_is_one_however_its_number_was_written(database: Database) -> None:
    reader = await _org(database)
    hour = NOW // HOUR_MS

    def fill(tx: Tables) -> None:
        phone = tx.phones.connect(reader.org, "pixel", 1).id
        tx.phones.report_sims(reader.org, phone, [Sim(slot=0, number="+1 555-0002")], 1)
        add_figures(tx, reader.org, hour, "+1 555-0002", sent=3, segments=3)
        add_figures(tx, reader.org, hour, "+15550002", sent=1, segments=2)
        add_figures(tx, reader.org, hour - 1, f"#{phone}:1", sent=5, segments=9)
        add_figures(tx, reader.org, hour, "@twilio", sent=7, segments=7)
        add_figures(tx, reader.org, hour - 24, "+15550002", sent=2, segments=2)

    await database.write(fill)
    span = last_hours(24, NOW, ZONE)
    every = await _reading(database).over(reader, span)
    one = await _reading(database).over(reader, span, "+15550002")

    assert (every.total.sent, every.before.sent) == (16, 2)
    assert [figures.sent for figures in every.slots[-2:]] == [5, 11]
    assert {(s.label, s.figures.sent, s.busiest, s.per_hour) for s in every.senders} == {
        ("twilio", 7, 7, None),
        ("SIM 2 of pixel", 5, 9, 24 * 60),
        ("+15550002", 4, 3, 10 * 60),
    }
    assert (one.total.sent, one.before.sent) == (4, 2)
    assert one.chosen is not None
    assert one.chosen.label == "+15550002"
    assert one.senders == every.senders


async def test_a_sim_without_a_limit_has_none(database: Database) -> None:
    reader = await _org(database, "quick")
    await database.write(
        lambda tx: add_figures(tx, reader.org, NOW // HOUR_MS, "#9:0", sent=1, segments=1)
    )
    (one,) = (await _reading(database).over(reader, last_hours(1, NOW, ZONE))).senders

    assert (one.label, one.per_hour) == ("SIM 1 of phone 9", None)


async def test_a_key_that_sees_some_addresses_sees_no_figures(database: Database) -> None:
    reader = await _org(database)
    limited = Principal(
        org=reader.org,
        org_name="myorg",
        scopes=("read",),
        key_id="k",
        limits=KeyLimits(sees=("+1555*",)),
    )

    with pytest.raises(Forbidden, match="reads only some"):
        await _reading(database).over(limited, last_hours(1, NOW, ZONE))


async def test_another_org_has_its_own_figures(database: Database) -> None:
    reader, other = await _org(database), await _org(database, "other")
    await database.write(lambda tx: tx.messages.insert_inbound(inbound(reader.org, created_at=NOW)))
    span = last_hours(1, NOW, ZONE)

    assert (await _reading(database).over(reader, span)).total.received == 1
    assert (await _reading(database).over(other, span)).total.received == 0


async def test_figures_outlive_their_messages_and_go_when_they_are_old(
    database: Database,
) -> None:
    reader = await _org(database)
    for age in (0, 9, 11):
        await database.write(
            lambda tx, at=NOW - age * DAY_MS: tx.messages.insert_inbound(  # type: ignore[misc]
                inbound(reader.org, body=str(at), created_at=at)
            )
        )
    await database.write(lambda tx: tx.message_removal.erase([1, 2, 3], lambda _: True))
    keeping = FigureKeeping(
        database,
        days=10,
        now_ms=lambda: NOW,
        jumps=ClockJumps(database, lambda: NOW),
        timings=FigureTimings(pause_s=0),
    )
    await keeping.note()
    await keeping.sweep()

    reading = _reading(database)
    report = await reading.over(reader, last_hours(24 * 14, NOW, ZONE))
    assert report.total.received == 2
    (noted,) = await reading.gateway(NOW, NOW + 1)
    assert noted.database_bytes > 0
    assert noted.messages == 0
