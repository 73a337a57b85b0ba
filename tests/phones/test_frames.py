import json

from phonegate.phones import frames
from phonegate.phones.frames import encode


def test_a_push_has_extensions_only_where_there_is_something_to_say() -> None:
    push = frames.SendSms(id=5, to="+15553334444", body="hi", sim="+15551112222")
    assert encode(push) == (
        '{"type":"send_sms","id":5,"to":"+15553334444","body":"hi","sim":"+15551112222"}'
    )
    push = frames.SendSms(
        id=5, to="1", body="x", sim=None, sim_slot=0, segments=1, expires_at=9, media_urls=("u",)
    )
    assert json.loads(encode(push)) == {
        "type": "send_sms",
        "id": 5,
        "to": "1",
        "body": "x",
        "sim": None,
        "sim_slot": 0,
        "segments": 1,
        "expires_at": 9,
        "media_urls": ["u"],
    }
    assert "hi" not in repr(frames.SendSms(id=5, to="1", body="hi", sim=None))


def test_the_others() -> None:
    assert json.loads(
        encode(frames.Connected(org_id="o", device_id=None, server_time=1_700_000_000_000))
    ) == {
        "type": "connected",
        "org_id": "o",
        "device_id": None,
        "server_time": "2023-11-14T22:13:20.000Z",
    }
    named = frames.Connected(
        org_id="o", device_id="a", server_time=1_700_000_000_000, org_since=1_600_000_000_000
    )
    assert json.loads(encode(named))["org_since"] == "2020-09-13T12:26:40.000Z"
    assert json.loads(encode(frames.InboundAck(ids=("a", None), message_ids=(3, 4)))) == {
        "type": "inbound_ack",
        "ids": ["a", None],
        "message_id": 4,
        "message_ids": [3, 4],
    }
    assert encode(frames.Cancel(5)) == '{"type":"cancel","id":5}'
    assert encode(frames.Pong()) == '{"type":"pong"}'
    assert json.loads(encode(frames.Error(code="bad_json", detail="d"))) == {
        "type": "error",
        "detail": "d",
        "code": "bad_json",
    }
    assert json.loads(encode(frames.Error(code="bad_json", detail="d", field="f", id=5)))["id"] == 5


def test_what_is_not_ascii_is_escaped() -> None:
    text = encode(frames.SendSms(id=5, to="1", body="héllo 👋", sim=None))
    assert text.isascii()
    assert json.loads(text)["body"] == "héllo 👋"
