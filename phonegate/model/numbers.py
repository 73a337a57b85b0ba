"""The form of phone numbers and other addresses. No numbering plan is looked up.

What is read here is not changed. `domain.recipients` is for numbers as people write them.

Numbering plans are not consulted: documentation numbers such as +1555123456 belong to none and are
accepted, and new ranges are in use long before any list has them.
"""

import re
import unicodedata
from typing import Final

SENDER_LIMIT = 64
"""Most characters of an inbound sender. Alphanumeric ones have 11 (TS 23.040 section 9.1.2.5). The
rest is room for the e-mail addresses that carriers' gateways put there."""

# ITU-T E.164 section 6: at most 15 digits, country codes never begin with 0. The shortest
# numbers in use have a country code and more, so fewer than three digits are a slip.
_E164 = re.compile(r"\+[1-9][0-9]{2,14}")
# Service numbers inside one network: three digits (112) to eight (some Indian and Brazilian ones).
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
SEPARATORS: Final = re.compile(
    r"[\s().\-/\u2010-\u2015\u2212\u200b-\u200f\u202a-\u202e\u2060-\u2069]+"
)
"""The signs that people write between digits, and the direction marks that address books add."""
_DIALLED = re.compile(r"\+?[0-9]*")
_NEVER_IN_A_SENDER = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_e164(text: str) -> bool:
    """Tells whether a text is `+` and 3 to 15 digits, the first of them not 0."""
    return _E164.fullmatch(text) is not None


def is_short_code(text: str) -> bool:
    """Tells whether a text is a service number of 3 to 8 digits."""
    return _SHORT_CODE.fullmatch(text) is not None


def is_recipient(text: str) -> bool:
    """Tells whether an SMS can be sent to an address: an E.164 number or a short code."""
    return is_e164(text) or is_short_code(text)


def recipient_fault(text: str) -> str:
    """Returns what is wrong with a text that is not a recipient, and what to do.

    It completes a sentence, and repeats nothing of the text.
    """
    bare = SEPARATORS.sub("", text)
    digits = len(bare.removeprefix("+"))
    faults = (
        (bare != text and is_recipient(bare), "leave out its spaces, dashes, dots and brackets"),
        (not _DIALLED.fullmatch(bare), "it may hold digits alone, and a + before them"),
        (digits == 0, "it has no digits"),
        (
            bare.startswith("00") and is_e164("+" + bare[2:]),
            "write + in place of 00, and nothing between its digits",
        ),
        (
            bare.startswith("0"),
            "write + and the country code in place of the 0 that it begins with",
        ),
        (bare.startswith("+0"), "no country code begins with 0"),
        (is_e164("+" + bare), "it lacks the + before its country code"),
    )
    return next(
        (sentence for found, sentence in faults if found),
        f"it has {digits} digits, and 3 to 15 are right",
    )


def is_sender(text: str) -> bool:
    """Tells whether an SMS can have come from an address of 1 to 64 printable characters.

    That may be a number in any national form, a short code or a name ("AMAZON"): to refuse one
    would lose the message.
    """
    if not 1 <= len(text) <= SENDER_LIMIT or text.isspace():
        return False
    if text.isprintable():
        return True
    return all(unicodedata.category(char) not in _NEVER_IN_A_SENDER for char in text)
