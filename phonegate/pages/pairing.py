"""The page of a one-time link, on the phone that is to be paired, and what its script asks for."""

import re
import shlex
from typing import Annotated, Any, Final

import attrs

from phonegate.api.address import own_address
from phonegate.api.endpoint import Answer, Call, Endpoint, Request
from phonegate.api.rules import Recipient
from phonegate.api.smsgate_api import BASES
from phonegate.bind_address import leads_to_loopback
from phonegate.domain.pairing import MOST_TESTS, UNNAMED, Pairing, PairingLink, PairingState
from phonegate.http.refusals import CODES
from phonegate.model.messages import Message
from phonegate.model.refusals import Gone, NotFound
from phonegate.model.states import (
    CANCELLED,
    DELIVERED,
    EXPIRED,
    FAILED,
    QUEUED,
    SENDING,
    SENT,
    UNCERTAIN,
)
from phonegate.pages.forwarding_apps import APPS
from phonegate.pages.own_authority import PATH as CA_PATH
from phonegate.pages.own_authority import AuthorityPages
from phonegate.pages.policies import HTML, PAGE_POLICY
from phonegate.pages.printer import Printer
from phonegate.typed_json.fields import field

GROUP: Final = "pairing"

COOKIE: Final = "pairing"
"""What a browser shows that has opened a link. Its path is that of the link."""

POLICY: Final = f"{PAGE_POLICY}; connect-src 'self'"

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")

_WORDS: Final = {
    QUEUED: "Waiting for its turn at the phone.",
    SENDING: "Handed to the phone. Waiting for the phone to say that it was sent.",
    SENT: "Sent by the phone. Waiting for it to come back.",
    DELIVERED: "Delivered. Waiting for the phone to pass it on.",
    FAILED: "Not sent",
    EXPIRED: "It could not leave in time, and was given up.",
    CANCELLED: "It was cancelled.",
    UNCERTAIN: "The phone took it, and did not say whether it was sent.",
}
"""What each state of the test SMS means to the person who waits for it."""


@attrs.frozen(kw_only=True)
class PairingPage:
    """The page itself, as HTML."""


@attrs.frozen(kw_only=True)
class TestOrder:
    """Where to send the test SMS."""

    number: Annotated[str, Recipient()] = field(
        "The phone's own number.", example="+15551112222", private=True
    )


@attrs.frozen(kw_only=True)
class PairingStateJson:
    """How far the pairing is, in words for the page."""

    ok: bool = field("Always true.", default=True)
    ends_in_s: int = field("Seconds until the link ends.")
    online: bool = field("Whether the phone is connected.")
    forwards: bool = field("Whether an app that only forwards has called, and no phone connected.")
    phone: str = field("What is known of the phone, in words.")
    hint: str | None = field("What its owner should do, in a sentence.")
    number: str | None = field("The number of its first SIM, where that is known.", private=True)
    test: str | None = field("What became of the test SMS, in words. None before there is one.")
    test_failed: bool = field("Whether the test SMS will not be sent any more.")
    tests_left: int = field("Test SMS that this link may still send.")
    left: str = field("How many these are and what they need, in words.")
    received: bool = field("Whether the text of the test has come in.")


@attrs.frozen
class PairingPages:
    """The endpoints of one-time links.

    Args:
        pairing: The links.
        public_url: The address of the gateway, where its owner has set one.
        printer: Makes pages of templates.
        authority: The gateway's own authority, which a phone may have to trust first.
    """

    _pairing: Pairing
    _public_url: str
    _printer: Printer
    _authority: AuthorityPages

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Returns them for the main server. The documents of the API don't name them."""
        return (
            _endpoint("GET", "/pair/{token}", self.open, PairingPage, media=HTML),
            _endpoint("GET", "/pair/{token}/state", self.state, PairingStateJson),
            _endpoint(
                "POST", "/pair/{token}/test", self.send_test, PairingStateJson, body=TestOrder
            ),
        )

    async def open(self, call: Call) -> Answer:
        """Shows the page of a link, in the browser that opened it first."""
        request, token = call.request, call.path["token"]
        if request.method == "HEAD":
            # Programs look at links in this way before a person does.
            return Answer(content=b"", media=HTML, headers=_headers())
        try:
            link, shown = self._pairing.open(token, _cookie(request))
            try:
                return await self._page(call, link, shown)
            except BaseException:
                if shown is not None:
                    self._pairing.close(link)
                raise
        except (NotFound, Gone) as refused:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            text = self._printer.page(
                "pairing_refused.html",
                request,
                detail=refused.detail,
                elsewhere=isinstance(refused, Gone),
            )
            status = CODES[refused.code].status
            return Answer(status=status, content=text, media=HTML, headers=_headers())

    async def _page(self, call: Call, link: PairingLink, shown: str | None) -> Answer:
        request = call.request
        state = await self._pairing.state(link)
        base = link.url or own_address(
            self._public_url,
            "https" if request.secure else "http",
            request.headers.get("host", ""),
            request.prefix,
        )
        text = self._printer.page(
            "pairing.html",
            request,
            link=link,
            base=base,
            shell_base=shlex.quote(base),
            socket="ws" + base.removeprefix("http"),
            app_path=BASES[0],
            plain=base.startswith("http:") and not leads_to_loopback(base),
            apps=[app.filled(url=base, key=link.key, phone=_slug(link)) for app in APPS],
            checksum=await self._authority.checksum() if base.startswith("https:") else None,
            shell_ca=shlex.quote(f"{base}{CA_PATH}"),
            shell_org=shlex.quote(link.org_name),
            state=_shown(link, state, call.services.now_ms()),
        )
        cookie = () if shown is None else (_set_cookie(call, link, shown),)
        return Answer(content=text, media=HTML, headers=(*_headers(), *cookie))

    async def state(self, call: Call) -> Answer:
        """Tells how far the pairing is."""
        link = self._pairing.find(call.path["token"], _cookie(call.request))
        state = await self._pairing.state(link)
        return Answer(content=_shown(link, state, call.services.now_ms()))

    async def send_test(self, call: Call) -> Answer:
        """Sends a test SMS from the phone to a number."""
        link = self._pairing.find(call.path["token"], _cookie(call.request))
        await self._pairing.send_test(link, call.body.number)
        state = await self._pairing.state(link)
        return Answer(content=_shown(link, state, call.services.now_ms()))


