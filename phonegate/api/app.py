"""The Quart app: the table's endpoints as its routes, answered by the pipeline.

Blueprints bring what is not in the table, such as pages. No globals, no background tasks.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Any, Final
from urllib.parse import quote

import attrs
import werkzeug.exceptions
from jinja2 import StrictUndefined
from quart import Response, g, has_request_context
from quart import request as quart_request
from quart import websocket as quart_websocket
from quart.routing import QuartRule
from quart.wrappers import BaseRequestWebsocket
from quart_trio import QuartTrio
from werkzeug.routing import MapAdapter, WebsocketMismatch

from phonegate.api.answer_budget import ANYBODY, Reader
from phonegate.api.counted_send import CountedSend
from phonegate.api.endpoint import Answer, Request
from phonegate.api.errors import StatusRaised, answer_for, code_of
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.openapi.routes import build_openapi
from phonegate.api.pipeline import Pipeline
from phonegate.api.reply import NO_LENGTH, Reply, render
from phonegate.api.services import Services
from phonegate.api.table import Table, build_table
from phonegate.config.settings import HttpSettings
from phonegate.domain.client_network import client_network
from phonegate.http.refusals import TooLarge
from phonegate.http.scope import OWNER, RELAYED, STREAM
from phonegate.model.refusals import Busy

TABLE: Final = "table"
"""The name that Quart knows all endpoints of the table by."""

_SECURE: Final = frozenset({"https", "wss"})
"""Schemes of a request that came over TLS."""


class WebApp(QuartTrio):
    """Quart without its own error log, whose lines hold paths and with them secrets."""

    def __init__(self, pipeline: Pipeline, settings: HttpSettings) -> None:
        super().__init__("phonegate", static_folder=None)
        self.jinja_options = {
            "undefined": StrictUndefined,
            "trim_blocks": True,
            "lstrip_blocks": True,
            "keep_trailing_newline": True,
        }
        largest = max(settings.max_body_bytes, pipeline.table.largest_body)
        self.config["MAX_CONTENT_LENGTH"] = largest
        # The pipeline has the deadline of a whole request.
        self.config["BODY_TIMEOUT"] = None
        self.config["RESPONSE_TIMEOUT"] = settings.request_timeout_s
        # An error is an answer, in tests too.
        self.config["PROPAGATE_EXCEPTIONS"] = False
        self._pipeline = pipeline
        self._max_body_bytes = settings.max_body_bytes
        self.counting: set[str] = set()
        """The blueprints that know callers of their own, and count all others by themselves. The
        sites that the owner lets in are let in to the API alone."""
        self.view_functions[TABLE] = self._from_table
        self.url_map.merge_slashes = False
        for path in pipeline.table.paths:
            self.url_map.add(_rule(path))
        self.before_request(self._admit)
        self.after_request(self._finish)
        self.register_error_handler(Exception, self._from_error)

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """Matches the path as sent: an encoded slash is part of a secret, and no separator."""
        if request is None:
            return super().create_url_adapter(request)
        path = request_of(request.scope).path
        # Werkzeug would take slashes at the beginning for one.
        path = f"/%2F{path}" if path.startswith("//") else path
        # The name is of no use: nothing here builds a whole address from it.
        return self.url_map.bind(
            "gateway.invalid",
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=path,
        )

    def log_exception(self, exception_info: Any) -> None:
        """Tells the log of a failure that no handler caught."""
        answer_for(_own(exception_info[1]))

    async def make_default_options_response(self) -> Any:
        """Answers OPTIONS as the pipeline does."""
        response = await super().make_default_options_response()
        response.status_code = 204
        response.headers["Allow"] = ", ".join(sorted(response.allow))
        return response

    async def _from_table(self, **_: str) -> Response:
        request = request_of(quart_request.scope)
        table = self._pipeline.table
        most = table.most_bytes(request.method, request.path, self._max_body_bytes)
        reply = await self._pipeline.reply(request, partial(read_body, most))
        scope: dict[str, Any] = quart_request.scope  # type: ignore[assignment] # ours in it
        scope[OWNER] = (
            reply.owner if reply.owner != ANYBODY else Reader(client_network(request.client))
        )
        scope[STREAM] = reply.stream
        return _response(reply)

    async def _admit(self) -> Response | None:
        g.began = perf_counter()
        if quart_request.endpoint == TABLE:
            return None
        request = request_of(quart_request.scope)
        if quart_request.blueprint in self.counting:
            self._pipeline.refuse_foreign(request, shared=False)
            return None
        self._pipeline.admit(request)
        return None if request.path else _to_first_page(request)

    async def _from_error(self, error: Exception) -> Response:
        is_plain = has_request_context()
        request = request_of((quart_request if is_plain else quart_websocket).scope)
        # Whatever is at the address, no websocket is.
        if isinstance(error, werkzeug.exceptions.NotFound | WebsocketMismatch):
            error = self._pipeline.no_such_address(request)
        answer = answer_for(_own(error))
        code = code_of(answer)
        if is_plain:
            answer = self._pipeline.worded(answer, request)
            g.code = code
            if isinstance(error, werkzeug.exceptions.MethodNotAllowed):
                g.rule = self._rule_by(error.valid_methods)
        else:
            # Quart calls no after_request for an upgrade.
            self._pipeline.log.note(request, answer.status, 0.0, code=code)
        head = request.method == "HEAD"
        return _response(render(answer, self._pipeline.base_headers, head=head))

    async def _finish(self, response: Response) -> Response:
        if quart_request.endpoint == TABLE:
            return response
        request = request_of(quart_request.scope)
        response = _with_room(response, request, self._pipeline)
        _set_length(response)
        for name, value in self._pipeline.base_headers:
            response.headers.setdefault(name, value)
        if quart_request.blueprint not in self.counting:
            for name, value in self._pipeline.sharing(request):
                response.headers.add(name, value)
        rule = quart_request.url_rule
        page: str | None = g.get("rule") if rule is None else rule.rule
        if page is not None and "<" in page:
            # The log has the place of a parameter: it may be a phone number.
            request = attrs.evolve(request, path=page)
        status, seconds = response.status_code, perf_counter() - g.began
        self._pipeline.log.note(request, status, seconds, code=g.get("code"), page=page is not None)
        return response

    def _rule_by(self, methods: Iterable[str] | None) -> str | None:
        """Returns the rule that the path of this request has by one of these methods."""
        adapter = self.create_url_adapter(quart_request)
        if adapter is None:
            return None
        for method in methods or ():
            with suppress(werkzeug.exceptions.HTTPException):
                return str(adapter.match(method=method, return_rule=True)[0].rule)
        return None


def build_app(
    services: Services,
    settings: HttpSettings,
    *,
    pipeline: Pipeline | None = None,
    described: Table | None = None,
) -> WebApp:
    """Returns the app that serves the table, and whatever blueprints are added to it.

    Args:
        services: What the handlers work with.
        settings: Limits and deadlines.
        pipeline: What answers the table's endpoints; without one the app has its own.
        described: The endpoints that the OpenAPI document describes; without a table, all.
    """
    app = WebApp(build_pipeline(services, settings) if pipeline is None else pipeline, settings)
    app.register_blueprint(
        build_openapi(
            build_table() if described is None else described,
            public_url=settings.public_url,
            version=services.version,
        )
    )
    app.asgi_app = CountedSend(app.asgi_app, services.answer_budget)  # type: ignore[assignment, method-assign]
    return app


def _rule(template: str) -> QuartRule:
    """Returns the route of a path template, for every method: the pipeline refuses the others."""
    rule = template.replace("{", "<").replace("}", ">")
    return QuartRule(rule, endpoint=TABLE, strict_slashes=False)


def _with_room(response: Response, request: Request, pipeline: Pipeline) -> Response:
    """Returns an answer, or a refusal where its reader has left much unread already."""
    if _head():
        return response
    try:
        pipeline.require_room(Reader(client_network(request.client)), response.content_length or 0)
    except Busy as error:
        return _response(render(answer_for(error), pipeline.base_headers))
    return response


def _set_length(response: Response) -> None:
    """Leaves the body out where none is sent, and its length where it would be a wrong one."""
    length = response.content_length
    if _head():
        response.set_data(b"")
        response.content_length = length
    if response.status_code in NO_LENGTH:
        response.headers.pop("Content-Length", None)
        response.headers.pop("Content-Type", None)


def _to_first_page(request: Request) -> Response:
    """Leads from the bare prefix to the address from which relative links lead to the pages."""
    location = f"{request.prefix.rpartition('/')[2]}/"
    return _response(render(Answer(status=308, headers=(("Location", location),))))


async def read_body(most: int, grew: Callable[[int], None]) -> bytes:
    """Reads the body of Quart's request, which counts no more of it than it holds itself."""
    if (quart_request.content_length or 0) > most:
        raise TooLarge(most)
    data = bytearray()
    try:
        async for piece in quart_request.body:
            data += piece
            grew(len(piece))
            if len(data) > most:
                raise TooLarge(most)
    except werkzeug.exceptions.RequestEntityTooLarge:
        raise TooLarge(most) from None
    except werkzeug.exceptions.HTTPException as error:
        raise _own(error) from error
    return bytes(data)


def _own(error: BaseException) -> BaseException:
    """Returns an error that Quart made as one of ours, and any other as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, werkzeug.exceptions.HTTPException) and error.code is not None:
        return StatusRaised(error.code, getattr(error, "valid_methods", None) or ())
    return error


def _head() -> bool:
    return quart_request.method == "HEAD"


def request_of(scope: Any) -> Request:
    """Returns the request of an ASGI scope, of HTTP or of an upgrade to a websocket."""
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
