"""The calls of the client, each as an operation: what is asked, again and again where that is safe.

Neither a socket nor a clock is touched here: see `effects`.
"""

import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from typing import Any, Final, TypeVar
from urllib.parse import quote

import attrs

from phonegate.client.answers import understood
from phonegate.client.effects import Answer, Ask, Clock, Found, Operation, Pause, Request, Retrying
from phonegate.client.errors import GatewayError, NotAGateway
from phonegate.client.header_value import is_header_value
from phonegate.client.messages import (
    Cancelled,
    Message,
    Moment,
    Outgoing,
    SendAnswer,
    SmsSent,
    given,
    moment,
    to_send,
)
from phonegate.client.phones import Me, Phone, Sims
from phonegate.client.record import Record
from phonegate.client.retries import ANSWER_S, RETRIES, Patience, Retries
from phonegate.client.webhooks import CalledWebhook, Delivery, NewWebhook, Webhook
from phonegate.model.bounds import MAX_PAGE

R = TypeVar("R", bound=Record)

DEADLINE_S: Final = 90.0
"""Seconds of a call with all its tries: one that is answered late, and the pauses before it."""

SHORTEST_TRY_S: Final = 0.1


@attrs.frozen(kw_only=True)
class Manner:
    """How calls are made.

    `deadline_s` bounds all tries of a call together. None leaves that to `retries` alone.
    """

    retries: Retries = RETRIES
    timeout_s: float = ANSWER_S
    deadline_s: float | None = DEADLINE_S
    dice: Callable[[], float] = random.random


@attrs.define
class OrgName:
    """The OrgId, as soon as it is known."""

    known: str | None


