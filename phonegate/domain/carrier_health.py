"""What carriers did with messages of late: the difference between a bad day and a bad message."""

from phonegate.domain.carrier_attempt import (
    Lost,
    Outcome,
    Rejected,
    Taken,
    Untaken,
)

_NAMES = {Taken: "taken", Rejected: "refused", Untaken: "not_taken", Lost: "unknown"}


class CarrierHealth:
    """Counts of outcomes by provider, and each assistant's failures in a row.

    A refusal is an answer, and counts as the carrier being well.
    """

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, str], int] = {}
        """By provider and what it did: taken, refused, not_taken or unknown."""
        self.failures: dict[int, int] = {}
        """By assistant: sends in a row that were not answered. Only those that fail now."""

    def note(self, assistant: int, provider: str, outcome: Outcome) -> None:
        """Counts what became of handing over one message."""
        key = (provider, _NAMES[type(outcome)])
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        if isinstance(outcome, Untaken | Lost):
            self.failures[assistant] = self.failures.get(assistant, 0) + 1
        else:
            self.failures.pop(assistant, None)

    def forget(self, assistant: int) -> None:
        """Says that an assistant was changed or removed: what its account did counts no more."""
        self.failures.pop(assistant, None)
