"""The gateway as it is shipped, but for its waits for carriers, phones and receivers.

Minutes become seconds.

It is run as `phonegate` is: `python trials/short_timeouts.py serve --bind …`. For trials only.
"""

import argparse
from pathlib import Path

from phonegate import gateway, log
from phonegate.assembly import Timings
from phonegate.cli import options
from phonegate.domain.carrier_timings import CarrierTimings, PollTimings
from phonegate.domain.scheduler import SchedulerTimings
from phonegate.events.webhooks.call import CallTimings
from phonegate.events.webhooks.service import WebhookTimings
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings

TIMINGS = Timings(
    carriers=CarrierTimings(
        polls=PollTimings(first_ms=200, first_called_ms=1_000, longest_pause_ms=2_000),
        grace_s=4.0,
        margin_ms=500,
        longest_sleep_s=0.2,
        each_every_ms=5,
        first_rest_ms=200,
        longest_rest_ms=1_000,
        patience_s=1.0,
    ),
    scheduler=SchedulerTimings(longest_sleep_s=1.0),
    smsgate=SmsgateTimings(keepalive_s=2.0, feed_s=0.5, away_s=5.0),
    webhooks=WebhookTimings(call=CallTimings(whole_s=2.0, pace=0.02)),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--bind", action="append", required=True)
    parser.add_argument("--database", type=Path, required=True)
    chosen = parser.parse_args()
    settings = options.settings(None, chosen.database, tuple(chosen.bind))
    log.configure(settings.log.format, settings.log.level, trouble_per_s=settings.log.trouble_per_s)
    gateway.run(settings, timings=TIMINGS)


if __name__ == "__main__":
    main()
