"""A gateway over HTTP, as the client commands use it."""

import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote, urlsplit

import click
import httpx

import phonegate
from phonegate.cli.failure import Failure

CONNECT_S = 10.0
ANSWER_S = 65.0
"""A little more than the gateway's own `request_timeout_s`, whose answer says more than ours."""

_SERVER_FAULT = 500
_UNAUTHORIZED = 401
_OK = 200
_REDIRECT = 300


class Unreachable(Failure):
    """No gateway answered."""


class Client:
    """One org's view of a gateway. A context manager."""

    def __init__(self, url: str, org: str, secret: str) -> None:
        """Refuses an address that is none."""
        self.url = url.rstrip("/")
        self.org = quote(org, safe="")
        self._http = httpx.Client(**connection(url, secret))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GETs a path of the org; raises Failure with a sentence."""
        kept = {key: value for key, value in (parameters or {}).items() if value is not None}
        return self._answer("GET", path, params=kept)

    def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """POSTs JSON to a path of the org; raises Failure with a sentence."""
        return self._answer("POST", path, json=body, headers=headers)

    def _answer(self, method: str, path: str, **extra: Any) -> dict[str, Any]:
        url = f"{self.url}{path}"
        try:
            response = self._http.request(method, url, **extra)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unreachable(unreachable(self.url, error)) from None
        return _understood(response, self.url)


def connection(url: str, secret: str) -> dict[str, Any]:
    """How every command reaches a gateway: what to make a client of httpx with.

    Raises:
        Failure: the address is none, or the secret can't be sent.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise Failure(f"{url!r} is no gateway address such as http://127.0.0.1:8080")
    if not (secret.isascii() and secret.isprintable()):
        raise Failure("The secret must be printable ASCII; check PHONEGATE_SECRET.")
    return {
        "headers": {"X-Secret-Key": secret, "User-Agent": f"phonegate/{phonegate.__version__}"},
        "timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        # A proxy that the environment names is for the way out, not for this machine.
        "trust_env": not _loopback(host),
    }


def unreachable(url: str, error: Exception) -> str:
    """Why there was no answer, as a sentence.

    The error's own text is left out: it may quote the request.
    """
    match error:
        case httpx.ConnectError():
            return (
                f"No gateway answers at {url}. Is it running (phonegate serve), "
                "and is PHONEGATE_URL or --url right?"
            )
        case httpx.TimeoutException():
            return f"The gateway at {url} did not answer in time."
        case _:
            return f"The connection to {url} failed ({type(error).__name__})."


def secret() -> str:
    """The secret or API key: from PHONEGATE_SECRET, else asked for on a terminal."""
    value = os.environ.get("PHONEGATE_SECRET", "")
    if not value and sys.stdin.isatty():
        value = click.prompt("Secret or API key", hide_input=True, err=True)
    if not value:
        raise Failure("Set PHONEGATE_SECRET to the org's secret or an API key.")
    return value


def _understood(response: httpx.Response, url: str) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if _REDIRECT <= response.status_code < 400 and "location" in response.headers:  # noqa: PLR2004 - RFC 9110, 15.4
        target = response.headers["location"]
        raise Failure(f"{url} redirects to {target}; use the address that answers itself.")
    if not isinstance(body, dict):
        raise Failure(
            f"{url} answered HTTP {response.status_code} without JSON; is it a phonegate gateway?"
        )
    if _OK <= response.status_code < _REDIRECT:
        return body
    detail = str(body.get("detail") or f"HTTP {response.status_code}")
    problems = [
        f"  {one.get('field')}: {one.get('problem')}"
        for one in body.get("errors") or ()
        if isinstance(one, dict)
    ]
    if response.status_code == _UNAUTHORIZED:
        detail += " Check PHONEGATE_ORG and PHONEGATE_SECRET."
    kind = Unreachable if response.status_code >= _SERVER_FAULT else Failure
    raise kind("\n".join([detail, *problems]))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
