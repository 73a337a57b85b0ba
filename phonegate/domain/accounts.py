"""Who is asking: orgs by their secret, API keys by themselves, and how both come and go.

A secret is kept as a slow hash. A right one is remembered in memory, so that it costs its owner
microseconds from then on; a wrong one costs the guesser a turn at one of two threads and a token
of `throttle`. An unknown org costs the same work and gets the same answer as a wrong secret.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar, get_args

import attrs
import trio

from phonegate import log
from phonegate.domain.credential_cache import CredentialCache
from phonegate.domain.credential_check import (
    WRONG_CREDENTIAL,
    Caller,
    Checks,
    is_void,
)
from phonegate.domain.credentials import (
    PUBLISHED_SECRETS,
    STANDARD_COST,
    Cost,
    is_key_like,
    make_api_key,
    make_secret,
    require_forms,
)
from phonegate.domain.delivery import WITHDRAWN_AT_ONCE, withdraw_of_key
from phonegate.domain.key_limits import effective, problems_of
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.registration import Mode, Registration
from phonegate.model.orgs import ApiKey, KeyLimits, Org
from phonegate.model.principal import (
    LIMITED_SCOPES,
    SCOPES,
    Principal,
    Scope,
    admits_phones,
    allows,
    scopes_for,
)
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    OrgFull,
    Unauthorized,
)
from phonegate.model.storage_errors import StorageUnavailable
from phonegate.store.database import Database
from phonegate.store.tables import Tables

__all__ = ["NO_CREDENTIAL", "SCOPES", "WRONG_CREDENTIAL", "Accounts", "Principal", "Scope"]

NO_CREDENTIAL: Final = (
    "A secret is needed: send it as X-Secret-Key, Authorization: Bearer, "
    "secret_key in the body, or in the path."
)
_TOUCH_MS = 60_000
"""How often the last use of a key is written down."""
_TOUCH_DEADLINE_S = 1.0
"""A busy disk may cost the request that writes it down this long, once a minute."""

_CHANGE_DEADLINE_S = 10.0
"""A change of credentials is seen through even if its client leaves, but not for ever."""

_REGISTRATION = "registration"
"""The name under which the owner's choice is kept."""

_KEY_NAME_CHARS = 100
"""As the route that makes keys says."""

_log = log.get("accounts")

T = TypeVar("T")


