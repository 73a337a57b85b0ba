"""Signs certificates by the program `openssl`, 1.1.1 and later.

Its certificates begin to be valid when they are made: it can't choose.
"""

import ipaddress
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from phonegate.local_ca.errors import SigningFailed
from phonegate.local_ca.names import Names, Network
from phonegate.local_ca.signer import Signed
from phonegate.local_ca.x509 import Permitted

DEADLINE_S: Final = 30.0
"""For one run of the program: a key of P-256 takes milliseconds."""

_SERIAL_BYTES: Final = 16
"""RFC 5280, 4.1.2.2: at most 20, and random enough that no two are the same."""

_COMMON_NAME: Final = 64
"""The most characters of a common name (RFC 5280, A.1)."""


class OpensslSigner:
    """See `signer.Signer`."""

    def __init__(self, program: str) -> None:
        self._program = program

    def make_authority(
        self,
        title: str,
        permitted: Permitted,
        *,
        begins: datetime,  # noqa: ARG002 - see the module
        days: int,
    ) -> Signed:
        """Makes an authority that vouches for these names and networks, and signs no others."""
        key = self._new_key()
        with tempfile.TemporaryDirectory(prefix="phonegate-") as folder:
            own, config = Path(folder, "key"), Path(folder, "config")
            _write_private(own, key)
            config.write_text("\n".join(_authority_lines(title, permitted)))
            certificate = self._run(
                *("req", "-x509", "-new", "-sha256", "-key", str(own), "-days", str(days)),
                *("-config", str(config), "-extensions", "extensions"),
                *("-set_serial", _serial()),
            )
        return Signed(key=key, certificate=certificate)

    def sign(
        self,
        names: Names,
        *,
        authority: Path,
        authority_key: Path,
        key: bytes | None,
        begins: datetime,  # noqa: ARG002 - see the module
        days: int,
    ) -> Signed:
        """Makes a server's certificate."""
        key = self._new_key() if key is None else key
        with tempfile.TemporaryDirectory(prefix="phonegate-") as folder:
            own, config = Path(folder, "key"), Path(folder, "config")
            request = Path(folder, "request")
            _write_private(own, key)
            config.write_text("\n".join(_server_lines(names)))
            request.write_bytes(
                self._run(
                    *("req", "-new", "-sha256", "-key", str(own), "-config", str(config)),
                )
            )
            certificate = self._run(
                *("x509", "-req", "-sha256", "-in", str(request), "-days", str(days)),
                *("-CA", str(authority), "-CAkey", str(authority_key), "-set_serial", _serial()),
                *("-extfile", str(config), "-extensions", "extensions"),
            )
        return Signed(key=key, certificate=certificate)

    def _new_key(self) -> bytes:
        return self._run(
            *("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-pkeyopt", "ec_param_enc:named_curve"),
        )

    def _run(self, *words: str) -> bytes:
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and no word of another person's
                [self._program, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=DEADLINE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SigningFailed(f"{self._program} could not be run: {error}") from None
        if done.returncode != 0 or b"-----BEGIN " not in done.stdout:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            raise SigningFailed(f"{self._program} failed: {said[-1] if said else 'no reason'}")
        return done.stdout


def _authority_lines(title: str, permitted: Permitted) -> Iterator[str]:
    yield from _request_lines(title)
    yield "basicConstraints = critical, CA:true, pathlen:0"
    yield "keyUsage = critical, keyCertSign, cRLSign"
    # Names of mail and of URIs are not constrained: no certificate for those is one.
    yield "extendedKeyUsage = serverAuth"
    yield "subjectKeyIdentifier = hash"
    yield "nameConstraints = critical, @permitted"
    yield "[permitted]"
    for number, name in enumerate(permitted.dns):
        yield f"permitted;DNS.{number} = {name}"
    for number, network in enumerate(permitted.networks):
        yield f"permitted;IP.{number} = {_with_mask(network)}"
    for number, network in enumerate(permitted.excluded):
        yield f"excluded;IP.{number} = {_with_mask(network)}"
    yield ""


def _server_lines(names: Names) -> Iterator[str]:
    yield from _request_lines(names.shown[0])
    yield "basicConstraints = critical, CA:false"
    yield "keyUsage = critical, digitalSignature"
    yield "extendedKeyUsage = serverAuth"
    yield "subjectKeyIdentifier = hash"
    yield "authorityKeyIdentifier = keyid:always"
    yield "subjectAltName = @names"
    yield "[names]"
    for number, name in enumerate(names.dns):
        yield f"DNS.{number} = {name}"
    for number, address in enumerate(names.addresses):
        yield f"IP.{number} = {address}"
    yield ""


def _request_lines(title: str) -> Iterator[str]:
    yield "[req]"
    yield "prompt = no"
    yield "distinguished_name = subject"
    yield "[subject]"
    yield f"CN = {title[:_COMMON_NAME]}"
    yield "[extensions]"


def _with_mask(network: Network) -> str:
    if isinstance(network, ipaddress.IPv4Network):
        return f"{network.network_address}/{network.netmask}"
    return f"{network.network_address.exploded}/{network.netmask.exploded}"


def _serial() -> str:
    return f"0x{secrets.token_hex(_SERIAL_BYTES)}"


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
