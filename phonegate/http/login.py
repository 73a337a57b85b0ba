"""Where the clients of a dialect show who they are: in headers or in parameters of any name. Pure.

The API's own places are in `credentials`. A dialect has those in headers too, and its own beside
them.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import attrs

from phonegate.domain.credentials import TOKEN_PREFIXES, is_key_like
from phonegate.http.credentials import bearer_token

BASIC_CHALLENGE: Final = 'Basic realm="phonegate", charset="UTF-8"'
"""How a dialect's clients are to authenticate (RFC 7617, 2)."""

_NONE: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Login:
    """The places of a dialect. Names of parameters are compared without regard to case."""

    basic: bool = True
    """Whether it takes `Authorization: Basic`, as `ORG:SECRET` or as `ANYTHING:KEY`."""
    headers: tuple[str, ...] = ()
    """Headers that hold a secret or an API key, in lower case."""
    org_names: tuple[str, ...] = ()
    """Parameters that name the org."""
    secret_names: tuple[str, ...] = ()
    """Parameters that hold its secret or an API key, the usual one first."""

    @property
    def needed(self) -> str:
        """A sentence for a request that shows no credential: where one may stand."""
        places = ["as Authorization: Bearer"]
        if self.basic:
            places.append("as the password of Authorization: Basic")
        places += [f"as {name.title().replace('Api', 'API')}" for name in self.headers]
        places += [f"as the parameter {name}" for name in self.secret_names[:1]]
        return f"An API key is needed (pgk_...). Send it {', or '.join(places)}."


@attrs.frozen(kw_only=True)
class ShownLogin:
    """Who a request says that it speaks for."""

    org: str | None = None
    """The org, as the client calls it."""
    credential: str | None = attrs.field(default=None, repr=False)
    """An org's secret or an API key. None where it shows none."""
    in_query: bool = False
    """Whether the credential is in the query, which ends in logs."""


def find_login(
    login: Login,
    headers: Mapping[str, str],
    query: Mapping[str, Sequence[str]] = _NONE,
    body: Mapping[str, Sequence[str]] = _NONE,
) -> ShownLogin:
    """Finds the credential that counts. What is empty counts as absent.

    Headers go before the query, and that before the body.

    Args:
        login: Where to look.
        headers: By lower-case name.
        query: The parameters of the query, each with all its values.
        body: The parameters of the body, likewise.
    """
    named = _first(login.org_names, query) or _first(login.org_names, body)
    credential = headers.get("x-secret-key", "").strip() or bearer_token(headers)
    if credential:
        return ShownLogin(org=named, credential=credential)
    if login.basic and (pair := basic_pair(headers)) is not None:
        user, password = pair
        if not password and is_key_like(user):
            return ShownLogin(credential=user)
        if password:
            return ShownLogin(org=user or named, credential=password)
    for name in login.headers:
        if in_header := headers.get(name, "").strip():
            return ShownLogin(org=named, credential=in_header)
    if found := _first(login.secret_names, query):
        return ShownLogin(org=named, credential=found, in_query=True)
    return ShownLogin(org=named, credential=_first(login.secret_names, body))


def speaks_dialect(headers: Mapping[str, str]) -> bool:
    """Tells whether a request shows who calls in a way that only clients of dialects do."""
    authorization = headers.get("authorization")
    # Clients of the gateway's own API may have a proxy that adds Basic for itself.
    if authorization is None or headers.get("x-secret-key", "").strip():
        return False
    scheme, _, token = authorization.strip().partition(" ")
    scheme = scheme.lower()
    return scheme == "basic" or (scheme == "bearer" and token.strip().startswith(TOKEN_PREFIXES))


def speaks_basic(headers: Mapping[str, str]) -> bool:
    """Tells whether a request has `Authorization: Basic`."""
    return headers.get("authorization", "").strip()[:6].lower() == "basic "


def basic_pair(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns user and password of `Authorization: Basic`. None where there are none to read."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(token.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        text = plain.decode("latin-1")
    user, colon, password = text.partition(":")
    return (user.strip(), password.strip()) if colon else None


def _first(names: Sequence[str], given: Mapping[str, Sequence[str]]) -> str | None:
    """Returns the first value that is not empty of the first of these parameters that has one."""
    if not names or not given:
        return None
    values: dict[str, str] = {}
    for name, texts in given.items():
        value = next((text.strip() for text in texts if text.strip()), None)
        if value is not None:
            values.setdefault(name.lower(), value)
    return next((values[name] for name in names if name in values), None)
