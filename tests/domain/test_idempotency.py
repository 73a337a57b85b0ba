"""The gate that repeats of a request pass."""

import pytest

from phonegate.domain.idempotency import KEPT_MS, Idempotency
from phonegate.model.orgs import KeptAnswer
from phonegate.model.refusals import Conflict, KeyReused
from phonegate.store.database import Database

NOW = 1_700_000_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def org(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", NOW))).id


@pytest.fixture
def gates(database: Database, clock: Clock) -> Idempotency:
    return Idempotency(database, now_ms=clock)


async def keep(database: Database, org: int, *, created_at: int = NOW) -> KeptAnswer:
    reply = KeptAnswer(fingerprint=b"one", status=200, body=b"{}", created_at=created_at)
    await database.write(lambda tx: tx.kept_answers.put(org, "send", "k", reply))
    return reply


async def test_a_new_key_passes(gates: Idempotency, org: int) -> None:
    async with gates.gate(org, "send", "k", b"one") as earlier:
        assert earlier is None


async def test_a_repeat_gets_the_first_answer(
    gates: Idempotency, org: int, database: Database
) -> None:
    reply = await keep(database, org)
    async with gates.gate(org, "send", "k", b"one") as earlier:
        assert earlier == reply


async def test_routes_and_orgs_do_not_share_keys(
    gates: Idempotency, org: int, database: Database
) -> None:
    await keep(database, org)
    async with gates.gate(org, "other", "k", b"two") as earlier:
        assert earlier is None
    async with gates.gate(org + 1, "send", "k", b"two") as earlier:
        assert earlier is None


async def test_another_request_under_the_key_is_refused(
    gates: Idempotency, org: int, database: Database
) -> None:
    await keep(database, org)
    with pytest.raises(KeyReused):
        async with gates.gate(org, "send", "k", b"two"):
            pytest.fail("the gate let it pass")
    async with gates.gate(org, "send", "k", b"one") as earlier:
        assert earlier is not None  # the refusal did not leave the key held


async def test_a_running_request_holds_its_key(gates: Idempotency, org: int) -> None:
    async with gates.gate(org, "send", "k", b"one"):
        with pytest.raises(Conflict):
            async with gates.gate(org, "send", "k", b"one"):
                pytest.fail("the gate let it pass")
    async with gates.gate(org, "send", "k", b"one") as earlier:
        assert earlier is None


async def test_a_day_later_the_key_is_new(
    gates: Idempotency, org: int, database: Database, clock: Clock
) -> None:
    await keep(database, org)
    clock.now = NOW + KEPT_MS
    async with gates.gate(org, "send", "k", b"two") as earlier:
        assert earlier is None
    again = await keep(database, org, created_at=clock.now)
    assert await database.read(lambda tx: tx.kept_answers.get(org, "send", "k")) == again
