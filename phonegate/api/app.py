"""The Quart app: a thin adapter between ASGI and the table of endpoints.

Quart brings what people and tools expect of it (its test client, routes of its own for pages);
the table's endpoints pass it by on their way to the pipeline. No globals, no background tasks.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import werkzeug.exceptions
from quart import Response, g, has_request_context
from quart import request as quart_request
from quart import websocket as quart_websocket
from quart_trio import QuartTrio

from phonegate.api.address import own_address
from phonegate.api.answer_budget import ANYBODY, Reader
from phonegate.api.counted_send import CountedSend
from phonegate.api.endpoint import Answer, Request
from phonegate.api.errors import answer_for, code_of
from phonegate.api.openapi.routes import add_routes as add_openapi
from phonegate.api.pipeline import Pipeline
from phonegate.api.reply import Reply, render
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.config.settings import HttpSettings, RequestLog
from phonegate.domain.client_network import place
from phonegate.http.origins import Origins
from phonegate.http.refusals import TooLarge
from phonegate.http.scope import OWNER, RELAYED, STREAM
from phonegate.model.refusals import Busy
from phonegate.pages.site import Site

DESK_SHARE: Final = 0.9
"""Part of a request's time that the pipeline may use: it knows whether the client was slow (408) or
the gateway (503). The server, which ends what takes the whole, knows neither."""


_SECURE: Final = frozenset({"https", "wss"})
"""Schemes of a request that came over TLS."""


class _App(QuartTrio):
    """Quart without its own error log, whose lines hold paths and with them secrets."""

    def log_exception(self, exception_info: Any) -> None:
        """Tells the log of a failure that no handler caught."""
        answer_for(exception_info[1])

    async def make_default_options_response(self) -> Any:
        """Answers OPTIONS as the pipeline does."""
        response = await super().make_default_options_response()
        response.status_code = 204
        for name in ("Content-Type", "Content-Length"):
            response.headers.pop(name, None)
        return response


def build_pipeline(
    services: Services,
    settings: HttpSettings,
    table: Table | None = None,
    *,
    encrypted: bool = False,
    logged: RequestLog = "all",
) -> Pipeline:
    """The pipeline of a table, for every lane: what it bounds, it bounds for all of them.

    Without a `table` it is the whole one, and no more. `encrypted`: the gateway itself speaks TLS.
    `logged` are the requests that get a line in the log.
    """
    return Pipeline(
        services,
        build_table() if table is None else table,
        request_timeout_s=settings.request_timeout_s * DESK_SHARE,
        origins=Origins(services.public_url, settings.allowed_origins),
        encrypted=encrypted,
        logged=logged,
    )


def build_app(
    services: Services, settings: HttpSettings, *, pipeline: Pipeline | None = None
) -> QuartTrio:
    """The app that serves the whole table, and routes that are added to it later.

    `pipeline` answers the table's endpoints; without one the app has its own.
    """
    app = _App("phonegate", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    # The pipeline has the deadline of a whole request.
    app.config["BODY_TIMEOUT"] = None
    app.config["RESPONSE_TIMEOUT"] = settings.request_timeout_s
    # An error is an answer, in tests too.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    pipeline = build_pipeline(services, settings) if pipeline is None else pipeline

    async def read_body(grew: Callable[[int], None]) -> bytes:
        return await _read_body(settings.max_body_bytes, grew)

    async def from_table() -> Response | None:
        g.started = perf_counter()
        request = _request(quart_request.scope)
        if not pipeline.covers(request.path):
            pipeline.admit(request)
            return None if request.path else _to_first_page(request)
        g.told = True
        reply = await pipeline.reply(request, read_body)
        scope: dict[str, Any] = quart_request.scope  # type: ignore[assignment] # ours in it
        scope[OWNER] = reply.owner if reply.owner != ANYBODY else Reader(place(request.client))
        scope[STREAM] = reply.stream
        return _response(reply)

    async def from_error(error: Exception) -> Response:
        answer = answer_for(_told(error, pipeline))
        reply = render(answer, pipeline.base_headers, head=has_request_context() and _head())
        if has_request_context():
            g.code = code_of(answer)
        else:
            # An upgrade where there is none: Quart calls no after_request for it.
            request = _request(quart_websocket.scope)
            pipeline.log.note(request, reply.status, 0.0, code=code_of(answer))
        return _response(reply)

    async def finish(response: Response) -> Response:
        response = _with_room(response, pipeline)
        for name, value in pipeline.base_headers:
            response.headers.setdefault(name, value)
        if not g.get("told"):
            for name, value in pipeline.sharing(_request(quart_request.scope)):
                response.headers.add(name, value)
            seconds = perf_counter() - g.get("started", perf_counter())
            # What Quart found a rule for is a page too: none of its rules has a parameter.
            page = g.get("page", False) or quart_request.url_rule is not None
            request, code = _request(quart_request.scope), g.get("code")
            pipeline.log.note(request, response.status_code, seconds, code=code, page=page)
        return response

    app.before_request(from_table)
    app.after_request(finish)
    app.register_error_handler(Exception, from_error)
    add_openapi(app, build_table(), public_url=settings.public_url, version=services.version)
    _add_pages(app, pipeline, services, settings)
    app.asgi_app = CountedSend(app.asgi_app, services.unsent)  # type: ignore[assignment, method-assign]
    return app


def _add_pages(
    app: QuartTrio, pipeline: Pipeline, services: Services, settings: HttpSettings
) -> None:
    """Adds the pages for people and agents, at paths that the table does not cover."""
    site = Site(
        build_table(),
        version=services.version,
        max_body_bytes=settings.max_body_bytes,
        registration=services.accounts.orgs.registration,
    )

    async def from_site() -> Response | None:
        request = _request(quart_request.scope)
        if not site.covers(request.path):
            return None
        g.page = True
        host = request.headers.get("host", "")
        base = own_address(settings.public_url, quart_request.scheme, host, request.prefix)
        return _response(
            render(await site.answer(request, base), pipeline.base_headers, head=_head())
        )

    app.before_request(from_site)


def _with_room(response: Response, pipeline: Pipeline) -> Response:
    """An answer that is none of the table's, or a refusal where much is left unread already."""
    if g.get("told") or not has_request_context() or _head():
        return response
    reader = Reader(place(_request(quart_request.scope).client))
    try:
        pipeline.require_room(reader, response.content_length or 0)
    except Busy as error:
        return _response(render(answer_for(error), pipeline.base_headers))
    return response


