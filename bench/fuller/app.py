"""The baseline's endpoints and its phone link."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, HTTPException, Query, WebSocket, WebSocketDisconnect

from bench.fuller.accounts import Accounts
from bench.fuller.models import Item, Send, SmsSend, Webhook
from bench.fuller.phones import Phone, Phones
from bench.fuller.store import Store

DRAIN = 100
"""Queued messages that are taken for a phone at once."""

Secret = Annotated[str | None, Header(alias="X-Secret-Key")]


class Gateway:
    """Everything that the endpoints share."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.accounts = Accounts(store)
        self.phones = Phones()

    async def receive(self, org: int, messages: Sequence[dict[str, Any]]) -> None:
        now = _now()
        rows = [
            (
                org,
                "in",
                message["address"],
                message["body"],
                "received",
                now,
                message.get("sim"),
                message.get("sim_slot"),
                message.get("date"),
            )
            for message in messages
        ]
        async for _ in self.store.insert(rows):
            pass

    async def send(self, org: int, items: Sequence[Item]) -> dict[str, Any]:
        now = _now()
        phones = [self.phones.find(org, item.sim) for item in items]
        rows = [
            (
                org,
                "out",
                item.to,
                item.body,
                "queued" if phone is None else "sending",
                now,
                item.sim if phone is None or not phone.sims else _sim(phone, item.sim),
                None,
                None,
            )
            for item, phone in zip(items, phones, strict=True)
        ]
        ids: list[int] = []
        async for stored in self.store.insert(rows):
            for message in stored:
                row, phone = rows[len(ids)], phones[len(ids)]
                if phone is not None:
                    await phone.push(message, row[2], row[3], row[6])
                ids.append(message)
        return {
            "ok": True,
            "device_online": any(phone is not None for phone in phones),
            "queued": len(ids),
            "results": [
                {"id": message, "to": row[2], "status": row[4]}
                for message, row in zip(ids, rows, strict=True)
            ],
        }

    async def link(self, socket: WebSocket, org_id: str, secret: str | None) -> None:
        try:
            org = await self.accounts.org(org_id, secret, create=True)
        except HTTPException:
            await socket.close()  # before it was accepted: the handshake is refused
            return
        await socket.accept()
        phone = Phone(socket)
        self.phones.join(org, phone)
        try:
            await socket.send_text(json.dumps({"type": "connected", "org_id": org_id}))
            async for text in socket.iter_text():
                await self._frame(org, phone, json.loads(text))
        except WebSocketDisconnect:
            pass
        finally:
            self.phones.leave(org, phone)
            if phone.sims:
                await self.store.requeue(org, phone.numbers)

    async def _frame(self, org: int, phone: Phone, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "sims":
                sims = [
                    {"slot": s["slot"], "number": s["number"], "carrier": s.get("carrier")}
                    for s in frame["sims"]
                ]
                self.phones.report(org, phone, sims)
                await self.store.set_sims(
                    org, [(s["slot"], s["number"], s["carrier"]) for s in sims]
                )
                await self._drain(org, phone)
            case "inbound":
                await self.receive(org, [frame["message"]])
            case "send_result":
                sent = frame["success"]
                await self.store.result(
                    org,
                    frame["id"],
                    "sent" if sent else "failed",
                    _now() if sent else None,
                    frame.get("error"),
                )

    async def _drain(self, org: int, phone: Phone) -> None:
        """Pushes what has waited for this phone."""
        while queued := await self.store.take_queued(org, phone.numbers, DRAIN):
            for row in queued:
                await phone.push(row["id"], row["address"], row["body"], row["sim"])


def build_app(database: Path, *, at_once: int = 1) -> FastAPI:
    """Makes the app on a file. At most `at_once` messages of a call share a commit."""
    holder: list[Gateway] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        store = await Store.open(database, at_once=at_once)
        holder.append(Gateway(store))
        yield
        await store.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {"ok": True}

    @app.post("/webhook")
    async def webhook(body: Webhook, secret: Secret = None) -> dict[str, Any]:
        gateway = holder[0]
        org = await gateway.accounts.org(body.org_id, secret or body.secret_key, create=True)
        await gateway.receive(org, [message.model_dump() for message in body.messages])
        return {"ok": True, "org_id": body.org_id, "stored": len(body.messages)}

    @app.post("/send/{org_id}")
    @app.post("/send/{org_id}/{path_secret}")
    async def send(
        org_id: str, body: Send, path_secret: str | None = None, secret: Secret = None
    ) -> dict[str, Any]:
        gateway = holder[0]
        org = await gateway.accounts.org(org_id, secret or body.secret_key or path_secret)
        return await gateway.send(org, body.items())

    @app.get("/messages/{org_id}")
    @app.get("/messages/{org_id}/{path_secret}")
    async def messages(  # noqa: PLR0917 - FastAPI reads the parameters by name
        org_id: str,
        path_secret: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        since_id: Annotated[int | None, Query(ge=0)] = None,
        direction: Literal["in", "out"] | None = None,
        sim: str | None = None,
        secret: Secret = None,
    ) -> dict[str, Any]:
        gateway = holder[0]
        org = await gateway.accounts.org(org_id, secret or path_secret)
        # An unencoded plus reads as a space.
        number = sim.replace(" ", "+") if sim is not None else None
        page = await gateway.store.page(
            org, limit=limit, since_id=since_id, direction=direction, sim=number
        )
        return {"org_id": org_id, "count": len(page), "messages": page}

    @app.get("/sims/{org_id}")
    @app.get("/sims/{org_id}/{path_secret}")
    async def sims(
        org_id: str, path_secret: str | None = None, secret: Secret = None
    ) -> dict[str, Any]:
        gateway = holder[0]
        org = await gateway.accounts.org(org_id, secret or path_secret)
        online = gateway.phones.online(org)
        return {
            "online_devices": len(online),
            "live_sims": [sim for phone in online for sim in phone.sims],
            "known_sims": await gateway.store.known_sims(org),
        }

    @app.post("/sms/send")
    async def sms_send(body: SmsSend, org_id: str, secret: Secret = None) -> dict[str, Any]:
        gateway = holder[0]
        org = await gateway.accounts.org(org_id, secret)
        number = body.from_phone_number
        known = await gateway.store.known_sims(org)
        if not any(sim["number"] == number for sim in known):
            raise HTTPException(404, f"No assistant found for phone number {number}")
        item = Item.model_construct(to=body.to_phone_number, body=body.message, sim=number)
        sent = (await gateway.send(org, [item]))["results"][0]
        return {
            "success": True,
            "message_id": str(sent["id"]),
            "message": "SMS sent successfully via phone",
            "provider": "phone",
        }

    @app.websocket("/websocket")
    async def websocket(
        socket: WebSocket, org_id: str, secret_key: str | None = None, secret: Secret = None
    ) -> None:
        await holder[0].link(socket, org_id, secret or secret_key)

    return app


def _sim(phone: Phone, sim_selector: str | None) -> str:
    """Returns the number of the SIM that sends."""
    numbers = phone.numbers
    return sim_selector if sim_selector in numbers and sim_selector is not None else numbers[0]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
