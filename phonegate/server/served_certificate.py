"""A certificate that a server uses, taken up anew whenever its files are others."""

import ssl
from collections.abc import Callable

import trio

from phonegate import log
from phonegate.config.settings import TlsSettings

from . import tls as encryption
from .errors import CertificateUnusable

_log = log.get("server")


class ServedCertificate:
    """A certificate with its key, as they were when they were read last.

    Args:
        tls: Their files. Where it names none, there is no certificate, and never will be.
        use: Has the server use another context for connections that come from now on.
        section: The section of the settings that is named where they can't be used.
        remedy: What to do then, as a sentence.

    Raises:
        CertificateUnusable: The files make no certificate.
    """

    def __init__(
        self,
        tls: TlsSettings,
        use: Callable[[ssl.SSLContext], None],
        *,
        section: str = "[tls]",
        remedy: str = "",
    ) -> None:
        self._use = use
        self._section = section
        self._remedy = remedy
        self._tls = tls
        self._version: object
        self.context: ssl.SSLContext | None
        """The server's side of TLS as it was read last, or `None` where it is to speak plainly."""
        self.ends_at: int | None
        """When it ends, in ms since 1970. None where there is none, or it can't be read."""
        self._version, self.context, self.ends_at = self._read(tls)

    async def renew(self, tls: TlsSettings) -> bool:
        """Reads the certificate and its key anew, for connections that come from now on.

        A server that speaks plain HTTP goes on doing so.

        Returns:
            Whether they were others than before.

        Raises:
            CertificateUnusable: They make no certificate. The one before it stays in use.
        """
        version, context, ends_at = await trio.to_thread.run_sync(self._read, tls)
        if context is None or self.context is None:
            return False
        renewed = version != self._version
        self._tls, self._version, self.context, self.ends_at = tls, version, context, ends_at
        self._use(context)
        return renewed

    async def watch(self, poll_s: float) -> None:
        """Takes up each certificate that an ACME client renews, until cancelled.

        Args:
            poll_s: Seconds between two looks: two calls of stat(2).
        """
        if self.context is None:
            return
        refused: object = None
        while True:
            await trio.sleep(poll_s)
            version = await trio.to_thread.run_sync(encryption.version, self._tls)
            if version in (self._version, refused):
                continue
            try:
                await self.renew(self._tls)
            except CertificateUnusable as error:
                # As between the writing of the one file and of the other. The next look comes
                # after the second was written.
                refused = version
                _log.warning("certificate_unusable", reason=str(error))
            else:
                _log.info("certificate_renewed")

    def _read(self, tls: TlsSettings) -> tuple[object, ssl.SSLContext | None, int | None]:
        try:
            return encryption.version(tls), encryption.context(tls), encryption.ends_at(tls)
        except CertificateUnusable as error:
            detail = f"{error.detail} {self._remedy}".rstrip()
            raise CertificateUnusable(detail, self._section) from None
