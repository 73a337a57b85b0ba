"""The console as a Quart blueprint: who may see which screen, and what becomes of errors."""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final
from urllib.parse import unquote

import trio
from quart import Blueprint, Response
from quart import request as quart_request

from phonegate.api.app import request_of
from phonegate.api.endpoint import Answer, Endpoint, Request
from phonegate.api.errors import answer_for
from phonegate.api.fair_share import FairShare
from phonegate.api.inner_calls import CallRefused, InnerCalls
from phonegate.api.reply import render
from phonegate.api.services import Services
from phonegate.domain.authentication import require_scope
from phonegate.domain.sessions import SignedIn
from phonegate.domain.set_up import PATH
from phonegate.http.origins import Origins
from phonegate.http.session_cookie import read_next
from phonegate.model.principal import OWNER_SCOPE
from phonegate.model.refusals import Forbidden, NotFound, Unauthorized
from phonegate.pages.console.access.session_cookies import (
    SIGNED_OUT,
    find_session,
    forget_session,
    keep_session,
)
from phonegate.pages.console.access.set_up import SetUpPages
from phonegate.pages.console.access.sign_in import SignIn
from phonegate.pages.console.screens import MENU, ROUTES
from phonegate.pages.console.sent_forms import SentForms
from phonegate.pages.console.visit import (
    BY_SCRIPT,
    CSRF_FIELD,
    ROOT,
    Route,
    Visit,
    console_url,
    see_other,
    visitor_page,
)

NAME: Final = "console"
"""The name of the blueprint."""

MOST_SAID: Final = 1_000
"""Sessions for whose next page a sentence is kept."""

PAGES_AT_ONCE: Final = 16
"""Pages that are made for one org at the same time: enough that its reads share the disk."""

PAGES_BESIDE: Final = 4
"""The same of an org beside which others work. Each takes the event loop some 10 ms, and the page
of another org waits for all of them."""

PAGES_WAITING: Final = 1_000
"""Pages that may wait for those of an org: ten seconds of work."""

MOST_SENTENCES: Final = 5
"""That are kept for the next page of a session: the last ones. A program may never ask for one."""

SIGN_OUT: Final = "/sign-out"
"""The address that ends the session of the browser that asks."""

_READING: Final = frozenset({"GET", "HEAD"})
"""The methods by which nothing changes."""

_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})
"""What a browser says (Sec-Fetch-Site) where a page of another site or port has led it here."""

NO_FORM: Final = "This form is not of this session. Load its page again, and send it once more."


