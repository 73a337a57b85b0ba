"""Apps that only forward: each template, filled as its app fills it, over a real socket."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from kit.gateway import GatewayProcess
from phonegate.pages.forwarding_apps import APPS, ForwardingApp, Paste

SECRET = "my-secret-key-123"
ORG = "myorg"
FROM = "+15551112222"
AT = 1_700_000_000_123
TEXTS = (
    "hello",
    'He said "yes", C:\\temp\\new, \\u0041 and \\"',
    "two\nlines\r\nand a\ttab",
    "emoji 🎉👩‍👩‍👧, ü, 漢字, \u2028 and \N{ZERO WIDTH JOINER}",
    "Tom & Jerry; a=b&body=c&from=%2B666 100% +1 %20 &amp; #x",
    '{"messages":[{"address":"+666","body":"forged"}]}',
    '","from":"+666","x":"',
    "%text% [org_content] {sms_message} $key ${url} {from}",
    "[Bank] Your code is 123456",
    " spaces ",
)


@attrs.frozen
class Sms:
    text: str
    sender: str = FROM
    at: int = AT
    sim: int = 1
    """From 1, as apps count."""


@attrs.frozen
class Sent:
    """The request of an app."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def pasted(app: ForwardingApp) -> dict[str, str]:
    return {paste.field: paste.text for paste in app.pastes}


def escaped(text: str, *, ascii_only: bool) -> str:
    return json.dumps(text, ensure_ascii=ascii_only)[1:-1].replace("/", "\\/")


def put_in(template: str, values: Mapping[str, str]) -> str:
    """Fills a template once: what is put in is not looked at again."""
    names = "|".join(re.escape(name) for name in values)
    return re.sub(names, lambda found: values[found[0]], template)


def income_webhook(app: ForwardingApp, sms: Sms) -> Sent:
    # The text is escaped whole, the sender not at all. A template must parse before it is filled.
    fields = pasted(app)
    json.loads(fields["JSON template"])
    body = put_in(
        fields["JSON template"],
        {
            "%from%": sms.sender,
            "%text%": escaped(sms.text, ascii_only=True),
            "%receivedStamp%": str(sms.at),
            "%sentStamp%": str(sms.at - 1_000),
            "%sim%": f"sim{sms.sim}" if sms.sim else "undetected",
        },
    )
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Sent(fields["URL"], headers | json.loads(fields["JSON headers"]), body.encode())


def sms_forwarder(app: ForwardingApp, sms: Sms) -> Sent:
    fields = pasted(app)
    assert fields["Request body"].startswith("{")
    body = put_in(
        fields["Request body"],
        {
            "[from]": sms.sender,
            "[org_content]": escaped(sms.text, ascii_only=False),
            "[card_slot]": f"SIM{sms.sim}_AT&T",
            "[receive_time:yyyyMMddHHmmssSSS]": f"20231114221320{sms.at % 1000:03}",
        },
    )
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "X-Secret-Key": fields["Header X-Secret-Key"],
    }
    return Sent(f"{fields['URL']}?timestamp={AT + 5}", headers, body.encode())


def tasker(app: ForwardingApp, sms: Sms) -> Sent:
    fields = pasted(app)
    values = {"%SMSRF": sms.sender, "%SMSRB": sms.text, "%TIMEMS": str(sms.at)}
    lines = put_in(fields["Headers"], values).splitlines()
    headers = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return Sent(fields["URL"], headers, put_in(fields["Body"], values).encode())


def macrodroid(app: ForwardingApp, sms: Sms) -> Sent:
    fields = pasted(app)
    values = {"{sms_number}": sms.sender, "{sms_message}": sms.text}
    headers = {
        name.removeprefix("Header "): put_in(text, values)
        for name, text in fields.items()
        if name.startswith("Header ")
    }
    body = put_in(fields["Content body"], values)
    return Sent(fields["URL"], {"Content-Type": "text/plain", **headers}, body.encode())


def automate(app: ForwardingApp, sms: Sms) -> Sent:
    # Expressions: jsonEncode escapes what variables hold, and times are seconds.
    fields = pasted(app)
    inner = re.fullmatch(r"jsonEncode\((.*)\)", fields["Request content"])
    assert inner is not None
    variables: dict[str, Any] = {"from": sms.sender, "text": sms.text, "sent": sms.at / 1000}
    body = {
        name: json.loads(value) if value.startswith('"') else variables[value]
        for name, value in re.findall(r'"(\w+)": ("[^"]*"|\w+)', inner[1])
    }
    headers = {"Content-Type": "application/json", **json.loads(fields["Request headers"])}
    return Sent(fields["URL"], headers, json.dumps(body).encode())


