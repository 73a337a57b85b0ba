"""What becomes of messages that nobody waits for any more: found again, asked for, sent in time."""

import pytest
import trio

from phonegate.domain.carrier import CarrierFault, CarrierRefusal, NotTaken, OutcomeUnknown
from phonegate.domain.looker import EACH_AT_ONCE, EACH_EVERY_MS, Pace
from phonegate.domain.principal import Principal
from phonegate.domain.reports import WATCHED_MS
from phonegate.store.database import Database
from phonegate.store.records import ApiKey, Message, NewMessage, QuietHours
from tests.domain.callers import limited, owner
from tests.domain.carrier import Played, hurry, taken
from tests.domain.desk import DEADLINE_S, NOW, RECIPIENT, SENDER, Desk, build_desk, draft

LOST = OutcomeUnknown("no answer")
AWAY = NotTaken("it is closed")
HOUR_MS = 3_600_000


@pytest.fixture
async def desk(database: Database, monkeypatch: pytest.MonkeyPatch) -> Desk:
    hurry(monkeypatch)
    return await build_desk(database)


async def lose(desk: Desk) -> Message:
    """A message whose sender was told that nobody knows."""
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.finds = []
    desk.carrier.found.clear()
    return await desk.only()


async def crash(desk: Desk) -> Message:
    """A message that was being handed over when the gateway was killed."""
    new = NewMessage(
        org=desk.org,
        address=RECIPIENT,
        body="hi",
        status="sending",
        created_at=NOW,
        segments=1,
        wish="carrier",
        sim=SENDER,
        provider="twilio",
        assistant=desk.assistant.id,
        reference="r",
        first_tried_at=NOW,
        look_at=NOW + 5_500,
    )
    await desk.database.write(lambda tx: tx.messages.insert(new))
    return await desk.only()


async def schedule(
    desk: Desk, *, ttl_s: int | None = None, sender: Principal | None = None
) -> Message:
    """A message for a minute later, which has come."""
    asked = draft(send_at=NOW + 60_000, ttl_s=ttl_s)
    await desk.forwarding.send(sender or owner(desk.org), asked)
    desk.now = NOW + 60_000
    await desk.database.write(lambda tx: tx.messages.release_held(desk.now, 10))
    return await desk.only()


# --- What is asked


