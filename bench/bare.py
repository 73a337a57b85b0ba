"""`python -m bench.bare --port 8081 --database bare.db`: the bare baseline.

The least code that answers the five calls, as a good engineer would write it in an afternoon:
FastAPI, uvicorn (uvloop, httptools) and one aiosqlite connection. A call has one durable commit
(WAL, `synchronous=FULL`) before it is answered or pushed, a batch too. It keeps no accounts (an
org's first call sets its secret, in memory), sends by any phone of the org, has two indexes and
writes no line for a request.
"""

import argparse
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import aiosqlite
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Query, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY, org TEXT NOT NULL, direction TEXT NOT NULL, address TEXT NOT NULL,
    body TEXT NOT NULL, status TEXT NOT NULL, created_at TEXT NOT NULL, sim TEXT,
    sim_slot INTEGER, date INTEGER, sent_at TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_org ON messages (org, id);
CREATE INDEX IF NOT EXISTS messages_open ON messages (org, status)
    WHERE status IN ('queued', 'sending');
"""
COLUMNS = "org, direction, address, body, status, created_at, sim, sim_slot, date"
ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
SHOWN = "id, direction, address, body, status, created_at, sim, sim_slot, date, sent_at"

DRAIN = 500
"""Queued messages that a phone is given at once."""

Row = tuple[str, str, str, str, str, str, str | None, int | None, int | None]
Secret = Annotated[str | None, Header(alias="X-Secret-Key")]


class Received(BaseModel):
    address: str
    body: str
    date: int | None = None
    sim: str | None = None
    sim_slot: int | None = None


class Webhook(BaseModel):
    org_id: str
    secret_key: str | None = None
    messages: list[Received]


class Item(BaseModel):
    to: str
    body: str
    sim: str | None = None


class Send(BaseModel):
    secret_key: str | None = None
    to: str | None = None
    body: str | None = None
    sim: str | None = None
    messages: list[Item] | None = None


class Phone:
    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.sims: list[dict[str, Any]] = []
        self.unreported: set[int] = set()

    async def push(self, message: int, to: str, body: str, sim: str | None) -> None:
        self.unreported.add(message)
        frame = {"type": "send_sms", "id": message, "to": to, "body": body, "sim": sim}
        # A phone that has just left gets the message when it is back.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(json.dumps(frame))


class Gateway:
    db: aiosqlite.Connection

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.phones: dict[str, list[Phone]] = {}

    def check(self, org: str, secret: str | None) -> None:
        if not secret or self.secrets.setdefault(org, secret) != secret:
            raise HTTPException(401, "The org or its secret is wrong.")

    async def insert(self, rows: Sequence[Row]) -> list[int]:
        added = await self.db.execute_fetchall(
            f"INSERT INTO messages ({COLUMNS}) VALUES {', '.join([ROW] * len(rows))} RETURNING id",
            [value for row in rows for value in row],
        )
        await self.db.commit()
        return sorted(row[0] for row in added)

    async def drain(self, org: str, phone: Phone) -> None:
        more = True
        while more:
            rows = await self.db.execute_fetchall(
                "UPDATE messages SET status = 'sending' WHERE id IN (SELECT id FROM messages"
                f" WHERE org = ? AND status = 'queued' ORDER BY id LIMIT {DRAIN})"
                " RETURNING id, address, body, sim",
                (org,),
            )
            await self.db.commit()
            for row in sorted(rows):
                await phone.push(*row)
            more = bool(rows)

    async def result(self, message: int, status: str) -> None:
        await self.db.execute(
            "UPDATE messages SET status = ?, sent_at = ? WHERE id = ?",
            (status, now() if status == "sent" else None, message),
        )
        await self.db.commit()

    async def requeue(self, messages: Sequence[int]) -> None:
        marks = ", ".join("?" * len(messages))
        await self.db.execute(
            f"UPDATE messages SET status = 'queued' WHERE id IN ({marks})", messages
        )
        await self.db.commit()

    async def listen(self, org: str, phone: Phone) -> None:
        async for text in phone.socket.iter_text():
            frame = json.loads(text)
            match frame["type"]:
                case "sims":
                    phone.sims = frame["sims"]
                    await self.drain(org, phone)
                case "send_result":
                    phone.unreported.discard(frame["id"])
                    await self.result(frame["id"], "sent" if frame["success"] else "failed")
                case "inbound":
                    await self.insert([received(org, Received(**frame["message"]))])


def received(org: str, sms: Received) -> Row:
    return org, "in", sms.address, sms.body, "received", now(), sms.sim, sms.sim_slot, sms.date


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


gateway = Gateway()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with aiosqlite.connect(app.state.database) as gateway.db:
        await gateway.db.execute("PRAGMA journal_mode=WAL")
        await gateway.db.execute("PRAGMA synchronous=FULL")
        await gateway.db.executescript(SCHEMA)
        await gateway.db.execute("UPDATE messages SET status = 'queued' WHERE status = 'sending'")
        await gateway.db.commit()
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> dict[str, Any]:
    return {"ok": True}


@app.post("/webhook")
async def webhook(body: Webhook, secret: Secret = None) -> dict[str, Any]:
    gateway.check(body.org_id, secret or body.secret_key)
    await gateway.insert([received(body.org_id, message) for message in body.messages])
    return {"ok": True, "org_id": body.org_id, "stored": len(body.messages)}


@app.post("/send/{org}")
async def send(org: str, body: Send, secret: Secret = None) -> dict[str, Any]:
    gateway.check(org, secret or body.secret_key)
    items = body.messages or [Item(to=body.to or "", body=body.body or "", sim=body.sim)]
    phones = gateway.phones.get(org)
    status, at = "sending" if phones else "queued", now()
    ids = await gateway.insert(
        [(org, "out", i.to, i.body, status, at, i.sim or body.sim, None, None) for i in items]
    )
    for message, item in zip(ids, items, strict=True) if phones else ():
        if phones:
            # They take turns.
            phone = phones[message % len(phones)]
            await phone.push(message, item.to, item.body, item.sim or body.sim)
        else:  # the last has left meanwhile
            await gateway.requeue([message])
    return {
        "ok": True,
        "device_online": bool(phones),
        "queued": len(ids),
        "results": [
            {"id": message, "to": item.to, "status": status}
            for message, item in zip(ids, items, strict=True)
        ],
    }


@app.get("/messages/{org}")
async def messages(
    org: str,
    *,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    since_id: int | None = None,
    direction: str | None = None,
    sim: str | None = None,
    secret: Secret = None,
) -> dict[str, Any]:
    gateway.check(org, secret)
    order = "DESC" if since_id is None else "ASC"
    where, values = "org = ? AND id > ?", [org, since_id or 0]
    if direction is not None:
        where, values = f"{where} AND direction = ?", [*values, direction]
    if sim is not None:
        where, values = f"{where} AND sim = ?", [*values, sim]
    rows = await gateway.db.execute_fetchall(
        f"SELECT {SHOWN} FROM messages WHERE {where} ORDER BY id {order} LIMIT {limit}", values
    )
    names = SHOWN.split(", ")
    page = [dict(zip(names, row, strict=True)) for row in rows]
    return {
        "org_id": org,
        "count": len(page),
        "messages": page[::-1] if since_id is None else page,
    }


@app.get("/sims/{org}")
async def sims(org: str, secret: Secret = None) -> dict[str, Any]:
    gateway.check(org, secret)
    online = gateway.phones.get(org, [])
    return {
        "online_devices": len(online),
        "live_sims": [sim for phone in online for sim in phone.sims],
    }


@app.websocket("/websocket")
async def websocket(socket: WebSocket, org_id: str, secret_key: str) -> None:
    try:
        gateway.check(org_id, secret_key)
    except HTTPException:
        await socket.close()  # before it was accepted: the handshake is refused
        return
    await socket.accept()
    await socket.send_json({"type": "connected", "org_id": org_id})
    phone = Phone(socket)
    gateway.phones.setdefault(org_id, []).append(phone)
    try:
        await gateway.listen(org_id, phone)
    except WebSocketDisconnect:
        pass
    finally:
        gateway.phones[org_id].remove(phone)
        await gateway.requeue(list(phone.unreported))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bare", description=__doc__)
    parser.add_argument("--port", type=int, default=8081)
    parser.add_argument("--database", type=Path, default=Path("bare.db"))
    chosen = parser.parse_args()
    app.state.database = chosen.database
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=chosen.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
    )


if __name__ == "__main__":
    main()
