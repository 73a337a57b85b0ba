"""Calls of Twilio's API, as its clients make them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import MMS, Sim
from phonegate.model.twilio_ids import account_sid
from tests.api.conftest import SECRET, Reply, Web

NUMBER = "+15551112222"
TO = "+15553334444"

Form = Mapping[str, str | Sequence[str]]


def basic(user: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def online(web: Web, *, mms: bool = False) -> None:
    """A phone with one SIM is there."""
    features = frozenset({MMS}) if mms else frozenset[str]()
    sims = (Sim(slot=0, number=NUMBER, phone=1),)
    web.phones.phones = [
        OnlinePhone(phone=1, device_id="d", name="desk", sims=sims, features=features)
    ]


async def call(
    web: Web,
    method: str,
    path: str,
    form: Form | None = None,
    *,
    token: str = SECRET,
    account: str | None = None,
) -> Reply:
    """Makes a request to an address below the account, or to a whole one that begins with `/`."""
    sid = account or account_sid(1)
    headers = {"Authorization": basic(account_sid(1), token)}
    raw = None
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        raw = urlencode(form, doseq=True).encode()
    if not path.startswith("/"):
        path = f"/2010-04-01/Accounts/{sid}/{path}"
    return await web.call(method, path, secret=None, headers=headers, raw=raw)


async def create(web: Web, token: str = SECRET, **form: Any) -> Reply:
    """Sends a message."""
    given = {"To": TO, "From": NUMBER, "Body": "hello", **form}
    given = {name: value for name, value in given.items() if value is not None}
    return await call(web, "POST", "Messages.json", given, token=token)
