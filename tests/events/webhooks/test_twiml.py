import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.messaging_response import MessagingResponse  # type: ignore[import-untyped]

from phonegate.domain.webhook_replies import Reply
from phonegate.events.webhooks import twiml
from phonegate.events.webhooks.twiml import BadTwiml, read


def test_what_the_package_of_twilio_writes_is_read() -> None:
    answer = MessagingResponse()
    answer.message("Thanks & <bye>")
    second = answer.message(to="+15550001111")
    second.body("Grüße 😀")
    second.media("https://a.example/1.png")
    answer.redirect("https://a.example/")
    assert read(str(answer).encode()) == (
        Reply(text="Thanks & <bye>"),
        Reply(text="Grüße 😀", to="+15550001111", media_urls=("https://a.example/1.png",)),
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"  \n",
        b"<Response/>",
        b"<Response><Message></Message></Response>",
        b"<Response><Say>hello</Say></Response>",
    ],
)
def test_no_message_is_no_reply(answer: bytes) -> None:
    assert read(answer) == ()


BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;">]><Response>&b;</Response>'
FILE = b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><Response>&a;</Response>'


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (BOMB, "document type"),
        (FILE, "document type"),
        (b"ok", "no well-formed XML"),
        (b"<html></html>", "<Response>"),
        (b"<Response><Message>", "no well-formed XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><Response/>', "no well-formed XML"),
        (b"\x00\xff\xfe", "no well-formed XML"),
        (b"<Response>" + b"<a>" * 40, "nested"),
        (b"<Response>" + b" " * twiml.MAX_BYTES, "longer"),
        (b"<Response>" + b"<Message>x</Message>" * 11 + b"</Response>", "more than 10"),
        (b"<Response><Message>" + b"x" * 1601 + b"</Message></Response>", "1,600"),
    ],
)
def test_what_is_no_twiml_is_refused(answer: bytes, problem: str) -> None:
    with pytest.raises(BadTwiml, match=problem):
        read(answer)


@given(st.binary(max_size=200))
def test_no_answer_breaks_anything(answer: bytes) -> None:
    with contextlib.suppress(BadTwiml):
        read(answer)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=50))
def test_a_text_arrives_as_it_was_written(text: str) -> None:
    answer = MessagingResponse()
    answer.message(text)
    expected = text.strip()
    assert [one.text for one in read(str(answer).encode())] == ([expected] if expected else [])
