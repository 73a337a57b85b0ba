"""The carriers' calls to webhooks: signed as each of them signs, and troubled on demand."""

import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import attrs
import httpx
import trio

from kit.fake_carrier.accounts import CarrierName, TelnyxAccount
from kit.fake_carrier.ledger import Ledger, SentCallback

TWILIO_PATIENCE_S = 15.0
"""How long Twilio waits for an answer."""

TELNYX_PATIENCE_S = 2.0
"""How long Telnyx waits for an answer."""

TELNYX_ATTEMPTS = 3
"""For each URL; then the failover URL has its turn."""

CALLS_AT_ONCE = 16


@attrs.frozen(kw_only=True)
class Weather:
    """How callbacks fare on their way.

    Each is sent `repeat` more times; `delay_s` passes before each; `shuffle` (a seed) holds a
    message's callbacks until its last state and sends them in an order by chance; `drop` sends
    none. `retry_pause_s` lies between Telnyx's attempts.
    """

    repeat: int = 0
    delay_s: float = 0.0
    shuffle: int | None = None
    drop: bool = False
    retry_pause_s: float = 0.05


@attrs.frozen(kw_only=True)
class Call:
    """A webhook call to make."""

    carrier: CarrierName
    message: str
    event: str
    urls: tuple[str, ...]
    """The first, and the one to try when it fails."""
    body: bytes
    headers: tuple[tuple[str, str], ...]
    """Without the signature, which belongs to each attempt at Telnyx."""
    secret: str | TelnyxAccount


def twilio_signature(token: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """HMAC-SHA1 over the URL and the sorted names and values, in base64."""
    text = url + "".join(name + value for name, value in sorted(set(params)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def twilio_call(
    *, token: str, message: str, event: str, url: str, fields: Mapping[str, str]
) -> Call:
    signed = (("X-Twilio-Signature", twilio_signature(token, url, fields.items())),)
    return Call(
        carrier="twilio",
        message=message,
        event=event,
        urls=(url,),
        body=urlencode(fields).encode(),
        headers=(
            ("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("User-Agent", "TwilioProxy/1.1"),
            ("Accept", "*/*"),
            ("I-Twilio-Idempotency-Token", str(uuid4())),
            *signed,
        ),
        secret=token,
    )


def telnyx_call(
    *,
    account: TelnyxAccount,
    message: str,
    event: str,
    urls: tuple[str, ...],
    data: dict[str, Any],
) -> Call:
    return Call(
        carrier="telnyx",
        message=message,
        event=event,
        urls=urls,
        body=json.dumps({"data": data}).encode(),
        headers=(("Content-Type", "application/json"), ("User-Agent", "telnyx-webhooks")),
        secret=account,
    )


class Courier:
    """Makes the calls and notes each in the ledger. One for each fake carrier."""

    def __init__(self, ledger: Ledger, noted: Callable[[], None]) -> None:
        """`noted` is called after each entry in the ledger."""
        self.weather = Weather()
        self._ledger = ledger
        self._noted = noted
        self._limit = trio.CapacityLimiter(CALLS_AT_ONCE)
        self._held: dict[str, list[Call]] = {}

    async def state(self, call: Call, *, last: bool, client: httpx.AsyncClient) -> None:
        """Reports a state. One that is held back is sent with the last."""
        if self.weather.shuffle is None:
            await self.deliver(call, client=client)
            return
        held = self._held.setdefault(call.message, [])
        held.append(call)
        if last:
            del self._held[call.message]
            random.Random(self.weather.shuffle).shuffle(held)
            for each in held:
                await self.deliver(each, client=client)

    async def deliver(self, call: Call, *, client: httpx.AsyncClient) -> list[SentCallback]:
        """Makes the call as often as the weather says. Returns the last attempt of each."""
        if self.weather.drop:
            return []
        results = []
        for _ in range(1 + self.weather.repeat):
            await trio.sleep(self.weather.delay_s)
            async with self._limit:
                results.append(await self._until_answered(call, client))
        return results

    async def _until_answered(self, call: Call, client: httpx.AsyncClient) -> SentCallback:
        attempts = TELNYX_ATTEMPTS if call.carrier == "telnyx" else 1
        number = 0
        for url in call.urls:
            for _ in range(attempts):
                number += 1
                sent = await self._once(call, url, number, client)
                if sent.status is not None and 200 <= sent.status < 300:
                    return sent
                if call.carrier == "telnyx":
                    await trio.sleep(self.weather.retry_pause_s)
        return sent

    async def _once(
        self, call: Call, url: str, attempt: int, client: httpx.AsyncClient
    ) -> SentCallback:
        headers, body = call.headers, call.body
        patience = TWILIO_PATIENCE_S
        if isinstance(call.secret, TelnyxAccount):
            patience = TELNYX_PATIENCE_S
            content = {**json.loads(body), "meta": {"attempt": attempt, "delivered_to": url}}
            body = json.dumps(content).encode()
            stamp = str(int(time.time()))
            signature = call.secret.signing_key.sign(stamp.encode() + b"|" + body)
            headers = (
                *headers,
                ("telnyx-timestamp", stamp),
                ("telnyx-signature-ed25519", base64.b64encode(signature).decode()),
            )
        sent = SentCallback(
            at_ms=time.time_ns() // 1_000_000,
            carrier=call.carrier,
            message=call.message,
            event=call.event,
            url=url,
            headers=headers,
            body=body,
            attempt=attempt,
        )
        try:
            with trio.fail_after(patience):
                answer = await client.post(url, content=body, headers=list(headers))
        except (httpx.HTTPError, httpx.InvalidURL, trio.TooSlowError) as error:
            sent = attrs.evolve(sent, error=type(error).__name__)
        else:
            sent = attrs.evolve(sent, status=answer.status_code, answer=answer.content)
        self._ledger.callbacks.append(sent)
        self._noted()
        return sent
