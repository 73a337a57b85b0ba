"""Waits for what becomes of a message, as an operation."""

from typing import Final

import attrs

from phonegate.client.calls import Calls
from phonegate.client.effects import Clock, Operation, Pause
from phonegate.client.errors import GatewayError
from phonegate.client.messages import Message, Until, is_reached
from phonegate.client.retries import NO_RETRIES

FIRST_PAUSE_S: Final = 0.5
"""Before the second look: a phone takes a second or more to send a message."""

LONGEST_PAUSE_S: Final = 5.0
"""Between two looks, so that a long wait costs the gateway little."""

_GROWTH: Final = 1.3


class NotInTime(GatewayError):
    """A message has not come to the state that was waited for.

    Attributes:
        message: As it was last.
    """

    def __init__(self, message: Message, wanted: str, seconds: float) -> None:
        self.message = message
        why = f", waiting for {message.waiting_for}" if message.waiting_for else ""
        super().__init__(
            f"Message {message.id} is {message.status}{why} and not {wanted} after {seconds:g} s."
        )


def wait(calls: Calls, id_: int, until: Until, deadline_s: float) -> Operation[Message]:
    """Reads a message until it has come to a state, over restarts of the gateway.

    Args:
        calls: The gateway and the org.
        id_: The message.
        until: The state.
        deadline_s: Seconds after which to give up.

    Raises:
        NotInTime: It has not come to that state.
        GatewayError: The gateway refuses, or has not answered at all.
    """
    began = yield Clock()
    pause_s = FIRST_PAUSE_S
    seen: Message | None = None
    while True:
        left_s = began + deadline_s - (yield Clock())
        timeout_s = max(min(calls.manner.timeout_s, left_s), FIRST_PAUSE_S)
        manner = attrs.evolve(calls.manner, retries=NO_RETRIES, timeout_s=timeout_s)
        asked_s = 0.0
        fault: GatewayError | None = None
        try:
            seen = yield from calls.message(id_, manner)
        except GatewayError as error:
            if not error.is_transient:
                raise
            fault, asked_s = error, error.retry_after_s
        if seen is not None and fault is None and is_reached(seen.status, until):
            return seen
        left_s = began + deadline_s - (yield Clock())
        if left_s <= 0:
            if seen is None and fault is not None:
                raise fault
            if seen is not None:
                raise NotInTime(seen, until, deadline_s)
        yield Pause(min(max(pause_s, asked_s), left_s))
        pause_s = min(pause_s * _GROWTH, LONGEST_PAUSE_S)
