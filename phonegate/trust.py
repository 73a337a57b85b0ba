"""The certificates that phonegate's clients trust, and the error where one is not trusted."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import certifi

_EXPIRED = 10
_NOT_YET = 9
_OTHER_NAME = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL's x509_vfy.h, as
the two above are."""


class UnusableAuthority(Exception):
    """The file of trusted certificates can't be read."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path} can't be used as --cacert: {problem}")


def context(authority: Path | None = None) -> ssl.SSLContext:
    """Returns the TLS context that checks a gateway's certificate.

    It trusts the certificates of the file `authority`, and nothing else. Without a file it trusts
    those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where one of them is set. Otherwise it trusts what
    this machine trusts, and the usual public authorities, which a small machine may not have.

    Raises:
        UnusableAuthority: There are no certificates in the file.
    """
    if authority is not None:
        try:
            return ssl.create_default_context(cafile=authority)
        except ssl.SSLError:
            problem = "there is no certificate in PEM form in it"
        except OSError as error:
            problem = error.strerror or "it can't be read"
        raise UnusableAuthority(authority, problem)
    made = ssl.create_default_context()
    if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
        made.load_verify_locations(certifi.where())
    return made


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and what led to it, from the outside to the inside."""
    if error is None:
        return
    yield error
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from causes(one)
    yield from causes(error.__cause__ or error.__context__)


def distrust(error: BaseException | None, gateway: str) -> str | None:
    """Returns the sentence that explains why TLS with a gateway failed, from an error's causes.

    Returns None where TLS was not the cause. `gateway` is the gateway's address.
    """
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _why(cause, gateway)
        if isinstance(cause, ssl.SSLError):
            if speaks_no_tls(cause):
                return f"{gateway} speaks no TLS. Is its address http:// instead of https://?"
            reason = (cause.reason or "").replace("_", " ").lower()
            return f"TLS with {gateway} failed: {reason or 'no reason was given'}."
    return None


def speaks_no_tls(error: ssl.SSLError) -> bool:
    """Tells whether what a server answered was nothing of TLS."""
    # The second since OpenSSL 3.2.
    return error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")


def _why(error: ssl.SSLCertVerificationError, gateway: str) -> str:
    said = error.verify_message.rstrip(".")
    untrusted = f"The certificate of {gateway} is not trusted: {said}."
    if error.verify_code in _OTHER_NAME:
        return f"{untrusted} Use a name that stands in it."
    if error.verify_code == _EXPIRED:
        return f"{untrusted} Renew it at the gateway."
    if error.verify_code == _NOT_YET:
        return f"{untrusted} Are the clocks of both machines right?"
    return (
        f"{untrusted} If it is yours, name its file, or that of the authority that signed it, "
        "with --cacert (in Python: cacert) or in SSL_CERT_FILE."
    )
