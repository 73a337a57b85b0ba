"""What a receiver gets in each shape, for those who choose one."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Final
from urllib.parse import parse_qsl

from phonegate.api.webhook_rendering import WebhookRendering
from phonegate.api.webhooks_types import SHAPES
from phonegate.events.webhooks import smsgate_shape
from phonegate.events.webhooks.samples import sample
from phonegate.events.webhooks.shapes import FORM, write
from phonegate.model.webhooks import Shape, Webhook

WHEN: Final = 1_796_000_000_000
"""When the message of the examples came in, in ms."""

CALL_ID: Final = "evt_1234"
"""Names what is delivered."""


@cache
def shape_examples() -> Mapping[str, str]:
    """Returns what is sent for a received message, by shape, written for people."""
    return {shape: _example(shape) for shape in SHAPES}  # type: ignore[arg-type]


def _example(shape: Shape) -> str:
    webhook = Webhook(
        id=1,
        org=1,
        org_name="myorg",
        url="https://example.org",
        events=("message.received",),
        shape=shape,
        secret="",
        created_at=WHEN,
        position=0,
    )
    event = WebhookRendering(lambda: "")(sample(webhook, WHEN), webhook)
    if shape == "smsgate":
        body = smsgate_shape.write(webhook, event, CALL_ID)
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    written = write(shape, event, webhook.org)
    text = written.body.decode()
    if written.content_type == FORM:
        return "\n".join(f"{name}={value}" for name, value in parse_qsl(text, True))
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
