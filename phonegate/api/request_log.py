"""The lines of the log that tell of requests: no secret, no body, no free text."""

import re
from collections.abc import Callable
from typing import Any, Final

from phonegate import log
from phonegate.api.callers import ORG_FIELD
from phonegate.api.endpoint import LOGGED_DIGITS, Request
from phonegate.api.query import MAX_PARAMETERS
from phonegate.api.request_counts import NO_ENDPOINT, NOWHERE, RequestCounts
from phonegate.api.table import Match
from phonegate.config.settings import RequestLog as Logged
from phonegate.http.credentials import SECRET_FIELD
from phonegate.http.origins import ForeignPage, loggable_origin
from phonegate.http.refusals import FIRST_ERROR
from phonegate.typed_json.fields import Field, Wrong, fields_of

UNCHANGING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

_HARMLESS: Final = re.compile(r"[A-Za-z0-9+_.-]{0,32}")
"""The longest harmless value is a time."""

_LONG_NUMBER: Final = re.compile(rf"[0-9]{{{LOGGED_DIGITS + 1}}}")

_METHOD: Final = re.compile(r"[A-Z]{1,20}")

_log = log.get("api")


class RequestLog:
    """Counts requests, and writes a line for those that get one."""

    def __init__(
        self, redacted: Callable[[str], str], counts: RequestCounts, logged: Logged
    ) -> None:
        self.logged: Logged = logged
        """The requests that get a line. This may be changed at any time."""
        self.redacted = redacted
        """Gives the path of a request that means nothing known."""
        self._counts = counts

    def note(
        self,
        request: Request,
        status: int,
        seconds: float,
        match: Match | None = None,
        org: str | None = None,
        *,
        code: str | None = None,
        page: bool = False,
    ) -> None:
        """Counts a request and writes its line, if it gets one.

        Args:
            request: The request.
            status: That of its answer.
            seconds: What it took.
            match: What it means, where that is known.
            org: The org that has proved to call. What else stands in an org's place may be a
                secret.
            code: That of the error which it was answered with.
            page: Whether its path is that of a page: the same for all callers, and so logged as
                it is.
        """
        endpoint = None if match is None else match.endpoint
        route = (NO_ENDPOINT, NOWHERE) if endpoint is None else (endpoint.method, endpoint.paths[0])
        dialect = None if endpoint is None or endpoint.dialect is None else endpoint.dialect.name
        self._counts.note(route, status, seconds, dialect)
        if not self._is_logged(request.method, status):
            return
        if match is not None:
            path = match.redacted(org)
        else:
            path = request.path if page else self.redacted(request.path)
        fields: dict[str, Any] = {
            "method": request.method if _METHOD.fullmatch(request.method) else "***",
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "client": request.client,
        }
        if code is not None:
            fields["code"] = code
        if code == ForeignPage.code and (
            origin := loggable_origin(request.headers.get("origin", ""))
        ):
            fields["origin"] = origin
        if request.query:
            fields["query"] = _redacted_query(request.query, match, org)
        if org is not None:
            fields["org"] = org
        _log.info("request", **fields)

    def _is_logged(self, method: str, status: int) -> bool:
        if self.logged == "all" or status >= FIRST_ERROR:
            return True
        return self.logged == "changes" and method not in UNCHANGING


def _redacted_query(text: str, match: Match | None, org: str | None) -> str:
    """Returns a query for the log: the values that their parameters take, `***` for all others.

    What a parameter refuses may be a secret, or a number that was meant for another. The value of
    `org_id` is logged where it is the `org` which has proved to call.
    """
    endpoint = match.endpoint if match is not None else None
    known = (
        {}
        if endpoint is None or endpoint.query is None
        else {f.name: f for f in fields_of(endpoint.query) if not f.private}
    )
    redacted = []
    for part in text.split("&")[:MAX_PARAMETERS]:
        name, _, value = part.partition("=")
        if name == ORG_FIELD and value != org:
            redacted.append(f"{name}=***" if name in known else "***")
        elif name in known and _is_harmless(known[name], value):
            redacted.append(f"{name}={value}")
        elif name in known or name == SECRET_FIELD:
            redacted.append(f"{name}=***")
        else:
            redacted.append("***")
    return "&".join(redacted)


def _is_harmless(known: Field, value: str) -> bool:
    """Tells whether the log may hold a value: its parameter takes it, and it is no phone number."""
    if known.rule is None or not _HARMLESS.fullmatch(value) or _LONG_NUMBER.search(value):
        return False
    try:
        known.rule.read_text(value)
    except Wrong:
        return False
    return True
