"""What all calls of a gateway stand on: its connections, and how its operations are run."""

from copy import copy
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs
import httpx

from phonegate.client import connection
from phonegate.client.calls import DEADLINE_S, Calls, Manner
from phonegate.client.connection import Authority
from phonegate.client.effects import Operation
from phonegate.client.retries import ANSWER_S, RETRIES, Retries
from phonegate.client.synchronous.iteration import Iteration
from phonegate.client.synchronous.shell import OnRetry, Shell

T = TypeVar("T")


class Connected:
    """The connections to a gateway.

    Args:
        url: The gateway's address, such as `http://127.0.0.1:8080`.
        credential: An API key, or the org's secret.
        org: The OrgId. An API key needs none, since it belongs to one.
        cacert: What is trusted where the address begins with `https`: a file with certificates, or
            a context of `ssl`. None: what this machine trusts.
        retries: How what is safe to repeat is tried again.
        timeout_s: Seconds without an answer after which a try is given up.
        deadline_s: Seconds of a call with all its tries.
        on_retry: Is called before each new try with the error, and how often it was tried.

    Raises:
        BadSetup: The address, the credential or the file can't be used, or a proxy of the
            environment can't.
    """

    def __init__(
        self,
        url: str,
        credential: str,
        org: str | None = None,
        *,
        cacert: Authority | None = None,
        retries: Retries = RETRIES,
        timeout_s: float = ANSWER_S,
        deadline_s: float | None = DEADLINE_S,
        on_retry: OnRetry | None = None,
    ) -> None:
        manner = Manner(retries=retries, timeout_s=timeout_s, deadline_s=deadline_s)
        self._http = connection.opened(httpx.Client, url, credential, cacert)
        self._calls = Calls(connection.address(url), org, manner)
        self._shell = Shell(self._http, self._calls.url, on_retry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self._http.close()

    @property
    def url(self) -> str:
        """The gateway's address."""
        return self._calls.url

    def org(self) -> str:
        """Returns the OrgId. For an API key the gateway is asked, once."""
        return self._run(self._calls.org_id())

    def with_retries(self, retries: Retries) -> Self:
        """Returns the same gateway, over the same connections, that tries again otherwise."""
        other = copy(self)
        manner = attrs.evolve(self._calls.manner, retries=retries)
        other._calls = self._calls.in_manner(manner)  # noqa: SLF001 - its own class
        return other

    def _run(self, operation: Operation[T]) -> T:
        return self._shell.run(operation)

    def _each(self, operation: Operation[None]) -> Iteration[Any]:
        return Iteration(self._shell, operation)
