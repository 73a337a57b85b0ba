"""A phone's memory of its messages, as a pure state that only records change.

A record is stored before the step that it names is taken: `Taken` before the `ack`, `Handed` before
the radio, `Result` before the `send_result`. Replaying the records therefore gives the phone's
whole memory after any crash. One rule keeps an SMS from being sent twice: only an id whose last
record is `Taken` may be given to the radio.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import attrs

from phonegate.phone.finished_ids import FinishedIds
from phonegate.phone.records import (
    Confirmed,
    Delivered,
    Finished,
    Gateway,
    Handed,
    Inbound,
    InboundAcked,
    InboundForgotten,
    Mark,
    Record,
    Result,
    Taken,
)

DIED = "PHONE_RESTARTED"
"""The error of a message that the radio had when the phone died. It may have been sent."""

FORGOTTEN = "PHONE_FORGOT"
"""The error of a message that is pushed again so long after its end that its result is gone."""

CANCELLED = "cancelled"
"""The error of a message that the gateway cancelled in time. The gateway knows this word."""

KEPT_RESULTS: Final = 1000
"""Results that are kept after the gateway has them: ten times its window for a phone. They answer
a repeated push, and match delivery reports, which come days later if the recipient was away."""


class OutOfTurn(ValueError):
    """A record that can't follow those before it, such as a second one for the radio."""

    def __init__(self, record: Record) -> None:
        self.record = record
        which = getattr(record, "id", None)
        super().__init__(f"{type(record).__name__} of id {which} can't come here")


@attrs.frozen(kw_only=True)
class PushAnswer:
    """The answer to a push: a record to write, unless it was accepted before, or a known result."""

    record: Taken | None = None
    result: Result | None = None
    ack: bool = True
    """False where another message of this id is still under way, and the push is passed over."""


