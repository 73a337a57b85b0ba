"""Enrolments: how the app SMS Gateway for Android becomes a phone of an org, and is known again.

The app enrols with an API key and gets a token, by which it is one phone from then on. It enrols
anew whenever its token is refused, and when it was installed anew. It is the same phone then, with
all that waits for it; but whether its app still knows what it was given before is not known. What
may have reached it is `uncertain` from then on, and never given to it again.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from secrets import choice, token_urlsafe
from typing import Final

import attrs

from phonegate import log
from phonegate.domain import delivery
from phonegate.domain.authentication import Authentication
from phonegate.domain.credentials import ALPHABET
from phonegate.domain.rate_limits import RateLimits
from phonegate.model.enrolments import Enrolment, SimCard, completed
from phonegate.model.principal import Principal, allows
from phonegate.model.refusals import Forbidden, OrgFull, Unauthorized
from phonegate.model.states import Cause
from phonegate.model.storage_errors import TooMany
from phonegate.store.database import Database
from phonegate.store.tables import Tables

APP_ID_CHARS: Final = 21
"""As many as the app's own server gives its ids and tokens: 125 bits."""

HOOK_BYTES: Final = 16
"""The unguessable part of the address that an app calls."""

SIGNING_KEY_BYTES: Final = 24
"""192 bits, as API keys have them."""

CHOOSE_STREAM: Final = (
    "This phone gets messages up to 15 minutes late, because its app waits for push notifications,"
    " which this gateway can't send. On the phone: Settings, Cloud server, Notification channel:"
    " choose SSE only, and restart the app."
)

UNKNOWN_TOKEN: Final = "This phone is not known here any more. Register it again."  # noqa: S105 - a sentence

ENROLLED_ANEW: Final = (
    "the app on its phone was set up again, and the earlier app may have sent this message"
)

_log = log.get("phones")


@attrs.frozen(kw_only=True)
class Enrolled:
    """A new enrolment, at the only moment at which its token is known."""

    enrolment: Enrolment
    token: str = attrs.field(repr=False)
    is_new: bool
    """It is of a phone that was not known."""


@attrs.frozen(kw_only=True)
class KnownApp:
    """An app whose token is right, and whom it speaks for."""

    enrolment: Enrolment
    principal: Principal


