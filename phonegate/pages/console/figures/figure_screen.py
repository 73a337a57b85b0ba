"""The screen of figures: what was sent, delivered, not sent and received, and how long it took."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import attrs
from quart import Response

from phonegate.domain.figure_spans import (
    MAX_DAYS,
    Span,
    by_hours,
    by_weeks,
    days_between,
    last_days,
    last_hours,
)
from phonegate.model.refusals import Forbidden
from phonegate.pages.console.csv_cells import MEDIA, csv_file
from phonegate.pages.console.figures.figure_plots import (
    CSV_HEADER,
    cards,
    csv_rows,
    plots,
    sender_rows,
    span_words,
)
from phonegate.pages.console.visit import Route, Visit
from phonegate.pages.console.zones import zone_of

RANGES: Final[Mapping[str, str]] = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "1y": "12 months",
}

_CUSTOM: Final = "days"
_LONGEST_SENDER: Final = 64


@attrs.frozen(kw_only=True)
class Asked:
    """What is to be shown, as the query says it."""

    range: str
    by: str
    sim: str | None
    span: Span
    zone: str | None
    """The zone, where the query names it."""

    def query(self, **changes: str | None) -> dict[str, str | None]:
        """Returns the parameters of a page that shows the same but for some changes."""
        given = {"range": self.range, "by": self.by or None, "sim": self.sim, "zone": self.zone}
        if self.range == _CUSTOM:
            given |= {"from": self.first, "to": self.last}
        return given | changes

    @property
    def first(self) -> str:
        """Its first day."""
        return _day(self.span, self.span.begin)

    @property
    def last(self) -> str:
        """Its last day."""
        return _day(self.span, self.span.end - 1)


def asked_of(visit: Visit) -> Asked:
    """Reads what is to be shown. What can't be understood counts as not said."""
    query, zone, now = visit.query, zone_of(visit), visit.services.now_ms()
    range_, by = query.get("range", ""), query.get("by", "")
    first, last = _date(query.get("from", "")), _date(query.get("to", ""))
    if range_ in {_CUSTOM, ""} and (first or last):
        range_ = _CUSTOM
        begin, end = first or last, last or first
        assert begin is not None and end is not None, "one was given"  # noqa: S101, PT018
        span = days_between(begin, end, zone)
    elif range_ == "7d":
        span = last_days(7, now, zone)
    elif range_ == "30d":
        span = last_days(30, now, zone)
    elif range_ == "1y":
        span = last_days(364, now, zone)
    else:
        range_ = "24h"
        span = last_hours(24, now, zone)
    if by == "hour" or (by != "day" and range_ == "7d"):
        span = by_hours(span)
    sim = (query.get("sim") or "")[:_LONGEST_SENDER] or None
    return Asked(
        range=range_,
        by=by if by in {"hour", "day"} else "",
        sim=sim,
        span=span,
        zone=query.get("zone") and zone.key,
    )


async def show(visit: Visit) -> Response:
    """Shows figures with the choice of time and SIM."""
    return await visit.page("console/figures.html", **await _context(visit))


async def show_part(visit: Visit) -> Response:
    """Shows the figures alone, for a script that brings them up to date."""
    return await visit.part("console/parts/figures.html", **await _context(visit))


async def download(visit: Visit) -> Response:
    """Gives the figures as a file, a row for each hour or day and SIM."""
    asked = asked_of(visit)
    rows = await visit.services.figures.rows(visit.principal, asked.span, asked.sim)
    response = Response(csv_file(CSV_HEADER, csv_rows(asked.span, rows)), content_type=MEDIA)
    name = f"figures-{asked.first}-{asked.last}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


async def _context(visit: Visit) -> dict[str, Any]:
    asked = asked_of(visit)
    shared = {
        "asked": asked,
        "ranges": RANGES,
        "zone": asked.span.zone.key,
        "max_days": MAX_DAYS,
        "refused": None,
        "report": None,
    }
    span = by_weeks(asked.span)
    try:
        report = await visit.services.figures.over(visit.principal, span, asked.sim)
    except Forbidden as refused:
        return {**shared, "refused": refused.detail}
    return {
        **shared,
        "report": report,
        "span_words": span_words(span),
        "cards": cards(report),
        "plots": plots(report),
        "senders": sender_rows(report),
        "chosen": report.chosen.label if report.chosen else asked.sim,
    }


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _day(span: Span, at: int) -> str:
    return datetime.fromtimestamp(at / 1000, span.zone).date().isoformat()


ROUTES: Final = (
    Route(path="/figures", scope="read", view=show),
    Route(path="/figures/part", scope="read", view=show_part),
    Route(path="/figures.csv", scope="read", view=download),
)
