"""Sessions of the console: begun by a right credential, shown by a cookie, ended at any time.

A session speaks for its credential as that is now. It ends with it: where an org is removed or gets
another secret, an API key is revoked, or the operator's token is another one. What an API key may
do, it may do in a session, and a change of its limits holds at once.
"""

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import attrs
import trio

from phonegate import log
from phonegate.domain.authentication import Authentication
from phonegate.domain.client_network import client_network
from phonegate.domain.session_tokens import KEY_BYTES, ShownToken, TokenSigner
from phonegate.domain.shared_memory import SharedMemory
from phonegate.model.orgs import ApiKey, Org
from phonegate.model.principal import OWNER_SCOPE, Principal
from phonegate.model.refusals import Unauthorized
from phonegate.model.sessions import Session
from phonegate.model.storage_errors import StoreError
from phonegate.model.times import DAY_MS, MINUTE_MS
from phonegate.store.database import Database
from phonegate.store.tables import Tables

UNUSED_MS: Final = 14 * DAY_MS
"""A session ends that was not used for so long. A person who looks in once a week stays signed in,
and a browser that was left behind somewhere is not for ever."""

TOUCH_MS: Final = 5 * MINUTE_MS
"""The last use of a session is noted once in this time: a page that looks every few seconds would
else write as often."""

TOUCH_DEADLINE_S: Final = 1.0
"""How long noting it may hold up a page on a busy disk."""

MOST_EACH: Final = 20
"""Sessions that are begun by one credential: the browsers of a few people. One more ends that which
was used longest ago."""

MOST: Final = 200
"""Sessions of one org."""

ENDED_AT_ONCE: Final = 100
"""Old sessions that are deleted with each new one: a millisecond."""

REMEMBERED: Final = 4_096
"""Sessions that are kept in memory, so that a page needs no look at the database: some 4 MB."""

MAX_BROWSER: Final = 300
"""Characters that are kept of what a browser calls itself. Usual ones take half of it."""

CHANGED: Final = "The credentials were changed just now. Sign in again."

OPERATOR_ORG: Final = 0
"""Stands for the org of the operator's sessions, who is of none."""

_log = log.get("accounts")


@attrs.frozen(kw_only=True)
class SignedIn:
    """A session that is right, and whom it speaks for."""

    session: Session
    principal: Principal
    csrf: str = attrs.field(repr=False)
    """What a form of this session holds, so that no page of another site can send one."""
    renewed: bool = attrs.field(default=False, eq=False)
    """Whether its time has begun anew by now, so that its cookie is to be kept for longer."""


@attrs.define
class _Known:
    """A session in memory, which holds until any credential changes."""

    found: SignedIn
    changes: int
    used_at: int


