"""Kannel's API, by the requests that programs make."""

import shutil
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phonegate.api.dialect import Refusal
from phonegate.api.dialects import kannel
from phonegate.api.dialects.coded_text import NotText
from phonegate.api.dialects.kannel import read, receivers, refuse, text_of
from phonegate.http.refusals import CODES
from phonegate.model.refusals import FieldProblem, Refused
from tests.api.conftest import NOW, ORG, SECRET, Web
from tests.api.dialects.clients import FRIEND, OTHER, SIM, Client, client, connect_phone, sent

QUEUED = b"3: Queued for later delivery"
ACCEPTED = b"0: Accepted for delivery"

SMSBOX = shutil.which("smsbox") or shutil.which("smsbox", path="/usr/sbin")
"""Kannel's own program, whose words stand in it."""


def asked(key: str, **parameters: str) -> str:
    named = {name.replace("_", "-").rstrip("-"): value for name, value in parameters.items()}
    return "/cgi-bin/sendsms?" + urlencode({"username": "any", "password": key, **named})


# --- Reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "coding", "charset", "found"),
    [
        ("Grüße", 0, None, "Grüße"),
        ("Gr\udcfc\udcdfe", 0, "ISO-8859-1", "Grüße"),
        ("Gr\udcfc\udcdfe", 1, None, "Grüße"),
        ("\x04\x1f\x04@", 2, None, "Пр"),
        ("Привет", 2, "utf8", "Привет"),
        ("Привет", 2, "UTF-8", "Привет"),
        ("\udcf0\udcd2", 2, "KOI8-R", "Пр"),
    ],
)
def test_a_text_in_its_charset(text: str, coding: int, charset: str | None, found: str) -> None:
    assert text_of(text, coding, charset) == found


@pytest.mark.parametrize(
    ("text", "coding", "charset"),
    [("\udcff", 0, None), ("abc", 2, None), ("ü", 0, "nothing"), ("+2AA-", 0, "utf-7")],
)
def test_what_is_no_text(text: str, coding: int, charset: str | None) -> None:
    with pytest.raises(NotText):
        text_of(text, coding, charset)


@given(
    st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")),
    st.integers(0, 2),
    st.none() | st.sampled_from(["UTF-16BE", "latin1", "utf8", "hex", "idna", "x"]),
)
def test_any_text_is_read_or_refused(text: str, coding: int, charset: str | None) -> None:
    try:
        text_of(text, coding, charset).encode()
    except (NotText, UnicodeEncodeError):
        return


@given(st.binary(), st.sampled_from(["", "text/plain", "multipart/form-data; boundary=x"]))
def test_any_body_is_read_or_refused(body: bytes, media: str) -> None:
    try:
        assert read(body, {"content-type": media}, {"dlr-mask": ["1"]})["dlr_mask"][0] == "1"
    except Refused:
        return


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (["+15553334444 +15559990000"], ["+15553334444", "+15559990000"]),
        (["15553334444,15559990000", "1"], ["15553334444", "15559990000", "1"]),
        (["+1 555 333 4444"], ["+1 555 333 4444"]),
        (["1234567 7654321"], ["1234567", "7654321"]),
        (["0171 123456"], ["0171 123456"]),
        ([""], []),
    ],
)
def test_receivers_are_divided_by_spaces(texts: list[str], found: list[str]) -> None:
    assert receivers(texts) == found


@given(st.lists(st.text()))
def test_any_receivers(texts: list[str]) -> None:
    assert "".join("".join(texts).split()).replace(",", "") == "".join(
        "".join(receivers(texts)).split()
    )


@pytest.mark.parametrize("code", CODES)
def test_every_error_has_its_words(code: str) -> None:
    status = CODES[code].status
    worded = refuse(Refusal(status=status, code=code, detail="why", problems=()))
    assert worded.status >= 400
    assert not worded.body.startswith(b"{")


def test_wrong_fields_have_kannels_words() -> None:
    for field, words in kannel.MISFORMED.items():
        problem = FieldProblem(field, "is wrong")
        worded = refuse(Refusal(status=400, code="bad_input", detail="why", problems=[problem]))
        assert worded.body.decode().splitlines() == [words, "why"]


@pytest.mark.skipif(SMSBOX is None, reason="Kannel's smsbox is not installed")
def test_the_words_are_those_of_debians_smsbox() -> None:
    assert SMSBOX is not None
    program = Path(SMSBOX).read_bytes()
    words = [kannel.LOGIN_FAILED, kannel.NOT_ROUTABLE, kannel.TEMPORAL, kannel.FAILED]
    words += [kannel.UNKNOWN, kannel.WRONG_MEDIA, kannel.DENIED, kannel.NO_RECEIVER]
    words += [kannel.EMPTY_RECEIVER, *kannel.MISFORMED.values()]
    words += [kannel.ACCEPTED.decode(), kannel.BUFFERED.decode()]
    assert [one for one in words if one.encode() not in program] == []


# --- Requests ---------------------------------------------------------------------------------


async def test_rapidpro_sends_by_kannel(web: Web) -> None:
    await connect_phone(web)
    courier = await client(web)
    # handlers/kannel/handler.go
    path = asked(
        courier.key,
        from_=SIM,
        text="Привет ☺",
        to=FRIEND,
        dlr_url="https://rapidpro.example.org/c/kn/8eb23e93/status?uuid=0191&status=%d",
        dlr_mask="27",
        priority="1",
        coding="2",
        charset="utf8",
    )
    reply = await courier.get(path)
    assert (reply.status, reply.data) == (202, ACCEPTED)
    [one] = await sent(web)
    assert (one.address, one.body, one.priority) == (FRIEND, "Привет ☺", 1)
    assert one.status_callback is not None
    assert (one.status_callback.shape, one.status_callback.mask) == ("kannel", 27)
    assert one.status_callback.url.endswith("status=%d")
    assert one.status_callback.method == "GET"