def _told(error: Exception, pipeline: Pipeline) -> Exception:
    """The error of a request, in our own words where Quart found nothing at its address."""
    if isinstance(error, werkzeug.exceptions.NotFound) and has_request_context():
        return pipeline.nowhere(_request(quart_request.scope))
    return error


def _to_first_page(request: Request) -> Response:
    """Leads from the bare prefix to the address from which relative links lead to the pages."""
    location = f"{request.prefix.rpartition('/')[2]}/"
    return _response(render(Answer(status=308, headers=(("Location", location),))))


async def _read_body(most: int, grew: Callable[[int], None]) -> bytes:
    """The body of Quart's request, which counts no more of it than it holds itself."""
    data = bytearray()
    try:
        async for piece in quart_request.body:
            data += piece
            grew(len(piece))
            if len(data) > most:
                raise TooLarge(most)
    except werkzeug.exceptions.RequestEntityTooLarge:
        raise TooLarge(most) from None
    return bytes(data)


def _head() -> bool:
    return quart_request.method == "HEAD"


def _request(scope: Any) -> Request:
    """The request that an ASGI scope tells of, of HTTP or of an upgrade to a websocket."""
    raw_path, prefix = scope.get("raw_path"), scope.get("root_path", "")
    path = raw_path.decode("latin-1") if raw_path else quote(scope["path"])
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    client = scope.get("client")
    return Request(
        method=scope.get("method", "GET"),
        path=path.removeprefix(prefix),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        client=client[0] if client else "",
        relayed=scope.get(RELAYED, False),
        secure=scope.get("scheme") in _SECURE,
        prefix=prefix,
    )


def _response(reply: Reply) -> Response:
    response = Response(reply.body, status=reply.status)
    response.headers.clear()
    for name, value in reply.headers:
        response.headers[name] = value
    return response
