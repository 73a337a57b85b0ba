import attrs

from phonegate.phones.frames import SendSms
from phonegate.phones.smsgate.mobile_message import Attachment
from phonegate.phones.smsgate.pull_list import MOST_LISTED, MOST_MEDIA_BYTES, PullList

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


# --- MMS

MMS = attrs.evolve(SMS, media_urls=("https://a.example/a.png",))
HALF = [Attachment(content_type="image/png", name="a.png", data=bytes(MOST_MEDIA_BYTES // 2))]


def given(listed: PullList, there: dict[int, list[Attachment]], *in_flight: int) -> list[str]:
    answer, _ = listed.pull(in_flight, now=0, knows_cancelling=True, media=there.get)
    return [one["id"].partition("-")[0] for one in answer]


def test_an_mms_is_left_out_until_its_media_are_there() -> None:
    listed = PullList()
    listed.put(MMS, 0)
    listed.put(attrs.evolve(SMS, id=6), 0)
    assert given(listed, {}, 5, 6) == ["6"]
    assert listed.with_media([5, 6]) == [MMS]
    assert listed.unfetched() == [5]
    assert not listed.has_new([5, 6], being_fetched=[5])
    assert listed.has_new([5, 6])
    assert listed.has_ready({5: HALF}.get)
    assert given(listed, {5: HALF}, 5, 6) == ["5", "6"]
    assert not listed.has_ready({5: HALF}.get)
    # It may be given again, as its answer may have got lost.
    assert given(listed, {5: HALF}, 5, 6) == ["5", "6"]
    assert given(listed, {}, 5, 6) == ["6"]


def test_an_answer_has_so_many_media_and_one_mms_at_least() -> None:
    listed = PullList()
    for number in (1, 2, 3):
        listed.put(attrs.evolve(MMS, id=number), 0)
    listed.put(attrs.evolve(SMS, id=4), 0)
    there = dict.fromkeys((1, 2, 3), HALF)
    assert given(listed, there, 1, 2, 3, 4) == ["1", "2", "4"]
    assert given(listed, there, 3) == ["3"]
    large = PullList()
    large.put(MMS, 0)
    assert given(large, {5: [*HALF, *HALF, *HALF]}, 5) == ["5"]


def test_an_mms_that_was_given_is_cancelled_without_its_media() -> None:
    listed = PullList()
    listed.put(MMS, 0)
    assert given(listed, {5: HALF}, 5) == ["5"]
    assert not listed.cancel(5)
    assert listed.with_media([5]) == []
    (message,), _ = listed.pull([5], now=0, knows_cancelling=True)
    assert message["state"] == "Cancelling"
    assert "textMessage" not in message
    assert message["mmsMessage"]["attachments"] == []


def test_what_is_dropped_tells_whether_it_was_given() -> None:
    listed = PullList()
    listed.put(MMS, 0)
    assert not listed.drop(5)
    listed.put(MMS, 0)
    given(listed, {5: HALF}, 5)
    assert listed.drop(5)
    assert not listed.drop(5)
