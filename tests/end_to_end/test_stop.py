"""The orderly stop, and what a restart finds."""

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from kit.gateway import GatewayProcess
from phonegate.cli.service.unit import STOP_S
from tests.patience import PATIENCE_S

ORG = "trial"
SECRET = "trial-secret-key-1"
HEADERS = {"X-Secret-Key": SECRET}


class Phone(threading.Thread):
    """A phone on the `websockets` package that confirms everything, until it is told to go."""

    def __init__(self, gateway: GatewayProcess, name: str) -> None:
        super().__init__(daemon=True)
        self.url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}&device_id={name}"
        self.connected = threading.Event()
        self.close_code: int | None = None

    def run(self) -> None:
        with connect(self.url, additional_headers=HEADERS, open_timeout=PATIENCE_S) as link:
            self.connected.set()
            try:
                for text in link:
                    frame = self.answer(str(text))
                    if frame:
                        link.send(frame)
            except ConnectionClosed:
                pass
        self.close_code = link.close_code

    @staticmethod
    def answer(text: str) -> str | None:
        frame = json.loads(text)
        if frame["type"] != "send_sms":
            return None
        return json.dumps({"type": "send_result", "id": frame["id"], "success": True})


def test_sigterm_under_load_drains(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"
    gateway = GatewayProcess(database, settings={"PACING_SEGMENTS_PER_MINUTE": 0})
    gateway.wait_until_ready()
    phones = [Phone(gateway, f"phone-{n}") for n in range(3)]
    for phone in phones:
        phone.start()
        assert phone.connected.wait(PATIENCE_S)
    answered: list[int] = []
    stopping = threading.Event()
    refused: list[Any] = []

    def load() -> None:
        with httpx.Client(headers=HEADERS) as http:
            while True:
                message = {"to": "+15553334444", "body": "under load"}
                try:
                    answer = http.post(f"{gateway.url}/send/{ORG}", json=message)
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    answered.append(answer.json()["results"][0]["id"])
                elif stopping.is_set():
                    return
                else:
                    refused.append(answer.text)

    clients = [threading.Thread(target=load, daemon=True) for _ in range(4)]
    for client in clients:
        client.start()
    end = time.monotonic() + PATIENCE_S
    while len(answered) < 50 and time.monotonic() < end:
        time.sleep(0.01)
    stopping.set()
    # What its service manager is told to allow.
    assert gateway.stop(STOP_S) == 0
    for thread in (*clients, *phones):
        thread.join(PATIENCE_S)
    assert [phone.close_code for phone in phones] == [1012, 1012, 1012]
    assert refused == []
    with closing(sqlite3.connect(database)) as connection:
        stored = {row[0] for row in connection.execute("SELECT id FROM messages")}
    assert len(answered) >= 50
    assert set(answered) <= stored
    assert not database.with_name("phonegate.db-wal").exists()


def test_messages_survive_restarts_and_reach_the_returning_phone_once(tmp_path: Path) -> None:
    database = tmp_path / "phonegate.db"
    with GatewayProcess(database) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/websocket?org_id={ORG}&device_id=phone"
        with connect(url, additional_headers=HEADERS, open_timeout=PATIENCE_S) as link:
            link.recv()
        sent = httpx.post(
            f"{gateway.url}/send/{ORG}",
            headers=HEADERS,
            json={"to": "+15553334444", "body": "while away"},
        ).json()
        assert sent["device_online"] is False
    with GatewayProcess(database) as gateway:
        phone = Phone(gateway, "phone")
        phone.start()
        number = sent["results"][0]["id"]
        end = time.monotonic() + PATIENCE_S
        status = ""
        while status != "sent" and time.monotonic() < end:
            answer = httpx.get(f"{gateway.url}/messages/{ORG}/id/{number}", headers=HEADERS)
            status = answer.json().get("message", answer.json())["status"]
        assert status == "sent"
