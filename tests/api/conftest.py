"""The whole web over the real domain and store; only the phones are played."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from functools import cache, partial
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import httpx
import pytest
import trio
from quart_trio import QuartTrio

from phonegate.api.answer_budget import AnswerBudget
from phonegate.api.main_pipeline import build_pipeline
from phonegate.api.services import Services
from phonegate.carriers.registry import account_mark, check_credentials, unusable_credentials
from phonegate.config.settings import HttpSettings, Settings
from phonegate.domain.acceptance import Acceptance
from phonegate.domain.accounts import Accounts
from phonegate.domain.approval import Approval
from phonegate.domain.assistants import Assistants
from phonegate.domain.batches import Batches
from phonegate.domain.carrier import CarrierError, CarrierMessage, Outbound
from phonegate.domain.carrier_pool import CarrierPool
from phonegate.domain.carrier_reports import CarrierReports
from phonegate.domain.carrier_sending import CarrierSending, Terms
from phonegate.domain.carrier_timings import PollTimings
from phonegate.domain.client_messages import ClientMessages
from phonegate.domain.contacts import Contacts
from phonegate.domain.conversations import Conversations
from phonegate.domain.credentials import Cost
from phonegate.domain.delivery import Policy
from phonegate.domain.dialect_tokens import DialectTokens
from phonegate.domain.dispatch import OnlinePhone, follow
from phonegate.domain.enrolments import Enrolments
from phonegate.domain.event_log import EventLog
from phonegate.domain.figures import FigureReading
from phonegate.domain.forecast import Outlook
from phonegate.domain.hooks.hooks import Hooks
from phonegate.domain.idempotency import Idempotency
from phonegate.domain.managed_phones import Signs
from phonegate.domain.media import Media
from phonegate.domain.message_access import MessageAccess
from phonegate.domain.message_erasure import MessageErasure
from phonegate.domain.own_numbers import OwnNumbers
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.pacing import Bucket, PacingRate, PacingRates
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.phone_history import PhoneHistory
from phonegate.domain.phone_management import PhoneManagement
from phonegate.domain.phone_registry import PhoneRegistry
from phonegate.domain.phone_waiting import PhoneWaiting
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reception import Inbox
from phonegate.domain.registration import Registration
from phonegate.domain.sending import Sending
from phonegate.domain.sessions import Sessions
from phonegate.domain.templates import Templates
from phonegate.domain.waits import Waits
from phonegate.domain.webhook_deliveries import WebhookDeliveries
from phonegate.domain.webhooks import Webhooks
from phonegate.domain.withdrawal import Withdrawal
from phonegate.events.bus import Bus
from phonegate.events.feed import Feed
from phonegate.http.outgoing_address import Guard
from phonegate.http.outgoing_guard import Rules
from phonegate.http.webhook_url import PRIVATE_NETWORKS, WebhookUrls
from phonegate.model.messages import Message, Pushed, Queue
from phonegate.model.phones import Sim
from phonegate.model.webhooks import Attempt, Delivery, Webhook
from phonegate.pages.app import build_whole_app
from phonegate.pages.assets import Assets
from phonegate.phones.admission import Admission
from phonegate.phones.smsgate.media_source import MediaSource
from phonegate.phones.smsgate.presence import Presences
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.station import PhoneServices
from phonegate.phones.switchboard import Switchboard
from phonegate.store.database import Database
from phonegate.store.tables import Tables
from tests import new_database
from tests.buses import bus_of, subscribe

ORG = "myorg"
SECRET = "my-secret-key-123"
CLIENT = "192.168.178.9"
NO_COOKIES = DefaultCookiePolicy(allowed_domains=())
OPERATOR_TOKEN = "operator-token-of-tests"
NOW = 1_800_000_000_000
KEPT_MS = 72 * 3_600_000
PUBLIC_URL = "https://sms.example.org"
HOME = "http://gate.lan"
"""Where clients ask: a name of a home network, for the secret is a published one."""

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None

HOME_RULES = Rules(setting=PRIVATE_NETWORKS)
"""What webhooks may call in a gateway that takes orgs of private networks alone."""

CHEAP = Cost(log2_n=4, r=1, p=1)
"""A slow hash that is fast: these tests are not about guessing."""


@attrs.define
class PlayedPhones:
    """Phones that are online because a test says so, and take whatever they are given."""

    phones: list[OnlinePhone] = attrs.field(factory=list)
    pushed: list[Message] = attrs.field(factory=list)
    full: bool = False
    can_cancel: bool = False
    segments_per_minute: int = 24
    on_push: Callable[[], None] = lambda: None
    known_signs: dict[int, Signs] = attrs.field(factory=dict)
    named: dict[int, list[str | None]] = attrs.field(factory=dict)
    expelled: list[int] = attrs.field(factory=list)
    lock: trio.Lock = attrs.field(factory=trio.Lock)

    def online(self, org: int) -> tuple[OnlinePhone, ...]:
        return tuple(self.phones)

    def reserve(self, phone: int, sim: Sim | None, segments: int) -> bool:
        return not self.full

    def reserve_all(self, phone: int, sim: Sim | None, segments: Sequence[int]) -> bool:
        return not self.full

    def release(self, phone: int, sim: Sim | None, segments: int) -> None:
        pass

    def push(self, phone: int, message: Message) -> None:
        self.pushed.append(message)
        self.on_push()

    def push_new(self, phone: int, message_id: int, message: Pushed) -> None:
        self.push(phone, message.stored(message_id))

    def wake(self, org: int, queues: Collection[Queue] | None = None) -> None:
        pass

    def ask_cancel(self, phone: int, message: int) -> bool:
        return self.can_cancel

    def given_up(self, org: int, phone: int, message: int) -> None:
        pass

    def signs(self, phone: int) -> Signs | None:
        return self.known_signs.get(phone)

    def identity_lock(self, org: int) -> trio.Lock:
        return self.lock

    def give_numbers(self, phone: int, sims: Sequence[Sim]) -> None:
        self.named[phone] = [sim.number for sim in sims]

    async def expel(self, phone: int) -> None:
        self.phones = [one for one in self.phones if one.phone != phone]
        self.expelled.append(phone)

    def readmit(self, phone: int) -> None:
        self.expelled.remove(phone)

    def outlook(self, phone: int, sim: Sim | None) -> Outlook | None:
        rate = PacingRate(self.segments_per_minute)
        return None if rate.unlimited else Outlook(bucket=Bucket(0, 0), rate=rate, now=0)


@attrs.define
class PlayedCarrier:
    """Every assistant's carrier: it takes what it is given, unless a test says otherwise."""

    taken: list[Outbound] = attrs.field(factory=list)
    answers: list[CarrierError | CarrierMessage] = attrs.field(factory=list)
    """What it answers to the next messages."""

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, CarrierError):
            raise answer
        self.taken.append(message)
        return answer or CarrierMessage(id=f"SM{len(self.taken):032}", progress="sending")

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        return None

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        return None

    async def aclose(self) -> None:
        pass


