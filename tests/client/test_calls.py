"""What is asked of a gateway, and when it is asked again."""

from datetime import UTC, datetime
from typing import Any

import pytest

from phonegate.client import (
    CarrierFailed,
    GatewayError,
    NotAGateway,
    NotConnected,
    NotInTime,
    Outgoing,
    Refused,
    Retries,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from phonegate.client.calls import all_pages
from phonegate.client.waiting import wait
from phonegate.model.bounds import MAX_PAGE
from tests.client.script import MESSAGE, URL, Script, answer, calls, queries

SENT = answer({"ok": True, "results": [{"id": 5, "to": "+1555", "status": "sending"}]})
BUSY = answer({"ok": False, "detail": "Busy.", "code": "unavailable"}, 503)
PROXY = answer(b"<html>Bad Gateway</html>", 502)
LOST = Unreachable(URL, "The connection failed.")
LATE = TimedOut(URL, "Not in time.")
AWAY = NotConnected(URL, "No gateway answers.")
LIMIT = answer({"detail": "Too many.", "code": "throttled"}, 429, retry_after="7")
RUNNING = answer({"detail": "It is still running.", "code": "conflict"}, 409)

ONE = [Outgoing(to="+1555", body="hi")]


@pytest.mark.parametrize("fault", [BUSY, PROXY, LOST, LATE, AWAY, LIMIT, RUNNING])
def test_a_send_is_repeated_under_its_key(fault: Any) -> None:
    script = Script([fault, fault, SENT])
    assert script.run(calls().send_all(ONE, None)).id == 5
    keys = {request.idempotency_key for request in script.asked}
    assert len(script.asked) == 3
    assert len(keys) == 1
    assert None not in keys
    assert script.retried == [1, 2]


@pytest.mark.parametrize("key", ["", " a", "a\n", "\u00e9"])
def test_a_key_that_no_header_can_hold_asks_nothing(key: str) -> None:
    script = Script([])
    with pytest.raises(ValueError, match="idempotency_key"):
        script.run(calls().send_all(ONE, key))
    with pytest.raises(ValueError, match="idempotency_key"):
        script.run(calls().request("POST", "/sms/send", body={}, idempotency_key=key))
    assert script.asked == []


def test_each_call_has_a_key_of_its_own() -> None:
    script = Script([SENT, SENT, SENT])
    for _ in range(2):
        script.run(calls().send_all(ONE, None))
    script.run(calls().send_all(ONE, "mine"))
    keys = [request.idempotency_key for request in script.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"


@pytest.mark.parametrize("fault", [BUSY, PROXY, LOST, LATE])
def test_what_may_have_been_done_is_not_repeated_without_a_key(fault: Any) -> None:
    script = Script([fault])
    with pytest.raises(GatewayError):
        script.run(calls().add_webhook({"url": "https://example.org"}))
    assert len(script.asked) == 1


@pytest.mark.parametrize("fault", [AWAY, LIMIT])
def test_what_certainly_was_not_done_is_repeated_without_a_key(fault: Any) -> None:
    webhook = {
        "id": 1,
        "url": "https://example.org",
        "events": [],
        "enabled": True,
        "created_at": MESSAGE["created_at"],
    }
    script = Script([fault, answer({"ok": True, "secret": "whsec_a", "webhook": webhook})])
    made = script.run(calls().add_webhook({"url": "https://example.org"}))
    assert made.webhook.id == 1
    assert "whsec_a" not in repr(made)


def test_what_a_gateway_wants_to_wait_is_waited() -> None:
    script = Script([LIMIT, SENT])
    script.run(calls().send_all(ONE, None))
    assert script.pauses == [7]
    script = Script([answer({"detail": "Too many."}, 429, retry_after="3600")])
    with pytest.raises(TooManyRequests) as refused:
        script.run(calls().send_all(ONE, None))
    assert refused.value.retry_after_s == 3600
    assert script.pauses == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (answer({"detail": "Wrong.", "code": "bad_input"}, 400), Refused),
        (answer({"detail": "Who?", "code": "unauthorized"}, 401), Unauthorized),
        (answer({"detail": "Other body.", "code": "idempotency_key_reused"}, 422), Refused),
        (answer(b"", 301, location="https://elsewhere.example.org/"), NotAGateway),
        (answer(b"<html>", 200), NotAGateway),
        (answer([1], 200), NotAGateway),
    ],
)
def test_a_refusal_is_final(fault: Any, kind: type[GatewayError]) -> None:
    script = Script([fault])
    with pytest.raises(kind):
        script.run(calls().send_all(ONE, None))
    assert len(script.asked) == 1


def test_a_call_ends_by_its_deadline_with_the_last_error() -> None:
    script = Script([LATE] * 99, slowness_s=40)
    with pytest.raises(TimedOut):
        script.run(calls(deadline_s=90.0).send_all(ONE, None))
    assert script.timeouts[:2] == [65.0, 49.5]
    assert len(script.asked) == 3
    assert script.now - 1000 <= 90 + 40


