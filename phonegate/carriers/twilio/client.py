"""Sending through Twilio's Messages resource, version 2010-04-01.

Twilio takes no idempotency key there. A message whose request left without an answer is looked for
among the account's messages. Requests carry what Twilio's own library sends, field by field.
"""

import base64
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import trio

from phonegate.carriers import words
from phonegate.carriers.api_client import ApiClient, Response, open_client
from phonegate.carriers.twilio import terms
from phonegate.domain.carrier import (
    CarrierMessage,
    CarrierRefusal,
    NotTaken,
    Outbound,
    OutcomeUnknown,
)
from phonegate.model.times import now_ms

GRACE_S = 60.0
"""Seconds after a try in which its message may still appear in the list: a request that was cut off
may wait in a queue of Twilio's, and lists lag behind."""
CLOCK_SKEW_MS = 300_000
"""How much older than its first try a message may seem, beyond what the Date of Twilio's answer
explains. Clocks differ, and home servers may have no battery for theirs."""
PAGE_SIZE = 500
MAX_PAGES = 20
"""Pages read of a list. After 10 000 messages between two numbers the search is given up."""
MAX_ANSWER_BYTES = 65_536
"""A message resource has 1 to 10 kB."""
MAX_PAGE_BYTES = 8_388_608
"""500 messages of 1600 characters, all of them written as `\\uXXXX`."""

_TRIAL = re.compile(r"sent from your twilio trial account\s*-\s*", re.IGNORECASE)
_PLAINER = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
    }
)


