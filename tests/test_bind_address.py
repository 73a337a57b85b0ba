import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.bind_address import leads_to_loopback, parse_bind


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.0.0.0:8080", ("0.0.0.0", 8080)),
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::1]:0", ("::1", 0)),
        ("localhost:0", ("localhost", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_bind(text) == expected


@pytest.mark.parametrize(
    ("url", "leads"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.0.0.1", True),
        ("https://127.1.2.3/x:y", True),
        ("http://LOCALHOST:8080/x", True),
        ("http://[::1]:8080", True),
        ("http://[::1]", True),
        ("http://[::2]:8080", False),
        ("http://192.168.1.5:8080", False),
        ("http://localhost.example:8080", False),
        ("http://[", False),
    ],
)
def test_a_url_leads_to_this_machine_or_to_another(url: str, *, leads: bool) -> None:
    assert leads_to_loopback(url) == leads


@given(st.text())
def test_any_text_is_an_address_or_refused_in_a_sentence(text: str) -> None:
    try:
        host, port = parse_bind(text)
    except ValueError as error:
        host, port = str(error), 0
    assert host
    assert 0 <= port <= 65535
