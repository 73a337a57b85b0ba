"""One rendering of an error as HTTP: its status, its headers and its JSON. Pure.

The API, the phone link and the server all answer their errors by it.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.http.refusals import CODES, MethodNotAllowed, UpgradeRequired
from phonegate.model.refusals import (
    Busy,
    FieldProblem,
    RateExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from phonegate.rates import Rate, Standing

JSON_MEDIA: Final = "application/json"
"""The Content-Type of nearly everything here (RFC 8259)."""

PLAIN_MEDIA: Final = "text/plain; charset=utf-8"
"""The Content-Type of a plain text (RFC 2046, 4.1)."""

RETRY_STORAGE_S: Final = 5
"""A full disk or a restart is rarely over sooner, and a waiting client should not hammer."""

Headers = Sequence[tuple[str, str]]


@attrs.frozen(kw_only=True)
class Problem:
    """An error as it is answered."""

    status: int
    code: str
    detail: str
    """One sentence for a person. It holds no secret and no message body."""
    fields: Sequence[FieldProblem] = ()
    """The wrong fields of the request."""
    headers: Headers = ()
    """What the answer has beyond the headers of every JSON body."""

    @classmethod
    def of(cls, refused: Refused, fields: Sequence[FieldProblem] | None = None) -> "Problem":
        """Renders a refusal. `fields` are the wrong ones, where the refusal does not know them."""
        return cls(
            status=CODES[refused.code].status,
            code=refused.code,
            detail=refused.detail,
            fields=getattr(refused, "problems", ()) if fields is None else fields,
            headers=_headers_of(refused),
        )

    @classmethod
    def named(cls, code: str, detail: str, headers: Headers = ()) -> "Problem":
        """Renders an error that is no refusal, by its code."""
        return cls(status=CODES[code].status, code=code, detail=detail, headers=headers)

    @classmethod
    def storage_unavailable(cls, detail: str) -> "Problem":
        """Renders a failure of the storage."""
        return cls.named("storage_unavailable", detail, _retry_after(RETRY_STORAGE_S))

    def content(self, extra: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
        """Returns the JSON object of the answer, with `extra` members of this error alone."""
        content = {"ok": False, "detail": self.detail, "code": self.code, **extra}
        if self.fields:
            content["errors"] = [{"field": f.field, "problem": f.problem} for f in self.fields]
        return content

    def written(self) -> tuple[list[tuple[str, str]], bytes]:
        """Returns all headers, with those of the body, and the body."""
        body = json.dumps(self.content()).encode()
        length = ("Content-Length", str(len(body)))
        return [("Content-Type", JSON_MEDIA), length, *self.headers], body


def rate_limit_fields(policy: str, rate: Rate, standing: Standing) -> list[tuple[str, str]]:
    """Tells a limit and what is left of it (draft-ietf-httpapi-ratelimit-headers-10)."""
    quota = f'"{policy}";q={int(rate.burst)};w={max(1, round(rate.seconds))}'
    left = f'"{policy}";r={standing.left};t={standing.full_in_s}'
    return [("RateLimit-Policy", quota), ("RateLimit", left)]


def _headers_of(refused: Refused) -> Headers:
    if isinstance(refused, Unauthorized):
        # RFC 9110, 15.5.2: a 401 must say how to authenticate.
        return [("WWW-Authenticate", refused.challenge)]
    if isinstance(refused, MethodNotAllowed):
        return [("Allow", ", ".join(refused.allowed))]
    if isinstance(refused, UpgradeRequired):
        # RFC 9110, 15.5.22: a 426 must name the protocol.
        return [("Upgrade", "websocket")]
    if isinstance(refused, RateExceeded):
        limit = rate_limit_fields(refused.policy, refused.rate, refused.standing)
        return [*_retry_after(refused.retry_after_s), *limit]
    if isinstance(refused, Throttled):
        return _retry_after(refused.retry_after_s)
    return _retry_after(RETRY_STORAGE_S) if isinstance(refused, Busy) else ()


def _retry_after(seconds: int) -> Headers:
    return [("Retry-After", str(max(1, seconds)))]
