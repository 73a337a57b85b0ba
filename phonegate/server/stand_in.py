"""The face of the gateway that stands in for a host on the Internet.

A client that calls that host gets the certificate for it, and of the gateway the one API of that
host and nothing else: what else the gateway has is no business of programs that mean another.
"""

import ssl
from collections.abc import Callable
from http import HTTPStatus

import attrs

from phonegate.config.settings import TlsSettings
from phonegate.http.problem import JSON_MEDIA

from .answers import whole_answer


@attrs.frozen(kw_only=True)
class StandIn:
    """What is served in place of a host.

    Attributes:
        host: Its name, in lower case, as clients ask for it in the TLS handshake.
        base: Where the paths of its API begin.
        tls: The certificate for it.
        bind: Addresses that serve it alone.
        missing: The JSON that answers at any other path, in the words of that API.
    """

    host: str
    base: str
    tls: TlsSettings
    bind: tuple[str, ...] = ()
    missing: bytes = b"{}"

    def has(self, path: str) -> bool:
        """Tells whether a path, without the gateway's prefix, is one of its API."""
        return path == self.base or path.startswith(f"{self.base}/")

    def not_found(self, *, date: str) -> bytes:
        """Writes the answer at any other path, as a whole."""
        fields = (("Content-Type", JSON_MEDIA), ("Content-Length", str(len(self.missing))))
        return whole_answer(HTTPStatus.NOT_FOUND, fields, self.missing, date=date, stays=False)


def choose_by_name(
    usual: ssl.SSLContext, host: str, stand_in: Callable[[], ssl.SSLContext]
) -> None:
    """Has a TLS context give way to another for clients that ask for a host by its name.

    Args:
        usual: The context that all others get.
        host: The name, in lower case.
        stand_in: Returns the other context, as it is then.
    """

    def choose(offered: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name is not None and name.lower() == host:
            offered.context = stand_in()

    usual.sni_callback = choose
