"""Sending from a number: what is stored before and after, and what its sender is told."""

from typing import Any

import attrs
import pytest
import trio
import trio.lowlevel

from phonegate.domain.acceptance import Acceptance
from phonegate.domain.carrier import (
    CarrierFault,
    CarrierRefusal,
    InboundReport,
    NotTaken,
    OutcomeUnknown,
    StatusReport,
)
from phonegate.domain.carrier_answers import CarrierSent, NotSentByCarrier
from phonegate.domain.carrier_sending import OPEN, CarrierSending, Terms
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.orgs import KeptAnswer
from phonegate.model.phones import Sim
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    NotFound,
    UnknownSim,
)
from phonegate.model.storage_errors import (
    ConstraintBroken,
    StorageUnavailable,
    StoreClosed,
    StoreError,
)
from phonegate.store.database import Database
from tests.domain.callers import owner
from tests.domain.carrier import SHORT_PAUSES, taken
from tests.domain.carrier_site import (
    CALLBACK,
    DEADLINE_S,
    NOW,
    RECIPIENT,
    SENDER,
    CarrierSite,
    build_pipeline,
    draft,
    keep,
)

SIM = Sim(slot=0, number="+15551112222")
LOST = OutcomeUnknown("no answer")
STOP = CarrierRefusal(CarrierFault(code="21610", text="they sent STOP"))


@pytest.fixture
async def site(database: Database) -> CarrierSite:
    return await build_pipeline(database)


async def kept(site: CarrierSite, key: str = "k") -> KeptAnswer | None:
    return await site.database.read(lambda tx: tx.kept_answers.get(site.org, "sms", key))


async def test_a_message_is_taken_and_kept(site: CarrierSite) -> None:
    answered = await site.carrier_sending.send(
        owner(site.org), draft(media_urls=("https://e.com/a",))
    )
    message = await site.only()
    assert answered == CarrierSent(
        id=message.id, message_id="SM1", provider="twilio", status="sending"
    )
    (sent,) = site.carrier.sent
    assert (sent.sender, sent.recipient, sent.body) == (SENDER, RECIPIENT, "hi")
    assert sent.media_urls == ("https://e.com/a",)
    assert (message.status, message.carrier_id, message.sim) == ("sending", "SM1", SENDER)
    assert (message.reference, message.first_tried_at) == (sent.reference, NOW)
    assert (message.attempts, message.error, message.next_poll_at) == (1, None, NOW + 5_000)


async def test_it_is_stored_before_the_carrier_is_asked(site: CarrierSite) -> None:
    site.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.carrier_sending.send, owner(site.org), draft())
        while not site.carrier.sent:
            await trio.lowlevel.checkpoint()
        message = await site.only()
        assert (message.status, message.pushed_at, message.carrier_id) == ("sending", NOW, None)
        # By then it is due, should nobody be left to store the outcome.
        worked_ms = round(DEADLINE_S * 1000) + SHORT_PAUSES.margin_ms
        assert message.next_poll_at == NOW + worked_ms
        site.carrier.slow.set()


async def test_the_address_for_reports_names_the_message(site: CarrierSite) -> None:
    site.public = True
    await site.carrier_sending.send(owner(site.org), draft())
    message = await site.only()
    assert site.carrier.sent[0].callback_url == f"{CALLBACK}?message={message.id}"
    assert message.callback_url == site.carrier.sent[0].callback_url
    # Asking is only for what calls did not bring.
    assert message.next_poll_at == NOW + 120_000


async def test_a_refusal_fails_with_the_carrier_s_words(site: CarrierSite) -> None:
    site.carrier.sends = [STOP]
    answered = await site.carrier_sending.send(owner(site.org), draft())
    message = await site.only()
    assert (message.status, message.error) == ("failed", "21610: they sent STOP")
    assert message.next_poll_at is None
    assert answered == NotSentByCarrier(
        id=message.id, provider="twilio", reason="21610: they sent STOP", code="21610"
    )


