import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.domain.inbox import Received
from phonegate.domain.received_sms import Unread
from phonegate.model.bounds import MAX_VALUES
from phonegate.phones import frames
from phonegate.phones.frames import FrameFault
from phonegate.phones.link import frame_reader

INBOUND: dict[str, Any] = {"address": "+15553334444", "body": "hello", "date": 1_700_000_000_000}


def read(**fields: Any) -> frames.PhoneFrame:
    return frame_reader.read(json.dumps(fields))


def fault(data: str | bytes) -> tuple[str, str | None]:
    with pytest.raises(FrameFault) as caught:
        frame_reader.read(data)
    return caught.value.code, caught.value.field


def fault_of(**fields: Any) -> tuple[str, str | None]:
    return fault(json.dumps(fields))


def test_the_basic_frames() -> None:
    sims = frame_reader.read(
        '{"type":"sims","sims":[{"slot":0,"number":"+15551112222","carrier":"AT&T"}]}'
    )
    assert sims == frames.Sims(
        sims=(frames.SimReport(slot=0, number="+15551112222", carrier="AT&T"),)
    )
    assert read(type="inbound", message=INBOUND) == frames.Inbound(messages=(Received(**INBOUND),))
    assert frame_reader.read('{"type":"send_result","id":5,"success":true}') == frames.SendResult(
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
    assert [message.local_id for message in both.messages] == [7, None]


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
        ('{"type":"ping","x":nan}', "bad_json"),
        ('{"type":"ping","x":' + "[" * 9_000 + "]" * 9_000 + "}", "bad_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ('"ping"', "not_an_object"),
    ],
    ids=range(8),
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
    "value", [True, "five", "", 5.5, 0, -1, "-5", 2**63, 10**40, None, [], {}, 1e300], ids=repr
)
def test_what_is_no_id_is_refused(value: Any) -> None:
    assert fault_of(type="ack", id=value) == ("bad_field", "id")
    assert fault_of(type="send_result", id=value, success=True) == ("bad_field", "id")
    assert fault_of(type="delivery_report", id=value, delivered=True) == ("bad_field", "id")


@pytest.mark.parametrize("value", [5, 5.0, "5", "5.0", " 5 "], ids=repr)
def test_an_id_is_known_in_every_form(value: Any) -> None:
    assert read(type="ack", id=value) == frames.Ack(id=5)
    assert read(type="send_result", id=value, success=True) == frames.SendResult(id=5, success=True)
    report = read(type="delivery_report", id=value, delivered=True)
    assert report == frames.DeliveryReport(id=5, delivered=True)


@pytest.mark.parametrize("value", [None, 2, -1, 0.5, "perhaps", "", [], {}], ids=repr)
def test_what_is_neither_yes_nor_no_is_refused(value: Any) -> None:
    assert fault_of(type="send_result", id=5, success=value) == ("bad_field", "success")
    assert fault_of(type="delivery_report", id=5, delivered=value) == ("bad_field", "delivered")


@pytest.mark.parametrize(
    ("value", "truth"),
    [(1, True), (0, False), (1.0, True), ("true", True), ("False", False), ("0", False)],
    ids=repr,
)
def test_yes_and_no_are_known_in_every_form(value: Any, *, truth: bool) -> None:
    result = read(type="send_result", id=5, success=value)
    assert result == frames.SendResult(id=5, success=truth)
    report = read(type="delivery_report", id=5, delivered=value)
    assert report == frames.DeliveryReport(id=5, delivered=truth)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"segments": 0}, {}),
        ({"segments": "2"}, {"segments": 2}),
        ({"segments": [2]}, {}),
        ({"uncertain": 1}, {"uncertain": True}),
        ({"uncertain": "who knows"}, {}),
        ({"error": 1}, {"error": "1"}),
        ({"error": "no credit \ud83d"}, {"error": "no credit \ufffd"}),
        ({"error": {"code": 1}}, {"error": '{"code":1}'}),
        ({"error": "x" * 501}, {"error": "x" * 500}),
    ],
    ids=str,
)
def test_the_result_matters_more_than_what_decorates_it(
    fields: dict[str, Any], kept: dict[str, Any]
) -> None:
    result = read(type="send_result", id=5, success=False, **fields)
    assert result == frames.SendResult(id=5, success=False, **kept)