class Calls:
    """The calls of one org at one gateway.

    Args:
        url: The gateway's address.
        org: The OrgId. None: the gateway is asked once for that of the credential.
        manner: How they are made.
    """

    def __init__(self, url: str, org: str | None, manner: Manner) -> None:
        self.url = url.rstrip("/")
        self.manner = manner
        self._org = OrgName(org)

    def in_manner(self, manner: Manner) -> "Calls":
        """Returns the calls of the same org, made otherwise."""
        other = copy(self)
        other.manner = manner
        return other

    # --- What all share -------------------------------------------------------------------------

    def call(self, request: Request, manner: Manner | None = None) -> Operation[dict[str, Any]]:
        """Makes a request, again where that is safe and may help, and returns the JSON answer."""
        manner = manner or self.manner
        patience = Patience(manner.retries, manner.dice)
        tries = 0
        began = now = yield Clock()
        while True:
            timeout_s = manner.timeout_s
            if manner.deadline_s is not None:
                left_s = max(began + manner.deadline_s - now, SHORTEST_TRY_S)
                timeout_s = min(timeout_s, left_s)
            answer: Answer | GatewayError = yield Ask(request, timeout_s)
            tries += 1
            try:
                if isinstance(answer, GatewayError):
                    raise answer
                return understood(answer, request, self.url)
            except GatewayError as error:
                now = yield Clock()
                pause_s = _pause(error, request, patience)
                if pause_s is None or not _is_within(manner, now + pause_s - began):
                    raise
                yield Retrying(error, tries)
                yield Pause(pause_s)
                now = yield Clock()

    def org_id(self, manner: Manner | None = None) -> Operation[str]:
        """Returns the OrgId. The gateway is asked once for that of an API key."""
        if self._org.known is None:
            request = Request(method="GET", path="/me", is_repeatable=True)
            self._org.known = Me.read((yield from self.call(request, manner))).org_id
        return self._org.known

    def in_path(self, path: str, manner: Manner | None = None) -> Operation[str]:
        """Returns a path in which `{org}` stands for the OrgId."""
        if "{org}" not in path:
            return path
        return path.replace("{org}", quote((yield from self.org_id(manner)), safe=""))

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        is_repeatable: bool | None = None,
        manner: Manner | None = None,
    ) -> Operation[dict[str, Any]]:
        """Makes any request. `{org}` in the path stands for the OrgId.

        Raises:
            ValueError: No header can hold the key.
        """
        if not (idempotency_key is None or is_header_value(idempotency_key)):
            raise ValueError(
                f"The idempotency_key {idempotency_key!a} must be printable ASCII, without blanks "
                "around it."
            )
        if is_repeatable is None:
            is_repeatable = method == "GET" or idempotency_key is not None
        request = Request(
            method=method,
            path=(yield from self.in_path(path, manner)),
            query=query or {},
            body=body,
            idempotency_key=idempotency_key,
            is_repeatable=is_repeatable,
        )
        return (yield from self.call(request, manner))

    def _get(self, path: str, **query: Any) -> Operation[dict[str, Any]]:
        return (yield from self.request("GET", path, query=query))

    # --- Messages -------------------------------------------------------------------------------

    def send_all(
        self, messages: Iterable[Outgoing], idempotency_key: str | None
    ) -> Operation[SendAnswer]:
        """Sends messages: all of them, or none."""
        asked = to_send(messages)
        body = asked[0] if len(asked) == 1 else {"messages": asked}
        key = secrets.token_hex(16) if idempotency_key is None else idempotency_key
        answer = yield from self.request("POST", "/send/{org}", body=body, idempotency_key=key)
        return SendAnswer.read(answer)

    def send_from(
        self,
        sender: str,
        to: str,
        body: str,
        *,
        media_urls: Sequence[str],
        ttl: float | None,
        send_at: Moment | None,
        idempotency_key: str | None,
    ) -> Operation[SmsSent]:
        """Sends a message from one of the org's numbers."""
        asked = given(
            from_phone_number=sender,
            to_phone_number=to,
            message=body,
            media_urls=list(media_urls) or None,
            ttl=ttl,
            send_at=moment(send_at),
        )
        key = secrets.token_hex(16) if idempotency_key is None else idempotency_key
        query = {"org_id": self._org.known}
        answer = yield from self.request(
            "POST", "/sms/send", query=query, body=asked, idempotency_key=key
        )
        return SmsSent.read(answer)

    def page(
        self, query: Mapping[str, Any], manner: Manner | None = None
    ) -> Operation[list[Message]]:
        """Reads one page of messages."""
        answer = yield from self.request("GET", "/messages/{org}", query=query, manner=manner)
        return read_all(Message, answer, "messages")

    def message(self, id_: int, manner: Manner | None = None) -> Operation[Message]:
        """Reads a message."""
        path = f"/messages/{{org}}/id/{int(id_)}"
        return read_one(Message, (yield from self.request("GET", path, manner=manner)), "message")

    def cancel(self, id_: int) -> Operation[Cancelled]:
        """Cancels a message that has not left. A second time it is asked, it says the same."""
        path = f"/messages/{{org}}/id/{int(id_)}"
        return Cancelled.read((yield from self.request("DELETE", path, is_repeatable=True)))

    def decide(self, id_: int, decision: str) -> Operation[Message]:
        """Approves or refuses a message that waits for approval."""
        path = f"/messages/{{org}}/id/{int(id_)}/{decision}"
        return read_one(Message, (yield from self.request("POST", path, body={})), "message")

    # --- Phones ---------------------------------------------------------------------------------

    def me(self) -> Operation[Me]:
        """Reads what the credential is."""
        return Me.read((yield from self._get("/me", org_id=self._org.known)))

    def sims(self) -> Operation[Sims]:
        """Reads the SIMs."""
        return Sims.read((yield from self._get("/sims/{org}")))

    def phones(self) -> Operation[list[Phone]]:
        """Reads the phones."""
        return read_all(Phone, (yield from self._get("/phones/{org}")), "phones")

    # --- Webhooks -------------------------------------------------------------------------------

    def webhooks(self) -> Operation[list[Webhook]]:
        """Reads all webhooks."""
        return read_all(Webhook, (yield from self._get("/webhooks/{org}")), "webhooks")

    def webhook(self, id_: int) -> Operation[Webhook]:
        """Reads a webhook."""
        return read_one(Webhook, (yield from self._get(_webhook(id_))), "webhook")

    def add_webhook(self, fields: Mapping[str, Any]) -> Operation[NewWebhook]:
        """Makes a webhook."""
        return NewWebhook.read((yield from self.request("POST", "/webhooks/{org}", body=fields)))

    def change_webhook(self, id_: int, fields: Mapping[str, Any]) -> Operation[Webhook]:
        """Changes some of a webhook's fields."""
        answer = yield from self.request("PATCH", _webhook(id_), body=fields, is_repeatable=True)
        return read_one(Webhook, answer, "webhook")

    def remove_webhook(self, id_: int) -> Operation[None]:
        """Removes a webhook."""
        yield from self.request("DELETE", _webhook(id_))

    def test_webhook(self, id_: int) -> Operation[CalledWebhook]:
        """Calls a webhook with an event made up for the purpose."""
        return CalledWebhook.read((yield from self.request("POST", f"{_webhook(id_)}/test")))

    def rotate_webhook(self, id_: int) -> Operation[NewWebhook]:
        """Gives a webhook another secret."""
        return NewWebhook.read((yield from self.request("POST", f"{_webhook(id_)}/rotate")))

    def enable_webhook(self, id_: int) -> Operation[Webhook]:
        """Has a webhook called again that was disabled."""
        path = f"{_webhook(id_)}/enable"
        answer = yield from self.request("POST", path, is_repeatable=True)
        return read_one(Webhook, answer, "webhook")

    def deliveries(self, id_: int) -> Operation[list[Delivery]]:
        """Reads the latest calls of a webhook."""
        return read_all(
            Delivery, (yield from self._get(f"{_webhook(id_)}/deliveries")), "deliveries"
        )

    def replay(self, id_: int, n: int) -> Operation[None]:
        """Makes a call of a webhook once more."""
        yield from self.request("POST", f"{_webhook(id_)}/deliveries/{int(n)}/replay")