class Ledger:
    """The memory of one phone. Only `apply` changes it."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._taken: dict[int, Taken] = {}
        self._handed: dict[int, Taken] = {}
        self._results: dict[int, Result] = {}
        self._unreported: dict[int, None] = {}
        self._deliveries: dict[int, Delivered] = {}
        # Finished ids of which nothing is left to be reported, oldest first.
        self._settled: dict[int, None] = {}
        self._finished = FinishedIds()
        self._references: dict[str, int] = {}
        self._inbound: dict[str, Inbound] = {}
        self._inbound_characters = 0
        self._stored: dict[str, None] = {}
        self._marks: dict[str, str] = {}
        self.gateway: str | None = None
        """What tells the gateway of these messages from another, once it is known."""
        for record in records:
            self.apply(record)

    def apply(self, record: Record) -> None:  # noqa: C901 (one case for each kind of record)
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
            case Finished():
                blocks = {int(block): int(bits, 16) for block, bits in record.blocks.items()}
                self._finished.merge(record.floor, blocks)
            case Gateway():
                self._meet(record)
            case Inbound():
                self._receive(record)
            case InboundAcked():
                self._finish_inbound(record)
            case InboundForgotten():
                for forgotten in record.ids:
                    self._stored.pop(forgotten, None)
            case Mark():
                self._marks[record.name] = record.value

    def _meet(self, record: Gateway) -> None:
        if self.gateway not in {None, record.since}:
            for memory in (self._taken, self._handed, self._results, self._references):
                memory.clear()
            for reported in (self._unreported, self._deliveries, self._settled):
                reported.clear()
            self._finished = FinishedIds()
        self.gateway = record.since

    def _receive(self, record: Inbound) -> None:
        before = self._inbound.get(record.id)
        self._inbound_characters += len(record.body) - (0 if before is None else len(before.body))
        self._inbound[record.id] = record

    def _finish_inbound(self, record: InboundAcked) -> None:
        for stored in record.ids:
            inbound = self._inbound.pop(stored, None)
            if inbound is not None:
                self._inbound_characters -= len(inbound.body)
                self._stored[stored] = None

    def _take(self, record: Taken) -> None:
        if self.answer(record).record is None:
            raise OutOfTurn(record)
        if record.id in self._results:
            self._forget(record.id)
        self._taken[record.id] = record

    def _hand(self, record: Handed) -> None:
        # The only way to the radio: a message takes it once in the phone's whole memory.
        taken = self._taken.pop(record.id, None)
        if taken is None:
            raise OutOfTurn(record)
        self._handed[record.id] = taken

    def _finish(self, record: Result) -> None:
        taken = self._taken.pop(record.id, None) or self._handed.pop(record.id, None)
        if taken is not None:
            record = attrs.evolve(record, digest=taken.digest)
        elif self.knows(record.id):
            raise OutOfTurn(record)
        self._results[record.id] = record
        if record.reference is not None:
            self._references[record.reference] = record.id
        if not record.silent:
            self._unreported[record.id] = None
        self._settle([record.id])

    def _deliver(self, record: Delivered) -> None:
        result = self._results.get(record.id)
        if result is None or not result.success:
            raise OutOfTurn(record)
        self._deliveries[record.id] = record
        self._settle([record.id])

    def _confirm(self, record: Confirmed) -> None:
        for known in record.results:
            self._unreported.pop(known, None)
        for known in record.deliveries:
            self._deliveries.pop(known, None)
        self._settle([*record.results, *record.deliveries])

    def _settle(self, messages: Iterable[int]) -> None:
        """Notes of which ids nothing is left to be reported, and drops the oldest results."""
        for message in messages:
            if message in self._unreported or message in self._deliveries:
                self._settled.pop(message, None)
            elif message in self._results:
                self._settled[message] = None
        while len(self._settled) > KEPT_RESULTS:
            oldest = next(iter(self._settled))
            self._forget(oldest)
            self._finished.add([oldest])

    def _forget(self, message: int) -> None:
        result = self._results.pop(message)
        for reported in (self._settled, self._unreported, self._deliveries):
            reported.pop(message, None)
        if result.reference is not None and self._references.get(result.reference) == message:
            del self._references[result.reference]

    def knows(self, message: int) -> bool:
        """Tells whether this id was ever accepted, or finished without having been accepted."""
        return (
            message in self._taken
            or message in self._handed
            or message in self._results
            or message in self._finished
        )

    def answer(self, push: Taken) -> PushAnswer:
        """Returns how to answer a push: accept it, or answer as before if it is a repeat.

        A finished id with another text is another message. A gateway makes no id twice, so it was
        restored from a backup, or begun anew.
        """
        waiting = self._taken.get(push.id) or self._handed.get(push.id)
        if waiting is not None:
            return PushAnswer(ack=waiting.digest == push.digest)
        result = self._results.get(push.id)
        if result is not None and result.digest in {None, push.digest}:
            return PushAnswer(result=None if result.silent else result)
        if result is None and push.id in self._finished:
            forgotten = Result(id=push.id, success=False, error=FORGOTTEN, uncertain=True)
            return PushAnswer(result=forgotten)
        return PushAnswer(record=push)

    def cancel(self, message: int) -> Result | None:
        """Returns the result to record for a message that the gateway cancels.

        Returns None once the radio has it or it is finished. An id that never came is finished
        too, so that a push which is still on its way finds it cancelled.
        """
        if self.knows(message) and message not in self._taken:
            return None
        return Result(id=message, success=False, error=CANCELLED)

    def interrupted(self) -> list[Taken]:
        """Returns the messages that the radio has or had, without a result, oldest first."""
        return list(self._handed.values())

    def result(self, message: int) -> Result | None:
        """Returns the final result of an id, if it has one."""
        return self._results.get(message)

    def is_waiting(self, taken: Taken) -> bool:
        """Tells whether an accepted message still waits for the radio."""
        return self._taken.get(taken.id) == taken

    def is_handed(self, message: int) -> bool:
        """Tells whether the radio has or had a message, without a result."""
        return message in self._handed

    def referred(self, reference: str) -> Result | None:
        """Returns the newest result with this reference of a radio."""
        message = self._references.get(reference)
        return None if message is None else self._results[message]

    def delivery(self, message: int) -> Delivered | None:
        """Returns the delivery of an id that the gateway may not know yet."""
        return self._deliveries.get(message)

    def waiting(self) -> list[Taken]:
        """Returns the accepted messages that the radio does not have yet, oldest first."""
        return list(self._taken.values())

    def unreported(self) -> list[Result]:
        """Returns the results that the gateway may not have, oldest first."""
        return [self._results[message] for message in self._unreported]

    @property
    def has_news(self) -> bool:
        """Whether there is anything that the gateway may not have."""
        return bool(self._unreported or self._deliveries or self._inbound)

    def is_unreported(self, message: int) -> bool:
        """Tells whether the gateway may not have the result of a finished id."""
        return message in self._unreported

    def deliveries(self) -> list[Delivered]:
        """Returns the delivery reports that the gateway may not have."""
        return list(self._deliveries.values())

    def holds(self, inbound_id: str) -> bool:
        """Tells whether a received message is here and not yet forgotten by the radio."""
        return inbound_id in self._inbound or inbound_id in self._stored

    def unacked(self, limit: int | None = None) -> list[Inbound]:
        """Returns the oldest `limit` received messages that the gateway has not acknowledged."""
        return list(islice(self._inbound.values(), limit))

    @property
    def unacked_count(self) -> int:
        """The number of received messages that wait for their acknowledgement."""
        return len(self._inbound)

    @property
    def unacked_characters(self) -> int:
        """The length of the texts that wait for their acknowledgement."""
        return self._inbound_characters

    def stored(self) -> list[str]:
        """Returns the ids of acknowledged messages that the radio has not yet forgotten."""
        return list(self._stored)

    def mark(self, name: str) -> str | None:
        """Returns the radio's last note under a name."""
        return self._marks.get(name)

    def snapshot(self) -> Iterator[Record]:
        """Yields the fewest records that give this memory again."""
        if self.gateway is not None:
            yield Gateway(since=self.gateway)
        for name, value in self._marks.items():
            yield Mark(name=name, value=value)
        yield from self._results.values()
        yield from self._deliveries.values()
        if confirmed := [one for one in self._results if one not in self._unreported]:
            yield Confirmed(results=confirmed)
        yield from self._handed.values()
        yield from (Handed(id=message) for message in self._handed)
        yield from self._taken.values()
        for stored in self._stored:
            yield Inbound(id=stored, address="", body="", date=0)
        if self._stored:
            yield InboundAcked(ids=self._stored)
        yield from self._inbound.values()
        # Last: ids under way may be below the floor.
        if self._finished:
            blocks = {str(n): format(bits, "x") for n, bits in self._finished.blocks.items()}
            yield Finished(floor=self._finished.floor, blocks=blocks)
