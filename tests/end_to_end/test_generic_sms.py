"""`/sms` over real sockets, with clients that we did not write: curl, Apprise, axios."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import attrs
import httpx
import pytest

from kit.gateway import GatewayProcess
from tests.end_to_end.programs import axios_folder
from tests.patience import PATIENCE_S

ORG, SECRET = "myorg", "a-secret-of-its-own-1"
TOKEN = "operator-token-of-the-test"
TO = "+15553334444"
TEXT = 'Host "db-1" is down & out: 100 % ü 🎉'


@attrs.frozen
class Site:
    """A gateway with an org, and two API keys of it: one that may only send, one that may all."""

    gateway: GatewayProcess
    key: str
    wide: str

    def sent(self) -> list[tuple[str, str]]:
        """All that was sent so far, forgotten by the next call."""
        headers = {"X-Secret-Key": SECRET}
        url = f"{self.gateway.url}/messages/{ORG}"
        found = httpx.get(f"{url}?direction=out&limit=1000", headers=headers).json()["messages"]
        new = found[self._seen[0] :]
        self._seen[0] = len(found)
        return [(one["address"], one["body"]) for one in new]

    _seen: list[int] = attrs.field(factory=lambda: [0])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = tmp_path_factory.mktemp("generic") / "phonegate.db"
    with GatewayProcess(database, settings={"OPERATOR_TOKEN": TOKEN}) as gateway:
        headers = {"X-Secret-Key": SECRET}
        push = {"org_id": ORG, "messages": [{"address": TO, "body": "x"}]}
        httpx.post(f"{gateway.url}/webhook", json=push, headers=headers).raise_for_status()

        def key(*scopes: str) -> str:
            url, body = f"{gateway.url}/keys/{ORG}", {"name": "app", "scopes": list(scopes)}
            return str(httpx.post(url, json=body, headers=headers).json()["key"])

        yield Site(gateway, key("send"), key("send", "read", "manage"))


def curl(*words: str) -> tuple[int, str]:
    """Runs curl; the status and the body of the answer."""
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "60", "-w", "\n%{http_code}", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), body


def test_curl_sends_in_every_form(site: Site) -> None:
    url = f"{site.gateway.url}/sms"
    basic = ("-u", f"{ORG}:{SECRET}")
    fields = {"to": TO, "message": TEXT}
    as_json = json.dumps(fields)
    encoded = [w for n, v in fields.items() for w in ("--data-urlencode", f"{n}={v}")]
    parts = [w for n, v in fields.items() for w in ("--form-string", f"{n}={v}")]
    ways = (
        ("-G", url, "-H", f"X-API-Key: {site.key}", *encoded),
        (url, *basic, *encoded),
        (url, *basic, *parts),
        (url, *basic, "-d", as_json),
        (url, *basic, "-H", "Content-Type: application/json", "-d", as_json),
        (url, *basic, "-H", "Content-Type: text/plain", "--data-binary", as_json),
        (f"{url}?to={TO}", *basic, "-H", "Content-Type: text/plain", "--data-binary", TEXT),
        (url, *basic, "-H", "Transfer-Encoding: chunked", "-d", as_json),
        (f"{url}?key={site.key}&to={TO}&text={quote(TEXT)}",),
    )
    for way in ways:
        status, body = curl(*way)
        assert (status, json.loads(body)["status"]) == (200, "queued"), (way, body)
        assert site.sent() == [(TO, TEXT)], way
    status, body = curl(f"{url}?responsetype=text", *basic, "-d", as_json)
    assert body.startswith("OK; ID=")
    site.sent()


def test_a_head_and_a_wide_key_send_nothing_by_a_link(site: Site) -> None:
    link = f"{site.gateway.url}/sms?to={TO}&text=x&key="
    assert httpx.head(link + site.key).status_code == 405
    for key in (site.wide, SECRET, "pgk_wrong"):
        assert httpx.get(link + key).status_code in (401, 403)
    assert httpx.get(link + site.key, headers={"Sec-Purpose": "prefetch"}).status_code == 403
    assert site.sent() == []


# --- Apprise


def notify(url: str, *words: str) -> bool:
    """Has Apprise's own command notify a URL. Tells whether it says that it did."""
    program = "import sys; from apprise.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, "-b", TEXT, *words, url],
        capture_output=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return done.returncode == 0


