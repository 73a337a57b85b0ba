"""Requests that may be repeated without harm: the Idempotency-Key of a sending route.

After draft-ietf-httpapi-idempotency-key-header: the first answer to a key is kept for a day
and given again; another request under the same key is refused; a repeat of one that still
runs is told so. The answer itself is stored with the messages, in one transaction.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from phonegate.model.orgs import KeptAnswer
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, KeyReused
from phonegate.store.database import Database

KEPT_MS = 24 * 60 * 60 * 1000
"""How long an answer is kept, in ms: longer than any client goes on retrying."""


def kept_under(caller: Principal, route: str) -> str:
    """The route under which the answers to a caller are kept.

    An API key with limits has answers of its own: in those of its org it could read, or find out
    by guessing, what its limits keep from it.
    """
    return route if caller.limits is None else f"{route} {caller.key_id}"


class Idempotency:
    """Knows the answers already given, and the requests that run right now."""

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._running: set[tuple[int, str, str]] = set()

    @asynccontextmanager
    async def gate(
        self, org: int, route: str, key: str, fingerprint: bytes
    ) -> AsyncIterator[KeptAnswer | None]:
        """Holds `key` while a request runs; gives the stored answer of an earlier one.

        `route` is as `kept_under` gives it.

        Raises:
            KeyReused: the key was used for another request.
            Conflict: the first request under this key has not been answered yet.
        """
        name = (org, route, key)
        if name in self._running:
            raise Conflict("A request with this Idempotency-Key is still running. Ask again later.")
        self._running.add(name)
        try:
            earlier = await self._database.read(lambda tx: tx.replies.get(org, route, key))
            if earlier is not None and earlier.created_at <= self._now_ms() - KEPT_MS:
                earlier = None
            if earlier is not None and earlier.fingerprint != fingerprint:
                raise KeyReused(
                    "This Idempotency-Key was used for another request. "
                    "Use a new key for a new one."
                )
            yield earlier
        finally:
            self._running.discard(name)
