import attrs

from phonegate.phones.frames import SendSms
from phonegate.phones.smsgate.pull_list import MOST_LISTED, PullList

SMS = SendSms(id=5, to="+15553334444", body="hi", sim=None)


def states(listed: PullList, *in_flight: int, now: int = 0, knows: bool = True) -> list[str]:
    answer, _ = listed.pull(in_flight, now=now, knows_cancelling=knows)
    return [one["state"] for one in answer]


def test_a_message_is_listed_as_long_as_it_is_awaited() -> None:
    listed = PullList()
    listed.put(SMS, 0)
    assert states(listed, 5) == ["Pending"]
    assert states(listed, 5) == ["Pending"]
    assert states(listed) == []
    assert states(listed, 5) == []


def test_one_that_was_never_fetched_is_dropped_at_once() -> None:
    listed = PullList()
    listed.put(SMS, 0)
    assert listed.cancel(5)
    assert states(listed, 5) == []


def test_one_that_was_fetched_is_to_be_dropped_by_the_app() -> None:
    listed = PullList()
    listed.put(SMS, 0)
    assert states(listed, 5) == ["Pending"]
    assert not listed.cancel(5)
    assert states(listed, 5) == ["Cancelling"]


def test_an_app_that_does_not_know_the_state_gets_nothing_that_it_would_send() -> None:
    listed = PullList()
    listed.put(SMS, 0)
    states(listed, 5, knows=False)
    listed.cancel(5)
    assert states(listed, 5, knows=False) == []


def test_what_ran_out_before_it_was_fetched_is_not_given_any_more() -> None:
    listed = PullList()
    listed.put(attrs.evolve(SMS, expires_at=100), 0)
    assert listed.pull([5], now=100, knows_cancelling=True) == ([], [5])
    assert listed.pull([5], now=100, knows_cancelling=True) == ([], [])


def test_what_was_fetched_in_time_is_the_apps_to_end() -> None:
    listed = PullList()
    listed.put(attrs.evolve(SMS, expires_at=100), 0)
    assert states(listed, 5, now=99) == ["Pending"]
    assert states(listed, 5, now=100) == ["Pending"]


def test_an_answer_is_bounded() -> None:
    listed = PullList()
    numbers = range(1, MOST_LISTED + 2)
    for number in numbers:
        listed.put(attrs.evolve(SMS, id=number), 0)
    assert len(states(listed, *numbers)) == MOST_LISTED
    assert listed.unfetched() == [MOST_LISTED + 1]
    assert listed.has_new(numbers)
