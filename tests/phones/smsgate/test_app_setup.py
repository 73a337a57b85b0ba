import json

import pytest

from phonegate.phones.smsgate.app_setup import calls_for, settings_for
from phonegate.phones.smsgate.app_version import EARLIEST_EVENTS, EVENTS, version_of


@pytest.mark.parametrize(
    ("agent", "known"),
    [
        ("me.capcom.smsgateway/1.68.0", True),
        ("me.capcom.smsgateway/1.70.2", True),
        ("me.capcom.smsgateway/2.0", True),
        ("me.capcom.smsgateway.insecure/1.75.1", True),
        ("me.capcom.smsgateway/1.9.0", False),
        ("okhttp/4.10", False),
        ("", False),
    ],
)
def test_a_version_is_known_by_its_agent(agent: str, *, known: bool) -> None:
    version = version_of(agent)
    assert version.is_known is known
    assert version.events == (EVENTS if known else EARLIEST_EVENTS)


@pytest.mark.parametrize(
    ("agent", "sends"),
    [
        ("me.capcom.smsgateway/1.68.9", False),
        ("me.capcom.smsgateway/1.69.0", True),
        ("me.capcom.smsgateway/2.0", True),
        ("okhttp/4.10", False),
    ],
)
def test_versions_after_1_68_send_mms(agent: str, *, sends: bool) -> None:
    assert version_of(agent).sends_media is sends


def test_the_address_of_its_server_is_never_set() -> None:
    written = json.dumps(settings_for("key"))
    assert "url" not in written
    assert json.loads(written) == {
        "gateway": {"notification_channel": "SSE_ONLY"},
        "messages": {"processing_order": "FIFO"},
        "ping": {"interval_seconds": 300},
        "webhooks": {"signing_key": "key", "internet_required": False},
    }


def test_an_app_is_asked_for_events_that_it_knows_alone() -> None:
    calls = calls_for(version_of("me.capcom.smsgateway/1.30.0"), "https://sms.example.org/x")
    assert [call["event"] for call in calls] == list(EARLIEST_EVENTS)
    assert {call["url"] for call in calls} == {"https://sms.example.org/x"}
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(len(call["id"]) <= 36 for call in calls)
