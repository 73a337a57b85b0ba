"""The parts of received MMS, such as pictures, as plain values."""

import hashlib
import json

import attrs


def _digest(part: "Part") -> bytes:
    found = hashlib.sha256(json.dumps([part.content_type, part.name]).encode())
    found.update(part.data)
    return found.digest()


@attrs.frozen(kw_only=True)
class Part:
    """A part of a received MMS.

    Making one computes its digest, 1 ms for a megabyte: where many are made, a thread makes them.
    """

    content_type: str
    """As the phone declares it: in lower case, without parameters."""
    name: str | None = attrs.field(default=None, repr=False)
    data: bytes = attrs.field(repr=False)
    digest: bytes = attrs.field(
        init=False, repr=False, default=attrs.Factory(_digest, takes_self=True)
    )
    """Equal for equal parts alone."""
