"""A message to push, as the store gives it."""

from typing import Any

import attrs

from phonegate.model.messages import Message


def message(message_id: int, **changes: Any) -> Message:
    base = Message(
        id=message_id,
        org=1,
        direction="out",
        address="+15553334444",
        body="hi",
        status="queued",
        created_at=0,
        phone=None,
        sim_selector="",
        sim_slot=0,
        sim="+15551112222",
        date=None,
        sent_at=None,
        delivered_at=None,
        error=None,
        segments=1,
        provider="phone",
        media_urls=None,
        priority=0,
        held_until=None,
        expires_at=None,
        attempts=0,
        pushed_at=None,
        acked_at=None,
        on_uncertain="hold",
        resend_of=None,
    )
    return attrs.evolve(base, **changes)
