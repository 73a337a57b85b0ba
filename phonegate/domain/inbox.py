"""Received SMS: stored once, however often a phone sends them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import product

import attrs

from phonegate.domain.admission import admit_to_disk, size_of
from phonegate.domain.media import remark, select
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.segmentation import count
from phonegate.model.media import Part
from phonegate.model.messages import Message, NewInbound
from phonegate.model.phones import Sim, number_form
from phonegate.store.tables import Tables


@attrs.frozen(kw_only=True)
class Received:
    """An SMS as a phone reports it. `date` is the phone's own time in ms.

    `local_id` is the phone's id for it, if it has one, a text or a number as it likes.
    `given_address` is the address as it came, where it was put right. `parts` are those of an MMS,
    of which `media.select` says which are kept.
    """

    address: str = attrs.field(repr=False)
    body: str = attrs.field(repr=False)
    date: int | None = None
    sim_slot: int | None = None
    sim: str | None = attrs.field(default=None, repr=False)
    local_id: str | int | None = None
    media_urls: tuple[str, ...] | None = attrs.field(default=None, repr=False)
    given_address: str | None = attrs.field(default=None, repr=False, eq=False)
    parts: tuple[Part, ...] = attrs.field(default=(), repr=False)
    mms: str | None = None
    """The id of an MMS that the phone reports piece by piece: first that it is there, then its text
    and its parts. All reports of it with this id are one message, which each completes."""
    identity: str | None = None
    """What makes two reports with this sender and text the same, where what else a phone says of it
    may change."""


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of reported SMS. `ids` has one for each: of a repeat, that of the first copy."""

    stored: int
    duplicates: int
    ids: tuple[int, ...]
    left_out: int = 0
    """Parts of MMS that were not kept, because they are too large or too many. Their message was,
    and its `error` says so."""


@attrs.frozen
class SourceLink:
    """A connection over which a phone has reported SMS before it was recognised."""

    name: str
    """No other connection's, and no device's."""
    recognised: bool
    """Whether it is known by now which phone it is."""


@attrs.frozen
class Origin:
    """Where received SMS come from."""

    org: int
    phone: int | None
    """The connected phone, if they came over a phone link."""
    device_id: str | None
    """The phone's own name, if it has sent one."""
    link: SourceLink | None = None
    """Its connection, if it had not been recognised at first."""


def receive(
    tx: Tables,
    org: int,
    items: Sequence[Received],
    *,
    phone: int | None,
    device_id: str | None,
    now: int,
    rate_limits: RateLimits,
    link: SourceLink | None = None,
) -> Receipt:
    """Stores received SMS. One that was stored before counts as a duplicate and changes nothing.

    `phone` is the connected phone, if it came over a phone link; `device_id` the phone's own
    name, if it has sent one. `link` is the connection of a phone that had not been recognised at
    first: what it reported then counts as repeated over that connection alone, for another phone
    may have had the same SMS.

    Raises:
        StorageSpent, DiskLow: the org may store no more just now, and is to keep what it has.
    """
    intake, origin = Intake(tx), Origin(org, phone, device_id, link)
    ids: list[int] = []
    size = stored = left_out = 0
    for item in items:
        parts, beyond = select(item.parts)
        new = intake.new(item, origin, now, parts=len(parts), error=remark(beyond))
        message_id = tx.messages.insert_inbound(new)
        if message_id is None:
            # Only a fingerprint that is there already keeps a message out.
            message_id = tx.messages.by_fingerprint(org, new.fingerprint or b"") or 0
            if item.mms is not None:
                added, beyond = _complete_mms(tx, org, message_id, item)
                size += added
        else:
            tx.media_parts.add(message_id, 1, parts)
            size += size_of([item]) + sum(len(part.data) for part in parts)
            stored += 1
        left_out += len(beyond)
        ids.append(message_id)
    # A repeat takes no room: it is acknowledged however full the disk is.
    admit_to_disk(tx, rate_limits, org, size, now)
    return Receipt(stored=stored, duplicates=len(items) - stored, ids=tuple(ids), left_out=left_out)


class Intake:
    """Makes what is stored of received SMS, within one transaction."""

    def __init__(self, tx: Tables) -> None:
        self._tx = tx
        self._plain_until = tx.counters.plain_fingerprints()
        self._sims: dict[tuple[int, int | None], Sequence[Sim]] = {}

    def new(
        self, item: Received, origin: Origin, now: int, *, parts: int = 0, error: str | None = None
    ) -> NewInbound:
        """Returns a message about to be stored, which may be a repeat."""
        slot, number = item.sim_slot, item.sim
        if (slot is None) != (number is None):
            slot, number = _complete(self._known_sims(origin), slot, number)
        return NewInbound(
            org=origin.org,
            address=item.address,
            body=item.body,
            created_at=now,
            date=item.date,
            phone=origin.phone,
            sim_slot=slot,
            sim=number,
            segments=count(item.body),
            media_urls=item.media_urls,
            parts=parts,
            error=error,
            fingerprint=self._fingerprint(item, origin),
        )

    def _fingerprint(self, item: Received, origin: Origin) -> bytes | None:
        if (link := origin.link) is not None:
            over_link = fingerprint_of(item, link.name)
            if not link.recognised or _is_stored(self._tx, origin.org, over_link):
                return over_link
        phone = origin.phone if origin.device_id is None else origin.device_id
        fingerprint = fingerprint_of(item, phone)
        if self._plain_until and fingerprint is not None:
            return _plain_one(self._tx, item, origin, until=self._plain_until) or fingerprint
        return fingerprint

    def _known_sims(self, origin: Origin) -> Sequence[Sim]:
        org, phone = origin.org, origin.phone
        known = self._sims.get((org, phone))
        if known is None:
            phones = self._tx.phones
            known = phones.known_sims(org) if phone is None else phones.sims_of(phone)
            self._sims[org, phone] = known
        return known


