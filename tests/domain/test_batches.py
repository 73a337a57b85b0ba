"""Batches: sent in chunks, resumed, counted and given up."""

from secrets import token_hex
from typing import Any

import attrs
import pytest

from phonegate.domain import batches as batches_module
from phonegate.domain.batch_drafts import BatchForm
from phonegate.domain.batch_plan import Draft
from phonegate.domain.batches import RESUMED_MS, Batches
from phonegate.model.messages import NewMessage
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, Forbidden, NotFound
from phonegate.model.states import Cause
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.domain.account_site import Clock
from tests.domain.callers import limited, owner

FORM = BatchForm(draft=Draft(to="+1555", text="hello {name}"), sender="sim:0", send_at=5, ttl_s=60)
MESSAGES = [(f"+1555000{at:04}", f"text {at}") for at in range(1_100)]


@pytest.fixture
async def org(database: Database) -> int:
    return (await database.write(lambda tx: tx.orgs.add("myorg", "hash", 1))).id


@pytest.fixture
def batches(database: Database, clock: Clock) -> Batches:
    return Batches(database, now_ms=clock)


async def _store(database: Database, org: int, messages: Any) -> list[int]:
    def op(tx: Tables) -> list[int]:
        new = [
            NewMessage(org=org, address=to, body=body, created_at=1, segments=1)
            for to, body in messages
        ]
        return list(tx.messages.insert_all(new))

    return await database.write(op)


async def _send(database: Database, batches: Batches, me: Principal, token: str) -> int:
    chunks = 0
    while (chunk := await batches.next_chunk(me, token)) is not None:
        ids = await _store(database, me.org, chunk.messages)
        await batches.accepted(me, token, chunk, ids)
        chunks += 1
    return chunks


async def test_a_batch_is_sent_in_chunks_of_one_call(
    database: Database, batches: Batches, org: int
) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    assert (await batches.find(me, token)).form == FORM
    assert await batches.next_chunk(me, token) is None
    await batches.begin(me, token, MESSAGES)
    first = await batches.next_chunk(me, token)
    assert first is not None
    assert (len(first.messages), first.form) == (500, FORM)
    assert await batches.next_chunk(me, token) == first  # until it is noted
    assert await _send(database, batches, me, token) == 3
    view = await batches.find(me, token)
    assert (view.total, view.accepted, view.count("queued")) == (1_100, 1_100, 1_100)
    assert (view.form.draft.to, view.form.draft.text) == ("", "hello {name}")
    assert not view.is_over
    assert [one.token for one in await batches.begun(me)] == [token]


async def test_a_chunk_of_long_texts_is_shorter(
    database: Database, batches: Batches, org: int
) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    messages = [(f"+1555000{n:04}", "x" * 39_000) for n in range(45)]
    await batches.begin(me, token, messages)
    first = await batches.next_chunk(me, token)
    assert first is not None
    assert len(first.messages) == 20
    assert await _send(database, batches, me, token) == 3
    assert (await batches.find(me, token)).accepted == 45


async def test_what_was_begun_stays_as_it_was(batches: Batches, org: int) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    await batches.begin(me, token, MESSAGES)
    await batches.begin(me, token, MESSAGES[:3])
    assert (await batches.find(me, token)).total == 1_100


async def test_a_repeat_of_a_chunk_counts_once(
    database: Database, batches: Batches, org: int
) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    await batches.begin(me, token, MESSAGES[:4])
    chunk = await batches.next_chunk(me, token)
    assert chunk is not None
    some = await _store(database, org, chunk.messages[:2])
    await _store(database, org, [("+1999", "of another")])
    rest = await _store(database, org, chunk.messages[2:])
    for _ in range(2):
        await batches.accepted(me, token, chunk, [*some, *rest])
    view = await batches.find(me, token)
    assert (view.accepted, view.count("queued")) == (4, 4)
    found = await batches.messages(me, token, limit=10)
    assert [(one.address, one.body) for one in found] == MESSAGES[:4]


async def test_states_are_counted_and_the_unsent_listed(
    database: Database, batches: Batches, org: int
) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    await batches.begin(me, token, MESSAGES[:3])
    await _send(database, batches, me, token)
    ids = await batches.message_ids(me, token, ("queued",), limit=10)

    def fail(tx: Tables) -> None:
        for id_, cause in ((ids[0], Cause.OUT_OF_TIME), (ids[1], Cause.WITHDRAWN)):
            message = tx.messages.find(org, id_)
            assert message is not None
            tx.messages.transition(message, cause, error="why")

    await database.write(fail)
    view = await batches.find(me, token)
    assert {one.status: one.count for one in view.counts} == {
        "queued": 1,
        "expired": 1,
        "cancelled": 1,
    }
    (unsent,) = await batches.messages(me, token, batches_module.UNSENT, limit=10)
    assert (unsent.address, unsent.error) == (MESSAGES[0][0], "why")


async def test_one_that_is_too_old_does_not_go_on(batches: Batches, org: int, clock: Clock) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    await batches.begin(me, token, MESSAGES)
    assert (await batches.find(me, token)).resumable
    clock.now += RESUMED_MS + 1
    with pytest.raises(Conflict, match="too long ago"):
        await batches.next_chunk(me, token)
    assert not (await batches.find(me, token)).resumable


