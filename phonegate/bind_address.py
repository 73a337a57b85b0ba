"""Addresses to listen on, as a person writes them. Pure."""

import ipaddress

_MAX_PORT = 65_535
_PORT_DIGITS = 5


def parse_bind(text: str) -> tuple[str, int]:
    """Returns host and port of "0.0.0.0:8080" or "[::1]:8080".

    Raises:
        ValueError: It isn't written so. The text says what is wrong, for a person.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{text!r} is no host:port, such as 0.0.0.0:8080 or [::1]:8080")
    if host.startswith("[") and host.endswith("]"):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise ValueError(f"{text!r} has no IPv6 address between its brackets") from None
    elif ":" in host:
        raise ValueError(f"{text!r} needs brackets around its IPv6 address, such as [::1]:8080")
    elif any(letter.isspace() or letter in "/[]@" for letter in host):
        raise ValueError(f"{text!r} is no host:port, such as 0.0.0.0:8080 or [::1]:8080")
    if not (port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS):
        raise ValueError(f"{text!r} has no port number after its last colon")
    if int(port) > _MAX_PORT:
        raise ValueError(f"{text!r} has a port beyond {_MAX_PORT}")
    return host, int(port)


def leads_to_loopback(url: str) -> bool:
    """Tells whether a URL leads each machine to itself, so that no other device gets here by it."""
    authority = url.partition("://")[2].partition("/")[0]
    bracketed, _, _ = authority.removeprefix("[").partition("]")
    host = bracketed if authority.startswith("[") else authority.partition(":")[0]
    return is_loopback(host.lower())


def is_loopback(host: str) -> bool:
    """Tells whether only this machine can reach a host that is listened on."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
