"""What a person needs in order to pair a phone: its link and key, and where the gateway is reached.

It is made for the owner's command and for the console alike.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import attrs
import trio

from phonegate.bind_address import leads_to_loopback
from phonegate.domain.pairing import Pairing, PairingLink
from phonegate.model.refusals import BadInput, Conflict, FieldProblem
from phonegate.own_addresses import in_container

MAX_TYPED_URL: Final = 200
"""Characters of an address that a person types into a phone."""

NOT_REACHED: Final = (
    "No address is known at which another device reaches this gateway: it listens to this machine "
    "alone, or on IPv6 alone, or there is no network now. Set [http] bind, as to 0.0.0.0:8080, or "
    "[http] public_url where a proxy stands before it, and restart it. Or name one (--url)."
)

_URL: Final = re.compile(r"https?://[^\s/?#\\@]+(/[^\s?#\\]*)?", re.IGNORECASE)

_PROBLEM: Final = "must be an address such as https://sms.example.org"

FindUrls = Callable[[], Sequence[str]]
"""Finds the beginnings of the gateway's URLs for other devices, the best first. It may take a
moment."""


@attrs.frozen(kw_only=True)
class Offer:
    """A phone to be paired, with all that its owner has to know."""

    link: PairingLink
    url: str
    """The gateway's address for the phone."""
    other_urls: tuple[str, ...]
    """Others, if it has several networks."""
    certificate_page: str | None
    """Where a phone gets the gateway's own authority, if it has one to trust first."""

    @property
    def address(self) -> str:
        """The one-time link."""
        return f"{self.url}/pair/{self.link.token}"

    @property
    def leads_nowhere(self) -> bool:
        """Whether no phone reaches the address, since it is that of each machine for itself."""
        return leads_to_loopback(self.url)


@attrs.frozen
class PairingOffers:
    """Makes offers.

    Args:
        pairing: The links.
        find_urls: Finds where other devices reach the gateway.
        find_authority: Returns the file of the certificate of the gateway's own authority, which
            may not be there.
        in_container: Tells whether the gateway runs in a container.
    """

    pairing: Pairing
    _find_urls: FindUrls
    _find_authority: Callable[[], Path]
    _in_container: Callable[[], bool] = in_container

    async def make(self, org_name: str, name: str | None, url: str | None) -> Offer:
        """Makes an offer for the owner.

        Args:
            org_name: The org that gets the phone.
            name: What the phone is called. None leaves that to the phone.
            url: The address of the gateway to give to the phone. None: the best one.

        Raises:
            BadInput: The address or the name has a wrong form.
            Conflict: No address is known.
            NotFound, OrgFull: As `Pairing.invite`.
        """
        urls = (checked(url),) if url else await self.urls()
        if not urls:
            raise Conflict(NOT_REACHED)
        made = await self.pairing.invite(org_name, name, urls[0] if url else "")
        link = self.pairing.made(made.key.org, made.key.id, None)
        return await self.offer(link, urls)

    async def urls(self, seen: str = "") -> tuple[str, ...]:
        """Returns the addresses of the gateway for phones, the best first, or none.

        Args:
            seen: The address at which a person sees the gateway just now. In a container, or
                behind a proxy, it is the only one that is of use.
        """
        found = await trio.to_thread.run_sync(self._find_urls)
        seen = "" if not seen.startswith("http") or leads_to_loopback(seen) else seen
        return tuple(dict.fromkeys([*([seen] if seen else []), *found]))

    async def is_of_container(self, url: str) -> bool:
        """Tells whether an address was found in a container, where others don't get to it."""
        if not await trio.to_thread.run_sync(self._in_container):
            return False
        found = await trio.to_thread.run_sync(self._find_urls)
        return url in found and _is_literal(url)

    async def offer(self, link: PairingLink, urls: Sequence[str]) -> Offer:
        """Returns the offer of a link, with the first of these addresses."""
        is_own = urls[0].startswith("https:") and await trio.Path(self._find_authority()).is_file()
        return Offer(
            link=link,
            url=urls[0],
            other_urls=tuple(urls[1:]),
            certificate_page=f"{urls[0]}/certificate" if is_own else None,
        )


def checked(url: str) -> str:
    """Returns an address that was typed, with its scheme in the letters that all apps know it by.

    Raises:
        BadInput: It is none.
    """
    if len(url) > MAX_TYPED_URL or not _URL.fullmatch(url):
        raise BadInput(f"url {_PROBLEM}.", [FieldProblem("url", _PROBLEM)])
    scheme, separator, rest = url.rstrip("/").partition("://")
    return f"{scheme.lower()}{separator}{rest}"


def _is_literal(url: str) -> bool:
    """Tells whether a URL has an address in place of a name, as those have that are found."""
    host = urlsplit(url).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
