"""Whether the URL of a webhook may be called, as far as it can be seen without a look-up.

An address in it is refused when the webhook is made. A name may stand for any address, and for
another one tomorrow: it is looked at whenever it is called, by the same guard.
"""

import ipaddress
from typing import Final

import attrs

from phonegate.http.outgoing_address import Guard, is_this_machine
from phonegate.http.outgoing_guard import Address, Rules, embedded, plain, refusal
from phonegate.http.outgoing_url import OutgoingUrl, UnusableUrl, read_url
from phonegate.model.refusals import AddressRefused, BadInput, FieldProblem

PRIVATE_NETWORKS: Final = "[webhooks] private_networks"
ALLOW: Final = "[webhooks] allow"
"""The settings that open what is closed, as a refusal names them."""


@attrs.frozen(kw_only=True)
class WebhookUrls:
    """Checks the URLs of webhooks."""

    guard: Guard
    public_url: str = ""
    """The address by which others reach this gateway, perhaps through a proxy of its own."""

    def check(self, text: str, field: str = "url") -> None:
        """Refuses a URL that is none, or that may not be called.

        Args:
            text: The URL.
            field: What the request calls it.

        Raises:
            BadInput: It is none.
            AddressRefused: It may not be called. It says which setting would allow it.
        """
        try:
            url = read_url(text)
        except UnusableUrl as error:
            raise _bad_input(field, str(error)) from None
        if self._is_gateway(url):
            raise _refused(field, "is the gateway itself, which is never called")
        if url.literals and (problem := _closed(url, self.guard.rules())) is not None:
            raise _refused(field, problem)
        if url.plain is not None:
            problem = f"holds an address that is written oddly: write it as {url.plain}"
            raise _bad_input(field, problem)

    def _is_gateway(self, url: OutgoingUrl) -> bool:
        if url.port in self.guard.own_ports and any(
            is_this_machine(_leads_to(address)) for address in url.literals
        ):
            return True
        if not self.public_url:
            return False
        try:
            own = read_url(self.public_url)
        except UnusableUrl:
            return False
        return (url.host, url.port) == (own.host, own.port)


def _closed(url: OutgoingUrl, rules: Rules) -> str | None:
    """Returns why none of the addresses that a host is may be called. None where one may."""
    problems = [refusal(address, rules) for address in url.literals]
    if None in problems:
        return None
    problem = f"may not be called: its address {problems[0]}"
    if rules.setting and rules.setting in problem:
        return problem
    networks = ", ".join(f'"{_leads_to(address)}"' for address in url.literals)
    return f"{problem}, which needs {ALLOW} = [{networks}] in gateway.toml, and a restart"


def _leads_to(address: Address) -> Address:
    """Returns the address that one leads to in the end."""
    address = plain(address)
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # Without the name of a network interface, which no network has.
    return embedded(address) or ipaddress.IPv6Address(int(address))


def _bad_input(field: str, problem: str) -> BadInput:
    return BadInput(f"{field} {problem}.", [FieldProblem(field, problem)])


def _refused(field: str, problem: str) -> AddressRefused:
    return AddressRefused(f"{field} {problem}.", [FieldProblem(field, problem)])
