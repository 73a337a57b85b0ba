"""What is kept of a phone's past: how it said that it was, and when it was connected.

Every time is an integer: milliseconds since 1970-01-01 UTC.
"""

import attrs

from phonegate.model.phones import Health


@attrs.frozen(kw_only=True)
class Reading:
    """How a phone said that it was, at some time. It holds until the next one."""

    at: int
    health: Health


@attrs.frozen(kw_only=True)
class Presence:
    """A time during which a phone was connected."""

    came_at: int
    went_at: int | None = None
    """None: it still is."""