class Accounts:
    """Checks credentials, and makes and ends them.

    `on_change`, where set, is called with an org's id after it was removed, its secret
    rotated, or a key that may manage revoked or limited: what was let in before then must come
    again.
    """

    def __init__(
        self,
        database: Database,
        *,
        registration: Registration | None = None,
        now_ms: Callable[[], int],
        cost: Cost = STANDARD_COST,
        rate_limits: RateLimits | None = None,
    ) -> None:
        self.on_change: Callable[[int], None] | None = None
        self.registration: Final = Registration() if registration is None else registration
        self._database = database
        self._rate_limits = RateLimits() if rate_limits is None else rate_limits
        self._now_ms = now_ms
        self._remembered = CredentialCache()
        self._checks = Checks(
            database,
            self._remembered,
            registration=self.registration,
            now_ms=now_ms,
            cost=cost,
            rate_limits=self._rate_limits,
        )

    async def load(self) -> None:
        """Takes from the database what outlives a restart: before the first request.

        Raises:
            StoreError: The database can't be asked.
        """
        await self.read_registration()
        await self._checks.load()

    async def authenticate(
        self,
        credential: str | None,
        *,
        org_name: str | None,
        address: str,
        scope: Scope | None,
        create: bool = False,
        relayed: bool = False,
        foreign_host: bool = False,
    ) -> Principal:
        """Says whom a credential speaks for, if it is right and reaches far enough.

        Args:
            credential: An org's secret, or an API key, which works wherever a secret does.
            org_name: The org that the request names; an API key needs none.
            address: Of the client, to count its failures by.
            scope: What the request is about to do; None: its own business.
            create: Whether an org that does not exist is created with this secret, as the first
                phone or webhook does where registration allows it.
            relayed: Whether a proxy that is not trusted passed the request on, so that the
                address may be the proxy's.
            foreign_host: Whether it was for a name that anybody may own, so that a page at that
                name may have sent it, from a browser at the address.

        Raises:
            Unauthorized: No credential, or not a right one of this org.
            Forbidden: It is right and lacks `scope`.
            Throttled: Too many failures before it, too many checks at once, or too many new orgs.
            BadInput: The org can't be created by such a name or with such a secret.
            StoreError: The database can't be asked.
        """
        if not credential:
            raise Unauthorized(NO_CREDENTIAL)
        by_key = is_key_like(credential)
        caller = Caller(address=address, relayed=relayed, foreign_host=foreign_host)
        mark = self._mark(credential, org_name, caller)
        known = self._remembered.recall(mark, self._now_ms())
        if known is not None:
            principal = known.principal
            if by_key and org_name not in (None, principal.org_name):
                raise Unauthorized(WRONG_CREDENTIAL)
        elif by_key:
            principal = await self._checks.key(credential, mark, org_name)
        else:
            principal = await self._checks.secret(credential, mark, org_name, caller, create=create)
        if scope is not None and not allows(principal.scopes, scope):
            if principal.limits is not None and scope not in LIMITED_SCOPES:
                what = "be a phone" if scope == "phone" else "manage anything"
                raise Forbidden(f"This API key has limits, so it can't {what}.")
            raise Forbidden(f"This API key lacks the scope {scope}.")
        if by_key:
            await self._touch(mark)
        return principal

    def recalls(
        self,
        credential: str,
        org_name: str | None,
        address: str,
        *,
        relayed: bool,
        foreign_host: bool = False,
    ) -> bool:
        """Whether a credential was right when it was last checked; checks nothing now."""
        caller = Caller(address=address, relayed=relayed, foreign_host=foreign_host)
        mark = self._mark(credential, org_name, caller)
        return self._remembered.was_right(mark)

    def _mark(self, credential: str, org_name: str | None, caller: Caller) -> bytes:
        if is_key_like(credential):
            return self._remembered.mark(None, credential)
        return self._remembered.mark(org_name, credential, void=is_void(credential, caller))

    def is_current(self, principal: Principal) -> bool:
        """Whether the org's credentials are still those by which this principal was let in.

        For who keeps a principal for long: look again once `on_change` would reach it.
        """
        return self._checks.generation(principal.org) == principal.generation

    # Registration

    async def read_registration(self) -> Registration:
        """The rule about new orgs, with what the owner chose last."""
        chosen = await self._database.read(lambda tx: tx.registrations.choice(_REGISTRATION))
        self.registration.chosen = next((one for one in get_args(Mode) if one == chosen), None)
        return self.registration

    async def choose_registration(self, mode: Mode) -> None:
        """Has another rule hold from now on, and after a restart.

        Raises:
            Conflict: The configuration sets one.
        """
        rule = self.registration
        if rule.forced is not None:
            raise Conflict(
                f'registration = "{rule.forced}" is set by {rule.forced_by}, which wins over this '
                "command: change it there and restart, or take it out to use this command."
            )
        await self._change(lambda tx: tx.registrations.choose(_REGISTRATION, mode))
        rule.chosen = mode
        self._checks.made()
        _log.info("registration_changed", mode=mode)

    # Orgs

    async def orgs(self) -> list[Org]:
        """Every org."""
        return await self._database.read(lambda tx: tx.orgs.all())

    async def add_org(self, name: str, secret: str | None = None) -> tuple[Org, str]:
        """Creates an org, whatever `registration` says; without a secret, makes one.

        Raises:
            BadInput: The form of the name or the secret.
            Conflict: There is such an org.
        """
        secret = make_secret() if secret is None else secret
        require_forms(name, secret)
        stored = await self._checks.hash(secret)
        now = self._now_ms()

        def add(tx: Tables) -> Org:
            if tx.orgs.get(name) is not None:
                raise Conflict(f"There is an org named {name} already.")
            org = tx.orgs.add(name, stored, now)
            if secret in PUBLISHED_SECRETS:
                tx.orgs.publish(org.id)
            return org

        org = await self._database.write(add)
        self._checks.made()
        _log.info("org_added", org=org.name, by="owner")
        return org, secret

    async def rotate_org(self, name: str, secret: str | None = None) -> tuple[Org, str]:
        """Gives an org another secret; the old one ends at once. Its API keys go on.

        Raises:
            BadInput: The form of the secret.
            NotFound: There is no such org.
        """
        secret = make_secret() if secret is None else secret
        require_forms(name, secret)
        stored = await self._checks.hash(secret)

        def rotate(tx: Tables) -> Org:
            tx.orgs.rotate(name, stored)
            org = _named(tx, name)
            if secret in PUBLISHED_SECRETS:
                tx.orgs.publish(org.id)
            # From now on it is the owner's, also if a first call has made it.
            tx.storage_quota.forget(org.id)
            return org

        org = await self._change(rotate)
        self._changed(org.id)
        _log.info("org_rotated", org=org.name)
        return org, secret

    async def remove_org(self, name: str) -> None:
        """Removes an org with its keys, phones and messages.

        Its name stays the owner's: a phone with its old secret does not make it again.

        Raises:
            NotFound: There is no such org.
        """

        def remove(tx: Tables) -> Org:
            org = _named(tx, name)
            tx.orgs.remove(name)
            return org

        org = await self._change(remove)
        self._changed(org.id)
        self._checks.removed(name)
        _log.info("org_removed", org=name)

    # API keys

    async def keys(self, org: int) -> list[ApiKey]:
        """The org's API keys, without their secret part."""
        return await self._database.read(lambda tx: tx.keys.of_org(org))

    async def add_key(
        self,
        org: int,
        name: str,
        scopes: Sequence[Scope] | None = None,
        limits: KeyLimits | None = None,
    ) -> tuple[ApiKey, str]:
        """Makes an API key; its text is in this answer and nowhere else.

        Without `scopes` it has the usual ones for a key with or without limits.

        Raises:
            BadInput: The form of the name, the scopes or the limits.
            NotFound: There is no such org.
            OrgFull: It has as many keys as it may.
        """
        limits = effective(limits)
        if scopes is None:
            scopes = scopes_for(limits)
        _require_key_form(name, scopes, limits)
        made, now = make_api_key(), self._now_ms()

        def add(tx: Tables) -> ApiKey:
            owner = tx.orgs.by_id(org)
            if owner is None:
                raise NotFound("There is no such org any more.")
            most = self._rate_limits.bounds.org_keys
            if most and tx.keys.count_of_org(org) >= most:
                self._rate_limits.note("org_keys")
                raise OrgFull(most, "API keys")
            key = ApiKey(
                id=made.id,
                org=org,
                org_name=owner.name,
                name=name,
                scopes=tuple(scope for scope in SCOPES if scope in scopes),
                digest=made.digest,
                created_at=now,
                limits=limits,
            )
            tx.keys.add(key)
            return key

        key = await self._database.write(add)
        _log.info("key_added", org=key.org_name, key=key.id, scopes=" ".join(key.scopes))
        return key, made.text

    async def limit_key(
        self, org: int, key_id: str, change: Callable[[KeyLimits], KeyLimits]
    ) -> ApiKey | None:
        """Changes what an API key may do, from now on. None if the org has no such key.

        `change` gets the limits that hold now and gives those to come.

        Raises:
            BadInput: The form of the limits.
        """

        def limit(tx: Tables) -> ApiKey | None:
            key = tx.keys.get(key_id)
            if key is None or key.org != org:
                return None
            limits = effective(change(key.limits or KeyLimits()))
            _refuse_problems(_limit_problems(limits))
            tx.keys.limit(key_id, limits)
            return attrs.evolve(key, limits=limits)

        key = await self._change(limit)
        if key is not None:
            self._changed(org, told=admits_phones(key))
            _log.info("key_limited", org=key.org_name, key=key.id)
        return key

    async def revoke_key(self, org: int, key_id: str, *, keep_queued: bool = False) -> int | None:
        """Ends an API key at once, and cancels what it has sent that has not left.

        Returns how many messages were cancelled, or None if the org has no such key. A long
        queue is cancelled in steps. What a crash or an impatient client leaves of it, the scheduler
        cancels. Asked again meanwhile, this goes on cancelling.
        """
        now = self._now_ms()

        def revoke(tx: Tables) -> tuple[ApiKey | None, int] | None:
            key = tx.keys.get(key_id)
            if key is None or not tx.keys.remove(org, key_id):
                # What is left of a revoked key is its messages alone, which know the org.
                left = tx.keys.is_ending(key_id) and tx.messages.has_of_key(org, key_id)
                return (None, withdraw_of_key(tx, key_id)) if left and not keep_queued else None
            if keep_queued:
                return key, 0
            tx.keys.end(key_id, now)
            return key, withdraw_of_key(tx, key_id)

        revoked = await self._change(revoke)
        if revoked is None:
            return None
        key, cancelled = revoked
        if key is not None:
            self._changed(org, told=admits_phones(key))
            _log.info("key_revoked", org=key.org_name, key=key_id)
        step = cancelled
        while step == WITHDRAWN_AT_ONCE:
            step = await self._database.write(lambda tx: withdraw_of_key(tx, key_id))
            cancelled += step
        return cancelled

    async def _change(self, op: Callable[[Tables], T]) -> T:
        """Writes what ends credentials; whoever asked, what is remembered must follow."""
        try:
            with trio.fail_after(_CHANGE_DEADLINE_S, shield=True):
                return await self._database.write(op)
        except trio.TooSlowError:
            # It may still be written after this. Whatever it ends must not be remembered.
            self._checks.changed(None)
            raise StorageUnavailable("the change was not confirmed in time") from None

    def _changed(self, org: int, *, told: bool = True) -> None:
        self._checks.changed(org)
        if told and self.on_change is not None:
            self.on_change(org)

    async def _touch(self, mark: bytes) -> None:
        known, now = self._remembered.recall(mark, self._now_ms()), self._now_ms()
        if known is None or known.principal.key_id is None:
            return
        if known.used_at is not None and abs(now - known.used_at) < _TOUCH_MS:
            return
        known.used_at = now  # before the write, so that one request a minute does it
        key_id = known.principal.key_id
        with trio.move_on_after(_TOUCH_DEADLINE_S):
            try:
                await self._database.write(lambda tx: tx.keys.touch(key_id, now))
            except Exception as error:  # noqa: BLE001 - a note on the side never fails a request
                _log.warning("key_use_not_noted", key=key_id, error=type(error).__name__)


