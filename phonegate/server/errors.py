"""The errors of the server, and the requests that it refuses by itself."""

from collections.abc import Sequence


class ServerError(Exception):
    """The server can't open, which the operator has to mend. The text says how in a sentence."""


class CannotListen(ServerError):
    """An address of `[http] bind`, or of another such setting, can't be listened on."""

    def __init__(self, bind: str, reason: str, setting: str = "[http] bind") -> None:
        self.bind = bind
        self.reason = reason
        super().__init__(
            f"Can't listen on {bind}: {reason}. Choose another address or port in {setting}."
        )


class CertificateUnusable(ServerError):
    """The files of `[tls]`, or those of a stand-in, make no working certificate."""

    def __init__(self, detail: str, section: str = "[tls]") -> None:
        self.detail = detail
        super().__init__(f"{section} {detail}")


class AppUnusable(ServerError):
    """The web application can't be loaded, or failed to start."""


class RequestRefused(Exception):
    """A request that the server answers itself, with an error, before it closes the connection.

    `detail` is fixed text: nothing that the client sent is quoted, since heads carry secrets.
    """

    def __init__(
        self, status: int, detail: str, code: str, *, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.status = status
        self.detail = detail
        self.code = code
        self.headers = tuple(headers)
        super().__init__(detail)
