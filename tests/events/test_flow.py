"""The counts of how messages move, as the bus brings what was committed."""

from pathlib import Path

import pytest
import trio

from phonegate.events.bus import Bus
from phonegate.events.flow import Flow
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.store.conftest import bring, inbound, outbound


async def test_what_moves_is_counted_once_it_is_committed(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    flow, bus = Flow(), Bus()
    bus.subscribe("metrics", flow.note)
    database = Database.open(tmp_path / "phonegate.db", publish=bus.publish)
    await nursery.start(database.run_writer)
    org = (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id

    def go(tx: Tables) -> None:
        stored = tx.messages.insert(outbound(org))
        phone = tx.phones.connect(org, "pixel", 1).id
        tx.phone_queue.lease([stored], phone=phone, sim_slot=0, sim=None, now=2)
        bring(tx, stored, "sent")
        bring(tx, stored, "sent")
        for _ in range(3):
            tx.messages.insert_inbound(inbound(org, fingerprint=b"same"))

    def fail(tx: Tables) -> None:
        go(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(fail)
    assert flow.counts == {}
    await database.write(go)
    statistics = database.statistics()
    assert flow.counts == {
        (None, "queued"): 1,
        ("queued", "sending"): 1,
        ("sending", "sent"): 1,
        (None, "received"): 1,
        ("received", "received"): 2,
    }
    assert statistics.commit_seconds.count == statistics.group_sizes.count == 3
    assert (statistics.waiting, statistics.failing, statistics.failures) == (0, False, 0)
    counts = await database.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"sent": 1, "received": 1}
    database.stop_writing()
    database.close()
