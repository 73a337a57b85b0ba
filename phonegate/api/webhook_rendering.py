"""What a webhook is sent of an event: what the API shows of it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from phonegate.api.event_json import event_json
from phonegate.events.webhooks import smsgate_shape
from phonegate.model.events import Event
from phonegate.model.webhooks import Webhook
from phonegate.typed_json.writer import JsonWriter


class WebhookRendering:
    """Shows events to webhooks.

    Args:
        own_address: Finds the beginning of the gateway's URLs for others, where media are. Empty
            where it is not known.
    """

    def __init__(self, own_address: Callable[[], str]) -> None:
        self._own_address = own_address
        self._writer = JsonWriter()

    def __call__(self, event: Event, webhook: Webhook) -> Mapping[str, Any]:
        """Returns an event as JSON data."""
        media = f"{self._own_address()}/media/{webhook.org_name}"
        shown: dict[str, Any] = json.loads(self._writer.text(event_json(event, media=media)))
        if webhook.shape == "smsgate":
            shown["smsgate"] = smsgate_shape.beside(event)
        return shown
