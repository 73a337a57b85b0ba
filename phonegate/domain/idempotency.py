"""Requests that may be repeated without harm: the Idempotency-Key of a sending route.

After draft-ietf-httpapi-idempotency-key-header: the first answer to a key is kept for a day
and given again. Another request under the same key is refused, and so is a repeat while the
first request still runs. The answer is stored with the messages, in one transaction.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Generic, TypeVar

import attrs

from phonegate.model.orgs import KeptAnswer
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, KeyReused
from phonegate.store.database import Database
from phonegate.store.tables import Tables

KEPT_MS: Final = 24 * 60 * 60 * 1000
"""How long an answer is kept, in ms: longer than any client goes on retrying."""

T = TypeVar("T")
U = TypeVar("U")


@attrs.frozen(kw_only=True)
class Keep(Generic[T]):
    """Asks for the answer to a send to be kept under an Idempotency-Key, with its messages."""

    route: str
    """As `kept_under` gives it."""
    key: str
    fingerprint: bytes
    """What makes two requests under one key the same."""
    render: Callable[[T], tuple[int, bytes]]
    """Makes the answer's status and body from what became of the send."""

    def reply(self, outcome: T, now: int) -> KeptAnswer:
        """Makes the answer as it is kept."""
        status, body = self.render(outcome)
        return KeptAnswer(fingerprint=self.fingerprint, status=status, body=body, created_at=now)

    def put(self, tx: Tables, org: int, outcome: T, now: int) -> None:
        """Keeps the answer, in the transaction that stores what became of the send."""
        tx.kept_answers.put(org, self.route, self.key, self.reply(outcome, now))

    def rendered(self, render: Callable[[U], tuple[int, bytes]]) -> "Keep[U]":
        """Asks for the same, with an answer made in another way."""
        return Keep(route=self.route, key=self.key, fingerprint=self.fingerprint, render=render)


def kept_answer(tx: Tables, org: int, route: str, key: str, now: int) -> KeptAnswer | None:
    """Finds the answer that a key got less than a day ago."""
    found = tx.kept_answers.get(org, route, key)
    return None if found is None or found.created_at <= now - KEPT_MS else found


def kept_under(caller: Principal, route: str) -> str:
    """Names the route under which the answers to a caller are kept.

    An API key with limits has answers of its own. In those of its org it could read, or find out
    by guessing, what its limits keep from it.
    """
    return route if caller.limits is None else f"{route} {caller.key_id}"


class Idempotency:
    """Finds answers given before, and refuses a repeat of a request that still runs."""

    def __init__(self, database: Database, *, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._running: set[tuple[int, str, str]] = set()

    async def keep(self, org: int, keep: Keep[T], outcome: T, now: int) -> None:
        """Keeps the answer to a request whose messages were stored one by one before.

        Args:
            org: Whose request it was.
            keep: How its answer is kept.
            outcome: What became of it.
            now: The time (ms).
        """
        await self._database.write(lambda tx: keep.put(tx, org, outcome, now))

    async def kept(self, org: int, route: str, key: str) -> KeptAnswer | None:
        """Returns the answer that a key got less than a day ago. See `gate` for the arguments."""
        now = self._now_ms()
        return await self._database.read(lambda tx: kept_answer(tx, org, route, key, now))

    async def kept_of(self, org: int, keep: Keep[T]) -> KeptAnswer | None:
        """Returns the answer that was kept as `keep` asks for, less than a day ago.

        Raises:
            KeyReused: The key was used for another request.
        """
        return _for_the_same(await self.kept(org, keep.route, keep.key), keep.fingerprint)

    @asynccontextmanager
    async def gate(
        self, org: int, route: str, key: str, fingerprint: bytes
    ) -> AsyncIterator[KeptAnswer | None]:
        """Holds `key` while a request runs.

        Args:
            org: Whose request it is.
            route: As `kept_under` gives it.
            key: The Idempotency-Key.
            fingerprint: What makes two requests the same.

        Yields:
            The answer to an earlier request, None where this is the first.

        Raises:
            KeyReused: The key was used for another request.
            Conflict: The first request under this key has not been answered yet.
        """
        name = (org, route, key)
        if name in self._running:
            raise Conflict("A request with this Idempotency-Key is still running. Ask again later.")
        self._running.add(name)
        try:
            now = self._now_ms()
            earlier = await self._database.read(lambda tx: kept_answer(tx, org, route, key, now))
            yield _for_the_same(earlier, fingerprint)
        finally:
            self._running.discard(name)


def _for_the_same(earlier: KeptAnswer | None, fingerprint: bytes) -> KeptAnswer | None:
    """Returns an answer, if there is one, that was given to the same request.

    Raises:
        KeyReused: It was given to another one.
    """
    if earlier is not None and earlier.fingerprint != fingerprint:
        raise KeyReused(
            "This Idempotency-Key was used for another request. Use a new key for a new one."
        )
    return earlier
