"""The one table of endpoints, and finding the one that a request means."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property, partial
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import attrs

from phonegate.api import events_api, health, messages_api, sms_api, smsgate_api
from phonegate.api.dialect import Dialect
from phonegate.api.endpoint import LOGGED_DIGITS, Endpoint
from phonegate.api.errors import NO_SUCH_ADDRESS
from phonegate.api.known_paths import KnownPaths
from phonegate.domain.credentials import SHORTEST_SECRET
from phonegate.http.login import speaks_dialect
from phonegate.http.refusals import MethodNotAllowed
from phonegate.model.dialects import DIALECTS
from phonegate.model.refusals import BadInput, FieldProblem, NotFound

_NONE: Final[Mapping[str, str]] = MappingProxyType({})

_ID = re.compile(rf"[0-9]{{1,{LOGGED_DIGITS}}}|[0-9A-Za-z]{{1,8}}")


@attrs.frozen(kw_only=True)
class Match:
    """The endpoint that a request means. `endpoint` is None for OPTIONS, which all have."""

    endpoint: Endpoint | None
    template: str
    path: Mapping[str, str] = attrs.field(repr=False)
    allowed: tuple[str, ...]
    redacted: Callable[[str | None], str]
    """Gives the path for the log, once it is known which org has proved to call, if any has."""


@attrs.frozen
class _Address:
    """A path template with what answers there, by method."""

    template: str
    parts: tuple[str, ...]
    endpoints: dict[str, Endpoint] = attrs.field(factory=dict)
    fixed: tuple[tuple[int, str], ...] = attrs.field(init=False)
    """The parts that are the same in every path, but for the first."""
    variable: tuple[tuple[int, str], ...] = attrs.field(init=False)
    """The parameters, with their braces."""

    def __attrs_post_init__(self) -> None:
        parts = list(enumerate(self.parts))
        variable = tuple((at, part) for at, part in parts if part.startswith("{"))
        fixed = tuple((at, part) for at, part in parts[1:] if not part.startswith("{"))
        # attrs' own way to set a field of a frozen object while it is made.
        object.__setattr__(self, "fixed", fixed)
        object.__setattr__(self, "variable", variable)

    @cached_property
    def allowed(self) -> tuple[str, ...]:
        """The methods that it takes, once all are known."""
        readable = self.endpoints.get("GET")
        # A HEAD must change nothing (RFC 9110, 9.2.1).
        extra = [] if readable is None or readable.sends else ["HEAD"]
        return tuple(sorted([*self.endpoints, *extra, "OPTIONS"]))

    def values(self, parts: Sequence[str]) -> dict[str, str]:
        """Returns the parameters of a path, decoded."""
        values = {}
        for at, name in self.variable:
            part = parts[at]
            try:
                if "%" in part:
                    part = unquote_to_bytes(part).decode("utf-8")
            except UnicodeDecodeError:
                problem = FieldProblem(name[1:-1], "is not UTF-8")
                raise BadInput(
                    f"{problem.field} in the path {problem.problem}.", [problem]
                ) from None
            values[name[1:-1]] = part
        return values

    def redacted(self, parts: Sequence[str], org: str | None) -> str:
        """Returns a path for the log. `org` is the org that has proved to call."""
        shown = list(parts)
        for at, name in self.variable:
            if not (shown[at] == org if name == "{org}" else _is_harmless(name, shown[at])):
                shown[at] = "***"
        return "/" + "/".join(shown)


_Addresses = dict[tuple[int, str], list[_Address]]
"""Addresses by their number of parts and the first of them."""


class Table:
    """Every endpoint once, findable by method and path.

    Paths are compared as sent and decoded part by part, so that a secret may hold an encoded
    slash. One slash at the end makes no difference: a redirect would lose a POST's body.
    """

    def __init__(self, endpoints: Iterable[Endpoint], *, is_whole: bool = True) -> None:
        """Refuses two endpoints that one request could mean (ValueError).

        Args:
            endpoints: What it has.
            is_whole: Whether it has all of those which a request with `Authorization: Basic` could
                mean.
        """
        self.endpoints: tuple[Endpoint, ...] = tuple(endpoints)
        self._is_whole = is_whole
        self._addresses: _Addresses = {}
        self._by_basic: _Addresses = {}
        """What a request with `Authorization: Basic` means before all else."""
        names: set[str] = set()
        for endpoint in self.endpoints:
            if endpoint.name in names:
                raise ValueError(f"two endpoints are named {endpoint.name}")
            names.add(endpoint.name)
            for template in endpoint.paths:
                self._add(endpoint, template)
        found = {e.dialect.name: e.dialect for e in self.endpoints if e.dialect is not None}
        self.dialects: tuple[Dialect, ...] = tuple(found.values())
        """Those that are served."""
        self._known_paths = KnownPaths(
            (endpoint.method, endpoint.paths[0]) for endpoint in self.endpoints if endpoint.listed
        )

    @property
    def paths(self) -> Iterator[str]:
        """The path templates of all endpoints, each once."""
        groups = (*self._addresses.values(), *self._by_basic.values())
        found = (address.template for group in groups for address in group)
        yield from dict.fromkeys(found)

    def on_fast_path(self, method: str, path: str, headers: Mapping[str, str] = _NONE) -> bool:
        """Tells whether a request is for an endpoint of the fast path."""
        if not self._is_whole and speaks_dialect(headers):
            return False
        address = self._address(_split(path), method, headers)
        if address is None:
            return False
        endpoint = address.endpoints.get(method)
        return endpoint is not None and endpoint.fast_path

    def dialect_at(self, path: str, headers: Mapping[str, str] = _NONE) -> Dialect | None:
        """Returns the dialect that has an address, or all below the beginning of it, if any has.

        Args:
            path: The path, percent-encoded as sent.
            headers: By lower-case name: of two endpoints at one address they decide.
        """
        parts = _split(path)
        address = self._find(parts, self._by_basic) if speaks_dialect(headers) else None
        address = address or self._find(parts) or self._find(parts, self._by_basic)
        if address is not None:
            return next(iter(address.endpoints.values())).dialect
        for dialect in self.dialects:
            if any(path == base or path.startswith(f"{base}/") for base in dialect.bases):
                return dialect
        return None

    def most_bytes(self, method: str, path: str, usual: int) -> int:
        """Returns the most bytes of a body. `usual` is what holds for all but large ones."""
        address = self._find(_split(path))
        endpoint = None if address is None else address.endpoints.get(method)
        return usual if endpoint is None else max(usual, _large(endpoint))

    @property
    def largest_body(self) -> int:
        """The most bytes of a body that any endpoint takes where the usual limit is less."""
        return max(map(_large, self.endpoints))

    def match(self, method: str, path: str, headers: Mapping[str, str] = _NONE) -> Match:
        """Finds the endpoint for a method and a path, percent-encoded as sent.

        Args:
            method: The method.
            path: The path.
            headers: By lower-case name: of two endpoints at one address they decide.

        Raises:
            NotFound: nothing is there.
            MethodNotAllowed: something is there, for other methods.
            BadInput: a part of the path is not UTF-8.
        """
        parts = _split(path)
        address = self._address(parts, method, headers)
        if address is None:
            raise self.no_such_address(method, path)
        values = address.values(parts)
        if method == "OPTIONS":
            endpoint = None
        else:
            endpoint = address.endpoints.get("GET" if method == "HEAD" else method)
            if endpoint is None or method not in address.allowed:
                raise MethodNotAllowed(address.allowed)
        return Match(
            endpoint=endpoint,
            template=address.template,
            path=values,
            allowed=address.allowed,
            redacted=partial(address.redacted, parts),
        )

    def no_such_address(self, method: str, path: str, prefix: str = "") -> NotFound:
        """Returns the refusal of a path, as sent, where nothing is. It names the nearest address.

        `prefix` is the path prefix under which the client sees all addresses.
        """
        near = self._known_paths.nearest(method, path)
        question = "" if near is None else f" Did you mean {near.replace(' /', f' {prefix}/')}?"
        return NotFound(f"{NO_SUCH_ADDRESS}{question} {prefix}/docs shows every address.")

    def redacted(self, path: str) -> str:
        """Returns a path for the log: secrets, and what is at no known address, as `***`."""
        parts = _split(path)
        address = self._find(parts)
        if address is not None:
            return address.redacted(parts, None)
        known = {first for _, first in (*self._addresses, *self._by_basic)}
        return f"/{parts[0]}/***" if parts[0] in known else "/***"

    def _add(self, endpoint: Endpoint, template: str) -> None:
        parts = tuple(template.removeprefix("/").split("/"))
        addresses = self._by_basic if endpoint.by_basic else self._addresses
        group = addresses.setdefault((len(parts), parts[0]), [])
        for other in group:
            if other.template == template:
                if endpoint.method in other.endpoints:
                    raise ValueError(f"two endpoints for {endpoint.method} {template}")
                other.endpoints[endpoint.method] = endpoint
                return
            if all(_can_meet(a, b) for a, b in zip(parts, other.parts, strict=True)):
                raise ValueError(f"{template} and {other.template} can be the same path")
        address = _Address(template, parts)
        address.endpoints[endpoint.method] = endpoint
        group.append(address)
        # Of two that an odd path fits both, the one that says more of it is meant.
        group.sort(key=lambda one: len(one.variable))

    def _address(
        self, parts: Sequence[str], method: str, headers: Mapping[str, str]
    ) -> _Address | None:
        """Finds the address that a request means."""
        own = self._find(parts)
        if self._by_basic and (own is None or speaks_dialect(headers)):
            found = self._find(parts, self._by_basic)
            if found is not None and (
                own is None or method in found.allowed or method not in own.allowed
            ):
                return found
        return own

    def _find(self, parts: Sequence[str], addresses: "_Addresses | None" = None) -> _Address | None:
        among = self._addresses if addresses is None else addresses
        for address in among.get((len(parts), parts[0]), ()):
            if all(parts[at] == part for at, part in address.fixed) and all(
                parts[at] for at, _ in address.variable
            ):
                return address
        return None


def _can_meet(one: str, other: str) -> bool:
    """Tells whether a part of a path can be meant by both parts of templates.

    A `{secret}` can't be a word that is shorter than any secret.
    """
    if one == other:
        return True
    words = [part for part in (one, other) if not part.startswith("{")]
    if words and "{secret}" in (one, other):
        return len(words[0]) >= SHORTEST_SECRET
    return len(words) < 2  # noqa: PLR2004 - two words that differ


def _large(endpoint: Endpoint) -> int:
    return endpoint.raw_limit or 0 if endpoint.is_large else 0


def _split(path: str) -> tuple[str, ...]:
    if not path.startswith("/"):
        # The absolute form of a request target, as sent to a proxy (RFC 9112, 3.2.2).
        try:
            path = urlsplit(path).path or "/"
        except ValueError:
            path = "/"
    parts = path[1:].split("/")
    if len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return tuple(parts)


def _is_harmless(template: str, part: str) -> bool:
    """Tells whether a parameter of a path can stand in a log for any caller: an id can.

    A caller may revoke an API key by its text in place of its id; the log must not hold it then.
    """
    return template in {"{id}", "{n}"} and _ID.fullmatch(part) is not None


def fast_table(*more: Endpoint) -> Table:
    """Returns a table of the groups that have endpoints of the fast path: what a start loads."""
    groups = (messages_api, events_api, sms_api, smsgate_api, health)
    found = (endpoint for group in groups for endpoint in group.ENDPOINTS)
    return Table([*found, *more], is_whole=False)


def build_table(*more: Endpoint, dialects: Collection[str] = DIALECTS) -> Table:
    """Returns the table of everything that the API answers, and what comes beside it.

    It loads all endpoints and their types, which takes some hundredths of a second.

    Args:
        more: What comes beside it.
        dialects: The dialects that are served.
    """
    known = _known_table(tuple(dialects))
    return Table([*known.endpoints, *more]) if more else known


@cache
def _known_table(dialects: tuple[str, ...]) -> Table:
    """Returns a table, which is one and the same for all that ask for it: nothing changes it."""
    from phonegate.api import (  # noqa: PLC0415 - not before something asks for one
        assistants_api,
        callbacks_api,
        hooks_api,
        keys_api,
        me_api,
        media_api,
        phones_api,
        webhooks_api,
    )
    from phonegate.api.dialects.registry import endpoints_of  # noqa: PLC0415 - as above
    from phonegate.api.mcp import api as mcp_api  # noqa: PLC0415 - as above

    return Table(
        [
            *messages_api.ENDPOINTS,
            *events_api.ENDPOINTS,
            *phones_api.ENDPOINTS,
            *media_api.ENDPOINTS,
            *keys_api.ENDPOINTS,
            *me_api.ENDPOINTS,
            *webhooks_api.ENDPOINTS,
            *hooks_api.ENDPOINTS,
            *assistants_api.ENDPOINTS,
            *sms_api.ENDPOINTS,
            *callbacks_api.ENDPOINTS,
            *smsgate_api.ENDPOINTS,
            *mcp_api.ENDPOINTS,
            *health.ENDPOINTS,
            *endpoints_of(dialects),
        ]
    )