def _shown(link: PairingLink, state: PairingState, now: int) -> PairingStateJson:
    test = state.test
    failed = test is not None and test.status in {FAILED, EXPIRED, CANCELLED}
    return PairingStateJson(
        ends_in_s=max(0, (link.expires_at - now) // 1000),
        online=state.online,
        forwards=_only_forwards(state),
        phone=_described(state),
        hint=None if state.phone is None else state.phone.hint,
        number=next(iter(state.numbers), None),
        test=_tested(state),
        test_failed=failed,
        tests_left=MOST_TESTS - link.tests,
        left=_left(link, state),
        received=state.received,
    )


def _only_forwards(state: PairingState) -> bool:
    return state.forwards and state.phone is None


def _described(state: PairingState) -> str:
    if _only_forwards(state):
        return "An app that forwards has called. It passes on what comes in, and can't send."
    if state.phone is None:
        return "Waiting for the phone to connect."
    phone = state.phone
    name = phone.given_name or phone.name or phone.model or "The phone"
    if not state.online:
        return f"{name} was here, and is not connected now."
    if state.kept_name:
        return f"The phone is connected. It is already known as {name}, and keeps that name."
    return f"{name} is connected."


def _tested(state: PairingState) -> str | None:
    """Returns what the test has shown: a text that came in may have come from another phone."""
    sent = None if state.test is None else _in_words(state.test)
    if not state.received:
        return sent
    if state.test is not None and state.test.status in {SENT, DELIVERED}:
        return "It did: this phone sends and receives."
    came = "It came in: this phone receives."
    return came if sent is None else f"{came} Its own test SMS: {sent}"


def _in_words(test: Message) -> str:
    words = _WORDS[test.status]
    if test.status == FAILED:
        return f"{words}: {test.error.rstrip('.')}." if test.error else f"{words}."
    return words


def _left(link: PairingLink, state: PairingState) -> str:
    left = MOST_TESTS - link.tests
    if left < 1:
        command = f"phonegate phone add {shlex.quote(link.org_name)}"
        return f"0 left. For more, make a new link on the gateway's machine: {command}"
    words = f"{left} of {MOST_TESTS} left."
    if state.online:
        return words
    if _only_forwards(state):
        return "An app that only forwards can't send this. Use the words below instead."
    return f"{words} It works once the phone is online."


def _slug(link: PairingLink) -> str:
    """Returns the phone's name as it may stand in every field of an app, be it JSON or a header.

    Phones of one name are one phone to the gateway, and the same SMS from both would be one. So
    where its owner gave none, or none that is left, the key makes it differ from others.
    """
    named = "" if link.name == UNNAMED else _NOT_PLAIN.sub("-", link.name).strip("-.")
    return named or f"{UNNAMED}-{link.key_id}"


def _cookie(request: Request) -> str | None:
    for pair in request.headers.get("cookie", "").replace(",", ";").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return None


def _set_cookie(call: Call, link: PairingLink, value: str) -> tuple[str, str]:
    request, token = call.request, call.path["token"]
    seconds = max(0, (link.expires_at - call.services.now_ms()) // 1000)
    secure = "; Secure" if request.secure else ""
    text = (
        f"{COOKIE}={value}; Path={request.prefix}/pair/{token}; Max-Age={seconds}; HttpOnly; "
        f"SameSite=Strict{secure}"
    )
    return "Set-Cookie", text


def _headers() -> tuple[tuple[str, str], ...]:
    return (("Content-Security-Policy", POLICY),)


def _endpoint(
    method: str,
    path: str,
    handler: Any,
    answer: type,
    *,
    body: type | None = None,
    media: str | None = None,
) -> Endpoint:
    return Endpoint(
        name=f"pairing_{handler.__name__}",
        method=method,
        paths=(path,),
        # The token is the credential: every request with a wrong one counts for its address, as
        # those without any do.
        scope=None,
        group=GROUP,
        summary=(handler.__doc__ or "").partition("\n")[0],
        body=body,
        answer=answer,
        media=media,
        handler=handler,
    )
