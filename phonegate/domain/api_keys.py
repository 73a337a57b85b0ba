"""API keys: made, given other limits and revoked."""

from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

import attrs

from phonegate import log
from phonegate.domain import webhook_standing
from phonegate.domain.authentication import Authentication
from phonegate.domain.credentials import make_api_key
from phonegate.domain.delivery import WITHDRAWN_AT_ONCE, withdraw_of_key
from phonegate.domain.hooks import standing as hook_standing
from phonegate.domain.key_limits import effective, problems_of
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.orgs import ApiKey, KeyLimits
from phonegate.model.principal import (
    LIMITED_SCOPES,
    SCOPES,
    Scope,
    admits_phones,
    allows,
    scopes_for,
)
from phonegate.model.refusals import BadInput, FieldProblem, Forbidden, NotFound, OrgFull
from phonegate.store.database import Database
from phonegate.store.tables import Tables

_NAME_CHARS: Final = 100
"""As the route that makes keys says."""

_log = log.get("accounts")

T = TypeVar("T")


class ApiKeys:
    """Makes, limits and ends the API keys of orgs."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        *,
        now_ms: Callable[[], int],
        rate_limits: RateLimits,
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._now_ms = now_ms
        self._rate_limits = rate_limits

    async def of_org(self, org: int) -> list[ApiKey]:
        """Lists the org's API keys, without their secret part."""
        return await self.show(org, list)

    async def show(self, org: int, show: Callable[[Sequence[ApiKey]], T]) -> T:
        """Returns what `show` makes of the org's API keys.

        It runs in the thread that reads them: there may be hundreds, with long lists of recipients.
        """
        return await self._database.read(lambda tx: show(tx.keys.of_org(org)))

    async def waiting(self, org: int) -> dict[str, int]:
        """Returns how many messages of each key wait to leave: those that revoking it cancels."""
        return await self._database.read(lambda tx: tx.keys.waiting(org))

    async def add(
        self,
        org: int,
        name: str,
        scopes: Sequence[Scope] | None = None,
        limits: KeyLimits | None = None,
        *,
        granted_by: Collection[str] = SCOPES,
    ) -> tuple[ApiKey, str]:
        """Makes an API key.

        Args:
            org: Whose key.
            name: What its owner calls it.
            scopes: What it may do. Without, the usual scopes of a key with or without limits.
            limits: What it may do within its scopes.
            granted_by: The scopes of the caller, who can grant no others.

        Returns:
            The key, and its text, which is kept nowhere else.

        Raises:
            BadInput: The name, the scopes or the limits have a wrong form.
            Forbidden: The caller lacks a scope of the key.
            NotFound: There is no such org.
            OrgFull: The org has as many keys as it may.
        """
        limits = effective(limits)
        if scopes is None:
            scopes = scopes_for(limits)
        if missing := [s for s in SCOPES if s in scopes and not allows(granted_by, s)]:
            raise Forbidden(f"Your key lacks {', '.join(missing)}, so it can't grant it.")
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

    async def limit(
        self, org: int, key_id: str, change: Callable[[KeyLimits], KeyLimits]
    ) -> ApiKey | None:
        """Changes what an API key may do.

        Args:
            org: Whose key.
            key_id: Which key.
            change: Makes the new limits from those that hold now.

        Returns:
            The key with its new limits. None if the org has no such key.

        Raises:
            BadInput: The limits have a wrong form.
        """

        def limit(tx: Tables) -> ApiKey | None:
            key = tx.keys.get(key_id)
            if key is None or key.org != org:
                return None
            limits = effective(change(key.limits or KeyLimits()))
            _refuse_problems(_limit_problems(limits))
            tx.keys.limit(key_id, limits)
            return attrs.evolve(key, limits=limits)

        key = await self._authentication.change(limit)
        if key is not None:
            self._authentication.changed(org, phones=admits_phones(key))
            _log.info("key_limited", org=key.org_name, key=key.id)
        return key

    async def revoke(self, org: int, key_id: str, *, keep_queued: bool = False) -> int | None:
        """Ends an API key at once, and cancels its messages that have not left.

        Its webhooks and hooks end with it.

        A long queue is cancelled in steps. If the gateway or the client stops meanwhile, the
        scheduler cancels the rest. So does another call.

        Returns:
            How many messages were cancelled. None if the org has no such key.
        """
        now = self._now_ms()

        def revoke(tx: Tables) -> tuple[ApiKey | None, int] | None:
            key = tx.keys.get(key_id)
            if key is None or not tx.keys.remove(org, key_id):
                # What is left of a revoked key is its messages alone, which know the org.
                left = tx.keys.is_ending(key_id) and tx.messages.has_of_key(org, key_id)
                return (None, withdraw_of_key(tx, key_id)) if left and not keep_queued else None
            webhook_standing.end_of_key(tx, key_id, now)
            hook_standing.end_of_key(tx, key_id, now)
            if keep_queued:
                return key, 0
            tx.keys.end(key_id, now)
            return key, withdraw_of_key(tx, key_id)

        revoked = await self._authentication.change(revoke)
        if revoked is None:
            return None
        key, cancelled = revoked
        if key is not None:
            self._authentication.changed(org, phones=admits_phones(key))
            _log.info("key_revoked", org=key.org_name, key=key_id)
        step = cancelled
        while step == WITHDRAWN_AT_ONCE:
            step = await self._database.write(lambda tx: withdraw_of_key(tx, key_id))
            cancelled += step
        return cancelled


def _require_key_form(name: str, scopes: Sequence[str], limits: KeyLimits | None) -> None:
    problems = []
    if not 1 <= len(name) <= _NAME_CHARS or not name.isprintable():
        problem = f"must be 1 to {_NAME_CHARS} printable characters"
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
