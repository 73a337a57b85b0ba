"""The heads of requests that came lately, of all connections, with what is known of each.

Clients send the same head again and again, but for the length of the body. So it is compared but
for that number, and not read again. A head may hold a credential in plain text. It is kept while
requests come with it, and for no longer after the last than its connection might idle.
"""

from typing import Final, Generic, TypeVar

from .canonical import without_length

KEPT: Final = 512
"""Heads that are kept of each of two generations, some 2 MB in all: two or three for each org that
sends much. Another head is read, as each was the first time."""

KEPT_S: Final = 60.0
"""Seconds that a head which comes no more is kept at most, where a connection may idle longer."""

LONGEST: Final = 2_048
"""Bytes of the longest that is kept. Programs send some hundred."""

T = TypeVar("T")

_Key = tuple[str, bytes, bytes]


class HeadMemory(Generic[T]):
    """What is known of heads. Those that have not come since the last but one `age` are dropped."""

    def __init__(self, most: int = KEPT) -> None:
        self._most = most
        self._recent: dict[_Key, T] = {}
        self._older: dict[_Key, T] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def find(self, peer: str, head: bytes) -> tuple[T, int] | None:
        """Returns what is known of a head, and the length of its body.

        Args:
            peer: The address that it came from, which decides what it means.
            head: The head with its empty line.
        """
        begin, end, length = without_length(head)
        key = (peer, begin, end)
        known = self._recent.get(key)
        if known is None:
            known = self._older.pop(key, None)
            if known is not None:
                self._put(key, known)
        return None if known is None or length is None else (known, length)

    def keep(self, peer: str, head: bytes, known: T) -> None:
        """Keeps what is known of a head that `read_plain` has read."""
        if len(head) <= LONGEST:
            begin, end, _ = without_length(head)
            self._put((peer, begin, end), known)

    def age(self) -> None:
        """Drops what has not come again since it was called last."""
        self._recent, self._older = {}, self._recent

    def _put(self, key: _Key, known: T) -> None:
        if len(self._recent) >= self._most:
            self.age()
        self._recent[key] = known
