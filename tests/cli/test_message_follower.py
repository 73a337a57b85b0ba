"""`messages --follow`: each message and each of its changes, once."""

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.stub import Fake, Stream, changed, events_page, frames, main, message

Output = pytest.CaptureFixture[str]

DENIED = (401, {"ok": False, "detail": "Wrong secret.", "code": "unauthorized"})
HELD = {"waiting_for": "approval"}


def page(*messages: dict[str, Any]) -> tuple[int, Any]:
    return 200, {"messages": list(messages)}


def out(number: int, status: str, **fields: Any) -> dict[str, Any]:
    return message(number, **{"direction": "out", "status": status, "waiting_for": None, **fields})


def queries(fake: Fake, path: str) -> list[dict[str, str]]:
    """What was asked of a path, in turn."""
    parts = [urlsplit(one[1]) for one in fake.asked]
    return [
        {name: value for name, (value,) in parse_qs(part.query).items()}
        for part in parts
        if part.path == path
    ]


def lines(capsys: Output) -> list[tuple[int, str]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [(one["id"], one["status"]) for one in found]


def follow(fake: Fake, *words: str, pages: Any, events: Any) -> int:
    """Follows until the gateway has nothing more prepared, and refuses."""
    fake.answers["/messages/myorg"] = pages
    fake.answers["/events/myorg"] = [*events, DENIED]
    return main(["messages", "--follow", *words])


def test_it_shows_what_there_is_and_then_each_change(fake: Fake, capsys: Output) -> None:
    stream = Stream(frames(changed(8, "sent", 5), changed(9, "received", 6)))
    later = Stream(frames(changed(10, "delivered", 5)))
    events = [
        *(events_page(last=7), events_page(last=7)),
        (200, stream),
        (503, {"ok": False, "detail": "Restarting.", "code": "unavailable"}),
        (200, later),
    ]
    # Only an answer that trying again can't change ends it.
    assert follow(fake, pages=[page(message(4), out(5, "sending"))], events=events) == 1
    captured = capsys.readouterr()
    shown = [line.split() for line in captured.out.splitlines()]
    assert [(int(line[0]), line[6]) for line in shown] == [
        *((4, "received"), (5, "sending"), (5, "sent"), (6, "received"), (5, "delivered"))
    ]
    assert "Restarting. Trying again." in captured.err
    assert "Wrong secret." in captured.err
    newest, again, *streams = queries(fake, "/events/myorg")
    assert newest == again == {"types": "message.*", "limit": "1"}
    assert [query["since_id"] for query in streams] == ["7", "9", "9", "10"]


def test_what_happens_while_the_page_is_read_is_shown_once(fake: Fake, capsys: Output) -> None:
    events = [
        *(events_page(last=7), events_page(last=10)),
        (200, Stream(frames(changed(8, "sending", 5), changed(9, "sent", 5)))),
        (200, Stream(frames(changed(10, "received", 6), changed(11, "delivered", 5)))),
    ]
    pages = [page(out(5, "sent"), message(6))]
    assert follow(fake, "--json", pages=pages, events=events) == 1
    assert lines(capsys) == [(5, "sent"), (6, "received"), (5, "delivered")]


def test_all_messages_after_an_id_are_shown_first(fake: Fake, capsys: Output) -> None:
    pages = [page(message(4), message(5)), page(message(6)), page()]
    events = [events_page(last=7), events_page(last=7)]
    assert follow(fake, "--since", "3", "--limit", "2", "--json", pages=pages, events=events) == 1
    assert [number for number, _ in lines(capsys)] == [4, 5, 6]
    assert queries(fake, "/messages/myorg") == [
        {"since_id": "3", "limit": "2"},
        {"since_id": "5", "limit": "1000"},
        {"since_id": "6", "limit": "1000"},
    ]


def test_a_state_is_shown_when_a_message_reaches_it(fake: Fake, capsys: Output) -> None:
    stream = Stream(
        frames(changed(8, "sent", 7), changed(9, "failed", 7), changed(10, "received", 8))
    )
    events = [events_page(last=7), events_page(last=7), (200, stream)]
    words = ("--status", "failed", "--json")
    assert follow(fake, *words, pages=[page(out(3, "failed"))], events=events) == 1
    assert lines(capsys) == [(3, "failed"), (7, "failed")]
    assert queries(fake, "/messages/myorg") == [{"status": "failed"}]


def test_what_begins_to_wait_for_approval_is_shown(fake: Fake, capsys: Output) -> None:
    held = {**changed(8, "queued", 7, **HELD), "type": "message.held"}
    stream = Stream(frames(held, changed(9, "queued", 7), changed(10, "sending", 7)))
    events = [events_page(last=7), events_page(last=7), (200, stream)]
    pages = [page(), page(out(7, "sending"))]
    assert follow(fake, "--held", "--json", pages=pages, events=events) == 1
    assert lines(capsys) == [(7, "queued")]


def test_what_a_queued_message_waits_for_is_shown(fake: Fake, capsys: Output) -> None:
    stream = Stream(frames(changed(8, "queued", 7)))
    events = [events_page(last=7), events_page(last=7), (200, stream)]
    pages = [page(), page(out(7, "queued", waiting_for="phone"))]
    assert follow(fake, pages=pages, events=events) == 1
    assert "(waits for its phone, which is away)" in capsys.readouterr().out
    assert queries(fake, "/messages/myorg")[1:] == [
        {"since_id": "6", "before_id": "8", "limit": "1000"}
    ]


def test_filters_that_events_have_not_are_kept_here(fake: Fake, capsys: Output) -> None:
    stream = Stream(
        frames(
            *(changed(8, "sent", 7, key="one"), changed(9, "sent", 8, key="two")),
            changed(10, "received", 9, key=None),
        )
    )
    events = [events_page(last=7), events_page(last=7), (200, stream)]
    words = ("--key", "one", "--direction", "out", "--address", "+1555", "--sim", "0", "--json")
    assert follow(fake, *words, pages=[page()], events=events) == 1
    assert lines(capsys) == [(7, "sent")]
    asked = queries(fake, "/events/myorg")
    assert {(query["address"], query["sim"]) for query in asked} == {("+1555", "0")}
    assert not {"key", "direction"} & set().union(*asked)


def test_the_gateway_itself_searches_for_words(fake: Fake, capsys: Output) -> None:
    stream = Stream(frames(changed(8, "sent", 7), changed(9, "sent", 5_000)))
    events = [events_page(last=7), events_page(last=7), (200, stream)]
    pages = [page(), page(), page(out(5_000, "delivered"))]
    assert follow(fake, "--search", "lunch", "--json", pages=pages, events=events) == 1
    assert lines(capsys) == [(5_000, "sent")]
    asked = queries(fake, "/messages/myorg")
    assert [(query.get("since_id"), query["q"]) for query in asked] == [
        *((None, "lunch"), ("6", "lunch"), ("4999", "lunch"))
    ]


def test_messages_are_not_missed_with_their_events(fake: Fake, capsys: Output) -> None:
    gap = b'id: 50\nevent: gap\ndata: {"first":50}\n\n'
    events = [
        *(events_page(last=7), events_page(last=7)),
        (200, Stream(gap)),
        events_page(last=52),
        (200, Stream(frames(changed(51, "received", 9), changed(53, "received", 10)))),
    ]
    pages = [page(message(4)), page(message(8), message(9)), page()]
    assert follow(fake, "--json", pages=pages, events=events) == 1
    captured = capsys.readouterr()
    shown = [json.loads(line)["id"] for line in captured.out.splitlines()]
    assert shown == [4, 8, 9, 10]
    assert "phonegate: Events up to 50 are no longer kept.\n" in captured.err
    assert queries(fake, "/messages/myorg")[1]["since_id"] == "4"


@pytest.mark.parametrize(
    "unknown", [(404, {"ok": False, "detail": "Nothing is here."}), (200, {"messages": []})]
)
def test_of_a_gateway_without_events_the_new_messages_are_shown(
    fake: Fake, capsys: Output, unknown: tuple[int, Any]
) -> None:
    fake.answers["/events/myorg"] = [unknown]
    fake.answers["/messages/myorg"] = [
        *(page(message(4)), page(), (502, b"<html>"), page(message(5), message(6))),
        *(page(), page(), DENIED),
    ]
    assert main(["messages", "--follow", "--json"]) == 1
    captured = capsys.readouterr()
    assert [json.loads(line)["id"] for line in captured.out.splitlines()] == [4, 5, 6]
    assert "has no events: it is older than this program. New messages" in captured.err
    asked = [query.get("since_id") for query in queries(fake, "/messages/myorg")]
    assert asked == [None, "4", "4", "4", "6", "6", "6"]


def test_a_gateway_that_is_not_there_at_the_beginning_is_a_failure(
    fake: Fake, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake.answers["/events/myorg"] = [(503, {"ok": False, "detail": "Not yet."})]
    assert main(["messages", "--follow"]) == 1
    assert capsys.readouterr().err.endswith("phonegate: Not yet.\n")
    assert len(fake.asked) < 50


def test_ctrl_c_ends_it_without_a_failure(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers["/messages/myorg"] = [page()]
    fake.answers["/events/myorg"] = [
        *(events_page(last=7), events_page(last=7)),
        (200, Stream()),
    ]

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    assert main(["messages", "--follow"]) == 0