def test_it_is_given_up_when_the_pauses_are_over() -> None:
    script = Script([PROXY] * 99)
    with pytest.raises(Unavailable, match="as a proxy does while its gateway is away"):
        script.run(calls(retries=Retries(pauses_s=4, first_s=1)).send_all(ONE, None))
    assert script.pauses == [1, 2]


def test_a_carriers_refusal_is_not_repeated() -> None:
    failed = {
        "ok": False,
        "detail": "Failed to send SMS via twilio",
        "code": "outcome_unknown",
        "provider": "twilio",
        "provider_code": "30007",
        "reason": "Carrier",
        "id": 9,
    }
    script = Script([answer(failed, 500)])
    operation = calls().send_from(
        "+1555",
        "+1556",
        "hi",
        media_urls=["https://example.org/a.png"],
        ttl=None,
        send_at=None,
        idempotency_key=None,
    )
    with pytest.raises(CarrierFailed) as refused:
        script.run(operation)
    assert refused.value.is_uncertain
    assert (refused.value.id, refused.value.provider_code) == (9, "30007")
    assert len(script.asked) == 1
    assert script.asked[0].query == {"org_id": "myorg"}


def test_the_org_of_a_key_is_asked_for_once_and_quoted() -> None:
    of_key = calls(org=None)
    script = Script([PROXY, answer({"org_id": "third"}), SENT, SENT])
    script.run(of_key.send_all(ONE, None))
    script.run(of_key.send_all(ONE, None))
    paths = [request.path for request in script.asked]
    assert paths == ["/me", "/me", "/send/third", "/send/third"]
    script = Script([SENT])
    script.run(calls(org="a/b").send_all(ONE, None))
    assert script.asked[0].path == "/send/a%2Fb"


def test_what_is_sent_stands_there_as_given() -> None:
    at = datetime(2031, 5, 4, 9, 30, tzinfo=UTC)
    many = [
        Outgoing(to="+1555", body="hi", sim=0, ttl=60, priority=0, send_at=at),
        Outgoing(to="+1556", body="ho", on_uncertain="resend", send_at=1_900_000_000),
    ]
    script = Script([SENT])
    script.run(calls().send_all(many, None))
    first = {"to": "+1555", "body": "hi", "sim": 0, "ttl": 60, "priority": 0}
    second = {"to": "+1556", "body": "ho", "on_uncertain": "resend", "send_at": 1_900_000_000}
    assert script.asked[0].body == {
        "messages": [{**first, "send_at": "2031-05-04T09:30:00+00:00"}, second]
    }
    naive = Outgoing(to="+1555", body="hi", send_at=at.replace(tzinfo=None))
    with pytest.raises(ValueError, match="no time zone"):
        script.run(calls().send_all([naive], None))


def test_all_pages_are_read() -> None:
    # Where texts are long, a page has fewer messages than were asked for.
    pages = [[{**MESSAGE, "id": number} for number in ids] for ids in ([1, 2], [3], [])]
    script = Script([answer({"messages": page}) for page in pages])
    script.run(all_pages(calls(), {"direction": "out"}, 0, None))
    assert [message.id for message in script.found] == [1, 2, 3]
    assert [query["since_id"] for query in queries(script)] == [0, 2, 3]
    assert {query["limit"] for query in queries(script)} == {MAX_PAGE}
    assert {query["direction"] for query in queries(script)} == {"out"}


def state(status: str, **more: Any) -> Any:
    return answer({"message": {**MESSAGE, "status": status, **more}})


def test_a_message_is_waited_for() -> None:
    script = Script([state("queued"), PROXY, LOST, state("sending"), state("sent")])
    assert script.run(wait(calls(), 7, "sent", 60)).has_left
    script = Script([state("sending"), state("sent"), state("delivered")])
    assert script.run(wait(calls(), 7, "delivered", 60)).status == "delivered"
    script = Script([state("uncertain"), state("delivered")])
    assert not script.run(wait(calls(), 7, "sent", 60)).has_left
    script = Script([state("uncertain"), state("delivered")])
    assert script.run(wait(calls(), 7, "final", 60)).is_final


def test_a_message_is_waited_for_in_vain() -> None:
    script = Script([state("queued", waiting_for="phone")] * 99)
    with pytest.raises(NotInTime, match="waiting for phone and not sent after 20 s") as failed:
        script.run(wait(calls(), 7, "sent", 20))
    assert failed.value.message.status == "queued"
    assert script.now == 1020
    assert len(script.asked) < 15
    script = Script([AWAY] * 99)
    with pytest.raises(NotConnected):
        script.run(wait(calls(), 7, "sent", 20))
    script = Script([answer({"detail": "None."}, 404)])
    with pytest.raises(Refused):
        script.run(wait(calls(), 7, "sent", 20))
