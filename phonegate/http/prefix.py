"""The path prefix that a gateway is reached under, where it has its host not for itself. Pure.

With `https://example.org/sms/send/myorg` the prefix is `/sms`. Its owner sets it (`[http] prefix`),
or a trusted proxy that has taken it off names it in one of `PREFIX_FIELDS`.
"""

import re
from typing import Final

INGRESS: Final = "x-ingress-path"
"""The field in which Home Assistant says which path it has taken off."""

PREFIX_FIELDS: Final = ("x-forwarded-prefix", INGRESS)
"""Fields in which a proxy says which path it has taken off."""

MAX_PREFIX: Final = 100
"""Characters of a prefix, several times what anyone writes."""

_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
"""Unreserved characters (RFC 3986, 2.3): none means anything to HTML, Markdown, JSON or a shell,
and none has to be percent-encoded. No segment is `.` or `..`."""


def read_prefix(text: str) -> str | None:
    """Reads a prefix. One slash at its end makes no difference.

    Returns:
        Such as `/sms`, or an empty text for `/`; None if it is no prefix.
    """
    text = text.removesuffix("/")
    if len(text) > MAX_PREFIX or (text and not _PREFIX.fullmatch(text)):
        return None
    return text


def without_prefix(path: str, prefix: str) -> str:
    """Takes a prefix off a path, as sent. A path that is not under it stays as it is.

    The bare prefix gives an empty text: relative links would lead from there to elsewhere.
    """
    if not prefix or not path.startswith(prefix):
        return path
    rest = path[len(prefix) :]
    return rest if rest.startswith("/") or not rest else path
