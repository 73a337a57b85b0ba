"""Jasmin, Kannel, playSMS and SMSEagle by curl, to a phone and back by delivery reports."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import attrs
import httpx
import pytest

from kit.gateway import GatewayProcess
from kit.receiver import Receiver, receiving
from kit.simulated_phone import SimulatedPhone
from tests.patience import PATIENCE_S

ORG, SECRET = "old-clients", "a-secret-of-this-test"
SIM, FRIEND, OTHER = "+15551112222", "+15553334444", "+15559990000"
TEXT = "Grüße ☺ Привет"


@attrs.frozen
class Site:
    """A gateway with a phone, a key that can only send, and a receiver of reports."""

    url: str
    key: str
    receiver: Receiver

    def curl(self, path: str, *words: str) -> str:
        """Returns what curl prints of an answer: its body, and its status in a line of its own."""
        done = subprocess.run(
            ["curl", "-sS", "-w", "\n%{http_code}\n", f"{self.url}{path}", *words],
            capture_output=True,
            check=True,
            text=True,
            timeout=PATIENCE_S,
        )
        return done.stdout.removesuffix("\n")

    def messages(self) -> list[dict[str, str]]:
        reply = httpx.get(
            f"{self.url}/messages/{ORG}?direction=out", headers={"X-Secret-Key": SECRET}
        )
        found: list[dict[str, str]] = reply.raise_for_status().json()["messages"]
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("old")
    settings = {"WEBHOOKS_ALLOW": "127.0.0.0/8", "PACING_SEGMENTS_PER_MINUTE": 0}
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving(answer=b"ACK/Jasmin"))
        gateway = stack.enter_context(GatewayProcess(folder / "phonegate.db", settings=settings))
        headers = {"X-Secret-Key": SECRET}
        body = {"org_id": ORG, "secret_key": SECRET, "messages": [{"address": OTHER, "body": "x"}]}
        httpx.post(f"{gateway.url}/webhook", json=body).raise_for_status()
        made = httpx.post(
            f"{gateway.url}/keys/{ORG}", json={"name": "a", "scopes": ["send"]}, headers=headers
        )
        stack.enter_context(
            SimulatedPhone(
                folder,
                gateway.url,
                "--delivery-reports",
                org=ORG,
                secret=SECRET,
                name="pixel",
                number=SIM,
            )
        )

        def is_online() -> bool:
            reply = httpx.get(f"{gateway.url}/sims/{ORG}", headers=headers)
            return bool(reply.json()["online_devices"])

        until(is_online)
        yield Site(gateway.url, made.raise_for_status().json()["key"], receiver)


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def get(**parameters: str) -> list[str]:
    """Returns curl's words for a GET with a query."""
    pairs = [f"{name.replace('_', '-').rstrip('-')}={value}" for name, value in parameters.items()]
    return ["--get", *(word for pair in pairs for word in ("--data-urlencode", pair))]


def test_kannel_to_the_phone_and_back(site: Site) -> None:
    before = len(site.receiver.taken)
    url = f"{site.receiver.url}/c/kn/status?uuid=0191&status=%d"
    parameters = {"username": "x", "password": site.key, "to": FRIEND, "from_": SIM}
    out = site.curl(
        "/cgi-bin/sendsms",
        *get(**parameters, text=TEXT, coding="2", charset="utf8", dlr_mask="27", dlr_url=url),
    )
    assert out == "0: Accepted for delivery\n202"
    until(lambda: len(site.receiver.taken) >= before + 2)
    reports = [dict(parse_qsl(urlsplit(one.path).query)) for one in site.receiver.taken[before:]]
    assert [one["status"] for one in reports] == ["8", "1"], "taken by the carrier, delivered"
    assert {one["uuid"] for one in reports} == {"0191"}
    assert site.messages()[-1]["body"] == TEXT


def test_kannel_takes_bytes_that_are_no_utf_8(site: Site) -> None:
    raw = "".join(f"%{byte:02X}" for byte in TEXT.encode("utf-16-be"))
    query = f"username=x&password={site.key}&to=%2B15553334444&coding=2&text={raw}"
    assert site.curl(f"/cgi-bin/sendsms?{query}").endswith("\n202")
    assert site.messages()[-1]["body"] == TEXT


def test_jasmin_to_the_phone_and_back(site: Site) -> None:
    before = len(site.receiver.taken)
    out = site.curl(
        "/send",
        *get(
            username="x",
            password=site.key,
            to=FRIEND,
            from_="15551112222",
            coding="8",
            hex_content=TEXT.encode().hex(),
            dlr="yes",
            dlr_url=f"{site.receiver.url}/c/js/status",
            dlr_level="2",
            dlr_method="POST",
        ),
    )
    answer, status = out.split("\n")
    assert status == "200"
    assert answer == f'Success "{site.messages()[-1]["id"]}"'
    until(lambda: len(site.receiver.taken) > before)
    report = dict(parse_qsl(site.receiver.taken[before].body.decode()))
    assert (report["id"], report["message_status"]) == (answer.split('"')[1], "DELIVRD")
    assert site.messages()[-1]["body"] == TEXT


def test_playsms_and_smseagle_by_get(site: Site) -> None:
    out = site.curl(
        f"/playsms?app=ws&op=pv&u=x&h={site.key}&to=%2B15553334444,%2B15559990000&msg=a+b"
    )
    assert out.endswith("\n200")
    assert [one["address"] for one in site.messages()[-2:]] == [FRIEND, OTHER]
    out = site.curl(
        "/http_api/send_sms", *get(to=FRIEND, message=TEXT), "-d", f"access_token={site.key}"
    )
    assert out.startswith("OK; ID=")
    assert site.messages()[-1]["body"] == TEXT


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/http_api/send_sms?access_token=pgk_wrong", "Invalid access token\n401"),
        (
            "/send?username=rp&password=wrong",
            'Error "Authentication failure for username:rp"',
        ),
        ("/cgi-bin/sendsms?username=a&password=b", "Authorization failed for sendsms\n403"),
        ("/playsms?app=ws&op=pv&u=a&h=b", '{"status": "ERR", "error": "100"'),
        ("/ping", "Jasmin/PONG\n200"),
        ("/secure/nothing", 'Error "There is nothing at this address.'),
    ],
)
def test_strangers_are_refused_in_the_words_of_each(site: Site, path: str, words: str) -> None:
    assert site.curl(path).startswith(words)


def test_one_connection_serves_all_of_them(site: Site) -> None:
    """Each ends where it should: a wrong length would spoil the next answer."""
    paths = [
        f"/http_api/send_sms?access_token={site.key}&to=%2B15553334444&message=x&test=1",
        f"/rate?username=x&password={site.key}&to=15553334444&content=x",
        f"/cgi-bin/sendsms?username=x&password={site.key}&to=abc&text=x",
        f"/playsms?app=ws&op=cr&u=x&h={site.key}",
    ]
    out = site.curl(paths[0], *(word for path in paths[1:] for word in (f"{site.url}{path}",)))
    assert [line for line in out.split("\n") if line in {"200", "400"}] == [
        "200",
        "200",
        "400",
        "200",
    ]
