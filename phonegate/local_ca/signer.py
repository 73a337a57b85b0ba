"""What makes keys and signs certificates: the package `cryptography`, or the program `openssl`."""

from datetime import datetime
from pathlib import Path
from typing import Protocol

import attrs

from phonegate.local_ca.names import Names
from phonegate.local_ca.x509 import Permitted


@attrs.frozen(kw_only=True)
class Signed:
    """A new key with its certificate, both in PEM."""

    key: bytes = attrs.field(repr=False)
    certificate: bytes


class Signer(Protocol):
    """Makes keys (ECDSA, P-256) and certificates. Each call may take a second."""

    def make_authority(
        self, title: str, permitted: Permitted, *, begins: datetime, days: int
    ) -> Signed:
        """Makes an authority that vouches for these names and networks, and signs no others.

        Raises:
            SigningFailed: It could not be made.
        """

    def sign(
        self,
        names: Names,
        *,
        authority: Path,
        authority_key: Path,
        key: bytes | None,
        begins: datetime,
        days: int,
    ) -> Signed:
        """Makes a server's certificate.

        Args:
            names: Whom it is for.
            authority: The file of the certificate of the authority.
            authority_key: The file of its key.
            key: The server's key so far. None makes a new one.
            begins: When it begins to be valid. A signer that can't choose takes now.
            days: For how many days it is valid.

        Raises:
            SigningFailed: It could not be made.
        """
