"""The parts of a gateway behind its edges, put together: all that needs no socket."""

from collections import Counter
from functools import partial
from typing import Final, Self

import attrs

import phonegate
from phonegate.api.answer_budget import AnswerBudget
from phonegate.api.services import Services
from phonegate.api.webhook_rendering import WebhookRendering
from phonegate.bind_address import parse_bind
from phonegate.builtin_phone.simulated import SimulatedPhones
from phonegate.carriers import registry
from phonegate.config.settings import (
    CarrierSettings,
    DeliverySettings,
    MediaSettings,
    Settings,
    WebhookSettings,
)
from phonegate.domain.acceptance import Acceptance
from phonegate.domain.accounts import Accounts
from phonegate.domain.approval import Approval
from phonegate.domain.assistants import Assistants
from phonegate.domain.batches import Batches
from phonegate.domain.carrier_pool import CarrierPool
from phonegate.domain.carrier_reports import CarrierReports
from phonegate.domain.carrier_sending import CarrierSending, Terms
from phonegate.domain.carrier_timings import CarrierTimings
from phonegate.domain.client_messages import ClientMessages
from phonegate.domain.contacts import Contacts
from phonegate.domain.conversations import Conversations
from phonegate.domain.delivery import Policy
from phonegate.domain.dialect_tokens import DialectTokens
from phonegate.domain.enrolments import Enrolments
from phonegate.domain.event_log import EventLog
from phonegate.domain.event_retention import kept_ms
from phonegate.domain.figures import FigureReading
from phonegate.domain.hooks.hooks import Hooks
from phonegate.domain.idempotency import Idempotency
from phonegate.domain.media import Media
from phonegate.domain.message_access import MessageAccess
from phonegate.domain.message_erasure import MessageErasure
from phonegate.domain.own_numbers import OwnNumbers
from phonegate.domain.own_phones import OwnPhones
from phonegate.domain.pairing import Pairing
from phonegate.domain.phone_delivery import PhoneDelivery
from phonegate.domain.phone_events import Attendance
from phonegate.domain.phone_history import PhoneHistory
from phonegate.domain.phone_management import PhoneManagement
from phonegate.domain.phone_registry import PhoneRegistry
from phonegate.domain.phone_waiting import PhoneWaiting
from phonegate.domain.rate_limits import Bounds, RateLimits
from phonegate.domain.reception import Inbox
from phonegate.domain.reconciler import Reconciler
from phonegate.domain.registration import Registration
from phonegate.domain.reported_values import Kind
from phonegate.domain.scheduler import Scheduler, SchedulerTimings
from phonegate.domain.sending import Sending
from phonegate.domain.sessions import Sessions
from phonegate.domain.templates import Templates
from phonegate.domain.waits import Waits
from phonegate.domain.webhook_deliveries import WebhookDeliveries
from phonegate.domain.webhook_replies import WebhookReplies
from phonegate.domain.webhooks import Webhooks
from phonegate.domain.withdrawal import Withdrawal
from phonegate.events.bus import Bus
from phonegate.events.feed import Feed
from phonegate.events.flow import Flow
from phonegate.events.undelivered import log_undelivered
from phonegate.events.webhooks.service import WebhookService, WebhookTimings
from phonegate.http.origins import is_public
from phonegate.http.outgoing_address import Guard
from phonegate.http.outgoing_guard import Rules, parse_networks
from phonegate.http.webhook_url import ALLOW, PRIVATE_NETWORKS, WebhookUrls
from phonegate.model.dialects import TWILIO
from phonegate.model.times import now_ms
from phonegate.phones.admission import Admission
from phonegate.phones.attendance_book import AttendanceBook
from phonegate.phones.smsgate.media_source import MediaSource
from phonegate.phones.smsgate.presence import Presences
from phonegate.phones.smsgate.smsgate_timings import SmsgateTimings
from phonegate.phones.station import PhoneServices
from phonegate.phones.switchboard import Switchboard
from phonegate.store.database import Database


@attrs.frozen(kw_only=True)
class Timings:
    """The waits of a gateway that no setting changes. Trials pass shorter ones."""

    carriers: CarrierTimings = attrs.field(factory=CarrierTimings)
    scheduler: SchedulerTimings = attrs.field(factory=SchedulerTimings)
    smsgate: SmsgateTimings = attrs.field(factory=SmsgateTimings)
    webhooks: WebhookTimings = attrs.field(factory=WebhookTimings)


TIMINGS: Final = Timings()
"""Those of every gateway that serves."""


