"""How a credential is checked that is not remembered: slowly, by few at once, and counted.

An unknown org costs the same work and gets the same answer as a wrong secret.
"""

from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Final

import trio

from phonegate import log
from phonegate.domain.credentials import (
    Cost,
    MalformedHash,
    decoy_hash,
    hash_secret,
    org_problem,
    parse_api_key,
    require_forms,
    same_digest,
    secret_problem,
    verify_secret,
)
from phonegate.domain.errors import Throttled, Unauthorized
from phonegate.domain.guard import Guard
from phonegate.domain.principal import SCOPES, Principal, usable
from phonegate.domain.remembered import Remembered
from phonegate.domain.throttle import Throttle
from phonegate.domain.turns import Turns
from phonegate.store.database import Database
from phonegate.store.records import Org
from phonegate.store.tables import Tables

WRONG_CREDENTIAL: Final = "Unknown org or wrong secret."
"""The same for both, so that nobody learns which orgs exist."""

_log = log.get("accounts")


class Checks:
    """The checks of one gateway. What they find right, they put into `remembered`."""

    def __init__(
        self,
        database: Database,
        remembered: Remembered,
        *,
        open_registration: bool,
        now_ms: Callable[[], int],
        cost: Cost,
        guard: Guard,
    ) -> None:
        self._database = database
        self._remembered = remembered
        self._open = open_registration
        self._now_ms = now_ms
        self._cost = cost
        self._guard = guard
        self._decoy = decoy_hash(cost)
        self._throttle = Throttle()
        self._turns = Turns()
        self._running: dict[tuple[bytes, bool], _Check] = {}
        self._changes = 0
        self._generations: Counter[int] = Counter()

    async def hash(self, secret: str) -> str:
        """The slow hash of a new secret, for the operator: waits its turn, is never refused."""
        async with self._turns.unbounded():
            return await self._turns.compute(hash_secret, secret, self._cost)

    def generation(self, org: int) -> int:
        """How often the org's credentials have changed."""
        return self._generations[org]

    def changed(self, org: int | None) -> None:
        """Forgets what was right of an org (`None`: of any), also for checks under way."""
        self._changes += 1
        if org is None:
            self._remembered.clear()
        else:
            self._generations[org] += 1
            self._remembered.forget(org)

    async def key(
        self, credential: str, mark: bytes, org_name: str | None, address: str
    ) -> Principal:
        """Checks an API key, which must be of the named org where one is named.

        Raises:
            Unauthorized: It is no key, or not of that org.
            Throttled: Too many failures before it.
        """
        self._throttled(address, None, mark)
        presented = parse_api_key(credential)
        if presented is None:
            raise self.failure(address, None)
        key, changes = None, -1
        while changes != self._changes:  # one that was revoked under our eyes is not remembered
            changes = self._changes
            key = await self._database.read(lambda tx: tx.keys.get(presented.id))
        if key is None or not same_digest(key.digest, presented.digest):
            self._remembered.found_wrong(mark)
            raise self.failure(address, None)
        if org_name not in (None, key.org_name):
            raise self.failure(address, None)
        principal = Principal(
            org=key.org,
            org_name=key.org_name,
            # It could lift its limits, make another key, approve its own messages, or be the
            # phone that they leave by.
            scopes=usable(key),
            key_id=key.id,
            limits=key.limits,
            generation=self._generations[key.org],
        )
        self._remembered.remember(mark, principal, self._now_ms(), used_at=key.last_used_at)
        return principal

    async def secret(
        self, secret: str, mark: bytes, org_name: str | None, address: str, *, create: bool
    ) -> Principal:
        """Checks an org's secret; creates the org where that is asked for and allowed.

        Raises:
            Unauthorized: No such org, or another secret.
            BadInput: An org can't be created with such a name or secret.
            Throttled: Too many failures before it, too many checks at once, or too many new orgs.
        """
        create = create and self._open
        if create:
            require_forms(org_name or "", secret)
        elif org_name is None or org_problem(org_name) or secret_problem(secret):
            # No org has such a name or secret, whoever asks: that takes no work to know, and
            # teaches a guesser nothing.
            raise Unauthorized(WRONG_CREDENTIAL)
        name = org_name or ""
        while True:
            self._throttled(address, name, mark)
            check = self._running.get((mark, create))
            if check is None:
                break
            await check.done.wait()
            if check.wrong:
                raise self.failure(address, name)
            if check.principal is not None and check.principal.generation == self.generation(
                check.principal.org
            ):
                return check.principal
            # Who did the work was cancelled, or could not do it: now we try.
        check = self._running[mark, create] = _Check()
        try:
            check.principal = await self._verify(secret, mark, name, address, create=create)
            check.wrong = check.principal is None
        finally:
            del self._running[mark, create]
            check.done.set()
        if check.principal is None:
            self._remembered.found_wrong(mark)
            raise self.failure(address, name)
        self._remembered.remember(mark, check.principal, self._now_ms())
        return check.principal

    async def _verify(
        self, secret: str, mark: bytes, name: str, address: str, *, create: bool
    ) -> Principal | None:
        async with self._turns.bounded(address):
            # Others of this address may have failed while it waited for its turn.
            self._throttled(address, name, mark)
            while True:
                changes = self._changes
                org = await self._database.read(lambda tx: tx.orgs.get(name))
                made = False
                if org is None and create:
                    self._guard.register(address, perf_counter())
                    org, made = await self._create(name, secret)
                right = made or await self._fits(secret, org)
                # A secret that was rotated away while it was being checked must not pass.
                if changes == self._changes:
                    break
        if org is None or not right:
            return None
        return Principal(
            org=org.id, org_name=org.name, scopes=SCOPES, generation=self._generations[org.id]
        )

    async def _create(self, name: str, secret: str) -> tuple[Org, bool]:
        """Creates an org, or gives the one that another first contact created meanwhile."""
        stored = await self._turns.compute(hash_secret, secret, self._cost)
        now = self._now_ms()

        def create(tx: Tables) -> tuple[Org, bool]:
            org = tx.orgs.get(name)
            if org is not None:
                return org, False
            return tx.orgs.add(name, stored, now, self_made=True), True

        return await self._database.write(create)

    async def _fits(self, secret: str, org: Org | None) -> bool:
        stored = self._decoy if org is None else org.secret_hash
        try:
            return await self._turns.compute(verify_secret, secret, stored) and org is not None
        except MalformedHash as error:
            _log.error("secret_hash_unreadable", org=org and org.name, problem=error.problem)
            return False

    def _throttled(self, address: str, name: str | None, mark: bytes) -> None:
        if self._remembered.was_right(mark):
            return
        wait = self._throttle.wait_ms(address, name, self._now_ms())
        if wait > 0:
            seconds = -(-wait // 1000)
            raise Throttled(f"Too many wrong secrets. Try again in {seconds} s.", seconds)

    def failure(self, address: str, name: str | None) -> Unauthorized:
        """Counts a failure; gives the answer to it."""
        self._throttle.failed(address, name, self._now_ms())
        return Unauthorized(WRONG_CREDENTIAL)


class _Check:
    """A check under way, which others with the same org and secret wait for."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.principal: Principal | None = None
        self.wrong = False
