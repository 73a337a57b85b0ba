"""Hooks of an org: made, shown, changed and removed, and found by the URL that a program calls."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol, TypeVar

import attrs
import trio

from phonegate import log
from phonegate.domain.credentials import make_token
from phonegate.domain.hooks.standing import SEND, sender_of
from phonegate.domain.hooks.verification import require_verification
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.hooks import Hook, HookMapping, Outcome, Verification
from phonegate.model.principal import Principal, allows, usable
from phonegate.model.refusals import (
    BadInput,
    Conflict,
    FieldProblem,
    Forbidden,
    NotFound,
    OrgFull,
)
from phonegate.model.storage_errors import StoreError
from phonegate.store.database import Database
from phonegate.store.tables import Tables

MAX_NAME: Final = 100
"""Characters of a hook's name, as of an API key's."""

PREFIX: Final = "pgh_"
"""How the token of a hook's URL begins, so that people and secret scanners know one."""

MAX_DETAIL: Final = 300
"""Characters that are kept of what was wrong with a call."""

_NOTE_DEADLINE_S: Final = 1.0
"""How long noting it may hold up an answer on a busy disk."""

DISABLED: Final = "It was disabled by a person."

_log = log.get("hooks")

T = TypeVar("T")


class KeyLookup(Protocol):
    """What hooks need of `Authentication`."""

    async def of_key(
        self, find: Callable[[Tables], T], key_of: Callable[[T], str | None]
    ) -> tuple[T, Principal | None]:
        """Finds something that was given for an API key, and whom that key speaks for now."""

    def require_served(self, org: int) -> None:
        """Makes sure that an org is served."""


@attrs.frozen(kw_only=True)
class NewHook:
    """A hook to make."""

    name: str
    mapping: HookMapping
    verification: Verification | None = None
    key: str | None = None
    """The API key that binds it. None: the caller's, or none for the org's own secret."""


@attrs.frozen(kw_only=True)
class HookChange:
    """What to change of a hook. None leaves a thing as it is."""

    name: str | None = None
    mapping: HookMapping | None = None
    verification: Verification | None = None
    unverified: bool = False
    """Whether its calls need show nothing but the URL from now on."""
    enabled: bool | None = None


@attrs.frozen(kw_only=True)
class MadeHook:
    """A hook, at the only moment at which the token of its URL is known."""

    hook: Hook
    token: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class KnownHook:
    """A hook that was called, and as whom it sends."""

    hook: Hook
    sender: Principal


