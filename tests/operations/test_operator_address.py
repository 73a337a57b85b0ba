"""`/metrics`, `/ready` and `phonegate status`, asked of a gateway that runs."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from kit.gateway import GatewayProcess
from kit.receiver import Receiver, receiving
from phonegate.operations.notices.heartbeat import EVERY_S
from tests.patience import PATIENCE_S

TOKEN = "a-token-of-the-operator-1"
SECRET = "my-secret-key-123"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
UNHEARD = "+15559990000"


@pytest.fixture(scope="module")
def switch() -> Iterator[Receiver]:
    """What the gateways call while all is well."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, switch: Receiver) -> Iterator[GatewayProcess]:
    """One that answers at its only address, to whoever shows the token."""
    settings = {
        "OPERATOR_TOKEN": TOKEN,
        "ALARMS_DISK_LOW_BYTES": 1 << 50,
        "ALARMS_HEARTBEAT_URL": f"{switch.url}/public",
    }
    with GatewayProcess(tmp_path_factory.mktemp("p") / "phonegate.db", settings=settings) as one:
        yield one


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, switch: Receiver) -> Iterator[GatewayProcess]:
    """One with an address for its operator."""
    settings = {
        "OPERATOR_BIND": "127.0.0.1:0",
        "ALARMS_HEARTBEAT_URL": f"{switch.url}/private",
    }
    with GatewayProcess(tmp_path_factory.mktemp("p") / "phonegate.db", settings=settings) as one:
        push(one)
        yield one


def push(gateway: GatewayProcess, body: str = "a secret text") -> None:
    message = {"address": UNHEARD, "body": body, "date": 1, "id": "1"}
    body_ = {"org_id": "myorg", "secret_key": SECRET, "messages": [message]}
    assert httpx.post(f"{gateway.url}/webhook", json=body_).status_code == 200


def operator_url(gateway: GatewayProcess) -> str:
    (port,) = (e["port"] for e in gateway.events() if e["event"] == "operator_listening")
    return f"http://127.0.0.1:{port}"


