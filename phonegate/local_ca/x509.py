"""Reads of a certificate until when it is valid, and for which names (RFC 5280). Pure.

The standard library verifies certificates and shows none, and a gateway has no other library. This
reads the few fields that a person is shown. It proves nothing.
"""

import base64
import binascii
import hashlib
import ipaddress
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import attrs

from phonegate.local_ca.errors import NoCertificate
from phonegate.local_ca.names import EVERY_NETWORK, Address, Names, Network

_PEM: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----"
)

# Tags of DER (X.690).
_BOOLEAN: Final = 0x01
_OCTETS: Final = 0x04
_OID: Final = 0x06
_UTC_TIME: Final = 0x17
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_PERMITTED: Final = 0xA0
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87

_LONG_FORM: Final = 0x80
"""The bit of a length that says that its own length comes first."""

_SUBJECT_ALT_NAME: Final = b"\x55\x1d\x11"
_BASIC_CONSTRAINTS: Final = b"\x55\x1d\x13"
_NAME_CONSTRAINTS: Final = b"\x55\x1d\x1e"

_MOST_LENGTH_BYTES: Final = 4
"""A certificate that needs more is none."""


@attrs.frozen(kw_only=True)
class Certificate:
    """What a certificate says of itself."""

    begins: datetime
    ends: datetime
    names: Names = attrs.field(factory=Names)
    """Whom it is for."""
    is_authority: bool = False
    permitted: "Permitted | None" = None
    """What an authority may vouch for. None where it may for everything."""
    fingerprint: str
    """Its SHA-256, as phones and browsers show it."""


@attrs.frozen(kw_only=True)
class Permitted:
    """The names and networks that an authority may vouch for."""

    dns: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()

    @property
    def excluded(self) -> tuple[Network, ...]:
        """The networks that it has to exclude so that it vouches for none but those permitted.

        Where one kind of name has no entry, an authority could vouch for all of that kind (RFC
        5280, 4.2.1.10).
        """
        return () if self.networks else EVERY_NETWORK

    def outside(self, names: Names) -> tuple[str, ...]:
        """Returns the names that are not among them."""
        dns = [
            name
            for name in names.dns
            if not any(name == one or name.endswith(f".{one}") for one in self.dns)
        ]
        addresses = [
            str(address)
            for address in names.addresses
            if not any(address in network for network in self.networks)
        ]
        return (*dns, *addresses)


def read_pem(content: bytes) -> Certificate:
    """Reads the first certificate of a file in PEM.

    Raises:
        NoCertificate: There is none, or it can't be read.
    """
    found = _PEM.search(content)
    if found is None:
        raise NoCertificate("it holds no certificate (-----BEGIN CERTIFICATE-----)")
    try:
        der = base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error:
        raise NoCertificate("its certificate is no base64") from None
    try:
        return _read(der)
    except (LookupError, ValueError, StopIteration):
        raise NoCertificate("its certificate is malformed") from None


def _read(der: bytes) -> Certificate:
    ((_, whole),) = _items(der)
    fields = list(_items(next(_items(whole))[1]))
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    # serialNumber, signature, issuer, validity
    begins, ends = (_time(tag, value) for tag, value in _items(fields[3][1]))
    found = {
        oid: value
        for tag, extensions in fields
        if tag == _EXTENSIONS
        for oid, value in _extensions(extensions)
    }
    names, constraints = found.get(_SUBJECT_ALT_NAME), found.get(_NAME_CONSTRAINTS)
    basic = found.get(_BASIC_CONSTRAINTS)
    return Certificate(
        begins=begins,
        ends=ends,
        names=Names() if names is None else _names(names),
        is_authority=basic is not None and _is_authority(basic),
        permitted=None if constraints is None else _permitted(constraints),
        fingerprint=hashlib.sha256(der).digest().hex(":").upper(),
    )


def _items(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the tag and the content of each item of a DER sequence.

    Raises:
        ValueError: It is no DER.
    """
    at = 0
    while at < len(content):
        tag, length = content[at], content[at + 1]
        at += 2
        if length & _LONG_FORM:
            size = length ^ _LONG_FORM
            if not 1 <= size <= _MOST_LENGTH_BYTES:
                raise ValueError("no length")
            length = int.from_bytes(content[at : at + size])
            at += size
        if at + length > len(content):
            raise ValueError("too short")
        yield tag, content[at : at + length]
        at += length


def _time(tag: int, value: bytes) -> datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        # RFC 5280, 4.1.2.5.1: two digits from 50 on are of the last century.
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _extensions(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for _, extensions in _items(content):
        for _, extension in _items(extensions):
            parts = dict(_items(extension))
            yield parts[_OID], parts[_OCTETS]


def _is_authority(content: bytes) -> bool:
    parts = dict(_items(next(_items(content))[1]))
    return parts.get(_BOOLEAN, b"\0") != b"\0"


def _names(content: bytes) -> Names:
    dns: list[str] = []
    addresses: list[Address] = []
    for tag, value in _items(next(_items(content))[1]):
        if tag == _DNS_NAME:
            dns.append(value.decode("ascii"))
        elif tag == _IP_ADDRESS:
            addresses.append(ipaddress.ip_address(value))
    return Names(dns=tuple(dns), addresses=tuple(addresses))


def _permitted(content: bytes) -> Permitted:
    dns: list[str] = []
    networks: list[Network] = []
    for kind, trees in _items(next(_items(content))[1]):
        if kind != _PERMITTED:
            continue
        for _, tree in _items(trees):
            tag, value = next(_items(tree))
            if tag == _DNS_NAME:
                dns.append(value.decode("ascii"))
            elif tag == _IP_ADDRESS:
                half = len(value) // 2
                mask = ipaddress.ip_address(value[half:])
                address = ipaddress.ip_address(value[:half])
                bits = int(mask).bit_count()
                networks.append(ipaddress.ip_network(f"{address}/{bits}"))
    return Permitted(dns=tuple(dns), networks=tuple(networks))