async def test_a_carrier_out_of_reach_fails(site: CarrierSite) -> None:
    site.carrier.sends = [NotTaken("no connection", retry_after_s=30)]
    answered = await site.carrier_sending.send(owner(site.org), draft())
    assert isinstance(answered, NotSentByCarrier)
    assert (answered.uncertain, answered.retry_after_s) == (False, 30)
    message = await site.only()
    assert (message.status, message.error) == ("failed", "no connection")


async def test_what_got_lost_is_uncertain(site: CarrierSite) -> None:
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    answered = await site.carrier_sending.send(owner(site.org), draft())
    assert isinstance(answered, NotSentByCarrier)
    assert answered.uncertain
    message = await site.only()
    assert (message.status, message.carrier_id) == ("uncertain", None)
    assert "no answer" in (message.error or "")
    assert message.next_poll_at is not None
    assert len(site.carrier.sent) == 1


async def test_what_was_found_is_another_message_s(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.sends = [LOST]
    site.carrier.finds = [taken("SM1")]
    answered = await site.carrier_sending.send(owner(site.org), draft())
    assert isinstance(answered, NotSentByCarrier)
    assert [m.carrier_id for m in await site.stored()] == ["SM1", None]
    assert site.carrier.found[0].others == {"SM1"}


async def test_a_client_that_hangs_up_leaves_nothing_open(site: CarrierSite) -> None:
    site.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as client:

            async def hang_up() -> None:
                while not site.carrier.sent:
                    await trio.lowlevel.checkpoint()
                client.cancel()
                assert site.carrier.slow is not None
                site.carrier.slow.set()

            nursery.start_soon(hang_up)
            await site.carrier_sending.send(owner(site.org), draft())
            await trio.lowlevel.checkpoint()
    assert (await site.only()).carrier_id == "SM1"


async def test_a_full_disk_stores_and_sends_nothing(
    site: CarrierSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: Any, **__: Any) -> None:
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(site.database, "write", full)
    with pytest.raises(StorageUnavailable):
        await site.carrier_sending.send(owner(site.org), draft())
    assert site.carrier.sent == []


async def test_an_outcome_that_can_not_be_stored_is_told_and_found_again(
    site: CarrierSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, writes = site.database.write, 0

    async def once(op: Any, **more: Any) -> Any:
        nonlocal writes
        writes += 1
        if 1 < writes < 5:
            raise StorageUnavailable("disk full")
        return await write(op, **more)

    monkeypatch.setattr(site.database, "write", once)
    answered = await site.carrier_sending.send(owner(site.org), draft())
    assert isinstance(answered, CarrierSent)
    assert answered.message_id == "SM1"
    assert (await site.only()).carrier_id is None
    site.carrier.finds = [taken("SM1")]
    await site.look()
    message = await site.only()
    assert (message.carrier_id, len(site.carrier.sent)) == ("SM1", 1)


@pytest.mark.parametrize("trouble", [StoreClosed(), ConstraintBroken("no org"), None])
async def test_what_the_carrier_took_is_told_whatever_the_storage_does(
    database: Database, monkeypatch: pytest.MonkeyPatch, trouble: StoreError | None
) -> None:
    site = await build_pipeline(database, attrs.evolve(SHORT_PAUSES, store_deadline_s=0.01))
    write, writes = site.database.write, 0

    async def once(op: Any, **more: Any) -> Any:
        nonlocal writes
        writes += 1
        if writes == 1:
            return await write(op, **more)
        if trouble is None:
            await trio.sleep_forever()
        raise trouble

    monkeypatch.setattr(site.database, "write", once)
    answered = await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    assert isinstance(answered, CarrierSent)
    assert answered.message_id == "SM1"


# --- Under an Idempotency-Key


async def test_an_answer_is_kept_with_its_outcome(site: CarrierSite) -> None:
    answered = await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    reply = await kept(site)
    assert reply is not None
    assert (reply.status, reply.body) == (200, repr(answered).encode())
    assert await site.carrier_sending.recall(site.org, reply, keep()) == reply


async def test_an_open_answer_is_found_out_once_it_is_settled(site: CarrierSite) -> None:
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    reply = await kept(site)
    assert reply is not None
    assert reply.status == OPEN
    with pytest.raises(Conflict):
        await site.carrier_sending.recall(site.org, reply, keep())
    site.carrier.finds = [taken("SM9", progress="delivered")]
    await site.look()
    answer = await site.carrier_sending.recall(site.org, reply, keep())
    assert answer.status == 200
    assert b"SM9" in answer.body


async def test_an_answer_that_was_found_out_stays(site: CarrierSite) -> None:
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    site.carrier.finds = [taken("SM9", progress="sent")]
    await site.look()
    reply = await kept(site)
    assert reply is not None
    first = await site.carrier_sending.recall(site.org, reply, keep())
    fault = CarrierFault(code="30003", text="unreachable")
    site.carrier.fetches = [taken("SM9", progress="failed", fault=fault)]
    await site.look()
    assert (await site.only()).status == "failed"
    assert await kept(site) == first
    assert first.status == 200


async def test_an_open_answer_of_a_message_that_never_left_is_an_error(site: CarrierSite) -> None:
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    site.carrier.finds = [None]
    await site.look()
    reply = await kept(site)
    assert reply is not None
    answer = await site.carrier_sending.recall(site.org, reply, keep())
    assert answer.status == 500
    assert b"never got it" in answer.body


async def test_a_key_that_was_answered_meanwhile_sends_nothing(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    with pytest.raises(Conflict):
        await site.carrier_sending.send(owner(site.org), draft(), keep=keep())
    assert len(site.carrier.sent) == 1


# --- Later


async def test_a_message_for_later_waits(site: CarrierSite) -> None:
    answered = await site.carrier_sending.send(
        owner(site.org), draft(send_at=NOW + 60_000, ttl_s=30), keep=keep()
    )
    message = await site.only()
    assert answered == CarrierSent(
        id=message.id, message_id=str(message.id), provider="twilio", status="queued"
    )
    assert (message.status, message.held_until, message.next_poll_at) == (
        "queued",
        NOW + 60_000,
        None,
    )
    assert message.expires_at == NOW + 90_000
    assert site.carrier.sent == []
    reply = await kept(site)
    assert reply is not None
    assert reply.status == 200


async def test_a_time_that_is_past_means_now(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft(send_at=NOW - 1))
    assert len(site.carrier.sent) == 1


# --- By phone


async def test_a_known_sim_sends_by_its_phone(site: CarrierSite) -> None:
    site.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    site.phones.room = 0
    answered = await site.carrier_sending.send(owner(site.org), draft(sender=SIM.number))
    message = await site.only()
    assert answered == CarrierSent(
        id=message.id, message_id=str(message.id), provider="phone", status="queued"
    )
    assert (message.sim_selector, message.provider, message.assistant) == (
        SIM.number,
        "phone",
        None,
    )


async def test_a_phone_assistant_sends_by_phone(site: CarrierSite) -> None:
    await site.assist("+15550009999", provider="phone")
    answered = await site.carrier_sending.send(owner(site.org), draft(sender="+15550009999"))
    assert isinstance(answered, CarrierSent)
    assert (answered.provider, answered.status) == ("phone", "queued")
    site.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    with pytest.raises(UnknownSim):
        await site.carrier_sending.send(owner(site.org), draft(sender="+15550009999"))


@pytest.mark.parametrize("features", [None, frozenset[str](), frozenset({"mms"})])
async def test_media_need_a_phone_that_can(
    site: CarrierSite, features: frozenset[str] | None
) -> None:
    await site.assist("+15551112222", provider="phone")
    if features is not None:
        site.phones.phones.append(
            OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,), features=features)
        )
    site.phones.room = 0
    asked = draft(sender=SIM.number, media_urls=("https://e.com/a",))
    if features:
        await site.carrier_sending.send(owner(site.org), asked)
        assert (await site.only()).media_urls == ("https://e.com/a",)
        return
    with pytest.raises(BadInput) as caught:
        await site.carrier_sending.send(owner(site.org), asked)
    assert caught.value.problems[0].field == "media_urls"
    assert await site.stored() == []


async def test_a_number_of_nobody_is_refused(site: CarrierSite) -> None:
    with pytest.raises(NotFound, match=r"^No assistant found for phone number \+19$"):
        await site.carrier_sending.send(owner(site.org), draft(sender="+19"))


async def test_another_org_s_number_is_nobody_s(site: CarrierSite) -> None:
    other = await site.database.write(lambda tx: tx.orgs.add("other", "hash", NOW))
    with pytest.raises(NotFound):
        await site.carrier_sending.send(owner(other.id), draft())


# --- What carriers tell


async def test_a_report_overtakes_the_answer(site: CarrierSite) -> None:
    site.carrier.slow = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.carrier_sending.send, owner(site.org), draft())
        while not site.carrier.sent:
            await trio.lowlevel.checkpoint()
        message = await site.only()
        report = StatusReport(carrier_id="SM1", progress="delivered")
        await site.carrier_reports.apply(site.assistant, report, message.id)
        site.carrier.slow.set()
    message = await site.only()
    assert (message.status, message.carrier_id, message.next_poll_at) == ("delivered", "SM1", None)


