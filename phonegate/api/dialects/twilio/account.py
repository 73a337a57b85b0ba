"""What the endpoints of Twilio's API have in common: the account of their path, ids, answers."""

import json
from collections.abc import Mapping
from typing import Any, Final

from phonegate.api.dialect import Dialect
from phonegate.api.dialects.twilio.errors import refuse
from phonegate.api.dialects.twilio.resources import BASE
from phonegate.api.endpoint import Answer, Call
from phonegate.domain.credentials import is_key_like
from phonegate.http.hmac_state import state_of
from phonegate.http.login import Login, find_login
from phonegate.http.problem import JSON_MEDIA
from phonegate.model.refusals import NotFound
from phonegate.model.twilio_ids import API_VERSION, account_sid, org_of

TWILIO: Final = Dialect(
    name="twilio",
    title="Twilio",
    text="The part of Twilio's REST API (2010-04-01) that is about messages, for its official "
    "libraries and the programs that are made for it. The user is the org's `account_sid` (AC…), "
    "which `GET /me` has, and the password an API key or the org's SecretKey.",
    login=Login(),
    addresses=("",),
    refuse=refuse,
    bases=(f"/{API_VERSION}",),
)

SUFFIX: Final = ".json"

LONG_SECRET: Final = 32
"""Characters of a SecretKey that is likely a random one, as Twilio's own tokens are."""


def require_account(call: Call) -> int:
    """Returns the caller's org, if its account is the one of the path.

    Raises:
        NotFound: It is another's.
    """
    named = call.path["account"].removesuffix(SUFFIX)
    caller = call.caller
    if org_of(named) != caller.org and named != caller.org_name:
        raise NotFound(
            f"{BASE}/{{AccountSid}} was not found: this credential's AccountSid is "
            f"{account_sid(caller.org)}."
        )
    return caller.org


def sid_of(call: Call, name: str = "sid") -> str:
    """Returns an id of the path, with or without the `.json` that may follow it."""
    return call.path[name].removesuffix(SUFFIX)


def signing_state(call: Call) -> bytes | None:
    """Returns what signs calls as the token of a request does, which its client checks them by.

    None for a short SecretKey, which is likely one that a person has chosen: from what is stored it
    could be guessed, and quicker than from its slow hash. An API key can't be.
    """
    token = find_login(TWILIO.login, call.request.headers).credential or ""
    return state_of(token.encode()) if is_key_like(token) or len(token) >= LONG_SECRET else None


def written(content: Mapping[str, Any], status: int = 200) -> Answer:
    """Returns an answer of JSON."""
    return Answer(status=status, content=json.dumps(content).encode(), media=JSON_MEDIA)
