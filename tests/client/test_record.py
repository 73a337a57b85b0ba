"""The client's types against the gateway's own declarations, and what they make of odd JSON."""

import sys
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from phonegate.api.openapi.document import document
from phonegate.api.table import build_table
from phonegate.client import (
    Alarm,
    CalledWebhook,
    Cancelled,
    Delivery,
    DisabledWebhook,
    Event,
    Me,
    Message,
    NewWebhook,
    NotAGateway,
    Outgoing,
    Phone,
    PhoneSim,
    SendAnswer,
    SendResult,
    Sim,
    Sims,
    SmsSent,
    Webhook,
)
from phonegate.client.record import Record
from tests.client.script import MESSAGE

SCHEMAS: dict[type[Any], tuple[str, set[str]]] = {
    Alarm: ("EventAlarm", set()),
    Cancelled: ("CancelAnswer", {"ok"}),
    Delivery: ("Delivery", set()),
    DisabledWebhook: ("EventWebhook", set()),
    Me: ("MeAnswer", {"ok"}),
    Message: ("Message", set()),
    NewWebhook: ("NewWebhookAnswer", {"ok"}),
    Outgoing: ("SendItem", set()),
    Phone: ("Phone", set()),
    PhoneSim: ("PhoneSim", set()),
    SendAnswer: ("SendAnswer", {"ok"}),
    SendResult: ("SendResult", set()),
    Sim: ("Sim", set()),
    Sims: ("SimsAnswer", set()),
    SmsSent: ("SmsSent", {"success"}),
    CalledWebhook: ("TestedAnswer", {"ok"}),
    Webhook: ("WebhookState", set()),
}
"""By each type of the client what the gateway calls it, and the fields that say nothing more."""


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    found: dict[str, Any] = document(build_table(), server="", version="")["components"]["schemas"]
    return found


@pytest.mark.parametrize("kind", SCHEMAS, ids=lambda kind: kind.__name__)
def test_a_type_has_the_fields_of_the_gateways(kind: type[Any], schemas: dict[str, Any]) -> None:
    name, beside = SCHEMAS[kind]
    fields = {field.name for field in attrs.fields(kind)} - {"raw"}
    assert fields == set(schemas[name]["properties"]) - beside


def test_every_type_is_compared() -> None:
    # attrs makes each anew with slots, and what it was before may be there still.
    kinds = {
        kind
        for kind in (*Record.__subclasses__(), *Sim.__subclasses__())
        if getattr(sys.modules[kind.__module__], kind.__name__) is kind
    }
    assert kinds - SCHEMAS.keys() == {Event}


def test_an_event_has_a_field_for_each_kind_of_data(schemas: dict[str, Any]) -> None:
    fields = {field.name for field in attrs.fields(Event)} - {"raw"}
    kinds = set(schemas["EventData"]["properties"])
    assert fields == set(schemas["Event"]["properties"]) | kinds


def test_what_a_needed_field_is_the_gateway_always_has(schemas: dict[str, Any]) -> None:
    for kind, (name, _) in SCHEMAS.items():
        needed = {
            field.name
            for field in attrs.fields(kind)
            if field.default is attrs.NOTHING and kind is not Outgoing
        }
        assert needed <= set(schemas[name]["required"]), name


def test_what_is_new_is_kept_beside() -> None:
    message = Message.read({**MESSAGE, "status": "pondering", "colour": "red"})
    assert message.status == "pondering"
    assert message.raw["colour"] == "red"
    assert message.sent_at is None
    assert message.created_at == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_a_message_is_printed_without_its_text() -> None:
    assert "secret words" not in repr(Message.read({**MESSAGE, "body": "secret words"}))


def test_times_of_phones_are_in_milliseconds() -> None:
    assert Message.read({**MESSAGE, "date": 1_700_000_000_123}).date == datetime(
        2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "7"},
        {"id": True},
        {"id": None},
        {"created_at": "yesterday"},
        {"created_at": None},
        {"date": 10**30},
        {"media_urls": "a"},
        {"media_urls": [1]},
    ],
)
def test_what_is_no_message(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAGateway, match=next(iter(wrong))):
        Message.read({**MESSAGE, **wrong})
    with pytest.raises(NotAGateway):
        Message.read([])
    with pytest.raises(NotAGateway, match="field id"):
        Message.read({})


def test_an_event_of_an_unknown_kind_is_no_error() -> None:
    raw = {"id": 1, "type": "pigeon.lost", "created_at": "2026-11-21T08:00:00Z"}
    event = Event.read({**raw, "data": {"pigeon": {"name": "Emil"}}})
    assert event.data == {"pigeon": {"name": "Emil"}}
    assert event.message is None
    known = Event.read({**raw, "type": "message.sent", "data": {"message": MESSAGE}})
    assert known.message == Message.read(MESSAGE)
