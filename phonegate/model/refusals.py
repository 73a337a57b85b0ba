"""The refusals of the gateway. HTTP and the phone link each translate them in one place."""

from collections.abc import Sequence

import attrs

from phonegate.rates import Rate, Standing


@attrs.frozen
class FieldProblem:
    """One wrong field of a request, such as `messages[2].to`, and what is wrong with it."""

    field: str
    problem: str
    sentence: str | None = None
    """The whole sentence, where it is not made of the field and the problem."""


class Refused(Exception):
    """A request that the gateway won't carry out. Nothing of it was stored.

    `detail` is one sentence for a person, and never holds a secret or a message body.
    """

    code = "refused"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BadInput(Refused):
    """The request is wrong in itself. `problems` names every wrong field."""

    code = "bad_input"

    def __init__(self, detail: str, problems: Sequence[FieldProblem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(detail)


class Unauthorized(Refused):
    """No credential, or a wrong one. Unknown orgs look the same as wrong secrets."""

    code = "unauthorized"
    challenge = "Bearer"
    """The scheme by which to authenticate, as HTTP names it (RFC 9110, 11.6.1)."""


class Forbidden(Refused):
    """The credential is right, but does not allow this."""

    code = "forbidden"


class RecipientNotAllowed(Forbidden):
    """The API key may not send to some of the recipients, those at `indexes` in the call.

    The error does not name the allowed ones: the key's holder need not know its owner's contacts.
    """

    code = "recipient_not_allowed"

    def __init__(self, indexes: Sequence[int]) -> None:
        self.indexes = tuple(indexes)
        super().__init__("This API key may not send to that recipient.")


class BatchOverLimit(Forbidden):
    """More messages at once than the API key may ever send in the time that `limit` names."""

    code = "batch_over_key_limit"

    def __init__(self, detail: str, *, limit: str) -> None:
        self.limit = limit
        super().__init__(detail)


class AddressRefused(Forbidden):
    """The gateway may not call an address that it was given.

    `problems` names the field, and the setting that would allow it.
    """

    code = "address_refused"

    def __init__(self, detail: str, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(detail)


class NotFound(Refused):
    """The org has no such thing."""

    code = "not_found"


class UnknownSim(NotFound):
    """The selected SIM is not one of the org's. `known` lists those that are, as text."""

    code = "unknown_sim"

    def __init__(self, sim_selector: str, known: Sequence[str]) -> None:
        self.sim_selector = sim_selector
        self.known = tuple(known)
        super().__init__(f"No SIM {sim_selector} in this org. Known SIMs: {', '.join(known)}")


class Gone(Refused):
    """What is asked for was here, and is not for this caller any more."""

    code = "gone"


class Conflict(Refused):
    """The request can't be carried out in the present state of the thing that it is for."""

    code = "conflict"


class OrgFull(Conflict):
    """The org has as many of something as it may, such as API keys by `[limits] org_keys`."""

    code = "org_full"

    def __init__(self, most: int, what: str) -> None:
        self.most = most
        setting = f"org_{what.rsplit(maxsplit=1)[-1].lower()}"
        super().__init__(
            f"This org has all the {what} it may have ({most}). Its owner can remove some, or "
            f"raise [limits] {setting}."
        )


class KeyReused(Refused):
    """An Idempotency-Key came again with another request."""

    code = "idempotency_key_reused"


class Busy(Refused):
    """The gateway could not answer now: it did not finish in time, or is doing too much at once.

    A request that did not finish in time may have been carried out.
    """

    code = "unavailable"


class OrgSuspended(Busy):
    """The org is not served now: it is about to move to another gateway. Nothing was stored."""

    code = "org_suspended"

    def __init__(self) -> None:
        super().__init__(
            "This org is not served for the moment, since it moves: nothing of this was stored. "
            "Try again later."
        )


class Throttled(Refused):
    """Too many requests. `retry_after_s` says when to try again."""

    code = "too_many_requests"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class RateExceeded(Throttled):
    """Too many requests of the org or address, as `policy` names it. `rate` is the limit."""

    def __init__(
        self, detail: str, retry_after_s: int, *, policy: str, rate: Rate, standing: Standing
    ) -> None:
        self.policy = policy
        self.rate = rate
        self.standing = standing
        super().__init__(detail, retry_after_s)


class QueueFull(Throttled):
    """The org has as many messages waiting as it may have. None of these was stored."""

    code = "queue_full"

    def __init__(self, detail: str, retry_after_s: int, *, limit: int) -> None:
        self.limit = limit
        super().__init__(detail, retry_after_s)


class StorageSpent(Throttled):
    """The org has stored as much as it may in a day. Nothing of this request was stored."""

    code = "storage_spent"

    def __init__(self, limit: int, retry_after_s: int) -> None:
        self.limit = limit
        super().__init__(
            f"This org may store {limit} bytes a day and has stored too much of late for this: "
            f"nothing of it was stored. Try again in {retry_after_s} s.",
            retry_after_s,
        )


class DiskLow(Throttled):
    """The space left on the disk is kept for orgs that were not made by a first call."""

    code = "disk_low"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(
            "The gateway's disk is nearly full, and what is left is kept for the orgs that its "
            "owner made: nothing of this was stored. Try again later.",
            retry_after_s,
        )


class KeyLimitReached(Throttled):
    """The API key has sent as much as it may. `limit` is per_hour or per_day."""

    code = "key_limit_reached"

    def __init__(self, detail: str, retry_after_s: int, *, limit: str, ends_at_ms: int) -> None:
        self.limit = limit
        self.ends_at_ms = ends_at_ms
        super().__init__(detail, retry_after_s)


class QuietHoursBegun(Throttled):
    """The message would leave at a time at which its API key may send nothing."""

    code = "quiet_hours"
    limit = "quiet_hours"

    def __init__(self, detail: str, retry_after_s: int, *, ends_at_ms: int) -> None:
        self.ends_at_ms = ends_at_ms
        super().__init__(detail, retry_after_s)