@pytest.mark.parametrize(
    ("sims", "slots"),
    [
        ([{"slot": 0}, {"slot": -1, "number": ""}], [0]),
        ([{"slot": 0}, {"slot": 16}, {"slot": "2"}], [0, 2, 16]),
        ([{"slot": 1, "number": "5"}, {"slot": 0, "number": "5"}], [0, 1]),
        ([{"slot": 1}, {"slot": 1, "number": "5"}, {"slot": 1, "number": "6"}], [1]),
        ([{"slot": 0}, {"slot": "-1"}, {"slot": " -1 "}, {"slot": -1.0}], [0]),
        ([{"slot": -1}], []),
        ([{"slot": "-1"}], []),
        ([{"slot": 1}] * 101, [1]),
    ],
    ids=str,
)
def test_sims_are_taken_one_by_one(sims: list[Any], slots: list[int]) -> None:
    frame = read(type="sims", sims=sims)
    assert isinstance(frame, frames.Sims)
    assert [sim.slot for sim in frame.sims] == slots
    assert frame.complaint is None
    if slots == [1]:
        assert frame.sims[0].number == sims[-1].get("number") or frame.sims[0].number == "5"


def test_a_sim_without_a_slot_is_left_out_and_complained_about() -> None:
    frame = read(type="sims", sims=[None, {"number": "+15550000002"}, {"slot": 0}])
    assert frame == frames.Sims(sims=(frames.SimReport(slot=0),))
    assert frame.cleaned == ("entry", "entry")
    assert frame.complaint is not None
    assert frame.complaint.field == "sims[0]"


