"""The HTTP client of a gateway for the commands that need one."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

import click
import httpx

import phonegate
from phonegate import trust
from phonegate.bind_address import is_loopback
from phonegate.cli import options
from phonegate.cli.failure import Failure, refusal
from phonegate.cli.retries import Retries, is_transient, retry_after
from phonegate.config import client_environment
from phonegate.domain.credentials import is_key_like
from phonegate.model.refusals import FieldProblem

CONNECT_S = 10.0
ANSWER_S = 65.0
"""A little more than the gateway's `request_timeout_s`, whose answer says more than a timeout."""

STREAM_TYPE = "text/event-stream"

_UNAUTHORIZED = 401
_CONFLICT = 409
_OK = 200
_REDIRECT = 300


class Unavailable(Failure):
    """The gateway, or a proxy in front of it, can't answer now.

    `retry_after_s` is the time after which it wants to be asked again.
    """

    def __init__(self, sentence: str, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(sentence)


class Silence(Failure):
    """A stream does not even begin in time."""


class Refusal(Failure):
    """The gateway refused: `detail` for a person, and `problems`, the fields that are wrong.

    `status` is that of HTTP.
    """

    def __init__(
        self, sentence: str, detail: str, problems: tuple[FieldProblem, ...], status: int
    ) -> None:
        self.status = status
        self.detail = detail
        self.problems = problems
        super().__init__(sentence)


class Client:
    """A client of a gateway for one org. It is a context manager."""

    def __init__(self, url: str, org: str | None, secret: str, cacert: Path | None = None) -> None:
        """`org` may be None with an API key, which belongs to one.

        Raises:
            Failure: The address is malformed, or a given value can't be sent or read.
        """
        self.url = url.rstrip("/")
        self._org = org
        self._http = httpx.Client(**connection(url, secret, cacert))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def org(self) -> str:
        """The org's name for use in a path. The gateway is asked once for that of an API key."""
        if self._org is None:
            self._org = str(self.get("/me")["org_id"])
        return quote(self._org, safe="")

    def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GETs a path of the org. Raises `Failure` where the gateway refuses."""
        kept = {key: value for key, value in (parameters or {}).items() if value is not None}
        return self._answer("GET", path, params=kept)

    def post(
        self, path: str, body: Mapping[str, Any], idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """POSTs JSON to a path of the org. Raises `Failure` where the gateway refuses.

        With an `idempotency_key` the request may be repeated where there was no answer.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._answer("POST", path, json=body, headers=headers)

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Sends any other request. Raises `Failure` where the gateway refuses."""
        return self._answer(method, path, **({} if body is None else {"json": body}))

    def open_stream(
        self, path: str, parameters: Mapping[str, Any], silence_s: float
    ) -> httpx.Response:
        """GETs a stream of events of the org, which the caller closes.

        Reading it raises the errors of httpx, a `ReadTimeout` where it is silent for `silence_s`.

        Raises:
            Silence: It does not begin in this time.
            Failure: The gateway refuses.
        """
        kept = {key: value for key, value in parameters.items() if value is not None}
        # A proxy that compresses would hold back what it has until there is more.
        headers = {"Accept": STREAM_TYPE, "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(silence_s, connect=CONNECT_S)
        try:
            request = self._http.build_request(
                "GET", f"{self.url}{path}", params=kept, headers=headers, timeout=timeout
            )
            response = self._http.send(request, stream=True)
            if _is_stream(response):
                return response
            with closing(response):
                response.read()
        except httpx.ReadTimeout:
            raise Silence(f"The gateway at {self.url} sends nothing.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise unanswered(self.url, error) from None
        _understood(response, self.url)
        raise Failure(f"{self.url} answered without a stream. Is it a phonegate gateway?")

    def _answer(self, method: str, path: str, **extra: Any) -> dict[str, Any]:
        url = f"{self.url}{path}"
        try:
            response = self._http.request(method, url, **extra)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise unanswered(self.url, error) from None
        return _understood(response, self.url)


def with_retries(step: Callable[[], Any], retries: Retries) -> Any:
    """Runs a step, again and again while the gateway is unavailable, and returns its result.

    The first failure is printed.

    Raises:
        Unavailable: The time for further tries is over.
        Failure: Trying again would not help.
    """
    logged = False
    while True:
        try:
            return step()
        except Unavailable as error:
            pause = retries.pause(error.retry_after_s)
            if pause is None:
                raise
            if not logged:
                logged = True
                end = "" if str(error).endswith((".", "?")) else "."
                click.echo(f"phonegate: {error}{end} Trying again.", err=True)
            time.sleep(pause)


def connect(url: str, org: str | None, cacert: Path | None) -> Client:
    """Returns a client of the gateway that the options and the environment name.

    Raises:
        Failure: There is no credential, or it can't be used.
        click.UsageError: The org is missing.
    """
    found = credential()
    if org is None and not is_key_like(found):
        raise click.UsageError(options.ORG_MISSING)
    return Client(url, org, found, cacert)


def connection(url: str, secret: str, cacert: Path | None = None) -> dict[str, Any]:
    """Returns the arguments with which every command makes its client of httpx.

    Raises:
        Failure: The address is malformed, the secret can't be sent, or `cacert` can't be read.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        host = None
    if not host:
        raise Failure(f"{url!r} is no gateway address such as http://127.0.0.1:8080")
    if not (secret.isascii() and secret.isprintable()):
        names = " and ".join(client_environment.CREDENTIALS)
        raise Failure(f"The secret must be printable ASCII. Check {names}.")
    return {
        "headers": {"X-Secret-Key": secret, "User-Agent": f"phonegate/{phonegate.__version__}"},
        "timeout": httpx.Timeout(ANSWER_S, connect=CONNECT_S),
        "verify": trust.context(cacert),
        # A proxy of the environment is for other machines, not for this one.
        "trust_env": not is_loopback(host),
    }


def unanswered(url: str, error: Exception) -> Failure:
    """Returns the error for a request without an answer: `Unavailable` where trying again may help.

    The error's own text is left out, since it may quote the request.
    """
    distrusted = trust.distrust(error, urlsplit(url).netloc.rpartition("@")[2])
    if distrusted is not None:
        return Failure(distrusted)
    match error:
        case httpx.ConnectError():
            return Unavailable(
                f"No gateway answers at {url}. Is it running (phonegate serve), "
                "and is PHONEGATE_URL or --url right?"
            )
        case httpx.TimeoutException():
            return Unavailable(f"The gateway at {url} did not answer in time.")
        case httpx.InvalidURL():
            return Failure(f"{url!r} is no gateway address such as http://127.0.0.1:8080")
        case _:
            return Unavailable(f"The connection to {url} failed ({type(error).__name__}).")


def from_environment() -> str | None:
    """Returns the API key or secret of the environment, or None."""
    return next(filter(None, map(os.environ.get, client_environment.CREDENTIALS)), None)


def credential() -> str:
    """Returns the secret or API key of the environment, or asks for it on a terminal."""
    value = from_environment() or ""
    if not value and sys.stdin.isatty():
        value = click.prompt("Secret or API key", hide_input=True, err=True)
    if not value:
        key, secret = client_environment.CREDENTIALS
        raise Failure(f"Set {key} to an API key, or {secret} to the org's secret.")
    return value


def _is_stream(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return bool(response.status_code == _OK and kind == STREAM_TYPE)


def _understood(response: httpx.Response, url: str) -> dict[str, Any]:
    status = response.status_code
    try:
        body = response.json()
    except ValueError:
        body = None
    if _REDIRECT <= status < 400 and "location" in response.headers:  # noqa: PLR2004 - RFC 9110, 15.4
        target = response.headers["location"]
        raise Failure(f"{url} redirects to {target}; use the address that answers itself.")
    if _OK <= status < _REDIRECT and isinstance(body, dict):
        return body
    wait = retry_after(response.headers.get("retry-after"))
    if not isinstance(body, dict):
        said = f"{url} answered HTTP {status} without JSON"
        if is_transient(status):
            raise Unavailable(f"{said}, as a proxy does while its gateway is away.", wait)
        raise Failure(f"{said}. Is it a phonegate gateway?")
    detail, problems = str(body.get("detail") or f"HTTP {status}"), _problems(body)
    sentence = refusal(detail, [(one.field, one.problem) for one in problems])
    if status == _UNAUTHORIZED:
        sentence += (
            f" Check {client_environment.ORG} and {' or '.join(client_environment.CREDENTIALS)}."
        )
    keyed = response.request.headers.get("idempotency-key") is not None
    # The gateway is still working on the same request, whose answer was lost.
    if is_transient(status) or (keyed and status == _CONFLICT):
        raise Unavailable(sentence, wait)
    raise Refusal(sentence, detail, problems, status)


def _problems(body: Mapping[str, Any]) -> tuple[FieldProblem, ...]:
    errors = body.get("errors")
    return tuple(
        FieldProblem(str(one.get("field")), str(one.get("problem")))
        for one in (errors if isinstance(errors, list) else ())
        if isinstance(one, dict)
    )
