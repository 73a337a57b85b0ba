"""A case of abuse: what it does, on which environment, and what is expected of the gateway."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import attrs

from trials.abuse.victim import Victim

EnvironmentName = Literal["plain", "tls", "two nets", "small disk", "failing disk", "other clock"]
Attack = Callable[[Victim], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Case:
    """One case of abuse; `attack` notes on the victim what it saw and what was wrong."""

    name: str
    expected: str
    attack: Attack
    environment: EnvironmentName = "plain"
    writes_may_fail: bool = False
    """Whether honest clients may get a 503 for what is to be stored."""


CASES: Final[dict[str, Case]] = {}
"""All cases by name, in the order in which they were declared."""


def case(
    name: str,
    expected: str,
    *,
    environment: EnvironmentName = "plain",
    writes_may_fail: bool = False,
) -> Callable[[Attack], Attack]:
    """Makes a case of its attack."""

    def declare(attack: Attack) -> Attack:
        CASES[name] = Case(
            name=name,
            expected=expected,
            attack=attack,
            environment=environment,
            writes_may_fail=writes_may_fail,
        )
        return attack

    return declare