class Enrolments:
    """Enrols apps, knows them by their tokens, and keeps what they say of themselves."""

    def __init__(
        self,
        database: Database,
        authentication: Authentication,
        rate_limits: RateLimits,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._authentication = authentication
        self._rate_limits = rate_limits
        self._now_ms = now_ms

    async def known_before(
        self, principal: Principal, *, name: str | None, sims: Sequence[SimCard]
    ) -> Enrolment | None:
        """Returns the enrolment of the phone that enrols with these values, if it is known."""
        return await self._database.read(lambda tx: _same_phone(tx, principal, name, sims))

    async def enrol(
        self,
        principal: Principal,
        *,
        name: str | None,
        sims: Sequence[SimCard],
        is_pushed: bool,
        agent: str,
        unfetched: Collection[int] = (),
    ) -> Enrolled:
        """Makes an app a phone, or a known one again.

        Args:
            principal: Whom the app's API key speaks for.
            name: What the app calls its phone.
            sims: Its SIM cards.
            is_pushed: It waits for push notifications.
            agent: Its User-Agent.
            unfetched: Messages that were kept for it, and that it surely has not got.

        Raises:
            Forbidden: It has shown the org's secret, which can't be taken from it alone.
            OrgFull: The phone is not known, and the org has as many as it may.
        """
        key = principal.key_id
        if key is None:
            raise Forbidden("A phone registers with an API key, so that it can be shut out alone.")
        now, most = self._now_ms(), self._rate_limits.bounds.org_phones
        token, app_id = _random(), _random()
        org = principal.org

        def enrol(tx: Tables) -> tuple[Enrolment, bool]:
            if not tx.keys.exists(key):
                raise Unauthorized(UNKNOWN_TOKEN)
            before = _same_phone(tx, principal, name, sims)
            device_id = app_id if before is None else before.device_id
            row = tx.phones.connect(org, device_id, now, most=most)
            tx.phones.came_by(row.id, "smsgate", key)
            tx.phones.describe(row.id, name=name, app=agent or None, acks=True, now=now)
            if before is not None:
                _give_up_fetched(tx, row.id, unfetched, now)
            enrolment = Enrolment(
                phone=row.id,
                org=org,
                key=key,
                app_id=app_id,
                device_id=device_id,
                token=_digest(token),
                # What the app has yet to report goes there, signed by the key that it has.
                hook=token_urlsafe(HOOK_BYTES) if before is None else before.hook,
                # A key that was given for an API key ends with that. The app signs as it sends, so
                # that what waits there is signed by the new one.
                signing_key=(
                    before.signing_key
                    if before is not None and before.key == key
                    else token_urlsafe(SIGNING_KEY_BYTES)
                ),
                name=name,
                sims=completed(sims, () if before is None else before.sims),
                agent=agent,
                enrolled_at=now,
                pushed_at=now if is_pushed else None,
                known_since=row.first_seen,
                heard_at=now if before is None else before.heard_at,
            )
            tx.enrolments.put(enrolment)
            _hint(tx, enrolment)
            return enrolment, before is None

        try:
            enrolment, is_new = await self._database.write(enrol)
        except TooMany as full:
            self._rate_limits.note("org_phones")
            raise OrgFull(full.most, "phones") from None
        _log.info("phone_enrolled", org=principal.org_name, phone=enrolment.phone, known=not is_new)
        return Enrolled(enrolment=enrolment, token=token, is_new=is_new)

    async def by_token(self, token: str | None) -> KnownApp:
        """Finds out which app calls.

        Raises:
            Unauthorized: No app has this token, or the API key that it enrolled with is gone.
        """
        digest = _digest(token or "")
        return await self._known(lambda tx: tx.enrolments.by_token(digest))

    async def by_hook(self, hook: str) -> KnownApp:
        """Finds out which app was given an address to call.

        Raises:
            Unauthorized: None was, or the API key that it enrolled with is gone.
        """
        return await self._known(lambda tx: tx.enrolments.by_hook(hook))

    async def describe(
        self, app: KnownApp, *, is_pushed: bool, sims: Sequence[SimCard] | None, agent: str
    ) -> Enrolment:
        """Stores what an app says of itself as it starts. Returns its enrolment from then on."""
        now, phone = self._now_ms(), app.enrolment.phone

        def describe(tx: Tables) -> Enrolment:
            before = tx.enrolments.of_phone(phone)
            if before is None:
                raise Unauthorized(UNKNOWN_TOKEN)
            shown = before.sims if sims is None else completed(sims, before.sims)
            tx.enrolments.report(phone, pushed_at=now if is_pushed else None, sims=shown)
            tx.enrolments.note(phone, used_at=now, agent=agent)
            tx.phones.describe(phone, app=agent or None, now=now)
            enrolment = tx.enrolments.of_phone(phone)
            if enrolment is None:
                raise Unauthorized(UNKNOWN_TOKEN)
            _hint(tx, enrolment)
            return enrolment

        return await self._database.write(describe)

    async def show_sims(self, app: KnownApp, sims: Sequence[SimCard]) -> None:
        """Stores the SIM cards of a phone, which its app shows whole once it has started."""
        phone = app.enrolment.phone
        await self._database.write(lambda tx: tx.enrolments.show_sims(phone, sims))

    async def streams(self, app: KnownApp) -> None:
        """Notes that an app has opened a stream, by which it hears of messages at once."""
        now, phone, key = self._now_ms(), app.enrolment.phone, app.enrolment.key

        def note(tx: Tables) -> None:
            tx.enrolments.note(phone, used_at=now, streamed_at=now)
            tx.phones.set_hint(phone, None)
            tx.keys.touch(key, now)

        await self._database.write(note)

    async def was_used(self, app: KnownApp) -> None:
        """Notes that an app has its token. Once is enough."""
        if app.enrolment.used_at is None:
            now, phone = self._now_ms(), app.enrolment.phone
            await self._database.write(lambda tx: tx.enrolments.note(phone, used_at=now))

    async def was_heard(self, phone: int) -> None:
        """Notes that an app was in reach until now."""
        now = self._now_ms()
        await self._database.write(lambda tx: tx.enrolments.note(phone, heard_at=now))

    async def _known(self, find: Callable[[Tables], Enrolment | None]) -> KnownApp:
        found, principal = await self._authentication.of_key(find, _key_of)
        if found is None or principal is None or not allows(principal.scopes, "phone"):
            raise Unauthorized(UNKNOWN_TOKEN)
        return KnownApp(enrolment=found, principal=principal)


def _same_phone(
    tx: Tables, principal: Principal, name: str | None, sims: Sequence[SimCard]
) -> Enrolment | None:
    """Returns the earlier enrolment of a phone: of the same model and with the same SIM cards.

    It has come with the same API key, or with one that is gone. A phone whose SIM cards the app
    does not see is another one each time, but for one that never got the answer.
    """
    seen = {trait for sim in sims for trait in sim.traits}
    for one in tx.enrolments.named(principal.org, name):
        if one.key == principal.key_id and one.used_at is None and one.sims == tuple(sims):
            return one
        known = {trait for sim in one.sims for trait in sim.traits}
        if seen and seen == known and (one.key == principal.key_id or not tx.keys.exists(one.key)):
            return one
    return None


def _key_of(enrolment: Enrolment | None) -> str | None:
    return None if enrolment is None else enrolment.key


def _give_up_fetched(tx: Tables, phone: int, unfetched: Collection[int], now: int) -> None:
    """Ends the wait for what an earlier app of a phone may have been given, and did not report."""
    for message in tx.phone_queue.awaiting_result(phone):
        kept = message.id in unfetched and message.attempts == 1
        if message.acked_at is None and not kept:
            delivery.give_up(tx, message, Cause.LOST_TRACK, ENROLLED_ANEW, now)


def _hint(tx: Tables, enrolment: Enrolment) -> None:
    tx.phones.set_hint(enrolment.phone, CHOOSE_STREAM if enrolment.pushed_at else None)


def _random() -> str:
    return "".join(choice(ALPHABET) for _ in range(APP_ID_CHARS))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
