"""The client commands, against a small gateway of our own that remembers what it was asked."""

import io
import json
import ssl
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.stub import Fake, accepted, main, message

Output = pytest.CaptureFixture[str]

SIM = {"slot": 0, "number": "+15551112222", "carrier": "AT&T"}


def test_send_one(fake: Fake, capsys: Output) -> None:
    fake.answers["/send/myorg"] = [(200, accepted(5))]
    words = ["--sim", "0", "--ttl", "60", "--priority", "2", "--send-at", "2031-05-04T09:30:00Z"]
    assert main(["send", "--to", "+15553334444", "hello", *words]) == 0
    (asked,) = fake.asked
    assert asked[0] == "POST"
    assert asked[2]["X-Secret-Key"] == "my-secret-key-123"
    assert asked[2]["Idempotency-Key"]
    assert asked[3] == {
        "to": "+15553334444",
        "body": "hello",
        "sim": "0",
        "ttl": 60,
        "priority": 2,
        "send_at": "2031-05-04T09:30:00Z",
    }
    assert "5   +15553334444  sending" in capsys.readouterr().out


def test_send_many_from_standard_input(
    fake: Fake, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answers["/send/myorg"] = [(200, accepted(5, 6))]
    monkeypatch.setattr(sys, "stdin", io.StringIO("from a pipe\n"))
    assert main(["send", "--to", "+1555", "--to", "+1556", "--json"]) == 0
    bodies = [{"to": "+1555", "body": "from a pipe"}, {"to": "+1556", "body": "from a pipe"}]
    assert fake.asked[0][3] == {"messages": bodies}
    assert json.loads(capsys.readouterr().out)["results"][1]["id"] == 6
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["send", "--to", "+1555"]) == 2


def test_send_repeats_a_lost_answer_under_the_same_key(fake: Fake) -> None:
    busy = {"ok": False, "detail": "Busy.", "code": "unavailable"}
    fake.answers["/send/myorg"] = [(503, busy), (200, accepted(5))]
    assert main(["send", "--to", "+1555", "hello"]) == 0
    first, second = fake.asked
    assert first[2]["Idempotency-Key"] == second[2]["Idempotency-Key"]


@pytest.mark.parametrize(("last", "code"), [("sent", 0), ("delivered", 0), ("failed", 1)])
def test_send_and_wait(fake: Fake, capsys: Output, last: str, code: int) -> None:
    fake.answers["/send/myorg"] = [(200, accepted(5))]
    states = [message(5, status=status, error="no signal") for status in ("sending", last)]
    fake.answers["/messages/myorg/id/5"] = [(200, {"message": state}) for state in states]
    assert main(["send", "--to", "+1555", "hello", "--wait", "20"]) == code
    assert last in capsys.readouterr().out


def test_send_and_wait_in_vain_says_what_it_waits_for(fake: Fake, capsys: Output) -> None:
    fake.answers["/send/myorg"] = [(200, accepted(5, status="queued"))]
    waiting = {"message": message(5, status="queued", waiting_for="phone")}
    fake.answers["/messages/myorg/id/5"] = [(200, waiting)]
    assert main(["send", "--to", "+1555", "hello", "--wait", "0.05"]) == 1
    assert (
        "After 0.05 s message 5 to +15553334444 is queued and waits for its phone, "
        "which is away." in capsys.readouterr().err
    )
    fake.answers["/messages/myorg/id/5"] = [(502, b"<html>")]
    assert main(["send", "--to", "+1555", "hello", "--wait", "0.05", "--json"]) == 1
    captured = capsys.readouterr()
    assert "is of unknown state: http" in captured.err
    assert json.loads(captured.out)["results"] == accepted(5, status="queued")["results"]


