"""The media of messages, by Twilio's addresses: listed, described, and their bytes."""

from phonegate.api.dialects.twilio import resources
from phonegate.api.dialects.twilio.account import SUFFIX, require_account, sid_of, written
from phonegate.api.dialects.twilio.paging import MAX_SIZE, Place, page
from phonegate.api.dialects.twilio.resources import Medium
from phonegate.api.endpoint import Answer, Call
from phonegate.api.media_api import attachment
from phonegate.model.messages import Message
from phonegate.model.refusals import NotFound
from phonegate.model.twilio_ids import media_of, message_of, message_sid


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
        raise NotFound(f"{call.request.path} was not found: the message has no such part.")
    if call.path["media"].endswith(SUFFIX):
        return written(resources.medium(one, parent, org))
    if one.url is not None:
        return Answer(status=307, headers=(("Location", one.url),))
    file = await call.services.media.file(call.caller, parent.id, one.number)
    return Answer(
        content=file.data,
        media=file.content_type,
        headers=(("Content-Disposition", attachment(file.name)),),
    )


async def _media(call: Call) -> tuple[Message, list[Medium]]:
    message_id = message_of(call.path["sid"])
    if message_id is None:
        raise NotFound(f"{call.request.path} was not found: no message has such an id.")
    message, types = await call.services.media.types(call.caller, message_id)
    return message, resources.media_of(message, types)