def _complete_mms(tx: Tables, org: int, message_id: int, item: Received) -> tuple[int, list[Part]]:
    """Gives a stored MMS what a further report of it adds.

    Returns:
        How many bytes that takes, and the parts that must be left out.
    """
    kept = tx.messages.find(org, message_id)
    if kept is None:
        return 0, []
    stored = tx.media_parts.digests(message_id)
    parts, beyond = select(item.parts, stored, tx.media_parts.bytes_of(message_id))
    body = _both(kept.body, item.body)
    error = remark(beyond) or kept.error
    if not parts and body == kept.body and error == kept.error:
        return 0, beyond
    tx.media_parts.add(message_id, kept.parts + 1, parts)
    tx.messages.complete(
        kept, body=body, segments=count(body), parts=kept.parts + len(parts), error=error
    )
    added = len(body.encode()) - len(kept.body.encode())
    return added + sum(len(part.data) for part in parts), beyond


def _both(kept: str, more: str) -> str:
    """Returns a text that has what two reports of one MMS say: first often its subject alone."""
    if more in kept:
        return kept
    return more if kept in more else f"{kept}\n{more}"


def fingerprint_of(item: Received, phone: str | int | None) -> bytes | None:
    """Returns what makes two reports of an org the same SMS.

    `phone` is the device's name, or the row of a phone without one, or the name of the connection
    of a phone that is not recognised. The SIM counts as the phone named it: what the gateway knows
    of SIMs may change between repeats.

    None when the phone gave neither date nor id: two equal texts may then be two SMS, and
    keeping both is the lesser fault. Of an MMS that comes piece by piece only its id counts.
    """
    if item.mms is not None:
        return _digest(phone, "mms", item.mms)
    if item.identity is not None:
        return _digest(phone, "same", item.identity, item.address, item.body)
    if item.date is None and item.local_id is None:
        return None
    return _digest(
        phone,
        item.sim_slot,
        item.sim,
        _name(item.local_id),
        item.address,
        item.date,
        item.body,
        item.media_urls,
        # What has none keeps the fingerprint that it had before there were any.
        *([sorted(part.digest.hex() for part in item.parts)] if item.parts else ()),
    )


def _plain_one(tx: Tables, item: Received, origin: Origin, *, until: int) -> bytes | None:
    """Returns the fingerprint by which an earlier version stored this SMS, if it did."""
    found = None
    for plain in _plain_fingerprints(item, origin.device_id):
        earlier = tx.messages.by_fingerprint(origin.org, plain)
        if earlier is not None and earlier <= until:
            kept = tx.messages.find(origin.org, earlier)
            if kept is not None and _is_the_same(item, kept, origin.phone, origin.device_id):
                found = plain
    return found


def _is_stored(tx: Tables, org: int, fingerprint: bytes | None) -> bool:
    return fingerprint is not None and tx.messages.by_fingerprint(org, fingerprint) is not None


def _plain_fingerprints(item: Received, device_id: str | None) -> Iterator[bytes]:
    """Yields how earlier versions kept SMS apart: SIM, media and nameless phones did not count.

    Nor did they know times in seconds, or put anything right: a date of 0 was one, and blanks
    around a sender were part of it.
    """
    dates = [item.date]
    if item.date is None:
        dates.append(0)
    elif item.date % 1000 == 0:
        dates.append(item.date // 1000)
    addresses = [item.address]
    if item.given_address is not None:
        addresses.append(item.given_address)
    for date, address in product(dates, addresses):
        yield _digest(device_id, _name(item.local_id), address, date, item.body)


def _is_the_same(item: Received, kept: Message, phone: int | None, device_id: str | None) -> bool:
    """Tells whether an earlier version stored this SMS, also by what did not count there."""
    if device_id is None and phone != kept.phone:
        return False
    if item.sim_slot is None and item.sim is None:
        same_sim = kept.sim_slot is None and kept.sim is None
    else:
        # What the phone left out may have been filled in.
        same_number = item.sim is None or (
            kept.sim is not None and number_form(item.sim) == number_form(kept.sim)
        )
        same_sim = item.sim_slot in (None, kept.sim_slot) and same_number
    # What came by /webhook was stored without its media.
    unknown_media = phone is None and kept.phone is None and kept.media_urls is None
    return same_sim and (unknown_media or item.media_urls == kept.media_urls)


def _digest(*identity: object) -> bytes:
    return hashlib.sha256(json.dumps(identity).encode()).digest()


def _name(local_id: str | int | None) -> str | None:
    return None if local_id is None else str(local_id)


def _complete(
    sims: Sequence[Sim], slot: int | None, number: str | None
) -> tuple[int | None, str | None]:
    """Returns slot and number of the SIM that one of them names, if only one can be meant."""
    form = None if number is None else number_form(number)
    named = {
        (sim.slot, sim.number)
        for sim in sims
        if (sim.slot == slot if form is None else sim.form == form)
    }
    return named.pop() if len(named) == 1 else (slot, number)
