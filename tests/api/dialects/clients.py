"""What the tests of dialects share: an org with a phone, keys, requests as programs make them."""

from typing import Any

import attrs

from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.messages import Message
from phonegate.model.phones import Sim
from tests.api.conftest import ORG, Reply, Web, known_phone

SIM = "+15551112222"
FRIEND, OTHER = "+15553334444", "+15559990000"

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@attrs.frozen
class Client:
    """A program with the credential that its user has typed in."""

    web: Web
    key: str

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.web.call("GET", path, secret=None, headers=headers)

    async def post(self, path: str, body: bytes | str, **headers: str) -> Reply:
        raw = body.encode() if isinstance(body, str) else body
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.web.call("POST", path, secret=None, raw=raw, headers=named or dict(FORM))


async def client(web: Web, *scopes: str, limits: dict[str, Any] | None = None) -> Client:
    """Makes a key of these scopes, or one that can do nothing but send."""
    body: dict[str, Any] = {"name": "program", "scopes": list(scopes) or ["send"]}
    if limits is not None:
        body["limits"] = limits
    made = await web.call("POST", f"/keys/{ORG}", body)
    assert made.status == 201, made.data
    return Client(web, made.json["key"])


async def connect_phone(web: Web) -> int:
    """Connects a phone with two SIMs, of which the first has a number."""
    phone = await known_phone(web.database)
    sims = (Sim(slot=0, number=SIM), Sim(slot=1))
    web.phones.phones.append(OnlinePhone(phone=phone, device_id="pixel-7", name=None, sims=sims))
    return phone


async def sent(web: Web) -> list[Message]:
    """Returns all messages that were accepted, in their order."""

    def op(tx: Any) -> list[Message]:
        org = tx.orgs.get(ORG)
        found, number = [], 1
        while (one := tx.messages.find(org.id, number)) is not None:
            found.append(one)
            number += 1
        return found

    return await web.database.read(op)
