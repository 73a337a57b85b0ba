"""A kind of abuse: what it does, on which stage, and what is expected of the gateway."""

from collections.abc import Awaitable, Callable
from typing import Final, Literal

import attrs

from bench.abuse.ground import Ground

StageName = Literal["plain", "tls", "two nets", "small disk", "failing disk", "other clock"]
Attack = Callable[[Ground], Awaitable[None]]


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of abuse; `attack` notes on the ground what it saw and what was wrong."""

    name: str
    expected: str
    attack: Attack
    stage: StageName = "plain"
    writes_may_fail: bool = False
    """Whether honest users may be answered 503 to what they want stored."""


KINDS: Final[dict[str, Kind]] = {}
"""All kinds by name, in the order in which they were told of."""


def kind(
    name: str, expected: str, *, stage: StageName = "plain", writes_may_fail: bool = False
) -> Callable[[Attack], Attack]:
    """Makes a kind of its attack."""

    def tell(attack: Attack) -> Attack:
        KINDS[name] = Kind(
            name=name,
            expected=expected,
            attack=attack,
            stage=stage,
            writes_may_fail=writes_may_fail,
        )
        return attack

    return tell
