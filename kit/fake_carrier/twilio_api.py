"""Twilio's Messages API of 2010-04-01, as its OpenAPI document and error pages describe it."""

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from kit.fake_carrier import journeys
from kit.fake_carrier import twilio_resources as resources
from kit.fake_carrier.callbacks import Call, twilio_call
from kit.fake_carrier.exchange import Exchange
from kit.fake_carrier.message import Sms
from kit.fake_carrier.twilio_resources import DEFAULT_PAGE, ROOT, VERSION, content_type
from kit.fake_carrier.wire import Answer, Request, json_answer

MAX_BODY = 1600
MAX_MEDIA = 10
MAX_PAGE = 1000
DAY_MS = 86_400_000


class Refused(Exception):
    """The API's own refusal."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(message)


def error_answer(
    status: int, code: int, message: str, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    content = {"code": code, "message": message, "more_info": more, "status": status}
    return json_answer(status, content, headers=headers)


class TwilioApi:
    """Answers requests; each POST of a message that passes puts one SMS on the air."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Refused as refusal:
            asks = (("WWW-Authenticate", 'Basic realm="Twilio API"'),)
            return error_answer(
                refusal.status,
                refusal.code,
                refusal.message,
                asks if refusal.status == 401 else (),
            )

    def _route(self, request: Request) -> Answer:
        account = self._exchange.twilio
        self._authenticate(request)
        place = re.fullmatch(re.escape(ROOT) + r"([^/]+?)(/.*)?\.json", request.path)
        if place is None or place[1] != account.sid:
            raise _not_found(request)
        parts = [part for part in (place[2] or "").split("/") if part]
        match (request.method, parts):
            case ("POST", ["Messages"]):
                return self._create(request)
            case ("GET", ["Messages"]):
                return self._list(request)
            case (_, ["Messages", sid]):
                return self._one(request, self._find(sid, request))
            case ("GET", _):
                return self._read(parts, request)
            case _:
                raise _not_found(request)

    def _read(self, parts: list[str], request: Request) -> Answer:
        account = self._exchange.twilio
        base = f"{ROOT}{account.sid}"
        match parts:
            case []:
                return json_answer(200, resources.account(account))
            case ["IncomingPhoneNumbers" as name]:
                numbers = resources.numbers(account)
                page = resources.only_page(f"{base}/{name}.json", "incoming_phone_numbers", numbers)
                return json_answer(200, page)
            case ["Messages", sid, "Media"]:
                media = resources.media(self._find(sid, request))
                uri = f"{base}/Messages/{sid}/Media.json"
                return json_answer(200, resources.only_page(uri, "media_list", media))
            case ["Messages", sid, "Media", wanted]:
                for medium in resources.media(self._find(sid, request)):
                    if medium["sid"] == wanted:
                        return json_answer(200, medium)
            case _:
                pass
        raise _not_found(request)

    def _authenticate(self, request: Request) -> None:
        scheme, _, credentials = (request.header("authorization") or "").partition(" ")
        try:
            text = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            text = ""
        user, _, password = text.partition(":")
        if scheme.lower() != "basic" or not self._exchange.twilio.opens(user, password):
            raise Refused(401, 20003, "Authenticate")

    def _find(self, sid: str, request: Request) -> Sms:
        sms = self._exchange.of("twilio", sid)
        if sms is None:
            raise _not_found(request)
        return sms

    def _create(self, request: Request) -> Answer:
        account = self._exchange.twilio
        now = self._exchange.now()
        form: dict[str, str] = {}
        media: list[str] = []
        for name, value in request.form:
            if name == "MediaUrl":
                media.append(value)
            else:
                form[name] = value
        recipient, service = form.get("To", ""), form.get("MessagingServiceSid")
        self._check_recipient(recipient)
        sender = form.get("From") or None
        self._check_sender(sender, service)
        text = form.get("Body", "")
        self._check_content(text, media, form)
        chosen = sender or account.numbers[0]
        if (chosen, recipient) in self._exchange.opted_out:
            raise Refused(400, 21610, "Attempt to send to unsubscribed recipient")
        sms = Sms(
            id=("MM" if media else "SM") + uuid4().hex,
            carrier="twilio",
            account=account.sid,
            direction="outbound",
            sender=sender,
            recipient=recipient,
            text=text,
            media=tuple(media),
            status="accepted" if sender is None else "queued",
            journey=journeys.journey_at_twilio(recipient),
            created_ms=now,
            updated_ms=now,
            callback_url=form.get("StatusCallback") or None,
            service=service,
            visible_ms=now + round(self._exchange.settings.listing_delay_s * 1000),
        )
        answer = json_answer(201, resources.message(sms))
        self._exchange.accept(sms)
        return answer

    def _check_recipient(self, recipient: str) -> None:
        if not recipient:
            raise Refused(400, 21604, "A 'To' phone number is required.")
        if recipient in journeys.TWILIO_REFUSED:
            raise Refused(400, *journeys.TWILIO_REFUSED[recipient])
        if not (journeys.NUMBER.fullmatch(recipient) or journeys.SHORT_CODE.fullmatch(recipient)):
            raise Refused(400, 21211, f"Invalid 'To' Phone Number: {recipient}")

    def _check_sender(self, sender: str | None, service: str | None) -> None:
        account = self._exchange.twilio
        if sender is None and service is None:
            raise Refused(400, 21603, "A 'From' phone number is required.")
        if service is not None and service not in account.services:
            raise Refused(404, 20404, f"The requested resource {service} was not found")
        if sender is not None and sender not in account.numbers:
            raise Refused(
                400,
                21606,
                f"The From phone number {sender} is not a valid, SMS-capable inbound phone"
                " number or short code for your account.",
            )

    @staticmethod
    def _check_content(text: str, media: list[str], form: dict[str, str]) -> None:
        if not text and not media:
            raise Refused(400, 21602, "Message body is required.")
        if len(text) > MAX_BODY:
            raise Refused(
                400, 21617, "The concatenated message body exceeds the 1600 character limit."
            )
        if len(media) > MAX_MEDIA:
            raise Refused(400, 21623, "Number of media files exceeds allowed limit.")
        if not all(is_url(url) for url in media):
            raise Refused(400, 21620, "Invalid media URL(s).")
        callback = form.get("StatusCallback")
        if callback and not is_url(callback):
            raise Refused(400, 21609, f"Invalid 'StatusCallback' URL: {callback}")

    def _one(self, request: Request, sms: Sms) -> Answer:
        match request.method:
            case "GET":
                return json_answer(200, resources.message(sms))
            case "DELETE":
                if not sms.final:
                    raise Refused(
                        409, 20009, "Message cannot be deleted: its delivery is not complete."
                    )
                del self._exchange.messages[sms.id]
                return Answer(status=204)
            case "POST":
                form = dict(request.form)
                if form.get("Body") == "":
                    sms.text = ""
                return json_answer(200, resources.message(sms))
            case _:
                raise Refused(405, 20004, "Method not allowed")

    def _list(self, request: Request) -> Answer:
        """Lists the newest first, as Twilio does, in pages by number and token."""
        query = dict(request.query)
        now = self._exchange.now()
        chosen = [
            sms
            for sms in reversed(self._exchange.messages.values())
            if sms.carrier == "twilio" and sms.visible_ms <= now and self._fits(sms, query)
        ]
        size = min(max(_whole(query.get("PageSize"), DEFAULT_PAGE), 1), MAX_PAGE)
        page = max(_whole(query.get("Page"), 0), 0)
        token = query.get("PageToken", "")
        # A token names the last message of the page before, so that new ones shift nothing.
        ids = [sms.id for sms in chosen]
        start = ids.index(token[2:]) + 1 if token[2:] in ids else page * size
        shown = chosen[start : start + size]
        base = f"{ROOT}{self._exchange.twilio.sid}/Messages.json"
        kept = {name: value for name, value in query.items() if name not in _PAGING}

        def uri(**more: Any) -> str:
            return f"{base}?{urlencode({**kept, 'PageSize': size, **more})}"

        more = start + size < len(chosen)
        return json_answer(
            200,
            {
                "first_page_uri": uri(Page=0),
                "end": start + len(shown) - 1 if shown else 0,
                "next_page_uri": (
                    uri(Page=page + 1, PageToken=f"PA{shown[-1].id}") if more else None
                ),
                "page": page,
                "page_size": size,
                "previous_page_uri": uri(Page=page - 1) if page else None,
                "start": start,
                "uri": uri(Page=page),
                "messages": [resources.message(sms) for sms in shown],
            },
        )

    def _fits(self, sms: Sms, query: dict[str, str]) -> bool:
        if query.get("To") not in {None, "", sms.recipient}:
            return False
        if query.get("From") not in {None, "", sms.sender}:
            return False
        dates = {name: query[name] for name in _DATES if query.get(name)}
        if dates and sms.sent_ms is None:
            return self._exchange.settings.unsent_match_dates
        return all(_dated(sms.sent_ms or 0, name, text) for name, text in dates.items())

    def status_call(self, sms: Sms) -> Call | None:
        """Returns the callback for the message's present state."""
        if sms.callback_url is None:
            return None
        fields = {
            "SmsSid": sms.id,
            "SmsStatus": sms.status,
            "MessageStatus": sms.status,
            "To": sms.recipient,
            "MessageSid": sms.id,
            "AccountSid": sms.account,
            "From": sms.sender or "",
            "ApiVersion": VERSION,
        }
        if sms.service is not None:
            fields["MessagingServiceSid"] = sms.service
        if sms.error_code is not None:
            fields["ErrorCode"] = str(sms.error_code)
        if sms.done_ms is not None and sms.status in {"delivered", "undelivered"}:
            done = datetime.fromtimestamp(sms.done_ms / 1000, UTC)
            fields["RawDlrDoneDate"] = f"{done:%y%m%d%H%M}"
        return self._call(sms, sms.status, sms.callback_url, fields)

    def inbound_call(self, sms: Sms, url: str) -> Call:
        """Returns the webhook call for a message that came in."""
        fields = {
            "ToCountry": "US",
            "ToState": "",
            "SmsMessageSid": sms.id,
            "NumMedia": str(len(sms.media)),
            "ToCity": "",
            "FromZip": "",
            "SmsSid": sms.id,
            "FromState": "",
            "SmsStatus": "received",
            "FromCity": "",
            "Body": sms.text,
            "FromCountry": "US",
            "To": sms.recipient,
            "ToZip": "",
            "NumSegments": str(sms.segments),
            "MessageSid": sms.id,
            "AccountSid": sms.account,
            "From": sms.sender or "",
            "ApiVersion": VERSION,
        }
        for index, medium in enumerate(sms.media):
            fields[f"MediaContentType{index}"] = content_type(medium)
            fields[f"MediaUrl{index}"] = medium
        return self._call(sms, "received", url, fields)

    def _call(self, sms: Sms, event: str, url: str, fields: dict[str, str]) -> Call:
        return twilio_call(
            token=self._exchange.twilio.token,
            message=sms.id,
            event=event,
            url=url,
            fields=fields,
        )

    def received(self, *, sender: str, recipient: str, text: str, media: tuple[str, ...]) -> Sms:
        """Returns a message from outside to one of the account's numbers."""
        now = self._exchange.now()
        return Sms(
            id=("MM" if media else "SM") + uuid4().hex,
            carrier="twilio",
            account=self._exchange.twilio.sid,
            direction="inbound",
            sender=sender,
            recipient=recipient,
            text=text,
            media=media,
            status="received",
            created_ms=now,
            updated_ms=now,
            sent_ms=now,
        )


_PAGING = frozenset({"PageSize", "Page", "PageToken"})
_DATES = ("DateSent", "DateSent<", "DateSent>")


def _not_found(request: Request) -> Refused:
    return Refused(404, 20404, f"The requested resource {request.path} was not found")


def is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


def _dated(sent_ms: int, name: str, text: str) -> bool:
    """Tells whether a date fits a filter. Both ends of a range belong to it."""
    first, last = _span(text)
    sent = sent_ms // 1000 * 1000
    match name:
        case "DateSent<":
            return sent <= last
        case "DateSent>":
            return sent >= first
        case _:
            return first <= sent <= last


def _span(text: str) -> tuple[int, int]:
    """The first and the last ms of a day (2026-01-31) or of a second (2026-01-31T10:00:00Z)."""
    try:
        start = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(400, 20001, f"Invalid date: {text}") from error
    if start.tzinfo is None:
        start = start.replace(tzinfo=UTC)
    first = round(start.timestamp() * 1000)
    return (first, first + (DAY_MS if "T" not in text else 1000) - 1)
