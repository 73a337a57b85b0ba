"""Pairing: one-time links by which the person who holds a phone makes it a phone of an org.

A link lives in memory alone, for a quarter of an hour. The browser that opens it first has it from
then on. It shows the API key of the phone, tells whether the phone is online by it, and sends a few
SMS from the phone to itself, to see one come back.
"""

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from phonegate.domain.api_keys import ApiKeys
from phonegate.domain.dispatch import Dispatcher, OnlinePhone
from phonegate.domain.inbox import Received
from phonegate.domain.orgs import Orgs
from phonegate.domain.sending import Outgoing, Sending
from phonegate.model.facts import Changed, Fact
from phonegate.model.messages import Message
from phonegate.model.orgs import ApiKey
from phonegate.model.phones import Phone
from phonegate.model.principal import Principal
from phonegate.model.refusals import Conflict, Gone, NotFound, Refused, Throttled
from phonegate.model.states import RECEIVED
from phonegate.store.database import Database
from phonegate.store.tables import Tables

LIFETIME_MS: Final = 15 * 60 * 1000
"""Of a link: enough to install an app and type a few settings, and little for one that got lost."""

MOST_LINKS: Final = 128
"""Links at a time, some 100 kB. One more ends the oldest of the org that has most of them, so that
no org ends those of others."""

MOST_TESTS: Final = 3
"""Test SMS of one link. Each may cost money."""

TEST_TTL_S: Final = 300
"""Seconds after which a test that has not left is given up: its reader has gone by then."""

UNNAMED: Final = "phone"
"""What the key of a phone is called whose owner names none."""

_TOKEN_BYTES: Final = 16
"""128 bits can't be guessed, and make a link whose QR code is small."""

UNKNOWN: Final = (
    "This link is not known here: a link works for 15 minutes, until the gateway restarts or its "
    "key is revoked. Ask for a new one (phonegate phone add)."
)
ELSEWHERE: Final = (
    "This link was opened in another browser, and works there alone. Ask for a new one "
    "(phonegate phone add), and open it on the phone."
)


@attrs.frozen(kw_only=True)
class Invitation:
    """A new phone to be paired: its API key, and the token of its link."""

    key: ApiKey
    text: str = attrs.field(repr=False)
    """The key itself."""
    token: str = attrs.field(repr=False)
    expires_at: int


@attrs.define(kw_only=True, eq=False)
class PairingLink:
    """A link, and what has happened by it so far."""

    org: int
    org_name: str
    token: str = attrs.field(repr=False)
    made_by: str | None = None
    """The id of the API key that asked for it. None: the owner, or the org's secret."""
    key_id: str
    key: str = attrs.field(repr=False)
    name: str
    given_name: str | None
    """What the phone is to be called from when it has come. None leaves that to the phone."""
    named: bool = False
    """Whether the phone has come, so that it bears its name."""
    kept_name: bool = False
    """Whether it keeps another one, which its owner had given it before."""
    url: str
    """The address to give to the phone. Empty: that at which its browser asks."""
    expires_at: int
    words: str
    """The text of the test SMS."""
    browser: bytes | None = attrs.field(default=None, repr=False)
    """The digest of what the browser that opened it shows. None until then."""
    tests: int = 0
    test: int | None = None
    """The last test SMS."""
    came_by: set[int] = attrs.field(factory=set)
    """The connected phones that have received the text."""
    pushed: bool = False
    """Whether an app has pushed received SMS with the key."""
    text_pushed: bool = False
    """Whether it has pushed the text."""


@attrs.frozen(kw_only=True)
class PairingState:
    """How far the pairing of a phone is."""

    phone: Phone | None
    """The phone that has come by the key. Of several, the last."""
    online: bool
    forwards: bool
    """Whether an app has pushed received SMS with the key, as those do that only forward."""
    numbers: tuple[str, ...]
    """Those of its SIMs, as far as they are known."""
    test: Message | None
    received: bool
    """Whether the text of the test has come in."""
    kept_name: bool
    """Whether the phone keeps another name, which its owner had given it before this link."""


