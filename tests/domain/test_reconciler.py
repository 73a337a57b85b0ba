"""What becomes of messages that nobody waits for any more: found again, asked for, sent in time."""

import pytest
import trio

from phonegate.domain.carrier import CarrierFault, CarrierRefusal, NotTaken, OutcomeUnknown
from phonegate.domain.carrier_reports import WATCHED_MS
from phonegate.domain.carrier_timings import EACH_AT_ONCE, CarrierTimings
from phonegate.domain.reconciler import AssistantTurns
from phonegate.domain.scheduler import sets_a_time
from phonegate.model.facts import Fact
from phonegate.model.messages import Message, NewMessage
from phonegate.model.orgs import ApiKey, QuietHours
from phonegate.model.principal import Principal
from phonegate.store.database import Database
from tests.buses import subscribe
from tests.domain.callers import limited, owner
from tests.domain.carrier import Played, taken
from tests.domain.carrier_site import (
    DEADLINE_S,
    NOW,
    RECIPIENT,
    SENDER,
    CarrierSite,
    build_pipeline,
    draft,
)
from tests.patience import PATIENCE_S

LOST = OutcomeUnknown("no answer")
AWAY = NotTaken("it is closed")
HOUR_MS = 3_600_000
TIMINGS = CarrierTimings()


@pytest.fixture
async def site(database: Database) -> CarrierSite:
    return await build_pipeline(database)


async def lose(site: CarrierSite) -> Message:
    """A message whose sender was told that nobody knows."""
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.finds = []
    site.carrier.found.clear()
    return await site.only()


async def crash(site: CarrierSite) -> Message:
    """A message that was being handed over when the gateway was killed."""
    new = NewMessage(
        org=site.org,
        address=RECIPIENT,
        body="hi",
        status="sending",
        created_at=NOW,
        segments=1,
        sim_selector="carrier",
        sim=SENDER,
        provider="twilio",
        assistant=site.assistant.id,
        reference="r",
        first_tried_at=NOW,
        next_poll_at=NOW + 5_500,
    )
    await site.database.write(lambda tx: tx.messages.insert(new))
    return await site.only()


async def schedule(
    site: CarrierSite, *, ttl_s: int | None = None, sender: Principal | None = None
) -> Message:
    """A message for a minute later, which has come."""
    asked = draft(send_at=NOW + 60_000, ttl_s=ttl_s)
    await site.carrier_sending.send(sender or owner(site.org), asked)
    site.now = NOW + 60_000
    await site.database.write(lambda tx: tx.due_messages.release_held(site.now, 10))
    return await site.only()


# --- What is asked


