"""Calls of the API from within, by someone who is known already: a person in the console.

An endpoint answers such a call by its own handler, with the same checks of fields, scopes, limits
and shares as one that comes over HTTP. So a caller from within can do what the API allows, and
nothing else.
"""

import json
from collections.abc import Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final

import attrs

from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.endpoint import Answer, Call, Endpoint, Request
from phonegate.api.parameters import read_parameters
from phonegate.api.services import Services
from phonegate.domain.authentication import require_scope
from phonegate.http.refusals import FIRST_ERROR
from phonegate.model.principal import Principal
from phonegate.model.refusals import FieldProblem, Refused

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class CallRefused(Refused):
    """A call was answered by an error that is not raised but kept, such as that of a carrier."""

    def __init__(self, status: int, content: Mapping[str, Any]) -> None:
        self.status = status
        self.content = content
        """The JSON of the answer."""
        super().__init__(str(content.get("detail") or content.get("message") or "It was refused."))


class InnerCalls:
    """Calls endpoints.

    Args:
        services: What their handlers work with.
        endpoints: The endpoints that can be called.
    """

    def __init__(self, services: Services, endpoints: Sequence[Endpoint]) -> None:
        self._services = services
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        found = {e.dialect.name: e.dialect for e in endpoints if e.dialect is not None}
        self.dialects: Final = tuple(found.values())
        """The dialects that are served."""

    async def content(self, caller: Principal, name: str, request: Request, **asked: Any) -> Any:
        """Returns the JSON of an answer, as plain data. The arguments are those of `answer`.

        Raises:
            Refused: The call is refused.
            CallRefused: It was answered with an error.
            StoreError: The database can't be asked.
        """
        answer = await self.answer(caller, name, request, **asked)
        content = answer.content
        if content is None:
            return None
        read = json.loads(content if isinstance(content, bytes) else CONVERTER.encode(content))
        if answer.status >= FIRST_ERROR:
            raise CallRefused(answer.status, read)
        return read

    async def answer(
        self,
        caller: Principal,
        name: str,
        request: Request,
        *,
        path: Mapping[str, Any] = _NOTHING,
        query: Mapping[str, Any] = _NOTHING,
        body: Mapping[str, Any] | None = None,
        raw: bytes = b"",
        idempotency_key: str | None = None,
    ) -> Answer:
        """Calls an endpoint. Returns its answer as its handler gives it.

        Args:
            caller: Who calls.
            name: That of the endpoint.
            request: The request that causes the call, of which the answer may need the host.
            path: The parameters of the path. That of the org need not be given.
            query: The parameters of the query. None counts as absent.
            body: The JSON object of the body, where the endpoint takes one.
            raw: The body, where it takes one that is no JSON of ours.
            idempotency_key: The Idempotency-Key.

        Raises:
            Refused: The call is refused.
            StoreError: The database can't be asked.
        """
        endpoint = self._endpoints[name]
        require_scope(caller, endpoint.needed_scope)
        services = self._services
        if caller.org:
            services.rate_limits.request(caller.org, perf_counter())
        headers = {name: request.headers[name] for name in ("host",) if name in request.headers}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        call = Call(
            services=services,
            request=attrs.evolve(
                request,
                method=endpoint.method,
                path=endpoint.paths[0],
                query="",
                headers=headers,
                body=raw,
            ),
            principal=caller,
            path={"org": caller.org_name, **{key: str(value) for key, value in path.items()}},
            query=_query(endpoint, query),
            body=_body(endpoint, body),
        )
        if endpoint.size is None:
            return await endpoint.handler(call)
        async with services.shares.take(caller.org, endpoint.size(call)):
            return await endpoint.handler(call)


def _query(endpoint: Endpoint, given: Mapping[str, Any]) -> Any:
    if endpoint.query is None:
        return None
    texts = {name: [_text(value)] for name, value in given.items() if value is not None}
    asked, wrong = read_parameters(endpoint.query, texts)
    if wrong:
        raise refusal(tuple(FieldProblem(name, text) for name, text in wrong.items()))
    return asked


def _body(endpoint: Endpoint, given: Mapping[str, Any] | None) -> Any:
    if endpoint.body is None:
        return None
    return CONVERTER.read({} if given is None else dict(given), endpoint.body)[0]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
