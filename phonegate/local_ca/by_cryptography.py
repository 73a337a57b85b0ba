"""Signs certificates by the package `cryptography`."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from phonegate.local_ca.errors import SigningFailed
from phonegate.local_ca.names import Names
from phonegate.local_ca.signer import Signed
from phonegate.local_ca.x509 import Permitted

_SERVERS: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
"""What all certificates are for. Of an authority it says what it may vouch for."""


class CryptographySigner:
    """See `signer.Signer`."""

    def make_authority(
        self, title: str, permitted: Permitted, *, begins: datetime, days: int
    ) -> Signed:
        """Makes an authority that vouches for these names and networks, and signs no others."""
        key = ec.generate_private_key(ec.SECP256R1())
        trees = [
            *map(x509.DNSName, permitted.dns),
            *map(x509.IPAddress, permitted.networks),
        ]
        none_of = [*map(x509.IPAddress, permitted.excluded)]
        name = _named(title)
        made = (
            _builder(name, name, key.public_key(), begins, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            # Names of mail and of URIs are not constrained: no certificate for those is one.
            .add_extension(_SERVERS, critical=False)
            .add_extension(x509.NameConstraints(trees, none_of or None), critical=True)
            .add_extension(_identifier_of(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return Signed(key=_written(key), certificate=_pem(made))

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
        """Makes a server's certificate."""
        try:
            issuer = x509.load_pem_x509_certificate(authority.read_bytes())
            issuer_key = _ec_key(authority_key.read_bytes())
            own = ec.generate_private_key(ec.SECP256R1()) if key is None else _ec_key(key)
        except (TypeError, ValueError) as error:
            raise SigningFailed(f"A certificate or key can't be read: {error}") from None
        # Before cryptography 40, as Debian 12 has it, keys themselves can't be compared.
        if _public(issuer_key) != _public(issuer):
            raise SigningFailed(f"{authority_key} is not the key of {authority}.")
        alternatives = [*map(x509.DNSName, names.dns), *map(x509.IPAddress, names.addresses)]
        made = (
            _builder(_named(names.shown[0]), issuer.subject, own.public_key(), begins, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(_SERVERS, critical=False)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(_identifier_of(own.public_key()), critical=False)
            .add_extension(_identifier_of_issuer(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        return Signed(key=_written(own) if key is None else key, certificate=_pem(made))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begins: datetime,
    days: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
    )


def _named(text: str) -> x509.Name:
    # A common name has 64 characters at most (RFC 5280, A.1). Clients look at the others.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _identifier_of(key: ec.EllipticCurvePublicKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key)


def _identifier_of_issuer(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _ec_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is none of ECDSA")  # noqa: TRY004 - of a file, not of Python
    return key


def _public(holder: ec.EllipticCurvePrivateKey | x509.Certificate) -> bytes:
    return holder.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _written(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
