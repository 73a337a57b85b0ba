"""The page of a one-time link over the real web: who sees it, what it says, and what it sends."""

import html
import re
import shlex
from pathlib import Path

import attrs
import pytest

from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.table import Table, build_table
from phonegate.config.settings import HttpSettings
from phonegate.domain.dispatch import OnlinePhone
from phonegate.domain.inbox import Received
from phonegate.domain.pairing import LIFETIME_MS, MOST_TESTS, Invitation, Pairing, PairingLink
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.model.phones import Sim
from phonegate.model.states import Cause
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.pages.app import build_whole_app
from phonegate.pages.assets import Assets
from phonegate.pages.endpoints import page_endpoints
from phonegate.pages.forwarding_apps import APPS
from phonegate.pages.pairing import COOKIE
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, SECRET, Reply, Web, build_web
from tests.captured_logs import capture_logs

OWN_NUMBER = "+15551112222"
TEXTS = re.compile(r"<code>(.*?)</code></pre>", re.DOTALL)
HTML = "text/html,application/xhtml+xml"


@attrs.define
class Site:
    """The gateway's web with one link, and a browser that asks there."""

    web: Web
    pairing: Pairing
    made: Invitation
    now: list[int]
    cookie: str = ""

    async def get(self, path: str = "", *, method: str = "GET", **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            named.setdefault("Cookie", self.cookie)
        at = f"/pair/{self.made.token}{path}"
        return await self.web.call(method, at, secret=None, headers={"Accept": HTML, **named})

    async def open(self) -> Reply:
        page = await self.get()
        assert page.status == 200, page.data
        self.cookie = page.headers["set-cookie"].partition(";")[0]
        return page

    async def test(self, number: object = OWN_NUMBER) -> Reply:
        headers = {"Cookie": f"other=1; {self.cookie}"}
        body = {"number": number}
        at = f"/pair/{self.made.token}/test"
        return await self.web.call("POST", at, body, secret=None, headers=headers)

    @property
    def link(self) -> PairingLink:
        return self.pairing.find(self.made.token, self.cookie.partition("=")[2])

    async def report(self, cause: Cause, error: str | None = None) -> None:
        """Has the phone say what became of the test."""
        link = self.link

        def report(tx: Tables) -> None:
            message = tx.messages.find(link.org, link.test or 0)
            assert message is not None
            tx.messages.transition(message, cause, error=error)

        await self.web.database.write(report)

    async def connect(self, hint: str | None = None) -> int:
        org = await self.web.services.accounts.orgs.named(ORG)

        def connect(tx: Tables) -> int:
            row = tx.phones.connect(org.id, "mine", NOW)
            tx.phones.came_by(row.id, "link", self.made.key.id)
            tx.phones.set_hint(row.id, hint)
            return row.id

        phone = await self.web.database.write(connect)
        sims = (Sim(slot=0, number=OWN_NUMBER),)
        online = OnlinePhone(phone=phone, device_id="mine", name=None, sims=sims)
        self.web.phones.phones.append(online)
        return phone


async def build_site(
    database: Database,
    *,
    public_url: str = "",
    limits: RateLimits | None = None,
    url: str = "",
    authority: Path = Path("missing"),
) -> Site:
    web = build_web(database, rate_limits=limits)
    await web.make_org()
    now = [NOW]
    pairing = Pairing(
        database,
        web.services.accounts.orgs,
        web.services.accounts.keys,
        web.services.sending,
        web.phones,
        now_ms=lambda: now[0],
    )
    assets, http = Assets(), HttpSettings()
    pages = page_endpoints(assets, pairing, public_url=public_url, find_authority=lambda: authority)
    table = Table([*build_table().endpoints, *pages])
    pipeline = build_pipeline(web.services, http, table)
    web.app = build_whole_app(web.services, http, pipeline, assets)
    return Site(web, pairing, await pairing.invite(ORG, "<kitchen>", url), now)


@pytest.fixture
async def site(database: Database) -> Site:
    return await build_site(database)


async def test_the_first_browser_sees_the_page_and_no_other(site: Site) -> None:
    page = await site.open()
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    text = page.data.decode()
    assert site.made.text in text
    assert "&lt;kitchen&gt;" in text
    assert "<kitchen>" not in text
    again = await site.get()
    assert (again.status, again.headers.get("set-cookie")) == (200, None)
    elsewhere = await site.get(Cookie=f"{COOKIE}=other")
    assert elsewhere.status == 410
    assert "another browser" in elsewhere.data.decode()
    assert site.made.text.encode() not in elsewhere.data


async def test_the_cookie_is_for_this_link_alone(site: Site) -> None:
    cookie = (await site.get()).headers["set-cookie"]
    parts = cookie.split("; ")
    assert f"Path=/pair/{site.made.token}" in parts
    assert {"HttpOnly", "SameSite=Strict", f"Max-Age={LIFETIME_MS // 1000}"} <= set(parts)
    assert "Secure" not in parts
    assert site.made.text not in cookie


async def test_it_loads_nothing_but_the_gateways_own_files(site: Site) -> None:
    page = await site.open()
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    text = page.data.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text)
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text)
    assert len(loaded) >= 5
    for address in loaded:
        assert (await site.web.call("GET", address, secret=None)).status == 200


