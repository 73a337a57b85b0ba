"""The address that this gateway is reached by, for pages and documents that print it. Pure."""

import re
from typing import Final

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
)
"""A name, an IPv4 or an IPv6 address, with a port perhaps: nothing that means anything to HTML,
Markdown, JSON or a shell. The longest name has 253 characters (RFC 1035, 2.3.4)."""

MAX_PORT: Final = 65_535


def own_address(public_url: str, scheme: str, host: str, prefix: str = "") -> str:
    """Returns the beginning of every URL of this gateway, without a slash at its end.

    Args:
        public_url: As the owner set it; it counts before all else. May be empty.
        scheme: Of the request, as the server found it.
        host: The request's Host header. A client chooses it, so that only a plain name or
            address with a port comes through.
        prefix: The path prefix that the request came under. The public address has its own.

    Returns:
        Such as `https://sms.example.org` or `http://192.168.1.5:8080/sms`. Where the host is not
        known, the prefix alone, so that `address + "/send"` is then a path of the same host.
    """
    if public_url:
        return public_url.rstrip("/")
    found = _HOST.fullmatch(host)
    if scheme not in ("http", "https") or found is None:
        return prefix
    if found[1] is not None and not 1 <= int(found[1]) <= MAX_PORT:
        return prefix
    return f"{scheme}://{host}{prefix}"