@attrs.define
class PlayedReceiver:
    """Every webhook's receiver: it takes what it is given, unless a test says otherwise."""

    database: Database
    answers: list[Attempt] = attrs.field(factory=list)
    """What comes of the next tests."""
    waiting: trio.Event | None = None
    """It answers only once this is set, where it is."""
    asked: int = 0

    async def test(self, webhook: Webhook) -> Delivery:
        self.asked += 1
        if self.waiting is not None:
            await self.waiting.wait()
        usual = Attempt(at=NOW, ms=48, status=200, answer="ok")
        attempt = self.answers.pop(0) if self.answers else usual
        return await self.database.write(
            lambda tx: tx.deliveries.add_test(webhook.id, "message.received", attempt)
        )


@attrs.frozen
class Reply:
    """An answer as a client sees it."""

    status: int
    headers: Any
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def fields(self) -> dict[str, str]:
        """The wrong fields that it names."""
        return {e["field"]: e["problem"] for e in self.json.get("errors", ())}


@attrs.define
class Web:
    """A client of the app, beside what is behind it."""

    app: QuartTrio
    services: Services
    database: Database
    phones: PlayedPhones
    carrier: PlayedCarrier
    receiver: PlayedReceiver
    outgoing: list[Rules]
    """What webhooks may call: the last of them."""
    _callers: dict[str, httpx.AsyncClient] = attrs.field(factory=dict, init=False)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        secret: str | None = SECRET,
        headers: dict[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """Makes a request, with the org's secret in its header unless told otherwise."""
        sent = dict(headers or {})
        if secret is not None:
            sent.setdefault("X-Secret-Key", secret)
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent.setdefault("Content-Type", "application/json")
        response = await self._caller().request(method, path, headers=sent, content=raw)
        return Reply(response.status_code, response.headers, response.content)

    def _caller(self) -> httpx.AsyncClient:
        """The client of all calls from an address: one for each would be a fifth of its cost."""
        if CLIENT not in self._callers:
            self._callers[CLIENT] = self.client()
            self._callers[CLIENT].cookies.jar.set_policy(NO_COOKIES)
        return self._callers[CLIENT]

    def client(self) -> httpx.AsyncClient:
        """Returns a client that keeps its cookies."""
        # Quart's own test client decodes the path, and with it an encoded slash in a secret.
        transport = httpx.ASGITransport(self.app, client=(CLIENT, 50_000))  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url=HOME)

    async def make_org(self, name: str = ORG, secret: str = SECRET) -> int:
        org, _ = await self.services.accounts.orgs.add(name, secret)
        return org.id