async def test_looking_without_opening_leaves_the_link_for_its_reader(site: Site) -> None:
    head = await site.get(method="HEAD")
    assert (head.status, head.data) == (200, b"")
    assert "set-cookie" not in head.headers
    await site.open()


@pytest.mark.parametrize("path", ["", "/state"])
async def test_an_unknown_link_is_refused_in_a_sentence(site: Site, path: str) -> None:
    await site.open()
    site.now[0] += LIFETIME_MS
    program = await site.get(path, Accept="*/*")
    assert (program.status, program.json["code"]) == (404, "not_found")
    assert "15 minutes" in program.json["detail"]
    if not path:
        person = await site.get()
        assert person.status == 404
        assert person.headers["content-type"].startswith("text/html")
        assert "15 minutes" in person.data.decode()


async def test_the_state_is_for_the_browser_that_opened_it(site: Site) -> None:
    assert (await site.get("/state", Accept="*/*")).status == 410
    await site.open()
    state = (await site.get("/state")).json
    assert state["ok"] is True
    assert (state["online"], state["received"], state["test"]) == (False, False, None)
    assert state["phone"] == "Waiting for the phone to connect."
    assert site.made.text not in str(state)
    assert (await site.get("/state", Cookie="")).status == 410


async def test_the_lights_follow_the_phone(site: Site) -> None:
    await site.open()
    phone = await site.connect(hint="Choose SSE only.")
    state = (await site.get("/state")).json
    assert (state["online"], state["number"], state["hint"]) == (
        True,
        OWN_NUMBER,
        "Choose SSE only.",
    )
    sent = await site.test()
    assert sent.status == 200, sent.json
    assert sent.json["test"].startswith("Handed to the phone.")
    assert sent.json["tests_left"] == 2
    (pushed,) = site.web.phones.pushed
    assert (pushed.address, pushed.body) == (OWN_NUMBER, site.link.words)
    site.link.came_by.add(phone)
    state = (await site.get("/state")).json
    assert state["received"] is True
    # It may have come from another phone, as long as this one has not said that it sent it.
    assert state["test"].startswith("It came in: this phone receives. Its own test SMS: Handed")
    page = (await site.get()).data.decode()
    assert page.count('class="light on"') == 2
    assert "Choose SSE only." in page
    await site.report(Cause.RADIOED)
    assert (await site.get("/state")).json["test"] == "It did: this phone sends and receives."
    assert "It did: this phone sends and receives." in (await site.get()).data.decode()


async def test_an_app_that_only_forwards_is_said_to_receive_and_no_more(site: Site) -> None:
    await site.open()
    assert 'id="done" class="done" hidden' in (await site.get()).data.decode()
    sms = Received(address="+15553334444", body="hello")
    site.pairing.note_pushed(site.made.key.id, [sms])
    state = (await site.get("/state")).json
    assert (state["online"], state["forwards"], state["test"]) == (False, True, None)
    assert state["phone"].startswith("An app that forwards has called.")
    assert "Use the words below" in state["left"]
    words = site.link.words
    site.pairing.note_pushed(site.made.key.id, [attrs.evolve(sms, body=words.title())])
    state = (await site.get("/state")).json
    assert (state["received"], state["test"]) == (True, "It came in: this phone receives.")
    page = (await site.get()).data.decode()
    assert page.count('class="light on"') == 2
    assert "App has called" in page
    assert 'id="done" class="done">' in page
    assert 'id="done-send" hidden' in page


async def test_a_connected_phone_that_only_received_is_not_said_to_send(site: Site) -> None:
    await site.open()
    site.link.came_by.add(await site.connect())
    state = (await site.get("/state")).json
    assert (state["forwards"], state["test"]) == (False, "It came in: this phone receives.")


async def test_a_phone_that_keeps_another_name_is_said_to(site: Site) -> None:
    await site.open()
    phone = await site.connect()
    await site.web.database.write(lambda tx: tx.phones.give_name(phone, "phone2"))
    state = (await site.get("/state")).json
    assert state["phone"] == (
        "The phone is connected. It is already known as phone2, and keeps that name."
    )
    assert "to be called" in (await site.get()).data.decode()
    site.made, site.cookie = await site.pairing.invite(ORG, None), ""
    assert "to be called" not in (await site.open()).data.decode()


async def test_what_is_left_of_the_tests_is_said_with_what_to_do(site: Site) -> None:
    await site.open()
    assert (await site.get("/state")).json["left"] == (
        "3 of 3 left. It works once the phone is online."
    )
    await site.connect()
    assert (await site.test()).json["left"] == "2 of 3 left."
    site.link.tests = MOST_TESTS
    left = (await site.get("/state")).json["left"]
    assert left.startswith("0 left. For more, make a new link")
    assert left.endswith(f"phonegate phone add {ORG}")
    assert "phonegate phone add" in (await site.get()).data.decode()


