"""Tokens of dialects: given for a right credential, for some time and some of what that may do.

A token speaks for its credential as that is now. It ends with it: where the org is removed or gets
another secret, or the API key is revoked. A refresh token gets a new pair, once.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.authentication import Authentication
from phonegate.domain.credential_check import WRONG_CREDENTIAL
from phonegate.domain.credentials import ACCESS_PREFIX, ALPHABET, REFRESH_PREFIX
from phonegate.model.dialect_tokens import DialectToken
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.principal import Principal, Scope, allows
from phonegate.model.refusals import BadInput, FieldProblem, Forbidden, NotFound, Unauthorized
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import DAY_MS, MINUTE_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

_RANDOM_CHARS: Final = 43
"""256 bits, which can't be guessed, so that a fast digest is enough to store a token by."""

_ID_CHARS: Final = 21
"""As the ids of SMS Gateway for Android."""

USUAL_TTL_S: Final = 24 * 3600
"""How long an access token lasts for which no time is named."""

MOST_TTL_S: Final = 30 * 24 * 3600
"""The longest time of one. What is to last longer is an API key's."""

REFRESH_MS: Final = 30 * DAY_MS
"""How long a refresh token lasts beyond its access token."""

MOST_EACH: Final = 100
"""Pairs of one credential. One more ends the oldest."""

NOTED_MS: Final = MINUTE_MS
"""The use of an API key by its tokens is noted once in this time."""

MOST_NOTED: Final = 10_000
"""API keys of which it is known when that was: 1 MB. One that is not is noted once more."""

NOTE_DEADLINE_S: Final = 1.0
"""How long noting it may hold up a request on a busy disk."""

EVERYTHING: Final = "all:any"
"""The grant of all that its credential may do."""

GRANTS: Final[Mapping[str, tuple[Scope, ...]]] = MappingProxyType(
    {
        "messages:send": ("send",),
        "messages:cancel": ("send",),
        "messages:read": ("read",),
        "messages:list": ("read",),
        "messages:export": ("read",),
        "inbox:list": ("read",),
        "inbox:read": ("read",),
        "inbox:refresh": ("read",),
        "devices:list": ("read",),
        "devices:delete": ("manage",),
        "webhooks:list": ("manage",),
        "webhooks:write": ("manage", "read"),
        "webhooks:delete": ("manage",),
        "settings:read": ("manage",),
        "settings:write": ("manage",),
        "logs:read": ("read",),
        "tokens:manage": (),
        EVERYTHING: (),
    }
)
"""What tokens may be given for, in the words of SMS Gateway for Android, with the scopes that a
credential must have to give it."""

_BY_EVERYTHING: Final[tuple[Scope, ...]] = ("send", "read", "manage")
"""The scopes that `EVERYTHING` takes along. A token makes no phone."""

_log = log.get("accounts")


@attrs.frozen(kw_only=True)
class MadeToken:
    """A new pair, at the only moment at which its texts are known."""

    token: DialectToken
    access: str = attrs.field(repr=False)
    refresh: str = attrs.field(repr=False)


