import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.client_network import (
    client_network,
    is_local,
    owner_network,
    wider_networks,
)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.178.20"),
        *("169.254.1.1", "100.64.0.1", "100.127.255.255", "::1", "fd12::1", "fc00::1"),
        *("fe80::1%eth0", "::ffff:192.168.1.1", "::ffff:127.0.0.1"),
    ],
)
def test_what_is_local(address: str) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "8.8.8.8",
            "172.15.255.255",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.0",
            "192.169.0.1",
        ),
        *("0.0.0.0", "203.0.113.5", "2001:db8::1", "::", "::ffff:8.8.8.8", "fec0::1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "", "localhost", "127.0.0.1:80"),
        *("0177.0.0.1", "127.1", "192.168.1.1 ", "<local>"),
    ],
)
def test_what_is_not(address: str) -> None:
    assert not is_local(address)


def test_the_networks_around_an_address() -> None:
    assert client_network("2001:db8:1:2:3::4") == "2001:db8:1:2::"
    assert wider_networks("2001:db8:1:2ff:3::4") == ("2001:db8:1:200::", "2001:db8:1::")
    assert owner_network("2001:db8:1:2:3::4") == "2001:db8:1::"
    assert owner_network("203.0.113.77") == "203.0.113.0"
    for address in ("203.0.113.77", "::ffff:203.0.113.77", "a socket"):
        assert wider_networks(address) == ()
    assert owner_network("::ffff:203.0.113.77") == "203.0.113.0"
    assert owner_network("x" * 100) == "x" * 64


@given(st.integers(2**125, 2**128 - 1), st.integers(0, 2**72 - 1))
def test_one_customer_is_in_one_network(address: int, low: int) -> None:
    one = str(ipaddress.IPv6Address(address))
    other = str(ipaddress.IPv6Address(address >> 72 << 72 | low))
    assert wider_networks(one) == wider_networks(other)
    assert owner_network(one) == owner_network(other)


@given(st.text(max_size=80))
def test_any_text_has_a_network(text: str) -> None:
    assert len(client_network(text)) <= 64
    assert len(owner_network(text)) <= 64
    is_local(text)
    wider_networks(text)
