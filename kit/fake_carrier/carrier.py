"""Both carriers on one port, their messages on their way, and their callbacks."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import attrs
import httpx
import trio

from kit.fake_carrier import telnyx_api, twilio_api, wire
from kit.fake_carrier.accounts import CarrierName, TelnyxAccount, TwilioAccount
from kit.fake_carrier.callbacks import Courier, Weather
from kit.fake_carrier.control import ControlApi
from kit.fake_carrier.exchange import Exchange, Settings
from kit.fake_carrier.faults import Fault, RandomFaults, Trouble
from kit.fake_carrier.ledger import Ledger, SeenRequest, SentCallback
from kit.fake_carrier.message import Sms
from kit.fake_carrier.telnyx_api import TelnyxApi
from kit.fake_carrier.twilio_api import TwilioApi
from kit.fake_carrier.wire import Answer, Request

PATIENCE_S = 15
"""More than any wait of a test takes on a busy machine, unless what it waits for is lost."""

UNTAKEN = frozenset({"rate_limited", "unavailable", "error_before", "cut_before"})
"""Faults under which the carrier never looks at the request."""


class FakeCarrier:
    """Twilio at `/2010-04-01/…`, Telnyx at `/v2/…`, `/_control` and `/_ledger` beside them.

    Everything is kept in memory, and outlives any restart of the gateway in front of it.
    """

    def __init__(
        self,
        *,
        twilio: TwilioAccount | None = None,
        telnyx: TelnyxAccount | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.twilio = twilio or TwilioAccount()
        self.telnyx = telnyx or TelnyxAccount()
        self.settings = settings or Settings()
        self._changed = trio.Event()
        self.ledger = Ledger()
        self.trouble = Trouble()
        self.courier = Courier(self.ledger, self._wake)
        self.base_url = ""
        self._sleep = trio.sleep
        self._exchange = Exchange(
            twilio=self.twilio,
            telnyx=self.telnyx,
            settings=self.settings,
            ledger=self.ledger,
            launch=self._launch,
        )
        self._apis: dict[CarrierName, TwilioApi | TelnyxApi] = {
            "twilio": TwilioApi(self._exchange),
            "telnyx": TelnyxApi(self._exchange),
        }
        self._control = ControlApi(self)
        self._nursery: trio.Nursery | None = None
        self._client: httpx.AsyncClient | None = None

    async def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serves until cancelled. It is started with the base URL."""
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=wire.BACKLOG)
        bound = listeners[0].socket.getsockname()[1]
        self.base_url = f"http://{host}:{bound}"
        async with httpx.AsyncClient(trust_env=False) as client, trio.open_nursery() as nursery:
            self._client, self._nursery = client, nursery
            try:
                await nursery.start(trio.serve_listeners, self._connection, listeners)
                task_status.started(self.base_url)
                await trio.sleep_forever()
            finally:
                self._client = self._nursery = None

    # Trouble

    def fault(self, *faults: Fault) -> None:
        """Scripts trouble for the next requests that fit."""
        self.trouble.script(faults)

    def faults_by_chance(self, plan: RandomFaults) -> None:
        self.trouble.by_chance(plan)

    def clear_faults(self) -> None:
        self.trouble.clear()

    def weather(self, **changes: Any) -> None:
        """Changes how callbacks fare: the fields of `Weather`."""
        self.courier.weather = attrs.evolve(self.courier.weather, **changes)

    def fair_weather(self) -> None:
        self.courier.weather = Weather()

    def opt_out(self, our_number: str, their_number: str) -> None:
        """As if STOP had come from them."""
        self._exchange.opted_out.add((our_number, their_number))

    def opt_in(self, our_number: str, their_number: str) -> None:
        self._exchange.opted_out.discard((our_number, their_number))

    # Messages

    def message(self, message: str) -> Sms | None:
        return self._exchange.messages.get(message)

    async def advance(self, message: str, status: str) -> None:
        """Puts a message into a state and calls back, also against all order."""
        sms = self._exchange.messages[message]
        sms.become(status, self._exchange.now())
        self._wake()
        await self._report(sms, last=sms.final)

    async def receive(
        self,
        carrier: CarrierName,
        *,
        sender: str,
        recipient: str,
        text: str = "",
        media: Iterable[str] = (),
        url: str | None = None,
    ) -> tuple[Sms, list[SentCallback]]:
        """Makes an SMS or MMS come in for one of the account's numbers.

        Its webhook (`url`, or else the account's) is called before this returns; the calls are
        the last attempt of each repeat, and none where there is no webhook.
        """
        api = self._apis[carrier]
        sms = api.received(sender=sender, recipient=recipient, text=text, media=tuple(media))
        self._exchange.receive(sms)
        self._wake()
        target = url or (self.twilio.sms_url if carrier == "twilio" else self.telnyx.webhook_url)
        if target is None or self._client is None:
            return sms, []
        call = api.inbound_call(sms, target)
        return sms, await self.courier.deliver(call, client=self._client)

    async def wait_until(self, true: Callable[[], bool]) -> None:
        """Returns when it holds. It is checked again at each request, state and callback.

        Raises:
            trio.TooSlowError: after `PATIENCE_S`, so that a test fails and does not hang.
        """
        with trio.fail_after(PATIENCE_S):
            while not true():
                await self._changed.wait()

    async def wait_for(self, message: str, *states: str) -> Sms:
        """Returns when the message is in one of the states, or without any in a final one."""
        sms = self._exchange.messages[message]
        await self.wait_until(lambda: sms.status in states if states else sms.final)
        return sms

    async def wait_for_callbacks(self, count: int) -> list[SentCallback]:
        """Returns when that many calls were answered or given up."""
        await self.wait_until(lambda: len(self.ledger.callbacks) >= count)
        return list(self.ledger.callbacks)

    def _launch(self, sms: Sms) -> None:
        assert self._nursery is not None
        self._wake()
        self._nursery.start_soon(self._live, sms)

    async def _live(self, sms: Sms) -> None:
        if sms.status == "accepted":
            await self._step(sms, "queued")
        for status in sms.journey.states:
            await self._step(sms, status)

    async def _step(self, sms: Sms, status: str) -> None:
        if self.settings.step_s is None:
            await trio.sleep_forever()
        else:
            await trio.sleep(self.settings.step_s)
        if sms.final:
            return
        if sms.sender is None:
            sms.sender = self.twilio.numbers[0]
        sms.become(status, self._exchange.now())
        self._wake()
        await self._report(sms, last=status == sms.journey.states[-1])

    async def _report(self, sms: Sms, *, last: bool) -> None:
        call = self._apis[sms.carrier].status_call(sms)
        if call is not None and self._client is not None:
            await self.courier.state(call, last=last, client=self._client)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # Requests

    async def _connection(self, stream: trio.SocketStream) -> None:
        await wire.serve_connection(stream, self._answer)

    async def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/_"):
            return await self._control.answer(request)
        carrier = _carrier_of(request.path)
        if carrier is None:
            return wire.json_answer(404, {"detail": "neither carrier has this path"})
        scope = "read" if request.method == "GET" else "send"
        fault = self.trouble.take(carrier, scope)
        self._wake()
        return await self._with(fault, carrier, request)

    async def _with(self, fault: Fault | None, carrier: CarrierName, request: Request) -> Answer:
        kind = None if fault is None else fault.kind
        if fault is not None and kind == "late_accept":
            await self._sleep(fault.delay_s)
        decided: Answer | None = None
        before = len(self.ledger.accepted)
        if kind not in UNTAKEN:
            decided = self._apis[carrier].answer(request)
        accepted = self.ledger.accepted[-1].id if len(self.ledger.accepted) > before else None
        self.ledger.requests.append(
            SeenRequest(
                at_ms=time.time_ns() // 1_000_000,
                carrier=carrier,
                method=request.method,
                target=request.target,
                headers=request.headers,
                body=request.body,
                raw=request.raw,
                fault=kind,
                status=None if decided is None else decided.status,
                accepted=accepted,
            )
        )
        self._wake()
        if fault is None:
            assert decided is not None
            return decided
        if kind == "slow":
            await self._sleep(fault.delay_s)
        return _spoiled(fault, carrier, decided)