def build_services(
    database: Database,
    phones: PlayedPhones,
    carrier: PlayedCarrier,
    rate_limits: RateLimits | None = None,
    *,
    receiver: PlayedReceiver | None = None,
    outgoing: Sequence[Rules] = (HOME_RULES,),
) -> Services:
    def now_ms() -> int:
        return NOW

    rate_limits = RateLimits() if rate_limits is None else rate_limits
    receiver = PlayedReceiver(database) if receiver is None else receiver
    assistants = Assistants(
        database,
        check=check_credentials,
        unusable=unusable_credentials,
        now_ms=now_ms,
        public_url=PUBLIC_URL,
        rate_limits=rate_limits,
        publish=bus_of(database).publish,
    )
    guard = Guard(rules=lambda: outgoing[-1])
    check_url = WebhookUrls(guard=guard, public_url=PUBLIC_URL).check
    acceptance = Acceptance(database, rate_limits, now_ms=now_ms, check_url=check_url)
    sending = Sending(database, phones, acceptance)
    subscribe(database, partial(follow, phones))
    accounts = Accounts(
        database,
        now_ms=now_ms,
        cost=CHEAP,
        rate_limits=rate_limits,
        registration=Registration(),
        publish=bus_of(database).publish,
    )
    enrolments = Enrolments(database, accounts.authentication, rate_limits, now_ms=now_ms)
    event_log = EventLog(database, now_ms=now_ms, keep_ms=KEPT_MS)
    waits = Waits(database, is_current=accounts.authentication.is_current)
    subscribe(database, waits.ring)
    feed = Feed(event_log, is_current=accounts.authentication.is_current)
    subscribe(database, feed.note)
    return Services(
        accounts=accounts,
        authentication=accounts.authentication,
        org_options=accounts.options,
        sessions=Sessions(
            database, accounts.authentication, now_ms=lambda: NOW, operator_token=OPERATOR_TOKEN
        ),
        dialect_tokens=DialectTokens(database, accounts.authentication, now_ms=now_ms),
        waits=waits,
        assistants=assistants,
        inbox=Inbox(database, rate_limits, now_ms=now_ms),
        messages=MessageAccess(database),
        client_messages=ClientMessages(database),
        conversations=Conversations(database),
        event_log=event_log,
        feed=feed,
        phones=PhoneManagement(database, accounts.authentication, phones, now_ms=now_ms),
        phone_history=PhoneHistory(database, now_ms=now_ms),
        figures=FigureReading(database, lambda: PacingRates(usual=PacingRate(24))),
        phone_waiting=PhoneWaiting(database, phones.online),
        media=Media(database),
        sending=sending,
        withdrawal=Withdrawal(database, phones, now_ms=now_ms),
        message_erasure=MessageErasure(database),
        own_numbers=OwnNumbers(database, phones),
        approval=Approval(database, now_ms=now_ms),
        carrier_sending=CarrierSending(
            database,
            acceptance,
            OwnPhones(database, sending, phones),
            CarrierPool(lambda _: carrier, account_mark),
            Terms(deadline_s=2.0, now_ms=now_ms),
            callback_url=assistants.callback_url,
        ),
        carrier_reports=CarrierReports(database, rate_limits, now_ms=now_ms, polls=PollTimings()),
        idempotency=Idempotency(database, now_ms=now_ms),
        switchboard=phones,
        enrolments=enrolments,
        webhooks=Webhooks(
            database,
            check_url=check_url,
            now_ms=now_ms,
            rate_limits=rate_limits,
        ),
        webhook_deliveries=WebhookDeliveries(database, call_test=receiver.test, now_ms=now_ms),
        hooks=Hooks(database, accounts.authentication, now_ms=now_ms, rate_limits=rate_limits),
        presences=build_presences(database, accounts, enrolments, rate_limits, now_ms),
        contacts=Contacts(database),
        templates=Templates(database),
        batches=Batches(database, now_ms=now_ms),
        now_ms=now_ms,
        version="0.1.0",
        started_at=NOW - 86_400_000,
        public_url=PUBLIC_URL,
        rate_limits=rate_limits,
        answer_budget=AnswerBudget(),
        cleaned=Counter(),
    )