async def test_why_a_test_was_not_sent_is_said_in_words(site: Site) -> None:
    await site.open()
    await site.connect()
    await site.test()
    await site.report(Cause.REFUSED, error="no service")
    state = (await site.get("/state")).json
    assert (state["test"], state["test_failed"]) == ("Not sent: no service.", True)


async def test_what_can_not_be_sent_is_refused(site: Site) -> None:
    await site.open()
    away = await site.test()
    assert (away.status, away.json["code"]) == (409, "conflict")
    await site.connect()
    wrong = await site.test("none")
    assert (wrong.status, list(wrong.fields)) == (400, ["number"])
    for _ in range(3):
        assert (await site.test()).status == 200
    more = await site.test()
    assert more.status == 429
    assert int(more.headers["retry-after"]) > 0
    site.cookie = ""
    assert (await site.test()).status == 410
    assert len(site.web.phones.pushed) == 3


async def test_a_page_of_another_site_sends_nothing(site: Site) -> None:
    await site.open()
    await site.connect()
    at = f"/pair/{site.made.token}/test"
    headers = {"Cookie": site.cookie, "Origin": "https://evil.example"}
    refused = await site.web.call("POST", at, {"number": OWN_NUMBER}, secret=None, headers=headers)
    assert (refused.status, refused.json["code"]) == (403, "foreign_page")
    assert site.web.phones.pushed == []


async def test_the_log_holds_neither_token_nor_key_nor_number(site: Site) -> None:
    with capture_logs() as lines:
        await site.open()
        await site.connect()
        await site.get("/state")
        await site.test()
        await site.get("/state/more")
    requests = [line["path"] for line in lines if line["event"] == "request"]
    assert requests[:3] == ["/pair/***", "/pair/***/state", "/pair/***/test"]
    for secret in (site.made.token, site.made.text, site.cookie, OWN_NUMBER, SECRET):
        assert secret not in str(lines)


async def test_guesses_are_counted_and_slowed_down(database: Database) -> None:
    limits = RateLimits(Bounds(address_requests_per_s=1))
    site = await build_site(database, limits=limits)
    statuses = [
        (await site.web.call("GET", f"/pair/{n:022}", secret=None, headers={"Accept": HTML})).status
        for n in range(40)
    ]
    assert statuses[0] == 404
    assert set(statuses) == {404, 429}


@pytest.mark.parametrize(
    ("public_url", "url", "host", "base", "plain"),
    [
        ("", "", "gate.lan:8080", "http://gate.lan:8080", True),
        ("", "", "127.0.0.1:8080", "http://127.0.0.1:8080", False),
        ("", "", "[::1]:8080", "http://[::1]:8080", False),
        ("https://sms.example.org/", "", "gate.lan", "https://sms.example.org", False),
        ("https://sms.example.org/", "http://10.0.0.2/x", "gate.lan", "http://10.0.0.2/x", True),
    ],
)
async def test_the_address_is_the_one_that_the_phone_reaches(
    database: Database, public_url: str, url: str, host: str, base: str, *, plain: bool
) -> None:
    site = await build_site(database, public_url=public_url, url=url)
    text = (await site.get(Host=host)).data.decode()
    assert f"<code>{base}/api/mobile/v1</code>" in text
    assert f"<code>ws{base.removeprefix('http')}/websocket</code>" in text
    assert f"--url {shlex.quote(base)}</code>" in html.unescape(text)
    assert ("speaks plain HTTP" in text) == plain


async def test_the_address_is_one_word_of_the_shells_line(database: Database) -> None:
    site = await build_site(database, url="https://gate.lan/a;b&(c)")
    shown = [html.unescape(text) for text in TEXTS.findall((await site.open()).data.decode())]
    (line,) = [text for text in shown if "--termux" in text]
    assert shlex.split(line)[-1] == "https://gate.lan/a;b&(c)"


async def test_a_link_whose_page_was_not_shown_opens_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> object:
        raise StorageUnavailable("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(Pairing, "state", fail)
        assert (await site.get()).status == 503
    await site.open()
    # One that another browser has stays that browser's.
    with monkeypatch.context() as broken:
        broken.setattr(Pairing, "state", fail)
        assert (await site.get()).status == 503
    site.cookie = ""
    assert (await site.get()).status == 410


async def test_two_phones_without_names_are_not_taken_for_one(site: Site) -> None:
    seen = set()
    for name in (None, None, "\u0416"):
        site.made, site.cookie = await site.pairing.invite(ORG, name), ""
        (found,) = set(
            re.findall(r'"device_id":"([^"]*)"', html.unescape((await site.open()).data.decode()))
        )
        seen.add(found)
    assert len(seen) == 3


async def test_each_app_that_forwards_has_its_texts_filled_in(site: Site) -> None:
    shown = [html.unescape(text) for text in TEXTS.findall((await site.open()).data.decode())]
    for app in APPS:
        for paste in app.filled(url="http://gate.lan", key=site.made.text, phone="kitchen").pastes:
            assert paste.text in shown, paste
