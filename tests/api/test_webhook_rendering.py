"""What webhooks are shown of events."""

from typing import Any

import pytest

from phonegate.api.webhook_rendering import WebhookRendering
from phonegate.model.twilio_ids import account_sid, media_sid, message_sid
from phonegate.model.webhooks import Webhook
from tests.domain.sample_events import message_event

BASE = "https://sms.example.org"
ELSEWHERE = "https://mmsc.example/a.jpg"


def webhook(shape: Any) -> Webhook:
    return Webhook(
        id=1,
        org=3,
        org_name="myorg",
        url="https://a/",
        events=("*",),
        secret="s",
        created_at=1,
        position=0,
        shape=shape,
    )


def urls(shape: str, *, has_twilio: bool = True) -> list[str]:
    event = message_event(parts=2, media_urls=(ELSEWHERE,))
    shown = WebhookRendering(lambda: BASE, has_twilio=has_twilio)(event, webhook(shape))
    found: list[str] = shown["data"]["message"]["media_urls"]
    return found


@pytest.mark.parametrize(
    ("shape", "has_twilio"), [("standard", True), ("flat", True), ("twilio", False)]
)
def test_media_are_at_the_gateways_own_addresses(shape: str, *, has_twilio: bool) -> None:
    own = [f"{BASE}/media/myorg/5/1", f"{BASE}/media/myorg/5/2"]
    assert urls(shape, has_twilio=has_twilio) == [*own, ELSEWHERE]


def test_a_program_made_for_twilio_finds_them_at_twilios() -> None:
    begin = f"{BASE}/2010-04-01/Accounts/{account_sid(3)}/Messages/{message_sid(5)}/Media"
    assert urls("twilio") == [
        f"{begin}/{media_sid(5, 1)}",
        f"{begin}/{media_sid(5, 2)}",
        ELSEWHERE,
    ]


def test_what_has_no_media_has_none() -> None:
    shown = WebhookRendering(lambda: BASE)(message_event(), webhook("twilio"))
    assert shown["data"]["message"]["media_urls"] is None
