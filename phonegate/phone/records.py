"""The records of a phone's journal: each step of a message, before the phone takes it. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import attrs


def _ids(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(values)


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Taken:
    """The phone accepted this message and must report a result for it to the gateway."""

    id: int
    to: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    sim: str | None = None
    expires_at: int | None = None
    """When it may no longer be sent (ms since 1970, UTC)."""

    @property
    def digest(self) -> str:
        """Tells this message from another of the same id, without its text."""
        text = f"{self.to}\0{self.body}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=8).hexdigest()


@attrs.frozen(kw_only=True)
class Handed:
    """From now on the radio may have it."""

    id: int


@attrs.frozen(kw_only=True)
class Result:
    """The final result of a message. A `silent` one is never reported to the gateway."""

    id: int
    success: bool
    error: str | None = None
    segments: int | None = None
    uncertain: bool = False
    silent: bool = False
    reference: str | None = attrs.field(default=None, repr=False)
    """What the radio's delivery reports of it will name."""
    digest: str | None = attrs.field(default=None, repr=False, eq=False)
    """Of the message, which the ledger adds. None for one that was cancelled before it came."""


@attrs.frozen(kw_only=True)
class Delivered:
    """The recipient's phone confirmed the message at `date` (ms since 1970, UTC), or never will."""

    id: int
    date: int
    delivered: bool = True


@attrs.frozen(kw_only=True)
class Confirmed:
    """The gateway has certainly received these results and delivery reports."""

    results: tuple[int, ...] = attrs.field(default=(), converter=_ids)
    deliveries: tuple[int, ...] = attrs.field(default=(), converter=_ids)


@attrs.frozen(kw_only=True)
class Finished:
    """The ids of long finished messages, as `FinishedIds` holds them: block → bits in hex."""

    floor: int | None = None
    blocks: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Gateway:
    """The gateway from which messages come. `since` tells it from one that was begun anew.

    The messages of another gateway are forgotten: its ids mean others here.
    """

    since: str


@attrs.frozen(kw_only=True)
class Inbound:
    """An SMS arrived at this phone. `id` is the phone's own, `date` is ms since 1970, UTC."""

    id: str
    address: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    date: int
    sim_slot: int = 0


@attrs.frozen(kw_only=True)
class InboundAcked:
    """The gateway has stored these received messages."""

    ids: tuple[str, ...] = attrs.field(converter=_names)


@attrs.frozen(kw_only=True)
class InboundForgotten:
    """The radio holds nothing more of these received messages, which the gateway has."""

    ids: tuple[str, ...] = attrs.field(converter=_names)


@attrs.frozen(kw_only=True)
class Mark:
    """A radio's own note under a name, such as how far it has read an inbox."""

    name: str
    value: str


Record = (
    Taken
    | Handed
    | Result
    | Delivered
    | Confirmed
    | Finished
    | Gateway
    | Inbound
    | InboundAcked
    | InboundForgotten
    | Mark
)

KINDS: dict[str, type[Any]] = {
    "taken": Taken,
    "handed": Handed,
    "result": Result,
    "delivered": Delivered,
    "confirmed": Confirmed,
    "finished": Finished,
    "gateway": Gateway,
    "inbound": Inbound,
    "inbound_acked": InboundAcked,
    "inbound_forgotten": InboundForgotten,
    "mark": Mark,
}
"""The name of each record in a journal file."""
