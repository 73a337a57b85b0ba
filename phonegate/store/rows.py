"""How messages become rows of the table `messages`, and rows messages.

Every list here is made from the fields of the model's classes, whose names the columns bear.
"""

import json
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

import attrs

from phonegate.model import states
from phonegate.model.callbacks import Callback
from phonegate.model.messages import Leased, Message, MessageView, NewInbound, NewMessage
from phonegate.model.shown_rows import ORDINARY, RARE

T = TypeVar("T")


def _names(model: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(model))


_NEW: Final = _names(NewMessage)
INSERTED: Final = (*_NEW, "direction", "attempts", "pushed_at")
"""The columns that storing an outbound message sets, in the order of a `new_row`."""

_LATER: Final = tuple(
    field for field in attrs.fields(Message) if field.name not in {*INSERTED, "id"}
)
COLUMNS: Final = (*INSERTED, "id", *(field.name for field in _LATER))
"""The columns of a message in the order in which `message` takes them."""

SELECTED: Final = ", ".join(COLUMNS)

INSERTED_INBOUND: Final = (*_names(NewInbound), "direction", "status")
"""The columns that storing a received message sets, in the order of a `received_row`."""

_UNSET: Final = tuple(field.default for field in _LATER)
_MEDIA: Final = COLUMNS.index("media_urls")
_CALLBACK: Final = COLUMNS.index("status_callback")
_RECEIVED_MEDIA: Final = INSERTED_INBOUND.index("media_urls")
_VIEW_MEDIA: Final = MessageView._fields.index("media_urls")
_LEASED_MEDIA: Final = Leased._fields.index("media_urls")
_new: Final = tuple.__new__

# Made as `attrs` makes an `__init__`: an `attrgetter` of so many names takes six times as long.
_values: Final[Callable[[NewMessage], tuple[Any, ...]]] = eval(  # noqa: S307 - the model's own names
    f"lambda new: ({', '.join(f'new.{name}' for name in _NEW)})"
)
_received_values = attrgetter(*_names(NewInbound))

# This runs for every row that is read, and filling the slots one by one takes no longer than to
# spell all fields out in a call, which would be another list of them. A call with a dict of so
# many takes three times as long.
_SETTERS: Final = tuple(getattr(Message, name).__set__ for name in COLUMNS)


def message(row: tuple[Any, ...]) -> Message:
    """Returns the message of a row of the `COLUMNS`."""
    if row[_MEDIA] is not None:
        row = _decoded(row, _MEDIA)
    if row[_CALLBACK] is not None:
        row = (*row[:_CALLBACK], callback(row[_CALLBACK]), *row[_CALLBACK + 1 :])
    made = object.__new__(Message)
    for put, value in zip(_SETTERS, row, strict=True):
        put(made, value)
    return made


def new_row(new: NewMessage) -> tuple[Any, ...]:
    """Returns the values of the `INSERTED` columns. A message that is `sending` is pushed now."""
    values = _values(new)
    if new.media_urls is not None:
        values = _encoded(values, _MEDIA)
    if new.status_callback is not None:
        kept = json.dumps(new.status_callback.kept())
        values = (*values[:_CALLBACK], kept, *values[_CALLBACK + 1 :])
    if new.status == states.SENDING:
        return (*values, "out", 1, new.created_at)
    return (*values, "out", 0, None)


def callback(kept: str) -> Callback:
    """Returns the status callback that a row has."""
    return Callback.read(json.loads(kept))


def received_row(new: NewInbound) -> tuple[Any, ...]:
    """Returns the values of the `INSERTED_INBOUND` columns."""
    values = _received_values(new)
    if new.media_urls is not None:
        values = _encoded(values, _RECEIVED_MEDIA)
    return (*values, "in", states.RECEIVED)


def stored(new: NewMessage, id: int) -> Message:  # noqa: A002 - the model's name for it
    """Returns the message that storing `new` has made, without reading it back."""
    return message((*new_row(new), id, *_UNSET))


def view(row: tuple[Any, ...]) -> MessageView:
    """Returns what a reader is shown of a row of the columns of a `MessageView`."""
    # `_make` is a function around this.
    return _new(MessageView, row if row[_VIEW_MEDIA] is None else _decoded(row, _VIEW_MEDIA))


def leased(row: tuple[Any, ...]) -> Leased:
    """Returns what a phone is given of a row of the columns of a `Leased`."""
    return _new(Leased, row if row[_LEASED_MEDIA] is None else _decoded(row, _LEASED_MEDIA))


def _decoded(row: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    """Returns a row with the media URLs as the model has them."""
    return (*row[:at], tuple(json.loads(row[at])), *row[at + 1 :])


def _encoded(values: tuple[Any, ...], at: int) -> tuple[Any, ...]:
    """Returns values with the media URLs as the table has them, a JSON array."""
    return (*values[:at], json.dumps(values[at]), *values[at + 1 :])


SHOWN: Final = (
    *ORDINARY,
    "CASE WHEN coalesce(error, media_urls, held_until, expires_at, nullif(parts, 0)) IS NULL"
    " AND status NOT IN ('queued', 'sending')"
    f" THEN NULL ELSE json_array({', '.join(RARE)}) END",
)
"""What is read of a message as a `ShownRow`."""


@attrs.frozen
class Reading(Generic[T]):
    """What is read of each message, and what becomes of it."""

    columns: tuple[str, ...]
    record: Callable[[tuple[Any, ...]], T]


MESSAGES: Final = Reading(COLUMNS, message)
VIEWS: Final = Reading(MessageView._fields, view)