def _named(tx: Tables, name: str) -> Org:
    org = tx.orgs.get(name)
    if org is None:
        raise NotFound(f"There is no org named {name}.")
    return org


def _require_key_form(name: str, scopes: Sequence[str], limits: KeyLimits | None) -> None:
    problems = []
    if not 1 <= len(name) <= _KEY_NAME_CHARS or not name.isprintable():
        problem = f"must be 1 to {_KEY_NAME_CHARS} printable characters"
        problems.append(FieldProblem("name", problem))
    if not scopes or not set(scopes) <= set(SCOPES):
        problems.append(FieldProblem("scopes", f"must be one or more of {', '.join(SCOPES)}"))
    elif limits is not None and (
        beyond := [scope for scope in scopes if scope not in LIMITED_SCOPES]
    ):
        problem = f"can't hold {' or '.join(beyond)} for a key with limits"
        problems.append(FieldProblem("scopes", problem))
    _refuse_problems([*problems, *_limit_problems(limits)])


def _limit_problems(limits: KeyLimits | None) -> list[FieldProblem]:
    if limits is None:
        return []
    return [FieldProblem(f"limits.{field}", problem) for field, problem in problems_of(limits)]


def _refuse_problems(problems: Sequence[FieldProblem]) -> None:
    if problems:
        raise BadInput("; ".join(f"{p.field} {p.problem}" for p in problems) + ".", problems)
