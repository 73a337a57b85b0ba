"""Sending from a number: what is stored before and after, and what its sender is told."""

from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel

from phonegate.domain import forwarding as forwarding_module
from phonegate.domain.carrier import (
    CarrierFault,
    CarrierRefusal,
    InboundReport,
    NotTaken,
    OutcomeUnknown,
    StatusReport,
)
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.errors import BadInput, Conflict, NotFound, UnknownSim
from phonegate.domain.forwarding import OPEN, Forwarded, Forwarding, NotForwarded, Terms
from phonegate.store.database import Database
from phonegate.store.errors import ConstraintBroken, StorageUnavailable, StoreClosed, StoreError
from phonegate.store.records import Sim, StoredReply
from tests.domain.callers import owner
from tests.domain.carrier import hurry, taken
from tests.domain.desk import CALLBACK, NOW, RECIPIENT, SENDER, Desk, build_desk, claim, draft

SIM = Sim(slot=0, number="+15551112222")
LOST = OutcomeUnknown("no answer")
STOP = CarrierRefusal(CarrierFault(code="21610", text="they sent STOP"))


@pytest.fixture
async def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Desk:
    hurry(monkeypatch)
    return await build_desk(database)


async def kept(desk: Desk, key: str = "k") -> StoredReply | None:
    return await desk.database.read(lambda tx: tx.replies.get(desk.org, "sms", key))


async def test_a_message_is_taken_and_kept(desk: Desk) -> None:
    answered = await desk.forwarding.send(owner(desk.org), draft(media_urls=("https://e.com/a",)))
    message = await desk.only()
    assert answered == Forwarded(
        id=message.id, message_id="SM1", provider="twilio", status="sending"
    )
    (sent,) = desk.carrier.sent
    assert (sent.sender, sent.recipient, sent.body) == (SENDER, RECIPIENT, "hi")
    assert sent.media_urls == ("https://e.com/a",)
    assert (message.status, message.carrier_id, message.sim) == ("sending", "SM1", SENDER)
    assert (message.reference, message.first_tried_at) == (sent.reference, NOW)
    assert (message.attempts, message.error, message.look_at) == (1, None, NOW + 5_000)


async def test_it_is_stored_before_the_carrier_is_asked(desk: Desk) -> None:
    desk.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.forwarding.send, owner(desk.org), draft())
        while not desk.carrier.sent:
            await trio.lowlevel.checkpoint()
        message = await desk.only()
        assert (message.status, message.pushed_at, message.carrier_id) == ("sending", NOW, None)
        # By then it is due, should nobody be left to store the outcome.
        assert message.look_at == NOW + 5_500
        desk.carrier.slow.set()


async def test_the_address_for_reports_names_the_message(desk: Desk) -> None:
    desk.public = True
    await desk.forwarding.send(owner(desk.org), draft())
    message = await desk.only()
    assert desk.carrier.sent[0].callback_url == f"{CALLBACK}?message={message.id}"
    assert message.callback_url == desk.carrier.sent[0].callback_url
    # Asking is only for what calls did not bring.
    assert message.look_at == NOW + 120_000


async def test_a_refusal_fails_with_the_carrier_s_words(desk: Desk) -> None:
    desk.carrier.sends = [STOP]
    answered = await desk.forwarding.send(owner(desk.org), draft())
    message = await desk.only()
    assert (message.status, message.error) == ("failed", "21610: they sent STOP")
    assert message.look_at is None
    assert answered == NotForwarded(
        id=message.id, provider="twilio", reason="21610: they sent STOP", code="21610"
    )


async def test_a_carrier_out_of_reach_fails(desk: Desk) -> None:
    desk.carrier.sends = [NotTaken("no connection", retry_after_s=30)]
    answered = await desk.forwarding.send(owner(desk.org), draft())
    assert isinstance(answered, NotForwarded)
    assert (answered.uncertain, answered.retry_after_s) == (False, 30)
    message = await desk.only()
    assert (message.status, message.error) == ("failed", "no connection")


async def test_what_got_lost_is_uncertain(desk: Desk) -> None:
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    answered = await desk.forwarding.send(owner(desk.org), draft())
    assert isinstance(answered, NotForwarded)
    assert answered.uncertain
    message = await desk.only()
    assert (message.status, message.carrier_id) == ("uncertain", None)
    assert "no answer" in (message.error or "")
    assert message.look_at is not None
    assert len(desk.carrier.sent) == 1


async def test_what_was_found_is_another_message_s(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [taken("SM1")]
    answered = await desk.forwarding.send(owner(desk.org), draft())
    assert isinstance(answered, NotForwarded)
    assert [m.carrier_id for m in await desk.stored()] == ["SM1", None]
    assert desk.carrier.found[0].others == {"SM1"}


async def test_a_client_that_hangs_up_leaves_nothing_open(desk: Desk) -> None:
    desk.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as client:

            async def hang_up() -> None:
                while not desk.carrier.sent:
                    await trio.lowlevel.checkpoint()
                client.cancel()
                assert desk.carrier.slow is not None
                desk.carrier.slow.set()

            nursery.start_soon(hang_up)
            await desk.forwarding.send(owner(desk.org), draft())
            await trio.lowlevel.checkpoint()
    assert (await desk.only()).carrier_id == "SM1"


async def test_a_full_disk_stores_and_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: Any) -> None:
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(desk.database, "write", full)
    with pytest.raises(StorageUnavailable):
        await desk.forwarding.send(owner(desk.org), draft())
    assert desk.carrier.sent == []


