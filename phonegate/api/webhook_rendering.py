"""What a webhook is sent of an event: what the API shows of it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from phonegate.api.event_json import event_json
from phonegate.events.webhooks import smsgate_shape
from phonegate.model.events import Event
from phonegate.model.messages import MessageView
from phonegate.model.twilio_ids import media_path
from phonegate.model.webhooks import Webhook
from phonegate.typed_json.writer import JsonWriter


class WebhookRendering:
    """Shows events to webhooks.

    Args:
        own_address: Finds the beginning of the gateway's URLs for others, where media are. Empty
            where it is not known.
        has_twilio: Whether Twilio's API is served, by which its programs fetch media.
    """

    def __init__(self, own_address: Callable[[], str], *, has_twilio: bool = True) -> None:
        self._own_address = own_address
        self._has_twilio = has_twilio
        self._writer = JsonWriter()

    def __call__(self, event: Event, webhook: Webhook) -> Mapping[str, Any]:
        """Returns an event as JSON data."""
        media = f"{self._own_address()}/media/{webhook.org_name}"
        shown: dict[str, Any] = json.loads(self._writer.text(event_json(event, media=media)))
        if webhook.shape == "smsgate":
            shown["smsgate"] = smsgate_shape.beside(event)
        elif webhook.shape == "twilio" and self._has_twilio and event.message is not None:
            self._show_media_as_twilio(shown["data"]["message"], event.message, webhook.org)
        return shown

    def _show_media_as_twilio(self, shown: dict[str, Any], message: MessageView, org: int) -> None:
        """Names the parts of a message by the addresses that a program made for Twilio may ask.

        It logs in there with its account and token. Whatever else the message has follows them.
        """
        if message.parts:
            base = self._own_address()
            own = [base + media_path(org, message.id, n + 1) for n in range(message.parts)]
            shown["media_urls"] = [*own, *shown["media_urls"][message.parts :]]