class _Console:
    """Serves the routes of the console."""

    def __init__(
        self,
        services: Services,
        endpoints: Sequence[Endpoint],
        *,
        asset: Callable[[str], str],
        origins: Origins,
        timeout_s: float,
    ) -> None:
        self._services = services
        self._calls = InnerCalls(services, endpoints)
        self._forms = SentForms(services)
        self._pages = FairShare(share=PAGES_AT_ONCE, beside=PAGES_BESIDE, line=PAGES_WAITING)
        self._asset = asset
        self._timeout_s = timeout_s
        self._sign_in = SignIn(
            services=services,
            asset=asset,
            is_foreign_host=lambda request: origins.is_foreign_host(request.headers),
        )
        self._set_up = SetUpPages(services=services, sign_in=self._sign_in, asset=asset)
        self._said: OrderedDict[int, list[str]] = OrderedDict()

    async def serve(self, route: Route, **path: str) -> Response:
        """Answers a request for a screen."""
        request = request_of(quart_request.scope)
        visit: Visit | None = None
        try:
            with trio.fail_after(self._timeout_s):
                shown = await find_session(self._services, request)
                if shown is None:
                    self._count(request)
                    return await self._to_sign_in(request)
                visit = self._visit(request, shown.signed_in, path)
                self._demand_same_session(visit)
                self._demand(route, visit)
                if request.method not in _READING:
                    await self._demand_form(visit)
                response = await self._answer(route, visit)
                if shown.signed_in.renewed and "Set-Cookie" not in response.headers:
                    await keep_session(self._services, request, response, shown.token)
                return response
        except Exception as error:  # noqa: BLE001 - the one place where all of them end
            return await self._refused(error, request, visit)

    async def _answer(self, route: Route, visit: Visit) -> Response:
        """Has a screen answer, with as much as its org may ask of all that orgs share."""
        org = visit.principal.org
        if not org:
            return await route.view(visit)
        self._services.rate_limits.request(org, perf_counter())
        if visit.request.method not in _READING:
            return await route.view(visit)
        async with self._pages.take(org, 1):
            return await route.view(visit)

    async def sign_in(self) -> Response:
        """Shows the page to sign in at, or signs in."""
        request = request_of(quart_request.scope)
        try:
            with trio.fail_after(self._timeout_s):
                self._count(request)
                if request.method == "POST":
                    return await self._sign_in.take(request)
                goal = read_next(quart_request.args.get("next")) or ""
                return await self._sign_in.show(request, goal=goal)
        except Exception as error:  # noqa: BLE001 - as above
            return await self._refused(error, request, None)

    async def set_up(self, token: str) -> Response:
        """Shows the page of the set-up link, or makes the first org."""
        request = request_of(quart_request.scope)
        try:
            with trio.fail_after(self._timeout_s):
                self._count(request)
                if request.method == "POST":
                    return await self._set_up.take(request, unquote(token))
                return await self._set_up.show(request, unquote(token))
        except Exception as error:  # noqa: BLE001 - as above
            return await self._refused(error, request, None)

    async def sign_out(self, visit: Visit) -> Response:
        """Ends the session of this browser."""
        await self._services.sessions.end(visit.session.org, visit.session.id)
        response = see_other(visit.url("/sign-in"))
        await forget_session(self._services, visit.request, response)
        return response

    async def nothing(self, visit: Visit) -> Response:
        """Answers for an address where nothing is."""
        del visit
        raise NotFound("There is no such page.")

    def _count(self, request: Request) -> None:
        self._services.rate_limits.count_unauthenticated(request.client, perf_counter())

    async def _to_sign_in(self, request: Request) -> Response:
        if BY_SCRIPT.lower() in request.headers:
            raise Unauthorized(SIGNED_OUT)
        if request.path == f"{ROOT}{SIGN_OUT}":
            return see_other(console_url(request.prefix, "/sign-in"))
        if request.method not in _READING:
            return await self._sign_in.show(request, goal="", expired=True)
        if request.headers.get("sec-fetch-site") in _ELSEWHERE:
            # A link on a page of another site has led here, and no Strict cookie comes with it. The
            # page asks once more by itself, and shows the cookie if there is one.
            return await visitor_page("console/once_more.html", request, self._asset)
        goal = request.path.removeprefix(ROOT)
        if request.query:
            goal += f"?{request.query}"
        goal = read_next(goal) or ""
        return see_other(
            console_url(request.prefix, "/sign-in", next=(goal.strip("/") and goal) or None)
        )

    def _visit(self, request: Request, signed_in: SignedIn, path: dict[str, str]) -> Visit:
        session, principal = signed_in.session, signed_in.principal
        by_script = BY_SCRIPT.lower() in request.headers
        said = () if by_script else self._said.pop(session.id, ())
        visit = Visit(
            services=self._services,
            principal=principal,
            session=session,
            csrf=signed_in.csrf,
            request=request,
            path={name: unquote(value) for name, value in path.items()},
            calls=self._calls,
            forms=self._forms,
            menu=(),
            said=said,
            remember=self._remember,
            asset=self._asset,
        )
        visit.menu = tuple(entry for entry in MENU if visit.may(entry.scope))
        return visit

    def _demand(self, route: Route, visit: Visit) -> None:
        if route.scope is None:
            return
        if visit.is_operator and route.scope != OWNER_SCOPE:
            raise Forbidden("You have signed in as the gateway's operator, and not to an org.")
        require_scope(visit.principal, route.scope)

    def _demand_same_session(self, visit: Visit) -> None:
        """Refuses a script whose page is of another session.

        In another tab its person may have signed in to another org, whose messages are not for a
        page of the first one. What would change anything is refused by `_demand_form`.
        """
        shown = visit.request.headers.get("x-csrf")
        if shown is None or visit.request.method not in _READING:
            return
        if not hmac.compare_digest(shown.encode(), visit.csrf.encode()):
            raise Unauthorized(SIGNED_OUT)

    async def _demand_form(self, visit: Visit) -> None:
        shown = visit.request.headers.get("x-csrf")
        if shown is None:
            shown = (await visit.form()).get(CSRF_FIELD, "")
        if not hmac.compare_digest(shown.encode(), visit.csrf.encode()):
            raise Forbidden(NO_FORM)

    def _remember(self, session: int, said: str) -> None:
        sentences = self._said.setdefault(session, [])
        sentences.append(said)
        del sentences[:-MOST_SENTENCES]
        while len(self._said) > MOST_SAID:
            self._said.popitem(last=False)

    async def _refused(self, error: Exception, request: Request, visit: Visit | None) -> Response:
        if isinstance(error, CallRefused):
            answer = Answer(status=error.status, content={"detail": error.detail, **error.content})
        else:
            answer = answer_for(error)
        if BY_SCRIPT.lower() in request.headers:
            reply = render(answer)
            response = Response(reply.body, status=reply.status)
            for name, value in reply.headers:
                response.headers[name] = value
            return response
        content = answer.content
        context: dict[str, Any] = {
            "status": answer.status,
            "detail": content["detail"],
            "errors": content.get("errors", ()),
        }
        if visit is not None:
            response = await visit.page("console/error.html", **context)
        else:
            response = await visitor_page("console/refused.html", request, self._asset, **context)
        for name, value in answer.headers:
            response.headers[name] = value
        return response


def build_console(
    services: Services,
    endpoints: Sequence[Endpoint],
    *,
    asset: Callable[[str], str],
    origins: Origins,
    timeout_s: float,
) -> Blueprint:
    """Returns the console, for the app of a gateway.

    Args:
        services: What its screens work with.
        endpoints: The endpoints of the API, and those of the owner.
        asset: Returns the path of a file that pages load.
        origins: The pages that may ask.
        timeout_s: Seconds that a request may take.
    """
    blueprint = Blueprint(NAME, "phonegate.pages.console")
    console = _Console(services, endpoints, asset=asset, origins=origins, timeout_s=timeout_s)
    blueprint.add_url_rule(f"{ROOT}/sign-in", "sign-in", console.sign_in, methods=["GET", "POST"])
    blueprint.add_url_rule(
        f"{PATH}/<token>", "set-up", console.set_up, methods=["GET", "POST"], strict_slashes=False
    )
    own = (
        Route(path=SIGN_OUT, methods=("POST",), scope=None, view=console.sign_out),
        Route(path="/<path:rest>", scope=None, view=console.nothing),
    )
    for number, route in enumerate((*ROUTES, *own)):
        rule = f"{ROOT}{route.path}"
        view = partial(console.serve, route)
        name = f"{number}-{'-'.join(route.methods)}"
        blueprint.add_url_rule(rule, name, view, methods=list(route.methods), strict_slashes=False)
    return blueprint
