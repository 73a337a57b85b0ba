"""Conversations of an org as its people read them, as far as their API key's limits let them.

All who read for an org share what counts as read: it is one inbox.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from typing import Final, NamedTuple, TypeVar

import attrs

from phonegate.domain.contacts import known_patterns, may_read, names_of
from phonegate.domain.message_access import KnownSims, has_words, may_see, views, without_codes
from phonegate.model.conversations import MOST_UNREAD, Conversation
from phonegate.model.messages import MessageView, PageQuery
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput
from phonegate.store.database import Database
from phonegate.store.tables import Tables

T = TypeVar("T")

READ_AT_ONCE: Final = 100
"""Conversations that one write marks as read: some 3 ms, for which others may have to wait."""

FOUND_BY_PARTY: Final = 20
"""Conversations that a search gives for the beginning of their address, and as many for a name."""


class ConversationView(NamedTuple):
    """A conversation as a reader sees it."""

    address: str
    name: str | None
    """What the org calls the other party."""
    last: MessageView
    unread: int
    """How many received messages have not been read. `MOST_UNREAD` may be more."""
    read_to: int
    """Received messages up to this id have been read."""

    def __repr__(self) -> str:
        return f"ConversationView(last={self.last.id}, unread={self.unread})"


@attrs.frozen(kw_only=True)
class ConversationPage:
    """Conversations, the one with the newest message first."""

    conversations: Sequence[ConversationView]
    before: int | None
    """Where the next page begins. None after the last one."""


@attrs.frozen(kw_only=True)
class Found:
    """What a search has found."""

    conversations: Sequence[ConversationView]
    """Those whose address begins so, or whose name has it. Only the first page has them."""
    messages: Sequence[MessageView]
    """Those with all words that were sought, newest first."""
    names: Mapping[str, str] = attrs.field(repr=False)
    """What the org calls the other parties of the messages, where it calls them anything."""
    before: int | None
    """Where the next page begins. None after the last one."""
    texts_searched: bool = True
    """Whether texts were looked through. They are not where codes could be found out that way."""


@attrs.frozen(kw_only=True)
class Thread:
    """A part of a conversation, around one of its messages."""

    address: str = attrs.field(repr=False)
    messages: Sequence[MessageView]
    """By ascending id."""
    older: bool
    """Whether there are older ones."""
    newer: bool
    """Whether there are newer ones."""


class Conversations:
    """Reads conversations for callers, and keeps what they have read.

    What is to be shown is made by a function that each method is given. It runs in the thread that
    reads, as those of `MessageAccess` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        reader: Principal,
        show: Callable[[ConversationPage, KnownSims], T],
        *,
        before: int | None = None,
        limit: int = 50,
        only_unread: bool = False,
    ) -> T:
        """Returns what `show` makes of a page of conversations.

        Args:
            reader: Who reads.
            show: Makes of the page what is to be shown of it.
            before: The `before` of the page that came last. None for the first one.
            limit: Most conversations.
            only_unread: Only those in which something is unread.
        """

        def op(tx: Tables) -> T:
            newest = tx.conversations.newest(
                reader.org, before=before, only_unread=only_unread, sees=_seen(reader)
            )
            found = list(islice(newest, limit + 1))
            more = len(found) > limit
            del found[limit:]
            page = ConversationPage(
                conversations=_views(tx, reader, found), before=found[-1].last if more else None
            )
            return show(page, _known(tx, reader))

        return await self._database.read(op)

    async def one(
        self, reader: Principal, address: str, show: Callable[[ConversationView, KnownSims], T]
    ) -> T | None:
        """Returns what `show` makes of a conversation. None where the reader sees none."""

        def op(tx: Tables) -> T | None:
            if not may_see(reader, address):
                return None
            found = tx.conversations.one(reader.org, address)
            if found is None:
                return None
            (shown,) = _views(tx, reader, [found])
            return show(shown, _known(tx, reader))

        return await self._database.read(op)

    async def unread(self, reader: Principal) -> int:
        """Counts the conversations in which something is unread, up to `MOST_UNREAD`."""

        def op(tx: Tables) -> int:
            newest = tx.conversations.newest(reader.org, only_unread=True, sees=_seen(reader))
            return sum(1 for _ in islice(newest, MOST_UNREAD))

        return await self._database.read(op)

    async def find(
        self,
        reader: Principal,
        text: str,
        show: Callable[[Found, KnownSims], T],
        *,
        before: int | None = None,
        limit: int = 50,
    ) -> T:
        """Returns what `show` makes of what a search finds: in texts, addresses and names.

        Args:
            reader: Who reads.
            text: Words, the beginning of an address, or a part of a name.
            show: Makes of it what is to be shown.
            before: The `before` of the page that came last. None for the first one.
            limit: Most messages.
        """

        def op(tx: Tables) -> T:
            messages: Sequence[MessageView] = ()
            searched = True
            if has_words(text):
                query = PageQuery(search=text, before_id=before, limit=limit + 1)
                try:
                    messages = views(tx, reader, query)[::-1]
                except BadInput:
                    searched = False  # A number is sought by one from whom codes are hidden.
            shown = messages[:limit]
            found = Found(
                conversations=() if before is not None else _by_party(tx, reader, text),
                messages=shown,
                names=_names(tx, reader, (one.address for one in shown)),
                before=shown[-1].id if len(messages) > limit else None,
                texts_searched=searched,
            )
            return show(found, _known(tx, reader))

        return await self._database.read(op)

    async def around(
        self,
        reader: Principal,
        message_id: int,
        show: Callable[[Thread, KnownSims], T],
        *,
        limit: int = 50,
    ) -> T | None:
        """Returns what `show` makes of a message with those before and after it.

        Args:
            reader: Who reads.
            message_id: The message. It is among the older half.
            show: Makes of it what is to be shown.
            limit: Most messages.

        Returns:
            None where the reader sees no such message.
        """

        def op(tx: Tables) -> T | None:
            kept = tx.messages.views_of(reader.org, [message_id]).get(message_id)
            if kept is None or not may_see(reader, kept.address):
                return None
            half = max(1, limit // 2)
            of_address = PageQuery(address=kept.address, limit=half + 1)
            older = views(tx, reader, attrs.evolve(of_address, before_id=message_id + 1))
            newer = views(tx, reader, attrs.evolve(of_address, since_id=message_id))
            thread = Thread(
                address=kept.address,
                messages=[*older[-half:], *newer[:half]],
                older=len(older) > half,
                newer=len(newer) > half,
            )
            return show(thread, _known(tx, reader))

        return await self._database.read(op)

    async def mark_read(self, reader: Principal, address: str, upto: int) -> bool:
        """Notes that a conversation was read up to a message. Returns whether that was news.

        What came after that message, which the reader may not have seen, stays unread.
        """
        if not may_see(reader, address):
            return False
        changed = await self._database.write(
            lambda tx: tx.conversations.read(reader.org, [address], upto), patient=True, size=4
        )
        return changed > 0

    async def mark_unread(self, reader: Principal, address: str) -> bool:
        """Makes the last received message of a conversation unread. Returns whether that was news.

        It is none where the conversation was unread, or nothing was received in it.
        """
        if not may_see(reader, address):
            return False
        return await self._database.write(
            lambda tx: tx.conversations.unread(reader.org, address), patient=True, size=4
        )

    async def mark_all_read(self, reader: Principal, upto: int) -> int:
        """Notes that all that the reader sees was read up to a message.

        Returns:
            In how many conversations something had been unread until then.
        """

        def unread(tx: Tables) -> list[str]:
            newest = tx.conversations.newest(reader.org, only_unread=True, sees=_seen(reader))
            return [one.address for one in newest]

        addresses = await self._database.read(unread)
        count = 0
        for at in range(0, len(addresses), READ_AT_ONCE):
            some = addresses[at : at + READ_AT_ONCE]
            count += await self._database.write(partial(_mark_read, reader.org, some, upto))
        return count


def _mark_read(org: int, addresses: Sequence[str], upto: int, tx: Tables) -> int:
    return tx.conversations.read(org, addresses, upto)


def _seen(reader: Principal) -> tuple[str, ...]:
    return () if reader.limits is None else reader.limits.sees


def _known(tx: Tables, reader: Principal) -> KnownSims:
    return cache(partial(tx.phones.known_sims, reader.org))


def _views(
    tx: Tables, reader: Principal, found: Sequence[Conversation]
) -> Sequence[ConversationView]:
    """Returns conversations as the reader sees them."""
    newest = tx.messages.views_of(reader.org, (one.last for one in found))
    names = _names(tx, reader, (one.address for one in found))
    hidden = reader.limits is not None and reader.limits.codes_hidden
    shown = []
    for one in found:
        last = newest[one.last]
        if hidden:
            last = last._replace(body=without_codes(last.address, last.body))
        unread = tx.conversations.unread_messages(reader.org, one)
        name = names.get(one.address)
        shown.append(ConversationView(one.address, name, last, unread, one.read_to))
    return shown


def _names(tx: Tables, reader: Principal, addresses: Iterable[str]) -> Mapping[str, str]:
    """Returns what the org calls these parties, as far as the reader may know it."""
    return names_of(reader, list(set(addresses)), tx) if may_read(reader) else {}


def _by_party(tx: Tables, reader: Principal, text: str) -> Sequence[ConversationView]:
    """Returns conversations whose address begins with a text, or whose name has it in it."""
    found: dict[str, Conversation] = {}
    for beginning in _beginnings(text):
        for one in tx.conversations.beginning(
            reader.org, beginning, FOUND_BY_PARTY, sees=_seen(reader)
        ):
            found.setdefault(one.address, one)
    if may_read(reader) and text.strip():
        for contact in tx.contacts.page(
            reader.org,
            limit=FOUND_BY_PARTY,
            search=text.strip(),
            patterns=known_patterns(reader),
        ):
            named = tx.conversations.one(reader.org, contact.number)
            if named is not None and may_see(reader, contact.number):
                found.setdefault(contact.number, named)
    some = sorted(found.values(), key=lambda one: one.last, reverse=True)
    return _views(tx, reader, some)


def _beginnings(text: str) -> Sequence[str]:
    """Returns how an address may be written that a person seeks by its beginning."""
    typed = text.strip().removesuffix("*")
    number = "".join(char for char in typed if char.isascii() and char.isdigit())
    is_number = number and not typed.strip("+0123456789 ()-./\u00a0")
    if is_number:
        bare = number.removeprefix("00")
        forms = [number, f"+{bare}"] if not typed.startswith("+") else [f"+{number}"]
    else:
        forms = [typed, typed.upper(), typed.lower(), typed.capitalize()]
    return [form for form in dict.fromkeys(forms) if form and form != "+"]
