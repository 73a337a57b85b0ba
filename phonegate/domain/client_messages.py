"""Messages as programs count them that send to many at once: one for all recipients of a request.

What a reader gets is as far as its API key's limits let it, as everywhere (see `message_access`).
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import attrs

from phonegate.domain.message_access import may_see, without_codes
from phonegate.model.bounds import MAX_ID
from phonegate.model.messages import ListQuery, MessageView
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, NotFound
from phonegate.store.database import Database
from phonegate.store.tables import Tables

Outline = Mapping[int, tuple[str, str | None, int]]
"""Type, name and size of the parts of a message, by number."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page:
    """A page of a list."""

    groups: Sequence[Sequence[MessageView]]
    """The messages of each request, in the order of their recipients."""
    total: int
    """How long the list is without its limit."""


class ClientMessages:
    """Reads messages by what programs call them, and keeps these names apart."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._taking: set[tuple[int, str]] = set()

    @asynccontextmanager
    async def taking(self, org: int, client_id: str) -> AsyncIterator[None]:
        """Holds a new client id while its messages are stored.

        Raises:
            Conflict: There are such messages, or they are being stored.
        """
        name = (org, client_id)
        if name in self._taking:
            raise _taken()
        self._taking.add(name)
        try:
            if await self._database.read(lambda tx: tx.client_messages.of_client_id(*name)):
                raise _taken()
            yield
        finally:
            self._taking.discard(name)

    async def one(self, reader: Principal, client_id: str) -> Sequence[MessageView]:
        """Returns the messages to send that go by an id: a client id, or one of the gateway's own.

        Raises:
            NotFound: There are none, or the reader sees none of them.
        """

        def read(tx: Tables) -> Sequence[MessageView]:
            found = tx.client_messages.of_client_id(reader.org, client_id)
            if not found and (number := _number(client_id)) is not None:
                alone = tx.client_messages.of_id(reader.org, number)
                found = [] if alone is None else [alone]
            return _seen(reader, found)

        found = await self._database.read(read)
        if not found:
            raise NotFound("No such message in this org.")
        return found

    async def sent(self, reader: Principal, query: ListQuery) -> Page:
        """Lists messages to send, each request once."""

        def read(tx: Tables) -> Page:
            asked = _narrowed(reader, query)
            groups = [
                [first]
                if first.client_id is None
                else tx.client_messages.of_client_id(reader.org, first.client_id)
                for first in tx.client_messages.page(reader.org, asked)
            ]
            seen = [group for found in groups if (group := _seen(reader, found))]
            return Page(groups=seen, total=tx.client_messages.count(reader.org, asked))

        return await self._database.read(read)

    async def received(
        self, reader: Principal, query: ListQuery, show: Callable[[MessageView, Outline], T]
    ) -> tuple[list[T], int]:
        """Lists received messages, as `show` makes them of each and the parts that it has.

        Returns:
            The page, and how long the list is without its limit.
        """

        def read(tx: Tables) -> tuple[list[T], int]:
            asked = _narrowed(reader, query)
            found = _seen(reader, tx.client_messages.page(reader.org, asked))
            shown = [
                show(one, {n: (kind, name, size) for n, kind, name, size in _parts(tx, one)})
                for one in found
            ]
            return shown, tx.client_messages.count(reader.org, asked)

        return await self._database.read(read)


def _parts(tx: Tables, one: MessageView) -> Sequence[tuple[int, str, str | None, int]]:
    return tx.media_parts.outline(one.id) if one.parts else ()


def _narrowed(reader: Principal, query: ListQuery) -> ListQuery:
    return query if reader.limits is None else attrs.evolve(query, sees=reader.limits.sees)


def _seen(reader: Principal, found: Sequence[MessageView]) -> list[MessageView]:
    """Returns messages as the reader sees them."""
    seen = [one for one in found if may_see(reader, one.address)]
    if reader.limits is None or not reader.limits.codes_hidden:
        return seen
    return [one._replace(body=without_codes(one.address, one.body)) for one in seen]


MAX_DIGITS: Final = len(str(MAX_ID))


def _number(text: str) -> int | None:
    """Returns the gateway's own id of a message that a text is. None where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS):
        return None
    return number if 0 < (number := int(text)) <= MAX_ID else None


def _taken() -> Conflict:
    return Conflict("There is a message with this id already.")