async def test_a_message_is_watched_to_its_end(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.fetches = [taken(), taken(progress="sent", sent_at=NOW + 1), None, AWAY]
    times = []
    for _ in range(4):
        await desk.look()
        times.append(desk.now - NOW)
    assert times[:3] == [5_000, 15_000, 35_000]
    assert (await desk.only()).status == "sent"
    desk.carrier.fetches = [taken(progress="delivered", delivered_at=NOW + 2, segments=2)]
    await desk.look()
    message = await desk.only()
    assert (message.status, message.sent_at, message.delivered_at) == (
        "delivered",
        NOW + 1,
        NOW + 2,
    )
    assert (message.segments, message.look_at) == (2, None)
    assert set(desk.carrier.fetched) == {"SM1"}
    assert len(desk.carrier.sent) == 1


async def test_a_late_failure_is_told(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    fault = CarrierFault(code="30003", text="unreachable")
    desk.carrier.fetches = [taken(progress="failed", fault=fault)]
    await desk.look()
    message = await desk.only()
    assert (message.status, message.error) == ("failed", "30003: unreachable")


async def test_asking_ends_after_three_days(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    looks = 0
    while (await desk.only()).look_at is not None:
        await desk.look()
        looks += 1
    assert 70 < looks < 100
    message = await desk.only()
    assert desk.now - NOW >= WATCHED_MS
    assert (message.status, message.carrier_id) == ("uncertain", "SM1")
    assert "72 h" in (message.error or "")


async def test_retry_after_is_respected(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.fetches = [NotTaken("busy", retry_after_s=900)]
    await desk.look()
    message = await desk.only()
    assert message.look_at == desk.now + 900_000


# --- What got lost


async def test_what_got_lost_is_found(desk: Desk) -> None:
    lost = await lose(desk)
    desk.carrier.finds = [taken("SM3", progress="sent")]
    await desk.look()
    message = await desk.only()
    assert (message.status, message.carrier_id, message.error) == ("sent", "SM3", None)
    (asked,) = desk.carrier.found
    assert (asked.tried_at, asked.accepted_at) == (lost.pushed_at, NOW)
    assert asked.reference == desk.carrier.sent[0].reference
    assert len(desk.carrier.sent) == 1


async def test_found_but_not_sent_yet_it_stays_uncertain_and_says_why(desk: Desk) -> None:
    await lose(desk)
    desk.carrier.finds = [taken("SM3")]
    await desk.look()
    message = await desk.only()
    assert (message.status, message.carrier_id) == ("uncertain", "SM3")
    assert "the carrier has it" in (message.error or "")
    desk.carrier.fetches = [taken("SM3", progress="delivered")]
    await desk.look()
    assert (await desk.only()).status == "delivered"


async def test_what_never_arrived_fails_and_is_not_sent_again(desk: Desk) -> None:
    await lose(desk)
    desk.carrier.finds = [LOST, AWAY, None]
    for _ in range(3):
        await desk.look()
    message = await desk.only()
    assert (message.status, message.error) == ("failed", "the carrier never got it")
    assert (message.look_at, len(desk.carrier.sent)) == (None, 1)


async def test_what_can_never_be_known_stays_uncertain(desk: Desk) -> None:
    await lose(desk)
    desk.carrier.finds = [LOST] * 10_000
    while (await desk.only()).look_at is not None:
        await desk.look()
    assert (await desk.only()).status == "uncertain"
    assert len(desk.carrier.sent) == 1


async def test_two_of_the_same_words_are_not_taken_for_one(desk: Desk) -> None:
    for _ in range(2):
        desk.carrier.sends = [LOST]
        desk.carrier.finds = [LOST] * 10_000
        await desk.forwarding.send(owner(desk.org), draft())
    desk.now += 60_000
    desk.carrier.finds = [taken("SM3"), taken("SM3")]
    await desk.looker.settle()
    assert sorted(m.carrier_id or "" for m in await desk.stored()) == ["", "SM3"]


async def test_a_crash_while_handing_over_is_settled(desk: Desk) -> None:
    await crash(desk)
    desk.carrier.sends = []
    desk.carrier.finds = [LOST, taken("SM4", progress="sent")]
    await desk.look()
    message = await desk.only()
    assert message.status == "uncertain"
    # The last try may have been under way until its deadline.
    assert desk.carrier.found[0].tried_at == NOW + round(DEADLINE_S * 1000) == message.pushed_at
    await desk.look()
    assert ((await desk.only()).carrier_id, desk.carrier.sent) == ("SM4", [])


async def test_a_crash_before_the_request_left_fails(desk: Desk) -> None:
    await crash(desk)
    desk.carrier.finds = [None]
    await desk.look()
    assert (await desk.only()).status == "failed"
    assert desk.carrier.sent == []


# --- What was promised


async def test_a_message_leaves_in_time(desk: Desk) -> None:
    await schedule(desk)
    await desk.looker.settle()
    message = await desk.only()
    assert (message.status, message.carrier_id, message.attempts) == ("sending", "SM1", 1)
    assert message.first_tried_at == desk.now
    await desk.looker.settle()
    assert len(desk.carrier.sent) == 1


async def test_what_is_promised_is_tried_until_it_is_taken(desk: Desk) -> None:
    desk.carrier.sends = [NotTaken("closed", retry_after_s=100)] * 3
    await schedule(desk)
    await desk.looker.settle()
    message = await desk.only()
    assert (message.status, message.error, message.pushed_at) == ("sending", "closed", None)
    for _ in range(3):
        await desk.look()
    message = await desk.only()
    assert (message.carrier_id, message.error, message.attempts) == ("SM4", None, 4)
    assert len({sent.reference for sent in desk.carrier.sent}) == 1


async def test_what_is_promised_and_got_lost_is_sent_again_only_once_it_is_sure(
    desk: Desk,
) -> None:
    await schedule(desk)
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.looker.settle()
    assert (await desk.only()).status == "uncertain"
    desk.carrier.finds = [LOST, None]
    await desk.look()
    await desk.look()
    assert len(desk.carrier.sent) == 1
    await desk.look()
    assert len(desk.carrier.sent) == 2
    assert len({sent.reference for sent in desk.carrier.sent}) == 1
    assert (await desk.only()).carrier_id == "SM2"


async def test_what_is_promised_fails_when_it_is_refused(desk: Desk) -> None:
    await schedule(desk)
    desk.carrier.sends = [CarrierRefusal(CarrierFault(code="21610", text="STOP"))]
    await desk.looker.settle()
    message = await desk.only()
    assert (message.status, message.error) == ("failed", "21610: STOP")


async def test_nothing_is_sent_past_its_time(desk: Desk) -> None:
    await schedule(desk, ttl_s=30)
    desk.now += 30_000
    await desk.looker.settle()
    assert (desk.carrier.sent, (await desk.only()).status) == ([], "queued")  # the keeper's


async def test_nothing_is_tried_again_past_its_time(desk: Desk) -> None:
    await schedule(desk, ttl_s=30)
    desk.carrier.sends = [NotTaken("closed", retry_after_s=100)]
    await desk.looker.settle()
    await desk.look()
    message = await desk.only()
    assert (message.status, len(desk.carrier.sent)) == ("failed", 1)
    assert "ttl" in (message.error or "")


async def test_nothing_is_tried_again_once_quiet_hours_have_begun(desk: Desk) -> None:
    made = ApiKey(
        id="key1",
        org=desk.org,
        org_name="myorg",
        name="agent",
        scopes=("send",),
        digest=b"x",
        created_at=NOW,
    )
    await desk.database.write(lambda tx: tx.keys.add(made))
    begin = (NOW // 60_000 + 2) % (24 * 60)
    hours = QuietHours(begin=begin, end=(begin + 60) % (24 * 60), zone="UTC")
    await schedule(desk, ttl_s=3_600, sender=limited(desk.org, quiet=hours))
    desk.carrier.sends = [NotTaken("closed", retry_after_s=100)]
    await desk.looker.settle()
    await desk.look()
    message = await desk.only()
    assert (message.status, len(desk.carrier.sent)) == ("failed", 1)
    assert message.error == "its API key's quiet hours began before the carrier took it"


async def test_a_carrier_away_for_three_days_fails_it(desk: Desk) -> None:
    await schedule(desk)
    desk.carrier.sends = [NotTaken("closed", retry_after_s=36_000)] * 10_000
    await desk.looker.settle()
    while (await desk.only()).look_at is not None:
        await desk.look()
    message = await desk.only()
    assert (message.status, message.carrier_id) == ("failed", None)
    assert "closed" in (message.error or "")


async def test_without_its_assistant_a_message_ends(desk: Desk) -> None:
    await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.sends = [LOST]
    desk.carrier.finds = [LOST] * 10_000
    await desk.forwarding.send(owner(desk.org), draft())
    await desk.forwarding.send(owner(desk.org), draft(send_at=NOW + 60_000))
    await desk.database.write(lambda tx: tx.assistants.remove(desk.org, desk.assistant.id))
    desk.now = NOW + 60_000
    await desk.database.write(lambda tx: tx.messages.release_held(desk.now, 10))
    await desk.looker.settle()
    assert [(m.status, m.look_at) for m in await desk.stored()] == [
        ("uncertain", None),
        ("uncertain", None),
        ("failed", None),
    ]


@pytest.mark.parametrize("kind", ["promised", "at once"])
async def test_another_account_is_not_asked_for_what_got_lost(desk: Desk, kind: str) -> None:
    if kind == "promised":
        await schedule(desk)
        desk.carrier.sends = [LOST]
        desk.carrier.finds = [LOST] * 10_000
        await desk.looker.settle()
        desk.carrier.finds = []
        desk.carrier.found.clear()
    else:
        await lose(desk)
    one = desk.assistant
    await desk.database.write(
        lambda tx: tx.assistants.change(
            one,
            name=one.name,
            provider=one.provider,
            phone_numbers=one.phone_numbers,
            credentials={"account_sid": "another"},
            from_file=False,
        )
    )
    await desk.look()
    message = await desk.only()
    assert (message.status, message.look_at) == ("uncertain", None)
    assert "account" in (message.error or "")
    assert (desk.carrier.found, len(desk.carrier.sent)) == ([], 1)


# --- Fair turns


async def test_a_carrier_that_hangs_delays_no_other(desk: Desk, nursery: trio.Nursery) -> None:
    told: list[None] = []
    desk.looker.on_delay = lambda: told.append(None)
    other = await desk.assist("+15550009999")
    desk.carrier.slow = trio.Event()
    for _ in range(EACH_AT_ONCE + 5):
        await desk.forwarding.send(owner(desk.org), draft(send_at=NOW + 1))
    await desk.forwarding.send(owner(desk.org), draft(sender="+15550009999", send_at=NOW + 1))
    desk.now = NOW + 1
    await desk.database.write(lambda tx: tx.messages.release_held(desk.now, 100))
    await nursery.start(desk.looker.run)
    quick = desk.carriers[other.id]
    with trio.fail_after(5):
        await quick.has_sent(1)
        await desk.carrier.has_sent(EACH_AT_ONCE)
    assert len(desk.carrier.sent) == EACH_AT_ONCE
    waiting = [m for m in await desk.stored() if m.status == "queued"]
    assert len(waiting) == 5
    assert all(m.held_until is not None for m in waiting)
    assert told, "the keeper must learn of the new times, or they wait for its next sweep"


async def test_however_many_are_due_at_once_all_leave_in_turn(desk: Desk) -> None:
    many = 5 * EACH_AT_ONCE
    for _ in range(many):
        await desk.forwarding.send(owner(desk.org), draft(send_at=NOW + 1))
    desk.now = NOW + 1
    for _ in range(many * EACH_EVERY_MS // 1_000 + 2):
        await desk.database.write(lambda tx: tx.messages.release_held(desk.now, 1_000))
        await desk.looker.settle()
        desk.now += 1_000
    assert len(desk.carrier.sent) == many
    assert {message.attempts for message in await desk.stored()} == {1}


async def test_what_is_to_be_sent_does_not_wait_for_what_is_asked_about(desk: Desk) -> None:
    for _ in range(5 * EACH_AT_ONCE):
        await desk.forwarding.send(owner(desk.org), draft())
    desk.carrier.sent.clear()
    desk.now += 60_000
    await desk.looker.settle()
    await desk.forwarding.send(owner(desk.org), draft(send_at=desk.now + 500))
    for _ in range(3):
        desk.now += 500
        await desk.database.write(lambda tx: tx.messages.release_held(desk.now, 1_000))
        await desk.looker.settle()
    assert len(desk.carrier.sent) == 1


async def test_it_notices_what_is_released(desk: Desk, nursery: trio.Nursery) -> None:
    await nursery.start(desk.looker.run)
    await schedule(desk)
    desk.looker.ring()
    with trio.fail_after(5):
        await desk.carrier.has_sent(1)


async def test_a_fault_of_one_message_is_not_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.forwarding.send(owner(desk.org), draft())

    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(Played, "fetch", break_down)
        await desk.look()
    assert (await desk.only()).look_at is not None
    desk.carrier.fetches = [taken(progress="delivered")]
    await desk.look()
    assert (await desk.only()).status == "delivered"


async def test_an_account_that_can_not_be_opened_lets_it_wait(desk: Desk) -> None:
    await schedule(desk)
    await desk.lines.close()
    await desk.looker.settle()
    message = await desk.only()
    assert (message.status, message.pushed_at) == ("sending", None)
    assert message.look_at is not None
    assert message.error


def test_an_assistant_s_messages_are_spread_out() -> None:
    pace = Pace()
    slots = [pace.slot(1, NOW) for _ in range(50)]
    late = [slot for slot in slots if slot > NOW]
    assert len(late) in range(50 - EACH_AT_ONCE - 1, 50 - EACH_AT_ONCE + 1)
    assert slots[-1] - slots[0] == 49 * EACH_EVERY_MS
    assert pace.slot(2, NOW) <= NOW


def test_a_carrier_that_is_down_is_left_alone_ever_longer() -> None:
    pace = Pace()
    now, rests = NOW, []
    for _ in range(10):
        pace.rest(1, now)
        until = pace.slot(1, now)
        rests.append(until - now)
        now = until
    assert rests[:3] == [5_000, 10_000, 20_000]
    assert rests[-1] == 300_000
    pace.well(1)
    pace.rest(1, now + HOUR_MS, at_least_s=7.5)
    assert pace.slot(1, now + HOUR_MS) == now + HOUR_MS + 7_500


def test_failures_at_the_same_time_are_one() -> None:
    pace = Pace()
    for _ in range(EACH_AT_ONCE):
        pace.rest(1, NOW)
    assert pace.slot(1, NOW) == NOW + 5_000


def test_idle_assistants_are_forgotten() -> None:
    pace = Pace()
    for assistant in range(100):
        pace.slot(assistant, NOW)
    pace.forget_idle(NOW + HOUR_MS)
    assert len(pace) == 0
