"""Answering for the pages: which path is which, in what form, and for how long it may be kept."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import attrs
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import escape

from phonegate.api.endpoint import Answer, Request
from phonegate.api.table import Table
from phonegate.domain.registration import Mode, Registration
from phonegate.http.refusals import MethodNotAllowed
from phonegate.pages.assets import Asset, Assets
from phonegate.pages.highlight import marked, painted
from phonegate.pages.page_context import facts

METHODS: Final = ("GET", "HEAD", "OPTIONS")

SAMPLE: Final = "https://sms.example.org"
"""Stands for the gateway's address where that is not known."""

STAND_IN: Final = "gateway.invalid"
STAND_IN_V6: Final = "[::9]"
"""What pages are made with in place of the own host, which is put in for each request: making
one takes milliseconds, and a stranger can make up hosts all day. Brackets have one of their own,
because a shell's word with some must be quoted."""

KEEP: Final = "public, max-age=31536000, immutable"
"""For what stands under an address of its content: a year, the longest that is of use."""

ASK: Final = "no-cache"
"""For pages: kept, and asked for again each time, which costs no more than their tag."""

HTML: Final = "text/html; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"

_ALONE: Final = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

PAGE_POLICY: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; {_ALONE}"
)
DOCS_POLICY: Final = (
    # Swagger UI writes styles into its elements and has pictures within its stylesheet.
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    f"img-src 'self' data:; connect-src 'self'; {_ALONE}"
)
NO_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"


@attrs.frozen(kw_only=True)
class Page:
    """A page: the template it is made from, as what and under which policy it is sent."""

    template: str
    media: str
    policy: str


PAGES: Final = {
    "/": Page(template="landing.html", media=HTML, policy=PAGE_POLICY),
    "/docs": Page(template="docs.html", media=HTML, policy=DOCS_POLICY),
    "/llms.txt": Page(template="llms.txt", media=PLAIN, policy=NO_POLICY),
    "/robots.txt": Page(template="robots.txt", media=PLAIN, policy=NO_POLICY),
}

_NO_GZIP: Final = re.compile(r";\s*q=0(\.0*)?\s*$")


class Site:
    """The pages of one gateway."""

    def __init__(
        self, table: Table, *, version: str, max_body_bytes: int, registration: Registration
    ) -> None:
        self._assets = Assets()
        environment = Environment(
            loader=PackageLoader("phonegate.pages"),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        environment.filters.update(marked=marked, painted=painted)
        # Relative, as all links are: a proxy may serve the gateway under a path of its own.
        environment.globals["asset"] = lambda name: self._assets.address(name).removeprefix("/")
        environment.globals["swagger_version"] = self._assets.swagger_version

        def make(path: str, scheme: str, host: str, mode: Mode) -> str:
            told = facts(
                table,
                f"{scheme}://{host}",
                version=version,
                max_body_bytes=max_body_bytes,
                registration=mode,
            )
            return environment.get_template(PAGES[path].template).render(told)

        self._registration = registration
        self._make: Callable[[str, str, str, Mode], str] = lru_cache(None)(make)

    def covers(self, path: str) -> bool:
        """Whether a page or a file of one is at a path, as sent."""
        return _plain(path) in PAGES or self._assets.covers(path)

    async def answer(self, request: Request, base: str) -> Answer:
        """The answer to a request for what is `covered`; `base` is this gateway's address.

        Raises:
            MethodNotAllowed: the method is none that reads.
        """
        if request.method == "OPTIONS":
            return Answer(status=204, headers=(("Allow", ", ".join(METHODS)),))
        if request.method not in METHODS:
            raise MethodNotAllowed(METHODS)
        path = _plain(request.path)
        if path != request.path:
            # Relative links work from one of the two alone.
            return Answer(status=308, headers=(("Location", f"..{path}"), ("Cache-Control", ASK)))
        if page := PAGES.get(path):
            return _answer(
                request,
                self._print(path, base if "://" in base else SAMPLE + base),
                ASK,
                page.policy,
            )
        return _answer(request, await self._assets.find(path), KEEP, NO_POLICY)

    def _print(self, path: str, base: str) -> Asset:
        """A page with the own address in it."""
        page = PAGES[path]
        scheme, _, host = base.partition("://")
        stand_in = STAND_IN_V6 if "[" in host else STAND_IN
        shown = str(escape(host)) if page.media == HTML else host
        text = self._make(path, scheme, stand_in, self._registration.mode).replace(stand_in, shown)
        return Asset.of(page.media, text.encode(), pack=False)


def _plain(path: str) -> str:
    """A path without a slash at its end."""
    return path[:-1] if path.endswith("/") and path != "/" else path


def _answer(request: Request, asset: Asset, keep: str, policy: str) -> Answer:
    packed = asset.packed if _takes_gzip(request.headers.get("accept-encoding", "")) else None
    tag = f'"{asset.tag}"' if packed is None else f'"{asset.tag}-gzip"'
    headers: list[tuple[str, str]] = [
        ("Cache-Control", keep),
        ("ETag", tag),
        ("Content-Security-Policy", policy),
    ]
    if asset.packed is not None:
        headers.append(("Vary", "Accept-Encoding"))
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Answer(status=304, headers=tuple(headers))
    if packed is not None:
        headers.append(("Content-Encoding", "gzip"))
    content = asset.body if packed is None else packed
    return Answer(content=content, media=asset.media, headers=tuple(headers))


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        name = part.partition(";")[0].strip()
        if name == "gzip":
            return not _NO_GZIP.search(part)
    return False


def _matches(asked: str, tag: str) -> bool:
    """Whether If-None-Match names a tag; weakly, as RFC 9110 (13.1.2) has it for reading."""
    tags: Sequence[str] = [part.strip().removeprefix("W/") for part in asked.split(",")]
    return tag in tags or "*" in tags
