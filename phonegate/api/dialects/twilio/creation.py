"""Twilio's way to send: a message is made by `POST …/Messages.json`."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import TWILIO, require_account, signing_state, written
from phonegate.api.dialects.twilio.errors import CHANNELS
from phonegate.api.dialects.twilio.fields import TwilioMessage
from phonegate.api.dialects.wanted import Accepted, Wanted
from phonegate.api.endpoint import Answer, Call
from phonegate.api.messages_types import MAX_AHEAD_MS
from phonegate.api.rules import WebAddress
from phonegate.http.refusals import FIRST_ERROR
from phonegate.model.bounds import MAX_MEDIA
from phonegate.model.callbacks import Callback
from phonegate.model.messages import Message
from phonegate.model.refusals import FieldProblem
from phonegate.model.twilio_ids import SERVICE
from phonegate.typed_json.fields import Wrong

NO_CHANNEL: Final = "names a channel other than SMS, and there is none here"


async def create(call: Call) -> Answer:
    """Sends a message. Answers as soon as it is stored, or taken by its carrier."""
    org = require_account(call)
    asked: TwilioMessage = call.body
    service = _service(asked)
    problems = list(_problems(asked, call.services.now_ms()))
    if problems:
        raise refusal(tuple(problems))
    to = await recipients(call, [asked.To], "To")
    if len(to) > 1:
        raise refusal((FieldProblem("To", "must be one number"),))
    wanted = Wanted(
        to=to[0],
        body=asked.Body or "",
        sender=None if asked.From == service else asked.From,
        send_at=asked.SendAt,
        ttl_s=asked.ValidityPeriod,
        media_urls=asked.MediaUrl or (),
        callback=_callback(call, asked),
    )
    render = partial(_accepted, org, wanted, service, call.services.now_ms())
    answer = await send(TWILIO, call, [wanted], render, fields=("To", "Body"))
    return _with_body(answer, wanted.body)


def _service(asked: TwilioMessage) -> str | None:
    """Returns the messaging service that is to choose the sender."""
    if asked.From is not None and SERVICE.fullmatch(asked.From):
        return asked.From
    return asked.MessagingServiceSid


def _problems(asked: TwilioMessage, now: int) -> Iterator[FieldProblem]:
    """Finds what is wrong with a message beyond each field's own rule."""
    if _is_of_channel(asked.To):
        yield FieldProblem("To", NO_CHANNEL)
    if asked.From is None and asked.MessagingServiceSid is None:
        yield FieldProblem("From", "is required, or else MessagingServiceSid")
    elif _is_of_channel(asked.From):
        yield FieldProblem("From", NO_CHANNEL)
    if asked.ContentSid is not None:
        yield FieldProblem(
            "ContentSid", "names a template, and there are none of Twilio's here: send its text"
        )
    elif asked.Body is None and not asked.MediaUrl:
        yield FieldProblem("Body", "is required, or else MediaUrl")
    yield from _problems_of_media(asked.MediaUrl or ())
    if asked.ScheduleType is not None and asked.SendAt is None:
        yield FieldProblem("SendAt", "is required with ScheduleType")
    if asked.SendAt is not None and not now < asked.SendAt <= now + MAX_AHEAD_MS:
        yield FieldProblem("SendAt", "must lie ahead, and no more than a year")


def _is_of_channel(address: str | None) -> bool:
    return address is not None and address.lower().startswith(CHANNELS)


def _problems_of_media(urls: Sequence[str]) -> Iterator[FieldProblem]:
    if len(urls) > MAX_MEDIA:
        yield FieldProblem("MediaUrl", f"is there {len(urls)} times, at most {MAX_MEDIA} are taken")
    for url in urls:
        try:
            WebAddress().read(url)
        except Wrong as error:
            yield FieldProblem("MediaUrl", str(error))


def _callback(call: Call, asked: TwilioMessage) -> Callback | None:
    if asked.StatusCallback is None:
        return None
    return Callback(
        shape="twilio",
        url=asked.StatusCallback,
        sign=signing_state(call),
        field="StatusCallback",
    )


def _accepted(
    org: int, wanted: Wanted, service: str | None, now: int, accepted: Sequence[Accepted]
) -> Answer:
    """Makes the answer to a message that was taken, without its text: it may be kept for a day."""
    (one,) = accepted
    held = one.held or (wanted.send_at is not None and wanted.send_at > now)
    stored = Message(
        id=one.id,
        org=org,
        direction="out",
        address=one.to,
        body="",
        status=one.status,
        created_at=now,
        segments=one.segments,
        sim=one.sender,
        media_urls=wanted.media_urls or None,
        held_until=wanted.send_at if held else None,
        approval="asked" if one.held else None,
        error=one.error,
    )
    return written(resources.message(stored, org, service=service), 201)


def _with_body(answer: Answer, body: str) -> Answer:
    """Returns an answer with the text, which the request has: also where it is a repeat."""
    if answer.status >= FIRST_ERROR:
        return answer
    content: dict[str, Any] = json.loads(answer.content)
    return attrs.evolve(answer, content=json.dumps({**content, "body": body}).encode())
