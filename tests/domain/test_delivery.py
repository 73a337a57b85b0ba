"""The steps of delivery, on the real store."""

from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phonegate.domain import delivery
from phonegate.domain.delivery import Pick, Policy
from phonegate.model.messages import Message, NewMessage
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.store.conftest import memory

NOW = 1_700_000_000_000
POLICY = Policy()


@attrs.frozen
class Scene:
    """An org with a named phone, ready to be given messages."""

    database: Database
    org: int
    phone: int

    async def queued(self, **changes: Any) -> int:
        new = NewMessage(
            org=self.org, address="+15553334444", body="hi", created_at=NOW, segments=1
        )
        return await self.database.write(
            lambda tx: tx.messages.insert(attrs.evolve(new, **changes))
        )

    async def pushed(self, **changes: Any) -> int:
        message_id = await self.queued(**changes)
        pick = Pick(id=message_id, sim_slot=0, sim="+15551112222")
        assert await self.database.write(lambda tx: delivery.lease(tx, self.phone, [pick], NOW))
        leased = await self.get(message_id)
        assert (leased.status, leased.attempts, leased.phone) == ("sending", 1, self.phone)
        return message_id

    async def get(self, message_id: int) -> Message:
        found = await self.database.read(lambda tx: tx.messages.find(self.org, message_id))
        assert found is not None
        return found

    async def report_result(
        self,
        message_id: int,
        *,
        phone: int | None = None,
        success: bool = True,
        error: str | None = None,
        uncertain: bool = False,
    ) -> Message | None:
        return await self.database.write(
            lambda tx: delivery.apply_result(
                tx,
                self.org,
                phone or self.phone,
                message_id,
                success=success,
                error=error,
                segments=None,
                uncertain=uncertain,
                now=NOW + 1000,
            )
        )

    async def resume(
        self,
        *,
        acks: bool,
        now: int = NOW + 2000,
        in_flight: tuple[int, ...] = (),
        **policy: Any,
    ) -> list[int]:
        chosen = attrs.evolve(POLICY, **policy)
        again = await self.database.write(
            lambda tx: delivery.resume(
                tx, self.phone, acks=acks, in_flight=in_flight, now=now, policy=chosen
            )
        )
        return [message.id for message in again]


@pytest.fixture
async def scene(database: Database) -> Scene:
    def build(tx: Tables) -> tuple[int, int]:
        org = tx.orgs.add("myorg", "hash", NOW)
        return org.id, tx.phones.connect(org.id, "phone-a", NOW).id

    org, phone = await database.write(build)
    return Scene(database, org, phone)


async def another_phone(scene: Scene, device_id: str | None) -> int:
    phone = await scene.database.write(lambda tx: tx.phones.connect(scene.org, device_id, NOW))
    return phone.id


async def test_a_result_of_success_makes_it_sent(scene: Scene) -> None:
    message_id = await scene.pushed()
    returned = await scene.report_result(message_id)
    stored = await scene.get(message_id)
    assert returned == stored
    assert (stored.status, stored.sent_at, stored.error) == ("sent", NOW + 1000, None)


async def test_a_result_of_failure_keeps_the_phones_words(scene: Scene) -> None:
    message_id = await scene.pushed()
    await scene.report_result(message_id, success=False, error="RESULT_ERROR_NO_SERVICE")
    stored = await scene.get(message_id)
    assert (stored.status, stored.sent_at) == ("failed", None)
    assert stored.error == "RESULT_ERROR_NO_SERVICE"


async def test_a_message_no_phone_was_given_takes_no_result(scene: Scene) -> None:
    message_id = await scene.queued()
    assert await scene.report_result(message_id) is None
    assert await scene.report_result(10_000) is None
    assert (await scene.get(message_id)).status == "queued"


async def test_a_result_from_another_named_phone_is_refused(scene: Scene) -> None:
    message_id = await scene.pushed()
    other = await another_phone(scene, "phone-b")
    assert await scene.report_result(message_id, phone=other) is None
    assert (await scene.get(message_id)).status == "sending"


async def test_a_result_from_a_phone_without_a_name_counts(scene: Scene) -> None:
    message_id = await scene.pushed()
    nameless = await another_phone(scene, None)
    assert await scene.report_result(message_id, phone=nameless) is not None
    assert (await scene.get(message_id)).status == "sent"


