"""The page of a one-time link, on the phone that is to be paired, and what its script asks for."""

import re
import shlex
from typing import Annotated, Any, Final

import attrs

from phonegate.api.address import own_address
from phonegate.api.endpoint import Answer, Call, Endpoint, Request
from phonegate.api.rules import Recipient
from phonegate.api.smsgate_api import BASES
from phonegate.bind_address import is_loopback
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
from phonegate.pages.blueprint import HTML, PAGE_POLICY
from phonegate.pages.forwarding_apps import APPS
from phonegate.pages.own_authority import AuthorityPages
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
    phone: str = field("What is known of the phone, in words.")
    hint: str | None = field("What its owner should do, in a sentence.")
    number: str | None = field("The number of its first SIM, where that is known.", private=True)
    test: str | None = field("What became of the test SMS, in words. None before the first.")
    test_failed: bool = field("Whether the test SMS will not be sent any more.")
    tests_left: int = field("Test SMS that this link may still send.")
    received: bool = field("Whether the text of the test has come back.")


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
            plain=_is_plain(base),
            apps=[app.filled(url=base, key=link.key, phone=_slug(link)) for app in APPS],
            own_authority=base.startswith("https:") and await self._authority.exists(),
            state=_shown(link, state, call.services.now_ms()),
            most_tests=MOST_TESTS,
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
        phone=_described(state),
        hint=None if state.phone is None else state.phone.hint,
        number=next(iter(state.numbers), None),
        test=None if test is None else _in_words(test),
        test_failed=failed,
        tests_left=MOST_TESTS - link.tests,
        received=state.received,
    )


def _described(state: PairingState) -> str:
    if state.phone is None:
        return "Waiting for the phone to connect."
    phone = state.phone
    name = phone.given_name or phone.name or phone.model or "The phone"
    if not state.online:
        return f"{name} was here, and is not connected now."
    return f"{name} is connected."


def _in_words(test: Message) -> str:
    words = _WORDS[test.status]
    if test.status == FAILED:
        return f"{words}: {test.error}." if test.error else f"{words}."
    return words


def _slug(link: PairingLink) -> str:
    """Returns the phone's name as it may stand in every field of an app, be it JSON or a header.

    Phones of one name are one phone to the gateway, and the same SMS from both would be one. So
    where its owner gave none, or none that is left, the key makes it differ from others.
    """
    named = "" if link.name == UNNAMED else _NOT_PLAIN.sub("-", link.name).strip("-.")
    return named or f"{UNNAMED}-{link.key_id}"


def _is_plain(base: str) -> bool:
    """Tells whether an address is one that an app may refuse, since it is not encrypted."""
    scheme, _, rest = base.partition("://")
    host = rest.partition("/")[0].rpartition(":")[0] or rest
    return scheme == "http" and not is_loopback(host.strip("[]"))


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
