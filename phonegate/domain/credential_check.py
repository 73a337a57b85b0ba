"""The check of a credential that is not cached: slow, few at once, and counted.

An unknown org takes the same work and gets the same answer as a wrong secret.
"""

import hashlib
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Final, TypeVar

import trio

from phonegate import log
from phonegate.domain.caller import Caller, is_void
from phonegate.domain.client_network import is_local
from phonegate.domain.credential_cache import CredentialCache
from phonegate.domain.credentials import (
    PUBLISHED_SECRETS,
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
from phonegate.domain.familiar_callers import FamiliarCallers
from phonegate.domain.hash_queue import HashQueue
from phonegate.domain.known_addresses import CAPACITY
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.refused_credentials import RefusedCredentials
from phonegate.domain.registration import Registration
from phonegate.domain.throttle import Throttle
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.principal import SCOPES, Principal, usable
from phonegate.model.refusals import Throttled, Unauthorized
from phonegate.store.database import Database
from phonegate.store.tables import Tables

WRONG_CREDENTIAL: Final = "Unknown org or wrong secret."
"""One text for both, so that no caller learns which orgs exist."""

OPERATOR: Final = "*"
"""Stands for the operator where failures are counted by org. No org has such a name."""

_log = log.get("accounts")

T = TypeVar("T")


class Checks:
    """The checks of one gateway. They put right credentials into `cache`."""

    def __init__(
        self,
        database: Database,
        cache: CredentialCache,
        *,
        registration: Registration,
        now_ms: Callable[[], int],
        cost: Cost,
        rate_limits: RateLimits,
    ) -> None:
        self._database = database
        self._cache = cache
        self._registration = registration
        self._now_ms = now_ms
        self._cost = cost
        self._rate_limits = rate_limits
        self._decoy = decoy_hash(cost)
        self._throttle = Throttle()
        self._hash_queue = HashQueue()
        self._familiar = FamiliarCallers(database, now_ms)
        self._refused = RefusedCredentials()
        self._running: dict[tuple[bytes, bool], _Check] = {}
        self._proxy_logged = False
        self._changes = 0
        self._generations: Counter[int] = Counter()
        self.has_orgs = False
        """Whether there has been an org since this start."""

    async def load(self) -> None:
        """Loads from the database whether there are orgs, and where they were seen before.

        Raises:
            StoreError: The database can't be asked.
        """
        seen, self.has_orgs = await self._database.read(
            lambda tx: (tx.registrations.networks(CAPACITY), tx.orgs.exist())
        )
        self._familiar.load(seen)

    async def hash(self, secret: str) -> str:
        """Returns the slow hash of a new secret, for the operator. It is never refused a turn."""
        async with self._hash_queue.unbounded():
            return await self._hash_queue.compute(hash_secret, secret, self._cost)

    @property
    def changes(self) -> int:
        """How often any credential has changed."""
        return self._changes

    def operator(self, token: str, right: str, address: str) -> None:
        """Checks the operator's token.

        Args:
            token: What was shown.
            right: The token. Empty where there is none.
            address: Of the client: its failures are counted, as if the operator were an org.

        Raises:
            Unauthorized: It is another.
            Throttled: Too many failures before it.
        """
        now = self._now_ms()
        wait = self._throttle.wait_ms(address, OPERATOR, now)
        if wait > 0:
            raise _too_many(wait)
        shown, expected = (
            hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            for text in (token, right)
        )
        if not same_digest(shown, expected) or not right:
            self._throttle.failed(address, OPERATOR, now)
            raise Unauthorized(WRONG_CREDENTIAL)

    def generation(self, org: int) -> int:
        """Returns how often the org's credentials have changed."""
        return self._generations[org]

    def changed(self, org: int | None) -> None:
        """Forgets the right credentials of an org (None: of all), also for checks under way."""
        self._changes += 1
        self._refused.clear()
        if org is None:
            self._cache.clear()
        else:
            self._generations[org] += 1
            self._cache.forget(org)

    def made(self) -> None:
        """Forgets the wrong credentials, since an org was made."""
        self.has_orgs = True
        self._refused.clear()

    def admit_more(self) -> None:
        """Forgets the wrong credentials, since other callers may make an org from now on."""
        self._refused.clear()

    def removed(self, name: str) -> None:
        """Forgets where a removed org was seen."""
        self._familiar.forget(name)

    async def key(self, credential: str, mark: bytes, org_name: str | None) -> Principal:
        """Checks an API key, which must belong to the named org where one is named.

        A key needs no slow hash and can't be guessed, so its callers never wait, whatever others
        at the same address do.

        Raises:
            Unauthorized: It is not a key, or not one of that org.
        """
        presented, state = parse_api_key(credential), self._refused.state
        if presented is None or self._refused.holds(mark, create=False):
            raise Unauthorized(WRONG_CREDENTIAL)
        key, changes = None, -1
        while changes != self._changes:  # one revoked during the check is not cached
            changes = self._changes
            key = await self._database.read(lambda tx: tx.keys.get(presented.id))
        if key is None or not same_digest(key.digest, presented.digest):
            self._cache.found_wrong(mark)
            self._refused.note(mark, create=False, state=state)
            raise Unauthorized(WRONG_CREDENTIAL)
        if org_name not in (None, key.org_name):
            raise Unauthorized(WRONG_CREDENTIAL)
        principal = self._principal(key)
        self._cache.remember(mark, principal, self._now_ms(), used_at=key.last_used_at)
        return principal

    async def of_key(
        self, find: Callable[[Tables], T], key_of: Callable[[T], str | None]
    ) -> tuple[T, Principal | None]:
        """Finds something that was given for an API key, and whom that key speaks for now.

        Args:
            find: Finds it.
            key_of: Returns the id of its key.
        """

        def read(tx: Tables) -> tuple[T, ApiKey | None]:
            found = find(tx)
            key_id = key_of(found)
            return found, None if key_id is None else tx.keys.get(key_id)

        while True:
            changes = self._changes
            found, key = await self._database.read(read)
            if changes == self._changes:  # as above
                return found, None if key is None else self._principal(key)

    async def of_session(
        self, read: Callable[[Tables], tuple[T, Org | None, ApiKey | None]]
    ) -> tuple[T, Principal | None]:
        """See `Authentication.of_session`."""
        while True:
            changes = self._changes
            found, org, key = await self._database.read(read)
            if changes == self._changes:  # as above
                break
        if key is not None:
            return found, self._principal(key)
        return found, None if org is None else self._of_secret(org)

    def _of_secret(self, org: Org) -> Principal:
        return Principal(
            org=org.id, org_name=org.name, scopes=SCOPES, generation=self._generations[org.id]
        )

    def _principal(self, key: ApiKey) -> Principal:
        return Principal(
            org=key.org,
            org_name=key.org_name,
            # It could lift its limits, make another key, approve its own messages, or be the
            # phone that they leave by.
            scopes=usable(key),
            key_id=key.id,
            limits=key.limits,
            generation=self._generations[key.org],
        )

    async def secret(
        self, secret: str, mark: bytes, org_name: str | None, caller: Caller, *, create: bool
    ) -> Principal:
        """Checks an org's secret, and creates the org where that is asked for and allowed.

        Raises:
            Unauthorized: No such org, or another secret.
            BadInput: An org can't be created with such a name or secret.
            Throttled: Too many failures before it, too many checks at once, or too many new orgs.
        """
        void = is_void(secret, caller)
        create = create and not void and self._may_create(caller)
        if create:
            require_forms(org_name or "", secret)
        elif org_name is None or org_problem(org_name) or secret_problem(secret):
            # No org can have such a name or secret. To know that takes no work, and teaches a
            # guesser nothing.
            raise Unauthorized(WRONG_CREDENTIAL)
        name = org_name or ""
        while True:
            # The same secret again is not a guess: a program that goes on with an old one must
            # not keep out other callers at its address.
            if self._refused.holds(mark, create=create):
                raise Unauthorized(WRONG_CREDENTIAL)
            self._throttled(caller, name, mark)
            check = self._running.get((mark, create))
            if check is None:
                break
            await check.done.wait()
            if check.wrong:
                raise Unauthorized(WRONG_CREDENTIAL)
            if check.principal is not None and check.principal.generation == self.generation(
                check.principal.org
            ):
                return check.principal
            # The request that did the work was cancelled, or could not do it: this one tries.
        check = self._running[mark, create] = _Check()
        state = self._refused.state
        try:
            check.principal = await self._verify(
                None if void else secret, mark, name, caller, create=create
            )
            check.wrong = check.principal is None
        finally:
            del self._running[mark, create]
            check.done.set()
        if check.principal is None:
            self._cache.found_wrong(mark)
            self._refused.note(mark, create=create, state=state)
            self._throttle.failed(
                caller.address, name, self._now_ms(), familiar=self._familiar.has(caller, name)
            )
            raise Unauthorized(WRONG_CREDENTIAL)
        self._cache.remember(mark, check.principal, self._now_ms())
        await self._familiar.met(check.principal, caller, published=secret in PUBLISHED_SECRETS)
        return check.principal

    async def _verify(
        self, secret: str | None, mark: bytes, name: str, caller: Caller, *, create: bool
    ) -> Principal | None:
        """Does the work of a check. Returns None, at the same cost, if the secret is wrong."""
        known = self._cache.was_right(mark) or self._familiar.has(caller, name)
        async with self._hash_queue.bounded(caller.network, name, known=known):
            # Others of this address may have failed while it waited for its turn.
            self._throttled(caller, name, mark)
            while True:
                changes = self._changes
                org, removed = await self._database.read(
                    lambda tx: (tx.orgs.get(name), tx.orgs.was_removed(name))
                )
                made = False
                if org is None and create and not removed and secret is not None:
                    self._rate_limits.register(caller.address, perf_counter(), local=caller.local)
                    org, made = await self._create(name, secret)
                    self.made()
                    if made:
                        _log.info("org_added", org=name, by="registration", peer=caller.address)
                right = made or await self._fits(secret, org)
                # A secret that was rotated away while it was being checked must not pass.
                if changes == self._changes:
                    break
        if org is None or not right:
            return None
        return self._of_secret(org)

    async def _create(self, name: str, secret: str) -> tuple[Org, bool]:
        """Creates an org, or returns the one that another first contact created meanwhile.

        The second value tells whether this call created it.
        """
        stored = await self._hash_queue.compute(hash_secret, secret, self._cost)
        now = self._now_ms()

        def create(tx: Tables) -> tuple[Org, bool]:
            org = tx.orgs.get(name)
            if org is not None:
                return org, False
            if tx.orgs.was_removed(name):  # after it was read
                raise Unauthorized(WRONG_CREDENTIAL)
            return tx.orgs.add(name, stored, now, self_made=True), True

        return await self._database.write(create)

    async def _fits(self, secret: str | None, org: Org | None) -> bool:
        stored = self._decoy if org is None or secret is None else org.secret_hash
        try:
            right = await self._hash_queue.compute(verify_secret, secret or "", stored)
        except MalformedHash as error:
            _log.error("secret_hash_unreadable", org=org and org.name, problem=error.problem)
            return False
        return right and org is not None and secret is not None

    def _may_create(self, caller: Caller) -> bool:
        """Tells whether a caller may make an org. Logs once where only a proxy prevents it."""
        may = self._registration.admits(local=caller.local)
        if not may and caller.relayed and is_local(caller.address) and not self._proxy_logged:
            self._proxy_logged = True
            _log.warning(
                "proxy_not_named",
                peer=caller.address,
                problem="what it passes on counts as coming from anywhere, so it makes no org",
                cure="name it in [http] trusted_proxies",
            )
        return may

    def _throttled(self, caller: Caller, name: str, mark: bytes) -> None:
        if self._cache.was_right(mark):
            return
        familiar = self._familiar.has(caller, name)
        wait = self._throttle.wait_ms(caller.address, name, self._now_ms(), familiar=familiar)
        if wait > 0:
            raise _too_many(wait)


def _too_many(wait_ms: int) -> Throttled:
    seconds = -(-wait_ms // 1000)
    return Throttled(f"Too many wrong secrets. Try again in {seconds} s.", seconds)


class _Check:
    """A check under way, which others with the same org and secret wait for."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.principal: Principal | None = None
        self.wrong = False