async def test_another_orgs_phone_reaches_nothing(scene: Scene) -> None:
    message_id = await scene.pushed()

    def intrude(tx: Tables) -> Message | None:
        other = tx.orgs.add("other", "hash", NOW)
        phone = tx.phones.connect(other.id, None, NOW)
        return delivery.acknowledge(tx, other.id, phone.id, message_id, NOW)

    assert await scene.database.write(intrude) is None
    assert (await scene.get(message_id)).acked_at is None


async def test_a_delivery_report_lifts_it_and_fills_in_what_the_result_would_say(
    scene: Scene,
) -> None:
    message_id = await scene.pushed()
    await scene.database.write(
        lambda tx: delivery.confirm(
            tx, scene.org, scene.phone, message_id, delivered=True, date=NOW + 5, now=NOW + 9
        )
    )
    await scene.report_result(message_id)
    stored = await scene.get(message_id)
    assert (stored.status, stored.sent_at, stored.delivered_at) == ("delivered", NOW + 9, NOW + 9)


async def test_a_report_of_non_delivery_fails_it(scene: Scene) -> None:
    message_id = await scene.pushed()
    await scene.report_result(message_id)
    await scene.database.write(
        lambda tx: delivery.confirm(
            tx, scene.org, scene.phone, message_id, delivered=False, date=None, now=NOW
        )
    )
    stored = await scene.get(message_id)
    assert (stored.status, stored.delivered_at) == ("failed", None)
    assert stored.error


async def test_a_confirmed_cancellation(scene: Scene) -> None:
    message_id = await scene.pushed()
    await scene.report_result(message_id, success=False, error=delivery.CANCEL_ERROR)
    assert (await scene.get(message_id)).status == "cancelled"


async def test_an_unacknowledged_push_is_repeated_after_the_link_was_lost(scene: Scene) -> None:
    message_id = await scene.pushed()
    assert await scene.resume(acks=True) == [message_id]
    again = await scene.get(message_id)
    assert (again.attempts, again.pushed_at) == (2, NOW + 2000)


async def test_an_acknowledged_push_is_never_repeated(scene: Scene) -> None:
    message_id = await scene.pushed()
    await scene.database.write(
        lambda tx: delivery.acknowledge(tx, scene.org, scene.phone, message_id, NOW)
    )
    assert await scene.resume(acks=True) == []
    assert await scene.resume(acks=False) == []
    assert (await scene.get(message_id)).attempts == 1


async def test_what_was_pushed_over_the_present_link_is_left_alone(scene: Scene) -> None:
    message_id = await scene.pushed()
    assert await scene.resume(acks=False, in_flight=(message_id,)) == []
    assert (await scene.get(message_id)).attempts == 1


async def test_a_phone_that_never_acknowledges_is_tried_a_bounded_number_of_times(
    scene: Scene,
) -> None:
    message_id = await scene.pushed()
    assert await scene.resume(acks=False, max_attempts=3) == [message_id]
    assert await scene.resume(acks=False, max_attempts=3) == [message_id]
    assert await scene.resume(acks=False, max_attempts=3) == []
    stored = await scene.get(message_id)
    assert (stored.status, stored.attempts) == ("uncertain", 3)
    assert stored.error == "no result after 3 attempts"


async def test_hold_gives_a_silent_phone_no_second_push(scene: Scene) -> None:
    message_id = await scene.pushed()
    assert await scene.resume(acks=False, unacknowledged="hold") == []
    assert (await scene.get(message_id)).status == "uncertain"


async def test_a_push_whose_time_ran_out_is_not_repeated_and_not_called_expired(
    scene: Scene,
) -> None:
    message_id = await scene.pushed(expires_at=NOW + 1000)
    assert await scene.resume(acks=True) == []
    assert (await scene.get(message_id)).status == "uncertain"


