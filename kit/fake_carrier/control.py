"""Steering a fake carrier that runs as a program: `POST /_control`, `GET /_ledger`.

Each order is an object with `do`: `fault` (`faults`: a list of them), `chance` (the fields of
`RandomFaults`), `clear_faults`, `weather` (the fields of `Weather`), `fair_weather`, `settings`
(the fields of `Settings`), `account` (`twilio` or `telnyx`: fields of the account), `opt_out`
and `opt_in` (`ours`, `theirs`), `receive` (`carrier`, `sender`, `recipient`, `text`, `media`,
`url`), `advance` (`message`, `status`).
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs

from kit.fake_carrier.faults import Fault, RandomFaults
from kit.fake_carrier.wire import Answer, Request, json_answer

if TYPE_CHECKING:
    from kit.fake_carrier.carrier import FakeCarrier


class ControlApi:
    """Takes orders over HTTP and hands them to the methods of the same name."""

    def __init__(self, carrier: "FakeCarrier") -> None:
        self._carrier = carrier

    async def answer(self, request: Request) -> Answer:
        match (request.method, request.path):
            case ("GET", "/_ledger"):
                return json_answer(200, self._carrier.ledger.plain())
            case ("GET", "/_accounts"):
                return json_answer(200, self._accounts())
            case ("POST", "/_control"):
                pass
            case _:
                return json_answer(404, {"detail": "POST /_control, GET /_ledger, GET /_accounts"})
        try:
            order = json.loads(request.body)
            result = await self._obey(order.pop("do"), order)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            return json_answer(400, {"detail": f"{type(error).__name__}: {error}"})
        return json_answer(200, {"ok": True, **result})

    def _accounts(self) -> dict[str, Any]:
        """Returns what to write into the gateway's configuration to use this carrier."""
        twilio, telnyx = self._carrier.twilio, self._carrier.telnyx
        return {
            "twilio": {
                "account_sid": twilio.sid,
                "auth_token": twilio.token,
                "numbers": twilio.numbers,
                "messaging_services": twilio.services,
            },
            "telnyx": {
                "api_key": telnyx.api_key,
                "public_key": telnyx.public_key,
                "numbers": telnyx.numbers,
                "messaging_profile_id": telnyx.profile,
            },
        }

    async def _obey(self, do: str, order: dict[str, Any]) -> dict[str, Any]:
        carrier = self._carrier
        match do:
            case "receive":
                sms, calls = await carrier.receive(order.pop("carrier"), **order)
                return {"id": sms.id, "callbacks": [call.plain() for call in calls]}
            case "advance":
                await carrier.advance(order["message"], order["status"])
            case _:
                self._at_once(do, order)
        return {}

    def _at_once(self, do: str, order: dict[str, Any]) -> None:
        carrier = self._carrier
        orders: dict[str, Callable[[], None]] = {
            "fault": lambda: carrier.fault(*(Fault(**each) for each in order["faults"])),
            "chance": lambda: carrier.faults_by_chance(RandomFaults(**order)),
            "clear_faults": carrier.clear_faults,
            "weather": lambda: carrier.weather(**order),
            "fair_weather": carrier.fair_weather,
            "settings": lambda: _change(carrier.settings, order),
            "account": lambda: self._change_accounts(order),
            "opt_out": lambda: carrier.opt_out(order["ours"], order["theirs"]),
            "opt_in": lambda: carrier.opt_in(order["ours"], order["theirs"]),
        }
        if do not in orders:
            raise ValueError(f"no such order: {do}")
        orders[do]()

    def _change_accounts(self, order: dict[str, Any]) -> None:
        _change(self._carrier.twilio, order.get("twilio", {}))
        _change(self._carrier.telnyx, order.get("telnyx", {}))


def _change(thing: Any, changes: dict[str, Any]) -> None:
    known = {field.name for field in attrs.fields(type(thing))} - {"signing_key"}
    for name, value in changes.items():
        if name not in known:
            raise KeyError(name)
        setattr(thing, name, tuple(value) if isinstance(value, list) else value)