def metrics(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (one.name, tuple(one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def status(database: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "phonegate", "status", "--database", str(database), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)


def test_an_address_of_its_own_answers_there_and_nowhere_else(private: GatewayProcess) -> None:
    own = operator_url(private)
    for path in ("/metrics", "/ready"):
        assert httpx.get(f"{own}{path}").status_code == 200
        refused = httpx.get(f"{private.url}{path}", headers=SHOWN)
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert httpx.post(f"{own}{path}").json()["code"] == "method_not_allowed"
    assert httpx.get(f"{own}/messages/myorg", headers={"X-Secret-Key": SECRET}).status_code == 404
    assert httpx.get(f"{own}/ready").json() == {"ok": True}


def test_metrics_follow_what_happens(private: GatewayProcess) -> None:
    own = operator_url(private)
    before = metrics(httpx.get(f"{own}/metrics").text)
    push(private)  # again: a repeat
    headers = {"X-Secret-Key": SECRET}
    body = {"to": "+15553334444", "body": "hi", "sim": "+15551110000"}
    url = f"ws://127.0.0.1:{private.port}/websocket?org_id=myorg&secret_key={SECRET}&device_id=p1"
    with connect(url) as phone:
        phone.recv()
        phone.send('{"type":"sims","sims":[{"slot":0,"number":"+15551110000"}]}')
        phone.send('{"type":"ping"}')
        assert json.loads(phone.recv())["type"] == "pong"
        assert httpx.post(f"{private.url}/send/myorg", json=body, headers=headers).is_success
        frame = json.loads(phone.recv())
        during = metrics(httpx.get(f"{own}/metrics").text)
        phone.send(json.dumps({"type": "send_result", "id": frame["id"], "success": True}))
        phone.send('{"type":"ping"}')
        assert json.loads(phone.recv())["type"] == "pong"
    assert httpx.get(f"{private.url}/messages/myorg/wrong-secret-000").status_code == 401
    after = metrics(httpx.get(f"{own}/metrics").text)

    def grew(name: str, *labels: str) -> float:
        return after[name, labels] - before.get((name, labels), 0)

    for event in ("duplicate", "accepted", "pushed", "sent"):
        assert grew("phonegate_message_events_total", event) == 1, event
    for event in ("received", "failed", "uncertain", "deleted"):
        assert grew("phonegate_message_events_total", event) == 0, event
    assert during["phonegate_phones_online", ()] == 1
    assert during["phonegate_queue_messages", ("result",)] == 1
    assert grew("phonegate_http_requests_total", "POST", "/send/{org}", "200") == 1
    assert grew("phonegate_http_requests_total", "GET", "/messages/{org}", "401") == 1
    assert grew("phonegate_http_request_seconds_count", "POST", "/send/{org}") == 1
    assert grew("phonegate_commit_seconds_count") >= 3


def test_nothing_private_is_a_metric(private: GatewayProcess) -> None:
    push(private)
    httpx.get(f"{private.url}/messages/{'a-path-of-nobody'}/{SECRET}")
    httpx.get(f"{private.url}/no/such/{SECRET}")
    httpx.request("BREW", f"{private.url}/messages/myorg")
    text = httpx.get(f"{operator_url(private)}/metrics").text
    for private_text in ("myorg", SECRET, UNHEARD, "a secret text", "nobody", "such", "BREW"):
        assert private_text not in text
    assert 'path="other"' in text


def test_the_token_is_what_the_main_address_asks_for(public: GatewayProcess) -> None:
    for path, answer in (("/metrics", 200), ("/ready", 503)):
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            refused = httpx.get(f"{public.url}{path}", headers=headers)
            assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
            assert TOKEN not in refused.text
        assert httpx.get(f"{public.url}{path}", headers=SHOWN).status_code == answer
    assert TOKEN not in "\n".join(public.log)
    assert not [event for event in public.events() if event["event"] == "operator_listening"]


def test_a_disk_below_the_mark_is_a_reason_not_to_be_ready(public: GatewayProcess) -> None:
    answer = httpx.get(f"{public.url}/ready", headers=SHOWN)
    assert answer.status_code == 503
    told: dict[str, Any] = answer.json()
    assert (told["ok"], told["code"]) == (False, "not_ready")
    assert [reason["code"] for reason in told["reasons"]] == ["disk_low"]
    # The watchman sees it with its first look.
    until(lambda: bool(alarms(public)), PATIENCE_S)
    assert alarms(public) == ["disk_low"]


def alarms(gateway: GatewayProcess) -> list[str]:
    """The alarms of its log."""
    return [event["alarm"] for event in gateway.events() if event["event"] == "alarm"]


def until(check: Callable[[], bool], patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_status_tells_the_owner(private: GatewayProcess, tmp_path: Path) -> None:
    database = Path(f"/proc/{private.process.pid}/cwd").readlink() / "phonegate.db"
    done = status(database, "--json", "--phones")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pid"] == private.process.pid
    assert told["messages"]["received"] == 1
    assert told["phones"] == {}
    assert told["storage"]["database_bytes"] > 0
    shown = status(database)
    assert shown.returncode == 0
    assert [line.split()[0] for line in shown.stdout.splitlines()] == [
        "phonegate",
        "phones",
        "queue",
        "lately",
        "storage",
        "alarms",
    ]
    nobody = status(tmp_path / "phonegate.db")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert "No gateway is serving" in nobody.stderr
    assert "Start it with `phonegate serve`" in nobody.stderr


def test_a_gateway_that_is_well_calls_the_switch_and_one_with_an_alarm_does_not(
    public: GatewayProcess, private: GatewayProcess, switch: Receiver
) -> None:
    # The clock of both began at their start.
    until(
        lambda: bool(switch.taken) and any("heartbeat_url_paused" in line for line in public.log),
        # Of two calls, the first of which may fail on a busy machine.
        EVERY_S + PATIENCE_S,
    )
    (line,) = (one for one in public.events() if one["event"] == "heartbeat_url_paused")
    assert line["reason"] == "disk_low"
    assert {(one.method, one.path) for one in switch.taken} == {("GET", "/private")}
