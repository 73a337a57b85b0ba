"""What a caller reads of its org's messages, as far as its API key's limits let it.

Whatever shows messages takes them from here and not from the tables, so that no route, filter or
wait can forget a limit. Each function runs within a transaction that the caller has.
"""

from collections.abc import Sequence
from typing import Final

import attrs

from phonegate.domain.one_time_codes import without_codes
from phonegate.model.messages import Message, MessageView, PageQuery
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, FieldProblem
from phonegate.store import search
from phonegate.store.address_patterns import fits
from phonegate.store.tables import Tables

NO_DIGITS: Final = "can hold no digits: one-time codes are hidden from this API key"


def views(tx: Tables, reader: Principal, query: PageQuery) -> Sequence[MessageView]:
    """A page of messages as the reader sees them.

    Raises:
        BadInput: The search could find out a code that the reader must not see.
    """
    page = tx.messages.views(reader.org, narrowed(reader, query))
    if reader.limits is None or not reader.limits.codes_hidden:
        return page
    return [one._replace(body=without_codes(one.address, one.body)) for one in page]


def find(tx: Tables, reader: Principal, message_id: int) -> Message | None:
    """The message of this id as the reader sees it. None where it may not, or there is none."""
    found = tx.messages.find(reader.org, message_id)
    if found is None or not may_see(reader, found.address):
        return None
    if reader.limits is None or not reader.limits.codes_hidden:
        return found
    return attrs.evolve(found, body=without_codes(found.address, found.body))


def may_see(reader: Principal, address: str) -> bool:
    """Whether the reader sees messages from and to an address."""
    return reader.limits is None or fits(reader.limits.sees, address)


def narrowed(reader: Principal, query: PageQuery) -> PageQuery:
    """The query for what the reader may see of what it asks for.

    Raises:
        BadInput: The search could find out a code that the reader must not see.
    """
    limits = reader.limits
    if limits is None:
        return query
    if not limits.codes_hidden or query.search is None:
        return attrs.evolve(query, sees=limits.sees)
    # Guessing digit by digit, by what is found or by how long it takes, must lead nowhere.
    whole, prefix = search.terms(query.search) or ((), None)
    if any(char.isdigit() for word in (*whole, prefix or "") for char in word):
        raise BadInput(f"q {NO_DIGITS}.", [FieldProblem("q", NO_DIGITS)])
    return attrs.evolve(query, sees=limits.sees, shown=without_codes)
