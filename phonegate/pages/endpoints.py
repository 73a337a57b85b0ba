"""What pages the table answers: of pairing, of the own authority, and the console's stream."""

from collections.abc import Callable
from pathlib import Path

from phonegate.api.endpoint import Endpoint
from phonegate.domain.pairing import Pairing
from phonegate.pages.assets import Assets
from phonegate.pages.console.conversations import live
from phonegate.pages.own_authority import AuthorityPages
from phonegate.pages.pairing import PairingPages
from phonegate.pages.printer import Printer


def page_endpoints(
    assets: Assets, pairing: Pairing, *, public_url: str, find_authority: Callable[[], Path]
) -> tuple[Endpoint, ...]:
    """Returns them for the main server. The documents of the API don't name them.

    Args:
        assets: The files that pages load.
        pairing: The links of phones that are being paired.
        public_url: The address of the gateway, where its owner has set one.
        find_authority: Returns the file of the certificate of the gateway's own authority, which
            may not be there.
    """
    printer = Printer(assets.address)
    authority = AuthorityPages(find_authority, printer)
    pairs = PairingPages(pairing, public_url, printer, authority)
    return (*authority.endpoints(), *pairs.endpoints(), *live.ENDPOINTS)
