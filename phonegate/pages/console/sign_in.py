"""Signing in and out of the console."""

import re
from typing import Any, Final

import attrs
from quart import Response, render_template
from quart import request as quart_request

from phonegate.api.endpoint import Request
from phonegate.api.services import Services
from phonegate.domain.sessions import OPERATOR
from phonegate.http.problem import Problem
from phonegate.model.principal import Principal
from phonegate.model.refusals import BadInput, Refused
from phonegate.pages.console.visit import console_url, see_other
from phonegate.pages.policies import CONSOLE_POLICY, HTML

COOKIE: Final = "phonegate_session"

COOKIE_AGE_S: Final = 400 * 24 * 3_600
"""How long a browser keeps it: the longest that browsers allow. The gateway ends it sooner."""

MAX_BROWSER: Final = 120
"""Characters that are kept of what a browser calls itself."""

_NEXT: Final = re.compile(r"/[A-Za-z0-9/_.~%+-]*(\?[A-Za-z0-9=&%+_.~-]*)?")
"""A path below the console. Two slashes at its beginning would lead to another host."""


def next_page(text: str | None) -> str:
    """Returns the path below the console to go to after signing in."""
    if text and _NEXT.fullmatch(text) and not text.startswith("//"):
        return text
    return ""


@attrs.frozen(kw_only=True)
class SignIn:
    """The page to sign in at."""

    services: Services
    asset: Any

    async def show(self, request: Request, *, goal: str, expired: bool = False) -> Response:
        """Shows the form."""
        return await self._page(request, goal=goal, expired=expired)

    async def take(self, request: Request) -> Response:
        """Signs in a person who shows a right credential."""
        form = await quart_request.form
        org, secret = form.get("org", "").strip(), form.get("secret", "").strip()
        goal = next_page(form.get("next"))
        try:
            principal = await self._authenticate(request, org, secret)
        except Refused as refused:
            problem = Problem.of(refused)
            response = await self._page(
                request, goal=goal, problem=refused.detail, org=org, status=problem.status
            )
            for name, value in problem.headers:
                response.headers[name] = value
            return response
        return await self.begin(request, principal, goal)

    async def begin(self, request: Request, principal: Principal, goal: str) -> Response:
        """Begins a session, and leads to where its person wanted to go."""
        browser = request.headers.get("user-agent", "")[:MAX_BROWSER]
        token = await self.services.sessions.begin(
            principal, browser=browser, address=request.client
        )
        response = see_other(f"{console_url(request.prefix, '/')}{goal}")
        response.set_cookie(
            COOKIE,
            token,
            max_age=COOKIE_AGE_S,
            path=console_url(request.prefix, "/"),
            httponly=True,
            secure=request.secure,
            samesite="Strict",
        )
        return response

    async def _authenticate(self, request: Request, org: str, secret: str) -> Principal:
        if not secret:
            raise BadInput("Type the org's SecretKey, or an API key.")
        if self.services.sessions.is_operator(secret):
            return OPERATOR
        return await self.services.authentication.authenticate(
            secret,
            org_name=org or None,
            address=request.client,
            scope=None,
            relayed=request.relayed,
        )

    async def _page(
        self, request: Request, *, goal: str, status: int = 200, **context: Any
    ) -> Response:
        text = await render_template(
            "console/sign_in.html",
            asset=lambda name: f"{request.prefix}{self.asset(name)}",
            url=lambda path, *parts, **query: console_url(request.prefix, path, *parts, **query),
            prefix=request.prefix,
            goal=goal,
            **{"problem": "", "org": "", "expired": False, **context},
        )
        response = Response(text, status=status, content_type=HTML)
        response.headers["Content-Security-Policy"] = CONSOLE_POLICY
        return response
