"""Following events over whatever happens to their stream."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from phonegate.client import (
    Event,
    Gap,
    News,
    NoEvents,
    NotAGateway,
    NotConnected,
    Refused,
    TimedOut,
    Unreachable,
)
from phonegate.client.following import LATE_S, LONG_POLL_S, Following, read_news
from phonegate.event_stream import StreamEvent
from phonegate.model.bounds import MAX_PAGE
from tests.cli.stub import changed, event, events_page, frames
from tests.client.script import MESSAGE, STREAM, URL, Script, answer, calls, queries

OPENING = b": events\nretry: 1000\nid: 4\n\n"
GAP = b'id: 7\nevent: gap\ndata: {"first":7}\n\n'
DENIED = answer({"ok": False, "detail": "Wrong secret.", "code": "unauthorized"}, 401)
CUT = b""
SILENT = TimedOut(URL, "Not in time.")
LOST = Unreachable(URL, "Cut.")
"""The stream ends."""


def page(*events: dict[str, Any], **more: Any) -> Any:
    return answer(events_page(*events, **more)[1])


def following() -> Following:
    return Following(calls())


def follow(script: Script, most: int, since: int = 4, **about: Any) -> list[int]:
    """The ids of so many of the events to come."""
    script.run(following().events(about, since), most)
    return [item.upto if isinstance(item, Gap) else item.id for item in script.found]


def sinces(script: Script) -> list[Any]:
    return [query.get("since_id") for query in queries(script)]


def test_what_a_stream_brings_comes_as_it_comes() -> None:
    pieces = [OPENING, frames(event(5), event(6)), b": no event\nid: 6\n\n", frames(event(8))]
    script = Script([STREAM, *pieces])
    assert follow(script, 3, types="message.*") == [5, 6, 8]
    assert queries(script) == [{"types": "message.*", "since_id": 4}]
    assert script.asked[0].path == "/events/myorg"


def test_without_an_id_it_begins_now() -> None:
    script = Script([page(event(30), last=31), STREAM, frames(event(32))])
    script.run(following().events({"types": "message.*"}, None), 1)
    assert queries(script) == [
        {"types": "message.*", "limit": 1},
        {"types": "message.*", "since_id": 31},
    ]


@pytest.mark.parametrize("end", [CUT, LOST])
def test_a_stream_that_is_cut_goes_on_where_it_was(end: Any) -> None:
    half = frames(event(6))[:-9]
    script = Script(
        [
            *(STREAM, OPENING, frames(event(5)), half, end),
            *(STREAM, OPENING, end),
            # What was found is not found again, whatever something between repeats.
            *(STREAM, frames(event(5), event(6)), end),
            *(STREAM, b": no event\nid: 9\n\n", end),
            *(STREAM, frames(event(10))),
        ]
    )
    assert follow(script, 3) == [5, 6, 10]
    assert sinces(script) == [4, 5, 5, 6, 9]
    assert script.retried == []


def test_streams_that_end_at_once_are_opened_less_and_less_often() -> None:
    script = Script([STREAM, CUT] * 5 + [STREAM, frames(event(5))])
    assert follow(script, 1) == [5]
    assert script.pauses == [0.5, 1, 2, 4, 8]


@pytest.mark.parametrize(
    "away",
    [
        answer(b"<html>Bad Gateway</html>", 502),
        answer({"ok": False, "detail": "Restarting.", "code": "unavailable"}, 503),
        answer({"ok": False, "detail": "Slower.", "code": "throttled"}, 429, retry_after="30"),
        NotConnected(URL, "No gateway answers."),
    ],
)
def test_a_gateway_that_is_away_is_waited_for(away: Any) -> None:
    streams = [STREAM, frames(event(5)), CUT, *[away] * 40, STREAM, frames(event(6))]
    script = Script(streams)
    assert follow(script, 2) == [5, 6]
    assert script.retried == list(range(1, 41))
    assert sinces(script)[-1] == 5
    assert max(script.pauses) == (30 if "retry-after" in getattr(away, "headers", {}) else 10)


def test_a_refusal_ends_it() -> None:
    script = Script([STREAM, frames(event(5)), CUT, DENIED])
    with pytest.raises(Refused, match="Wrong secret"):
        follow(script, 2)
    assert [item.id for item in script.found] == [5]


def test_missing_events_are_said_to_be_and_what_follows_is_found() -> None:
    script = Script([STREAM, OPENING, GAP, frames(event(8))])
    assert follow(script, 2) == [7, 8]
    assert script.found[0] == Gap(7)
    assert script.found[0].type == "gap"


def test_events_before_the_missing_ones_are_found() -> None:
    gap = b'id: 4\nevent: gap\ndata: {"first":7}\n\n'
    script = Script([STREAM, OPENING, gap, CUT, STREAM, frames(event(5), event(8))])
    assert follow(script, 3) == [7, 5, 8]
    assert sinces(script) == [4, 4]


def test_a_database_begun_anew_begins_anew() -> None:
    script = Script([STREAM, b"id: 900\n\n", GAP, frames(event(8))])
    assert follow(script, 2, since=900) == [7, 8]


@pytest.mark.parametrize("silence", [[SILENT], [STREAM, SILENT]])
def test_a_stream_that_is_held_back_is_replaced_by_long_polls(silence: list[Any]) -> None:
    script = Script(
        [
            *silence,
            page(event(5), event(6)),
            page(last=9),
            answer(b"<html>", 504),
            page(event(10)),
        ]
    )
    assert follow(script, 3, phone=3) == [5, 6, 10]
    polls: list[Mapping[str, Any]] = queries(script)[1:]
    assert [query["since_id"] for query in polls] == [4, 6, 9, 9]
    assert {query["wait"] for query in polls} == {LONG_POLL_S}
    assert {query["phone"] for query in polls} == {3}


def test_a_stream_that_falls_silent_is_opened_again() -> None:
    script = Script([STREAM, OPENING, frames(event(5)), SILENT, STREAM, frames(event(6))])
    assert follow(script, 2) == [5, 6]


@pytest.mark.parametrize("content", [{"ok": True}, {"messages": []}])
def test_an_answer_that_is_no_stream_is_an_error(content: dict[str, Any]) -> None:
    with pytest.raises(NotAGateway, match="answered without a stream"):
        follow(Script([answer(content)]), 1)


@pytest.mark.parametrize(
    "data", ["no JSON", "[]", "{}", '{"id":"5"}', '{"id":true}', '{"id":null}']
)
def test_a_stream_of_something_else_is_an_error(data: str) -> None:
    with pytest.raises(NotAGateway, match="answered with no event stream"):
        follow(Script([STREAM, f"data: {data}\n\n".encode()]), 1)


@pytest.mark.parametrize(("timeout_s", "waited_s"), [(5, 20 + LATE_S), (300, 300)])
def test_a_page_that_waits_is_not_given_up_before_it_comes(
    timeout_s: float, waited_s: float
) -> None:
    script = Script([page(), page()])
    patient = Following(calls(timeout_s=timeout_s, deadline_s=None))
    script.run(patient.page({"since_id": 2, "wait": 20}))
    script.run(patient.page({"since_id": 2}))
    assert script.timeouts == [waited_s, timeout_s]


def test_a_page_says_where_to_go_on() -> None:
    pages = [page(event(5), last=9), page(event(8), gap=True), page(last=9, gap=True)]
    script = Script(pages)
    found = [script.run(following().page({"since_id": 2})) for _ in range(3)]
    assert found == [
        News((Event.read(event(5)),), 9),
        News((Event.read(event(8)),), 8, Gap(7)),
        News((), 9, Gap(9)),
    ]


@pytest.mark.parametrize(
    "unknown",
    [
        answer({"ok": False, "detail": "Nothing is here."}, 404),
        answer({"messages": []}),
        answer({"events": [], "last_id": None}),
    ],
)
def test_a_gateway_of_an_earlier_version_has_no_events(unknown: Any) -> None:
    with pytest.raises(NoEvents, match="is older than this program"):
        Script([unknown]).run(following().page({}))


def test_only_what_is_new_is_read_from_a_stream() -> None:
    found = [StreamEvent("message.sent", json.dumps(event(number))) for number in (3, 5, 4, 6)]
    news = read_news(found, 3, "")
    assert ([one.id for one in news.events], news.upto) == ([5, 6], 6)
    assert read_news([], 3, "x").upto == 3
    assert read_news([], 3, "8").upto == 8


def messages(*ids: int) -> Any:
    return answer({"messages": [{**MESSAGE, "id": one, "direction": "in"} for one in ids]})


RECEIVED = frames(changed(41, "received", 8))


def test_received_messages_are_looked_for_whenever_one_came() -> None:
    script = Script(
        [page(event(40)), messages(5, 6), messages(), STREAM, RECEIVED, messages(8, 9), messages()]
    )
    script.outcomes += [GAP, messages(), RECEIVED, messages(12)]
    script.run(following().received({"address": "+1555"}, 4), 5)
    assert [message.id for message in script.found] == [5, 6, 8, 9, 12]
    first, *pages = queries(script)
    assert first == {"limit": 1}
    about = {"address": "+1555", "direction": "in", "limit": MAX_PAGE}
    assert pages[0] == {**about, "since_id": 4}
    assert pages[2] == {"address": "+1555", "types": "message.received", "since_id": 40}
    assert [query["since_id"] for query in pages[3:]] == [6, 9, 9, 9]


def test_received_messages_from_now_on() -> None:
    script = Script([page(event(40)), messages(7), messages(), STREAM, RECEIVED, messages(8)])
    script.run(following().received({}, None), 1)
    assert sinces(script) == [None, None, 7, 40, 7]


def test_a_gateway_without_events_is_asked_for_messages_now_and_then() -> None:
    none = answer({"detail": "Nothing is here."}, 404)
    script = Script([none, messages(), messages(), messages(9)])
    script.run(following().received({}, 4), 1)
    assert script.pauses == [1, 1]
