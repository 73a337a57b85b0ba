"""The Idempotency-Key header, and running a sending handler under it."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from phonegate.api.endpoint import Answer, Call
from phonegate.domain.idempotency import Keep, kept_under
from phonegate.model.orgs import KeptAnswer
from phonegate.model.refusals import BadInput, FieldProblem

MAX_KEY = 255
"""The longest key, in characters, as other APIs with this header allow."""

REPLAYED = ("Idempotent-Replayed", "true")
"""Marks an answer that was given before."""

T = TypeVar("T")

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def read_key(value: str | None) -> str | None:
    """Reads the key of a header, quoted as the draft asks (RFC 8941 string) or bare as is usual.

    Raises:
        BadInput: The key is empty, too long, or has characters that no key may have.
    """
    if value is None:
        return None
    key = value.strip()
    if key.startswith('"'):
        if not (quoted := _QUOTED.fullmatch(key)):
            raise _wrong("is not a well-formed quoted string")
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    if not 1 <= len(key) <= MAX_KEY:
        raise _wrong(f"must have 1 to {MAX_KEY} characters")
    if not _PRINTABLE.fullmatch(key):
        raise _wrong("must be printable ASCII")
    return key


def fingerprint(asked: Sequence[object]) -> bytes:
    """Digests what a request asks for: two under one key must be the same in all of it."""
    return hashlib.sha256(json.dumps(asked).encode()).digest()


async def once(
    call: Call,
    route: str,
    asked: Callable[[], Sequence[object]],
    send: Callable[[Keep[T] | None], Awaitable[T]],
    answer: Callable[[T], Answer],
    *,
    recall: Callable[[KeptAnswer, Keep[T]], Awaitable[KeptAnswer]] | None = None,
) -> Answer:
    """Runs `send` at most once for the request's Idempotency-Key. Without a key, just runs it.

    Args:
        call: The request.
        route: Its route: each has keys of its own.
        asked: Everything that the request asks for, credentials aside, as JSON can hold it.
        send: Sends, and has the answer kept where it is given a `Keep`.
        answer: Makes the answer of what became of it, whose content is bytes.
        recall: Finds out a kept answer that was not known yet when it was kept.

    Raises:
        BadInput: The key is malformed.
        KeyReused, Conflict: As `Idempotency.gate`.
    """
    key = read_key(call.request.headers.get("idempotency-key"))
    if key is None:
        return answer(await send(None))

    def render(outcome: T) -> tuple[int, bytes]:
        made = answer(outcome)
        return made.status, made.content

    route = kept_under(call.caller, route)
    mark = fingerprint(asked())
    keep = Keep(route=route, key=key, fingerprint=mark, render=render)
    gate = call.services.idempotency.gate(call.caller.org, route, key, mark)
    async with gate as earlier:
        if earlier is None:
            return answer(await send(keep))
        kept = earlier if recall is None else await recall(earlier, keep)
        return Answer(status=kept.status, content=kept.body, headers=(REPLAYED,))


def _wrong(problem: str) -> BadInput:
    return BadInput(f"Idempotency-Key {problem}.", [FieldProblem("Idempotency-Key", problem)])
