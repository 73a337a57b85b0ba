"""The settings with which the client uses httpx."""

import pytest

from phonegate.client import AsyncGateway, BadSetup, Gateway, NotConnected, connection
from phonegate.client.connection import settings
from phonegate.client.effects import Request
from phonegate.client.retries import NO_RETRIES

WITH_PASSWORD = "http://me:hunter2@127.0.0.1:1"


@pytest.mark.parametrize(
    ("url", "by_proxy"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://localhost:8080", False),
        ("https://sms.example.org", True),
    ],
)
def test_a_proxy_of_the_environment_is_for_other_machines(url: str, *, by_proxy: bool) -> None:
    assert settings(url, "secret")["trust_env"] == by_proxy


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway])
def test_a_proxy_that_can_t_be_used_is_explained(
    kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "gopher://127.0.0.1:9")
    with pytest.raises(BadSetup, match="ALL_PROXY"):
        kind("https://sms.example.org", "secret")


def test_a_password_in_the_address_is_for_a_proxy_and_in_no_error() -> None:
    assert settings("http://m%40e:hunter2@127.0.0.1:1", "secret")["auth"] == ("m@e", "hunter2")
    assert settings("http://127.0.0.1:1", "secret")["auth"] is None
    with Gateway(WITH_PASSWORD, "secret", retries=NO_RETRIES) as gateway:
        assert gateway.url == "http://127.0.0.1:1"
        with pytest.raises(NotConnected) as away:
            gateway.me()
    assert "hunter2" not in str(away.value) + away.value.url
    with pytest.raises(BadSetup) as wrong:
        Gateway("ftp://me:hunter2@127.0.0.1", "secret")
    assert "hunter2" not in str(wrong.value)


def test_the_address_keeps_its_path() -> None:
    assert connection.address("https://me:pw@[::1]:8443/sms") == "https://[::1]:8443/sms"


@pytest.mark.parametrize("credential", ["", " key", "key\n", "k\u00e9y"])
def test_a_credential_that_no_header_can_hold_is_refused_at_once(credential: str) -> None:
    with pytest.raises(BadSetup, match="blanks"):
        settings("http://127.0.0.1:1", credential)


@pytest.mark.parametrize(("streams", "packing"), [(False, "gzip"), (True, "identity")])
def test_no_packing_is_asked_for_of_which_a_piece_could_be_gigabytes(
    packing: str, *, streams: bool
) -> None:
    request = Request(method="GET", path="/me")
    made = connection.arguments("http://127.0.0.1:1", request, 1.0, streams=streams)
    assert made["headers"]["Accept-Encoding"] == packing
