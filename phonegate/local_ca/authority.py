"""The authority of one gateway, in a folder: made once, and its certificate renewed in time.

The folder holds `ca.crt`, which phones install, `ca.key`, which never leaves it, and `server.crt`
with `server.key`, which `[tls]` names. No key that is there is ever replaced.
"""

import errno
import importlib.util
import os
import secrets
import shutil
import ssl
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import attrs

from phonegate import file_owner
from phonegate.local_ca.errors import (
    FolderUnusable,
    NoCertificate,
    OutsideAuthority,
    SigningFailed,
)
from phonegate.local_ca.names import MOST_NAMES, Names
from phonegate.local_ca.signer import Signer
from phonegate.local_ca.x509 import Certificate, Permitted, read_pem

FOLDER: Final = "tls"
"""Beside the database."""

AUTHORITY: Final = "ca.crt"
AUTHORITY_KEY: Final = "ca.key"
SERVER: Final = "server.crt"
SERVER_KEY: Final = "server.key"

AUTHORITY_DAYS: Final = 3_650
"""Ten years: each phone has to install the next one by hand."""

SERVER_DAYS: Final = 396
"""With the day before it, one less than what browsers and phones take at most (398 days, as the
CA/Browser Forum has it since 2020)."""

EARLIER: Final = timedelta(days=1)
"""Certificates begin so long before they are made: clocks of phones go wrong."""

RENEW_BEFORE: Final = timedelta(days=30)
"""A certificate is renewed when so little is left of it."""

_KEY_MODE: Final = 0o600
CERTIFICATE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o700

TITLE: Final = "phonegate"
"""How the name of an authority begins, by which people know it in the settings of a phone."""


