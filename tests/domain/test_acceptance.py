"""What every message goes through before it leaves, on the real store."""

import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain.acceptance import Acceptance, new_message
from phonegate.domain.idempotency import KEPT_MS, Keep
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.scheduler import sets_a_time
from phonegate.domain.sending import Outgoing
from phonegate.model.callbacks import Callback
from phonegate.model.facts import Fact
from phonegate.model.messages import NewMessage, PageQuery
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    AddressRefused,
    BadInput,
    Conflict,
    FieldProblem,
    QueueFull,
    StorageSpent,
    Unauthorized,
)
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.buses import subscribe
from tests.domain.callers import limited, owner

NOW = 1_700_000_000_000
KEEP = Keep[list[int]](
    route="send", key="k", fingerprint=b"f", render=lambda ids: (200, repr(ids).encode())
)


@pytest.fixture
async def org(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))).id


def made(acceptance: Acceptance, sender: Principal, **changes: Any) -> NewMessage:
    asked = Outgoing(to="+15553334444", body="hi", **changes)
    (permit,) = acceptance.permits(sender, [asked], NOW)
    timing = permit.timing(asked.send_at, asked.ttl_s, NOW)
    return new_message(sender, asked, timing, NOW, segments=1, status="queued")


def inserting(*messages: NewMessage) -> Callable[[Tables], list[int]]:
    return lambda tx: list(tx.messages.insert_all(messages))


async def stored(database: Database, org: int) -> list[int]:
    page = await database.read(lambda tx: tx.messages.page(org, PageQuery()))
    return [message.id for message in page]


async def test_the_answer_is_kept_once_with_its_messages(database: Database, org: int) -> None:
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW)
    new = made(acceptance, owner(org))

    async def store(now: int) -> list[int]:
        return await acceptance.store(owner(org), [new], inserting(new), keep=KEEP, now=now)

    ids = await store(NOW)
    kept = await database.read(lambda tx: tx.kept_answers.get(org, "send", "k"))
    assert kept is not None
    assert (kept.status, kept.body, kept.fingerprint) == (200, repr(ids).encode(), b"f")
    with pytest.raises(Conflict, match="answered just now"):
        await store(NOW + KEPT_MS - 1)
    assert await stored(database, org) == ids
    await store(NOW + KEPT_MS)
    assert len(await stored(database, org)) == 2


@pytest.mark.parametrize(
    ("bounds", "refusal"),
    [(Bounds(org_queue=1), QueueFull), (Bounds(org_bytes_per_day=700), StorageSpent)],
)
async def test_a_limit_of_the_org_stores_nothing_and_keeps_no_answer(
    database: Database, org: int, bounds: Bounds, refusal: type[Exception]
) -> None:
    acceptance = Acceptance(database, RateLimits(bounds), now_ms=lambda: NOW)
    new = made(acceptance, owner(org))
    ids = await acceptance.store(owner(org), [new], inserting(new), keep=None, now=NOW)
    with pytest.raises(refusal):
        await acceptance.store(owner(org), [new], inserting(new), keep=KEEP, now=NOW)
    assert await stored(database, org) == ids
    assert await database.read(lambda tx: tx.kept_answers.get(org, "send", "k")) is None


async def test_a_revoked_key_stores_nothing(database: Database, org: int) -> None:
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW)
    sender = limited(org)
    new = made(acceptance, sender)
    with pytest.raises(Unauthorized):
        await acceptance.store(sender, [new], inserting(new), keep=None, now=NOW)
    assert await stored(database, org) == []


@pytest.mark.parametrize(
    ("changes", "rings"), [({}, 0), ({"ttl_s": 5}, 1), ({"send_at": NOW + 1}, 1)]
)
async def test_the_timer_rings_for_what_has_a_time(
    database: Database, org: int, changes: dict[str, int], rings: int
) -> None:
    rung: list[Fact] = []
    subscribe(database, lambda facts: rung.extend(filter(sets_a_time, facts)))
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW)
    new = made(acceptance, owner(org), **changes)
    await acceptance.store(owner(org), [new], inserting(new), keep=None, now=NOW)
    assert len(rung) == rings


async def test_what_a_stuck_disk_kept_waiting_is_not_stored_later(
    database: Database, org: int, nursery: trio.Nursery
) -> None:
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW, commit_deadline_s=0.05)
    new = made(acceptance, owner(org))
    stuck, freed = trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def hold(_: Tables) -> None:
        token.run_sync_soon(stuck.set)
        assert freed.wait(30)

    nursery.start_soon(database.write, hold)
    await stuck.wait()
    try:
        with pytest.raises(trio.TooSlowError):
            await acceptance.store(owner(org), [new], inserting(new), keep=None, now=NOW)
    finally:
        freed.set()
    await database.write(lambda _: None)
    assert await stored(database, org) == []


async def test_a_client_that_hangs_up_is_stored_all_the_same(database: Database, org: int) -> None:
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW)
    new = made(acceptance, owner(org))
    with trio.CancelScope() as client:
        client.cancel()
        await acceptance.store(owner(org), [new], inserting(new), keep=None, now=NOW)
    assert len(await stored(database, org)) == 1


async def test_a_status_callback_that_may_not_be_called_is_refused_by_its_name(
    database: Database, org: int
) -> None:
    def check(url: str, field: str) -> None:
        if "//10." in url:
            raise AddressRefused(f"{field} no.", [FieldProblem(field, "no")])

    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW, check_url=check)
    inner = Callback(shape="kannel", url="http://10.1.1.1/%d", mask=3, field="dlr-url")
    with pytest.raises(AddressRefused) as refused:
        made(acceptance, owner(org), callback=inner)
    assert [one.field for one in refused.value.problems] == ["dlr-url"]
    outer = attrs.evolve(inner, url="https://a.example/%d")
    new = made(acceptance, owner(org), callback=outer)
    (id_,) = await acceptance.store(owner(org), [new], inserting(new), keep=None, now=NOW)
    found = await database.read(lambda tx: tx.messages.find(org, id_))
    assert found is not None
    assert found.status_callback == outer
    assert "a.example" not in repr(found) + repr(new) + repr(outer)


async def test_a_gateway_that_calls_no_url_takes_no_callback(database: Database, org: int) -> None:
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: NOW)
    with pytest.raises(BadInput, match="StatusCallback can't be called"):
        made(
            acceptance,
            owner(org),
            callback=Callback(shape="twilio", url="https://a.example/", field="StatusCallback"),
        )