class Pairing:
    """The links of a gateway.

    `note` subscribes to the bus.
    """

    def __init__(
        self,
        database: Database,
        orgs: Orgs,
        keys: ApiKeys,
        sending: Sending,
        dispatcher: Dispatcher,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._orgs = orgs
        self._keys = keys
        self._sending = sending
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self._links: dict[bytes, PairingLink] = {}
        """By the digest of their token, the oldest first."""

    def __len__(self) -> int:
        return len(self._links)

    async def invite(
        self, org_name: str, name: str | None, url: str = "", *, made_by: str | None = None
    ) -> Invitation:
        """Makes an API key for a phone, and a link that shows it.

        Args:
            org_name: The org that gets the phone.
            name: What the phone, and its key, is called. None leaves that to the phone.
            url: The address of the gateway to give to the phone. Empty: that at which it asks.
            made_by: The id of the API key that asks for it, which alone is shown it again. None:
                the owner, or the org's secret.

        Raises:
            NotFound: There is no such org.
            Conflict: It is suspended.
            BadInput: The name has a wrong form.
            OrgFull: The org has as many keys as it may.
        """
        org = await self._orgs.changeable(org_name)
        shown = UNNAMED if name is None else name
        key, text = await self._keys.add(org.id, shown, ("phone",))
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._drop_ended()
        if len(self._links) >= MOST_LINKS:
            self._drop_one()
        link = PairingLink(
            org=org.id,
            org_name=org.name,
            token=token,
            made_by=made_by,
            key_id=key.id,
            key=text,
            name=shown,
            given_name=name,
            url=url,
            expires_at=self._now_ms() + LIFETIME_MS,
            words=f"phonegate test {secrets.randbelow(9_000) + 1_000}",
        )
        self._links[_digest(token)] = link
        return Invitation(key=key, text=text, token=token, expires_at=link.expires_at)

    def open(self, token: str, browser: str | None) -> tuple[PairingLink, str | None]:
        """Opens a link in a browser.

        Args:
            token: The link's.
            browser: What the browser shows, if it was given something for this link.

        Returns:
            The link, and what the browser has to show from now on if this has bound it.

        Raises:
            NotFound: There is no such link, or not any more.
            Gone: Another browser has it.
        """
        link = self._known(token)
        if link.browser is not None:
            _require_browser(link, browser)
            return link, None
        shown = secrets.token_urlsafe(_TOKEN_BYTES)
        link.browser = _digest(shown)
        return link, shown

    def close(self, link: PairingLink) -> None:
        """Lets any browser open a link again, whose page could not be shown to the one that did."""
        link.browser = None

    def find(self, token: str, browser: str | None) -> PairingLink:
        """Returns a link that this browser has opened.

        Raises:
            NotFound: There is no such link, or not any more.
            Gone: Another browser has it.
        """
        link = self._known(token)
        _require_browser(link, browser)
        return link

    def made(self, org: int, key_id: str, made_by: str | None) -> PairingLink:
        """Returns a link for the one who made it.

        Args:
            org: The org of its phone.
            key_id: The id of the phone's API key.
            made_by: As for `invite`.

        Raises:
            NotFound: There is no such link, or not any more.
        """
        self._drop_ended()
        for link in self._links.values():
            if (link.org, link.key_id, link.made_by) == (org, key_id, made_by):
                return link
        raise NotFound(UNKNOWN)

    async def state(self, link: PairingLink) -> PairingState:
        """Returns how far a pairing is.

        Raises:
            NotFound: The key was revoked, and with it the link.
        """

        def read(tx: Tables) -> tuple[bool, Sequence[Phone], Message | None]:
            test = None if link.test is None else tx.messages.find(link.org, link.test)
            return tx.keys.exists(link.key_id), tx.phones.by_key(link.org, link.key_id), test

        exists, phones, test = await self._database.read(read)
        if not exists:
            self._drop(link)
            raise NotFound(UNKNOWN)
        online = self._online(link, phones)
        rows = {phone.id: phone for phone in phones}
        phone = rows[online.phone] if online is not None else next(iter(phones), None)
        if phone is not None and link.given_name is not None and not link.named:
            phone = await self._name(link, link.given_name, phone)
        sims = () if online is None else online.sims
        return PairingState(
            phone=phone,
            online=online is not None,
            forwards=link.pushed,
            numbers=tuple(sim.number for sim in sims if sim.number),
            test=test,
            received=link.text_pushed or not link.came_by.isdisjoint(rows),
            kept_name=link.kept_name,
        )

    async def send_test(self, link: PairingLink, number: str) -> None:
        """Sends an SMS from the phone to a number, which should be its own.

        Raises:
            Conflict: The phone is not online.
            Throttled: The link has sent as many as it may.
            Refused: As `Sending.send`.
        """
        phones = await self._database.read(lambda tx: tx.phones.by_key(link.org, link.key_id))
        online = self._online(link, phones)
        if online is None:
            raise Conflict("The phone is not online yet: connect it first.")
        if link.tests >= MOST_TESTS:
            raise Throttled(
                f"This link has sent {MOST_TESTS} test SMS, the most it may. Make a new one "
                "(phonegate phone add).",
                max(1, (link.expires_at - self._now_ms()) // 1000),
            )
        # Counted before the wait for the disk, during which another may be asked for.
        link.tests += 1
        # By the key, so that to revoke it withdraws what has not left.
        sender = Principal(
            org=link.org, org_name=link.org_name, scopes=("send",), key_id=link.key_id
        )
        order = Outgoing(to=number, body=link.words, phone=online.phone, ttl_s=TEST_TTL_S)
        try:
            outcome = await self._sending.send(sender, [order])
        except Refused:  # of others, and of those who hang up, it may have been stored
            link.tests -= 1
            raise
        link.test = outcome.results[0].id

    def note(self, facts: Sequence[Fact]) -> None:
        """Looks for the texts of tests in what phones have received. Subscribes to the bus."""
        if not self._links:
            return
        for fact in facts:
            if type(fact) is not Changed or fact.after != RECEIVED or fact.message is None:
                continue
            phone = fact.message.phone
            if phone is None:
                continue
            text = _plain(fact.message.body)
            for link in self._links.values():
                if link.org == fact.org and link.words in text:
                    link.came_by.add(phone)

    def note_pushed(self, key: str | None, items: Sequence[Received]) -> None:
        """Looks for the texts of tests in what was pushed with an API key, new or not."""
        if key is None:
            return
        for link in self._links.values():
            if link.key_id == key:
                link.pushed = True
                link.text_pushed |= any(link.words in _plain(item.body) for item in items)

    async def _name(self, link: PairingLink, name: str, phone: Phone) -> Phone:
        """Calls the phone as its owner said, once, and unless it was given a name before.

        Returns the phone as it is called now.
        """
        link.named = True
        if phone.given_name is not None:
            link.kept_name = phone.given_name != name
            return phone
        await self._database.write(lambda tx: tx.phones.give_name(phone.id, name))
        return attrs.evolve(phone, given_name=name)

    def _online(self, link: PairingLink, phones: Sequence[Phone]) -> OnlinePhone | None:
        """Returns the connection of the phone, the last one where several came by the key."""
        rows = {phone.id for phone in phones}
        found = [one for one in self._dispatcher.online(link.org) if one.phone in rows]
        return found[-1] if found else None

    def _known(self, token: str) -> PairingLink:
        self._drop_ended()
        link = self._links.get(_digest(token))
        if link is None:
            raise NotFound(UNKNOWN)
        return link

    def _drop_ended(self) -> None:
        now = self._now_ms()
        # All of them: where the clock was put back, a later one may end before an earlier one.
        ended = [digest for digest, link in self._links.items() if link.expires_at <= now]
        for digest in ended:
            del self._links[digest]

    def _drop_one(self) -> None:
        """Ends the oldest link of the org that has most of them."""
        ((org, _),) = Counter(link.org for link in self._links.values()).most_common(1)
        del self._links[next(key for key, link in self._links.items() if link.org == org)]

    def _drop(self, link: PairingLink) -> None:
        self._links = {digest: one for digest, one in self._links.items() if one is not link}


def _require_browser(link: PairingLink, browser: str | None) -> None:
    right = link.browser is not None and browser is not None
    if not (right and hmac.compare_digest(_digest(browser or ""), link.browser or b"")):
        raise Gone(ELSEWHERE)


def _plain(text: str) -> str:
    """Returns a text as it is compared: a keyboard begins with a capital, and adds spaces."""
    return " ".join(text.casefold().split())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
