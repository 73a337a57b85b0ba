import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.address import own_address


@pytest.mark.parametrize(
    ("public_url", "scheme", "host", "address"),
    [
        ("https://sms.example.org", "http", "10.0.0.5:8080", "https://sms.example.org"),
        ("https://example.org/sms/", "http", "", "https://example.org/sms"),
        ("", "http", "192.168.1.5:8080", "http://192.168.1.5:8080"),
        ("", "https", "sms.example.org", "https://sms.example.org"),
        ("", "http", "my_phone-gateway", "http://my_phone-gateway"),
        ("", "http", "[::1]:8080", "http://[::1]:8080"),
        ("", "http", "", ""),
        ("", "ws", "example.org", ""),
        ("", "http", "example.org:0", ""),
        ("", "http", "example.org:65536", ""),
        ("", "http", "example.org/path", ""),
        ("", "http", "me@example.org", ""),
        ("", "http", "example.org\n", ""),
        ("", "http", "-x", ""),
        ("", "http", "a" * 300, ""),
        ("", "http", '"><script>alert(1)</script>', ""),
    ],
)
def test_the_own_address(public_url: str, scheme: str, host: str, address: str) -> None:
    assert own_address(public_url, scheme, host) == address


@given(st.text() | st.text("aZ09.-_:[]<>\"'&`$(){}\\/@ \n%"))
def test_no_host_brings_in_what_another_language_reads(host: str) -> None:
    address = own_address("", "http", host)
    assert address in {"", f"http://{host}"}
    assert not set(address) & set("<>\"'&`$(){}\\@ \n%#?")
    assert address.count("/") in {0, 2}
