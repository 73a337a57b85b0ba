"""How the database has grown: as plots, and as a sentence about what lies ahead. Pure."""

from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import attrs

from phonegate.model.figures import GatewayHour
from phonegate.model.times import HOUR_MS
from phonegate.pages.console.figures.plots import Plot, Series, Tone, lines
from phonegate.pages.console.figures.scales import Unit
from phonegate.quantities import size

SHOWN_HOURS: Final = 90 * 24
"""Three months, long enough to tell a trend from a busy week."""

MOST_POINTS: Final = 240
"""Of a plot: more than a drawing of its width shows apart."""

LEAST_HOURS: Final = 24
"""Of which a sentence says how it goes on. The night of a day alone says nothing."""

FAR_DAYS: Final = 3 * 365
"""Beyond it no number of days is named: nothing stays as it is for so long."""

_GAP_HOURS: Final = 3
"""A line ends where the gateway did not run for so long, beside what was left out."""

_DAY_HOURS: Final = 24


@attrs.frozen(kw_only=True)
class Growth:
    """The growth as the page shows it."""

    plots: tuple[Plot, ...]
    sentence: str


def growth(hours: Sequence[GatewayHour], zone: ZoneInfo) -> Growth | None:
    """Returns the growth by what was sampled each hour. None while there is too little of it."""
    if len(hours) <= 1:
        return None
    step = -(-len(hours) // MOST_POINTS)
    # The last one is what the gateway is now.
    shown = [hour for at, hour in enumerate(reversed(hours)) if at % step == 0][::-1]
    times = [hour.hour * HOUR_MS for hour in shown]

    def line(name: str, title: str, values: Sequence[int], unit: Unit, tone: Tone) -> Plot:
        series = Series(name=title, values=values, tone=tone)
        gap_ms = (step + _GAP_HOURS) * HOUR_MS
        return lines(f"growth-{name}", title, times, [series], zone=zone, unit=unit, gap_ms=gap_ms)

    database = [hour.database_bytes for hour in shown]
    free = [hour.free_bytes for hour in shown]
    messages = [hour.messages for hour in shown]
    return Growth(
        plots=(
            line("database", "Size of the database", database, "bytes", "mark"),
            line("free", "Free on its disk", free, "bytes", "soft"),
            line("messages", "Messages stored", messages, "count", "mark"),
        ),
        sentence=outlook(hours),
    )


def outlook(hours: Sequence[GatewayHour]) -> str:
    """Returns how much is added in a day, and for how long the disk is enough for that."""
    first, last = hours[0], hours[-1]
    passed = last.hour - first.hour
    if passed < LEAST_HOURS:
        return "It is too early to say how fast the database grows."
    a_day = (last.database_bytes - first.database_bytes) * _DAY_HOURS / passed
    if a_day < 1:
        return "The database has not grown of late."
    days = int(last.free_bytes / a_day)
    enough = (
        "for years" if days > FAR_DAYS else f"for about {days:,} {'day' if days == 1 else 'days'}"
    )
    return (
        f"The database grows by {size(round(a_day))} a day. If it goes on so, the free disk is "
        f"enough {enough}."
    )
