"""The services that handlers call."""

from collections import Counter
from collections.abc import Callable

import attrs

from phonegate.api.answer_budget import AnswerBudget
from phonegate.api.fair_share import FairShare
from phonegate.api.large_bodies import LargeBodyReader
from phonegate.api.request_counts import RequestCounts
from phonegate.domain.accounts import Accounts
from phonegate.domain.approval import Approval
from phonegate.domain.assistants import Assistants
from phonegate.domain.authentication import Authenticator
from phonegate.domain.batches import Batches
from phonegate.domain.carrier_reports import CarrierReports
from phonegate.domain.carrier_sending import CarrierSending
from phonegate.domain.client_messages import ClientMessages
from phonegate.domain.contacts import Contacts
from phonegate.domain.conversations import Conversations
from phonegate.domain.dialect_tokens import DialectTokens
from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.enrolments import Enrolments
from phonegate.domain.event_log import EventLog
from phonegate.domain.figures import FigureReading
from phonegate.domain.hooks.hooks import Hooks
from phonegate.domain.idempotency import Idempotency
from phonegate.domain.media import Media
from phonegate.domain.message_access import MessageAccess
from phonegate.domain.message_erasure import MessageErasure
from phonegate.domain.org_options import OrgOptions
from phonegate.domain.own_numbers import OwnNumbers
from phonegate.domain.phone_history import PhoneHistory
from phonegate.domain.phone_management import PhoneManagement
from phonegate.domain.phone_waiting import PhoneWaiting
from phonegate.domain.rate_limits import RateLimits
from phonegate.domain.reception import Inbox
from phonegate.domain.reported_values import Kind
from phonegate.domain.sending import Sending
from phonegate.domain.sessions import Sessions
from phonegate.domain.simulation import NoSimulation, Simulation
from phonegate.domain.templates import Templates
from phonegate.domain.waits import Waits
from phonegate.domain.webhook_deliveries import WebhookDeliveries
from phonegate.domain.webhooks import Webhooks
from phonegate.domain.withdrawal import Withdrawal
from phonegate.events.feed import Feed
from phonegate.events.read_marks import ReadMarks
from phonegate.phones.smsgate.presence import Presences


@attrs.frozen(kw_only=True)
class Services:
    """The domain as the API sees it, made once at the start."""

    accounts: Accounts
    authentication: Authenticator
    org_options: OrgOptions
    sessions: Sessions
    dialect_tokens: DialectTokens
    waits: Waits
    assistants: Assistants
    inbox: Inbox
    messages: MessageAccess
    client_messages: ClientMessages
    conversations: Conversations
    event_log: EventLog
    feed: Feed
    phones: PhoneManagement
    phone_history: PhoneHistory
    figures: FigureReading
    phone_waiting: PhoneWaiting
    media: Media
    sending: Sending
    withdrawal: Withdrawal
    message_erasure: MessageErasure
    approval: Approval
    carrier_sending: CarrierSending
    carrier_reports: CarrierReports
    idempotency: Idempotency
    switchboard: Dispatcher
    enrolments: Enrolments
    webhooks: Webhooks
    webhook_deliveries: WebhookDeliveries
    own_numbers: OwnNumbers
    hooks: Hooks
    presences: Presences
    contacts: Contacts
    templates: Templates
    batches: Batches
    now_ms: Callable[[], int]
    version: str
    started_at: int
    """In ms, by the same clock as `now_ms`."""
    rate_limits: RateLimits
    answer_budget: AnswerBudget
    cleaned: Counter[Kind]
    """How often something was put right in what phones and carriers reported, since the start."""
    public_url: str = ""
    """The address by which others reach this gateway, where its owner has set one."""
    reached_at: list[str] = attrs.field(factory=list)
    """The beginnings of its URLs, the best for others first, once it listens."""
    simulation: Simulation = attrs.field(factory=NoSimulation)
    read_marks: ReadMarks = attrs.field(factory=ReadMarks)
    shares: FairShare = attrs.field(factory=FairShare)
    large_bodies: LargeBodyReader = attrs.field(factory=LargeBodyReader)
    requests: RequestCounts = attrs.field(factory=RequestCounts)
