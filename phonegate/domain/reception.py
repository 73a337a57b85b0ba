"""Received SMS of many callers, stored together.

Each call is durable, counted and refused as if it were alone. But those that wait for the writer
side by side are looked up by one statement and stored by another, which costs a third less.
"""

from collections.abc import Callable, Sequence

import attrs
import trio

from phonegate.domain.admission import admit_to_disk, size_of
from phonegate.domain.inbox import Intake, Origin, Receipt, Received, receive
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.messages import NewInbound
from phonegate.model.refusals import DiskLow, StorageSpent
from phonegate.model.storage_errors import StoreClosed
from phonegate.store.database import Database
from phonegate.store.joint import Joint
from phonegate.store.tables import Tables


@attrs.frozen(eq=False)
class Reception(Joint[Receipt]):
    """What one caller reports: received SMS without the parts of an MMS."""

    groups: Sequence[Sequence[Received]]
    """Each is let in or refused as a whole, after those before it. Where one is refused, nothing of
    the caller's is stored."""
    origin: Origin
    """It has no `link`: its phone was recognised, or is none."""
    now: int
    rate_limits: RateLimits
    size: int = attrs.field(init=False)

    @size.default
    def _count(self) -> int:
        return sum(map(len, self.groups))

    @staticmethod
    def takes(items: Sequence[Received]) -> bool:
        """Tells whether there are no parts among SMS, which are stored beside them."""
        return not any(item.parts or item.mms is not None for item in items)

    def __call__(self, tx: Tables) -> Receipt:
        """Stores them.

        Raises:
            StorageSpent, DiskLow: the org may store no more just now, and is to keep what it has.
        """
        origin = self.origin
        receipts = [
            receive(
                tx,
                origin.org,
                items,
                phone=origin.phone,
                device_id=origin.device_id,
                now=self.now,
                rate_limits=self.rate_limits,
            )
            for items in self.groups
        ]
        return Receipt(
            stored=sum(one.stored for one in receipts),
            duplicates=sum(one.duplicates for one in receipts),
            ids=tuple(id_ for one in receipts for id_ in one.ids),
            left_out=sum(one.left_out for one in receipts),
        )

    @classmethod
    def together(
        cls, tx: Tables, ones: Sequence["Reception"]
    ) -> Sequence[Receipt | Exception] | None:
        """Stores those of several callers."""
        intake = Intake(tx)
        given = [
            [[intake.new(item, one.origin, one.now) for item in items] for items in one.groups]
            for one in ones
        ]
        coming = _Coming(tx, [new for groups in given for some in groups for new in some])
        found: list[Exception | tuple[int, list[int]]] = []
        for one, groups in zip(ones, given, strict=True):
            mark, before = tx.mark(), len(coming.new)
            places: list[int] = []
            try:
                for some in groups:
                    # A repeat takes no room.
                    size = size_of(coming.unknown(some))
                    admit_to_disk(tx, one.rate_limits, one.origin.org, size, one.now)
                    places += [coming.place(new) for new in some]
            except (StorageSpent, DiskLow) as error:
                tx.undo(mark)
                coming.undo(before)
                found.append(error)
            else:
                found.append((len(coming.new) - before, places))
        ids = tx.messages.insert_all_inbound(coming.new)
        return [_receipt(one, ids) for one in found]


class _Coming:
    """Messages about to be stored, each in its place: that of an earlier one where it repeats it.

    The places of those that are stored already are their ids, below zero.
    """

    def __init__(self, tx: Tables, news: Sequence[NewInbound]) -> None:
        self._tx = tx
        sought = [(new.org, new.fingerprint) for new in news if new.fingerprint is not None]
        known = tx.messages.by_fingerprints(sought)
        self._places = {key: -id_ for key, id_ in known.items()}
        self.new: list[NewInbound] = []
        """Those that are no repeats."""

    def unknown(self, news: Sequence[NewInbound]) -> list[NewInbound]:
        """Returns those that are no repeats."""
        seen: set[bytes] = set()
        found = []
        for new in news:
            fingerprint = new.fingerprint
            if fingerprint is not None:
                if fingerprint in seen or (new.org, fingerprint) in self._places:
                    continue
                seen.add(fingerprint)
            found.append(new)
        return found

    def place(self, new: NewInbound) -> int:
        """Returns the place of a message, a new one where it repeats none."""
        at = len(self.new)
        if new.fingerprint is not None:
            known = self._places.setdefault((new.org, new.fingerprint), at)
            if known != at:
                self._tx.messages.note_repeat(new.org)
                return known
        self.new.append(new)
        return at

    def undo(self, count: int) -> None:
        """Forgets the new ones beyond so many."""
        for new in self.new[count:]:
            if new.fingerprint is not None:
                del self._places[new.org, new.fingerprint]
        del self.new[count:]


def _receipt(found: Exception | tuple[int, list[int]], ids: Sequence[int]) -> Receipt | Exception:
    """Returns what came of a call, from how many of its messages are new and all their places."""
    if isinstance(found, Exception):
        return found
    stored, places = found
    return Receipt(
        stored=stored,
        duplicates=len(places) - stored,
        ids=tuple(ids[at] if at >= 0 else -at for at in places),
    )


Done = Callable[[Receipt | None, Exception | None], None]
"""Takes what was stored, or the error for which nothing was. It must be quick, never wait and never
raise."""


class Inbox:
    """Takes received SMS that were pushed by a request, and not over a phone's link."""

    def __init__(
        self,
        database: Database,
        rate_limits: RateLimits,
        *,
        now_ms: Callable[[], int],
        note_pushed: Callable[[str | None, Sequence[Received]], None] = lambda _key, _items: None,
    ) -> None:
        self._database = database
        self._rate_limits = rate_limits
        self._now_ms = now_ms
        self._note_pushed = note_pushed

    async def receive(
        self,
        org: int,
        items: Sequence[Received],
        *,
        device_id: str | None,
        key: str | None = None,
    ) -> Receipt:
        """Stores received SMS durably.

        Args:
            org: Whose they are.
            items: The SMS.
            device_id: The name of the phone, if it says one.
            key: The id of the API key that it showed, if it was one.

        Raises:
            StorageSpent, DiskLow, StorageUnavailable: Nothing was stored.
        """
        receipt = await self._database.write(self._op(org, items, device_id), size=len(items))
        self._note_pushed(key, items)
        return receipt

    def begin(
        self,
        org: int,
        items: Sequence[Received],
        *,
        device_id: str | None,
        key: str | None,
        done: Done,
    ) -> bool:
        """Begins to store received SMS, as `receive` does.

        Calls `done` once they are durable, or can't be. Returns whether it will: it never does
        where too much waits for the writer, or the store is going down.
        """

        def stored(receipt: Receipt | None, error: Exception | None) -> None:
            try:
                if receipt is not None:
                    self._note_pushed(key, items)
            finally:
                done(receipt, error)

        try:
            self._database.submit(self._op(org, items, device_id), stored, size=len(items))
        except (trio.WouldBlock, StoreClosed):
            return False
        return True

    def _op(
        self, org: int, items: Sequence[Received], device_id: str | None
    ) -> Callable[[Tables], Receipt]:
        reception = Reception(
            (items,), Origin(org, None, device_id), self._now_ms(), self._rate_limits
        )
        # One that takes parts along is done by itself, whatever waits beside it.
        return reception if Reception.takes(items) else reception.__call__
