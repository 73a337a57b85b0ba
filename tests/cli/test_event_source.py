"""Following events over whatever happens to their stream."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from phonegate.cli.client import Client, Refusal
from phonegate.cli.event_source import LONG_POLL_S, EventSource, News, NoEvents, understood
from phonegate.cli.failure import Failure
from phonegate.event_stream import StreamEvent
from tests.cli.stub import SHORT, Fake, Stream, event, events_page, frames

Output = pytest.CaptureFixture[str]

OPENING = b": events\nretry: 1000\nid: 4\n\n"
GAP = b'id: 7\nevent: gap\ndata: {"first":7}\n\n'
DENIED = (401, {"ok": False, "detail": "Wrong secret.", "code": "unauthorized"})
PATH = "/events/myorg"


@pytest.fixture
def client(fake: Fake) -> Iterator[Client]:
    with Client(fake.url, "myorg", "my-secret-key-123") as made:
        yield made


def source(client: Client, **about: Any) -> EventSource:
    return EventSource(client, about, SHORT, silence_s=0.5)


def ids(found: Iterator[News], count: int) -> list[int]:
    """The ids of so many of the events to come."""
    return list(islice((one["id"] for news in found for one in news.events), count))


def asked(fake: Fake) -> list[dict[str, str]]:
    """The queries so far."""
    return [
        {name: value for name, (value,) in parse_qs(urlsplit(path).query).items()}
        for _, path, _, _ in fake.asked
    ]


def test_what_a_stream_brings_comes_as_it_comes(fake: Fake, client: Client) -> None:
    stream = Stream(OPENING, frames(event(5), event(6)), b": no event\nid: 6\n\n", frames(event(8)))
    fake.answers[PATH] = [(200, stream)]
    assert ids(source(client, types="message.*").follow(4), 3) == [5, 6, 8]
    assert asked(fake) == [{"types": "message.*", "since_id": "4"}]
    headers = fake.asked[0][2]
    assert headers["Accept"] == "text/event-stream"
    assert headers["Accept-Encoding"] == "identity"


def test_a_stream_that_is_cut_goes_on_where_it_was_without_a_word(
    fake: Fake, client: Client, capsys: Output
) -> None:
    half = frames(event(6))[:-9]
    fake.answers[PATH] = [
        (200, Stream(OPENING, frames(event(5)), half)),
        (200, Stream(OPENING)),
        # What was shown is not shown again, whatever something between repeats.
        (200, Stream(frames(event(5), event(6)))),
        (200, Stream(b": no event\nid: 9\n\n")),
        (200, Stream(frames(event(10)), held=True)),
    ]
    assert ids(source(client).follow(4), 3) == [5, 6, 10]
    assert [query["since_id"] for query in asked(fake)] == ["4", "5", "5", "6", "9"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "away",
    [
        (502, b"<html>Bad Gateway</html>"),
        (503, {"ok": False, "detail": "Restarting.", "code": "unavailable"}),
        (429, {"ok": False, "detail": "Slower.", "code": "throttled"}),
    ],
)
def test_a_gateway_that_is_away_is_told_of_once(
    fake: Fake, client: Client, capsys: Output, away: tuple[int, Any]
) -> None:
    fake.answers[PATH] = [
        (200, Stream(frames(event(5)))),
        *[away] * 3,
        (200, Stream(frames(event(6)))),
    ]
    assert ids(source(client).follow(4), 2) == [5, 6]
    assert capsys.readouterr().err.count("Trying again.") == 1
    assert asked(fake)[-1]["since_id"] == "5"


def test_a_refusal_ends_it(fake: Fake, client: Client) -> None:
    fake.answers[PATH] = [(200, Stream(frames(event(5)))), DENIED]
    found = source(client).follow(4)
    assert ids(found, 1) == [5]
    with pytest.raises(Refusal, match="Wrong secret"):
        next(found)


def test_missing_events_are_told_of_and_what_follows_is_shown(fake: Fake, client: Client) -> None:
    fake.answers[PATH] = [(200, Stream(OPENING, GAP, frames(event(8)))), DENIED]
    found = source(client).follow(4)
    first = next(found)
    assert first.gap == 7
    assert [one["id"] for one in first.events] or ids(found, 1) == [8]


def test_events_before_the_missing_ones_are_shown(fake: Fake, client: Client) -> None:
    gap = b'id: 4\nevent: gap\ndata: {"first":7}\n\n'
    streams = [(200, Stream(OPENING, gap)), (200, Stream(frames(event(5), event(8))))]
    fake.answers[PATH] = [*streams, DENIED]
    found = source(client).follow(4)
    assert next(found).gap == 7
    assert ids(found, 2) == [5, 8]
    assert asked(fake)[1]["since_id"] == "4"


def test_a_database_begun_anew_begins_anew(fake: Fake, client: Client) -> None:
    fake.answers[PATH] = [(200, Stream(b"id: 900\n\n", GAP, frames(event(8)))), DENIED]
    assert ids(source(client).follow(900), 1) == [8]


@pytest.mark.parametrize("stream", [Stream(mute=True), Stream(held=True)])
def test_a_stream_that_is_held_back_is_replaced_by_long_polls(
    fake: Fake, client: Client, stream: Stream
) -> None:
    fake.answers[PATH] = [
        (200, stream),
        events_page(event(5), event(6)),
        events_page(last=9),
        (504, b"<html>"),
        events_page(event(10)),
    ]
    assert ids(source(client, phone=3).follow(4), 3) == [5, 6, 10]
    polls = asked(fake)[1:]
    assert [query["since_id"] for query in polls] == ["4", "6", "9", "9"]
    assert {query["wait"] for query in polls} == {str(LONG_POLL_S)}
    assert {query["phone"] for query in polls} == {"3"}


def test_a_stream_that_falls_silent_is_opened_again(fake: Fake, client: Client) -> None:
    fake.answers[PATH] = [
        (200, Stream(OPENING, frames(event(5)), held=True)),
        (200, Stream(frames(event(6)))),
    ]
    assert ids(source(client).follow(4), 2) == [5, 6]


@pytest.mark.parametrize("content", [{"ok": True}, {"messages": []}])
def test_an_answer_that_is_no_stream_is_a_failure(
    fake: Fake, client: Client, content: dict[str, Any]
) -> None:
    fake.answers[PATH] = [(200, content)]
    with pytest.raises(Failure, match="answered without a stream"):
        next(source(client).follow(4))


@pytest.mark.parametrize(
    "data", ["no JSON", "[]", "{}", '{"id":"5"}', '{"id":true}', '{"id":null}']
)
def test_a_stream_of_something_else_is_a_failure(fake: Fake, client: Client, data: str) -> None:
    fake.answers[PATH] = [(200, Stream(f"data: {data}\n\n".encode()))]
    with pytest.raises(Failure, match="answered with no event stream"):
        next(source(client).follow(4))


def test_a_page_says_where_to_go_on(fake: Fake, client: Client) -> None:
    fake.answers[PATH] = [
        events_page(event(5), last=9),
        events_page(event(8), gap=True),
        events_page(last=9, gap=True),
    ]
    asking = source(client)
    assert asking.page(None, 10) == News([event(5)], 9)
    assert asking.page(2) == News([event(8)], 8, 7)
    assert asking.page(2) == News([], 9, 9)
    assert asked(fake) == [{"limit": "10"}, {"since_id": "2"}, {"since_id": "2"}]


@pytest.mark.parametrize(
    "unknown",
    [
        (404, {"ok": False, "detail": "Nothing is here."}),
        (200, {"messages": []}),
        (200, {"events": [], "last_id": None}),
    ],
)
def test_a_gateway_of_an_earlier_version_has_no_events(
    fake: Fake, client: Client, unknown: tuple[int, Any]
) -> None:
    fake.answers[PATH] = [unknown]
    with pytest.raises(NoEvents, match="is older than this command"):
        source(client).page(None)


def test_only_what_is_new_is_read_from_a_stream() -> None:
    found = [StreamEvent("message.sent", json.dumps(event(number))) for number in (3, 5, 4, 6)]
    news = understood(found, 3, "")
    assert ([one["id"] for one in news.events], news.upto) == ([5, 6], 6)
    assert understood([], 3, "x").upto == 3
    assert understood([], 3, "8").upto == 8
