"""The frames that a phone gets for what it reported. Pure."""

from collections.abc import Sequence
from typing import Final, Literal

from phonegate.model.refusals import StorageSpent
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.phones import frames
from phonegate.phones.held_inbound import NoRoom
from phonegate.phones.report_order import Answer, Stored
from phonegate.phones.state import Report

_WITHOUT_ID: Final = (frames.Inbound, frames.Status, frames.Ping)


def answer_to(report: Report, answer: Answer, *, greeted: bool) -> frames.GatewayFrame | None:
    """Returns what a phone gets for a report that is recorded, if it waits for anything."""
    match report, answer:
        case frames.Ping(), _:
            return frames.Pong()
        case frames.Inbound(), Stored() if greeted:
            ids = tuple(message.local_id for message in report.messages)
            return frames.InboundAck(ids=ids, message_ids=answer.ids)
        case frames.Ack() | frames.SendResult() | frames.DeliveryReport(), (
            "unknown" | "not_yours"
        ):
            return no_such_message(report.id, answer)
        case _:
            return None


def no_such_message(message_id: int, why: Literal["unknown", "not_yours"]) -> frames.Error:
    """Returns the error for a report on a message that this phone does not have."""
    if why == "unknown":
        return frames.Error(
            code="unknown_message",
            detail=f"Message {message_id} was never given to a phone of this org.",
            id=message_id,
        )
    return frames.Error(
        code="not_yours", detail=f"Message {message_id} is another phone's.", id=message_id
    )


def internal_error(report: Report) -> frames.Error:
    """Returns the error for a report that a fault of the gateway kept from being recorded."""
    return frames.Error(
        code="internal_error",
        detail="The gateway could not record this because of a fault of its own.",
        id=None if isinstance(report, _WITHOUT_ID) else report.id,
    )


def no_room(
    error: StorageUnavailable | NoRoom, reports: Sequence[Report], *, keep: bool = True
) -> frames.Error:
    """Returns the error for reports that can't be stored now.

    With `keep`, the gateway goes on trying.
    """
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
