import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.bind_address import parse_bind


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


@given(st.text())
def test_any_text_is_an_address_or_refused_in_a_sentence(text: str) -> None:
    try:
        host, port = parse_bind(text)
    except ValueError as error:
        host, port = str(error), 0
    assert host
    assert 0 <= port <= 65535
