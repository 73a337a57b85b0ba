"""The plainest pages of messages, answered without a task that waits for them to be read.

What `plain_send` does for sends: a page for a credential that was right before waits for nothing
but the thread that reads it. What is not as plain is left to the pipeline untouched, and its answer
there would have been the same.
"""

from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final

import attrs
import trio

from phonegate.api.begun import Answered, Begun, BegunRequests
from phonegate.api.endpoint import Answer
from phonegate.api.exchange import Exchange
from phonegate.api.known_head import AskedPage, KnownHead
from phonegate.api.media_api import media_of
from phonegate.api.message_text import PageText
from phonegate.api.messages_types import MessagesQuery, page_query
from phonegate.api.parameters import read_parameters
from phonegate.api.reply import Reply
from phonegate.api.services import Services
from phonegate.model.principal import Principal
from phonegate.model.refusals import Refused
from phonegate.typed_json.fields import fields_of

READ: Final = "get_messages"
"""The name of their endpoint."""

_KNOWN: Final = frozenset(field.name for field in fields_of(MessagesQuery)) - {"q"}


@attrs.define(eq=False, kw_only=True)
class _Begun(Begun):
    """A page that is being read."""

    give_up: Callable[[], None] | None = None
    """Ends its reading."""


class PlainPages:
    """The plain pages of one gateway.

    Args:
        services: What they work with.
        timeout_s: Seconds that a request may take.
        recalled: Finds out whom a head speaks for, where that is known.
        finished: Returns an answer as it is written, which is counted and logged by then.
        failed: Returns the answer to a request that failed, likewise.
    """

    def __init__(
        self,
        services: Services,
        *,
        timeout_s: float,
        recalled: Callable[[KnownHead], Principal | None],
        finished: Callable[[Answer, Exchange], Reply],
        failed: Callable[[Exception, Exchange], Reply],
    ) -> None:
        self._services = services
        self._timeout_s = timeout_s
        self._recalled = recalled
        self._finished = finished
        self._begun: BegunRequests[_Begun] = BegunRequests(services.shares, failed)
        """As many as may be read at the same time."""

    def begin(self, head: KnownHead, answered: Answered) -> bool:
        """Begins a page, if it is a plain one. See `FastPipeline.begin`."""
        began = perf_counter()
        if not head.looked_for_page:
            head.looked_for_page = True
            head.page = _asked(head, self._services.public_url)
        page = head.page
        if page is None:
            return False
        services, principal = self._services, self._recalled(head)
        if (
            principal is None
            or principal.limits is not None
            or principal.org_name != page.org_name
            or not services.rate_limits.allows(principal.org, began)
        ):
            return False
        part = services.shares.part(page.size)
        if not services.shares.enter_now(principal.org, part):
            return False
        begun = _Begun(
            exchange=Exchange(head, began, head.match),
            principal=principal,
            size=0,
            part=part,
            answered=answered,
        )
        shown = PageText(
            principal.org_name, services.switchboard.online(principal.org), media=page.media
        )
        begun.give_up = services.messages.begin_page(
            principal, page.query, shown.of_views, shown.of_rows, partial(self._done, begun)
        )
        if begun.give_up is None:
            services.shares.leave(principal.org, part)
            return False
        begun.exchange.org = principal.org_name
        begun.exchange.set_reader(principal)
        begun.exchange.standing = services.rate_limits.request(principal.org, began)
        self._begun.add(begun)
        return True

    def expire(self) -> None:
        """Answers the pages that take too long to read, and gives them up."""
        for begun in self._begun.overdue(self._timeout_s):
            if begun.give_up is not None:
                begun.give_up()
            self._begun.fail(begun, trio.TooSlowError())

    def _done(self, begun: _Begun, page: bytes | None, error: Exception | None) -> None:
        reply = None if page is None else partial(self._reply, begun.exchange, page)
        self._begun.end(begun, reply, error)

    def _reply(self, exchange: Exchange, page: bytes) -> Reply:
        self._services.answer_budget.require_room(exchange.reader, len(page))
        return self._finished(Answer(content=page), exchange)


def _asked(head: KnownHead, public_url: str) -> AskedPage | None:
    """Returns the page that a head asks for. None if any of it is special, or wrong."""
    request, match = head.request, head.match
    endpoint = None if match is None else match.endpoint
    if (
        match is None
        or endpoint is None
        or endpoint.name != READ
        or request.method != "GET"
        or head.foreign
        or match.path.keys() != {"org"}
    ):
        return None
    try:
        given = head.query
    except Refused:
        return None
    if not given.keys() <= _KNOWN:
        return None
    query, wrong = read_parameters(MessagesQuery, given)
    if wrong:
        return None
    return AskedPage(
        org_name=match.path["org"],
        query=page_query(query),
        media=media_of(match.path["org"], request, public_url),
        size=query.limit // 2,
    )
