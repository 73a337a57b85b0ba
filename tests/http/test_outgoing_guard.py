"""Which addresses may be called."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.http.outgoing_guard import Rules, embedded, parse_networks, plain, refusal

STRICT = Rules(private_networks=False, setting="[media] private_networks")
HOME = Rules()


def said(address: str, rules: Rules = HOME) -> str | None:
    return refusal(ipaddress.ip_address(address), rules)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:7f00:1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:0:127.0.0.1", "loopback"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("::", "unspecified"),
        ("::ffff:0.0.0.0", "unspecified"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("febf::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.250", "multicast"),
        ("ff02::1", "multicast"),
        ("2002:e000:1::", "multicast"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:2::1", "reserved"),
        ("3fff::1", "reserved"),
        ("4000::1", "reserved"),
        ("100::1", "reserved"),
        ("fd00:ec2::254", "cloud"),
        ("100.100.100.200", "cloud"),
    ],
)
def test_what_is_never_called(address: str, problem: str) -> None:
    found = said(address)
    assert found is not None
    assert problem in found


PRIVATE = (
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.5",
    "100.64.0.1",
    "fd12::1",
    "fec0::1",
    "::ffff:192.168.1.5",
    "64:ff9b::10.0.0.1",
    "2002:c0a8:105::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_networks_are_called_unless_they_are_closed(address: str) -> None:
    assert said(address) is None
    refused = said(address, STRICT)
    assert refused is not None
    assert "[media] private_networks = true" in refused


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "172.32.0.1",
        "11.0.0.1",
        "2606:2800::1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::",
    ],
)
def test_what_is_public_is_called(address: str) -> None:
    assert said(address, STRICT) is None


def test_a_network_that_is_allowed_is_called_in_every_form_of_its_own() -> None:
    rules = Rules(allow=parse_networks(["127.0.0.0/8", "169.254.7.7", "::1"]))
    for address in ("127.0.0.1", "::ffff:127.0.0.1", "169.254.7.7", "::1", "2002:7f00:1::"):
        assert said(address, rules) is None
    assert said("169.254.169.254", rules) is not None


@given(st.ip_addresses(v=4), st.sampled_from([HOME, STRICT]))
def test_no_form_of_an_address_is_called_where_its_plain_one_is_not(
    address: ipaddress.IPv4Address, rules: Rules
) -> None:
    number = int(address)
    forms = [
        0xFFFF << 32 | number,
        0xFFFF << 48 | number,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | number,
        0x2002 << 112 | number << 80 | 1,
        0x20010000 << 96 | (~number & 0xFFFFFFFF),
    ]
    if number > 1:
        forms.append(number)
    for form in forms:
        assert refusal(ipaddress.IPv6Address(form), rules) == refusal(address, rules)


@given(st.ip_addresses())
def test_what_is_called_is_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if refusal(address, STRICT) is not None:
        return
    found = plain(address)
    inner = embedded(found) if isinstance(found, ipaddress.IPv6Address) else None
    assert (found if inner is None else inner).is_global
