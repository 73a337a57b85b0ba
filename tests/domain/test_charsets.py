"""Bytes in a charset whose name comes from outside."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.charsets import decoded

NAMES = ("utf-8", "UTF-7", "utf_16", "latin-1", "koi8-r", "gb18030", "iso2022_jp", "cp1252", "hz")


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"Gr\xfc\xdfe", " ISO-8859-1 ", "Grüße"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
        (b"\xff", "utf-8", None),
        (b"eA==", "base64", None),
        (b"x", "nothing", None),
        (b"x", "", None),
    ],
)
def test_what_bytes_are(data: bytes, charset: str, text: str | None) -> None:
    assert decoded(data, charset) == text


@pytest.mark.parametrize(
    "charset",
    ["punycode", "PUNYCODE", "idna", "unicode_escape", "Unicode-Escape", "raw-unicode-escape"],
)
def test_what_python_alone_calls_an_encoding_is_none(charset: str) -> None:
    """A megabyte of punycode would take the event loop for more than a minute."""
    assert decoded(b"a" * 1_000_000, charset) is None


def test_halves_of_surrogate_pairs_are_no_text() -> None:
    assert decoded(b"+2AA-", "utf-7") is None


@given(st.binary(), st.sampled_from(NAMES))
def test_what_is_read_can_be_stored(data: bytes, charset: str) -> None:
    text = decoded(data, charset)
    assert text is None or text.encode() is not None
