"""The SQL of a page of messages: which index it reads, and what it checks row by row.

A page reads one index from where the reader stands and stops when it is full, so it costs the
same however much is stored. The indexes end in `direction` (SQLite appends the rowid); a page
of both directions is the merge of two ranges, which SQLite does as it goes ("MERGE (UNION
ALL)" in its plans). Filters that the chosen index does not hold are checked row by row:

- what waits for approval is few, so that comes first;
- an address is nearly always the rarest thing, so it is next;
- then the API key that sent it;
- then the SIM, unless a status is asked for that few messages have or have for long;
- then the status, then the direction.

Indexes are named in the SQL: SQLite keeps no statistics here, and a plan that changed with
the data would be a page that is slow some day.
"""

from functools import lru_cache
from typing import Final

import attrs

from phonegate.model.bounds import MAX_ID, SLOT_DIGITS
from phonegate.model.messages import PageQuery
from phonegate.store.address_patterns import condition, fits
from phonegate.store.rows import COLUMNS

_COMMON: Final = frozenset({"received", "sent", "delivered"})
"""Statuses that messages end in as a rule: an org's history is made of them."""

TO_APPROVE: Final = "status = 'queued' AND approval = 'asked'"
"""The condition of the index `messages_to_approve`."""

ADDRESSES: Final = """
    SELECT address FROM messages INDEXED BY messages_by_address
    WHERE org = ? AND address > ? AND address < ? ORDER BY address LIMIT 1
"""
"""The next address of an org after one, and before the end of a range."""


@attrs.frozen
class Shape:
    """What of a page's SQL depends on the query: which filters there are, never their values."""

    index: str
    keys: tuple[str, ...]
    directions: tuple[str, ...]
    """The ranges to merge; empty for the index that doesn't end in `direction`."""
    checks: tuple[str, ...]
    since: bool
    before: bool
    columns: tuple[str, ...] = COLUMNS
    partial: str = ""
    """The condition of the index, where it holds a part of the messages only."""
    seen: int = 0
    """How many patterns there are, one of which the address must fit. 0: it may be any."""


def shape(query: PageQuery, columns: tuple[str, ...] = COLUMNS) -> Shape | None:
    """Returns the index that a page should read, or `None` when no message can be in it."""
    direction = direction_of(query)
    if query.direction not in {None, direction}:
        return None
    if query.address is not None and not fits(query.sees, query.address):
        return None
    checks = set(checked_columns(query))
    index, keys = _index_of(query)
    partial = TO_APPROVE if query.approval else ""
    directions: tuple[str, ...] = ()
    if partial:
        if query.status not in {None, "queued"}:
            return None
    elif index not in {"messages_by_status", "messages_by_key"}:
        directions = ("in", "out") if direction is None else (direction,)
    checks -= {*keys, "direction"} | ({"status"} if partial else set())
    return Shape(
        index,
        keys,
        directions,
        tuple(sorted(checks)),
        query.since_id is not None,
        query.before_id is not None,
        columns,
        partial,
        patterns_checked(query),
    )


def _index_of(query: PageQuery) -> tuple[str, tuple[str, ...]]:
    """Returns the index that narrows a page most, and the columns of it that the query fixes."""
    if query.approval:
        return "messages_to_approve", ()
    if query.address is not None:
        return "messages_by_address", ("address",)
    if query.key is not None:
        return "messages_by_key", ("key",)
    if query.sim is not None and (query.status is None or query.status in _COMMON):
        column = _sim_column(query.sim)
        return "messages_by_sim" if column == "sim" else "messages_by_slot", (column,)
    if query.status is not None:
        return "messages_by_status", ("status",)
    return "messages_by_org", ()


@lru_cache(maxsize=512)
def sql(form: Shape) -> str:
    """Returns the SELECT of a page: newest first, or oldest first when it has a `since_id`."""
    where = ["org = :org", *(f"{name} = :{name}" for name in (*form.keys, *form.checks))]
    if form.partial:
        where.append(form.partial)
    if form.seen:
        where.append(condition("address", form.seen))
    if form.since:
        where.append("id > :since_id")
    if form.before:
        where.append("id < :before_id")
    columns = ", ".join(form.columns)
    select = f"SELECT {columns} FROM messages INDEXED BY {form.index} WHERE {{}}"  # noqa: S608
    ranges = [
        select.format(" AND ".join((*where, f"direction = '{direction}'")))
        for direction in form.directions
    ] or [select.format(" AND ".join(where))]
    order = "ASC" if form.since else "DESC"
    return f"{' UNION ALL '.join(ranges)} ORDER BY id {order} LIMIT :limit"


@lru_cache(maxsize=128)
def search_sql(
    checks: tuple[str, ...],
    newest: bool,  # noqa: FBT001 - a cache key
    approval: bool = False,  # noqa: FBT001, FBT002 - as above
    columns: tuple[str, ...] = COLUMNS,
    seen: int = 0,
) -> str:
    """Returns the SELECT of the matches in a range of ids. `words` is always the outer loop."""
    where = "".join(f" AND m.{name} = :{name}" for name in checks)
    if approval:
        where += f" AND {TO_APPROVE}"
    if seen:
        where += f" AND {condition('m.address', seen)}"
    selected = ", ".join(f"m.{name}" for name in columns)
    return (
        f"SELECT {selected} FROM words CROSS JOIN messages AS m ON m.id = words.rowid"  # noqa: S608
        " WHERE words MATCH :words AND words.rowid > :since_id AND words.rowid < :before_id"
        f" AND m.org = :org{where}"
        f" ORDER BY words.rowid {'DESC' if newest else 'ASC'} LIMIT :limit"
    )


def values(org: int, query: PageQuery) -> dict[str, object]:
    """Returns what the named parameters of either SELECT stand for."""
    found: dict[str, object] = {"org": org, "limit": min(query.limit, MAX_ID)}
    if query.since_id is not None:
        found["since_id"] = max(min(query.since_id, MAX_ID), -1)
    if query.before_id is not None:
        found["before_id"] = max(min(query.before_id, MAX_ID), 0)
    for name in checked_columns(query):
        found[name] = getattr(query, name, None)
    if query.sim is not None:
        column = _sim_column(query.sim)
        found[column] = query.sim if column == "sim" else int(query.sim)
    for at in range(patterns_checked(query)):
        found[f"seen{at}"] = query.sees[at]
    return found


def direction_of(query: PageQuery) -> str | None:
    """Returns the direction of all messages of the page: the wanted one, or by their status."""
    if query.approval or query.key is not None:
        return "out"
    if query.status is None:
        return query.direction
    return "in" if query.status == "received" else "out"


def checked_columns(query: PageQuery) -> tuple[str, ...]:
    """Returns the columns that the query's filters are about."""
    names = [
        name
        for name in ("address", "direction", "key", "status")
        if getattr(query, name) is not None
    ]
    if query.sim is not None:
        names.append(_sim_column(query.sim))
    return tuple(names)


def patterns_checked(query: PageQuery) -> int:
    """Returns how many patterns each row's address is compared with."""
    return 0 if query.address is not None else len(query.sees)


def _sim_column(sim: str) -> str:
    is_slot = sim.isascii() and sim.isdigit() and len(sim) <= SLOT_DIGITS
    return "sim_slot" if is_slot else "sim"
