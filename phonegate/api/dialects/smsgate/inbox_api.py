"""Received messages by the third-party API of SMS Gateway for Android."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from phonegate.api.convert import id_in_path
from phonegate.api.dialects.smsgate.dialect import endpoints, phone_of, shown
from phonegate.api.dialects.smsgate.forms import SmsgateListInbox
from phonegate.api.dialects.smsgate.messages_api import ACCEPTED, TOTAL
from phonegate.api.dialects.smsgate.wording import received
from phonegate.api.endpoint import Answer, Call
from phonegate.api.media_api import attachment
from phonegate.domain.announced_mms import NOT_FETCHED
from phonegate.domain.client_messages import Outline
from phonegate.model.messages import ListQuery, MessageView

_KINDS: Final[Mapping[str | None, Mapping[str, Any]]] = MappingProxyType(
    {
        None: {},
        "SMS": {"media": False, "no_error": NOT_FETCHED},
        "MMS": {"media": False, "error": NOT_FETCHED},
        "MMS_DOWNLOADED": {"media": True},
    }
)
"""What the app's kinds of messages are here. It has a fourth, of which there is none."""


async def show_all(call: Call) -> Answer:
    """Lists received messages, the newest first."""
    asked: SmsgateListInbox = call.body
    if asked.type == "DATA_SMS":
        return shown([], headers=((TOTAL, "0"),))

    def show(one: MessageView, parts: Outline) -> dict[str, Any]:
        return received(one, parts, attachments=asked.has_attachments)

    found, total = await call.services.client_messages.received(
        call.caller,
        ListQuery(
            outbound=False,
            since=asked.from_,
            until=asked.to,
            **_KINDS[asked.type],
            phone=phone_of(asked.deviceId),
            limit=asked.limit,
            offset=asked.offset,
        ),
        show,
    )
    return shown(found, headers=((TOTAL, str(total)),))


async def part(call: Call) -> Answer:
    """Gives a part of a received MMS."""
    message_id, number = id_in_path(call.path["id"]), id_in_path(call.path["n"], "n")
    found = await call.services.media.file(call.caller, message_id, number)
    return Answer(
        content=found.data,
        media=found.content_type,
        headers=(("Content-Disposition", attachment(found.name)),),
    )


async def refresh(_: Call) -> Answer:
    """Answers that it will: what phones receive comes to the gateway without being asked for."""
    return Answer(status=ACCEPTED)


ENDPOINTS: Final = (
    *endpoints(
        "list_inbox",
        "GET",
        ("/inbox",),
        show_all,
        "List received messages",
        scope="read",
        grant="inbox:list",
        given=SmsgateListInbox,
        lists=True,
    ),
    *endpoints(
        "get_attachment",
        "GET",
        ("/inbox/{id}/attachments/{n}",),
        part,
        "Read a part of a received MMS",
        scope="read",
        grant="inbox:list",
        media="*/*",
        error_codes=("not_found",),
        lists=True,
    ),
    *endpoints(
        "refresh_inbox",
        "POST",
        ("/inbox/refresh",),
        refresh,
        "Ask for received messages, which come by themselves",
        scope="read",
        grant="inbox:refresh",
        statuses=(ACCEPTED,),
    ),
    *endpoints(
        "export_inbox",
        "POST",
        ("/messages/inbox/export", "/message/inbox/export", "/inbox/export"),
        refresh,
        "The same, as older clients ask",
        scope="read",
        grant="messages:export",
        statuses=(ACCEPTED,),
    ),
)
