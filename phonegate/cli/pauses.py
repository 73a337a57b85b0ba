"""How long the commands wait before they ask a gateway again."""

from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from phonegate.client import Retries


@attrs.frozen(kw_only=True)
class Pauses:
    """The pauses of commands. Tests pass shorter ones."""

    sent_s: float = 0.5
    """Between two reads of a message that was sent. A phone takes a second or more to send one."""
    received_s: float = 1.0
    """Between two reads of new messages, of a gateway that has no events."""
    first_retry_s: float = 0.5
    """Most of the first one before a new try. Each later pause is twice as long."""

    def retries(self) -> "Retries":
        """Returns how a command tries again that gives up at last."""
        from phonegate.client import Retries  # noqa: PLC0415 - keeps `--help` fast

        return Retries(first_s=self.first_retry_s)


PAUSES: Final = Pauses()
"""Those of every command."""
