"""What the app reports of messages, as the frames that say the same. Pure.

A report is a snapshot: the state of a message and of its recipient, and when each state began. It
comes late, twice, and in any order; what it says is read so that only the furthest counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import attrs

from phonegate.domain.delivery import CANCEL_ERROR
from phonegate.domain.reported_numbers import moment
from phonegate.domain.reported_values import ErrorText
from phonegate.phones import frames
from phonegate.phones.frames import PhoneFrame
from phonegate.phones.smsgate.mobile_message import message_number

AppState = Literal["Pending", "Cancelling", "Processed", "Sent", "Cancelled", "Failed", "Delivered"]
"""The states of the app, each of which proves more than those before it."""

APP_STATES: Final[Sequence[AppState]] = get_args(AppState)

MAX_REPORTS: Final = 100
"""Messages in one call. The app sends one."""

MAX_RECIPIENTS: Final = 100
"""Recipients of a message that are read. Ours have one."""

_ERROR: Final = ErrorText()


@attrs.frozen(kw_only=True)
class StateReport:
    """What the app says of one message."""

    app_id: str
    number: int
    """The gateway's own id, if it is a message of the gateway's."""
    state: AppState
    was_sent: bool = False
    """It was sent at some time, whatever became of it then."""
    error: str | None = attrs.field(default=None, repr=False)
    delivered_at: int | None = None
    segments: int | None = None

    def frames(self) -> list[PhoneFrame]:
        """Returns the frames that say the same, in order."""
        number = self.number
        sent = frames.SendResult(id=number, success=True, segments=self.segments)
        match self.state:
            case "Sent":
                return [sent]
            case "Delivered":
                report = frames.DeliveryReport(id=number, delivered=True, date=self.delivered_at)
                return [sent, report]
            case "Failed" if self.was_sent:
                return [sent, frames.DeliveryReport(id=number, delivered=False)]
            case "Failed":
                return [frames.SendResult(id=number, success=False, error=self.error)]
            case "Cancelled":
                return [frames.SendResult(id=number, success=False, error=CANCEL_ERROR)]
            case _:
                # The app has it, and it is not known yet what comes of it.
                return [frames.Ack(id=number)]


def read_reports(value: object) -> tuple[StateReport, ...]:
    """Reads the body of a call that reports states. What is not of ours is left out."""
    items = value if isinstance(value, list) else [value]
    return tuple(found for item in items[:MAX_REPORTS] if (found := _read(item)) is not None)


def _read(item: object) -> StateReport | None:
    if not isinstance(item, dict):
        return None
    app_id = item.get("id")
    number = message_number(app_id)
    if number is None or not isinstance(app_id, str):
        return None
    recipients = list(_recipients(item.get("recipients")))
    times = item.get("states")
    history: Mapping[str, object] = times if isinstance(times, dict) else {}
    said = [item.get("state"), *(one.get("state") for one in recipients)]
    state = max((_state(one) for one in said), key=APP_STATES.index)
    error = next((one["error"] for one in recipients if one.get("error") is not None), None)
    return StateReport(
        app_id=app_id,
        number=number,
        state=state,
        was_sent="Sent" in history or "Sent" in said,
        error=_ERROR.take(error, []),
        delivered_at=moment(history.get("Delivered")),
    )


def _recipients(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list):
        yield from (one for one in value[:MAX_RECIPIENTS] if isinstance(one, dict))


def _state(value: object) -> AppState:
    """Reads a state. Of an unknown one nothing is known but that the app has the message."""
    return next((state for state in APP_STATES if state == value), "Pending")
