"""The limits that a message must meet before it is stored: its API key's and its org's.

`acceptance` asks for all of them, in their order, for both ways of sending. A sender without
limits costs one comparison.
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
    OrgSuspended,
    QueueFull,
    QuietHoursBegun,
    RecipientNotAllowed,
    StorageSpent,
    Unauthorized,
)
from phonegate.model.times import DAY_MS
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
    """A message about to be sent, as far as the limits of a key need to know it."""

    @property
    def to(self) -> str:
        """Its recipient."""

    @property
    def send_at(self) -> int | None:
        """It leaves not before this time, in ms. A past one means now."""


class Sized(Protocol):
    """A message about to be stored, as far as its size needs to be known."""

    @property
    def body(self) -> str:
        """Its text."""

    @property
    def media_urls(self) -> Sequence[str] | None:
        """The addresses of its pictures."""


@attrs.frozen(kw_only=True)
class Permit:
    """On what conditions a message may leave."""

    held: bool = False
    """Whether a person must approve it first."""
    leave_by: int | None = None
    """When quiet hours begin: by then it must have left, whatever its ttl. None where there are
    none, and for a message that is held: it leaves when it is approved."""
    default_ttl_s: int = 0
    """The ttl of a message that asks for none. 0 stands for no ttl."""

    def timing(self, send_at: int | None, ttl_s: int | None, now: int) -> "Timing":
        """Works out when a message may leave. Its ttl runs from its `send_at`."""
        wanted_at = send_at if send_at is not None and send_at > now else None
        ttl_s = ttl_s or self.default_ttl_s or None
        expires_at = None if ttl_s is None else (wanted_at or now) + ttl_s * 1000
        if self.leave_by is not None and (expires_at is None or expires_at > self.leave_by):
            expires_at = self.leave_by
        if self.held:
            return Timing(FAR_AHEAD_MS, wanted_at, expires_at, self.leave_by, "asked")
        return Timing(wanted_at, None, expires_at, self.leave_by, None)


class Timing(NamedTuple):
    """The times of a message as they are stored (see `NewMessage`)."""

    held_until: int | None
    wanted_at: int | None
    expires_at: int | None
    quiet_at: int | None
    approval: Approval | None


FREE = Permit()
"""The permit of a sender without limits."""


def examine(
    sender: Principal, departures: Sequence[Departure], now: int, *, default_ttl_s: int = 0
) -> list[Permit]:
    """Gives each message its permit, in their order. Asks nothing of the store.

    Raises:
        RecipientNotAllowed: The key may not send to the recipient of at least one message.
        QuietHoursBegun: At least one would leave at a quiet time.
        Conflict: This machine does not know the time zone of the quiet hours any more.
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
        # Up to the next change nothing differs, and looking it up is slow near a day on which
        # the clocks change.
        if quiet_at is None or leaves_at >= quiet_at:
            quiet_at = _next_quiet(limits.quiet, leaves_at, now)
        by = None if limits.hold else quiet_at
        permits[leaves_at] = Permit(held=limits.hold, leave_by=by, default_ttl_s=default_ttl_s)
    return [permits[leaves_at] for leaves_at in times]


def _next_quiet(hours: QuietHours, at: int, now: int) -> int:
    """Finds when quiet hours begin after a time.

    Raises:
        QuietHoursBegun: They have begun by then.
    """
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
        Unauthorized: The key was revoked since the request was authenticated.
        KeyLimitReached: The key may send them later.
        BatchOverLimit: The key may never send so many at once.
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
    """Says why a message may not be sent once more without a new request.

    The limits that count are those that the key has now. A message that may be sent is counted.

    Returns:
        The reason for the message's `error`, or None where it may be sent.
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
    """Counts messages of a key if its limits have room for them. Returns whether they had."""
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
    """Returns the times that count. What is a day ahead was counted by a wrong clock."""
    return now - DAY_MS, now + DAY_MS


def admit_to_queue(tx: Tables, rate_limits: RateLimits, org: int, queued: int, now: int) -> None:
    """Checks that messages may wait, in the transaction that stores them, before they are stored.

    Raises:
        QueueFull: The org would have more waiting than it may.
    """
    limit = rate_limits.bounds.org_queue
    if not queued or not limit or tx.queue_lengths.has_room(org, queued, limit, now):
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
        StorageSpent: The org has stored too much within the last day.
        DiskLow: The disk is nearly full, and orgs that the owner made come first.
        OrgSuspended: The org is not served now.
    """
    if not size:
        return
    if tx.orgs.is_suspended(org):
        # Its request was let in before. What is stored from now on might not move with it.
        raise OrgSuspended
    limit = rate_limits.bounds.org_bytes_per_day
    if tx.storage_quota.is_self_made(org):
        limit, least = rate_limits.bounds.self_made_org_bytes_per_day, rate_limits.disk_low_bytes
        # Where a first call made every org, there is none to keep room for.
        if least and tx.storage_quota.is_low(least) and tx.orgs.has_owned():
            rate_limits.note("disk_low")
            raise DiskLow(DISK_RETRY_S)
    if limit and (wait_s := tx.storage_quota.take(org, size, limit, now)):
        rate_limits.note("org_bytes")
        raise StorageSpent(limit, wait_s)


def size_of(messages: Sequence[Sized]) -> int:
    """Counts the bytes that messages take of what their org may store."""
    size = size_of_texts([one.body for one in messages])
    for one in messages:
        if one.media_urls:
            size += sum(map(len, one.media_urls))
    return size


def size_of_texts(bodies: Sequence[str]) -> int:
    """Counts the bytes that messages of these texts, without media, take of the same."""
    # Joined: encoding them one by one takes many times as long.
    text = bodies[0] if len(bodies) == 1 else "".join(bodies)
    length = len(text) if text.isascii() else len(text.encode(errors="replace"))
    return EACH_BYTES * len(bodies) + length


def _seconds(now: int, until: int) -> int:
    return max(1, -(-(until - now) // 1000))
