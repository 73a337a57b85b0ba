"""A cache of right credentials, so that a slow hash is computed once and not at every request."""

import hashlib
import secrets

import attrs

from phonegate.domain.shared_memory import SharedMemory
from phonegate.model.principal import Principal

CAPACITY = 16_384
"""Right credentials kept, some 10 MB: about as many as a large gateway has connections. An org
with more than its share of them pushes out its own."""
LIFETIME_MS = 3_600_000
"""After an hour a credential is checked anew. For a full cache that takes a tenth of a core.
Nothing relies on this time: rotation, removal and revocation forget at once."""


@attrs.define
class CachedCredential:
    """A right credential. `used_at` is the last use of an API key that was stored."""

    principal: Principal
    forget_at: int
    used_at: int | None


class CredentialCache:
    """Right credentials, each stored under a mark that means nothing outside this process."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._key = secrets.token_bytes(32)
        self._known: SharedMemory[int, bytes, CachedCredential] = SharedMemory(capacity)

    def __len__(self) -> int:
        return len(self._known)

    def mark(self, org_name: str | None, credential: str, *, void: bool = False) -> bytes:
        """Returns the keyed BLAKE2b of a credential under a random key.

        A dump of this memory shows no secret. Right names and secrets hold no NUL, so no two right
        pairs share a mark. A `void` credential, which this caller may not use though others may,
        has a mark of its own.
        """
        text = f"{org_name or ''}\0{credential}"
        if void:
            text += "\0"
        # Unlike HMAC by OpenSSL, it keeps the GIL for so few bytes.
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=32
        ).digest()

    def recall(self, mark: bytes, now: int) -> CachedCredential | None:
        """Returns the right credential that a mark stands for, if it is known."""
        known = self._known.get(mark)
        # More than a lifetime left: the clock was set back.
        if known is None or not 0 < known.forget_at - now <= LIFETIME_MS:
            return None
        return known

    def was_right(self, mark: bytes) -> bool:
        """Tells whether this credential was right when it was last checked.

        Once `recall` returns None it must be checked anew. But a caller who presents it is not
        guessing, so guesses of others at the same address must not keep it waiting.
        """
        return mark in self._known

    def found_wrong(self, mark: bytes) -> None:
        """Notes that a credential is wrong, or no longer right."""
        self._known.pop(mark)

    def remember(
        self, mark: bytes, principal: Principal, now: int, *, used_at: int | None = None
    ) -> None:
        """Keeps a credential that was just found right."""
        self._known.put(
            principal.org, mark, CachedCredential(principal, now + LIFETIME_MS, used_at)
        )

    def forget(self, org: int) -> None:
        """Forgets every credential of an org, so that each is checked anew."""
        for known in self._known.of(org):
            known.forget_at = 0

    def clear(self) -> None:
        """Forgets all credentials, so that each is checked anew."""
        for known in self._known.values():
            known.forget_at = 0
