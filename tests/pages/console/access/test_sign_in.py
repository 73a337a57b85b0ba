"""Signing in to the console: who is let in, by which page, and what the browser is given."""

from collections.abc import Mapping
from http.cookies import Morsel, SimpleCookie
from typing import Any

import attrs
import httpx
import pytest

from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.sessions import TOUCH_MS, UNUSED_MS
from phonegate.domain.throttle import PAIR
from phonegate.events.bus import Bus
from phonegate.store.database import Database
from tests.api.conftest import (
    CLIENT,
    HOME,
    NOW,
    OPERATOR_TOKEN,
    ORG,
    SECRET,
    Web,
    build_web,
    database,
    web,
)
from tests.pages.console.conftest import Person, csrf_of, form_token

__all__ = ["database", "web"]

OWN = "my-own-secret-of-this-test"
"""No published one, so that it works from anywhere."""

AFAR = "203.0.113.5"
WRONG = "Unknown org or wrong secret."


@attrs.define
class Visitor:
    """A browser at an address of its own, that asks in the way it does there."""

    client: httpx.AsyncClient
    base: str
    prefix: str = ""

    @classmethod
    def at(
        cls, web: Web, base: str = HOME, *, prefix: str = "", address: str = CLIENT
    ) -> "Visitor":
        transport = httpx.ASGITransport(web.app, root_path=prefix, client=(address, 50_000))  # type: ignore[arg-type]
        return cls(httpx.AsyncClient(transport=transport, base_url=base), base, prefix)

    async def look(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(f"{self.prefix}/console{path}", headers=headers)

    async def sign_in(
        self,
        org: str = ORG,
        secret: str = SECRET,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx.Response:
        """Opens the page, and sends its form as a browser does, unless told otherwise."""
        shown = await self.look("/sign-in")
        form = {"org": org, "secret": secret, **fields}
        if shown.status_code == 200:
            form = {"csrf": form_token(shown.text), **form}
        return await self.client.post(
            f"{self.prefix}/console/sign-in",
            data=form,
            headers={"Origin": self.base} if headers is None else headers,
        )

    def cookie(self, answer: httpx.Response) -> Morsel[str]:
        (line,) = answer.headers.get_list("set-cookie")
        (morsel,) = SimpleCookie(line).values()
        return morsel


def is_in(answer: httpx.Response) -> bool:
    return answer.status_code == 303 and "set-cookie" in answer.headers


async def test_a_visitor_signs_in_and_comes_back_to_where_it_was_going(web: Web) -> None:
    visitor = Visitor.at(web)
    answer = await visitor.look("/sessions?a=b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/sign-in?next=%2Fsessions%3Fa%3Db"
    answer = await visitor.sign_in(next="/sessions?a=b")
    assert answer.headers["location"] == "/console/sessions?a=b"
    assert (await visitor.look("/sessions")).status_code == 200
    # One who has signed in is not asked again.
    assert (await visitor.look("/sign-in?next=/sessions")).headers[
        "location"
    ] == "/console/sessions"


async def test_it_leads_nowhere_else(web: Web) -> None:
    for goal in ("//evil.example", "https://evil.example", "/../..", "/%2e%2e/x"):
        answer = await Visitor.at(web).sign_in(next=goal)
        assert answer.headers["location"] == "/console", goal


async def test_a_key_names_its_org_and_the_token_the_operator(web: Web) -> None:
    org = (await web.services.accounts.orgs.named(ORG)).id
    _, text = await web.services.accounts.keys.add(org, "reader", ["read"])
    by_key, by_token = Visitor.at(web), Visitor.at(web)
    assert is_in(await by_key.sign_in("", text))
    assert "reader" in (await by_key.look("/sessions")).text
    assert is_in(await by_token.sign_in("", OPERATOR_TOKEN))
    assert "as the gateway" in (await by_token.look("/sessions")).text
    # With an org named, the token is a wrong secret.
    assert (await Visitor.at(web).sign_in(ORG, OPERATOR_TOKEN)).status_code == 401


async def test_whatever_is_wrong_the_words_are_those_of_the_api(web: Web) -> None:
    visitor = Visitor.at(web)
    for org, secret in (
        (ORG, "wrong-secret-of-no-org"),
        ("no-such-org", "wrong-secret-of-no-org"),
        ("", "wrong-secret-of-no-org"),
        ("", SECRET),
        ("", "pgk_12345678_12345678901234567890123456789012"),
        ("<script>", "wrong-secret-of-no-org"),
    ):
        answer = await visitor.sign_in(org, secret)
        assert (answer.status_code, answer.headers.get("set-cookie")) == (401, None), org
        assert WRONG in answer.text
        assert secret not in answer.text
        assert "<script>" not in answer.text
    assert (await visitor.look("/sessions")).status_code == 303


async def test_guesses_are_throttled_as_everywhere(web: Web) -> None:
    visitor = Visitor.at(web)
    for number in range(PAIR.burst):
        assert (await visitor.sign_in(ORG, f"wrong-secret-{number:04}")).status_code == 401
    answer = await visitor.sign_in(ORG, "wrong-secret-of-no-org")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "Too many wrong secrets" in answer.text
    assert (await web.call("GET", f"/messages/{ORG}", secret="wrong-secret-as-well")).status == 429


async def test_a_printed_secret_opens_nothing_from_afar(web: Web) -> None:
    await web.make_org("own", OWN)
    assert (await Visitor.at(web, address=AFAR).sign_in()).status_code == 401
    assert is_in(await Visitor.at(web).sign_in())
    assert is_in(await Visitor.at(web, address=AFAR).sign_in("own", OWN))
    # Nor under a name that its owner may have let point here, so that it is a page that asks.
    elsewhere = Visitor.at(web, "http://evil.example")
    assert (await elsewhere.sign_in(headers={})).status_code == 401
    assert is_in(await elsewhere.sign_in("own", OWN, headers={}))


FROM: list[tuple[dict[str, str], bool]] = [
    ({"Origin": HOME}, True),
    ({"Origin": HOME, "Sec-Fetch-Site": "same-origin"}, True),
    ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, True),
    ({}, True),  # a program
    ({"Origin": "null"}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": f"{HOME}:9000"}, False),  # another program on the same machine
    ({"Origin": f"{HOME}:9000", "Sec-Fetch-Site": "same-site"}, False),
    ({"Origin": HOME.replace("http:", "https:")}, False),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
    ({"Origin": "https://app.example.org"}, False),  # let in to the API alone
]


async def test_only_the_gateways_own_page_signs_a_browser_in(database: Database) -> None:
    built = build_web(database, allowed_origins=("https://app.example.org",))
    await built.make_org()
    for headers, is_taken in FROM:
        visitor = Visitor.at(built)
        answer = await visitor.sign_in(headers=headers)
        assert is_in(answer) == is_taken, headers
        assert is_taken or answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        assert (await visitor.look("/sessions")).status_code == (200 if is_taken else 303)


async def test_no_other_browser_s_form_signs_in(web: Web) -> None:
    mine, other = Visitor.at(web), Visitor.at(web)
    theirs = form_token((await other.look("/sign-in")).text)
    for csrf in (theirs, "", "0" * 32):
        answer = await mine.sign_in(csrf=csrf)
        assert (answer.status_code, is_in(answer)) == (403, False)
    without = Visitor.at(web)
    form = {"org": ORG, "secret": SECRET, "csrf": theirs}
    answer = await without.client.post("/console/sign-in", data=form, headers={"Origin": HOME})
    assert answer.status_code == 403
    assert "cookie" in answer.text
    # The page came with a cookie, so that the next try works.
    assert is_in(await without.sign_in())


async def test_no_more_is_read_of_a_visitor_than_a_form(web: Web) -> None:
    visitor = Visitor.at(web)

    async def body() -> Any:
        yield b"org=x&secret="
        yield b"y" * 20_000

    for length in ({"Content-Length": "20000"}, {}):
        headers = {"Origin": HOME, "Content-Type": "application/x-www-form-urlencoded", **length}
        answer = await visitor.client.post("/console/sign-in", content=body(), headers=headers)
        assert answer.status_code == 400


async def test_the_cookie_is_the_consoles_alone(web: Web) -> None:
    await web.make_org("own", OWN)
    public = "https://sms.example.org"
    for base, prefix in ((HOME, ""), (public, ""), (public, "/sms")):
        visitor = Visitor.at(web, base, prefix=prefix)
        answer = await visitor.sign_in("own", OWN, next="/sessions")
        assert answer.headers["location"] == f"{prefix}/console/sessions"
        cookie = visitor.cookie(answer)
        assert cookie["path"] == f"{prefix}/console"
        assert cookie["samesite"] == "Strict"
        assert cookie["httponly"]
        assert bool(cookie["secure"]) == base.startswith("https")
        assert cookie.key.startswith("__Secure-") == base.startswith("https")
        assert cookie["max-age"] == str(UNUSED_MS // 1000)
        assert (await visitor.look("/sessions")).status_code == 200


async def test_gateways_on_one_host_don_t_take_each_others_cookies(
    web: Web, nursery: Any, tmp_path: Any
) -> None:
    other = Database.open(tmp_path / "other.db", publish=Bus().publish)
    await nursery.start(other.run_writer)
    try:
        elsewhere = build_web(other)
        await elsewhere.make_org()
        mine, theirs = Visitor.at(web), Visitor.at(elsewhere)
        one = mine.cookie(await mine.sign_in())
        two = theirs.cookie(await theirs.sign_in())
        assert one.key != two.key
        both = {"cookie": f"{two.key}={two.value}; {two.key.replace(two.key, one.key)}=x"}
        assert (await Visitor.at(web).look("/sessions", **both)).status_code == 303
        moved = {"cookie": f"{one.key}={two.value}"}
        assert (await Visitor.at(web).look("/sessions", **moved)).status_code == 303
    finally:
        other.stop_writing()
        other.close()


async def test_another_cookie_of_its_name_does_not_hide_it(web: Web) -> None:
    visitor = Visitor.at(web)
    cookie = visitor.cookie(await visitor.sign_in())
    planted = {"cookie": f"{cookie.key}=planted; {cookie.key}={cookie.value}"}
    assert (await Visitor.at(web).look("/sessions", **planted)).status_code == 200


async def test_no_page_of_the_host_puts_its_own_session_in_its_place(web: Web) -> None:
    await web.make_org("other", OWN)
    person = await Person.signed_in(web)
    theirs = await Person.signed_in(web, OWN, org="other")
    name = next(one for one in person.client.cookies if "session" in one)
    mine, other = (one.client.cookies[name] for one in (person, theirs))
    async with web.client() as client:
        for shown, status in (
            ((mine,), 200),
            ((mine, mine), 200),
            (("x", mine), 200),
            # That of the longer path comes first.
            ((other, mine), 303),
            ((other, "x", "x", "x", mine), 303),
        ):
            cookies = "; ".join(f"{name}={one}" for one in shown)
            answer = await client.get("/console/sessions", headers={"Cookie": cookies})
            assert answer.status_code == status, shown


async def test_to_sign_in_again_ends_what_the_browser_had_before(web: Web) -> None:
    visitor = Visitor.at(web)
    first = visitor.cookie(await visitor.sign_in())
    page = await Visitor.at(web).look("/sign-in")
    again = await visitor.client.post(
        "/console/sign-in",
        data={"org": ORG, "secret": SECRET, "csrf": form_token(page.text)},
        headers={
            "Origin": HOME,
            "Cookie": f"{page.headers['set-cookie'].partition(';')[0]}; {first.key}={first.value}",
        },
    )
    assert is_in(again)
    shown = {"cookie": f"{first.key}={first.value}"}
    assert (await Visitor.at(web).look("/sessions", **shown)).status_code == 303


async def test_pages_are_kept_nowhere_and_shown_in_no_frame(web: Web) -> None:
    visitor = Visitor.at(web, "https://sms.example.org")
    await web.make_org("own", OWN)
    answers = [await visitor.look("/sign-in"), await visitor.look("/sessions")]
    await visitor.sign_in("own", OWN)
    answers.append(await visitor.look("/sessions"))
    answers.append(await visitor.look("/nowhere"))
    for answer in answers:
        assert answer.headers["cache-control"] == "no-store"
        if answer.status_code == 303:
            continue
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "form-action 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        # Else a form's Origin would be "null" where the browser does not tell the site otherwise.
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_secret_that_would_go_unencrypted_is_warned_of(web: Web) -> None:
    for base, address, warns in (
        (HOME, CLIENT, False),
        (HOME, AFAR, True),
        ("https://sms.example.org", AFAR, False),
    ):
        page = (await Visitor.at(web, base, address=address).look("/sign-in")).text
        assert ("This page came unencrypted" in page) == warns, (base, address)


async def test_a_link_on_another_page_finds_the_session(web: Web) -> None:
    visitor = Visitor.at(web)
    cookie = visitor.cookie(await visitor.sign_in())
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    bare = Visitor.at(web)
    answer = await bare.look("/sessions?a=b", **linked)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text
    again = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"}
    assert (await bare.look("/sessions?a=b", **again)).status_code == 303
    again["cookie"] = f"{cookie.key}={cookie.value}"
    assert (await bare.look("/sessions?a=b", **again)).status_code == 200


async def test_scripts_are_told_that_a_session_has_ended(web: Web) -> None:
    answer = await Visitor.at(web).look("/sessions", **{"X-Console": "script"})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    person = await Person.signed_in(web)
    await person.look("/sessions")
    await web.services.accounts.orgs.rotate(ORG)
    answer = await person.send("/sessions/end", script=True)
    assert answer.status_code == 401
    page = await person.send("/sessions/end")
    assert "Your session has ended" in page.text
    assert (await person.send("/sign-out")).headers["location"] == "/console/sign-in"


async def test_a_cookie_is_kept_for_longer_by_use(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = Visitor.at(web)
    cookie = visitor.cookie(await visitor.sign_in())
    assert "set-cookie" not in (await visitor.look("/sessions")).headers
    monkeypatch.setattr(web.services.sessions, "_now_ms", lambda: NOW + TOUCH_MS)
    renewed = visitor.cookie(await visitor.look("/sessions"))
    assert (renewed.key, renewed.value) == (cookie.key, cookie.value)
    assert renewed["max-age"] == str(UNUSED_MS // 1000)
    assert "set-cookie" not in (await visitor.look("/sessions")).headers


async def test_signing_out_ends_it_for_good(web: Web) -> None:
    visitor = Visitor.at(web)
    cookie = visitor.cookie(await visitor.sign_in())
    page = (await visitor.look("/sessions")).text
    csrf = csrf_of(page)
    answer = await visitor.client.post(
        "/console/sign-out", data={"csrf": csrf}, headers={"Origin": HOME}
    )
    assert visitor.cookie(answer)["max-age"] == "0"
    shown = {"cookie": f"{cookie.key}={cookie.value}"}
    assert (await Visitor.at(web).look("/sessions", **shown)).status_code == 303


async def test_nothing_changes_by_get(web: Web) -> None:
    person = await Person.signed_in(web)
    for path in ("/sign-out", "/sessions/end", "/sessions/1/end"):
        assert (await person.client.get(f"/console{path}")).status_code in {404, 405}
    await person.look("/sessions")


async def test_unknown_visitors_are_counted_and_forged_cookies_with_them(
    database: Database,
) -> None:
    limits = RateLimits(Bounds(address_requests_per_s=1))
    built = build_web(database, rate_limits=limits)
    await built.make_org()
    visitor = Visitor.at(built)
    forged = {"cookie": "phonegate-session-0000000000=" + "A" * 64}
    statuses = [(await visitor.look("/sessions", **forged)).status_code]
    while statuses[-1] != 429 and len(statuses) < 200:
        statuses.append((await visitor.look("/sessions", **forged)).status_code)
    assert set(statuses) == {303, 429}
