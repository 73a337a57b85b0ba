"""Fields of what a phone reports by HTTP: they refuse nothing but what can't be read at all.

`domain.reported` reads them, as it does what comes over the phone link.
"""

import attrs

from phonegate.domain.inbox import Received
from phonegate.domain.reported_values import (
    Kind,
    Report,
    Unread,
    Unreadable,
    read_received,
)
from phonegate.typed_json.fields import Rule, Wrong, WrongEntries
from phonegate.typed_json.rules import Several


@attrs.frozen
class Reported:
    """A field of a report: documents show the `form` to send, and any other value does no harm.

    Such values are put right or left out, see `domain.reported`.
    """

    form: Rule

    def read(self, value: object) -> object:
        """The value as it came, still to be read."""
        return value

    def read_text(self, text: str) -> object:
        """The text as it came."""
        return text


@attrs.frozen
class ReportedBody:
    """The text of a received SMS: whatever a program may write for one, null for an empty one."""

    def read(self, value: object) -> str:
        """The text."""
        try:
            return Report({"body": value}, []).body("body")
        except Unreadable as error:
            raise Wrong(str(error)) from None

    def read_text(self, text: str) -> str:
        """The same."""
        return self.read(text)


@attrs.frozen
class DeviceName:
    """What a phone calls itself. What can't be a name is as good as none."""

    def read(self, value: object) -> str | None:
        """The name, put right where need be."""
        return Report({"device_id": value}, []).device_id("device_id")

    def read_text(self, text: str) -> str | None:
        """The same."""
        return self.read(text)


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
        """The entries, of which some may not be readable."""
        cleaned: list[Kind] = []
        batch = Batch(entries=read_received(super().read(value), cleaned), cleaned=tuple(cleaned))
        if not batch.readable:
            raise WrongEntries([(at, one.field, one.problem) for at, one in batch.unread])
        return batch

    def read_text(self, text: str) -> Batch:
        """The same, though no query holds messages."""
        return self.read(text)