@pytest.mark.parametrize(
    "lost",
    [
        (502, b"<html>Bad Gateway</html>"),
        (504, b"<html>Gateway Time-out</html>"),
        (503, b""),
        (520, b"<html>cloud</html>"),
        (429, {"ok": False, "detail": "Slower.", "code": "throttled"}),
        (409, {"ok": False, "detail": "It is still running.", "code": "conflict"}),
    ],
)
def test_a_send_whose_answer_is_lost_is_repeated_under_its_key(
    fake: Fake, capsys: Output, lost: tuple[int, Any]
) -> None:
    fake.answers["/send/myorg"] = [lost, lost, (200, accepted(5))]
    assert main(["send", "--to", "+1555", "hello"]) == 0
    assert len({asked[2]["Idempotency-Key"] for asked in fake.asked}) == 1
    assert len(fake.asked) == 3
    # Told once, not at each try.
    assert capsys.readouterr().err.count("Trying again.") == 1


def test_a_send_is_given_up_where_it_is_to_wait_for_long(fake: Fake, capsys: Output) -> None:
    fake.headers["Retry-After"] = "3600"
    limit = {"ok": False, "detail": "This API key has sent too many.", "code": "key_limit_reached"}
    fake.answers["/send/myorg"] = [(429, limit)]
    assert main(["send", "--to", "+1555", "hello"]) == 1
    assert len(fake.asked) == 1
    assert capsys.readouterr().err == "phonegate: This API key has sent too many.\n"


def test_a_refusal_is_not_repeated(fake: Fake) -> None:
    fake.answers["/send/myorg"] = [(400, {"ok": False, "detail": "Wrong."})]
    assert main(["send", "--to", "+1555", "hello"]) == 1
    assert len(fake.asked) == 1


