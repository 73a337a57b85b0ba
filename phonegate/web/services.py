"""What the handlers work with: ready objects, handed in once."""

from collections import Counter
from collections.abc import Callable

import attrs

from phonegate.domain.accounts import Accounts
from phonegate.domain.arrivals import Arrivals
from phonegate.domain.assistants import Assistants
from phonegate.domain.dispatch import Dispatcher
from phonegate.domain.forwarding import Forwarding
from phonegate.domain.guard import Guard
from phonegate.domain.idempotency import Idempotency
from phonegate.domain.reported import Kind
from phonegate.domain.sending import Sending
from phonegate.store.database import Database
from phonegate.web.large_bodies import Reading
from phonegate.web.requests import Requests
from phonegate.web.shares import Shares
from phonegate.web.unsent import Unsent


@attrs.frozen(kw_only=True)
class Services:
    """The domain as the web sees it. `started_at` and `now_ms` are wall clock, in ms."""

    accounts: Accounts
    arrivals: Arrivals
    assistants: Assistants
    database: Database
    sending: Sending
    forwarding: Forwarding
    idempotency: Idempotency
    switchboard: Dispatcher
    now_ms: Callable[[], int]
    version: str
    started_at: int
    public_url: str = ""
    """The address that others reach this gateway by, where its owner has set one."""
    shares: Shares = attrs.field(factory=Shares)
    unsent: Unsent = attrs.field(factory=Unsent)
    reading: Reading = attrs.field(factory=Reading)
    requests: Requests = attrs.field(factory=Requests)
    guard: Guard = attrs.field(factory=Guard)
    cleaned: Counter[Kind] = attrs.field(factory=Counter)
    """What was put right of reports, since the start."""
