"""The phones that are connected to the baseline."""

import json
from contextlib import suppress
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect


class Phone:
    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self.sims: list[dict[str, Any]] = []

    @property
    def numbers(self) -> list[str]:
        return [sim["number"] for sim in self.sims]

    async def push(self, message: int, to: str, body: str, sim: str | None) -> None:
        frame = {"type": "send_sms", "id": message, "to": to, "body": body, "sim": sim}
        # A phone that has just left gets the message when it is back.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self.socket.send_text(json.dumps(frame))


class Phones:
    def __init__(self) -> None:
        self._online: dict[int, dict[Phone, None]] = {}
        self._by_number: dict[tuple[int, str], Phone] = {}

    def join(self, org: int, phone: Phone) -> None:
        self._online.setdefault(org, {})[phone] = None

    def leave(self, org: int, phone: Phone) -> None:
        self._online.get(org, {}).pop(phone, None)
        for number in phone.numbers:
            if self._by_number.get((org, number)) is phone:
                del self._by_number[org, number]

    def report(self, org: int, phone: Phone, sims: list[dict[str, Any]]) -> None:
        phone.sims = sims
        for number in phone.numbers:
            self._by_number[org, number] = phone

    def online(self, org: int) -> list[Phone]:
        return list(self._online.get(org, ()))

    def find(self, org: int, sim: str | None) -> Phone | None:
        """Returns the phone that is to send: the SIM's, or the first that is online."""
        if sim is not None and sim.startswith("+"):
            return self._by_number.get((org, sim))
        phones = self._online.get(org, {})
        if sim is None:
            return next(iter(phones), None)
        slot = int(sim)
        return next((p for p in phones if any(s["slot"] == slot for s in p.sims)), None)
