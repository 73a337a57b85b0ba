"""Finding out whom a credential speaks for: an org's secret, or an API key.

A secret is kept as a slow hash. A right one is remembered in memory, so that it costs its owner
microseconds from then on. A wrong one costs the guesser a turn at one of two threads and a token
of `throttle`. An unknown org costs the same work and gets the same answer as a wrong secret.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, Protocol, TypeVar

import trio

from phonegate import log
from phonegate.domain.caller import Caller, is_void
from phonegate.domain.credential_cache import CachedCredential, CredentialCache
from phonegate.domain.credential_check import WRONG_CREDENTIAL, Checks
from phonegate.domain.credentials import Cost, is_key_like
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Registration
from phonegate.model.facts import CredentialsChanged, OrgChanged, Publish
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.principal import (
    LIMITED_SCOPES,
    OWNER_SCOPE,
    OwnerScope,
    Principal,
    Scope,
    allows,
)
from phonegate.model.refusals import Forbidden, OrgSuspended, Unauthorized
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables

NO_CREDENTIAL: Final = (
    "A secret is needed: send it as X-Secret-Key, Authorization: Bearer, "
    "secret_key in the body, or in the path."
)

OWNER_ONLY: Final = "Only the gateway's owner can do this, on its machine."

_TOUCH_MS: Final = 60_000
"""The last use of a key is noted once in this time."""

_TOUCH_DEADLINE_S: Final = 1.0
"""How long noting it may hold up a request on a busy disk, once a minute."""

_ENDED_SESSIONS: Final = 10_000
"""Ended sessions that are remembered, until all that was open of them has long ended: 1 MB."""

_CHANGE_DEADLINE_S: Final = 10.0
"""How long a change of credentials goes on after its client has left."""

_log = log.get("accounts")

T = TypeVar("T")


class Authenticator(Protocol):
    """Finds out whom a credential speaks for. The owner's requests have one of their own."""

    async def authenticate(
        self,
        credential: str | None,
        *,
        org_name: str | None,
        address: str,
        scope: Scope | OwnerScope | None,
        create: bool = False,
        relayed: bool = False,
        foreign_host: bool = False,
    ) -> Principal:
        """Returns whom a credential speaks for, see `Authentication.authenticate`."""

    def mark(
        self,
        credential: str,
        org_name: str | None,
        address: str,
        *,
        relayed: bool,
        foreign_host: bool = False,
    ) -> bytes:
        """Returns what `remembered` knows a credential by, see `Authentication.mark`."""

    def remembered(
        self, mark: bytes, org_name: str | None, scope: Scope | OwnerScope | None
    ) -> Principal | None:
        """Returns whom a credential speaks for, see `Authentication.remembered`."""

    def is_current(self, principal: Principal) -> bool:
        """Tells whether a principal would still be let in, see `Authentication.is_current`."""


