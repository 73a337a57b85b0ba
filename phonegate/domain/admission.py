"""Letting a send in: what its API key's limits make of it, refused or admitted and counted.

Both ways of sending (`sending`, `carrier_sending`) come through here, so that no route can forget a
limit. A sender without limits costs one comparison.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import attrs

from phonegate.domain import key_limits
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.messages import FAR_AHEAD_MS, Approval
from phonegate.model.orgs import KeyLimits, QuietHours
from phonegate.model.principal import Principal
from phonegate.model.refusals import (
    BatchOverLimit,
    Conflict,
    DiskLow,
    KeyLimitReached,
    QueueFull,
    QuietHoursBegun,
    RecipientNotAllowed,
    StorageSpent,
    Unauthorized,
)
from phonegate.store.tables import Tables

QUEUE_RETRY_S = 60
"""When to come again if an org's queue is full: a SIM sends some 24 segments in a minute."""


KEY_REVOKED = "its API key was revoked"
"""The `error` of a message that does not leave for that reason."""

DISK_RETRY_S = 60
"""When to come again if the disk is nearly full: its owner has to make room first."""

EACH_BYTES = 600
"""What a message takes of the disk beside its text, about: its row, its indexes and its words."""


class Departure(Protocol):
    """A message about to be sent, as far as limits ask about it."""

    @property
    def to(self) -> str:
        """Its recipient."""

    @property
    def send_at(self) -> int | None:
        """Not before this time, in ms; a past one means now."""


class Text(Protocol):
    """A message about to be stored, as far as its size goes."""

    @property
    def body(self) -> str:
        """Its text."""

    @property
    def media_urls(self) -> Sequence[str] | None:
        """Where its pictures are."""


@attrs.frozen(kw_only=True)
class Permit:
    """On what conditions a message may leave."""

    held: bool = False
    """A person approves it first."""
    leave_by: int | None = None
    """It must have left by then, whatever its ttl: when quiet hours begin. None where there are
    none, and for one that is held: approved, it leaves when that person says so."""
    default_ttl_s: int = 0
    """The ttl of a message that asks for none. 0 stands for no ttl."""

    def timing(self, send_at: int | None, ttl_s: int | None, now: int) -> "Timing":
        """When a message so timed may leave; its ttl runs from its `send_at`."""
        wanted_at = send_at if send_at is not None and send_at > now else None
        ttl_s = ttl_s or self.default_ttl_s or None
        expires_at = None if ttl_s is None else (wanted_at or now) + ttl_s * 1000
        if self.leave_by is not None and (expires_at is None or expires_at > self.leave_by):
            expires_at = self.leave_by
        if self.held:
            return Timing(FAR_AHEAD_MS, wanted_at, expires_at, self.leave_by, "asked")
        return Timing(wanted_at, None, expires_at, self.leave_by, None)


class Timing(NamedTuple):
    """When a message may leave, as it is stored; see `NewMessage`."""

    held_until: int | None
    wanted_at: int | None
    expires_at: int | None
    quiet_at: int | None
    approval: Approval | None


FREE = Permit()
"""That of a sender without limits."""


def examine(
    sender: Principal, departures: Sequence[Departure], now: int, *, default_ttl_s: int = 0
) -> list[Permit]:
    """The permit of each message; asks nothing of the store.

    Raises:
        RecipientNotAllowed: at least one goes to somebody whom the key may not send to.
        QuietHoursBegun: at least one would leave at a quiet time.
        Conflict: the zone of the quiet hours is not known here any more.
    """
    limits = sender.limits
    if limits is None:
        permit = attrs.evolve(FREE, default_ttl_s=default_ttl_s) if default_ttl_s else FREE
        return [permit] * len(departures)
    if foreign := key_limits.foreign(limits, (one.to for one in departures)):
        raise RecipientNotAllowed(foreign)
    if limits.quiet is None:
        permit = Permit(held=limits.hold, default_ttl_s=default_ttl_s)
        return [permit] * len(departures)
    if not key_limits.is_zone(limits.quiet.zone):
        # The machine's zones have changed since it was set.
        raise Conflict(
            f"This machine knows no time zone {limits.quiet.zone}, by which the quiet hours "
            "of this API key are."
        )
    permits: dict[int, Permit] = {}
    times = [max(one.send_at or now, now) for one in departures]
    quiet_at = None
    for leaves_at in sorted(set(times)):
        # Up to the next change all is as it was found: looking it up is dear near a day on
        # which the clocks change.
        if quiet_at is None or leaves_at >= quiet_at:
            quiet_at = _next_quiet(limits.quiet, leaves_at, now)
        by = None if limits.hold else quiet_at
        permits[leaves_at] = Permit(held=limits.hold, leave_by=by, default_ttl_s=default_ttl_s)
    return [permits[leaves_at] for leaves_at in times]


def _next_quiet(hours: QuietHours, at: int, now: int) -> int:
    """When quiet hours begin after a time; refuses the send where they have begun by then."""
    change = key_limits.next_change(hours, at)
    if key_limits.is_quiet(hours, at):
        raise QuietHoursBegun(
            f"This API key may not send at quiet hours; these end at {key_limits.utc(change)}.",
            _seconds(now, change),
            ends_at_ms=change,
        )
    return change


