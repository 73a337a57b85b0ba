"""Messages as the app pulls them, and the ids by which it knows them. Pure.

The app reads a whole list or nothing of it: one value that it can't read keeps all messages from
its phone for ever. So all that is written here is of a form that it reads.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final, Literal

import attrs

from phonegate.model.bounds import MAX_ID
from phonegate.model.times import iso
from phonegate.phones.frames import SendSms

State = Literal["Pending", "Cancelling"]
"""In which states the app is given a message. It sends what is `Pending`."""

_DIGEST_CHARS: Final = 12
"""48 bits of what a message is, so that no other text is ever known by the same id."""

_ID: Final = re.compile(rf"([0-9]{{1,19}})-([0-9a-f]{{{_DIGEST_CHARS}}})")

MIN_PRIORITY: Final = -128
MAX_PRIORITY: Final = 127
"""The app keeps a priority in one signed byte."""


@attrs.frozen(kw_only=True)
class Attachment:
    """A picture or another file of an MMS that is sent."""

    content_type: str
    name: str = attrs.field(repr=False)
    data: bytes = attrs.field(repr=False)


def app_message_id(
    message_id: int, to: str, body: str, media_urls: Sequence[str] | None = None
) -> str:
    """Returns the id by which the app knows a message.

    The app keeps the ids of all that it was ever given, and never sends one of them again. Ids of
    the gateway come again after an older copy of its database was put back, so the id also says
    which text and media it stands for.
    """
    whole = "\n".join([str(message_id), to, body, *(media_urls or ())])
    text = whole.encode("utf-8", "surrogatepass")
    return f"{message_id}-{hashlib.sha256(text).hexdigest()[:_DIGEST_CHARS]}"


def message_number(app_id: object) -> int | None:
    """Returns the gateway's own id of a message from the app's. None if it is none of ours.

    Whether it stands for the same text is to be compared, by `app_message_id`.
    """
    found = _ID.fullmatch(app_id) if isinstance(app_id, str) else None
    number = 0 if found is None else int(found[1])
    return number if 1 <= number <= MAX_ID else None


def id_of(frame: SendSms) -> str:
    """Returns the id by which the app knows a message that it is given."""
    return app_message_id(frame.id, frame.to, frame.body, frame.media_urls)


def mobile_message(
    frame: SendSms,
    *,
    state: State = "Pending",
    created_at: int,
    attachments: Sequence[Attachment] = (),
) -> dict[str, Any]:
    """Writes a message as the app reads it.

    Args:
        frame: The message.
        state: What is to be done with it.
        created_at: When it was given to the phone, in ms.
        attachments: Its media. They make it an MMS, and so do addresses of media in the frame.
    """
    message: dict[str, Any] = {
        "id": id_of(frame),
        **_content(frame, attachments),
        "phoneNumbers": [frame.to],
        "withDeliveryReport": True,
        "isEncrypted": False,
        "priority": max(MIN_PRIORITY, min(frame.priority or 0, MAX_PRIORITY)),
        "state": state,
        "createdAt": iso(created_at),
    }
    if frame.sim_slot is not None:
        message["simNumber"] = frame.sim_slot + 1
    if frame.expires_at is not None:
        message["validUntil"] = iso(frame.expires_at)
    return message


def _content(frame: SendSms, attachments: Sequence[Attachment]) -> dict[str, Any]:
    """Returns what is sent. The app would take a text before an MMS that stands beside it."""
    if not attachments and not frame.media_urls:
        # Versions before textMessage read the plain one.
        return {"message": frame.body, "textMessage": {"text": frame.body}}
    text = {"text": frame.body} if frame.body else {}
    return {
        "mmsMessage": {
            **text,
            "attachments": [
                {
                    "contentType": one.content_type,
                    "name": one.name,
                    "data": base64.b64encode(one.data).decode("ascii"),
                }
                for one in attachments
            ],
        }
    }
