"""Requests that pages of other sites can make, and those of pages that are let in."""

import pytest

from phonegate.api.endpoint import Endpoint
from phonegate.api.table import build_table
from phonegate.pages.blueprint import PAGES
from phonegate.store.database import Database
from tests.api.conftest import (
    ORG,
    PUBLIC_URL,
    SECRET,
    Web,
    build_web,
)
from tests.captured_logs import capture_logs

ENDPOINTS = build_table().endpoints
EVIL = "https://evil.example"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0"
OWN = "a-secret-of-its-own"
FRIEND = "https://app.example.com"
PAGE_PATHS = [*PAGES, "/openapi.json", "/nothing-here", "/websocket"]

IMAGE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
TYPED = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}
FOREIGN = [
    {"Origin": EVIL},
    {"Origin": "null"},
    {"Origin": "http://gate.test"},
    {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    IMAGE,
]


def target(endpoint: Endpoint) -> str:
    path = endpoint.paths[-1].replace("{org}", ORG).replace("{secret}", SECRET)
    return path.replace("{id}", "1").replace("{token}", "x" * 22)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda e: e.name)
async def test_every_endpoint_refuses_them(web: Web, endpoint: Endpoint) -> None:
    meant = {"Authorization": "Basic bXlvcmc6eA=="} if endpoint.by_basic else {}
    for headers in FOREIGN:
        sent = {**headers, **meant}
        with capture_logs() as events:
            secret = None if endpoint.by_basic else SECRET
            reply = await web.call(endpoint.method, target(endpoint), secret=secret, headers=sent)
        assert [line["code"] for line in events] == ["foreign_page"], headers
        if endpoint.dialect is None:  # which has words of its own
            assert (reply.status, reply.json["code"]) == (403, "foreign_page")
            assert "allowed_origins" in reply.json["detail"]
    # Nor may a page ask for leave.
    asks = {"Origin": EVIL, "Access-Control-Request-Method": endpoint.method, **meant}
    assert (await web.call("OPTIONS", target(endpoint), headers=asks)).status == 403


@pytest.mark.parametrize("path", PAGE_PATHS)
async def test_so_does_every_page(web: Web, path: str) -> None:
    for headers in FOREIGN:
        reply = await web.call("GET", path, headers=headers)
        assert (reply.status, reply.json["code"]) == (403, "foreign_page"), headers


@pytest.mark.parametrize("path", ["/", "/sims/" + ORG, "/websocket", "/nothing-here"])
async def test_the_log_says_which_page_asked(web: Web, path: str) -> None:
    with capture_logs() as lines:
        await web.call("GET", path, headers={"Origin": EVIL})
        await web.call("GET", path, headers={"Origin": f"https://{SECRET}@evil.example"})
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["code"], line.get("origin")) for line in requests] == [
        ("foreign_page", EVIL),
        ("foreign_page", None),
    ]


async def test_a_form_that_curl_could_send_makes_no_org(web: Web) -> None:
    body = b'{"org_id":"made","secret_key":"my-secret-key-456","messages":[]}'
    for media in ("text/plain", "application/x-www-form-urlencoded", ""):
        headers = {"Origin": EVIL, "Content-Type": media}
        reply = await web.call("POST", "/webhook", raw=body, headers=headers, secret=None)
        assert reply.json["code"] == "foreign_page"
    assert await web.database.read(lambda tx: tx.orgs.get("made")) is None


@pytest.mark.parametrize("path", [*PAGES, "/openapi.json", "/health"])
async def test_a_link_of_another_site_leads_to_pages(web: Web, path: str) -> None:
    assert (await web.call("GET", path, headers=LINK, secret=None)).status == 200


async def test_a_link_leads_to_no_messages_but_who_types_the_address_sees_them(web: Web) -> None:
    path = f"/messages/{ORG}/{SECRET}"
    assert (await web.call("GET", path, headers=LINK, secret=None)).status == 403
    assert (await web.call("GET", path, headers=TYPED, secret=None)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1:8080", "Host": "127.0.0.1:8080"},
        {"Origin": "http://localhost", "Host": "localhost", "Sec-Fetch-Site": "same-origin"},
        {"Origin": PUBLIC_URL},
    ],
)
async def test_the_gateways_own_pages_may_try_it_out(web: Web, headers: dict[str, str]) -> None:
    reply = await web.call(
        "POST", f"/send/{ORG}", {"to": "+15553334444", "body": "x"}, headers=headers
    )
    assert reply.status == 200
    assert "Access-Control-Allow-Origin" not in reply.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080"])
