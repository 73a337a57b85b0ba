"""What can go wrong between the app and a gateway, and between it and its own files."""

from phonegate.phone.errors import PhoneError


class Trouble(Exception):
    """A request did not have the effect that it was made for. The app tries it again later."""


class UnreadableAnswer(Trouble):
    """The app can't read an answer of the gateway, whatever it meant to say."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"The app can't read the gateway's answer: {why}.")


class Refused(Trouble):
    """The gateway answered with a status that is not 2xx. `detail` is the reason that it gave."""

    def __init__(self, status: int, detail: str | None = None) -> None:
        self.status = status
        self.detail = detail
        said = "." if detail is None else f": {detail.rstrip('.')}."
        super().__init__(f"The gateway refused it (HTTP {status}){said}")


class Unreachable(Trouble):
    """There was no answer."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"There was no answer ({why}).")


class SentAway(PhoneError):
    """The gateway's settings move the phone to another server, which it then never leaves."""

    def __init__(self) -> None:
        super().__init__(
            "The gateway's settings contain gateway.cloud_url. A real phone would now use that "
            "server, or the public one where it is null, and this gateway would never see it again."
        )