async def test_a_message_is_watched_to_its_end(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.fetches = [taken(), taken(progress="sent", sent_at=NOW + 1), None, AWAY]
    times = []
    for _ in range(4):
        await site.look()
        times.append(site.now - NOW)
    assert times[:3] == [5_000, 15_000, 35_000]
    assert (await site.only()).status == "sent"
    site.carrier.fetches = [taken(progress="delivered", delivered_at=NOW + 2, segments=2)]
    await site.look()
    message = await site.only()
    assert (message.status, message.sent_at, message.delivered_at) == (
        "delivered",
        NOW + 1,
        NOW + 2,
    )
    assert (message.segments, message.next_poll_at) == (2, None)
    assert set(site.carrier.fetched) == {"SM1"}
    assert len(site.carrier.sent) == 1


async def test_a_late_failure_is_told(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    fault = CarrierFault(code="30003", text="unreachable")
    site.carrier.fetches = [taken(progress="failed", fault=fault)]
    await site.look()
    message = await site.only()
    assert (message.status, message.error) == ("failed", "30003: unreachable")


async def test_asking_ends_after_three_days(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    looks = 0
    while (await site.only()).next_poll_at is not None:
        await site.look()
        looks += 1
    assert 70 < looks < 100
    message = await site.only()
    assert site.now - NOW >= WATCHED_MS
    assert (message.status, message.carrier_id) == ("uncertain", "SM1")
    assert "72 h" in (message.error or "")


async def test_retry_after_is_respected(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.fetches = [NotTaken("busy", retry_after_s=900)]
    await site.look()
    message = await site.only()
    assert message.next_poll_at == site.now + 900_000


# --- What got lost


async def test_what_got_lost_is_found(site: CarrierSite) -> None:
    lost = await lose(site)
    site.carrier.finds = [taken("SM3", progress="sent")]
    await site.look()
    message = await site.only()
    assert (message.status, message.carrier_id, message.error) == ("sent", "SM3", None)
    (asked,) = site.carrier.found
    assert (asked.tried_at, asked.accepted_at) == (lost.pushed_at, NOW)
    assert asked.reference == site.carrier.sent[0].reference
    assert len(site.carrier.sent) == 1


async def test_found_but_not_sent_yet_it_stays_uncertain_and_says_why(site: CarrierSite) -> None:
    await lose(site)
    site.carrier.finds = [taken("SM3")]
    await site.look()
    message = await site.only()
    assert (message.status, message.carrier_id) == ("uncertain", "SM3")
    assert "the carrier has it" in (message.error or "")
    site.carrier.fetches = [taken("SM3", progress="delivered")]
    await site.look()
    assert (await site.only()).status == "delivered"


async def test_what_never_arrived_fails_and_is_not_sent_again(site: CarrierSite) -> None:
    await lose(site)
    site.carrier.finds = [LOST, AWAY, None]
    for _ in range(3):
        await site.look()
    message = await site.only()
    assert (message.status, message.error) == ("failed", "the carrier never got it")
    assert (message.next_poll_at, len(site.carrier.sent)) == (None, 1)


async def test_what_can_never_be_known_stays_uncertain(site: CarrierSite) -> None:
    await lose(site)
    site.carrier.finds = [LOST] * 10_000
    while (await site.only()).next_poll_at is not None:
        await site.look()
    assert (await site.only()).status == "uncertain"
    assert len(site.carrier.sent) == 1


async def test_two_of_the_same_words_are_not_taken_for_one(site: CarrierSite) -> None:
    for _ in range(2):
        site.carrier.sends = [LOST]
        site.carrier.finds = [LOST] * 10_000
        await site.carrier_sending.send(owner(site.org), draft())
    site.now += 60_000
    site.carrier.finds = [taken("SM3"), taken("SM3")]
    await site.reconciler.work_off()
    assert sorted(m.carrier_id or "" for m in await site.stored()) == ["", "SM3"]


async def test_a_crash_while_handing_over_is_settled(site: CarrierSite) -> None:
    await crash(site)
    site.carrier.sends = []
    site.carrier.finds = [LOST, taken("SM4", progress="sent")]
    await site.look()
    message = await site.only()
    assert message.status == "uncertain"
    # The last try may have been under way until its deadline.
    assert site.carrier.found[0].tried_at == NOW + round(DEADLINE_S * 1000) == message.pushed_at
    await site.look()
    assert ((await site.only()).carrier_id, site.carrier.sent) == ("SM4", [])


async def test_a_crash_before_the_request_left_fails(site: CarrierSite) -> None:
    await crash(site)
    site.carrier.finds = [None]
    await site.look()
    assert (await site.only()).status == "failed"
    assert site.carrier.sent == []


# --- What was promised


async def test_a_message_leaves_in_time(site: CarrierSite) -> None:
    await schedule(site)
    await site.reconciler.work_off()
    message = await site.only()
    assert (message.status, message.carrier_id, message.attempts) == ("sending", "SM1", 1)
    assert message.first_tried_at == site.now
    await site.reconciler.work_off()
    assert len(site.carrier.sent) == 1


async def test_what_is_promised_is_tried_until_it_is_taken(site: CarrierSite) -> None:
    site.carrier.sends = [NotTaken("closed", retry_after_s=100)] * 3
    await schedule(site)
    await site.reconciler.work_off()
    message = await site.only()
    assert (message.status, message.error, message.pushed_at) == ("sending", "closed", None)
    for _ in range(3):
        await site.look()
    message = await site.only()
    assert (message.carrier_id, message.error, message.attempts) == ("SM4", None, 4)
    assert len({sent.reference for sent in site.carrier.sent}) == 1


async def test_what_is_promised_and_got_lost_is_sent_again_only_once_it_is_sure(
    site: CarrierSite,
) -> None:
    await schedule(site)
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.reconciler.work_off()
    assert (await site.only()).status == "uncertain"
    site.carrier.finds = [LOST, None]
    await site.look()
    await site.look()
    assert len(site.carrier.sent) == 1
    await site.look()
    assert len(site.carrier.sent) == 2
    assert len({sent.reference for sent in site.carrier.sent}) == 1
    assert (await site.only()).carrier_id == "SM2"


async def test_what_is_promised_fails_when_it_is_refused(site: CarrierSite) -> None:
    await schedule(site)
    site.carrier.sends = [CarrierRefusal(CarrierFault(code="21610", text="STOP"))]
    await site.reconciler.work_off()
    message = await site.only()
    assert (message.status, message.error) == ("failed", "21610: STOP")


async def test_nothing_is_sent_past_its_time(site: CarrierSite) -> None:
    await schedule(site, ttl_s=30)
    site.now += 30_000
    await site.reconciler.work_off()
    assert (site.carrier.sent, (await site.only()).status) == ([], "queued")  # the scheduler's


async def test_nothing_is_tried_again_past_its_time(site: CarrierSite) -> None:
    await schedule(site, ttl_s=30)
    site.carrier.sends = [NotTaken("closed", retry_after_s=100)]
    await site.reconciler.work_off()
    await site.look()
    message = await site.only()
    assert (message.status, len(site.carrier.sent)) == ("failed", 1)
    assert "ttl" in (message.error or "")


async def test_nothing_is_tried_again_once_quiet_hours_have_begun(site: CarrierSite) -> None:
    made = ApiKey(
        id="key1",
        org=site.org,
        org_name="myorg",
        name="agent",
        scopes=("send",),
        digest=b"x",
        created_at=NOW,
    )
    await site.database.write(lambda tx: tx.keys.add(made))
    begin = (NOW // 60_000 + 2) % (24 * 60)
    hours = QuietHours(begin=begin, end=(begin + 60) % (24 * 60), zone="UTC")
    await schedule(site, ttl_s=3_600, sender=limited(site.org, quiet=hours))
    site.carrier.sends = [NotTaken("closed", retry_after_s=100)]
    await site.reconciler.work_off()
    await site.look()
    message = await site.only()
    assert (message.status, len(site.carrier.sent)) == ("failed", 1)
    assert message.error == "its API key's quiet hours began before the carrier took it"


async def test_a_carrier_away_for_three_days_fails_it(site: CarrierSite) -> None:
    await schedule(site)
    site.carrier.sends = [NotTaken("closed", retry_after_s=36_000)] * 10_000
    await site.reconciler.work_off()
    while (await site.only()).next_poll_at is not None:
        await site.look()
    message = await site.only()
    assert (message.status, message.carrier_id) == ("failed", None)
    assert "closed" in (message.error or "")


async def test_without_its_assistant_a_message_ends(site: CarrierSite) -> None:
    await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.sends = [LOST]
    site.carrier.finds = [LOST] * 10_000
    await site.carrier_sending.send(owner(site.org), draft())
    await site.carrier_sending.send(owner(site.org), draft(send_at=NOW + 60_000))
    await site.database.write(lambda tx: tx.assistants.remove(site.org, site.assistant.id))
    site.now = NOW + 60_000
    await site.database.write(lambda tx: tx.due_messages.release_held(site.now, 10))
    await site.reconciler.work_off()
    assert [(m.status, m.next_poll_at) for m in await site.stored()] == [
        ("uncertain", None),
        ("uncertain", None),
        ("failed", None),
    ]


@pytest.mark.parametrize("kind", ["promised", "at once"])
async def test_another_account_is_not_asked_for_what_got_lost(site: CarrierSite, kind: str) -> None:
    if kind == "promised":
        await schedule(site)
        site.carrier.sends = [LOST]
        site.carrier.finds = [LOST] * 10_000
        await site.reconciler.work_off()
        site.carrier.finds = []
        site.carrier.found.clear()
    else:
        await lose(site)
    one = site.assistant
    await site.database.write(
        lambda tx: tx.assistants.change(
            one,
            name=one.name,
            provider=one.provider,
            phone_numbers=one.phone_numbers,
            credentials={"account_sid": "another"},
            from_file=False,
        )
    )
    await site.look()
    message = await site.only()
    assert (message.status, message.next_poll_at) == ("uncertain", None)
    assert "account" in (message.error or "")
    assert (site.carrier.found, len(site.carrier.sent)) == ([], 1)


# --- Fair turns


async def test_a_carrier_that_hangs_delays_no_other(
    site: CarrierSite, nursery: trio.Nursery
) -> None:
    told: list[Fact] = []
    subscribe(site.database, lambda facts: told.extend(filter(sets_a_time, facts)))
    other = await site.assist("+15550009999")
    site.carrier.slow = trio.Event()
    for _ in range(EACH_AT_ONCE + 5):
        await site.carrier_sending.send(owner(site.org), draft(send_at=NOW + 1))
    await site.carrier_sending.send(owner(site.org), draft(sender="+15550009999", send_at=NOW + 1))
    site.now = NOW + 1
    await site.database.write(lambda tx: tx.due_messages.release_held(site.now, 100))
    told.clear()
    await nursery.start(site.reconciler.run)
    quick = site.carriers[other.id]
    with trio.fail_after(PATIENCE_S):
        await quick.has_sent(1)
        await site.carrier.has_sent(EACH_AT_ONCE)
    assert len(site.carrier.sent) == EACH_AT_ONCE
    waiting = [m for m in await site.stored() if m.status == "queued"]
    assert len(waiting) == 5
    assert all(m.held_until is not None for m in waiting)
    assert told, "the scheduler must learn of the new times, or they wait for its next sweep"


async def test_however_many_are_due_at_once_all_leave_in_turn(site: CarrierSite) -> None:
    many = 5 * EACH_AT_ONCE
    for _ in range(many):
        await site.carrier_sending.send(owner(site.org), draft(send_at=NOW + 1))
    site.now = NOW + 1
    for _ in range(many * TIMINGS.each_every_ms // 1_000 + 2):
        await site.database.write(lambda tx: tx.due_messages.release_held(site.now, 1_000))
        await site.reconciler.work_off()
        site.now += 1_000
    assert len(site.carrier.sent) == many
    assert {message.attempts for message in await site.stored()} == {1}


async def test_what_is_to_be_sent_does_not_wait_for_what_is_asked_about(site: CarrierSite) -> None:
    for _ in range(5 * EACH_AT_ONCE):
        await site.carrier_sending.send(owner(site.org), draft())
    site.carrier.sent.clear()
    site.now += 60_000
    await site.reconciler.work_off()
    await site.carrier_sending.send(owner(site.org), draft(send_at=site.now + 500))
    for _ in range(3):
        site.now += 500
        await site.database.write(lambda tx: tx.due_messages.release_held(site.now, 1_000))
        await site.reconciler.work_off()
    assert len(site.carrier.sent) == 1


async def test_it_notices_what_is_released(site: CarrierSite, nursery: trio.Nursery) -> None:
    await nursery.start(site.reconciler.run)
    await schedule(site)
    with trio.fail_after(PATIENCE_S):
        await site.carrier.has_sent(1)


async def test_a_fault_of_one_message_is_not_the_end(
    site: CarrierSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.carrier_sending.send(owner(site.org), draft())

    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(Played, "fetch", break_down)
        await site.look()
    assert (await site.only()).next_poll_at is not None
    site.carrier.fetches = [taken(progress="delivered")]
    await site.look()
    assert (await site.only()).status == "delivered"


async def test_an_account_that_can_not_be_opened_lets_it_wait(site: CarrierSite) -> None:
    await schedule(site)
    await site.pool.close()
    await site.reconciler.work_off()
    message = await site.only()
    assert (message.status, message.pushed_at) == ("sending", None)
    assert message.next_poll_at is not None
    assert message.error


def test_an_assistant_s_messages_are_spread_out() -> None:
    turns = AssistantTurns(TIMINGS)
    times = [turns.due_at(1, NOW) for _ in range(50)]
    late = [time for time in times if time > NOW]
    assert len(late) in range(50 - EACH_AT_ONCE - 1, 50 - EACH_AT_ONCE + 1)
    assert times[-1] - times[0] == 49 * TIMINGS.each_every_ms
    assert turns.due_at(2, NOW) <= NOW


def test_a_carrier_that_is_down_is_left_alone_ever_longer() -> None:
    turns = AssistantTurns(TIMINGS)
    now, rests = NOW, []
    for _ in range(10):
        turns.rest(1, now)
        until = turns.due_at(1, now)
        rests.append(until - now)
        now = until
    assert rests[:3] == [5_000, 10_000, 20_000]
    assert rests[-1] == 300_000
    turns.well(1)
    turns.rest(1, now + HOUR_MS, at_least_s=7.5)
    assert turns.due_at(1, now + HOUR_MS) == now + HOUR_MS + 7_500


def test_failures_at_the_same_time_are_one() -> None:
    turns = AssistantTurns(TIMINGS)
    for _ in range(EACH_AT_ONCE):
        turns.rest(1, NOW)
    assert turns.due_at(1, NOW) == NOW + 5_000


def test_idle_assistants_are_forgotten() -> None:
    turns = AssistantTurns(TIMINGS)
    for assistant in range(100):
        turns.due_at(assistant, NOW)
    turns.forget_idle(NOW + HOUR_MS)
    assert len(turns) == 0
