import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.web.mcp.origin import is_allowed

PUBLIC = "https://sms.example.org"


@pytest.mark.parametrize(
    ("origin", "host", "public_url"),
    [
        (None, "anything.example", ""),
        ("https://sms.example.org", "10.0.0.1:8080", PUBLIC),
        ("https://SMS.example.org:443", "sms.example.org", PUBLIC),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", ""),
        ("http://192.168.1.5", "192.168.1.5", ""),
        ("http://[::1]:8080", "[::1]:8080", ""),
        ("http://localhost:8080", "localhost:8080", PUBLIC),
    ],
)
def test_a_program_and_the_gateways_own_pages_may_ask(
    origin: str | None, host: str, public_url: str
) -> None:
    assert is_allowed(origin, host, public_url)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "sms.example.org"),
        # A name that its owner points here once the page is loaded.
        ("http://evil.example:8080", "evil.example:8080"),
        ("http://sms.example.org", "sms.example.org"),
        ("https://sms.example.org:8443", "sms.example.org"),
        ("https://sms.example.org.evil.example", "sms.example.org"),
        ("http://127.0.0.1:9090", "127.0.0.1:8080"),
        ("http://127.0.0.1:8080", "localhost:8080"),
        ("null", "localhost:8080"),
        ("", "localhost:8080"),
        ("file://", ""),
        ("http://[", "["),
        ("http://localhost:x", "localhost:x"),
        ("http://localhost:8080, http://localhost:8080", "localhost:8080"),
    ],
)
def test_other_pages_may_not(origin: str, host: str) -> None:
    assert not is_allowed(origin, host, PUBLIC)


@given(st.text(), st.text(), st.text())
def test_nothing_breaks_it(origin: str, host: str, public_url: str) -> None:
    is_allowed(origin, host, public_url)
