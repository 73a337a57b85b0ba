"""The list of received SMS that a phone pushes: it is refused only where no entry can be read."""

import attrs

from phonegate.domain.inbox import Received
from phonegate.domain.received_sms import Unread, read_received
from phonegate.domain.reported_values import Kind
from phonegate.typed_json.fields import WrongEntries
from phonegate.typed_json.rules import Several


@attrs.frozen(kw_only=True)
class Batch:
    """Reported messages in their order, and what of them was put right."""

    entries: tuple[Received | Unread, ...] = attrs.field(repr=False)
    cleaned: tuple[Kind, ...]

    @property
    def readable(self) -> tuple[Received, ...]:
        """Those to store."""
        return tuple(one for one in self.entries if isinstance(one, Received))

    @property
    def unread(self) -> tuple[tuple[int, Unread], ...]:
        """The others, with their places."""
        return tuple((at, one) for at, one in enumerate(self.entries) if isinstance(one, Unread))


@attrs.frozen
class Reports(Several):
    """A list of what happened: an entry that can't be read costs the others nothing."""

    def read(self, value: object) -> Batch:
        """Reads the entries, of which some may not be readable."""
        cleaned: list[Kind] = []
        batch = Batch(entries=read_received(super().read(value), cleaned), cleaned=tuple(cleaned))
        if not batch.readable:
            raise WrongEntries([(at, one.field, one.problem) for at, one in batch.unread])
        return batch
