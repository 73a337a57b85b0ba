"""The pages as a Quart blueprint: which path is which, in what form, and how long it is kept."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import attrs
from jinja2 import PackageLoader
from markupsafe import escape
from quart import Blueprint, Response, render_template, request

from phonegate.api.address import own_address
from phonegate.api.table import Table
from phonegate.domain.registration import Mode, Registration
from phonegate.http.prefix import INGRESS
from phonegate.http.problem import PLAIN_MEDIA
from phonegate.pages.assets import Asset, Assets
from phonegate.pages.highlight import marked, painted
from phonegate.pages.page_context import page_context
from phonegate.pages.policies import (
    ASK,
    DOCS_POLICY,
    HTML,
    KEEP,
    NO_POLICY,
    PAGE_POLICY,
    WORKER_POLICY,
    framed,
)

SAMPLE: Final = "https://sms.example.org"
"""Stands for the gateway's address where that is not known."""

STAND_IN: Final = "gateway.invalid"
STAND_IN_V6: Final = "[::9]"
"""What pages are made with in place of the own host, which is put in for each request: making
one takes milliseconds, and any client can make up hosts all day. Brackets have one of their own,
because a shell's word with some must be quoted."""


@attrs.frozen(kw_only=True)
class Page:
    """A page: the template it is made from, as what and under which policy it is sent."""

    template: str
    media: str
    policy: str


PAGES: Final = {
    "/": Page(template="start.html", media=HTML, policy=PAGE_POLICY),
    "/reference": Page(template="reference.html", media=HTML, policy=PAGE_POLICY),
    "/docs": Page(template="docs.html", media=HTML, policy=DOCS_POLICY),
    "/llms.txt": Page(template="llms.txt", media=PLAIN_MEDIA, policy=NO_POLICY),
    "/robots.txt": Page(template="robots.txt", media=PLAIN_MEDIA, policy=NO_POLICY),
}


class _Printer:
    """Prints the pages of one gateway."""

    def __init__(
        self,
        table: Table,
        *,
        public_url: str,
        version: str,
        max_body_bytes: int,
        registration: Registration,
        is_empty: Callable[[], bool],
        own_certificate: bool,
        swagger_version: str,
    ) -> None:
        self._table = table
        self._public_url = public_url
        self._version = version
        self._max_body_bytes = max_body_bytes
        self._registration = registration
        self._is_empty = is_empty
        self._own_certificate = own_certificate
        self._swagger_version = swagger_version
        self._printed: dict[tuple[str, str, str, Mode, bool], str] = {}
        """Each page with a stand-in for its host, by all that makes it another one."""

    async def show(self, page: Page) -> Response:
        """Answers a request for a page, with the address in it that it was asked at."""
        host = request.headers.get("Host", "")
        base = own_address(self._public_url, request.scheme, host, request.root_path)
        scheme, _, host = (base if "://" in base else SAMPLE + base).partition("://")
        stand_in = STAND_IN_V6 if "[" in host else STAND_IN
        shown = str(escape(host)) if page.media == HTML else host
        text = (await self._print(page, scheme, stand_in)).replace(stand_in, shown)
        asset = Asset.of(page.media, text.encode(), pack=False)
        policy = framed(page.policy, ingress=INGRESS in request.headers)
        return await _response(asset, ASK, policy)

    async def _print(self, page: Page, scheme: str, host: str) -> str:
        mode, empty = self._registration.mode, self._is_empty()
        key = (page.template, scheme, host, mode, empty)
        if key not in self._printed:
            context = page_context(
                self._table,
                f"{scheme}://{host}",
                version=self._version,
                max_body_bytes=self._max_body_bytes,
                registration=mode,
            )
            self._printed[key] = await render_template(
                page.template,
                swagger_version=self._swagger_version,
                own_certificate=self._own_certificate and scheme == "https",
                empty=empty,
                **context,
            )
        return self._printed[key]


def build_pages(
    table: Table,
    *,
    public_url: str,
    version: str,
    max_body_bytes: int,
    registration: Registration,
    is_empty: Callable[[], bool],
    own_certificate: bool = False,
    assets: Assets | None = None,
) -> Blueprint:
    """Returns the pages, for the app of a gateway.

    Args:
        table: The endpoints that the pages describe.
        public_url: The address of the gateway, where its owner has set one.
        version: The program's version.
        max_body_bytes: The largest body that the gateway takes.
        registration: Who may make an org by a first call, now.
        is_empty: Tells whether there is no org yet, so that the gateway has to be set up.
        own_certificate: The certificate is of the gateway's own authority, unknown to clients.
        assets: The files that the pages load, where they are read already.
    """
    pages = Blueprint("pages", "phonegate.pages")
    # From the package, which may be within a zip file, and not from a folder.
    pages.jinja_loader = PackageLoader("phonegate.pages")
    assets = Assets() if assets is None else assets
    # Relative, as all links are: a proxy may serve the gateway under a path of its own.
    pages.add_app_template_global(lambda name: assets.address(name).removeprefix("/"), "asset")
    pages.add_app_template_filter(marked)
    pages.add_app_template_filter(painted)
    printer = _Printer(
        table,
        public_url=public_url,
        version=version,
        max_body_bytes=max_body_bytes,
        registration=registration,
        is_empty=is_empty,
        own_certificate=own_certificate,
        swagger_version=assets.swagger_version,
    )

    async def send(path: str) -> Response:
        policy = WORKER_POLICY if path.endswith("_worker.js") else NO_POLICY
        return await _response(await assets.find(path), KEEP, policy)

    for path, page in PAGES.items():
        _add(pages, path, partial(printer.show, page))
        if path != "/":
            _add(pages, f"{path}/", partial(_move, path))
    for path in assets.paths:
        _add(pages, path, partial(send, path))
    return pages


def _add(pages: Blueprint, path: str, view: Callable[[], Awaitable[Response]]) -> None:
    # Quart's names of routes hold no dots.
    pages.add_url_rule(path, path.replace(".", "-"), view)


async def _move(path: str) -> Response:
    """Leads from a path with a slash at its end to that without: links are relative to it."""
    response = Response("", status=308, headers={"Location": f"..{path}", "Cache-Control": ASK})
    del response.headers["Content-Type"]
    return response


async def _response(asset: Asset, keep: str, policy: str) -> Response:
    """Sends a file or page, packed for clients that unpack, or says that it has not changed."""
    packed = asset.packed if request.accept_encodings.quality("gzip") > 0 else None
    content = asset.body if packed is None else packed
    response = Response(content, content_type=asset.media)
    response.headers["Cache-Control"] = keep
    response.headers["Content-Security-Policy"] = policy
    response.set_etag(asset.tag if packed is None else f"{asset.tag}-gzip")
    if asset.packed is not None:
        response.headers["Vary"] = "Accept-Encoding"
    if packed is not None:
        response.headers["Content-Encoding"] = "gzip"
    await response.make_conditional(request)
    return response
