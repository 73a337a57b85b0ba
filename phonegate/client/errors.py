"""The errors of the client: a tree whose root is `GatewayError`.

None quotes a secret or the text of a message.
"""

import attrs


@attrs.frozen
class FieldError:
    """One wrong field of a request, such as `messages[2].to`, and what is wrong with it."""

    field: str
    problem: str


class GatewayError(Exception):
    """What a call of the client can end with. The text is a sentence for a person.

    Attributes:
        is_transient: Whether the same call may succeed later.
        is_untouched: Whether the gateway certainly did nothing of what it was asked.
        retry_after_s: The seconds after which the gateway wants to be asked again, or 0.
    """

    is_transient = False
    is_untouched = False
    retry_after_s = 0.0


class BadSetup(GatewayError, ValueError):
    """The address, the credential or the certificate file can't be used."""


class Unreachable(GatewayError):
    """There was no answer. Whether the gateway did what it was asked is not known.

    Attributes:
        url: The gateway's address.
    """

    is_transient = True

    def __init__(self, url: str, sentence: str) -> None:
        self.url = url
        super().__init__(sentence)


class NotConnected(Unreachable):
    """There was not even a connection, so nothing was done.

    Attributes:
        is_refused: Whether nothing listens there, as opposed to an answer that did not come.
    """

    is_untouched = True

    def __init__(self, url: str, sentence: str, *, is_refused: bool = True) -> None:
        self.is_refused = is_refused
        super().__init__(url, sentence)


class TimedOut(Unreachable):
    """The answer, or the next piece of it, did not come in time."""


class Untrusted(Unreachable):
    """TLS failed: the certificate is not trusted, or what answers speaks no TLS."""

    is_transient = False
    is_untouched = True


class NotAGateway(GatewayError):
    """What answered does not answer as a gateway does."""


class Unavailable(GatewayError):
    """A proxy answered in place of the gateway, which is away.

    Attributes:
        status: The status of HTTP.
    """

    is_transient = True

    def __init__(self, sentence: str, status: int, retry_after_s: float = 0.0) -> None:
        self.status = status
        self.retry_after_s = retry_after_s
        super().__init__(sentence)


class NoEvents(GatewayError):
    """The gateway has no events, since it is of an earlier version."""

    def __init__(self, url: str) -> None:
        super().__init__(f"The gateway at {url} has no events: it is older than this program.")


@attrs.frozen(kw_only=True)
class Refusal:
    """What a gateway says when it refuses."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    retry_after_s: float = 0.0
    is_transient: bool = False


class Refused(GatewayError):
    """The gateway refused.

    Attributes:
        status: The status of HTTP.
        code: The kind of refusal, for programs, such as `unknown_sim`.
        detail: The sentence for a person.
        errors: The fields that are wrong.
    """

    def __init__(self, refusal: Refusal) -> None:
        self.status = refusal.status
        self.code = refusal.code
        self.detail = refusal.detail
        self.errors = refusal.errors
        self.retry_after_s = refusal.retry_after_s
        self.is_transient = refusal.is_transient
        super().__init__(_sentence(refusal))


class Unauthorized(Refused):
    """There is no such credential (401)."""


class Forbidden(Refused):
    """The credential does not allow this (403)."""


class NotFound(Refused):
    """There is nothing of this id or number (404)."""


class TooManyRequests(Refused):
    """A limit is reached (429). `retry_after_s` says when to come back."""

    is_untouched = True


class CarrierFailed(Refused):
    """A carrier did not take a message of `send_from`, or may have.

    Attributes:
        id: The message, which is kept as `failed` or `uncertain`.
        provider: The carrier.
        provider_code: What it calls its refusal, if it said so.
        reason: Its sentence.
    """

    def __init__(
        self, refusal: Refusal, *, id_: int | None, provider: str, code: str | None, reason: str
    ) -> None:
        self.id = id_
        self.provider = provider
        self.provider_code = code
        self.reason = reason
        super().__init__(refusal)
        self.is_transient = False

    @property
    def is_uncertain(self) -> bool:
        """Whether the carrier may have taken it, so that sending it again could send it twice."""
        return self.code == "outcome_unknown"


class BadSignature(GatewayError):
    """A call of a webhook was not signed with its secret, or is too old."""


def _sentence(refusal: Refusal) -> str:
    others = [one for one in refusal.errors if one.problem not in refusal.detail]
    return "\n".join([refusal.detail, *(f"  {one.field}: {one.problem}" for one in others)])
