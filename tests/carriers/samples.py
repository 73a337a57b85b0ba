"""Messages for tests, with words that must never turn up where they should not."""

from typing import Any

import attrs
from hypothesis import HealthCheck, settings

from phonegate.domain.carrier import Outbound
from tests.patience import PATIENCE_S

patient = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first text that Hypothesis draws on a machine takes a second: it makes a table of Unicode."""

NOW = 1_700_000_000_000
DEADLINE_S = PATIENCE_S

SID = "AC" + "0123456789abcdef" * 2
SERVICE = "MG" + "fedcba9876543210" * 2
TOKEN = "canary-token-0123456789abcdef0123"
API_KEY = "KEY0123456789ABCDEF_canarykey"
BODY = "canary body: your code is 424242"
CANARIES = (TOKEN, API_KEY, BODY, "424242")

MESSAGE = Outbound(
    sender="+15005550006",
    recipient="+15551230001",
    body=BODY,
    reference="8e03978e-40d5-43e8-bc93-6894a57f9326",
    accepted_at=NOW,
)


def message(**changes: Any) -> Outbound:
    return attrs.evolve(MESSAGE, **changes)
