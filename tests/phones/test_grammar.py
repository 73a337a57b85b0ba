import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.phones import frames
from phonegate.phones.frames import FrameFault
from phonegate.phones.grammar import is_device_id, parse

INBOUND: dict[str, Any] = {"address": "+15553334444", "body": "hello", "date": 1_700_000_000_000}


def read(**fields: Any) -> frames.PhoneFrame:
    return parse(json.dumps(fields))


def fault(data: str | bytes) -> tuple[str, str | None]:
    with pytest.raises(FrameFault) as caught:
        parse(data)
    return caught.value.code, caught.value.field


def fault_of(**fields: Any) -> tuple[str, str | None]:
    return fault(json.dumps(fields))


def test_the_seeds_frames() -> None:
    sims = parse('{"type":"sims","sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}]}')
    assert sims == frames.Sims(
        sims=(frames.SimReport(slot=0, number="+15551112222", carrier="AT&T"),)
    )
    assert read(type="inbound", message=INBOUND) == frames.Inbound(
        messages=(frames.InboundText(**INBOUND),)
    )
    assert parse('{"type":"send_result","id":5,"success":true}') == frames.SendResult(
        id=5, success=True
    )


def test_the_extensions() -> None:
    hello = read(
        type="hello", device_id="d-1", name=" My phone ", model="Pixel", features=["ack", "new"]
    )
    assert hello == frames.Hello(
        device_id="d-1", name="My phone", model="Pixel", features=frozenset({"ack", "new"})
    )
    assert read(type="ack", id=5) == frames.Ack(id=5)
    result = read(
        type="send_result", id=5, success=False, error="x" * 900, segments=2, uncertain=True
    )
    assert result == frames.SendResult(
        id=5, success=False, error="x" * 500, segments=2, uncertain=True
    )
    assert read(type="delivery_report", id=5, delivered=True, date=1) == frames.DeliveryReport(
        id=5, delivered=True, date=1
    )
    status = {"battery": 83, "charging": True, "signal": 3, "network": "wifi"}
    assert read(type="status", **status) == frames.Status(**status)  # type: ignore[arg-type]
    assert read(type="ping", anything=[1, {"new": None}]) == frames.Ping()
    both = read(type="inbound", messages=[INBOUND | {"id": 7, "sim_slot": 1}, INBOUND])
    assert isinstance(both, frames.Inbound)
    assert [message.id for message in both.messages] == [7, None]


def test_sims_without_numbers_come_sorted_by_slot() -> None:
    sims = read(type="sims", sims=[{"slot": 1, "number": ""}, {"slot": 0, "number": None}])
    assert sims == frames.Sims(sims=(frames.SimReport(slot=0), frames.SimReport(slot=1)))
    assert read(type="sims", sims=[]) == frames.Sims(sims=())


def test_a_sent_message_is_not_uncertain() -> None:
    result = read(type="send_result", id=5, success=True, uncertain=True)
    assert result == frames.SendResult(id=5, success=True, uncertain=False)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"type":"ping"}', "not_text"),
        ("", "bad_json"),
        ("{", "bad_json"),
        ('{"type":"ping","x":NaN}', "bad_json"),
        ('{"type":"ping","x":-Infinity}', "bad_json"),
        ('{"type":"ping","x":' + "[" * 9_000 + "]" * 9_000 + "}", "bad_json"),
        ('{"type":"ack","id":' + "9" * 60_000 + "}", "bad_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ('"ping"', "not_an_object"),
    ],
    ids=range(10),
)
def test_what_is_no_frame(data: str | bytes, code: str) -> None:
    assert fault(data) == (code, None)


def test_the_type_is_looked_at_first() -> None:
    assert fault_of() == ("bad_field", "type")
    assert fault_of(type=5) == ("bad_field", "type")
    assert fault_of(type="dance") == ("unknown_type", "type")
    # What the gateway says is nothing for a phone to say.
    assert fault_of(type="send_sms", id=5) == ("unknown_type", "type")


@pytest.mark.parametrize(
    "value", [True, "5", 5.0, 0, -1, 2**63, 10**40, None, [], {}, float("1e300")], ids=repr
)
def test_ids_are_positive_integers(value: Any) -> None:
    assert fault_of(type="ack", id=value) == ("bad_field", "id")
    assert fault_of(type="send_result", id=value, success=True) == ("bad_field", "id")
    assert fault_of(type="delivery_report", id=value, delivered=True) == ("bad_field", "id")


@pytest.mark.parametrize("value", [None, 0, 1, "true", [], {}], ids=repr)
def test_truth_is_true_or_false(value: Any) -> None:
    assert fault_of(type="send_result", id=5, success=value) == ("bad_field", "success")
    assert fault_of(type="delivery_report", id=5, delivered=value) == ("bad_field", "delivered")


@pytest.mark.parametrize("value", ["x", True, -1, 16, 0.0, 2**70, [], {}], ids=repr)
def test_slots_are_small_integers(value: Any) -> None:
    assert fault_of(type="inbound", message=INBOUND | {"sim_slot": value}) == (
        "bad_field",
        "message.sim_slot",
    )
    assert fault_of(type="sims", sims=[{"slot": 0}, {"slot": value}]) == (
        "bad_field",
        "sims[1].slot",
    )


