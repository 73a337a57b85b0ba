"""How the pages are served: to whom, in what form, and under which rules for the browser."""

import gzip
import re

import attrs
import pytest
import trio

from phonegate.config.settings import HttpSettings
from phonegate.domain.accounts import Accounts
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.pages.app import build_whole_app
from phonegate.pages.blueprint import PAGES
from tests.api.conftest import (
    NOW,
    ORG,
    SECRET,
    Reply,
    Web,
)
from tests.captured_logs import capture_logs
from tests.pages.printed import blocks_of_html, blocks_of_markdown
from tests.patience import PATIENCE_S

PATHS = sorted(PAGES)


async def get(web: Web, path: str, method: str = "GET", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await web.call(method, path, secret=None, headers={"Accept-Encoding": "", **named})


async def assets(web: Web) -> list[str]:
    found: set[str] = set()
    for path in ("/", "/reference", "/docs"):
        page = (await get(web, path)).data.decode()
        found |= set(re.findall(r'(?:src|href)="(assets/[^"]+)"', page))
    return sorted("/" + name for name in found)


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_open_and_kept_only_until_it_changes(web: Web, path: str) -> None:
    page = await get(web, path)
    assert page.status == 200
    assert page.headers["content-type"].endswith("; charset=utf-8")
    assert page.headers["cache-control"] == "no-cache"
    tag = page.headers["etag"]
    again = await get(web, path, If_None_Match=f'"other", W/{tag}')
    assert (again.status, again.data) == (304, b"")
    assert again.headers["etag"] == tag
    # A length would be that of the page itself (RFC 9110, 8.6), and caches believe it.
    assert "content-length" not in again.headers
    assert again.headers["content-security-policy"] == page.headers["content-security-policy"]
    assert (await get(web, path, If_None_Match='"other"')).status == 200
    head = await get(web, path, method="HEAD")
    assert (head.status, head.data) == (200, b"")
    assert head.headers["content-length"] == str(len(page.data))


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_runs_nothing_but_the_gateways_own_files(web: Web, path: str) -> None:
    page = await get(web, path)
    policy = dict(
        rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy.get("script-src", "'none'") in {"'self'", "'none'"}
    assert ("'unsafe-inline'" in policy.get("style-src", "")) == (path == "/docs")
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    text = page.data.decode()
    if page.headers["content-type"].startswith("text/html"):
        assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", text)
        loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', text)
        assert loaded
        assert all(address.startswith("assets/") for address in loaded)
        assert '<html lang="en">' in text
        assert "<main" in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused_as_everywhere(web: Web, method: str) -> None:
    for path in ("/", "/llms.txt", (await assets(web))[0]):
        refused = await get(web, path, method=method)
        assert (refused.status, refused.json["code"]) == (405, "method_not_allowed")
        assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
        asked = await get(web, path, method="OPTIONS")
        assert (asked.status, asked.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize(
    "path", ["/", "/reference", "/docs", "/llms.txt/", "/openapi.json", "/websocket"]
)
async def test_the_log_names_the_page(web: Web, path: str) -> None:
    with capture_logs() as lines:
        await get(web, f"{path}?secret_key={SECRET}")
        await get(web, f"{path.rstrip('/')}/x/{SECRET}")
        await get(web, "/" + SECRET)
    (right, *wrong) = [line["path"] for line in lines if line["event"] == "request"]
    assert right == path
    assert wrong == ["/***"] * 2
    assert SECRET not in str(lines)


async def test_a_slash_too_many_leads_to_the_page(web: Web) -> None:
    moved = await get(web, "/docs/")
    assert (moved.status, moved.headers["location"]) == (308, "../docs")


@pytest.mark.parametrize(
    "path",
    [
        "/assets",
        "/assets/",
        "/assets/../settings.py",
        "/assets/swagger-ui-0.0.0/swagger-ui.css",
        "/assets/%2e%2e/page.css",
        "/docs/oauth2-redirect.html",
        "/index.html",
        "/docs//",
    ],
)
async def test_nothing_else_is_there(web: Web, path: str) -> None:
    missing = await get(web, path)
    assert (missing.status, missing.json["code"]) == (404, "not_found")


async def test_files_are_kept_for_good_and_packed_for_whoever_unpacks(web: Web) -> None:
    paths = await assets(web)
    kinds = {path.rpartition("/")[2] for path in paths}
    assert {"page.css", "copy.js", "favicon.svg", "docs.js", "swagger-ui-bundle.js"} <= kinds
    assert "LICENSE" in kinds
    media = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    for path in paths:
        plain = await get(web, path)
        assert plain.status == 200
        assert "immutable" in plain.headers["cache-control"]
        suffix = path[path.rindex(".") :] if "." in path.rpartition("/")[2] else ""
        assert plain.headers["content-type"].startswith(media.get(suffix, "text/plain"))
        if path.endswith(".svg"):
            continue  # too small to gain
        transport = await raw_get(web, path, "br, gzip;q=0.8")
        assert transport.headers["content-encoding"] == "gzip"
        assert transport.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(transport.data) == plain.data
        assert transport.headers["etag"] != plain.headers["etag"]
        refused = await get(web, path, Accept_Encoding="gzip;q=0, br")
        assert "content-encoding" not in refused.headers


async def raw_get(web: Web, path: str, encoding: str) -> Reply:
    """The answer with its body as sent, which httpx would unpack."""
    response = await web.app.test_client().get(path, headers={"Accept-Encoding": encoding})
    return Reply(response.status_code, response.headers, await response.get_data(as_text=False))


async def test_the_licence_of_swagger_ui_can_be_read(web: Web) -> None:
    found = {path.rpartition("/")[2]: path for path in await assets(web)}
    notice = (await get(web, found["LICENSE"])).data.decode()
    assert "SmartBear" in notice
    assert "Apache License, Version 2.0" in notice
    # The whole of it, as its section 4 asks.
    licence = (await get(web, found["apache-2.0.txt"])).data.decode()
    assert "4. Redistribution." in licence
    assert "END OF TERMS AND CONDITIONS" in licence


HOSTS = {
    "gate.example.org:8443": "http://gate.example.org:8443",
    "[::1]:8080": "http://[::1]:8080",
    'x"><script>alert(1)</script>': "https://sms.example.org",
    "a b": "https://sms.example.org",
    "h:99999": "https://sms.example.org",
}


@pytest.mark.parametrize(("host", "base"), HOSTS.items(), ids=[*map(str, range(len(HOSTS)))])
async def test_the_pages_print_the_address_that_they_were_asked_at(
    web: Web, host: str, base: str
) -> None:
    start = (await get(web, "/", Host=host)).data.decode()
    assert blocks_of_html(start)[-1].text == base
    page = (await get(web, "/reference", Host=host)).data.decode()
    assert blocks_of_html(page)[0].text == base
    link = "ws" + base.removeprefix("http")
    assert f"{link}/websocket?org_id=ORG&secret_key=SECRET" in {
        block.text for block in blocks_of_html(page)
    }
    text = (await get(web, "/llms.txt", Host=host)).data.decode()
    for block in (*blocks_of_html(page), *blocks_of_markdown(text)):
        if block.text.startswith("curl"):
            assert f" {base}/" in block.text or f" '{base}/" in block.text
            # Brackets mean something to a shell.
            assert ("[" not in base) or f" '{base}/" in block.text
    assert "alert(1)" not in start + page + text
    assert "gateway.invalid" not in start + page + text
    assert "::9" not in start + page + text


async def test_the_owners_address_comes_before_the_asked_one(web: Web) -> None:
    settings = HttpSettings(public_url="https://example.org/it's/&lt;sms/")
    owned = attrs.evolve(web, app=build_whole_app(web.services, settings))
    for path, at in (("/", -1), ("/reference", 0)):
        page = (await get(owned, path, Host="elsewhere")).data.decode()
        assert blocks_of_html(page)[at].text == "https://example.org/it's/&lt;sms"
        assert "elsewhere" not in page


async def test_a_certificate_of_the_own_authority_is_explained_to_curl(web: Web) -> None:
    said = "CURL_CA_BUNDLE"
    assert said not in (await get(web, "/reference")).data.decode()
    for url, is_said in (("https://example.org", True), ("http://example.org", False)):
        settings = HttpSettings(public_url=url)
        app = build_whole_app(web.services, settings, own_certificate=True)
        owned = attrs.evolve(web, app=app)
        assert (said in (await get(owned, "/reference")).data.decode()) is is_said


class StuckDatabase:
    """A disk that hangs."""

    async def read(self, op: object) -> None:
        await trio.sleep_forever()

    write = read


async def test_the_pages_need_no_storage_and_tell_of_no_org(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    await web.make_org("a-secret-club")
    monkeypatch.setattr(web.database, "read", StuckDatabase().read)
    monkeypatch.setattr(web.database, "write", StuckDatabase().write)
    app = attrs.evolve(web, app=build_whole_app(web.services, HttpSettings()))
    for path in PATHS:
        with trio.fail_after(PATIENCE_S):
            page = await app.call("GET", path, secret=SECRET)
        assert page.status == 200
        assert page.data == (await get(app, path)).data
        assert b"a-secret-club" not in page.data
    assert ORG.encode() in (await get(web, "/reference")).data  # the example's own name


async def test_who_makes_orgs_is_told_as_it_is(web: Web) -> None:
    promise = "creates the org"
    assert promise in (await get(web, "/reference")).data.decode()
    accounts = Accounts(
        web.database,
        registration=Registration(forced="closed"),
        now_ms=lambda: NOW,
        rate_limits=RateLimits(),
    )
    services = attrs.evolve(web.services, accounts=accounts)
    closed = attrs.evolve(web, app=build_whole_app(services, HttpSettings()))
    for path in ("/reference", "/llms.txt"):
        page = (await get(closed, path)).data.decode()
        assert promise not in page
        assert "creates that org" not in page
