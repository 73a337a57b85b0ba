"""Status callbacks as their receivers get them, and which of them they get."""

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.events.webhooks.callback_forms import ACKNOWLEDGED, wants, write
from phonegate.model.callbacks import Callback, CallbackShape, Method
from phonegate.model.events import Event
from phonegate.model.messages import MessageView
from tests.events.webhooks.rendered import event as shown_event

AT = 1_795_000_000_000  # 2026-11-18T11:06:40Z
URL = "https://a.example/dlr?uuid=u1"


def event(kind: str, **fields: Any) -> Event:
    """An event of a message that was sent a second after it was stored, but for `fields`."""
    status = kind.removeprefix("message.")
    given: dict[str, Any] = {
        **dict.fromkeys(MessageView._fields),
        "id": 7,
        "direction": "out",
        "address": "+15553334444",
        "body": "hi",
        "status": "queued" if status == "held" else status,
        "created_at": AT,
        "sim": "+15551112222",
        "segments": 2,
        "provider": "phone",
        "sent_at": AT + 1_000,
        "delivered_at": AT + 60_000 if status == "delivered" else None,
        **fields,
    }
    return Event(id=9, org=3, type=kind, at=AT + 90_000, message=MessageView(**given))  # type: ignore[arg-type]


def callback(
    shape: CallbackShape, mask: int | None = None, url: str = URL, **more: Any
) -> Callback:
    given: dict[str, Any] = {} if mask is None else {"mask": mask}
    return Callback(shape=shape, url=url, **given, **more)


NOT_SENT: dict[str, Any] = {"sent_at": None, "error": "no such number"}
DIRECT: dict[str, Any] = {"sent_at": AT + 5, "delivered_at": AT + 5}


def jasmin(mask: int, kind: str, method: Method = "POST", **fields: Any) -> dict[str, str] | None:
    """What a Jasmin callback of a level is sent of an event."""
    asked, happened = callback("jasmin", mask, method=method), event(kind, **fields)
    if not wants(asked, happened):
        return None
    report = write(asked, happened, {})
    assert report.expected == ACKNOWLEDGED == b"ACK/Jasmin"
    text = report.body.decode() if method == "POST" else urlsplit(report.url).query
    return dict(parse_qsl(text, keep_blank_values=True))


def test_jasmin_hears_that_the_carrier_took_it_at_level_1() -> None:
    sent = {"id": "7", "level": "1", "connector": "phone", "message_status": "ESME_ROK"}
    for mask in (1, 3):
        assert jasmin(mask, "message.sent") == sent
    assert jasmin(2, "message.sent") is None
    for kind in ("message.queued", "message.sending", "message.held", "message.received"):
        assert jasmin(3, kind) is None
    # Who wants to know no more than that, hears of it where the delivery comes first.
    assert jasmin(1, "message.delivered", **DIRECT) == sent
    assert jasmin(1, "message.delivered") is None
    assert jasmin(1, "message.failed") is None
    assert jasmin(1, "message.failed", **NOT_SENT) == {**sent, "message_status": "ESME_RSUBMITFAIL"}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("mask", [2, 3])
def test_jasmin_hears_of_the_end_at_level_2(mask: int, method: Method) -> None:
    delivered = jasmin(mask, "message.delivered", method)
    ours = {"uuid": "u1"} if method == "GET" else {}
    assert delivered == {
        **ours,
        "id": "7",
        "level": "2",
        "connector": "phone",
        "message_status": "DELIVRD",
        "id_smsc": "7",
        "sub": "002",
        "dlvrd": "002",
        "subdate": "2611181106",
        "donedate": "2611181107",
        "err": "000",
        "text": "",
    }
    for kind, fields, word in [
        ("failed", {}, "UNDELIV"),
        ("failed", NOT_SENT, "REJECTD"),
        ("expired", NOT_SENT, "EXPIRED"),
        ("cancelled", NOT_SENT, "DELETED"),
        ("uncertain", NOT_SENT, "UNKNOWN"),
    ]:
        got = jasmin(mask, f"message.{kind}", **fields)
        assert got is not None
        assert (got["message_status"], got["dlvrd"], got["level"]) == (word, "000", "2")
        # courier reads both as whole numbers.
        assert int(got["err"]) == 1


def kannel(mask: int, kind: str, **fields: Any) -> str | None:
    """The value of a Kannel report of an event."""
    asked = callback("kannel", mask, "https://a.example/?s=%d")
    happened = event(kind, **fields)
    if not wants(asked, happened):
        return None
    report = write(asked, happened, {})
    assert (report.method, report.body, report.fields) == ("GET", b"", ())
    return report.url.removeprefix("https://a.example/?s=")


