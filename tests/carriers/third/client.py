"""Sending through Acme, as little of it as the contract of a carrier asks for."""

import json
from typing import Any

import trio

from phonegate.carriers import words
from phonegate.carriers.api_client import ApiClient
from phonegate.domain.carrier import (
    CarrierFault,
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)
from tests.carriers.third import PROGRESS


class Acme:
    """One account at Acme."""

    def __init__(self, base_url: str, access_key: str) -> None:
        self._api = ApiClient(base_url)
        self._headers = {"authorization": f"Bearer {access_key}"}

    async def aclose(self) -> None:
        await self._api.aclose()

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        fields = {"from": message.sender, "to": message.recipient, "text": message.body}
        data = await self._ask("POST", "/messages", deadline_s, json.dumps(fields).encode())
        if "error" in data:
            raise CarrierRefusal(CarrierFault(code="acme", text=words.for_people(data["error"])))
        return _message(data)

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        try:
            return _message(await self._ask("GET", f"/messages/{carrier_id}", deadline_s))
        except OutcomeUnknown as error:
            raise NotTaken(error.reason) from None

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        raise OutcomeUnknown("Acme can't be searched")

    async def _ask(
        self, method: str, path: str, deadline_s: float, content: bytes | None = None
    ) -> dict[str, Any]:
        answer = await self._api.ask(
            method,
            path,
            headers=self._headers,
            content=content,
            until=trio.current_time() + deadline_s,
            most_bytes=65_536,
        )
        self._api.demand_verdict(answer)
        data = words.read_json(answer.body)
        if not isinstance(data, dict):
            raise OutcomeUnknown("Acme did not answer with JSON")
        return data


def _message(data: dict[str, Any]) -> CarrierMessage:
    carrier_id, progress = words.as_id(data.get("id")), PROGRESS.get(str(data.get("state")))
    if carrier_id is None or progress is None:
        raise OutcomeUnknown("Acme answered without the message")
    return CarrierMessage(id=carrier_id, progress=progress)