def _carrier_of(path: str) -> CarrierName | None:
    if path.startswith("/2010-04-01/"):
        return "twilio"
    return "telnyx" if path.startswith("/v2/") else None


def _spoiled(fault: Fault, carrier: CarrierName, decided: Answer | None) -> Answer:
    match fault.kind:
        case "rate_limited":
            return _too_many(carrier, fault.retry_after_s)
        case "unavailable":
            return _unavailable(carrier, fault.retry_after_s)
        case "error_before" | "error_after":
            return _broken_inside(carrier)
        case "cut_before" | "cut_after":
            return Answer(status=500, ending="cut")
        case _:
            assert decided is not None
            return _mangled(fault, decided)


def _mangled(fault: Fault, decided: Answer) -> Answer:
    match fault.kind:
        case "truncated":
            return attrs.evolve(decided, ending="truncated")
        case "noise":
            return attrs.evolve(decided, ending="noise")
        case "garbage":
            page = b"<html><body>It works!</body></html>"
            return attrs.evolve(decided, body=page, content_type="text/html")
        case _:
            return decided


def _too_many(carrier: CarrierName, retry_after_s: int) -> Answer:
    wait = (("Retry-After", str(retry_after_s)),)
    if carrier == "twilio":
        return twilio_api.error_answer(429, 20429, "Too Many Requests", wait)
    return telnyx_api.error_answer(
        429,
        "10011",
        "Too many requests",
        "You have exceeded the maximum number of allowed requests.",
        headers=wait,
    )


def _unavailable(carrier: CarrierName, retry_after_s: int) -> Answer:
    wait = (("Retry-After", str(retry_after_s)),)
    if carrier == "twilio":
        return twilio_api.error_answer(503, 20503, "Service unavailable", wait)
    return telnyx_api.error_answer(
        503, "10007", "Unexpected error", "The service is unavailable.", headers=wait
    )


def _broken_inside(carrier: CarrierName) -> Answer:
    if carrier == "twilio":
        return twilio_api.error_answer(500, 20500, "An internal server error has occurred")
    return telnyx_api.error_answer(500, "10007", "Unexpected error", "An unexpected error occured.")
