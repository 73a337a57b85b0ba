"""What the gateway refuses, and why; the web and the phone link each translate it in one place."""

from collections.abc import Sequence

import attrs


@attrs.frozen
class FieldProblem:
    """One wrong field of a request: `messages[2].to`, and what is wrong with it."""

    field: str
    problem: str
    sentence: str | None = None
    """The whole sentence, where it is not made of the two."""


class Refused(Exception):
    """A request that the gateway won't carry out. Nothing of it was stored.

    `detail` is one sentence for a person; it never holds a secret or a message body.
    """

    code = "refused"

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(detail)


class BadInput(Refused):
    """The request is wrong in itself; `problems` names every field that is."""

    code = "bad_input"

    def __init__(self, detail: str, problems: Sequence[FieldProblem] = ()) -> None:
        self.problems = tuple(problems)
        super().__init__(detail)


class Unauthorized(Refused):
    """No credential, or a wrong one; unknown orgs look the same as wrong secrets."""

    code = "unauthorized"


class Forbidden(Refused):
    """The credential is right and does not reach this far."""

    code = "forbidden"


class NotFound(Refused):
    """There is no such thing in this org."""

    code = "not_found"


class UnknownSim(NotFound):
    """The wished SIM is none of the org's; `known` lists those that are, as text."""

    code = "unknown_sim"

    def __init__(self, wish: str, known: Sequence[str]) -> None:
        self.wish = wish
        self.known = tuple(known)
        super().__init__(f"No SIM {wish} in this org. Known SIMs: {', '.join(known)}")


class Conflict(Refused):
    """It can't be done in the state that the thing is in."""

    code = "conflict"


class KeyReused(Refused):
    """An Idempotency-Key came again with another request."""

    code = "idempotency_key_reused"


class Throttled(Refused):
    """Too many; `retry_after_s` says when to come again."""

    code = "too_many_requests"

    def __init__(self, detail: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)
