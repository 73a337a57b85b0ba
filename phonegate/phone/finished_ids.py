"""The ids of long finished messages, remembered in a bit each. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

BLOCK: Final = 4096
"""Ids of one block: 512 bytes, where the phone had all of them."""
MAX_BLOCKS: Final = 1024
"""Blocks that are kept: four million ids of a gateway, in at most half a megabyte."""


class FinishedIds:
    """A set of ids that only grows, in bounded memory.

    Ids of a gateway ascend, and so do those of a phone, apart from messages that waited for their
    time. When there are too many blocks, the lowest becomes part of the floor: all ids below the
    floor count as finished. So an id is never forgotten, and a message that waited while four
    million others were made is not sent.

    Args:
        floor: All ids below it are finished. None: there is no floor yet.
        blocks: The bits of each block, by its number.
    """

    def __init__(self, floor: int | None = None, blocks: Mapping[int, int] | None = None) -> None:
        self.floor = floor
        self._blocks = {} if blocks is None else dict(blocks)

    def __contains__(self, message: int) -> bool:
        if self.floor is not None and message < self.floor:
            return True
        block, bit = divmod(message, BLOCK)
        return bool(self._blocks.get(block, 0) >> bit & 1)

    def add(self, messages: Iterable[int]) -> None:
        """Adds ids."""
        for message in messages:
            block, bit = divmod(message, BLOCK)
            self._blocks[block] = self._blocks.get(block, 0) | 1 << bit
        while len(self._blocks) > MAX_BLOCKS:
            lowest = min(self._blocks)
            del self._blocks[lowest]
            end = (lowest + 1) * BLOCK
            self.floor = end if self.floor is None else max(self.floor, end)

    def merge(self, floor: int | None, blocks: Mapping[int, int]) -> None:
        """Adds what another set holds."""
        if floor is not None:
            self.floor = floor if self.floor is None else max(self.floor, floor)
        for block, bits in blocks.items():
            self._blocks[block] = self._blocks.get(block, 0) | bits
        self.add(())

    @property
    def blocks(self) -> dict[int, int]:
        """The bits of each block, by its number."""
        return dict(self._blocks)

    def __bool__(self) -> bool:
        return self.floor is not None or bool(self._blocks)