async def test_utf_16_stands_in_the_query_as_bytes(web: Web) -> None:
    asker = await client(web)
    text = "Привет ☺ 中文"
    path = asked(asker.key, to=FRIEND, coding="2") + "&text=" + quote(text.encode("utf-16-be"))
    reply = await asker.get(path)
    assert (reply.status, reply.data) == (202, QUEUED)
    [one] = await sent(web)
    assert one.body == text


async def test_latin_1_stands_in_the_query_as_bytes(web: Web) -> None:
    asker = await client(web)
    path = asked(asker.key, to=FRIEND, charset="ISO-8859-1") + "&text=Gr%FC%DFe"
    assert (await asker.get(path)).status == 202
    path = asked(asker.key, to=FRIEND) + "&text=Gr%FC%DFe"
    reply = await asker.get(path)
    assert reply.status == 400
    assert reply.data.splitlines()[0] == b"Charset or body misformed, rejected"
    assert [one.body for one in await sent(web)] == ["Grüße"]


async def test_short_names_and_lists(web: Web) -> None:
    asker = await client(web)
    query = urlencode({"user": "x", "pass": asker.key, "to": f"{FRIEND} {OTHER}", "text": "x"})
    reply = await asker.get(f"/cgi-bin/sendsms?{query}")
    assert (reply.status, reply.data) == (202, QUEUED)
    assert [one.address for one in await sent(web)] == [FRIEND, OTHER]


async def test_a_secret_is_taken_by_post_alone(web: Web) -> None:
    asker = await client(web)
    query = urlencode({"username": ORG, "password": SECRET, "to": FRIEND, "text": "x"})
    reply = await asker.get(f"/cgi-bin/sendsms?{query}")
    assert reply.status == 403
    assert reply.data.startswith(b"Authorization failed for sendsms\n")
    reply = await asker.post("/cgi-bin/sendsms", query)
    assert (reply.status, reply.data) == (202, QUEUED)
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_options_reach_the_message(web: Web) -> None:
    asker = await client(web)
    path = asked(
        asker.key, to=FRIEND, text="x", priority="3", validity="60", deferred="10", mclass="0"
    )
    assert (await asker.get(path)).data == QUEUED
    [one] = await sent(web)
    assert (one.priority, one.held_until) == (3, NOW + 600_000)
    assert one.expires_at == NOW + 600_000 + 60 * 60_000, "it counts minutes"
    assert one.status_callback is None


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"text": "x"}, "Missing receiver number, rejected"),
        ({"text": "x", "to": ""}, "Empty receiver number not allowed, rejected"),
        ({"text": "x", "to": f"{FRIEND} abc"}, kannel.DENIED),
        ({"to": FRIEND}, "Charset or body misformed, rejected"),
        ({"to": FRIEND, "text": "x", "udh": "\x05"}, "UDH field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "coding": "3"}, "Coding field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "priority": "4"}, "Priority field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "validity": "-2"}, "Validity field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "deferred": "a"}, "Deferred field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "dlr_mask": "64"}, "DLR-Mask field misformed, rejected"),
        ({"to": FRIEND, "text": "x", "dlr_url": "ftp"}, "DLR-URL field misformed, rejected"),
        (
            {"to": FRIEND, "text": "x", "dlr_mask": "1", "dlr_url": "http://127.0.0.1/%d"},
            "DLR-URL field misformed, rejected",
        ),
    ],
)
async def test_wrong_parameters(web: Web, parameters: dict[str, str], words: str) -> None:
    asker = await client(web)
    reply = await asker.get(asked(asker.key, **parameters))
    assert reply.status == 400
    assert reply.data.decode().splitlines()[0] == words
    assert await sent(web) == []


async def test_refusals_in_its_words(web: Web) -> None:
    await connect_phone(web)
    wrong = Client(web, "pgk_wrong")
    reply = await wrong.get(asked(wrong.key, to=FRIEND, text="x"))
    assert (reply.status, reply.data) == (403, b"Authorization failed for sendsms")
    asker = await client(web, limits={"to": [FRIEND], "per_hour": 1})
    reply = await asker.get(asked(asker.key, to=OTHER, text="x"))
    assert (reply.status, reply.data.splitlines()[0]) == (400, kannel.DENIED.encode())
    reply = await asker.get(asked(asker.key, to=FRIEND, text="x", from_="+15550001111"))
    assert (reply.status, reply.data.splitlines()[0]) == (403, b"Not routable. Do not try again.")
    assert (await asker.get(asked(asker.key, to=FRIEND, text="x"))).data == ACCEPTED
    reply = await asker.get(asked(asker.key, to=FRIEND, text="x"))
    assert (reply.status, reply.data.splitlines()[0]) == (503, kannel.TEMPORAL.encode())
    assert int(reply.headers["Retry-After"]) > 0
    reply = await asker.get("/cgi-bin/sendota?x=1")
    assert (reply.status, reply.data.splitlines()[0]) == (404, b"Unknown request.")


async def test_long_texts_go_in_segments(web: Web) -> None:
    asker = await client(web)
    form = {"username": "x", "password": asker.key, "to": FRIEND, "text": "a" * 153 * 255}
    assert (await asker.post("/cgi-bin/sendsms", urlencode(form))).status == 202
    [one] = await sent(web)
    assert one.segments == 255
