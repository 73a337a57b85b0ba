"""An alarm that is on, as it is kept over a restart."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class StandingAlarm:
    """An alarm that is on."""

    name: str
    about: str
    """What it is about. Empty where that is the gateway."""
    org: str | None
    """The org that it is about. None where it concerns the operator alone."""
    since: int
    """When that which it is about began, in ms."""
    fields: Mapping[str, Any]
    """What was known of it when it began."""
    reported: bool = False
    """Whether a notice that it is on has reached a target."""
