"""Telnyx's Messaging API v2, as its OpenAPI document, SDK and error pages describe it."""

import json
import re
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import attrs

from kit.fake_carrier import journeys
from kit.fake_carrier.callbacks import Call, telnyx_call
from kit.fake_carrier.exchange import Exchange
from kit.fake_carrier.message import Sms
from kit.fake_carrier.twilio_api import is_url
from kit.fake_carrier.twilio_resources import content_type
from kit.fake_carrier.wire import Answer, Request, json_answer

ROOT = "/v2/messages"
KEY = re.compile(r"[A-Za-z0-9_:-]{1,255}")
"""An opaque, unquoted Idempotency-Key (Telnyx, API fundamentals, Idempotency)."""

KEY_LIFE_MS = 86_400_000
MAX_MEDIA = 10
STRINGS = ("to", "from", "text", "subject", "type", "webhook_url", "webhook_failover_url")
ECHOED = ("subject", "tags")


class Refused(Exception):
    """The API's own refusal; `pointer` names the offending field."""

    def __init__(
        self, status: int, code: str, title: str, detail: str, pointer: str | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.pointer = pointer
        super().__init__(title)


def error_answer(
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    pointer: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> Answer:
    error: dict[str, Any] = {"code": code, "title": title, "detail": detail}
    if pointer is not None:
        error["source"] = {"pointer": pointer}
    error["meta"] = {"url": f"https://developers.telnyx.com/docs/overview/errors/{code}"}
    return json_answer(status, {"errors": [error]}, headers=headers)


def iso8601(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")


@attrs.frozen
class _Kept:
    """The first answer under an Idempotency-Key."""

    body: bytes
    answer: Answer
    at_ms: int


class TelnyxApi:
    """Answers requests; each POST that passes and is no repeat puts one SMS on the air."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: dict[str, _Kept] = {}

    def answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Refused as refusal:
            return error_answer(
                refusal.status,
                refusal.code,
                refusal.title,
                refusal.detail,
                pointer=refusal.pointer,
            )

    def _route(self, request: Request) -> Answer:
        scheme, _, key = (request.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or key.strip() != self._exchange.telnyx.api_key:
            raise Refused(
                401,
                "10009",
                "Authentication failed",
                "The required authentication headers were either invalid or not included in"
                " the request.",
            )
        path = request.path
        if path == ROOT and request.method == "POST":
            return self._once(request)
        if path.startswith(ROOT + "/") and request.method == "GET":
            sms = self._exchange.of("telnyx", path.removeprefix(ROOT + "/"))
            if sms is not None:
                return json_answer(200, {"data": self.render(sms)})
        raise Refused(
            404,
            "10005",
            "Resource not found",
            "The requested resource or URL could not be found.",
        )

    def _once(self, request: Request) -> Answer:
        """Repeats the answer of a request that succeeded under the same key and body."""
        key = request.header("idempotency-key")
        if key is None:
            return self._create(request)
        if not KEY.fullmatch(key):
            raise _bad("The Idempotency-Key is not 1 to 255 letters, digits, '-', '_' or ':'.")
        now = self._exchange.now()
        kept = self._kept.get(key)
        if kept is not None and now - kept.at_ms < KEY_LIFE_MS:
            if kept.body == request.body:
                return kept.answer
            raise Refused(
                422,
                "10015",
                "Bad Request",
                "The Idempotency-Key was used with another request body.",
            )
        answer = self._create(request)
        self._kept[key] = _Kept(request.body, answer, now)
        return answer

    def _create(self, request: Request) -> Answer:
        account = self._exchange.telnyx
        now = self._exchange.now()
        fields = _fields(request.body)
        media = tuple(fields.get("media_urls") or ())
        sender, profile = fields.get("from"), fields.get("messaging_profile_id")
        self._check(fields, sender, profile, media)
        recipient = fields["to"]
        chosen = sender or account.numbers[0]
        if (chosen, recipient) in self._exchange.opted_out:
            blocked = journeys.TELNYX_REFUSED[journeys.MAGIC + "40300"]
            raise Refused(*blocked)
        sms = Sms(
            id=str(uuid4()),
            carrier="telnyx",
            account=account.organization,
            direction="outbound",
            sender=chosen,
            recipient=recipient,
            text=fields.get("text") or "",
            media=media,
            status="queued",
            journey=journeys.journey_at_telnyx(recipient),
            created_ms=now,
            updated_ms=now,
            callback_url=fields.get("webhook_url"),
            failover_url=fields.get("webhook_failover_url"),
            service=profile or account.profile,
            extra={name: fields[name] for name in ECHOED if name in fields},
        )
        if sms.callback_url is None and fields.get("use_profile_webhooks", True):
            sms.callback_url = account.webhook_url
            sms.failover_url = account.webhook_failover_url
        answer = json_answer(200, {"data": self.render(sms)})
        self._exchange.accept(sms)
        return answer

    def _check(
        self,
        fields: dict[str, Any],
        sender: str | None,
        profile: str | None,
        media: tuple[str, ...],
    ) -> None:
        account = self._exchange.telnyx
        recipient = fields.get("to")
        if not recipient:
            raise _missing("to")
        if not sender and not profile:
            raise _missing("from")
        if not fields.get("text") and not media:
            raise _missing("text")
        if recipient in journeys.TELNYX_REFUSED:
            raise Refused(*journeys.TELNYX_REFUSED[recipient])
        for name in ("to", "from"):
            number = fields.get(name)
            if number and not (
                journeys.NUMBER.fullmatch(number) or journeys.SHORT_CODE.fullmatch(number)
            ):
                raise Refused(
                    400,
                    "10016",
                    "Phone number must be in +E.164 format",
                    "The specified phone number parameter must be in +E.164 format.",
                    f"/{name}",
                )
        if sender and sender not in account.numbers:
            raise Refused(
                400,
                "40305",
                "Invalid 'from' address",
                "The 'from' address should be a number of your account with messaging enabled.",
                "/from",
            )
        if profile and profile != account.profile:
            raise _bad("The messaging profile is unknown.", "/messaging_profile_id")
        if len(media) > MAX_MEDIA or not all(isinstance(url, str) and is_url(url) for url in media):
            raise Refused(
                400,
                "10003",
                "Invalid URL",
                "The URL provided was invalid, malformed, or too long.",
                "/media_urls",
            )

    def render(self, sms: Sms) -> dict[str, Any]:
        """Returns the message with the keys of the API's document."""
        inbound = sms.direction == "inbound"
        errors: list[dict[str, Any]] = []
        if sms.error_code is not None:
            errors = [
                {
                    "code": str(sms.error_code),
                    "title": sms.error_text,
                    "detail": sms.error_text,
                    "meta": {},
                }
            ]
        sent = sms.sent_ms is not None
        cost = {"amount": f"{0.004 * sms.segments:.4f}", "currency": "USD"}
        return {
            "cc": [],
            "completed_at": iso8601(sms.done_ms),
            "cost": cost if sent or inbound else None,
            "cost_breakdown": None,
            "direction": sms.direction,
            "encoding": sms.encoding,
            "errors": errors,
            "from": {
                "carrier": "Telnyx" if not inbound else "T-Mobile USA",
                "line_type": "Wireless",
                "phone_number": sms.sender,
            },
            "id": sms.id,
            "media": [
                {
                    "url": url,
                    "content_type": content_type(url) if inbound else None,
                    "sha256": None,
                    "size": None,
                }
                for url in sms.media
            ],
            "messaging_profile_id": sms.service,
            "organization_id": sms.account,
            "parts": sms.segments,
            "received_at": iso8601(sms.created_ms),
            "record_type": "message",
            "sent_at": iso8601(sms.sent_ms) if not inbound else None,
            "subject": sms.extra.get("subject"),
            "tags": sms.extra.get("tags", []),
            "tcr_campaign_billable": False,
            "tcr_campaign_id": None,
            "tcr_campaign_registered": None,
            "text": sms.text,
            "to": [
                {
                    "carrier": "T-Mobile USA" if not inbound else "Telnyx",
                    "line_type": "Wireless",
                    "phone_number": sms.recipient,
                    "status": sms.status,
                }
            ],
            "type": "MMS" if sms.media else "SMS",
            "valid_until": None if sent or inbound else iso8601(sms.created_ms + 3_600_000),
            "webhook_failover_url": sms.failover_url,
            "webhook_url": sms.callback_url,
        }

    def status_call(self, sms: Sms) -> Call | None:
        """Returns the callback for `sent` or a final state. The states between have no event."""
        if sms.callback_url is None or not (sms.status == "sent" or sms.final):
            return None
        event = "message.finalized" if sms.final else "message.sent"
        urls = (sms.callback_url, sms.failover_url)
        return self._call(sms, event, tuple(url for url in urls if url))

    def inbound_call(self, sms: Sms, url: str) -> Call:
        """Returns the webhook call for a message that came in."""
        urls = (url, self._exchange.telnyx.webhook_failover_url)
        return self._call(sms, "message.received", tuple(each for each in urls if each))

    def _call(self, sms: Sms, event: str, urls: tuple[str, ...]) -> Call:
        return telnyx_call(
            account=self._exchange.telnyx,
            message=sms.id,
            event=sms.status if sms.direction == "outbound" else "received",
            urls=urls,
            data={
                "event_type": event,
                "id": str(uuid4()),
                "occurred_at": iso8601(sms.updated_ms),
                "payload": self.render(sms),
                "record_type": "event",
            },
        )

    def received(self, *, sender: str, recipient: str, text: str, media: tuple[str, ...]) -> Sms:
        """Returns a message from outside to one of the organization's numbers."""
        now = self._exchange.now()
        return Sms(
            id=str(uuid4()),
            carrier="telnyx",
            account=self._exchange.telnyx.organization,
            direction="inbound",
            sender=sender,
            recipient=recipient,
            text=text,
            media=media,
            status="webhook_delivered",
            created_ms=now,
            updated_ms=now,
            service=self._exchange.telnyx.profile,
        )


def _fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise _bad("The request failed because it was not well-formed.")
    # One recipient may also come as a list of one (error page 40310).
    if isinstance(fields.get("to"), list) and len(fields["to"]) == 1:
        fields["to"] = fields["to"][0]
    for name in STRINGS:
        if not isinstance(fields.get(name), str | None):
            raise _bad(f"'{name}' must be a string.", f"/{name}")
    if not isinstance(fields.get("media_urls"), list | None):
        raise _bad("'media_urls' must be a list of URLs.", "/media_urls")
    return fields


def _bad(detail: str, pointer: str | None = None) -> Refused:
    return Refused(400, "10015", "Bad Request", detail, pointer)


def _missing(name: str) -> Refused:
    return Refused(
        422,
        "10004",
        "Missing required parameter",
        f"The required parameter '{name}' is missing.",
        f"/{name}",
    )
