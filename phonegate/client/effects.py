"""What an operation asks of the shell that runs it, and what it gets. Values only.

An operation is a generator. It yields effects, and the shell sends back what became of each. So all
that the client does is decided in one place, for the shell that blocks and the one that does not.
"""

from collections.abc import Generator, Mapping
from typing import Any, Generic, TypeVar

import attrs

from phonegate import event_stream
from phonegate.client.errors import GatewayError

T = TypeVar("T")
Item = TypeVar("Item")


@attrs.frozen(kw_only=True)
class Request:
    """A request, whose path already has its org."""

    method: str
    path: str
    query: Mapping[str, Any] = attrs.field(factory=dict)
    body: Mapping[str, Any] | None = None
    """An object to send as JSON."""
    idempotency_key: str | None = None
    is_repeatable: bool = False
    """Whether a second one does no harm where the answer to the first is lost."""


@attrs.frozen
class Answer:
    """An answer. That of a stream has no content: it is read piece by piece."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    content: bytes

    @property
    def media_type(self) -> str:
        """What the content is, such as `application/json`."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self.status == 200 and self.media_type == event_stream.MEDIA  # noqa: PLR2004 - OK


@attrs.frozen
class Ask:
    """Send a request within so many seconds: an `Answer`, or the `GatewayError` in its place."""

    request: Request
    timeout_s: float


@attrs.frozen
class Open:
    """Open a stream that may be silent for so long: an `Answer` or a `GatewayError`.

    Where the answer is no stream, it is whole.
    """

    request: Request
    silence_s: float


@attrs.frozen
class Read:
    """Read on in the stream: bytes, none at its end, or a `GatewayError`."""


@attrs.frozen
class Close:
    """Close the stream, if one is open."""


@attrs.frozen
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@attrs.frozen
class Clock:
    """Read the clock: seconds, of which only differences mean something."""


@attrs.frozen
class Retrying:
    """Say that a request is tried again."""

    error: GatewayError
    tries: int
    """How often it was tried so far."""


@attrs.frozen
class Found(Generic[Item]):
    """Hand over an item of an iteration, and go on when the next one is wanted."""

    item: Item


Effect = Ask | Open | Read | Close | Pause | Clock | Retrying | Found[Any]

Operation = Generator[Effect, Any, T]
"""What ends with a result."""