@attrs.frozen(kw_only=True)
class Core:
    """What works behind the edges of a gateway, put together: everything but its sockets."""

    settings: Settings
    database: Database
    bus: Bus
    services: Services
    phones: PhoneServices
    admission: Admission
    scheduler: Scheduler
    carrier_pool: CarrierPool
    reconciler: Reconciler
    flow: Flow
    attendance: AttendanceBook
    pairing: Pairing
    webhooks: WebhookService
    simulated: SimulatedPhones
    own_ports: set[int]
    """Where the gateway listens, once it does. It calls none of them on its own machine."""
    own_urls: list[str]
    """The beginnings of its URLs for others, once it listens, the best one first."""

    @classmethod
    def assemble(
        cls, settings: Settings, database: Database, bus: Bus, timings: Timings = TIMINGS
    ) -> Self:
        """Builds every part from the ones below it, and subscribes those that hear of changes."""
        delivery = settings.delivery
        policy = _policy(delivery)
        cleaned: Counter[Kind] = Counter()
        rate_limits = RateLimits(
            Bounds(**attrs.asdict(settings.limits)),
            disk_low_bytes=settings.alarms.disk_low_bytes,
        )
        accounts = Accounts(
            database,
            registration=Registration.configured(settings),
            now_ms=now_ms,
            rate_limits=rate_limits,
            publish=bus.publish,
        )
        assistants = Assistants(
            database,
            check=registry.check_credentials,
            unusable=registry.unusable_credentials,
            now_ms=now_ms,
            public_url=_url_for_carriers(settings),
            rate_limits=rate_limits,
            publish=bus.publish,
        )
        switchboard = Switchboard()
        phones = PhoneServices(
            settings=settings,
            registry=PhoneRegistry(database, now_ms, rate_limits),
            delivery=PhoneDelivery(database, now_ms, policy, rate_limits),
            switchboard=switchboard,
            rate_limits=rate_limits,
            now_ms=now_ms,
            cleaned=cleaned,
        )
        admission = Admission(
            authentication=accounts.authentication,
            registry=phones.registry,
            switchboard=switchboard,
            rate_limits=rate_limits,
        )
        enrolments = Enrolments(database, accounts.authentication, rate_limits, now_ms=now_ms)
        carrier_pool = _carrier_pool(settings.carriers, timings.carriers)
        terms = Terms(
            deadline_s=settings.carriers.deadline_s, now_ms=now_ms, timings=timings.carriers
        )
        reconciler = Reconciler(database, carrier_pool, terms)
        scheduler = Scheduler(
            database,
            policy=policy,
            now_ms=now_ms,
            online_phones=switchboard.online_phones,
            timings=timings.scheduler,
        )
        own_ports = {parse_bind(bind)[1] for bind in (settings.operator.bind,) if bind}
        webhook_guard = Guard(
            rules=lambda: _outgoing(settings.webhooks, accounts, PRIVATE_NETWORKS, ALLOW),
            own_ports=own_ports,
        )
        webhook_urls = WebhookUrls(guard=webhook_guard, public_url=settings.http.public_url)
        acceptance = Acceptance(
            database,
            rate_limits,
            now_ms=now_ms,
            check_url=webhook_urls.check,
            default_ttl_s=delivery.default_ttl_s,
        )
        sending = Sending(database, switchboard, acceptance, on_uncertain=delivery.on_uncertain)
        carrier_sending = CarrierSending(
            database,
            acceptance,
            OwnPhones(database, sending, switchboard),
            carrier_pool,
            terms,
            callback_url=assistants.callback_url,
        )
        pairing = Pairing(
            database, accounts.orgs, accounts.keys, sending, switchboard, now_ms=now_ms
        )
        media = Media(database)
        guard = Guard(
            rules=lambda: _outgoing(
                settings.media, accounts, "[media] private_networks", "[media] allow"
            ),
            own_ports=own_ports,
        )
        source = MediaSource(media, guard, public_url=settings.http.public_url)
        own_urls = [settings.http.public_url] if settings.http.public_url else []
        webhooks = WebhookService(
            database,
            webhook_guard,
            WebhookRendering(
                lambda: own_urls[0].rstrip("/") if own_urls else "",
                has_twilio=TWILIO in settings.dialects.enabled,
            ),
            WebhookReplies(database, sending, carrier_sending, now_ms=now_ms),
            settings.webhooks,
            now_ms=now_ms,
            timings=timings.webhooks,
        )
        event_log = EventLog(
            database,
            now_ms=now_ms,
            keep_ms=kept_ms(settings.events.keep_hours, settings.retention.messages_days),
        )
        simulated = SimulatedPhones(accounts, admission, phones)
        services = Services(
            accounts=accounts,
            authentication=accounts.authentication,
            org_options=accounts.options,
            sessions=Sessions(
                database,
                accounts.authentication,
                now_ms=now_ms,
                operator_token=settings.operator.token if settings.operator.console else "",
            ),
            dialect_tokens=DialectTokens(database, accounts.authentication, now_ms=now_ms),
            waits=Waits(database, is_current=accounts.authentication.is_current),
            assistants=assistants,
            inbox=Inbox(database, rate_limits, now_ms=now_ms, note_pushed=pairing.note_pushed),
            messages=MessageAccess(database),
            client_messages=ClientMessages(database),
            conversations=Conversations(database),
            event_log=event_log,
            feed=Feed(event_log, is_current=accounts.authentication.is_current),
            phones=PhoneManagement(database, accounts.authentication, switchboard, now_ms=now_ms),
            phone_history=PhoneHistory(database, now_ms=now_ms),
            figures=FigureReading(database, lambda: phones.rates),
            phone_waiting=PhoneWaiting(database, switchboard.online),
            media=media,
            sending=sending,
            withdrawal=Withdrawal(database, switchboard, now_ms=now_ms),
            message_erasure=MessageErasure(database),
            own_numbers=OwnNumbers(database, switchboard),
            approval=Approval(database, now_ms=now_ms),
            carrier_sending=carrier_sending,
            carrier_reports=CarrierReports(
                database, rate_limits, now_ms=now_ms, polls=timings.carriers.polls
            ),
            idempotency=Idempotency(database, now_ms=now_ms),
            switchboard=switchboard,
            enrolments=enrolments,
            webhooks=Webhooks(
                database,
                check_url=webhook_urls.check,
                now_ms=now_ms,
                rate_limits=rate_limits,
            ),
            webhook_deliveries=WebhookDeliveries(
                database, call_test=webhooks.courier.test, now_ms=now_ms
            ),
            hooks=Hooks(database, accounts.authentication, now_ms=now_ms, rate_limits=rate_limits),
            presences=Presences(phones, admission, enrolments, source, timings.smsgate),
            contacts=Contacts(database),
            templates=Templates(database),
            batches=Batches(database, now_ms=now_ms),
            now_ms=now_ms,
            version=phonegate.__version__,
            started_at=now_ms(),
            public_url=settings.http.public_url,
            answer_budget=AnswerBudget(
                settings.limits.answers_bytes, lambda: rate_limits.note("answers")
            ),
            rate_limits=rate_limits,
            cleaned=cleaned,
            simulation=simulated,
        )
        core = cls(
            settings=settings,
            database=database,
            bus=bus,
            services=services,
            phones=phones,
            admission=admission,
            scheduler=scheduler,
            carrier_pool=carrier_pool,
            reconciler=reconciler,
            flow=Flow(),
            attendance=AttendanceBook(switchboard, Attendance(database, now_ms)),
            pairing=pairing,
            webhooks=webhooks,
            simulated=simulated,
            own_ports=own_ports,
            own_urls=own_urls,
        )
        core._subscribe()
        return core

    def _subscribe(self) -> None:
        """Has every part that must know of changes hear of them, in this order."""
        subscribe = self.bus.subscribe
        subscribe("metrics", self.flow.note)
        subscribe("log", log_undelivered)
        subscribe("switchboard", self.phones.switchboard.note)
        subscribe("carrier pool", self.carrier_pool.note)
        subscribe("scheduler", self.scheduler.note)
        subscribe("reconciler", self.reconciler.note)
        subscribe("waits", self.services.waits.ring)
        subscribe("feed", self.services.feed.note)
        subscribe("read marks", self.services.read_marks.note)
        subscribe("pairing", self.pairing.note)
        subscribe("webhooks", self.webhooks.note)