@pytest.mark.parametrize(
    "url",
    [
        "json://{org}:{secret}@{host}/sms?:to=%2B15553334444",
        "json://{host}/sms?+X-API-Key={key}&:to=%2B15553334444&:message=text",
        "form://{org}:{secret}@{host}/sms?:to=%2B15553334444",
        "form://{host}/sms?method=GET&+X-API-Key={key}&:number=%2B15553334444",
    ],
)
def test_apprise_sends(site: Site, url: str) -> None:
    host = f"127.0.0.1:{site.gateway.port}"
    url = url.format(org=ORG, secret=SECRET, host=host, key=site.key)
    assert notify(url, "-t", "Disk")
    assert site.sent() == [(TO, f"Disk\n{TEXT}")]


def test_apprise_hears_of_a_failure(site: Site) -> None:
    host = f"127.0.0.1:{site.gateway.port}"
    assert not notify(f"json://{host}/sms?:to=%2B1555333444")
    assert not notify(f"json://{ORG}:{SECRET}@{host}/sms?:to=x")
    assert site.sent() == []


# --- Uptime Kuma

UPTIME_KUMA = """
const axios = require("axios");
const [url, key, recipients, msg] = JSON.parse(process.argv[2]);
(async () => {
  const config = { headers: { "X-API-Key": key } };
  for (const to of recipients) {
    const result = await axios.post(url + "/api/v1/sms/send", { to, body: msg }, config);
    if (result.data.status === "failed") throw new Error(result.data.message);
  }
  console.log("sent");
})().catch((error) => console.log(`${error.response.status} ${error.response.data.error}`));
"""
"""The calls of its provider `SMSGateway` (server/notification-providers/sms-gateway.js)."""


def kuma(site: Site, key: str, recipients: list[str]) -> str:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    values = json.dumps([site.gateway.url, key, recipients, TEXT])
    done = subprocess.run(
        ["node", "-e", UPTIME_KUMA.replace("process.argv[2]", "process.argv[1]"), values],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
        env={"NODE_PATH": str(axios_folder()), "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )
    return done.stdout.strip()


def test_uptime_kuma_sends(site: Site) -> None:
    assert kuma(site, site.key, [TO, "0015552223333"]) == "sent"
    assert site.sent() == [(TO, TEXT), ("+15552223333", TEXT)]
    assert kuma(site, "pgk_wrong", [TO]).startswith("401 ")
    assert kuma(site, site.key, ["hello"]).startswith("400 ")
    assert site.sent() == []


# --- What is never shown


def raw(port: int, request: str) -> bytes:
    """Sends the bytes of a request as they are; the whole answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as link:
        link.sendall(request.encode())
        answer = b""
        while more := link.recv(65_536):
            answer += more
    return answer


def test_no_secret_number_or_text_reaches_log_or_metrics(site: Site, tmp_path: Path) -> None:
    text, to = "the-text-of-the-message", "+15557654321"
    port = site.gateway.port
    wrong = "pgk_wrong-key-of-the-client"
    for key in (site.key, site.wide, SECRET, wrong):
        for name in ("key", "TOKEN", "access_token", "user=any&pass", "u=any&h", "unknown"):
            query = f"to={quote(to)}&text={text}&{name}={key}"
            for line in (
                f"GET /sms?{query}",
                f"GET /sms?{name}={key}&to={text}&text={to}&ttl={key}",
                f"HEAD /sms?{query}",
                f"DELETE /sms?{query}",
                f"GET /sms/{key}?{query}",
                f"GET /sms/?{query}&x=%ff",
                f"POST /api/v1/sms/send?{query}",
                f"POST /gateway/devices/{key}/send-sms?{query}",
                f"GET http://x/sms?{query}",
            ):
                head = f"{line} HTTP/1.1\r\nHost: gate.lan\r\nConnection: close\r\n"
                answer = raw(port, f"{head}X-API-Key: {key}\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 ")
                shown = answer.decode("latin-1").partition("\r\n\r\n")[2]
                if not shown.startswith('{"ok":true') and '"success":true' not in shown:
                    for private in (key, text, to):
                        assert private not in shown, (line, shown)
    for body in ('{"to":"%s","text":"%s" x"}', '{"%s":"%s"', "to=%s&text=%s&ttl=x", "%s\xff%s"):
        filled = (body % (to, text)).encode("latin-1")
        refused = httpx.post(f"{site.gateway.url}/sms?key={site.key}", content=filled)
        assert refused.status_code == 400
        assert text not in refused.text
    site.sent()
    auth = {"Authorization": f"Bearer {TOKEN}"}
    metrics = httpx.get(f"{site.gateway.url}/metrics", headers=auth).text
    assert 'dialect="generic"' in metrics
    log = "\n".join(site.gateway.log)
    assert log.count('"path": "/sms"') > 20
    for private in (site.key, site.wide, SECRET, wrong, text, to, to[1:], quote(to)):
        assert private not in log
        assert private not in metrics