@pytest.mark.parametrize(
    ("carrier", "kept"),
    [
        ("Free\u00a0Mobile", "Free Mobile"),
        ("\u0647\u0645\u0631\u0627\u0647\u200c\u0627\u0648\u0644",) * 2,
        ("AT&T\n", "AT&T"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467",) * 2,
        (5, "5"),
        ([], None),
        ("x" * 200, "x" * 128),
        ("\x00", None),
    ],
    ids=repr,
)
def test_names_become_one_line(carrier: Any, kept: str | None) -> None:
    sims = read(type="sims", sims=[{"slot": 0, "carrier": carrier}])
    assert sims == frames.Sims(sims=(frames.SimReport(slot=0, carrier=kept),))
    hello = read(type="hello", name=carrier, model=carrier, app=carrier)
    assert hello == frames.Hello(name=kept, model=kept, app=kept)


def test_what_a_phone_calls_itself() -> None:
    assert read(type="hello", device_id=7) == frames.Hello(device_id="7")
    assert read(type="hello", device_id="") == frames.Hello()
    assert read(type="hello", device_id="a\u200cb") == frames.Hello(device_id="a\u200cb")
    no_name = read(type="hello", device_id=["x"], features=["ack"])
    assert no_name == frames.Hello(features=frozenset({"ack"}))
    assert no_name.complaint is not None
    assert no_name.complaint.field == "device_id"
    too_long = read(type="hello", device_id="x" * 129)
    assert isinstance(too_long, frames.Hello)
    assert too_long.device_id is not None
    assert (len(too_long.device_id), too_long.complaint, too_long.cleaned) == (128, None, ("id",))


def test_features_that_are_no_words_are_left_out() -> None:
    assert read(type="hello", features="ack") == frames.Hello(features=frozenset({"ack"}))
    some = read(type="hello", features=["ack", 5, None, ""])
    assert some == frames.Hello(features=frozenset({"ack"}))
    assert some.cleaned == ("label",)
    assert read(type="hello", features={"ack": True}) == frames.Hello()


def test_one_message_that_cant_be_read_costs_the_others_nothing() -> None:
    frame = read(type="inbound", messages=[INBOUND, {"id": 7, "address": "+1"}, 5, INBOUND])
    assert isinstance(frame, frames.Inbound)
    assert [type(message) for message in frame.messages] == [Received, Unread, Unread, Received]
    assert [message.local_id for message in frame.messages] == [None, 7, None, None]
    assert frame.complaint is not None
    assert (frame.complaint.code, frame.complaint.field) == ("bad_field", "messages[1].body")
    assert frame.complaint.ids == (7, None)
    assert frame.cleaned == ("entry", "entry")


def test_a_message_by_itself_that_cant_be_read_is_told_too() -> None:
    frame = read(type="inbound", message={"id": "a", "body": [1]})
    assert isinstance(frame, frames.Inbound)
    assert frame.messages == (Unread(local_id="a", field="body", problem="must be text"),)
    assert frame.complaint is not None
    assert frame.complaint.field == "message.body"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "inbound"}, "message"),
        ({"type": "inbound", "message": []}, "message"),
        ({"type": "inbound", "messages": [INBOUND] * 501}, "messages"),
        ({"type": "inbound", "messages": INBOUND}, "messages"),
        ({"type": "inbound", "messages": [5]}, "messages[0]"),
        ({"type": "sims"}, "sims"),
        ({"type": "sims", "sims": {}}, "sims"),
        ({"type": "sims", "sims": [None]}, "sims[0]"),
        ({"type": "sims", "sims": [{}]}, "sims[0].slot"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_field_is_named(fields: dict[str, Any], wrong: str) -> None:
    assert fault_of(**fields) == ("bad_field", wrong)


def test_how_the_phone_is_may_be_told_in_any_form() -> None:
    status = read(type="status", battery="83", charging="true", signal=-90.4, network="wifi\n")
    assert status == frames.Status(battery=83, charging=True, signal=-90, network="wifi")
    odd = read(type="status", battery=101, charging="perhaps", signal=[], network={})
    assert odd == frames.Status()
    assert odd.cleaned == ("whole", "flag", "whole", "label")


def test_faults_and_reprs_do_not_quote() -> None:
    with pytest.raises(FrameFault) as caught:
        read(type="send_result", id="hush", success=True)
    assert "hush" not in caught.value.detail
    frame = read(type="inbound", message={"address": "+15550001111", "body": ["hush"]})
    assert "hush" not in repr((frame, frame.complaint))
    text = repr(read(type="inbound", message=INBOUND))
    assert "hello" not in text
    assert "5553334444" not in text


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
        return frame_reader.read(data)
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
        assert float(fields["id"]) == found.id


@given(
    st.dictionaries(st.sampled_from(["error", "segments", "uncertain", "sim"]), JSON),
    st.dictionaries(
        st.sampled_from(["address", "date", "sim_slot", "sim", "id", "media_urls"]), JSON
    ),
    st.dictionaries(st.sampled_from(["device_id", "name", "model", "app", "features"]), JSON),
    st.dictionaries(st.sampled_from(["number", "carrier", "extra"]), JSON),
)
def test_what_decorates_is_never_refused(
    result: dict[str, Any], message: dict[str, Any], hello: dict[str, Any], sim: dict[str, Any]
) -> None:
    def odd(**fields: Any) -> frames.PhoneFrame:
        return frame_reader.read(json.dumps(fields))

    frame = odd(**result | {"type": "send_result", "id": 5, "success": True})
    assert isinstance(frame, frames.SendResult)
    frame = odd(type="inbound", messages=[message | {"body": "x"}, INBOUND])
    assert isinstance(frame, frames.Inbound)
    assert not any(isinstance(one, Unread) for one in frame.messages)
    assert isinstance(odd(**hello | {"type": "hello"}), frames.Hello)
    frame = odd(type="sims", sims=[sim | {"slot": 0}])
    assert isinstance(frame, frames.Sims)
    assert len(frame.sims) == 1


@pytest.mark.parametrize(
    "segments", ["NaN", "-Infinity", "1e999", "9" * 5_000, "-" + "9" * 5_000, '"a\nb"', '"\t\x01"']
)
def test_what_is_not_quite_json_costs_no_result(segments: str) -> None:
    assert frame_reader.read(
        f'{{"type":"send_result","id":5,"success":true,"segments":{segments}}}'
    ) == (frames.SendResult(id=5, success=True, cleaned=("whole",)))
    assert fault('{"type":"ack","id":' + "9" * 5_000 + "}") == ("bad_field", "id")


def test_a_text_may_hold_line_ends_as_they_are() -> None:
    frame = frame_reader.read(
        '{"type":"inbound","message":{"address":"+1555","body":"a\nb\tc","date":1}}'
    )
    assert isinstance(frame, frames.Inbound)
    (sms,) = frame.messages
    assert isinstance(sms, Received)
    assert sms.body == "a\nb\tc"


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"ping","x":[' + "[]," * MAX_VALUES + "[]]}",
        '{"type":"ping","x":' + "[" * 900 + "]" * 900 + ',"y":[' + "1," * MAX_VALUES + "1]}",
        '{"type":"ping",' + ",".join(f'"{n}":1' for n in range(MAX_VALUES + 1)) + "}",
    ],
    ids=["lists", "numbers", "fields"],
)
def test_a_frame_of_more_values_than_any_has_is_refused_unread(text: str) -> None:
    with pytest.raises(FrameFault) as caught:
        frame_reader.read(text)
    assert caught.value.code == "too_many_values"


def test_a_frame_of_as_many_messages_as_may_come_is_read() -> None:
    sms = {"address": "+15551112222", "body": 'a,[{"\\,', "date": 1, "sim_slot": 0, "id": 1}
    # As many as /webhook takes: 38 commas and brackets each.
    more = {f"x{n}": [n] for n in range(16)}
    text = json.dumps({"type": "inbound", "messages": [sms | more] * 500})
    assert len(frame_reader.read(text).messages) == 500  # type: ignore[union-attr]
