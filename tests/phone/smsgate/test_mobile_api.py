import pytest

from phonegate.phone.smsgate.mobile_api import api_address, cleartext_refusal


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://h:8080", "http://h:8080/api/mobile/v1"),
        ("https://h/", "https://h/api/mobile/v1"),
        ("ws://127.0.0.1:8080", "http://127.0.0.1:8080/api/mobile/v1"),
        ("wss://h/prefix", "https://h/prefix/api/mobile/v1"),
        ("https://h/mobile/v1/", "https://h/mobile/v1"),
        ("http://[::1]:80/api/mobile/v1", "http://[::1]:80/api/mobile/v1"),
    ],
)
def test_the_address_of_the_api(url: str, address: str) -> None:
    assert api_address(url) == address


@pytest.mark.parametrize("url", ["ftp://h", "h", "http://", "http://u@h", "http://h?a=b"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        api_address(url)


def test_what_the_published_app_would_refuse_is_said() -> None:
    assert cleartext_refusal("https://h/x") is None
    assert cleartext_refusal("http://127.0.0.1:8080/x") is None
    assert "would refuse" in (cleartext_refusal("http://192.168.1.5:8080/x") or "")
