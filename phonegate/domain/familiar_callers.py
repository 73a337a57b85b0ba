"""Callers whose network an org's right secret came from before: what guessers do is not theirs."""

from collections.abc import Callable, Iterable

import trio

from phonegate import log
from phonegate.domain.caller import Caller
from phonegate.domain.known_addresses import LIFETIME_MS, NETWORKS_EACH, KnownAddresses
from phonegate.model.principal import Principal
from phonegate.model.storage_errors import StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

_NOTE_DEADLINE_S = 1.0
"""How long a busy disk may delay the request that stores where it came from, once a day."""

_log = log.get("accounts")


class FamiliarCallers:
    """The networks of callers who had the right secret."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._known = KnownAddresses()

    def load(self, seen: Iterable[tuple[str, str, int]]) -> None:
        """Loads what was stored: org, network and time in ms, the oldest first."""
        self._known.load(seen)

    def forget(self, name: str) -> None:
        """Forgets a removed org."""
        self._known.forget(name)

    def has(self, caller: Caller, name: str) -> bool:
        """Tells whether the org's right secret came from this caller's network before."""
        return self._known.knows(name, caller.network, self._now_ms())

    async def met(self, principal: Principal, caller: Caller, *, published: bool) -> None:
        """Notes where a right secret came from, and logs it if it is a published one."""
        now = self._now_ms()
        if published:
            org = principal.org_name
            _log.warning(
                "published_secret",
                org=org,
                problem="its secret is the one printed in the documentation, so it works from this "
                "machine and private networks only",
                cure=f"phonegate org rotate {org}",
            )
        if not self._known.meet(principal.org_name, caller.network, now) and not published:
            return

        def note(tx: Tables) -> None:
            tx.registrations.note(
                principal.org,
                caller.network,
                now,
                most=NETWORKS_EACH,
                forget_before=now - LIFETIME_MS,
            )
            if published:
                tx.orgs.publish(principal.org)

        with trio.move_on_after(_NOTE_DEADLINE_S):
            try:
                await self._database.write(note)
            except StoreError as error:
                _log.warning("place_not_noted", org=principal.org_name, error=type(error).__name__)