async def test_an_outcome_that_can_not_be_stored_is_told_and_found_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding_module, "STORE_PAUSE_S", 0)
    write, writes = desk.database.write, 0

    async def once(op: Any) -> Any:
        nonlocal writes
        writes += 1
        if 1 < writes < 5:
            raise StorageUnavailable("disk full")
        return await write(op)

    monkeypatch.setattr(desk.database, "write", once)
    answered = await desk.forwarding.send(owner(desk.org), draft())
    assert isinstance(answered, Forwarded)
    assert answered.message_id == "SM1"
    assert (await desk.only()).carrier_id is None
    desk.carrier.finds = [taken("SM1")]
    await desk.look()
    message = await desk.only()
    assert (message.carrier_id, len(desk.carrier.sent)) == ("SM1", 1)


@pytest.mark.parametrize("trouble", [StoreClosed(), ConstraintBroken("no org"), None])
async def test_what_the_carrier_took_is_told_whatever_the_storage_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, trouble: StoreError | None
) -> None:
    monkeypatch.setattr(forwarding_module, "STORE_DEADLINE_S", 0.01)
    write, writes = desk.database.write, 0

    async def once(op: Any) -> Any:
        nonlocal writes
        writes += 1
        if writes == 1:
            return await write(op)
        if trouble is None:
            await trio.sleep_forever()
        raise trouble

    monkeypatch.setattr(desk.database, "write", once)
    answered = await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    assert isinstance(answered, Forwarded)
    assert answered.message_id == "SM1"


# --- Under an Idempotency-Key


async def test_an_answer_is_kept_with_its_outcome(desk: Desk) -> None:
    answered = await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    reply = await kept(desk)
    assert reply is not None
    assert (reply.status, reply.body) == (200, repr(answered).encode())
    assert await desk.forwarding.recall(desk.org, reply, claim()) == reply


async def test_an_open_answer_is_found_out_once_it_is_settled(desk: Desk) -> None:
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    reply = await kept(desk)
    assert reply is not None
    assert reply.status == OPEN
    with pytest.raises(Conflict):
        await desk.forwarding.recall(desk.org, reply, claim())
    desk.carrier.finds = [taken("SM9", progress="delivered")]
    await desk.look()
    answer = await desk.forwarding.recall(desk.org, reply, claim())
    assert answer.status == 200
    assert b"SM9" in answer.body


async def test_an_answer_that_was_found_out_stays(desk: Desk) -> None:
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    desk.carrier.finds = [taken("SM9", progress="sent")]
    await desk.look()
    reply = await kept(desk)
    assert reply is not None
    first = await desk.forwarding.recall(desk.org, reply, claim())
    fault = CarrierFault(code="30003", text="unreachable")
    desk.carrier.fetches = [taken("SM9", progress="failed", fault=fault)]
    await desk.look()
    assert (await desk.only()).status == "failed"
    assert await kept(desk) == first
    assert first.status == 200


async def test_an_open_answer_of_a_message_that_never_left_is_an_error(desk: Desk) -> None:
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    desk.carrier.finds = [None]
    await desk.look()
    reply = await kept(desk)
    assert reply is not None
    answer = await desk.forwarding.recall(desk.org, reply, claim())
    assert answer.status == 500
    assert b"never got it" in answer.body


