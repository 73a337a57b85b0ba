import attrs
import pytest

from phonegate.events.webhooks.line import FAILURES_IN_A_ROW, WIDEST, Line
from phonegate.model.webhooks import Delivery, Webhook
from phonegate.store.deliveries import Due
from tests.domain.sample_events import phone_event

WEBHOOK = Webhook(
    id=1, org=1, org_name="acme", url="u", events=("*",), secret="s", created_at=0, position=0
)


def due(n: int, phone: int | None = None, *, gone: bool = False) -> Due:
    phone = n if phone is None else phone
    event = None if gone else phone_event(n, phone=phone)
    delivery = Delivery(
        n=n, webhook=1, event=n, type="phone.offline", subject=f"phone/{phone}", created_at=0
    )
    return Due(delivery, event)


@pytest.fixture
def line() -> Line:
    return Line(WEBHOOK)


def fail(line: Line, status: int | None, *, asked: bool = False) -> None:
    line.note_failure(7, status=status, asked=asked, next_try=5.0)


def test_what_ends_while_it_is_read_is_not_begun_again(line: Line) -> None:
    line.add([due(1), due(2)])
    assert line.start().delivery.n == 1
    line.look()
    line.end(1)
    line.add([due(1), due(2), due(3)])
    assert [line.start().delivery.n for _ in range(2)] == [2, 3]
    assert line.at_hand == 2
    line.look()
    # A replay has another number, and a second attempt comes with another read.
    line.add([due(1)])
    assert line.start().delivery.n == 1


def test_of_each_subject_one_is_at_hand(line: Line) -> None:
    line.add([due(1, phone=9), due(2, phone=9)])
    assert line.at_hand == 1
    line.start()
    line.add([due(2, phone=9)])
    assert line.at_hand == 1


def test_what_is_gone_is_returned(line: Line) -> None:
    assert [one.n for one in line.add([due(1, gone=True), due(2)])] == [1]
    assert line.at_hand == 1


def test_success_allows_more_calls_and_failure_one(line: Line) -> None:
    line.add(due(n) for n in range(1, 40))
    assert line.wanted == 0
    line.start()
    assert not line.is_waiting
    line.note_success()
    assert line.is_waiting
    for _ in range(50):
        line.note_success()
    assert (line.standing, line.wanted) == ("working", 0)
    for _ in range(WIDEST - 1):
        assert line.is_waiting
        line.start()
    assert not line.is_waiting
    fail(line, 500)
    assert (line.standing, line.failing_since) == ("failing", 7)
    for n in range(1, WIDEST + 1):
        line.end(n)
    line.start()
    assert not line.is_waiting


@pytest.mark.parametrize(
    ("status", "asked", "rests"),
    [(None, False, True), (503, False, True), (500, True, True), (500, False, False)],
)
def test_trouble_of_the_receiver_puts_all_off(
    line: Line, *, status: int | None, asked: bool, rests: bool
) -> None:
    line.add([due(1), due(2)])
    line.start()
    fail(line, status, asked=asked)
    line.end(1)
    assert (line.rests_until, line.at_hand) == ((5.0, 0) if rests else (0.0, 1))


def test_failures_in_a_row_are_trouble_too(line: Line) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        fail(line, 500)
    line.note_success()
    for _ in range(FAILURES_IN_A_ROW - 1):
        fail(line, 500)
    assert line.rests_until == 0.0
    fail(line, 500)
    assert line.rests_until == 5.0
    line.note_success()
    assert line.rests_until == 0.0


def test_a_change_of_the_webhook_ends_its_rest(line: Line) -> None:
    line.behind = False
    fail(line, None)
    line.full = True
    line.change(attrs.evolve(WEBHOOK, url="v", failing_since=3))
    assert (line.rests_until, line.may_take, line.failing_since) == (0.0, True, 3)
    assert line.standing == "failing"


def test_one_that_was_full_takes_events_up_again_once_something_has_ended(line: Line) -> None:
    line.add([due(1)])
    line.start()
    line.full = True
    assert not line.may_take
    line.end(1)
    assert line.may_take
