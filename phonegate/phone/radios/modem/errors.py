"""What can go wrong between the phone and ModemManager. No message holds the text of an SMS."""

from typing import Final

PREFIX: Final = "org.freedesktop."


class BusGone(Exception):
    """There is no connection to the message bus, or it ended. What was asked may have happened."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"no connection to the message bus: {problem}")


class CallRefused(Exception):
    """A call was answered with an error.

    `name` is that of D-Bus without its common beginning, such as `ModemManager1.Error.Core.Failed`.
    """

    def __init__(self, name: str) -> None:
        self.name = name.removeprefix(PREFIX)
        super().__init__(f"refused with {self.name}")


class CallTimedOut(Exception):
    """A call got no answer in time. What was asked may have happened, or may yet happen."""

    def __init__(self, method: str) -> None:
        self.method = method
        super().__init__(f"no answer to {method}")
