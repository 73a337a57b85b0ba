"""Sessions of the console: begun by a right credential, shown by a cookie, ended at any time."""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from phonegate.domain.authentication import Authentication
from phonegate.domain.client_network import client_network
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.principal import OWNER_SCOPE, Principal
from phonegate.model.sessions import Session
from phonegate.store.database import Database
from phonegate.store.tables import Tables

UNUSED_MS: Final = 30 * 24 * 3_600_000
"""A session ends that was not used for so long: a person who looks in once a month stays in."""

TOUCH_MS: Final = 5 * 60_000
"""The last use of a session is noted once in this time."""

ENDED_AT_ONCE: Final = 100
"""Old sessions that go with each new one."""

OPERATOR: Final = Principal(org=0, org_name="*", scopes=(OWNER_SCOPE,))
"""Whom a session of the operator's token speaks for."""

_TOKEN_BYTES: Final = 32


@attrs.frozen(kw_only=True)
class SignedIn:
    """A session that is right, and whom it speaks for."""

    session: Session
    principal: Principal
    csrf: str = attrs.field(repr=False)
    """What a form of this session holds, so that no page of another site can send one."""


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        database: Where they are kept.
        authentication: Who knows the orgs' credentials.
        now_ms: The clock.
        operator_token: The token of `[operator]`. Empty where there is none.
    """

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        *,
        now_ms: Callable[[], int],
        operator_token: str = "",
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._now_ms = now_ms
        self._operator_token = operator_token

    def is_operator(self, token: str) -> bool:
        """Tells whether a credential is the operator's token, in a time that tells nothing."""
        mine = self._operator_token
        return bool(mine) and hmac.compare_digest(_digest(token), _digest(mine))

    async def begin(self, principal: Principal, *, browser: str, address: str) -> str:
        """Begins a session for whom a right credential speaks. Returns its cookie."""
        token, now = secrets.token_urlsafe(_TOKEN_BYTES), self._now_ms()
        operator = OWNER_SCOPE in principal.scopes
        session = Session(
            id=0,
            org=None if operator else principal.org,
            key=principal.key_id,
            operator=_digest(self._operator_token) if operator else None,
            created_at=now,
            used_at=now,
            browser=browser,
            network=client_network(address),
        )

        def begin(tx: Tables) -> None:
            tx.sessions.add(session, _digest(token))
            tx.sessions.end_unused(now - UNUSED_MS, ENDED_AT_ONCE)

        await self._database.write(begin)
        return token

    async def find(self, cookie: str) -> SignedIn | None:
        """Finds the session of a cookie. None where it has ended, or there never was one."""
        digest = _digest(cookie)

        def read(tx: Tables) -> tuple[Session | None, Org | None, ApiKey | None]:
            session = tx.sessions.find(digest)
            if session is None or session.org is None:
                return session, None, None
            if session.key is not None:
                # Without its key it speaks for none, and not for all of the org.
                return session, None, tx.keys.get(session.key)
            return session, tx.orgs.by_id(session.org), None

        session, principal = await self._authentication.of_session(read)
        now = self._now_ms()
        if session is None or now - session.used_at > UNUSED_MS:
            return None
        if session.org is None:
            current = _digest(self._operator_token) if self._operator_token else b""
            if not hmac.compare_digest(session.operator or b"", current):
                return None
            principal = OPERATOR
        if principal is None:
            return None
        if abs(now - session.used_at) >= TOUCH_MS:
            await self._database.write(lambda tx: tx.sessions.touch(session.id, now))
        csrf = hashlib.blake2b(b"csrf", key=digest, digest_size=16).hexdigest()
        return SignedIn(session=session, principal=principal, csrf=csrf)

    async def of_org(self, org: int | None) -> Sequence[Session]:
        """Lists the sessions of an org, or the operator's (None), the newest first."""
        return await self._database.read(lambda tx: tx.sessions.of_org(org))

    async def end(self, org: int | None, session_id: int) -> bool:
        """Ends a session of an org, or the operator's. Returns whether there was one."""
        return await self._database.write(lambda tx: tx.sessions.end(org, session_id))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
