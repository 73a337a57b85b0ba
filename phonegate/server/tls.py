"""Encryption in the server itself: the certificate of `[tls]`, TLS 1.2 and up."""

import ssl
from pathlib import Path

from phonegate.config.settings import TlsSettings
from phonegate.local_ca.errors import NoCertificate
from phonegate.local_ca.x509 import read_pem

from .errors import CertificateUnusable

ALPN = ("http/1.1",)
"""What the server speaks over TLS."""


def context(settings: TlsSettings) -> ssl.SSLContext | None:
    """Returns the server's side of TLS, or `None` where it is to speak plainly.

    Raises:
        CertificateUnusable: Only one file is named, or they can't be read, or don't fit.
    """
    if not settings.certificate and not settings.key:
        return None
    if not settings.certificate or not settings.key:
        named, missing = ("certificate", "key") if settings.certificate else ("key", "certificate")
        raise CertificateUnusable(f"{named} is set and {missing} is not; TLS needs both.")
    for name in ("certificate", "key"):
        _check_readable(name, Path(getattr(settings, name)))
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 8996
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(ALPN)
    try:
        # Without a password OpenSSL would ask the terminal for one, and a service has none.
        made.load_cert_chain(settings.certificate, settings.key, password=_no_password)
    except _KeyEncrypted:
        detail = f"key {settings.key} is encrypted; decrypt it with openssl pkey."
        raise CertificateUnusable(detail) from None
    except (ssl.SSLError, OSError) as error:
        raise CertificateUnusable(_reason(settings, error)) from None
    return made


def version(settings: TlsSettings) -> tuple[tuple[int, ...], ...]:
    """Returns what changes when one of the two files does: inode, size and time of change."""
    marks: list[tuple[int, ...]] = []
    for path in (settings.certificate, settings.key):
        try:
            found = Path(path).stat()
        except OSError:
            marks.append(())
        else:
            marks.append((found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))
    return tuple(marks)


def ends_at(settings: TlsSettings) -> int | None:
    """Returns when the certificate ends, in ms since 1970, or None where that can't be read."""
    try:
        content = Path(settings.certificate).read_bytes() if settings.certificate else b""
        return round(read_pem(content).ends.timestamp() * 1000)
    except (OSError, NoCertificate):
        return None


class _KeyEncrypted(Exception):
    """The key file asks for a password."""


def _no_password() -> str:
    raise _KeyEncrypted


def _check_readable(name: str, path: Path) -> None:
    try:
        text = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CertificateUnusable(f"{name} {path} can't be read: {reason}.") from None
    if b"-----BEGIN " not in text:
        raise CertificateUnusable(f"{name} {path} holds no PEM block (-----BEGIN …).")


def _reason(settings: TlsSettings, error: OSError) -> str:
    reason = getattr(error, "reason", None) or "unknown"
    if reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return f"key {settings.key} does not belong to certificate {settings.certificate}."
    return f"certificate {settings.certificate} and key {settings.key} can't be used: {reason}."
