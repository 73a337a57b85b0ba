"""Which names a certificate can be for, and what an authority for them may vouch for."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.local_ca.errors import NameRefused
from phonegate.local_ca.names import HERE, MOST_NAMES, parse, usual


def test_names_and_addresses_are_told_apart_and_stand_once() -> None:
    found = parse(["Gate.LAN.", "192.168.1.5", "[fd00::5]", "gate.lan", "fd00:0::5"])
    assert found.shown == ("gate.lan", "192.168.1.5", "fd00::5")
    assert found.dns == ("gate.lan",)


@pytest.mark.parametrize(
    "word",
    [
        "",
        " ",
        "999.1.1.1",
        "1.2.3",
        "a b",
        "-a",
        "a-",
        "a..b",
        "a_b",
        "*.lan",
        "büro",
        "gate.lan:8080",
        "https://gate.lan",
        "192.168.0.0/16",
        "fe80::1%eth0",
        "[fe80::1%eth0]",
        "fe80::1%x\nDNS.9 = bank.example",
        f"{'a' * 64}.lan",
        ".".join(["a" * 49] * 6),
    ],
)
def test_what_no_certificate_can_be_for_is_refused(word: str) -> None:
    with pytest.raises(NameRefused, match="no name or address"):
        parse([word])


def test_there_are_not_more_than_clients_like_to_read() -> None:
    names = [f"a{n}.lan" for n in range(MOST_NAMES)]
    assert len(parse(names).dns) == MOST_NAMES
    with pytest.raises(NameRefused, match="More than"):
        parse([*names, "b.lan"])


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("Gate", ("gate", "gate.local")),
        ("gate.home.arpa", ("gate.home.arpa", "gate", "gate.local")),
        ("my_host", ()),
        ("", ()),
    ],
)
def test_the_usual_names_are_those_of_the_machine(host: str, names: tuple[str, ...]) -> None:
    found = usual(host, ["192.168.1.5"])
    assert found.shown == (*names, "localhost", "192.168.1.5", *HERE[1:])


def test_a_private_address_stands_for_its_network_and_a_public_one_for_itself() -> None:
    found = parse(["192.168.1.5", "192.168.9.9", "10.0.0.1", "8.8.8.8", "fd00::5", "2001:db8::1"])
    assert [str(network) for network in found.networks] == [
        "192.168.0.0/16",
        "10.0.0.0/8",
        "8.8.8.8/32",
        "fc00::/7",
        "2001:db8::1/128",
    ]


@given(st.lists(st.ip_addresses(), max_size=8))
def test_every_address_is_in_one_of_its_networks(addresses: list[ipaddress.IPv4Address]) -> None:
    names = parse(map(str, addresses))
    assert all(any(one in network for network in names.networks) for one in names.addresses)
    assert all(network.prefixlen > 6 for network in names.networks)


def test_names_are_joined_and_left_out() -> None:
    one, other = parse(["a.lan", "10.0.0.1"]), parse(["b.lan", "10.0.0.1"])
    both = one.with_(other)
    assert both.shown == ("a.lan", "b.lan", "10.0.0.1")
    assert both.covers(one)
    assert not one.covers(both)
    assert both.without(["b.lan", "10.0.0.1"]).shown == ("a.lan",)
