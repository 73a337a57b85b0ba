"""Prefixes of paths: what is one, and how it is taken off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.prefix import MAX_PREFIX, read_prefix, without_prefix

PREFIXES = st.from_regex(r"(/[A-Za-z0-9_~-]{1,9}){1,3}", fullmatch=True)
PATHS = st.from_regex(r"(/[!-~]{0,9}){1,4}", fullmatch=True)


@pytest.mark.parametrize("text", ["", "/sms", "/a/b.c/d~e_f-g", "/" + "a" * (MAX_PREFIX - 1)])
def test_a_prefix_is_taken_with_a_slash_at_its_end_or_without(text: str) -> None:
    assert read_prefix(text) == read_prefix(f"{text}/") == text


@pytest.mark.parametrize(
    "text",
    [
        "sms",
        "//",
        "//evil.example",
        "/a//b",
        "/a/../b",
        "/.",
        "/a/..",
        "/a b",
        "/a%2fb",
        "/a\\b",
        "/a?b",
        "/a#b",
        "/a,/b",
        '/"><script>',
        "/$(reboot)",
        "/a;b",
        "/ä",
        "/a\nb",
        "/a\n",
        "https://evil.example/",
        "/" + "a" * MAX_PREFIX,
    ],
)
def test_what_is_no_prefix_is_none(text: str) -> None:
    assert read_prefix(text) is None


@given(PREFIXES, PATHS)
def test_what_stood_behind_a_prefix_is_left(prefix: str, path: str) -> None:
    assert read_prefix(prefix) == prefix
    assert without_prefix(prefix + path, prefix) == path
    assert without_prefix(path, "") == path


@pytest.mark.parametrize(
    ("path", "rest"),
    [
        ("/sms", ""),
        ("/sms/", "/"),
        ("/sms/sms/x", "/sms/x"),
        ("/smsx/y", "/smsx/y"),
        ("/send/sms", "/send/sms"),
        ("/SMS/x", "/SMS/x"),
        ("*", "*"),
    ],
)
def test_only_a_whole_segment_is_a_prefix(path: str, rest: str) -> None:
    assert without_prefix(path, "/sms") == rest
