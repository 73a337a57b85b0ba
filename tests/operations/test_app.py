from collections.abc import MutableMapping
from typing import Any

import trio
import trio.testing

from phonegate.api.reply import Reply
from phonegate.http.body_stream import BodyStream, SendPiece
from phonegate.operations.app import OperatorApp


class Streams:
    """A pipeline with one answer, which is produced while it is sent."""

    def __init__(self) -> None:
        self.closed: list[bool] = []

    async def reply(self, *_: Any) -> Reply:
        await trio.lowlevel.checkpoint()
        body = BodyStream(self.produce, self.closed.append)
        return Reply(status=200, headers=(("A", "b"),), body=b"", stream=body)

    async def produce(self, send: SendPiece) -> None:
        await send(b"one")
        await trio.sleep_forever()


async def test_an_answer_streams_until_the_client_leaves(nursery: trio.Nursery) -> None:
    sent: list[MutableMapping[str, Any]] = []
    left = trio.Event()
    pipeline: Any = Streams()

    async def receive() -> MutableMapping[str, Any]:
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message)

    scope = {"type": "http", "method": "GET", "raw_path": b"/", "query_string": b"", "headers": []}
    nursery.start_soon(OperatorApp(pipeline), scope, receive, send)
    await trio.testing.wait_all_tasks_blocked()
    assert [one.get("body") for one in sent] == [None, b"one"]
    assert pipeline.closed == []
    left.set()
    await trio.testing.wait_all_tasks_blocked()
    assert [one.get("body") for one in sent] == [None, b"one", b""]
    assert pipeline.closed == [False]
