"""Texts as coded bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialects import coded_text
from phonegate.api.dialects.coded_text import NotText
from phonegate.domain.segmentation import BASIC, EXTENDED

CODES = {char: bytes([code + (code >= 0x1B)]) for code, char in enumerate(BASIC)} | {
    char: b"\x1b" + bytes([code])
    for char, code in zip(
        EXTENDED, (0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65), strict=True
    )
}


@given(st.text(alphabet=BASIC + EXTENDED))
def test_gsm_reads_every_character_of_both_tables(text: str) -> None:
    assert coded_text.gsm(b"".join(CODES[char] for char in text)) == text


def test_gsm_reads_known_codes() -> None:
    assert coded_text.gsm(bytes.fromhex("48656C6C6F001B65")) == "Hello@€"


@pytest.mark.parametrize("data", [b"\x80", b"a\x1b"])
def test_gsm_refuses_what_is_no_code(data: bytes) -> None:
    with pytest.raises(NotText):
        coded_text.gsm(data)


def test_a_code_without_an_extension_is_read_from_the_default_table() -> None:
    assert coded_text.gsm(b"\x1bA\x1b\x1b") == "A "


@given(st.text(alphabet=st.characters(max_codepoint=0x2FF, exclude_categories=["Cs"])))
def test_ucs2_reads_utf_16(text: str) -> None:
    assert coded_text.ucs2(text.encode("utf-16-be")) == text


@pytest.mark.parametrize(
    "text", ["Привет, мир", "中文短信", "😀 ok", "Grüße", "한국어 문자", "N-中", "مرحبا"]
)
def test_ucs2_reads_utf_16_and_utf_8(text: str) -> None:
    assert coded_text.ucs2(text.encode("utf-16-be")) == text
    assert coded_text.ucs2(text.encode()) == text, "as RapidPro sends it"


@pytest.mark.parametrize("data", [b"a", b"\xd8\x00", b"abc", b"\xff"])
def test_ucs2_refuses_halves(data: bytes) -> None:
    with pytest.raises(NotText):
        coded_text.ucs2(data)


@given(st.binary())
def test_ucs2_never_fails_otherwise(data: bytes) -> None:
    try:
        text = coded_text.ucs2(data)
    except NotText:
        return
    text.encode()


def test_latin1_reads_both() -> None:
    assert coded_text.latin1(b"Gr\xfc\xdfe") == "Grüße"
    assert coded_text.latin1("Grüße".encode()) == "Grüße"


@pytest.mark.parametrize(
    ("data", "charset", "text"),
    [
        (b"Gr\xfc\xdfe", "ISO-8859-1", "Grüße"),
        ("Привет".encode("utf-16-be"), "UTF-16BE", "Привет"),
        ("☺".encode(), "utf8", "☺"),
        ("Привет".encode("koi8-r"), "KOI8-R", "Привет"),
    ],
)
def test_a_charset_is_named(data: bytes, charset: str, text: str) -> None:
    assert coded_text.by_charset(data, charset) == text


@pytest.mark.parametrize(
    "charset", ["nothing", "base64", "rot13", "", "\x00", "ascii", "x" * 99, "punycode"]
)
def test_a_charset_is_not_known_or_not_right(charset: str) -> None:
    with pytest.raises(NotText, match="charset"):
        coded_text.by_charset("ü".encode(), charset)


@given(st.binary())
def test_raw_gives_back_the_bytes(data: bytes) -> None:
    assert coded_text.raw(data.decode("utf-8", "surrogateescape")) == data


def test_a_parameter_that_is_no_utf_8_is_no_text() -> None:
    with pytest.raises(NotText, match="UTF-8"):
        coded_text.utf8("a\udcff")
    assert coded_text.utf8("ü") == "ü"


def test_half_of_a_surrogate_pair_stands_for_no_bytes() -> None:
    """JSON can hold one."""
    with pytest.raises(NotText, match="surrogate"):
        coded_text.raw("\ud800")