@pytest.mark.parametrize("value", [5, True, [], {}, "a\0b", "a\ud800b"], ids=repr)
@pytest.mark.parametrize("name", ["address", "body"])
def test_texts_are_proper(name: str, value: Any) -> None:
    message = INBOUND | {name: value}
    assert fault_of(type="inbound", message=message) == ("bad_field", f"message.{name}")
    assert fault_of(type="inbound", messages=[INBOUND, message]) == (
        "bad_field",
        f"messages[1].{name}",
    )


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "inbound"}, "message"),
        ({"type": "inbound", "message": []}, "message"),
        ({"type": "inbound", "message": {"body": "x"}}, "message.address"),
        ({"type": "inbound", "message": {"address": "x"}}, "message.body"),
        ({"type": "inbound", "message": INBOUND | {"address": ""}}, "message.address"),
        ({"type": "inbound", "message": INBOUND | {"date": -1}}, "message.date"),
        ({"type": "inbound", "message": INBOUND | {"date": 10**15}}, "message.date"),
        ({"type": "inbound", "message": INBOUND | {"id": 1.5}}, "message.id"),
        ({"type": "inbound", "message": INBOUND | {"media_urls": "x"}}, "message.media_urls"),
        ({"type": "inbound", "message": INBOUND | {"media_urls": [1]}}, "message.media_urls[0]"),
        ({"type": "inbound", "messages": [INBOUND] * 501}, "messages"),
        ({"type": "inbound", "messages": [5]}, "messages[0]"),
        ({"type": "sims"}, "sims"),
        ({"type": "sims", "sims": {}}, "sims"),
        ({"type": "sims", "sims": [None]}, "sims[0]"),
        ({"type": "sims", "sims": [{}]}, "sims[0].slot"),
        ({"type": "sims", "sims": [{"slot": 1}, {"slot": 1}]}, "sims[1].slot"),
        (
            {"type": "sims", "sims": [{"slot": 0, "number": "5"}, {"slot": 1, "number": "5"}]},
            "sims[1].number",
        ),
        ({"type": "sims", "sims": [{"slot": 0, "number": 5}]}, "sims[0].number"),
        ({"type": "sims", "sims": [{"slot": 0, "number": "5" * 33}]}, "sims[0].number"),
        ({"type": "sims", "sims": [{"slot": 0, "carrier": "a\nb"}]}, "sims[0].carrier"),
        ({"type": "hello", "device_id": ""}, "device_id"),
        ({"type": "hello", "device_id": "x" * 129}, "device_id"),
        ({"type": "hello", "features": "ack"}, "features"),
        ({"type": "hello", "features": ["ack", 5]}, "features[1]"),
        ({"type": "hello", "features": ["ack", None]}, "features[1]"),
        ({"type": "send_result", "id": 5, "success": False, "error": 5}, "error"),
        ({"type": "send_result", "id": 5, "success": False, "error": "\ud800"}, "error"),
        ({"type": "send_result", "id": 5, "success": True, "segments": 0}, "segments"),
        ({"type": "send_result", "id": 5, "success": True, "uncertain": 1}, "uncertain"),
        ({"type": "status", "battery": 101}, "battery"),
        ({"type": "status", "battery": True}, "battery"),
        ({"type": "status", "charging": "yes"}, "charging"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_field_is_named(fields: dict[str, Any], wrong: str) -> None:
    assert fault_of(**fields) == ("bad_field", wrong)


def test_faults_and_reprs_do_not_quote() -> None:
    with pytest.raises(FrameFault) as caught:
        read(type="inbound", message={"address": "+15550001111", "body": ["hush"]})
    assert "hush" not in caught.value.detail
    text = repr(read(type="inbound", message=INBOUND))
    assert "hello" not in text
    assert "5553334444" not in text


def test_device_ids() -> None:
    assert is_device_id("Pixel 7 of Ünal")
    assert not any(map(is_device_id, ["", " ", "x" * 129, "a\nb", "a\0"]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        *("id", "success", "error", "segments", "uncertain", "sims", "message", "messages"),
        *("slot", "number", "address", "body", "date", "device_id", "features", "delivered"),
        *("battery", "media_urls"),
    ]
)
TYPES = st.sampled_from(
    [
        *("hello", "sims", "inbound", "ack", "send_result", "delivery_report", "status", "ping"),
        "other",
    ]
)


def outcome(data: str | bytes) -> frames.PhoneFrame | FrameFault:
    try:
        return parse(data)
    except FrameFault as fault:
        return fault


@given(st.text() | st.binary() | JSON.map(json.dumps))
def test_anything_is_a_frame_or_a_fault(data: str | bytes) -> None:
    found = outcome(data)
    assert not isinstance(found, FrameFault) or found.detail.isprintable()


@given(TYPES, st.dictionaries(FIELDS, JSON | st.integers(-1, 20)))
def test_any_field_of_any_type_is_taken_or_refused(kind: str, fields: dict[str, Any]) -> None:
    found = outcome(json.dumps(fields | {"type": kind}))
    if isinstance(found, FrameFault):
        assert found.code in {"bad_json", "bad_field", "unknown_type"}
    if isinstance(found, frames.Ack):
        assert fields["id"] == found.id


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"ping","x":[' + "[]," * 10_000 + "[]]}",
        '{"type":"ping","x":' + "[" * 900 + "]" * 900 + ',"y":[' + "1," * 10_000 + "1]}",
        '{"type":"ping",' + ",".join(f'"{n}":1' for n in range(10_001)) + "}",
    ],
    ids=["lists", "numbers", "fields"],
)
def test_a_frame_of_more_values_than_any_has_is_refused_unread(text: str) -> None:
    with pytest.raises(FrameFault) as caught:
        parse(text)
    assert caught.value.code == "too_many_values"


def test_a_frame_of_as_many_messages_as_may_come_is_read() -> None:
    sms = {"address": "+15551112222", "body": 'a,[{"\\,', "date": 1, "sim_slot": 0, "id": 1}
    more = {f"x{n}": [n] for n in range(5)}
    text = json.dumps({"type": "inbound", "messages": [sms | more] * 500})
    assert len(parse(text).messages) == 500  # type: ignore[union-attr]
