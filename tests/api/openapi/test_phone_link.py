"""The frames in the document are those that the link reads and writes."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from phonegate.api.openapi.document import HANDSHAKE_ERRORS
from phonegate.api.openapi.phone_link import add_frames
from phonegate.api.openapi.schema import Components
from phonegate.http.origins import ForeignPage
from phonegate.http.problem import Problem
from phonegate.model.refusals import BadInput, Forbidden, OrgFull, Throttled, Unauthorized
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault
from phonegate.phones.link.frame_reader import read
from tests.json_schema import validator

MESSAGE = {"address": "+15553334444", "body": "hi"}

PHONE: tuple[dict[str, Any], ...] = (
    {"type": "hello"},
    {"type": "hello", "device_id": "a", "name": None, "features": ["ack"], "new": 1},
    {"type": "sims", "sims": [{"slot": 0, "number": "+15551112222", "carrier": "AT&T"}]},
    {"type": "sims", "sims": []},
    {"type": "inbound", "message": {**MESSAGE, "date": 1700000000000}},
    {"type": "inbound", "messages": [{**MESSAGE, "id": 5, "sim_slot": 1, "media_urls": []}]},
    {"type": "send_result", "id": 5, "success": True},
    {"type": "send_result", "id": 5, "success": False, "error": "x" * 900, "segments": 2},
    {"type": "ack", "id": 5},
    {"type": "delivery_report", "id": 5, "delivered": True, "date": None},
    {"type": "status", "battery": 83, "charging": True, "signal": -90, "network": "wifi"},
    {"type": "ping"},
    # What only decorates does no harm, whatever it is.
    {"type": "hello", "device_id": "a" * 129, "name": [], "features": ["x"] * 33},
    {"type": "sims", "sims": [{"slot": 0, "number": 5, "carrier": {}}, {"slot": -1}, None]},
    {"type": "inbound", "message": {"body": 5, "address": None, "date": "x", "sim_slot": -1}},
    {"type": "inbound", "message": {"media_urls": ["https://example.com/image.jpg"]}},
    {"type": "inbound", "messages": [MESSAGE | {"id": 2**63}, {"address": "x"}, None]},
    {"type": "send_result", "id": "5", "success": 1, "segments": 256, "error": {}},
    {"type": "delivery_report", "id": 5, "delivered": "false", "date": 1700000000},
    {"type": "status", "battery": 101, "charging": "x"},
)

WRONG: tuple[dict[str, Any], ...] = (
    {"type": "sims"},
    {"type": "sims", "sims": [{"slot": 100}]},
    {"type": "sims", "sims": [{"number": "+15551112222"}, None]},
    {"type": "inbound", "message": "hi"},
    {"type": "inbound", "messages": ["hi"]},
    {"type": "inbound", "messages": [MESSAGE] * 501},
    {"type": "send_result", "id": 0, "success": True},
    {"type": "send_result", "id": 5, "success": "perhaps"},
    {"type": "ack"},
    {"type": "ack", "id": "five"},
    {"type": "delivery_report", "id": 5},
    {"type": "unheard"},
    {"type": "inbound"},
    {"type": "inbound", "message": None, "messages": None},
    {},
)

GATEWAY: tuple[frames.GatewayFrame, ...] = (
    frames.Connected(org_id="myorg", device_id=None, server_time=1_700_000_000_000),
    frames.Connected(
        org_id="myorg",
        device_id="a",
        server_time=1_700_000_000_000,
        org_since=1_600_000_000_000,
    ),
    frames.SendSms(id=5, to="+15553334444", body="hi", sim=None),
    frames.SendSms(
        id=5,
        to="+15553334444",
        body="hi",
        sim="+15551112222",
        sim_slot=0,
        segments=1,
        expires_at=1_700_000_000_000,
        media_urls=("https://example.com/image.jpg",),
    ),
    frames.InboundAck(ids=("a", 5, None), message_ids=(1, 2, 3)),
    frames.InboundAck(ids=(None,), message_ids=(None,)),
    frames.Cancel(5),
    frames.Error(code="bad_field", detail="x", field="id", id=5, ids=(None, "a")),
    frames.Error(code="bad_json", detail="x"),
    frames.Pong(),
)


def frame_schemas() -> dict[str, Any]:
    components = Components()
    add_frames(components)
    return components.schemas


def allows(name: str, frame: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": frame_schemas()}}
    valid: bool = validator(schema).is_valid(frame)
    return valid


@pytest.mark.parametrize("frame", PHONE, ids=str)
def test_a_phones_frames_are_read_as_described(frame: dict[str, Any]) -> None:
    assert allows("PhoneFrame", frame)
    read(json.dumps(frame))


@pytest.mark.parametrize("frame", WRONG, ids=lambda frame: str(frame)[:60])
def test_what_is_not_described_is_not_read(frame: dict[str, Any]) -> None:
    assert not allows("PhoneFrame", frame)
    with pytest.raises(FrameFault):
        read(json.dumps(frame))


@pytest.mark.parametrize("frame", GATEWAY, ids=lambda frame: type(frame).__name__)
def test_the_gateways_frames_are_as_described(frame: frames.GatewayFrame) -> None:
    assert allows("GatewayFrame", json.loads(frames.encode(frame)))


def test_every_frame_is_tried() -> None:
    described = frame_schemas()
    phone = described["PhoneFrame"]["discriminator"]["mapping"]
    assert phone.keys() == {frame["type"] for frame in PHONE}
    gateway = described["GatewayFrame"]["discriminator"]["mapping"]
    assert gateway.keys() == {json.loads(frames.encode(frame))["type"] for frame in GATEWAY}


def test_every_refusal_of_a_handshake_is_described() -> None:
    for kind in (BadInput, Unauthorized, Forbidden, ForeignPage, OrgFull, Throttled):
        assert kind.code in HANDSHAKE_ERRORS[Problem.named(kind.code, "").status], kind
    unavailable = Problem.storage_unavailable("")
    assert unavailable.code in HANDSHAKE_ERRORS[unavailable.status]


def test_the_codes_of_error_frames_are_those_that_are_sent() -> None:
    phones = Path(frames.__file__).parent
    sources = [path.read_text() for path in phones.rglob("*.py") if path.name != "frames.py"]
    for code in get_args(frames.ErrorCode):
        assert any(f'"{code}"' in source for source in sources), code
