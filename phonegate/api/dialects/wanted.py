"""What a dialect's client asks to send, and what became of it. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from phonegate.api.dialect import Dialect
from phonegate.api.endpoint import Answer, Call
from phonegate.api.errors import LIMIT_CODES, NOT_ALLOWED, FieldsRefused
from phonegate.model.callbacks import Callback
from phonegate.model.refusals import FieldProblem, RecipientNotAllowed, Refused

SENDING_CODES: Final = (
    "unknown_sim",
    "idempotency_key_reused",
    "conflict",
    "provider_failed",
    "outcome_unknown",
    *LIMIT_CODES,
)
"""What `send` may refuse, beside what is wrong in a request."""


@attrs.frozen(kw_only=True)
class Wanted:
    """A message that a dialect's client asks for."""

    to: str = attrs.field(repr=False)
    """An E.164 number or a short code, as `recipients` gives it."""
    body: str = attrs.field(repr=False)
    sender: str | None = attrs.field(default=None, repr=False)
    """A number of the org: a SIM's or an assistant's. What is no number, as a name, leaves the
    choice to the gateway."""
    slot: int | None = None
    """The slot of a phone's SIM, counted from 0, where no `sender` is given."""
    send_at: int | None = None
    """In ms. A past one means now."""
    ttl_s: int | None = None
    priority: int = 0
    media_urls: tuple[str, ...] = attrs.field(default=(), repr=False)
    callback: Callback | None = attrs.field(default=None, repr=False)
    """Where its client wants to hear what becomes of it."""
    client_id: str | None = None
    """What its client calls it."""


@attrs.frozen(kw_only=True)
class Accepted:
    """What became of one of them."""

    id: int
    to: str = attrs.field(repr=False)
    status: str
    segments: int
    held: bool = False
    """Whether it waits for a person's approval."""
    sender: str | None = attrs.field(default=None, repr=False)
    """The number that was asked for, where it was one of the org's."""
    error: str | None = None
    """Why it failed at once, as a carrier may say."""


class CarrierFailed(Refused):
    """A carrier did not take the only message of a request. It is stored as failed."""

    code = "provider_failed"

    def __init__(self, accepted: Accepted) -> None:
        self.accepted = accepted
        super().__init__(accepted.error or "The carrier did not take the message.")


Render = Callable[[Sequence[Accepted]], Answer]
"""Makes the answer, whose content is bytes, of what became of the messages of a request."""


@attrs.frozen(kw_only=True)
class Act:
    """A request that is understood."""

    dialect: Dialect
    call: Call
    wanted: Sequence[Wanted]
    render: Render
    to: str
    """What the dialect calls the recipient."""

    @property
    def route(self) -> str:
        """Under it the answers to an Idempotency-Key are kept."""
        return f"dialect {self.call.request.path}"

    def asked(self) -> list[object]:
        """Lists what two requests under one Idempotency-Key must have in common."""
        return [
            [
                *(w.to, w.body, w.sender, w.slot, w.send_at, w.ttl_s, w.priority, w.media_urls),
                *(() if w.callback is None else _asked_of(w.callback)),
            ]
            for w in self.wanted
        ]

    def not_allowed(self, error: RecipientNotAllowed) -> FieldsRefused:
        """Returns the refusal of a recipient, with the field."""
        return FieldsRefused(error, [FieldProblem(self.to, NOT_ALLOWED)])


def _asked_of(callback: Callback) -> tuple[object, ...]:
    """Returns what a request says of a callback: another token of the same client may sign it."""
    return callback.shape, callback.url, callback.mask, callback.method
