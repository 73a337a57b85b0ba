"""Writes a phone's reports down, in an order that comes to the same as the one they came in."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeGuard

import attrs

from phonegate.domain.inbox import Received
from phonegate.domain.phone_delivery import Outcome, PhoneReports
from phonegate.phones import frames
from phonegate.phones.state import Report


@attrs.frozen
class Stored:
    """The gateway's ids of an `inbound` frame's messages. None is one that could not be read."""

    ids: tuple[int | None, ...]


Answer = Stored | Outcome
"""What came of a report."""


def record(tx: PhoneReports, reports: Sequence[Report]) -> list[Answer]:
    """Records reports within one transaction. Returns what came of each.

    Raises:
        StorageSpent, DiskLow: There is no room for received SMS among them.
    """
    answers: list[Answer] = ["recorded"] * len(reports)
    for run in runs(reports):
        if not _record_at_once(tx, [report for _, report in run]):
            for at, report in run:
                answers[at] = record_one(tx, report)
    return answers


def runs(reports: Sequence[Report]) -> Iterator[Sequence[tuple[int, Report]]]:
    """Parts reports, with their places, into runs of equals that come to the same as their order.

    Only the order of the reports on one message counts. An ack may come before all others, and
    need not be written where the result follows, for that says as much.
    """
    numbered = list(enumerate(reports))
    sent = {report.id for report in reports if _is_success(report)}
    acks = [(at, r) for at, r in numbered if isinstance(r, frames.Ack) and r.id not in sent]
    if acks:
        yield acks
    others = [(at, r) for at, r in numbered if not isinstance(r, frames.Ack)]
    for success, run in groupby(others, key=lambda pair: _is_success(pair[1])):
        if success:
            yield list(run)
        else:
            yield from ([pair] for pair in run)


def texts_of(reports: Sequence[Report]) -> list[list[Received]] | None:
    """Returns the received SMS of each report, where no report brings anything else."""
    texts: list[list[Received]] = []
    for report in reports:
        if not isinstance(report, frames.Inbound):
            return None
        texts.append([one for one in report.messages if isinstance(one, Received)])
    return texts


def stored(reports: Sequence[Report], ids: Sequence[int]) -> list[Answer]:
    """Returns what came of reports of received SMS, from the ids of all of these."""
    rest = iter(ids)
    return [
        Stored(tuple(next(rest) if isinstance(one, Received) else None for one in report.messages))
        for report in reports
        if isinstance(report, frames.Inbound)
    ]


def record_one(tx: PhoneReports, report: Report) -> Answer:
    """Records one report. Returns what came of it."""
    match report:
        case frames.Inbound():
            texts = [one for one in report.messages if isinstance(one, Received)]
            return stored([report], tx.receive(texts))[0]
        case frames.Ack():
            return tx.acknowledge(report.id)
        case frames.SendResult():
            return tx.result(
                report.id,
                success=report.success,
                error=report.error,
                segments=report.segments,
                uncertain=report.uncertain,
            )
        case frames.DeliveryReport():
            return tx.delivered(report.id, delivered=report.delivered, date=report.date)
        case frames.Status():
            tx.note_health(report.health)
            return "recorded"
        case frames.Ping():
            return "recorded"


def _record_at_once(tx: PhoneReports, run: Sequence[Report]) -> bool:
    """Records a run of equals, if each of them says what is expected. Returns whether it did."""
    if acked := [report.id for report in run if isinstance(report, frames.Ack)]:
        return tx.acknowledge_all(acked)
    sent = [(r.id, r.segments) for r in run if _is_success(r)]
    return bool(sent) and tx.all_sent(sent)


def _is_success(report: Report) -> TypeGuard[frames.SendResult]:
    return isinstance(report, frames.SendResult) and report.success
