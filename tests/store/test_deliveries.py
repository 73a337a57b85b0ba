import sqlite3
from collections.abc import Callable

import pytest

from phonegate.model.events import Event
from phonegate.model.facts import WebhooksChanged
from phonegate.model.orgs import Org
from phonegate.model.webhooks import Attempt, Webhook
from phonegate.store import deliveries
from phonegate.store.deliveries import Due, Taken
from phonegate.store.tables import Tables

NOW = 1_000_000


def anything(_: Event) -> bool:
    return True


@pytest.fixture
def webhook(tables: Tables, org: Org) -> Webhook:
    made = tables.webhooks.add(
        org.id, url="https://a.example/", events=("*",), secret="whsec_s", created_at=1
    )
    tables.facts.clear()
    return made


def happen(tables: Tables, org: Org, *phones: int) -> None:
    """Records an event of each phone."""
    for phone in phones:
        tables.events.record(org.id, "phone.online", NOW, phone=phone, data={"id": phone})
    tables.events.write(NOW)
    tables.facts.clear()


def failed(status: int = 500) -> Attempt:
    return Attempt(at=NOW, ms=3, status=status, error="no", answer="x")


OK = Attempt(at=NOW, ms=3, status=200)


def missed_at(tables: Tables, webhook: Webhook) -> int | None:
    found = tables.webhooks.get(webhook.org, webhook.id)
    assert found is not None
    return found.missed_at


def numbers(found: list[Due]) -> list[int]:
    return [due.event.id if due.event else -1 for due in found]


def test_events_are_taken_up_once_and_as_far_as_they_fit(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1, 2, 3)
    only_two: Callable[[Event], bool] = lambda event: event.phone == 2  # noqa: E731
    taken = tables.deliveries.take(webhook, 10, only_two, NOW)
    assert taken == Taken(looked_at=3, waiting=1)
    assert tables.deliveries.take(webhook, 10, anything, NOW) == Taken(looked_at=0, waiting=0)
    (due,) = tables.deliveries.due(webhook, NOW, 10)
    assert due.event is not None
    assert (due.event.phone, due.delivery.event) == (2, due.event.id)
    assert tables.deliveries.waiting(webhook.id) == 1
    assert tables.deliveries.waiting_of_org(org.id) == 1


def test_a_limit_takes_the_first_and_the_next_call_the_rest(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1, 2, 3)
    assert tables.deliveries.take(webhook, 2, anything, NOW).looked_at == 2
    assert tables.deliveries.take(webhook, 2, anything, NOW).looked_at == 1
    assert len(tables.deliveries.due(webhook, NOW, 10)) == 3


def test_a_disabled_webhook_takes_nothing_up(tables: Tables, org: Org, webhook: Webhook) -> None:
    tables.webhooks.set(webhook.id, disabled_at=1, disabled_reason="x")
    happen(tables, org, 1)
    assert tables.deliveries.take(webhook, 10, anything, NOW).looked_at == 0


def test_events_of_one_subject_come_one_by_one_and_others_pass(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1, 1, 2)
    first = tables.events.last() - 2
    tables.deliveries.take(webhook, 10, anything, NOW)
    due = tables.deliveries.due(webhook, NOW, 10)
    assert numbers(due) == [first, first + 2]
    tables.deliveries.finish(due[0].delivery.n, failed(), NOW + 5_000)
    # The second of the phone waits for the first, though it is due itself.
    assert numbers(tables.deliveries.due(webhook, NOW, 10)) == [first + 2]
    tables.deliveries.finish(due[1].delivery.n, OK, None)
    assert tables.deliveries.due(webhook, NOW, 10) == []
    assert tables.deliveries.next_due(webhook.id, NOW) == NOW + 5_000
    (again,) = tables.deliveries.due(webhook, NOW + 5_000, 10)
    assert (again.delivery.attempts, again.delivery.last) == (1, failed())
    tables.deliveries.finish(again.delivery.n, OK, None)
    assert numbers(tables.deliveries.due(webhook, NOW, 10)) == [first + 1]
    assert tables.deliveries.next_due(webhook.id, NOW) == NOW


