"""Which pages may ask: judged by headers that no page can forge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.origins import (
    EXPOSED,
    Origins,
    is_public,
    loggable_origin,
    parse_origin,
)

PUBLIC = "https://sms.example.org"
FRIEND = "https://app.example.com"
EVIL = "https://evil.example"


def asked(**headers: str) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("origin", "host", "public_url"),
    [
        ("https://sms.example.org", "10.0.0.1:8080", PUBLIC),
        ("https://SMS.example.org:443", "sms.example.org", PUBLIC),
        ("https://sms.example.org", "10.0.0.1:8080", f"{PUBLIC}/under/a/path"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", ""),
        ("http://192.168.1.5", "192.168.1.5", ""),
        ("http://[::1]:8080", "[::1]:8080", ""),
        ("http://localhost:8080", "localhost:8080", PUBLIC),
        # Names that nobody elsewhere can own.
        ("http://raspberrypi:8080", "raspberrypi:8080", ""),
        ("http://gateway.local", "Gateway.local", ""),
        ("http://sms.home.arpa:80", "sms.home.arpa", ""),
        # The browser has seen a certificate for it.
        ("https://gateway.example.net", "gateway.example.net", ""),
        ("https://gateway.example.net", "gateway.example.net:443", PUBLIC),
    ],
)
def test_the_gateways_own_pages_may_ask(origin: str, host: str, public_url: str) -> None:
    assert not Origins(public_url).is_foreign(asked(origin=origin, host=host), secure=True)


@pytest.mark.parametrize("origin", ["https://gateway.example.net", "https://127.0.0.1"])
def test_no_page_is_at_an_encrypted_address_that_was_asked_in_plain(origin: str) -> None:
    headers = asked(origin=origin, host=origin.removeprefix("https://"))
    assert Origins().is_foreign(headers)
    assert not Origins().is_foreign(headers, secure=True)
    # Its owner says that it is reached so.
    assert not Origins(origin).is_foreign(headers)


NAMED = [
    *("", "127.0.0.1", "192.168.1.5:8080", "[::1]:8080", "localhost:8080", "raspberrypi"),
    *("Gateway.local:8080", "sms.example.org", "SMS.example.org:9999", "app.example.com"),
]
UNNAMED = [
    *("evil.example", "evil.example:8080", "local.evil.example", "192.168.1.5.evil.example"),
    *("sms.example.org.evil.example", "127.0.0.1, evil.example", "[", "evil.example.", "a b.c"),
]
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/130.0"


@pytest.mark.parametrize(
    ("host", "foreign"), [*((h, False) for h in NAMED), *((h, True) for h in UNNAMED)]
)
def test_a_name_that_anybody_may_own_is_foreign(host: str, *, foreign: bool) -> None:
    origins = Origins(PUBLIC, [FRIEND])
    assert origins.is_foreign_host(asked(host=host)) is foreign
    assert origins.is_foreign_host(asked(host="10.0.0.1", x_forwarded_host=host)) is foreign


def test_what_a_browser_reads_in_plain_at_such_a_name_may_be_of_a_rebound_page() -> None:
    read = asked(host="evil.example", user_agent=BROWSER)
    assert Origins(PUBLIC).is_foreign(read)
    assert not Origins(PUBLIC).is_foreign(read, navigable=True)
    assert not Origins(PUBLIC).is_foreign(read, secure=True)
    assert not Origins("http://evil.example").is_foreign(read)
    # By HTTPS a browser says which page asks, also through a proxy that says nothing of it.
    assert not Origins(PUBLIC).is_foreign({**read, "sec-fetch-site": "none"})
    for host in NAMED:
        assert not Origins(PUBLIC, [FRIEND]).is_foreign({**read, "host": host})
    assert not Origins(PUBLIC).is_foreign({**read, "user-agent": "curl/8.0"})


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (EVIL, "sms.example.org"),
        # A name that its owner points here once the page is loaded.
        ("http://evil.example:8080", "evil.example:8080"),
        ("http://sms.example.org", "sms.example.org"),
        ("http://local.evil.example", "local.evil.example"),
        ("https://sms.example.org:8443", "sms.example.org"),
        ("https://sms.example.org.evil.example", "sms.example.org"),
        ("http://127.0.0.1:9090", "127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "localhost:8080"),
        ("https://localhost:8080", "localhost:8443"),
        ("chrome-extension://abc", "abc"),
        ("null", "localhost:8080"),
        ("", "localhost:8080"),
        ("file://", ""),
        ("http://[", "["),
        ("http://localhost:x", "localhost:x"),
        ("http://localhost:8080, http://localhost:8080", "localhost:8080"),
        ("http://user@localhost:8080", "localhost:8080"),
    ],
)
@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none"])
def test_other_pages_may_not(origin: str, host: str, site: str | None) -> None:
    headers = asked(origin=origin, host=host)
    if site is not None:
        headers["sec-fetch-site"] = site
    # A navigation that may lead anywhere has no Origin, or it is a form.
    assert Origins(PUBLIC).is_foreign({**headers, "sec-fetch-mode": "navigate"}, navigable=True)


def test_a_program_may_ask() -> None:
    for headers in ({}, asked(host="anything.example"), asked(sec_fetch_mode="cors")):
        assert not Origins().is_foreign(headers)


def test_a_browser_that_says_it_is_the_same_page_is_believed() -> None:
    # Behind a proxy that tells no host; and a form of a page that sends no referrer.
    for origin in ("https://sms.example.net", "null"):
        headers = asked(origin=origin, host="10.0.0.1", sec_fetch_site="same-origin")
        assert not Origins().is_foreign(headers)
    assert not Origins().is_foreign(asked(host="h", sec_fetch_site="same-origin"))


def test_a_proxy_s_host_is_one_that_was_called() -> None:
    headers = asked(host="10.0.0.1", x_forwarded_host="sms.example.net, 127.0.0.1:8080")
    assert not Origins().is_foreign({**headers, "origin": "https://sms.example.net"}, secure=True)
    assert not Origins().is_foreign({**headers, "origin": "http://127.0.0.1:8080"})
    assert Origins().is_foreign({**headers, "origin": "http://sms.example.net"})
    assert Origins().is_foreign({**headers, "origin": EVIL})


def test_what_is_read_without_an_origin_must_not_be_of_another_page() -> None:
    for site in ("cross-site", "same-site", "cross-site, none", ""):
        image = asked(sec_fetch_site=site, sec_fetch_mode="no-cors")
        assert Origins().is_foreign(image)
        assert Origins().is_foreign(image, navigable=True)
    # Typed, pasted or from a bookmark.
    assert not Origins().is_foreign(asked(sec_fetch_site="none", sec_fetch_mode="navigate"))


def test_a_link_on_another_page_may_lead_to_what_needs_no_secret() -> None:
    link = asked(sec_fetch_site="cross-site", sec_fetch_mode="navigate")
    assert Origins().is_foreign(link)
    assert not Origins().is_foreign(link, navigable=True)


@pytest.mark.parametrize("origin", [FRIEND, "http://localhost:3000", "capacitor://localhost"])
def test_a_site_that_the_owner_names_may_ask_and_read(origin: str) -> None:
    origins = Origins(PUBLIC, [FRIEND.upper(), "http://localhost:3000", "capacitor://localhost"])
    headers = asked(origin=origin, host="10.0.0.1", sec_fetch_site="cross-site")
    assert not origins.is_foreign(headers)
    assert dict(origins.fields("POST", headers)) == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
        "Vary": "Origin",
    }
    # It has no cookies to send.
    assert "Access-Control-Allow-Credentials" not in dict(origins.fields("POST", headers))


def test_its_preflight_is_answered() -> None:
    origins = Origins("", [FRIEND])
    headers = asked(
        origin=FRIEND,
        access_control_request_method="PATCH",
        access_control_request_headers="content-type,x-secret-key, idempotency-key",
        access_control_request_private_network="true",
    )
    assert dict(origins.fields("OPTIONS", headers)) == {
        "Access-Control-Allow-Origin": FRIEND,
        "Access-Control-Allow-Methods": "PATCH",
        "Access-Control-Allow-Headers": "content-type,x-secret-key, idempotency-key",
        "Access-Control-Allow-Private-Network": "true",
        "Access-Control-Max-Age": "7200",
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }


def test_who_is_not_named_reads_nothing_and_shared_caches_know() -> None:
    for headers in ({}, asked(origin=EVIL), asked(origin="null")):
        assert Origins(PUBLIC, [FRIEND]).fields("GET", headers) == (("Vary", "Origin"),)
        assert Origins(PUBLIC).fields("GET", headers) == ()


@pytest.mark.parametrize("text", ["*", "null", "app.example.com", "https://", "https://a/b", "a b"])
def test_what_names_no_site(text: str) -> None:
    assert parse_origin(text) is None


HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "origin",
            "host",
            "x-forwarded-host",
            "sec-fetch-site",
            "sec-fetch-mode",
            "access-control-request-method",
            "access-control-request-headers",
        ]
    ),
    st.text(max_size=30) | st.sampled_from([EVIL, PUBLIC, "http://[", "cross-site"]),
)


@given(st.text(), HEADERS)
def test_nothing_breaks_it(public_url: str, headers: dict[str, str]) -> None:
    origins = Origins(public_url, [FRIEND])
    origins.is_foreign(headers)
    for _, value in origins.fields("OPTIONS", headers):
        assert "\n" not in value
        assert "\r" not in value


@given(HEADERS)
def test_no_page_of_a_public_name_over_plain_http_is_own(headers: dict[str, str]) -> None:
    headers = {**headers, "origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert Origins(PUBLIC).is_foreign(headers)


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("https://App.example.com:443", "https://app.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://192.168.1.5:3000", "http://192.168.1.5:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("null", None),
        ("", None),
        ("https://user:my-secret-key-123@app.example.com", None),
        ("https://app.example.com/my-secret-key-123", None),
        ("my-secret-key-123://app.example.com", None),
        ("http://my-secret-key-123", None),
        ("http://pgk_abcdefgh", None),
        ("http://[fe80::1%my-secret-key-123]", None),
        ("http://15553334444.example.com", None),
        ("http://1555-333-4444.example.com", None),
        ("https://" + "a." * 130 + "org", None),
    ],
)
def test_the_log_names_an_origin_that_can_be_nothing_else(origin: str, told: str | None) -> None:
    assert loggable_origin(origin) == told


@given(st.text(max_size=60))
def test_what_is_told_is_the_same_origin(text: str) -> None:
    for origin in (text, f"https://{text}"):
        told = loggable_origin(origin)
        assert told is None or parse_origin(told) == parse_origin(origin)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://sms.example.org", True),
        ("https://8.8.8.8:8443/sms", True),
        ("http://[2606:4700::1111]", True),
        ("http://192.168.1.10:8080", False),
        ("http://100.64.0.1", False),
        ("http://[fd00::1]", False),
        ("http://127.0.0.1:8080", False),
        ("http://homeassistant.local:8080", False),
        ("http://gateway:8080", False),
        ("", False),
        ("https://", False),
    ],
)
def test_an_address_that_can_be_reached_from_anywhere(url: str, *, public: bool) -> None:
    assert is_public(url) is public