def all_pages(
    calls: Calls, about: Mapping[str, Any], since: int, before: int | None
) -> Operation[None]:
    """Finds all messages that fit some filters, the oldest first."""
    while True:
        bounds = given(since_id=since, before_id=before, limit=MAX_PAGE)
        page = yield from calls.page({**about, **bounds})
        # One that is not full may not be the last: a page holds a bounded number of bytes.
        if not page:
            return
        for message in page:
            yield Found(message)
        since = onward(since, page[-1].id)


def onward(since: int, last: int) -> int:
    """Returns the id after which to read on.

    Raises:
        NotAGateway: It leads nowhere, and the same would be read for ever.
    """
    if last <= since:
        raise NotAGateway("A page of messages does not come after the one before it.")
    return last


def read_one(cls: type[R], answer: Mapping[str, Any], name: str) -> R:
    """Reads the object that stands under a name in an answer."""
    return cls.read(answer.get(name))


def read_all(cls: type[R], answer: Mapping[str, Any], name: str) -> list[R]:
    """Reads the list of objects that stands under a name in an answer."""
    found = answer.get(name)
    if not isinstance(found, list):
        raise NotAGateway(f"An answer has no {name}. Is it a gateway's?")
    return [cls.read(one) for one in found]


def _webhook(id_: int) -> str:
    return f"/webhooks/{{org}}/{int(id_)}"


def _pause(error: GatewayError, request: Request, patience: Patience) -> float | None:
    """Returns how long to wait before a request is made again, or None where it is not to be."""
    if not error.is_transient or not (request.is_repeatable or error.is_untouched):
        return None
    return patience.pause(error.retry_after_s)


def _is_within(manner: Manner, passed_s: float) -> bool:
    return manner.deadline_s is None or passed_s < manner.deadline_s
