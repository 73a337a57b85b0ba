"""The gateway as it is shipped, but for its waits for carriers: minutes become seconds.

It is run as `phonegate` is: `python trials/short_timeouts.py serve --bind …`. For trials only.
"""

from types import ModuleType
from typing import Any

from phonegate.carriers.telnyx.client import Telnyx
from phonegate.carriers.twilio.client import Twilio
from phonegate.cli import main
from phonegate.domain import (
    carrier_reports,
    carrier_sending,
    reconciler,
    scheduler,
)

SETTLE_S = 4.0
"""How long after a try its message may still turn up at the fake carriers."""

SHORTER: tuple[tuple[ModuleType, dict[str, Any]], ...] = (
    (carrier_sending, {"MARGIN_MS": 500}),
    (scheduler, {"LONGEST_SLEEP_S": 1.0}),
    (
        reconciler,
        {
            "MARGIN_MS": 500,
            "LONGEST_SLEEP_S": 0.2,
            "EACH_EVERY_MS": 5,
            "BURST_MS": 40,
            "FIRST_REST_MS": 200,
            "LONGEST_REST_MS": 1_000,
            "PATIENCE_S": 1.0,
        },
    ),
    (
        carrier_reports,
        {"FIRST_LOOK_MS": 200, "FIRST_LOOK_CALLED_MS": 1_000, "LONGEST_PAUSE_MS": 2_000},
    ),
)


def hurry() -> None:
    """Shortens the waits; fails when one of them is not there any more."""
    for client in (Twilio, Telnyx):
        defaults = client.__init__.__kwdefaults__
        client.__init__.__kwdefaults__ = {**(defaults or {}), "settle_s": SETTLE_S}
    for module, waits in SHORTER:
        for name, wait in waits.items():
            if not hasattr(module, name):
                raise AttributeError(f"{module.__name__} has no {name} to shorten")
            setattr(module, name, wait)


if __name__ == "__main__":
    hurry()
    main()
