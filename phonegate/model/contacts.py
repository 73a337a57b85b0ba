"""Contacts and templates of an org, as plain values."""

import unicodedata
from typing import Final

import attrs

MAX_NAME: Final = 100
"""Most characters of a name, of a person or a template."""

MAX_LABEL: Final = 30
"""Most characters of what a number is: mobile, work."""


@attrs.frozen(kw_only=True)
class Contact:
    """A name for a number. A person with two numbers is two contacts of one name."""

    number: str = attrs.field(repr=False)
    """An E.164 number or short code, as messages are sent to it."""
    name: str = attrs.field(repr=False)
    label: str = ""
    """What the number is, such as `mobile`, or nothing."""


@attrs.frozen(kw_only=True)
class Template:
    """A text to send again and again, with {placeholders}."""

    id: int
    name: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)


def sorting(name: str) -> str:
    """Returns a name as names are searched for and sorted by: without case and accents."""
    parts = unicodedata.normalize("NFKD", name).casefold()
    return " ".join("".join(c for c in parts if not unicodedata.combining(c)).split())
