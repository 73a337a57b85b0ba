"""Where the media of an MMS come from: the gateway's own parts, and addresses elsewhere.

The parts of received MMS are read from the database, as far as the message's sender may read them.
All else is fetched, past the guard of outgoing calls.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

import attrs

from phonegate.domain.media import ENDINGS, UNKNOWN, File, Media
from phonegate.domain.reported_texts import label
from phonegate.http.outgoing_address import CallFailed, CallRefused, Guard
from phonegate.model.bounds import MAX_MEDIA
from phonegate.model.refusals import Forbidden, NotFound
from phonegate.model.storage_errors import StoreError
from phonegate.phones.smsgate.mobile_message import Attachment

MOST_BYTES: Final = 1_000_000
"""Of all media of one MMS. Networks take 300 kB to 3 MB, and most of them 1 MB. What is larger
would fail at the phone, after it was carried there."""

_SHOWN_HOST: Final = 100
"""Characters of a host that an error names."""

_OWN_PATH: Final = re.compile(r"(?:/[\w.~-]+)*/media/([^/]+)/([0-9]{1,18})/([0-9]{1,4})")

_OK: Final = 200
_LATER: Final = frozenset({408, 425, 429})
"""Answers below 500 that say to come again: Request Timeout, Too Early, Too Many Requests."""
_FAULT: Final = 500

_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}


class MediaRefused(Exception):
    """An MMS can't be made, now and later. The reason is for its sender."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class MediaFailed(Exception):
    """An MMS can't be made now. The reason is for its sender, if it stays so."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class NoRoom(Exception):
    """There is no memory for media now."""


@attrs.frozen(kw_only=True)
class Wanted:
    """The media of one message."""

    org: int
    org_name: str
    message: int
    urls: tuple[str, ...] = attrs.field(repr=False)


Take = Callable[[int], bool]
"""Takes so many bytes of memory. Returns False where there are not so many."""


class MediaSource:
    """Fetches the media of messages."""

    def __init__(self, media: Media, guard: Guard, *, public_url: str = "") -> None:
        """Makes a source.

        Args:
            media: The gateway's own parts.
            guard: Says what may be called.
            public_url: The gateway's own address, as its owner has set it.
        """
        self._media = media
        self._guard = guard
        self._public_place = _place(urlsplit(public_url)) if public_url else None

    async def fetch(self, wanted: Wanted, take: Take) -> list[Attachment]:
        """Returns all media of a message, in their order.

        Args:
            wanted: The message.
            take: Takes the memory for them, before it is used.

        Raises:
            MediaRefused: They can't be had.
            MediaFailed: They can't be had now.
            NoRoom: There is no memory for them.
        """
        if len(wanted.urls) > MAX_MEDIA:
            raise MediaRefused(f"it has more than {MAX_MEDIA} media")
        load = _Load(take)
        found: list[Attachment] = []
        for number, url in enumerate(wanted.urls, 1):
            what = _Named(url, number, len(wanted.urls))
            try:
                found.append(await self._one(wanted, url, number, load))
            except (CallRefused, Forbidden, NotFound) as error:
                raise MediaRefused(what.with_reason(_reason(error))) from None
            except CallFailed as error:
                raise MediaFailed(what.with_reason(error.reason)) from None
            except StoreError:
                raise MediaFailed(what.with_reason("can't be read from the database")) from None
        return found

    async def _one(self, wanted: Wanted, url: str, number: int, load: "_Load") -> Attachment:
        if self._public_place is not None and _place(urlsplit(url)) == self._public_place:
            return await self._own(wanted, url, load)
        try:
            return await self._call(url, number, load)
        except CallRefused as error:
            if not error.is_own:
                raise
            return await self._own(wanted, url, load)

    async def _own(self, wanted: Wanted, url: str, load: "_Load") -> Attachment:
        """Reads one of the gateway's own parts."""
        found = _OWN_PATH.fullmatch(urlsplit(url).path)
        if found is None:
            raise CallRefused("is the gateway itself, where only /media/ has media")
        if unquote(found[1]) != wanted.org_name:
            raise CallRefused("is a part of another org's message")
        part = await self._media.attachment(
            wanted.org, wanted.message, int(found[2]), int(found[3])
        )
        _check_type(part.content_type)
        if not load.take(len(part.data)):
            load.explain()
        return _of_file(part)

    async def _call(self, url: str, number: int, load: "_Load") -> Attachment:
        # A gateway without such messages need not load an HTTP client: a tenth of its start.
        from phonegate.http.outgoing_call import opened, read_while  # noqa: PLC0415

        async with opened(self._guard, url) as answer:
            status = answer.status_code
            if status >= _FAULT or status in _LATER:
                raise CallFailed(f"answered HTTP {status}")
            if status != _OK:
                hint = ": redirects are not followed" if answer.has_redirect_location else ""
                raise CallRefused(f"answered HTTP {status}{hint}")
            declared = answer.headers.get("content-type", "")
            content_type = declared.partition(";")[0].strip().lower()
            _check_type(content_type)
            data = await read_while(answer, load.take)
        if data is None:
            load.explain()
            raise CallRefused("answered in an encoding that was not asked for")
        if not data:
            raise CallRefused("is empty")
        name = _name(url, content_type) or f"{number}{ENDINGS[content_type][0]}"
        return Attachment(content_type=content_type, name=name, data=data)


@attrs.define
class _Load:
    """How much the media of one message have together."""

    more: Take
    bytes: int = 0
    problem: CallRefused | NoRoom | None = None

    def take(self, size: int) -> bool:
        """Takes so much more. Returns whether it may be kept."""
        if self.bytes + size > MOST_BYTES:
            limit = f"{MOST_BYTES:,} bytes"
            self.problem = CallRefused(f"is too large: all media of an MMS have {limit} at most")
        elif not self.more(size):
            self.problem = NoRoom()
        else:
            self.bytes += size
        return self.problem is None

    def explain(self) -> None:
        """Raises what kept something from being taken, if anything has.

        Raises:
            CallRefused: The media are too large.
            NoRoom: There is no memory for them.
        """
        if self.problem is not None:
            raise self.problem


@attrs.frozen
class _Named:
    """Which of a message's media something is said of."""

    url: str
    number: int
    count: int

    def with_reason(self, reason: str) -> str:
        host = (urlsplit(self.url).hostname or "")[:_SHOWN_HOST]
        which = f"media {self.number} of {self.count}" if self.count > 1 else "its media"
        return f"{which} ({host}) {reason}"


def _check_type(content_type: str) -> None:
    if content_type == UNKNOWN or content_type not in ENDINGS:
        raise CallRefused("is of a type that is not sent: pictures, sounds, videos and text are")


def _reason(error: CallRefused | Forbidden | NotFound) -> str:
    return error.reason if isinstance(error, CallRefused) else f"can't be read: {error}"


def _of_file(part: File) -> Attachment:
    return Attachment(content_type=part.content_type, name=part.name, data=part.data)


def _name(url: str, content_type: str) -> str | None:
    """Returns the name of a file as its address ends, if that fits its type."""
    name = label(unquote(PurePosixPath(urlsplit(url).path).name))
    if name is None or PurePosixPath(name).suffix.lower() not in ENDINGS[content_type]:
        return None
    return name


def _place(parts: SplitResult) -> tuple[str | None, int | None]:
    """Returns the host and port that an address names."""
    try:
        return parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None, None
