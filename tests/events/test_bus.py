"""What is published, to whom and in which order."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from phonegate.events.bus import Bus
from phonegate.events.flow import Flow
from phonegate.events.undelivered import log_undelivered
from phonegate.model.facts import Changed, Fact, OrgChanged, Repeated, Rescheduled
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.patience import PATIENCE_S
from tests.store.conftest import bring, inbound, outbound

ONE, TWO = OrgChanged(1), OrgChanged(2)


def test_every_subscriber_gets_all_facts_in_their_order() -> None:
    bus, told = Bus(), list[tuple[str, Sequence[Fact]]]()
    bus.subscribe("first", lambda facts: told.append(("first", facts)))
    bus.subscribe("second", lambda facts: told.append(("second", facts)))
    bus.publish((ONE, TWO))
    bus.publish(())
    bus.publish((TWO,))
    assert told == [
        ("first", (ONE, TWO)),
        ("second", (ONE, TWO)),
        ("first", (TWO,)),
        ("second", (TWO,)),
    ]


def test_two_subscribers_of_one_name_are_a_mistake() -> None:
    bus = Bus()
    bus.subscribe("metrics", lambda _: None)
    with pytest.raises(ValueError, match="metrics"):
        bus.subscribe("metrics", lambda _: None)


def test_one_that_fails_is_logged_and_costs_no_other_anything() -> None:
    bus, told = Bus(), list[Fact]()

    def fail(facts: Sequence[Fact]) -> None:
        raise LookupError(facts)

    bus.subscribe("faulty", fail)
    bus.subscribe("sound", told.extend)
    with capture_logs() as lines:
        bus.publish((ONE,))
        bus.publish((TWO,))
    assert told == [ONE, TWO]
    assert [(line["event"], line["subscriber"]) for line in lines] == [
        ("subscriber_failed", "faulty")
    ] * 2


def test_the_flow_counts_changes_and_repeats_alone() -> None:
    flow = Flow()
    flow.note((Changed(1, 1, None, "received"), Repeated(1), Repeated(1), ONE))
    flow.note((Changed(1, 1, "received", None), Rescheduled(1, None)))
    assert flow.counts == {
        (None, "received"): 1,
        ("received", "received"): 2,
        ("received", None): 1,
    }


def test_what_was_delivered_is_not_logged() -> None:
    with capture_logs() as lines:
        log_undelivered((Changed(1, 1, "sent", "delivered"), Changed(1, 1, "failed", None), ONE))
    assert lines == []


async def test_commits_are_published_once_each_in_their_order_whatever_fails(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    bus, told = Bus(), list[Fact]()

    def fail(_: Sequence[Fact]) -> None:
        raise LookupError

    bus.subscribe("faulty", fail)
    bus.subscribe("sound", told.extend)
    database = Database.open(tmp_path / "phonegate.db", publish=bus.publish)
    await nursery.start(database.run_writer)
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    ids: list[int] = []

    def store(tx: Tables) -> None:
        new = outbound(org)
        ids.append(tx.messages.insert(new))
        bring(tx, ids[-1], "sending")

    def store_and_fail(tx: Tables) -> None:
        tx.messages.insert(outbound(org))
        tx.messages.insert_inbound(inbound(org))
        raise ValueError

    async def wrong() -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - it holds no text
            await database.write(store_and_fail)

    with capture_logs():
        async with trio.open_nursery() as several:
            # They share commits, in which some are undone alone.
            for _ in range(20):
                several.start_soon(database.write, store)
                several.start_soon(wrong)
        await database.write(lambda tx: bring(tx, ids[0], "failed"))
    changed = [fact[:4] for fact in told if isinstance(fact, Changed)]
    assert changed == [
        *(
            change
            for id_ in ids
            for change in ((id_, org, None, "queued"), (id_, org, "queued", "sending"))
        ),
        (ids[0], org, "sending", "failed"),
    ]
    database.stop_writing()
    database.close()


async def test_what_chores_delete_is_published_as_well(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    bus, flow = Bus(), Flow()
    bus.subscribe("metrics", flow.note)
    database = Database.open(tmp_path / "phonegate.db", publish=bus.publish)
    await nursery.start(database.run_writer)
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id
    await database.write(lambda tx: tx.messages.insert_all([outbound(org)] * 3))
    await database.write(lambda tx: tx.orgs.remove("myorg"))
    with trio.fail_after(PATIENCE_S):
        while flow.counts["queued", None] < 3:
            await trio.lowlevel.checkpoint()
    assert await database.read(lambda tx: tx.message_counts.by_status()) == {}
    database.stop_writing()
    database.close()
