import json
from typing import Any

from phonegate.api.convert import CONVERTER
from phonegate.api.event_json import event_json
from phonegate.api.presenters import message_json
from phonegate.model.events import Event, EventType
from phonegate.model.messages import FAR_AHEAD_MS
from tests.domain.sample_events import message_event

MEDIA = "https://gate.lan/media/myorg"
AT = 1_700_000_000_001
SHOWN_AT = "2023-11-14T22:13:20.001Z"


def shown(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(CONVERTER.encode(event_json(event, media=MEDIA)))
    return data


def other(type_: EventType, **data: Any) -> dict[str, Any]:
    return shown(Event(id=9, org=1, type=type_, at=AT, phone=data.get("id"), data=data))


def test_a_message_is_as_its_own_route_shows_it() -> None:
    event = message_event(4, parts=2, media_urls=("https://a/1",))
    assert event.message is not None
    found = shown(event)
    assert found == {
        "id": 4,
        "type": "message.received",
        "created_at": "1970-01-01T00:00:01.000Z",
        "data": {
            "message": json.loads(CONVERTER.encode(message_json(event.message, (), media=MEDIA)))
        },
    }
    assert found["data"]["message"]["media_urls"] == [
        f"{MEDIA}/5/1",
        f"{MEDIA}/5/2",
        "https://a/1",
    ]


def test_it_waits_only_for_what_the_message_itself_shows() -> None:
    def waits(**fields: Any) -> str | None:
        event = message_event(direction="out", **fields)
        found: str | None = shown(event)["data"]["message"]["waiting_for"]
        return found

    assert waits(status="queued") is None
    assert waits(status="sending", acked_at=5) is None
    assert waits(status="queued", held_until=AT) == "send_at"
    assert waits(status="queued", held_until=FAR_AHEAD_MS, approval="asked") == "approval"
    assert waits(status="cancelled", held_until=AT) is None


def test_a_phone() -> None:
    assert other(
        "phone.health",
        id=7,
        kind="link",
        name="Reception",
        device_id="pixel-7",
        model=None,
        app=None,
        online=True,
        last_seen=AT,
        battery=83,
        charging=True,
        signal=None,
        network="wifi",
        sims=[{"slot": 0, "number": "+1555", "carrier": None, "given": False}],
    ) == {
        "id": 9,
        "type": "phone.health",
        "created_at": SHOWN_AT,
        "data": {
            "phone": {
                "id": 7,
                "kind": "link",
                "name": "Reception",
                "device_id": "pixel-7",
                "model": None,
                "app": None,
                "online": True,
                "last_seen": SHOWN_AT,
                "battery": 83,
                "charging": True,
                "signal": None,
                "network": "wifi",
                "sims": [{"slot": 0, "number": "+1555", "carrier": None, "given": False}],
            }
        },
    }


def test_an_alarm_and_a_webhook() -> None:
    assert other(
        "alarm.raised",
        alarm="phone_away",
        since=AT,
        sentence="The phone is away.",
        remedy=None,
        fields={"messages": 3},
    )["data"] == {
        "alarm": {
            "alarm": "phone_away",
            "since": SHOWN_AT,
            "sentence": "The phone is away.",
            "remedy": None,
            "fields": {"messages": 3},
        }
    }
    assert other("webhook.disabled", id=3, name=None, disabled_at=AT, disabled_reason="410")[
        "data"
    ] == {"webhook": {"id": 3, "name": None, "disabled_at": SHOWN_AT, "disabled_reason": "410"}}


def test_what_another_version_recorded_is_shown_as_far_as_it_goes() -> None:
    phone = {"id": 7, "kind": "link", "online": True, "last_seen": AT, "colour": "red"}
    found = other("phone.online", **phone)["data"]["phone"]
    assert (found["id"], found["name"], found["sims"]) == (7, None, [])
    assert "colour" not in found
