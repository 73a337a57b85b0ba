"""Which web pages may speak to `/mcp` from within a browser. Pure."""

import ipaddress
from urllib.parse import urlsplit


def is_allowed(origin: str | None, host: str, public_url: str) -> bool:
    """Whether a request with this Origin header may be answered.

    A program sends none. A page's own must be the gateway's: that of `public_url`, or the
    address that was asked where it is no name, or `localhost`. Another name proves nothing: whoever
    owns it can let it point here once the page is loaded (DNS rebinding).

    Args:
        origin: The header, None where there is none.
        host: The Host header.
        public_url: The address that others reach the gateway by; may be empty.
    """
    if origin is None:
        return True
    asked = _place(origin)
    if asked is None:
        return False
    if public_url and asked == _place(public_url):
        return True
    scheme, name, _ = asked
    return _is_fixed(name) and asked == _place(f"{scheme}://{host}")


def _place(url: str) -> tuple[str, str, int] | None:
    """Scheme, name and port, each as browsers compare them (RFC 6454, 4)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    standard = {"http": 80, "https": 443}.get(parts.scheme)
    if standard is None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, standard if port is None else port


def _is_fixed(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
