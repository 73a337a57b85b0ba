"""Certificates are read as a whole library reads them, and what is none is refused."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import example, given, settings
from hypothesis import strategies as st

from phonegate.local_ca.by_cryptography import CryptographySigner
from phonegate.local_ca.errors import NoCertificate
from phonegate.local_ca.names import parse
from phonegate.local_ca.x509 import Permitted, read_pem

NAMES = parse(["gate.lan", "192.168.1.5", "fd00::5"])
PERMITTED = Permitted(dns=NAMES.dns, networks=NAMES.networks)
BEGINS = datetime(2026, 11, 29, 4, tzinfo=UTC)


@pytest.mark.parametrize("begins", [BEGINS, datetime(2049, 12, 31, tzinfo=UTC)])
def test_an_authority_is_read(begins: datetime) -> None:
    made = CryptographySigner().make_authority("mine", PERMITTED, begins=begins, days=3_650)
    found = read_pem(made.certificate)
    whole = x509.load_pem_x509_certificate(made.certificate)
    assert (found.begins, found.ends) == (begins, begins + timedelta(days=3_650))
    assert found.fingerprint == whole.fingerprint(hashes.SHA256()).hex(":").upper()
    assert (found.is_authority, found.permitted, found.names.shown) == (True, PERMITTED, ())


def test_a_servers_certificate_is_read(tmp_path: Path) -> None:
    signer = CryptographySigner()
    authority = signer.make_authority("mine", PERMITTED, begins=BEGINS, days=10)
    (tmp_path / "crt").write_bytes(authority.certificate)
    (tmp_path / "key").write_bytes(authority.key)
    made = signer.sign(
        NAMES,
        authority=tmp_path / "crt",
        authority_key=tmp_path / "key",
        key=None,
        begins=BEGINS,
        days=5,
    )
    found = read_pem(made.certificate)
    assert (found.is_authority, found.permitted, found.names) == (False, None, NAMES)


def test_certificates_of_others_are_read() -> None:
    ca = trustme.CA()
    leaf = ca.issue_cert("gate.lan", "10.0.0.1", "me@example.org")
    found = read_pem(b"".join(one.bytes() for one in leaf.cert_chain_pems))
    assert found.names.shown == ("gate.lan", "10.0.0.1")
    authority = read_pem(ca.cert_pem.bytes())
    assert (authority.is_authority, authority.permitted) == (True, None)


def pem(der: bytes) -> bytes:
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x30\x80")
@example(b"\x30\x84\xff\xff\xff\xff")
@example(b"\x30")
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(NoCertificate):
        read_pem(pem(der))
    with pytest.raises(NoCertificate):
        read_pem(der)


WHOLE = CryptographySigner().make_authority("mine", PERMITTED, begins=BEGINS, days=10)
DER = base64.b64decode(b"".join(WHOLE.certificate.splitlines()[1:-1]))


@settings(max_examples=200)
@given(st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_read_or_refused_and_nothing_else(at: int, byte: int) -> None:
    damaged = bytearray(DER)
    damaged[at] = byte
    with suppress(NoCertificate):
        read_pem(pem(bytes(damaged)))


def test_what_lies_outside() -> None:
    names = parse(["gate.lan", "a.gate.lan", "agate.lan", "192.168.9.9", "10.0.0.1", "fd01::1"])
    assert PERMITTED.outside(names) == ("agate.lan", "10.0.0.1")
