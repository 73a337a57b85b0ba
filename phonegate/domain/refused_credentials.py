"""A cache of wrong credentials: to send one again is not a guess, and costs nothing. Pure."""

from collections import OrderedDict
from typing import Final

CAPACITY: Final = 16_384
"""Wrong credentials kept, some 3 MB. A caller who sends more of them pushes out those of others,
which then need a slow hash again."""


class RefusedCredentials:
    """The marks of credentials that were found wrong, and can't have become right since.

    Marks are those of `CredentialCache.mark`. Credentials that could have made an org are kept
    apart from those that could not.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._marks: OrderedDict[tuple[bytes, bool], None] = OrderedDict()
        self._cleared = 0

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def state(self) -> int:
        """A number that changes when everything is forgotten, see `note`."""
        return self._cleared

    def holds(self, mark: bytes, *, create: bool) -> bool:
        """Tells whether a credential is known to be wrong."""
        if (mark, create) not in self._marks:
            return False
        self._marks.move_to_end((mark, create))
        return True

    def note(self, mark: bytes, *, create: bool, state: int) -> None:
        """Notes a wrong credential, unless all was forgotten since its check began (`state`)."""
        if state != self._cleared:
            return
        self._marks[mark, create] = None
        if len(self._marks) > self._capacity:
            self._marks.popitem(last=False)

    def clear(self) -> None:
        """Forgets all of them, since an org or a secret is new."""
        self._cleared += 1
        self._marks.clear()
