"""A phone's memory of its messages, as a pure state that only records change.

A record is stored before the step that it names is taken: `Taken` before the `ack`, `Handed` before
the radio, `Result` before the `send_result`. Replaying the records therefore gives the phone's
whole memory after any crash. One rule keeps an SMS from being sent twice: only an id whose last
record is `Taken` may be given to the radio.
"""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import attrs

DIED = "PHONE_RESTARTED"
"""The error of a message that the radio had when the phone died. It may have been sent."""

CANCELLED = "cancelled"
"""The error of a message that the gateway cancelled in time. The gateway knows this word."""


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


@attrs.frozen(kw_only=True)
class Delivered:
    """The recipient's phone confirmed the message at `date` (ms since 1970, UTC)."""

    id: int
    date: int


@attrs.frozen(kw_only=True)
class Confirmed:
    """The gateway has certainly received these results and delivery reports."""

    results: tuple[int, ...] = attrs.field(default=(), converter=_ids)
    deliveries: tuple[int, ...] = attrs.field(default=(), converter=_ids)


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


Record = Taken | Handed | Result | Delivered | Confirmed | Inbound | InboundAcked

KINDS: dict[str, type[Any]] = {
    "taken": Taken,
    "handed": Handed,
    "result": Result,
    "delivered": Delivered,
    "confirmed": Confirmed,
    "inbound": Inbound,
    "inbound_acked": InboundAcked,
}
"""The name of each record in a journal file."""


class OutOfTurn(ValueError):
    """A record that can't follow those before it, such as a second one for the radio."""

    def __init__(self, record: Record) -> None:
        self.record = record
        which = getattr(record, "id", None)
        super().__init__(f"{type(record).__name__} of id {which} can't come here")


@attrs.frozen(kw_only=True)
class PushAnswer:
    """The answer to a push: a record to write, unless it was accepted before, or a known result."""

    record: Taken | None
    result: Result | None


class Ledger:
    """The memory of one phone. Only `apply` changes it."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._taken: dict[int, Taken] = {}
        self._handed: dict[int, Taken] = {}
        self._results: dict[int, Result] = {}
        self._unreported: dict[int, None] = {}
        self._deliveries: dict[int, Delivered] = {}
        self._inbound: dict[str, Inbound] = {}
        for record in records:
            self.apply(record)

    def apply(self, record: Record) -> None:
        """Applies one more record.

        Raises:
            OutOfTurn: The record can't follow the earlier ones. Nothing was changed.
        """
        match record:
            case Taken():
                self._take(record)
            case Handed():
                self._hand(record)
            case Result():
                self._finish(record)
            case Delivered():
                self._deliver(record)
            case Confirmed():
                self._confirm(record)
            case Inbound():
                self._inbound[record.id] = record
            case InboundAcked():
                self._finish_inbound(record)

    def _finish_inbound(self, record: InboundAcked) -> None:
        for stored in record.ids:
            self._inbound.pop(stored, None)

    def _take(self, record: Taken) -> None:
        if self.knows(record.id):
            raise OutOfTurn(record)
        self._taken[record.id] = record

    def _hand(self, record: Handed) -> None:
        # The only way to the radio: an id takes it once in the phone's whole memory.
        taken = self._taken.pop(record.id, None)
        if taken is None:
            raise OutOfTurn(record)
        self._handed[record.id] = taken

    def _finish(self, record: Result) -> None:
        if record.id in self._results:
            raise OutOfTurn(record)
        self._taken.pop(record.id, None)
        self._handed.pop(record.id, None)
        self._results[record.id] = record
        if not record.silent:
            self._unreported[record.id] = None

    def _deliver(self, record: Delivered) -> None:
        result = self._results.get(record.id)
        if result is None or not result.success:
            raise OutOfTurn(record)
        self._deliveries[record.id] = record

    def _confirm(self, record: Confirmed) -> None:
        for known in record.results:
            self._unreported.pop(known, None)
        for known in record.deliveries:
            self._deliveries.pop(known, None)

    def knows(self, message: int) -> bool:
        """Tells whether this id was ever accepted, or finished without having been accepted."""
        return message in self._taken or message in self._handed or message in self._results

    def answer(self, push: Taken) -> PushAnswer:
        """Returns how to answer a push: accept it, or answer as before if it is a repeat."""
        if not self.knows(push.id):
            return PushAnswer(record=push, result=None)
        result = self._results.get(push.id)
        return PushAnswer(record=None, result=None if result is None or result.silent else result)

    def cancel(self, message: int) -> Result | None:
        """Returns the result to record for a message that the gateway cancels.

        Returns None once the radio has it or it is finished. An id that never came is finished
        too, so that a push which is still on its way finds it cancelled.
        """
        if message in self._handed or message in self._results:
            return None
        return Result(id=message, success=False, error=CANCELLED)

    def restart(self, *, report: bool = True) -> list[Result]:
        """Returns the results to record when the phone starts: what the radio had is `uncertain`.

        Without `report` they are silent, for a phone whose protocol can't express that.
        """
        return [
            Result(id=message, success=False, error=DIED, uncertain=True, silent=not report)
            for message in self._handed
        ]

    def result(self, message: int) -> Result | None:
        """Returns the final result of an id, if it has one."""
        return self._results.get(message)

    def delivery(self, message: int) -> Delivered | None:
        """Returns the delivery of an id that the gateway may not know yet."""
        return self._deliveries.get(message)

    def waiting(self) -> list[Taken]:
        """Returns the accepted messages that the radio does not have yet, oldest first."""
        return list(self._taken.values())

    def unreported(self) -> list[Result]:
        """Returns the results that the gateway may not have, oldest first."""
        return [self._results[message] for message in self._unreported]

    def undelivered_reports(self) -> list[Delivered]:
        """Returns the delivery reports that the gateway may not have, though it has the result."""
        return [one for one in self._deliveries.values() if one.id not in self._unreported]

    def unacked(self, limit: int | None = None) -> list[Inbound]:
        """Returns the oldest `limit` received messages that the gateway has not acknowledged."""
        return list(islice(self._inbound.values(), limit))

    @property
    def unacked_count(self) -> int:
        """The number of received messages that wait for their acknowledgement."""
        return len(self._inbound)
