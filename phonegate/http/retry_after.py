"""The Retry-After header of an answer: when its server wants to be asked again. Pure."""

import math
import re
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_PAUSE_S: Final = 86_400.0
"""The longest wait that is obeyed. A longer one is a mistake of the server's."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}")


def retry_after_s(value: str | None, now: int) -> float | None:
    """Reads a Retry-After header, a number of seconds or a date (RFC 9110 section 10.2.3).

    Args:
        value: The header, or None where there is none.
        now: What a date is compared with, in ms.

    Returns:
        The seconds to wait, or None where the header is missing or can't be read.
    """
    if value is None:
        return None
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_PAUSE_S)
    try:
        moment = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    pause = moment - now / 1000
    return min(max(0.0, pause), LONGEST_PAUSE_S) if math.isfinite(pause) else None
