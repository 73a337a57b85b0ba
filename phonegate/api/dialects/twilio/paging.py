"""Pages of lists in Twilio's form: a page names the one that follows. Pure.

The addresses are relative to the base address that its clients were given, so that they are right
under a path prefix too. Source: twilio.com/docs/usage/twilios-response#pagination.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import attrs

from phonegate.model.twilio_ids import message_of, message_sid

DEFAULT_SIZE: Final = 50
"""Entries of a page where its client says nothing, as Twilio has it."""

MAX_SIZE: Final = 1_000
"""Most entries of a page."""

_BEFORE: Final = "PA"
"""How the token of a page of messages begins: those before the message whose id follows."""


@attrs.frozen(kw_only=True)
class Place:
    """Which page of a list is asked for."""

    path: str
    """The address of the list, without its query."""
    filters: Sequence[tuple[str, str]] = attrs.field(default=(), repr=False)
    """The other parameters, as they were given."""
    number: int = 0
    size: int = DEFAULT_SIZE


def page(
    key: str, entries: Sequence[Mapping[str, Any]], place: Place, following: str | None
) -> dict[str, Any]:
    """Returns a page.

    Args:
        key: What the list is called.
        entries: Its entries.
        place: Which page it is.
        following: The token of the page that follows. None where this is the last one.
    """
    begin = place.number * place.size
    first = [("PageSize", str(place.size)), ("Page", "0")]
    then = [("PageSize", str(place.size)), ("Page", str(place.number + 1))]
    shown = [("PageSize", str(place.size)), ("Page", str(place.number))]
    return {
        "first_page_uri": _uri(place, first),
        "end": begin + max(0, len(entries) - 1),
        "previous_page_uri": None,
        key: list(entries),
        "uri": _uri(place, shown),
        "page_size": place.size,
        "start": begin,
        "next_page_uri": (
            None if following is None else _uri(place, [*then, ("PageToken", following)])
        ),
        "page": place.number,
    }


def token_before(message: int) -> str:
    """Returns the token of the page of messages that are older than one."""
    return f"{_BEFORE}{message_sid(message)}"


def message_before(token: str) -> int | None:
    """Returns the message that a page of messages comes before. None where it is no token."""
    return message_of(token.removeprefix(_BEFORE)) if token.startswith(_BEFORE) else None


def _uri(place: Place, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{place.path}?{urlencode([*parameters, *place.filters], errors='replace')}"