def ios_shortcuts(app: ForwardingApp, sms: Sms) -> Sent:
    fields = pasted(app)
    body = {
        "from": sms.sender,
        "text": sms.text,
        "device_id": fields["Text field device_id"],
    }
    headers = {
        "Content-Type": "application/json",
        "X-Secret-Key": fields["Header X-Secret-Key"],
    }
    return Sent(fields["URL"], headers, json.dumps(body, ensure_ascii=False).encode())


FILLED: Mapping[str, Callable[[ForwardingApp, Sms], Sent]] = {
    "income-webhook": income_webhook,
    "smsforwarder": sms_forwarder,
    "tasker": tasker,
    "macrodroid": macrodroid,
    "automate": automate,
    "ios-shortcuts": ios_shortcuts,
}
"""How each app fills its templates, as its source or its documentation says."""

WITH_SIM = {"income-webhook", "smsforwarder"}


@attrs.frozen
class Site:
    client: httpx.Client
    url: str
    key: str

    def app(self, slug: str) -> ForwardingApp:
        (found,) = [app for app in APPS if app.slug == slug]
        return found.filled(url=self.url, key=self.key, phone=slug)

    def push(self, slug: str, sms: Sms) -> dict[str, Any]:
        sent = FILLED[slug](self.app(slug), sms)
        reply = self.client.post(sent.url, headers=dict(sent.headers), content=sent.body)
        assert reply.status_code == 200, reply.text
        return dict(reply.json())

    def newest(self, count: int) -> list[dict[str, Any]]:
        headers = {"X-Secret-Key": SECRET}
        reply = self.client.get(f"{self.url}/messages/{ORG}?limit={count}", headers=headers)
        return list(reply.json()["messages"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    path: Path = tmp_path_factory.mktemp("gateway") / "phonegate.db"
    with GatewayProcess(path) as gateway, httpx.Client() as client:
        first = {"org_id": ORG, "messages": [{"address": "a", "body": "b"}]}
        headers = {"X-Secret-Key": SECRET}
        client.post(f"{gateway.url}/webhook", headers=headers, json=first).raise_for_status()
        body = {"name": "phone", "scopes": ["phone"]}
        made = client.post(f"{gateway.url}/keys/{ORG}", headers=headers, json=body)
        yield Site(client, gateway.url, made.json()["key"])


def test_there_is_a_way_of_filling_for_each_app() -> None:
    assert [app.slug for app in APPS] == list(FILLED)


@pytest.mark.parametrize("slug", FILLED)
def test_what_an_app_forwards_is_stored_intact(site: Site, slug: str) -> None:
    for number, text in enumerate(TEXTS):
        assert site.push(slug, Sms(text, at=AT + number))["stored"] == 1
    kept = site.newest(len(TEXTS))
    assert [one["body"] for one in kept] == list(TEXTS)
    assert {one["address"] for one in kept} == {FROM}
    assert {one["sim_slot"] for one in kept} == {0 if slug in WITH_SIM else None}


@pytest.mark.parametrize("slug", FILLED)
def test_a_repeat_is_recognised_where_the_app_says_when_or_which(site: Site, slug: str) -> None:
    known = site.app(slug).knows_repeats
    sms = Sms("once", at=AT + 500)
    assert site.push(slug, sms)["stored"] == 1
    later = sms if known else attrs.evolve(sms, at=sms.at + 1)
    assert site.push(slug, later).get("duplicates", 0) == (1 if known else 0)
    # Another SMS with the same text is another.
    assert site.push(slug, attrs.evolve(sms, at=sms.at + 100))["stored"] == 1


@pytest.mark.parametrize("sender", ["H&M", "AT&T 50%", "12345", ""])
@pytest.mark.parametrize("slug", FILLED)
def test_senders_may_be_names(site: Site, slug: str, sender: str) -> None:
    site.push(slug, Sms("from a name", sender=sender))
    assert site.newest(1)[0]["address"] == sender


def test_values_are_escaped_where_they_stand_in_json() -> None:
    paste = Paste(field="x", text='{"a":"$phone"}', is_json=True)
    name = 'my "phone" \\ ü'
    assert json.loads(paste.filled(url="", key="", phone=name).text) == {"a": name}
    plain = attrs.evolve(paste, text="$phone $url $key", is_json=False)
    assert plain.filled(url="u", key="k", phone=name).text == f"{name} u k"
