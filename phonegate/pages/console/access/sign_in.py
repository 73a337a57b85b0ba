"""Signing in to the console."""

import hmac
from collections.abc import Callable
from typing import Any, Final

import attrs
from quart import Response
from quart import request as quart_request

from phonegate.api.endpoint import Request
from phonegate.api.services import Services
from phonegate.domain.client_network import is_local
from phonegate.domain.credentials import is_key_like
from phonegate.http.problem import Problem
from phonegate.http.session_cookie import read_next
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, FieldProblem, Forbidden, Refused
from phonegate.pages.console.access.session_cookies import (
    find_session,
    keep_session,
    visitor_form,
    visitor_shown,
)
from phonegate.pages.console.visit import CSRF_FIELD, console_url, see_other, visitor_page

MAX_FORM: Final = 16_384
"""Bytes of the form to sign in: of unknown callers no more is read."""

NO_COOKIE: Final = (
    "Your browser did not show the cookie of this page. Let it keep cookies of this address, and "
    "try again."
)
NO_LENGTH: Final = "The form must say how long it is, which no more than 16 KiB may be."


def _is_exposed(request: Request) -> bool:
    """Tells whether a secret that is typed here would cross the internet unencrypted.

    A proxy that is not trusted may encrypt what it passes on.
    """
    return not (request.secure or request.relayed or is_local(request.client))


@attrs.frozen(kw_only=True)
class SignIn:
    """The page to sign in at.

    Args:
        services: What it works with.
        asset: Returns the path of a file that pages load.
        is_foreign_host: Tells whether a request was for a name that anyone may own.
    """

    services: Services
    asset: Callable[[str], str]
    is_foreign_host: Callable[[Request], bool]

    async def show(self, request: Request, *, goal: str, expired: bool = False) -> Response:
        """Shows the form. One who has signed in goes on."""
        if not expired and await find_session(self.services, request) is not None:
            return see_other(f"{console_url(request.prefix, '/')}{goal}")
        return await self._page(request, goal=goal, expired=expired)

    async def take(self, request: Request) -> Response:
        """Signs in a person who shows a right credential."""
        length = quart_request.content_length
        if length is None or length > MAX_FORM:
            raise BadInput(NO_LENGTH, [])
        form = await quart_request.form
        org, secret = form.get("org", "").strip(), form.get("secret", "").strip()
        goal = read_next(form.get("next")) or ""
        try:
            await self._demand_form(request, form.get(CSRF_FIELD, ""))
            principal = await self._authenticate(request, org, secret)
            return await self.begin(request, principal, goal)
        except Refused as refused:
            problem = Problem.of(refused)
            response = await self._page(
                request, goal=goal, problem=refused.detail, org=org, status=problem.status
            )
            for name, value in problem.headers:
                response.headers[name] = value
            return response

    async def begin(self, request: Request, principal: Principal, goal: str) -> Response:
        """Begins a session, and leads to where its person was going.

        Another session that this browser had ends.
        """
        sessions = self.services.sessions
        before = await find_session(self.services, request)
        token = await sessions.begin(
            principal,
            browser=request.headers.get("user-agent", ""),
            address=request.client,
        )
        if before is not None:
            session = before.signed_in.session
            await sessions.end(session.org, session.id)
        response = see_other(f"{console_url(request.prefix, '/')}{goal}")
        await keep_session(self.services, request, response, token)
        return response

    async def _demand_form(self, request: Request, shown: str) -> None:
        expected = await visitor_shown(self.services, request)
        if expected is None:
            raise Forbidden(NO_COOKIE)
        if not hmac.compare_digest(shown.encode(), expected.encode()):
            raise Forbidden("This form is not of this browser. Send it once more.")

    async def _authenticate(self, request: Request, org: str, secret: str) -> Principal:
        if not secret:
            problem = "Type the org's secret, an API key, or the operator's token."
            raise BadInput(problem, [FieldProblem("secret", "is required")])
        if not org and not is_key_like(secret):
            return await self.services.sessions.operator(secret, address=request.client)
        return await self.services.authentication.authenticate(
            secret,
            org_name=org or None,
            address=request.client,
            scope=None,
            relayed=request.relayed,
            foreign_host=self.is_foreign_host(request),
        )

    async def _page(
        self, request: Request, *, goal: str, status: int = 200, **context: Any
    ) -> Response:
        form, cookie = await visitor_form(self.services, request)
        response = await visitor_page(
            "console/sign_in.html",
            request,
            self.asset,
            status=status,
            goal=goal,
            form_token=form,
            exposed=_is_exposed(request),
            **{"problem": "", "org": "", "expired": False, **context},
        )
        if cookie is not None:
            response.headers.add("Set-Cookie", cookie)
        return response