class Authentication:
    """Checks credentials, and forgets its results once credentials are changed.

    It publishes `CredentialsChanged` after any credential was revoked or changed. `OrgChanged`
    comes with it where an org was removed, its secret was rotated, or a key by which a phone may
    have come in was revoked or limited. Phones that came in before then must come in again.
    """

    def __init__(
        self,
        database: Database,
        *,
        registration: Registration,
        now_ms: Callable[[], int],
        cost: Cost,
        rate_limits: RateLimits,
        publish: Publish,
    ) -> None:
        self._publish = publish
        self._changing = 0
        """The changes that end credentials and are under way."""
        self._settled = trio.Event()
        self._suspended: set[int] = set()
        """The orgs that are not served."""
        self._ended_sessions: OrderedDict[int, None] = OrderedDict()
        self._database = database
        self._now_ms = now_ms
        self._cache = CredentialCache()
        self.checks: Final = Checks(
            database,
            self._cache,
            registration=registration,
            now_ms=now_ms,
            cost=cost,
            rate_limits=rate_limits,
        )

    async def authenticate(
        self,
        credential: str | None,
        *,
        org_name: str | None,
        address: str,
        scope: Scope | OwnerScope | None,
        create: bool = False,
        relayed: bool = False,
        foreign_host: bool = False,
    ) -> Principal:
        """Finds out whom a credential speaks for, if it is right and reaches far enough.

        Args:
            credential: An org's secret, or an API key, which works wherever a secret does.
            org_name: The org that the request names. An API key needs none.
            address: Of the client: its failures are counted.
            scope: What the request is about to do. None where any scope will do.
            create: Whether an org that does not exist is created with this secret, as the first
                phone or `POST /webhook` does where registration allows it.
            relayed: Whether a proxy that is not trusted passed the request on, so that the
                address may be the proxy's.
            foreign_host: Whether the request's Host is a name that anyone may own, so that a page
                at that name may have sent it, from a browser at the address.

        Raises:
            Unauthorized: There is no credential, or it is not a right one of this org.
            Forbidden: It is right and lacks `scope`.
            Throttled: Too many failures before it, too many checks at once, or too many new orgs.
            BadInput: The org can't be created by such a name or with such a secret.
            OrgSuspended: The org is not served now.
            StoreError: The database can't be asked.
        """
        if not credential:
            raise Unauthorized(NO_CREDENTIAL)
        if scope == OWNER_SCOPE:
            raise Forbidden(OWNER_ONLY)
        by_key = is_key_like(credential)
        caller = Caller(address=address, relayed=relayed, foreign_host=foreign_host)
        mark = self._mark(credential, org_name, caller)
        known = self._cache.recall(mark, self._now_ms())
        if known is not None:
            principal = known.principal
            if by_key and org_name not in (None, principal.org_name):
                raise Unauthorized(WRONG_CREDENTIAL)
        elif by_key:
            principal = await self.checks.key(credential, mark, org_name)
        else:
            principal = await self.checks.secret(credential, mark, org_name, caller, create=create)
        self.require_served(principal.org)
        require_scope(principal, scope)
        if by_key:
            await self._touch(mark)
        return principal

    def mark(
        self,
        credential: str,
        org_name: str | None,
        address: str,
        *,
        relayed: bool,
        foreign_host: bool = False,
    ) -> bytes:
        """Returns what `remembered` knows a credential by. Its arguments are `authenticate`'s."""
        caller = Caller(address=address, relayed=relayed, foreign_host=foreign_host)
        return self._mark(credential, org_name, caller)

    def remembered(
        self, mark: bytes, org_name: str | None, scope: Scope | OwnerScope | None
    ) -> Principal | None:
        """Returns whom a credential speaks for, where `authenticate` would just remember that.

        Args:
            mark: That of the credential, as `mark` returns it.
            org_name: As for `authenticate`.
            scope: As for `authenticate`.

        Returns:
            The principal. None where there is more to do than to remember it: to check the
            credential, to refuse it, or to note that it was used.
        """
        now = self._now_ms()
        known = self._cache.recall(mark, now)
        if known is None:
            return None
        principal = known.principal
        if scope is not None and scope not in principal.scopes:
            return None
        if principal.org in self._suspended:
            return None
        if principal.key_id is not None and (
            org_name not in (None, principal.org_name) or _is_touch_due(known, now)
        ):
            return None
        return principal

    async def of_key(
        self, find: Callable[[Tables], T], key_of: Callable[[T], str | None]
    ) -> tuple[T, Principal | None]:
        """Finds something that was given for an API key, and whom that key speaks for now.

        Args:
            find: Finds it.
            key_of: Returns the id of its key.

        Returns:
            What was found, and None where the key is revoked.

        Raises:
            OrgSuspended: Its org is not served now.
        """
        found, principal = await self.checks.of_key(find, key_of)
        if principal is not None:
            self.require_served(principal.org)
        return found, principal

    async def of_session(
        self, read: Callable[[Tables], tuple[T, Org | None, ApiKey | None]]
    ) -> tuple[T, Principal | None]:
        """Finds something that was begun by a right credential, and whom that speaks for now.

        Args:
            read: Finds it, its org, and its API key where it was begun by one.

        Returns:
            What was found, and None where its org is removed or has no such key.

        Raises:
            OrgSuspended: Its org is not served now.
        """
        found, principal = await self.checks.of_session(read)
        if principal is not None:
            self.require_served(principal.org)
        return found, principal

    def recalls(
        self,
        credential: str,
        org_name: str | None,
        address: str,
        *,
        relayed: bool,
        foreign_host: bool = False,
    ) -> bool:
        """Tells whether a credential was right when it was last checked. Checks nothing now."""
        mark = self.mark(credential, org_name, address, relayed=relayed, foreign_host=foreign_host)
        return self._cache.was_right(mark)

    def _mark(self, credential: str, org_name: str | None, caller: Caller) -> bytes:
        if is_key_like(credential):
            return self._cache.mark(None, credential)
        return self._cache.mark(org_name, credential, void=is_void(credential, caller))

    def is_current(self, principal: Principal) -> bool:
        """Tells whether the org's credentials are still those that let this principal in.

        One who keeps a principal for long asks again once `CredentialsChanged` was published.
        """
        return (
            self.checks.generation(principal.org) == principal.generation
            and principal.session not in self._ended_sessions
        )

    async def change(self, op: Callable[[Tables], T]) -> T:
        """Writes a change that ends credentials, even if the client that asked for it leaves.

        Raises:
            StorageUnavailable: The change was not confirmed in time, and may be made yet.
        """
        self._changing += 1
        try:
            with trio.fail_after(_CHANGE_DEADLINE_S, shield=True):
                return await self._database.write(op)
        except trio.TooSlowError:
            # It may still be written after this. Whatever it ends must not be remembered.
            self.checks.changed(None)
            raise StorageUnavailable("the change was not confirmed in time") from None
        finally:
            self._changing -= 1
            if not self._changing:
                self._settled.set()
                self._settled = trio.Event()

    def require_served(self, org: int) -> None:
        """Makes sure that an org is served.

        Raises:
            OrgSuspended: It is not.
        """
        if org in self._suspended:
            raise OrgSuspended

    def suspend(self, orgs: Iterable[int]) -> None:
        """Refuses all who speak for these orgs from now on, and ends the streams that they have."""
        for org in orgs:
            self._suspended.add(org)
            self.changed(org, phones=False)

    def resume(self, org: int) -> None:
        """Lets in again who speaks for an org."""
        self._suspended.discard(org)
        # Also what was refused: an org that has come has a name that was none until now.
        self.changed(org, phones=False)

    async def settled(self) -> None:
        """Waits until no change that ends credentials is under way.

        What such a change has stored, `is_current` tells from then on.
        """
        while self._changing:
            await self._settled.wait()

    def session_ended(self, org: int, session: int) -> None:
        """Ends what is open of a session: streams of its org are to ask `is_current` again."""
        self._ended_sessions[session] = None
        while len(self._ended_sessions) > _ENDED_SESSIONS:
            self._ended_sessions.popitem(last=False)
        self._publish((CredentialsChanged(org),))

    def changed(self, org: int, *, phones: bool = True) -> None:
        """Forgets which credentials of an org were right.

        Args:
            org: Whose credentials have changed.
            phones: Whether a phone may have come in by one of them.
        """
        self.checks.changed(org)
        facts = (CredentialsChanged(org), *((OrgChanged(org),) if phones else ()))
        self._publish(facts)

    async def _touch(self, mark: bytes) -> None:
        known, now = self._cache.recall(mark, self._now_ms()), self._now_ms()
        if known is None or known.principal.key_id is None:
            return
        if not _is_touch_due(known, now):
            return
        known.used_at = now  # before the write, so that only one request a minute writes
        key_id = known.principal.key_id
        with trio.move_on_after(_TOUCH_DEADLINE_S):
            try:
                await self._database.write(lambda tx: tx.keys.touch(key_id, now))
            except Exception as error:  # noqa: BLE001 - a request never fails because this could not be noted
                _log.warning("key_use_not_noted", key=key_id, error=type(error).__name__)


def require_scope(principal: Principal, scope: Scope | OwnerScope | None) -> None:
    """Makes sure that a principal may do what it is about to.

    Args:
        principal: Who.
        scope: What that needs. None where any scope will do.

    Raises:
        Forbidden: The principal lacks it.
    """
    if scope is None:
        return
    if scope == OWNER_SCOPE:
        if OWNER_SCOPE not in principal.scopes:
            raise Forbidden(OWNER_ONLY)
    elif not allows(principal.scopes, scope):
        if principal.limits is not None and scope not in LIMITED_SCOPES:
            what = "be a phone" if scope == "phone" else "manage anything"
            raise Forbidden(f"This API key has limits, so it can't {what}.")
        raise Forbidden(f"This API key lacks the scope {scope}.")


def _is_touch_due(known: CachedCredential, now: int) -> bool:
    """Tells whether the use of a key is to be noted once more."""
    return known.used_at is None or abs(now - known.used_at) >= _TOUCH_MS
