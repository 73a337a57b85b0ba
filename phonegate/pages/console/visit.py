"""A request of someone who has signed in to the console, and what a screen answers it with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

import attrs
from markupsafe import Markup
from quart import Response, render_template
from quart import request as quart_request
from werkzeug.datastructures import FileStorage, MultiDict

from phonegate.api.convert import CONVERTER
from phonegate.api.endpoint import Request
from phonegate.api.inner_calls import InnerCalls
from phonegate.api.services import Services
from phonegate.http.problem import JSON_MEDIA
from phonegate.http.session_cookie import CONSOLE
from phonegate.model.principal import OWNER_SCOPE, OwnerScope, Principal, Scope, allows
from phonegate.model.sessions import Session
from phonegate.pages.console.sent_forms import SentForm, SentForms
from phonegate.pages.console.shown_times import when
from phonegate.pages.console.words import ADVICE, MOODS, STATE_WORDS, waits_words
from phonegate.pages.policies import HTML, guard_console

ROOT: Final = CONSOLE
"""Below which the console is."""

BY_SCRIPT: Final = "X-Console"
"""The header of requests that scripts of the console make: they get JSON where a page would be."""

CSRF_FIELD: Final = "csrf"
"""The field of each form, and by `X-Csrf` the header of scripts, which proves that a page of the
console made it."""


@attrs.frozen(kw_only=True)
class MenuEntry:
    """A screen as the menu lists it."""

    title: str
    path: str
    icon: str
    """A macro of `parts/icons.html`."""
    scope: Scope | OwnerScope | None
    """What one needs to be shown it. None: to have signed in."""
    key: str
    """The letter that goes there after `g`."""


@attrs.define(kw_only=True, eq=False)
class Visit:
    """One request of someone who has signed in."""

    services: Services
    principal: Principal
    session: Session
    csrf: str = attrs.field(repr=False)
    request: Request
    path: Mapping[str, str] = attrs.field(repr=False)
    """The parameters of the path, decoded once."""
    calls: InnerCalls
    forms: SentForms
    menu: Sequence[MenuEntry]
    """The screens that this person is shown."""
    said: Sequence[str] = ()
    """What the request before it had to say, for the page to show once."""
    _remember: Callable[[int, str], None]
    _asset: Callable[[str], str]
    _form: SentForm | None = attrs.field(default=None, init=False, repr=False)

    @property
    def query(self) -> MultiDict[str, str]:
        """The parameters of the query."""
        return quart_request.args

    @property
    def prefix(self) -> str:
        """The path prefix under which the browser sees the gateway."""
        return self.request.prefix

    @property
    def by_script(self) -> bool:
        """Whether a script of the console asks, and not a person for a page."""
        return BY_SCRIPT.lower() in self.request.headers

    @property
    def is_operator(self) -> bool:
        """Whether it is the gateway's operator, who is of no org."""
        return OWNER_SCOPE in self.principal.scopes

    def may(self, scope: Scope | OwnerScope | None) -> bool:
        """Tells whether the session's credential reaches so far. To None each does."""
        if scope is None:
            return True
        if scope == OWNER_SCOPE:
            return self.is_operator
        return allows(self.principal.scopes, scope)

    async def form(self) -> MultiDict[str, str]:
        """Returns the fields of the form that was sent.

        Raises:
            Refused: See `SentForms.read`.
        """
        return (await self._sent_form()).fields

    async def files(self) -> MultiDict[str, FileStorage]:
        """Returns the files of the form that was sent.

        Raises:
            Refused: See `SentForms.read`.
        """
        return (await self._sent_form()).files

    async def _sent_form(self) -> SentForm:
        if self._form is None:
            self._form = await self.forms.read(self.principal.org)
        return self._form

    def url(self, path: str, *parts: object, **query: Any) -> str:
        """Returns the address of a page below the console (see `console_url`)."""
        return console_url(self.prefix, path, *parts, **query)

    async def call(self, name: str, **asked: Any) -> Any:
        """Calls an endpoint of the API for this person. Returns the JSON of its answer.

        Args:
            name: That of the endpoint.
            asked: `path`, `query`, `body`, `idempotency_key`: see `InnerCalls.answer`.

        Raises:
            Refused: The call is refused.
            StoreError: The database can't be asked.
        """
        return await self.calls.content(self.principal, name, self.request, **asked)

    async def page(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Returns a page made from a template."""
        text = await render_template(template, **self._context(), status=status, **context)
        response = Response(text, status=status, content_type=HTML)
        asked = self.request
        guard_console(response.headers, asked.headers, secure=asked.secure)
        return response

    async def part(self, template: str, **context: Any) -> Response:
        """Returns a part of a page, for a script to place."""
        return await self.page(template, **context)

    def go(self, path: str, *parts: object, said: str = "", **query: Any) -> Response:
        """Leads to a page below the console (see `url`), which shows a sentence once."""
        if said:
            self._remember(self.session.id, said)
        return see_other(self.url(path, *parts, **query))

    def answer(self, content: Any) -> Response:
        """Returns JSON for a script."""
        return Response(CONVERTER.encode(content), content_type=JSON_MEDIA)

    def _context(self) -> dict[str, Any]:
        return {
            "visit": self,
            "menu": self.menu,
            "url": self.url,
            "csrf": self._csrf_field,
            "prefix": self.prefix,
            "when": when,
            "ADVICE": ADVICE,
            "MOODS": MOODS,
            "STATE_WORDS": STATE_WORDS,
            "waits_words": waits_words,
            "asset": lambda name: f"{self.prefix}{self._asset(name)}",
        }

    def _csrf_field(self) -> Markup:
        return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, self.csrf)


View = Callable[[Visit], Awaitable[Response]]


@attrs.frozen(kw_only=True)
class Route:
    """An address of the console, and what answers there."""

    path: str
    """Below the console, as Werkzeug writes it: `/conversations/<address>`."""
    methods: tuple[str, ...] = ("GET",)
    scope: Scope | OwnerScope | None
    """What one needs. None: to have signed in to an org."""
    view: View


def console_url(prefix: str, path: str, *parts: object, **query: Any) -> str:
    """Returns the address of a page below the console, for links and redirects.

    Args:
        prefix: The path prefix under which the browser sees the gateway.
        path: Below the console, such as `/conversations`.
        parts: What follows, such as a number: each is encoded, and one slash stands before it.
        query: The parameters of the query. None counts as absent.
    """
    tail = "".join(f"/{quote(str(part), safe='')}" for part in parts)
    given = {name: value for name, value in query.items() if value is not None}
    question = f"?{urlencode(given)}" if given else ""
    return f"{prefix}{ROOT}{path.removesuffix('/')}{tail}{question}"


async def visitor_page(
    template: str,
    request: Request,
    asset: Callable[[str], str],
    *,
    status: int = 200,
    **context: Any,
) -> Response:
    """Returns a page for one who has not signed in.

    Args:
        template: What it is made from.
        request: The request that it answers.
        asset: Returns the path of a file that pages load.
        status: That of the answer.
        context: What else the template shows.
    """
    text = await render_template(
        template,
        asset=lambda name: f"{request.prefix}{asset(name)}",
        url=partial(console_url, request.prefix),
        prefix=request.prefix,
        status=status,
        **context,
    )
    response = Response(text, status=status, content_type=HTML)
    guard_console(response.headers, request.headers, secure=request.secure)
    return response


def see_other(location: str) -> Response:
    """Leads to another page, after a form was sent (RFC 9110, 15.4.4)."""
    response = Response("", status=303, headers={"Location": location})
    response.headers["Cache-Control"] = "no-store"
    return response