@pytest.mark.parametrize(
    ("kind", "fields", "value", "masks"),
    [
        ("queued", {}, "4", (4, 31)),
        ("sent", {}, "8", (8, 27)),
        ("delivered", {}, "1", (1, 3, 19, 27, 31)),
        ("delivered", DIRECT, "8", (8,)),
        ("failed", {}, "2", (2, 3, 27)),
        # Kannel reports what it could not send to who asks for failures of either kind.
        ("failed", NOT_SENT, "16", (2, 16, 3, 27)),
        ("expired", NOT_SENT, "16", (2, 16)),
        ("cancelled", NOT_SENT, "16", (2, 16)),
    ],
)
def test_kannel_hears_of_what_its_mask_names(
    kind: str, fields: dict[str, Any], value: str, masks: tuple[int, ...]
) -> None:
    others = {1, 2, 4, 8, 16} - {*masks} - ({1} if fields is DIRECT else set())
    assert [kannel(bit, f"message.{kind}", **fields) for bit in others] == [None] * len(others)
    for mask in masks:
        assert kannel(mask, f"message.{kind}", **fields) == value
    assert kannel(0, f"message.{kind}", **fields) is None


def test_kannel_hears_nothing_of_what_it_has_no_word_for() -> None:
    for kind in ("sending", "held", "uncertain"):
        assert kannel(31, f"message.{kind}") is None


def filled(url: str, kind: str = "message.delivered", **fields: Any) -> str:
    return write(callback("kannel", 31, url), event(kind, **fields), {}).url


def test_kannel_has_the_escapes_of_its_url_filled_in() -> None:
    url = filled("http://h/%d?from=%p&to=%P&q=%q%Q&smsc=%i&id=%I&f=%F&t=%t&T=%T")
    assert url == (
        "http://h/1?from=%2B15551112222&to=%2B15553334444&q=%2B15551112222%2B15553334444"
        "&smsc=phone&id=7&f=7&t=2026-11-18+11%3A08%3A10&T=1795000090"
    )
    reply = parse_qs(urlsplit(filled("http://h/?a=%A")).query)["a"][0]
    assert reply == (
        "id:7 sub:002 dlvrd:002 submit date:2611181106 done date:2611181107 stat:DELIVRD err:000 "
        "text:"
    )
    assert filled("http://h/?%A", "message.sent") == "http://h/?ACK%2F"
    rejected = filled("http://h/?%d=%A", "message.failed", **NOT_SENT)
    assert rejected == "http://h/?16=NACK%2Fno+such+number"


def test_kannel_s_other_escapes_are_empty_or_left_as_they_are() -> None:
    assert filled("http://h/?a=%n%B&b=%20%2B%%&c=%") == "http://h/?a=&b=%20%2B%&c=%"
    assert filled("http://h/?sim=%p", sim=None) == "http://h/?sim="


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_that_is_filled_in_leaves_its_place(address: str, error: str) -> None:
    happened = event("message.failed", address=address, sent_at=None, error=error or "x")
    url = write(callback("kannel", 31, "http://h/p?x=%P&y=%A&z=1"), happened, {}).url
    parts = urlsplit(url)
    assert (parts.netloc, parts.path, parts.fragment) == ("h", "/p", "")
    fields = parse_qsl(parts.query, keep_blank_values=True)
    assert [name for name, _ in fields] == ["x", "y", "z"]
    assert url.isascii()
    assert url.isprintable()


@pytest.mark.parametrize("kind", ["queued", "sent", "delivered", "failed", "expired"])
def test_twilio_hears_of_every_status_in_twilio_s_words(kind: str) -> None:
    asked, happened = callback("twilio"), event(f"message.{kind}")
    assert wants(asked, happened)
    report = write(asked, happened, shown_event(f"message.{kind}"))
    assert (report.url, report.method) == (URL, "POST")
    fields = dict(report.fields)
    assert fields["MessageSid"] == fields["SmsSid"] == f"SM{5:032x}"
    assert fields["AccountSid"] == f"AC{3:032x}"
    assert fields["MessageStatus"] == fields["SmsStatus"]
    assert {"To", "From", "ApiVersion"} <= fields.keys()
    assert dict(parse_qsl(report.body.decode(), keep_blank_values=True)) == fields
    assert "Body" not in fields


def test_twilio_hears_nothing_of_what_its_clients_do_not_know() -> None:
    for kind in ("held", "uncertain", "sending"):
        assert not wants(callback("twilio"), event(f"message.{kind}"))


def test_an_event_that_is_no_message_s_is_no_callback_s() -> None:
    online = Event(id=1, org=3, type="phone.online", at=AT, phone=4)
    for shape, mask in (("twilio", 1), ("jasmin", 3), ("kannel", 31)):
        asked = callback(shape, mask)  # type: ignore[arg-type]
        assert not wants(asked, online)
        with pytest.raises(ValueError, match="no message"):
            write(asked, online, {})
