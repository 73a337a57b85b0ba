"""Messages as the JSON text of answers, written straight from what was read of them.

It is the text of `presenters.message_json`, from the same types. But that makes an object of each
message first, which takes twice as long as all else of a page.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from phonegate.api.convert import CONVERTER
from phonegate.api.messages_types import MessagesAnswer
from phonegate.api.presenters import MessageJson, message_json
from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import ADDRESS_BYTES, PAGE_BYTES, ROW_BYTES, MessageView
from phonegate.model.phones import Sim
from phonegate.model.shown_rows import ORDINARY, ShownRow, is_ordinary, shown_view
from phonegate.model.states import QUEUED, SENDING
from phonegate.model.times import THOUSANDTHS, second
from phonegate.typed_json.writer import Source

_WAITING: Final = frozenset({QUEUED, SENDING})


def _time(parameter: str) -> Source:
    digits = f"{{second({parameter} // 1000)}}{{thousandths[{parameter} % 1000]}}"
    return Source(parameter, f'"{digits}"')


def _word(parameter: str) -> Source:
    """Returns a source of words of our own, in which there is nothing to escape."""
    return Source(parameter, f'"{{{parameter}}}"')


_SOURCES: Final[Mapping[str, Source]] = {
    "direction": _word("direction"),
    "status": _word("status"),
    "provider": _word("provider"),
    "created_at": _time("created_at"),
    "sent_at": _time("sent_at"),
    "delivered_at": _time("delivered_at"),
    "send_at": _time("held_until"),
    "expires_at": _time("expires_at"),
}

_message: Final = CONVERTER.of_values(
    MessageJson,
    (*MessageView._fields, "waiting_for=None"),
    _SOURCES,
    {"second": second, "thousandths": THOUSANDTHS},
)

_NULL: Final = Source("", "null")

_ordinary: Final = CONVERTER.of_values(
    MessageJson,
    (*ORDINARY, "_"),
    {
        **_SOURCES,
        **dict.fromkeys(("error", "media_urls", "send_at", "expires_at", "waiting_for"), _NULL),
    },
    {"second": second, "thousandths": THOUSANDTHS},
)
"""Writes a `ShownRow` that is ordinary."""

_page: Final = CONVERTER.of_values(
    MessagesAnswer,
    ("org_id", "count", "messages"),
    {"messages": Source("messages", "[{','.join(messages)}]")},
)


def message_text(
    message: MessageView,
    online: Sequence[OnlinePhone] | None,
    known: Callable[[], Sequence[Sim]] = tuple,
    *,
    media: str,
) -> str:
    """Returns the JSON text of `presenters.message_json`."""
    if message.status in _WAITING or message.parts:
        return CONVERTER.text(message_json(message, online, known, media=media))
    return _message(*message)


def page_text(
    org_name: str,
    found: Sequence[MessageView],
    online: Sequence[OnlinePhone],
    known: Callable[[], Sequence[Sim]],
    *,
    media: str,
) -> bytes:
    """Returns the JSON text, in UTF-8, of the answer that shows a page of messages."""
    texts = [message_text(one, online, known, media=media) for one in found]
    return _page(org_name, len(texts), texts).encode("utf-8", "replace")


def rows_text(
    org_name: str,
    found: Sequence[ShownRow],
    online: Sequence[OnlinePhone],
    known: Callable[[], Sequence[Sim]],
    *,
    media: str,
    most_bytes: int,
) -> bytes | None:
    """Returns the same text, made of `ShownRow`s.

    None where it may have more than `most_bytes`, by the measure of pages: some of the rows may
    have to be left to the next page then.
    """
    counted = len(found) * ROW_BYTES
    texts = []
    for row in found:
        if is_ordinary(row):
            texts.append(_ordinary(*row))
        else:
            message = shown_view(row)
            counted += message.parts * ADDRESS_BYTES
            texts.append(message_text(message, online, known, media=media))
    # What a page counts of a text, this has whole.
    text = _page(org_name, len(texts), texts).encode("utf-8", "replace")
    return text if counted + len(text) <= most_bytes else None


class PageText:
    """Makes the answer that shows a page of messages, in a reader's thread.

    Args:
        org_name: The org's.
        online: Its phones.
        media: The beginning of the addresses of its messages' parts.
    """

    def __init__(self, org_name: str, online: Sequence[OnlinePhone], *, media: str) -> None:
        self._org_name = org_name
        self._online = online
        self._media = media

    def of_views(self, found: Sequence[MessageView], known: Callable[[], Sequence[Sim]]) -> bytes:
        """Makes it of any page."""
        return page_text(self._org_name, found, self._online, known, media=self._media)

    def of_rows(
        self, found: Sequence[ShownRow], known: Callable[[], Sequence[Sim]]
    ) -> bytes | None:
        """Makes it of `ShownRow`s, unless they may be too much."""
        return rows_text(
            self._org_name,
            found,
            self._online,
            known,
            media=self._media,
            most_bytes=PAGE_BYTES,
        )
