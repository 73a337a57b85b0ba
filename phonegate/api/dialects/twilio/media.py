"""The media of messages, by Twilio's addresses: listed, described, and their bytes."""

from typing import Final

from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import SUFFIX, require_account, sid_of, written
from phonegate.api.dialects.twilio.messages import NO_MESSAGE
from phonegate.api.dialects.twilio.paging import MAX_SIZE, Place, page
from phonegate.api.dialects.twilio.resources import Medium
from phonegate.api.endpoint import Answer, Call
from phonegate.api.media_api import attachment
from phonegate.api.rules import WebAddress
from phonegate.model.messages import Message
from phonegate.model.refusals import NotFound
from phonegate.model.twilio_ids import media_of, message_of, message_sid
from phonegate.typed_json.fields import Wrong

NOWHERE: Final = "The part is at no address that can be asked."


async def media(call: Call) -> Answer:
    """Lists the media of a message."""
    org = require_account(call)
    parent, found = await _media(call)
    path = f"{resources.account_uri(org)}/Messages/{message_sid(parent.id)}/Media{SUFFIX}"
    shown = [resources.medium(one, parent, org) for one in found]
    return written(page("media_list", shown, Place(path=path, size=MAX_SIZE), None))


async def medium(call: Call) -> Answer:
    """Describes one of them where its address ends in `.json`, and else gives its bytes.

    What the gateway does not have itself is found elsewhere: the answer leads there.
    """
    org = require_account(call)
    parent, found = await _media(call)
    named = media_of(sid_of(call, "media"))
    one = next((one for one in found if named == (parent.id, one.number)), None)
    if one is None:
        raise NotFound("The message has no such part.")
    if call.path["media"].endswith(SUFFIX):
        return written(resources.medium(one, parent, org))
    if one.url is not None:
        return _elsewhere(one.url)
    file = await call.services.media.file(call.caller, parent.id, one.number)
    return Answer(
        content=file.data,
        media=file.content_type,
        headers=(("Content-Disposition", attachment(file.name)),),
    )


def _elsewhere(url: str) -> Answer:
    """Leads to what the gateway does not have. A phone may have reported any text as its address.

    Raises:
        NotFound: It is no address that can stand in a header.
    """
    try:
        WebAddress().read(url)
    except Wrong:
        raise NotFound(NOWHERE) from None
    if not url.isascii():
        raise NotFound(NOWHERE)
    return Answer(status=307, headers=(("Location", url),))


async def _media(call: Call) -> tuple[Message, list[Medium]]:
    message_id = message_of(call.path["sid"])
    if message_id is None:
        raise NotFound(NO_MESSAGE)
    message, types = await call.services.media.types(call.caller, message_id)
    return message, resources.media_of(message, types)