class Sessions:
    """Begins, finds and ends sessions.

    Args:
        database: Where they are kept.
        authentication: Who knows the orgs' credentials.
        now_ms: The clock.
        operator_token: The token of `[operator]`. Empty where it signs in to nothing.
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
        self._known: SharedMemory[int, bytes, _Known] = SharedMemory(REMEMBERED)
        self._signer: TokenSigner | None = None
        self._loading = trio.Lock()

    async def signer(self) -> TokenSigner:
        """Returns what tokens are signed with.

        Raises:
            StoreError: It can't be read.
        """
        async with self._loading:
            if self._signer is None:
                new = secrets.token_bytes(KEY_BYTES)
                key = await self._database.write(lambda tx: tx.sessions.signing_key(new))
                self._signer = TokenSigner(key)
            return self._signer

    async def visitor_token(self) -> str:
        """Returns a token for a visitor who has not signed in, to be shown again with a form."""
        return (await self.signer()).make("visitor")

    async def read_visitor(self, token: str) -> str | None:
        """Returns what the form of a visitor must hold. None where the token is none of ours."""
        shown = (await self.signer()).read(token, "visitor")
        return None if shown is None else shown.form_token

    async def operator(self, token: str, *, address: str) -> Principal:
        """Finds out that a credential is the operator's token.

        Raises:
            Unauthorized: It is not, or there is none.
            Throttled: Too many failures before it.
        """
        self._authentication.checks.operator(token, self._operator_token, address)
        return self._of_operator()

    async def begin(self, principal: Principal, *, browser: str, address: str) -> str:
        """Begins a session for whom a right credential speaks. Returns what its cookie holds.

        Raises:
            Unauthorized: The credential has changed meanwhile.
            StoreError: It can't be stored.
        """
        signer, now = await self.signer(), self._now_ms()
        token = signer.make("session")
        shown = _shown(signer, token)
        is_operator = OWNER_SCOPE in principal.scopes
        session = Session(
            id=0,
            org=None if is_operator else principal.org,
            key=principal.key_id,
            operator=shown.seal(self._operator_token) if is_operator else None,
            created_at=now,
            used_at=now,
            browser=browser[:MAX_BROWSER],
            network=client_network(address),
        )

        def begin(tx: Tables) -> list[int]:
            if session.key is not None and not tx.keys.exists(session.key):
                raise Unauthorized(CHANGED)
            tx.sessions.add(session, shown.digest)
            tx.sessions.end_unused(now - UNUSED_MS, ENDED_AT_ONCE)
            return tx.sessions.end_surplus(session.org, session.key, most_each=MOST_EACH, most=MOST)

        for ended in await self._database.write(begin):
            self._forget(session.org, ended)
        await self._authentication.settled()
        if not self._authentication.is_current(principal):
            # What it was begun by may have ended before it was stored.
            await self._database.write(lambda tx: tx.sessions.end_of_digest(shown.digest))
            raise Unauthorized(CHANGED)
        _log.info("signed_in", org=principal.org_name, key=principal.key_id)
        return token

    async def find(self, token: str) -> SignedIn | None:
        """Finds the session of a cookie. None where it has ended, or there never was one.

        Raises:
            StoreError: The database can't be asked.
        """
        signer = await self.signer()
        shown = signer.read(token, "session")
        if shown is None:
            return None
        known = self._known.get(shown.digest)
        changes = self._authentication.checks.changes
        if known is None or known.changes != changes:
            known = await self._read(shown, changes)
        now = self._now_ms()
        if known is None or not self._is_kept(known.used_at, now):
            self._known.pop(shown.digest)
            return None
        return await self._touched(known, now)

    def is_open(self, signed_in: SignedIn) -> bool:
        """Tells whether a session that was found is still one, and speaks for the same.

        One that is served for long asks again whenever `CredentialsChanged` was published.
        """
        return self._authentication.is_current(signed_in.principal)

    async def of_org(self, org: int | None) -> Sequence[Session]:
        """Lists the sessions of an org, or the operator's (None), the last used one first."""
        unused = self._now_ms() - UNUSED_MS
        found = await self._database.read(lambda tx: tx.sessions.of_org(org))
        return [session for session in found if session.used_at >= unused]

    async def end(self, org: int | None, session_id: int) -> bool:
        """Ends a session of an org, or the operator's, with all that is open of it.

        Returns:
            Whether there was one.
        """
        ended = await self._authentication.change(lambda tx: tx.sessions.end(org, session_id))
        if ended:
            self._forget(org, session_id)
        return ended

    def _is_kept(self, used_at: int, now: int) -> bool:
        # A clock that was set back makes no session end.
        return now - used_at <= UNUSED_MS

    async def _read(self, shown: ShownToken, changes: int) -> _Known | None:
        def read(tx: Tables) -> tuple[Session | None, Org | None, ApiKey | None]:
            session = tx.sessions.find(shown.digest)
            if session is None or session.org is None:
                return session, None, None
            if session.key is not None:
                # Without its key it speaks for none, and not for all of the org.
                return session, None, tx.keys.get(session.key)
            return session, tx.orgs.by_id(session.org), None

        session, principal = await self._authentication.of_session(read)
        if session is not None and session.org is None:
            sealed = shown.seal(self._operator_token)
            right = bool(self._operator_token) and session.operator == sealed
            principal = self._of_operator() if right else None
        if session is None or principal is None:
            self._known.pop(shown.digest)
            return None
        found = SignedIn(
            session=session,
            principal=attrs.evolve(principal, session=session.id),
            csrf=shown.form_token,
        )
        known = _Known(found, changes, session.used_at)
        self._known.put(session.org or OPERATOR_ORG, shown.digest, known)
        return known

    async def _touched(self, known: _Known, now: int) -> SignedIn:
        if abs(now - known.used_at) < TOUCH_MS:
            return known.found
        session, known.used_at = known.found.session, now  # before the write: only one page writes
        with trio.move_on_after(TOUCH_DEADLINE_S):
            try:
                await self._database.write(lambda tx: _touch(tx, session, now))
            except StoreError as error:
                # A full disk must not lock out those who come to see to it.
                _log.warning("session_use_not_noted", error=type(error).__name__)
        known.found = attrs.evolve(known.found, session=attrs.evolve(session, used_at=now))
        return attrs.evolve(known.found, renewed=True)

    def _forget(self, org: int | None, session_id: int) -> None:
        owner = org or OPERATOR_ORG
        for digest in self._known.keys_of(owner):
            known = self._known.peek(digest)
            if known is not None and known.found.session.id == session_id:
                self._known.pop(digest)
        self._authentication.session_ended(owner, session_id)

    def _of_operator(self) -> Principal:
        checks = self._authentication.checks
        return Principal(
            org=OPERATOR_ORG,
            org_name="*",
            scopes=(OWNER_SCOPE,),
            generation=checks.generation(OPERATOR_ORG),
        )


def _touch(tx: Tables, session: Session, now: int) -> None:
    tx.sessions.touch(session.id, now)
    if session.key is not None:
        tx.keys.touch(session.key, now)


def _shown(signer: TokenSigner, token: str) -> ShownToken:
    shown = signer.read(token, "session")
    assert shown is not None, "it was signed just now"  # noqa: S101
    return shown
