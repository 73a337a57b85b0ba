from phonegate.model.messages import Message
from phonegate.model.orgs import Org
from phonegate.store.due_messages import SEGMENT_MS
from phonegate.store.tables import Tables
from tests.store.conftest import bring, outbound


def _found(tables: Tables, org: Org, message: int) -> Message:
    found = tables.messages.find(org.id, message)
    assert found is not None
    return found


def test_held_messages_are_released_when_due(tables: Tables, org: Org, other: Org) -> None:
    assert tables.due_messages.next_held() is None
    numbers = [
        tables.messages.insert(outbound(of.id, held_until=due))
        for of, due in ((org, 30), (other, 20), (org, 10))
    ]
    cancelled = tables.messages.insert(outbound(org.id, held_until=1))
    bring(tables, cancelled, "cancelled")
    assert tables.due_messages.next_held() == 10
    assert tables.due_messages.release_held(5, 10) == set()
    assert tables.due_messages.release_held(20, 1) == {org.id}
    assert _found(tables, org, numbers[2]).held_until is None
    assert tables.due_messages.release_held(30, 10) == {org.id, other.id}
    assert tables.due_messages.next_held() is None


def test_expiry_concerns_what_is_queued(tables: Tables, org: Org) -> None:
    assert tables.due_messages.next_expiry() is None
    late = tables.messages.insert(outbound(org.id, expires_at=30))
    early = tables.messages.insert(outbound(org.id, expires_at=10))
    tables.messages.insert(outbound(org.id, expires_at=5, status="sending"))
    assert tables.due_messages.next_expiry() == 10
    assert [m.id for m in tables.due_messages.expired(30, 10)] == [early, late]
    assert [m.id for m in tables.due_messages.expired(30, 1)] == [early]
    assert tables.due_messages.expired(9, 10) == []


def test_overdue_counts_from_the_ack_or_else_the_push(tables: Tables, org: Org) -> None:
    assert tables.due_messages.oldest_push() is None
    acked = tables.messages.insert(outbound(org.id, status="sending", created_at=10, phone=1))
    pushed = tables.messages.insert(outbound(org.id, status="sending", created_at=20, phone=1))
    done = tables.messages.insert(outbound(org.id, status="sending", created_at=5, phone=1))
    bring(tables, done, "sent")
    tables.messages.set(acked, acked_at=40)

    def overdue(before: int, limit: int = 10) -> list[int]:
        found = tables.due_messages.overdue(before, limit, online={1, 2}, away_before=0, now=50)
        return [m.id for m in found]

    assert tables.due_messages.oldest_push() == 20
    assert overdue(20) == []
    assert overdue(41) == [pushed, acked]
    assert overdue(41, limit=1) == [pushed]


def test_long_messages_have_longer(tables: Tables, org: Org) -> None:
    long, short = (
        tables.messages.insert(
            outbound(org.id, status="sending", created_at=0, phone=1, segments=segments)
        )
        for segments in (255, 1)
    )
    for message in (long, short):
        tables.messages.set(message, acked_at=100)
    extra = 254 * SEGMENT_MS
    for before, expected in ((100, []), (101, [short]), (100 + extra, [short])):
        found = tables.due_messages.overdue(before, 9, online={1}, away_before=0, now=0)
        assert [m.id for m in found] == expected
    found = tables.due_messages.overdue(101 + extra, 9, online={1}, away_before=0, now=0)
    assert [m.id for m in found] == [long, short]


def test_overdue_leaves_out_what_an_absent_phone_may_still_be_given(
    tables: Tables, org: Org
) -> None:
    messages = [
        tables.messages.insert(
            outbound(org.id, status="sending", created_at=1, phone=phone, expires_at=expires_at)
        )
        for phone, expires_at in ((1, None), (2, None), (2, 50), (2, 51))
    ]
    tables.messages.set(messages[1], acked_at=2)

    def overdue(online: list[int], away_before: int = 0) -> list[int]:
        found = tables.due_messages.overdue(10, 10, online=online, away_before=away_before, now=50)
        return [message.id for message in found]

    assert overdue([1]) == [messages[0], messages[2], messages[1]]
    assert overdue([]) == [messages[2], messages[1]]
    # After days, nobody believes any more that the phone will be back.
    assert overdue([], away_before=1) == [messages[2], messages[1]]
    assert sorted(overdue([], away_before=2)) == messages