def test_an_event_that_is_gone_is_known_to_be(tables: Tables, org: Org, webhook: Webhook) -> None:
    happen(tables, org, 1, 2)
    tables.deliveries.take(webhook, 10, anything, NOW)
    tables.events.erase([tables.events.last() - 1])
    gone, there = tables.deliveries.due(webhook, NOW, 10)
    assert gone.event is None
    assert there.event is not None
    tables.deliveries.drop([gone.delivery], "gone", NOW + 3)
    assert missed_at(tables, webhook) == NOW + 3
    assert len(tables.deliveries.due(webhook, NOW, 10)) == 1
    _, shown = tables.deliveries.page(webhook.id, 10)
    assert shown.last == Attempt(at=NOW, ms=0, error="gone")


def test_what_was_missed_is_noticed(tables: Tables, org: Org, webhook: Webhook) -> None:
    happen(tables, org, 1, 2)
    tables.events.erase([tables.events.last() - 1])
    assert tables.deliveries.take(webhook, 10, anything, NOW) == Taken(
        looked_at=1, waiting=1, missed=True
    )
    happen(tables, org, 3)
    assert not tables.deliveries.take(webhook, 10, anything, NOW + 5).missed
    found = tables.webhooks.get(org.id, webhook.id)
    assert found is not None
    assert found.missed_at == NOW


def test_none_of_another_org(tables: Tables, org: Org, other: Org, webhook: Webhook) -> None:
    tables.webhooks.add(other.id, url="https://b.example/", events=(), secret="s", created_at=1)
    happen(tables, other, 1)
    assert tables.deliveries.take(webhook, 10, anything, NOW).looked_at == 0
    assert tables.deliveries.waiting_of_org(other.id) == 0


def test_the_log_has_the_newest_first(tables: Tables, org: Org, webhook: Webhook) -> None:
    happen(tables, org, 1, 2, 3)
    tables.deliveries.take(webhook, 10, anything, NOW)
    test = tables.deliveries.add_test(webhook.id, "message.received", failed())
    assert (test.event, test.next_at, test.attempts, test.last) == (None, None, 1, failed())
    page = tables.deliveries.page(webhook.id, 2)
    assert [one.n for one in page] == [test.n, test.n - 1]
    assert [one.n for one in tables.deliveries.page(webhook.id, 2, page[-1].n)] == [
        test.n - 2,
        test.n - 3,
    ]
    assert tables.deliveries.due(webhook, NOW, 10)[0].delivery.event is not None


def test_a_replay_is_a_new_delivery_or_hastens_one_that_waits(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1)
    tables.deliveries.take(webhook, 10, anything, NOW)
    ((delivery, event, *_),) = tables.deliveries.due(webhook, NOW, 10)
    tables.deliveries.finish(delivery.n, failed(), NOW + 9_000)
    assert tables.deliveries.replay(webhook, delivery.n, NOW + 1)
    assert tables.facts == [WebhooksChanged(org.id)]
    ((same, *_),) = tables.deliveries.due(webhook, NOW + 1, 10)
    assert same.n == delivery.n
    tables.deliveries.finish(delivery.n, OK, None)
    assert tables.deliveries.replay(webhook, delivery.n, NOW + 2)
    ((anew, replayed, *_),) = tables.deliveries.due(webhook, NOW + 2, 10)
    assert anew.n > delivery.n
    assert (anew.attempts, replayed) == (0, event)
    assert not tables.deliveries.replay(webhook, 99, NOW)
    tables.events.erase([tables.events.last()])
    assert not tables.deliveries.replay(webhook, delivery.n, NOW)


def test_what_waits_can_be_hastened(tables: Tables, org: Org, webhook: Webhook) -> None:
    happen(tables, org, 1, 2)
    tables.deliveries.take(webhook, 10, anything, NOW)
    one, two = tables.deliveries.due(webhook, NOW, 10)
    tables.deliveries.finish(one.delivery.n, failed(), NOW + 9_000)
    tables.deliveries.finish(two.delivery.n, OK, None)
    assert tables.deliveries.hasten(webhook.id, NOW + 5, after=0, limit=9) is None
    ((again, *_),) = tables.deliveries.due(webhook, NOW + 5, 10)
    assert (again.n, again.created_at) == (one.delivery.n, NOW + 5)


def test_much_that_waits_is_hastened_in_steps(tables: Tables, org: Org, webhook: Webhook) -> None:
    happen(tables, org, *range(1, 6))
    tables.deliveries.take(webhook, 10, anything, 2 * NOW)
    numbers, after, steps = [one.n for one in tables.deliveries.page(webhook.id, 9)], 0, 0
    while True:
        found = tables.deliveries.hasten(webhook.id, NOW, after=after, limit=2)
        steps += 1
        assert len(tables.deliveries.due(webhook, NOW, 9)) == min(2 * steps, len(numbers))
        if found is None:
            break
        after = found
    assert steps == 3


