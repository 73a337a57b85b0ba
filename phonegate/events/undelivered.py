"""Logs each message that its recipient did not get, or may not have."""

from collections.abc import Sequence

from phonegate import log
from phonegate.model.facts import Changed, Fact
from phonegate.model.states import UNDELIVERED

_log = log.get("store")


def log_undelivered(facts: Sequence[Fact]) -> None:
    """Logs the messages among some facts that have come to such an end. Subscribes to the bus."""
    for fact in facts:
        if type(fact) is Changed and fact.after in UNDELIVERED and fact.message is not None:
            _log.warning(
                f"message_{fact.after}",
                org=fact.org_name,
                message=fact.id,
                provider=fact.message.provider,
            )
