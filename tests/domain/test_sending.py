"""Accepting and withdrawing messages, on the real store with phones in memory."""

import threading
from functools import partial
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain.acceptance import Acceptance
from phonegate.domain.dispatch import OnlinePhone, follow
from phonegate.domain.idempotency import Keep
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.scheduler import sets_a_time
from phonegate.domain.sending import Outgoing, Sending, SendOutcome
from phonegate.domain.withdrawal import Withdrawal
from phonegate.model.facts import Fact
from phonegate.model.messages import Message, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.refusals import Conflict, UnknownSim
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import subscribe
from tests.domain.callers import owner
from tests.domain.dispatcher import Phones, as_dispatcher

NOW = 1_700_000_000_000
SIM = Sim(slot=0, number="+15551112222")


@attrs.define
class Scene:
    database: Database
    phones: Phones
    sending: Sending
    withdrawal: Withdrawal
    org: int
    phone: int
    timers: list[Fact]

    def connect(self, *sims: Sim) -> None:
        self.phones.phones.append(
            OnlinePhone(phone=self.phone, device_id="phone-a", name=None, sims=sims)
        )

    async def stored(self) -> list[Message]:
        return await self.database.read(lambda tx: tx.messages.page(self.org, PageQuery()))


async def build_scene(database: Database, **waits: float) -> Scene:
    phones = Phones()
    timers: list[Fact] = []
    subscribe(database, lambda facts: timers.extend(filter(sets_a_time, facts)))
    subscribe(database, partial(follow, as_dispatcher(phones)))
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW, **waits)  # type: ignore[arg-type]
    sending = Sending(database, as_dispatcher(phones), acceptance)

    def build(tx: Tables) -> tuple[int, int]:
        org = tx.orgs.add("myorg", "hash", NOW)
        return org.id, tx.phones.connect(org.id, "phone-a", NOW).id

    org, phone = await database.write(build)
    withdrawal = Withdrawal(database, as_dispatcher(phones), now_ms=lambda: NOW)
    return Scene(database, phones, sending, withdrawal, org, phone, timers)


@pytest.fixture
async def scene(database: Database) -> Scene:
    return await build_scene(database)


def text(body: str = "hi", **changes: Any) -> Outgoing:
    return attrs.evolve(Outgoing(to="+15553334444", body=body), **changes)


async def test_without_a_phone_it_is_queued(scene: Scene) -> None:
    outcome = await scene.sending.send(owner(scene.org), [text()])
    assert outcome.device_online is False
    (result,) = outcome.results
    assert (result.status, result.eta_s) == ("queued", None)
    (stored,) = await scene.stored()
    assert (stored.id, stored.status, stored.phone, stored.attempts) == (
        result.id,
        "queued",
        None,
        0,
    )
    assert scene.phones.pushed == []


async def test_a_phone_with_room_is_given_it_after_the_commit(scene: Scene) -> None:
    scene.connect(SIM)
    outcome = await scene.sending.send(owner(scene.org), [text(), text("again")])
    assert outcome.device_online is True
    assert [result.status for result in outcome.results] == ["sending", "sending"]
    stored = await scene.stored()
    assert [message for _, message in scene.phones.pushed] == stored
    assert {phone for phone, _ in scene.phones.pushed} == {scene.phone}
    assert (stored[0].sim_slot, stored[0].sim, stored[0].attempts) == (0, "+15551112222", 1)
    assert stored[0].pushed_at == NOW


async def test_a_later_message_never_overtakes_one_that_found_no_room(scene: Scene) -> None:
    scene.connect(SIM)
    scene.phones.room = 2
    long = "x" * 400  # three segments
    outcome = await scene.sending.send(owner(scene.org), [text(), text(long), text()])
    assert [result.status for result in outcome.results] == ["sending", "queued", "queued"]
    assert scene.phones.woken == [scene.org]
    assert scene.phones.queues == {(None, "")}


async def test_what_waits_for_pacing_is_told_how_long(scene: Scene) -> None:
    scene.connect(SIM)
    scene.phones.room = 1
    scene.phones.segments_per_minute = 24
    outcome = await scene.sending.send(owner(scene.org), [text() for _ in range(13)])
    etas = [result.eta_s for result in outcome.results]
    assert etas[0] is None
    assert etas[1:3] == [3, 5]  # 2.5 s a segment
    assert etas[-1] == 30


async def test_a_forecast_is_what_a_send_then_promises(scene: Scene) -> None:
    assert await scene.sending.forecast(scene.org, "", 1) is None
    scene.connect(SIM)
    scene.phones.room = 0
    scene.phones.segments_per_minute = 24
    forecast = await scene.sending.forecast(scene.org, "+15551112222", 1)
    sent = await scene.sending.send(owner(scene.org), [text()])
    assert sent.results[0].eta_s == forecast == 3
    assert await scene.sending.forecast(scene.org, "", 5) == 13
    scene.phones.segments_per_minute = 0
    assert await scene.sending.forecast(scene.org, "", 5) == 0
    with pytest.raises(UnknownSim):
        await scene.sending.forecast(scene.org, "+15550000000", 1)