async def test_a_page_whose_name_was_pointed_here_reads_nothing(web: Web, host: str) -> None:
    path = f"/messages/{ORG}/{SECRET}"  # a published one
    assert (await web.call("GET", path, secret=None)).status == 200
    # Some browsers let a page choose another name than their own.
    for agent in (BROWSER, "curl/8.0"):
        headers = {"Host": host, "User-Agent": agent}
        for _ in range(2):
            assert (await web.call("GET", path, headers=headers, secret=None)).status in {401, 403}
        body = {"to": "+15553334444", "body": "x", "secret_key": SECRET}
        sent = await web.call("POST", f"/send/{ORG}", body, headers=headers, secret=None)
        assert sent.status in {401, 403}
    headers = {"Host": host, "User-Agent": BROWSER}
    refused = await web.call("GET", f"/messages/{ORG}", headers=headers)
    assert (refused.status, refused.json["code"]) == (403, "foreign_page")
    assert "public_url" in refused.json["detail"]
    assert (await web.call("GET", "/docs", headers=headers, secret=None)).status == 200
    headers = {"Host": host, "Origin": f"https://{host}"}
    assert (await web.call("GET", f"/messages/{ORG}", headers=headers)).status == 403


async def test_a_program_may_ask_by_any_name_with_a_secret_of_its_own(web: Web) -> None:
    await web.make_org("own", OWN)
    headers = {"Host": "sms.example.net"}
    assert (await web.call("GET", "/messages/own", headers=headers, secret=OWN)).status == 200
    assert (await web.call("GET", f"/messages/{ORG}", headers=headers)).status == 401
    named = {"Host": "sms.example.org"}
    assert (await web.call("GET", f"/messages/{ORG}", headers=named)).status == 200


async def test_an_encrypted_page_is_the_gateway_s_own(database: Database) -> None:
    web = build_web(database, encrypted=True)
    await web.make_org("own", OWN)
    headers = {"Origin": "https://sms.example.net", "Host": "sms.example.net"}
    assert (await web.call("GET", "/messages/own", headers=headers, secret=OWN)).status == 200


@pytest.fixture
async def sharing(database: Database) -> Web:
    web = build_web(database, allowed_origins=(FRIEND,))
    await web.make_org()
    return web


async def test_a_site_that_is_let_in_reads_answers_and_errors(sharing: Web) -> None:
    headers = {"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"}
    for method, path, status in [
        ("GET", f"/messages/{ORG}", 200),
        ("GET", f"/messages/{ORG}?limit=0", 400),
        ("POST", f"/messages/{ORG}", 405),
        ("GET", "/nothing-here", 404),
        ("GET", "/openapi.json", 200),
        ("GET", "/llms.txt", 200),
    ]:
        reply = await sharing.call(method, path, headers=headers)
        assert reply.status == status
        assert reply.headers.get_list("Access-Control-Allow-Origin") == [FRIEND]
        assert "Retry-After" in reply.headers["Access-Control-Expose-Headers"]
        assert "Origin" in ", ".join(reply.headers.get_list("Vary"))
    assert (await sharing.call("GET", "/health", headers={"Origin": EVIL})).status == 403
    without = await sharing.call("GET", "/health")
    assert without.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Origin" not in without.headers


async def test_its_preflight_needs_no_secret(sharing: Web) -> None:
    headers = {
        "Origin": FRIEND,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-secret-key",
    }
    reply = await sharing.call("OPTIONS", f"/send/{ORG}", headers=headers, secret=None)
    assert (reply.status, reply.data) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == FRIEND
    assert reply.headers["Access-Control-Allow-Methods"] == "POST"
    assert reply.headers["Access-Control-Allow-Headers"] == "content-type,x-secret-key"
    assert reply.headers["Access-Control-Max-Age"] == "7200"


async def test_the_vary_of_a_page_keeps_what_it_had(sharing: Web) -> None:
    reply = await sharing.call("GET", "/openapi.json")
    assert reply.headers.get_list("Vary") == ["Host", "Origin"]


async def test_every_answer_is_for_no_other_page_to_embed(web: Web) -> None:
    for path in (f"/messages/{ORG}", "/nothing-here", "/openapi.json", "/", "/health"):
        reply = await web.call("GET", path)
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert len(reply.headers.get_list("Content-Security-Policy")) == 1
        assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
        assert "Strict-Transport-Security" not in reply.headers


async def test_where_the_gateway_encrypts_browsers_are_to_remember_it(database: Database) -> None:
    web = build_web(database, encrypted=True)
    for path in (f"/messages/{ORG}", "/nothing-here", "/openapi.json", "/"):
        reply = await web.call("GET", path)
        assert reply.headers["Strict-Transport-Security"].startswith("max-age=")
