"""What programs call that were written for Teltonika's routers: a login, and a send with its token.

A router gives a token for five minutes. Here the token is the API key that stands in the place of
the password, so that there is nothing to keep and nothing that a program could do beyond its key.
"""

from collections.abc import Sequence
from typing import Any, Final

import attrs

from phonegate.api.convert import refusal
from phonegate.api.dialect import Given
from phonegate.api.dialects.generic.api import DIALECT
from phonegate.api.dialects.generic.teltonika_answers import (
    TeltonikaLogin,
    TeltonikaSend,
    logged_in,
    sent,
)
from phonegate.api.dialects.sending import recipients, send
from phonegate.api.dialects.wanted import SENDING_CODES, Accepted, Wanted
from phonegate.api.endpoint import Answer, Call, Endpoint
from phonegate.domain.credentials import is_key_like
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.refusals import FieldProblem, Unauthorized

NEEDS_KEY: Final = "The password must be an API key (pgk_...). The user name may be anything."


async def log_in(call: Call) -> Answer:
    """Gives back the API key as a token.

    Raises:
        Unauthorized: The password is the org's secret, which can't be a token of its own.
    """
    asked: TeltonikaLogin = call.body
    if not is_key_like(asked.password):
        raise Unauthorized(NEEDS_KEY)
    return Answer(content=logged_in(asked.password), media=JSON_MEDIA)


async def send_sms(call: Call) -> Answer:
    """Sends an SMS through any SIM."""
    asked: TeltonikaSend = call.body
    numbers = await recipients(call, (asked.data.number,), "number")
    if len(numbers) > 1:
        raise refusal((FieldProblem("data.number", "is more than one number"),))

    def render(done: Sequence[Accepted]) -> Answer:
        return Answer(content=sent(done[0].segments))

    wanted = [Wanted(to=numbers[0], body=asked.data.message)]
    answer = await send(DIALECT, call, wanted, render, fields=("number", "message"))
    return attrs.evolve(answer, media=JSON_MEDIA)


# --- The table's part -------------------------------------------------------------------------


def _endpoint(name: str, path: str, **more: Any) -> Endpoint:
    return Endpoint(
        name=f"teltonika_{name}",
        method="POST",
        paths=(path,),
        scope="send",
        group=f"dialect: {DIALECT.name}",
        listed=False,
        dialect=DIALECT,
        answer=None,
        media=JSON_MEDIA,
        **more,
    )


ENDPOINTS: Final = (
    _endpoint(
        "login",
        "/api/login",
        summary="Log in as to a router of Teltonika",
        description="For the Teltonika of Uptime Kuma. The token is the API key itself.",
        given=Given(type=TeltonikaLogin),
        handler=log_in,
    ),
    _endpoint(
        "send",
        "/api/messages/actions/send",
        summary="Send an SMS as by a router of Teltonika",
        body=TeltonikaSend,
        sends=True,
        idempotent=True,
        error_codes=SENDING_CODES,
        handler=send_sms,
    ),
)
