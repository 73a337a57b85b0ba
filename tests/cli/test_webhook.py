"""webhook add, list, show, test, log, replay, rotate, enable and remove."""

import contextlib
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.cli import main, terminal
from tests.events.webhooks.plain_receiver import plain_receiver
from tests.patience import PATIENCE_S

Output = pytest.CaptureFixture[str]

URL = "https://example.org/sms"
HIDDEN = "hunter2-hunter2-9f3a"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("PHONEGATE_"):
            monkeypatch.delenv(name)
    assert main(["org", "add", "myorg"]) == 0
    capsys.readouterr()


def shown(capsys: Output, *words: str) -> str:
    assert main(["webhook", *words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def as_json(capsys: Output, *words: str) -> Any:
    return json.loads(shown(capsys, *words, "--json"))


def refused(capsys: Output, *words: str, code: int = 1) -> str:
    assert main(["webhook", *words]) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def write(sql: str, *values: object) -> None:
    with closing(sqlite3.connect("phonegate.db")) as file:
        file.execute(sql, values)
        file.commit()


def delivery(**columns: object) -> None:
    """A delivery as the dispatcher leaves it."""
    given: dict[str, object] = {
        "webhook": 1,
        "event": 7,
        "type": "message.received",
        "subject": "message/5",
        "created_at": 1_800_000_000_000,
        **columns,
    }
    names, marks = ", ".join(given), ", ".join("?" * len(given))
    write(f"INSERT INTO deliveries ({names}) VALUES ({marks})", *given.values())


def test_a_webhook_is_added_listed_shown_and_removed(capsys: Output) -> None:
    words = ("--event", "message.*", "--event", "phone.offline", "--name", "crm")
    header = ("--header", f"Authorization: Bearer {HIDDEN}", "--header", "X-Title:{{.from}}")
    added = shown(capsys, "add", "myorg", URL, *words, *header, "--sim", "1").splitlines()
    assert added[0] == "id      1"
    assert added[1].startswith("secret  whsec_")
    secret = added[1].split()[-1]
    listed = shown(capsys, "list", "myorg")
    for text in ("crm", URL, "message.* phone.offline", "standard", "enabled"):
        assert text in listed
    one = shown(capsys, "show", "myorg", "1")
    assert "Authorization: …9f3a, X-Title: …" in one
    for text in (listed, one, shown(capsys, "list", "myorg", "--json")):
        assert HIDDEN not in text
        assert secret not in text
    found = as_json(capsys, "show", "myorg", "1")["webhook"]
    assert (found["events"], found["sim"]) == (["message.*", "phone.offline"], "1")
    assert shown(capsys, "remove", "myorg", "1") == "Removed 1.\n"
    assert as_json(capsys, "list", "myorg") == {"webhooks": []}
    assert "No such webhook" in refused(capsys, "remove", "myorg", "1")


def test_without_events_it_gets_received_messages(capsys: Output) -> None:
    made = as_json(capsys, "add", "myorg", URL, "--shape", "twilio")
    assert made["webhook"]["events"] == ["message.received"]
    assert not made["secret"].startswith("whsec_")


def test_the_secret_is_kept_by_nothing_else(capsys: Output) -> None:
    assert main(["webhook", "add", "myorg", URL]) == 0
    captured = capsys.readouterr()
    assert "not shown again" in captured.err
    assert "phonegate webhook test myorg 1" in captured.err
    first = captured.out.splitlines()[1].split()[-1]
    second = as_json(capsys, "rotate", "myorg", "1")
    assert second["secret"] not in (first, "")
    assert second["webhook"]["old_secret_until"] is not None


def test_what_is_wrong_is_said_and_no_secret_shown(capsys: Output) -> None:
    assert "[webhooks] allow" in refused(capsys, "add", "myorg", "http://127.0.0.1:9/")
    assert "message.recieved" in refused(capsys, "add", "myorg", URL, "--event", "message.recieved")
    header = f"Host: {HIDDEN}"
    error = refused(capsys, "add", "myorg", URL, "--header", header)
    assert "headers.Host" in error
    assert HIDDEN not in error
    error = refused(capsys, "add", "myorg", URL, "--header", HIDDEN, code=2)
    assert "Authorization: Bearer abc" in error
    assert HIDDEN not in error
    assert "no org named nope" in refused(capsys, "add", "nope", URL)
    assert refused(capsys, "show", "myorg", "x")


def test_the_log_has_a_line_for_each_delivery_the_oldest_first(capsys: Output) -> None:
    shown(capsys, "add", "myorg", URL)
    assert main(["webhook", "log", "myorg", "1"]) == 0
    assert capsys.readouterr() == ("", "Nothing has been delivered to it yet.\n")
    at = 1_800_000_000_048
    when = terminal.moment("2027-01-15T08:00:00.048Z")
    later, then = 9_900_000_000_000, terminal.moment("2283-09-20T08:00:00Z")
    answer = "<h1>oops</h1>\x1b[31m\n" + "x" * 200
    error = "The receiver answered HTTP 500."
    delivery(attempts=1, at=at, ms=48, status=200, answer="ok")
    delivery(event=8, attempts=2, at=at, status=500, error=error, answer=answer, next_at=later)
    delivery(event=None, attempts=1, at=at, error="The receiver broke the connection off.")
    delivery(event=9, created_at=at, next_at=at)
    delivery(event=10, attempts=3, at=at, ms=5, status=204)
    delivery(event=11, attempts=4, at=at, error=error, status=500, next_at=1_700_000_000_000)
    first, second, third, fourth, fifth, sixth = shown(capsys, "log", "myorg", "1").splitlines()
    assert first == f"     1  {when}  message.received   200   in 48 ms  ok  [event 7]"
    begun = f"     2  {when}  message.received   500   {error}  <h1>oops</h1>�[31m ⏎ xxx"
    assert second.startswith(begun)
    assert second.endswith(f"x…  (try 2, the next at {then})  [event 8]")
    assert len(second) < len(begun) + 140
    assert third.endswith("none  The receiver broke the connection off.  [test]")
    assert fourth.endswith("  message.received   -     has not been called yet  [event 9]")
    assert fifth.endswith("  204   in 5 ms  (try 3)  [event 10]")
    assert sixth.endswith(f"{error}  (try 4, waits for its turn)  [event 11]")
    found = as_json(capsys, "log", "myorg", "1", "--limit", "2")["deliveries"]
    assert [one["n"] for one in found] == [5, 6]


def followed(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, *looks: Callable[[], None]
) -> list[tuple[int, int | None]]:
    """The number and status of what a follower of two deliveries shows, which looks so often."""
    left = iter(looks)

    def sleep(_: float) -> None:
        try:
            next(left)()
        except StopIteration:
            raise KeyboardInterrupt from None

    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", sleep)
        words = ("log", "myorg", "1", "--follow", "--limit", "2", "--json")
        lines = map(json.loads, shown(capsys, *words).splitlines())
        return [(one["n"], one["status"]) for one in lines]


def test_a_log_is_followed_as_it_changes(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    shown(capsys, "add", "myorg", URL)
    at = 1_800_000_000_048
    delivery(next_at=at)
    looks = (
        lambda: write("UPDATE deliveries SET status = 200, at = ?, next_at = NULL", at),
        lambda: None,
        lambda: delivery(event=8),
    )
    assert followed(capsys, monkeypatch, *looks) == [(1, None), (1, 200), (2, None)]


def test_a_follower_shows_what_it_left_out_at_first_only_when_it_changes(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(capsys, "add", "myorg", URL)
    for event in range(1, 6):
        delivery(event=event)

    def change() -> None:
        write("UPDATE deliveries SET status = 500, at = 1 WHERE n = 2")

    assert followed(capsys, monkeypatch, lambda: None, change) == [(4, None), (5, None), (2, 500)]


def test_a_follower_of_an_empty_log_pauses_between_its_looks(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(capsys, "add", "myorg", URL)
    assert followed(capsys, monkeypatch, lambda: None, delivery) == [(1, None)]


def test_a_follower_shows_all_that_came_between_two_looks(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown(capsys, "add", "myorg", URL)
    delivery()

    def many() -> None:
        with closing(sqlite3.connect("phonegate.db")) as file:
            file.executemany(
                "INSERT INTO deliveries (webhook, event, type, subject, created_at) "
                "VALUES (1, ?, 'message.sent', 'message/1', 1)",
                [(event,) for event in range(450)],
            )
            file.commit()

    assert [n for n, _ in followed(capsys, monkeypatch, many)] == list(range(1, 452))


def test_one_that_was_disabled_says_why_and_is_enabled(capsys: Output) -> None:
    shown(capsys, "add", "myorg", URL)
    delivery(next_at=9_900_000_000_000)
    write("UPDATE webhooks SET failing_since = 1800000000000")
    assert "failing since 2027-01-" in shown(capsys, "list", "myorg")
    write("UPDATE webhooks SET disabled_at = 1, disabled_reason = 'It answered 410.'")
    assert "disabled: It answered 410." in shown(capsys, "list", "myorg")
    assert "enable it first" in refused(capsys, "replay", "myorg", "1", "1")
    assert shown(capsys, "enable", "myorg", "1") == "Enabled 1. Events that wait for it: 1.\n"
    assert "enabled" in shown(capsys, "list", "myorg")
    assert "Delivery 99 can't be made again" in refused(capsys, "replay", "myorg", "1", "99")


@pytest.mark.parametrize("serving", [True, False])
def test_a_test_shows_what_the_receiver_answers(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, *, serving: bool
) -> None:
    monkeypatch.setenv("PHONEGATE_WEBHOOKS_ALLOW", "127.0.0.0/8")
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(plain_receiver())
        if serving:
            allowed = {"WEBHOOKS_ALLOW": "127.0.0.0/8"}
            stack.enter_context(GatewayProcess(Path("phonegate.db"), settings=allowed))
        shown(capsys, "add", "myorg", receiver.url)
        lines = shown(capsys, "test", "myorg", "1").splitlines()
        assert lines[0] == "status  200"
        assert lines[-1] == "answer  ok"
        event = json.loads(receiver.bodies[0])
        assert (event["id"], event["test"], event["type"]) == (0, True, "message.received")

        receiver.status, receiver.answer = 403, b"who \x1b[31mare you?"
        assert main(["webhook", "test", "myorg", "1"]) == 1
        output = capsys.readouterr().out
        assert output.startswith("status  403\nerror   ")
        assert "\x1b" not in output
        assert main(["webhook", "test", "myorg", "1", "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert (found["succeeded"], found["delivery"]["status"]) == (False, 403)
    if serving:
        return
    # Nothing is there any more.
    assert main(["webhook", "test", "myorg", "1"]) == 1
    assert capsys.readouterr().out.startswith("status  none\nerror   ")
    log = as_json(capsys, "log", "myorg", "1")["deliveries"]
    assert [one["status"] for one in log] == [200, 403, 403, None]


def test_a_delivery_is_seen_and_made_again(capsys: Output) -> None:
    allowed = {"WEBHOOKS_ALLOW": "127.0.0.0/8"}
    with (
        plain_receiver() as receiver,
        GatewayProcess(Path("phonegate.db"), settings=allowed) as gateway,
    ):
        shown(capsys, "add", "myorg", receiver.url)
        assert main(["org", "rotate", "myorg", "--json"]) == 0
        secret = json.loads(capsys.readouterr().out)["secret"]
        body = {"messages": [{"address": "AMAZON", "body": "x"}]}
        pushed = {"org_id": "myorg", "secret_key": secret, **body}
        httpx.post(f"{gateway.url}/webhook", json=pushed).raise_for_status()
        (first,) = done(capsys, 1)
        assert first["status"] == 200
        assert "is delivered again" in shown(capsys, "replay", "myorg", "1", str(first["n"]))
        again = done(capsys, 2)[1]
        assert again["event_id"] == first["event_id"]
        assert receiver.bodies[0] == receiver.bodies[1]


def done(capsys: Output, count: int) -> list[dict[str, Any]]:
    """The log, once so many deliveries are over."""
    until = time.monotonic() + PATIENCE_S
    while True:
        log: list[dict[str, Any]] = as_json(capsys, "log", "myorg", "1")["deliveries"]
        if len(log) == count and all(one["next_at"] is None for one in log):
            return log
        assert time.monotonic() < until, log


def test_opening_registration_closes_private_networks_at_once(capsys: Output) -> None:
    home = ("add", "myorg", "http://192.168.178.5:1880/sms")
    with GatewayProcess(Path("phonegate.db")):
        shown(capsys, *home)
        assert main(["registration", "open"]) == 0
        capsys.readouterr()
        error = refused(capsys, *home)
        assert "needs [webhooks] private_networks = true" in error
        assert main(["registration", "local"]) == 0
        capsys.readouterr()
        shown(capsys, *home)


def test_the_gateway_never_calls_itself_whatever_is_allowed(capsys: Output) -> None:
    everything = {"WEBHOOKS_ALLOW": "0.0.0.0/0,::/0", "OPERATOR_BIND": "127.0.0.1:0"}
    with GatewayProcess(Path("phonegate.db"), settings=everything) as gateway:
        for host in ("127.0.0.1", "localhost", "127.1", "0", "[::ffff:127.0.0.1]", "[::ffff:0:0]"):
            error = refused(capsys, "add", "myorg", f"http://{host}:{gateway.port}/x")
            assert "is the gateway itself" in error, host
        # A name that leads here is found out when it is called.
        name = socket.gethostname()
        url = f"http://{name}:{gateway.port}/health"
        made = as_json(capsys, "add", "myorg", url)["webhook"]["id"]
        assert main(["webhook", "test", "myorg", str(made), "--json"]) == 1
        delivery = json.loads(capsys.readouterr().out)["delivery"]
        assert delivery["status"] is None
        assert "gateway itself" in delivery["error"] or "no address" in delivery["error"]
