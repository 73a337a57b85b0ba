from typing import Any

import pytest

from phonegate.phone.smsgate.app_errors import SentAway, UnreadableAnswer
from phonegate.phone.smsgate.app_settings import AppSettings


def test_known_settings_are_taken_and_unknown_ones_ignored() -> None:
    before = AppSettings()
    after = before.updated(
        {
            "messages": {"processing_order": "FIFO", "send_interval_max": 2.0, "new": object()},
            "ping": {"interval_seconds": 300.0},
            "webhooks": {"retry_count": 3, "signing_key": "k", "internet_required": False},
            "gateway": {"notification_channel": "SSE_ONLY", "private_token": "t"},
            "unknown": 5,
            "logs": None,
        }
    )
    assert after == AppSettings(
        processing_order="FIFO",
        send_interval_s=2,
        ping_every_s=300,
        event_tries=3,
        signing_key="k",
        channel="SSE_ONLY",
        private_token="t",
    )
    assert after.asks_for_restart(before)
    assert not after.asks_for_restart(after.updated({"webhooks": {"signing_key": "other"}}))
    assert after.updated({}) == after
    assert after.updated({"ping": {"interval_seconds": None}}).ping_every_s is None
    assert "signing_key" not in repr(after)


@pytest.mark.parametrize(
    "settings",
    [
        {"messages": {"processing_order": "fifo"}},
        {"messages": {"limit_value": "5"}},
        {"messages": {"limit_period": "PerWeek"}},
        {"ping": {"interval_seconds": 0.5}},
        {"ping": {"interval_seconds": True}},
        {"webhooks": {"signing_key": 5}},
        {"webhooks": {"internet_required": "no"}},
        {"gateway": {"notification_channel": "FCM"}},
        {"logs": []},
    ],
)
def test_one_bad_value_refuses_them_all(settings: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        AppSettings().updated({"gateway": {"private_token": "t"}, **settings})


def test_another_servers_address_is_the_end() -> None:
    with pytest.raises(SentAway):
        AppSettings().updated({"gateway": {"cloud_url": None}})
