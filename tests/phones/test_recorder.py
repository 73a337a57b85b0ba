"""How much a recorder asks of the writer at a time; what it writes is tested with the session."""

from typing import Any, cast

import pytest
import trio

from phonegate.phones import frames
from phonegate.phones.protocol import Step
from phonegate.phones.recorder import MAX_BATCH, Recorder
from phonegate.phones.session import STEPS, Session


class Listener:
    """A session that only counts what was taken of it."""

    def __init__(self) -> None:
        self.sizes = 0

    def taken(self, size: int) -> None:
        self.sizes += size


@pytest.mark.parametrize(("texts", "expected"), [(1, MAX_BATCH), (10, 7), (500, 1)])
async def test_a_transaction_holds_few_texts_however_they_are_parted(
    texts: int, expected: int
) -> None:
    text = frames.InboundText(address="+15553334444", body="x")
    step: Step = frames.Inbound(messages=(text,) * texts)
    send, receive = trio.open_memory_channel[tuple[Step, int]](STEPS + 1)
    for _ in range(STEPS):
        send.send_nowait((step, 10))
    session = Listener()
    batch = Recorder(cast(Session, cast(Any, session)))._with_followers((step, 10), receive)
    assert len(batch) == expected
    assert session.sizes == expected * 10
