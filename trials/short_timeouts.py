"""The gateway as it is shipped, but for its waits for carriers: minutes become seconds.

It is run as `phonegate` is: `python trials/short_timeouts.py serve --bind …`. For trials only.
"""

import argparse
from pathlib import Path

from phonegate import gateway, log
from phonegate.assembly import Timings
from phonegate.carriers.telnyx.client import Telnyx
from phonegate.carriers.twilio.client import Twilio
from phonegate.cli import options
from phonegate.domain import carrier_reports
from phonegate.domain.carrier_timings import CarrierTimings
from phonegate.domain.scheduler import SchedulerTimings

GRACE_S = 4.0
"""How long after a try its message may still turn up at the fake carriers."""

TIMINGS = Timings(
    carriers=CarrierTimings(
        margin_ms=500,
        longest_sleep_s=0.2,
        each_every_ms=5,
        first_rest_ms=200,
        longest_rest_ms=1_000,
        patience_s=1.0,
    ),
    scheduler=SchedulerTimings(longest_sleep_s=1.0),
)

POLLS = {"FIRST_LOOK_MS": 200, "FIRST_LOOK_CALLED_MS": 1_000, "LONGEST_PAUSE_MS": 2_000}
"""When carriers are asked what became of a message."""


def shorten_the_rest() -> None:
    """Shortens what can't be passed in yet, and fails when one of them is not there any more."""
    for client in (Twilio, Telnyx):
        defaults = client.__init__.__kwdefaults__
        client.__init__.__kwdefaults__ = {**(defaults or {}), "grace_s": GRACE_S}
    for name, wait in POLLS.items():
        if not hasattr(carrier_reports, name):
            raise AttributeError(f"carrier_reports has no {name} to shorten")
        setattr(carrier_reports, name, wait)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--bind", action="append", required=True)
    parser.add_argument("--database", type=Path, required=True)
    chosen = parser.parse_args()
    settings = options.settings(None, chosen.database, tuple(chosen.bind))
    log.configure(settings.log.format, settings.log.level, trouble_per_s=settings.log.trouble_per_s)
    shorten_the_rest()
    gateway.run(settings, timings=TIMINGS)


if __name__ == "__main__":
    main()
