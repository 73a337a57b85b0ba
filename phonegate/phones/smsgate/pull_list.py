"""What the app finds when it pulls: its messages, until it has reported on them. Pure."""

from collections.abc import Container
from typing import Any, Final

import attrs

from phonegate.phones.frames import SendSms
from phonegate.phones.smsgate.mobile_message import State, mobile_message

MOST_LISTED: Final = 100
"""Messages in one answer, as the app's own server gives it. What follows comes with the next."""


@attrs.define
class _Listed:
    frame: SendSms
    since: int
    was_given: bool = False
    """It stood in an answer, so that the app may have it."""
    cancelled: bool = False


class PullList:
    """The messages that were given to a phone and not reported on.

    Whether a message is still awaited is for the phone's window to say: `pull` and the others are
    given what is in flight there.
    """

    def __init__(self) -> None:
        self._listed: dict[int, _Listed] = {}

    def __len__(self) -> int:
        return len(self._listed)

    def put(self, frame: SendSms, now: int) -> None:
        """Lists a message, from now on."""
        self._listed[frame.id] = _Listed(frame, now)

    def cancel(self, message_id: int) -> bool:
        """Notes that a message is not to be sent any more.

        Returns whether it is certain that it won't be: no answer has held it, and none will.
        """
        listed = self._listed.get(message_id)
        if listed is None:
            return False
        if not listed.was_given:
            del self._listed[message_id]
            return True
        listed.cancelled = True
        return False

    def has_new(self, in_flight: Container[int]) -> bool:
        """Tells whether there is a message that no answer has held yet."""
        self._keep(in_flight)
        return any(not listed.was_given for listed in self._listed.values())

    def pull(
        self, in_flight: Container[int], *, now: int, knows_cancelling: bool
    ) -> tuple[list[dict[str, Any]], list[int]]:
        """Returns what the app is answered, and the messages whose time ran out before that.

        Args:
            in_flight: The messages that are awaited. What is not is dropped.
            now: In ms.
            knows_cancelling: The app knows that state. Another would send what it stands at.
        """
        self._keep(in_flight)
        answer: list[dict[str, Any]] = []
        late: list[int] = []
        for message_id, listed in list(self._listed.items()):
            ends = listed.frame.expires_at
            if ends is not None and ends <= now and not listed.was_given:
                del self._listed[message_id]
                late.append(message_id)
            elif len(answer) < MOST_LISTED and (knows_cancelling or not listed.cancelled):
                state: State = "Cancelling" if listed.cancelled else "Pending"
                answer.append(mobile_message(listed.frame, state=state, created_at=listed.since))
                listed.was_given = True
        return answer, late

    def unfetched(self) -> list[int]:
        """Returns the messages that no answer has held, so that the app can't have them."""
        return [number for number, listed in self._listed.items() if not listed.was_given]

    def _keep(self, in_flight: Container[int]) -> None:
        for message_id in [number for number in self._listed if number not in in_flight]:
            del self._listed[message_id]
