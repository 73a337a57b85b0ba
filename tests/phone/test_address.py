import pytest

from phonegate.phone.address import Address
from tests.phone.gateway import SECRET


@pytest.mark.parametrize(
    ("url", "netloc", "tls", "resource"),
    [
        ("ws://h", "h", False, "/websocket"),
        ("http://h:8080/", "h:8080", False, "/websocket"),
        ("https://h", "h", True, "/websocket"),
        ("wss://h:444/websocket", "h:444", True, "/websocket"),
        ("https://h/sms/", "h", True, "/sms/websocket"),
        ("ws://[::1]:80", "[::1]", False, "/websocket"),
        ("http://h:443", "h:443", False, "/websocket"),
    ],
)
def test_addresses(url: str, netloc: str, tls: bool, resource: str) -> None:  # noqa: FBT001
    address = Address.parse(url, "org", SECRET)
    assert (address.netloc, address.tls, address.resource) == (netloc, tls, resource)


@pytest.mark.parametrize(
    "url",
    ["", "h:1", "ftp://h", "ws://", "ws://h:port", "ws://h:99999", "ws://u:p@h", "ws://h?a=b"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL"):
        Address.parse(url, "org", SECRET)


@pytest.mark.parametrize("secret", ["", "with space", "é", "line\nbreak"])
def test_what_is_no_secret_is_told_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="a secret is") as caught:
        Address.parse("ws://h", "org", secret)
    assert not secret or secret not in str(caught.value)


def test_the_secret_goes_in_the_header_unless_wished_otherwise() -> None:
    hidden = Address.parse("ws://h", "org", SECRET)
    assert hidden.target(device_id="a&b", name="My phone") == (
        "/websocket?org_id=org&device_id=a%26b&name=My%20phone"
    )
    assert hidden.headers() == [(b"X-Secret-Key", SECRET.encode())]
    assert SECRET not in repr(hidden)
    shown = Address.parse("ws://h", "org", SECRET, secret_in_url=True)
    assert shown.target() == f"/websocket?org_id=org&secret_key={SECRET}"
    assert shown.headers() == []
