"""Every error code that HTTP clients can meet, and the refusals that only HTTP knows.

The answers, the OpenAPI document, the pages and `llms.txt` are all made from `CODES`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from phonegate.model.refusals import Refused

FIRST_ERROR: Final = 400
"""The lowest status of an error (RFC 9110, 15.5)."""

FIRST_FAULT: Final = 500
"""The lowest status of a fault of the gateway (RFC 9110, 15.6)."""


@attrs.frozen
class RefusalCode:
    """What one error code means, and what its caller does about it."""

    status: int
    meaning: str
    """A clause in Markdown, without a full stop."""
    advice: str
    """Whole sentences."""

    @property
    def sentence(self) -> str:
        """The meaning as a sentence of its own."""
        return f"{self.meaning[0].upper()}{self.meaning[1:]}."


_RETRY: Final = "Wait for the seconds that Retry-After gives, then repeat."
_RETRY_SAME: Final = (
    "Wait for the seconds that Retry-After gives, then repeat with the same Idempotency-Key."
)
_OWNER: Final = "Stop, and tell your owner what detail says."
_SPEAK_HTTP: Final = "Send HTTP as RFC 9112 writes it; a usual HTTP client does."

CODES: Final[Mapping[str, RefusalCode]] = MappingProxyType(
    {
        "bad_input": RefusalCode(
            400,
            "the request is wrong in itself; `errors` names every wrong field",
            "Mend the fields. The same request never succeeds.",
        ),
        "refused": RefusalCode(400, "the request is not taken; `detail` says why", _OWNER),
        "bad_request": RefusalCode(400, "it is no well-formed HTTP request", _SPEAK_HTTP),
        "https_required": RefusalCode(
            400, "this port speaks HTTPS, and the request came as plain HTTP", "Use https://."
        ),
        "unauthorized": RefusalCode(
            401,
            "no credential, or a wrong one",
            "Stop. Ask your owner for the right one; guessing is slowed down, and an unknown org "
            "looks the same.",
        ),
        "forbidden": RefusalCode(403, "the credential does not reach this far", _OWNER),
        "foreign_page": RefusalCode(
            403, "a web page of another site asked, and its owner has let none in", _OWNER
        ),
        "recipient_not_allowed": RefusalCode(
            403, "the API key may not send to that recipient", _OWNER
        ),
        "batch_over_key_limit": RefusalCode(
            403,
            "more messages at once than the API key may send in an hour or day",
            "Send fewer in a call, or ask your owner.",
        ),
        "address_refused": RefusalCode(
            403,
            "the gateway may not call that address; `detail` names the setting that would allow it",
            _OWNER,
        ),
        "not_found": RefusalCode(
            404, "there is no such thing in this org", "Ask for what exists: list it first."
        ),
        "unknown_sim": RefusalCode(
            404,
            "the selected SIM is none of the org's; `detail` lists those that are",
            "Take a SIM from list_sims.",
        ),
        "method_not_allowed": RefusalCode(
            405, "the address takes other methods, which `Allow` names", "Use one of those."
        ),
        "request_timeout": RefusalCode(
            408,
            "the request did not arrive in time",
            "Try again with the same Idempotency-Key.",
        ),
        "conflict": RefusalCode(
            409,
            "it can't be done in the state that the thing is in",
            "Read the message. If the first request under this Idempotency-Key still runs, ask "
            "again in a second.",
        ),
        "org_full": RefusalCode(
            409,
            "the org has as many of these as it may; `detail` says how many that is",
            "Remove one, or tell your owner.",
        ),
        "gone": RefusalCode(
            410, "the link was opened in another browser, and works there alone", _OWNER
        ),
        "too_large": RefusalCode(
            413, "the body is larger than the gateway takes", "Split it into several calls."
        ),
        "unsupported_media_type": RefusalCode(
            415,
            "the body is not JSON in UTF-8",
            "Send JSON, with Content-Type: application/json.",
        ),
        "expectation_failed": RefusalCode(417, "only 100-continue can be expected", _SPEAK_HTTP),
        "idempotency_key_reused": RefusalCode(
            422,
            "this Idempotency-Key came before with another request",
            "Use a new key for a new message.",
        ),
        "upgrade_required": RefusalCode(
            426,
            "this address speaks the websocket protocol alone",
            "Connect as a phone does; nothing is there for HTTP.",
        ),
        "too_many_requests": RefusalCode(
            429, "too many requests, or wrong secrets; come again after Retry-After", _RETRY
        ),
        "queue_full": RefusalCode(
            429,
            "as many messages of the org wait as may; `detail` says how many that is",
            _RETRY,
        ),
        "storage_spent": RefusalCode(
            429,
            "the org has stored as much of late as it may in a day; see Retry-After",
            _RETRY,
        ),
        "key_limit_reached": RefusalCode(
            429, "the API key has sent as much as it may; `detail` says which limit", _RETRY
        ),
        "quiet_hours": RefusalCode(
            429,
            "it would leave in the API key's quiet hours; they end after Retry-After",
            _RETRY,
        ),
        "too_many_connections": RefusalCode(
            429,
            "one address has as many connections as it may, or, with status 503, all together have",
            "Close some, or try again shortly.",
        ),
        "head_too_large": RefusalCode(
            431,
            "the request line and headers together are too long",
            "Send fewer or shorter headers.",
        ),
        "internal_error": RefusalCode(
            500,
            "the gateway failed; `detail` names the event in its log",
            "Tell your owner the event.",
        ),
        "provider_failed": RefusalCode(
            500,
            "the provider did not take it: it did not leave",
            "Mend what detail names. It may be sent again.",
        ),
        "outcome_unknown": RefusalCode(
            500,
            "the provider may have taken it; it is looked up there, never sent twice",
            "Don't send it again: look at the message of the id that the answer names.",
        ),
        "not_implemented": RefusalCode(
            501, "the only Transfer-Encoding taken is chunked", _SPEAK_HTTP
        ),
        "unavailable": RefusalCode(
            503,
            "the gateway could not answer now: it did not finish in time, or too much is on its "
            "way; ask again after Retry-After",
            f"It is unknown what was kept. {_RETRY_SAME}",
        ),
        "org_suspended": RefusalCode(
            503,
            "the org is not served for the moment, since it moves to another gateway",
            _RETRY_SAME,
        ),
        "storage_unavailable": RefusalCode(
            503,
            "the storage can't take it now, and usually nothing was kept; see Retry-After",
            _RETRY_SAME,
        ),
        "disk_low": RefusalCode(
            503,
            "what room is left on the disk is kept for the orgs that the owner made",
            _RETRY_SAME,
        ),
        "timeout": RefusalCode(
            504, "the gateway took too long over this", "Repeat with the same Idempotency-Key."
        ),
        "http_version_not_supported": RefusalCode(
            505, "this port speaks HTTP/1.1 and 1.0", _SPEAK_HTTP
        ),
    }
)
"""Every code by its name, in the order of statuses. Of those with one status the most general is
first: it names an error of which nothing but the status is known."""


def code_for(status: int) -> str:
    """Returns the code of an error of which only the status is known."""
    usual = "refused" if status < FIRST_FAULT else "internal_error"
    return next((code for code, known in CODES.items() if known.status == status), usual)


class MethodNotAllowed(Refused):
    """The address exists, but takes other methods: those in `allowed`."""

    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        self.allowed = tuple(allowed)
        super().__init__(f"This address takes only: {', '.join(allowed)}.")


class UnsupportedMedia(Refused):
    """The gateway does not read bodies of this kind."""

    code = "unsupported_media_type"


class TooLarge(Refused):
    """The body is larger than `limit` bytes."""

    code = "too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"The body is larger than {limit} bytes, the most this gateway takes.")


class BodyTimeout(Refused):
    """The rest of the body did not arrive in time."""

    code = "request_timeout"


class UpgradeRequired(Refused):
    """This address speaks websocket, not plain HTTP."""

    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__(
            "Phones connect here by websocket (wss://). Send a websocket handshake, as "
            "/openapi.json describes."
        )
