"""Recipients as people and programs write them: in lists, with or without country code. Pure.

What has a country code is not looked up in any plan. What has none is read by the plan of the
org's country (`domain.numbering_plans`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from phonegate.model.bounds import MAX_MESSAGES
from phonegate.model.numbers import SEPARATORS, is_e164, is_recipient, recipient_fault

MAX_WRITTEN: Final = 100
"""Characters of one number as it is written: 15 digits with all that stands between them."""

MAX_WRITINGS: Final = 2 * MAX_MESSAGES
"""Most entries of a list that differ from each other. In lists that were put together a number may
stand in two ways; to read one in tens of thousands would take half a minute."""

READING: Final = 64
"""To read one character of a list of numbers is as much work as to read so many of JSON: a number
without its country is looked up in several plans, which takes up to 0.2 ms."""

_BETWEEN: Final = re.compile(
    # A parameter of a tel: URI begins with a semicolon too (RFC 3966, 3).
    r"[,\r\n\uff0c\u060c\u3001\uff1b\u061b]|;(?![A-Za-z-]+=)"
    # Kannel's clients divide them by spaces. Within a number no + follows one.
    r"|(?<=[0-9)])\s+(?=\+)"
)
"""What divides the recipients of a list."""

_SERVICE_DIGITS: Final = 6
"""A number with no more digits is a service number of the country that its SIM is in."""

OR_SET_COUNTRY: Final = (
    "or set the org's default country (Organisation in the console, or phonegate org set)"
)
"""What else helps where a number has no country code, at the end of what is wrong with it."""

_DIGITS: Final = re.compile(r"[0-9]{3,20}")
"""Digits that may be a number: 15 with what is dialled before them."""


class TooManyWritings(Exception):
    """A list has more entries that differ than are read."""


@attrs.frozen(kw_only=True)
class Recipient:
    """One recipient of a list."""

    written: str = attrs.field(repr=False)
    """As it stood there."""
    number: str = attrs.field(default="", repr=False)
    """As an SMS is sent to it: an E.164 number or a short code. Empty where there is none."""
    place: int = 1
    """Where it stands in its list, counted from 1."""
    problem: str | None = None
    """What is wrong with it and what to do, as the end of a sentence that begins with it."""


def read_recipients(texts: Iterable[str], country: str | None) -> tuple[Recipient, ...]:
    """Reads recipients from texts, each of which may hold a list of them.

    They keep their order. A number that comes again is left out. No more are read than one more
    than a call may have, for the caller to refuse.

    Args:
        texts: Lists by comma, semicolon or line.
        country: The org's default country in two letters, or None.

    Raises:
        TooManyWritings: They differ from each other in more than `MAX_WRITINGS` entries.
    """
    found: dict[str, Recipient] = {}
    seen: set[str] = set()
    for place, written in enumerate((one for text in texts for one in _entries(text)), 1):
        if written in seen:
            continue
        seen.add(written)
        if len(seen) > MAX_WRITINGS:
            raise TooManyWritings
        one = attrs.evolve(read_recipient(written, country), place=place)
        found.setdefault(one.number or f"? {written}", one)
        if len(found) > MAX_MESSAGES:
            break
    return tuple(found.values())


def _entries(text: str) -> Iterator[str]:
    start = 0
    for sign in _BETWEEN.finditer(text):
        if entry := text[start : sign.start()].strip():
            yield entry
        start = sign.end()
    if entry := text[start:].strip():
        yield entry


def read_recipient(written: str, country: str | None) -> Recipient:
    """Reads one recipient as a person or a program writes it.

    Args:
        written: Such as `+49 (0)171 555-01`, `0049 171 55501`, `tel:+4917155501` or `12345`; and,
            where a country is set, `0171 55501`.
        country: The country of numbers that have none, in two letters, or None.
    """
    number, problem = _read(written, country)
    return Recipient(written=written, number=number, problem=problem or None)


def written_form(text: str) -> str:
    """Returns the digits of a number as it is written, with the + where there is one.

    Signs between the digits go, and digits of other scripts become those of ASCII. What is no
    number comes out as something else that is none.
    """
    return SEPARATORS.sub("", _plain(text))


def _plain(text: str) -> str:
    """Returns a text in ASCII as far as it can be, without the name of a URI's scheme."""
    folded = unicodedata.normalize("NFKC", text)
    # Digits of other scripts. A sign without a value of its own stays.
    bare = "".join(str(unicodedata.decimal(char, char)) for char in folded).strip()
    return bare[4:].partition(";")[0] if bare[:4].lower() == "tel:" else bare


def _read(written: str, country: str | None) -> tuple[str, str]:
    """Returns a number, or what is wrong."""
    if is_e164(written):
        return written, ""
    if len(written) > MAX_WRITTEN:
        return "", f"it has {len(written)} characters, and {MAX_WRITTEN} are the most"
    plain = _plain(written)
    bare = SEPARATORS.sub("", plain)
    abroad = "+" + bare[2:] if bare.startswith("00") else bare
    if is_e164(abroad):
        return _without_trunk(abroad, plain), ""
    if is_recipient(bare) and (country is None or len(bare) <= _SERVICE_DIGITS):
        return bare, ""
    if _DIGITS.fullmatch(bare):
        return _read_digits(bare, country)
    return "", recipient_fault(bare) if bare else "it has no number"


def _read_digits(digits: str, country: str | None) -> tuple[str, str]:
    # Loaded by the first number without +: the plans of all countries are large.
    from phonegate.domain import numbering_plans  # noqa: PLC0415

    if country is not None:
        return numbering_plans.read_digits(digits, country)
    number, problem = numbering_plans.read_international(digits)
    if number or problem:
        return number, problem
    return "", f"{recipient_fault(digits)}, {OR_SET_COUNTRY}"


def _without_trunk(bare: str, plain: str) -> str:
    """Returns a number with country code without its trunk prefix, if that stands in brackets."""
    if "(0)" not in plain:
        return bare
    from phonegate.domain import numbering_plans  # noqa: PLC0415 - as above

    known = numbering_plans.without_trunk(bare)
    if known is not None:
        return known
    dropped = SEPARATORS.sub("", plain.replace("(0)", "", 1))
    dropped = "+" + dropped[2:] if dropped.startswith("00") else dropped
    return dropped if is_e164(dropped) else bare
