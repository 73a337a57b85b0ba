"""The ids by which Twilio's clients name things, made of the gateway's own. Pure.

Each is two letters and 32 hexadecimal digits, and the gateway's id can be read from it again.
"""

import re
from typing import Final

from phonegate.model.bounds import MAX_ID

_SID: Final = re.compile(r"[A-Z]{2}([0-9a-fA-F]{32})")


def message_sid(message: int) -> str:
    """Returns the id of a message."""
    return f"SM{message:032x}"


def account_sid(org: int) -> str:
    """Returns the id of an org, which Twilio calls an account."""
    return f"AC{org:032x}"


def org_of_account_sid(sid: str) -> int | None:
    """Returns the org that an account's id names. None for what is no such id."""
    return number_of(sid, "AC")


def message_of_sid(sid: str) -> int | None:
    """Returns the message that an id names. None for what is no such id."""
    return number_of(sid, "SM") or number_of(sid, "MM")


def number_of(sid: str, kind: str) -> int | None:
    """Returns the gateway's own id. None for what is none of this kind."""
    found = _SID.fullmatch(sid)
    if found is None or not sid.startswith(kind):
        return None
    number = int(found[1], 16)
    return number if 0 < number <= MAX_ID else None