def find_signer() -> Signer:
    """Returns the one that works here.

    Raises:
        SigningFailed: There is none.
    """
    if importlib.util.find_spec("cryptography") is not None:
        from phonegate.local_ca.by_cryptography import CryptographySigner  # noqa: PLC0415 - is large

        return CryptographySigner()
    program = shutil.which("openssl")
    if program is not None:
        from phonegate.local_ca.by_openssl import OpensslSigner  # noqa: PLC0415 - as above

        return OpensslSigner(program)
    raise SigningFailed(
        "Certificates are made by the program openssl, or by Python's cryptography; neither is "
        "installed here. Install one, such as by: apt install openssl, or pip install "
        "'phonegate[tls]'"
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@attrs.frozen(kw_only=True)
class Outcome:
    """What there is after a call, and whether any of it is new."""

    authority: Certificate
    server: Certificate
    new_authority: bool
    new_server: bool


@attrs.frozen
class LocalAuthority:
    """The authority in one folder.

    Args:
        folder: Where its files are, or will be.
        signer: Finds what makes keys and signs.
        now: The wall clock.
        title: How the name of one that has to be made begins.
        folder_mode: Of a folder that has to be made.
    """

    folder: Path
    _signer: Callable[[], Signer] = find_signer
    _now: Callable[[], datetime] = _now
    title: str = TITLE
    folder_mode: int = _FOLDER_MODE

    @property
    def certificate(self) -> Path:
        """The file of the server's certificate."""
        return self.folder / SERVER

    @property
    def key(self) -> Path:
        """The file of the server's key."""
        return self.folder / SERVER_KEY

    @property
    def authority(self) -> Path:
        """The file of the authority's certificate, which phones install."""
        return self.folder / AUTHORITY

    @property
    def exists(self) -> bool:
        """Whether the folder has an authority that can sign."""
        return self.authority.is_file() and (self.folder / AUTHORITY_KEY).is_file()

    def read_authority(self) -> Certificate | None:
        """Returns the certificate of the authority. None where there is none yet.

        Raises:
            FolderUnusable: The file can't be read.
            NoCertificate: It is no certificate.
        """
        try:
            return self._read(AUTHORITY)
        except OSError as error:
            raise FolderUnusable(f"{self.authority}: {error.strerror}") from None

    def ensure(self, asked: Names, usual: Names, *, force: bool = False) -> Outcome:
        """Makes what is missing, and renews what ends soon.

        The certificate is for the names that are `asked` for, those of the one that is there, and
        the `usual` ones, as far as the authority may vouch for these. Of many the addresses that it
        had first are left out.

        Args:
            asked: Names that it must be for.
            usual: The names by which this machine is reached now.
            force: Renew it though it is good for long.

        Raises:
            OutsideAuthority: The authority that is there may not vouch for a name asked for.
            FolderUnusable: A file can't be read or written.
            NoCertificate: A file is no certificate.
            SigningFailed: It could not be made.
        """
        try:
            return self._ensure(asked, usual, force=force)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise FolderUnusable(f"{error.filename or self.folder}: {reason}") from None

    def _ensure(self, asked: Names, usual: Names, *, force: bool) -> Outcome:
        self._make_folder()
        authority, made = self._read(AUTHORITY), False
        if authority is None:
            authority, made = self._make_authority(asked.with_(usual)), True
        before = self._read(SERVER)
        wanted = asked.with_(Names() if before is None else before.names)
        if outside := _outside(authority, wanted):
            raise OutsideAuthority(
                f"{', '.join(outside)}: the authority in {self.folder} may not vouch for that. To "
                "make another one, which every phone has to install again, move the folder away."
            )
        # A machine at home gets another address now and then.
        now = usual.without(_outside(authority, usual))
        wanted = wanted.with_(now).at_most(MOST_NAMES, keep=asked.with_(now))
        if before is not None and not force and not made and self._is_good(before, wanted):
            return Outcome(
                authority=authority, server=before, new_authority=False, new_server=False
            )
        if not (self.folder / AUTHORITY_KEY).is_file():
            raise FolderUnusable(
                f"{self.folder / AUTHORITY_KEY} is gone, and no other key signs for {AUTHORITY}."
            )
        if authority.ends <= self._now():
            raise FolderUnusable(
                f"{self.authority} has ended ({authority.ends:%Y-%m-%d}). Move the folder away to "
                "make another one, which every phone has to install."
            )
        server = self._sign(wanted, authority)
        return Outcome(authority=authority, server=server, new_authority=made, new_server=True)

    def _is_good(self, server: Certificate, wanted: Names) -> bool:
        return (
            server.ends - self._now() > RENEW_BEFORE
            and server.names.covers(wanted)
            and self._is_pair()
        )

    def _is_pair(self) -> bool:
        """Tells whether the server's key is there, and is that of its certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password OpenSSL would ask the terminal for one.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError:
            return False
        return True

    def _make_authority(self, names: Names) -> Certificate:
        key = self.folder / AUTHORITY_KEY
        if key.exists():
            raise FolderUnusable(
                f"{key} is there and {AUTHORITY} is not, as when making them was cut short. Move "
                "that key away to make another authority."
            )
        permitted = Permitted(dns=names.dns, networks=names.networks)
        title = f"{self.title} {names.shown[0]} {self._now():%Y-%m-%d}"
        made = self._signer().make_authority(
            title, permitted, begins=self._now() - EARLIER, days=AUTHORITY_DAYS
        )
        # The key first: without it the certificate is of no use, and would stay.
        write_whole(key, made.key, _KEY_MODE, replace=False)
        write_whole(self.authority, made.certificate, CERTIFICATE_MODE)
        return read_pem(made.certificate)

    def _sign(self, names: Names, authority: Certificate) -> Certificate:
        key = self.key.read_bytes() if self.key.exists() else None
        left = (authority.ends - self._now()).days
        made = self._signer().sign(
            names,
            authority=self.authority,
            authority_key=self.folder / AUTHORITY_KEY,
            key=key,
            begins=self._now() - EARLIER,
            days=max(1, min(SERVER_DAYS, left)),
        )
        if key is None:
            write_whole(self.key, made.key, _KEY_MODE, replace=False)
        write_whole(self.certificate, made.certificate, CERTIFICATE_MODE)
        return read_pem(made.certificate)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=self.folder_mode, parents=True)
        except FileExistsError:
            return
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        file_owner.like_folder(descriptor, self.folder)
        os.close(descriptor)

    def _read(self, name: str) -> Certificate | None:
        path = self.folder / name
        try:
            return read_pem(path.read_bytes())
        except FileNotFoundError:
            return None
        except NoCertificate as error:
            raise NoCertificate(f"{path} can't be used: {error}.") from None


def _outside(authority: Certificate, names: Names) -> tuple[str, ...]:
    return () if authority.permitted is None else authority.permitted.outside(names)


def write_whole(path: Path, content: bytes, mode: int, *, replace: bool = True) -> None:
    """Writes a file in one step, so that a reader finds all of it or what was there before.

    Raises:
        FileExistsError: It is there, and is not to be replaced.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file_owner.like_folder(descriptor, path)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # Not by a hard link, which would notice by itself: Android allows none.
        if not replace and path.exists():
            raise FileExistsError(errno.EEXIST, "is there already", str(path))
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()
