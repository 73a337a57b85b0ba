"""The reader's time zone: as asked, else as a script of an earlier page has said, else UTC."""

from typing import Final
from zoneinfo import ZoneInfo

from quart import request

from phonegate.domain.key_limits import is_zone
from phonegate.pages.console.visit import Visit

COOKIE: Final = "phonegate_zone"
"""Set by `console/console.js`, so that days are the reader's without asking."""

UTC: Final = "UTC"
_LONGEST: Final = 64


def zone_of(visit: Visit) -> ZoneInfo:
    """Returns the time zone in which a page shows days and hours.

    A name that this machine does not know counts as none.
    """
    for name in (visit.query.get("zone"), request.cookies.get(COOKIE)):
        if name and len(name) <= _LONGEST and is_zone(name):
            return ZoneInfo(name)
    return ZoneInfo(UTC)
