"""How a phone behaves on its link: in this way a real one does, without faults."""

from random import Random
from typing import Literal

import attrs

Reporting = Literal["now", "on_reconnect", "never"]

RECONNECT_S = (0.5, 30.0)
"""The shortest and the longest pause before connecting again, in seconds."""


@attrs.frozen(kw_only=True)
class Cut:
    """A loss of the link before or after a frame, by RST or by closing without a close frame."""

    before: bool
    reset: bool


@attrs.frozen(kw_only=True)
class Telling:
    """How the result of one message is reported."""

    reporting: Reporting = "now"
    hold: bool = False
    """Whether the result waits until a later one was sent."""


class Conduct:
    """How a phone behaves on its link. This one does everything right.

    Args:
        reconnect_s: The shortest and the longest pause before connecting again.
        pauses: The source of the jitter in these pauses.
    """

    extended = True
    """Whether the phone uses more than the five basic frames."""
    confirm_every_s = 2.0
    """Seconds after a result until the phone sends a `ping`, to learn that the gateway read it."""

    def __init__(
        self, reconnect_s: tuple[float, float] = RECONNECT_S, pauses: Random | None = None
    ) -> None:
        self._reconnect_s = reconnect_s
        self._pauses = Random() if pauses is None else pauses  # noqa: S311 (spreads reconnects)

    def pause_s(self, failures: int) -> float:
        """Returns the seconds until the next attempt to connect, after so many failed ones.

        They grow exponentially with full jitter, so that the phones of a restarted gateway don't
        return in step. After a link that worked (`failures` 0) they are at most the shortest pause.
        """
        least, most = self._reconnect_s
        if failures == 0:
            return self._pauses.uniform(least / 2, least)
        # 2 ** 20 times any pause is beyond any limit. More would overflow a float in the end.
        return self._pauses.uniform(least, min(most, least * 2 ** min(failures, 20)))

    def cut(self) -> Cut | None:
        """Decides whether the link is lost at this frame, and how."""
        return None

    def repeat(self) -> bool:
        """Decides whether a message's ack and result are each sent twice."""
        return False

    def telling(self, message: int) -> Telling:
        """Decides how the result of a message is reported."""
        del message
        return Telling()