class Hooks:
    """Makes, shows, changes and removes hooks, and finds them by their tokens."""

    def __init__(
        self,
        database: Database,
        authentication: KeyLookup,
        *,
        now_ms: Callable[[], int],
        rate_limits: RateLimits,
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._now_ms = now_ms
        self._rate_limits = rate_limits
        self._turns: set[tuple[int, bytes]] = set()
        """The calls that are under way, each with what a repeat of it has too."""

    async def add(self, caller: Principal, new: NewHook) -> MadeHook:
        """Makes a hook.

        Raises:
            BadInput: Fields are wrong. All are named, and no secret is.
            Forbidden: The caller's API key may not send, or names another key.
            NotFound: There is no such org any more.
            OrgFull: The org has as many hooks as it may.
        """
        _require_sender(caller)
        if new.key not in (None, caller.key_id) and caller.key_id is not None:
            raise Forbidden("Only the org's secret can make a hook of another API key.")
        _require_name(new.name)
        _require_mapping(new.mapping)
        if new.verification is not None:
            require_verification(new.verification)
        token, now = make_token(PREFIX), self._now_ms()
        key = new.key if new.key is not None else caller.key_id

        def op(tx: Tables) -> Hook:
            if tx.orgs.by_id(caller.org) is None:
                raise NotFound("There is no such org any more.")
            # The bound of webhooks, which are as many programs.
            most = self._rate_limits.bounds.org_webhooks
            if most and tx.hooks.count_of_org(caller.org) >= most:
                self._rate_limits.note("org_webhooks")
                raise OrgFull(most, "hooks")
            if key is not None:
                _require_key(tx, caller.org, key)
            return tx.hooks.add(
                caller.org,
                name=new.name,
                digest=_digest(token),
                mapping=new.mapping,
                verification=new.verification,
                key=key,
                created_at=now,
            )

        hook = await self._database.write(op)
        _log.info("hook_added", org=caller.org_name, hook=hook.id)
        return MadeHook(hook=hook, token=token)

    async def of_org(self, org: int) -> list[Hook]:
        """Lists the hooks of an org, oldest first."""
        return await self._database.read(lambda tx: tx.hooks.of_org(org))

    async def get(self, org: int, id: int) -> Hook:  # noqa: A002 - the record's own name
        """Gets a hook.

        Raises:
            NotFound: The org has no such hook.
        """
        return await self._database.read(lambda tx: _found(tx, org, id))

    async def change(self, caller: Principal, id: int, change: HookChange) -> Hook:  # noqa: A002
        """Changes a hook.

        One that an API key changes is that key's from then on: it is bound by the limits of the
        key, and ends with it. One that was disabled since its key is gone is the caller's once it
        is enabled.

        Raises:
            BadInput: Fields are wrong. All are named, and no secret is.
            Forbidden: The caller's API key may not send, or the hook is another key's.
            NotFound: The org has no such hook.
        """
        _require_sender(caller)
        _require_form(change)
        now = self._now_ms()

        def op(tx: Tables) -> Hook:
            old = _found(tx, caller.org, id)
            columns = {**_keep_or_take(tx, caller, old), **_changed_columns(change)}
            if change.enabled and old.key is not None and not tx.keys.exists(old.key):
                columns["key"] = caller.key_id
            elif change.enabled is False and old.disabled_at is None:
                columns |= {"disabled_at": now, "disabled_reason": DISABLED}
            if columns:
                tx.hooks.set(id, **columns)
            return _found(tx, caller.org, id)

        changed = await self._database.write(op)
        _log.info("hook_changed", org=caller.org_name, hook=id)
        return changed

    async def rotate(self, caller: Principal, id: int) -> MadeHook:  # noqa: A002
        """Gives a hook another URL. The one before stops working at once.

        Raises:
            Forbidden: The caller's API key may not send, or the hook is another key's.
            NotFound: The org has no such hook.
        """
        _require_sender(caller)
        token = make_token(PREFIX)

        def op(tx: Tables) -> Hook:
            old = _found(tx, caller.org, id)
            tx.hooks.set(id, digest=_digest(token), **_keep_or_take(tx, caller, old))
            return _found(tx, caller.org, id)

        hook = await self._database.write(op)
        _log.info("hook_rotated", org=caller.org_name, hook=id)
        return MadeHook(hook=hook, token=token)

    async def remove(self, caller: Principal, id: int) -> None:  # noqa: A002
        """Removes a hook.

        Raises:
            NotFound: The org has no such hook.
        """

        def op(tx: Tables) -> None:
            if not tx.hooks.remove(caller.org, id):
                raise _unknown()

        await self._database.write(op)
        _log.info("hook_removed", org=caller.org_name, hook=id)

    # -- calls

    async def by_token(self, token: str) -> KnownHook:
        """Finds out which hook is called, and as whom it sends now.

        Raises:
            NotFound: No hook has this token.
            Gone: The hook is disabled, or its API key is gone or may not send.
            OrgSuspended: Its org is not served now.
        """
        digest = _digest(token)
        found, key = await self._authentication.of_key(
            lambda tx: tx.hooks.by_digest(digest),
            lambda hook: None if hook is None else hook.key,
        )
        if found is None:
            raise NotFound("There is no hook at this address.")
        self._authentication.require_served(found.org)
        return KnownHook(hook=found, sender=sender_of(found, key))

    @contextmanager
    def turn(self, hook: Hook, mark: bytes) -> Iterator[None]:
        """Holds off what a program posts again while its first call is under way.

        Args:
            hook: The hook.
            mark: What the two calls have in common.

        Raises:
            Conflict: The first is under way.
        """
        turn = (hook.id, mark)
        if turn in self._turns:
            raise Conflict("The same call is being answered. Ask again later.")
        self._turns.add(turn)
        try:
            yield
        finally:
            self._turns.discard(turn)

    async def note(self, hook: Hook, outcome: Outcome) -> None:
        """Notes what became of a call. A call never fails because this could not be noted."""
        now = self._now_ms()
        outcome = attrs.evolve(outcome, detail=outcome.detail[:MAX_DETAIL])
        with trio.move_on_after(_NOTE_DEADLINE_S):
            try:
                await self._database.write(lambda tx: tx.hooks.note(hook.id, outcome, now))
            except StoreError as error:
                _log.warning("hook_call_not_noted", hook=hook.id, error=type(error).__name__)


def _require_sender(caller: Principal) -> None:
    """Refuses an API key that may not send: by a hook it would."""
    if not allows(caller.scopes, SEND):
        raise Forbidden("Your key lacks send, so it can't have hooks send.")


def _require_name(name: str) -> None:
    if not (1 <= len(name) <= MAX_NAME and name.isprintable()):
        problem = f"must be 1 to {MAX_NAME} printable characters"
        raise BadInput(f"name {problem}.", [FieldProblem("name", problem)])


def _require_mapping(mapping: HookMapping) -> None:
    """Refuses a mapping that is malformed."""
    # Most gateways have no hook: a start need not load the language of mappings.
    from phonegate.domain.hooks.mapping import read_mapping  # noqa: PLC0415

    read_mapping(mapping)


def _require_form(change: HookChange) -> None:
    if change.name is not None:
        _require_name(change.name)
    if change.mapping is not None:
        _require_mapping(change.mapping)
    if change.verification is not None:
        require_verification(change.verification)


def _changed_columns(change: HookChange) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in ("name", "mapping"):
        if (value := getattr(change, name)) is not None:
            columns[name] = value
    if change.verification is not None or change.unverified:
        columns["verification"] = change.verification
    if change.enabled:
        columns |= {"disabled_at": None, "disabled_reason": None}
    return columns


def _require_key(tx: Tables, org: int, key: str) -> None:
    found = tx.keys.get(key)
    if found is None or found.org != org or SEND not in usable(found):
        problem = "is none of this org's API keys with the scope send"
        raise BadInput(f"key {problem}.", [FieldProblem("key", problem)])


def _keep_or_take(tx: Tables, caller: Principal, hook: Hook) -> dict[str, Any]:
    """Returns whose a hook is from now on, if that changes: its new owner may know its URL.

    Raises:
        Forbidden: It is another API key's.
    """
    if caller.key_id in (None, hook.key):
        return {}
    if hook.key is not None and tx.keys.exists(hook.key):
        raise Forbidden("This hook is another API key's: only the org's secret can change it.")
    return {"key": caller.key_id}


def _found(tx: Tables, org: int, id: int) -> Hook:  # noqa: A002 - the record's own name
    found = tx.hooks.get(org, id)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound("No such hook in this org.")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