async def test_the_rest_can_be_given_up(database: Database, batches: Batches, org: int) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    await batches.begin(me, token, MESSAGES)
    chunk = await batches.next_chunk(me, token)
    assert chunk is not None
    await batches.accepted(me, token, chunk, await _store(database, org, chunk.messages))
    await batches.stop(me, token)
    assert await batches.next_chunk(me, token) is None
    assert (await batches.find(me, token)).total == 500


async def test_the_same_once_more_is_noticed(batches: Batches, org: int, clock: Clock) -> None:
    me = owner(org)
    token = await batches.save(me, FORM)
    assert await batches.sent_before(me, FORM, MESSAGES) is None
    await batches.begin(me, token, MESSAGES)
    found = await batches.sent_before(me, FORM, MESSAGES)
    assert found is not None
    assert found.token == token
    assert await batches.sent_before(me, FORM, MESSAGES[1:]) is None
    assert await batches.sent_before(me, attrs.evolve(FORM, send_at=None), MESSAGES) is None
    clock.now += batches_module.SAME_MS + 1
    assert await batches.sent_before(me, FORM, MESSAGES) is None


async def test_a_limited_key_has_its_own(database: Database, batches: Batches, org: int) -> None:
    me, key = owner(org), limited(org, "key1", sees=("+15550000*",), codes_hidden=True)
    others, mine = await batches.save(me, FORM), await batches.save(key, FORM)
    for one, token in ((me, others), (key, mine)):
        await batches.begin(one, token, [("+15550000001", "code 123456"), ("+15559", "x")])
        await _send(database, batches, one, token)
    with pytest.raises(NotFound):
        await batches.find(key, others)
    assert [one.token for one in await batches.begun(key)] == [mine]
    assert [one.token for one in await batches.begun(me)] == [mine, others]
    (seen,) = await batches.messages(key, mine, limit=10)
    assert (seen.address, "123456" in seen.body) == ("+15550000001", False)
    with pytest.raises(NotFound, match="another credential"):
        await batches.next_chunk(me, mine)
    sender = Principal(org=org, org_name="myorg", scopes=("send",), key_id="key1")
    with pytest.raises(Forbidden):
        await batches.messages(sender, mine, limit=10)
    reader = Principal(org=org, org_name="myorg", scopes=("read",), key_id="key1")
    for call in (batches.find(reader, mine), batches.begun(reader), batches.save(reader, FORM)):
        with pytest.raises(Forbidden):
            await call


async def test_another_org_sees_none(database: Database, batches: Batches, org: int) -> None:
    other = (await database.write(lambda tx: tx.orgs.add("other", "hash", 1))).id
    token = await batches.save(owner(org), FORM)
    with pytest.raises(NotFound):
        await batches.find(owner(other), token)


async def test_old_drafts_go(batches: Batches, org: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "MOST_DRAFTS", 2)
    me = owner(org)
    tokens = [await batches.save(me, FORM) for _ in range(3)]
    with pytest.raises(NotFound):
        await batches.find(me, tokens[0])
    await batches.find(me, tokens[1])


async def test_no_key_writes_the_drafts_of_others_away(
    batches: Batches, org: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches_module, "MOST_DRAFTS_EACH", 2)
    mine = await batches.save(owner(org), FORM)
    key = Principal(org=org, org_name="myorg", scopes=("send",), key_id="key1")
    tokens = [await batches.save(key, FORM) for _ in range(4)]
    await batches.find(owner(org), mine)
    await batches.find(key, tokens[2])
    with pytest.raises(NotFound):
        await batches.find(key, tokens[1])


async def test_drafts_take_so_much_room(
    batches: Batches, org: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = owner(org)
    key = Principal(org=org, org_name="myorg", scopes=("send",), key_id="key1")
    long = attrs.evolve(FORM, draft=attrs.evolve(FORM.draft, to=token_hex(5_000)))
    monkeypatch.setattr(batches_module, "MOST_BYTES_EACH", 8_000)
    theirs = await batches.save(key, FORM)
    first, second, third = [await batches.save(me, long) for _ in range(3)]
    for token in (first, second):
        with pytest.raises(NotFound):
            await batches.find(me, token)
    assert (await batches.find(me, third)).token == third
    assert (await batches.find(key, theirs)).token == theirs
    # All that an org has, what was begun included.
    await batches.begin(me, third, [("+15550000001", token_hex(5_000))])
    monkeypatch.setattr(batches_module, "MOST_BYTES", 12_000)
    newest = await batches.save(me, long)
    assert [one.token for one in await batches.begun(me)] == []
    assert (await batches.find(me, newest)).token == newest


async def test_one_who_does_not_read_sees_no_batch_of_others(batches: Batches, org: int) -> None:
    theirs = await batches.save(owner(org), FORM)
    await batches.begin(owner(org), theirs, [("+15551110001", "x")])
    key = Principal(org=org, org_name="myorg", scopes=("send",), key_id="key1")
    with pytest.raises(NotFound):
        await batches.find(key, theirs)
    assert await batches.begun(key) == []
    assert await batches.sent_before(key, FORM, [("+15551110001", "x")]) is None
    reads = Principal(org=org, org_name="myorg", scopes=("read", "send"), key_id="key2")
    assert [one.token for one in await batches.begun(reads)] == [theirs]


async def test_a_message_of_a_carrier_is_found_by_its_id(
    database: Database, batches: Batches, org: int
) -> None:
    (ours,) = await _store(database, org, [("+1555", "x")])
    assert await batches.message_of(owner(org), str(ours)) == ours
    assert await batches.message_of(owner(org), "SM123") is None
    assert await batches.message_of(owner(org), "9" * 30) is None