def test_what_a_removed_webhook_leaves_is_deleted_in_steps(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    kept = tables.webhooks.add(
        org.id, url="https://b.example/", events=("*",), secret="whsec_s", created_at=1
    )
    happen(tables, org, 1, 2, 3)
    for one in (webhook, kept):
        tables.deliveries.take(one, 10, anything, NOW)
    assert tables.deliveries.ownerless() == []
    assert tables.webhooks.remove(org.id, webhook.id)
    assert tables.deliveries.ownerless() == [webhook.id]
    assert not tables.deliveries.erase_ownerless(webhook.id, 2)
    assert tables.deliveries.waiting(webhook.id) == 1
    assert tables.deliveries.erase_ownerless(webhook.id, 2)
    assert tables.deliveries.ownerless() == []
    assert tables.deliveries.waiting(kept.id) == 3


def test_a_test_that_outlasts_its_webhook_is_no_fault(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    tables.webhooks.remove(org.id, webhook.id)
    tables.deliveries.add_test(webhook.id, "phone.online", OK)
    assert tables.deliveries.ownerless() == [webhook.id]


def test_a_failing_webhook_has_its_first_failure(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    for since in (5, 6):
        tables.deliveries.mark_failing(webhook.id, since)
    found = tables.webhooks.get(org.id, webhook.id)
    assert found is not None
    assert found.failing_since == 5
    tables.deliveries.mark_failing(webhook.id, None)
    assert tables.webhooks.get(org.id, webhook.id) == webhook
    assert tables.facts == []


def test_the_log_is_cleared_of_what_is_old_or_too_much(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1, 2, 3, 4)
    tables.deliveries.take(webhook, 10, anything, NOW)
    n = [due.delivery.n for due in tables.deliveries.due(webhook, NOW, 10)]
    for one in n[:3]:
        tables.deliveries.finish(one, OK, None)

    def finished(before: int, most: int) -> list[int]:
        return tables.deliveries.finished(webhook.id, before=before, most=most, limit=9)

    assert finished(NOW, 10) == []
    assert finished(NOW + 1, 10) == n[:3]
    assert finished(NOW, 2) == n[:2]
    tables.deliveries.erase(n)
    assert [one.n for one in tables.deliveries.page(webhook.id, 9)] == n[3:]


def test_what_was_planned_before_the_clock_was_set_back_is_due(
    tables: Tables, org: Org, webhook: Webhook
) -> None:
    happen(tables, org, 1, 2)
    tables.deliveries.take(webhook, 10, anything, NOW)
    one, two = tables.deliveries.due(webhook, NOW, 10)
    tables.deliveries.finish(one.delivery.n, failed(), NOW + 86_400_000)
    tables.deliveries.finish(two.delivery.n, failed(), NOW + 300 * 86_400_000)
    assert numbers(tables.deliveries.due(webhook, NOW, 10)) == [two.delivery.event]
    assert tables.deliveries.next_due(webhook.id, NOW) == NOW
    tables.deliveries.finish(two.delivery.n, OK, None)
    assert tables.deliveries.next_due(webhook.id, NOW) == NOW + 86_400_000


def test_what_waits_is_counted(tables: Tables, org: Org, webhook: Webhook) -> None:
    assert tables.deliveries.all_waiting() == deliveries.Waiting(count=0, since=None)
    happen(tables, org, 1, 2)
    tables.deliveries.take(webhook, 10, anything, NOW)
    assert tables.deliveries.all_waiting() == deliveries.Waiting(count=2, since=NOW)


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        (deliveries.DUE, {"webhook": 1, "now": NOW, "limit": 10}),
        (deliveries.NEXT_DUE, {"webhook": 1, "now": NOW}),
        (deliveries.WAITING, (1,)),
        (deliveries.WAITING_OF_ORG, (1,)),
        (deliveries.FINISHED, {"webhook": 1, "before": 1, "surplus": 1, "limit": 1}),
        (deliveries.HASTEN, {"webhook": 1, "now": 1, "after": 1, "limit": 1}),
        (deliveries.OWNERLESS, ()),
        (deliveries.ERASE_OWNERLESS, (1, 1)),
    ],
)
def test_no_question_looks_through_all(
    connection: sqlite3.Connection, tables: Tables, sql: str, values: object
) -> None:
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()  # type: ignore[arg-type]
    assert not [step for *_, step in plan if step.startswith(("SCAN deliveries", "SCAN d"))]
