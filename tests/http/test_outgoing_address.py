"""The addresses of names, as the system finds them."""

import ipaddress
from collections.abc import Sequence

import pytest

from phonegate.http.outgoing_address import (
    MOST_ADDRESSES,
    CallFailed,
    CallRefused,
    Guard,
    is_this_machine,
    resolve,
)
from phonegate.http.outgoing_guard import Address, Rules, parse_networks


def guard(*addresses: str, rules: Rules | None = None, own: Sequence[int] = ()) -> Guard:
    async def answer(_host: str, _port: int) -> Sequence[Address]:
        return [ipaddress.ip_address(one) for one in addresses]

    return Guard(rules=lambda: rules or Rules(), own_ports=own, resolve=answer)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "::1", "0", "::"],
)
async def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    with pytest.raises(CallRefused):
        await Guard(rules=Rules).addresses(host, 80)


async def test_one_bad_address_of_a_name_is_enough() -> None:
    with pytest.raises(CallRefused, match="loopback"):
        await guard("93.184.216.34", "127.0.0.1").addresses("a.example", 80)
    many = [f"93.184.216.{n}" for n in range(MOST_ADDRESSES)]
    with pytest.raises(CallRefused, match="link-local"):
        await guard(*many, "fe80::1").addresses("a.example", 80)


async def test_a_mapped_address_is_called_as_what_it_is() -> None:
    found = await guard("::ffff:93.184.216.34", "93.184.216.34").addresses("a.example", 80)
    assert list(map(str, found)) == ["93.184.216.34"]


async def test_the_gateway_itself_is_refused_though_its_network_is_allowed() -> None:
    rules = Rules(allow=parse_networks(["0.0.0.0/0", "::/0"]))
    for address in ("127.0.0.1", "127.3.3.3", "::1", "0.0.0.0", "::ffff:127.0.0.1"):
        one = guard(address, rules=rules, own=[8080])
        with pytest.raises(CallRefused, match="gateway itself") as refused:
            await one.addresses("a.example", 8080)
        assert refused.value.is_own
        assert await one.addresses("a.example", 8081)


async def test_a_name_that_leads_nowhere_may_lead_somewhere_later() -> None:
    with pytest.raises(CallFailed):
        await guard().addresses("a.example", 80)
    with pytest.raises(CallFailed):
        await resolve("no-such-name.invalid", 80)
    with pytest.raises(CallFailed):
        await resolve("a" * 70 + ".example", 80)


def test_an_address_elsewhere_is_not_this_machine() -> None:
    assert is_this_machine(ipaddress.ip_address("127.0.0.1"))
    assert not is_this_machine(ipaddress.ip_address("192.0.2.1"))
