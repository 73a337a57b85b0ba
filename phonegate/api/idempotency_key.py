"""The Idempotency-Key header, and running a sending handler under it."""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Sequence

from phonegate.api.endpoint import Answer, Call
from phonegate.domain.idempotency import kept_under
from phonegate.domain.sending import Keep, Outgoing, SendOutcome
from phonegate.model.refusals import BadInput, FieldProblem

MAX_KEY = 255
"""Characters of a key: what the common APIs with this header allow."""

REPLAYED = ("Idempotent-Replayed", "true")
"""Marks an answer that was given before."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_PRINTABLE = re.compile(r"[\x20-\x7e]+")


def read_key(value: str | None) -> str | None:
    """The key of a header, quoted as the draft asks (RFC 8941 string) or bare as most send it.

    Raises:
        BadInput: empty, too long, or holding what no key may.
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


def fingerprint(items: Sequence[Outgoing]) -> bytes:
    """What makes two requests under one key the same: everything asked for, credentials aside."""
    asked = [
        [i.to, i.body, i.sim_selector, i.ttl_s, i.send_at, i.priority, i.on_uncertain, i.media_urls]
        for i in items
    ]
    return hashlib.sha256(json.dumps(asked).encode()).digest()


async def once(
    call: Call,
    route: str,
    items: Sequence[Outgoing],
    send: Callable[[Keep | None], Awaitable[SendOutcome]],
    render: Callable[[SendOutcome], tuple[int, bytes]],
) -> Answer:
    """Runs `send` at most once for the request's Idempotency-Key; without one, just runs it.

    Raises:
        BadInput: the key is malformed.
        KeyReused, Conflict: as `Idempotency.gate`.
    """
    key = read_key(call.request.headers.get("idempotency-key"))
    if key is None:
        status, content = render(await send(None))
        return Answer(status=status, content=content)
    mark = fingerprint(items)
    route = kept_under(call.caller, route)
    keep = Keep(route=route, key=key, fingerprint=mark, render=render)
    gate = call.services.idempotency.gate(call.caller.org, route, key, mark)
    async with gate as earlier:
        if earlier is not None:
            return Answer(status=earlier.status, content=earlier.body, headers=(REPLAYED,))
        status, content = render(await send(keep))
        return Answer(status=status, content=content)


def _wrong(problem: str) -> BadInput:
    return BadInput(f"Idempotency-Key {problem}.", [FieldProblem("Idempotency-Key", problem)])
