"""Reads the figures of an org, over all its SIMs and carriers or of one of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import attrs

from phonegate.domain.figure_spans import Slot, Span
from phonegate.domain.pacing import PacingRates
from phonegate.model.figures import (
    Figures,
    GatewayHour,
    SenderFigures,
    parse_sender,
)
from phonegate.model.phones import number_form
from phonegate.model.principal import Principal
from phonegate.model.refusals import Forbidden
from phonegate.model.times import HOUR_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MOST_ROWS: Final = 50_000
"""Rows of a file: some 5 MB."""

MOST_SENDERS: Final = 100
"""SIMs and carriers that are listed, those that did most."""

NOT_ALL: Final = (
    "Figures count all messages of the org, and this API key reads only some of them (its limit "
    "from). Ask with another key."
)


@attrs.frozen(kw_only=True)
class SenderReport:
    """What a SIM or carrier did in some time."""

    id: str
    """What chooses it: its number in one form, else the name by which it is counted."""
    label: str
    """What people call it."""
    figures: Figures
    busiest: int
    """The segments of its busiest hour."""
    per_hour: int | None
    """The segments that its SIM may send in an hour. None where nothing limits it."""


@attrs.frozen(kw_only=True)
class FigureReport:
    """What happened in a span of time."""

    span: Span
    slots: tuple[Figures, ...]
    """In each hour or day of the span."""
    total: Figures
    before: Figures
    """In the time of the same length before it."""
    senders: tuple[SenderReport, ...]
    """All that had anything to do, whichever was chosen."""
    chosen: SenderReport | None


class FigureReading:
    """Reads figures for callers.

    Args:
        database: Where they are.
        rates: How much each SIM may send.
    """

    def __init__(self, database: Database, rates: Callable[[], PacingRates]) -> None:
        self._database = database
        self._rates = rates

    async def over(self, reader: Principal, span: Span, sender: str | None = None) -> FigureReport:
        """Returns what happened in a span, by one SIM or carrier, or all of them.

        Args:
            reader: Who reads.
            span: When.
            sender: A `SenderReport.id`. Of one that did nothing there is nothing.

        Raises:
            Forbidden: The reader sees only some of the org's messages. How many there are of the
                others is not for it, and figures do not know to whom each went.
        """
        _require_all(reader)
        return await self._database.read(lambda tx: self._report(tx, reader, span, sender))

    async def rows(
        self, reader: Principal, span: Span, sender: str | None = None
    ) -> list[tuple[Slot, str, Figures]]:
        """Returns the same for each SIM and carrier, with what people call it.

        Raises:
            Forbidden: As `over`.
        """
        _require_all(reader)

        def read(tx: Tables) -> list[tuple[Slot, str, Figures]]:
            names = None if sender is None else _names(tx, reader.org, span, sender)
            found: dict[tuple[int, str], Figures] = {}
            for number, name, figures in tx.figures.by_slot_and_sender(
                reader.org, [slot.hours for slot in span.slots], names, MOST_ROWS
            ):
                key = number, _id(name)
                found[key] = found.get(key, Figures()) + figures
            labels = {id_: _label(tx, reader.org, id_) for _, id_ in found}
            return [
                (span.slots[number], labels[id_], figures)
                for (number, id_), figures in found.items()
            ]

        return await self._database.read(read)

    async def gateway(self, begin: int, end: int) -> list[GatewayHour]:
        """Returns how the gateway was, by hour, from *begin* to before *end* (ms)."""
        hours = begin // HOUR_MS, -(-end // HOUR_MS)
        return await self._database.read(lambda tx: tx.figures.gateway(*hours))

    def _report(
        self, tx: Tables, reader: Principal, span: Span, sender: str | None
    ) -> FigureReport:
        org = reader.org
        first, last = span.slots[0].hours[0], span.slots[-1].hours[1]
        found = tx.figures.by_sender(org, first, last, MOST_SENDERS)
        senders = tuple(self._senders(tx, reader, found))
        names = None if sender is None else _names(tx, org, span, sender)
        slots = tx.figures.by_slot(org, [slot.hours for slot in span.slots], names)
        (before,) = tx.figures.by_slot(org, [span.before.hours], names)
        return FigureReport(
            span=span,
            slots=tuple(slots),
            total=sum(slots, Figures()),
            before=before,
            senders=senders,
            chosen=next((one for one in senders if one.id == sender), None),
        )

    def _senders(
        self, tx: Tables, reader: Principal, found: Sequence[SenderFigures]
    ) -> Iterator[SenderReport]:
        by_id: dict[str, list[SenderFigures]] = {}
        for one in found:
            by_id.setdefault(_id(one.sender), []).append(one)
        sims = {sim.form for sim in tx.phones.known_sims(reader.org)}
        rates = self._rates()
        for id_, ones in by_id.items():
            is_sim = id_ in sims or id_.startswith("#")
            rate = rates.of(reader.org_name, id_ if id_ in sims else None)
            yield SenderReport(
                id=id_,
                label=_label(tx, reader.org, id_),
                figures=sum((one.figures for one in ones), Figures()),
                busiest=max(one.busiest for one in ones),
                per_hour=rate.segments_per_minute * 60 if is_sim and not rate.unlimited else None,
            )


def _require_all(reader: Principal) -> None:
    if reader.limits is not None and reader.limits.sees:
        raise Forbidden(NOT_ALL)


def _names(tx: Tables, org: int, span: Span, sender: str) -> list[str]:
    """Returns by which names a SIM is counted: its number may be written in several ways."""
    first, last = span.before.hours[0], span.slots[-1].hours[1]
    found = tx.figures.by_sender(org, first, last, MOST_SENDERS)
    return [sender, *(one.sender for one in found if _id(one.sender) == sender)]


def _id(sender: str) -> str:
    return sender if sender.startswith(("#", "@")) else number_form(sender)


def _label(tx: Tables, org: int, sender: str) -> str:
    if sender == "@phone":
        return "SIM not known"
    place = parse_sender(sender)
    if place is None:
        return sender.removeprefix("@")
    phone, slot = place
    row = tx.phones.get(phone)
    name = None if row is None or row.org != org else row.given_name or row.name or row.device_id
    called = name or f"phone {phone}"
    return called if slot is None else f"SIM {slot + 1} of {called}"
