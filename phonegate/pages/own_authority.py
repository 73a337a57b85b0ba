"""The gateway's own authority for phones: its certificate, and how a phone installs it."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from phonegate.api.endpoint import Answer, Call, Endpoint, Handler
from phonegate.local_ca.errors import NoCertificate
from phonegate.local_ca.x509 import Certificate, read_pem
from phonegate.model.refusals import NotFound
from phonegate.pages.policies import HTML, PAGE_POLICY
from phonegate.pages.printer import Printer

CERTIFICATE_MEDIA: Final = "application/x-x509-ca-cert"
"""By which phones know an authority to install."""

PATH: Final = "/ca.crt"

_GROUPS: Final = 8
"""Bytes of a fingerprint in a line."""

NONE: Final = (
    "This gateway has no authority of its own. `phonegate certificate` makes one, for HTTPS in a "
    "local network."
)


@attrs.frozen(kw_only=True)
class AuthorityFile:
    """The certificate of the authority."""


@attrs.frozen(kw_only=True)
class AuthorityPage:
    """The page, as HTML."""


@attrs.frozen
class AuthorityPages:
    """The endpoints by which phones get the gateway's own authority.

    Args:
        find: Returns the file of its certificate, which may not be there.
        printer: Makes pages of templates.
    """

    _find: Callable[[], Path]
    _printer: Printer

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Returns them for the main server. The documents of the API don't name them."""
        return (
            _endpoint(PATH, self.file, AuthorityFile, CERTIFICATE_MEDIA),
            _endpoint("/certificate", self.page, AuthorityPage, HTML),
        )

    async def checksum(self) -> str | None:
        """Returns the SHA-256 of the file that phones get, in hex, or None where there is none."""
        try:
            content, _ = await trio.to_thread.run_sync(self._read)
        except NotFound:
            return None
        return hashlib.sha256(content).hexdigest()

    async def file(self, call: Call) -> Answer:  # noqa: ARG002 - all get the same
        """Gives the certificate of the authority, for phones to install."""
        content, _ = await trio.to_thread.run_sync(self._read)
        return Answer(content=content, media=CERTIFICATE_MEDIA)

    async def page(self, call: Call) -> Answer:
        """Shows how a phone installs the authority."""
        _, authority = await trio.to_thread.run_sync(self._read)
        text = self._printer.page(
            "certificate.html",
            call.request,
            authority=authority,
            fingerprint=_in_lines(authority.fingerprint),
        )
        return Answer(content=text, media=HTML, headers=(("Content-Security-Policy", PAGE_POLICY),))

    def _read(self) -> tuple[bytes, Certificate]:
        """Reads the file. Of anything but an authority's certificate nothing is given out.

        Raises:
            NotFound: There is none.
        """
        try:
            content = self._find().read_bytes()
            authority = read_pem(content)
        except (OSError, NoCertificate):
            raise NotFound(NONE) from None
        if not authority.is_authority or b"PRIVATE KEY" in content:
            raise NotFound(NONE)
        return content, authority


def _in_lines(fingerprint: str) -> str:
    """Returns a fingerprint in lines that fit a phone and that an eye can compare."""
    groups = fingerprint.split(":")
    lines = [groups[at : at + _GROUPS] for at in range(0, len(groups), _GROUPS)]
    return "\n".join(map(":".join, lines))


def _endpoint(path: str, handler: Handler, answer: type, media: str) -> Endpoint:
    name: str = handler.__name__
    return Endpoint(
        name=f"authority_{name}",
        method="GET",
        paths=(path,),
        scope=None,
        group="pairing",
        summary=(handler.__doc__ or "").partition("\n")[0],
        answer=answer,
        media=media,
        handler=handler,
    )
