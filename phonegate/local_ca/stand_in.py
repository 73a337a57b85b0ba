"""An authority for one host on the Internet, in whose place a server of one's own answers.

Who trusts it believes that server to be that host. So it is an authority of its own, apart from the
one for the local network: it vouches for that name, for names below it, and for nothing else.
"""

import ssl
from pathlib import Path
from typing import Final

import attrs
import certifi

from phonegate.local_ca.authority import (
    CERTIFICATE_MODE,
    TITLE,
    LocalAuthority,
    Outcome,
    write_whole,
)
from phonegate.local_ca.errors import FolderUnusable, OutsideAuthority
from phonegate.local_ca.names import Names

FOLDER: Final = "stand-in"
"""Beside the database."""

BUNDLE: Final = "bundle.crt"

FOLDER_MODE: Final = 0o755
"""Programs of other users read the certificates in it. The keys are for their owner alone."""

_ROOTS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, the BSDs
)
"""Where systems keep the public authorities that they trust, in one file."""


def system_roots() -> Path:
    """Returns the file of the public authorities that this machine trusts.

    What variables of the environment name is left aside, since that may be a bundle of ours. A
    machine that has none is given those that Mozilla trusts.
    """
    found = (*_ROOTS, ssl.get_default_verify_paths().openssl_cafile)
    return next((path for path in map(Path, found) if path.is_file()), Path(certifi.where()))


@attrs.frozen(kw_only=True)
class StandInAuthority:
    """The authority for one host, with what programs need to trust it.

    Attributes:
        host: The name, in lower case.
        files: Its folder.
        roots: The public authorities that are in the bundle too.
    """

    host: str
    files: LocalAuthority
    roots: Path = attrs.field(factory=system_roots)

    @classmethod
    def of(cls, host: str, folder: Path) -> "StandInAuthority":
        """Returns the authority for a host in a folder, which may yet have to be made."""
        title = f"{TITLE} stand-in for"
        return cls(host=host, files=LocalAuthority(folder, title=title, folder_mode=FOLDER_MODE))

    @property
    def bundle(self) -> Path:
        """The file of this authority and the public ones, for programs that read one file only."""
        return self.files.folder / BUNDLE

    def ensure(self, *, force: bool = False) -> Outcome:
        """Makes what is missing, and renews what ends soon.

        Args:
            force: Renew the certificate though it is good for long.

        Raises:
            OutsideAuthority: The authority that is there is one for other names.
            FolderUnusable: A file can't be read or written.
            NoCertificate: A file is no certificate.
            SigningFailed: It could not be made.
        """
        there = self.files.read_authority()
        if there is not None and (
            there.permitted is None
            or there.permitted.dns != (self.host,)
            or there.permitted.networks
        ):
            raise OutsideAuthority(
                f"{self.files.authority} is an authority for other names. The one that stands in "
                f"for {self.host} needs a folder of its own."
            )
        outcome = self.files.ensure(Names(dns=(self.host,)), Names(), force=force)
        self._bundle()
        return outcome

    def _bundle(self) -> None:
        """Writes the bundle, where it is not that of the public authorities as they are now."""
        try:
            own = self.files.authority.read_bytes()
            public = self.roots.read_bytes()
            # Where the machine itself trusts it, it is among them already.
            whole = public if own.strip() in public else public.rstrip() + b"\n" + own
            if not self.bundle.is_file() or self.bundle.read_bytes() != whole:
                write_whole(self.bundle, whole, CERTIFICATE_MODE)
        except OSError as error:
            raise FolderUnusable(f"{error.filename or self.bundle}: {error.strerror}") from None