async def test_a_selected_number_waits_for_the_phone_that_holds_it(scene: Scene) -> None:
    await scene.database.write(lambda tx: tx.phones.report_sims(scene.org, scene.phone, [SIM], NOW))
    outcome = await scene.sending.send(owner(scene.org), [text(sim_selector="+15551112222")])
    assert outcome.results[0].status == "queued"
    (stored,) = await scene.stored()
    assert (stored.sim_selector, stored.phone) == ("+15551112222", None)


async def test_a_sim_of_an_absent_phone_is_asked_for_each_time(scene: Scene) -> None:
    other = Sim(slot=1, number="+15550000000")

    async def has(*sims: Sim) -> None:
        await scene.database.write(
            lambda tx: tx.phones.report_sims(scene.org, scene.phone, sims, NOW)
        )

    await has(SIM, other)
    await scene.sending.send(owner(scene.org), [text(sim_selector="+15551112222")])
    await has(other)
    with pytest.raises(UnknownSim):
        await scene.sending.send(owner(scene.org), [text(sim_selector="+15551112222")])


async def test_an_unknown_sim_refuses_the_whole_call(scene: Scene) -> None:
    scene.connect(SIM)
    with pytest.raises(UnknownSim) as caught:
        await scene.sending.send(owner(scene.org), [text(), text(sim_selector="+15550000000")])
    # Known beside it, from the store or from who is online.
    assert caught.value.sim_selector == "+15550000000"
    assert await scene.stored() == []
    assert scene.phones.room == 100


async def test_a_scheduled_message_is_held_and_its_ttl_counts_from_then(scene: Scene) -> None:
    scene.connect(SIM)
    outcome = await scene.sending.send(owner(scene.org), [text(send_at=NOW + 60_000, ttl_s=10)])
    assert outcome.results[0].status == "queued"
    (stored,) = await scene.stored()
    assert (stored.held_until, stored.expires_at) == (NOW + 60_000, NOW + 70_000)
    assert len(scene.timers) == 1


async def test_a_past_time_means_now(scene: Scene) -> None:
    scene.connect(SIM)
    outcome = await scene.sending.send(owner(scene.org), [text(send_at=NOW - 1)])
    assert outcome.results[0].status == "sending"


async def test_the_answer_is_kept_with_the_messages(scene: Scene) -> None:
    def render(outcome: SendOutcome) -> tuple[int, bytes]:
        return 200, str(outcome.results[0].id).encode()

    keep = Keep(route="send", key="k", fingerprint=b"f", render=render)
    outcome = await scene.sending.send(owner(scene.org), [text()], keep=keep)
    kept = await scene.database.read(lambda tx: tx.kept_answers.get(scene.org, "send", "k"))
    assert kept is not None
    assert kept.body == str(outcome.results[0].id).encode()


async def test_room_is_given_back_when_nothing_was_stored(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.connect(SIM)

    async def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(scene.database, "write", full)
    with pytest.raises(StorageUnavailable):
        await scene.sending.send(owner(scene.org), [text()])
    assert scene.phones.room == 100
    assert scene.phones.pushed == []


async def test_a_client_that_hangs_up_loses_no_push(scene: Scene) -> None:
    scene.connect(SIM)
    with trio.CancelScope() as client:
        client.cancel()
        # The first checkpoint inside `send` lies after the write was handed over.
        await scene.sending.send(owner(scene.org), [text()])
    stored = await scene.stored()
    assert [message for _, message in scene.phones.pushed] == stored
    assert len(stored) == 1


async def test_a_send_that_a_stuck_disk_kept_waiting_is_not_stored_later(
    database: Database, nursery: trio.Nursery
) -> None:
    scene = await build_scene(database, commit_deadline_s=0.05)
    scene.connect(SIM)
    stuck, freed = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def hold(_: Tables) -> None:
        token.run_sync_soon(stuck.set)
        assert freed.wait(30)

    nursery.start_soon(scene.database.write, hold)
    await stuck.wait()
    room = scene.phones.room
    try:
        with pytest.raises(trio.TooSlowError):
            await scene.sending.send(owner(scene.org), [text()])
    finally:
        freed.set()
    await scene.database.write(lambda _: None)
    assert await scene.stored() == []
    assert scene.phones.pushed == []
    assert scene.phones.room == room


async def test_a_key_that_got_its_answer_meanwhile_sends_nothing_again(scene: Scene) -> None:
    keep = Keep[SendOutcome](route="send", key="k", fingerprint=b"f", render=lambda _: (200, b"{}"))
    await scene.sending.send(owner(scene.org), [text()], keep=keep)
    with pytest.raises(Conflict):
        await scene.sending.send(owner(scene.org), [text()], keep=keep)
    assert len(await scene.stored()) == 1


@pytest.mark.parametrize(
    ("changes", "expires_at"),
    [
        ({}, NOW + 60_000),
        ({"ttl_s": 5}, NOW + 5_000),
        ({"send_at": NOW + 1_000}, NOW + 61_000),
    ],
)
async def test_a_message_without_a_ttl_gets_the_usual_one(
    scene: Scene, changes: dict[str, Any], expires_at: int
) -> None:
    acceptance = Acceptance(scene.database, RateLimits(), now_ms=lambda: NOW, default_ttl_s=60)
    sending = Sending(scene.database, as_dispatcher(scene.phones), acceptance)
    await sending.send(owner(scene.org), [text(**changes)])
    assert [message.expires_at for message in await scene.stored()] == [expires_at]
