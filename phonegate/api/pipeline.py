"""Answering a request from the table: the one way from bytes in to an answer out.

It knows no framework. A lane gives it a `Request` and a way to read the body, and gets an
answer as status, headers and bytes, whatever went wrong; each request leaves one line in the log.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from time import perf_counter
from typing import Any, Final
from urllib.parse import parse_qsl

import attrs
import trio

from phonegate import log
from phonegate.api.answer_budget import ANYBODY, Reader, UnsentAnswer
from phonegate.api.body_budget import BodyBudget
from phonegate.api.callers import (
    ORG_FIELD,
    Callers,
    Known,
    Trace,
    org_of_query,
    owner_of,
    reader_of,
    takes_org_id,
)
from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.credentials import SECRET_FIELD, find_credential
from phonegate.api.endpoint import (
    LOGGED_DIGITS,
    Answer,
    Call,
    Endpoint,
    Request,
)
from phonegate.api.errors import answer_for, code_of, with_standing
from phonegate.api.field_names import shown
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES, UNKNOWN
from phonegate.api.parameters import read_parameters
from phonegate.api.payload import check_media, read_object
from phonegate.api.request_counts import NO_ENDPOINT, NOWHERE
from phonegate.api.services import Services
from phonegate.api.table import Match, Table
from phonegate.config.settings import RequestLog
from phonegate.domain.credentials import is_key_like
from phonegate.http.body_stream import BodyStream, Produce
from phonegate.http.origins import ForeignPage, Origins, tellable
from phonegate.http.refusals import FIRST_ERROR, BodyTimeout, TooLarge
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    BadInput,
    Busy,
    FieldProblem,
    NotFound,
    Unauthorized,
)
from phonegate.typed_json.fields import Field, Wrong, fields_of

BASE_HEADERS: Final = (
    # Messages are nobody's to cache, and a path may hold a secret that a Referer would carry on.
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    # No page of another origin may show it or run it, whatever a browser makes of it.
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)

STAY_ENCRYPTED: Final = ("Strict-Transport-Security", "max-age=2592000")
"""Where the gateway itself encrypts: a browser that has been here asks by HTTPS alone, for 30 days
from its last visit. Not longer, since it binds all other ports of the same name too."""

READING: Final = ("GET", "HEAD")
"""Methods by which a link leads somewhere, and which change nothing."""

MAX_PARAMETERS: Final = 50
"""Parameters in a query, several times what any endpoint knows."""

CLIENT_GONE: Final = 499
"""What the log says of a request whose client hung up before its answer (nginx's number)."""

FAILED: Final = 500
"""What the log says of an answer that failed after it had begun, and so was cut short."""

UNCHANGING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

_UNDECODED: Final = re.compile("[\udc80-\udcff]")
"""What stands for a byte that is no part of UTF-8."""

_HARMLESS: Final = re.compile(r"[A-Za-z0-9+_.-]{0,32}")
"""The longest harmless value is a time."""

_LONG_NUMBER: Final = re.compile(rf"[0-9]{{{LOGGED_DIGITS + 1}}}")

_METHOD: Final = re.compile(r"[A-Z]{1,20}")

NEEDS_KEY: Final = (
    "This needs an API key (Authorization: Bearer pgk_...), or the org's SecretKey in "
    "X-Secret-Key with ?org_id= beside it."
)

NO_LENGTH: Final = (204, 304)
"""A 204 has none, and a 304's would be that of the answer it stands for (RFC 9110, 8.6)."""

ReadBody = Callable[[Callable[[int], None]], Awaitable[bytes]]
"""Reads the body of a request, and tells the size of each piece as it comes; what it raises is
answered."""

TOO_MANY_BODIES: Final = "Too many requests are on their way to the gateway. Try again shortly."

_log = log.get("api")


@attrs.frozen(kw_only=True)
class Reply:
    """An answer ready to be written."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
    owner: Reader = ANYBODY
    """Who is answerable for the memory that it takes until it has left."""
    stream: BodyStream | None = None
    """The body, where it is produced while it is sent."""


@attrs.frozen(kw_only=True)
class _Heard:
    """A request taken apart, not yet understood."""

    endpoint: Endpoint
    request: Request
    path: Mapping[str, str] = attrs.field(repr=False)
    query: Mapping[str, Sequence[str]] = attrs.field(repr=False)
    body: Mapping[str, Any] = attrs.field(repr=False)
    known: Known | None


class Pipeline:
    """Serves the endpoints of a table."""

    def __init__(
        self,
        services: Services,
        table: Table,
        *,
        request_timeout_s: float,
        logged: RequestLog = "all",
        origins: Origins | None = None,
        encrypted: bool = False,
    ) -> None:
        self._services = services
        self._table = table
        self._timeout_s = request_timeout_s
        self.logged: RequestLog = logged
        """The requests that get a line in the log. This may be changed at any time."""
        self._origins = Origins() if origins is None else origins
        self._encrypted = encrypted
        self.base_headers = (*BASE_HEADERS, STAY_ENCRYPTED) if encrypted else BASE_HEADERS
        """What all answers have, unless they say otherwise."""
        self._rate_limits = rate_limits = services.rate_limits
        self._callers = Callers(services, self._origins)
        self._bodies = BodyBudget(
            rate_limits.bounds.bodies_bytes, lambda: rate_limits.note("bodies")
        )

    def covers(self, path: str) -> bool:
        """Whether a path, percent-encoded as sent, is one of the table's."""
        return self._table.covers(path)

    def takes(self, method: str, path: str) -> bool:
        """Whether a request is for an endpoint that the fast path answers too."""
        return self._table.hot(method, path)

    async def answer(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        client: str,
        relayed: bool = False,
        secure: bool = False,
        body: bytes | ReadBody,
    ) -> Reply:
        """Answers a request of the fast path, as `reply` does."""
        request = Request(
            method=method,
            path=path,
            query=query,
            headers=headers,
            client=client,
            relayed=relayed,
            secure=secure,
            body=body if isinstance(body, bytes) else b"",
        )
        return await self.reply(request, body)

    async def reply(self, request: Request, body: bytes | ReadBody) -> Reply:
        """Answers a request; never raises but for cancellation.

        `body` is the whole body or reads it, which is done only when the endpoint takes one.
        """
        started = perf_counter()
        trace, status, code = Trace(started), CLIENT_GONE, None
        streams = False
        try:
            try:
                answer = await self._answer(request, body, trace)
                if trace.standing is not None:
                    answer = with_standing(answer, self._rate_limits.org_rate, trace.standing)
                owner = trace.owner
                reply = self.render(answer, head=request.method == "HEAD", owner=owner)
                if request.method == "GET":
                    self.require_room(owner, len(reply.body))
            except Exception as error:  # noqa: BLE001 - the one place where all of them end
                answer = answer_for(self._callers.counted(error, request, trace))
                reply = self.render(answer, head=request.method == "HEAD")
            code = code_of(answer)
            if self._origins.shared:
                shared = self._origins.fields(request.method, request.headers)
                reply = attrs.evolve(reply, headers=(*reply.headers, *shared))
            status = reply.status
            if answer.stream is not None and request.method != "HEAD":
                stream = self._streamed(answer.stream, request, status, trace)
                reply, streams = attrs.evolve(reply, stream=stream), True
            return reply
        finally:
            if not streams:
                seconds = perf_counter() - started
                self.tell(request, status, seconds, trace.match, trace.org, code=code)

    def _streamed(
        self, produce: Produce, request: Request, status: int, trace: Trace
    ) -> BodyStream:
        """The body of an answer whose request ends, and is logged, when all of it was sent."""
        request = attrs.evolve(request, body=b"")  # which it would hold for as long

        def log(failed: bool) -> None:  # noqa: FBT001 - as the body calls it
            seconds = perf_counter() - trace.began
            self.tell(request, FAILED if failed else status, seconds, trace.match, trace.org)

        return BodyStream(produce, log)

    def admit(self, request: Request) -> None:
        """Counts a request that is none of the table's, and shows no credential.

        Raises:
            RateExceeded: its address has made too many.
            ForeignPage: a page of another site may have made it, by other means than a link.
        """
        self._rate_limits.stranger(request.client, perf_counter())
        self._refuse_page(request, navigable=request.method in READING)

    def require_room(self, reader: Reader, size: int) -> None:
        """Makes sure that there is room for an answer of so many bytes.

        Raises:
            Busy: what its reader was answered before has not left.
        """
        self._services.unsent.require_room(reader, size)

    def hold(self, owner: Reader, size: int) -> AbstractContextManager[UnsentAnswer] | None:
        """Holds the memory of an answer until it has left. None for a small one."""
        return self._services.unsent.hold(owner, size)

    def nowhere(self, request: Request) -> NotFound:
        """The error for an address that does not exist."""
        return self._table.nowhere(request.method, request.path)

    def sharing(self, request: Request) -> tuple[tuple[str, str], ...]:
        """The fields by which pages of sites that are let in may read an answer."""
        return self._origins.fields(request.method, request.headers)

    def render(self, answer: Answer, *, head: bool = False, owner: Reader = ANYBODY) -> Reply:
        """An answer as status, headers and bytes; for HEAD without the bytes, but their length."""
        if answer.stream is not None:
            headers = (("Content-Type", answer.media), *self.base_headers, *answer.headers)
            return Reply(status=answer.status, headers=headers, body=b"", owner=owner)
        if answer.content is None:
            # Of others it tells that nothing follows.
            none = () if answer.status in NO_LENGTH else (("Content-Length", "0"),)
            headers = (*none, *self.base_headers, *answer.headers)
            return Reply(status=answer.status, headers=headers, body=b"")
        body = (
            answer.content
            if isinstance(answer.content, bytes)
            else CONVERTER.encode(answer.content)
        )
        length = ("Content-Length", str(len(body)))
        headers = (("Content-Type", answer.media), length, *self.base_headers, *answer.headers)
        return Reply(status=answer.status, headers=headers, body=b"" if head else body, owner=owner)

    def tell(
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
        """Counts a request and writes its line in the log: no secret, no body, no free text.

        `org` is who has proved to call: what else stands in an org's place may be a secret.
        `code` is that of the error which it was answered with.
        The path of a `page` is the same for all callers, and logged as it is. A request that
        `[log] requests` leaves out costs no more than its count.
        """
        endpoint = None if match is None else match.endpoint
        route = (NO_ENDPOINT, NOWHERE) if endpoint is None else (endpoint.method, endpoint.paths[0])
        self._services.requests.note(route, status, seconds)
        if not self._is_logged(request.method, status):
            return
        if match is not None:
            path = match.redacted(org)
        else:
            path = request.path if page else self._table.redacted(request.path)
        fields: dict[str, Any] = {
            "method": request.method if _METHOD.fullmatch(request.method) else "***",
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "client": request.client,
        }
        if code is not None:
            fields["code"] = code
        if code == ForeignPage.code and (origin := tellable(request.headers.get("origin", ""))):
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

    async def _answer(self, request: Request, sent: bytes | ReadBody, trace: Trace) -> Answer:
        match = trace.match = self._table.match(request.method, request.path)
        endpoint = match.endpoint
        self._expect_no_page(endpoint, request)
        if endpoint is None or (endpoint.scope is None and not endpoint.knows_caller):
            trace.counted = True
            self._rate_limits.stranger(request.client, trace.began)
        if endpoint is None:
            return Answer(status=204, headers=(("Allow", ", ".join(match.allowed)),))
        deadline = trio.current_time() + self._timeout_s
        query = _read_query(request.query)
        known = await self._callers.by_head(endpoint, request, match.path, query, trace)
        body: Mapping[str, Any] = {}
        if endpoint.body is not None or endpoint.raw_limit is not None:
            request = await self._with_body(request, sent, deadline, known)
            if known is None:
                known = await self._callers.by_body(endpoint, request, match.path, query, trace)
            body = await self._read(endpoint, request, deadline, known)
        heard = _Heard(
            endpoint=endpoint,
            request=request,
            path=match.path,
            query=query,
            body=body,
            known=known,
        )
        answer = None
        # Not fail_at, a generator inside another: each costs what reading the head costs.
        with trio.CancelScope(deadline=deadline):
            call = await self._call(heard, trace)
            trace.owner = reader_of(request, call.principal)
            if call.principal is None or endpoint.size is None:
                answer = await endpoint.handler(call)
            else:
                async with self._services.shares.take(call.principal.org, endpoint.size(call)):
                    answer = await endpoint.handler(call)
        if answer is None:
            raise trio.TooSlowError
        return answer if not trace.ignored else _naming(answer, trace.ignored)

    def _expect_no_page(self, endpoint: Endpoint | None, request: Request) -> None:
        """Refuses what a page of another site may have sent, before anything of it counts.

        Raises:
            ForeignPage: it may have, by other means than a link to what needs no secret.
        """
        needs_none = endpoint is not None and endpoint.scope is None
        self._refuse_page(request, navigable=needs_none and request.method in READING)

    def _refuse_page(self, request: Request, *, navigable: bool) -> None:
        if self._origins.is_foreign(
            request.headers, navigable=navigable, secure=request.secure or self._encrypted
        ):
            raise ForeignPage

    async def _call(self, heard: _Heard, trace: Trace) -> Call:
        """The request as its handler gets it.

        The caller is asked for first, so that a stranger learns nothing; but a refused call
        must not leave a new org behind, so where one may be created the fields come first.
        """
        endpoint = heard.endpoint
        asked: Any = None
        body: Any = None
        principal: Principal | None = None
        if endpoint.creates_org:
            asked, body = await self._understand(heard, trace)
            principal = await self._caller(heard)
            self._note(principal, heard, trace)
        else:
            principal = await self._caller(heard)
            self._note(principal, heard, trace)
            asked, body = await self._understand(heard, trace)
        return Call(
            services=self._services,
            request=heard.request,
            principal=principal,
            path=heard.path,
            query=asked,
            body=body,
            logged=self.logged,
        )

    def _note(self, principal: Principal | None, heard: _Heard, trace: Trace) -> None:
        if principal is not None:
            self._callers.note(principal, heard.request, trace)

    async def _with_body(
        self, request: Request, sent: bytes | ReadBody, deadline: float, known: Known | None
    ) -> Request:
        """The request with its body in it, which may yet have to come."""
        if sent is request.body:
            return request
        if isinstance(sent, bytes):
            return attrs.evolve(request, body=sent)
        with self._bodies.arriving(deadline, _owner(request, known)) as arriving:
            return attrs.evolve(request, body=await sent(arriving.grew))
        if arriving.given_up:
            raise Busy(TOO_MANY_BODIES)
        raise BodyTimeout("The body did not arrive in time.")

    async def _read(
        self, endpoint: Endpoint, request: Request, deadline: float, known: Known | None
    ) -> Mapping[str, Any]:
        """The JSON object of the body, where the endpoint takes one."""
        body = request.body
        if endpoint.raw_limit is not None and len(body) > endpoint.raw_limit:
            raise TooLarge(endpoint.raw_limit)
        if endpoint.body is None:
            return {}
        headers = request.headers
        check_media(headers.get("content-type"), headers.get("content-encoding"), body)
        read = partial(read_object, body, reported=getattr(endpoint.body, "reported", False))
        if len(body) <= READ_AT_ONCE_BYTES:
            return read()
        # A large one goes on taking its room while it waits for its turn.
        with self._bodies.arriving(deadline, _owner(request, known)) as waiting:
            waiting.grew(len(body))
            found: dict[str, Any] = await self._in_turn(read, request, known)
            return found
        if waiting.given_up:
            raise Busy(TOO_MANY_BODIES)
        raise trio.TooSlowError

    async def _in_turn(self, read: Callable[[], Any], request: Request, known: Known | None) -> Any:
        """What `read` makes of the body. A large one is read in a thread."""
        org = UNKNOWN if known is None else known.principal.org
        return await self._services.reading.read(read, len(request.body), org)

    async def _caller(self, heard: _Heard) -> Principal | None:
        """Who calls. None where the endpoint needs no caller.

        Raises:
            Unauthorized, Forbidden, Throttled, BadInput: as `Authentication.authenticate`.
        """
        endpoint = heard.endpoint
        if endpoint.scope is None:
            return None
        credential = find_credential(endpoint, heard.request, heard.path, heard.query, heard.body)
        org = heard.path.get("org")
        if org is None:
            org = heard.body.get(ORG_FIELD)
            if org is not None and not isinstance(org, str):
                raise refusal((FieldProblem(ORG_FIELD, "must be text"),))
            if org is None:
                org = org_of_query(endpoint, heard.query)
            if org is None and credential is not None and not is_key_like(credential):
                if not takes_org_id(endpoint):
                    raise Unauthorized(NEEDS_KEY)
                raise refusal((FieldProblem(ORG_FIELD, "is required"),))
        authentication, known = self._services.accounts.authentication, heard.known
        # What was right in the head may have been changed while the body came.
        if (
            known is not None
            and known.credential == credential
            and authentication.is_current(known.principal)
        ):
            principal = known.principal
        else:
            principal = await authentication.authenticate(
                credential,
                org_name=org,
                address=heard.request.client,
                scope=None if endpoint.scope == "any" else endpoint.scope,
                create=endpoint.creates_org,
                relayed=heard.request.relayed,
                foreign_host=self._origins.is_foreign_host(heard.request.headers),
            )
        if org is not None and principal.org_name != org:
            raise Unauthorized("The org and its credential don't fit together.")
        return principal

    async def _understand(self, heard: _Heard, trace: Trace) -> tuple[Any, Any]:
        """The query and the body as the endpoint's own types."""
        asked: Any = None
        body: Any = None
        if heard.endpoint.query is not None:
            beside = () if heard.endpoint.scope is None else (SECRET_FIELD,)
            asked, wrong = read_parameters(heard.endpoint.query, heard.query, beside)
            if wrong:
                raise refusal(tuple(FieldProblem(name, text) for name, text in wrong.items()))
        if heard.endpoint.body is not None:
            beside = () if "org" in heard.path else (ORG_FIELD,)
            structure = partial(CONVERTER.read, heard.body, heard.endpoint.body, beside)
            body, trace.ignored = await self._in_turn(structure, heard.request, heard.known)
        return asked, body


def _naming(answer: Answer, ignored: Sequence[str]) -> Answer:
    """An answer that also names the fields of its request that were ignored."""
    if answer.content is None:
        return answer
    return attrs.evolve(answer, content=CONVERTER.naming(answer.content, ignored))


def _owner(request: Request, known: Known | None) -> int | str:
    return owner_of(request, None if known is None else known.principal)


def _read_query(text: str) -> dict[str, list[str]]:
    """The parameters of a query, each with all the values that it was given.

    Raises:
        BadInput: not UTF-8, or more parameters than anything here takes.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="surrogateescape", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise BadInput(f"The query has more than {MAX_PARAMETERS} parameters.") from None
    foreign = [name for name, value in pairs if _UNDECODED.search(name + value)]
    if foreign:
        raise refusal(tuple(FieldProblem(shown(name), "is not UTF-8") for name in foreign))
    result: dict[str, list[str]] = {}
    for name, value in pairs:
        result.setdefault(name, []).append(value)
    return result


def _redacted_query(text: str, match: Match | None, org: str | None) -> str:
    """A query for the log: the values that their parameters take, `***` for all others.

    What a parameter refuses may be a secret or a number that was meant for another. The value of
    `org_id` is told where it is the `org` which has proved to call.
    """
    endpoint = match.endpoint if match is not None else None
    known = (
        {}
        if endpoint is None or endpoint.query is None
        else {f.name: f for f in fields_of(endpoint.query) if not f.private}
    )
    told = []
    for part in text.split("&")[:MAX_PARAMETERS]:
        name, _, value = part.partition("=")
        if name == ORG_FIELD and value != org:
            told.append(f"{name}=***" if name in known else "***")
        elif name in known and _is_harmless(known[name], value):
            told.append(f"{name}={value}")
        elif name in known or name == SECRET_FIELD:
            told.append(f"{name}=***")
        else:
            told.append("***")
    return "&".join(told)


def _is_harmless(known: Field, value: str) -> bool:
    """Whether a value can stand in the log: its parameter takes it, and it is no phone number."""
    if known.rule is None or not _HARMLESS.fullmatch(value) or _LONG_NUMBER.search(value):
        return False
    try:
        known.rule.read_text(value)
    except Wrong:
        return False
    return True
