"""Tokens by the third-party API of SMS Gateway for Android: given, renewed and revoked."""

from time import perf_counter
from typing import Final

from phonegate.api.dialects.smsgate.dialect import endpoints, shown
from phonegate.api.dialects.smsgate.forms import SmsgateNewToken
from phonegate.api.dialects.smsgate.wording import token
from phonegate.api.endpoint import Answer, Call
from phonegate.api.errors import NO_SUCH_ADDRESS
from phonegate.http.credentials import bearer_token
from phonegate.model.refusals import NotFound

CREATED: Final = 201

REFRESH: Final = "refresh"
"""Stands where the id of a token does that is revoked: no token has it."""


async def make(call: Call) -> Answer:
    """Gives a token for the caller's credential."""
    body: SmsgateNewToken = call.body
    made = await call.services.dialect_tokens.make(call.caller, body.scopes, body.ttl)
    return shown(token(made), status=CREATED)


async def refresh(call: Call) -> Answer:
    """Gives another token for a refresh token."""
    if call.path["id"] != REFRESH:
        raise NotFound(NO_SUCH_ADDRESS)
    services = call.services
    shown_token = bearer_token(call.request.headers) or ""
    principal, made = await services.dialect_tokens.refresh(shown_token)
    services.rate_limits.request(principal.org, perf_counter())
    return shown(token(made), status=CREATED)


async def revoke(call: Call) -> Answer:
    """Ends a token at once."""
    await call.services.dialect_tokens.revoke(call.caller, call.path["id"])
    return Answer(status=204)


ENDPOINTS: Final = (
    *endpoints(
        "make_token",
        "POST",
        ("/auth/token",),
        make,
        "Get a token",
        scope="any",
        grant="tokens:manage",
        body=SmsgateNewToken,
        statuses=(CREATED,),
    ),
    *endpoints(
        "refresh_token",
        "POST",
        ("/auth/token/{id}",),
        refresh,
        "Renew a token, at /auth/token/refresh",
        scope=None,
        knows_caller=True,
        statuses=(CREATED,),
        error_codes=("unauthorized",),
    ),
    *endpoints(
        "revoke_token",
        "DELETE",
        ("/auth/token/{id}",),
        revoke,
        "Revoke a token",
        scope="any",
        grant="tokens:manage",
        statuses=(204,),
        error_codes=("not_found",),
    ),
)