class Twilio:
    """One account at Twilio: a `domain.carrier.Carrier`.

    Args:
        base_url: The address of the API.
        account_sid: `AC…`.
        auth_token: The account's secret.
        messaging_service_sid: `MG…`. Where given, messages go through this service.
        client: Makes the HTTP client.
        now_ms: The wall clock.
        grace_s: In place of `GRACE_S`.
    """

    def __init__(
        self,
        base_url: str,
        account_sid: str,
        auth_token: str,
        messaging_service_sid: str | None = None,
        *,
        client: Callable[[], httpx.AsyncClient] = open_client,
        now_ms: Callable[[], int] = now_ms,
        grace_s: float | None = None,
    ) -> None:
        self._api = ApiClient(base_url, client=client, now_ms=now_ms)
        self._account_sid = account_sid
        self._secrets = (auth_token, account_sid)
        self._service = messaging_service_sid
        self._now_ms = now_ms
        self._grace_ms = round((GRACE_S if grace_s is None else grace_s) * 1000)
        pair = f"{account_sid}:{auth_token}".encode()
        self._headers = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
        self._folder = f"/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages"

    def __repr__(self) -> str:
        return f"Twilio(account_sid='…{self._account_sid[-4:]}')"

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._api.aclose()

    async def send(self, message: Outbound, *, deadline_s: float) -> CarrierMessage:
        """As `Carrier.send`."""
        answer = await self._api.ask(
            "POST",
            f"{self._folder}.json",
            headers={**self._headers, "content-type": "application/x-www-form-urlencoded"},
            content=urlencode(self._fields(message)).encode(),
            until=trio.current_time() + deadline_s,
            most_bytes=MAX_ANSWER_BYTES,
        )
        data = words.read_json(answer.body)
        self._demand_verdict(answer, data)
        if answer.refused:
            secrets = (*self._secrets, message.body)
            said = words.at(data, "message") or f"HTTP {answer.status} without a reason"
            raise CarrierRefusal(terms.fault(words.at(data, "code"), said, secrets))
        taken = terms.message(data, (*self._secrets, message.body))
        if taken is None:
            raise OutcomeUnknown(f"Twilio answered HTTP {answer.status} without the message")
        return taken

    async def fetch(self, carrier_id: str, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.fetch`."""
        try:
            answer = await self._api.ask(
                "GET",
                f"{self._folder}/{quote(carrier_id, safe='')}.json",
                headers=self._headers,
                until=trio.current_time() + deadline_s,
                most_bytes=MAX_ANSWER_BYTES,
            )
            data = words.read_json(answer.body)
            self._demand_verdict(answer, data)
        except OutcomeUnknown as unknown:
            raise NotTaken(unknown.reason) from None
        if answer.refused:
            if words.as_code(words.at(data, "code")) == terms.UNKNOWN_MESSAGE:
                return None
            raise NotTaken(self._refusal(answer, data))
        found = terms.message(data, self._secrets)
        if found is None:
            raise NotTaken(f"Twilio answered HTTP {answer.status} without the message")
        return found

    async def find(self, message: Outbound, *, deadline_s: float) -> CarrierMessage | None:
        """As `Carrier.find`, by reading the list of messages between the two numbers.

        The list is not narrowed by `DateSent`, since a message that still waits at Twilio has no
        such date. It is certain that Twilio does not have the message only when the whole list was
        read, `GRACE_S` after the last try.
        """
        asked_at = self._now_ms()
        until = trio.current_time() + deadline_s
        search = _Search(message)
        query = {"To": message.recipient, "PageSize": str(PAGE_SIZE)}
        if self._service is None:
            # A message of a service may have no sender yet.
            query["From"] = message.sender
        path = f"{self._folder}.json?{urlencode(query)}"
        for _ in range(MAX_PAGES):
            data, date = await self._page(path, until)
            if date is not None:
                search.ahead_ms = max(search.ahead_ms, self._now_ms() - date)
            for entry in data["messages"]:
                search.consider(entry)
            following = data.get("next_page_uri")
            if following is None:
                break
            if not isinstance(following, str) or not following.startswith(f"{self._folder}.json?"):
                raise OutcomeUnknown("Twilio's list of messages goes on at a strange address")
            path = following
        else:
            raise OutcomeUnknown(f"no end of Twilio's list after {MAX_PAGES * PAGE_SIZE} messages")
        if search.best is not None:
            return terms.message(search.best, (*self._secrets, message.body))
        if search.doubtful:
            raise OutcomeUnknown("Twilio has a message that may be this one, without its text")
        last_try = message.accepted_at if message.tried_at is None else message.tried_at
        if asked_at < last_try + self._grace_ms:
            raise OutcomeUnknown("Twilio does not list the message, and still may")
        return None

    async def _page(self, path: str, until: float) -> tuple[dict[str, Any], int | None]:
        """Reads a page of the list, and the Date that Twilio gives it."""
        answer = await self._api.ask(
            "GET", path, headers=self._headers, until=until, most_bytes=MAX_PAGE_BYTES
        )
        data = words.read_json(answer.body)
        self._demand_verdict(answer, data)
        if answer.refused:
            raise NotTaken(self._refusal(answer, data))
        if not isinstance(words.at(data, "messages"), list):
            raise OutcomeUnknown(f"Twilio answered HTTP {answer.status} without a list")
        listed: dict[str, Any] = data
        return listed, words.from_rfc2822(answer.headers.get("date"))

    def _demand_verdict(self, answer: Response, data: Any) -> None:
        self._api.demand_verdict(answer)
        if answer.refused and words.as_code(words.at(data, "code")) in terms.BUSY_CODES:
            raise NotTaken(self._refusal(answer, data))

    def _refusal(self, answer: Response, data: Any) -> str:
        fault = terms.fault(words.at(data, "code"), words.at(data, "message"), self._secrets)
        return f"Twilio answered HTTP {answer.status}, {fault.code or 'no code'}: {fault.text}"

    def _fields(self, message: Outbound) -> list[tuple[str, str]]:
        fields = [("To", message.recipient)]
        if message.callback_url is not None:
            fields.append(("StatusCallback", message.callback_url))
        fields.append(("From", message.sender))
        if self._service is not None:
            # The service's settings apply, and the sender is the one asked for, of its pool.
            fields.append(("MessagingServiceSid", self._service))
        if message.body:
            fields.append(("Body", message.body))
        return fields + [("MediaUrl", url) for url in message.media_urls]


class _Search:
    """Picks one message out of a list: the oldest of those that match best."""

    def __init__(self, wanted: Outbound) -> None:
        self._wanted = wanted
        self._essence = _essence(wanted.body)
        self.ahead_ms = 0
        """How far our clock is ahead of Twilio's, in ms."""
        self._rank: tuple[bool, int] | None = None
        self.best: dict[str, Any] | None = None
        self.doubtful = False

    def consider(self, entry: Any) -> None:
        found = terms.message(entry)
        if (
            found is None
            or found.id in self._wanted.others
            or str(entry.get("direction", "")).startswith("inbound")
            or (entry.get("from") or self._wanted.sender) != self._wanted.sender
        ):
            return
        created, text = words.from_rfc2822(entry.get("date_created")), entry.get("body")
        since = self._wanted.accepted_at - self.ahead_ms - CLOCK_SKEW_MS
        if created is not None and created < since:
            return
        if created is None or not isinstance(text, str) or (self._essence and not text):
            # An account may have Twilio delete the texts of messages.
            self.doubtful = True
        elif _essence(text) == self._essence:
            rank = (text != self._wanted.body, created)
            if self._rank is None or rank < self._rank:
                self._rank, self.best = rank, entry


def _essence(body: str) -> str:
    """Reduces a text to what Twilio leaves unchanged: no trial prefix, no typographic quotes."""
    plain = unicodedata.normalize("NFKC", _TRIAL.sub("", body, count=1).translate(_PLAINER))
    return "".join(plain.split())
