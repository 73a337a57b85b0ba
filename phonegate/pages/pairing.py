"""The page of a one-time link, on the phone that is to be paired, and what its script asks for."""

import re
import shlex
from typing import Any, Final

import attrs

from phonegate.api.address import own_address
from phonegate.api.endpoint import Answer, Call, Endpoint, Request
from phonegate.api.pairing_state import PairingStateJson, TestOrder, state_json
from phonegate.api.smsgate_api import BASES
from phonegate.bind_address import leads_to_loopback
from phonegate.domain.pairing import UNNAMED, Pairing, PairingLink
from phonegate.http.refusals import CODES
from phonegate.model.refusals import Gone, NotFound
from phonegate.pages.forwarding_apps import APPS
from phonegate.pages.own_authority import PATH as CA_PATH
from phonegate.pages.own_authority import AuthorityPages
from phonegate.pages.policies import HTML, PAGE_POLICY
from phonegate.pages.printer import Printer

GROUP: Final = "pairing"

COOKIE: Final = "pairing"
"""What a browser shows that has opened a link. Its path is that of the link."""

POLICY: Final = f"{PAGE_POLICY}; connect-src 'self'"

_NOT_PLAIN: Final = re.compile(r"[^A-Za-z0-9._-]+")


@attrs.frozen(kw_only=True)
class PairingPage:
    """The page itself, as HTML."""


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
            state=state_json(link, state, call.services.now_ms()),
        )
        cookie = () if shown is None else (_set_cookie(call, link, shown),)
        return Answer(content=text, media=HTML, headers=(*_headers(), *cookie))

    async def state(self, call: Call) -> Answer:
        """Tells how far the pairing is."""
        link = self._pairing.find(call.path["token"], _cookie(call.request))
        state = await self._pairing.state(link)
        return Answer(content=state_json(link, state, call.services.now_ms()))

    async def send_test(self, call: Call) -> Answer:
        """Sends a test SMS from the phone to a number."""
        link = self._pairing.find(call.path["token"], _cookie(call.request))
        await self._pairing.send_test(link, call.body.number)
        state = await self._pairing.state(link)
        return Answer(content=state_json(link, state, call.services.now_ms()))


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
