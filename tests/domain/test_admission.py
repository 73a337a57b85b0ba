"""Limits of API keys, at both ways of sending and on the real store."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

from phonegate.domain import delivery, key_limits
from phonegate.domain.acceptance import Acceptance
from phonegate.domain.admission import examine
from phonegate.domain.approval import Approval
from phonegate.domain.carrier_answers import CarrierSent
from phonegate.domain.delivery import Policy
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.key_limits import STEP_MS, step
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reconciler import releases
from phonegate.domain.scheduler import Scheduler, sets_a_time
from phonegate.domain.sending import Outgoing, Sending
from phonegate.domain.withdrawal import Withdrawal
from phonegate.model.facts import Fact
from phonegate.model.messages import FAR_AHEAD_MS, Message, PageQuery
from phonegate.model.orgs import ApiKey, QuietHours
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    BatchOverLimit,
    Conflict,
    KeyLimitReached,
    NotFound,
    QuietHoursBegun,
    RecipientNotAllowed,
    Unauthorized,
)
from phonegate.model.times import DAY_MS, HOUR_MS
from phonegate.store.database import Database
from tests.buses import subscribe
from tests.domain.callers import limited, owner
from tests.domain.carrier_site import CarrierSite, build_pipeline, draft
from tests.domain.dispatcher import as_dispatcher

NOW = 1_700_000_000_000  # 22:13:20 UTC
TO = "+15553334444"
NIGHT = QuietHours(begin=22 * 60, end=7 * 60, zone="UTC")
EVENING = QuietHours(begin=23 * 60, end=7 * 60, zone="UTC")
WAYS = ("phone", "carrier")


@attrs.define
class Scene:
    """A phone that is online and a carrier, either of which would take a message at once."""

    site: CarrierSite
    sending: Sending
    withdrawal: Withdrawal
    approval: Approval
    scheduler: Scheduler
    phone: int
    rings: list[Fact] = attrs.field(factory=list)
    releases: list[Fact] = attrs.field(factory=list)

    def key(self, **limits: Any) -> Principal:
        return limited(self.site.org, **limits)

    async def send(self, way: str, sender: Principal, *, to: str = TO, **changes: Any) -> int:
        """Sends one message by one of the two ways; its id."""
        if way == "phone":
            outgoing = Outgoing(to=to, body="hi", **changes)
            return (await self.sending.send(sender, [outgoing])).results[0].id
        answered = await self.site.carrier_sending.send(sender, draft(to=to, **changes))
        assert isinstance(answered, CarrierSent)
        return answered.id

    async def batch(self, sender: Principal, count: int) -> None:
        await self.sending.send(sender, [Outgoing(to=TO, body="hi")] * count)

    async def stored(self) -> list[Message]:
        return await self.site.stored()

    async def message(self, id_: int) -> Message:
        found = await self.site.database.read(lambda tx: tx.messages.find(self.site.org, id_))
        assert found is not None
        return found

    def left(self) -> int:
        """How many messages a phone or a carrier was given."""
        return len(self.site.phones.pushed) + len(self.site.carrier.sent)


@pytest.fixture
async def scene(database: Database) -> Scene:
    site = await build_pipeline(database)
    key = ApiKey(
        id="key1",
        org=site.org,
        org_name="myorg",
        name="agent",
        scopes=("send",),
        digest=b"x",
        created_at=NOW,
    )
    await database.write(lambda tx: tx.keys.add(key))
    phone = await database.write(lambda tx: tx.phones.connect(site.org, "phone-a", NOW).id)
    site.phones.phones.append(
        OnlinePhone(phone=phone, device_id="phone-a", name=None, sims=(Sim(slot=0),))
    )
    phones = as_dispatcher(site.phones)
    scheduler = Scheduler(database, policy=Policy(), now_ms=lambda: site.now, online_phones=tuple)
    rings, released = list[Fact](), list[Fact]()
    subscribe(database, lambda facts: rings.extend(filter(sets_a_time, facts)))
    subscribe(database, lambda facts: released.extend(filter(releases, facts)))
    acceptance = Acceptance(database, RateLimits(), now_ms=lambda: site.now)
    approval = Approval(database, now_ms=lambda: site.now)
    return Scene(
        site,
        Sending(database, phones, acceptance),
        Withdrawal(database, phones, now_ms=lambda: site.now),
        approval,
        scheduler,
        phone,
        rings,
        released,
    )


@pytest.mark.parametrize("way", WAYS)
async def test_who_has_no_limits_is_not_counted(scene: Scene, way: str) -> None:
    await scene.send(way, owner(scene.site.org))
    await scene.send(way, scene.key(to=(TO,)))
    assert scene.left() == 2
    assert await scene.site.database.read(lambda tx: tx.keys.sends("key1", 0, FAR_AHEAD_MS)) == []


# -- recipients


@pytest.mark.parametrize("way", WAYS)
async def test_another_recipient_is_refused(scene: Scene, way: str) -> None:
    key = scene.key(to=("+1555333*",))
    with pytest.raises(RecipientNotAllowed) as refused:
        await scene.send(way, key, to="+15554440000")
    assert refused.value.indexes == (0,)
    assert "+1555" not in refused.value.detail
    assert (await scene.stored(), scene.left()) == ([], 0)
    await scene.send(way, key)
    assert scene.left() == 1


async def test_one_foreign_recipient_refuses_the_whole_call(scene: Scene) -> None:
    items = [Outgoing(to=to, body="hi") for to in (TO, "+15550000000", TO, "911")]
    with pytest.raises(RecipientNotAllowed) as refused:
        await scene.sending.send(scene.key(to=(TO,)), items)
    assert refused.value.indexes == (1, 3)
    assert (await scene.stored(), scene.left()) == ([], 0)


# -- how many


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("window", "length"), [("per_hour", HOUR_MS), ("per_day", DAY_MS)])
async def test_a_full_window_refuses_until_it_ends(
    scene: Scene, way: str, window: str, length: int
) -> None:
    key = scene.key(**{window: 2})
    await scene.send(way, key)
    scene.site.now += STEP_MS
    await scene.send(way, key)
    with pytest.raises(KeyLimitReached) as refused:
        await scene.send(way, key)
    assert scene.left() == 2
    error = refused.value
    assert (error.limit, error.ends_at_ms) == (window, step(NOW) + length)
    assert error.retry_after_s == (error.ends_at_ms - NOW - STEP_MS) // 1000
    assert "2023-11-1" in error.detail
    # Another key of the org is not concerned, nor is the owner.
    await scene.send(way, owner(scene.site.org))
    scene.site.now = error.ends_at_ms - 1
    with pytest.raises(KeyLimitReached):
        await scene.send(way, key)
    scene.site.now = error.ends_at_ms
    await scene.send(way, key)
    with pytest.raises(KeyLimitReached):
        await scene.send(way, key)
    assert scene.left() == 4


async def test_both_ways_draw_on_one_count(scene: Scene) -> None:
    key = scene.key(per_hour=2)
    await scene.send("phone", key)
    await scene.send("carrier", key)
    for way in WAYS:
        with pytest.raises(KeyLimitReached):
            await scene.send(way, key)


async def test_each_of_a_batch_counts(scene: Scene) -> None:
    key = scene.key(per_hour=10)
    with pytest.raises(BatchOverLimit, match="10 messages an hour, and these are 11"):
        await scene.batch(key, 11)
    await scene.batch(key, 8)
    with pytest.raises(KeyLimitReached):
        await scene.batch(key, 3)
    await scene.batch(key, 2)
    assert len(await scene.stored()) == 10


async def test_what_was_cancelled_or_waits_for_its_time_counts_too(scene: Scene) -> None:
    key = scene.key(per_hour=1)
    sent = await scene.send("phone", key, send_at=NOW + 5 * DAY_MS)
    await scene.withdrawal.cancel(owner(scene.site.org), sent)
    with pytest.raises(KeyLimitReached):
        await scene.send("phone", key, send_at=NOW + 9 * DAY_MS)


async def test_what_was_refused_does_not_count(scene: Scene) -> None:
    key = scene.key(per_hour=1, to=(TO,))
    for _ in range(3):
        with pytest.raises(RecipientNotAllowed):
            await scene.send("phone", key, to="+15550000000")
    await scene.send("phone", key)


async def test_sends_at_the_same_moment_share_what_is_left(scene: Scene) -> None:
    key, outcomes = scene.key(per_day=5), list[bool]()

    async def one() -> None:
        try:
            await scene.send("phone", key)
        except KeyLimitReached:
            outcomes.append(False)
        else:
            outcomes.append(True)

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(one)
    assert sorted(outcomes) == [False] * 15 + [True] * 5
    assert len(await scene.stored()) == 5


async def test_a_clock_that_is_set_back_makes_no_room(scene: Scene) -> None:
    key = scene.key(per_hour=1)
    await scene.send("phone", key)
    scene.site.now -= 6 * HOUR_MS
    with pytest.raises(KeyLimitReached):
        await scene.send("phone", key)


async def test_counts_of_a_clock_that_was_far_ahead_do_not_lock_a_key(scene: Scene) -> None:
    key = scene.key(per_hour=1)
    scene.site.now += 300 * DAY_MS
    await scene.send("phone", key)
    scene.site.now = NOW
    await scene.send("phone", key)
    with pytest.raises(KeyLimitReached) as refused:
        await scene.send("phone", key)
    assert refused.value.ends_at_ms <= NOW + HOUR_MS + STEP_MS


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limits", [{"per_day": 9}, {"to": (TO,)}, {"hold": True}], ids=str)
async def test_a_key_that_was_revoked_under_way_sends_nothing(
    scene: Scene, way: str, limits: dict[str, Any]
) -> None:
    await scene.site.database.write(lambda tx: tx.keys.remove(scene.site.org, "key1"))
    with pytest.raises(Unauthorized):
        await scene.send(way, scene.key(**limits))
    assert (await scene.stored(), scene.left()) == ([], 0)


async def test_old_counts_are_dropped(scene: Scene) -> None:
    key = scene.key(per_hour=1)
    for _ in range(4):
        await scene.send("phone", key)
        scene.site.now += 20 * HOUR_MS
    kept = await scene.site.database.read(lambda tx: tx.keys.sends("key1", 0, FAR_AHEAD_MS))
    assert len(kept) == 2


# -- quiet hours


@pytest.mark.parametrize("way", WAYS)
async def test_nothing_leaves_in_quiet_hours(scene: Scene, way: str) -> None:
    with pytest.raises(QuietHoursBegun, match="2023-11-15T07:00:00Z") as refused:
        await scene.send(way, scene.key(quiet=NIGHT))
    assert refused.value.ends_at_ms == 1_700_031_600_000
    assert refused.value.retry_after_s == 31_600
    assert await scene.stored() == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_time_of_leaving_decides(scene: Scene, way: str) -> None:
    # 23:30 tonight is quiet, now is not; eight in the morning is not, now is.
    with pytest.raises(QuietHoursBegun):
        await scene.send(way, scene.key(quiet=EVENING), send_at=NOW + 77 * 60_000)
    await scene.send(way, scene.key(quiet=NIGHT), send_at=NOW + 10 * HOUR_MS)
    # A past time means now.
    with pytest.raises(QuietHoursBegun):
        await scene.send(way, scene.key(quiet=NIGHT), send_at=NOW - 12 * HOUR_MS)


@pytest.mark.parametrize("way", WAYS)
async def test_what_has_not_left_when_they_begin_expires(scene: Scene, way: str) -> None:
    eleven = 1_700_002_800_000
    key = scene.key(quiet=EVENING)
    sent = await scene.message(await scene.send(way, key, ttl_s=86_400))
    assert sent.expires_at == eleven
    soon = await scene.message(await scene.send(way, key, ttl_s=60))
    assert soon.expires_at == NOW + 60_000
    free = await scene.message(await scene.send(way, owner(scene.site.org)))
    assert free.expires_at is None


@pytest.mark.parametrize("way", WAYS)
async def test_what_expires_says_what_ended_it(scene: Scene, way: str) -> None:
    key = scene.key(quiet=EVENING)
    quiet = await scene.send(way, key, ttl_s=86_400, send_at=NOW + 1_000)
    late = await scene.send(way, key, ttl_s=60, send_at=NOW + 1_000)
    scene.site.now += HOUR_MS
    await scene.scheduler.sweep()
    assert (await scene.message(quiet)).error == (
        "its API key's quiet hours began before it could be sent"
    )
    assert (await scene.message(late)).error == "its ttl ran out before it could be sent"


async def test_what_a_phone_that_left_was_given_says_so_too(scene: Scene) -> None:
    sent = await scene.send("phone", scene.key(quiet=EVENING))
    scene.site.now += HOUR_MS
    now = scene.site.now
    await scene.site.database.write(
        lambda tx: delivery.resume(
            tx, scene.phone, acks=True, in_flight=(), now=now, policy=Policy()
        )
    )
    assert (await scene.message(sent)).error == (
        "its API key's quiet hours began while the phone that was given it was away"
    )


async def test_quiet_hours_are_looked_up_once_for_times_that_share_them(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, look = list[int](), key_limits.next_change

    def noted(hours: QuietHours, moment: int) -> int:
        asked.append(moment)
        return look(hours, moment)

    monkeypatch.setattr(key_limits, "next_change", noted)
    times = [NOW + days * DAY_MS + ms for ms in range(20) for days in (2, 1)]
    items = [Outgoing(to=TO, body="hi", send_at=time) for time in times]
    await scene.sending.send(scene.key(quiet=EVENING), items)
    assert asked == [NOW + DAY_MS, NOW + 2 * DAY_MS]
    eleven = 1_700_002_800_000
    expiries = {m.held_until: m.expires_at for m in await scene.stored()}
    assert expiries == {
        time: eleven + (2 if time >= NOW + 2 * DAY_MS else 1) * DAY_MS for time in times
    }


async def test_a_message_that_a_person_decides_about_has_no_end(scene: Scene) -> None:
    held = await scene.message(await scene.send("phone", scene.key(quiet=EVENING, hold=True)))
    assert held.expires_at is None


async def test_a_zone_that_is_gone_refuses(scene: Scene) -> None:
    lost = QuietHours(begin=0, end=1, zone="Mars/Base")
    with pytest.raises(Conflict, match="Mars/Base"):
        await scene.send("phone", scene.key(quiet=lost))


# -- approval


@pytest.mark.parametrize("way", WAYS)
async def test_a_held_message_waits_for_a_person(scene: Scene, way: str) -> None:
    id_ = await scene.send(way, scene.key(hold=True))
    held = await scene.message(id_)
    assert (held.status, held.approval, held.held_until) == ("queued", "asked", FAR_AHEAD_MS)
    scene.site.now += 400 * DAY_MS
    await scene.scheduler.sweep()
    await scene.site.reconciler.work_off()
    assert (await scene.message(id_)).status == "queued"
    scene.rings.clear()
    approved = await scene.approval.approve(scene.site.org, id_)
    assert (approved.status, approved.approval) == ("queued", "given")
    # It has no time to wait for, not even its approval's: no scheduler has to come first.
    assert (approved.held_until, scene.rings, len(scene.releases)) == (None, [], 1)
    await scene.site.reconciler.work_off()
    if way == "phone":
        assert scene.site.org in scene.site.phones.woken
        ready = await scene.site.database.read(
            lambda tx: tx.phone_queue.candidates(
                scene.site.org, phone=None, sim_selector="", limit=9
            )
        )
        assert [one.id for one in ready] == [id_]
    else:
        assert scene.left() == 1
    again = await scene.approval.approve(scene.site.org, id_)
    assert (again.approval, len(scene.releases)) == ("given", 1)


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_approved_early_waits_for_its_time(scene: Scene, way: str) -> None:
    later = NOW + HOUR_MS
    id_ = await scene.send(way, scene.key(hold=True), send_at=later, ttl_s=60)
    held = await scene.message(id_)
    assert (held.held_until, held.wanted_at, held.expires_at) == (
        FAR_AHEAD_MS,
        later,
        later + 60_000,
    )
    scene.rings.clear()
    approved = await scene.approval.approve(scene.site.org, id_)
    assert approved.held_until == later
    assert (len(scene.rings), scene.releases) == (1, [])
    assert (await scene.message(id_)).held_until == later


async def test_what_is_approved_late_leaves_at_once(scene: Scene) -> None:
    id_ = await scene.send("phone", scene.key(hold=True), send_at=NOW + 1_000)
    scene.site.now = NOW + HOUR_MS
    assert (await scene.approval.approve(scene.site.org, id_)).held_until is None


@pytest.mark.parametrize("way", WAYS)
async def test_a_refused_message_never_leaves(scene: Scene, way: str) -> None:
    id_ = await scene.send(way, scene.key(hold=True))
    refused = await scene.approval.refuse(scene.site.org, id_)
    assert (refused.status, refused.error) == ("cancelled", "refused by its owner")
    assert await scene.approval.refuse(scene.site.org, id_) == refused
    with pytest.raises(Conflict, match="is cancelled already"):
        await scene.approval.approve(scene.site.org, id_)
    await scene.scheduler.sweep()
    await scene.site.reconciler.work_off()
    assert scene.left() == 0


async def test_the_ttl_of_a_held_message_runs_out(scene: Scene) -> None:
    id_ = await scene.send("phone", scene.key(hold=True), ttl_s=60)
    late = await scene.send("phone", scene.key(hold=True), ttl_s=60)
    scene.site.now += 60_000
    with pytest.raises(Conflict, match="is expired already"):
        await scene.approval.approve(scene.site.org, late)
    await scene.scheduler.sweep()
    assert {(await scene.message(one)).status for one in (id_, late)} == {"expired"}


async def test_what_can_t_be_decided(scene: Scene) -> None:
    free = await scene.send("phone", owner(scene.site.org))
    approved = await scene.send("phone", scene.key(hold=True))
    cancelled = await scene.send("phone", scene.key(hold=True))
    await scene.approval.approve(scene.site.org, approved)
    await scene.withdrawal.cancel(owner(scene.site.org), cancelled)
    for decide in _decisions(scene):
        with pytest.raises(Conflict, match="needs no approval"):
            await decide(scene.site.org, free)
        with pytest.raises(NotFound):
            await decide(scene.site.org, 999)
        with pytest.raises(NotFound):
            await decide(scene.site.org + 1, approved)
        with pytest.raises(Conflict, match="is cancelled already"):
            await decide(scene.site.org, cancelled)
    with pytest.raises(Conflict, match="approved already"):
        await scene.approval.refuse(scene.site.org, approved)


def _decisions(scene: Scene) -> tuple[Callable[[int, int], Awaitable[Message]], ...]:
    return scene.approval.approve, scene.approval.refuse


async def test_those_that_wait_are_listed(scene: Scene) -> None:
    asked = [await scene.send(way, scene.key(hold=True)) for way in WAYS]
    done = await scene.send("phone", scene.key(hold=True))
    await scene.approval.approve(scene.site.org, done)
    await scene.send("phone", owner(scene.site.org))

    async def listed(**query: Any) -> list[int]:
        page = PageQuery(approval=True, **query)
        found = await scene.site.database.read(lambda tx: tx.messages.page(scene.site.org, page))
        return [message.id for message in found]

    assert await listed() == asked
    assert await listed(since_id=asked[0]) == asked[1:]
    assert await listed(limit=1) == asked[1:]
    assert await listed(status="queued", direction="out", address=TO) == asked
    assert await listed(search="hi") == asked
    assert await listed(status="sent") == []
    assert await listed(direction="in") == []


async def test_quiet_hours_that_begin_while_it_waits_for_its_line(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, hold = scene.site, scene.site.pool.hold

    def slowly(*args: Any, **kwargs: Any) -> Any:
        site.now = NOW + HOUR_MS
        return hold(*args, **kwargs)

    monkeypatch.setattr(site.pool, "hold", slowly)
    with pytest.raises(QuietHoursBegun):
        await scene.send("carrier", scene.key(quiet=EVENING))
    assert (await scene.stored(), scene.left()) == ([], 0)


@pytest.mark.parametrize(
    "sender",
    [
        owner(1),
        limited(1, hold=True),
        limited(1, quiet=QuietHours(begin=0, end=1, zone="UTC")),
    ],
)
def test_whoever_sends_gets_the_usual_ttl(sender: Principal) -> None:
    at = 1_700_000_000_000
    (permit,) = examine(sender, [Outgoing(to="+15553334444", body="x")], at, default_ttl_s=60)
    assert permit.timing(None, None, at).expires_at == at + 60_000
    assert permit.timing(None, 5, at).expires_at == at + 5_000
    (permit,) = examine(sender, [Outgoing(to="+15553334444", body="x")], at)
    assert permit.timing(None, None, at).expires_at in {None, permit.leave_by}