async def test_expiry_takes_the_waiting_and_leaves_the_pushed(scene: Scene) -> None:
    pushed = await scene.pushed(expires_at=NOW + 1)
    waiting = await scene.queued(expires_at=NOW + 1)
    later = await scene.queued(expires_at=NOW + 5)
    expired = await scene.database.write(lambda tx: delivery.expire(tx, NOW + 1, 10))
    assert [message.id for message in expired] == [waiting]
    states = [(await scene.get(m)).status for m in (pushed, waiting, later)]
    assert states == ["sending", "expired", "queued"]


async def test_silence_after_an_ack_ends_uncertain_and_without_one_only_if_online(
    scene: Scene,
) -> None:
    acked, unacked = await scene.pushed(), await scene.pushed()
    await scene.database.write(
        lambda tx: delivery.acknowledge(tx, scene.org, scene.phone, acked, NOW)
    )

    def sweep(tx: Tables, online: set[int]) -> None:
        late = NOW + POLICY.result_timeout_ms + 1
        delivery.abandon_silent(tx, online=online, now=late, policy=POLICY, limit=1)

    await scene.database.write(lambda tx: sweep(tx, set()))
    assert (await scene.get(acked)).status == "uncertain"
    assert (await scene.get(unacked)).status == "sending"
    await scene.database.write(lambda tx: sweep(tx, {scene.phone}))
    assert (await scene.get(unacked)).status == "uncertain"
    await scene.report_result(acked)
    assert (await scene.get(acked)).status == "sent"


async def test_a_push_that_an_absent_phone_never_acked_ends_with_its_ttl(scene: Scene) -> None:
    late = NOW + POLICY.result_timeout_ms + 1
    message_id = await scene.pushed(expires_at=late)

    def sweep(tx: Tables, now: int) -> None:
        delivery.abandon_silent(tx, online=(), now=now, policy=POLICY, limit=9)

    for now, status in ((late - 1, "sending"), (late + 1, "uncertain")):
        await scene.database.write(partial(sweep, now=now))
        assert (await scene.get(message_id)).status == status
    assert "ttl" in ((await scene.get(message_id)).error or "")


async def test_a_push_to_a_phone_that_never_returns_is_uncertain_in_the_end(scene: Scene) -> None:
    message_id = await scene.pushed()
    late = NOW + POLICY.away_timeout_ms

    def sweep(tx: Tables, now: int) -> None:
        delivery.abandon_silent(tx, online=(), now=now, policy=POLICY, limit=9)

    for now, status in ((late, "sending"), (late + 1, "uncertain")):
        await scene.database.write(partial(sweep, now=now))
        assert (await scene.get(message_id)).status == status
    assert "away for 259200 s" in ((await scene.get(message_id)).error or "")
    await scene.report_result(message_id)
    assert (await scene.get(message_id)).status == "sent"


async def test_a_delivery_lifts_a_failure_that_the_network_reported(scene: Scene) -> None:
    message_id = await scene.pushed()
    await scene.report_result(message_id)

    def confirm(tx: Tables, *, delivered: bool) -> None:
        delivery.confirm(
            tx, scene.org, scene.phone, message_id, delivered=delivered, date=None, now=NOW + 9
        )

    for delivered, status in ((False, "failed"), (True, "delivered"), (False, "delivered")):
        await scene.database.write(partial(confirm, delivered=delivered))
        assert (await scene.get(message_id)).status == status
    stored = await scene.get(message_id)
    # Never before it was sent.
    assert stored.sent_at is not None
    assert (stored.error, stored.delivered_at) == (None, max(stored.sent_at, NOW + 9))


async def test_what_a_revoked_key_has_waiting_is_cancelled_instead_of_being_pushed(
    scene: Scene,
) -> None:
    revoked, other = await scene.queued(key="k3v9"), await scene.queued(key="other")
    await scene.database.write(lambda tx: tx.keys.end("k3v9", NOW))
    picks = [Pick(id=number, sim_slot=None, sim=None) for number in (revoked, other)]
    leased = await scene.database.write(lambda tx: delivery.lease(tx, scene.phone, picks, NOW))
    assert [message.id for message in leased] == [other]
    stored = await scene.get(revoked)
    assert (stored.status, stored.error) == ("cancelled", "its API key was revoked")


