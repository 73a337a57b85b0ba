"""Batches, as plain values: messages that are written together. Times are in ms."""

import attrs


@attrs.frozen(kw_only=True)
class Batch:
    """A batch as it is stored."""

    id: int
    org: int
    key: str | None
    """The API key that made it. None for the org's own secret."""
    token: str
    """Names it in addresses and in the Idempotency-Keys of its sends."""
    created_at: int
    begun_at: int | None
    """When it was sent. None while it is a draft."""
    digest: bytes | None
    """That of what is sent."""
    total: int
    """How many messages it has, once it was sent."""
    accepted: int
    """How many of them are accepted so far."""
    draft: bytes = attrs.field(repr=False)
    """What it is made from (see `domain.batches`)."""


@attrs.frozen
class StateCount:
    """How many messages of a batch are in a state."""

    status: str
    count: int
    held: int
    """Those of them that wait for a person's approval."""