def test_a_dash_is_standard_input(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers["/send/myorg"] = [(200, accepted(5))]
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    assert main(["send", "--to", "+1555", "-"]) == 0
    assert fake.asked[0][3]["body"] == "one\ntwo"


def test_a_time_to_send_at(fake: Fake, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    fake.answers["/send/myorg"] = [(200, accepted(5))]
    assert main(["send", "--to", "+1555", "hi", "--send-at", "2031-05-04T09:30"]) == 0
    monkeypatch.undo()
    time.tzset()
    assert fake.asked[0][3]["send_at"] == "2031-05-04T09:30:00+02:00"
    assert "To be sent at 2031-05-04 09:30:00 +02:00." in capsys.readouterr().err


def test_what_is_no_time_is_not_sent(fake: Fake, capsys: Output) -> None:
    assert main(["send", "--to", "+1555", "hi", "--send-at", "tomorrow"]) == 2
    assert "'tomorrow' is no time such as 20" in capsys.readouterr().err
    assert fake.asked == []


@pytest.mark.parametrize("online", [True, False])
def test_what_waits_for_approval_is_said_to(fake: Fake, capsys: Output, online: bool) -> None:  # noqa: FBT001 - a case
    held = accepted(5, 6, status="queued")
    held["device_online"] = online
    for result in held["results"]:
        result["waiting_for"] = "approval"
    one = {**held, "results": held["results"][:1]}
    fake.answers["/send/myorg"] = [(200, one), (200, held)]
    assert main(["send", "--to", "+1555", "hi"]) == 0
    told = capsys.readouterr().err
    assert told == "It waits for a person's approval: phonegate messages approve 5.\n"
    assert main(["send", "--to", "+1555", "--to", "+1556", "hi"]) == 0
    told = capsys.readouterr().err
    assert told.startswith("2 messages wait for a person's approval")
    assert "No phone" not in told


KEY = "pgk_aaaaaaaa_" + "b" * 32


@pytest.mark.parametrize("variable", ["PHONEGATE_KEY", "PHONEGATE_SECRET"])
def test_a_key_in_either_variable_needs_no_org(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("PHONEGATE_ORG", "PHONEGATE_SECRET"):
        monkeypatch.delenv(name)
    monkeypatch.setenv(variable, KEY)
    fake.answers["/me"] = [(502, b""), (200, {"ok": True, "org_id": "third"})]
    fake.answers["/send/third"] = [(200, accepted(5))]
    assert main(["send", "--to", "+1555", "hello"]) == 0
    assert [asked[1] for asked in fake.asked] == ["/me", "/me", "/send/third"]
    assert {asked[2]["X-Secret-Key"] for asked in fake.asked} == {KEY}


def test_a_secret_in_either_variable(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers["/sims/myorg"] = [(200, {"online_devices": 0, "live_sims": [], "known_sims": []})]
    monkeypatch.setenv("PHONEGATE_KEY", "")
    assert main(["sims"]) == 0
    monkeypatch.setenv("PHONEGATE_KEY", "another-secret-key")
    monkeypatch.delenv("PHONEGATE_SECRET")
    assert main(["sims"]) == 0
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    assert main(["sims"]) == 0
    secrets = [asked[2]["X-Secret-Key"] for asked in fake.asked]
    assert secrets == ["my-secret-key-123", "another-secret-key", "another-secret-key"]


def test_a_certificate_of_ones_own(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    gateway = Fake(context)
    gateway.answers["/sims/o-g"] = [(200, {"online_devices": 0, "live_sims": [], "known_sims": []})]
    words = ["sims", "--org", "o-g", "--url", gateway.url]
    with gateway.serving():
        # On loopback too. It is no use to try that again.
        assert main(words) == 1
        assert main(["send", "--to", "+1555", "hello", *words[1:]]) == 1
        told = capsys.readouterr().err
        assert told.count("The certificate of 127.0.0.1:") == 2
        assert "No gateway answers" not in told
        assert "Trying again" not in told
        assert main([*words, "--cacert", "ca.pem"]) == 0
        monkeypatch.setenv("SSL_CERT_FILE", "ca.pem")
        assert main(words) == 0
        assert main([*words, "--cacert", "none.pem"]) == 1
        assert "none.pem can't be used as --cacert: No such file" in capsys.readouterr().err
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.setenv("PHONEGATE_CACERT", "ca.pem")
        assert main(words) == 0
    with Fake().serving() as plain_gateway:
        url = plain_gateway.url.replace("http", "https")
        assert main(["sims", "--org", "o-g", "--url", url]) == 1
        assert "speaks no TLS. Is its address http://" in capsys.readouterr().err


def test_messages_are_shown_without_their_escape_sequences(fake: Fake, capsys: Output) -> None:
    fake.answers["/messages/myorg"] = [(200, {"messages": [message(1), message(2)]})]
    words = ["--since", "0", "--limit", "5", "--direction", "in", "--search", "hello"]
    assert main(["messages", *words, "--key", "k3v9"]) == 0
    path = fake.asked[0][1]
    assert {"since_id=0", "limit=5", "direction=in", "q=hello", "key=k3v9"} == set(
        path.split("?")[1].split("&")
    )
    output = capsys.readouterr().out
    assert "\x1b" not in output
    assert len(output.splitlines()) == 2
    assert main(["messages", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[1])["id"] == 2


def test_messages_that_wait_for_approval_are_decided(
    fake: Fake, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = message(7, direction="out", status="queued", waiting_for="approval")
    fake.answers["/messages/myorg"] = [(200, {"messages": [waiting]})]
    assert main(["messages", "--held"]) == 0
    assert "waiting_for=approval" in fake.asked[0][1]
    assert "waits for a person's approval" in capsys.readouterr().out
    for decision in ("approve", "refuse"):
        path = f"/messages/myorg/id/7/{decision}"
        fake.answers[path] = [(200, {"ok": True, "message": {**waiting, "waiting_for": None}})]
        assert main(["messages", decision, "7"]) == 0
        assert fake.asked[-1][:2] == ("POST", path)
        assert fake.asked[-1][2]["X-Secret-Key"] == "my-secret-key-123"
        assert capsys.readouterr().out.split()[0] == "7"
    gone = {"ok": False, "detail": "Message 7 is expired already.", "code": "conflict"}
    fake.answers[path] = [(409, gone)]
    assert main(["messages", "refuse", "7"]) == 1
    assert "expired already" in capsys.readouterr().err
    # The org may stand before the command's name as well as after it.
    monkeypatch.delenv("PHONEGATE_ORG")
    fake.answers["/messages/third/id/7/approve"] = [(200, {"ok": True, "message": waiting})]
    assert main(["messages", "--org", "third", "approve", "7"]) == 0
    assert main(["messages", "approve", "7", "--org", "third"]) == 0
    assert main(["messages", "approve", "7"]) == 2
    assert "--org" in capsys.readouterr().err
    assert main(["messages"]) == 2
    assert "--org" in capsys.readouterr().err
    assert main(["messages", "approve", "0", "--org", "third"]) == 2


def test_what_is_said_before_a_command_counts_for_more_than_the_environment(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHONEGATE_ORG", "other")
    monkeypatch.setenv("PHONEGATE_URL", "http://127.0.0.1:1")
    for org, words in (
        ("third", ["--org", "third", "approve", "7"]),
        ("fourth", ["--org", "third", "approve", "7", "--org", "fourth"]),
        ("other", ["approve", "7"]),
    ):
        said = message(7, direction="out")
        fake.answers[f"/messages/{org}/id/7/approve"] = [(200, {"ok": True, "message": said})]
        assert main(["messages", "--url", fake.url, *words]) == 0


def test_a_question_has_no_full_stop_behind_it(capsys: Output) -> None:
    words = ["--url", "http://127.0.0.1:9", "--org", "myorg"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
        patch.setattr(time, "sleep", lambda _: None)
        assert main(["send", "--to", "+1555", "hi", *words]) == 1
    assert "--url right? Trying again.\n" in capsys.readouterr().err


def test_sims(fake: Fake, capsys: Output) -> None:
    gone = {"slot": 1, "number": None, "carrier": None}
    answer = {"online_devices": 1, "live_sims": [SIM], "known_sims": [SIM, gone]}
    fake.answers["/sims/myorg"] = [(200, answer)]
    assert main(["sims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Phones online: 1"
    assert lines[2].split() == ["0", "+15551112222", "AT&T", "yes"]
    assert lines[3].split() == ["1", "-", "-"]
    assert main(["sims", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answer


@pytest.mark.parametrize(
    ("status", "content", "sentence"),
    [
        (401, {"detail": "Unknown org or wrong secret."}, "Check PHONEGATE_ORG"),
        (404, {"detail": "No SIM 7."}, "No SIM 7."),
        (
            404,
            {
                "detail": "No SIM 3 in this org. Known SIMs: +1555, 0",
                "errors": [{"field": "sim", "problem": "is none of the org's SIMs: +1555, 0"}],
            },
            "phonegate: No SIM 3 in this org. Known SIMs: +1555, 0\n",
        ),
        (
            400,
            {"detail": "Wrong.", "errors": [{"field": "to", "problem": "is no number"}]},
            "Wrong.\n  to: is no number\n",
        ),
        (
            400,
            {"detail": "to is no number.", "errors": [{"field": "to", "problem": "is no number"}]},
            "phonegate: to is no number.\n",
        ),
        (
            400,
            {
                "detail": "to is no number. (3 more in errors.)",
                "errors": [
                    {"field": "to", "problem": "is no number"},
                    {"field": "ttl", "problem": "is no time"},
                ],
            },
            "phonegate: to is no number.\n  ttl: is no time\n  and 2 more\n",
        ),
        (301, b"moved", "redirects to https://elsewhere.example.org/"),
        (502, b"<html>Bad Gateway</html>", "HTTP 502 without JSON"),
        (200, b"[]", "without JSON"),
    ],
)
def test_refusals_are_sentences(
    fake: Fake, capsys: Output, status: int, content: Any, sentence: str
) -> None:
    fake.answers["/sims/myorg"] = [(status, content)]
    assert main(["sims"]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert "my-secret-key-123" not in error
    assert "Traceback" not in error


def test_nobody_there_or_no_address(
    capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHONEGATE_SECRET", "my-secret-key-123")
    assert main(["sims", "--org", "myorg", "--url", "http://127.0.0.1:9"]) == 1
    assert "Is it running (phonegate serve)" in capsys.readouterr().err
    for url in ("sms.example.org", "ftp://x", "http://[::1", "http://"):
        assert main(["sims", "--org", "myorg", "--url", url]) == 1
        assert "is no gateway address" in capsys.readouterr().err
    monkeypatch.delenv("PHONEGATE_SECRET")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["sims", "--org", "myorg"]) == 1
    assert "Set PHONEGATE_KEY to an API key, or PHONEGATE_SECRET" in capsys.readouterr().err
