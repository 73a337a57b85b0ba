"""Sends that leave at once, on the real store with phones in memory."""

import sqlite3
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.immediate_send import ImmediateSend, ImmediateSending, PlainText
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.rosters import Rosters
from phonegate.model.messages import Message, PageQuery, Pushed
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import StorageSpent, Unauthorized
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.captured_logs import capture_logs
from tests.domain.callers import limited, owner
from tests.domain.dispatcher import Phones, as_dispatcher

NOW = 1_700_000_000_000
SIMS = (Sim(slot=0, number="+15551112222"), Sim(slot=1))
TEXT = PlainText("+15553334444", "hi", "")


@attrs.define
class Scene:
    database: Database
    org: int
    phones: Phones = attrs.field(
        factory=lambda: Phones([OnlinePhone(phone=1, device_id="a", name=None, sims=SIMS)], room=6)
    )
    rate_limits: RateLimits = attrs.field(factory=RateLimits)
    default_ttl_s: int = 0

    @property
    def sending(self) -> ImmediateSending:
        return ImmediateSending(
            as_dispatcher(self.phones),
            Rosters(),
            self.rate_limits,
            self.database,
            commit_deadline_s=60,
            default_ttl_s=self.default_ttl_s,
            on_uncertain="hold",
        )

    def begin(self, *texts: PlainText, sender: Principal | None = None) -> ImmediateSend | None:
        sender = owner(self.org) if sender is None else sender
        return self.sending.begin(sender, texts or (TEXT,), NOW)

    async def stored(self) -> list[Message]:
        return await self.database.read(lambda tx: tx.messages.page(self.org, PageQuery()))


@pytest.fixture
async def scene(database: Database) -> Scene:
    return Scene(database, (await database.write(lambda tx: tx.orgs.add("myorg", "h", NOW))).id)


def ready(scene: Scene, body: str = "hi", **changes: Any) -> ImmediateSend:
    begun = scene.begin(TEXT._replace(body=body), **changes)
    assert begun is not None
    return begun


async def test_it_is_stored_pushed_and_told(scene: Scene) -> None:
    begun = scene.begin(TEXT, TEXT._replace(body="ж" * 71, sim_selector="1"))
    assert begun is not None
    assert (begun.size, scene.phones.room) == (2, 3)
    told, came = [], trio.Event()

    def done(ids: range | None, error: Exception | None) -> None:
        told.append((ids, error, len(scene.phones.pushed)))
        came.set()

    assert scene.sending.submit(begun, done)
    await came.wait()
    assert told == [(range(1, 3), None, 2)]
    stored = await scene.stored()
    assert [(1, one) for one in stored] == scene.phones.pushed
    assert [(one.sim_slot, one.sim, one.segments) for one in stored] == [
        (0, "+15551112222", 1),
        (1, None, 2),
    ]


async def test_a_fault_of_a_phone_does_not_keep_the_sender_waiting(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, told, came = ready(scene), [], trio.Event()

    def faulty(*_: object) -> None:
        raise ZeroDivisionError

    def done(ids: range | None, error: Exception | None) -> None:
        told.append((ids, error))
        came.set()

    monkeypatch.setattr(ImmediateSending, "push", faulty)
    with capture_logs() as logged:
        assert scene.sending.submit(begun, done)
        await came.wait()
        await trio.testing.wait_all_tasks_blocked()
    assert told == [(range(1, 2), None)]
    assert [one["event"] for one in logged] == ["answer_failed"]


async def test_what_the_store_refuses_gives_its_places_back(scene: Scene) -> None:
    begun, told, came = ready(scene), [], trio.Event()
    scene.database.stop_writing()

    def done(ids: range | None, error: Exception | None) -> None:
        told.append((ids, error))
        came.set()

    assert not scene.sending.submit(begun, done)
    assert (scene.phones.room, told) == (6, [])


async def test_only_what_can_wholly_leave_at_once_is_begun(scene: Scene) -> None:
    assert scene.begin(*[TEXT] * 7) is None
    assert scene.begin(*[TEXT] * 3, *[TEXT._replace(sim_selector="1")] * 4) is None
    assert scene.begin(TEXT, TEXT._replace(sim_selector="7")) is None
    assert scene.begin(sender=limited(scene.org)) is None
    scene.default_ttl_s = 1
    assert scene.begin() is None
    scene.default_ttl_s = 0
    assert scene.phones.room == 6
    assert scene.begin(*[TEXT] * 3, *[TEXT._replace(sim_selector="1")] * 3) is not None
    scene.phones.phones.clear()
    assert scene.begin() is None


async def test_of_many_together_each_is_refused_by_itself(scene: Scene) -> None:
    scene.rate_limits = RateLimits(Bounds(org_bytes_per_day=1_902))
    key = attrs.evolve(owner(scene.org), key_id="gone")
    given_up = ready(scene, "given up")
    given_up.given_up = True
    sends = [ready(scene, "a"), given_up, ready(scene, "k", sender=key), ready(scene, "b")]
    sends += [ready(scene, "c" * 100), ready(scene, "d")]

    def op(tx: Tables) -> Any:
        return ImmediateSend.together(tx, sends)

    found = await scene.database.write(op)
    assert found[0] == range(1, 2)
    assert found[3] == range(2, 3)
    assert [type(found[at]) for at in (1, 2)] == [trio.TooSlowError, Unauthorized]
    # What the revoked key would have stored counts for nothing.
    assert isinstance(found[4], range)
    assert isinstance(found[5], StorageSpent)
    assert [one.body for one in await scene.stored()] == ["a", "b", "c" * 100]


async def test_together_is_the_same_as_one_after_the_other(scene: Scene) -> None:
    sends = [ready(scene, str(number)) for number in range(6)]
    alone = [await scene.database.write(send) for send in sends[:2]]
    together = await scene.database.write(lambda tx: ImmediateSend.together(tx, sends[2:]))
    assert [*alone, *together] == [range(at, at + 1) for at in range(1, 7)]
    counts = await scene.database.read(lambda tx: tx.message_counts.by_status())
    assert counts == {"sending": 6}
    assert await scene.database.write(lambda tx: ImmediateSend.together(tx, [])) == []


async def test_a_storage_failure_is_not_taken_for_a_refusal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = ready(scene)

    def op(tx: Tables) -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(tx.storage_quota, "is_self_made", failing)
            return ImmediateSend.together(tx, [send])

    def failing(_: int) -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(sqlite3.OperationalError):
        await scene.database.write(op)
    assert await scene.stored() == []


def test_texts_are_not_shown() -> None:
    assert "hi" not in repr(TEXT)
    row = Pushed(1, "+1555", "hi", 0, 1, "", 0, None, 0, "hold", None, 1)
    assert "hi" not in repr(row)
    assert "555" not in repr(row)
