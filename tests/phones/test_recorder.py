"""How much a recorder asks of the writer at a time; what it writes is tested with the session."""

from typing import TYPE_CHECKING, cast

import pytest
import trio

from phonegate.phones import frames
from phonegate.phones.protocol import Step
from phonegate.phones.recorder import MAX_BATCH, STEPS, Recorder
from phonegate.phones.worker import Worker

if TYPE_CHECKING:
    from phonegate.phones.session import Session


@pytest.mark.parametrize(("texts", "expected"), [(1, MAX_BATCH), (10, 7), (500, 1)])
async def test_a_transaction_holds_few_texts_however_they_are_parted(
    texts: int, expected: int, nursery: trio.Nursery
) -> None:
    text = frames.InboundText(address="+15553334444", body="x")
    step: Step = frames.Inbound(messages=(text,) * texts)
    recorder = Recorder(cast("Session", None))
    recorder.worker = Worker(nursery, trio.sleep_forever)
    for _ in range(STEPS):
        recorder.put(step, 10)
    assert not recorder.has_room
    assert len(recorder._next_batch()) == expected
    assert recorder.has_room
    assert recorder._bytes == (STEPS - expected) * 10
