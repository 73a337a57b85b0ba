"""Conversations: all messages of an org from and to one address, as plain values."""

from typing import Final, NamedTuple

MOST_UNREAD: Final = 100
"""Unread messages, or conversations, are counted no further: what is shown then is 99+."""


class Conversation(NamedTuple):
    """A conversation as it is now."""

    address: str
    last: int
    """The id of its newest message."""
    last_in: int
    """The id of the newest one that was received. 0 where there is none."""
    read_to: int
    """Received messages up to this id have been read."""

    @property
    def is_unread(self) -> bool:
        """Whether something was received that has not been read."""
        return self.last_in > self.read_to

    def __repr__(self) -> str:
        return f"Conversation(last={self.last}, last_in={self.last_in}, read_to={self.read_to})"