async def test_a_key_that_was_answered_meanwhile_sends_nothing(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    with pytest.raises(Conflict):
        await desk.forwarding.send(owner(desk.org), draft(), claim=claim())
    assert len(desk.carrier.sent) == 1


# --- Later


async def test_a_message_for_later_waits(desk: Desk) -> None:
    answered = await desk.forwarding.send(
        owner(desk.org), draft(send_at=NOW + 60_000, ttl_s=30), claim=claim()
    )
    message = await desk.only()
    assert answered == Forwarded(
        id=message.id, message_id=str(message.id), provider="twilio", status="queued"
    )
    assert (message.status, message.held_until, message.look_at) == ("queued", NOW + 60_000, None)
    assert message.expires_at == NOW + 90_000
    assert desk.carrier.sent == []
    reply = await kept(desk)
    assert reply is not None
    assert reply.status == 200


async def test_a_time_that_is_past_means_now(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft(send_at=NOW - 1))
    assert len(desk.carrier.sent) == 1


# --- By phone


async def test_a_known_sim_sends_by_its_phone(desk: Desk) -> None:
    desk.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    desk.phones.room = 0
    answered = await desk.forwarding.send(owner(desk.org), draft(sender=SIM.number))
    message = await desk.only()
    assert answered == Forwarded(
        id=message.id, message_id=str(message.id), provider="phone", status="queued"
    )
    assert (message.wish, message.provider, message.assistant) == (SIM.number, "phone", None)


async def test_a_phone_assistant_sends_by_phone(desk: Desk) -> None:
    await desk.assist("+15550009999", provider="phone")
    answered = await desk.forwarding.send(owner(desk.org), draft(sender="+15550009999"))
    assert isinstance(answered, Forwarded)
    assert (answered.provider, answered.status) == ("phone", "queued")
    desk.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    with pytest.raises(UnknownSim):
        await desk.forwarding.send(owner(desk.org), draft(sender="+15550009999"))


@pytest.mark.parametrize("features", [None, frozenset[str](), frozenset({"mms"})])
async def test_media_need_a_phone_that_can(desk: Desk, features: frozenset[str] | None) -> None:
    await desk.assist("+15551112222", provider="phone")
    if features is not None:
        desk.phones.phones.append(
            OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,), features=features)
        )
    desk.phones.room = 0
    asked = draft(sender=SIM.number, media_urls=("https://e.com/a",))
    if features:
        await desk.forwarding.send(owner(desk.org), asked)
        assert (await desk.only()).media_urls == ("https://e.com/a",)
        return
    with pytest.raises(BadInput) as caught:
        await desk.forwarding.send(owner(desk.org), asked)
    assert caught.value.problems[0].field == "media_urls"
    assert await desk.stored() == []


async def test_a_number_of_nobody_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound, match=r"^No assistant found for phone number \+19$"):
        await desk.forwarding.send(owner(desk.org), draft(sender="+19"))


async def test_another_org_s_number_is_nobody_s(desk: Desk) -> None:
    other = await desk.database.write(lambda tx: tx.orgs.add("other", "hash", NOW))
    with pytest.raises(NotFound):
        await desk.forwarding.send(owner(other.id), draft())


# --- What carriers tell


async def test_a_report_overtakes_the_answer(desk: Desk) -> None:
    desk.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.forwarding.send, owner(desk.org), draft())
        while not desk.carrier.sent:
            await trio.lowlevel.checkpoint()
        message = await desk.only()
        report = StatusReport(carrier_id="SM1", progress="delivered")
        await desk.forwarding.apply(desk.assistant, report, message.id)
        desk.carrier.slow.set()
    message = await desk.only()
    assert (message.status, message.carrier_id, message.look_at) == ("delivered", "SM1", None)


async def test_a_report_settles_what_got_lost(desk: Desk) -> None:
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft())
    message = await desk.only()
    report = StatusReport(carrier_id="SM1", progress="sent")
    await desk.forwarding.apply(desk.assistant, report, message.id)
    message = await desk.only()
    assert (message.status, message.carrier_id, message.error) == ("sent", "SM1", None)


async def test_a_report_of_another_assistant_s_message_changes_nothing(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    message = await desk.only()
    other = await desk.assist("+15550009999")
    for carrier_id in ("SM1", "SM2"):
        report = StatusReport(carrier_id=carrier_id, progress="failed")
        await desk.forwarding.apply(other, report, message.id)
    await desk.forwarding.apply(
        desk.assistant, StatusReport(carrier_id="SM2", progress="failed"), message.id
    )
    assert await desk.only() == message


async def test_inbound_messages_are_stored_once(desk: Desk) -> None:
    report = InboundReport(
        carrier_id="SM5", sender=RECIPIENT, recipient=SENDER, body="yo", media_urls=("https://m",)
    )
    for _ in range(3):
        await desk.forwarding.receive(desk.assistant, report)
    message = await desk.only()
    assert (message.direction, message.address, message.sim) == ("in", RECIPIENT, SENDER)
    assert (message.provider, message.media_urls, message.body) == ("twilio", ("https://m",), "yo")
    await desk.forwarding.receive(desk.assistant, attrs.evolve(report, carrier_id="SM6"))
    assert len(await desk.stored()) == 2


@pytest.mark.parametrize(("ttl_s", "expires_at"), [(None, NOW + 60_000), (5, NOW + 5_000)])
async def test_a_message_without_a_ttl_gets_the_usual_one(
    desk: Desk, ttl_s: int | None, expires_at: int
) -> None:
    terms = Terms(deadline_s=1.0, now_ms=lambda: NOW, default_ttl_s=60)
    forwarding = Forwarding(
        desk.database, desk.forwarding._phones, desk.lines, terms, callback_url=lambda _: None
    )
    await forwarding.send(owner(desk.org), draft(ttl_s=ttl_s))
    assert (await desk.only()).expires_at == expires_at


async def test_what_waits_for_the_pacing_of_an_own_sim_says_how_long(desk: Desk) -> None:
    desk.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    desk.phones.room, desk.phones.segments_per_minute = 0, 24
    answered = await desk.forwarding.send(owner(desk.org), draft(sender=SIM.number))
    assert isinstance(answered, Forwarded)
    assert answered.eta_s == 3
