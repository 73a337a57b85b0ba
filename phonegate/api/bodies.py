"""The bodies of requests: received within bounds of time and memory, parsed and understood."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import trio

from phonegate.api.body_budget import BodyBudget
from phonegate.api.callers import ORG_FIELD
from phonegate.api.convert import CONVERTER, refusal
from phonegate.api.exchange import Exchange
from phonegate.api.given import given_texts, structured
from phonegate.api.large_bodies import READ_AT_ONCE_BYTES, UNKNOWN
from phonegate.api.parameters import read_parameters
from phonegate.api.payload import check_media, read_object
from phonegate.api.services import Services
from phonegate.http.credentials import SECRET_FIELD
from phonegate.http.refusals import BodyTimeout, TooLarge
from phonegate.model.refusals import Busy, FieldProblem

ReadBody = Callable[[Callable[[int], None]], Awaitable[bytes]]
"""Reads the body of a request, and tells the size of each piece as it comes. What it raises is
answered."""

TOO_MANY: Final = "Too many requests are on their way to the gateway. Try again shortly."


class Bodies:
    """Receives and reads the bodies of requests."""

    def __init__(self, services: Services) -> None:
        limits = services.rate_limits
        self._budget = BodyBudget(limits.bounds.bodies_bytes, lambda: limits.note("bodies"))
        self._large_bodies = services.large_bodies

    async def receive(self, exchange: Exchange, sent: ReadBody, deadline: float) -> bytes:
        """Returns a body that may yet have to come.

        Raises:
            Busy: it had to make room for others.
            BodyTimeout: it did not come in time.
        """
        with self._budget.arriving(deadline, exchange.owner) as arriving:
            return await sent(arriving.grew)
        if arriving.given_up:
            raise Busy(TOO_MANY)
        raise BodyTimeout("The body did not arrive in time.")

    async def parse(self, exchange: Exchange, deadline: float) -> Mapping[str, Any]:
        """Returns the JSON object of a body, which is empty where the endpoint takes none.

        Of an endpoint with parameters it returns those, of body and query.

        Raises:
            TooLarge, UnsupportedMedia, BadInput, Busy: the body can't be read.
            Throttled: too many large bodies of its org wait.
            trio.TooSlowError: its turn did not come in time.
        """
        endpoint, request = exchange.endpoint, exchange.request
        body = exchange.sent
        if endpoint.raw_limit is not None and len(body) > endpoint.raw_limit:
            raise TooLarge(endpoint.raw_limit)
        if endpoint.body is None and endpoint.given is None:
            return {}
        headers = request.headers
        read: Callable[[], Any]
        if endpoint.given is not None:
            read = partial(endpoint.given.read or given_texts, body, headers, exchange.query)
        elif endpoint.forms is not None:
            read = partial(endpoint.forms.read, body, headers, exchange.query)
        else:
            check_media(headers.get("content-type"), headers.get("content-encoding"), body)
            read = partial(read_object, body, reported=getattr(endpoint.body, "reported", False))
        if len(body) <= READ_AT_ONCE_BYTES:
            return read()
        # A large one goes on taking its room while it waits for its turn.
        with self._budget.arriving(deadline, exchange.owner) as waiting:
            waiting.grew(len(body))
            found: dict[str, Any] = await self.in_turn(read, exchange)
            return found
        if waiting.given_up:
            raise Busy(TOO_MANY)
        raise trio.TooSlowError

    async def in_turn(self, read: Callable[[], Any], exchange: Exchange) -> Any:
        """Returns what `read` makes of the body. A large one is read in a thread.

        Raises:
            Throttled: too many large bodies of its org wait.
        """
        known = exchange.known
        org = UNKNOWN if known is None else known.principal.org
        return await self._large_bodies.read(read, len(exchange.sent), org)

    async def understand(self, exchange: Exchange) -> tuple[Any, Any]:
        """Returns the query and the body as the endpoint's own types.

        Raises:
            BadInput: Fields are wrong. All are named.
        """
        endpoint = exchange.endpoint
        asked: Any = None
        body: Any = None
        if endpoint.query is not None:
            beside = () if endpoint.scope is None else (SECRET_FIELD,)
            asked, wrong = read_parameters(endpoint.query, exchange.query, beside)
            if wrong:
                raise refusal(tuple(FieldProblem(name, text) for name, text in wrong.items()))
        if endpoint.given is not None:
            return asked, structured(endpoint.given.type, exchange.body)
        if endpoint.body is not None and endpoint.dialect is not None:
            known = partial(CONVERTER.read_known, exchange.body, endpoint.body)
            return asked, await self.in_turn(known, exchange)
        if endpoint.body is not None:
            beside = () if "org" in exchange.path else (ORG_FIELD,)
            structure = partial(CONVERTER.read, exchange.body, endpoint.body, beside)
            body, exchange.ignored = await self.in_turn(structure, exchange)
        return asked, body