class DialectTokens:
    """Gives, finds and ends tokens.

    Args:
        database: Where they are kept.
        authentication: Who knows the orgs' credentials.
        now_ms: The clock.
    """

    def __init__(
        self, database: Database, authentication: Authentication, *, now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._now_ms = now_ms
        self._noted: dict[str, int] = {}
        """When the use of API keys was noted last."""

    async def make(self, caller: Principal, grants: Sequence[str], ttl_s: int | None) -> MadeToken:
        """Gives a pair to a caller, who may be a token itself.

        Args:
            caller: For whose credential.
            grants: What it may do, of `GRANTS`.
            ttl_s: For how many seconds; None or 0 takes `USUAL_TTL_S`, more than `MOST_TTL_S` that.

        Raises:
            BadInput: There is no such grant, or none at all.
            Forbidden: The caller may not do that itself.
            Unauthorized: The credential has changed meanwhile.
        """
        _require_grants(caller, grants)
        wanted = tuple(dict.fromkeys(grants))
        made = self._new(caller.org, caller.key_id, wanted, ttl_s)

        def op(tx: Tables) -> None:
            if caller.key_id is not None and not tx.keys.exists(caller.key_id):
                raise Unauthorized(WRONG_CREDENTIAL)
            if tx.orgs.by_id(caller.org) is None:
                raise Unauthorized(WRONG_CREDENTIAL)
            _store(tx, made)

        await self._database.write(op)
        await self._authentication.settled()
        if not self._authentication.is_current(caller):
            # The secret that it was given for may have ended before it was stored.
            await self._database.write(
                lambda tx: tx.dialect_tokens.end(caller.org, caller.key_id, made.token.id)
            )
            raise Unauthorized(WRONG_CREDENTIAL)
        _log.info("token_made", org=caller.org_name, key=caller.key_id, token=made.token.id)
        return made

    async def refresh(self, token: str) -> tuple[Principal, MadeToken]:
        """Gives a new pair for a refresh token, which is used up by it.

        Returns:
            Whom the pair speaks for, and the pair.

        Raises:
            Unauthorized: There is no such token, or it is over.
        """
        digest = _digest(token, REFRESH_PREFIX)
        found, principal = await self._find(digest, _by_refresh)
        if self._now_ms() >= found.refresh_until:
            raise Unauthorized(WRONG_CREDENTIAL)
        lasts_s = (found.expires_at - found.created_at) // 1000
        made = self._new(found.org, found.key, found.grants, lasts_s)

        def op(tx: Tables) -> None:
            if tx.dialect_tokens.by_refresh(digest) is None:
                raise Unauthorized(WRONG_CREDENTIAL)
            tx.dialect_tokens.use_refresh(found.id)
            _store(tx, made)

        await self._database.write(op)
        _log.info("token_refreshed", org=principal.org_name, token=made.token.id, before=found.id)
        return principal, made

    async def revoke(self, caller: Principal, token_id: str) -> None:
        """Ends a pair at once. An API key ends its own alone.

        Raises:
            NotFound: The caller has no such pair.
        """
        ended = await self._database.write(
            lambda tx: tx.dialect_tokens.end(caller.org, caller.key_id, token_id)
        )
        if not ended:
            raise NotFound("No such token in this org.")
        _log.info("token_revoked", org=caller.org_name, key=caller.key_id, token=token_id)

    async def principal_of(self, token: str) -> Principal:
        """Returns whom an access token speaks for.

        Raises:
            Unauthorized: There is no such token, or it is over.
            StoreError: The database can't be asked.
        """
        found, principal = await self._find(_digest(token, ACCESS_PREFIX), _by_access)
        if self._now_ms() >= found.expires_at:
            raise Unauthorized("This token is over. Get a new one by its refresh token.")
        if found.key is not None:
            await self._note_use(found.key)
        return attrs.evolve(
            principal,
            scopes=tuple(one for one in principal.scopes if one in scopes_of(found.grants)),
            grants=found.grants,
        )

    async def _find(
        self, digest: bytes, find: Callable[[Tables, bytes], DialectToken | None]
    ) -> tuple[DialectToken, Principal]:
        def read(tx: Tables) -> tuple[DialectToken | None, Org | None, ApiKey | None]:
            found = find(tx, digest)
            if found is None:
                return None, None, None
            if found.key is not None:
                # Without its key it speaks for none, and not for all of the org.
                return found, None, tx.keys.get(found.key)
            return found, tx.orgs.by_id(found.org), None

        found, principal = await self._authentication.of_session(read)
        if found is None or principal is None:
            raise Unauthorized(WRONG_CREDENTIAL)
        return found, principal

    async def _note_use(self, key: str) -> None:
        """Notes once in a while that an API key was used, so that its owner sees it."""
        now = self._now_ms()
        if abs(now - self._noted.get(key, 0)) < NOTED_MS:
            return
        if len(self._noted) >= MOST_NOTED:
            self._noted.clear()
        self._noted[key] = now  # before the write, so that only one request writes
        with trio.move_on_after(NOTE_DEADLINE_S):
            try:
                await self._database.write(lambda tx: tx.keys.touch(key, now))
            except StoreError as error:
                # A request never fails because this could not be noted.
                _log.warning("key_use_not_noted", key=key, error=type(error).__name__)

    def _new(
        self, org: int, key: str | None, grants: tuple[str, ...], ttl_s: int | None
    ) -> MadeToken:
        now = self._now_ms()
        expires_at = now + min(ttl_s or USUAL_TTL_S, MOST_TTL_S) * 1000
        return MadeToken(
            token=DialectToken(
                id=random_id(),
                org=org,
                key=key,
                grants=grants,
                expires_at=expires_at,
                refresh_until=expires_at + REFRESH_MS,
                created_at=now,
            ),
            access=ACCESS_PREFIX + _random(_RANDOM_CHARS),
            refresh=REFRESH_PREFIX + _random(_RANDOM_CHARS),
        )


def scopes_of(grants: Sequence[str]) -> frozenset[Scope]:
    """Returns the scopes that a token with these grants has, where its credential has them."""
    if EVERYTHING in grants:
        return frozenset(_BY_EVERYTHING)
    return frozenset(scope for grant in grants for scope in GRANTS.get(grant, ()))


def require_grant(caller: Principal, grant: str) -> None:
    """Makes sure that a token allows what its holder is about to do.

    Raises:
        Forbidden: It does not.
    """
    if caller.grants is not None and not {grant, EVERYTHING} & set(caller.grants):
        raise Forbidden(f"This token lacks the scope {grant}.")


def random_id() -> str:
    """Returns a new id such as those of SMS Gateway for Android."""
    return _random(_ID_CHARS)


def _by_access(tx: Tables, digest: bytes) -> DialectToken | None:
    return tx.dialect_tokens.by_access(digest)


def _by_refresh(tx: Tables, digest: bytes) -> DialectToken | None:
    return tx.dialect_tokens.by_refresh(digest)


def _require_grants(caller: Principal, grants: Sequence[str]) -> None:
    if not grants:
        raise _wrong("must name at least one")
    if unknown := [one for one in grants if one not in GRANTS]:
        # The words themselves are not repeated: they may be anything.
        raise _wrong(f"holds {len(unknown)} that there are not; there are: {', '.join(GRANTS)}")
    for grant in grants:
        require_grant(caller, grant)
        missing = [scope for scope in GRANTS[grant] if not allows(caller.scopes, scope)]
        if missing:
            raise Forbidden(f"Your key lacks {', '.join(missing)}, so it can't grant {grant}.")


def _wrong(problem: str) -> BadInput:
    return BadInput(f"scopes {problem}.", [FieldProblem("scopes", problem)])


def _store(tx: Tables, made: MadeToken) -> None:
    token = made.token
    tx.dialect_tokens.add(
        token,
        access=_digest(made.access, ACCESS_PREFIX),
        refresh=_digest(made.refresh, REFRESH_PREFIX),
    )
    tx.dialect_tokens.end_surplus(token.org, token.key, MOST_EACH, token.created_at)


def _digest(token: str, prefix: str) -> bytes:
    """Returns what a token is known by.

    Raises:
        Unauthorized: It has not the form of one.
    """
    if not token.startswith(prefix) or not token.isascii():
        raise Unauthorized(WRONG_CREDENTIAL)
    return hashlib.sha256(token.encode("ascii")).digest()


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
