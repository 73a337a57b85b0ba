"""Turns: what all sides do one after the other, again and again.

What else the machine does falls on each alike, and a server without a load costs the others
nothing.
"""

from collections.abc import Awaitable, Mapping
from typing import Protocol

from bench.figures import Figures
from bench.servers import FAULTS


class Turn(Protocol):
    """What a side does when it is its turn, measured unless it is to warm up."""

    def __call__(self, *, warm: bool) -> Awaitable[None]: ...


async def in_turns(letter: str, work: Mapping[str, Turn], turns: int, figures: Figures) -> set[str]:
    """Lets each side warm up once and then work so many times, in changing order.

    A side that fails leaves the others to go on. Returns those that did not.
    """
    able = dict(work)
    for number in range(1 + turns):
        order = [side for side in work if side in able]
        first = number % max(1, len(order))
        for side in order[first:] + order[:first]:
            run = able.pop(side)
            with figures.faults_of(side, letter, FAULTS):
                await run(warm=not number)
                able[side] = run
    return set(able)
