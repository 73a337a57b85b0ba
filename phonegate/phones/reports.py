"""What a phone reports, in which order it is written, and what it hears when that fails."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypeGuard

from phonegate.model.refusals import StorageSpent
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones import frames
from phonegate.phones.held import NoRoom
from phonegate.phones.protocol import Step
from phonegate.store.tables import Tables

Report = frames.Inbound | frames.Ack | frames.SendResult | frames.DeliveryReport | frames.Ping


def runs(reports: Sequence[Report]) -> Iterator[Sequence[tuple[int, Report]]]:
    """Reports in runs of equals, with their places, so that it comes to the same as their order.

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


def _is_success(report: Report) -> TypeGuard[frames.SendResult]:
    return isinstance(report, frames.SendResult) and report.success


def weight_of(step: Step) -> int:
    """How many rows it writes, about."""
    return max(1, len(step.messages)) if isinstance(step, frames.Inbound) else 1


def no_such_message(tx: Tables, org: int, message_id: int) -> frames.Error:
    """The answer to a report on a message that is not this phone's."""
    found = tx.messages.find(org, message_id)
    if found is None or found.direction != "out" or found.phone is None:
        return frames.Error(
            code="unknown_message",
            detail=f"Message {message_id} was never given to a phone of this org.",
            id=message_id,
        )
    return frames.Error(
        code="not_yours", detail=f"Message {message_id} is another phone's.", id=message_id
    )


def internal_error(report: Report) -> frames.Error:
    """The answer to a report that could not be recorded by a fault of the gateway."""
    return frames.Error(
        code="internal_error",
        detail="The gateway could not record this because of a fault of its own.",
        id=None if isinstance(report, frames.Inbound | frames.Ping) else report.id,
    )


def no_room(
    error: StorageUnavailable | NoRoom, reports: Sequence[Report], *, keep: bool = True
) -> frames.Error:
    """What a phone hears of reports that can't be stored now; `keep` says that they are held."""
    ids = [m.local_id for r in reports if isinstance(r, frames.Inbound) for m in r.messages]
    code: frames.ErrorCode
    if isinstance(error, StorageUnavailable):
        code, why = "storage_unavailable", "The gateway's disk takes nothing now"
    elif isinstance(error, StorageSpent):
        code, why = "storage_spent", "This org has stored as much of late as it may in a day"
    else:
        code, why = "disk_low", "The gateway's disk is nearly full"
    then = "it goes on trying" if keep else "it holds as much as it can, so send this again later"
    return frames.Error(code=code, detail=f"{why}; {then}.", ids=tuple(ids) or None)
