"""Bounds how many lines one kind of trouble gets."""

import time
from collections import Counter

from phonegate.log.forms import Fields
from phonegate.rates import Buckets, Rate


class Thinning:
    """Leaves lines out where one kind of trouble would fill the log, and counts them.

    Trouble is a warning, an error, or a refused request or phone: what an unauthenticated client
    can cause without end. The field `untold` of the next line of the same kind has the count.
    """

    def __init__(self, rate: Rate) -> None:
        self._buckets: Buckets[str] = Buckets(rate)
        self._left_out: Counter[str] = Counter()

    def leaves_out(self, level: str, event: str, fields: Fields) -> bool:
        """Tells whether an event gets no line. One that gets its line may get `untold` too."""
        status = fields.get("status")  # of an answer; that of a message is a word
        refused = event == "phone_refused" or (isinstance(status, int) and status >= 400)  # noqa: PLR2004 - RFC 9110, 15.5
        if level in {"debug", "info"} and not refused:
            return False
        if self._buckets.take(event, time.monotonic()):
            self._left_out[event] += 1
            return True
        if left_out := self._left_out.pop(event, 0):
            fields["untold"] = left_out
        return False
