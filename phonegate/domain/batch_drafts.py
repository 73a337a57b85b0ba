"""What a person wrote of a batch, and how that is kept until all of it is accepted. Pure.

A draft is kept as packed lines of JSON: the form, and then each message that it was fixed to. So a
step of a large batch reads the messages of its chunk alone.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from itertools import islice

import attrs

from phonegate.domain.batch_plan import Draft


@attrs.frozen(kw_only=True)
class BatchForm:
    """All that a person wrote of a batch."""

    draft: Draft
    sender: str = ""
    """Empty for any SIM, `sim:` and a SIM selector, or `from:` and the number of an assistant."""
    send_at: int | None = None
    """Not before this time, in ms."""
    ttl_s: int | None = None
    priority: int = 0


def packed(form: BatchForm, messages: Sequence[tuple[str, str]] = ()) -> bytes:
    """Returns a form as it is kept, with the recipient and the text of each message."""
    lines = (json.dumps(one) for one in (attrs.asdict(form), *messages))
    return zlib.compress("\n".join(lines).encode())


def form_of(draft: bytes) -> BatchForm:
    """Returns the form of what was kept."""
    written, _, _ = zlib.decompress(draft).partition(b"\n")
    kept = json.loads(written)
    copies = tuple((to, body) for to, body in kept["draft"]["copies"])
    read = {"copies": copies, "country": _country(kept["draft"]["country"])}
    return BatchForm(**kept | {"draft": Draft(**kept["draft"] | read)})


def _country(kept: str | None) -> str | None:
    """Returns the country of a draft. A version before this one kept its code, such as `+49`."""
    if kept is None or not kept.startswith("+"):
        return kept or None
    # Loaded where a country is named: the plans of all numbers are large.
    from phonegate.domain.numbering_plans import read_country_or_code  # noqa: PLC0415

    return read_country_or_code(kept)[0] or None


def messages_of(draft: bytes, start: int, count: int) -> tuple[tuple[str, str], ...]:
    """Returns some of the messages of what was kept, from a place on."""
    lines = zlib.decompress(draft).split(b"\n")
    found = map(json.loads, islice(lines, 1 + start, 1 + start + count))
    return tuple((to, body) for to, body in found)


def digest(form: BatchForm, messages: Sequence[tuple[str, str]]) -> bytes:
    """Returns what two batches that send the same have in common."""
    found = hashlib.sha256(json.dumps([form.sender, form.send_at]).encode())
    for one in messages:
        found.update(json.dumps(one).encode())
    return found.digest()


def without_recipients(form: BatchForm) -> BatchForm:
    """Returns a form with nothing of whom it was written to."""
    return attrs.evolve(form, draft=attrs.evolve(form.draft, to="", table="", copies=()))
