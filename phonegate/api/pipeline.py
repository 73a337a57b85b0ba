"""Answering a request from the table: the one way from bytes in to an answer out.

It knows no framework. It is given a `Request` and a way to read the body, and gives an answer as
status, headers and bytes, whatever went wrong. Each request is counted, and may leave one line in
the log.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any, Final

import attrs
import trio

from phonegate.api.answer_budget import Reader, UnsentAnswer
from phonegate.api.bodies import Bodies, ReadBody
from phonegate.api.callers import Callers
from phonegate.api.convert import CONVERTER
from phonegate.api.dialect_errors import in_dialect
from phonegate.api.endpoint import Answer, Call, Request
from phonegate.api.errors import answer_for, code_of, with_standing
from phonegate.api.exchange import Exchange
from phonegate.api.intent import require_intent
from phonegate.api.known_head import KnownHead
from phonegate.api.plain_page import PlainPages
from phonegate.api.plain_push import PlainPushes
from phonegate.api.plain_send import PlainSends
from phonegate.api.reply import BASE_HEADERS, STAY_ENCRYPTED, Reply, render
from phonegate.api.request_log import RequestLog
from phonegate.api.services import Services
from phonegate.api.table import Table
from phonegate.api.worded_errors import in_words_of
from phonegate.config.settings import RequestLog as Logged
from phonegate.http.body_stream import BodyStream, Produce
from phonegate.http.credentials import find_credential
from phonegate.http.origins import ForeignPage, Origins
from phonegate.model.principal import Principal
from phonegate.model.refusals import NotFound, Refused

READING: Final = ("GET", "HEAD")
"""Methods by which a link leads somewhere, and which change nothing."""

CLIENT_GONE: Final = 499
"""What the log says of a request whose client hung up before its answer (nginx's number)."""

FAILED: Final = 500
"""What the log says of an answer that failed after it had begun, and so was cut short."""


class Pipeline:
    """Serves the endpoints of a table.

    Args:
        services: What the handlers work with.
        table: The endpoints.
        request_timeout_s: Seconds that a request may take.
        logged: The requests that get a line in the log.
        origins: The web pages that may ask.
        encrypted: Whether the gateway itself speaks TLS.
    """

    def __init__(
        self,
        services: Services,
        table: Table,
        *,
        request_timeout_s: float,
        logged: Logged = "all",
        origins: Origins | None = None,
        encrypted: bool = False,
    ) -> None:
        self._services = services
        self.table = table
        self._timeout_s = request_timeout_s
        self._origins = Origins() if origins is None else origins
        self._encrypted = encrypted
        self.base_headers = (*BASE_HEADERS, STAY_ENCRYPTED) if encrypted else BASE_HEADERS
        """What all answers have, unless they say otherwise."""
        self.log = RequestLog(table.redacted, services.requests, logged)
        self._callers = Callers(services)
        self._running: dict[trio.CancelScope, float] = {}
        """The scopes of requests that are handled, each with the time at which it is too late."""
        self._late: dict[trio.CancelScope | None, Exchange | None] = {}
        """Those of requests that ran on, each with its request once that has ended."""
        self._bodies = Bodies(services)
        self._plain_sends = PlainSends(
            services,
            base_headers=self.base_headers,
            origins=self._origins,
            recalled=self._callers.recalled,
            note=self._note,
            failed=self._failed,
        )
        self._plain_pages = PlainPages(
            services,
            timeout_s=request_timeout_s,
            recalled=self._callers.recalled,
            finished=self._finished,
            failed=self._failed,
        )
        self._plain_pushes = PlainPushes(
            services,
            timeout_s=request_timeout_s,
            finished=self._finished,
            failed=self._failed,
        )

    def complete(self, table: Table) -> None:
        """Takes a table that has more than the first one, and all of it. It may be any thread."""
        self.table = table
        self.log.redacted = table.redacted

    def find(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        client: str,
        relayed: bool = False,
        secure: bool = False,
        prefix: str = "",
    ) -> KnownHead | None:
        """Looks at a head. Returns what is known of it if the fast path answers its endpoint."""
        if not self.table.on_fast_path(method, path, headers):
            return None
        return self._know(
            Request(
                method=method,
                path=path,
                query=query,
                headers=headers,
                client=client,
                relayed=relayed,
                secure=secure or self._encrypted,
                prefix=prefix,
            )
        )

    def begin(self, head: KnownHead, body: bytes, reply: Callable[[Reply], None]) -> bool:
        """Begins a plain send, push or page, whose answer needs no task, and no other request.

        See `FastPipeline.begin`.
        """
        if head.request.method == "GET":
            return self._plain_pages.begin(head, reply)
        return self._plain_sends.begin(head, body, reply) or self._plain_pushes.begin(
            head, body, reply
        )

    def expire(self) -> None:
        """Answers the requests that were begun and take too long, and ends those that run on."""
        self._plain_sends.expire()
        self._plain_pushes.expire()
        self._plain_pages.expire()
        now = trio.current_time()
        for scope in [scope for scope, deadline in self._running.items() if deadline <= now]:
            self._late[scope] = None
            scope.cancel()

    async def reply(self, request: Request, body: bytes | ReadBody) -> Reply:
        """Answers a request of which nothing is known yet, as `answer` does."""
        return await self.answer(self._know(request), body)

    def late(self, scope: trio.CancelScope) -> Reply | None:
        """Returns the answer to a request that was ended by `expire`."""
        exchange = self._late.pop(scope, None)
        return None if exchange is None else self._failed(trio.TooSlowError(), exchange)

    async def answer(
        self, head: KnownHead, body: bytes | ReadBody, scope: trio.CancelScope | None = None
    ) -> Reply:
        """Answers a request. Raises nothing but a cancellation.

        Args:
            head: What is known of its head.
            body: The whole body or what reads it, which is done only when the endpoint takes one.
            scope: What `expire` cancels if it takes too long; see `late`. Without one it has its
                own, which costs as much as reading the head.
        """
        exchange = Exchange(head, perf_counter(), head.match, scope)
        request = head.request
        bare, status, code = request.method == "HEAD", CLIENT_GONE, None
        streams = False
        try:
            try:
                answer = await self._answer(exchange, body)
                reply = self._rendered(answer, exchange)
                if request.method == "GET":
                    self.require_room(exchange.reader, len(reply.body))
            except Exception as error:  # noqa: BLE001 - the one place where all of them end
                answer, reply = self._refused(error, exchange)
            code = code_of(answer)
            reply = self._shared(reply, request)
            status = reply.status
            if answer.stream is not None and not bare:
                stream = self._streamed(answer.stream, exchange, status)
                reply, streams = attrs.evolve(reply, stream=stream), True
            return reply
        finally:
            if status == CLIENT_GONE and scope in self._late:
                self._late[scope] = exchange
            elif not streams:
                self._note(exchange, status, code)

    def _rendered(self, answer: Answer, exchange: Exchange) -> Reply:
        if exchange.standing is not None:
            rate = self._services.rate_limits.org_rate
            answer = with_standing(answer, rate, exchange.standing)
        bare = exchange.request.method == "HEAD"
        return render(answer, self.base_headers, head=bare, owner=exchange.reader)

    def _finished(self, answer: Answer, exchange: Exchange) -> Reply:
        """Returns an answer to a request that needs no more: it is logged by then."""
        reply = self._rendered(answer, exchange)
        self._note(exchange, reply.status, None)
        return self._shared(reply, exchange.request)

    def _failed(self, error: Exception, exchange: Exchange) -> Reply:
        """Returns the answer to a request that failed and needs no more: it is logged by then."""
        answer, reply = self._refused(error, exchange)
        self._note(exchange, reply.status, code_of(answer))
        return self._shared(reply, exchange.request)

    def _refused(self, error: Exception, exchange: Exchange) -> tuple[Answer, Reply]:
        """Returns the answer to a request that failed, unwritten and written."""
        answer = answer_for(self._callers.count_refusal(error, exchange))
        match = exchange.match
        endpoint = None if match is None else match.endpoint
        if endpoint is None:
            worded = self.worded(answer, exchange.request)
        else:
            worded = in_words_of(endpoint, answer, exchange)
        bare = exchange.request.method == "HEAD"
        return answer, render(worded, self.base_headers, head=bare)

    def worded(self, answer: Answer, request: Request) -> Answer:
        """Returns an error of a request that means no endpoint, in the words of its dialect."""
        dialect = self.table.dialect_at(request.path, request.headers)
        return answer if dialect is None else in_dialect(answer, dialect, request)

    def _shared(self, reply: Reply, request: Request) -> Reply:
        """Returns an answer as pages of sites that are let in may read it."""
        if not self._origins.shared:
            return reply
        return attrs.evolve(reply, headers=(*reply.headers, *self.sharing(request)))

    def _know(self, request: Request) -> KnownHead:
        """Finds what follows from a head alone."""
        try:
            match = self.table.match(request.method, request.path, request.headers)
        except Refused:
            match = None  # which is raised where its request is answered
        endpoint = None if match is None else match.endpoint
        needs_none = endpoint is not None and endpoint.scope is None
        return KnownHead(
            request=request,
            match=match,
            foreign=self._is_foreign(request, navigable=needs_none and request.method in READING),
            foreign_host=self._origins.is_foreign_host(request.headers),
            credential=None
            if endpoint is None
            else find_credential(endpoint.first_credential_places, request.headers),
        )

    def _streamed(self, produce: Produce, exchange: Exchange, status: int) -> BodyStream:
        """Returns the body of an answer whose request ends, and is logged, when it was all sent."""
        # Both hold the request's body, and would for as long.
        exchange.sent = b""
        exchange.body = {}
        return BodyStream(
            produce, lambda failed: self._note(exchange, FAILED if failed else status, None)
        )

    def _note(self, exchange: Exchange, status: int, code: str | None) -> None:
        seconds = perf_counter() - exchange.began
        request, match, org = exchange.request, exchange.match, exchange.org
        self.log.note(request, status, seconds, match, org, code=code)

    def admit(self, request: Request) -> None:
        """Counts a request that is none of the table's, and shows no credential.

        Raises:
            RateExceeded: its address has made too many.
            ForeignPage: a page of another site may have made it, by other means than a link.
        """
        self._services.rate_limits.count_unauthenticated(request.client, perf_counter())
        self.refuse_foreign(request)

    def refuse_foreign(self, request: Request, *, shared: bool = True) -> None:
        """Refuses a request that a page of another site may have made, by other means than a link.

        Args:
            request: The request.
            shared: Whether pages of the sites that the owner lets in may make it.

        Raises:
            ForeignPage: It may have.
        """
        if self._is_foreign(request, navigable=request.method in READING, shared=shared):
            raise ForeignPage

    def require_room(self, reader: Reader, size: int) -> None:
        """Makes sure that there is room for an answer of so many bytes.

        Raises:
            Busy: what its reader was answered before has not left.
        """
        self._services.answer_budget.require_room(reader, size)

    def hold(self, owner: Reader, size: int) -> AbstractContextManager[UnsentAnswer] | None:
        """Holds the memory of an answer until it has left. None for a small one."""
        return self._services.answer_budget.hold(owner, size)

    def no_such_address(self, request: Request) -> NotFound:
        """Returns the error for an address that does not exist."""
        return self.table.no_such_address(request.method, request.path, request.prefix)

    def sharing(self, request: Request) -> tuple[tuple[str, str], ...]:
        """Returns the fields by which pages of sites that are let in may read an answer."""
        return self._origins.fields(request.method, request.headers)

    async def _answer(self, exchange: Exchange, sent: bytes | ReadBody) -> Answer:
        head = exchange.head
        match = exchange.match
        if match is None:
            request = head.request
            match = self.table.match(request.method, request.path, request.headers)
            exchange.match = match
        endpoint = match.endpoint
        require_intent(head, endpoint)
        if endpoint is None or (endpoint.scope is None and not endpoint.knows_caller):
            exchange.counted = True
            self._services.rate_limits.count_unauthenticated(head.request.client, exchange.began)
        if endpoint is None:
            return Answer(status=204, headers=(("Allow", ", ".join(match.allowed)),))
        deadline = trio.current_time() + self._timeout_s
        exchange.query = head.query
        exchange.known = self._callers.remembered(exchange)
        if exchange.known is None:
            exchange.known = await self._callers.by_head(exchange)
        if endpoint.takes_body:
            if isinstance(sent, bytes):
                exchange.sent = sent
            else:
                exchange.sent = await self._bodies.receive(exchange, sent, deadline)
            if exchange.known is None:
                exchange.known = await self._callers.by_body(exchange)
        if endpoint.takes_body or endpoint.given is not None:
            exchange.body = await self._bodies.parse(exchange, deadline)
        answer = await self._handled(exchange, deadline)
        return answer if not exchange.ignored else _naming(answer, exchange.ignored)

    async def _handled(self, exchange: Exchange, deadline: float) -> Answer:
        """Returns what the handler answers, once the caller and the request are understood."""
        scope = exchange.scope
        if scope is not None:
            self._running[scope] = deadline
            try:
                return await self._handle(exchange)
            finally:
                del self._running[scope]
        answer = None
        # Not fail_at, a generator inside another.
        with trio.CancelScope(deadline=deadline):
            answer = await self._handle(exchange)
        if answer is None:
            raise trio.TooSlowError
        return answer

    async def _handle(self, exchange: Exchange) -> Answer:
        endpoint = exchange.endpoint
        call = await self._call(exchange)
        exchange.set_reader(call.principal)
        if call.principal is None or endpoint.size is None:
            return await endpoint.handler(call)
        async with self._services.shares.take(call.principal.org, endpoint.size(call)):
            return await endpoint.handler(call)

    def _is_foreign(self, request: Request, *, navigable: bool, shared: bool = True) -> bool:
        """Tells whether a page of a site that is not let in may have sent a request.

        A link to what needs no secret (`navigable`) may stand on any page.
        """
        return self._origins.is_foreign(
            request.headers,
            navigable=navigable,
            secure=request.secure or self._encrypted,
            shared=shared,
        )

    async def _call(self, exchange: Exchange) -> Call:
        """Returns the request as its handler gets it.

        The caller is asked for first, so that unknown callers learn nothing. But a refused call
        must not leave a new org behind, so where one may be created the fields come first.
        """
        asked: Any = None
        body: Any = None
        if exchange.endpoint.creates_org:
            asked, body = await self._bodies.understand(exchange)
            principal = await self._identify(exchange)
        else:
            principal = await self._identify(exchange)
            asked, body = await self._bodies.understand(exchange)
        request = exchange.request
        if exchange.endpoint.raw_limit is not None:
            request = attrs.evolve(request, body=exchange.sent)
        return Call(
            services=self._services,
            request=request,
            principal=principal,
            path=exchange.path,
            query=asked,
            body=body,
            logged=self.log.logged,
        )

    async def _identify(self, exchange: Exchange) -> Principal | None:
        principal = await self._callers.identify(exchange)
        if principal is not None:
            self._callers.note(principal, exchange)
        return principal


def _naming(answer: Answer, ignored: Sequence[str]) -> Answer:
    """Returns an answer that also names the fields of its request that were ignored."""
    if answer.content is None:
        return answer
    return attrs.evolve(answer, content=CONVERTER.naming(answer.content, ignored))
