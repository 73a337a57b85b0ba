"""The set-up of an empty gateway: by its one-time link, the first org is made in a browser."""

from collections.abc import Callable
from typing import Any, Final

import attrs
from quart import Response
from quart import request as quart_request

from phonegate.api.endpoint import Request
from phonegate.api.services import Services
from phonegate.domain.caller import Caller
from phonegate.domain.registration import Registration
from phonegate.http.problem import Problem
from phonegate.model.refusals import BadInput, Conflict, FieldProblem, NotFound, Refused, Throttled
from phonegate.model.storage_errors import StoreError
from phonegate.pages.console.access.sign_in import SignIn
from phonegate.pages.console.visit import console_url, visitor_page

PROPOSED: Final = "home"
"""The OrgId that the form proposes."""

CHOSEN: Final = "own"
"""What the form says where its person types a secret."""

STILL_OPEN: Final = (
    "Registration could not be closed now: `phonegate registration closed` on the gateway's "
    "machine does it."
)


@attrs.frozen(kw_only=True)
class SetUpPages:
    """The pages of the link. They need no session: who has the link is the gateway's owner."""

    services: Services
    sign_in: SignIn
    asset: Callable[[str], str]

    async def show(self, request: Request, token: str) -> Response:
        """Shows the form."""
        try:
            self.services.accounts.set_up.admit(token, _caller(request))
        except (NotFound, Conflict, Throttled) as refused:
            return await self._ended(request, refused)
        return await self._form(request, token)

    async def take(self, request: Request, token: str) -> Response:
        """Makes the org, and shows its secret, signed in to it."""
        set_up, caller = self.services.accounts.set_up, _caller(request)
        try:
            # Before its body is read: that of an unknown caller may be long.
            set_up.admit(token, caller)
        except (NotFound, Conflict, Throttled) as refused:
            return await self._ended(request, refused)
        form = await quart_request.form
        name = form.get("org", "").strip()
        own = form.get("kind") == CHOSEN
        closes = "close" in form
        try:
            secret = _typed(form.get("secret", "")) if own else None
            org, secret = await set_up.make_org(token, caller, name, secret)
        except BadInput as refused:
            return await self._form(
                request, token, refused=refused, org=name, own=own, closes=closes
            )
        except (NotFound, Conflict, Throttled) as refused:
            return await self._ended(request, refused)
        warning = await self._close_registration() if closes else ""
        principal = await self.services.authentication.authenticate(
            secret,
            org_name=org.name,
            address=request.client,
            scope=None,
            relayed=request.relayed,
        )
        signed_in = await self.sign_in.begin(request, principal, "")
        page = await self._page(
            request,
            "console/set_up_done.html",
            org=org.name,
            secret=secret,
            own=own,
            warning=warning,
            registration=self._rule.mode,
        )
        page.headers["Cache-Control"] = "no-store"
        for cookie in signed_in.headers.getlist("Set-Cookie"):
            page.headers.add("Set-Cookie", cookie)
        return page

    @property
    def _rule(self) -> Registration:
        return self.services.accounts.orgs.registration

    async def _close_registration(self) -> str:
        """Closes registration. Returns why it is open still, or nothing."""
        if self._rule.forced is not None:
            return ""
        try:
            await self.services.accounts.orgs.choose_registration("closed")
        except (Refused, StoreError):
            return STILL_OPEN
        return ""

    async def _form(
        self,
        request: Request,
        token: str,
        *,
        refused: BadInput | None = None,
        org: str = PROPOSED,
        own: bool = False,
        closes: bool = True,
    ) -> Response:
        problems = {} if refused is None else {one.field: one.problem for one in refused.problems}
        return await self._page(
            request,
            "console/set_up.html",
            status=200 if refused is None else Problem.of(refused).status,
            action=console_url(request.prefix, "/set-up", token),
            org=org,
            own=own,
            closes=closes,
            chosen=CHOSEN,
            problems={"org": problems.get("org_id", ""), "secret": problems.get("secret_key", "")},
            detail="" if refused is None or problems else refused.detail,
            forced=self._rule.forced,
            forced_by=self._rule.forced_by,
        )

    async def _ended(self, request: Request, refused: Refused) -> Response:
        problem = Problem.of(refused)
        page = await self._page(
            request,
            "console/set_up_ended.html",
            status=problem.status,
            detail=refused.detail,
            is_set_up=isinstance(refused, Conflict),
        )
        for name, value in problem.headers:
            page.headers[name] = value
        return page

    async def _page(
        self, request: Request, template: str, *, status: int = 200, **context: Any
    ) -> Response:
        return await visitor_page(template, request, self.asset, status=status, **context)


def _typed(text: str) -> str:
    if not text:
        problem = "is missing: type one, or let the gateway make one"
        raise BadInput(f"secret_key {problem}.", [FieldProblem("secret_key", problem)])
    return text


def _caller(request: Request) -> Caller:
    return Caller(address=request.client, relayed=request.relayed)
