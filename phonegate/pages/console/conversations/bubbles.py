"""What a conversation shows of each message: its bubble. Pure.

A bubble is made of a message as the API shows it, so that a page, a part of one and the live
stream show the same.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import attrs

from phonegate.carriers.registry import CARRIERS
from phonegate.model.assistants import PHONE
from phonegate.model.principal import Principal
from phonegate.model.states import (
    CANCELLED,
    EXPIRED,
    FAILED,
    QUEUED,
    SENDING,
    UNCERTAIN,
)
from phonegate.pages.console.words import ADVICE, MOODS, STATE_WORDS, Mood, waits_words

LATE_MS: Final = 300_000
"""A received message that is older than this when the gateway gets it shows its own time too."""

MOST_LETTERS: Final = 10_000
"""Characters of a text that a page shows. An SMS has at most some 39,000; the rest of such a one
is in the API."""

_OWN_PART: Final = re.compile(r"/media/[A-Za-z0-9_-]{3,50}/(\d{1,19})/(\d{1,3})$")

_AGAIN: Final = frozenset({FAILED, EXPIRED, CANCELLED, UNCERTAIN})


@attrs.frozen
class PartLink:
    """A part of an MMS that the gateway keeps."""

    message: int
    number: int

    @property
    def path(self) -> str:
        """Where the console shows it."""
        return f"/media/{self.message}/{self.number}"


@attrs.frozen(kw_only=True)
class Bubble:
    """One message of a conversation."""

    id: int
    own: bool
    """Whether the org sent it."""
    address: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    cut: bool
    """Whether the text goes on."""
    status: str
    state: str
    mood: Mood
    waits: str | None
    until: str | None
    """The time that it waits for, in ISO 8601."""
    at: str
    """When it was stored, in ISO 8601."""
    late_at: str | None
    """The phone's own time, where the gateway got it much later."""
    reason: str | None = attrs.field(repr=False)
    """Why it failed, in the words of its phone or carrier."""
    advice: str | None
    segments: int | None
    via: str
    """By which SIM or carrier, in a few words."""
    key: str | None
    """The API key that sent it."""
    parts: Sequence[PartLink]
    elsewhere: Sequence[str]
    """Media that other hosts have. They are shown as text, and never fetched."""
    can_send_again: bool
    can_cancel: bool
    waits_for_approval: bool

    @property
    def clock(self) -> str:
        """The time of day in UTC, for readers without a script."""
        return self.at[11:16]

    @property
    def day(self) -> str:
        """The day in UTC."""
        return self.at[:10]


def bubble(message: Mapping[str, Any], *, may_send: bool, only_key: str | None = None) -> Bubble:
    """Makes the bubble of a message of the API.

    Args:
        message: Its JSON.
        may_send: Whether the reader may send.
        only_key: The only API key whose messages the reader may cancel. None: all.
    """
    status, own = message["status"], message["direction"] == "out"
    waiting_for = message["waiting_for"]
    body = message["body"]
    parts, elsewhere = _media(message["media_urls"] or ())
    still_here = status == QUEUED or (status == SENDING and waiting_for in {"phone", "sim"})
    return Bubble(
        id=message["id"],
        own=own,
        address=message["address"],
        text=body[:MOST_LETTERS],
        cut=len(body) > MOST_LETTERS,
        status=status,
        state=STATE_WORDS[status],
        mood=MOODS[status],
        waits=waits_words(message),
        until=message["send_at"] if waiting_for == "send_at" else None,
        at=message["created_at"],
        late_at=_late(message),
        reason=message["error"],
        # A reason says it better, where nothing has to be decided.
        advice=ADVICE.get(status) if status == UNCERTAIN or not message["error"] else None,
        segments=message["segments"],
        via=_via(message),
        key=message["key"],
        parts=parts,
        elsewhere=elsewhere,
        can_send_again=may_send and own and status in _AGAIN,
        can_cancel=may_send and still_here and only_key in {None, message["key"]},
        waits_for_approval=waiting_for == "approval",
    )


def own_key(reader: Principal) -> str | None:
    """Returns the only API key whose messages a person may cancel. None: all."""
    return None if reader.limits is None else reader.key_id


def one_line(body: str, *, has_media: bool, most: int = 140) -> str:
    """Returns the beginning of a text in one line, for a list."""
    text = " ".join(body[: 4 * most].split())
    if text:
        return text if len(text) <= most else f"{text[:most]}…"
    return "Picture or other media" if has_media else "No text"


def _media(urls: Sequence[str]) -> tuple[tuple[PartLink, ...], tuple[str, ...]]:
    own, elsewhere = [], []
    for url in urls:
        found = _OWN_PART.search(url)
        if found is None:
            elsewhere.append(url)
        else:
            own.append(PartLink(int(found[1]), int(found[2])))
    return tuple(own), tuple(elsewhere)


def _via(message: Mapping[str, Any]) -> str:
    sim, slot, provider = message["sim"], message["sim_slot"], message["provider"]
    if provider != PHONE:
        title = CARRIERS[provider].title
        return f"{sim} · {title}" if sim else title
    return sim or ("" if slot is None else f"SIM {slot + 1}")


def _late(message: Mapping[str, Any]) -> str | None:
    date = message["date"]
    if message["direction"] == "out" or date is None:
        return None
    try:
        sent = datetime.fromtimestamp(date / 1000, UTC)
        stored = datetime.fromisoformat(message["created_at"])
    except (OverflowError, ValueError, OSError):
        return None
    if (stored - sent).total_seconds() * 1000 < LATE_MS:
        return None
    return sent.isoformat(timespec="milliseconds").replace("+00:00", "Z")
