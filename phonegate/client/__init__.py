"""A client of a gateway for Python programs: `Gateway`, and `AsyncGateway` for asyncio and Trio.

    from phonegate.client import Gateway

    with Gateway("http://127.0.0.1:8080", "pgk_…") as gateway:
        gateway.send("+15553334444", "Dinner at eight?")

docs/client.md explains all of it.
"""

import importlib
from typing import TYPE_CHECKING, Any, Final

from phonegate.client.errors import (
    BadSetup,
    BadSignature,
    CarrierFailed,
    FieldError,
    Forbidden,
    GatewayError,
    NoEvents,
    NotAGateway,
    NotConnected,
    NotFound,
    Refused,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unreachable,
    Untrusted,
)
from phonegate.client.events import Alarm, DisabledWebhook, Event, Gap, News
from phonegate.client.messages import (
    Cancelled,
    Message,
    Outgoing,
    SendAnswer,
    SendResult,
    SmsSent,
)
from phonegate.client.phones import Me, Phone, PhoneSim, Sim, Sims
from phonegate.client.retries import ENDLESS, NO_RETRIES, Retries
from phonegate.client.waiting import NotInTime
from phonegate.client.webhooks import (
    CalledWebhook,
    Delivery,
    NewWebhook,
    Webhook,
    verify_webhook,
)

if TYPE_CHECKING:
    from phonegate.client.asynchronous.gateway import AsyncGateway
    from phonegate.client.asynchronous.iteration import AsyncIteration
    from phonegate.client.synchronous.gateway import Gateway
    from phonegate.client.synchronous.iteration import Iteration

_CONNECTED: Final = {
    "AsyncGateway": "asynchronous.gateway",
    "AsyncIteration": "asynchronous.iteration",
    "Gateway": "synchronous.gateway",
    "Iteration": "synchronous.iteration",
}
"""What needs httpx, which takes long to import: a receiver of webhooks does without."""


def __getattr__(name: str) -> Any:
    if name not in _CONNECTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_CONNECTED[name]}"), name)


__all__ = [
    "ENDLESS",
    "NO_RETRIES",
    "Alarm",
    "AsyncGateway",
    "AsyncIteration",
    "BadSetup",
    "BadSignature",
    "CalledWebhook",
    "Cancelled",
    "CarrierFailed",
    "Delivery",
    "DisabledWebhook",
    "Event",
    "FieldError",
    "Forbidden",
    "Gap",
    "Gateway",
    "GatewayError",
    "Iteration",
    "Me",
    "Message",
    "NewWebhook",
    "News",
    "NoEvents",
    "NotAGateway",
    "NotConnected",
    "NotFound",
    "NotInTime",
    "Outgoing",
    "Phone",
    "PhoneSim",
    "Refused",
    "Retries",
    "SendAnswer",
    "SendResult",
    "Sim",
    "Sims",
    "SmsSent",
    "TimedOut",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Untrusted",
    "Webhook",
    "verify_webhook",
]
