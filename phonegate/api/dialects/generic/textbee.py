"""What programs call that were written for textbee: to send, and to look for received SMS."""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from phonegate.api.dialects.generic.answers import reason_of
from phonegate.api.dialects.generic.api import (
    DIALECT,
    GIVEN,
    all_failed,
    wanted_of,
)
from phonegate.api.dialects.generic.textbee_answers import (
    ANY_DEVICE,
    TextbeeBatchAnswer,
    TextbeeDevicesAnswer,
    TextbeeReceivedAnswer,
    accepted,
    devices,
    received,
    refused,
)
from phonegate.api.dialects.sending import send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted
from phonegate.api.endpoint import Answer, Call, Endpoint, Example
from phonegate.http.refusals import FIRST_ERROR
from phonegate.model.messages import PageQuery
from phonegate.model.states import FAILED

BASES: Final = ("", "/api/v1")
"""Before textbee's own paths: programs add those to what their users typed."""

RECEIVED: Final = 50
"""Messages of a list, which programs read again and again: textbee's own number."""


async def send_sms(call: Call) -> Answer:
    """Sends an SMS to each of its recipients, through any phone."""

    def render(found: Sequence[Accepted]) -> Answer:
        ids = [one.id for one in found if one.status != FAILED]
        return all_failed(found) or Answer(status=201, content=accepted(ids))

    fields = ("recipients", "message")
    answer = await send(DIALECT, call, await wanted_of(call), render, fields=fields)
    if answer.status >= FIRST_ERROR:
        answer = attrs.evolve(answer, content=refused(reason_of(answer.content)))
    return answer


async def list_devices(call: Call) -> Answer:
    """Lists the one device that stands for all phones."""
    online = call.services.switchboard.online(call.caller.org)
    return Answer(content=devices(online=bool(online)))


async def list_received(call: Call) -> Answer:
    """Lists the newest received messages."""
    query = PageQuery(direction="in", limit=RECEIVED)
    content = await call.services.messages.page(
        call.caller, query, lambda views, _: received(views)
    )
    return Answer(content=content)


# --- The table's part -------------------------------------------------------------------------

_KEY: Final = (("x-api-key", "YOUR_API_KEY"),)
_DEVICE: Final = f"/gateway/devices/{ANY_DEVICE}"


def _endpoint(name: str, method: str, *paths: str, **more: Any) -> Endpoint:
    return Endpoint(
        name=f"textbee_{name}",
        method=method,
        paths=tuple(f"{base}/gateway/devices{path}" for path in paths for base in BASES),
        group=f"dialect: {DIALECT.name}",
        listed=False,
        dialect=DIALECT,
        **more,
    )


ENDPOINTS: Final = (
    _endpoint(
        "send",
        "POST",
        "/{id}/send-sms",
        "/{id}/sendSMS",
        scope="send",
        summary="Send an SMS as by textbee",
        description="For programs of textbee's users. Their base address is the gateway's own, "
        "with or without /api/v1. Whatever device the path names, any phone of the org sends; a "
        "number as `from` chooses a SIM.",
        given=GIVEN,
        sends=True,
        answer=TextbeeBatchAnswer,
        statuses=(201,),
        error_codes=SENDING_CODES,
        idempotent=True,
        examples=(
            Example(
                title="an SMS by textbee's path",
                path=f"{_DEVICE}/send-sms",
                headers=(*_KEY, ("Content-Type", "application/json")),
                body='{"recipients":["+15553334444"],"message":"Backup failed"}',
                answer='{"data":{"success":true,"message":"SMS added to queue for processing",'
                '"smsBatchId":"7","recipientCount":1}}',
                status=201,
            ),
        ),
        handler=send_sms,
    ),
    _endpoint(
        "devices",
        "GET",
        "",
        scope="any",
        summary="List devices as by textbee",
        description="One device, `any`, which stands for all phones of the org.",
        answer=TextbeeDevicesAnswer,
        examples=(
            Example(
                title="the one device",
                path="/gateway/devices",
                headers=_KEY,
                answer='{"data":[{"_id":"any","name":"phonegate","enabled":true,'
                '"status":"offline"}]}',
            ),
        ),
        handler=list_devices,
    ),
    _endpoint(
        "received",
        "GET",
        "/{id}/get-received-sms",
        "/{id}/getReceivedSMS",
        scope="read",
        summary="List received SMS as by textbee",
        description=f"The newest {RECEIVED} of all phones.",
        answer=TextbeeReceivedAnswer,
        examples=(
            Example(
                title="what came in",
                path=f"{_DEVICE}/get-received-sms",
                headers=_KEY,
                answer='{"data":[{"_id":"1","sender":"+15551112222","message":"hello",'
                '"receivedAt":"2026-11-21T08:00:00.000Z"}]}',
            ),
        ),
        handler=list_received,
    ),
)
