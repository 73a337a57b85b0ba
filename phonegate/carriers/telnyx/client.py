"""Sending through Telnyx's messaging API, version 2.

Each message has an Idempotency-Key. For 24 hours Telnyx answers a repeat of the same request under
it with the first answer. Telnyx has no list to find a message in, so what became of a message is
found by repeating its request.
(developers.telnyx.com/docs/development/api-fundamentals/idempotency)
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import trio

from phonegate.carriers import words
from phonegate.carriers.api_client import ApiClient, Response, open_client
from phonegate.carriers.telnyx import terms
from phonegate.domain.carrier import (
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)
from phonegate.model.times import now_ms

GRACE_S = 30.0
"""Seconds after a try before it is repeated, since it may still be under way at Telnyx."""
REMEMBERED_MS = 23 * 3_600_000
"""How long a repeat is safe. Telnyx promises 24 hours. One is kept back for clocks and queues."""
MAX_ANSWER_BYTES = 262_144
"""A message resource has 1 to 30 kB."""

_CONFLICT = 409
_UNPROCESSABLE = 422
_NOT_NOW = frozenset({401, 402, 403, 404})


class Telnyx:
    """One account at Telnyx: a `domain.carrier.Carrier`.

    Args:
        base_url: The address of the API.
        api_key: `KEY…`.
        messaging_profile_id: Named in each send, where given.
        client: Makes the HTTP client.
        now_ms: The wall clock.
        grace_s: In place of `GRACE_S`.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str,
        messaging_profile_id: str | None = None,
        *,
        client: Callable[[], httpx.AsyncClient] = open_client,
        now_ms: Callable[[], int] = now_ms,
        grace_s: float | None = None,
    ) -> None:
        self._api = ApiClient(base_url, client=client, now_ms=now_ms)
        self._api_key = api_key
        self._profile = messaging_profile_id
        self._now_ms = now_ms
        self._grace_ms = round((GRACE_S if grace_s is None else grace_s) * 1000)
        self._headers = {"authorization": f"Bearer {api_key}"}

    def __repr__(self) -> str:
        return "Telnyx()"

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._api.aclose()

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        """As `Carrier.send`."""
        answer = await self._post(message, deadline_s)
        data = words.read_json(answer.body)
        errors = words.at(data, "errors")
        self._demand_verdict(answer, errors)
        if answer.refused:
            if _about_the_key(answer, errors):
                raise OutcomeUnknown(self._refusal(answer, errors))
            otherwise = f"HTTP {answer.status} without a reason"
            secrets = (self._api_key, message.body)
            raise CarrierRefusal(terms.fault(errors, otherwise, secrets))
        return self._taken(answer, data, message)

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.fetch`."""
        try:
            answer = await self._api.ask(
                "GET",
                f"/v2/messages/{quote(carrier_id, safe='')}",
                headers=self._headers,
                until=trio.current_time() + deadline_s,
                most_bytes=MAX_ANSWER_BYTES,
            )
            data = words.read_json(answer.body)
            self._demand_verdict(answer, words.at(data, "errors"))
        except OutcomeUnknown as unknown:
            raise NotTaken(unknown.reason) from None
        if answer.refused:
            errors = words.at(data, "errors")
            if words.as_code(words.at(errors, 0, "code")) == terms.UNKNOWN_MESSAGE:
                return None
            raise NotTaken(self._refusal(answer, errors))
        found = terms.message(words.at(data, "data"), (self._api_key,))
        if found is None:
            raise NotTaken(f"Telnyx answered HTTP {answer.status} without the message")
        return found

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.find`, by repeating the request under its key.

        If Telnyx never had the first request, it takes this one, so there is one message either
        way. If Telnyx refuses it now, it never had the message: it would have answered as before.
        """
        now = self._now_ms()
        if now >= message.accepted_at + REMEMBERED_MS:
            raise OutcomeUnknown("Telnyx may have forgotten by now whether it took the message")
        if message.not_after is not None and now >= message.not_after:
            raise OutcomeUnknown("its time ran out, and asking Telnyx might send it now")
        last_try = message.accepted_at if message.tried_at is None else message.tried_at
        if now < last_try + self._grace_ms:
            raise OutcomeUnknown("the last try may still be under way at Telnyx")
        answer = await self._post(message, deadline_s)
        data = words.read_json(answer.body)
        errors = words.at(data, "errors")
        self._demand_verdict(answer, errors)
        if not answer.refused:
            return self._taken(answer, data, message)
        if answer.status == _UNPROCESSABLE or _about_the_key(answer, errors):
            raise OutcomeUnknown(self._refusal(answer, errors))
        if answer.status in _NOT_NOW and not terms.is_about_message(errors):
            raise NotTaken(self._refusal(answer, errors))
        return None

    async def _post(self, message: Outbound, deadline_s: float) -> Response:
        return await self._api.ask(
            "POST",
            "/v2/messages",
            headers={
                **self._headers,
                "content-type": "application/json",
                "idempotency-key": message.reference,
            },
            content=self._content(message),
            until=trio.current_time() + deadline_s,
            most_bytes=MAX_ANSWER_BYTES,
        )

    def _content(self, message: Outbound) -> bytes:
        """Makes the body: the same bytes for each try, as Telnyx refuses others under the key."""
        fields: dict[str, Any] = {"to": message.recipient, "from": message.sender}
        if message.media_urls:
            fields["media_urls"] = list(message.media_urls)
        if self._profile is not None:
            fields["messaging_profile_id"] = self._profile
        if message.body:
            fields["text"] = message.body
        if message.callback_url is not None:
            fields["webhook_url"] = message.callback_url
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()

    def _taken(self, answer: Response, data: Any, message: Outbound) -> CarrierMessage:
        secrets = (self._api_key, message.body)
        taken = terms.message(words.at(data, "data"), secrets)
        if taken is None:
            raise OutcomeUnknown(f"Telnyx answered HTTP {answer.status} without the message")
        return taken

    def _demand_verdict(self, answer: Response, errors: Any) -> None:
        self._api.demand_verdict(answer, pause_header="x-ratelimit-reset")
        if answer.refused and words.as_code(words.at(errors, 0, "code")) in terms.BUSY_CODES:
            raise NotTaken(self._refusal(answer, errors))

    def _refusal(self, answer: Response, errors: Any) -> str:
        fault = terms.fault(errors, "without a reason", (self._api_key,))
        return f"Telnyx answered HTTP {answer.status}, {fault.code or 'no code'}: {fault.text}"


def _about_the_key(answer: Response, errors: Any) -> bool:
    """Tells whether the key was used for another request, or its first request still runs."""
    if answer.status == _CONFLICT:
        return not terms.is_about_message(errors)
    said = f"{words.at(errors, 0, 'title')} {words.at(errors, 0, 'detail')}"
    return answer.status == _UNPROCESSABLE and "idempoten" in said.lower()
