"""The cookies of the console, and the address that a sign-in leads to. Pure.

Cookies know no ports, and any page of a host may set some for all paths of it. So the name of ours
tells the gateway, and where it encrypts, the browser takes it from encrypted pages alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

CONSOLE: Final = "/console"
"""The path that all pages of the console stand below."""

MOST_SHOWN: Final = 4
"""Cookies of one name that are looked at. A browser shows several where pages of the same host have
set some for other paths."""

MAX_NEXT: Final = 2_000
"""Characters of an address to go on to: no page of ours has a longer one, and every proxy takes
it."""

_NEXT: Final = re.compile(
    r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)+(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
"""A path and query (RFC 3986, 3.3 and 3.4), without what browsers read as something else."""

_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
"""A segment by which browsers step out of a path (WHATWG URL, 4.1)."""


def cookie_name(kind: str, mark: str, *, secure: bool) -> str:
    """Returns the name of a cookie.

    Args:
        kind: What it is for.
        mark: Tells the gateway from others on its host.
        secure: Whether the browser asks by HTTPS. Then no page that came by plain HTTP, which
            others may have written on its way, can set it (RFC 6265bis, 4.1.3.1).
    """
    return f"{'__Secure-' if secure else ''}phonegate-{kind}-{mark}"


def shown_cookies(headers: Mapping[str, str], name: str) -> Iterator[str]:
    """Yields the values that a browser shows under a name, the one of the longest path first."""
    shown = 0
    for pair in headers.get("cookie", "").replace(",", ";").split(";"):
        key, _, value = pair.strip().partition("=")
        if key == name:
            yield value
            shown += 1
            if shown == MOST_SHOWN:
                return


def set_cookie(
    name: str, value: str, *, prefix: str, secure: bool, seconds: int | None = None
) -> str:
    """Returns a Set-Cookie for the console alone, which no script can read.

    Args:
        name: Its name.
        value: Its value.
        prefix: The path prefix of the gateway.
        secure: Whether the browser asks by HTTPS.
        seconds: For how long the browser keeps it. None: until it is closed.
    """
    age = "" if seconds is None else f"; Max-Age={seconds}"
    only = "; Secure" if secure else ""
    return f"{name}={value}; Path={prefix}{CONSOLE}{age}; HttpOnly; SameSite=Strict{only}"


def clear_cookie(name: str, *, prefix: str, secure: bool) -> str:
    """Returns a Set-Cookie that makes the browser forget one of ours."""
    return set_cookie(name, "", prefix=prefix, secure=secure, seconds=0)


def read_next(text: str | None) -> str | None:
    """Reads the address to go on to after a sign-in: a path below the console, with its query.

    Returns:
        Such as `/phones?org=x`, to be put behind the address of the console. None where there is
        none, or where it may lead anywhere else.
    """
    if not text or len(text) > MAX_NEXT or not _NEXT.fullmatch(text):
        return None
    path = text.partition("?")[0]
    return None if path.startswith("//") or _DOTS.search(path) else text
