"""Plain SIMs of many phones, stored at once, come to the same as one by one."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain.phone_registry import PhoneRegistry
from phonegate.domain.plain_sims import NotPlain, RecordPlainSims, StoredSims
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.phones import Sim
from phonegate.model.storage_errors import TooMany
from phonegate.store.tables import Tables
from tests.store.conftest import memory, outbound

NOW = 7
PHONES = 4

SIM = st.builds(Sim, slot=st.integers(0, 1), number=st.sampled_from(["+1", "+2", "+3", "+4", None]))
SIMS = st.lists(SIM, max_size=2, unique_by=lambda sim: sim.number)
SAID = st.lists(st.tuples(st.integers(1, PHONES), SIMS), max_size=4)


def share_nothing(said: Sequence[tuple[int, Sequence[Sim]]]) -> bool:
    """Whether all these may be under way at once, by the lock of their org."""
    numbers = [sim.number for _, sims in said for sim in sims]
    return None not in numbers and len(set(numbers)) == len(numbers)


AT_ONCE = st.lists(
    st.tuples(st.integers(1, PHONES), SIMS), max_size=4, unique_by=lambda one: one[0]
).filter(share_nothing)


class Writes:
    """A database whose operations are done at once."""

    def __init__(self, tx: Tables) -> None:
        self._tx = tx

    async def write(self, op: Callable[[Tables], Any], *, size: int) -> Any:
        return op(self._tx)


def generally(tx: Tables, org: int, phone: int, sims: Sequence[Sim]) -> object:
    """Stores SIMs by the way that takes all there may be."""
    registry = PhoneRegistry(Writes(tx), lambda: NOW, RateLimits(Bounds()))  # type: ignore[arg-type]
    coroutine = registry.report_sims(org, phone, sims)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value.sims, end.value.something_waits
    raise AssertionError


def prepared() -> tuple[Tables, dict[int, int]]:
    """Four phones of two orgs: one with a given number, one with a pushed message."""
    tx = Tables(memory())
    org, other = tx.orgs.add("myorg", "hash", 1).id, tx.orgs.add("other", "hash", 1).id
    orgs = {}
    for name, of in (("a", org), ("b", org), ("c", org), ("d", other)):
        orgs[tx.phones.connect(of, name, 1).id] = of
    tx.phones.give_number(org, 2, 0, "+3")
    tx.messages.insert(outbound(org, status="sending", phone=3))
    tx.messages.insert(outbound(other))
    return tx, orgs


def kept(tx: Tables) -> list[object]:
    return [
        [tx.phones.get(phone) for phone in range(1, PHONES + 1)],
        [tx.phones.known_sims(org) for org in (1, 2)],
        tx.phones._connection.execute("SELECT * FROM sim_numbers ORDER BY 1, 2").fetchall(),
    ]


@settings(max_examples=60, deadline=None)
@given(SAID, AT_ONCE)
def test_together_they_come_to_the_same_as_one_by_one(
    before: Sequence[tuple[int, Sequence[Sim]]], said: Sequence[tuple[int, Sequence[Sim]]]
) -> None:
    tx, orgs = prepared()
    for phone, sims in before:
        generally(tx, orgs[phone], phone, sims)
    expected = [generally(tx, orgs[phone], phone, sims) for phone, sims in said]
    kept_then = kept(tx)

    tx, orgs = prepared()
    for phone, sims in before:
        generally(tx, orgs[phone], phone, sims)
    ones = [RecordPlainSims(orgs[phone], phone, sims, now=NOW, most=0) for phone, sims in said]
    results: Sequence[StoredSims | NotPlain] = [NotPlain()] * len(ones)
    mark = tx.mark()
    tx.phones._connection.execute("SAVEPOINT op")
    try:
        results = RecordPlainSims.together(tx, ones)
    except NotPlain:
        tx.phones._connection.execute("ROLLBACK TO op")
        tx.undo(mark)
    came = [
        (result.sims, result.something_waits)
        if isinstance(result, StoredSims)
        else generally(tx, one.org, one.phone, one.sims)
        for one, result in zip(ones, results, strict=True)
    ]
    assert (came, kept(tx)) == (expected, kept_then)


def test_more_than_the_org_may_have_are_refused() -> None:
    tx, _ = prepared()
    with pytest.raises(TooMany):
        RecordPlainSims(1, 1, [Sim(slot=0, number="+1"), Sim(slot=1)], now=NOW, most=1)(tx)


def test_what_takes_a_number_from_another_phone_is_not_plain() -> None:
    tx, _ = prepared()
    RecordPlainSims(1, 1, [Sim(slot=0, number="+1")], now=NOW, most=0)(tx)
    with pytest.raises(NotPlain):
        RecordPlainSims(1, 2, [Sim(slot=0, number="+1")], now=NOW, most=0)(tx)


def test_sims_of_a_phone_that_has_messages_are_not_plain_and_leave_others_to_be() -> None:
    tx, _ = prepared()
    sims = [Sim(slot=0, number="+1")]
    ones = [RecordPlainSims(1, phone, sims[: phone - 2], now=NOW, most=0) for phone in (3, 1)]
    refused, stored = RecordPlainSims.together(tx, ones)
    assert isinstance(refused, NotPlain)
    assert isinstance(stored, StoredSims)
    with pytest.raises(NotPlain):
        ones[0](tx)