def admit(tx: Tables, sender: Principal, wanted: int, now: int) -> None:
    """Counts messages against a key's limits, in the transaction that stores them.

    Raises:
        Unauthorized: the key was revoked since it was let in, whether it has limits or not.
        KeyLimitReached: there is no room for them yet.
        BatchOverLimit: there never will be, for so many at once.
    """
    limits, key = sender.limits, sender.key_id
    if key is None:
        return
    if not tx.keys.exists(key):
        raise Unauthorized("This API key was revoked.")
    if limits is None or _counted(tx, key, limits, wanted, now):
        return
    begin, end = _day_around(now)
    found = key_limits.full(limits, tx.keys.sends(key, begin, end), wanted, now)
    assert found is not None, "it did not fit"  # noqa: S101
    span = "an hour" if found.window == "per_hour" else "a day"
    if found.ends_at is None:
        raise BatchOverLimit(
            f"This API key may send {found.allowed} messages {span}, and these are {wanted}: "
            "send fewer at once.",
            limit=found.window,
        )
    raise KeyLimitReached(
        f"This API key may send {found.allowed} messages {span} and has sent too many for "
        f"{'this one' if wanted == 1 else f'these {wanted}'}; it may from "
        f"{key_limits.utc(found.ends_at)} on.",
        _seconds(now, found.ends_at),
        limit=found.window,
        ends_at_ms=found.ends_at,
    )


def why_no_copy(tx: Tables, key_id: str | None, recipient: str, now: int) -> str | None:
    """Why a message can't be sent once more by itself. None where it can, and then it counts.

    The limits that hold are those of now.
    """
    if key_id is None:
        return None
    key = tx.keys.get(key_id)
    if key is None:
        return KEY_REVOKED
    if key.limits is None:
        return None
    if not key_limits.may_receive(key.limits, recipient):
        return "its API key may not send there any more"
    if not _counted(tx, key_id, key.limits, 1, now):
        return "its API key has sent as many as it may"
    return None


def _counted(tx: Tables, key: str, limits: KeyLimits, wanted: int, now: int) -> bool:
    """Counts messages of a key if there is room for them. Returns whether there is."""
    if limits.per_hour is None and limits.per_day is None:
        return True
    begin, end = _day_around(now)
    sums = {
        window: tx.keys.sent(key, now - length, end)
        for window, length in key_limits.WINDOWS
        if getattr(limits, window) is not None
    }
    if not key_limits.fits(limits, sums, wanted):
        return False
    tx.keys.forget_sends(key, before=begin, after=end)
    tx.keys.count(key, key_limits.step(now), wanted)
    return True


def _day_around(now: int) -> tuple[int, int]:
    """What lies ahead by more than a day was counted by a clock that was wrong."""
    return now - key_limits.DAY_MS, now + key_limits.DAY_MS


def admit_to_queue(tx: Tables, rate_limits: RateLimits, org: int, queued: int, now: int) -> None:
    """Lets messages wait, in the transaction that stores them, before they are stored.

    Raises:
        QueueFull: the org would have more waiting than it may.
    """
    limit = rate_limits.bounds.org_queue
    if not queued or not limit or tx.messages.queue_lengths.has_room(org, queued, limit, now):
        return
    rate_limits.note("org_queue")
    raise QueueFull(
        f"This org may have {limit} messages waiting, and has too many for "
        f"{'this one' if queued == 1 else f'these {queued}'}: nothing of it was stored. Wait "
        "until some have left, or cancel some.",
        QUEUE_RETRY_S,
        limit=limit,
    )


def admit_to_disk(tx: Tables, rate_limits: RateLimits, org: int, size: int, now: int) -> None:
    """Counts bytes that an org stores (see `size_of`), in the transaction that stores them.

    Raises:
        StorageSpent: the org has stored too much of late.
        DiskLow: the disk is nearly full, and others come first.
    """
    if not size:
        return
    limit = rate_limits.bounds.org_bytes_per_day
    if tx.storage_quota.is_self_made(org):
        limit, least = rate_limits.bounds.self_made_org_bytes_per_day, rate_limits.disk_low_bytes
        # Where all orgs have made themselves, there is none to keep room for.
        if least and tx.storage_quota.is_low(least) and tx.orgs.has_owned():
            rate_limits.note("disk_low")
            raise DiskLow(DISK_RETRY_S)
    if limit and (wait_s := tx.storage_quota.take(org, size, limit, now)):
        rate_limits.note("org_bytes")
        raise StorageSpent(limit, wait_s)


def size_of(messages: Sequence[Text]) -> int:
    """What messages count among the bytes that their org stores."""
    if len(messages) == 1 and not messages[0].media_urls and messages[0].body.isascii():
        return EACH_BYTES + len(messages[0].body)
    # All at once: one by one costs many times as much.
    length = len("".join([one.body for one in messages]).encode(errors="replace"))
    for one in messages:
        if one.media_urls:
            length += sum(map(len, one.media_urls))
    return EACH_BYTES * len(messages) + length


def _seconds(now: int, until: int) -> int:
    return max(1, -(-(until - now) // 1000))