def _url_for_carriers(settings: Settings) -> str:
    """Returns the address that carriers report to. Empty where they can't reach it.

    They refuse to send what names an address of a home network for its reports.
    """
    url = settings.http.public_url
    carriers = (registry.base_url(name, settings.carriers) for name in registry.CARRIERS)
    return "" if all(map(is_public, carriers)) and not is_public(url) else url


def _outgoing(
    settings: MediaSettings | WebhookSettings, accounts: Accounts, setting: str, allow_setting: str
) -> Rules:
    """Returns which addresses may be called now. The owner may open and close registration.

    `setting` is the one that opens private networks, and `allow_setting` the one that opens any
    network, for a refusal to name.
    """
    is_open = accounts.orgs.registration.mode == "open"
    return Rules(
        allow=parse_networks(settings.allow),
        private_networks=settings.private_networks or not is_open,
        setting=setting,
        allow_setting=allow_setting,
    )


def _policy(settings: DeliverySettings) -> Policy:
    return Policy(
        max_attempts=settings.max_attempts,
        unacknowledged=settings.unacknowledged,
        result_timeout_ms=round(settings.result_timeout_s * 1000),
        away_timeout_ms=round(settings.away_timeout_s * 1000),
    )


def _carrier_pool(settings: CarrierSettings, timings: CarrierTimings) -> CarrierPool:
    """Returns the pool of accounts. A carrier's client is loaded when the first is opened."""
    opener = partial(registry.open_account, settings=settings, grace_s=timings.grace_s)
    return CarrierPool(opener, registry.account_mark)
