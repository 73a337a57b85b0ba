"""A client of the third-party API, in one process with the gateway."""

import base64
from typing import Any

import attrs

from phonegate.domain.dispatch import OnlinePhone
from phonegate.model.phones import Sim
from phonegate.store.tables import Tables
from tests.api.conftest import NOW, ORG, SECRET, Reply, Web

BASE = "/api/3rdparty/v1"


def basic(user: str, password: str) -> dict[str, str]:
    """The header of a user and a password."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {pair}"}


@attrs.define
class Client:
    """Calls as a program does that was given an address, a user and a password."""

    web: Web
    base: str = BASE
    headers: dict[str, str] = attrs.field(factory=lambda: basic(ORG, SECRET))

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        return await self.web.call(
            method, f"{self.base}{path}", body, secret=None, headers={**self.headers, **headers}
        )

    async def send(self, *numbers: str, text: str = "Hello", **more: Any) -> Reply:
        body = {"phoneNumbers": list(numbers), "textMessage": {"text": text}, **more}
        return await self.call("POST", "/messages", body)

    async def sent(self, *numbers: str, **more: Any) -> dict[str, Any]:
        """What is answered to a message that is accepted."""
        reply = await self.send(*(numbers or ("+15553334444",)), **more)
        assert reply.status == 202, reply.data
        found: dict[str, Any] = reply.json
        return found


async def online_phone(web: Web, *, number: str | None = "+15551112222") -> int:
    """Connects a phone with a SIM."""

    def add(tx: Tables) -> int:
        org = tx.orgs.get(ORG)
        assert org is not None
        phone = tx.phones.connect(org.id, "pixel-7", NOW - 60_000).id
        tx.phones.report_sims(org.id, phone, [Sim(slot=0, number=number)], NOW - 60_000)
        return phone

    phone = await web.database.write(add)
    sims = (Sim(slot=0, number=number, phone=phone),)
    web.phones.phones.append(OnlinePhone(phone=phone, device_id="pixel-7", name=None, sims=sims))
    return phone