async def test_a_message_whose_ttl_ran_out_expires_instead_of_being_pushed(scene: Scene) -> None:
    late, fresh = await scene.queued(expires_at=NOW), await scene.queued(expires_at=NOW + 1)
    picks = [Pick(id=number, sim_slot=None, sim=None) for number in (late, fresh)]
    leased = await scene.database.write(lambda tx: delivery.lease(tx, scene.phone, picks, NOW))
    assert [message.id for message in leased] == [fresh]
    stored = await scene.get(late)
    assert (stored.status, stored.attempts) == ("expired", 0)


async def test_a_copy_for_a_number_without_plus_waits_where_its_sim_looks(scene: Scene) -> None:
    await scene.pushed(on_uncertain="resend", sim_selector="5551112222")
    message_id = await scene.pushed(on_uncertain="resend", sim_selector="7")
    for number in (message_id - 1, message_id):
        await scene.report_result(number, uncertain=True, success=False)

    def waiting(tx: Tables) -> list[int]:
        queues = (("5551112222", None), ("7", scene.phone))
        return [
            tx.phone_queue.waiting_segments(
                scene.org, phone=phone, sim_selector=sim_selector, cap=9
            )
            for sim_selector, phone in queues
        ]

    assert await scene.database.read(waiting) == [1, 1]


async def test_an_uncertain_message_is_sent_again_once_if_its_sender_asked(scene: Scene) -> None:
    message_id = await scene.pushed(on_uncertain="resend", sim_selector="+15551112222")
    await scene.report_result(message_id, uncertain=True, success=False)
    first = await scene.get(message_id)
    assert first.status == "uncertain"
    copy = await scene.get(message_id + 1)
    assert (copy.status, copy.resend_of, copy.on_uncertain) == ("queued", message_id, "hold")
    assert (copy.body, copy.address, copy.sim_selector) == (
        first.body,
        first.address,
        first.sim_selector,
    )
    assert first.error
    assert first.error.endswith(f"sent again as message {copy.id}")
    # The phone remembers after all: the first one settles, the copy is unharmed.
    await scene.report_result(message_id)
    assert (await scene.get(message_id)).status == "sent"


reports = st.sampled_from(["ack", "sent", "failed", "uncertain", "delivered", "resume", "silence"])
RANK = {"queued": 0, "sending": 1, "uncertain": 2, "sent": 3, "delivered": 4, "failed": 4}


@settings(max_examples=30, deadline=None)
@given(st.lists(reports, max_size=12))
def test_any_order_of_reports_moves_forward_and_an_ack_ends_the_pushes(steps: list[str]) -> None:
    connection = _memory_tables()
    org = connection.orgs.add("myorg", "hash", NOW).id
    phone = connection.phones.connect(org, "phone-a", NOW).id
    message_id = connection.messages.insert(
        NewMessage(org=org, address="+1555", body="hi", created_at=NOW, segments=1)
    )
    delivery.lease(connection, phone, [Pick(id=message_id, sim_slot=None, sim=None)], NOW)
    acked, rank, now = False, 1, NOW
    for step in steps:
        now += 1
        _apply(connection, org, phone, message_id, step, now, acked=acked)
        message = connection.messages.find(org, message_id)
        assert message is not None
        assert RANK[message.status] >= rank
        rank = RANK[message.status]
        assert not (acked and message.pushed_at == now)
        acked = message.acked_at is not None


def _apply(
    tx: Tables, org: int, phone: int, message_id: int, step: str, now: int, *, acked: bool
) -> None:
    if step == "ack":
        delivery.acknowledge(tx, org, phone, message_id, now)
    elif step in {"sent", "failed", "uncertain"}:
        delivery.apply_result(
            tx,
            org,
            phone,
            message_id,
            success=step == "sent",
            error=None,
            segments=None,
            uncertain=step == "uncertain",
            now=now,
        )
    elif step == "delivered":
        delivery.confirm(tx, org, phone, message_id, delivered=True, date=None, now=now)
    elif step == "resume":
        again = delivery.resume(tx, phone, acks=True, in_flight=(), now=now, policy=POLICY)
        assert not (acked and again)
    else:
        late = now + 2 * POLICY.result_timeout_ms
        delivery.abandon_silent(tx, online=(), now=late, policy=POLICY, limit=10)


def _memory_tables() -> Tables:
    return Tables(memory())
