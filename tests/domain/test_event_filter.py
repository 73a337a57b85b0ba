from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.event_filter import (
    EVERYTHING,
    TYPE_PATTERNS,
    EventFilter,
    TypeList,
    TypePattern,
    types_of,
)
from phonegate.model.events import EVENT_TYPES, Event
from phonegate.model.webhooks import Webhook
from phonegate.typed_json.fields import Wrong
from tests.domain.sample_events import ADDRESS, NUMBER, message_event, phone_event

patterns = st.lists(st.sampled_from(TYPE_PATTERNS), max_size=4).map(tuple)
types = st.sampled_from(EVENT_TYPES)
addresses = st.sampled_from([ADDRESS, "+15559990000", "AMAZON", ""])
sims = st.sampled_from([None, NUMBER, "+1 (555) 111-2222", "15551112222", "+15550000000"])
events = st.one_of(
    st.builds(
        message_event,
        type_=types,
        address=addresses,
        sim=sims,
        sim_slot=st.sampled_from([None, 0, 1]),
        phone=st.sampled_from([None, 7, 8]),
    ),
    st.builds(phone_event, type_=types, phone=st.sampled_from([None, 7, 8])),
)
filters = st.builds(
    EventFilter,
    types=patterns,
    address=st.none() | addresses,
    sim=st.sampled_from([None, NUMBER, "0", "1"]),
    phone=st.sampled_from([None, 7, 8]),
)


@given(events)
def test_everything_fits_a_filter_without_conditions(event: Event) -> None:
    assert EVERYTHING.fits(event)


@given(patterns, types)
def test_a_pattern_is_read_as_shells_read_it(given_: tuple[str, ...], type_: str) -> None:
    assert (type_ in types_of(given_)) is any(fnmatchcase(type_, one) for one in given_)


@given(filters, events)
def test_each_condition_narrows(wanted: EventFilter, event: Event) -> None:
    alone = [
        EventFilter(types=wanted.types),
        EventFilter(address=wanted.address),
        EventFilter(sim=wanted.sim),
        EventFilter(phone=wanted.phone),
    ]
    assert wanted.fits(event) is all(one.fits(event) for one in alone)


@given(events)
def test_what_is_no_message_has_no_address_and_no_sim(event: Event) -> None:
    if event.message is None:
        assert not EventFilter(address=ADDRESS).fits(event)
        assert not EventFilter(sim="0").fits(event)


@pytest.mark.parametrize(
    ("asked", "sim", "slot", "fits"),
    [
        (NUMBER, NUMBER, 0, True),
        (NUMBER, "1 555 111-2222", 0, True),
        (NUMBER, None, 0, False),
        (NUMBER, "+15550000000", 0, False),
        ("0", NUMBER, 0, True),
        ("0", None, 0, True),
        ("1", NUMBER, 0, False),
        ("0", NUMBER, None, False),
    ],
)
def test_a_sim_is_known_by_its_number_or_its_slot(
    asked: str, sim: str | None, slot: int | None, *, fits: bool
) -> None:
    event = message_event(sim=sim, sim_slot=slot)
    assert EventFilter(sim=asked).fits(event) is fits


def test_a_phone_is_that_of_the_event_or_of_its_message() -> None:
    wanted = EventFilter(phone=7)
    assert wanted.fits(phone_event(phone=7))
    assert wanted.fits(message_event(phone=7))
    assert not wanted.fits(phone_event(phone=8))
    assert not wanted.fits(message_event(phone=None))
    assert not wanted.fits(phone_event(type_="webhook.disabled", phone=None))


def test_a_webhook_has_a_filter() -> None:
    hook = Webhook(
        id=1,
        org=1,
        org_name="myorg",
        url="http://example.org",
        secret="s",
        created_at=0,
        position=0,
        events=("message.*",),
        address=ADDRESS,
        sim="0",
        phone=7,
    )
    made = EventFilter.of_webhook(hook)
    assert made == EventFilter(types=("message.*",), address=ADDRESS, sim="0", phone=7)
    assert made.fits(message_event())
    assert not made.fits(message_event(address="AMAZON"))


@given(patterns.filter(bool))
def test_a_list_is_read_from_one_text(given_: tuple[str, ...]) -> None:
    assert TypeList().read_text(",".join(given_)) == tuple(dict.fromkeys(given_))


@pytest.mark.parametrize(
    "text", ["", "message.recieved", "message", "message.*,", "*.sent", "message.s*", "a b", "**"]
)
def test_what_is_no_type_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(Wrong) as refused:
        TypeList().read_text(text)
    assert all(type_ in str(refused.value) for type_ in EVENT_TYPES)


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(Wrong, match=r"^message\.recieved is no type of event; there are: \*, "):
        TypePattern().read("message.recieved")


@pytest.mark.parametrize("text", ["code 123 456", "x" * 41, "\x00", "+1 555"])
def test_what_may_be_private_is_not_repeated(text: str) -> None:
    with pytest.raises(Wrong) as refused:
        TypePattern().read(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("value", [None, 5, ["message.*"], {}])
@pytest.mark.parametrize("rule", [TypePattern(), TypeList()])
def test_only_text_is_a_type(rule: Any, value: object) -> None:
    with pytest.raises(Wrong, match="must be text"):
        rule.read(value)
