"""Counts how messages move from one status to another, for metrics and alarms."""

from collections import Counter
from collections.abc import Sequence

from phonegate.model.facts import Changed, Fact, Move, Repeated
from phonegate.model.states import RECEIVED


class Flow:
    """How many messages have moved so since this was made. `note` subscribes to the bus."""

    def __init__(self) -> None:
        self.counts: Counter[Move] = Counter()

    def note(self, facts: Sequence[Fact]) -> None:
        """Counts the changes among some facts."""
        for fact in facts:
            if type(fact) is Changed:
                self.counts[fact.before, fact.after] += 1
            elif type(fact) is Repeated:
                self.counts[RECEIVED, RECEIVED] += 1
