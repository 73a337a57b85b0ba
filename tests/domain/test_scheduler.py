"""The sweeps of the scheduler, with a clock that the test moves."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain import delivery
from phonegate.domain import scheduler as scheduler_module
from phonegate.domain.delivery import Pick, Policy
from phonegate.domain.dispatch import follow
from phonegate.domain.idempotency import KEPT_MS
from phonegate.domain.reconciler import releases
from phonegate.domain.scheduler import Scheduler, SchedulerTimings
from phonegate.model.facts import Fact
from phonegate.model.messages import NewMessage
from phonegate.model.orgs import KeptAnswer
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import subscribe
from tests.domain.dispatcher import Phones, as_dispatcher

NOW = 1_700_000_000_000
TIMINGS = SchedulerTimings()


@attrs.define
class Scene:
    database: Database
    phones: Phones
    org: int
    phone: int
    now: int = NOW
    online: frozenset[int] = frozenset()
    released: int = 0
    """How often it said that messages were released."""
    scheduler: Scheduler = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.scheduler = Scheduler(
            self.database,
            policy=Policy(),
            now_ms=lambda: self.now,
            online_phones=lambda: self.online,
        )
        subscribe(self.database, self.scheduler.note)
        subscribe(self.database, partial(follow, as_dispatcher(self.phones)))
        subscribe(self.database, self._count_releases)

    def _count_releases(self, facts: Sequence[Fact]) -> None:
        self.released += sum(map(releases, facts))

    async def queued(self, **changes: Any) -> int:
        new = NewMessage(org=self.org, address="+1555", body="hi", created_at=NOW, segments=1)
        return await self.database.write(
            lambda tx: tx.messages.insert(attrs.evolve(new, **changes))
        )

    async def pushed(self, now: int) -> int:
        message_id = await self.queued()
        pick = Pick(id=message_id, sim_slot=None, sim=None)
        assert await self.database.write(lambda tx: delivery.lease(tx, self.phone, [pick], now))
        return message_id

    async def status(self, message_id: int) -> str:
        found = await self.database.read(lambda tx: tx.messages.find(self.org, message_id))
        assert found is not None
        return found.status


@pytest.fixture
async def scene(database: Database) -> Scene:
    def build(tx: Tables) -> tuple[int, int]:
        org = tx.orgs.add("myorg", "hash", NOW)
        return org.id, tx.phones.connect(org.id, "phone-a", NOW).id

    return Scene(database, Phones(), *await database.write(build))


async def test_what_is_released_is_told_to_others_than_phones(scene: Scene) -> None:
    await scene.queued(held_until=NOW + 1)
    await scene.scheduler.sweep()
    assert scene.released == 0
    scene.now += 1
    await scene.scheduler.sweep()
    assert scene.released == 1


async def test_what_a_carrier_has_is_not_given_up_for_a_phone_s_silence(scene: Scene) -> None:
    at_carrier = await scene.queued(
        status="sending", assistant=1, sim_selector="carrier", expires_at=NOW + 1_000
    )
    scene.now += 86_400_000
    await scene.scheduler.sweep()
    assert await scene.status(at_carrier) == "sending"


async def test_with_nothing_due_it_sleeps_but_not_for_ever(scene: Scene) -> None:
    assert await scene.scheduler.sweep() == TIMINGS.longest_sleep_s


async def test_a_scheduled_message_is_released_at_its_time(scene: Scene) -> None:
    message_id = await scene.queued(held_until=NOW + 2000)
    assert await scene.scheduler.sweep() == pytest.approx(2.0)
    assert scene.phones.woken == []
    scene.now = NOW + 2000
    await scene.scheduler.sweep()
    assert scene.phones.woken == [scene.org]
    ready = await scene.database.read(
        lambda tx: tx.phone_queue.candidates(scene.org, phone=None, sim_selector="", limit=5)
    )
    assert [candidate.id for candidate in ready] == [message_id]


async def test_a_message_that_nobody_took_expires(scene: Scene) -> None:
    message_id = await scene.queued(expires_at=NOW + 3000)
    assert await scene.scheduler.sweep() == pytest.approx(3.0)
    scene.now = NOW + 3000
    await scene.scheduler.sweep()
    assert await scene.status(message_id) == "expired"


async def test_a_scheduled_message_can_expire_while_held(scene: Scene) -> None:
    message_id = await scene.queued(held_until=NOW + 9000, expires_at=NOW + 1)
    scene.now = NOW + 1
    await scene.scheduler.sweep()
    assert await scene.status(message_id) == "expired"


async def test_a_silent_phone_is_given_up_and_its_room_freed(scene: Scene) -> None:
    message_id = await scene.pushed(NOW)
    scene.now = NOW + Policy().result_timeout_ms + 1
    await scene.scheduler.sweep()
    assert await scene.status(message_id) == "sending"  # away: it will be pushed again
    scene.online = frozenset({scene.phone})
    await scene.scheduler.sweep()
    assert await scene.status(message_id) == "uncertain"
    assert scene.phones.freed == [(scene.phone, message_id)]


async def test_what_is_left_of_a_full_sweep_follows_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "SWEEP", 1)
    for _ in range(2):
        await scene.queued(expires_at=NOW)
        await scene.queued(held_until=NOW)
        await scene.pushed(NOW - Policy().result_timeout_ms - 1)
    scene.online = frozenset({scene.phone})
    assert await scene.scheduler.sweep() == TIMINGS.shortest_sleep_s
    assert await scene.scheduler.sweep() == TIMINGS.shortest_sleep_s
    assert await scene.scheduler.sweep() == TIMINGS.longest_sleep_s
    counts = await scene.database.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"expired": 2, "queued": 2, "uncertain": 2}


async def test_more_old_answers_than_one_sweep_takes_follow_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler_module, "PRUNE_AT_ONCE", 1)
    reply = KeptAnswer(fingerprint=b"f", status=200, body=b"", created_at=NOW)
    await scene.database.write(lambda tx: tx.kept_answers.put(scene.org, "send", "k", reply))
    scene.now = NOW + KEPT_MS
    assert await scene.scheduler.sweep() == TIMINGS.shortest_sleep_s
    assert await scene.scheduler.sweep() == TIMINGS.longest_sleep_s


async def test_what_waits_for_absent_phones_does_not_occupy_the_writer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.pushed(NOW)
    scene.now = NOW + Policy().result_timeout_ms + 1

    async def refuse(_: object) -> None:
        pytest.fail("it wrote")

    with monkeypatch.context() as patched:
        patched.setattr(scene.database, "write", refuse)
        assert await scene.scheduler.sweep() == pytest.approx(1.0)


async def test_old_kept_answers_go(scene: Scene) -> None:
    reply = KeptAnswer(fingerprint=b"f", status=200, body=b"", created_at=NOW)
    await scene.database.write(lambda tx: tx.kept_answers.put(scene.org, "send", "k", reply))
    scene.now = NOW + KEPT_MS
    await scene.scheduler.sweep()
    assert await scene.database.read(lambda tx: tx.kept_answers.oldest()) is None


async def test_a_new_time_brings_the_next_sweep_forward(
    scene: Scene, nursery: trio.Nursery
) -> None:
    # Uncalled, it would look again after a minute.
    scene.scheduler._timings = attrs.evolve(TIMINGS, longest_sleep_s=60)
    await nursery.start(scene.scheduler.run)
    message_id = await scene.queued(expires_at=NOW)
    with trio.fail_after(30):
        while await scene.status(message_id) != "expired":
            await trio.lowlevel.checkpoint()


async def test_what_a_crash_left_of_a_revoked_key_is_cancelled(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WITHDRAWN_AT_ONCE", 2)
    ids = [await scene.queued(key="k3v9") for _ in range(5)]
    other = await scene.queued(key="other")
    pushed = await scene.pushed(NOW)
    # The first sweep after a start is another matter.
    await scene.scheduler.sweep()
    await scene.database.write(lambda tx: tx.keys.end("k3v9", NOW))
    # At first it is the business of whoever revokes.
    await scene.scheduler.sweep()
    assert {await scene.status(one) for one in ids} == {"queued"}
    scene.now += TIMINGS.revoking_ms + 1
    second = await scene.queued(key="second")
    await scene.database.write(lambda tx: tx.keys.end("second", NOW))
    # Three goes for the one key, and one for the other, without a pause.
    for _ in range(4):
        assert await scene.scheduler.sweep() == TIMINGS.shortest_sleep_s
    assert await scene.scheduler.sweep() > TIMINGS.shortest_sleep_s
    assert {await scene.status(one) for one in (*ids, second)} == {"cancelled"}
    assert [await scene.status(one) for one in (other, pushed)] == ["queued", "sending"]
    assert await scene.database.read(lambda tx: tx.keys.ended(scene.now)) is None


async def test_what_a_crash_left_of_revoked_keys_is_cancelled_at_the_start(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "WITHDRAWN_AT_ONCE", 2)
    ids = [await scene.queued(key=key) for key in ("one", "one", "one", "two")]
    # The clock may have been ahead when they were revoked.
    await scene.database.write(lambda tx: tx.keys.end("one", NOW))
    await scene.database.write(lambda tx: tx.keys.end("two", NOW + TIMINGS.revoking_ms))
    for _ in range(3):
        assert await scene.scheduler.sweep() == TIMINGS.shortest_sleep_s
    assert {await scene.status(one) for one in ids} == {"cancelled"}
    assert await scene.scheduler.sweep() > TIMINGS.shortest_sleep_s
    later = await scene.queued(key="three")
    await scene.database.write(lambda tx: tx.keys.end("three", NOW))
    await scene.scheduler.sweep()
    assert await scene.status(later) == "queued"