async def test_a_report_settles_what_got_lost(site: CarrierSite) -> None:
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft())
    message = await site.only()
    report = StatusReport(carrier_id="SM1", progress="sent")
    await site.carrier_reports.apply(site.assistant, report, message.id)
    message = await site.only()
    assert (message.status, message.carrier_id, message.error) == ("sent", "SM1", None)


async def test_a_report_of_another_assistant_s_message_changes_nothing(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    message = await site.only()
    other = await site.assist("+15550009999")
    for carrier_id in ("SM1", "SM2"):
        report = StatusReport(carrier_id=carrier_id, progress="failed")
        await site.carrier_reports.apply(other, report, message.id)
    await site.carrier_reports.apply(
        site.assistant, StatusReport(carrier_id="SM2", progress="failed"), message.id
    )
    assert await site.only() == message


async def test_inbound_messages_are_stored_once(site: CarrierSite) -> None:
    report = InboundReport(
        carrier_id="SM5", sender=RECIPIENT, recipient=SENDER, body="yo", media_urls=("https://m",)
    )
    for _ in range(3):
        await site.carrier_reports.receive(site.assistant, report)
    message = await site.only()
    assert (message.direction, message.address, message.sim) == ("in", RECIPIENT, SENDER)
    assert (message.provider, message.media_urls, message.body) == ("twilio", ("https://m",), "yo")
    await site.carrier_reports.receive(site.assistant, attrs.evolve(report, carrier_id="SM6"))
    assert len(await site.stored()) == 2


@pytest.mark.parametrize(("ttl_s", "expires_at"), [(None, NOW + 60_000), (5, NOW + 5_000)])
async def test_a_message_without_a_ttl_gets_the_usual_one(
    site: CarrierSite, ttl_s: int | None, expires_at: int
) -> None:
    carrier_sending = CarrierSending(
        site.database,
        Acceptance(site.database, RateLimits(), now_ms=lambda: NOW, default_ttl_s=60),
        site.carrier_sending._phones,
        site.pool,
        Terms(deadline_s=1.0, now_ms=lambda: NOW),
        callback_url=lambda _: None,
    )
    await carrier_sending.send(owner(site.org), draft(ttl_s=ttl_s))
    assert (await site.only()).expires_at == expires_at


async def test_what_waits_for_the_pacing_of_an_own_sim_says_how_long(site: CarrierSite) -> None:
    site.phones.phones.append(OnlinePhone(phone=1, device_id=None, name=None, sims=(SIM,)))
    site.phones.room, site.phones.segments_per_minute = 0, 24
    answered = await site.carrier_sending.send(owner(site.org), draft(sender=SIM.number))
    assert isinstance(answered, CarrierSent)
    assert answered.eta_s == 3
