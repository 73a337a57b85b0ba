"""A cache that several owners share, in which an owner who fills it loses its own entries. Pure.

A plain cache drops what was used longest ago, so that one owner with enough entries pushes out
those of all others. This one makes room by dropping keys of the owner with the most.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

O = TypeVar("O", bound=Hashable)  # noqa: E741 - an owner
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SharedMemory(Generic[O, K, V]):
    """Up to `capacity` values by key, each of an owner, who may have up to `part` of them."""

    def __init__(self, capacity: int, part: int | None = None) -> None:
        self._capacity = capacity
        self._part = capacity if part is None else part
        self._values: dict[K, tuple[O, V]] = {}
        self._owned: dict[O, OrderedDict[K, None]] = {}
        """The keys of each owner. The one that was used longest ago is first."""
        self._by_count: dict[int, dict[O, None]] = {}
        """The owners by their number of values. The one that reached it first is first."""
        self._most = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """Returns a value, which is then the last of its owner to be dropped."""
        found = self._values.get(key)
        if found is None:
            return None
        self._owned[found[0]].move_to_end(key)
        return found[1]

    def peek(self, key: K) -> V | None:
        """Returns a value, without a change of the order in which values are dropped."""
        found = self._values.get(key)
        return None if found is None else found[1]

    def put(self, owner: O, key: K, value: V) -> None:
        """Stores a value. To make room, one of an owner with too many, or the most, is dropped."""
        before = self._values.get(key)
        if before is not None and before[0] != owner:
            self.pop(key)
            before = None
        self._values[key] = (owner, value)
        if before is not None:
            self._owned[owner].move_to_end(key)
            return
        self._owned.setdefault(owner, OrderedDict())[key] = None
        self._count(owner, +1)
        if len(self._owned[owner]) > self._part:
            self._forget_oldest(owner)
        elif len(self._values) > self._capacity:
            self._forget_oldest(next(iter(self._by_count[self._most])))

    def pop(self, key: K) -> None:
        """Drops a value."""
        found = self._values.pop(key, None)
        if found is None:
            return
        owner = found[0]
        del self._owned[owner][key]
        if not self._owned[owner]:
            del self._owned[owner]
        self._count(owner, -1)

    def of(self, owner: O) -> Iterator[V]:
        """Yields the values of an owner."""
        return (self._values[key][1] for key in self._owned.get(owner, ()))

    def keys_of(self, owner: O) -> list[K]:
        """Returns the keys of an owner."""
        return list(self._owned.get(owner, ()))

    def values(self) -> Iterator[V]:
        """Yields all values."""
        return (value for _, value in self._values.values())

    def forget(self, owner: O) -> None:
        """Drops all values of an owner."""
        for key in list(self._owned.get(owner, ())):
            self.pop(key)

    def _forget_oldest(self, owner: O) -> None:
        self.pop(next(iter(self._owned[owner])))

    def _count(self, owner: O, change: int) -> None:
        """Notes that an owner has one more or one less than before."""
        after = len(self._owned.get(owner, ()))
        before = after - change
        if before:
            owners = self._by_count[before]
            del owners[owner]
            if not owners:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[owner] = None
        # One value less can lower the largest number only by one, since that owner has it now.
        self._most = max(self._most, after) if change > 0 else self._most
        while self._most and self._most not in self._by_count:
            self._most -= 1
