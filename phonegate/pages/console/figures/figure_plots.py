"""Figures as people see them: totals beside those before, plots, a table of SIMs, and CSV. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import attrs

from phonegate.domain.figure_spans import Slot, Span
from phonegate.domain.figures import FigureReport, SenderReport
from phonegate.model.figures import Figures, quantile
from phonegate.pages.console.figures.plots import (
    Plot,
    Series,
    Tone,
    bars,
    day_words,
    lines,
    moment_words,
)
from phonegate.pages.console.figures.scales import in_words
from phonegate.pages.console.words import STATE_WORDS

MEDIAN: Final = 0.5
MOST: Final = 0.95

LIMIT_SHOWN: Final = 0.2
"""The part of its limit that a SIM must come to for the limit to be drawn. Below it, bars would be
too low to be seen."""

_NOTABLE: Final = 0.005
"""The least change that is said in percent."""

CSV_HEADER: Final = (
    *("from", "to", "sim", "sent", "delivered", "failed", "expired", "uncertain", "received"),
    *("segments", "median_s_to_sent", "p95_s_to_sent"),
    *("median_s_to_delivered", "p95_s_to_delivered"),
)


@attrs.frozen(kw_only=True)
class Card:
    """A total, and how it has changed."""

    title: str
    value: str
    note: str
    tone: Tone = "mark"


@attrs.frozen(kw_only=True)
class SenderRow:
    """A SIM or carrier with its totals, and how near it came to its limit."""

    sender: SenderReport
    share: float | None
    """The segments of its busiest hour as a part of what it may send in one, 1 at most."""
    use: str


def cards(report: FigureReport) -> Sequence[Card]:
    """Returns the totals of a span of time."""
    now, before = report.total, report.before
    return [
        Card(title="Sent", value=_count(now.sent), note=_change(now.sent, before.sent)),
        Card(
            title=STATE_WORDS["delivered"],
            value=_count(now.delivered),
            note=f"{_change(now.delivered, before.delivered)}. Only where reports come.",
            tone="ok",
        ),
        Card(
            title=STATE_WORDS["failed"],
            value=_count(now.unsent),
            note=_change(now.unsent, before.unsent),
            tone="bad" if now.unsent else "soft",
        ),
        Card(
            title=STATE_WORDS["received"],
            value=_count(now.received),
            note=_change(now.received, before.received),
        ),
        Card(
            title="Segments",
            value=_count(now.segments),
            note=_change(now.segments, before.segments),
        ),
        Card(title="Time until sent", value=_wait(now.to_sent, MEDIAN), note=_most(now.to_sent)),
        Card(
            title="Time until delivered",
            value=_wait(now.to_delivered, MEDIAN),
            note=_most(now.to_delivered),
        ),
    ]


def plots(report: FigureReport) -> Sequence[Plot]:
    """Returns the plots of a span of time."""
    return [
        _bars(
            report,
            "sent",
            "Sent and not sent",
            [
                _series("Sent", "mark", (one.sent for one in report.slots)),
                _series(STATE_WORDS["failed"], "bad", (one.unsent for one in report.slots)),
                _series(STATE_WORDS["uncertain"], "warn", (one.uncertain for one in report.slots)),
            ],
        ),
        _bars(
            report,
            "received",
            STATE_WORDS["received"],
            [_series(STATE_WORDS["received"], "mark", (one.received for one in report.slots))],
        ),
        _bars(
            report,
            "delivered",
            STATE_WORDS["delivered"],
            [_series(STATE_WORDS["delivered"], "ok", (one.delivered for one in report.slots))],
        ),
        _waits(report, "to-sent", "Time until sent", [one.to_sent for one in report.slots]),
        _waits(
            report,
            "to-delivered",
            "Time until delivered",
            [one.to_delivered for one in report.slots],
        ),
        _segments(report),
    ]


def sender_rows(report: FigureReport) -> Sequence[SenderRow]:
    """Returns each SIM and carrier, with the use of its limit."""
    return [
        SenderRow(
            sender=one,
            share=None if one.per_hour is None else min(1.0, one.busiest / one.per_hour),
            use=_use(one),
        )
        for one in report.senders
    ]


def csv_rows(span: Span, rows: Iterable[tuple[Slot, str, Figures]]) -> Iterable[Sequence[object]]:
    """Yields the rows of a file, below `CSV_HEADER`."""
    for slot, label, one in rows:
        yield (
            *(datetime.fromtimestamp(at / 1000, span.zone).isoformat() for at in (
                slot.begin, slot.end
            )),
            *(label, one.sent, one.delivered, one.failed, one.expired, one.uncertain),
            *(one.received, one.segments),
            *(_seconds(one.to_sent, part) for part in (MEDIAN, MOST)),
            *(_seconds(one.to_delivered, part) for part in (MEDIAN, MOST)),
        )  # fmt: skip


def span_words(span: Span) -> str:
    """Returns what span is shown."""
    if span.step == "hour":
        return f"{moment_words(span.begin, span.zone)} to {moment_words(span.end, span.zone)}"
    first, last = day_words(span.begin, span.zone), day_words(span.end - 1, span.zone)
    return first if first == last else f"{first} to {last}"


def _bars(report: FigureReport, id_: str, title: str, series: Sequence[Series]) -> Plot:
    span = report.span
    return bars(
        id_,
        title,
        [slot.begin for slot in span.slots],
        span.end,
        series,
        zone=span.zone,
        labels=_labels(span),
    )


def _waits(report: FigureReport, id_: str, title: str, waits: Sequence[tuple[int, ...]]) -> Plot:
    span = report.span
    return lines(
        id_,
        title,
        # A value stands in the middle of its time, as a bar does.
        [(slot.begin + slot.end) // 2 for slot in span.slots],
        [
            Series(name="Half within", values=[quantile(one, MEDIAN) for one in waits]),
            Series(name="95 % within", values=[quantile(one, MOST) for one in waits], tone="warn"),
        ],
        zone=span.zone,
        unit="seconds",
        begin=span.begin,
        end=span.end,
        labels=_labels(span),
    )


def _segments(report: FigureReport) -> Plot:
    plot = _bars(
        report,
        "segments",
        "Segments sent",
        [_series("Segments", "mark", (one.segments for one in report.slots))],
    )
    one = report.chosen or (report.senders[0] if len(report.senders) == 1 else None)
    if one is None or one.per_hour is None or report.span.step != "hour":
        return plot
    plot = attrs.evolve(plot, title=f"Segments sent (the SIM may send {one.per_hour:,} an hour)")
    if max(plot.series[0].values, default=0) < LIMIT_SHOWN * one.per_hour:  # type: ignore[type-var,operator]
        return plot
    return attrs.evolve(plot, limit=(one.per_hour, f"limit {one.per_hour:,}"))


def _series(name: str, tone: Tone, values: Iterable[int]) -> Series:
    return Series(name=name, values=list(values), tone=tone)


def _labels(span: Span) -> list[str]:
    if span.step == "week":
        return [f"week from {day_words(slot.begin, span.zone)}" for slot in span.slots]
    words = moment_words if span.step == "hour" else day_words
    return [words(slot.begin, span.zone) for slot in span.slots]


def _count(number: int) -> str:
    return in_words(number, "count")


def _change(now: int, before: int) -> str:
    if now == before:
        return "as many as before" if now else "none before either"
    if not before:
        return "none before"
    share = (now - before) / before
    if abs(share) < _NOTABLE:
        return f"about as many as before ({_count(before)})"
    if share >= 1:
        return f"{now / before:.2g} times as many as before ({_count(before)})"
    return f"{abs(share):.0%} {'more' if share > 0 else 'fewer'} than before ({_count(before)})"


def _seconds(waits: Sequence[int], part: float) -> float | None:
    found = quantile(waits, part)
    return None if found is None else round(found, 1)


def _wait(waits: Sequence[int], part: float) -> str:
    found = quantile(waits, part)
    return "none" if found is None else in_words(found, "seconds")


def _most(waits: Sequence[int]) -> str:
    if not any(waits):
        return "nothing in this time"
    return f"half of them; 95 % within {_wait(waits, MOST)}"


def _use(one: SenderReport) -> str:
    if one.per_hour is None:
        return f"{_count(one.busiest)} in its busiest hour"
    return f"{one.busiest:,} of {one.per_hour:,} in its busiest hour"
