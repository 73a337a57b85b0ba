"""What the fast path asks of whatever answers the requests for the busy endpoints."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import trio

from phonegate.http.body_stream import BodyStream

ReadRest = Callable[[Callable[[int], None]], Awaitable[bytes]]
"""Reads the rest of a body. Calls its argument with the size of each piece that has come."""


class Reply(Protocol):
    """An answer of the busy endpoints."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Its fields, `Content-Length` among them unless it is a stream."""

    @property
    def body(self) -> bytes:
        """Its body."""

    @property
    def owner(self) -> Any:
        """Who is answerable for the memory that it takes."""

    @property
    def stream(self) -> BodyStream | None:
        """The body, where it is produced while it is sent."""


class UnsentAnswer(Protocol):
    """A large answer on its way to the client."""

    def moved(self) -> None:
        """Notes that its client has taken some of it."""


class FastPipeline(Protocol):
    """Answers the busy endpoints, for the fast path and for the application alike."""

    def find(
        self,
        *,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        client: str,
        relayed: bool,
        secure: bool,
        prefix: str,
    ) -> Any | None:
        """Looks at the head of a request.

        Args:
            method: The method.
            path: The path as sent, undecoded.
            query: The query as sent, undecoded.
            headers: By lower-case name, without `Content-Length`.
            client: The client's address.
            relayed: Whether a proxy that is not trusted passed it on.
            secure: Whether a proxy that is trusted took it by HTTPS.
            prefix: The path prefix that stood before the path.

        Returns:
            What is known of all requests with this head, for `begin` and `answer`. `None` if it
            is for no busy endpoint.
        """

    def begin(self, head: Any, body: bytes, reply: Callable[[Reply], None]) -> bool:
        """Begins a request whose answer can come without a task that waits for it. Never raises.

        Args:
            head: What `find` returned.
            body: The whole body.
            reply: To be called once, on the event loop and not before this returns, with an
                answer that is no stream. It never raises.

        Returns:
            Whether it has. If not, nothing was done, and `answer` is asked.
        """

    def expire(self) -> None:
        """Ends the requests that take too long. Called every second or so.

        It answers those that were begun. Of others it cancels the scope, after which the server
        asks for the answer by `late`.
        """

    async def answer(self, head: Any, body: bytes | ReadRest, scope: trio.CancelScope) -> Reply:
        """Answers a request. Raises nothing but cancellation.

        Args:
            head: What `find` returned.
            body: The whole body, or what reads it.
            scope: Where this is called: one for all requests of a connection, since one for each
                would cost as much as reading its head.
        """

    def late(self, scope: trio.CancelScope) -> Reply | None:
        """Returns the answer to the request whose scope `expire` has cancelled, if one has."""

    def hold(self, owner: Any, size: int) -> AbstractContextManager[UnsentAnswer] | None:
        """Counts the memory of an answer until it has left.

        Returns:
            A context in which to send the answer, which is cancelled if the answer is given up.
            `None` for a small answer, which is not counted.
        """
