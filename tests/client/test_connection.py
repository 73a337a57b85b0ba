"""The settings with which the client uses httpx."""

import pytest

from phonegate.client.connection import settings


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