async def known_phone(database: Database, device_id: str = "pixel-7") -> int:
    """Stores a phone of `ORG` with two SIMs, of which it knows the number of the first."""

    def add(tx: Tables) -> int:
        org = tx.orgs.get(ORG)
        assert org is not None
        phone = tx.phones.connect(org.id, device_id, NOW - 60_000).id
        sims = [Sim(slot=0, number="+15551112222", carrier="AT&T"), Sim(slot=1)]
        tx.phones.report_sims(org.id, phone, sims, NOW - 60_000)
        return phone

    return await database.write(add)


def build_presences(
    database: Database,
    accounts: Accounts,
    enrolments: Enrolments,
    rate_limits: RateLimits,
    now_ms: Callable[[], int],
) -> Presences:
    """The phones that are an app, of which none comes here."""
    registry, switchboard = PhoneRegistry(database, now_ms, rate_limits), Switchboard()
    services = PhoneServices(
        settings=Settings(),
        registry=registry,
        delivery=PhoneDelivery(database, now_ms, Policy(), rate_limits),
        switchboard=switchboard,
        rate_limits=rate_limits,
        now_ms=now_ms,
        cleaned=Counter(),
    )
    admission = Admission(
        authentication=accounts.authentication,
        registry=registry,
        switchboard=switchboard,
        rate_limits=rate_limits,
    )
    source = MediaSource(Media(database), Guard(rules=Rules))
    return Presences(services, admission, enrolments, source, SmsgateTimings())


def build_web(
    database: Database,
    *,
    encrypted: bool = False,
    rate_limits: RateLimits | None = None,
    **settings: Any,
) -> Web:
    phones, carrier, receiver = PlayedPhones(), PlayedCarrier(), PlayedReceiver(database)
    outgoing = [HOME_RULES]
    services, http = (
        build_services(
            database, phones, carrier, rate_limits, receiver=receiver, outgoing=outgoing
        ),
        HttpSettings(**settings),
    )
    pipeline = build_pipeline(services, http, encrypted=encrypted)
    app = build_whole_app(services, http, pipeline, _assets())
    return Web(app, services, database, phones, carrier, receiver, outgoing)


@cache
def _assets() -> Assets:
    return Assets()


@pytest.fixture
async def database(nursery: trio.Nursery) -> AsyncIterator[Database]:
    """The real store, in memory where the system has such files: no test here is about disks."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        path = new_database.make(Path(folder) / "phonegate.db")
        opened = Database.open(path, readers=2, publish=Bus().publish)
        await nursery.start(opened.run_writer)
        yield opened
        opened.stop_writing()
        opened.close()


@pytest.fixture
async def web(database: Database) -> Web:
    """The web with one org, `ORG`."""
    built = build_web(database, max_body_bytes=100_000)
    await built.make_org()
    return built
