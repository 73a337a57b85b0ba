"""What a caller reads of its org's messages, as far as its API key's limits let it.

Whatever shows messages takes them from here and not from the tables, so that no route, filter or
wait can forget a limit.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Final, TypeVar

import attrs

from phonegate.domain.routing import is_slot
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.phones import Sim
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.model.shown_rows import ShownRow
from phonegate.store import search
from phonegate.store.address_patterns import fits
from phonegate.store.database import Database
from phonegate.store.tables import Tables

NO_DIGITS: Final = "can hold no digits: one-time codes are hidden from this API key"

KnownSims = Callable[[], Sequence[Sim]]
"""Reads all SIMs that are known of an org, where they are needed."""

T = TypeVar("T")

Show = Callable[[Sequence[MessageView], KnownSims], T]
ShowRows = Callable[[Sequence[ShownRow], KnownSims], T | None]


@attrs.frozen(kw_only=True)
class Newest:
    """The newest messages that fit."""

    messages: Sequence[MessageView]
    """The newest first."""
    are_all: bool
    """Whether there are no older ones."""


class MessageAccess:
    """Reads messages for callers.

    What is to be shown of them is made by a function that each method is given. It runs in the
    thread that reads: on the event loop, a page of a thousand messages would hold up everything.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        reader: Principal,
        query: PageQuery,
        show: Show[T],
        show_rows: ShowRows[T] | None = None,
    ) -> T:
        """Returns what `show` makes of a page of messages.

        Args:
            reader: Who reads.
            query: Which messages.
            show: Makes of messages what is to be shown of them.
            show_rows: Makes the same of rows, faster. It is given those of
                most pages, however much they have, and returns None where `show` is to do it.

        Raises:
            BadInput: The search could find out a code that the reader must not see.
        """
        return await self._database.read(partial(_page, reader, query, show, show_rows))

    def begin_page(
        self,
        reader: Principal,
        query: PageQuery,
        show: Show[T],
        show_rows: ShowRows[T],
        done: Callable[[T | None, Exception | None], None],
    ) -> Callable[[], None] | None:
        """Begins to read what `page` returns.

        Args:
            reader: As for `page`.
            query: As for `page`.
            show: As for `page`.
            show_rows: As for `page`.
            done: Called later with it, or with what `page` would have raised.

        Returns:
            What gives it up. None if it has not begun, since it would have to stand in line.
        """
        look = self._database.look(partial(_page, reader, query, show, show_rows), done)
        return None if look is None else look.give_up

    async def newest(
        self, reader: Principal, queries: Sequence[PageQuery], show: Callable[[Newest], T]
    ) -> T:
        """Returns what `show` makes of the newest messages that fit any of several queries.

        All have the same limit, and none begins after an id.
        """
        return await self._database.read(partial(_newest, reader, queries, show))

    async def first_stored(self, at: int) -> int:
        """Returns the id of the first message that was stored at a time (ms) or later."""
        return await self._database.read(lambda tx: tx.messages.first_stored(at))

    async def one(
        self, reader: Principal, message_id: int, show: Callable[[Message, KnownSims], T]
    ) -> T | None:
        """Returns what `show` makes of a message. None where the reader may not see it."""

        def op(tx: Tables) -> T | None:
            found = find(tx, reader, message_id)
            known = partial(tx.phones.known_sims, reader.org)
            return None if found is None else show(found, known)

        return await self._database.read(op)

    async def sims(self, org: int, show: Callable[[Sequence[Sim]], T]) -> T:
        """Returns what `show` makes of all SIMs that are known of an org."""
        return await self._database.read(lambda tx: show(tx.phones.known_sims(org)))


def _newest(
    reader: Principal, queries: Sequence[PageQuery], show: Callable[[Newest], T], tx: Tables
) -> T:
    found: dict[int, MessageView] = {}
    floor = 0
    """Below it some may be missing: a page has ended before, for its limit or its size."""
    for query in queries:
        asked = _as_reported(tx, reader.org, query)
        page = views(tx, reader, asked)
        found.update((one.id, one) for one in page)
        if page and views(tx, reader, attrs.evolve(asked, limit=1, before_id=page[0].id)):
            floor = max(floor, page[0].id)
    ids = sorted((id_ for id_ in found if id_ >= floor), reverse=True)
    shown = ids[: queries[0].limit]
    more = floor > 0 or len(ids) > len(shown)
    return show(Newest(messages=[found[id_] for id_ in shown], are_all=not more))


def _page(
    reader: Principal,
    query: PageQuery,
    show: Show[T],
    show_rows: ShowRows[T] | None,
    tx: Tables,
) -> T:
    known = cache(partial(tx.phones.known_sims, reader.org))
    asked = _as_reported(tx, reader.org, query)
    if show_rows is not None and reader.limits is None and query.search is None:
        shown = show_rows(tx.messages.shown_rows(reader.org, asked), known)
        if shown is not None:
            return shown
    return show(views(tx, reader, asked), known)


def has_words(text: str) -> bool:
    """Tells whether a text has any letter or digit that can be searched for."""
    return search.terms(text) is not None


def views(tx: Tables, reader: Principal, query: PageQuery) -> Sequence[MessageView]:
    """Reads a page of messages as the reader sees them.

    Raises:
        BadInput: The search could find out a code that the reader must not see.
    """
    page = tx.messages.views(reader.org, narrowed(reader, query))
    if reader.limits is None or not reader.limits.codes_hidden:
        return page
    return [one._replace(body=without_codes(one.address, one.body)) for one in page]


def find(tx: Tables, reader: Principal, message_id: int) -> Message | None:
    """Finds the message of this id as the reader sees it. None where it sees no such message."""
    found = tx.messages.find(reader.org, message_id)
    if found is None or not may_see(reader, found.address):
        return None
    if reader.limits is None or not reader.limits.codes_hidden:
        return found
    return attrs.evolve(found, body=without_codes(found.address, found.body))


def without_codes(address: str, body: str) -> str:
    """Returns a text as a reader sees it from whom one-time codes are hidden."""
    # To compile its patterns takes a fortieth of a start, and few gateways have such readers.
    from phonegate.domain import one_time_codes  # noqa: PLC0415

    return one_time_codes.without_codes(address, body)


def may_see(reader: Principal, address: str) -> bool:
    """Tells whether the reader sees messages from and to an address."""
    return reader.limits is None or fits(reader.limits.sees, address)


def narrowed(reader: Principal, query: PageQuery) -> PageQuery:
    """Narrows a query to what the reader may see.

    Raises:
        BadInput: The search could find out a code that the reader must not see.
    """
    limits = reader.limits
    if limits is None:
        return query
    if not limits.codes_hidden or query.search is None:
        return attrs.evolve(query, sees=limits.sees)
    # A code must not be found out digit by digit, by what is found or by how long it takes.
    whole, prefix = search.terms(query.search) or ((), None)
    if any(char.isdigit() for word in (*whole, prefix or "") for char in word):
        raise BadInput(f"q {NO_DIGITS}.", [FieldProblem("q", NO_DIGITS)])
    return attrs.evolve(query, sees=limits.sees, shown=without_codes)


def _as_reported(tx: Tables, org: int, query: PageQuery) -> PageQuery:
    """Writes the SIM's number of a query as the phone, and so its messages, have it."""
    if query.sim is None or is_slot(query.sim):
        return query
    held = tx.phones.holding(org, [query.sim])
    return attrs.evolve(query, sim=held[0].number) if held else query
