"""A call of a receiver, and what came of it, as plain values."""

from typing import Final

import attrs

from phonegate.model.callbacks import Method

ANSWER_BYTES: Final = 1_024
"""Bytes of an answer that the log shows."""


@attrs.frozen(kw_only=True)
class CallTimings:
    """How long a call may take. Tests pass others."""

    whole_s: float = 15.0
    """From its beginning until its answer was read."""
    body_s: float = 2.0
    """For the body of an answer that only the log shows. Its status says all that counts."""
    pace: float = 1.0
    """What the delays until further tries are multiplied by."""


CALL_TIMINGS: Final = CallTimings()


@attrs.frozen(kw_only=True)
class Call:
    """A request to a receiver."""

    method: Method = "POST"
    url: str = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    read_bytes: int = ANSWER_BYTES
    """How much of the answer is read."""
    patient: bool = False
    """Whether the answer counts, and is waited for as long as the call may take."""
    expected: bytes = b""
    """What an answer of success begins with."""


@attrs.frozen(kw_only=True)
class Result:
    """What came of a call."""

    at: int
    """When it began, in ms."""
    ms: int
    status: int | None = None
    error: str | None = None
    """Why it was no success, in a sentence. None where it was."""
    answer: bytes = attrs.field(default=b"", repr=False)
    whole: bool = False
    """Whether the answer was read to its end."""
    retry_after_s: float | None = None

    @property
    def reached(self) -> bool:
        """Tells whether the receiver answered at all."""
        return self.status is not None


def readable(answer: bytes, *, whole: bool) -> str | None:
    """Returns the beginning of an answer as the log shows it. None where it is empty."""
    text = answer[:ANSWER_BYTES].decode("utf-8", "replace").replace("\r", "")
    shown = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    if not whole or len(answer) > ANSWER_BYTES:
        shown += "…"
    return shown or None
