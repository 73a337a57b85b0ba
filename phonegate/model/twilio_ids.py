"""The ids that things have in Twilio's form: two letters, and 32 hexadecimal digits. Pure.

The gateway's own id can be read from most of them. Source: twilio.com/docs/glossary/what-is-a-sid.
"""

import hashlib
import re
from typing import Final

from phonegate.model.bounds import MAX_ID

API_VERSION: Final = "2010-04-01"
"""The version of Twilio's API for messages: there is no other."""

ACCOUNT: Final = re.compile(r"AC([0-9a-fA-F]{32})")
"""An org."""

_MESSAGE: Final = re.compile(r"(?:SM|MM)([0-9a-fA-F]{32})")
"""A message. Twilio's begins with MM where it has media."""

_MEDIA: Final = re.compile(r"ME([0-9a-fA-F]{24})([0-9a-fA-F]{8})")
"""A part of a message: the message, and its number there."""

SERVICE: Final = re.compile(r"MG[0-9a-fA-F]{32}")
"""A messaging service, which chooses among senders."""


def account_sid(org: int) -> str:
    """Returns the id of an org."""
    return f"AC{org:032x}"


def org_of(sid: str) -> int | None:
    """Returns the org of an id. None where it is no account's."""
    return _read(ACCOUNT, sid)


def message_sid(message: int) -> str:
    """Returns the id of a message."""
    return f"SM{message:032x}"


def message_of(sid: str) -> int | None:
    """Returns the message of an id. None where it is no message's."""
    return _read(_MESSAGE, sid)


def media_sid(message: int, number: int) -> str:
    """Returns the id of a part of a message, by its number there."""
    return f"ME{message:024x}{number:08x}"


def media_path(org: int, message: int, number: int) -> str:
    """Returns where a part of a message is at Twilio's API, from the root on."""
    account = f"/{API_VERSION}/Accounts/{account_sid(org)}"
    return f"{account}/Messages/{message_sid(message)}/Media/{media_sid(message, number)}"


def media_of(sid: str) -> tuple[int, int] | None:
    """Returns the message and the number there of a part's id. None where it is no part's."""
    found = _MEDIA.fullmatch(sid)
    if found is None:
        return None
    message, number = int(found[1], 16), int(found[2], 16)
    return (message, number) if 0 < message <= MAX_ID else None


def number_sid(org: int, form: str) -> str:
    """Returns the id of a number of an org, in the form in which numbers are compared.

    The number can't be read from it: ids stand in logs.
    """
    digest = hashlib.sha256(f"{org}:{form}".encode("utf-8", "replace"))
    return f"PN{digest.hexdigest()[:32]}"


def _read(pattern: re.Pattern[str], sid: str) -> int | None:
    found = pattern.fullmatch(sid)
    if found is None:
        return None
    number = int(found[1], 16)
    return number if 0 < number <= MAX_ID else None
