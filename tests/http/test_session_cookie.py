"""The console's cookies, and where a sign-in leads to."""

from http.cookies import SimpleCookie
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.session_cookie import (
    CONSOLE,
    MAX_NEXT,
    MOST_SHOWN,
    clear_cookie,
    cookie_name,
    read_next,
    set_cookie,
    shown_cookies,
)

VALUES = st.from_regex(r"[A-Za-z0-9_-]{1,70}", fullmatch=True)
NAME = cookie_name("session", "0f0f", secure=False)


@given(VALUES, st.sampled_from(["", "/sms", "/a/b"]), st.booleans())
def test_a_cookie_comes_back_as_it_was_set(value: str, prefix: str, secure: bool) -> None:  # noqa: FBT001
    name = cookie_name("session", "0f0f", secure=secure)
    line = set_cookie(name, value, prefix=prefix, secure=secure, seconds=60)
    morsel = SimpleCookie(line)[name]
    assert morsel["path"] == f"{prefix}/console"
    assert morsel["samesite"] == "Strict"
    assert morsel["httponly"]
    assert bool(morsel["secure"]) == secure
    assert morsel["max-age"] == "60"
    assert name.startswith("__Secure-") == secure
    shown = shown_cookies({"cookie": f"a=b; {name}={morsel.value};c=d"}, name)
    assert list(shown) == [value]


def test_without_a_time_it_ends_with_the_browser() -> None:
    assert "Max-Age" not in set_cookie(NAME, "x", prefix="", secure=False)


def test_a_cookie_is_forgotten_where_it_was_set() -> None:
    morsel = SimpleCookie(clear_cookie(NAME, prefix="/sms", secure=False))[NAME]
    assert (morsel.value, morsel["path"], morsel["max-age"]) == ("", "/sms/console", "0")


def test_gateways_on_one_host_have_names_of_their_own() -> None:
    names = {
        cookie_name(kind, mark, secure=secure)
        for kind in ("session", "visitor")
        for mark in ("aa", "bb")
        for secure in (True, False)
    }
    assert len(names) == 8


def test_of_many_with_one_name_a_few_are_looked_at() -> None:
    header = "; ".join(f"{NAME}={n}" for n in range(100))
    assert list(shown_cookies({"cookie": header}, NAME)) == ["0", "1", "2", "3"][:MOST_SHOWN]
    # Two header lines are joined by a comma.
    assert list(shown_cookies({"cookie": f"{NAME}=a, {NAME}=b"}, NAME)) == ["a", "b"]
    assert list(shown_cookies({"cookie": f"x{NAME}=a; {NAME}x=b"}, NAME)) == []
    assert list(shown_cookies({}, NAME)) == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/conversations",
        "/conversations/%2B1555123456",
        "/conversations/a%2Fb?before=5&q=x+y",
        "/?x=https://evil.example/..",
        "/a...b/.c/..d",
    ],
)
def test_paths_below_the_console_are_gone_on_to(path: str) -> None:
    assert read_next(path) == path


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "conversations",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/\tevil",
        "\t//evil.example",
        "/a\n",
        "/a\0",
        "/..",
        "/a/../..",
        "/%2e%2E/x",
        "/.%2e?x",
        "/./x",
        "/%2e",
        "/é",
        "/#x",
        '/"><script>',
        "javascript:alert(1)",
        "/" + "a" * MAX_NEXT,
    ],
)
def test_all_else_leads_nowhere(text: str | None) -> None:
    assert read_next(text) is None


@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(["/", ".", "..", "%2e", "\\", "?", "#", "@", ":", "a", "//", "\t"]),
            max_size=12,
        ).map("".join),
    ),
    st.sampled_from(["", "/sms"]),
)
def test_whatever_is_asked_for_it_stays_below_the_console(text: str, prefix: str) -> None:
    found = read_next(text)
    if found is None:
        return
    base = f"http://gate.lan{prefix}{CONSOLE}"
    # As browsers read it: a backslash is a slash, and an encoded dot a dot.
    browser = found.replace("\\", "/").replace("%2e", ".").replace("%2E", ".")
    url = urlsplit(urljoin("http://gate.lan/", base + browser))
    assert url.netloc == "gate.lan"
    assert url.path.startswith(f"{prefix}{CONSOLE}/")
