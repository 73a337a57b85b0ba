"""`phonegate events`."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.stub import Fake, Stream, changed, event, events_page, frames, main

Output = pytest.CaptureFixture[str]

PATH = "/events/myorg"
DENIED = (401, {"ok": False, "detail": "Wrong secret.", "code": "unauthorized"})


def test_a_page_of_events_is_shown_as_lines(fake: Fake, capsys: Output) -> None:
    fake.answers[PATH] = [events_page(changed(8, "sent", 5), changed(9, "received", 6))]
    words = ("--type", "message.*", "--type", "phone.offline", "--address", "+1555", "--sim", "0")
    assert main(["events", *words, "--phone", "3", "--since", "7", "--limit", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:1] + first.split()[4:7] == ["8", "message.sent", "->", "+15551112222"]
    assert second.split()[4] == "message.received"
    ((_, path, headers, _),) = fake.asked
    assert parse_qs(urlsplit(path).query) == {
        "types": ["message.*,phone.offline"],
        "address": ["+1555"],
        "sim": ["0"],
        "phone": ["3"],
        "since_id": ["7"],
        "limit": ["2"],
    }
    assert "Accept" not in headers or "event-stream" not in headers["Accept"]


def test_a_page_of_events_is_shown_as_json(fake: Fake, capsys: Output) -> None:
    phone = {"id": 3, "kind": "link", "online": False}
    happened = [changed(8, "sent", 5), event(9, "phone.offline", phone=phone)]
    fake.answers[PATH] = [events_page(*happened)]
    assert main(["events", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == happened
    assert fake.asked[0][1] == PATH


@pytest.mark.parametrize("follow", [[], ["--follow"]])
def test_missing_events_are_told_of_beside_the_output(
    fake: Fake, capsys: Output, follow: list[str]
) -> None:
    fake.answers[PATH] = [events_page(changed(9, "sent", 5), gap=True), DENIED]
    main(["events", "--since", "2", "--json", *follow])
    captured = capsys.readouterr()
    assert [json.loads(line)["id"] for line in captured.out.splitlines()] == [9]
    assert "phonegate: Events up to 8 are no longer kept.\n" in captured.err


def test_an_id_that_there_is_not_yet_is_no_id_of_an_old_event(fake: Fake, capsys: Output) -> None:
    fake.answers[PATH] = [events_page(gap=True, last=12)]
    assert main(["events", "--since", "99999"]) == 0
    assert capsys.readouterr().err == "phonegate: There is no event 99999: the newest is 12.\n"


def test_following_shows_the_newest_and_goes_on_from_there(fake: Fake, capsys: Output) -> None:
    gap = b'id: 20\nevent: gap\ndata: {"first":20}\n\n'
    fake.answers[PATH] = [
        (503, {"ok": False, "detail": "Restarting."}),
        events_page(changed(8, "sent", 5), last=12),
        (200, Stream(frames(changed(13, "delivered", 5)))),
        (200, Stream(gap, frames(changed(21, "received", 6)))),
        DENIED,
    ]
    assert main(["events", "--follow", "--limit", "1", "--json"]) == 1
    captured = capsys.readouterr()
    assert [json.loads(line)["id"] for line in captured.out.splitlines()] == [8, 13, 21]
    assert captured.err.splitlines() == [
        "phonegate: Restarting. Trying again.",
        "phonegate: Events up to 20 are no longer kept.",
        "phonegate: Wrong secret. Check PHONEGATE_ORG and PHONEGATE_KEY or PHONEGATE_SECRET.",
    ]
    queries = [parse_qs(urlsplit(path).query) for _, path, _, _ in fake.asked]
    assert [query.get("since_id") for query in queries] == [None, None, ["12"], ["13"], ["21"]]


def test_ctrl_c_ends_following_without_a_failure(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers[PATH] = [events_page(last=7), (200, Stream())]

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    assert main(["events", "--follow"]) == 0


def test_a_refusal_names_what_is_wrong(fake: Fake, capsys: Output) -> None:
    problem = {"field": "types", "problem": "message.gone is no type of event"}
    refused = {"ok": False, "detail": "Wrong query.", "errors": [problem]}
    fake.answers[PATH] = [(400, refused)]
    for follow in ([], ["--follow"]):
        assert main(["events", "--type", "message.gone", *follow]) == 1
        assert "types: message.gone is no type of event" in capsys.readouterr().err
